//! The invalidations that an unmap requires, and the table pages that must wait for them.
//!
//! Ranges grow as Linux's gathering does: blocks of one size that touch or overlap make one range,
//! anything else starts the next. Where a whole table was unlinked, cached entries of the walk
//! through it must be invalidated too, at any level.

use crate::{Frames, PageSize, PhysAddr};

/// Input addresses of which hardware may still hold translations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stale {
    /// First input address, in the input space of the tables' stage.
    pub start: u64,
    /// Last input address, inclusive.
    pub last: u64,
    /// Size of the blocks in the range; for a walk, the granule.
    pub block: PageSize,
}

impl Stale {
    /// Bytes in the range. Fewer than 2^64: no tables have more than 52 bits of input.
    pub fn size(self) -> u64 {
        self.last - self.start + 1
    }

    /// How many blocks the range has.
    pub fn blocks(self) -> u64 {
        self.size() >> self.block.lg2()
    }

    /// Each block by itself, in order.
    pub fn each_block(self) -> impl Iterator<Item = Self> {
        let of = move |n: u64| {
            let start = self.start + (n << self.block.lg2());
            Self { start, last: start + self.block.mask(), block: self.block }
        };
        (0..self.blocks()).map(of)
    }
}

/// One thing to be invalidated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Invalidation {
    /// Leaves only: no table above them changed.
    Leaves(Stale),
    /// A table was unlinked: leaves, and cached entries of the levels above them.
    Walk(Stale),
}

/// Everything unmapped and not yet invalidated.
#[must_use = "pages may go back only after what was gathered is invalidated"]
#[derive(Debug, Default)]
pub struct Gather {
    /// In the order in which they became due.
    closed: Vec<Invalidation>,
    /// The range that still grows.
    open: Option<Stale>,
    tables: Vec<(PhysAddr, PageSize)>,
}

impl Gather {
    /// A gather with nothing to invalidate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to invalidate and no table waits.
    pub fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open.is_none() && self.tables.is_empty()
    }

    /// Adds leaves of one block size that were unmapped from `start` to `last`, both inclusive.
    pub fn add_leaves(&mut self, start: u64, last: u64, block: PageSize) {
        if let Some(open) = &mut self.open {
            let touches =
                start <= open.last.saturating_add(1) && open.start <= last.saturating_add(1);
            if touches && open.block == block {
                open.start = open.start.min(start);
                open.last = open.last.max(last);
                return;
            }
            self.closed.push(Invalidation::Leaves(*open));
        }
        self.open = Some(Stale { start, last, block });
    }

    /// Adds an unlinked table that translated `start` to `last`, both inclusive.
    pub fn add_walk(&mut self, start: u64, last: u64, granule: PageSize) {
        self.closed.push(Invalidation::Walk(Stale { start, last, block: granule }));
    }

    /// Adds an unlinked table page, which must not be used again before the invalidation is
    /// complete.
    pub fn add_table(&mut self, page: PhysAddr, size: PageSize) {
        self.tables.push((page, size));
    }

    /// Everything to invalidate, in the order in which it becomes due: a range when it stops
    /// growing, a walk at once.
    pub fn invalidations(&self) -> impl Iterator<Item = Invalidation> + '_ {
        self.closed.iter().copied().chain(self.open.map(Invalidation::Leaves))
    }

    /// The ranges of leaves, in order.
    pub fn ranges(&self) -> impl Iterator<Item = Stale> + '_ {
        self.invalidations().filter_map(|invalidation| match invalidation {
            Invalidation::Leaves(stale) => Some(stale),
            Invalidation::Walk(_) => None,
        })
    }

    /// The ranges whose tables were unlinked, in order.
    pub fn walks(&self) -> impl Iterator<Item = Stale> + '_ {
        self.invalidations().filter_map(|invalidation| match invalidation {
            Invalidation::Walk(stale) => Some(stale),
            Invalidation::Leaves(_) => None,
        })
    }

    /// How many table pages wait.
    pub fn waiting_tables(&self) -> usize {
        self.tables.len()
    }

    /// The table pages that wait, each with its size. To be called once the invalidation is
    /// complete; the caller gives them back to the allocator.
    pub fn take_tables(&mut self) -> Vec<(PhysAddr, PageSize)> {
        core::mem::take(&mut self.tables)
    }

    /// Frees the waiting table pages. To be called once the invalidation is complete.
    pub fn release_tables(&mut self, frames: &mut Frames) {
        for (page, size) in self.tables.drain(..) {
            frames.free(page, size);
        }
    }
}
