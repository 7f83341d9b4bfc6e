//! Tables do not overlap, and which table reuses freed memory.

use super::IttPlaces;
use crate::policy::IttMemory;
use passim_model::{Abort, Frames, Host, Memory, PageSize, PhysAddr, Span, Width};

/// Memory, and nothing else.
struct Ram(Memory);

impl Host for Ram {
    fn memory(&self) -> &Memory {
        &self.0
    }
    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.0
    }
    fn load(&mut self, _: PhysAddr, _: Width) -> Result<u64, Abort> {
        Ok(0)
    }
    fn store(&mut self, _: PhysAddr, _: Width, _: u64) -> Result<(), Abort> {
        Ok(())
    }
    fn relax(&mut self) {}
}

struct Ground {
    host: Ram,
    frames: Frames,
    places: IttPlaces,
}

impl Ground {
    fn new(from: IttMemory, page_lg2: u32) -> Self {
        let ram = Span::from_size(PhysAddr::new(0x4000_0000), 64 << 20).unwrap();
        let mut memory = Memory::new();
        memory.add_bank(ram).unwrap();
        let frames = Frames::new(PageSize::from_lg2(page_lg2).unwrap(), [ram]);
        Self { host: Ram(memory), frames, places: IttPlaces::new(from) }
    }

    fn alloc(&mut self, bytes: u64) -> u64 {
        self.places.alloc(bytes, &mut self.frames, &mut self.host).unwrap().get()
    }

    fn free(&mut self, at: u64, bytes: u64) {
        self.places.free(PhysAddr::new(at), bytes, &mut self.frames);
    }

    /// The next page that the page allocator returns.
    fn page(&mut self) -> u64 {
        self.frames.alloc(self.frames.smallest()).unwrap().get()
    }
}

/// 4.4 to 6.12: a table of two entries of eight bytes is an object of 512 bytes, next to others;
/// the next table of that size gets the object freed last. There are caches up to two pages.
#[test]
fn small_tables_share_pages_that_stay_the_kernels() {
    let mut ground = Ground::new(IttMemory::Slab, 12);
    let (first, second) = (ground.alloc(16), ground.alloc(256));
    assert_eq!((first % 4096, second), (0, first + 512));
    assert_eq!(ground.alloc(257) % 1024, 0, "of another size");
    ground.host.0.store_u64(PhysAddr::new(first), 7).unwrap();
    ground.free(first, 16);
    assert_ne!(ground.page(), first);
    assert_eq!(ground.alloc(256), first);
    assert_eq!(ground.host.0.load_u64(PhysAddr::new(first)).unwrap(), 0, "cleared");
    for (bytes, given_back) in [(4096, false), (8192 - 255, false), (8192 - 254, true)] {
        let at = ground.alloc(bytes);
        let in_use = ground.frames.in_use();
        ground.free(at, bytes);
        assert_eq!(ground.frames.in_use() < in_use, given_back, "{bytes} bytes");
    }
}

/// 6.13: tables are adjacent to the byte, and not cleared; tables of a page and more have pages of
/// their own.
#[test]
fn the_pool_only_grows_and_clears_nothing() {
    let mut ground = Ground::new(IttMemory::Pool, 12);
    let (first, second) = (ground.alloc(16), ground.alloc(384));
    assert_eq!((first % 4096, second), (0, first + 256));
    assert_eq!(ground.alloc(256), first + 640, "aligned to nothing");
    ground.host.0.store_u64(PhysAddr::new(first), 7).unwrap();
    ground.free(first, 16);
    assert_ne!(ground.page(), first);
    assert_eq!(ground.alloc(512), first + 896, "the gap is too small");
    assert_eq!(ground.alloc(24), first);
    assert_eq!(ground.host.0.load_u64(PhysAddr::new(first)).unwrap(), 7, "as it was left");
    let other = ground.alloc(3072);
    assert_eq!(other % 4096, 0);
    assert_eq!(ground.alloc(1024), other + 3072, "the youngest page first");
    let (whole, in_use) = (ground.alloc(4096), ground.frames.in_use());
    ground.free(whole, 4096);
    assert_eq!(ground.frames.in_use(), in_use - 4096);
    assert_eq!(ground.page(), whole, "anybody's");
}

/// Tables allocated at the same time do not overlap, whatever was allocated and freed before.
#[test]
fn tables_do_not_overlap() {
    for (from, page_lg2) in [(IttMemory::Slab, 12), (IttMemory::Pool, 12), (IttMemory::Pool, 16)] {
        let mut ground = Ground::new(from, page_lg2);
        let mut there: Vec<(u64, u64)> = Vec::new();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..2000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if there.len() > 40 || (state & 3 == 0 && !there.is_empty()) {
                let (at, bytes) = there.swap_remove((state >> 8) as usize % there.len());
                ground.free(at, bytes);
                continue;
            }
            let entry = [8, 12][(state >> 4 & 1) as usize];
            let bytes = entry << (1 + (state >> 16) % 11);
            let at = ground.alloc(bytes);
            let apart = |&(start, size): &(u64, u64)| at + bytes <= start || start + size <= at;
            assert!(there.iter().all(apart), "{bytes} bytes at {at:#x}: {there:x?}");
            there.push((at, bytes));
        }
    }
}
