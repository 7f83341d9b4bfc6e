//! The pages that a set of tables owns.
//!
//! Kept outside the memory it describes, so that what a device wrote over a table can neither
//! free a page twice nor lose one.

use crate::{PageSize, PhysAddr};
use std::collections::BTreeMap;

/// log2 of the pages in one word.
const WORD_LG2: u32 = 6;

/// A set of pages of one size: a bitmap in pieces. One piece is held apart, because neighbouring
/// pages are added and removed one after another.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    size: PageSize,
    len: usize,
    /// All pieces but the one held apart, by key; none is 0.
    words: BTreeMap<u64, u64>,
    /// Key and word of the piece held apart.
    in_hand: (u64, u64),
}

impl Pages {
    pub(super) fn new(size: PageSize) -> Self {
        Self { size, len: 0, words: BTreeMap::new(), in_hand: (0, 0) }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The word that `page` has its bit in, and the bit.
    fn word_of(&mut self, page: PhysAddr) -> (&mut u64, u64) {
        let number = page.get() >> self.size.lg2();
        let (key, bit) = (number >> WORD_LG2, 1 << (number & ((1 << WORD_LG2) - 1)));
        let (old_key, old_word) = self.in_hand;
        if key != old_key {
            if old_word != 0 {
                self.words.insert(old_key, old_word);
            }
            self.in_hand = (key, self.words.remove(&key).unwrap_or(0));
        }
        (&mut self.in_hand.1, bit)
    }

    /// Adds a page that is not in the set.
    pub(super) fn insert(&mut self, page: PhysAddr) {
        let (word, bit) = self.word_of(page);
        assert!(*word & bit == 0, "the allocator hands a frame out once");
        *word |= bit;
        self.len += 1;
    }

    /// Removes a page. Returns whether it was in the set.
    pub(super) fn remove(&mut self, page: PhysAddr) -> bool {
        let (word, bit) = self.word_of(page);
        let present = *word & bit != 0;
        *word &= !bit;
        self.len -= usize::from(present);
        present
    }

    /// The pages, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = PhysAddr> + '_ {
        let (key, word) = self.in_hand;
        let below = self.words.range(..key).map(|(&key, &word)| (key, word));
        let above = self.words.range(key..).map(|(&key, &word)| (key, word));
        let lg2 = self.size.lg2();
        below.chain([(key, word)]).chain(above).flat_map(move |(key, word)| {
            (0..u64::from(u64::BITS))
                .filter(move |bit| word >> bit & 1 != 0)
                .map(move |bit| PhysAddr::new((key << WORD_LG2 | bit) << lg2))
        })
    }
}

#[cfg(test)]
mod tests;
