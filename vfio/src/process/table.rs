//! A process's page table, without permissions: the frame of each private page.
//!
//! It contains only pages that are present and private to an address space. Shared file pages are
//! in the [page cache](super::file_pages), device memory follows from its area.

use super::sparse::Sparse;
use passim_model::PhysAddr;

/// Marks a page that is not present: no frame starts at the last byte.
const ABSENT: PhysAddr = PhysAddr::new(u64::MAX);

/// Frames by virtual page number. See the [module](self).
pub(super) struct PageTable {
    frames: Sparse<PhysAddr>,
}

impl Default for PageTable {
    fn default() -> Self {
        Self { frames: Sparse::new(ABSENT) }
    }
}

fn present(frame: PhysAddr) -> Option<PhysAddr> {
    (frame != ABSENT).then_some(frame)
}

impl PageTable {
    /// The frame of a page.
    pub(super) fn get(&self, page: u64) -> Option<PhysAddr> {
        present(self.frames.get(page))
    }

    /// Sets the frame of a page, and returns the one that was there.
    pub(super) fn set(&mut self, page: u64, frame: PhysAddr) -> Option<PhysAddr> {
        present(std::mem::replace(self.frames.get_mut(page), frame))
    }

    /// How many pages from `page` on, at most `most`, have consecutive frames of `1 << lg2` bytes
    /// from `frame` on. There may be more, but the result is 0 only if the first page differs.
    pub(super) fn contiguous(&self, page: u64, frame: PhysAddr, lg2: u32, most: u64) -> u64 {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let expected = (0u64..).map(|k| PhysAddr::new(frame.get().wrapping_add(k << lg2)));
        let pages = self.frames.run(page).iter().take(most).zip(expected);
        let same =
            |(frame, expected): &(&PhysAddr, PhysAddr)| **frame == *expected && **frame != ABSENT;
        pages.take_while(same).count() as u64
    }

    /// Removes every page from `first` to `last`, ascending, and passes each frame to `each`.
    pub(super) fn drain(&mut self, first: u64, last: u64, each: impl FnMut(PhysAddr)) {
        self.frames.drain(first, last, each);
    }

    /// Every page from `first` to `last` that is present, with its frame, ascending.
    pub(super) fn range(
        &self,
        first: u64,
        last: u64,
    ) -> impl Iterator<Item = (u64, PhysAddr)> + '_ {
        self.frames.range(first, last)
    }
}
