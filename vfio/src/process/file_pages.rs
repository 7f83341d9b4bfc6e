//! The page cache: lengths and pages of plain files, shared by every process that maps them.

use super::frame_table::FrameTable;
use passim_model::{Frames, PageSize, PhysAddr};
use std::collections::BTreeMap;

/// A plain file: its length, and the pages of it that were ever used.
#[derive(Default)]
struct PlainFile {
    len: u64,
    /// Frames by page number.
    pages: BTreeMap<u64, PhysAddr>,
}

/// Plain files by number. See the [module](self).
#[derive(Default)]
pub(super) struct PageCache {
    files: BTreeMap<usize, PlainFile>,
}

/// The state of one page in the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cached {
    /// The page starts at or beyond the end of the file.
    BeyondEnd,
    /// It was never written: it reads 0.
    Hole,
    /// It is in this frame.
    Present(PhysAddr),
}

impl PageCache {
    /// Length of a file in bytes; 0 if none was set.
    pub(super) fn len(&self, number: usize) -> u64 {
        self.files.get(&number).map_or(0, |file| file.len)
    }

    /// The state of page `index` of a file.
    pub(super) fn page(&self, number: usize, index: u64, page: PageSize) -> Cached {
        let Some(file) = self.files.get(&number) else { return Cached::BeyondEnd };
        if index >= file.len.div_ceil(page.bytes()) {
            return Cached::BeyondEnd;
        }
        file.pages.get(&index).map_or(Cached::Hole, |&frame| Cached::Present(frame))
    }

    /// The lowest page of a file, of those with these indices, that is in this frame.
    pub(super) fn index_of(
        &self,
        number: usize,
        indices: core::ops::RangeInclusive<u64>,
        frame: PhysAddr,
        page: PageSize,
    ) -> Option<u64> {
        let file = self.files.get(&number)?;
        let end = file.len.div_ceil(page.bytes());
        let present = file.pages.range(indices).take_while(|(index, _)| **index < end);
        present.into_iter().find(|(_, at)| **at == frame).map(|(index, _)| *index)
    }

    /// Sets the frame of page `index` of a file, and returns the one that was there.
    pub(super) fn set(&mut self, number: usize, index: u64, frame: PhysAddr) -> Option<PhysAddr> {
        self.files.entry(number).or_default().pages.insert(index, frame)
    }

    /// Changes a file's length. Pages wholly beyond it leave the cache; returns the frame that
    /// contains the new end, and how many of its bytes are before it.
    pub(super) fn truncate(
        &mut self,
        number: usize,
        len: u64,
        page: PageSize,
        table: &mut FrameTable,
        frames: &mut Frames,
    ) -> Option<(PhysAddr, u64)> {
        let file = self.files.entry(number).or_default();
        let shrinks = len < file.len;
        file.len = len;
        for frame in file.pages.split_off(&len.div_ceil(page.bytes())).into_values() {
            table.drop_mapping(frame, frames);
        }
        let kept = len & page.mask();
        if !shrinks || kept == 0 {
            return None;
        }
        file.pages.get(&(len >> page.lg2())).map(|&frame| (frame, kept))
    }
}
