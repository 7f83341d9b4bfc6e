//! Iova.c of 4.3 to 4.12, as MSI windows use it: always with the limit for which a node is cached.

use super::gaps::{Gaps, MOST_PAGES};
use std::collections::BTreeMap;

/// Allocates size-aligned pages from the top of a window down, below the node allocated last. A
/// hole above that node is found again only after a node at or above it was freed. The lowest page
/// is never allocated: the walk that reaches the bottom compares with one page too few. Everything
/// is counted in pages of the window's granule, both ends inside.
#[derive(Debug)]
pub struct TopDown {
    /// `start_pfn`.
    start: u64,
    /// `dma_32bit_pfn`: the last page of the window.
    last: u64,
    /// Last page of each allocation by its first.
    nodes: BTreeMap<u64, u64>,
    gaps: Gaps,
    /// First page of the node below which the next walk begins.
    cached: Option<u64>,
}

impl TopDown {
    /// An empty window from page `start` to page `last`. Kernels never let one start at 0.
    pub fn new(start: u64, last: u64) -> Self {
        // iova.c of 4.8: a walk to the bottom fails if start_pfn + size + pad > limit, so that
        // start_pfn itself is never allocated.
        let last = last.min(MOST_PAGES);
        let gaps = Gaps::new(start.saturating_add(1), last);
        Self { start, last, nodes: BTreeMap::new(), gaps, cached: None }
    }

    /// Allocates `pages` consecutive pages, aligned to the power of two at or above `pages`; `None`
    /// if the walk finds no place, or for 0 pages.
    pub fn alloc(&mut self, pages: u64) -> Option<u64> {
        let below = self.cached.unwrap_or(u64::MAX);
        let first = self.gaps.highest(pages, 0, below)?;
        self.gaps.take(first, pages);
        self.nodes.insert(first, first + pages - 1);
        self.cached = Some(first);
        Some(first)
    }

    /// Frees the allocation that begins at page `first`; does nothing if there is none.
    pub fn free(&mut self, first: u64) {
        let Some(last) = self.nodes.remove(&first) else { return };
        if self.cached.is_some_and(|cached| first >= cached) {
            let next = self.nodes.range(first..).next().map(|(&next, _)| next);
            self.cached = next.filter(|&next| next < self.last);
        }
        self.gaps.give(first, last);
    }

    /// Moves the window's last page to `last`, if the window begins at `start` and does not shrink.
    /// The new pages lie above the cached node, so they are allocated only after that node is
    /// freed.
    pub fn enlarge(&mut self, start: u64, last: u64) -> bool {
        let last = last.min(MOST_PAGES);
        if start != self.start || last < self.last {
            return false;
        }
        if last > self.last {
            self.gaps.give(self.last.max(start).saturating_add(1), last);
            self.last = last;
        }
        true
    }
}
