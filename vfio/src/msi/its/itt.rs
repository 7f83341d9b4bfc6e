//! Where interrupt translation tables lie: Linux's `kzalloc_node` for them, and since 6.13
//! `itt_alloc_pool` of `irq-gic-v3-its.c`.
//!
//! All ITSs share it. A table that is given back may be another's before the ITS has heard of that;
//! whose it may become is what this room decides. Slabs have other objects of the kernel between
//! tables, which are not modelled; so no page of them is ever empty and given back.

use super::table::zeroed;
use super::wire::ITS_ITT_ALIGN;
use crate::policy::IttMemory;
use passim_model::{Frames, Host, PageSize, PhysAddr, Span};
use std::collections::BTreeMap;

/// A page of the pool: places that are taken, and where each ends.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Page {
    base: PhysAddr,
    taken: BTreeMap<u64, u64>,
}

/// Memory for tables. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct IttPlaces {
    from: IttMemory,
    /// Free objects by log2 of their size; the last that was freed is the next.
    slabs: BTreeMap<u32, Vec<PhysAddr>>,
    /// As the pool got them.
    pool: Vec<Page>,
}

/// What a table of so many bytes is cut from.
enum Cut {
    /// A block of pages, log2 of its size.
    Block(u32),
    /// An object of a slab, log2 of its size.
    Object(u32),
    /// So many bytes of the pool.
    Pooled(u64),
}

impl IttPlaces {
    /// No table yet.
    pub(super) fn new(from: IttMemory) -> Self {
        Self { from, slabs: BTreeMap::new(), pool: Vec::new() }
    }

    // 4.4 to 6.12: room to align the table in; kmalloc has caches of up to two pages
    // (KMALLOC_MAX_CACHE_SIZE), and an object of a power of two lies at a multiple of it. 6.13
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

    /// Memory for a table of so many bytes.
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

    /// A table of so many bytes is needed no more.
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

    /// The first place that is large enough, in the youngest page that has one, down to the byte.
    // lib/genalloc.c: gen_pool_add puts a page before the others. gen_pool_create was told a granule
    // of get_order(ITS_ITT_ALIGN), which is of pages, so 0, so one byte; nor does it clear anything.
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
