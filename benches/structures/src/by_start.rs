//! The standard library's tree, keyed by first address.

use std::collections::BTreeMap;

use crate::{Index, Range};

/// A `BTreeMap` from first address to last address and value.
#[derive(Clone, Debug, Default)]
pub struct ByStart {
    tree: BTreeMap<u64, (u64, u64)>,
}

impl ByStart {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Index for ByStart {
    type Handle = u64;

    fn insert(&mut self, range: Range, value: u64) -> Option<u64> {
        if self.overlaps(range) {
            return None;
        }
        self.tree.insert(range.start, (range.last, value));
        Some(range.start)
    }

    fn remove(&mut self, handle: u64) -> u64 {
        self.tree.remove(&handle).expect("the handle names a range").1
    }

    fn find(&self, point: u64) -> Option<u64> {
        let (&start, &(last, _)) = self.tree.range(..=point).next_back()?;
        (point <= last).then_some(start)
    }

    fn overlaps(&self, range: Range) -> bool {
        let lowest_end = self.tree.range(..=range.last).next_back();
        lowest_end.is_some_and(|(_, &(last, _))| range.start <= last)
    }

    fn for_each_in(&self, range: Range, mut visit: impl FnMut(Range, u64)) {
        let from = self.find(range.start).unwrap_or(range.start);
        for (&start, &(last, value)) in self.tree.range(from..=range.last) {
            visit(Range { start, last }, value);
        }
    }
}
