//! The directory: a table over the high bits of an address that names the leaf to search first. It
//! contains hints only. A search checks the leaf that a hint names (by the leaf's floor and its
//! entries) and descends from the root if the hint was wrong, so a stale hint costs time but never
//! changes an answer; and the work to keep hints fresh can be bounded.
//!
//! Where ranges crowd in a small part of the space, many leaves share a bucket. Such a bucket is
//! marked crowded, and a search descends from the root at once.

use super::node::NIL;

/// Buckets for each leaf when the table is laid out, before rounding to a power of two of bytes.
const BUCKETS_PER_LEAF: u64 = 8;
/// Buckets for a few leaves: 4 KiB, so that few buckets span two leaves.
const LEAST_BUCKETS: u64 = 1 << 10;
/// Marks a bucket that too many leaves share.
const CROWDED: u32 = NIL;
/// Most leaves that may begin in a bucket: a search checks the neighbours of the leaf that it is
/// given, no more.
const CROWD: usize = 2;
/// Most buckets written when a boundary between leaves moves. A leaf next to a wide gap may own
/// most of the table; its other buckets are corrected as they are used, or at the next layout.
const REPOINT_LIMIT: usize = 64;
/// Stale hints found by insertions and removals, per leaf, before the table is laid out again.
const STALE_PER_LEAF: usize = 4;

/// Hints from address to leaf.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    base: u64,
    shift: u32,
    buckets: Vec<u32>,
    /// Leaves at the last layout.
    laid_out_for: usize,
    stale: usize,
}

impl Directory {
    /// Creates a table that names `leaf` everywhere.
    pub(super) fn new(leaf: u32) -> Self {
        Self { base: 0, shift: 63, buckets: vec![leaf; 2], laid_out_for: 1, stale: 0 }
    }

    fn bucket(&self, address: u64) -> usize {
        let bucket = (address.saturating_sub(self.base) >> self.shift) as usize;
        bucket.min(self.buckets.len() - 1)
    }

    /// The leaf to search first for `address`; [`NIL`] without a hint.
    #[inline]
    pub(super) fn hint(&self, address: u64) -> u32 {
        let bucket = (address.wrapping_sub(self.base) >> self.shift) as usize;
        match self.buckets.get(bucket) {
            Some(leaf) => *leaf,
            None => self.hint_outside(address),
        }
    }

    #[cold]
    fn hint_outside(&self, address: u64) -> u32 {
        self.buckets[self.bucket(address)]
    }

    /// Corrects the hint for `address`, which was stale.
    pub(super) fn correct(&mut self, address: u64, leaf: u32) {
        let bucket = self.bucket(address);
        if self.buckets[bucket] != CROWDED {
            self.buckets[bucket] = leaf;
            self.stale += 1;
        }
    }

    /// Assigns the addresses from `first` to `last` to `leaf`.
    pub(super) fn repoint(&mut self, first: u64, last: u64, leaf: u32) {
        if last < self.base {
            return;
        }
        // A bucket names the leaf of its first address; one that begins before `first` is not
        // changed.
        let ahead = first.saturating_sub(self.base);
        let mask = (1 << self.shift) - 1;
        let from = (ahead >> self.shift) as usize + usize::from(ahead & mask != 0);
        let to = self.bucket(last);
        for bucket in self.buckets.iter_mut().take(to + 1).skip(from).take(REPOINT_LIMIT) {
            if *bucket != CROWDED {
                *bucket = leaf;
            }
        }
    }

    /// Whether the table no longer fits `leaves` leaves and should be laid out again. The cost is
    /// amortised: it is true at most once in a number of changes proportional to the number of
    /// leaves.
    #[inline]
    pub(super) fn outgrown(&self, leaves: usize) -> bool {
        leaves >= 2 * self.laid_out_for
            || 4 * leaves < self.laid_out_for
            || self.stale > STALE_PER_LEAF * leaves.max(16)
    }

    /// Lays the table out over the addresses `base..=top`, for `floors`: each leaf with its floor,
    /// ascending, `leaves` of them.
    pub(super) fn lay_out(
        &mut self,
        base: u64,
        top: u64,
        leaves: usize,
        floors: impl Iterator<Item = (u64, u32)>,
    ) {
        let wanted = (leaves as u64 * BUCKETS_PER_LEAF).max(LEAST_BUCKETS);
        let extent = top - base;
        let shift = (0..63).find(|shift| extent >> shift < wanted).unwrap_or(63);
        let count = (extent >> shift) as usize + 1;
        self.base = base;
        self.shift = shift;
        self.laid_out_for = leaves;
        self.stale = 0;
        self.buckets.clear();
        let mut owner = None;
        let mut crowded = Vec::new();
        let (mut latest, mut beginning) = (0, 0);
        for (floor, leaf) in floors {
            let ahead = floor.saturating_sub(base);
            // Buckets that begin below this leaf's floor belong to the leaf before it.
            if let Some(before) = owner {
                let until = if ahead == 0 { 0 } else { ((ahead - 1) >> shift) as usize + 1 };
                let until = until.min(count).max(self.buckets.len());
                self.buckets.resize(until, before);
            }
            owner = Some(leaf);

            let bucket = (ahead >> shift) as usize;
            beginning = if bucket == latest { beginning + 1 } else { 1 };
            latest = bucket;
            if beginning == CROWD + 1 && bucket < count {
                crowded.push(bucket);
            }
        }
        let last = owner.expect("a tree has at least one leaf");
        self.buckets.resize(count, last);
        self.buckets.shrink_to(2 * count);
        for bucket in crowded {
            self.buckets[bucket] = CROWDED;
        }
    }
}
