//! Decodes a context bank: CBAR, CBA2R and the bank's registers become a regime.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `stage1` | how does a bank of the stage-1 format translate? |
//! | `stage2` | how does one of the stage-2 format? |
//!
//! The order of the checks is that of IHI 0062 D.c 3.8.4.

mod stage1;
mod stage2;

pub(crate) use stage1::{granule0, granule1};

use crate::regime::{OnFault, Stage1, Stage2, World};
use crate::tlb::{Space, Tlb};
use crate::v2::attributes::{Combination, Preset};
use crate::v2::bank::{Bank, BankFormat, Scheme};
use crate::v2::features::{Aarch32, Description};
use crate::v2::outcome::{GlobalFault, GlobalFaultKind};
use crate::v2::regs::Globals;
use crate::v2::wire::bank::{Sctlr, TcrShort};
use crate::v2::wire::global::{Cba2r, Cbar, CbarBypass, CbarNested, Cr0, cbar_type};
use passim_model::{Asid, Vmid};

/// The features and registers that decide how banks translate.
#[derive(Clone, Copy)]
pub(crate) struct Registers<'a> {
    pub(crate) description: &'a Description,
    pub(crate) globals: &'a Globals,
    pub(crate) banks: &'a [Bank],
}

/// A decoded bank, as the first bank of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The bank.
    pub(crate) first: usize,
    /// The format of its tables.
    pub(crate) scheme: Scheme,
    /// Whether it is a stage-1 bank.
    pub(crate) is_stage1: bool,
    /// Whether its M is set.
    pub(crate) on: bool,
    /// Stage 1, if it is on.
    pub(crate) stage1: Option<Stage1>,
    /// The bank of stage 2 behind stage 1, and the format of its tables.
    pub(crate) second: Option<(usize, Scheme)>,
    /// Stage 2, if it is on.
    pub(crate) stage2: Option<Stage2>,
    /// Output bits of stage 1 while it is off.
    pub(crate) stage1_bits: u32,
    /// Output bits of stage 2 while it is off.
    pub(crate) stage2_bits: u32,
    /// How a bus address becomes the input of stage 1.
    pub(crate) sign: SignExtension,
    /// Whether every access is privileged: HYPC, and not E2HC (IHI 0062 D.c 2.10).
    pub(crate) privileged: bool,
    /// The attribute overrides of the bank while stage 1 is off.
    pub(crate) off: Preset,
    /// The attributes that a stage 2 combines with those of stage 1 while it does not translate;
    /// also those of a stage-2 bank that is off.
    pub(crate) combination: Option<Combination>,
}

/// How a bus address becomes the input of an AArch64 stage 1. IHI 0062 D.c 1.6.4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SignExtension {
    /// None.
    None,
    /// From this bit upwards; a bit above it that is set is a translation fault.
    From(u32),
}

/// The format of a bank: CBAR.TYPE decides, and stage-2 banks have only one. IHI 0062 D.c 10.2.1.
pub(crate) fn format_of(registers: Registers<'_>, bank: usize) -> BankFormat {
    let only_stage2 = bank < usize::from(registers.description.stage2_banks);
    let stage2 = Cbar::TYPE.get(registers.globals.cbar(bank)) == cbar_type::STAGE2;
    if only_stage2 || stage2 { BankFormat::Stage2 } else { BankFormat::Stage1 }
}

/// The format of a bank's tables. IHI 0062 D.c 10.2.2 and 16.5.38: the effective EAE.
pub(crate) fn scheme_of(registers: Registers<'_>, bank: usize) -> Scheme {
    let Registers { description, globals, banks } = registers;
    if description.has_aarch64() && Cba2r::VA64.is_set(globals.cba2r(bank)) {
        return Scheme::Aarch64;
    }
    let fixed = format_of(registers, bank) == BankFormat::Stage2
        || hypervisor(registers, bank) == Some(World::El2)
        || description.aarch32 != Aarch32::LongAndShort;
    if fixed || TcrShort::EAE.is_set(banks[bank].tcr()) { Scheme::Long } else { Scheme::Short }
}

/// The world of a hypervisor's stage-1 bank. IHI 0062 D.c 2.8, 2.10.
pub(crate) fn hypervisor(registers: Registers<'_>, bank: usize) -> Option<World> {
    let Registers { description, globals, .. } = registers;
    let cbar = globals.cbar(bank);
    let stage1 = Cbar::TYPE.get(cbar) == cbar_type::STAGE1;
    if !stage1 || !description.stage1 || !CbarBypass::HYPC.is_set(cbar) {
        return None;
    }
    Some(if globals.has(Cr0::HYPMODE) { World::El2E2h } else { World::El2 })
}

/// The VMID of a bank. IHI 0062 D.c 1.6.6.
pub(crate) fn vmid_of(globals: &Globals, bank: usize) -> Vmid {
    let vmid = match globals.has(Cr0::VMID16EN) {
        true => Cba2r::VMID16.get(globals.cba2r(bank)),
        false => Cbar::VMID.get(globals.cbar(bank)),
    };
    Vmid::new(vmid as u16)
}

/// The world, VMID and ASID that stage-1 translations of a bank are tagged with.
pub(crate) fn tags_of(registers: Registers<'_>, bank: usize) -> (World, Vmid, Asid) {
    let asid = stage1::asid(registers, bank);
    match hypervisor(registers, bank) {
        None => (World::El1, vmid_of(registers.globals, bank), asid),
        // IHI 0062 D.c 10.2.1: HYPC tags with neither, E2HC with the ASID.
        Some(World::El2E2h) => (World::El2E2h, Vmid::new(0), asid),
        Some(_) => (World::El2, Vmid::new(0), Asid::new(0)),
    }
}

const fn invalid(kind: GlobalFaultKind, nested: bool) -> GlobalFault {
    GlobalFault { kind, nested }
}

/// Decodes a bank as the first bank of a transaction.
///
/// # Errors
/// The global fault of a bank that cannot be used so.
pub(crate) fn setting(
    registers: Registers<'_>,
    first: usize,
    tlb: &mut Tlb,
) -> Result<Setting, GlobalFault> {
    let Registers { description, globals, banks } = registers;
    if first >= banks.len() {
        return Err(invalid(GlobalFaultKind::UnimplementedBank, false));
    }
    let cbar = globals.cbar(first);
    let kind = Cbar::TYPE.get(cbar);
    let possible = match kind {
        cbar_type::STAGE2 => description.stage2,
        cbar_type::STAGE1 => description.stage1,
        cbar_type::NESTED => description.nested,
        _ => false,
    };
    let only_stage2 = first < usize::from(description.stage2_banks);
    if !possible || only_stage2 && kind != cbar_type::STAGE2 {
        // IHI 0062 D.c 3.8.4: an unsupported TYPE and "stage 2 fault" give the same fault.
        return Err(invalid(GlobalFaultKind::InvalidContext, true));
    }
    let scheme = scheme_of(registers, first);
    if kind == cbar_type::STAGE2 {
        return Ok(stage2_alone(registers, first, scheme, tlb));
    }
    let second = match kind {
        cbar_type::NESTED => {
            Some(second_bank(registers, scheme, CbarNested::CBNDX.get(cbar) as usize)?)
        }
        _ => None,
    };
    let sctlr = banks[first].sctlr();
    let on = Sctlr::M.is_set(sctlr);
    let behind = second.map(|(bank, _)| banks[bank].sctlr());
    let stage2 = second
        .filter(|_| behind.is_some_and(|sctlr| Sctlr::M.is_set(sctlr)))
        .map(|(bank, scheme)| stage2::of(registers, bank, scheme, tlb));
    let combination = match behind {
        None => Some(Combination::of_cbar(cbar)),
        Some(sctlr) => stage2.is_none().then(|| Combination::of_sctlr(sctlr)),
    };
    let stage1_bits = stage1::output_bits(description, scheme, second.is_some());
    let behind_scheme = second.map_or(scheme, |(_, scheme)| scheme);
    Ok(Setting {
        first,
        scheme,
        is_stage1: true,
        on,
        stage1: on.then(|| stage1::of(registers, first, scheme, stage1_bits, tlb)),
        second,
        stage2,
        stage1_bits,
        stage2_bits: stage2::output_bits(description, behind_scheme),
        sign: stage1::sign_extension(registers, first, scheme),
        privileged: hypervisor(registers, first) == Some(World::El2),
        off: Preset::of_sctlr(sctlr),
        combination,
    })
}

fn stage2_alone(registers: Registers<'_>, bank: usize, scheme: Scheme, tlb: &mut Tlb) -> Setting {
    let sctlr = registers.banks[bank].sctlr();
    let on = Sctlr::M.is_set(sctlr);
    Setting {
        first: bank,
        scheme,
        is_stage1: false,
        on,
        stage1: None,
        second: None,
        stage2: on.then(|| stage2::of(registers, bank, scheme, tlb)),
        stage1_bits: u64::BITS,
        stage2_bits: stage2::output_bits(registers.description, scheme),
        sign: SignExtension::None,
        privileged: false,
        off: Preset::default(),
        combination: (!on).then(|| Combination::of_sctlr(sctlr)),
    }
}

/// The stage-2 bank that a stage-1 bank names. IHI 0062 D.c 3.8.4.
fn second_bank(
    registers: Registers<'_>,
    first: Scheme,
    bank: usize,
) -> Result<(usize, Scheme), GlobalFault> {
    if bank >= registers.banks.len() {
        return Err(invalid(GlobalFaultKind::UnimplementedBank, true));
    }
    let scheme = scheme_of(registers, bank);
    let stage2 = Cbar::TYPE.get(registers.globals.cbar(bank)) == cbar_type::STAGE2;
    if !stage2 || first == Scheme::Aarch64 && scheme != Scheme::Aarch64 {
        return Err(invalid(GlobalFaultKind::InvalidContext, true));
    }
    Ok((bank, scheme))
}

/// A placeholder: a fault follows the bank's registers at its time, not the regime.
const FAULTS: OnFault = OnFault::ABORT_AND_RECORD;

/// The space of stage 2 of a bank.
fn stage2_space(globals: &Globals, bank: usize) -> Space {
    Space::Stage2 { vmid: vmid_of(globals, bank) }
}

#[cfg(test)]
mod tests;
