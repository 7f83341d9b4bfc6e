//! How ranges grow, and in which order they fall due.

use super::*;
use crate::pgtable::gather::{Invalidation, Stale};

const K4: PageSize = PageSize::K4;
const M2: PageSize = PageSize::from_lg2(21).unwrap();

fn ranges(gather: &Gather) -> Vec<(u64, u64)> {
    gather.ranges().map(|range| (range.start, range.last)).collect()
}

#[test]
fn blocks_of_one_size_that_touch_make_one_range() {
    let mut gather = Gather::new();
    assert!(gather.is_empty());
    gather.add_leaves(0x1000, 0x1fff, K4);
    gather.add_leaves(0x2000, 0x3fff, K4);
    gather.add_leaves(0, 0xfff, K4);
    gather.add_leaves(0x2000, 0x2fff, K4);
    assert_eq!(ranges(&gather), [(0, 0x3fff)]);
    assert_eq!(gather.ranges().next().unwrap().size(), 0x4000);
    gather.add_leaves(0x5000, 0x5fff, K4);
    assert_eq!(ranges(&gather), [(0, 0x3fff), (0x5000, 0x5fff)]);
    gather.add_leaves(0x4000, 0x4fff, K4);
    assert_eq!(ranges(&gather), [(0, 0x3fff), (0x4000, 0x5fff)], "what is closed stays closed");
}

#[test]
fn another_block_size_starts_a_range() {
    let mut gather = Gather::new();
    gather.add_leaves(0x1f_f000, 0x1f_ffff, K4);
    gather.add_leaves(0x20_0000, 0x3f_ffff, M2);
    gather.add_leaves(0x40_0000, 0x40_0fff, K4);
    let blocks: Vec<_> = gather.ranges().map(|range| range.block).collect();
    assert_eq!(blocks, [K4, M2, K4]);
}

#[test]
fn a_walk_falls_due_at_once_and_a_range_when_it_stops_growing() {
    let mut gather = Gather::new();
    gather.add_leaves(0x1000, 0x1fff, K4);
    gather.add_walk(0x20_0000, 0x3f_ffff, K4);
    gather.add_leaves(0x2000, 0x2fff, K4);
    let all: Vec<_> = gather.invalidations().collect();
    let leaves = Stale { start: 0x1000, last: 0x2fff, block: K4 };
    let walk = Stale { start: 0x20_0000, last: 0x3f_ffff, block: K4 };
    assert_eq!(all, [Invalidation::Walk(walk), Invalidation::Leaves(leaves)]);
}

#[test]
fn a_range_may_end_with_the_address_space() {
    let mut gather = Gather::new();
    gather.add_leaves(0u64.wrapping_sub(0x1000), u64::MAX, K4);
    gather.add_leaves(0, 0xfff, K4);
    assert_eq!(ranges(&gather), [(0u64.wrapping_sub(0x1000), u64::MAX), (0, 0xfff)]);
}
