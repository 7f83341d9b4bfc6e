//! Where the fields of PCI configuration space and of the MSI-X table are, under the names of
//! Linux's `pci_regs.h`.

use passim_model::layout;

/// Offsets in configuration space, and in capabilities from their start: `PCI_*`.
pub(crate) mod offset {
    pub(crate) const COMMAND: u16 = 0x04;
    pub(crate) const STATUS: u16 = 0x06;
    pub(crate) const BASE_ADDRESS_0: u16 = 0x10;
    pub(crate) const ROM_ADDRESS: u16 = 0x30;
    pub(crate) const CAPABILITY_LIST: u16 = 0x34;
    pub(crate) const INTERRUPT_LINE: u16 = 0x3c;
    pub(crate) const INTERRUPT_PIN: u16 = 0x3d;

    /// `PCI_CAP_LIST_NEXT`.
    pub(crate) const CAP_NEXT: u16 = 1;
    pub(crate) const PM_CTRL: u16 = 4;

    pub(crate) const MSI_FLAGS: u16 = 0x2;
    pub(crate) const MSI_ADDRESS_LO: u16 = 0x4;
    pub(crate) const MSI_ADDRESS_HI: u16 = 0x8;
    pub(crate) const MSI_DATA_32: u16 = 0x8;
    pub(crate) const MSI_MASK_32: u16 = 0xc;
    pub(crate) const MSI_DATA_64: u16 = 0xc;
    pub(crate) const MSI_MASK_64: u16 = 0x10;

    pub(crate) const MSIX_FLAGS: u16 = 0x2;
    pub(crate) const MSIX_TABLE: u16 = 0x4;
}

/// Capability id of power management: `PCI_CAP_ID_PM`.
pub(crate) const CAP_ID_PM: u8 = 1;

layout! {
    /// `PCI_COMMAND`.
    pub(crate) struct Command {
        /// Decode I/O space.
        IO = bit(0);
        /// Decode memory space.
        MEMORY = bit(1);
        /// May master the bus.
        MASTER = bit(2);
        /// The pin is not asserted.
        INTX_DISABLE = bit(10);
    }
}
layout! {
    /// `PCI_STATUS`.
    pub(crate) struct Status {
        /// The pin wants service.
        INTERRUPT = bit(3);
    }
}
layout! {
    /// `PCI_PM_CTRL`.
    pub(crate) struct PmCtrl {
        /// 0 is D0, 3 is D3hot.
        STATE = bits(1, 0);
    }
}
layout! {
    /// `PCI_MSI_FLAGS`.
    pub(crate) struct MsiFlags {
        /// Messages instead of the pin.
        ENABLE = bit(0);
        /// log2 of how many messages the function can send.
        QMASK = bits(3, 1);
        /// log2 of how many it may send.
        QSIZE = bits(6, 4);
        /// Addresses have 64 bits.
        IS_64BIT = bit(7);
        /// Messages can be masked one by one.
        MASKBIT = bit(8);
    }
}
layout! {
    /// `PCI_MSIX_FLAGS`.
    pub(crate) struct MsixFlags {
        /// Entries of the table, less one.
        QSIZE = bits(10, 0);
        /// All are masked.
        MASKALL = bit(14);
        /// Messages instead of the pin.
        ENABLE = bit(15);
    }
}
layout! {
    /// `PCI_MSIX_TABLE`.
    pub(crate) struct MsixTable {
        /// The BAR it lies in.
        BIR = bits(2, 0);
        /// Where in that BAR.
        OFFSET = bits(31, 3);
    }
}

/// Offsets in an entry of the MSI-X table: `PCI_MSIX_ENTRY_*`.
pub(crate) mod entry {
    pub(crate) const BYTES: u64 = 16;
    pub(crate) const LOWER_ADDR: u64 = 0;
    pub(crate) const UPPER_ADDR: u64 = 4;
    pub(crate) const DATA: u64 = 8;
    pub(crate) const VECTOR_CTRL: u64 = 12;
}

layout! {
    /// `PCI_MSIX_ENTRY_VECTOR_CTRL`.
    pub(crate) struct VectorCtrl {
        /// The vector is masked.
        MASKBIT = bit(0);
    }
}
