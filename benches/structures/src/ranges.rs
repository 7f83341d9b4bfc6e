//! rangemap's inclusive map. It overwrites and joins ranges, so insertion first checks for an
//! overlap; values that differ keep it from joining neighbours.

use core::ops::RangeInclusive;

use rangemap::RangeInclusiveMap;

use crate::{Index, Range};

/// A `RangeInclusiveMap` from addresses to values. Neighbours must have different values.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    map: RangeInclusiveMap<u64, u64>,
}

impl Ranges {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }
}

fn inclusive(range: Range) -> RangeInclusive<u64> {
    range.start..=range.last
}

impl Index for Ranges {
    type Handle = Range;

    fn insert(&mut self, range: Range, value: u64) -> Option<Range> {
        if self.overlaps(range) {
            return None;
        }
        self.map.insert(inclusive(range), value);
        Some(range)
    }

    fn remove(&mut self, handle: Range) -> u64 {
        let value = *self.map.get(&handle.start).expect("the handle names a range");
        self.map.remove(inclusive(handle));
        value
    }

    fn find(&self, point: u64) -> Option<Range> {
        let (found, _) = self.map.get_key_value(&point)?;
        Some(Range { start: *found.start(), last: *found.end() })
    }

    fn overlaps(&self, range: Range) -> bool {
        self.map.overlaps(&inclusive(range))
    }

    fn for_each_in(&self, range: Range, mut visit: impl FnMut(Range, u64)) {
        for (found, value) in self.map.overlapping(inclusive(range)) {
            visit(Range { start: *found.start(), last: *found.end() }, *value);
        }
    }
}
