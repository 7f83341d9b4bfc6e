//! Mapped doorbells: an indexed list, newest first.
//!
//! Kernels walk their list to the first record that contains a range whole. Here records of one
//! size are sorted by their first byte, so that only candidates of each size are checked: for a
//! doorbell of one page, one record. The newest match is the one that the walk would find.

use passim_model::{Iova, PhysAddr};
use std::collections::BTreeMap;

/// A mapped doorbell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// First byte, a multiple of the granule.
    pub(super) base: PhysAddr,
    /// Bytes, a multiple of the granule.
    pub(super) size: u64,
    /// Its I/O address.
    pub(super) iova: Iova,
    /// References; 0 where the kernel does not count.
    pub(super) references: u64,
}

impl Record {
    /// The I/O address of `at`, which the record contains.
    pub(super) fn seen(&self, at: PhysAddr) -> Iova {
        let offset = at.get().wrapping_sub(self.base.get());
        Iova::new(self.iova.get().wrapping_add(offset))
    }
}

/// All records of a domain.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// By age: the oldest has the lowest number.
    by_age: BTreeMap<u64, Record>,
    /// By size and first byte, their ages. The pair is unique: of two equal records one would
    /// contain the other.
    by_size: BTreeMap<u64, BTreeMap<u64, u64>>,
    /// Number of records so far.
    count: u64,
}

impl Records {
    /// Adds a record.
    pub(super) fn push(&mut self, record: Record) {
        self.count += 1;
        self.by_age.insert(self.count, record);
        self.by_size.entry(record.size).or_default().insert(record.base.get(), self.count);
    }

    /// The age of the newest record that contains all `size` bytes from `at` on, at least one.
    pub(super) fn holding(&self, at: PhysAddr, size: u64) -> Option<u64> {
        // The last byte; no record contains a range that wraps.
        let last = at.checked_add(size.checked_sub(1)?)?.get();
        let large = self.by_size.range(size..);
        let ages = large.filter_map(|(held, bases)| {
            // A record of `held` bytes that begins below this address ends before `last`.
            let lowest = last.saturating_sub(held - 1);
            bases.range(lowest..=at.get()).map(|(_, &age)| age).max()
        });
        ages.max()
    }

    /// The record of this age.
    pub(super) fn get(&self, age: u64) -> Option<&Record> {
        self.by_age.get(&age)
    }

    /// The record of this age, mutable.
    pub(super) fn get_mut(&mut self, age: u64) -> Option<&mut Record> {
        self.by_age.get_mut(&age)
    }

    /// Removes a record.
    pub(super) fn remove(&mut self, age: u64) -> Option<Record> {
        let record = self.by_age.remove(&age)?;
        if let Some(bases) = self.by_size.get_mut(&record.size) {
            bases.remove(&record.base.get());
            if bases.is_empty() {
                self.by_size.remove(&record.size);
            }
        }
        Some(record)
    }

    /// All records, newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.by_age.values().rev()
    }
}
