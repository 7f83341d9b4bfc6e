//! A sorted `Vec`: the fastest to read, and the slowest to change.

use crate::{Index, Range};

/// A `Vec` of ranges in ascending order.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    row: Vec<(Range, u64)>,
}

impl Sorted {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first range that ends at or after `point`.
    fn seek(&self, point: u64) -> usize {
        self.row.partition_point(|(range, _)| range.last < point)
    }
}

impl Index for Sorted {
    type Handle = usize;

    fn insert(&mut self, range: Range, value: u64) -> Option<usize> {
        let at = self.seek(range.start);
        if self.row.get(at).is_some_and(|(found, _)| found.start <= range.last) {
            return None;
        }
        self.row.insert(at, (range, value));
        Some(at)
    }

    fn remove(&mut self, handle: usize) -> u64 {
        self.row.remove(handle).1
    }

    fn find(&self, point: u64) -> Option<usize> {
        let at = self.seek(point);
        (self.row.get(at)?.0.start <= point).then_some(at)
    }

    fn overlaps(&self, range: Range) -> bool {
        self.row.get(self.seek(range.start)).is_some_and(|(found, _)| found.start <= range.last)
    }

    fn for_each_in(&self, range: Range, mut visit: impl FnMut(Range, u64)) {
        for &(found, value) in &self.row[self.seek(range.start)..] {
            if found.start > range.last {
                break;
            }
            visit(found, value);
        }
    }
}
