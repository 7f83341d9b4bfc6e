//! What the driver's side of PCI reads and writes in configuration space.

use passim_model::layout;

/// Offsets.
pub(in crate::iommu::v3) mod config {
    /// The first extended capability.
    pub(in crate::iommu::v3) const EXTENDED: u64 = 0x100;
    /// The end.
    pub(in crate::iommu::v3) const SIZE: u64 = 0x1000;
    /// The control register of ATS, from its header on.
    pub(in crate::iommu::v3) const ATS_CTRL: u64 = 6;
}

/// Address Translation Services.
pub(in crate::iommu::v3) const PCI_EXT_CAP_ID_ATS: u64 = 0xf;

layout! {
    /// The header of an extended capability.
    pub(in crate::iommu::v3) struct ExtendedHeader {
        /// Which.
        ID = bits(15, 0);
        /// Where the next is.
        NEXT = bits(31, 20);
    }
}

layout! {
    /// ATS control.
    pub(in crate::iommu::v3) struct AtsControl {
        /// log2 of the smallest translation unit, less 12.
        STU = bits(4, 0);
        /// On.
        ENABLE = bit(15);
    }
}
