//! Free runs of pages, indexed by the largest aligned block in each.
//!
//! A request for n pages needs a multiple of 2^k, the power of two at or above n. A run with a
//! naturally aligned block of 2^k pages always fits it. A run without one fits it only if n is not
//! a power of two and the run's largest block has 2^(k-1) pages, because the n pages begin with
//! such a block. So runs are indexed by their largest block: only the highest run of every class
//! from k up is a candidate, and one class below must be searched when n is not a power of two.

use std::collections::{BTreeMap, BTreeSet};

/// More pages than any window has: addresses have 64 bits, pages at least 2^12 bytes.
pub(super) const MOST_PAGES: u64 = 1 << 52;

/// Free runs; adjacent runs are merged.
#[derive(Debug)]
pub(super) struct Gaps {
    /// Last page of each run by its first.
    runs: BTreeMap<u64, u64>,
    /// First pages of runs by log2 of the largest aligned block inside.
    classes: Vec<BTreeSet<u64>>,
}

/// log2 of the largest naturally aligned block in the run from `first` to `last`.
fn class(first: u64, last: u64) -> usize {
    let lg2 = (last - first + 1).ilog2();
    let block = 1u64 << lg2;
    let fits = first.next_multiple_of(block) + (block - 1) <= last;
    // A run of 2^n pages or more holds an aligned block of 2^(n-1) wherever it begins.
    (if fits { lg2 } else { lg2 - 1 }) as usize
}

impl Gaps {
    /// One free run, from `first` to `last`; none if that is empty.
    pub(super) fn new(first: u64, last: u64) -> Self {
        let mut gaps = Self { runs: BTreeMap::new(), classes: Vec::new() };
        if first <= last {
            gaps.insert(first, last);
        }
        gaps
    }

    fn insert(&mut self, first: u64, last: u64) {
        self.runs.insert(first, last);
        self.join(class(first, last), first);
    }

    fn remove(&mut self, first: u64) -> Option<u64> {
        let last = self.runs.remove(&first)?;
        self.leave(class(first, last), first);
        Some(last)
    }

    fn join(&mut self, class: usize, first: u64) {
        if self.classes.len() <= class {
            self.classes.resize_with(class + 1, BTreeSet::new);
        }
        self.classes[class].insert(first);
    }

    fn leave(&mut self, class: usize, first: u64) {
        self.classes[class].remove(&first);
    }

    /// The highest place for `pages` pages, size aligned, in the highest run that begins in
    /// `floor..below` and fits them.
    pub(super) fn highest(&self, pages: u64, floor: u64, below: u64) -> Option<u64> {
        if pages == 0 || pages > MOST_PAGES || floor >= below {
            return None;
        }
        let align = pages.next_power_of_two();
        let wanted = align.ilog2() as usize;
        let large = self.classes.iter().skip(wanted).filter(|class| !class.is_empty());
        let mut best =
            large.filter_map(|class| class.range(floor..below).next_back().copied()).max();
        if align != pages
            && let Some(class) = self.classes.get(wanted - 1)
        {
            let above = best.map_or(floor, |best| best + 1);
            let mut runs = class.range(above.max(floor)..below).rev().copied();
            best = runs.find(|&run| self.place(run, pages, align).is_some()).or(best);
        }
        self.place(best?, pages, align)
    }

    /// The highest place for `pages` in the run that begins at `first`.
    fn place(&self, first: u64, pages: u64, align: u64) -> Option<u64> {
        let last = *self.runs.get(&first)?;
        let highest = (last + 1).checked_sub(pages)?;
        let at = highest & !(align - 1);
        (at >= first).then_some(at)
    }

    /// Removes the `pages` pages from `at` on from the run that contains them.
    pub(super) fn take(&mut self, at: u64, pages: u64) {
        let Some((&first, &last)) = self.runs.range(..=at).next_back() else { return };
        if first < at {
            self.resize(first, last, at - 1);
        } else {
            self.remove(first);
        }
        let next = at + pages;
        if next <= last {
            self.insert(next, last);
        }
    }

    /// Returns the pages from `first` to `last`; does nothing if that is empty.
    pub(super) fn give(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let last = self.remove(last + 1).unwrap_or(last);
        match self.runs.range(..first).next_back() {
            Some((&start, &end)) if end + 1 == first => self.resize(start, end, last),
            _ => self.insert(first, last),
        }
    }

    /// Moves the end of the run from `first` to `last` to `new`.
    fn resize(&mut self, first: u64, last: u64, new: u64) {
        self.runs.insert(first, new);
        let (before, after) = (class(first, last), class(first, new));
        if before != after {
            self.leave(before, first);
            self.join(after, first);
        }
    }
}
