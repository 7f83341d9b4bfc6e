//! Allocation of ASIDs and VMIDs: always the lowest free number.

/// Numbers up to a limit.
#[derive(Debug)]
pub(in crate::iommu) struct Ids {
    /// Bit n is set while number n is taken; an excluded 0 is taken for good.
    taken: Vec<u64>,
    last: u32,
}

impl Ids {
    /// Creates an allocator of numbers of `bits` bits, at most 16, except 0.
    pub(in crate::iommu) fn new(bits: u32) -> Self {
        Self { taken: vec![1], last: (1 << bits.min(16)) - 1 }
    }

    /// Creates an allocator of numbers of `bits` bits, at most 16, from 0 on.
    pub(super) fn with_zero(bits: u32) -> Self {
        Self { taken: Vec::new(), ..Self::new(bits) }
    }

    /// Limits further numbers to `bits` bits.
    pub(in crate::iommu) fn narrow(&mut self, bits: u32) {
        self.last = self.last.min((1 << bits.min(16)) - 1);
    }

    /// Allocates the lowest free number.
    pub(super) fn alloc(&mut self) -> Option<u16> {
        let word = self.taken.iter().position(|word| *word != u64::MAX);
        let word = word.unwrap_or_else(|| {
            self.taken.push(0);
            self.taken.len() - 1
        });
        let number = word as u32 * 64 + self.taken[word].trailing_ones();
        if number > self.last {
            return None;
        }
        self.taken[word] |= 1 << (number % 64);
        u16::try_from(number).ok()
    }

    /// Frees a number.
    pub(super) fn free(&mut self, number: u16) {
        if let Some(word) = self.taken.get_mut(usize::from(number / 64)) {
            *word &= !(1 << (number % 64));
        }
    }
}
