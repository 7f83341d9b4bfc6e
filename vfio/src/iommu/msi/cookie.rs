//! What a domain keeps of doorbells: where in its window there is room, and what is mapped there.

use crate::iommu::iova::IovaSpace;
use passim_model::{Iova, PageSize, PhysAddr, Span};

/// When a doorbell is unmapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum Keeping {
    /// When nobody holds it any more: msi-iommu.
    Counted,
    /// When the domain goes: the DMA layer.
    ForGood,
}

/// A domain's cookie.
#[derive(Debug)]
pub(in crate::iommu) struct Cookie {
    /// Told apart from the cookies of other domains that had the same number.
    pub(super) serial: u64,
    pub(super) keeping: Keeping,
    /// Alignment of records.
    pub(super) granule: PageSize,
    /// Where there is room; `None` until a window is set.
    pub(super) space: Option<IovaSpace>,
    /// The window, where a user set one.
    pub(super) aperture: Option<Span<Iova>>,
    /// Newest last; kernels search them from the newest on.
    pub(super) records: Vec<Record>,
}

/// A mapped doorbell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// First byte, a multiple of the granule.
    pub(super) base: PhysAddr,
    /// Bytes, a multiple of the granule.
    pub(super) size: u64,
    /// Where devices see it.
    pub(super) iova: Iova,
    /// Who holds it; 0 where nobody counts.
    pub(super) references: u64,
}

impl Record {
    /// Where devices see the `size` bytes from `at` on, if the record holds all of them.
    pub(super) fn translate(&self, at: PhysAddr, size: u64) -> Option<Iova> {
        let offset = at.offset_from(self.base)?;
        let room = self.size.checked_sub(offset)?;
        (size <= room).then(|| Iova::new(self.iova.get().wrapping_add(offset)))
    }
}

/// The granule pages of a doorbell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pages {
    pub(super) base: PhysAddr,
    pub(super) size: u64,
    /// From the base to the doorbell.
    pub(super) offset: u64,
}

impl Pages {
    /// Those that `size` bytes from `at` on lie in; `None` for 0 bytes, or past 2^64.
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
    /// The newest record that holds all the pages; its index.
    pub(super) fn holding(&self, pages: Pages) -> Option<usize> {
        self.records.iter().rposition(|record| record.translate(pages.base, pages.size).is_some())
    }

    /// Where devices see `size` bytes from `at` on: the newest record that holds all of them.
    pub(super) fn translate(&self, at: PhysAddr, size: u64) -> Option<Iova> {
        self.records.iter().rev().find_map(|record| record.translate(at, size))
    }
}
