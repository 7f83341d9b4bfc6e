//! Registers, by their sections in Arm IHI 0070 G.b.

use passim_model::layout;

/// Register offsets from the base of the SMMU.
pub(in crate::iommu::v3) mod offset {
    pub(in crate::iommu::v3) const IDR0: u64 = 0x0;
    pub(in crate::iommu::v3) const IDR1: u64 = 0x4;
    pub(in crate::iommu::v3) const IDR3: u64 = 0xc;
    pub(in crate::iommu::v3) const IDR5: u64 = 0x14;
    pub(in crate::iommu::v3) const IIDR: u64 = 0x18;
    pub(in crate::iommu::v3) const CR0: u64 = 0x20;
    pub(in crate::iommu::v3) const CR0ACK: u64 = 0x24;
    pub(in crate::iommu::v3) const CR1: u64 = 0x28;
    pub(in crate::iommu::v3) const CR2: u64 = 0x2c;
    pub(in crate::iommu::v3) const GBPA: u64 = 0x44;
    pub(in crate::iommu::v3) const IRQ_CTRL: u64 = 0x50;
    pub(in crate::iommu::v3) const IRQ_CTRLACK: u64 = 0x54;
    pub(in crate::iommu::v3) const GERROR: u64 = 0x60;
    pub(in crate::iommu::v3) const GERRORN: u64 = 0x64;
    pub(in crate::iommu::v3) const GERROR_IRQ_CFG0: u64 = 0x68;
    pub(in crate::iommu::v3) const STRTAB_BASE: u64 = 0x80;
    pub(in crate::iommu::v3) const STRTAB_BASE_CFG: u64 = 0x88;
    pub(in crate::iommu::v3) const CMDQ_BASE: u64 = 0x90;
    pub(in crate::iommu::v3) const CMDQ_PROD: u64 = 0x98;
    pub(in crate::iommu::v3) const CMDQ_CONS: u64 = 0x9c;
    pub(in crate::iommu::v3) const EVTQ_BASE: u64 = 0xa0;
    pub(in crate::iommu::v3) const EVTQ_IRQ_CFG0: u64 = 0xb0;
    pub(in crate::iommu::v3) const PRIQ_BASE: u64 = 0xc0;
    pub(in crate::iommu::v3) const PRIQ_IRQ_CFG0: u64 = 0xd0;
    /// On register page 1, as every `EVTQ` and `PRIQ` index.
    pub(in crate::iommu::v3) const EVTQ_PROD: u64 = 0x1_00a8;
    pub(in crate::iommu::v3) const EVTQ_CONS: u64 = 0x1_00ac;
    pub(in crate::iommu::v3) const PRIQ_PROD: u64 = 0x1_00c8;
    pub(in crate::iommu::v3) const PRIQ_CONS: u64 = 0x1_00cc;
}

layout! {
    /// IDR0, 6.3.1.
    pub(in crate::iommu::v3) struct Idr0 {
        /// Stage 2.
        S2P = bit(0);
        /// Stage 1.
        S1P = bit(1);
        /// Table formats: 2 AArch64, 3 also AArch32.
        TTF = bits(3, 2);
        /// Coherent access.
        COHACC = bit(4);
        /// EL2 streams.
        HYP = bit(9);
        /// Address translation service.
        ATS = bit(10);
        /// ASIDs have 16 bits.
        ASID16 = bit(12);
        /// The SMMU's own interrupts may be messages.
        MSI = bit(13);
        /// Page requests.
        PRI = bit(16);
        /// VMIDs have 16 bits.
        VMID16 = bit(18);
        /// Endianness of tables: 0 both, 2 little, 3 big.
        TTENDIAN = bits(22, 21);
        /// 0 stall and terminate, 1 terminate, 2 stall.
        STALL_MODEL = bits(25, 24);
        /// 1: two-level stream tables.
        ST_LVL = bits(28, 27);
    }
}

layout! {
    /// IDR1, 6.3.2.
    pub(in crate::iommu::v3) struct Idr1 {
        /// Bits of a StreamID.
        SIDSIZE = bits(5, 0);
        /// log2 of the largest PRI queue.
        PRIQS = bits(15, 11);
        /// log2 of the largest event queue.
        EVTQS = bits(20, 16);
        /// log2 of the largest command queue.
        CMDQS = bits(25, 21);
        /// The STE may override memory attributes.
        ATTR_TYPES_OVR = bit(27);
        /// Preset addresses are relative.
        REL = bit(28);
        /// Queues at fixed addresses.
        QUEUES_PRESET = bit(29);
        /// Stream table at a fixed address.
        TABLES_PRESET = bit(30);
    }
}

layout! {
    /// IDR3, 6.3.4.
    pub(in crate::iommu::v3) struct Idr3 {
        /// Range invalidation.
        RIL = bit(10);
    }
}

layout! {
    /// IDR5, 6.3.6.
    pub(in crate::iommu::v3) struct Idr5 {
        /// Output address size.
        OAS = bits(2, 0);
        /// 4K granule.
        GRAN4K = bit(4);
        /// 16K granule.
        GRAN16K = bit(5);
        /// 64K granule.
        GRAN64K = bit(6);
    }
}

layout! {
    /// CR0 and CR0ACK, 6.3.9 and 6.3.10.
    pub(in crate::iommu::v3) struct Cr0 {
        /// Translate.
        SMMUEN = bit(0);
        /// PRI queue.
        PRIQEN = bit(1);
        /// Event queue.
        EVTQEN = bit(2);
        /// Command queue.
        CMDQEN = bit(3);
        /// Check translated traffic.
        ATSCHK = bit(4);
    }
}

layout! {
    /// CR1, 6.3.11: how the SMMU accesses its tables and queues.
    pub(in crate::iommu::v3) struct Cr1 {
        /// Inner cacheability of queues.
        QUEUE_IC = bits(1, 0);
        /// Outer cacheability of queues.
        QUEUE_OC = bits(3, 2);
        /// Shareability of queues.
        QUEUE_SH = bits(5, 4);
        /// Inner cacheability of tables.
        TABLE_IC = bits(7, 6);
        /// Outer cacheability of tables.
        TABLE_OC = bits(9, 8);
        /// Shareability of tables.
        TABLE_SH = bits(11, 10);
    }
}

layout! {
    /// CR2, 6.3.12.
    pub(in crate::iommu::v3) struct Cr2 {
        /// EL2 streams have an E2H format.
        E2H = bit(0);
        /// Record invalid StreamIDs.
        RECINVSID = bit(1);
        /// Private TLB maintenance.
        PTM = bit(2);
    }
}

layout! {
    /// GBPA, 6.3.14: the treatment of traffic while translation is off.
    pub(in crate::iommu::v3) struct Gbpa {
        /// Abort it.
        ABORT = bit(20);
        /// Write in progress.
        UPDATE = bit(31);
    }
}

layout! {
    /// IRQ_CTRL and IRQ_CTRLACK, 6.3.16 and 6.3.18.
    pub(in crate::iommu::v3) struct IrqCtrl {
        /// Global errors.
        GERROR_IRQEN = bit(0);
        /// PRI queue.
        PRIQ_IRQEN = bit(1);
        /// Event queue.
        EVTQ_IRQEN = bit(2);
    }
}

layout! {
    /// GERROR and GERRORN, 6.3.19 and 6.3.20.
    pub(in crate::iommu::v3) struct Gerror {
        /// A command was refused.
        CMDQ_ERR = bit(0);
        /// Service failure mode.
        SFM_ERR = bit(8);
    }
}

layout! {
    /// STRTAB_BASE_CFG, 6.3.25.
    pub(in crate::iommu::v3) struct StrtabBaseCfg {
        /// StreamID bits in use.
        LOG2SIZE = bits(5, 0);
        /// StreamID bits the second level resolves.
        SPLIT = bits(10, 6);
        /// 0 linear, 1 two levels.
        FMT = bits(17, 16);
    }
}

layout! {
    /// STRTAB_BASE, 6.3.24, and the base registers of all queues, 6.3.26, 6.3.29, 6.3.33.
    pub(in crate::iommu::v3) struct Base {
        /// log2 of entries; queues only.
        LOG2SIZE = bits(4, 0);
        /// Read- or write-allocate hint.
        RWA = bit(62);
    }
}

layout! {
    /// CMDQ_CONS, 6.3.28.
    pub(in crate::iommu::v3) struct CmdqCons {
        /// Why the command at RD was refused.
        ERR = bits(30, 24);
    }
}

/// `CMDQ_CONS.ERR`: refused as illegal.
pub(in crate::iommu::v3) const CMDQ_ERR_CERROR_ILL_IDX: u64 = 1;
/// `CMDQ_CONS.ERR`: the command could not be fetched.
pub(in crate::iommu::v3) const CMDQ_ERR_CERROR_ABT_IDX: u64 = 2;
/// `CMDQ_CONS.ERR`: an ATC invalidation timed out.
pub(in crate::iommu::v3) const CMDQ_ERR_CERROR_ATC_INV_IDX: u64 = 3;

/// `ID` of the events whose transactions may stall: F_TRANSLATION to F_PERMISSION.
pub(in crate::iommu::v3) const EVT_ID_STALLING: core::ops::RangeInclusive<u64> = 0x10..=0x13;

layout! {
    /// An event, doubleword 0.
    pub(in crate::iommu::v3) struct Evtq0 {
        /// Event number.
        ID = bits(7, 0);
        /// The SubstreamID is valid.
        SSV = bit(11);
        /// The SubstreamID.
        SSID = bits(31, 12);
        /// StreamID.
        SID = bits(63, 32);
    }
}

layout! {
    /// An event that may stall, doubleword 1.
    pub(in crate::iommu::v3) struct Evtq1 {
        /// Identifies the stalled transaction.
        STAG = bits(15, 0);
        /// The transaction is stalled.
        STALL = bit(31);
        /// The access was privileged.
        PRIV = bit(33);
        /// The access was an instruction fetch.
        INST = bit(34);
        /// The access was a read.
        READ = bit(35);
        /// Stage 2 faulted.
        S2 = bit(39);
        /// Class of the faulting access: CD, table or input address.
        CLASS = bits(41, 40);
        /// A table was read, not written.
        TTRNW = bit(44);
    }
}

layout! {
    /// EVTQ_PROD and EVTQ_CONS, 6.3.95 and 6.3.96.
    pub(in crate::iommu::v3) struct EvtqIndex {
        /// Overflow, and its acknowledgement.
        OVERFLOW = bit(31);
    }
}
