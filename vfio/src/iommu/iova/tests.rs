use super::gaps::Gaps;
use super::{Anchored, Bump, IovaSpace, TopDown};
use passim_model::{Iova, PageSize};

/// The allocator of a window as the DMA layer sets it up.
fn window(base: u64, size: u64, page: PageSize) -> IovaSpace {
    let (first, last) = (base >> page.lg2(), (base + size - 1) >> page.lg2());
    IovaSpace::top_down(page, TopDown::new(first.max(1), last))
}

/// Allocates single pages until the window is full.
fn exhaust(space: &mut IovaSpace) -> Vec<u64> {
    let page = space.page().bytes();
    core::iter::from_fn(|| space.alloc(page).map(Iova::get)).collect()
}

#[test]
fn the_lowest_page_of_a_window_is_never_handed_out() {
    let cases = [
        (0x800_0000, 0x10_0000, PageSize::K4, 0x80f_f000, 0x80f_e000, 0x800_1000, 255),
        (0xc00_0000, 0x1_0000, PageSize::K4, 0xc00_f000, 0xc00_e000, 0xc00_1000, 15),
        (0, 0x1_0000, PageSize::K4, 0xf000, 0xe000, 0x2000, 14),
        (0xc00_0000, 0x10_0000, PageSize::K64, 0xc0f_0000, 0xc0e_0000, 0xc01_0000, 15),
    ];
    for (base, size, page, first, second, last, count) in cases {
        let all = exhaust(&mut window(base, size, page));
        assert_eq!((all[0], all[1], all.last(), all.len()), (first, second, Some(&last), count));
    }
    assert!(exhaust(&mut window(0x800_0000, 0x1000, PageSize::K4)).is_empty());
    assert!(exhaust(&mut window(0, 0x1000, PageSize::K4)).is_empty());
}

#[test]
fn a_freed_page_is_the_next() {
    let mut space = window(0x800_0000, 0x1_0000, PageSize::K4);
    let all = exhaust(&mut space);
    for at in [0, 3, 7, 14] {
        space.free(Iova::new(all[at]));
        assert_eq!(space.alloc(0x1000), Some(Iova::new(all[at])));
        assert_eq!(space.alloc(0x1000), None);
    }
}

#[test]
fn blocks_are_aligned_to_the_power_of_two_above_them() {
    let mut space = TopDown::new(0x100, 0x10f);
    assert_eq!(space.alloc(3), Some(0x10c), "3 pages at a multiple of 4");
    assert_eq!(space.alloc(1), Some(0x10b));
    assert_eq!(space.alloc(4), Some(0x104));
    assert_eq!(space.alloc(8), None);
    assert_eq!(space.alloc(0), None);
    assert_eq!(space.alloc(u64::MAX), None);
}

/// A hole above the cached node that a larger request skipped.
#[test]
fn a_hole_above_the_cached_node_is_forgotten() {
    let mut space = TopDown::new(0x100, 0x10f);
    assert_eq!(space.alloc(1), Some(0x10f));
    assert_eq!(space.alloc(4), Some(0x108), "0x10c to 0x10e are passed over");
    let rest: Vec<_> = core::iter::from_fn(|| space.alloc(1)).collect();
    assert_eq!((rest[0], rest.len()), (0x107, 7));
    // Freeing a page below the hole does not bring it back.
    space.free(0x101);
    assert_eq!(space.alloc(1), Some(0x101));
    assert_eq!(space.alloc(1), None);
    // Freeing the adjacent block does.
    space.free(0x108);
    assert_eq!(space.alloc(1), Some(0x10e));
}

/// The node above a freed one is cached only if it is not the window's last page.
#[test]
fn the_last_page_is_no_node_to_begin_below() {
    let mut space = TopDown::new(0x100, 0x10f);
    assert_eq!((space.alloc(1), space.alloc(1)), (Some(0x10f), Some(0x10e)));
    space.free(0x10f);
    assert_eq!(space.alloc(1), Some(0x10f), "nothing is remembered, the top is looked at");
    assert_eq!(space.alloc(1), Some(0x10d));
}

#[test]
fn a_window_only_grows_and_what_is_new_waits() {
    let mut space = TopDown::new(0x100, 0x103);
    assert_eq!(space.alloc(1), Some(0x103));
    assert!(!space.enlarge(0x101, 0x10f) && !space.enlarge(0x100, 0x102));
    assert!(space.enlarge(0x100, 0x103) && space.enlarge(0x100, 0x105));
    assert_eq!(space.alloc(1), Some(0x102));
    space.free(0x102);
    assert_eq!(space.alloc(1), Some(0x102), "the node above is remembered");
    space.free(0x103);
    assert_eq!(space.alloc(1), Some(0x105), "nothing is left to remember");
    // A window that began empty.
    let mut space = TopDown::new(1, 0);
    assert!(space.enlarge(1, 1) && space.alloc(1).is_none());
    assert!(space.enlarge(1, 2));
    assert_eq!((space.alloc(1), space.alloc(1)), (Some(2), None));
}

#[test]
fn the_anchored_allocator_uses_every_page() {
    let mut space = Anchored::new(0x100, 0x104);
    let all: Vec<_> = core::iter::from_fn(|| space.alloc(1)).collect();
    assert_eq!(all, [0x103, 0x102, 0x101, 0x100]);
    space.free(0x102);
    assert_eq!(space.alloc(2), None);
    assert_eq!(space.alloc(1), Some(0x102));
    assert!(space.enlarge(0x100, 0x107) && !space.enlarge(0x100, 0x106));
    assert_eq!(space.alloc(4), Some(0x104), "the second walk begins at the top");
    assert_eq!(Anchored::new(0, 0).alloc(1), None);
    assert_eq!(Anchored::new(0, 1).alloc(1), Some(0));
}

/// Where the older allocator fails, this one walks a second time.
#[test]
fn the_anchored_allocator_comes_back_to_holes() {
    let mut space = Anchored::new(0x100, 0x110);
    assert_eq!((space.alloc(1), space.alloc(4)), (Some(0x10f), Some(0x108)));
    let rest: Vec<_> = core::iter::from_fn(|| space.alloc(1)).collect();
    assert_eq!(rest[..8], [0x107, 0x106, 0x105, 0x104, 0x103, 0x102, 0x101, 0x100]);
    assert_eq!(rest[8..], [0x10e, 0x10d, 0x10c]);
}

#[test]
fn the_bump_allocator_has_no_end() {
    let mut space = IovaSpace::bump(PageSize::K4, Bump::new(0x800_0000));
    assert_eq!(space.alloc(0x1000), Some(Iova::new(0x800_0000)));
    assert_eq!(space.alloc(0x3000), Some(Iova::new(0x800_1000)));
    space.free(Iova::new(0x800_0000));
    assert_eq!(space.alloc(0x1000), Some(Iova::new(0x800_4000)));
    space.undo(Iova::new(0x800_4000), 0x1000);
    assert_eq!(space.alloc(0x10_0000), Some(Iova::new(0x800_4000)), "past the reserved MiB");
    assert!(!space.enlarge(0x8000, 0x9000));
    let mut top = Bump::new(u64::MAX - 0xfff);
    assert_eq!((top.alloc(0x1000), top.alloc(0x1000)), (u64::MAX - 0xfff, 0));
}

#[test]
fn runs_that_touch_become_one() {
    let mut gaps = Gaps::new(0, 15);
    for page in 0..16 {
        gaps.take(page, 1);
    }
    assert_eq!(gaps.highest(1, 0, u64::MAX), None);
    for page in [4, 6, 5, 7, 3] {
        gaps.give(page, page);
    }
    assert_eq!(gaps.highest(4, 0, u64::MAX), Some(4));
    assert_eq!(gaps.highest(8, 0, u64::MAX), None);
    assert_eq!(gaps.highest(1, 0, 3), None);
    assert_eq!(gaps.highest(5, 0, u64::MAX), None, "5 pages begin at a multiple of 8");
}
