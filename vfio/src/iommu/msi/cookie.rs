//! A domain's MSI cookie: its window's free addresses, and its doorbell mappings.

use super::records::Records;
use crate::iommu::iova::IovaSpace;
use passim_model::{Iova, PageSize, PhysAddr, Span};

/// When a doorbell is unmapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum Keeping {
    /// When its last reference is dropped: msi-iommu.
    Counted,
    /// When the domain is freed: the DMA layer.
    ForGood,
}

/// A domain's cookie.
#[derive(Debug)]
pub(in crate::iommu) struct Cookie {
    /// Distinguishes it from cookies of other domains with the same number.
    pub(super) serial: u64,
    pub(super) keeping: Keeping,
    /// Alignment of records.
    pub(super) granule: PageSize,
    /// The window's allocator; `None` until a window is set.
    pub(super) space: Option<IovaSpace>,
    /// The window, where a user set one.
    pub(super) aperture: Option<Span<Iova>>,
    pub(super) records: Records,
}

/// The granule pages of a doorbell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pages {
    pub(super) base: PhysAddr,
    pub(super) size: u64,
    /// Offset of the doorbell from the base.
    pub(super) offset: u64,
}

impl Pages {
    /// The pages that contain `size` bytes from `at` on; `None` for 0 bytes, or past 2^64.
    pub(super) fn of(at: PhysAddr, size: u64, granule: PageSize) -> Option<Self> {
        let offset = at.offset_in(granule.lg2());
        let base = at.align_down(granule.lg2());
        let end = offset.checked_add(size).filter(|_| size > 0)?;
        let size = end.checked_next_multiple_of(granule.bytes())?;
        Span::from_size(base, size)?;
        Some(Self { base, size, offset })
    }
}

impl Cookie {
    /// Whether doorbells can be mapped: a window is set, or the allocator needs none. A window of
    /// one byte does not count.
    pub(super) fn is_ready(&self) -> bool {
        let counts = |aperture: Span<Iova>| aperture.size_minus_one() > 0;
        self.space.is_some() && self.aperture.is_none_or(counts)
    }
}
