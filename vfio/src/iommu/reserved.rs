//! Addresses of a group that mappings must leave alone.
//!
//! Which IOVAs are left to a container is type1's (`windows`).

use passim_model::{Iova, Span};

/// Why a range is reserved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReservedKind {
    /// Where the kernel maps the doorbells of messages: software's choice, and translated.
    SwMsi,
    /// Where hardware takes messages from the bus: never translated.
    Msi,
    /// Mapped one to one by firmware's wish.
    Direct,
    /// Not to be used for anything.
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

/// First and last address of the window arm-smmu and arm-smmu-v3 keep for doorbells.
// /sys/kernel/iommu_groups/*/reserved_regions of 6.1 and 6.12: 0x8000000 to 0x80fffff, "msi".
const MSI_IOVA: (u64, u64) = (0x800_0000, 0x80f_ffff);

impl ReservedRegion {
    /// The doorbell window of the SMMU drivers.
    pub(super) fn smmu_doorbells() -> Self {
        let span = Span::new(Iova::new(MSI_IOVA.0), Iova::new(MSI_IOVA.1));
        Self { span: span.expect("the window ascends"), kind: ReservedKind::SwMsi }
    }
}
