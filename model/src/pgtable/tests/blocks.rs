//! Compares the choice of blocks with one made by trying every size, and tests what unmap does with
//! tables and blocks it did not expect.

use super::*;
use proptest::prelude::*;

/// The leaves a request is cut into: at each address the largest size that divides both addresses
/// and fits.
fn by_trying_every_size(geometry: Geometry, mut mapping: Mapping) -> Vec<(u64, u64, u64)> {
    let mut leaves = Vec::new();
    while mapping.size != 0 {
        let (input, output) = (mapping.input, mapping.output.get());
        let fits = |size: &u64| {
            input.is_multiple_of(*size) && output.is_multiple_of(*size) && *size <= mapping.size
        };
        let size = sizes(geometry).into_iter().rev().find(fits).unwrap();
        leaves.push((input, output, size));
        mapping = plain(input + size, output + size, mapping.size - size);
    }
    leaves
}

fn granule() -> impl Strategy<Value = Granule> {
    prop::sample::select(Granule::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_block_is_the_largest_possible(
        granule in granule(),
        second in prop::bool::ANY,
        // A multiple of each size, so that starts and ends fall near every boundary.
        input in (0u64..4, 0u64..4, 0u64..4),
        output in (0u64..4, 0u64..4, 0u64..4),
        size in (0u64..2, 0u64..3, 0u64..4),
        back in 0u64..3,
    ) {
        let stage = STAGES[usize::from(second)];
        let mut bench = Bench::new(stage, granule, (44, 44));
        let geometry = bench.table.geometry();
        let sizes = sizes(geometry);
        let (page, block) = (sizes[0], sizes[1]);
        let largest = *sizes.last().unwrap();
        let at = |(a, b, c): (u64, u64, u64)| a * largest + b * block + c * page;
        let bytes = (at(size) + page).saturating_sub(back * page).max(page);
        let mapping = plain(at(input) + (1 << 40), at(output) + (1 << 41), bytes);
        prop_assert_eq!(bench.try_map(mapping), Ok(()));
        let leaves: Vec<_> = bench
            .table
            .leaves(&bench.memory)
            .map(|leaf| (leaf.input, leaf.output, 1 << leaf.lg2))
            .collect();
        prop_assert_eq!(leaves, by_trying_every_size(geometry, mapping));
        prop_assert_eq!(bench.unmap(mapping.input, mapping.size), mapping.size);
        prop_assert_eq!(bench.table.leaves(&bench.memory).next(), None);
        bench.finish();
    }
}

#[test]
fn unmap_unlinks_a_table_where_the_input_alone_would_have_been_a_block() {
    let mut bench = Bench::new(Stage::One, Granule::K4, (48, 48));
    // The output is a page off, so 2M of pages; the unmap sees only the input.
    bench.map(0x20_0000, 0x1000, 0x20_1000).unwrap();
    assert_eq!(bench.table.table_count(), 5);
    assert_eq!(bench.unmap(0x20_0000, 0x20_1000), 0x20_1000);
    assert_eq!(bench.table.table_count(), 4, "the second table keeps its place, though empty");
    let walks: Vec<_> = bench.gather.walks().map(|w| (w.start, w.last, w.block)).collect();
    assert_eq!(walks, [(0x20_0000, 0x3f_ffff, PageSize::K4)]);
    let ranges: Vec<_> = bench.gather.ranges().map(|r| (r.start, r.last, r.block)).collect();
    assert_eq!(ranges, [(0x40_0000, 0x40_0fff, PageSize::K4)]);
    assert_eq!(bench.gather.waiting_tables(), 1);
    bench.finish();
}

#[test]
fn a_table_of_tables_is_unlinked_whole() {
    let mut bench = Bench::new(Stage::Two, Granule::K4, (44, 44));
    bench.map(1 << 30, 0x1000, 1 << 30).unwrap();
    assert_eq!(bench.table.table_count(), 2 + 1 + 512);
    assert_eq!(bench.unmap(1 << 30, 1 << 30), 1 << 30);
    assert_eq!(bench.table.table_count(), 2);
    assert_eq!(bench.gather.waiting_tables(), 513);
    let in_use = bench.frames.in_use();
    bench.gather.release_tables(&mut bench.frames);
    assert_eq!(bench.frames.in_use(), in_use - 513 * 4096);
    bench.finish();
}

#[test]
fn tables_that_wait_are_not_used_again() {
    let mut bench = Bench::new(Stage::One, Granule::K4, (48, 48));
    bench.map(0x20_0000, 0x1000, 0x20_0000).unwrap();
    bench.unmap(0x20_0000, 0x20_0000);
    let in_use = bench.frames.in_use();
    bench.map(0x20_0000, 0x1000, 0x20_0000).unwrap();
    assert_eq!(bench.frames.in_use(), in_use + 4096, "a new table, not the one that waits");
    let waiting: Vec<_> = bench.gather.take_tables();
    assert_eq!(waiting.len(), 1);
    for (page, size) in waiting {
        bench.frames.free(page, size);
    }
    bench.finish();
}

#[test]
fn a_block_takes_the_place_of_an_empty_table() {
    let mut bench = Bench::new(Stage::One, Granule::K4, (48, 48));
    bench.map(0x20_0000, 0x20_0000, 0x1000).unwrap();
    assert_eq!(bench.unmap(0x20_0000, 0x1000), 0x1000);
    bench.map(0x20_0000, 0x20_0000, 0x20_0000).unwrap();
    assert_eq!(bench.table.table_count(), 3);
    assert_eq!(bench.gather.waiting_tables(), 1);
    let walks: Vec<_> = bench.gather.walks().map(|w| (w.start, w.last)).collect();
    assert_eq!(walks, [(0x20_0000, 0x3f_ffff)]);
    assert_eq!(bench.walk(0x2f_0000).unwrap().level, 2);
    bench.finish();
}

#[test]
fn part_of_a_block_is_not_unmapped() {
    let mut bench = Bench::new(Stage::One, Granule::K4, (48, 48));
    bench.map(0x1f_f000, 0x1f_f000, 0x20_1000).unwrap();
    assert_eq!(bench.unmap(0x1f_f000, 0x2000), 0x1000, "the page before the block only");
    assert_eq!(bench.unmap(0x20_0000, 0x1000), 0);
    assert_eq!(bench.walk(0x20_0000).unwrap().level, 2);
    bench.finish();
}

#[test]
fn a_hole_ends_an_unmap() {
    let mut bench = Bench::new(Stage::One, Granule::K4, (48, 48));
    bench.map(0x1000, 0x1000, 0x2000).unwrap();
    bench.map(0x4000, 0x4000, 0x1000).unwrap();
    assert_eq!(bench.unmap(0x1000, 0x4000), 0x2000);
    assert_eq!(bench.unmap(0, 0x10_0000), 0);
    assert_eq!(bench.lookup(0x4000), Some(0x4000));
    bench.finish();
}
