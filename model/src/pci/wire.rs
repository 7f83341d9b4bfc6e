//! Layouts of configuration space and of the MSI-X structures: positions and offsets, no logic.

use crate::layout;

/// Offsets in a header. PCI Local Bus 3.0 6.1; of type 1, PCI-to-PCI Bridge 1.2 3.2.
pub(super) mod header {
    pub(crate) const VENDOR: u32 = 0x00;
    pub(crate) const DEVICE: u32 = 0x02;
    pub(crate) const COMMAND: u32 = 0x04;
    pub(crate) const STATUS: u32 = 0x06;
    pub(crate) const CLASS: u32 = 0x09;
    pub(crate) const CACHE_LINE: u32 = 0x0c;
    pub(crate) const TYPE: u32 = 0x0e;
    pub(crate) const BARS: u32 = 0x10;
    pub(crate) const ROM: u32 = 0x30;
    pub(crate) const CAPABILITIES: u32 = 0x34;
    pub(crate) const INTERRUPT_LINE: u32 = 0x3c;
    /// The offsets from here on are of type 1.
    pub(crate) const BUSES: u32 = 0x18;
    pub(crate) const IO_BASE_LIMIT: u32 = 0x1c;
    pub(crate) const SECONDARY_STATUS: u32 = 0x1e;
    pub(crate) const MEMORY_BASE_LIMIT: u32 = 0x20;
    pub(crate) const PREFETCHABLE_BASE_LIMIT: u32 = 0x24;
    pub(crate) const PREFETCHABLE_UPPER: u32 = 0x28;
    pub(crate) const IO_UPPER: u32 = 0x30;
    pub(crate) const BRIDGE_ROM: u32 = 0x38;
    pub(crate) const BRIDGE_CONTROL: u32 = 0x3e;
}

/// Capability identifiers. PCI Code and ID Assignment 1.11, 2.
pub(super) mod capability {
    pub(crate) const POWER_MANAGEMENT: u8 = 0x01;
    /// Where the list may begin.
    pub(crate) const FIRST: u8 = 0x40;
}

/// Offsets in the MSI capability. PCI 3.0 6.8.1.
pub(super) mod msi {
    pub(crate) const CONTROL: u32 = 0x2;
    pub(crate) const ADDRESS: u32 = 0x4;
    pub(crate) const ADDRESS_UPPER: u32 = 0x8;
    /// In the 32-bit form; in the 64-bit form, this and all that follows lie 4 bytes further on.
    pub(crate) const DATA: u32 = 0x8;
    pub(crate) const MASK: u32 = 0xc;
    pub(crate) const PENDING: u32 = 0x10;
    pub(crate) const WIDER: u32 = 0x4;
}

/// Offsets in the MSI-X capability, and in an entry of the table. PCI 3.0 6.8.2.
pub(super) mod msix {
    pub(crate) const CONTROL: u32 = 0x2;
    pub(crate) const TABLE: u32 = 0x4;
    pub(crate) const PBA: u32 = 0x8;
    pub(crate) const ENTRY_BYTES: u64 = 16;
    pub(crate) const ADDRESS: u64 = 0x0;
    pub(crate) const ADDRESS_UPPER: u64 = 0x4;
    pub(crate) const DATA: u64 = 0x8;
}

/// Offsets in the power management capability. PCI PM 1.2 3.2.
pub(super) mod power {
    pub(crate) const CAPABILITIES: u32 = 0x2;
    pub(crate) const CONTROL: u32 = 0x4;
    pub(crate) const D0: u64 = 0;
    pub(crate) const D1: u64 = 1;
    pub(crate) const D2: u64 = 2;
}

/// Offsets in the PCI Express capability. PCI Express 3.0 7.8.
pub(super) mod express {
    pub(crate) const DEVICE_CAPABILITIES: u32 = 0x4;
    pub(crate) const DEVICE_CONTROL: u32 = 0x8;
    pub(crate) const DEVICE_STATUS: u32 = 0xa;
}

layout! {
    /// Command. PCI 3.0 6.2.2.
    pub(super) struct Command {
        /// Answers in I/O space.
        IO = bit(0);
        /// Answers in memory space.
        MEMORY = bit(1);
        /// May make transactions of its own, messages included.
        BUS_MASTER = bit(2);
        /// Parity error response.
        PARITY = bit(6);
        /// SERR# enable.
        SERR = bit(8);
        /// No INTx#.
        INTERRUPT_DISABLE = bit(10);
    }
}
layout! {
    /// Status. PCI 3.0 6.2.3.
    pub(super) struct Status {
        /// The function requests service by its pin, whether INTx# is disabled or not.
        INTERRUPT = bit(3);
        /// There is a list of capabilities.
        CAPABILITIES = bit(4);
        /// Master data parity error.
        MASTER_PARITY = bit(8);
        /// Aborts, SERR# and parity errors seen.
        ERRORS = bits(15, 11);
    }
}
layout! {
    /// A base address register. PCI 3.0 6.2.5.1.
    pub(super) struct BaseAddress {
        /// I/O space.
        IO = bit(0);
        /// Of memory space: 2 for 64 bits.
        TYPE = bits(2, 1);
        /// Of memory space: reads have no side effects.
        PREFETCHABLE = bit(3);
    }
}
layout! {
    /// The address in a base address register of memory space. PCI 3.0 6.2.5.1.
    pub(super) struct MemoryAddress {
        /// Address, of which the low bits that a size covers read zero.
        ADDRESS = bits(31, 4);
    }
}
layout! {
    /// The address in a base address register of I/O space. PCI 3.0 6.2.5.1.
    pub(super) struct IoAddress {
        /// Address, of which the low bits that a size covers read zero.
        ADDRESS = bits(31, 2);
    }
}
layout! {
    /// The base address register of a ROM. PCI 3.0 6.2.5.2.
    pub(super) struct RomAddress {
        /// Answers.
        ENABLE = bit(0);
        /// Address.
        ADDRESS = bits(31, 11);
    }
}
layout! {
    /// Message control of MSI. PCI 3.0 6.8.1.3.
    pub(super) struct MsiControl {
        /// MSI is used.
        ENABLE = bit(0);
        /// log2 of the vectors it supports.
        CAPABLE = bits(3, 1);
        /// log2 of the vectors it was allotted.
        ENABLED = bits(6, 4);
        /// The address has 64 bits.
        WIDE = bit(7);
        /// Vectors can be masked.
        MASKING = bit(8);
    }
}
layout! {
    /// Message control of MSI-X. PCI 3.0 6.8.2.3.
    pub(super) struct MsixControl {
        /// Entries, less one.
        SIZE = bits(10, 0);
        /// All vectors are masked.
        FUNCTION_MASK = bit(14);
        /// MSI-X is used.
        ENABLE = bit(15);
    }
}
layout! {
    /// Where a structure of MSI-X lies. PCI 3.0 6.8.2.4.
    pub(super) struct MsixPlace {
        /// Number of the BAR.
        BIR = bits(2, 0);
        /// Offset in it, in units of 8 bytes.
        OFFSET = bits(31, 3);
    }
}
layout! {
    /// Vector control of an MSI-X entry. PCI 3.0 6.8.2.9.
    pub(super) struct VectorControl {
        /// The vector is masked.
        MASK = bit(0);
    }
}
layout! {
    /// A message address. PCI 3.0 6.8.1.4.
    pub(super) struct MessageAddress {
        /// A multiple of four.
        WORD = bits(31, 2);
    }
}
layout! {
    /// Power management capabilities. PCI PM 1.2 3.2.3.
    pub(super) struct PowerCapabilities {
        /// Has D1.
        D1 = bit(9);
        /// Has D2.
        D2 = bit(10);
        /// States in which it can signal PME#.
        PME = bits(15, 11);
    }
}
layout! {
    /// Power management control and status. PCI PM 1.2 3.2.4.
    pub(super) struct PowerControl {
        /// D0 to D3hot.
        STATE = bits(1, 0);
        /// PME# enable.
        PME_ENABLE = bit(8);
        /// PME# signalled.
        PME_STATUS = bit(15);
    }
}
layout! {
    /// Device capabilities. PCI Express 3.0 7.8.3.
    pub(super) struct DeviceCapabilities {
        /// Can be reset alone.
        FUNCTION_RESET = bit(28);
    }
}
layout! {
    /// Device control. PCI Express 3.0 7.8.4.
    pub(super) struct DeviceControl {
        /// Everything but the reset.
        SETTINGS = bits(14, 0);
        /// Resets the function; reads zero.
        INITIATE_RESET = bit(15);
    }
}
layout! {
    /// Device status. PCI Express 3.0 7.8.5.
    pub(super) struct DeviceStatus {
        /// Errors detected.
        ERRORS = bits(3, 0);
    }
}
