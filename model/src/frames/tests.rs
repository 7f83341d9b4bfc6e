use super::Frames;
use crate::{PageSize, PhysAddr, Span};
use std::collections::BTreeSet;

fn span(start: u64, size: u64) -> Span<PhysAddr> {
    Span::from_size(PhysAddr::new(start), size).unwrap()
}

#[test]
fn frames_come_from_the_top_and_skip_what_is_set_aside() {
    let mut frames = Frames::new(PageSize::K4, [span(0x1_0000, 0x8000)]);
    frames.set_aside(span(0x1_6000, 0x1000));
    assert_eq!(frames.alloc(PageSize::K4), Some(PhysAddr::new(0x1_7000)));
    assert_eq!(frames.alloc(PageSize::K4), Some(PhysAddr::new(0x1_5000)));
    assert_eq!(frames.alloc(PageSize::K16), Some(PhysAddr::new(0x1_0000)));
    assert_eq!(frames.alloc(PageSize::K4), Some(PhysAddr::new(0x1_4000)));
    assert_eq!(frames.alloc(PageSize::K4), None);
    frames.free(PhysAddr::new(0x1_6000), PageSize::K4);
    assert_eq!(frames.alloc(PageSize::K4), None);
}

#[test]
fn every_frame_is_handed_out_once() {
    let mut frames = Frames::new(PageSize::K4, [span(0, 0x4_0000), span(0x10_0000, 0x1_0000)]);
    let mut live = BTreeSet::new();
    while let Some(frame) = frames.alloc(PageSize::K4) {
        assert!(live.insert(frame));
    }
    assert_eq!(live.len(), 0x50);
    for frame in live {
        frames.free(frame, PageSize::K4);
    }
    assert_eq!(frames.in_use(), 0);
}

#[test]
fn a_freed_block_is_split_when_nothing_smaller_is_left() {
    let mut frames = Frames::new(PageSize::K4, [span(0, 0x4000)]);
    let whole = frames.alloc(PageSize::K16).unwrap();
    frames.free(whole, PageSize::K16);
    let mut got: Vec<_> =
        std::iter::from_fn(|| frames.alloc(PageSize::K4)).map(PhysAddr::get).collect();
    got.sort_unstable();
    assert_eq!(got, [0, 0x1000, 0x2000, 0x3000]);
}

#[test]
fn memory_taken_in_order_is_contiguous() {
    let mut frames = Frames::new(PageSize::K4, [span(0x4000_0000, 0x80_0000)]);
    let got: Vec<_> = (0..512).map(|_| frames.alloc(PageSize::K4).unwrap().get()).collect();
    assert_eq!(got[0], 0x4060_0000);
    assert!(got.windows(2).all(|pair| pair[1] == pair[0] + 0x1000));
    assert_eq!(frames.alloc(PageSize::K4), Some(PhysAddr::new(0x4040_0000)));
    assert_eq!(frames.alloc(PageSize::K16), Some(PhysAddr::new(0x4040_4000)));
    assert_eq!(frames.alloc(PageSize::K4), Some(PhysAddr::new(0x4040_1000)));
}

#[test]
fn blocks_of_any_size_never_overlap_and_all_come_back() {
    let mut frames = Frames::new(PageSize::K4, [span(0x4000_0000, 0x100_0000)]);
    let mut live = BTreeSet::new();
    for round in 0..200u32 {
        let size = PageSize::from_lg2(12 + round % 7).unwrap();
        let block = frames.alloc(size).unwrap();
        assert!(block.is_aligned(size.lg2()));
        for page in 0..size.bytes() >> 12 {
            assert!(live.insert(block.get() + (page << 12)), "round {round}");
        }
    }
    assert_eq!(frames.in_use(), live.len() as u64 * 0x1000);
}
