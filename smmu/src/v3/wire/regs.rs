//! Registers: offsets and fields. IHI 0070 G.b, 6.2 and 6.3.

use passim_model::bits::{Field, bit, bits};
use passim_model::layout;

/// Offsets from the base of page 0. IHI 0070 G.b 6.2.1; page 1 starts at 0x10000 (6.2.2).
pub(crate) mod offset {
    pub(crate) const IDR0: u64 = 0x0;
    pub(crate) const IDR1: u64 = 0x4;
    pub(crate) const IDR2: u64 = 0x8;
    pub(crate) const IDR3: u64 = 0xc;
    pub(crate) const IDR4: u64 = 0x10;
    pub(crate) const IDR5: u64 = 0x14;
    pub(crate) const IIDR: u64 = 0x18;
    pub(crate) const AIDR: u64 = 0x1c;
    pub(crate) const CR0: u64 = 0x20;
    pub(crate) const CR0ACK: u64 = 0x24;
    pub(crate) const CR1: u64 = 0x28;
    pub(crate) const CR2: u64 = 0x2c;
    pub(crate) const GBPA: u64 = 0x44;
    pub(crate) const IRQ_CTRL: u64 = 0x50;
    pub(crate) const IRQ_CTRLACK: u64 = 0x54;
    pub(crate) const GERROR: u64 = 0x60;
    pub(crate) const GERRORN: u64 = 0x64;
    pub(crate) const GERROR_IRQ_CFG0: u64 = 0x68;
    pub(crate) const GERROR_IRQ_CFG1: u64 = 0x70;
    pub(crate) const GERROR_IRQ_CFG2: u64 = 0x74;
    pub(crate) const STRTAB_BASE: u64 = 0x80;
    pub(crate) const STRTAB_BASE_CFG: u64 = 0x88;
    pub(crate) const CMDQ_BASE: u64 = 0x90;
    pub(crate) const CMDQ_PROD: u64 = 0x98;
    pub(crate) const CMDQ_CONS: u64 = 0x9c;
    pub(crate) const EVENTQ_BASE: u64 = 0xa0;
    pub(crate) const EVENTQ_IRQ_CFG0: u64 = 0xb0;
    pub(crate) const EVENTQ_IRQ_CFG1: u64 = 0xb8;
    pub(crate) const EVENTQ_IRQ_CFG2: u64 = 0xbc;
    pub(crate) const PRIQ_BASE: u64 = 0xc0;
    pub(crate) const PRIQ_IRQ_CFG0: u64 = 0xd0;
    pub(crate) const PRIQ_IRQ_CFG1: u64 = 0xd8;
    pub(crate) const PRIQ_IRQ_CFG2: u64 = 0xdc;
    pub(crate) const MPAMIDR: u64 = 0x130;
    pub(crate) const GMPAM: u64 = 0x138;
    pub(crate) const GBPMPAM: u64 = 0x13c;
    pub(crate) const EVENTQ_PROD: u64 = 0x100a8;
    pub(crate) const EVENTQ_CONS: u64 = 0x100ac;
    pub(crate) const PRIQ_PROD: u64 = 0x100c8;
    pub(crate) const PRIQ_CONS: u64 = 0x100cc;
    /// Second word of a 64-bit register.
    pub(crate) const HIGH: u64 = 4;
    pub(crate) const GERROR_IRQ_CFG0_HIGH: u64 = GERROR_IRQ_CFG0 + HIGH;
    pub(crate) const STRTAB_BASE_HIGH: u64 = STRTAB_BASE + HIGH;
    pub(crate) const CMDQ_BASE_HIGH: u64 = CMDQ_BASE + HIGH;
    pub(crate) const EVENTQ_BASE_HIGH: u64 = EVENTQ_BASE + HIGH;
    pub(crate) const EVENTQ_IRQ_CFG0_HIGH: u64 = EVENTQ_IRQ_CFG0 + HIGH;
    pub(crate) const PRIQ_BASE_HIGH: u64 = PRIQ_BASE + HIGH;
    pub(crate) const PRIQ_IRQ_CFG0_HIGH: u64 = PRIQ_IRQ_CFG0 + HIGH;
    /// Page 0 and page 1, 64 KiB each.
    pub(crate) const WINDOW: u64 = 0x20000;
}

layout! {
    /// SMMU_IDR0, 6.3.1.
    pub(crate) struct Idr0 {
        S2P = bit(0);
        S1P = bit(1);
        TTF = bits(3, 2);
        COHACC = bit(4);
        BTM = bit(5);
        HTTU = bits(7, 6);
        DORMHINT = bit(8);
        HYP = bit(9);
        ATS = bit(10);
        NS1ATS = bit(11);
        ASID16 = bit(12);
        MSI = bit(13);
        SEV = bit(14);
        ATOS = bit(15);
        PRI = bit(16);
        VMW = bit(17);
        VMID16 = bit(18);
        CD2L = bit(19);
        VATOS = bit(20);
        TTENDIAN = bits(22, 21);
        ATSRECERR = bit(23);
        STALL_MODEL = bits(25, 24);
        TERM_MODEL = bit(26);
        ST_LEVEL = bits(28, 27);
        RME_IMPL = bit(30);
    }
}

layout! {
    /// SMMU_IDR1, 6.3.2.
    pub(crate) struct Idr1 {
        SIDSIZE = bits(5, 0);
        SSIDSIZE = bits(10, 6);
        PRIQS = bits(15, 11);
        EVENTQS = bits(20, 16);
        CMDQS = bits(25, 21);
        ATTR_PERMS_OVR = bit(26);
        ATTR_TYPES_OVR = bit(27);
        REL = bit(28);
        QUEUES_PRESET = bit(29);
        TABLES_PRESET = bit(30);
        ECMDQ = bit(31);
    }
}

layout! {
    /// SMMU_IDR3, 6.3.4.
    pub(crate) struct Idr3 {
        HAD = bit(2);
        PBHA = bit(3);
        XNX = bit(4);
        PPS = bit(5);
        MPAM = bit(7);
        FWB = bit(8);
        STT = bit(9);
        RIL = bit(10);
        BBML = bits(12, 11);
        E0PD = bit(13);
        PTWNNC = bit(14);
        DPT = bit(15);
        PASIDTT = bit(16);
        EPAN = bit(17);
        S1PI = bit(18);
        S2PI = bit(19);
        S2PO = bit(20);
        THE = bit(21);
        MTEPERM = bit(22);
        AIE = bit(23);
    }
}

layout! {
    /// SMMU_IDR5, 6.3.6.
    pub(crate) struct Idr5 {
        OAS = bits(2, 0);
        GRAN4K = bit(4);
        GRAN16K = bit(5);
        GRAN64K = bit(6);
        DS = bit(7);
        D128 = bit(8);
        VAX = bits(11, 10);
        STALL_MAX = bits(31, 16);
    }
}

layout! {
    /// SMMU_IIDR, 6.3.7.
    pub(crate) struct Iidr {
        IMPLEMENTER = bits(11, 0);
        REVISION = bits(15, 12);
        VARIANT = bits(19, 16);
        PRODUCT_ID = bits(31, 20);
    }
}

layout! {
    /// SMMU_AIDR, 6.3.8.
    pub(crate) struct Aidr {
        ARCH_MINOR_REV = bits(3, 0);
        ARCH_MAJOR_REV = bits(7, 4);
    }
}

layout! {
    /// SMMU_CR0 and SMMU_CR0ACK, 6.3.9 and 6.3.10.
    pub(crate) struct Cr0 {
        SMMUEN = bit(0);
        PRIQEN = bit(1);
        EVENTQEN = bit(2);
        CMDQEN = bit(3);
        ATSCHK = bit(4);
        VMW = bits(8, 6);
        DPT_WALK_EN = bit(10);
    }
}

layout! {
    /// SMMU_CR1, 6.3.11: the TABLE fields and the QUEUE fields are guarded separately.
    pub(crate) struct Cr1 {
        QUEUE = bits(5, 0);
        TABLE = bits(11, 6);
    }
}

layout! {
    /// SMMU_CR2, 6.3.12.
    pub(crate) struct Cr2 {
        E2H = bit(0);
        RECINVSID = bit(1);
        PTM = bit(2);
        REC_CFG_ATS = bit(3);
    }
}

layout! {
    /// SMMU_GBPA, 6.3.14.
    pub(crate) struct Gbpa {
        MEM_ATTR = bits(3, 0);
        MTCFG = bit(4);
        ALLOCCFG = bits(11, 8);
        SHCFG = bits(13, 12);
        PRIVCFG = bits(17, 16);
        INSTCFG = bits(19, 18);
        ABORT = bit(20);
        UPDATE = bit(31);
    }
}

layout! {
    /// SMMU_IRQ_CTRL and SMMU_IRQ_CTRLACK, 6.3.16 and 6.3.18.
    pub(crate) struct IrqCtrl {
        GERROR_IRQEN = bit(0);
        PRIQ_IRQEN = bit(1);
        EVENTQ_IRQEN = bit(2);
    }
}

layout! {
    /// SMMU_GERROR and SMMU_GERRORN, 6.3.19 and 6.3.20.
    pub(crate) struct Gerror {
        CMDQ_ERR = bit(0);
        EVENTQ_ABT_ERR = bit(2);
        PRIQ_ABT_ERR = bit(3);
        MSI_CMDQ_ABT_ERR = bit(4);
        MSI_EVENTQ_ABT_ERR = bit(5);
        MSI_PRIQ_ABT_ERR = bit(6);
        MSI_GERROR_ABT_ERR = bit(7);
        SFM_ERR = bit(8);
        CMDQP_ERR = bit(9);
        DPT_ERR = bit(10);
    }
}

layout! {
    /// SMMU_GERROR_IRQ_CFG0, SMMU_EVENTQ_IRQ_CFG0 and SMMU_PRIQ_IRQ_CFG0, 6.3.21, 6.3.30, 6.3.34.
    pub(crate) struct IrqCfg0 {
        ADDR = address(55, 2);
    }
}

layout! {
    /// SMMU_GERROR_IRQ_CFG2, SMMU_EVENTQ_IRQ_CFG2 and SMMU_PRIQ_IRQ_CFG2, 6.3.23, 6.3.32 and
    /// 6.3.36; LO is the PRI queue's only.
    pub(crate) struct IrqCfg2 {
        MEM_ATTR = bits(3, 0);
        SH = bits(5, 4);
        LO = bit(31);
    }
}

layout! {
    /// SMMU_STRTAB_BASE, 6.3.24.
    pub(crate) struct StrtabBase {
        ADDR = address(55, 6);
        RA = bit(62);
    }
}

layout! {
    /// SMMU_STRTAB_BASE_CFG, 6.3.25.
    pub(crate) struct StrtabBaseCfg {
        LOG2SIZE = bits(5, 0);
        SPLIT = bits(10, 6);
        FMT = bits(17, 16);
    }
}

layout! {
    /// SMMU_CMDQ_BASE, SMMU_EVENTQ_BASE and SMMU_PRIQ_BASE, 6.3.26, 6.3.29 and 6.3.33; bit 62 is
    /// RA and WA.
    pub(crate) struct QueueBase {
        LOG2SIZE = bits(4, 0);
        ADDR = address(55, 5);
        ALLOCATE = bit(62);
    }
}

layout! {
    /// SMMU_MPAMIDR, 6.3.41.
    pub(crate) struct Mpamidr {
        PARTID_MAX = bits(15, 0);
        PMG_MAX = bits(23, 16);
    }
}

layout! {
    /// SMMU_GMPAM and SMMU_GBPMPAM, 6.3.42 and 6.3.43; the fields of the second are GBP_PARTID and
    /// GBP_PMG.
    pub(crate) struct Gmpam {
        SO_PARTID = bits(15, 0);
        SO_PMG = bits(23, 16);
        UPDATE = bit(31);
    }
}

layout! {
    /// SMMU_CMDQ_PROD, 6.3.27.
    pub(crate) struct CmdqProd {
        WR = bits(19, 0);
    }
}

layout! {
    /// SMMU_CMDQ_CONS, 6.3.28.
    pub(crate) struct CmdqCons {
        RD = bits(19, 0);
        ERR = bits(30, 24);
    }
}

layout! {
    /// SMMU_EVENTQ_PROD and SMMU_PRIQ_PROD, 6.3.95 and 6.3.97.
    pub(crate) struct EventqProd {
        WR = bits(19, 0);
        OVFLG = bit(31);
    }
}

layout! {
    /// SMMU_EVENTQ_CONS and SMMU_PRIQ_CONS, 6.3.96 and 6.3.98.
    pub(crate) struct EventqCons {
        RD = bits(19, 0);
        OVACKFLG = bit(31);
    }
}

/// Parts and groups of fields of the ID registers that promise one feature.
impl Idr0 {
    /// TTF, bit 0: AArch32 tables.
    pub(crate) const TTF_AARCH32: Field = bit(2);
    /// TTF, bit 1: AArch64 tables.
    pub(crate) const TTF_AARCH64: Field = bit(3);
}

impl Idr3 {
    /// S1PI, S2PI and S2PO.
    pub(crate) const INDIRECTION: Field = bits(20, 18);
}

impl Idr5 {
    /// GRAN4K, GRAN16K and GRAN64K.
    pub(crate) const GRANULES: Field = bits(6, 4);
}

/// SMMU_STRTAB_BASE_CFG.FMT: the two-level table. 6.3.25: every other value is linear.
pub(crate) const FMT_TWO_LEVEL: u64 = 1;

/// CMDQ_CONS.ERR. IHI 0070 G.b 7.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CommandError {
    /// CERROR_ILL.
    Illegal = 1,
    /// CERROR_ABT.
    Abort = 2,
    /// CERROR_ATC_INV_SYNC.
    AtcInvSync = 3,
}
