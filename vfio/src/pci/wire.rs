//! The fields of PCI configuration space and of the MSI-X table, under the names of Linux's
//! `pci_regs.h`.

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
    pub(crate) const PM_PMC: u16 = 2;
    pub(crate) const PM_CTRL: u16 = 4;

    pub(crate) const EXP_FLAGS: u16 = 2;
    pub(crate) const EXP_DEVCTL: u16 = 8;
    pub(crate) const EXP_DEVCTL2: u16 = 0x28;

    pub(crate) const AF_CTRL: u16 = 4;

    pub(crate) const MSI_FLAGS: u16 = 0x2;
    pub(crate) const MSI_ADDRESS_LO: u16 = 0x4;
    pub(crate) const MSI_ADDRESS_HI: u16 = 0x8;
    pub(crate) const MSI_DATA_32: u16 = 0x8;
    pub(crate) const MSI_MASK_32: u16 = 0xc;
    pub(crate) const MSI_DATA_64: u16 = 0xc;
    pub(crate) const MSI_MASK_64: u16 = 0x10;

    pub(crate) const MSIX_FLAGS: u16 = 0x2;
    pub(crate) const MSIX_TABLE: u16 = 0x4;

    pub(crate) const SRIOV_CTRL: u16 = 0x08;
    pub(crate) const SRIOV_NUM_VF: u16 = 0x10;
}

/// Ids of capabilities: `PCI_CAP_ID_*`.
pub(crate) mod cap_id {
    pub(crate) const PM: u8 = 0x01;
    pub(crate) const AGP: u8 = 0x02;
    pub(crate) const VPD: u8 = 0x03;
    pub(crate) const MSI: u8 = 0x05;
    pub(crate) const PCIX: u8 = 0x07;
    pub(crate) const HT: u8 = 0x08;
    pub(crate) const VNDR: u8 = 0x09;
    pub(crate) const EXP: u8 = 0x10;
    pub(crate) const MSIX: u8 = 0x11;
    pub(crate) const SATA: u8 = 0x12;
    pub(crate) const AF: u8 = 0x13;
}

/// Ids of extended capabilities: `PCI_EXT_CAP_ID_*`.
pub(crate) mod ext_cap_id {
    pub(crate) const ERR: u16 = 0x01;
    pub(crate) const VC: u16 = 0x02;
    pub(crate) const DSN: u16 = 0x03;
    pub(crate) const PWR: u16 = 0x04;
    pub(crate) const MFVC: u16 = 0x08;
    pub(crate) const VC9: u16 = 0x09;
    pub(crate) const VNDR: u16 = 0x0b;
    pub(crate) const ACS: u16 = 0x0d;
    pub(crate) const ARI: u16 = 0x0e;
    pub(crate) const ATS: u16 = 0x0f;
    pub(crate) const SRIOV: u16 = 0x10;
    pub(crate) const MCAST: u16 = 0x12;
    pub(crate) const PRI: u16 = 0x13;
    pub(crate) const REBAR: u16 = 0x15;
    pub(crate) const DPA: u16 = 0x16;
    pub(crate) const TPH: u16 = 0x17;
    pub(crate) const LTR: u16 = 0x18;
    pub(crate) const DVSEC: u16 = 0x23;
}

layout! {
    /// `PCI_COMMAND`.
    pub(crate) struct Command {
        /// Decode I/O space.
        IO = bit(0);
        /// Decode memory space.
        MEMORY = bit(1);
        /// The function may master the bus.
        MASTER = bit(2);
        /// The pin is not asserted.
        INTX_DISABLE = bit(10);
    }
}
layout! {
    /// `PCI_STATUS`.
    pub(crate) struct Status {
        /// An interrupt of the pin is pending.
        INTERRUPT = bit(3);
        /// There is a capability list.
        CAP_LIST = bit(4);
    }
}
layout! {
    /// `PCI_SRIOV_CTRL`.
    pub(crate) struct SriovCtrl {
        /// `PCI_SRIOV_CTRL_VFE`.
        VFE = bit(0);
        /// `PCI_SRIOV_CTRL_MSE`.
        MSE = bit(3);
    }
}
layout! {
    /// The first doubleword of an extended capability: `PCI_EXT_CAP_ID` and `PCI_EXT_CAP_NEXT`.
    pub(crate) struct ExtHeader {
        /// Capability identifier.
        ID = bits(15, 0);
        /// The next, in doublewords.
        NEXT = bits(31, 22);
    }
}
layout! {
    /// `PCI_PM_PMC`.
    pub(crate) struct PmPmc {
        /// The function supports D1.
        D1 = bit(9);
        /// The function supports D2.
        D2 = bit(10);
        /// States from which it reports events.
        PME = bits(15, 11);
    }
}
layout! {
    /// `PCI_PM_CTRL`.
    pub(crate) struct PmCtrl {
        /// 0 is D0, 3 is D3hot.
        STATE = bits(1, 0);
        /// Events are enabled.
        PME_ENABLE = bit(8);
        /// An event is pending.
        PME_STATUS = bit(15);
    }
}
layout! {
    /// `PCI_EXP_FLAGS`.
    pub(crate) struct ExpFlags {
        /// Version of the capability.
        VERS = bits(3, 0);
        /// Type of the function.
        TYPE = bits(7, 4);
    }
}

/// `PCI_EXP_TYPE_RC_END`.
pub(crate) const EXP_TYPE_RC_END: u64 = 9;

layout! {
    /// `PCI_EXP_DEVCTL`.
    pub(crate) struct ExpDevctl {
        /// log2 of the largest payload, less 7.
        PAYLOAD = bits(7, 5);
        /// The function may use phantom functions.
        PHANTOM = bit(9);
        /// log2 of the largest read request, less 7.
        READRQ = bits(14, 12);
        /// Starts a function level reset.
        BCR_FLR = bit(15);
    }
}
layout! {
    /// `PCI_EXP_DEVCTL2`.
    pub(crate) struct ExpDevctl2 {
        /// Requests use 8-bit function numbers.
        ARI = bit(5);
    }
}
layout! {
    /// `PCI_AF_CTRL`.
    pub(crate) struct AfCtrl {
        /// Starts a function level reset.
        FLR = bit(0);
    }
}
layout! {
    /// `PCI_MSI_FLAGS`.
    pub(crate) struct MsiFlags {
        /// Messages replace the pin.
        ENABLE = bit(0);
        /// log2 of the number of messages that the function can send.
        QMASK = bits(3, 1);
        /// log2 of the number that it may send.
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
        /// All vectors are masked.
        MASKALL = bit(14);
        /// Messages replace the pin.
        ENABLE = bit(15);
    }
}
layout! {
    /// `PCI_MSIX_TABLE`.
    pub(crate) struct MsixTable {
        /// The BAR that contains it.
        BIR = bits(2, 0);
        /// Offset in that BAR.
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
