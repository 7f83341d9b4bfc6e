//! The fields of ITS registers, commands and LPI tables, under the names that Linux's driver uses
//! for them (`arm-gic-v3.h`, `irq-gic-v3-its.c`).
//!
//! The GIC model defines the same layouts again from the architecture; the two meet only in memory
//! and at registers. No algorithms here.

use passim_model::layout;

/// Offsets in the ITS: `GITS_*`.
pub(super) mod gits {
    pub(in crate::msi) const CTLR: u64 = 0x0000;
    pub(in crate::msi) const TYPER: u64 = 0x0008;
    pub(in crate::msi) const CBASER: u64 = 0x0080;
    pub(in crate::msi) const CWRITER: u64 = 0x0088;
    pub(in crate::msi) const CREADR: u64 = 0x0090;
    pub(in crate::msi) const BASER: u64 = 0x0100;
    pub(in crate::msi) const PIDR2: u64 = 0xffe8;
}

/// Offsets in a redistributor: `GICR_*`.
pub(super) mod gicr {
    pub(in crate::msi) const CTLR: u64 = 0x0000;
    pub(in crate::msi) const TYPER: u64 = 0x0008;
    pub(in crate::msi) const INVLPIR: u64 = 0x00a0;
    pub(in crate::msi) const SYNCR: u64 = 0x00c0;
    pub(in crate::msi) const PROPBASER: u64 = 0x0070;
    pub(in crate::msi) const PENDBASER: u64 = 0x0078;
}

/// `GITS_BASER_NR_REGS`.
pub(super) const GITS_BASER_NR_REGS: u64 = 8;
/// `GIC_PIDR2_ARCH_GICv3` and `v4`.
pub(super) const GIC_PIDR2_ARCH: [u64; 2] = [0x3, 0x4];
/// `GICR_CTLR_ENABLE_LPIS`.
pub(super) const GICR_CTLR_ENABLE_LPIS: u64 = 1;
/// `GICR_CTLR_IR`.
pub(super) const GICR_CTLR_IR: u64 = 1 << 2;
/// `GICR_TYPER_DirectLPIS`.
pub(super) const GICR_TYPER_DIRECT_LPIS: u64 = 1 << 3;
/// GICR_SYNCR: an invalidation is in progress.
pub(super) const GICR_SYNCR_BUSY: u64 = 1;
/// `GIC_BASER_CACHE_RaWaWb`.
pub(super) const RA_WA_WB: u64 = 7;
/// `GIC_BASER_CACHE_WaWb`.
pub(super) const WA_WB: u64 = 5;
/// `GIC_BASER_InnerShareable`.
pub(super) const INNER_SHAREABLE: u64 = 1;
/// `ITS_CMD_QUEUE_SZ`.
pub(super) const ITS_CMD_QUEUE_LG2: u32 = 16;
/// Bytes of a command: `struct its_cmd_block`.
pub(super) const COMMAND_BYTES: u64 = 32;
/// `ITS_ITT_ALIGN`.
pub(super) const ITS_ITT_ALIGN: u64 = 256;
/// `GITS_LVL1_ENTRY_SIZE`.
pub(super) const GITS_LVL1_ENTRY_SIZE: u64 = 8;
/// `GITS_BASER_PAGES_MAX`.
pub(super) const GITS_BASER_PAGES_MAX: u64 = 256;
/// `LPI_PROPBASE_SZ` and `LPI_PENDBASE_SZ`, as log2.
pub(super) const LPI_TABLE_LG2: u32 = 16;
/// First LPI, the one of the configuration table's first byte.
pub(super) const FIRST_LPI: u32 = 8192;

layout! {
    /// `GICR_PIDR2` and `GITS_PIDR2`.
    pub(super) struct Pidr2 {
        /// `GIC_PIDR2_ARCH_MASK`.
        ARCH = bits(7, 4);
    }
}
layout! {
    /// `GITS_CTLR`.
    pub(super) struct Ctlr {
        /// `GITS_CTLR_ENABLE`.
        ENABLE = bit(0);
        /// `GITS_CTLR_QUIESCENT`.
        QUIESCENT = bit(31);
    }
}
layout! {
    /// `GITS_TYPER`.
    pub(super) struct Typer {
        /// `GITS_TYPER_ITT_ENTRY_SIZE`, less one.
        ITT_ENTRY_SIZE = bits(7, 4);
        /// `GITS_TYPER_IDBITS`: bits of an EventID, less one.
        IDBITS = bits(12, 8);
        /// `GITS_TYPER_DEVBITS`, less one.
        DEVBITS = bits(17, 13);
        /// `GITS_TYPER_PTA`.
        PTA = bit(19);
    }
}
layout! {
    /// `GITS_CBASER`.
    pub(super) struct Cbaser {
        /// Pages of 4 KiB, less one.
        SIZE = bits(7, 0);
        /// `GITS_CBASER_SHAREABILITY_SHIFT`.
        SHAREABILITY = bits(11, 10);
        /// The queue.
        ADDRESS = bits(51, 12);
        /// `GITS_CBASER_INNER_CACHEABILITY_SHIFT`.
        INNER_CACHEABILITY = bits(61, 59);
        /// `GITS_CBASER_VALID`.
        VALID = bit(63);
    }
}
layout! {
    /// `GITS_CREADR`.
    pub(super) struct Creadr {
        /// The queue has stalled.
        STALLED = bit(0);
        /// Offset of the next command, in place.
        OFFSET = bits(19, 5);
    }
}
layout! {
    /// `GITS_BASER`.
    pub(super) struct Baser {
        /// Pages, less one.
        PAGES = bits(7, 0);
        /// `GITS_BASER_PAGE_SIZE_MASK`.
        PAGE_SIZE = bits(9, 8);
        /// `GITS_BASER_SHAREABILITY_SHIFT`.
        SHAREABILITY = bits(11, 10);
        /// The table; with pages of 64 KiB `GITS_BASER_PHYS_52_to_48` moves address bits down here.
        ADDRESS = bits(47, 12);
        /// `GITS_BASER_ENTRY_SIZE`, less one.
        ENTRY_SIZE = bits(52, 48);
        /// `GITS_BASER_TYPE`.
        TYPE = bits(58, 56);
        /// `GITS_BASER_INNER_CACHEABILITY_SHIFT`.
        INNER_CACHEABILITY = bits(61, 59);
        /// `GITS_BASER_INDIRECT`.
        INDIRECT = bit(62);
        /// `GITS_BASER_VALID`.
        VALID = bit(63);
    }
}
/// `GITS_BASER_TYPE_DEVICE`.
pub(super) const GITS_BASER_TYPE_DEVICE: u64 = 1;
/// `GITS_BASER_TYPE_COLLECTION`.
pub(super) const GITS_BASER_TYPE_COLLECTION: u64 = 4;
/// `GITS_BASER_PAGE_SIZE_*`, largest first, as log2 of bytes and as the field's value.
pub(super) const BASER_PAGE_SIZES: [(u32, u64); 3] = [(16, 2), (14, 1), (12, 0)];
/// Bit 63 of a level 1 entry: `GITS_BASER_VALID`.
pub(super) const LVL1_VALID: u64 = 1 << 63;

layout! {
    /// `GICR_PROPBASER`, and `GICR_PENDBASER`, which has no `IDBITS`.
    pub(super) struct Propbaser {
        /// `GICR_PROPBASER_IDBITS_MASK`: bits of an INTID, less one.
        IDBITS = bits(4, 0);
        /// `GICR_PROPBASER_INNER_CACHEABILITY_SHIFT`.
        INNER_CACHEABILITY = bits(9, 7);
        /// `GICR_PROPBASER_SHAREABILITY_SHIFT`.
        SHAREABILITY = bits(11, 10);
        /// The table.
        ADDRESS = bits(51, 12);
    }
}
layout! {
    /// A byte of the LPI configuration table.
    pub(super) struct LpiProp {
        /// `LPI_PROP_ENABLED`.
        ENABLED = bit(0);
        /// `LPI_PROP_GROUP1`.
        GROUP1 = bit(1);
        /// The priority, in place.
        PRIORITY = bits(7, 2);
    }
}

/// `GITS_CMD_*`.
pub(super) mod cmd {
    pub(in crate::msi) const MOVI: u64 = 0x01;
    pub(in crate::msi) const SYNC: u64 = 0x05;
    pub(in crate::msi) const MAPD: u64 = 0x08;
    pub(in crate::msi) const MAPC: u64 = 0x09;
    pub(in crate::msi) const MAPTI: u64 = 0x0a;
    pub(in crate::msi) const INV: u64 = 0x0c;
    pub(in crate::msi) const INVALL: u64 = 0x0d;
    pub(in crate::msi) const DISCARD: u64 = 0x0f;
}
layout! {
    /// Doubleword 0 of a command.
    pub(super) struct Raw0 {
        /// `its_encode_cmd`.
        CMD = bits(7, 0);
        /// `its_encode_devid`.
        DEVID = bits(63, 32);
    }
}
layout! {
    /// Doubleword 1 of a command about an event.
    pub(super) struct Raw1 {
        /// `its_encode_event_id`.
        EVENT_ID = bits(31, 0);
        /// `its_encode_phys_id`.
        PHYS_ID = bits(63, 32);
    }
}
layout! {
    /// Doubleword 1 of MAPD.
    pub(super) struct Raw1Mapd {
        /// `its_encode_size`: bits of an EventID, less one.
        SIZE = bits(4, 0);
    }
}
layout! {
    /// Doubleword 2 of MAPD.
    pub(super) struct Raw2Mapd {
        /// `its_encode_itt`, in place.
        ITT = bits(51, 8);
        /// `its_encode_valid`.
        VALID = bit(63);
    }
}
layout! {
    /// Doubleword 2 of other commands.
    pub(super) struct Raw2 {
        /// `its_encode_collection`.
        COLLECTION = bits(15, 0);
        /// `its_encode_target`, in place.
        TARGET = bits(51, 16);
        /// `its_encode_valid`.
        VALID = bit(63);
    }
}
