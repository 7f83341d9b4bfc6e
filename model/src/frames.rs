//! The free frames of RAM: the kernel's page allocator.
//!
//! RAM is opened in chunks of 2 MiB from the top downwards, so that the low end stays free for a
//! machine's fixed uses; inside a chunk, blocks are handed out upwards, so that memory touched in
//! ascending order is physically contiguous, as it mostly is on a kernel that has just booted. A
//! freed block returns to the list of its size and is the next to be handed out again. Frames set
//! aside at the start (for pages whose place is given from outside) are never handed out.

use crate::{PageSize, PhysAddr, Span};
use rangemap::RangeInclusiveSet;

/// Blocks below this size, log2 of bytes, come from chunks of it.
const CHUNK_LG2: u32 = 21;

/// Largest block, log2 of bytes.
const LARGEST_LG2: u32 = 34;

/// The page allocator. See the [module](self).
pub struct Frames {
    smallest: PageSize,
    /// Not yet handed out: ascending, the last is carved first.
    fresh: Vec<Span<PhysAddr>>,
    /// What is left of the chunk that small blocks are taken from.
    chunk: Option<Span<PhysAddr>>,
    /// Freed blocks by log2 of size; the last freed is the first reused.
    freed: Vec<Vec<PhysAddr>>,
    set_aside: RangeInclusiveSet<u64>,
    in_use: u64,
}

impl Frames {
    /// All of `ram` is free, in blocks of `smallest` and up. No two spans of it may overlap.
    pub fn new(smallest: PageSize, ram: impl IntoIterator<Item = Span<PhysAddr>>) -> Self {
        let mut fresh: Vec<_> = ram.into_iter().collect();
        fresh.sort_unstable();
        Self {
            smallest,
            fresh,
            chunk: None,
            freed: vec![Vec::new(); LARGEST_LG2 as usize + 1],
            set_aside: RangeInclusiveSet::new(),
            in_use: 0,
        }
    }

    /// Size of the smallest block.
    pub fn smallest(&self) -> PageSize {
        self.smallest
    }

    /// Bytes handed out and not freed.
    pub fn in_use(&self) -> u64 {
        self.in_use
    }

    /// Removes `span` for good: it is never handed out, and freeing inside it does nothing. To be
    /// called before the first allocation.
    pub fn set_aside(&mut self, span: Span<PhysAddr>) {
        self.set_aside.insert(span.start().get()..=span.last().get());
        let mut kept = Vec::with_capacity(self.fresh.len() + 1);
        for piece in self.fresh.drain(..) {
            if !piece.overlaps(span) {
                kept.push(piece);
                continue;
            }
            let below = span.start().get().checked_sub(1).map(PhysAddr::new);
            kept.extend(below.and_then(|last| Span::new(piece.start(), last)));
            let above = span.last().checked_add(1);
            kept.extend(above.and_then(|start| Span::new(start, piece.last())));
        }
        self.fresh = kept;
    }

    /// Whether `at` was [set aside](Self::set_aside).
    pub fn is_set_aside(&self, at: PhysAddr) -> bool {
        self.set_aside.contains(&at.get())
    }

    /// Allocates a block of `size`, aligned to its size, and returns its first physical address;
    /// `None` if there is none, as for more than 16 GiB. A size below the smallest gets a smallest
    /// block.
    pub fn alloc(&mut self, size: PageSize) -> Option<PhysAddr> {
        let size = size.max(self.smallest);
        let block = match self.freed.get_mut(size.lg2() as usize)?.pop() {
            Some(block) => block,
            None => self
                .take_from_chunk(size)
                .or_else(|| self.carve(size))
                .or_else(|| self.split(size))?,
        };
        self.in_use += size.bytes();
        Some(block)
    }

    /// The lowest block of the open chunk, opening another if need be. What is skipped for
    /// alignment goes to the lists.
    fn take_from_chunk(&mut self, size: PageSize) -> Option<PhysAddr> {
        let chunk_size = PageSize::from_lg2(CHUNK_LG2).filter(|chunk| size < *chunk)?;
        loop {
            let chunk = match self.chunk.take() {
                Some(chunk) => chunk,
                None => Span::from_size(self.carve(chunk_size)?, chunk_size.bytes())?,
            };
            if !chunk.start().is_aligned(size.lg2()) {
                // The lowest set bit of an address is the largest block that starts there.
                let gap = PageSize::from_lg2(chunk.start().get().trailing_zeros())?;
                self.freed[gap.lg2() as usize].push(chunk.start());
                self.chunk = above(chunk, gap);
            } else {
                self.chunk = above(chunk, size);
                return Some(chunk.start());
            }
        }
    }

    /// Cuts a block from the highest fresh piece that can hold it. What is skipped for alignment
    /// stays fresh.
    fn carve(&mut self, size: PageSize) -> Option<PhysAddr> {
        for i in (0..self.fresh.len()).rev() {
            let piece = self.fresh[i];
            let Some(highest) = piece.last().get().checked_sub(size.mask()) else { continue };
            let block = PhysAddr::new(highest).align_down(size.lg2());
            if block < piece.start() {
                continue;
            }
            let last = PhysAddr::new(block.get() + size.mask());
            let below = block.get().checked_sub(1).map(PhysAddr::new);
            let below = below.and_then(|last| Span::new(piece.start(), last));
            let above = last.checked_add(1).and_then(|start| Span::new(start, piece.last()));
            self.fresh.splice(i..=i, below.into_iter().chain(above));
            return Some(block);
        }
        None
    }

    /// Splits the smallest freed block larger than `size`; the upper halves go back to the lists.
    fn split(&mut self, size: PageSize) -> Option<PhysAddr> {
        let wanted = size.lg2() as usize;
        let from = (wanted + 1..self.freed.len()).find(|&lg2| !self.freed[lg2].is_empty())?;
        let block = self.freed[from].pop()?;
        for lg2 in (wanted..from).rev() {
            self.freed[lg2].push(PhysAddr::new(block.get() + (1 << lg2)));
        }
        Some(block)
    }

    /// Frees a block that [`Frames::alloc`] returned, with the same `size`.
    pub fn free(&mut self, block: PhysAddr, size: PageSize) {
        if self.is_set_aside(block) {
            return;
        }
        let size = size.max(self.smallest);
        self.in_use -= size.bytes();
        self.freed[size.lg2() as usize].push(block);
    }
}

/// The part of `span` above a block of `size` at its start.
fn above(span: Span<PhysAddr>, size: PageSize) -> Option<Span<PhysAddr>> {
    Span::new(span.start().checked_add(size.bytes())?, span.last())
}

#[cfg(test)]
mod tests;
