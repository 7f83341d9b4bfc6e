//! Iova.c since 4.15: a node above everything, and a second walk for what the first skipped.

use super::gaps::{Gaps, MOST_PAGES};
use std::collections::BTreeMap;

/// Pages are handed out from below the node handed out last, size aligned; if there is no place,
/// from the top down to that node. The lowest page is as good as any. Everything is counted in
/// pages of the window's granule. 4.15 iova.c, `__alloc_and_insert_iova_range`.
#[derive(Debug)]
pub struct Anchored {
    start: u64,
    /// One past the last page: limits are exclusive.
    limit: u64,
    /// Last page of each allocation by its first.
    nodes: BTreeMap<u64, u64>,
    gaps: Gaps,
    /// First and last page of the node the next walk begins below; `None` is the anchor.
    cached: Option<(u64, u64)>,
}

impl Anchored {
    /// The window from page `start` to the page before `limit`, all free.
    pub fn new(start: u64, limit: u64) -> Self {
        let limit = limit.min(MOST_PAGES);
        let gaps = match limit.checked_sub(1) {
            Some(last) => Gaps::new(start, last),
            None => Gaps::new(1, 0),
        };
        Self { start, limit, nodes: BTreeMap::new(), gaps, cached: None }
    }

    /// The first of `pages` consecutive pages, a multiple of the power of two at or above `pages`;
    /// `None` if there is no place, or for 0 pages.
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

    /// Gives back the allocation that begins at page `first`. Nothing happens if none does.
    pub fn free(&mut self, first: u64) {
        let Some(last) = self.nodes.remove(&first) else { return };
        if self.cached.is_some_and(|(cached, _)| first >= cached) {
            self.cached = self.nodes.range(first..).next().map(|(&low, &high)| (low, high));
        }
        self.gaps.give(first, last);
    }

    /// Makes `last` the window's last page, if `start` is its first and it does not shrink.
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
