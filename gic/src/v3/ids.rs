//! Sets of interrupt numbers whose lowest member is found in a few instructions.

const LG2: u32 = 6;
const BITS: u32 = 1 << LG2;
/// Levels of the widest set there is: six bits of an `id` a level.
const LEVELS: usize = u32::BITS.div_ceil(LG2) as usize;

/// A set of numbers below a bound: bits, and above each 64 words of them a word that says which
/// are not empty.
#[derive(Clone, Debug)]
pub(crate) struct IdSet {
    bound: u32,
    /// The members first; each further level summarises the one before. The last is one word.
    words: Vec<u64>,
    /// Where in these each level starts.
    starts: [u32; LEVELS],
    /// How many levels there are.
    levels: usize,
}

impl IdSet {
    /// An empty set of numbers below `bound`.
    pub(crate) fn new(bound: u32) -> Self {
        let (mut starts, mut levels, mut all) = ([0; LEVELS], 0, 0);
        let mut words = bound.max(1);
        loop {
            words = words.div_ceil(BITS);
            starts[levels] = all;
            levels += 1;
            all += words;
            if words == 1 {
                break Self { bound, words: vec![0; all as usize], starts, levels };
            }
        }
    }

    /// Whether `id` is a member.
    #[inline]
    pub(crate) fn contains(&self, id: u32) -> bool {
        id < self.bound && self.words[(id >> LG2) as usize] >> (id % BITS) & 1 != 0
    }

    /// Adds `id`, which must be below the bound. Whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, id: u32) -> bool {
        debug_assert!(id < self.bound, "{id} is below {}", self.bound);
        let word = &mut self.words[(id >> LG2) as usize];
        let before = *word;
        *word |= 1 << (id % BITS);
        if before == 0 {
            self.summarise(id);
        }
        before >> (id % BITS) & 1 == 0
    }

    /// Says above that the word of `id` is not empty.
    #[inline(never)]
    fn summarise(&mut self, id: u32) {
        let mut at = id;
        for &start in &self.starts[1..self.levels] {
            at >>= LG2;
            let word = &mut self.words[(start + (at >> LG2)) as usize];
            let before = *word;
            *word |= 1 << (at % BITS);
            if before != 0 {
                break;
            }
        }
    }

    /// Removes `id`. Whether it was a member.
    #[inline]
    pub(crate) fn remove(&mut self, id: u32) -> bool {
        if !self.contains(id) {
            return false;
        }
        let mut at = id;
        for &start in &self.starts[..self.levels] {
            let word = &mut self.words[(start + (at >> LG2)) as usize];
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
        let mut at = 0;
        for &start in self.starts[..self.levels].iter().rev() {
            let word = self.words[(start + at) as usize];
            if word == 0 {
                return None;
            }
            at = at << LG2 | word.trailing_zeros();
        }
        Some(at)
    }

    /// Whether there is no member.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.last() == Some(&0)
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
        let members = self.bound.max(1).div_ceil(BITS) as usize;
        let words = self.words[..members].iter().enumerate();
        words.filter(|(_, word)| **word != 0).map(|(n, word)| (n as u32, *word))
    }
}

#[cfg(test)]
mod tests;
