//! The registers of a context bank: what is stored, what a load returns.
//!
//! `context` decodes the registers; stores that are operations never arrive here.

use crate::v2::features::{Aarch32, Auxiliary, Description, FlagUpdates};
use crate::v2::wire::bank::{
    Actlr, Fsr, Fsynr0, Par, ParFault, Sctlr, Sctlr2, Tcr, Tcr2, Tcr2Long, TcrLong, TcrShort,
    TcrStage2, Ttbr, TtbrLong, format, offset,
};
use passim_model::bits::Field;

/// Which registers a bank has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BankFormat {
    Stage1,
    Stage2,
}

/// The format of a bank's tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    Short,
    Long,
    Aarch64,
}

impl Scheme {
    /// FSR.Format and PAR.Format.
    pub(crate) const fn code(self) -> u64 {
        match self {
            Self::Short => format::SHORT,
            Self::Long => format::LONG,
            Self::Aarch64 => format::AARCH64,
        }
    }

    /// PLVL of a fault before any level: IHI 0062 D.c 16.5.11. 17.3.1 has 1 for every stage-2
    /// bank; with AArch64 that contradicts the level-0 fault of 1.6.4 and 16.5.11, which is
    /// followed here in both formats of a bank. PLVL of SMMUv1 has no 0.
    pub(crate) fn first_level(self, description: &Description) -> u8 {
        match self {
            Self::Aarch64 if description.is_v2() => 0,
            Self::Aarch64 | Self::Short | Self::Long => 1,
        }
    }
}

/// Everything that the registers of a bank depend on besides their content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    pub(crate) description: &'a Description,
    pub(crate) format: BankFormat,
    pub(crate) scheme: Scheme,
    /// Whether transactions of the bank can stall: the SMMU implements it, and CR0.STALLD is 0.
    pub(crate) stalls: bool,
    /// Whether ACTLR can be written.
    pub(crate) actlr_writable: bool,
}

/// The bits of these fields.
pub(crate) const fn mask32(fields: &[Field]) -> u32 {
    let mut bits = 0;
    let mut i = 0;
    while i < fields.len() {
        bits |= fields[i].mask();
        i += 1;
    }
    bits as u32
}

/// The fields of SCTLR that both formats have.
const SCTLR_BOTH: u32 = mask32(&[
    Sctlr::M,
    Sctlr::TRE,
    Sctlr::AFE,
    Sctlr::AFFD,
    Sctlr::E,
    Sctlr::CFRE,
    Sctlr::CFIE,
    Sctlr::CFCFG,
    Sctlr::HUPCF,
    Sctlr::MEM_ATTR,
    Sctlr::SHCFG,
    Sctlr::RACFG,
    Sctlr::WACFG,
]);
const SCTLR_STAGE1: u32 = SCTLR_BOTH
    | mask32(&[
        Sctlr::WXN,
        Sctlr::UWXN,
        Sctlr::ASIDPNE,
        Sctlr::TRANSIENTCFG,
        Sctlr::MTCFG,
        Sctlr::UCI,
    ]);
const SCTLR_STAGE2: u32 = SCTLR_BOTH | mask32(&[Sctlr2::PTW, Sctlr2::BSU, Sctlr2::FB]);
const UCI: u32 = mask32(&[Sctlr::UCI]);
const PTW: u32 = mask32(&[Sctlr2::PTW]);
const CFCFG: u32 = mask32(&[Sctlr::CFCFG]);

const TCR_SHORT: u32 = mask32(&[TcrShort::T0SZ, TcrShort::PD0, TcrShort::PD1, TcrShort::EAE]);
const TCR_LONG: u32 = mask32(&[
    TcrLong::T0SZ,
    TcrLong::EPD0,
    TcrLong::IRGN0,
    TcrLong::ORGN0,
    TcrLong::SH0,
    TcrLong::T1SZ,
    TcrLong::A1,
    TcrLong::EPD1,
    TcrLong::IRGN1,
    TcrLong::ORGN1,
    TcrLong::SH1,
    TcrLong::EAE,
]);
const TCR_AARCH64: u32 = mask32(&[
    Tcr::T0SZ,
    Tcr::EPD0,
    Tcr::IRGN0,
    Tcr::ORGN0,
    Tcr::SH0,
    Tcr::TG0,
    Tcr::T1SZ,
    Tcr::A1,
    Tcr::EPD1,
    Tcr::IRGN1,
    Tcr::ORGN1,
    Tcr::SH1,
    Tcr::TG1,
]);
const TCR_STAGE2_LONG: u32 =
    mask32(&[Tcr2Long::T0SZ, Tcr2Long::SL0, Tcr2Long::IRGN0, Tcr2Long::ORGN0, Tcr2Long::SH0]);
const TCR_STAGE2: u32 = mask32(&[TcrStage2::T0SZ, TcrStage2::TG0, TcrStage2::PASIZE]);

/// The fault bits of FSR that exist with SMMUv1.
const FSR_V1: u32 =
    mask32(&[Fsr::TF, Fsr::AFF, Fsr::PF, Fsr::EF, Fsr::TLBMCF, Fsr::TLBLKF, Fsr::MULTI]);
const FSR_V2: u32 = FSR_V1 | mask32(&[Fsr::ASF, Fsr::UUT]);
const SS: u32 = mask32(&[Fsr::SS]);

/// A context bank.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bank {
    sctlr: u32,
    actlr: u32,
    tcr2: u32,
    pub(crate) ttbr: [u64; 2],
    tcr: u32,
    pub(crate) contextidr: u32,
    pub(crate) mair: [u32; 2],
    pub(crate) par: u64,
    /// Without Format.
    fsr: u32,
    pub(crate) far: u64,
    pub(crate) fsynr0: u32,
    pub(crate) ipafar: u64,
}

fn low(register: u64) -> u32 {
    register as u32
}

fn high(register: u64) -> u32 {
    (register >> 32) as u32
}

/// Stores these fields. Fields of another format keep their values.
fn keep(register: &mut u32, value: u32, fields: u32) {
    *register = *register & !fields | value & fields;
}

fn keep_low(register: &mut u64, value: u32, fields: u64) {
    let fields = fields & u64::from(u32::MAX);
    *register = *register & !fields | u64::from(value) & fields;
}

fn keep_high(register: &mut u64, value: u32, fields: u64) {
    let fields = fields >> 32 << 32;
    *register = *register & !fields | u64::from(value) << 32 & fields;
}

impl Bank {
    /// A bank after reset. IHI 0062 D.c 16.2.
    pub(crate) fn reset(description: &Description) -> Self {
        let actlr = match description.auxiliary {
            Auxiliary::Mmu500 { .. } => mask32(&[Actlr::CPRE]),
            Auxiliary::None => 0,
        };
        Self { actlr, ..Self::default() }
    }

    pub(crate) fn sctlr(&self) -> u64 {
        u64::from(self.sctlr)
    }

    pub(crate) fn tcr(&self) -> u64 {
        u64::from(self.tcr)
    }

    pub(crate) fn tcr2(&self) -> u64 {
        u64::from(self.tcr2)
    }

    /// ACTLR.CPRE of an MMU-500.
    pub(crate) fn prefetches(&self) -> bool {
        Actlr::CPRE.is_set(u64::from(self.actlr))
    }

    /// Whether FSR records a fault: any bit but Format. IHI 0062 D.c 3.7.3.
    pub(crate) fn is_faulting(&self) -> bool {
        self.fsr != 0
    }

    /// FSR.SS.
    pub(crate) fn is_stalled(&self) -> bool {
        self.fsr & SS != 0
    }

    pub(crate) fn set_stalled(&mut self, stalled: bool) {
        self.fsr = if stalled { self.fsr | SS } else { self.fsr & !SS };
    }

    pub(crate) fn set_fault(&mut self, fault: Field) {
        self.fsr |= fault.mask() as u32;
    }

    /// Whether the bank asserts its interrupt: CFIE, and a fault bit. IHI 0062 D.c 3.6.3.
    pub(crate) fn interrupts(&self) -> bool {
        Sctlr::CFIE.is_set(self.sctlr()) && self.fsr & !SS != 0
    }

    pub(crate) fn load(&self, at: u64, around: &Around<'_>) -> u32 {
        let stage1 = around.format == BankFormat::Stage1;
        let v2 = around.description.is_v2();
        let only = |present: bool, value: u32| if present { value } else { 0 };
        match at {
            offset::SCTLR => {
                self.sctlr & sctlr_fields(around) & if around.stalls { u32::MAX } else { !CFCFG }
            }
            offset::ACTLR => self.actlr,
            offset::TCR2 => only(stage1 && v2, self.tcr2),
            offset::TTBR0 => low(self.ttbr[0] & ttbr_fields(around)),
            offset::TTBR0_HIGH => high(self.ttbr[0] & ttbr_fields(around)),
            offset::TTBR1 => only(stage1, low(self.ttbr[1] & ttbr_fields(around))),
            offset::TTBR1_HIGH => only(stage1, high(self.ttbr[1] & ttbr_fields(around))),
            offset::TCR => self.tcr_as_read(around),
            offset::CONTEXTIDR => only(stage1, self.contextidr),
            offset::MAIR0 => only(stage1, self.mair[0]),
            offset::MAIR1 => only(stage1, self.mair[1]),
            offset::PAR => only(has_operations(around), low(self.par)),
            offset::PAR_HIGH => only(has_operations(around), high(self.par)),
            offset::FSR => self.fsr | only(v2, Fsr::FORMAT.of(around.scheme.code()) as u32),
            offset::FAR => low(self.far),
            offset::FAR_HIGH => high(self.far),
            offset::FSYNR0 => self.fsynr0 & fsynr0_fields(around),
            offset::IPAFAR => only(!stage1 && v2, low(self.ipafar_as_read(around))),
            offset::IPAFAR_HIGH => only(!stage1 && v2, high(self.ipafar_as_read(around))),
            _ => 0,
        }
    }

    /// IHI 0062 D.c 17.3.8: stage 2 of AArch32 has EAE fixed to 1.
    fn tcr_as_read(&self, around: &Around<'_>) -> u32 {
        let tcr = self.tcr & tcr_fields(around);
        match (around.format, around.scheme) {
            (BankFormat::Stage2, Scheme::Long) => tcr | mask32(&[Tcr2Long::EAE]),
            _ => tcr,
        }
    }

    /// IHI 0062 D.c 17.3.2: without nesting, IPAFAR is another name of FAR.
    fn ipafar_as_read(&self, around: &Around<'_>) -> u64 {
        if around.description.nested { self.ipafar } else { self.far }
    }

    pub(crate) fn store(&mut self, at: u64, value: u32, around: &Around<'_>) {
        let description = around.description;
        let stage1 = around.format == BankFormat::Stage1;
        let v2 = description.is_v2();
        match at {
            offset::SCTLR => {
                let fields = sctlr_fields(around) & if around.stalls { u32::MAX } else { !CFCFG };
                keep(&mut self.sctlr, value, fields);
            }
            offset::ACTLR if around.actlr_writable => {
                self.actlr = value & mask32(&[Actlr::CPRE]);
            }
            offset::TCR2 if stage1 && v2 => self.tcr2 = value & tcr2_fields(description),
            offset::TTBR0 => keep_low(&mut self.ttbr[0], value, ttbr_fields(around)),
            offset::TTBR0_HIGH => keep_high(&mut self.ttbr[0], value, ttbr_fields(around)),
            offset::TTBR1 if stage1 => keep_low(&mut self.ttbr[1], value, ttbr_fields(around)),
            offset::TTBR1_HIGH if stage1 => {
                keep_high(&mut self.ttbr[1], value, ttbr_fields(around));
            }
            offset::TCR => keep(&mut self.tcr, value, tcr_fields_stored(around)),
            offset::CONTEXTIDR if stage1 => self.contextidr = value,
            offset::MAIR0 if stage1 => self.mair[0] = value,
            offset::MAIR1 if stage1 => self.mair[1] = value,
            offset::PAR if has_operations(around) => keep_low(&mut self.par, value, u64::MAX),
            offset::PAR_HIGH if has_operations(around) => {
                keep_high(&mut self.par, value, par_fields(description));
            }
            // IHI 0062 D.c 16.5.9: write one to clear, but for SS.
            offset::FSR => self.fsr &= !(value & fsr_fields(description)),
            offset::FSRRESTORE => {
                self.fsr = self.fsr & SS | value & fsr_fields(description);
            }
            offset::FAR => keep_low(&mut self.far, value, u64::MAX),
            offset::FAR_HIGH => keep_high(&mut self.far, value, far_bits(description)),
            offset::FSYNR0 => self.fsynr0 = value & fsynr0_fields(around),
            offset::IPAFAR if !stage1 && v2 && description.nested => {
                keep_low(&mut self.ipafar, value, u64::MAX);
            }
            offset::IPAFAR_HIGH if !stage1 && v2 && description.nested => {
                keep_high(&mut self.ipafar, value, far_bits(description));
            }
            _ => {}
        }
    }
}

/// Whether the bank has PAR, ATSR and the operations. IHI 0062 D.c 4.1.1, 17.1.
pub(crate) fn has_operations(around: &Around<'_>) -> bool {
    around.format == BankFormat::Stage1 && around.description.has_translation_operations()
}

fn sctlr_fields(around: &Around<'_>) -> u32 {
    match around.format {
        // IHI 0062 D.c 16.5.29: UCI is of SMMUv2.
        BankFormat::Stage1 if around.description.is_v2() => SCTLR_STAGE1,
        BankFormat::Stage1 => SCTLR_STAGE1 & !UCI,
        BankFormat::Stage2 if around.description.nested => SCTLR_STAGE2,
        // IHI 0062 D.c 17.3.3: without a stage 1 before it there is no walk to protect.
        BankFormat::Stage2 => SCTLR_STAGE2 & !PTW,
    }
}

/// IHI 0062 D.c 16.5.40, 17.3.9: as many bits of address as the larger of IAS and OAS; an ASID of
/// 16 bits where there are AArch64 tables, of 8 with long descriptors alone, none at stage 2.
fn ttbr_fields(around: &Around<'_>) -> u64 {
    let bits = address_bits(around.description);
    let (base, asid) = match around.description.has_aarch64() {
        true => (Ttbr::BASE.mask(), Ttbr::ASID.mask()),
        false => (TtbrLong::BASE.mask(), TtbrLong::ASID.mask()),
    };
    match around.format {
        BankFormat::Stage1 => base & bits | asid,
        BankFormat::Stage2 => base & bits,
    }
}

/// The bits of the longest address that tables can output.
fn address_bits(description: &Description) -> u64 {
    (1 << description.ias().max(description.oas())) - 1
}

/// PAR and GPAR, the formats together: IHI 0062 D.c 16.5.14. All bits of the lower half.
pub(crate) fn par_fields(description: &Description) -> u64 {
    let fault = ParFault::PLVL.mask() | ParFault::STAGE.mask();
    u64::from(u32::MAX) | Par::PA.mask() & address_bits(description) | Par::MATTR.mask() | fault
}

/// IHI 0062 D.c 16.5.11, 17.3.1: fields about stage 2 exist in stage-2 banks only, and fields about
/// nesting only where nesting is implemented.
fn fsynr0_fields(around: &Around<'_>) -> u32 {
    let mut fields =
        mask32(&[Fsynr0::PLVL, Fsynr0::WNR, Fsynr0::PNU, Fsynr0::IND, Fsynr0::PTWF, Fsynr0::AFR]);
    if around.format == BankFormat::Stage2 {
        fields |= mask32(&[Fsynr0::NSATTR, Fsynr0::ATOF]);
        if around.description.nested {
            fields |= mask32(&[Fsynr0::S1PTWF, Fsynr0::S1CBNDX]);
        }
        // IHI 0062 D.c 3.5.1: in SMMUv1 the bank's registers do not show nesting.
        if around.description.nested && around.description.is_v2() {
            fields |= mask32(&[Fsynr0::NESTED]);
        }
    }
    fields
}

fn fsr_fields(description: &Description) -> u32 {
    if description.is_v2() { FSR_V2 } else { FSR_V1 }
}

fn tcr2_fields(description: &Description) -> u32 {
    let mut fields = mask32(&[Tcr2::PASIZE, Tcr2::AS, Tcr2::TBI0, Tcr2::TBI1, Tcr2::SEP]);
    if description.hierarchical_disable {
        fields |= mask32(&[Tcr2::HAD0, Tcr2::HAD1]);
    }
    if description.flag_updates >= FlagUpdates::Access {
        fields |= mask32(&[Tcr2::HA]);
    }
    if description.flag_updates == FlagUpdates::Dirty {
        fields |= mask32(&[Tcr2::HD]);
    }
    fields
}

/// The fields of TCR, of all formats that the bank may be switched between.
fn tcr_fields(around: &Around<'_>) -> u32 {
    let description = around.description;
    let aarch64 = description.has_aarch64();
    match around.format {
        BankFormat::Stage1 if aarch64 => TCR_LONG | TCR_SHORT | TCR_AARCH64,
        BankFormat::Stage1 if description.aarch32 == Aarch32::LongAndShort => TCR_LONG | TCR_SHORT,
        BankFormat::Stage1 => TCR_LONG,
        BankFormat::Stage2 if !aarch64 => TCR_STAGE2_LONG,
        BankFormat::Stage2 => {
            let mut fields = TCR_STAGE2_LONG | TCR_STAGE2;
            if description.is_v2() && description.flag_updates >= FlagUpdates::Access {
                fields |= mask32(&[TcrStage2::HA]);
            }
            if description.is_v2() && description.flag_updates == FlagUpdates::Dirty {
                fields |= mask32(&[TcrStage2::HD]);
            }
            fields
        }
    }
}

/// IHI 0062 D.c 17.3.8: with long descriptors, stores to bit 4 of a stage-2 TCR are ignored.
fn tcr_fields_stored(around: &Around<'_>) -> u32 {
    match (around.format, around.scheme) {
        (BankFormat::Stage2, Scheme::Long) => tcr_fields(around) & !(1 << 4),
        _ => tcr_fields(around),
    }
}

/// The address bits that FAR and IPAFAR keep. IHI 0062 D.c 16.5.8, 17.3.2.
pub(crate) fn far_bits(description: &Description) -> u64 {
    ones(description.ubs().max(description.ias()))
}

/// The address bits that GFAR keeps. IHI 0062 D.c 9.6.14.
pub(crate) fn gfar_bits(description: &Description) -> u64 {
    ones(description.ubs())
}

fn ones(bits: u32) -> u64 {
    if bits >= u64::BITS { u64::MAX } else { (1 << bits) - 1 }
}
