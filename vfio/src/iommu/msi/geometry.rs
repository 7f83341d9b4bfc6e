//! DOMAIN_ATTR_MSI_GEOMETRY: what a domain says of messages.
//!
//! How GET_INFO tells it to a process is type1's (`msi_info`).

use passim_model::{Iova, Span};

/// What a domain says of messages: three fields of part 1 of the series.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct MsiGeometry {
    /// `aperture_start` to `aperture_end`: where messages are supported, the window that was set;
    /// where they are not, the addresses hardware takes them from. `None` is 0 and 0.
    pub aperture: Option<Span<Iova>>,
    /// `iommu_msi_supported`: doorbells have to be mapped, and can be.
    pub supported: bool,
}

impl MsiGeometry {
    /// Addresses that messages go to without being translated.
    pub fn reserved(self) -> Option<Span<Iova>> {
        self.aperture.filter(|_| !self.supported)
    }

    /// Whether the aperture counts as set: one of a single byte does not.
    // include/linux/iommu.h of v9: valid if aperture_end > aperture_start.
    pub fn is_valid(self) -> bool {
        self.aperture.is_some_and(|aperture| aperture.size_minus_one() > 0)
    }
}
