//! Addresses of a group that mappings must not use.
//!
//! Not here: which IOVAs a container can use (type1's `windows`).

use passim_model::{Iova, Span};

/// Why a range is reserved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReservedKind {
    /// Where the kernel maps the doorbells of messages: chosen by software, and translated.
    SwMsi,
    /// Where hardware accepts messages from the bus: never translated.
    Msi,
    /// Identity mapped at firmware's request.
    Direct,
    /// Not usable.
    Reserved,
}

/// A reserved range.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReservedRegion {
    /// The addresses.
    pub span: Span<Iova>,
    /// Why.
    pub kind: ReservedKind,
}

/// First and last address of the window that arm-smmu and arm-smmu-v3 reserve for doorbells.
// /sys/kernel/iommu_groups/*/reserved_regions of 6.1 and 6.12: 0x8000000 to 0x80fffff, "msi".
const MSI_IOVA: (u64, u64) = (0x800_0000, 0x80f_ffff);

impl ReservedRegion {
    /// The doorbell window of the SMMU drivers.
    pub(super) fn smmu_doorbells() -> Self {
        let span = Span::new(Iova::new(MSI_IOVA.0), Iova::new(MSI_IOVA.1));
        Self { span: span.expect("the window ascends"), kind: ReservedKind::SwMsi }
    }
}
