//! Use counts of each frame of user memory: mappings and pins.
//!
//! A frame without a reference from a page table, the page cache or a pin is freed.

use super::sparse::Sparse;
use passim_model::{Frames, PageSize, PhysAddr};
use std::collections::BTreeMap;

/// The references to one frame.
#[derive(Clone, Copy, PartialEq, Default)]
struct Use {
    /// From page tables and the page cache.
    mappings: u32,
    pins: u32,
}

/// A huge page that was allocated as one block, and is freed as one.
struct Block {
    size: PageSize,
    /// Number of its frames still in use.
    used: u64,
}

/// Use counts by frame. See the [module](self).
pub(super) struct FrameTable {
    page: PageSize,
    /// By frame number.
    uses: Sparse<Use>,
    /// By first frame.
    blocks: BTreeMap<PhysAddr, Block>,
}

impl FrameTable {
    /// A table without used frames; a frame has the size `page`.
    pub(super) fn new(page: PageSize) -> Self {
        Self { page, uses: Sparse::new(Use::default()), blocks: BTreeMap::new() }
    }

    fn number(&self, frame: PhysAddr) -> u64 {
        frame.get() >> self.page.lg2()
    }

    fn counts(&self, frame: PhysAddr) -> Use {
        self.uses.get(self.number(frame))
    }

    fn counts_mut(&mut self, frame: PhysAddr) -> &mut Use {
        self.uses.get_mut(self.number(frame))
    }

    /// Whether the frame has references.
    pub(super) fn is_used(&self, frame: PhysAddr) -> bool {
        let counts = self.counts(frame);
        counts.mappings > 0 || counts.pins > 0
    }

    /// Number of pins of the frame.
    pub(super) fn pins(&self, frame: PhysAddr) -> u32 {
        self.counts(frame).pins
    }

    /// Whether the frame has more than one mapping: a write must copy it.
    pub(super) fn is_shared(&self, frame: PhysAddr) -> bool {
        self.counts(frame).mappings > 1
    }

    /// Adds a mapping of the frame.
    pub(super) fn add_mapping(&mut self, frame: PhysAddr) {
        self.counts_mut(frame).mappings += 1;
    }

    /// Adds a pin of the frame.
    pub(super) fn pin(&mut self, frame: PhysAddr) {
        self.counts_mut(frame).pins += 1;
    }

    /// Pins up to `count` frames from `frame` on, and stops before a shared one. Returns how many
    /// were pinned; it may be fewer than possible, but is 0 only if the first is shared.
    pub(super) fn pin_unshared(&mut self, frame: PhysAddr, count: u64) -> u64 {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut pinned = 0;
        for counts in self.uses.run_mut(self.number(frame)).iter_mut().take(count) {
            if counts.mappings > 1 {
                break;
            }
            counts.pins += 1;
            pinned += 1;
        }
        pinned
    }

    /// Drops a pin. Returns `false` if the frame had none.
    pub(super) fn unpin(&mut self, frame: PhysAddr, frames: &mut Frames) -> bool {
        let number = self.number(frame);
        let Some(counts) = self.uses.run_mut(number).first_mut() else { return false };
        let Some(pins) = counts.pins.checked_sub(1) else { return false };
        counts.pins = pins;
        if counts.mappings == 0 && pins == 0 {
            self.give_back(frame, frames);
        }
        true
    }

    /// Drops a mapping.
    pub(super) fn drop_mapping(&mut self, frame: PhysAddr, frames: &mut Frames) {
        let counts = self.counts_mut(frame);
        counts.mappings = counts.mappings.checked_sub(1).expect("a mapped frame has a mapping");
        let unused = counts.mappings == 0 && counts.pins == 0;
        if unused {
            self.give_back(frame, frames);
        }
    }

    /// Records that the `size` bytes from `head` on are one block of the allocator.
    pub(super) fn add_block(&mut self, head: PhysAddr, size: PageSize) {
        self.blocks.insert(head, Block { size, used: size.bytes() / self.page.bytes() });
    }

    fn give_back(&mut self, frame: PhysAddr, frames: &mut Frames) {
        let below = self.blocks.range_mut(..=frame).next_back();
        let block = below.filter(|(head, block)| {
            frame.offset_from(**head).is_some_and(|offset| offset < block.size.bytes())
        });
        let Some((&head, block)) = block else {
            frames.free(frame, self.page);
            return;
        };
        block.used -= 1;
        if block.used == 0 {
            frames.free(head, block.size);
            self.blocks.remove(&head);
        }
    }
}
