//! Registers of context banks, by their sections in Arm IHI 0062 D.c.

use passim_model::layout;

/// Offsets in a context bank.
pub(in crate::iommu::v2) mod cb {
    pub(in crate::iommu::v2) const SCTLR: u64 = 0x0;
    pub(in crate::iommu::v2) const ACTLR: u64 = 0x4;
    pub(in crate::iommu::v2) const RESUME: u64 = 0x8;
    pub(in crate::iommu::v2) const TCR2: u64 = 0x10;
    pub(in crate::iommu::v2) const TTBR0: u64 = 0x20;
    pub(in crate::iommu::v2) const TTBR1: u64 = 0x28;
    pub(in crate::iommu::v2) const TCR: u64 = 0x30;
    pub(in crate::iommu::v2) const CONTEXTIDR: u64 = 0x34;
    pub(in crate::iommu::v2) const S1_MAIR0: u64 = 0x38;
    pub(in crate::iommu::v2) const S1_MAIR1: u64 = 0x3c;
    pub(in crate::iommu::v2) const FSR: u64 = 0x58;
    pub(in crate::iommu::v2) const FAR: u64 = 0x60;
    pub(in crate::iommu::v2) const FSYNR0: u64 = 0x68;
    pub(in crate::iommu::v2) const PAR: u64 = 0x50;
    pub(in crate::iommu::v2) const S1_TLBIVA: u64 = 0x600;
    pub(in crate::iommu::v2) const S1_TLBIASID: u64 = 0x610;
    pub(in crate::iommu::v2) const S1_TLBIVAL: u64 = 0x620;
    pub(in crate::iommu::v2) const S2_TLBIIPAS2: u64 = 0x630;
    pub(in crate::iommu::v2) const S2_TLBIIPAS2L: u64 = 0x638;
    pub(in crate::iommu::v2) const TLBSYNC: u64 = 0x7f0;
    pub(in crate::iommu::v2) const TLBSTATUS: u64 = 0x7f4;
    pub(in crate::iommu::v2) const ATS1PR: u64 = 0x800;
    pub(in crate::iommu::v2) const ATSR: u64 = 0x8f0;
}

layout! {
    /// ATSR, chapter 4.
    pub(in crate::iommu::v2) struct Atsr {
        /// An operation is under way.
        ACTIVE = bit(0);
    }
}

layout! {
    /// PAR, 16.5.14.
    pub(in crate::iommu::v2) struct Par {
        /// The operation ended in a fault.
        F = bit(0);
    }
}

layout! {
    /// SCTLR, 16.5.29.
    pub(in crate::iommu::v2) struct CbSctlr {
        /// Translate.
        M = bit(0);
        /// Attributes through MAIR.
        TRE = bit(1);
        /// Access flags.
        AFE = bit(2);
        /// Tables are big-endian.
        E = bit(4);
        /// Faults abort.
        CFRE = bit(5);
        /// Faults interrupt.
        CFIE = bit(6);
        /// Faults stall.
        CFCFG = bit(7);
        /// Transactions proceed although a fault is outstanding.
        HUPCF = bit(8);
        /// ASIDs are private.
        S1_ASIDPNE = bit(12);
    }
}

layout! {
    /// TCR2, 16.5.39. PASIZE is four bits wide here; the fourth is reserved.
    pub(in crate::iommu::v2) struct CbTcr2 {
        /// Output size.
        PASIZE = bits(3, 0);
        /// ASIDs of 16 bits.
        AS = bit(4);
        /// The bit that is sign-extended.
        SEP = bits(17, 15);
    }
}

/// The uppermost upstream bit is sign-extended.
pub(in crate::iommu::v2) const ARM_SMMU_TCR2_SEP_UPSTREAM: u64 = 7;

layout! {
    /// TCR of stage 1, 16.5.38.
    pub(in crate::iommu::v2) struct CbTcr {
        /// 64 less the input size.
        T0SZ = bits(5, 0);
        /// Inner cacheability of walks.
        IRGN0 = bits(9, 8);
        /// Outer cacheability of walks.
        ORGN0 = bits(11, 10);
        /// Shareability of walks.
        SH0 = bits(13, 12);
        /// Granule.
        TG0 = bits(15, 14);
        /// No walks through TTBR1.
        EPD1 = bit(23);
    }
}

/// TCR.EAE of AArch32: long descriptors. 16.5.38.
pub(in crate::iommu::v2) const ARM_32_LPAE_TCR_EAE: u64 = 1 << 31;

layout! {
    /// TCR of stage 2, 17.3.8.
    pub(in crate::iommu::v2) struct CbVtcr {
        /// 64 less the input size.
        T0SZ = bits(5, 0);
        /// First level.
        SL0 = bits(7, 6);
        /// Inner cacheability of walks.
        IRGN0 = bits(9, 8);
        /// Outer cacheability of walks.
        ORGN0 = bits(11, 10);
        /// Shareability of walks.
        SH0 = bits(13, 12);
        /// Granule.
        TG0 = bits(15, 14);
        /// Output size.
        PS = bits(18, 16);
    }
}

/// TCR of stage 2: reserved, to be written as one. 17.3.8.
pub(in crate::iommu::v2) const ARM_SMMU_VTCR_RES1: u64 = 1 << 31;

layout! {
    /// TTBR0 and TTBR1, 16.5.40.
    pub(in crate::iommu::v2) struct CbTtbr {
        /// ASID.
        ASID = bits(63, 48);
    }
}

layout! {
    /// TTBR0 of a context with short descriptors, 16.5.40.
    pub(in crate::iommu::v2) struct CbTtbrShort {
        /// Walks are shareable.
        S = bit(1);
        /// Outer cacheability of walks.
        ORGN = bits(4, 3);
        /// Inner shareable rather than outer.
        NOS = bit(5);
        /// Inner cacheability of walks: the lower of its two bits, which are not adjacent.
        IRGN_WBWA = bit(6);
    }
}

layout! {
    /// PRRR, at MAIR0's offset, 16.5.17: the fields that are used.
    struct CbPrrr {
        /// Type of memory 1: device.
        TR1 = bits(3, 2);
        /// Type of memory 4: normal.
        TR4 = bits(9, 8);
        /// Type of memory 7: normal.
        TR7 = bits(15, 14);
        /// Device memory with S = 0 is shareable.
        DS0 = bit(16);
        /// Device memory with S = 1 is shareable.
        DS1 = bit(17);
        /// Normal memory with S = 1 is shareable.
        NS1 = bit(19);
        /// Memory 7 is inner shareable, not outer.
        NOS7 = bit(31);
    }
}

layout! {
    /// NMRR, at MAIR1's offset, 16.5.16: the fields that are used.
    struct CbNmrr {
        /// Inner cacheability of memory 7.
        IR7 = bits(15, 14);
        /// Outer cacheability of memory 7.
        OR7 = bits(31, 30);
    }
}

/// Device, non-cacheable and write-back memory, at the indices that the TEX\[0\], C and B bits of
/// their leaves select.
pub(in crate::iommu::v2) const V7S_PRRR: u64 = CbPrrr::TR1.of(1)
    | CbPrrr::TR4.of(2)
    | CbPrrr::TR7.of(2)
    | CbPrrr::DS0.of(1)
    | CbPrrr::DS1.of(1)
    | CbPrrr::NS1.of(1)
    | CbPrrr::NOS7.of(1);

/// Memory 7 is write-back, allocating.
pub(in crate::iommu::v2) const V7S_NMRR: u64 = CbNmrr::IR7.of(1) | CbNmrr::OR7.of(1);

layout! {
    /// FSR, 16.5.9.
    pub(in crate::iommu::v2) struct CbFsr {
        /// Translation fault.
        TF = bit(1);
        /// Access flag fault.
        AFF = bit(2);
        /// Permission fault.
        PF = bit(3);
        /// External fault.
        EF = bit(4);
        /// TLB match conflict.
        TLBMCF = bit(5);
        /// TLB lock fault.
        TLBLKF = bit(6);
        /// Address size fault.
        ASF = bit(7);
        /// Unsupported upstream transaction.
        UUT = bit(8);
        /// A transaction is stalled.
        SS = bit(30);
        /// Several faults.
        MULTI = bit(31);
    }
}

/// RESUME: terminates the stalled transaction; 0 retries it. 16.5.28.
pub(in crate::iommu::v2) const RESUME_TERMINATE: u64 = 1;

layout! {
    /// Operand of TLBIVA in an AArch64 context, 16.5.32.
    pub(in crate::iommu::v2) struct CbTlbi {
        /// ASID.
        ASID = bits(63, 48);
    }
}

layout! {
    /// Operand of TLBIVA in an AArch32 context, 16.5.32.
    pub(in crate::iommu::v2) struct CbTlbi32 {
        /// ASID.
        ASID = bits(7, 0);
        /// Address.
        VA = bits(31, 12);
    }
}
