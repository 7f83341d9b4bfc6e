//! Fields of registers, STE and CD that the second walk needs, transcribed for it alone.

passim_model::layout! {
    /// SMMU_IDR0, IHI 0070 G.b 6.3.1.
    pub(super) struct Idr0 {
        /// Stage 2.
        S2P = bit(0);
        /// Stage 1.
        S1P = bit(1);
        /// Bit 0 of TTF: tables of AArch32.
        TTF_AARCH32 = bit(2);
        /// Bit 1 of TTF: tables of AArch64.
        TTF_AARCH64 = bit(3);
        /// Hardware updates of flags in descriptors.
        HTTU = bits(7, 6);
        /// EL2.
        HYP = bit(9);
        /// ATS.
        ATS = bit(10);
        /// No ATS of stage 1 alone.
        NS1ATS = bit(11);
        /// ASIDs of 16 bits.
        ASID16 = bit(12);
        /// VMIDs of 16 bits.
        VMID16 = bit(18);
        /// CD tables of two levels.
        CD2L = bit(19);
        /// Byte order of tables.
        TTENDIAN = bits(22, 21);
        /// Whether faults may stall, must stall, or cannot.
        STALL_MODEL = bits(25, 24);
        /// Terminated transactions are aborted.
        TERM_MODEL = bit(26);
        /// Stream tables of two levels.
        ST_LEVEL = bits(28, 27);
    }
}
passim_model::layout! {
    /// SMMU_IDR1, IHI 0070 G.b 6.3.2.
    pub(super) struct Idr1 {
        /// StreamID bits.
        SIDSIZE = bits(5, 0);
        /// SubstreamID bits.
        SSIDSIZE = bits(10, 6);
        /// STE.PRIVCFG and STE.INSTCFG apply.
        ATTR_PERMS_OVR = bit(26);
    }
}
passim_model::layout! {
    /// SMMU_IDR3, IHI 0070 G.b 6.3.4.
    pub(super) struct Idr3 {
        /// HAD applies.
        HAD = bit(2);
        /// Execution permissions of stage 2 by privilege.
        XNX = bit(4);
        /// MPAM: PARTIDs, and STE.VMSPtr.
        MPAM = bit(7);
        /// Stage 2 may force memory types.
        FWB = bit(8);
        /// Small tables.
        STT = bit(9);
        /// E0PD applies.
        E0PD = bit(13);
        /// EPAN applies.
        EPAN = bit(17);
    }
}
passim_model::layout! {
    /// SMMU_IDR5, IHI 0070 G.b 6.3.6.
    pub(super) struct Idr5 {
        /// Output size.
        OAS = bits(2, 0);
        /// 4K granule.
        GRAN4K = bit(4);
        /// 16K granule.
        GRAN16K = bit(5);
        /// 64K granule.
        GRAN64K = bit(6);
        /// 52-bit descriptors of small granules.
        DS = bit(7);
        /// 128-bit descriptors.
        D128 = bit(8);
        /// Input size; 0: 48 bits.
        VAX = bits(11, 10);
    }
}
passim_model::layout! {
    /// SMMU_AIDR, IHI 0070 G.b 6.3.8.
    pub(super) struct Aidr {
        /// Major and minor revision of the architecture; 0: SMMUv3.0.
        REVISION = bits(7, 0);
    }
}
passim_model::layout! {
    /// SMMU_MPAMIDR, IHI 0070 G.b 6.3.41.
    pub(super) struct Mpamidr {
        /// The largest partition.
        PARTID_MAX = bits(15, 0);
    }
}
passim_model::layout! {
    /// SMMU_CR2, IHI 0070 G.b 6.3.12.
    pub(super) struct Cr2 {
        /// EL2 runs a host.
        E2H = bit(0);
    }
}
passim_model::layout! {
    /// SMMU_STRTAB_BASE, IHI 0070 G.b 6.3.24.
    pub(super) struct Base {
        /// Address.
        ADDR = bits(51, 6);
    }
}
passim_model::layout! {
    /// SMMU_STRTAB_BASE_CFG, IHI 0070 G.b 6.3.25.
    pub(super) struct BaseCfg {
        /// log2 of the number of streams.
        LOG2SIZE = bits(5, 0);
        /// StreamID bits of the second level.
        SPLIT = bits(10, 6);
        /// 1: two levels.
        FMT = bits(17, 16);
    }
}
passim_model::layout! {
    /// Level 1 Stream Table Descriptor, IHI 0070 G.b 5.1.
    pub(super) struct L1Std {
        /// Second level has 2^(SPAN - 1) entries; 0: none.
        SPAN = bits(4, 0);
        /// The second level.
        L2PTR = bits(51, 6);
    }
}
passim_model::layout! {
    /// STE, bits 63..0. IHI 0070 G.b 5.2.
    pub(super) struct Ste0 {
        /// Valid.
        V = bit(0);
        /// The stages that translate.
        CONFIG = bits(3, 1);
        /// Form of the CD table.
        S1FMT = bits(5, 4);
        /// First CD.
        S1CONTEXTPTR = bits(51, 6);
        /// log2 of the number of CDs.
        S1CDMAX = bits(63, 59);
    }
}
passim_model::layout! {
    /// STE, bits 127..64.
    pub(super) struct Ste1 {
        /// Transactions without a SubstreamID.
        S1DSS = bits(1, 0);
        /// Memory types are forced by stage 2.
        S2FWB = bit(25);
        /// PARTIDs are mapped by a table of the virtual machine.
        S1MPAM = bit(26);
        /// Stage 1 does not stall.
        S1STALLD = bit(27);
        /// ATS.
        EATS = bits(29, 28);
        /// StreamWorld.
        STRW = bits(31, 30);
        /// Privilege.
        PRIVCFG = bits(49, 48);
        /// Instruction or data.
        INSTCFG = bits(51, 50);
    }
}
passim_model::layout! {
    /// STE, bits 191..128.
    pub(super) struct Ste2 {
        /// VMID.
        S2VMID = bits(15, 0);
        /// 64 less the input bits.
        S2T0SZ = bits(37, 32);
        /// Start level.
        S2SL0 = bits(39, 38);
        /// Granule.
        S2TG = bits(47, 46);
        /// Output size.
        S2PS = bits(50, 48);
        /// AArch64.
        S2AA64 = bit(51);
        /// Big-endian.
        S2ENDI = bit(52);
        /// The access flag is ignored.
        S2AFFD = bit(53);
        /// Tables of stage 1 are not in Device memory.
        S2PTW = bit(54);
        /// Dirty state is updated by hardware.
        S2HD = bit(55);
        /// The access flag is updated by hardware.
        S2HA = bit(56);
        /// Faults stall.
        S2S = bit(57);
        /// Access flags of table descriptors too.
        S2HAFT = bit(59);
    }
}
passim_model::layout! {
    /// STE, bits 255..192.
    pub(super) struct Ste3 {
        /// Bit 2 of the start level.
        SL0_2 = bit(2);
        /// 52-bit descriptors.
        S2DS = bit(3);
        /// Address of the first table.
        S2TTB = bits(51, 4);
    }
}
passim_model::layout! {
    /// STE, bits 383..320.
    pub(super) struct Ste5 {
        /// The structure of the virtual machine.
        VMSPTR = bits(55, 12);
    }
}
passim_model::layout! {
    /// Level 1 Context Descriptor, IHI 0070 G.b 5.3.
    pub(super) struct L1Cd {
        /// Valid.
        V = bit(0);
        /// The second level.
        L2PTR = bits(51, 12);
    }
}
passim_model::layout! {
    /// CD, bits 63..0. IHI 0070 G.b 5.4.
    pub(super) struct Cd0 {
        /// 64 less the input bits.
        T0SZ = bits(5, 0);
        /// Granule.
        TG0 = bits(7, 6);
        /// No walks of TTB0.
        EPD0 = bit(14);
        /// Big-endian.
        ENDI = bit(15);
        /// 64 less the input bits of TTB1.
        T1SZ = bits(21, 16);
        /// Granule of TTB1.
        TG1 = bits(23, 22);
        /// No walks of TTB1.
        EPD1 = bit(30);
        /// Valid.
        V = bit(31);
        /// Output size.
        IPS = bits(34, 32);
        /// The access flag is ignored.
        AFFD = bit(35);
        /// WXN: writable memory is not executable.
        WXN = bit(36);
        /// Top byte ignored.
        TBI0 = bit(38);
        /// Top byte ignored in the upper half.
        TBI1 = bit(39);
        /// PAN: privileged accesses to unprivileged pages fault.
        PAN = bit(40);
        /// AArch64.
        AA64 = bit(41);
        /// Dirty state is updated by hardware.
        HD = bit(42);
        /// The access flag is updated by hardware.
        HA = bit(43);
        /// Faults stall.
        S = bit(44);
        /// Terminated transactions are aborted.
        A = bit(46);
        /// ASID.
        ASID = bits(63, 48);
    }
}
passim_model::layout! {
    /// CD, bits 127..64.
    pub(super) struct Cd1 {
        /// Table descriptors' permission bits are ignored.
        HAD0 = bit(1);
        /// Unprivileged accesses through TTB0 fault.
        E0PD0 = bit(2);
        /// Access flags of table descriptors too.
        HAFT = bit(3);
        /// Address of the first table.
        TTB0 = bits(51, 4);
        /// EPAN: PAN includes unprivileged execution permission.
        EPAN = bit(59);
    }
}
passim_model::layout! {
    /// CD, bits 191..128.
    pub(super) struct Cd2 {
        /// TTB1 table descriptors' permission bits are ignored.
        HAD1 = bit(1);
        /// Unprivileged accesses through TTB1 fault.
        E0PD1 = bit(2);
        /// Address of the first table of the upper half.
        TTB1 = bits(51, 4);
        /// 52-bit descriptors.
        DS = bit(58);
    }
}

/// log2 of the bytes of an STE.
pub(super) const STE_LG2: u32 = 6;
/// log2 of the bytes of a level 1 descriptor.
pub(super) const L1STD_LG2: u32 = 3;
/// log2 of the bytes of a CD.
pub(super) const CD_LG2: u64 = 6;
/// log2 of the bytes of a level 1 descriptor of CDs.
pub(super) const L1CD_LG2: u64 = 3;
