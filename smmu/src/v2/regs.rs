//! The global registers: where an offset leads, what is stored, what a load returns.

use crate::v2::bank::{gfar_bits, mask32, par_fields};
use crate::v2::errata::Errata;
use crate::v2::features::{Auxiliary, Description};
use crate::v2::wire::bank::offset;
use crate::v2::wire::global::{
    Acr, Cba2r, Cbar, CbarBypass, CbarNested, Cr0, Gfsr, Gfsynr0, Gfsynr1, S2cr, Smr, SmrExtended,
    gr0, gr1, s2cr_type,
};
use passim_model::bits::Field;

/// A place in the register window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Offset in global register space 0.
    Global0(u64),
    /// Offset in global register space 1.
    Global1(u64),
    /// Context bank, and offset in it.
    Bank(usize, u64),
    /// No register.
    Empty,
}

impl Place {
    /// The place at `offset`. IHI 0062 D.c 8.1: the global space has as many pages as the space of
    /// the context banks, which follows it.
    pub(crate) fn of(offset: u64, description: &Description) -> Self {
        let page_lg2 = description.page_lg2();
        let inside = offset & ((1 << page_lg2) - 1);
        let pages = 1u64 << description.pages_lg2;
        match offset >> page_lg2 {
            0 => Self::Global0(inside),
            1 => Self::Global1(inside),
            page if page < pages => Self::Empty,
            page => match usize::try_from(page - pages) {
                Ok(bank) if bank < usize::from(description.banks) => Self::Bank(bank, inside),
                _ => Self::Empty,
            },
        }
    }

    /// Whether this is the place of a 64-bit operation.
    pub(crate) fn is_wide_operation(self) -> bool {
        match self {
            Self::Global0(at) => {
                matches!(at, gr0::TLBIVALH64 | gr0::TLBIVAH64 | gr0::GATS1UR..=gr0::GATS12PW)
            }
            Self::Bank(_, at) => {
                let addressed = offset::TLBIVA..=offset::TLBIIPAS2L;
                addressed.contains(&at) && !matches!(at, offset::TLBIASID | offset::TLBIALL)
                    || (offset::ATS1PR..=offset::ATS1UW).contains(&at)
            }
            Self::Global1(_) | Self::Empty => false,
        }
    }

    /// Its offset from the base of the register window.
    pub(crate) fn offset(self, description: &Description) -> u64 {
        let page_lg2 = description.page_lg2();
        match self {
            Self::Global0(at) => at,
            Self::Global1(at) => (1 << page_lg2) + at,
            Self::Bank(bank, at) => {
                (((1u64 << description.pages_lg2) + bank as u64) << page_lg2) + at
            }
            Self::Empty => description.window(),
        }
    }

    /// The place that a Secure access reaches here. IHI 0062 D.c table 9-1: a banked register is
    /// the Secure state's at its own offset, and the Non-secure state's 0x400 above it.
    pub(crate) fn seen_by_secure(self) -> Self {
        let Self::Global0(at) = self else { return self };
        match at {
            0x400..0x600 if is_banked(at - 0x400) => Self::Global0(at - 0x400),
            _ if is_banked(at) => Self::Empty,
            // The states share these two: their aliases reach the same registers.
            NS_TLBGSYNC | NS_TLBGSTATUS => Self::Global0(at - 0x400),
            _ => self,
        }
    }

    /// The place `by` bytes further on.
    pub(crate) fn plus(self, by: u64) -> Self {
        match self {
            Self::Global0(at) => Self::Global0(at + by),
            Self::Global1(at) => Self::Global1(at + by),
            Self::Bank(bank, at) => Self::Bank(bank, at + by),
            Self::Empty => Self::Empty,
        }
    }
}

const NS_TLBGSYNC: u64 = 0x400 + gr0::TLBGSYNC;
const NS_TLBGSTATUS: u64 = 0x400 + gr0::TLBGSTATUS;

/// Whether each state has a register of its own at this offset of space 0. IHI 0062 D.c table 9-1.
fn is_banked(at: u64) -> bool {
    matches!(at, gr0::CR0 | gr0::CR2 | gr0::ACR | 0x40..0x60 | 0x100..0x140 | 0x180..0x18c)
}

/// The global registers.
#[derive(Clone, Debug)]
pub(crate) struct Globals {
    cr0: u32,
    acr: u32,
    pub(crate) gfar: u64,
    gfsr: u32,
    pub(crate) gfsynr0: u32,
    pub(crate) gfsynr1: u32,
    pub(crate) gpar: u64,
    pub(crate) smr: Vec<u32>,
    pub(crate) s2cr: Vec<u32>,
    cbar: Vec<u32>,
    cba2r: Vec<u32>,
    pub(crate) cbfrsynra: Vec<u32>,
}

const GFSYNR0_FIELDS: u32 =
    mask32(&[Gfsynr0::NESTED, Gfsynr0::WNR, Gfsynr0::PNU, Gfsynr0::IND, Gfsynr0::ATS]);

impl Globals {
    /// The registers after reset. IHI 0062 D.c 9.2.
    pub(crate) fn reset(description: &Description) -> Self {
        let entries = usize::from(description.stream_entries);
        let banks = usize::from(description.banks);
        let locked = matches!(description.auxiliary, Auxiliary::Mmu500 { locked: true });
        Self {
            cr0: mask32(&[Cr0::CLIENTPD]),
            acr: Acr::CACHE_LOCK.flag(locked) as u32,
            gfar: 0,
            gfsr: 0,
            gfsynr0: 0,
            gfsynr1: 0,
            gpar: 0,
            smr: vec![0; entries],
            s2cr: vec![0; entries],
            cbar: vec![0; banks],
            cba2r: vec![cba2r_reset(description); banks],
            cbfrsynra: vec![0; banks],
        }
    }

    pub(crate) fn cr0(&self) -> u64 {
        u64::from(self.cr0)
    }

    pub(crate) fn has(&self, field: Field) -> bool {
        field.is_set(self.cr0())
    }

    pub(crate) fn cbar(&self, bank: usize) -> u64 {
        u64::from(self.cbar[bank])
    }

    pub(crate) fn cba2r(&self, bank: usize) -> u64 {
        u64::from(self.cba2r[bank])
    }

    /// Whether ACTLR of the banks can be written.
    pub(crate) fn actlr_writable(&self, description: &Description) -> bool {
        let mmu500 = matches!(description.auxiliary, Auxiliary::Mmu500 { .. });
        mmu500 && !Acr::CACHE_LOCK.is_set(u64::from(self.acr))
    }

    pub(crate) fn gfsr(&self) -> u64 {
        u64::from(self.gfsr)
    }

    pub(crate) fn set_global_fault(&mut self, fault: Field) {
        self.gfsr |= fault.mask() as u32;
    }

    pub(crate) fn load0(&self, at: u64, description: &Description) -> u32 {
        let ids = description.ids();
        let entry = |from: u64| ((at - from) / 4) as usize;
        match at {
            gr0::CR0 => self.cr0_as_read(),
            gr0::ACR => self.acr,
            gr0::IDR0 => ids[0],
            gr0::IDR1 => ids[1],
            gr0::IDR2 => ids[2],
            gr0::IDR7 => ids[7],
            gr0::GFAR => self.gfar as u32,
            0x44 => (self.gfar >> 32) as u32,
            gr0::GFSR => self.gfsr,
            gr0::GFSYNR0 => self.gfsynr0,
            gr0::GFSYNR1 => self.gfsynr1,
            gr0::GPAR => self.gpar as u32,
            0x184 => (self.gpar >> 32) as u32,
            gr0::SMR..0xa00 if description.stream_matching => {
                self.smr.get(entry(gr0::SMR)).copied().unwrap_or(0)
            }
            gr0::S2CR..gr0::S2CR_END => self.s2cr.get(entry(gr0::S2CR)).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// IHI 0062 D.c 3.7.5, 9.6.3: STALLD switches GSE off.
    fn cr0_as_read(&self) -> u32 {
        if self.has(Cr0::STALLD) { self.cr0 & !mask32(&[Cr0::GSE]) } else { self.cr0 }
    }

    pub(crate) fn store0(
        &mut self,
        at: u64,
        value: u32,
        description: &Description,
        errata: Errata,
    ) {
        let entry = |from: u64| ((at - from) / 4) as usize;
        match at {
            gr0::CR0 => {
                let mut fields = cr0_fields(description);
                if Cr0::STALLD.is_set(u64::from(value)) && self.has(Cr0::STALLD) {
                    fields &= !mask32(&[Cr0::GSE]);
                }
                self.cr0 = self.cr0 & !fields | value & fields;
            }
            gr0::ACR if matches!(description.auxiliary, Auxiliary::Mmu500 { .. }) => {
                self.acr = value & mask32(&[Acr::SMTNMB_TLBEN, Acr::S2CRB_TLBEN, Acr::CACHE_LOCK]);
            }
            gr0::GFAR => self.gfar = self.gfar >> 32 << 32 | u64::from(value),
            0x44 => {
                let high = u64::from(value) << 32 & gfar_bits(description);
                self.gfar = self.gfar & u64::from(u32::MAX) | high;
            }
            gr0::GFSR => self.gfsr &= !(value & gfsr_fields(description)),
            gr0::GFSRRESTORE => self.gfsr = value & gfsr_fields(description),
            gr0::GFSYNR0 => self.gfsynr0 = value & GFSYNR0_FIELDS,
            gr0::GFSYNR1 => self.gfsynr1 = value & stream_id_bits(description),
            gr0::GPAR if description.has_translation_operations() => {
                self.gpar = self.gpar >> 32 << 32 | u64::from(value);
            }
            0x184 if description.has_translation_operations() => {
                let high = u64::from(value) << 32 & par_fields(description);
                self.gpar = self.gpar & u64::from(u32::MAX) | high;
            }
            gr0::SMR..0xa00 if description.stream_matching => {
                let fields = smr_fields(description);
                if let Some(smr) = self.smr.get_mut(entry(gr0::SMR)) {
                    *smr = value & fields;
                }
            }
            gr0::S2CR..gr0::S2CR_END => {
                self.store_s2cr(entry(gr0::S2CR), value, description, errata)
            }
            _ => {}
        }
    }

    fn store_s2cr(&mut self, entry: usize, value: u32, description: &Description, errata: Errata) {
        let Some(s2cr) = self.s2cr.get_mut(entry) else { return };
        let mut value = u64::from(value) & !S2cr::NSCFG.mask();
        if !description.has_extended_ids() {
            value &= !S2cr::EXIDVALID.mask();
        }
        if errata.bypass_becomes_fault {
            match S2cr::TYPE.get(value) {
                s2cr_type::BYPASS => value = S2cr::TYPE.set(value, s2cr_type::FAULT),
                s2cr_type::FAULT => return,
                _ => {}
            }
        }
        // The upper two bits are implementation defined, and absent.
        *s2cr = (value & 0x3fff_ffff) as u32;
    }

    pub(crate) fn load1(&self, at: u64) -> u32 {
        let register = |registers: &[u32], from: u64| {
            registers.get(((at - from) / 4) as usize).copied().unwrap_or(0)
        };
        match at {
            gr1::CBAR..0x200 => register(&self.cbar, gr1::CBAR),
            gr1::CBFRSYNRA..0x600 => register(&self.cbfrsynra, gr1::CBFRSYNRA),
            gr1::CBA2R..gr1::END => register(&self.cba2r, gr1::CBA2R),
            _ => 0,
        }
    }

    pub(crate) fn store1(&mut self, at: u64, value: u32, description: &Description) {
        let index = |from: u64| ((at - from) / 4) as usize;
        match at {
            gr1::CBAR..0x200 => {
                if let Some(cbar) = self.cbar.get_mut(index(gr1::CBAR)) {
                    *cbar = value & cbar_fields(description);
                }
            }
            gr1::CBFRSYNRA..0x600 => {
                if let Some(register) = self.cbfrsynra.get_mut(index(gr1::CBFRSYNRA)) {
                    *register = value & stream_id_bits(description);
                }
            }
            gr1::CBA2R..gr1::END => {
                if let Some(cba2r) = self.cba2r.get_mut(index(gr1::CBA2R)) {
                    *cba2r = value & cba2r_fields(description) | cba2r_reset(description);
                }
            }
            _ => {}
        }
    }
}

/// The fields of GFSR. IHI 0062 D.c 9.6.15: PF is the Secure state's, UUT of SMMUv2, and without
/// configuration access faults there is no CAF.
fn gfsr_fields(description: &Description) -> u32 {
    let fields = [Gfsr::ICF, Gfsr::USF, Gfsr::SMCF, Gfsr::UCBF, Gfsr::UCIF, Gfsr::EF, Gfsr::MULTI];
    mask32(&fields) | if description.is_v2() { mask32(&[Gfsr::UUT]) } else { 0 }
}

/// The bits of SMR: as many of ID and MASK as StreamIDs have. IHI 0062 D.c 9.6.25; where there is
/// the extended format as well, 9.5 keeps all bits of both.
fn smr_fields(description: &Description) -> u32 {
    if description.has_extended_ids() {
        return mask32(&[SmrExtended::EXID, SmrExtended::EXMASK]);
    }
    let id = Smr::ID.in_place((1 << description.stream_bits) - 1);
    (id | Smr::MASK.of(id) | Smr::VALID.mask()) as u32
}

/// The fields of CR0 that have an effect, or that software may store.
fn cr0_fields(description: &Description) -> u32 {
    let mut fields = mask32(&[
        Cr0::CLIENTPD,
        Cr0::GFRE,
        Cr0::GFIE,
        Cr0::TRANSIENTCFG,
        Cr0::USFCFG,
        Cr0::VMIDPNE,
        Cr0::PTM,
        Cr0::FB,
        Cr0::BSU,
        Cr0::MEM_ATTR,
        Cr0::MTCFG,
        Cr0::SMCFCFG,
        Cr0::SHCFG,
        Cr0::RACFG,
        Cr0::WACFG,
    ]);
    let v2 = description.is_v2();
    for (present, field) in [
        (description.has_extended_ids(), Cr0::EXIDENABLE),
        (description.stall, Cr0::STALLD),
        (description.stall && description.global_stall, Cr0::GSE),
        (v2 && description.e2h, Cr0::HYPMODE),
        (v2 && description.vmid16, Cr0::VMID16EN),
    ] {
        if present {
            fields |= mask32(&[field]);
        }
    }
    fields
}

/// The bits of GFSYNR1 and CBFRSYNRA: an implemented StreamID. IHI 0062 D.c 9.6.18.
fn stream_id_bits(description: &Description) -> u32 {
    let bits = if description.has_extended_ids() { 16 } else { description.stream_bits };
    Gfsynr1::STREAM_ID.in_place((1 << bits) - 1) as u32
}

/// The fields of CBAR, of all its formats. IHI 0062 D.c 9.5, 10.2.1: a field that only another TYPE
/// has keeps its value until TYPE changes.
fn cbar_fields(description: &Description) -> u32 {
    let fields = mask32(&[
        Cbar::VMID,
        Cbar::TYPE,
        CbarBypass::BPSHCFG,
        CbarBypass::HYPC,
        CbarBypass::FB,
        CbarBypass::MEM_ATTR,
        CbarBypass::BSU,
        CbarBypass::RACFG,
        CbarBypass::WACFG,
        CbarNested::CBNDX,
    ]);
    // IHI 0062 D.c 3.6.2: an SMMUv2 may have an interrupt for each bank, as here, and then has no
    // index.
    if description.is_v2() { fields } else { fields | mask32(&[Cbar::IRPTNDX]) }
}

/// IHI 0062 D.c 10.2.2: VA64 reads as one where there are no AArch32 tables.
fn cba2r_reset(description: &Description) -> u32 {
    Cba2r::VA64.flag(!description.has_aarch32()) as u32
}

fn cba2r_fields(description: &Description) -> u32 {
    let va64 = if description.has_aarch64() { mask32(&[Cba2r::VA64]) } else { 0 };
    let vmid16 = description.is_v2() && description.vmid16;
    va64 | if vmid16 { mask32(&[Cba2r::VMID16]) } else { 0 }
}
