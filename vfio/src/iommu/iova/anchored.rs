//! Iova.c since 4.15: an anchor node above the window, and a second walk over holes that the first
//! skipped.

use super::gaps::{Gaps, MOST_PAGES};
use std::collections::BTreeMap;

/// Allocates size-aligned pages from below the node allocated last; if none fit, from the top down
/// to that node. The lowest page of the window is used too. Everything is counted in pages of the
/// window's granule. 4.15 iova.c, `__alloc_and_insert_iova_range`.
#[derive(Debug)]
pub struct Anchored {
    start: u64,
    /// One past the last page: limits are exclusive.
    limit: u64,
    /// Last page of each allocation by its first.
    nodes: BTreeMap<u64, u64>,
    gaps: Gaps,
    /// First and last page of the node below which the next walk begins; `None` is the anchor.
    cached: Option<(u64, u64)>,
}

impl Anchored {
    /// An empty window from page `start` to the page before `limit`.
    pub fn new(start: u64, limit: u64) -> Self {
        let limit = limit.min(MOST_PAGES);
        let gaps = match limit.checked_sub(1) {
            Some(last) => Gaps::new(start, last),
            None => Gaps::new(1, 0),
        };
        Self { start, limit, nodes: BTreeMap::new(), gaps, cached: None }
    }

    /// Allocates `pages` consecutive pages, aligned to the power of two at or above `pages`; `None`
    /// if none fit, or for 0 pages.
    pub fn alloc(&mut self, pages: u64) -> Option<u64> {
        let first = match self.cached {
            None => self.gaps.highest(pages, 0, u64::MAX),
            Some((low, high)) => {
                let below = self.gaps.highest(pages, 0, low);
                below.or_else(|| self.gaps.highest(pages, high, u64::MAX))
            }
        }?;
        self.gaps.take(first, pages);
        let last = first + pages - 1;
        self.nodes.insert(first, last);
        self.cached = Some((first, last));
        Some(first)
    }

    /// Frees the allocation that begins at page `first`; does nothing if there is none.
    pub fn free(&mut self, first: u64) {
        let Some(last) = self.nodes.remove(&first) else { return };
        if self.cached.is_some_and(|(cached, _)| first >= cached) {
            self.cached = self.nodes.range(first..).next().map(|(&low, &high)| (low, high));
        }
        self.gaps.give(first, last);
    }

    /// Moves the window's last page to `last`, if the window begins at `start` and does not shrink.
    pub fn enlarge(&mut self, start: u64, last: u64) -> bool {
        let limit = last.saturating_add(1).min(MOST_PAGES);
        if start != self.start || limit < self.limit {
            return false;
        }
        if limit > self.limit {
            self.gaps.give(self.limit.max(start), limit - 1);
            self.limit = limit;
        }
        true
    }
}
