//! GET_INFO of the series about messages: patch 7/7 of part 3 in its revisions.
//!
//! Only the container's first domain is queried, on the assumption that all are alike; v14 queries
//! them all. Not here: layout and negotiation of the surrounding structure.

use super::Type1;
use crate::iommu::MsiGeometry;
use crate::kernel::Kernel;

/// Pages that v9 reports, whatever there is to map.
// Cover letter of part 3, v9: "an arbitrary number of 16 page requirement is reported".
const PAGES: u64 = 16;

/// v10: hardware accepts messages, at the aperture's addresses.
const FLAG_RESERVED: u32 = 1 << 0;

impl Kernel {
    fn first_geometry(&self, container: usize) -> Option<(&Type1, MsiGeometry)> {
        let backend = self.containers[container].backend.as_ref()?;
        Some((backend, self.iommu.msi_geometry(backend.reference_domain()?)))
    }

    /// v9: reserved at 8, aperture at 16 and 24, size at 32, alignment at 40.
    pub(super) fn geometry_16_pages(&self, container: usize) -> Option<Vec<u8>> {
        let (backend, geometry) = self.first_geometry(container)?;
        let alignment = backend.smallest_page().bytes();
        let (size, alignment) = match geometry.supported {
            true => (PAGES * alignment, alignment),
            false => (0, 0),
        };
        let (start, end) = reserved_by_hardware(&geometry);
        let reserved = u64::from(!geometry.supported);
        Some([reserved, start, end, size, alignment].iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// v10 to v13: flags at 8, order at 12, size at 16, aperture at 24 and 32.
    pub(super) fn geometry_of_doorbells(&self, container: usize) -> Option<Vec<u8>> {
        let (backend, geometry) = self.first_geometry(container)?;
        let (flags, order, size) = match geometry.supported {
            true => {
                let order = backend.smallest_page().lg2();
                (0, order, self.doorbell_pages(order) << order)
            }
            false => (FLAG_RESERVED, 0, 0),
        };
        let (start, end) = reserved_by_hardware(&geometry);
        let mut payload = Vec::with_capacity(32);
        payload.extend(flags.to_le_bytes());
        payload.extend(order.to_le_bytes());
        for value in [size, start, end] {
            payload.extend(value.to_le_bytes());
        }
        Some(payload)
    }

    /// v14: size at 8, alignment at 16; only if a domain needs a window at all.
    pub(super) fn reserved_msi(&self, container: usize) -> Option<Vec<u8>> {
        let backend = self.containers[container].backend.as_ref()?;
        let mut domains = backend.domain_ids().into_iter();
        if !domains.any(|domain| self.iommu.msi_geometry(domain).supported) {
            return None;
        }
        let page = backend.smallest_page();
        let size = self.doorbell_pages(page.lg2()) << page.lg2();
        Some([size, page.bytes()].iter().flat_map(|value| value.to_le_bytes()).collect())
    }
}

/// Where hardware accepts messages: first and last address, or 0 and 0.
fn reserved_by_hardware(geometry: &MsiGeometry) -> (u64, u64) {
    match geometry.reserved() {
        Some(span) if !geometry.supported => (span.start().get(), span.last().get()),
        _ => (0, 0),
    }
}
