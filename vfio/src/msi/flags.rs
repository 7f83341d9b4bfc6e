//! The flags of an MSI domain.

use crate::policy::V2mBlocks;

bitflags::bitflags! {
    /// `MSI_FLAG_*`, with the values of the series.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
    pub struct MsiFlags: u32 {
        /// The default operations of the domain.
        const USE_DEF_DOM_OPS = 1 << 0;
        /// The default operations of the chip.
        const USE_DEF_CHIP_OPS = 1 << 1;
        /// Interrupts are mapped one to one.
        const IDENTITY_MAP = 1 << 2;
        /// More than one message of MSI is supported.
        const MULTI_PCI_MSI = 1 << 3;
        /// MSI-X is supported.
        const PCI_MSIX = 1 << 4;
        /// A device can only raise its own interrupts: `MSI_FLAG_IRQ_REMAPPING` of the series,
        /// `IRQ_DOMAIN_FLAG_MSI_REMAP` and `IRQ_DOMAIN_FLAG_ISOLATED_MSI` of later kernels.
        const IRQ_REMAPPING = 1 << 5;
    }
}

/// The bus of a device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bus {
    /// A PCI function.
    Pci,
    /// A device on the board.
    Platform,
}

/// The flags of the GICv2m driver's domain for a bus.
// irq-gic-v2m.c of v8; several messages since the driver allocates blocks of SPIs.
pub(super) fn of_v2m(bus: Bus, blocks: V2mBlocks) -> MsiFlags {
    let usual = MsiFlags::USE_DEF_DOM_OPS | MsiFlags::USE_DEF_CHIP_OPS;
    match (bus, blocks) {
        (Bus::Platform, _) => usual,
        (Bus::Pci, V2mBlocks::Single) => usual | MsiFlags::PCI_MSIX,
        (Bus::Pci, V2mBlocks::AlignedInFrame | V2mBlocks::AlignedSpi) => {
            usual | MsiFlags::PCI_MSIX | MsiFlags::MULTI_PCI_MSI
        }
    }
}

/// The flags of the ITS driver's domain for a bus.
// irq-gic-v3-its-pci-msi.c and -platform-msi.c of the series.
pub(super) fn of_its(bus: Bus) -> MsiFlags {
    let usual = MsiFlags::USE_DEF_DOM_OPS | MsiFlags::USE_DEF_CHIP_OPS | MsiFlags::IRQ_REMAPPING;
    match bus {
        Bus::Platform => usual,
        Bus::Pci => usual | MsiFlags::MULTI_PCI_MSI | MsiFlags::PCI_MSIX,
    }
}
