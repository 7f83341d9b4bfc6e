use super::{Spelling, Tag, commands};
use crate::policy::Smmu3LongRanges;
use passim_model::pgtable::gather::{Invalidation, Stale};
use passim_model::pgtable::vmsav8::Granule;
use passim_model::{Asid, PageSize, Vmid};

const K4: PageSize = PageSize::K4;

fn stale(start: u64, size: u64, block: PageSize) -> Stale {
    Stale { start, last: start + (size - 1), block }
}

const RANGES: Spelling = Spelling::Ranges;
const BLOCKS: Spelling = Spelling::Blocks(Smmu3LongRanges::BlockByBlock);
const FEW_BLOCKS: Spelling = Spelling::Blocks(Smmu3LongRanges::WholeTag);

fn spelled(tag: Tag, spelling: Spelling, invalidation: Invalidation) -> Vec<[u64; 2]> {
    let commands = commands(tag, Granule::K4, spelling, invalidation);
    commands.into_iter().map(|command| command.0).collect()
}

#[test]
fn one_page_is_a_range_of_one() {
    let asid = Tag::Asid(Asid::new(7));
    let page = Invalidation::Leaves(stale(0x1000, 0x1000, K4));
    assert_eq!(spelled(asid, RANGES, page), [[0x7_0000_0000_0012, 0x1701]]);
    let vmid = Tag::Vmid(Vmid::new(7));
    assert_eq!(spelled(vmid, RANGES, page), [[0x7_0000_002a, 0x1701]]);
}

/// A kernel at EL2 tags its translations differently.
#[test]
fn the_regime_of_el2_has_commands_of_its_own() {
    let el2 = Tag::El2(Asid::new(7));
    let page = Invalidation::Leaves(stale(0x1000, 0x1000, K4));
    assert_eq!(spelled(el2, BLOCKS, page), [[0x7_0000_0000_0022, 0x1001]]);
    assert_eq!(spelled(el2, RANGES, page), [[0x7_0000_0000_0022, 0x1701]]);
    assert_eq!(el2.all().0, [0x7_0000_0000_0021, 0]);
}

/// A range of one page at no particular level would be illegal.
#[test]
fn a_walk_never_is_a_range_of_one() {
    let asid = Tag::Asid(Asid::new(7));
    for pages in 1..4096 {
        let walk = Invalidation::Walk(stale(0x20_0000, pages << 12, K4));
        let mut covered = 0;
        for [first, second] in spelled(asid, RANGES, walk) {
            let (num, scale) = (first >> 12 & 31, first >> 20 & 63);
            assert!((num, scale) != (0, 0), "{pages}");
            assert_eq!(second & 0xfff, 0x400);
            assert_eq!(second & !0xfff, 0x20_0000 + (covered << 12));
            covered += (num + 1) << scale;
        }
        assert!(covered == pages || covered == pages + 1);
    }
}

#[test]
fn ranges_cover_exactly_the_leaves() {
    let asid = Tag::Asid(Asid::new(1));
    for pages in 1..5000 {
        let leaves = Invalidation::Leaves(stale(0, pages << 12, K4));
        let ranges = spelled(asid, RANGES, leaves);
        let covered: u64 =
            ranges.iter().map(|[first, _]| ((first >> 12 & 31) + 1) << (first >> 20 & 63)).sum();
        assert_eq!(covered, pages);
    }
    // The last page of the aperture.
    let last = Invalidation::Leaves(stale(0xffff_ffff_f000, 0x1000, K4));
    assert_eq!(spelled(asid, RANGES, last), [[0x1_0000_0000_0012, 0xffff_ffff_f701]]);
}

#[test]
fn without_ranges_each_block_has_its_command() {
    let asid = Tag::Asid(Asid::new(7));
    let block = PageSize::from_lg2(21).unwrap();
    let leaves = Invalidation::Leaves(stale(0x20_0000, 0x40_0000, block));
    let expected = [[0x7_0000_0000_0012, 0x20_0001], [0x7_0000_0000_0012, 0x40_0001]];
    assert_eq!(spelled(asid, BLOCKS, leaves), expected);
    // A table of 4K has 512 of them; one of 2M blocks would have 512 times as many.
    let pages = |count: u64| Invalidation::Leaves(stale(0, count << 12, K4));
    assert_eq!(spelled(asid, FEW_BLOCKS, leaves), expected);
    assert_eq!(spelled(asid, FEW_BLOCKS, pages(511)).len(), 511);
    assert_eq!(spelled(asid, FEW_BLOCKS, pages(512)), [[0x7_0000_0000_0011, 0]]);
    assert_eq!(spelled(asid, BLOCKS, pages(512)).len(), 512);
    let blocks = Invalidation::Leaves(stale(0, 513 << 21, block));
    assert_eq!(spelled(asid, FEW_BLOCKS, blocks).len(), 513);
}
