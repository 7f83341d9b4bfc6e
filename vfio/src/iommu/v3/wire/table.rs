//! Stream table entries (Arm IHI 0070 G.b 5.1, 5.2) and context descriptors (5.4).

use passim_model::layout;

layout! {
    /// A first-level stream table descriptor, 5.1.
    pub(in crate::iommu::v3) struct StrtabL1Desc {
        /// 1 + log2 of the second level's entries.
        SPAN = bits(4, 0);
        /// Second level.
        L2PTR = bits(51, 6);
    }
}

layout! {
    /// Stream table entry, doubleword 0, 5.2.
    pub(in crate::iommu::v3) struct StrtabSte0 {
        /// Valid.
        V = bit(0);
        /// What happens to the stream.
        CFG = bits(3, 1);
        /// Format of the CD table.
        S1FMT = bits(5, 4);
        /// CD table.
        S1CTXPTR = bits(51, 6);
        /// log2 of the number of CDs.
        S1CDMAX = bits(63, 59);
    }
}

/// `CFG`: abort.
pub(in crate::iommu::v3) const STRTAB_STE_0_CFG_ABORT: u64 = 0;
/// `CFG`: bypass.
pub(in crate::iommu::v3) const STRTAB_STE_0_CFG_BYPASS: u64 = 4;
/// `CFG`: stage 1.
pub(in crate::iommu::v3) const STRTAB_STE_0_CFG_S1_TRANS: u64 = 5;
/// `CFG`: stage 2.
pub(in crate::iommu::v3) const STRTAB_STE_0_CFG_S2_TRANS: u64 = 6;

layout! {
    /// Stream table entry, doubleword 1, 5.2.
    pub(in crate::iommu::v3) struct StrtabSte1 {
        /// Traffic without a substream.
        S1DSS = bits(1, 0);
        /// Inner cacheability of CDs.
        S1CIR = bits(3, 2);
        /// Outer cacheability of CDs.
        S1COR = bits(5, 4);
        /// Shareability of CDs.
        S1CSH = bits(7, 6);
        /// Stage-2 memory attributes: forced write-back.
        S2FWB = bit(25);
        /// Stage 1 never stalls.
        S1STALLD = bit(27);
        /// Translation requests.
        EATS = bits(29, 28);
        /// Translation regime of the stream.
        STRW = bits(31, 30);
        /// Shareability of bypassing traffic.
        SHCFG = bits(45, 44);
        PRIVCFG = bits(49, 48);
    }
}

/// `S1DSS`: traffic without a substream uses CD 0.
pub(in crate::iommu::v3) const STRTAB_STE_1_S1DSS_SSID0: u64 = 2;
pub(in crate::iommu::v3) const STRTAB_STE_1_STRW_EL2: u64 = 2;
/// `EATS`: translation requests are answered with full translations.
pub(in crate::iommu::v3) const STRTAB_STE_1_EATS_TRANS: u64 = 1;
/// `S1DSS`: traffic without a substream bypasses stage 1.
pub(in crate::iommu::v3) const STRTAB_STE_1_S1DSS_BYPASS: u64 = 1;
/// Cacheability: write-back, read- and write-allocate.
pub(in crate::iommu::v3) const STRTAB_STE_1_S1C_CACHE_WBRA: u64 = 1;
/// Not cacheable.
pub(in crate::iommu::v3) const STRTAB_STE_1_S1C_CACHE_NC: u64 = 0;
/// Shareability: inner.
pub(in crate::iommu::v3) const ARM_SMMU_SH_ISH: u64 = 3;
/// Outer shareable.
pub(in crate::iommu::v3) const ARM_SMMU_SH_OSH: u64 = 2;
/// `PRIVCFG`: unprivileged, whatever the transaction's privilege.
pub(in crate::iommu::v3) const STRTAB_STE_1_PRIVCFG_UNPRIV: u64 = 2;
/// `SHCFG`: the transaction's shareability.
pub(in crate::iommu::v3) const STRTAB_STE_1_SHCFG_INCOMING: u64 = 1;

layout! {
    /// Stream table entry, doubleword 2, 5.2.
    pub(in crate::iommu::v3) struct StrtabSte2 {
        /// Tags stage-2 translations.
        S2VMID = bits(15, 0);
        /// 64 less the input size.
        S2T0SZ = bits(37, 32);
        /// Start level.
        S2SL0 = bits(39, 38);
        /// Inner cacheability of walks.
        S2IR0 = bits(41, 40);
        /// Outer cacheability of walks.
        S2OR0 = bits(43, 42);
        /// Shareability of walks.
        S2SH0 = bits(45, 44);
        /// Granule.
        S2TG = bits(47, 46);
        /// Output size.
        S2PS = bits(50, 48);
        /// AArch64 tables.
        S2AA64 = bit(51);
        /// Big-endian tables.
        S2ENDI = bit(52);
        /// Protected walks.
        S2PTW = bit(54);
        /// Stall on faults.
        S2S = bit(57);
        /// Record faults.
        S2R = bit(58);
    }
}

layout! {
    /// Stream table entry, doubleword 3, 5.2.
    pub(in crate::iommu::v3) struct StrtabSte3 {
        /// Stage-2 tables.
        S2TTB = bits(51, 4);
    }
}

layout! {
    /// Context descriptor, doubleword 0, 5.4.
    pub(in crate::iommu::v3) struct CtxdescCd0 {
        /// 64 less the input size.
        TCR_T0SZ = bits(5, 0);
        /// Granule.
        TCR_TG0 = bits(7, 6);
        /// Inner cacheability of walks.
        TCR_IRGN0 = bits(9, 8);
        /// Outer cacheability of walks.
        TCR_ORGN0 = bits(11, 10);
        /// Shareability of walks.
        TCR_SH0 = bits(13, 12);
        /// No tables for low addresses.
        TCR_EPD0 = bit(14);
        /// No tables for high addresses.
        TCR_EPD1 = bit(30);
        /// Valid.
        V = bit(31);
        /// Output size.
        TCR_IPS = bits(34, 32);
        /// AArch64 tables.
        AA64 = bit(41);
        /// Stall on faults.
        S = bit(44);
        /// Record faults.
        R = bit(45);
        /// Abort faulting traffic.
        A = bit(46);
        /// The ASID belongs to this context alone.
        ASET = bit(47);
        /// Tags stage-1 translations.
        ASID = bits(63, 48);
    }
}

layout! {
    /// Context descriptor, doubleword 1, 5.4.
    pub(in crate::iommu::v3) struct CtxdescCd1 {
        /// Stage-1 tables.
        TTB0 = bits(51, 4);
    }
}
