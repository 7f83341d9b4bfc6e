//! The features of an SMMU, by name; every ID register follows from them.
//!
//! A description holds only what is modelled, so that no register promises more. Where values
//! contradict one another, [`Description::check`] returns which, and why.

use super::{FlagUpdate, IdRegisters, StallModel, TableEndian};
use crate::v3::wire::regs::{Aidr, Idr0, Idr1, Idr3, Idr5, Iidr, Mpamidr};

/// The features of an SMMU. Each field names the field of the ID registers it becomes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Description {
    /// AIDR: architecture version 3.`minor`, 0 to 4.
    pub minor: u8,
    /// IIDR: product, variant, revision and implementer.
    pub iidr: u32,
    /// IDR0.S1P: stage 1.
    pub stage1: bool,
    /// IDR0.S2P: stage 2.
    pub stage2: bool,
    /// IDR0.COHACC: accesses of the SMMU itself are coherent.
    pub coherent: bool,
    /// IDR0.HTTU: which flags of descriptors hardware updates.
    pub flag_updates: FlagUpdate,
    /// IDR0.HYP: the EL2 regimes.
    pub hyp: bool,
    /// IDR0.ATS.
    pub ats: bool,
    /// IDR0.NS1ATS = 0: split-stage ATS (STE.EATS = 2).
    pub split_stage_ats: bool,
    /// IDR0.ATSRECERR: CR2.REC_CFG_ATS exists.
    pub ats_errors: bool,
    /// IDR0.PRI; needs ATS.
    pub pri: bool,
    /// IDR0.ASID16.
    pub asid16: bool,
    /// IDR0.VMID16.
    pub vmid16: bool,
    /// IDR0.MSI: messages of the SMMU itself.
    pub msi: bool,
    /// IDR0.SEV: events to CPUs.
    pub sev: bool,
    /// IDR0.VMW: VMID wildcards.
    pub vmid_wildcards: bool,
    /// IDR0.CD2L: two-level CD tables.
    pub two_level_cd: bool,
    /// IDR0.ST_LEVEL: two-level Stream tables.
    pub two_level_stream: bool,
    /// IDR0.TTENDIAN.
    pub table_endian: TableEndian,
    /// IDR0.STALL_MODEL.
    pub stall_model: StallModel,
    /// IDR0.TERM_MODEL = 0: a CD may configure RAZ/WI.
    pub raz_wi: bool,
    /// IDR1.SIDSIZE: bits of a StreamID, at most 32.
    pub stream_bits: u8,
    /// IDR1.SSIDSIZE: bits of a SubstreamID, at most 20; 0: there are none.
    pub substream_bits: u8,
    /// IDR1.CMDQS: log2 of the largest Command queue, at most 19.
    pub command_queue_lg2: u8,
    /// IDR1.EVENTQS: log2 of the largest Event queue, at most 19.
    pub event_queue_lg2: u8,
    /// IDR1.PRIQS: log2 of the largest PRI queue, at most 19; applies with PRI.
    pub pri_queue_lg2: u8,
    /// IDR1.ATTR_PERMS_OVR: STE.PRIVCFG and STE.INSTCFG.
    pub override_perms: bool,
    /// IDR1.ATTR_TYPES_OVR: STE.MTCFG, SHCFG and ALLOCCFG.
    pub override_types: bool,
    /// IDR3.HAD: hierarchical permissions can be switched off.
    pub hierarchical_disable: bool,
    /// IDR3.XNX: execution at stage 2 by privilege.
    pub xnx: bool,
    /// IDR3.PPS: automatic responses carry the PASID; applies with PRI and SubstreamIDs.
    pub pasid_in_responses: bool,
    /// IDR3.MPAM: labels for memory that is partitioned (v3.2 and later).
    pub mpam: bool,
    /// MPAMIDR.PARTID_MAX: the largest PARTID; applies with MPAM. 0: no VMS.
    pub partid_max: u16,
    /// MPAMIDR.PMG_MAX: the largest PMG; applies with MPAM.
    pub pmg_max: u8,
    /// IDR3.FWB: stage 2 may force the memory type.
    pub force_write_back: bool,
    /// IDR3.STT: small translation tables.
    pub small_tables: bool,
    /// IDR3.RIL: range invalidation and level hints.
    pub range_invalidation: bool,
    /// IDR3.BBML: 0 to 2. Level 1 and 2 promise that a change of block size needs no break.
    pub bbm_level: u8,
    /// IDR3.E0PD.
    pub e0pd: bool,
    /// IDR3.PASIDTT: translated transactions may carry a PASID; with ATS and SubstreamIDs.
    pub pasid_translated: bool,
    /// IDR3.EPAN.
    pub epan: bool,
    /// IDR5.OAS: output address bits: 32, 36, 40, 42, 44, 48 or 52.
    pub output_bits: u8,
    /// IDR5.GRAN4K, GRAN16K and GRAN64K.
    pub granules: [bool; 3],
    /// IDR5.DS: 52-bit descriptors of the small granules.
    pub ds: bool,
    /// IDR5.VAX: virtual addresses of 52 bits.
    pub large_va: bool,
    /// IDR5.STALL_MAX: stalled transactions that can wait recorded at a time.
    pub stall_max: u16,
}

/// A condition, the field that breaks it, and why it has to hold.
type Rule = (bool, &'static str, &'static str);

/// Values of a description that contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Contradiction {
    /// The field of [`Description`].
    pub field: &'static str,
    /// Why its value is impossible.
    pub why: &'static str,
}

impl Description {
    /// The `virt` board's SMMU, both stages. Measured: `regs` of every dump of stage 1.
    pub const VIRT: Self = Self {
        minor: 1,
        iidr: 0,
        stage1: true,
        stage2: true,
        coherent: true,
        flag_updates: FlagUpdate::None,
        hyp: false,
        ats: false,
        split_stage_ats: true,
        ats_errors: false,
        pri: false,
        asid16: true,
        vmid16: true,
        msi: false,
        sev: false,
        vmid_wildcards: false,
        two_level_cd: false,
        two_level_stream: true,
        table_endian: TableEndian::Little,
        stall_model: StallModel::TerminateOnly,
        raz_wi: false,
        stream_bits: 16,
        substream_bits: 0,
        command_queue_lg2: 19,
        event_queue_lg2: 19,
        pri_queue_lg2: 0,
        override_perms: false,
        override_types: false,
        hierarchical_disable: true,
        xnx: true,
        pasid_in_responses: false,
        mpam: false,
        partid_max: 0,
        pmg_max: 0,
        force_write_back: false,
        small_tables: false,
        range_invalidation: true,
        bbm_level: 2,
        e0pd: false,
        pasid_translated: false,
        epan: false,
        output_bits: 44,
        granules: [true; 3],
        ds: false,
        large_va: false,
        stall_max: 0,
    };

    /// An SMMU of the kind of Arm's MMU-600 (v3.1), as far as it is modelled: without AArch32
    /// tables and without broadcast invalidation, which the product has.
    pub const MMU_600: Self = Self {
        minor: 1,
        // Product 0x483, Arm.
        iidr: 0x4830_043b,
        flag_updates: FlagUpdate::Dirty,
        hyp: true,
        ats: true,
        pri: true,
        msi: true,
        sev: true,
        vmid_wildcards: true,
        two_level_cd: true,
        stall_model: StallModel::Both,
        raz_wi: true,
        stream_bits: 24,
        substream_bits: 20,
        pri_queue_lg2: 19,
        override_perms: true,
        override_types: true,
        pasid_in_responses: true,
        range_invalidation: false,
        bbm_level: 0,
        output_bits: 48,
        stall_max: 64,
        ..Self::VIRT
    };

    /// Everything that is modelled (v3.3).
    pub const EVERYTHING: Self = Self {
        minor: 3,
        iidr: 0,
        flag_updates: FlagUpdate::Tables,
        ats_errors: true,
        table_endian: TableEndian::Mixed,
        stream_bits: 32,
        mpam: true,
        partid_max: 63,
        pmg_max: 3,
        force_write_back: true,
        small_tables: true,
        range_invalidation: true,
        bbm_level: 2,
        e0pd: true,
        pasid_translated: true,
        epan: true,
        output_bits: 52,
        ds: true,
        large_va: true,
        stall_max: 256,
        ..Self::MMU_600
    };

    /// The built-in descriptions, by name.
    pub const PRESETS: [(&'static str, Self); 3] =
        [("virt", Self::VIRT), ("mmu-600", Self::MMU_600), ("everything", Self::EVERYTHING)];

    /// The built-in description of this name.
    pub fn preset(name: &str) -> Option<Self> {
        let mut presets = Self::PRESETS.into_iter();
        presets.find(|(preset, _)| *preset == name).map(|(_, description)| description)
    }

    /// The ID registers that follow.
    ///
    /// # Errors
    /// A [`Contradiction`], as [`Description::check`] finds it.
    pub fn id_registers(&self) -> Result<IdRegisters, Contradiction> {
        self.check()?;
        let idr = [self.idr0(), self.idr1(), 0, self.idr3(), 0, self.idr5()];
        let aidr = Aidr::ARCH_MINOR_REV.of(u64::from(self.minor)) as u32;
        let mpamidr = Mpamidr::PARTID_MAX.of(u64::from(self.partid_max))
            | Mpamidr::PMG_MAX.of(u64::from(self.pmg_max));
        let mpamidr = if self.mpam { mpamidr as u32 } else { 0 };
        Ok(IdRegisters { idr: idr.map(|word| word as u32), iidr: self.iidr, aidr, mpamidr })
    }

    /// Whether the values are consistent.
    ///
    /// # Errors
    /// The first [`Contradiction`].
    pub fn check(&self) -> Result<(), Contradiction> {
        let rules = self.rules().into_iter().chain(self.mandatory()).chain(self.too_new());
        let broken = rules.into_iter().find(|(holds, ..)| !holds);
        broken.map_or(Ok(()), |(_, field, why)| Err(Contradiction { field, why }))
    }

    /// The rules of every version.
    fn rules(&self) -> [Rule; 21] {
        let both = self.stage1 && self.stage2;
        let [k4, k16, k64] = self.granules;
        [
            (self.minor <= 4, "minor", "the architecture goes up to version 3.4"),
            (self.stage1 || self.stage2, "stage1", "an SMMU has at least one stage"),
            (self.stream_bits <= 32, "stream_bits", "a StreamID has at most 32 bits"),
            (self.substream_bits <= 20, "substream_bits", "a SubstreamID has at most 20 bits"),
            (self.command_queue_lg2 <= 19, "command_queue_lg2", "a queue has at most 2^19 entries"),
            (self.event_queue_lg2 <= 19, "event_queue_lg2", "a queue has at most 2^19 entries"),
            (self.pri_queue_lg2 <= 19, "pri_queue_lg2", "a queue has at most 2^19 entries"),
            (self.bbm_level <= 2, "bbm_level", "BBML is 0, 1 or 2"),
            (self.ats || !self.pri, "pri", "IDR0.PRI is 0 where IDR0.ATS is 0 (6.3.1)"),
            (both || !self.hyp, "hyp", "the EL2 regimes need both stages (6.3.1)"),
            (self.stage1 || self.substream_bits == 0, "substream_bits", "needs stage 1"),
            (self.oas_code().is_some(), "output_bits", "32, 36, 40, 42, 44, 48 or 52"),
            (self.granules.contains(&true), "granules", "at least one granule is needed"),
            (
                self.minor > 0 || self.output_bits <= 48,
                "output_bits",
                "52 bits came with version 3.1 (6.3.6)",
            ),
            (self.minor > 0 || !self.large_va, "large_va", "VAX came with version 3.1 (6.3.6)"),
            (
                self.stall_max != 0 || self.stall_model == StallModel::TerminateOnly,
                "stall_max",
                "where transactions stall, at least one can (6.3.6)",
            ),
            (
                self.stream_bits < 7 || self.two_level_stream,
                "two_level_stream",
                "StreamIDs of 7 bits and more need two-level Stream tables (3.3.1)",
            ),
            (k4 || k16 || !self.ds, "ds", "DS is about the 4K and 16K granules (6.3.6)"),
            (self.large_va || !self.ds, "large_va", "DS needs VAX of 1 (6.3.6)"),
            (
                k64 || self.ds || !self.large_va,
                "large_va",
                "VAX of 1 needs the 64K granule or DS (6.3.6)",
            ),
            (
                k64 || self.ds || self.output_bits < 52,
                "output_bits",
                "52 bits need the 64K granule or DS (6.3.6)",
            ),
        ]
    }

    /// The rules of features that a version of the architecture makes mandatory. IHI 0070 G.b
    /// 6.3.1, 6.3.4.
    fn mandatory(&self) -> [Rule; 8] {
        let both = self.stage1 && self.stage2;
        let before = |minor| self.minor < minor;
        [
            (
                before(1) || !self.stage1 || self.hierarchical_disable,
                "hierarchical_disable",
                "version 3.1 has HAD where there is a stage 1",
            ),
            (
                before(1) || !self.stage2 || self.xnx,
                "xnx",
                "version 3.1 has XNX where there is a stage 2",
            ),
            (before(2) || self.bbm_level != 0, "bbm_level", "version 3.2 has a BBML of 1 or 2"),
            (before(2) || self.range_invalidation, "range_invalidation", "version 3.2 has RIL"),
            (before(2) || self.force_write_back, "force_write_back", "version 3.2 has FWB"),
            (before(2) || !both || self.hyp, "hyp", "version 3.2 with both stages has Hyp"),
            (before(3) || self.e0pd, "e0pd", "version 3.3 has E0PD"),
            (before(4) || self.epan, "epan", "version 3.4 has EPAN"),
        ]
    }

    /// The rules of features of later versions: an SMMU may have some of the next version, and none
    /// of those after it. IHI 0070 G.b 2.4, 2.5, 2.8, 2.9.
    fn too_new(&self) -> [Rule; 11] {
        const OF_2: &str = "is of version 3.2, which 3.1 may have in part, and 3.0 not (2.4, 2.9)";
        const OF_3: &str = "is of version 3.3, which 3.2 may have in part, and 3.1 not (2.5, 2.9)";
        const OF_4: &str = "is of version 3.4, which 3.3 may have in part, and 3.2 not (2.8, 2.9)";
        let may = |version: u8| self.minor.saturating_add(1) >= version;
        [
            (may(2) || self.bbm_level == 0, "bbm_level", OF_2),
            (may(2) || !self.range_invalidation, "range_invalidation", OF_2),
            (may(2) || !self.small_tables, "small_tables", OF_2),
            (may(2) || !self.mpam, "mpam", OF_2),
            (may(2) || !self.force_write_back, "force_write_back", OF_2),
            (may(3) || !self.e0pd, "e0pd", OF_3),
            (may(3) || !self.ats_errors, "ats_errors", OF_3),
            (may(4) || !self.ds, "ds", OF_4),
            (may(4) || !self.epan, "epan", OF_4),
            (may(4) || !self.pasid_translated, "pasid_translated", OF_4),
            (may(4) || self.flag_updates != FlagUpdate::Tables, "flag_updates", OF_4),
        ]
    }

    fn idr0(&self) -> u64 {
        /// TTF: AArch64 tables only.
        const AARCH64: u64 = 2;
        let stall = match self.stall_model {
            StallModel::Both => 0,
            StallModel::TerminateOnly => 1,
            StallModel::Forced => 2,
        };
        let endian = match self.table_endian {
            TableEndian::Mixed => 0,
            TableEndian::Little => 2,
            TableEndian::Big => 3,
        };
        let both = self.stage1 && self.stage2;
        Idr0::S2P.flag(self.stage2)
            | Idr0::S1P.flag(self.stage1)
            | Idr0::TTF.of(AARCH64)
            | Idr0::COHACC.flag(self.coherent)
            | Idr0::HTTU.of(self.flag_updates as u64)
            | Idr0::HYP.flag(self.hyp)
            | Idr0::ATS.flag(self.ats)
            | Idr0::NS1ATS.flag(both && self.ats && !self.split_stage_ats)
            | Idr0::ASID16.flag(self.asid16)
            | Idr0::MSI.flag(self.msi)
            | Idr0::SEV.flag(self.sev)
            | Idr0::PRI.flag(self.pri)
            | Idr0::VMW.flag(self.stage2 && self.vmid_wildcards)
            | Idr0::VMID16.flag(self.vmid16)
            | Idr0::CD2L.flag(self.two_level_cd)
            | Idr0::TTENDIAN.of(endian)
            | Idr0::ATSRECERR.flag(self.ats && self.ats_errors)
            | Idr0::STALL_MODEL.of(stall)
            | Idr0::TERM_MODEL.flag(!self.raz_wi)
            | Idr0::ST_LEVEL.flag(self.two_level_stream)
    }

    fn idr1(&self) -> u64 {
        let pri_queue = if self.pri { self.pri_queue_lg2 } else { 0 };
        Idr1::SIDSIZE.of(u64::from(self.stream_bits))
            | Idr1::SSIDSIZE.of(u64::from(self.substream_bits))
            | Idr1::PRIQS.of(u64::from(pri_queue))
            | Idr1::EVENTQS.of(u64::from(self.event_queue_lg2))
            | Idr1::CMDQS.of(u64::from(self.command_queue_lg2))
            | Idr1::ATTR_PERMS_OVR.flag(self.override_perms)
            | Idr1::ATTR_TYPES_OVR.flag(self.override_types)
    }

    fn idr3(&self) -> u64 {
        // IHI 0070 G.b 6.3.4: HAD is 0 where IDR0.S1P is 0. The text has no such rule for XNX, FWB,
        // E0PD and EPAN.
        Idr3::HAD.flag(self.hierarchical_disable && self.stage1)
            // RES0 in version 3.0.
            | Idr3::XNX.flag(self.xnx && self.minor >= 1)
            // RES0 where no request can have a PASID.
            | Idr3::PPS.flag(self.pasid_in_responses && self.pri && self.substream_bits != 0)
            | Idr3::MPAM.flag(self.mpam)
            | Idr3::FWB.flag(self.force_write_back)
            | Idr3::STT.flag(self.small_tables)
            | Idr3::RIL.flag(self.range_invalidation)
            | Idr3::BBML.of(u64::from(self.bbm_level))
            | Idr3::E0PD.flag(self.e0pd)
            | Idr3::PTWNNC.flag(self.minor >= 3 && self.stage2)
            | Idr3::PASIDTT.flag(self.pasid_translated && self.ats && self.substream_bits != 0)
            | Idr3::EPAN.flag(self.epan)
            // IHI 0070 G.b 6.3.4: 1 from v3.4 on, where there is a stage 2.
            | Idr3::MTEPERM.flag(self.minor >= 4 && self.stage2)
    }

    fn idr5(&self) -> u64 {
        let [k4, k16, k64] = self.granules;
        // IHI 0070 G.b 6.3.6: RES0 where nothing stalls.
        let stalls = self.stall_model != StallModel::TerminateOnly;
        let stall_max = if stalls { self.stall_max } else { 0 };
        Idr5::OAS.of(self.oas_code().unwrap_or(0))
            | Idr5::GRAN4K.flag(k4)
            | Idr5::GRAN16K.flag(k16)
            | Idr5::GRAN64K.flag(k64)
            | Idr5::DS.flag(self.ds)
            | Idr5::VAX.flag(self.large_va)
            | Idr5::STALL_MAX.of(u64::from(stall_max))
    }

    fn oas_code(&self) -> Option<u64> {
        [32, 36, 40, 42, 44, 48, 52]
            .iter()
            .position(|&bits| bits == self.output_bits)
            .map(|at| at as u64)
    }

    /// Product of IIDR, as [`Description::iidr`] holds it.
    pub const fn product(&self) -> u32 {
        Iidr::PRODUCT_ID.get(self.iidr as u64) as u32
    }
}
