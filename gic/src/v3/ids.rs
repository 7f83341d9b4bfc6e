//! Sets of interrupt numbers whose lowest member is found in a few instructions.

const LG2: u32 = 6;
const BITS: u32 = 1 << LG2;

/// A set of numbers below a bound: bits, and above each 64 words of them a word that says which
/// are not empty.
#[derive(Clone, Debug)]
pub(crate) struct IdSet {
    /// The members first; each further level summarises the one before. The last is one word.
    levels: Vec<Vec<u64>>,
}

impl IdSet {
    /// An empty set of numbers below `bound`.
    pub(crate) fn new(bound: u32) -> Self {
        let mut words = (bound.max(1) as usize).div_ceil(BITS as usize);
        let mut levels = vec![vec![0; words]];
        while words > 1 {
            words = words.div_ceil(BITS as usize);
            levels.push(vec![0; words]);
        }
        Self { levels }
    }

    /// Whether `id` is a member.
    #[inline]
    pub(crate) fn contains(&self, id: u32) -> bool {
        let word = self.levels[0].get((id >> LG2) as usize);
        word.is_some_and(|word| word >> (id % BITS) & 1 != 0)
    }

    /// Adds `id`, which must be below the bound. Whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, id: u32) -> bool {
        if self.contains(id) {
            return false;
        }
        let mut at = id;
        for level in &mut self.levels {
            let word = &mut level[(at >> LG2) as usize];
            let was_empty = *word == 0;
            *word |= 1 << (at % BITS);
            if !was_empty {
                break;
            }
            at >>= LG2;
        }
        true
    }

    /// Removes `id`. Whether it was a member.
    #[inline]
    pub(crate) fn remove(&mut self, id: u32) -> bool {
        if !self.contains(id) {
            return false;
        }
        let mut at = id;
        for level in &mut self.levels {
            let word = &mut level[(at >> LG2) as usize];
            *word &= !(1 << (at % BITS));
            if *word != 0 {
                break;
            }
            at >>= LG2;
        }
        true
    }

    /// The lowest member.
    #[inline]
    pub(crate) fn first(&self) -> Option<u32> {
        let mut at = 0usize;
        for level in self.levels.iter().rev() {
            let word = level[at];
            if word == 0 {
                return None;
            }
            at = at << LG2 | word.trailing_zeros() as usize;
        }
        Some(at as u32)
    }

    /// Whether there is no member.
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.last().is_none_or(|top| top[0] == 0)
    }

    /// The members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words().flat_map(|(n, word)| {
            let first = n << LG2;
            (0..BITS).filter(move |bit| word >> bit & 1 != 0).map(move |bit| first | bit)
        })
    }

    /// The words that hold a member, each with its index.
    pub(crate) fn words(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let words = self.levels[0].iter().enumerate();
        words.filter(|(_, word)| **word != 0).map(|(n, word)| (n as u32, *word))
    }
}

#[cfg(test)]
mod tests;
