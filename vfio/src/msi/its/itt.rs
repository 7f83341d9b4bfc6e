//! Allocation of interrupt translation tables: Linux's `kzalloc_node` for them, and since 6.13
//! `itt_alloc_pool` of `irq-gic-v3-its.c`.
//!
//! All ITSs share it. A freed table may be allocated again before the ITS has seen its MAPD; this
//! room decides which table gets the memory. Other objects of the kernel in the same slabs are not
//! modelled; so no page of a slab becomes empty and is freed.

use super::table::zeroed;
use super::wire::ITS_ITT_ALIGN;
use crate::policy::IttMemory;
use passim_model::{Frames, Host, PageSize, PhysAddr, Span};
use std::collections::BTreeMap;

/// A page of the pool: start and end of each table in it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Page {
    base: PhysAddr,
    taken: BTreeMap<u64, u64>,
}

/// Memory for tables. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct IttPlaces {
    from: IttMemory,
    /// Free objects by log2 of their size; the last one freed is allocated first.
    slabs: BTreeMap<u32, Vec<PhysAddr>>,
    /// In the order in which the pool got them.
    pool: Vec<Page>,
}

/// The memory of a table of a given size.
enum Cut {
    /// A block of pages, log2 of its size.
    Block(u32),
    /// An object of a slab, log2 of its size.
    Object(u32),
    /// This many bytes of the pool.
    Pooled(u64),
}

impl IttPlaces {
    /// Creates an allocator without tables.
    pub(super) fn new(from: IttMemory) -> Self {
        Self { from, slabs: BTreeMap::new(), pool: Vec::new() }
    }

    // 4.4 to 6.12: the allocation includes room for alignment; kmalloc has caches of up to two
    // pages (KMALLOC_MAX_CACHE_SIZE), and aligns an object of a power of two to its size. 6.13
    // itt_alloc_pool.
    fn cut(&self, bytes: u64, page: PageSize) -> Cut {
        let bytes = bytes.max(ITS_ITT_ALIGN);
        let lg2 = |bytes: u64| bytes.next_power_of_two().ilog2();
        match self.from {
            IttMemory::Slab => {
                let with_room = lg2(bytes + ITS_ITT_ALIGN - 1);
                if with_room > page.lg2() + 1 {
                    Cut::Block(with_room)
                } else {
                    Cut::Object(with_room)
                }
            }
            IttMemory::Pool if bytes >= page.bytes() => Cut::Block(lg2(bytes)),
            IttMemory::Pool => Cut::Pooled(bytes),
        }
    }

    /// Allocates memory for a table of `bytes` bytes.
    pub(super) fn alloc(
        &mut self,
        bytes: u64,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<PhysAddr> {
        match self.cut(bytes, frames.smallest()) {
            Cut::Block(lg2) => zeroed(lg2, frames, host),
            Cut::Object(lg2) => {
                let at = self.object(lg2, frames)?;
                host.memory_mut().zero(Span::from_size(at, 1 << lg2)?).ok()?;
                Some(at)
            }
            Cut::Pooled(bytes) => self.pooled(bytes, frames, host),
        }
    }

    /// Frees a table of `bytes` bytes.
    pub(super) fn free(&mut self, at: PhysAddr, bytes: u64, frames: &mut Frames) {
        match self.cut(bytes, frames.smallest()) {
            Cut::Block(lg2) => {
                if let Some(size) = PageSize::from_lg2(lg2) {
                    frames.free(at, size);
                }
            }
            Cut::Object(lg2) => self.slabs.entry(lg2).or_default().push(at),
            Cut::Pooled(_) => {
                for page in &mut self.pool {
                    if let Some(offset) = at.get().checked_sub(page.base.get()) {
                        page.taken.remove(&offset);
                    }
                }
            }
        }
    }

    fn object(&mut self, lg2: u32, frames: &mut Frames) -> Option<PhysAddr> {
        let free = self.slabs.entry(lg2).or_default();
        if let Some(at) = free.pop() {
            return Some(at);
        }
        let slab = PageSize::from_lg2(lg2)?.max(frames.smallest());
        let base = frames.alloc(slab)?.get();
        let objects = (0..slab.bytes() >> lg2).rev().map(|n| PhysAddr::new(base + (n << lg2)));
        free.extend(objects);
        free.pop()
    }

    /// Allocates from the pool: the first gap that fits, to the byte, in the youngest page that has
    /// one.
    // lib/genalloc.c: gen_pool_add puts a page before the others. gen_pool_create gets
    // get_order(ITS_ITT_ALIGN) as granule, which is an order of pages: 0, so one byte; nor does it
    // clear the memory.
    fn pooled(
        &mut self,
        bytes: u64,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<PhysAddr> {
        let size = frames.smallest().bytes();
        let pages = self.pool.iter_mut().rev();
        if let Some(at) = pages.into_iter().find_map(|page| page.take(bytes, size)) {
            return Some(at);
        }
        let base = zeroed(frames.smallest().lg2(), frames, host)?;
        let mut page = Page { base, taken: BTreeMap::new() };
        let at = page.take(bytes, size);
        self.pool.push(page);
        at
    }
}

impl Page {
    fn take(&mut self, bytes: u64, size: u64) -> Option<PhysAddr> {
        let mut start = 0;
        for (&taken, &end) in &self.taken {
            if taken - start >= bytes {
                break;
            }
            start = end;
        }
        let end = start.checked_add(bytes).filter(|end| *end <= size)?;
        self.taken.insert(start, end);
        self.base.checked_add(start)
    }
}

#[cfg(test)]
mod tests;
