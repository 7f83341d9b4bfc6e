//! The fields of commands.

use passim_model::layout;

layout! {
    /// A command, doubleword 0: the fields all commands share.
    pub(in crate::iommu::v3) struct Cmdq0 {
        /// Operation.
        OP = bits(7, 0);
    }
}

layout! {
    /// CFGI and PREFETCH commands, doubleword 0.
    pub(in crate::iommu::v3) struct CmdqCfgi0 {
        /// Operation.
        OP = bits(7, 0);
        /// SubstreamID.
        SSID = bits(31, 12);
        /// StreamID.
        SID = bits(63, 32);
    }
}

layout! {
    /// CFGI commands, doubleword 1.
    pub(in crate::iommu::v3) struct CmdqCfgi1 {
        /// The entry itself, not the tables above.
        LEAF = bit(0);
    }
}

layout! {
    /// CFGI_STE_RANGE, doubleword 1.
    pub(in crate::iommu::v3) struct CmdqCfgiRange1 {
        /// log2 of streams less 1; 31 is all.
        RANGE = bits(4, 0);
    }
}

layout! {
    /// TLBI commands, doubleword 0.
    pub(in crate::iommu::v3) struct CmdqTlbi0 {
        /// Operation.
        OP = bits(7, 0);
        /// Blocks less 1 in units of `1 << SCALE`.
        NUM = bits(16, 12);
        /// See NUM.
        SCALE = bits(24, 20);
        /// VMID.
        VMID = bits(47, 32);
        /// ASID.
        ASID = bits(63, 48);
    }
}

layout! {
    /// TLBI commands, doubleword 1.
    pub(in crate::iommu::v3) struct CmdqTlbi1 {
        /// Last-level entries only.
        LEAF = bit(0);
        /// Level of the leaf, 0 for any.
        TTL = bits(9, 8);
        /// Granule of the range, 0 for no range.
        TG = bits(11, 10);
        /// First address.
        VA = bits(63, 12);
    }
}

layout! {
    /// ATC_INV, doubleword 0.
    pub(in crate::iommu::v3) struct CmdqAtc0 {
        /// Operation.
        OP = bits(7, 0);
        /// StreamID of the device.
        SID = bits(63, 32);
    }
}

layout! {
    /// ATC_INV, doubleword 1.
    pub(in crate::iommu::v3) struct CmdqAtc1 {
        /// log2 of the span in 4K.
        SIZE = bits(5, 0);
        /// First address.
        ADDR = bits(63, 12);
    }
}

layout! {
    /// RESUME, doubleword 0.
    pub(in crate::iommu::v3) struct CmdqResume0 {
        /// Operation.
        OP = bits(7, 0);
        /// Outcome of the transaction.
        RESP = bits(13, 12);
        /// StreamID of the transaction.
        SID = bits(63, 32);
    }
}

layout! {
    /// RESUME, doubleword 1.
    pub(in crate::iommu::v3) struct CmdqResume1 {
        /// STAG of the transaction.
        STAG = bits(15, 0);
    }
}

layout! {
    /// SYNC, doubleword 0.
    pub(in crate::iommu::v3) struct CmdqSync0 {
        /// Operation.
        OP = bits(7, 0);
        /// How completion is signalled.
        CS = bits(13, 12);
        /// Shareability of the message.
        MSH = bits(23, 22);
        /// Memory attributes of the message.
        MSIATTR = bits(27, 24);
        /// The message.
        MSIDATA = bits(63, 32);
    }
}

layout! {
    /// SYNC, doubleword 1.
    pub(in crate::iommu::v3) struct CmdqSync1 {
        /// Address of the message.
        MSIADDR = bits(51, 2);
    }
}

/// `SIZE` of every address.
pub(in crate::iommu::v3) const ATC_INV_SIZE_ALL: u64 = 52;
/// `RESP`: the transaction aborts.
pub(in crate::iommu::v3) const CMDQ_RESUME_0_RESP_ABORT: u64 = 2;
/// `CS`: completion writes a message.
pub(in crate::iommu::v3) const CMDQ_SYNC_0_CS_IRQ: u64 = 1;
/// `CS`: completion wakes waiting CPUs.
pub(in crate::iommu::v3) const CMDQ_SYNC_0_CS_SEV: u64 = 2;
/// `MSIATTR`: normal memory, write-back inside and outside.
pub(in crate::iommu::v3) const ARM_SMMU_MEMATTR_OIWB: u64 = 0xf;

/// Operations of commands.
pub(in crate::iommu::v3) mod op {
    pub(in crate::iommu::v3) const PREFETCH_CFG: u64 = 0x1;
    pub(in crate::iommu::v3) const CFGI_STE: u64 = 0x3;
    pub(in crate::iommu::v3) const CFGI_ALL: u64 = 0x4;
    pub(in crate::iommu::v3) const CFGI_CD: u64 = 0x5;
    pub(in crate::iommu::v3) const TLBI_NH_ASID: u64 = 0x11;
    pub(in crate::iommu::v3) const TLBI_NH_VA: u64 = 0x12;
    pub(in crate::iommu::v3) const TLBI_EL2_ALL: u64 = 0x20;
    pub(in crate::iommu::v3) const TLBI_EL2_ASID: u64 = 0x21;
    pub(in crate::iommu::v3) const TLBI_EL2_VA: u64 = 0x22;
    pub(in crate::iommu::v3) const TLBI_S12_VMALL: u64 = 0x28;
    pub(in crate::iommu::v3) const TLBI_S2_IPA: u64 = 0x2a;
    pub(in crate::iommu::v3) const TLBI_NSNH_ALL: u64 = 0x30;
    pub(in crate::iommu::v3) const ATC_INV: u64 = 0x40;
    pub(in crate::iommu::v3) const RESUME: u64 = 0x44;
    pub(in crate::iommu::v3) const CMD_SYNC: u64 = 0x46;
}
