//! Detects writes to memory from which a reader has derived data.
//!
//! A reader that keeps what it derived from some words (such as the tables of a walk) has them
//! watched and records the stamp: while the memory has that stamp, the words are unchanged. The
//! stamp may change for other reasons too: whole chunks are watched, and a chunk that is lent for
//! writing counts as written.

use super::Memory;
use crate::PhysAddr;
use core::sync::atomic::{AtomicU64, Ordering};

/// A stamp that no memory had before: not this one, and no other, so that what was made of one
/// memory never passes for what is in another. Stamps are compared, and mean nothing else.
#[cold]
pub(super) fn fresh_stamp() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Chunk `index` is lent for writing. If it was watched, nothing seen before counts any more; and
/// it is watched no longer, so that writing on costs nothing.
#[inline]
pub(super) fn lent(watched: &mut [u64], index: usize, stamp: &mut u64) {
    if let Some(word) = watched.get_mut(index / 64)
        && *word >> (index % 64) & 1 != 0
    {
        *word &= !(1 << (index % 64));
        *stamp = fresh_stamp();
    }
}

impl Memory {
    /// Has the surroundings of `at` watched until they are written to; [`Self::stamp`] tells when
    /// that happens. Where there is no RAM, there is nothing to watch: it never answers, unless a
    /// bank is added, and that changes the stamp as well.
    pub fn watch(&mut self, at: PhysAddr) {
        for bank in &mut self.banks {
            let index = bank.index(at);
            if index < bank.chunks.len()
                && let Some(word) = bank.watched.get_mut(index / 64)
            {
                *word |= 1 << (index % 64);
            }
        }
    }

    /// A number that stays the same as long as nothing that is watched is written to, and is that
    /// of no other memory.
    #[inline(always)]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }
}
