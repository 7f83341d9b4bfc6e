//! DOMAIN_ATTR_MSI_GEOMETRY: how a domain treats messages.
//!
//! Not here: how GET_INFO reports it to a process (type1's `msi_info`).

use passim_model::{Iova, Span};

/// How a domain treats messages: three fields of part 1 of the series.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct MsiGeometry {
    /// `aperture_start` to `aperture_end`: the window set by the user where messages are supported;
    /// the addresses at which hardware accepts them where they are not. `None` is 0 and 0.
    pub aperture: Option<Span<Iova>>,
    /// `iommu_msi_supported`: doorbells have to be mapped, and can be.
    pub supported: bool,
}

impl MsiGeometry {
    /// Addresses of messages that are not translated.
    pub fn reserved(self) -> Option<Span<Iova>> {
        self.aperture.filter(|_| !self.supported)
    }

    /// Whether the aperture counts as set: one of a single byte does not.
    // include/linux/iommu.h of v9: valid if aperture_end > aperture_start.
    pub fn is_valid(self) -> bool {
        self.aperture.is_some_and(|aperture| aperture.size_minus_one() > 0)
    }
}
