//! Allocation of I/O addresses in a window: the three allocators kernels have had.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`top_down`] | which pages does iova.c of 4.3 to 4.12 allocate? |
//! | [`anchored`] | which since 4.15? |
//! | [`bump`] | which addresses does the MSI-only cookie since 4.11 allocate? |
//! | `gaps` | which free run is the highest that fits so many pages? |
//!
//! Kernels walk their allocations one by one, from the top or from a cached node. Here free runs
//! are indexed by the blocks they contain, so that an allocation costs a few look-ups however many
//! there are, and returns the address that the kernel's walk returns. Not here: what is mapped at
//! an address.

pub mod anchored;
pub mod bump;
mod gaps;
pub mod top_down;

pub use anchored::Anchored;
pub use bump::Bump;
pub use top_down::TopDown;

use passim_model::{Iova, PageSize};

/// An allocator of addresses, in pages of one size.
#[derive(Debug)]
pub(super) struct IovaSpace {
    page: PageSize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    TopDown(TopDown),
    Anchored(Anchored),
    Bump(Bump),
}

impl IovaSpace {
    /// The top-down allocator of kernels up to 4.12.
    pub(super) fn top_down(page: PageSize, space: TopDown) -> Self {
        Self { page, kind: Kind::TopDown(space) }
    }

    /// The anchored allocator of kernels since 4.15.
    pub(super) fn anchored(page: PageSize, space: Anchored) -> Self {
        Self { page, kind: Kind::Anchored(space) }
    }

    /// The bump allocator.
    pub(super) fn bump(page: PageSize, space: Bump) -> Self {
        Self { page, kind: Kind::Bump(space) }
    }

    /// Size of a page.
    pub(super) fn page(&self) -> PageSize {
        self.page
    }

    /// Allocates `size` bytes, a multiple of the page.
    pub(super) fn alloc(&mut self, size: u64) -> Option<Iova> {
        let pages = size >> self.page.lg2();
        let first = match &mut self.kind {
            Kind::TopDown(space) => space.alloc(pages)?,
            Kind::Anchored(space) => space.alloc(pages)?,
            Kind::Bump(space) => return Some(Iova::new(space.alloc(size))),
        };
        Some(Iova::new(first << self.page.lg2()))
    }

    /// Frees an allocation at `iova` that had been mapped.
    pub(super) fn free(&mut self, iova: Iova) {
        let first = iova.get() >> self.page.lg2();
        match &mut self.kind {
            Kind::TopDown(space) => space.free(first),
            Kind::Anchored(space) => space.free(first),
            Kind::Bump(_) => {}
        }
    }

    /// Undoes an allocation that could not be mapped.
    pub(super) fn undo(&mut self, iova: Iova, size: u64) {
        match &mut self.kind {
            Kind::Bump(space) => space.undo(size),
            _ => self.free(iova),
        }
    }

    /// Moves the window's end to page `last`, if the window begins at page `start` and does not
    /// shrink; no other change is possible while it is in use. Returns whether it did.
    pub(super) fn enlarge(&mut self, start: u64, last: u64) -> bool {
        match &mut self.kind {
            Kind::TopDown(space) => space.enlarge(start, last),
            Kind::Anchored(space) => space.enlarge(start, last),
            Kind::Bump(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
