//! Registers of spaces 0 and 1, by their sections in Arm IHI 0062 D.c.

use passim_model::layout;

/// Offsets in register space 0.
pub(in crate::iommu::v2) mod gr0 {
    pub(in crate::iommu::v2) const CR0: u64 = 0x0;
    pub(in crate::iommu::v2) const ACR: u64 = 0x10;
    pub(in crate::iommu::v2) const ID0: u64 = 0x20;
    pub(in crate::iommu::v2) const ID1: u64 = 0x24;
    pub(in crate::iommu::v2) const ID2: u64 = 0x28;
    pub(in crate::iommu::v2) const ID7: u64 = 0x3c;
    pub(in crate::iommu::v2) const GFSR: u64 = 0x48;
    pub(in crate::iommu::v2) const GFSYNR0: u64 = 0x50;
    pub(in crate::iommu::v2) const GFSYNR1: u64 = 0x54;
    pub(in crate::iommu::v2) const TLBIVMID: u64 = 0x64;
    pub(in crate::iommu::v2) const TLBIALLNSNH: u64 = 0x68;
    pub(in crate::iommu::v2) const TLBIALLH: u64 = 0x6c;
    pub(in crate::iommu::v2) const TLBGSYNC: u64 = 0x70;
    pub(in crate::iommu::v2) const TLBGSTATUS: u64 = 0x74;
    /// Stream match register n is at `SMR + 4 * n`.
    pub(in crate::iommu::v2) const SMR: u64 = 0x800;
    /// Stream-to-context register n is at `S2CR + 4 * n`.
    pub(in crate::iommu::v2) const S2CR: u64 = 0xc00;
}

/// Offsets in register space 1, each of the first of as many registers as there are context banks.
pub(in crate::iommu::v2) mod gr1 {
    pub(in crate::iommu::v2) const CBAR: u64 = 0x0;
    pub(in crate::iommu::v2) const CBFRSYNRA: u64 = 0x400;
    pub(in crate::iommu::v2) const CBA2R: u64 = 0x800;
}

layout! {
    /// ID0, 9.6.1.
    pub(in crate::iommu::v2) struct Id0 {
        /// Stream mapping entries.
        NUMSMRG = bits(7, 0);
        /// StreamIDs of 16 bits.
        EXIDS = bit(8);
        /// Bits of a StreamID.
        NUMSIDB = bits(12, 9);
        /// Table walks are coherent.
        CTTW = bit(14);
        /// Context interrupts.
        NUMIRPT = bits(23, 16);
        /// No short descriptors.
        PTFS_NO_AARCH32S = bit(24);
        /// No tables of AArch32.
        PTFS_NO_AARCH32 = bit(25);
        /// No address translation operations.
        ATOSNS = bit(26);
        /// StreamIDs are matched.
        SMS = bit(27);
        /// Stage 1 followed by stage 2.
        NTS = bit(28);
        /// Stage 2.
        S2TS = bit(29);
        /// Stage 1.
        S1TS = bit(30);
    }
}

layout! {
    /// ID1, 9.6.1.
    pub(in crate::iommu::v2) struct Id1 {
        /// Context banks.
        NUMCB = bits(7, 0);
        /// Context banks with stage 2 only.
        NUMS2CB = bits(23, 16);
        /// log2 of the pages of the global space, less one.
        NUMPAGENDXB = bits(30, 28);
        /// Register pages of 64K.
        PAGESIZE = bit(31);
    }
}

layout! {
    /// ID2, 9.6.1.
    pub(in crate::iommu::v2) struct Id2 {
        /// Intermediate address size.
        IAS = bits(3, 0);
        /// Output address size.
        OAS = bits(7, 4);
        /// Upstream bus size.
        UBS = bits(11, 8);
        /// AArch64 tables of 4K.
        PTFS_4K = bit(12);
        /// AArch64 tables of 16K.
        PTFS_16K = bit(13);
        /// AArch64 tables of 64K.
        PTFS_64K = bit(14);
        /// VMIDs of 16 bits.
        VMID16 = bit(15);
    }
}

layout! {
    /// ID7, 9.6.1.
    pub(in crate::iommu::v2) struct Id7 {
        /// Minor revision.
        MINOR = bits(3, 0);
        /// Major revision.
        MAJOR = bits(7, 4);
    }
}

layout! {
    /// sCR0, 9.6.3.
    pub(in crate::iommu::v2) struct Cr0 {
        /// No translation.
        CLIENTPD = bit(0);
        /// Global faults abort.
        GFRE = bit(1);
        /// Global faults interrupt.
        GFIE = bit(2);
        /// StreamIDs of 16 bits.
        EXIDENABLE = bit(3);
        /// Configuration faults abort.
        GCFGFRE = bit(4);
        /// Configuration faults interrupt.
        GCFGFIE = bit(5);
        /// Unmatched streams fault.
        USFCFG = bit(10);
        /// VMIDs are private.
        VMIDPNE = bit(11);
        /// No broadcast TLB maintenance.
        PTM = bit(12);
        /// Force broadcasts.
        FB = bit(13);
        /// Upgrade barriers.
        BSU = bits(15, 14);
        /// VMIDs of 16 bits.
        VMID16EN = bit(31);
    }
}

layout! {
    /// sACR of an MMU-500 (implementation defined in 9.6.2).
    pub(in crate::iommu::v2) struct Acr {
        /// TLB entries for streams without a match.
        SMTNMB_TLBEN = bit(8);
        /// TLB entries for bypassing streams.
        S2CRB_TLBEN = bit(10);
        /// Cache control registers cannot be written.
        CACHE_LOCK = bit(26);
    }
}

layout! {
    /// sGFSR, 9.6.15.
    pub(in crate::iommu::v2) struct Gfsr {
        /// Unidentified stream.
        USF = bit(1);
    }
}

layout! {
    /// SMR, 9.6.25; without VALID where EXIDENABLE is 1.
    pub(in crate::iommu::v2) struct Smr {
        /// StreamID.
        ID = bits(15, 0);
        /// Bits that are not compared.
        MASK = bits(30, 16);
        /// In use.
        VALID = bit(31);
    }
}

layout! {
    /// S2CR, 9.6.23.
    pub(in crate::iommu::v2) struct S2cr {
        /// Context bank.
        CBNDX = bits(7, 0);
        /// In use, where EXIDENABLE is 1.
        EXIDVALID = bit(10);
        /// What happens to the stream.
        TYPE = bits(17, 16);
        /// Privilege.
        PRIVCFG = bits(25, 24);
    }
}

/// A context bank translates.
pub(in crate::iommu::v2) const S2CR_TYPE_TRANS: u64 = 0;
/// Bypasses translation.
pub(in crate::iommu::v2) const S2CR_TYPE_BYPASS: u64 = 1;
/// Every access faults.
pub(in crate::iommu::v2) const S2CR_TYPE_FAULT: u64 = 2;
/// Unprivileged, whatever the transaction's privilege.
pub(in crate::iommu::v2) const S2CR_PRIVCFG_UNPRIV: u64 = 2;

layout! {
    /// CBAR, 10.2.1: the fields common to all types.
    pub(in crate::iommu::v2) struct Cbar {
        /// VMID of 8 bits.
        VMID = bits(7, 0);
        /// Shareability where stage 2 is bypassed.
        S1_BPSHCFG = bits(9, 8);
        /// Memory attributes where stage 2 is bypassed.
        S1_MEMATTR = bits(15, 12);
        /// Stages.
        TYPE = bits(17, 16);
        /// Context interrupt, SMMUv1.
        IRPTNDX = bits(31, 24);
    }
}

/// Stage 2.
pub(in crate::iommu::v2) const CBAR_TYPE_S2_TRANS: u64 = 0;
/// Stage 1; stage 2 is bypassed.
pub(in crate::iommu::v2) const CBAR_TYPE_S1_TRANS_S2_BYPASS: u64 = 1;
/// Non-shareable: the weakest, so that other attributes win.
pub(in crate::iommu::v2) const CBAR_S1_BPSHCFG_NSH: u64 = 3;
/// Write-back: the weakest, so that other attributes win.
pub(in crate::iommu::v2) const CBAR_S1_MEMATTR_WB: u64 = 0xf;

layout! {
    /// CBA2R, 10.2.2.
    pub(in crate::iommu::v2) struct Cba2r {
        /// AArch64 tables.
        VA64 = bit(0);
        /// VMID of 16 bits.
        VMID16 = bits(31, 16);
    }
}

layout! {
    /// sTLBGSTATUS, and TLBSTATUS of a context bank.
    pub(in crate::iommu::v2) struct TlbStatus {
        /// A synchronisation is not complete.
        GSACTIVE = bit(0);
    }
}

layout! {
    /// ACTLR of an MMU-500's context bank (implementation defined in 16.5.1).
    pub(in crate::iommu::v2) struct CbActlr {
        /// Prefetch into the context.
        CPRE = bit(1);
    }
}

/// ACTLR.CPRE.
pub(in crate::iommu::v2) const CB_ACTLR_CPRE: u64 = CbActlr::CPRE.mask();
