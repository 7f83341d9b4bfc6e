//! The MSI-only cookie since 4.11: one address that only moves up.

/// Allocates byte addresses upwards from a base, without an end: the MiB that drivers reserve is
/// not a limit. Past 2^64 they wrap to 0. 4.11 dma-iommu.c, cookies of type IOMMU_DMA_MSI_COOKIE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bump {
    next: u64,
}

impl Bump {
    /// An allocator whose first address is `base`.
    pub const fn new(base: u64) -> Self {
        Self { next: base }
    }

    /// Allocates `size` bytes.
    pub const fn alloc(&mut self, size: u64) -> u64 {
        let at = self.next;
        self.next = at.wrapping_add(size);
        at
    }

    /// Undoes the last allocation, of `size` bytes, which could not be mapped.
    pub const fn undo(&mut self, size: u64) {
        self.next = self.next.wrapping_sub(size);
    }
}
