//! Layouts with known leaves.

use super::*;

fn mapping(iova: u64, first_frame: u64, count: u64) -> Mapping {
    Mapping { iova, frames: (first_frame..first_frame + count).collect() }
}

fn sizes(leaves: &[Leaf]) -> Vec<u64> {
    leaves.iter().map(|leaf| leaf.size).collect()
}

#[test]
fn a_gigabyte_is_one_block_when_both_addresses_allow() {
    // measured: linux-6.12-4k/stage1/dumps/smmu_s1v2_mixed.json, leaves at 0x400000000, 0x480200000
    let aligned = leaves(Granule::Size4K, &[mapping(0x4_0000_0000, 0x80000, 0x40000)]);
    assert_eq!(aligned, [Leaf { iova: 0x4_0000_0000, pa: 0x8000_0000, size: 0x4000_0000 }]);
    let shifted = leaves(Granule::Size4K, &[mapping(0x4_8020_0000, 0x80000, 0x40000)]);
    assert_eq!(shifted.len(), 512);
    assert!(shifted.iter().all(|leaf| leaf.size == 0x20_0000));
}

#[test]
fn a_run_starts_small_and_grows() {
    // One page before a 2 MiB boundary, three pages after the next one.
    let cut = leaves(Granule::Size4K, &[mapping(0x1f_f000, 0x1ff, 1 + 512 + 3)]);
    assert_eq!(sizes(&cut), [0x1000, 0x20_0000, 0x1000, 0x1000, 0x1000]);
    assert_eq!(cut[1], Leaf { iova: 0x20_0000, pa: 0x20_0000, size: 0x20_0000 });
    // The same pages one frame further contain no aligned block.
    let cut = leaves(Granule::Size4K, &[mapping(0x1f_f000, 0x200, 1 + 512 + 3)]);
    assert_eq!(cut.len(), 516);
}

#[test]
fn runs_end_where_memory_jumps_and_where_the_mapping_ends() {
    let mut frames: Vec<u64> = (0x200..0x300).collect();
    frames.extend(0x301..0x401);
    let cut = leaves(Granule::Size4K, &[Mapping { iova: 0x20_0000, frames }]);
    assert_eq!(cut.len(), 512);
    // Two mappings of 1 MiB, adjacent in both spaces, never share a block.
    let cut =
        leaves(Granule::Size4K, &[mapping(0x30_0000, 0x300, 256), mapping(0x20_0000, 0x200, 256)]);
    assert_eq!(cut.len(), 512);
    assert!(cut.is_sorted());
}

#[test]
fn larger_granules_have_one_block_size() {
    let cut = leaves(Granule::Size16K, &[mapping(0x200_0000, 0x800, 2048 + 1)]);
    assert_eq!(sizes(&cut), [0x200_0000, 0x4000]);
    let cut = leaves(Granule::Size64K, &[mapping(0x2000_0000, 0x4000, 8192 + 1)]);
    assert_eq!(sizes(&cut), [0x2000_0000, 0x1_0000]);
}

#[test]
fn coverage_does_not_see_block_sizes() {
    let block = [Leaf { iova: 0x20_0000, pa: 0x60_0000, size: 0x20_0000 }];
    let pages: Vec<Leaf> = (0..512)
        .map(|n| Leaf { iova: 0x20_0000 + n * 0x1000, pa: 0x60_0000 + n * 0x1000, size: 0x1000 })
        .collect();
    assert_eq!(coverage(&block), coverage(&pages));
    assert_ne!(coverage(&block), coverage(&pages[1..]));
    assert_eq!(coverage(&block).get(&0x2f_ffff), Some(&0x40_0000));
    assert_eq!(coverage(&block).get(&0x40_0000), None);
}
