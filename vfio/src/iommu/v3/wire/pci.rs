//! The parts of configuration space that the driver reads and writes.

use passim_model::layout;

/// Offsets.
pub(in crate::iommu::v3) mod config {
    /// The first extended capability.
    pub(in crate::iommu::v3) const EXTENDED: u64 = 0x100;
    /// Its size in bytes.
    pub(in crate::iommu::v3) const SIZE: u64 = 0x1000;
    /// The control register of ATS, from the capability's header on.
    pub(in crate::iommu::v3) const ATS_CTRL: u64 = 6;
}

/// Address Translation Services.
pub(in crate::iommu::v3) const PCI_EXT_CAP_ID_ATS: u64 = 0xf;

layout! {
    /// The header of an extended capability.
    pub(in crate::iommu::v3) struct ExtendedHeader {
        /// Capability identifier.
        ID = bits(15, 0);
        /// Offset of the next.
        NEXT = bits(31, 20);
    }
}

layout! {
    /// ATS control.
    pub(in crate::iommu::v3) struct AtsControl {
        /// log2 of the smallest translation unit, less 12.
        STU = bits(4, 0);
        /// Enables translation requests.
        ENABLE = bit(15);
    }
}
