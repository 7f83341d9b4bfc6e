//! Layouts of commands: 32 bytes, four doublewords. IHI 0069 H 5.3.

use passim_model::layout;

/// Doublewords of a command.
pub(crate) const WORDS: usize = 4;
/// Bytes of a command.
pub(crate) const BYTES: u64 = 32;

/// Opcodes of commands.
pub(crate) mod opcode {
    pub(crate) const MOVI: u8 = 0x01;
    pub(crate) const INT: u8 = 0x03;
    pub(crate) const CLEAR: u8 = 0x04;
    pub(crate) const SYNC: u8 = 0x05;
    pub(crate) const MAPD: u8 = 0x08;
    pub(crate) const MAPC: u8 = 0x09;
    pub(crate) const MAPTI: u8 = 0x0a;
    pub(crate) const MAPI: u8 = 0x0b;
    pub(crate) const INV: u8 = 0x0c;
    pub(crate) const INVALL: u8 = 0x0d;
    pub(crate) const MOVALL: u8 = 0x0e;
    pub(crate) const DISCARD: u8 = 0x0f;
    pub(crate) const VMOVI: u8 = 0x21;
    pub(crate) const VMOVP: u8 = 0x22;
    pub(crate) const VSGI: u8 = 0x23;
    pub(crate) const VSYNC: u8 = 0x25;
    pub(crate) const VMAPP: u8 = 0x29;
    pub(crate) const VMAPTI: u8 = 0x2a;
    pub(crate) const VMAPI: u8 = 0x2b;
    pub(crate) const VINVALL: u8 = 0x2d;
    pub(crate) const INVDB: u8 = 0x2e;
}

layout! {
    /// Doubleword 0 of commands for a device.
    pub(crate) struct Word0 {
        /// Which command.
        OPCODE = bits(7, 0);
        /// Which device.
        DEVICE_ID = bits(63, 32);
    }
}
layout! {
    /// Doubleword 1 of commands for an event.
    pub(crate) struct EventWord1 {
        /// Which event.
        EVENT_ID = bits(31, 0);
        /// MAPTI: which LPI.
        PINTID = bits(63, 32);
    }
}
layout! {
    /// Doubleword 1 of MAPD.
    pub(crate) struct MapdWord1 {
        /// Bits of an EventID, minus one.
        SIZE = bits(4, 0);
    }
}
layout! {
    /// Doubleword 2 of MAPD.
    pub(crate) struct MapdWord2 {
        /// Address of the table, not shifted.
        ITT = bits(51, 8);
        /// Maps if set, unmaps if clear.
        VALID = bit(63);
    }
}
layout! {
    /// Doubleword 2 of commands for a collection or a redistributor.
    pub(crate) struct CollectionWord2 {
        /// Which collection.
        ICID = bits(15, 0);
        /// The redistributor: its address, not shifted, or its number from bit 16 on.
        RDBASE = bits(51, 16);
        /// MAPC: maps if set, unmaps if clear.
        VALID = bit(63);
    }
}
layout! {
    /// Doubleword 3 of MOVALL.
    pub(crate) struct MovallWord3 {
        /// The redistributor that LPIs move to.
        RDBASE2 = bits(51, 16);
    }
}
