//! The directory: a table over the high bits of the address that says in which leaf to look
//! first. It holds hints and nothing else. Whoever follows one checks the leaf it leads to (by the
//! leaf's floor and its entries) and goes down from the root if the hint was no good, so a stale
//! hint costs time and never an answer; and keeping hints fresh may be given a bound.
//!
//! Where ranges huddle in a small part of the space, many leaves share a bucket. Such a bucket says
//! that it is crowded, and a search goes down from the root at once.

use super::node::NIL;

/// Buckets for each leaf when the table is laid out, before rounding to a power of two of bytes.
const BUCKETS_PER_LEAF: u64 = 8;
/// Buckets for a few leaves: 4 KiB, so that hardly one of them reaches over two leaves.
const LEAST_BUCKETS: u64 = 1 << 10;
/// Stands for a leaf in a bucket that too many of them share.
const CROWDED: u32 = NIL;
/// Most leaves that may begin in a bucket: a search looks beside the leaf it is led to, no further.
const CROWD: usize = 2;
/// Most buckets written when a boundary between leaves moves. A leaf next to a wide gap may own
/// most of the table; the rest of its buckets are put right as they are used, or at the next
/// layout.
const REPOINT_LIMIT: usize = 64;
/// Stale hints met by insertions and removals before the table is laid out again, for each leaf.
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
    /// A table that leads to `leaf` from everywhere.
    pub(super) fn new(leaf: u32) -> Self {
        Self { base: 0, shift: 63, buckets: vec![leaf; 2], laid_out_for: 1, stale: 0 }
    }

    fn bucket(&self, address: u64) -> usize {
        let bucket = (address.saturating_sub(self.base) >> self.shift) as usize;
        bucket.min(self.buckets.len() - 1)
    }

    /// The leaf in which to look for `address` first; [`NIL`] if there is no saying.
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

    /// Puts right the hint for `address`, which was found stale.
    pub(super) fn correct(&mut self, address: u64, leaf: u32) {
        let bucket = self.bucket(address);
        if self.buckets[bucket] != CROWDED {
            self.buckets[bucket] = leaf;
            self.stale += 1;
        }
    }

    /// Says that the addresses from `first` to `last` belong to `leaf` now.
    pub(super) fn repoint(&mut self, first: u64, last: u64, leaf: u32) {
        if last < self.base {
            return;
        }
        // A bucket leads to the leaf of its first address; one that begins before `first` is left.
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

    /// Whether the table no longer fits `leaves` leaves and should be laid out anew. At most once
    /// in a number of changes proportional to the number of leaves, so that it pays.
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
