//! Stage 2 of a context bank. IHI 0062 D.c chapter 17.

use super::stage1::{aligned, granule0};
use super::{FAULTS, Registers, stage2_space};
use crate::regime::{Endian, FlagUpdates, Stage2};
use crate::tlb::Tlb;
use crate::v2::bank::Scheme;
use crate::v2::features::{Description, FlagUpdates as Updates, size_of};
use crate::v2::wire::bank::{Sctlr, Sctlr2, Tcr2Long, TcrStage2, Ttbr, TtbrLong};
use passim_model::pgtable::vmsav7l;
use passim_model::pgtable::vmsav8::{Granule, LAST_LEVEL, MAX_CONCATENATED_LG2, Stage};
use passim_model::pgtable::walk::{Config, Format};

/// A start level that does not exist: every walk is a translation fault.
const NO_LEVEL: i8 = LAST_LEVEL as i8 + 1;

/// Output bits of stage 2 that the implementation allows. IHI 0062 D.c table 3-4.
pub(super) fn output_bits(description: &Description, scheme: Scheme) -> u32 {
    let oas = description.oas();
    match scheme {
        Scheme::Short | Scheme::Long => oas.min(vmsav7l::MAX_BITS),
        Scheme::Aarch64 => oas,
    }
}

/// Decodes stage 2 of a bank.
pub(super) fn of(registers: Registers<'_>, bank: usize, scheme: Scheme, tlb: &mut Tlb) -> Stage2 {
    let space = tlb.space(stage2_space(registers.globals, bank));
    let bank = &registers.banks[bank];
    let (description, sctlr) = (registers.description, bank.sctlr());
    let flag_faults = !Sctlr::AFFD.is_set(sctlr);
    let bits = output_bits(description, scheme);
    let (walk, updates) = match scheme {
        Scheme::Short | Scheme::Long => {
            let config = long(description, bank.tcr(), bits, flag_faults);
            let root = aligned(TtbrLong::BASE.in_place(bank.ttbr[0]), &config);
            (Config { root, ..config }, FlagUpdates::default())
        }
        Scheme::Aarch64 => {
            let updates = updates(description, bank.tcr());
            let config = aarch64(description, bank.tcr(), bits, flag_faults, updates);
            let root = aligned(Ttbr::BASE.in_place(bank.ttbr[0]), &config);
            (Config { root, ..config }, updates)
        }
    };
    Stage2 {
        walk,
        granule: walk.granule,
        endian: if Sctlr::E.is_set(sctlr) { Endian::Big } else { Endian::Little },
        on_fault: FAULTS,
        updates,
        force_write_back: false,
        protected_walks: Sctlr2::PTW.is_set(sctlr),
        // IHI 0062 defines neither: XN[1] alone applies.
        tag_permissions: false,
        xnx: false,
        shareability: None,
        hinted: true,
        space,
    }
}

fn updates(description: &Description, tcr: u64) -> FlagUpdates {
    let access = description.flag_updates != Updates::None && TcrStage2::HA.is_set(tcr);
    FlagUpdates { access, dirty: access && TcrStage2::HD.is_set(tcr), tables: false }
}

/// IHI 0062 D.c 17.3.8, VA64 = 0.
fn long(description: &Description, tcr: u64, output_bits: u32, flag_faults: bool) -> Config {
    // T0SZ is a signed number of four bits.
    let t0sz = Tcr2Long::T0SZ.get(tcr);
    let input_bits = if t0sz & 8 == 0 { 32 - t0sz } else { 32 + (16 - t0sz) } as u32;
    let level = match Tcr2Long::SL0.get(tcr) {
        0 => Some(2),
        1 => Some(1),
        _ => None,
    };
    Config {
        format: Format::Long,
        stage: Stage::Two,
        granule: Granule::K4,
        input_bits: input_bits.min(description.ias()),
        start_level: start_level(Granule::K4, level, input_bits),
        root: 0,
        output_bits,
        implemented_bits: output_bits,
        hierarchical: false,
        access_flag_faults: flag_faults,
        ds: false,
        dirty_state: false,
    }
}

/// IHI 0062 D.c 17.3.8, VA64 = 1.
fn aarch64(
    description: &Description,
    tcr: u64,
    output_bits: u32,
    flag_faults: bool,
    updates: FlagUpdates,
) -> Config {
    let granule = description.granule(granule0(TcrStage2::TG0.get(tcr)));
    let input_bits = 64 - (TcrStage2::T0SZ.get(tcr) as u32).clamp(16, 39);
    let last = match granule {
        Granule::K4 => 2,
        Granule::K16 | Granule::K64 => 3,
    };
    let level = match TcrStage2::SL0.get(tcr) as u8 {
        up @ 0..=2 => Some(last - up),
        _ => None,
    };
    Config {
        format: Format::Aarch64,
        stage: Stage::Two,
        granule,
        // IHI 0062 D.c table 3-2: an IPA beyond IAS is a translation fault, as one beyond T0SZ.
        input_bits: input_bits.min(description.ias()),
        start_level: start_level(granule, level, input_bits),
        root: 0,
        output_bits: output_bits.min(size_of(TcrStage2::PASIZE.get(tcr))),
        implemented_bits: output_bits,
        hierarchical: false,
        access_flag_faults: flag_faults && !updates.access,
        ds: false,
        dirty_state: updates.dirty,
    }
}

/// The start level of SL0, if it is valid for the input size: the first table has at least two
/// entries, and at most sixteen times those of a single table. IHI 0062 D.c 2.6.4.
fn start_level(granule: Granule, level: Option<u8>, input_bits: u32) -> i8 {
    let fits = |level: &u8| {
        let lg2 = granule.level_lg2(*level);
        lg2 < input_bits && input_bits <= lg2 + granule.index_bits() + MAX_CONCATENATED_LG2
    };
    level.filter(fits).map_or(NO_LEVEL, |level| level as i8)
}
