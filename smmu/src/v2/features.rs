//! The features of an SMMUv2, by name; every identification register follows from them.
//!
//! A description holds only what is modelled, so that no register promises more. Where values
//! contradict one another, [`Description::check`] returns which, and why.

use crate::v2::wire::global::{Idr0, Idr1, Idr2};
use passim_model::pgtable::vmsav8::Granule;

/// Version of the architecture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// SMMUv1.
    V1,
    /// SMMUv1 with AArch64 tables of the 64K granule (CBA2R.VA64), as an MMU-401 has them.
    V1With64K,
    /// SMMUv2.
    V2,
}

/// The implemented formats of AArch32 tables. IDR0.PTFS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Aarch32 {
    /// None.
    Absent,
    /// Long descriptors.
    Long,
    /// Long and short descriptors.
    LongAndShort,
}

/// What hardware may update in AArch64 leaves. IDR1.HAFDBS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FlagUpdates {
    /// Nothing.
    None,
    /// The access flag.
    Access,
    /// The access flag and the dirty state.
    Dirty,
}

/// What implementation defined registers do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Auxiliary {
    /// They read as zero.
    None,
    /// As in an MMU-500: ACTLR.CPRE resets to 1, and while ACR.CACHE_LOCK is set ACTLR cannot be
    /// written. Source: Linux's arm-smmu-impl.
    Mmu500 {
        /// ACR.CACHE_LOCK after reset, as firmware leaves it.
        locked: bool,
    },
}

/// The features of an SMMU. Each field names the field of the ID registers it becomes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Description {
    /// Version of the architecture.
    pub version: Version,
    /// IDR0.S1TS.
    pub stage1: bool,
    /// IDR0.S2TS.
    pub stage2: bool,
    /// IDR0.NTS: stage 1 followed by stage 2; needs both.
    pub nested: bool,
    /// IDR0.SMS: stream matching; otherwise StreamIDs are indices.
    pub stream_matching: bool,
    /// IDR0.NUMSMRG: stream mapping entries, at most 128.
    pub stream_entries: u8,
    /// IDR0.NUMSIDB: bits of a StreamID, at most 15; 16 with `extended_ids`.
    pub stream_bits: u8,
    /// IDR0.EXIDS: StreamIDs of 16 bits; needs 15 `stream_bits` and matching.
    pub extended_ids: bool,
    /// IDR0.CTTW: table walks are coherent.
    pub coherent: bool,
    /// IDR0.PTFS.
    pub aarch32: Aarch32,
    /// IDR0.ATOSNS = 0: address translation operations; applies with stage 1.
    pub translation_operations: bool,
    /// IDR0.NUMIRPT: context interrupts that CBAR.IRPTNDX chooses from. SMMUv1 only; SMMUv2 has one
    /// per bank.
    pub context_interrupts: u8,
    /// IDR1.NUMCB: context banks, at most 128.
    pub banks: u8,
    /// IDR1.NUMS2CB: how many of them, the first ones, have the stage-2 format only.
    pub stage2_banks: u8,
    /// IDR1.SMCD: several matching entries are always detected.
    pub conflict_detection: bool,
    /// IDR1.PAGESIZE: register pages of 64K rather than 4K.
    pub large_pages: bool,
    /// IDR1.NUMPAGENDXB + 1: log2 of the pages of the global space, and of the banks' space; 1 to
    /// 8.
    pub pages_lg2: u8,
    /// IDR1.HAFDBS.
    pub flag_updates: FlagUpdates,
    /// IDR2.IAS: intermediate address bits: 32, 36, 40, 42, 44 or 48.
    pub ipa_bits: u8,
    /// IDR2.OAS: physical address bits: 32, 36, 40, 42, 44 or 48.
    pub output_bits: u8,
    /// IDR2.UBS: input address bits: 32, 36, 40, 42, 44, 49 or 64. SMMUv1: as `ipa_bits`.
    pub upstream_bits: u8,
    /// IDR2.PTFSv8: AArch64 tables by granule, 4K, 16K and 64K. SMMUv1: in no register.
    pub granules: [bool; 3],
    /// IDR2.VMID16S.
    pub vmid16: bool,
    /// IDR2.E2HS: contexts of a hypervisor with two halves.
    pub e2h: bool,
    /// IDR2.HADS: hierarchical permissions can be switched off.
    pub hierarchical_disable: bool,
    /// Whether SCTLR.CFCFG exists: faulting transactions may wait. 3.7.3.
    pub stall: bool,
    /// Whether CR0.GSE exists. 3.7.5.
    pub global_stall: bool,
    /// IDR7: major revision in bits 7:4, minor in 3:0.
    pub revision: u8,
    /// Implementation defined registers.
    pub auxiliary: Auxiliary,
}

/// Values of a description that contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Contradiction {
    /// The field of [`Description`].
    pub field: &'static str,
    /// Why its value is impossible.
    pub why: &'static str,
}

/// Address sizes and the code each has in IDR2, TCR and TCR2.
const SIZES: [u8; 6] = [32, 36, 40, 42, 44, 48];

/// The code of an address size; of the next smaller size, where it has none.
fn size_code(bits: u8) -> u64 {
    SIZES.iter().rposition(|&size| size <= bits).unwrap_or(0) as u64
}

/// The address size of this code; reserved codes are 48 bits. IHI 0062 D.c 16.5.39.
pub(crate) fn size_of(code: u64) -> u32 {
    usize::try_from(code).ok().and_then(|code| SIZES.get(code)).map_or(48, |&bits| u32::from(bits))
}

impl Description {
    /// An MMU-401: SMMUv1, stage 2 only, 40 bits. Source: IHI 0062's SMMUv1 with what a Juno board
    /// logs at boot: four banks, IPA and PA of 40 bits. That log does not give the number of stream
    /// mapping entries. AArch64 tables of 4K: Linux since 4.7 sets CBA2R.VA64 on every such SMMU
    /// whatever the granule, and drives them with pages of 4K.
    pub const MMU_401: Self = Self {
        version: Version::V1With64K,
        stage1: false,
        stage2: true,
        nested: false,
        stream_matching: true,
        stream_entries: 4,
        stream_bits: 15,
        extended_ids: false,
        coherent: true,
        aarch32: Aarch32::Long,
        translation_operations: false,
        context_interrupts: 4,
        banks: 4,
        stage2_banks: 4,
        conflict_detection: true,
        large_pages: false,
        pages_lg2: 3,
        flag_updates: FlagUpdates::None,
        ipa_bits: 40,
        output_bits: 40,
        upstream_bits: 40,
        granules: [true, false, true],
        vmid16: false,
        e2h: false,
        hierarchical_disable: false,
        stall: true,
        global_stall: false,
        revision: 0,
        auxiliary: Auxiliary::None,
    };

    /// An MMU-400: as the MMU-401, without AArch64 tables. Source: Linux takes `arm,mmu-400` for a
    /// plain SMMUv1, and `arm,mmu-401` for one that has them.
    pub const MMU_400: Self = Self { version: Version::V1, granules: [false; 3], ..Self::MMU_401 };

    /// An MMU-500 r2p0: SMMUv2, both stages, 48 bits, 64K register pages. No address translation
    /// operations: the boot log of a Tegra186 (OE4T/meta-tegra, issue 1142), which names the
    /// features that Linux finds in IDR0, has none; it has 128 stream mapping entries and 64 banks.
    /// That log shows no coherent walks either, but CTTW depends on the board.
    pub const MMU_500: Self = Self {
        version: Version::V2,
        stage1: true,
        stage2: true,
        nested: true,
        stream_matching: true,
        stream_entries: 128,
        stream_bits: 15,
        extended_ids: false,
        coherent: true,
        aarch32: Aarch32::LongAndShort,
        translation_operations: false,
        context_interrupts: 1,
        banks: 64,
        stage2_banks: 0,
        conflict_detection: true,
        large_pages: true,
        pages_lg2: 7,
        flag_updates: FlagUpdates::None,
        ipa_bits: 48,
        output_bits: 48,
        upstream_bits: 49,
        granules: [true, false, true],
        vmid16: false,
        e2h: false,
        hierarchical_disable: false,
        stall: true,
        global_stall: false,
        revision: 0x20,
        auxiliary: Auxiliary::Mmu500 { locked: true },
    };

    /// Everything that is modelled.
    pub const EVERYTHING: Self = Self {
        extended_ids: true,
        translation_operations: true,
        banks: 128,
        stage2_banks: 4,
        large_pages: false,
        flag_updates: FlagUpdates::Dirty,
        upstream_bits: 64,
        granules: [true; 3],
        vmid16: true,
        e2h: true,
        hierarchical_disable: true,
        global_stall: true,
        auxiliary: Auxiliary::None,
        revision: 0,
        ..Self::MMU_500
    };

    /// An SMMUv1 with both stages, nested, and the tables of AArch32 alone.
    pub const SMMU_V1: Self = Self {
        version: Version::V1,
        stage1: true,
        nested: true,
        aarch32: Aarch32::LongAndShort,
        translation_operations: true,
        context_interrupts: 8,
        stream_entries: 32,
        banks: 8,
        stage2_banks: 2,
        pages_lg2: 4,
        granules: [false; 3],
        ..Self::MMU_401
    };

    /// The built-in descriptions by name.
    pub const PRESETS: [(&'static str, Self); 5] = [
        ("mmu-400", Self::MMU_400),
        ("mmu-401", Self::MMU_401),
        ("mmu-500", Self::MMU_500),
        ("everything", Self::EVERYTHING),
        ("smmu-v1", Self::SMMU_V1),
    ];

    /// The built-in description of this name.
    pub fn preset(name: &str) -> Option<Self> {
        Self::PRESETS.iter().find(|(known, _)| *known == name).map(|&(_, preset)| preset)
    }

    /// The identification registers IDR0 to IDR7 as Non-secure software reads them.
    pub fn ids(&self) -> [u32; 8] {
        let v2 = self.version == Version::V2;
        let formats = match self.aarch32 {
            Aarch32::LongAndShort => 0,
            Aarch32::Long => 1,
            // SMMUv1 has one bit, and always long descriptors.
            Aarch32::Absent => {
                if v2 {
                    2
                } else {
                    1
                }
            }
        };
        let interrupts = if v2 { 1 } else { self.context_interrupts };
        let idr0 = Idr0::NUMSMRG.of(u64::from(self.stream_entries))
            | Idr0::EXIDS.flag(self.has_extended_ids())
            | Idr0::NUMSIDB.of(u64::from(self.stream_bits))
            | Idr0::CTTW.flag(self.coherent)
            | Idr0::NUMIRPT.of(u64::from(interrupts))
            | Idr0::PTFS.of(formats)
            | Idr0::ATOSNS.flag(v2 && self.stage1 && !self.translation_operations)
            | Idr0::SMS.flag(self.stream_matching)
            | Idr0::NTS.flag(self.nested)
            | Idr0::S2TS.flag(self.stage2)
            | Idr0::S1TS.flag(self.stage1);
        let hafdbs = match self.flag_updates {
            FlagUpdates::None => 0,
            FlagUpdates::Access => 1,
            FlagUpdates::Dirty => 3,
        };
        let idr1 = Idr1::NUMCB.of(u64::from(self.banks))
            | Idr1::SMCD.flag(self.conflict_detection)
            | Idr1::NUMS2CB.of(u64::from(self.stage2_banks))
            | Idr1::HAFDBS.of(if v2 { hafdbs } else { 0 })
            | Idr1::NUMPAGENDXB.of(u64::from(self.pages_lg2.saturating_sub(1)))
            | Idr1::PAGESIZE.flag(self.large_pages);
        let sizes =
            Idr2::IAS.of(size_code(self.ipa_bits)) | Idr2::OAS.of(size_code(self.output_bits));
        let idr2 = if v2 { sizes | self.idr2_of_v2() } else { sizes };
        [idr0 as u32, idr1 as u32, idr2 as u32, 0, 0, 0, 0, u32::from(self.revision)]
    }

    /// The fields of IDR2 that SMMUv1 does not have.
    fn idr2_of_v2(&self) -> u64 {
        let [k4, k16, k64] = self.granules;
        let upstream = match self.upstream_bits {
            64.. => 15,
            49..64 => 5,
            bits => size_code(bits.min(44)),
        };
        Idr2::UBS.of(upstream)
            | Idr2::PTFSV8_4KB.flag(k4)
            | Idr2::PTFSV8_16KB.flag(k16)
            | Idr2::PTFSV8_64KB.flag(k64)
            | Idr2::VMID16S.flag(self.vmid16)
            | Idr2::E2HS.flag(self.e2h)
            | Idr2::HADS.flag(self.hierarchical_disable)
    }

    /// Whether the values are consistent, so that an SMMU can be built.
    ///
    /// # Errors
    /// The first [`Contradiction`].
    pub fn check(&self) -> Result<(), Contradiction> {
        let size = |bits: u8| SIZES.contains(&bits);
        let v2 = self.version == Version::V2;
        let bank_pages = 1u16 << self.pages_lg2.min(8);
        let index = u32::from(self.stream_entries);
        let rules = [
            (self.stage1 || self.stage2, "stage1", "an SMMU has at least one stage"),
            (!self.nested || self.stage1 && self.stage2, "nested", "nesting needs both stages"),
            (self.stream_entries <= 128, "stream_entries", "there are at most 128 entries"),
            (self.stream_bits <= 15, "stream_bits", "NUMSIDB counts to 15"),
            (
                self.stream_matching || 1 << self.stream_bits.min(15) <= index.max(1),
                "stream_bits",
                "an index needs an entry for each StreamID",
            ),
            (
                !self.extended_ids || v2 && self.stream_matching && self.stream_bits == 15,
                "extended_ids",
                "16-bit StreamIDs need SMMUv2, matching, and 15 stream bits",
            ),
            ((1..=128).contains(&self.banks), "banks", "there are 1 to 128 context banks"),
            (self.stage2_banks <= self.banks, "stage2_banks", "they are some of the banks"),
            ((1..=8).contains(&self.pages_lg2), "pages_lg2", "NUMPAGENDXB has three bits"),
            (u16::from(self.banks) <= bank_pages, "pages_lg2", "every bank needs a page"),
            (size(self.ipa_bits), "ipa_bits", "IAS is 32, 36, 40, 42, 44 or 48"),
            (size(self.output_bits), "output_bits", "OAS is 32, 36, 40, 42, 44 or 48"),
            (
                self.stage2 || self.ipa_bits == self.output_bits,
                "ipa_bits",
                "without stage 2, IAS is OAS (IHI 0062 1.6.1)",
            ),
            (
                matches!(self.upstream_bits, 32 | 36 | 40 | 42 | 44 | 49 | 64),
                "upstream_bits",
                "UBS is 32, 36, 40, 42, 44, 49 or 64",
            ),
            (self.stage1 || !v2 || self.mirrors(), "upstream_bits", "UBS is IAS without stage 1"),
            (
                v2 || self.aarch32 != Aarch32::Absent,
                "aarch32",
                "SMMUv1 always has long descriptors",
            ),
            (
                self.aarch32 != Aarch32::Absent || self.granules.contains(&true),
                "granules",
                "an SMMU has at least one table format",
            ),
            (v2 || !self.granules[1], "granules", "SMMUv1 has no AArch64 tables of 16K"),
            (
                self.version != Version::V1 || !self.granules[0],
                "granules",
                "SMMUv1 without the 64K granule has no AArch64 tables",
            ),
            (
                v2 || self.flag_updates == FlagUpdates::None,
                "flag_updates",
                "SMMUv1 updates no descriptors",
            ),
            (
                (self.version == Version::V1With64K) <= self.granules[2],
                "granules",
                "SMMUv1 with the 64K granule has the 64K granule",
            ),
        ];
        let broken = rules.into_iter().find(|(holds, _, _)| !holds);
        broken.map_or(Ok(()), |(_, field, why)| Err(Contradiction { field, why }))
    }

    /// Whether UBS equals IAS, as it must without stage 1. IHI 0062 1.6.1; a UBS of 49 bits is 48
    /// bits and a sign.
    fn mirrors(&self) -> bool {
        self.upstream_bits.min(63) & !1 == self.ipa_bits
    }

    /// The description with every number clamped to what the registers can express, so that any
    /// description builds an SMMU.
    pub(crate) fn within_limits(self) -> Self {
        let banks = self.banks.clamp(1, 128);
        Self {
            stream_entries: self.stream_entries.min(128),
            stream_bits: self.stream_bits.min(15),
            banks,
            stage2_banks: self.stage2_banks.min(banks),
            pages_lg2: self.pages_lg2.clamp(1, 8),
            ipa_bits: self.ipa_bits.clamp(32, 48),
            output_bits: self.output_bits.clamp(32, 48),
            upstream_bits: self.upstream_bits.clamp(32, 64),
            ..self
        }
    }

    pub(crate) fn is_v2(&self) -> bool {
        self.version == Version::V2
    }

    pub(crate) fn has_extended_ids(&self) -> bool {
        self.is_v2() && self.stream_matching && self.extended_ids
    }

    /// Whether contexts can use AArch64 tables.
    pub(crate) fn has_aarch64(&self) -> bool {
        self.version != Version::V1 && self.granules.contains(&true)
    }

    /// Whether contexts can use AArch32 tables.
    pub(crate) fn has_aarch32(&self) -> bool {
        self.aarch32 != Aarch32::Absent || !self.has_aarch64()
    }

    /// Whether context banks have address translation operations. 4.1.1.
    pub(crate) fn has_translation_operations(&self) -> bool {
        self.stage1 && self.translation_operations
    }

    /// `asked`, or the smallest implemented granule.
    pub(crate) fn granule(&self, asked: Option<Granule>) -> Granule {
        let has = |granule: &Granule| self.granules[*granule as usize];
        let smallest = Granule::ALL.into_iter().find(has);
        asked.filter(has).or(smallest).unwrap_or(Granule::K4)
    }

    /// Bits of an intermediate address.
    pub(crate) fn ias(&self) -> u32 {
        u32::from(self.ipa_bits)
    }

    /// Bits of a physical address.
    pub(crate) fn oas(&self) -> u32 {
        u32::from(self.output_bits)
    }

    /// Bits of an input address.
    pub(crate) fn ubs(&self) -> u32 {
        if self.is_v2() { u32::from(self.upstream_bits) } else { self.ias() }
    }

    /// log2 of a register page.
    pub(crate) fn page_lg2(&self) -> u32 {
        if self.large_pages { 16 } else { 12 }
    }

    /// Bytes of the register window: the global space and the banks' space.
    pub(crate) fn window(&self) -> u64 {
        2 << (u32::from(self.pages_lg2) + self.page_lg2())
    }
}

#[cfg(test)]
mod tests;
