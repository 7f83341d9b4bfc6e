//! A sparse array of 2^64 elements, for page tables and frame tables.
//!
//! Two levels of arrays below a small tree: looking a page up takes three steps, its neighbours
//! none.

use std::collections::BTreeMap;

const LG2: u32 = 9;
const LEN: usize = 1 << LG2;

type Chunk<T> = Box<[T; LEN]>;

struct Region<T> {
    chunks: Box<[Option<Chunk<T>>; LEN]>,
}

/// The array. Elements that were never written are `empty`.
pub(super) struct Sparse<T> {
    regions: BTreeMap<u64, Region<T>>,
    empty: T,
}

fn split(index: u64) -> (u64, usize, usize) {
    let chunk = index >> LG2;
    (chunk >> LG2, chunk as usize % LEN, index as usize % LEN)
}

impl<T: Copy + PartialEq> Sparse<T> {
    /// An array in which all elements are `empty`.
    pub(super) fn new(empty: T) -> Self {
        Self { regions: BTreeMap::new(), empty }
    }

    fn chunk(&self, index: u64) -> Option<(&Chunk<T>, usize)> {
        let (region, chunk, at) = split(index);
        Some((self.regions.get(&region)?.chunks[chunk].as_ref()?, at))
    }

    /// One element.
    pub(super) fn get(&self, index: u64) -> T {
        self.chunk(index).map_or(self.empty, |(chunk, at)| chunk[at])
    }

    /// One element, mutable.
    pub(super) fn get_mut(&mut self, index: u64) -> &mut T {
        let (region, chunk, at) = split(index);
        let region = self.regions.entry(region);
        let region = region.or_insert_with(|| Region { chunks: Box::new([const { None }; LEN]) });
        let empty = self.empty;
        &mut region.chunks[chunk].get_or_insert_with(|| Box::new([empty; LEN]))[at]
    }

    /// The elements from `index` on that are adjacent in memory; none if nothing was ever written
    /// near them.
    pub(super) fn run(&self, index: u64) -> &[T] {
        self.chunk(index).map_or(&[], |(chunk, at)| &chunk[at..])
    }

    /// As [`Sparse::run`], mutable.
    pub(super) fn run_mut(&mut self, index: u64) -> &mut [T] {
        let (region, chunk, at) = split(index);
        let region = self.regions.get_mut(&region);
        let chunk = region.and_then(|region| region.chunks[chunk].as_mut());
        chunk.map_or(&mut [], |chunk| &mut chunk[at..])
    }

    /// Every element from `first` to `last` that is not empty, with its index, ascending.
    pub(super) fn range(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, T)> + '_ {
        let regions = self.regions.range(split(first).0..=split(last).0);
        let chunks = regions.flat_map(|(number, region)| {
            let numbers = number << LG2..;
            let chunks = numbers.zip(region.chunks.iter());
            chunks.filter_map(|(number, chunk)| Some((number, chunk.as_ref()?)))
        });
        let near = chunks.filter(move |(number, _)| (first >> LG2..=last >> LG2).contains(number));
        let elements = near.flat_map(|(number, chunk)| {
            let indices = number << LG2..;
            indices.zip(chunk.iter().copied())
        });
        let inside = elements.filter(move |(index, _)| (first..=last).contains(index));
        inside.filter(|(_, element)| *element != self.empty)
    }

    /// Makes every element from `first` to `last` empty, ascending, and passes those that were not
    /// to `each`.
    pub(super) fn drain(&mut self, first: u64, last: u64, mut each: impl FnMut(T)) {
        let empty = self.empty;
        let (first_region, last_region) = (split(first).0, split(last).0);
        let mut dropped = Vec::new();
        for (&number, region) in self.regions.range_mut(first_region..=last_region) {
            let mut kept = 0;
            for (chunk_number, place) in (number << LG2..).zip(region.chunks.iter_mut()) {
                let Some(chunk) = place else { continue };
                let base = chunk_number << LG2;
                // The part of the range in this chunk, which may be empty.
                let from = first.saturating_sub(base).min(LEN as u64) as usize;
                let past = last.checked_sub(base).map_or(0, |at| at.min(LEN as u64 - 1) + 1);
                for element in chunk.get_mut(from..past as usize).unwrap_or_default() {
                    let old = std::mem::replace(element, empty);
                    if old != empty {
                        each(old);
                    }
                }
                if from < past as usize && chunk.iter().all(|element| *element == empty) {
                    *place = None;
                } else {
                    kept += 1;
                }
            }
            if kept == 0 {
                dropped.push(number);
            }
        }
        for number in dropped {
            self.regions.remove(&number);
        }
    }
}
