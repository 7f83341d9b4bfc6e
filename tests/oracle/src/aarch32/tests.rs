use super::*;
use std::collections::BTreeMap;

const ALL: Rights = Rights { read: true, write: true, fetch: true };
const NONE: Rights = Rights { read: false, write: false, fetch: false };

fn short() -> Short {
    Short { ttbr: 0x4000_006a, n: 0, afe: true, flag_faults: true, output_bits: 40 }
}

fn words(pairs: &[(u64, u32)]) -> impl Fn(u64) -> Option<u32> {
    let words: BTreeMap<u64, u32> = pairs.iter().copied().collect();
    move |at| words.get(&at).copied()
}

#[test]
fn a_small_page() {
    // 0x0012_3456: entry 1 of the first table, entry 0x23 of the second.
    let found = short()
        .walk(words(&[(0x4000_0004, 0x5000_0401), (0x5000_048c, 0x8765_4c7f)]), 0x12_3456)
        .unwrap();
    let user = Rights { fetch: false, ..ALL };
    let expected = Mapped { pa: 0x8765_4456, size: 0x1000, user, kernel: user, global: false };
    assert_eq!(found, expected);
}

#[test]
fn a_large_page_a_section_and_a_supersection() {
    let page = words(&[(0x4000_0004, 0x5000_0401), (0x5000_048c, 0x8765_0031)]);
    assert_eq!(short().walk(page, 0x12_3456).unwrap().pa, 0x8765_3456);
    let section = words(&[(0x4000_0004, 0x8760_0c02)]);
    assert_eq!(short().walk(section, 0x12_3456).unwrap().pa, 0x8762_3456);
    let supersection = words(&[(0x4000_0004, 0x87a4_0ca2)]);
    let found = short().walk(supersection, 0x12_3456).unwrap();
    assert_eq!((found.pa, found.size), (0x5a_8712_3456, 0x100_0000));
}

#[test]
fn what_stops_a_short_walk() {
    assert_eq!(short().walk(words(&[]), 0), Err(Stop::Abort(0x4000_0000)));
    assert_eq!(short().walk(words(&[(0x4000_0000, 0)]), 0), Err(Stop::Translation(1)));
    let second = [(0x4000_0000, 0x5000_0001), (0x5000_0000, 0)];
    assert_eq!(short().walk(words(&second), 0), Err(Stop::Translation(2)));
    let flag = [(0x4000_0000, 0x8000_0002)];
    assert_eq!(short().walk(words(&flag), 0), Err(Stop::AccessFlag(1)));
    let narrow = Short { output_bits: 32, ..short() };
    assert_eq!(narrow.walk(words(&[(0x4000_0000, 0x8014_0c02)]), 0), Err(Stop::AddressSize(1)));
}

#[test]
fn the_full_model_has_no_flag() {
    let full = Short { afe: false, ..short() };
    let found = full.walk(words(&[(0x4000_0000, 0x8000_0002)]), 0).unwrap();
    assert_eq!((found.user, found.kernel), (NONE, NONE));
    let found = full.walk(words(&[(0x4000_0000, 0x8000_0802)]), 0).unwrap();
    assert_eq!((found.user.write, found.kernel.write), (false, true));
}

#[test]
fn a_smaller_first_table() {
    let half = Short { ttbr: 0x4000_2000, n: 1, ..short() };
    let section = words(&[(0x4000_2004, 0x8760_0c02)]);
    assert_eq!(half.walk(section, 0x8012_3456).unwrap().pa, 0x8762_3456);
}

#[test]
fn long_descriptors_at_both_depths() {
    let dwords: BTreeMap<u64, u64> = BTreeMap::from([
        (0x1000, 0x2003),
        (0x2008, 0x3003),
        (0x3018, 0x9_8765_4f43),
        (0x5008, 0x80_0000_0741),
    ]);
    let read = |at: u64| dwords.get(&at).copied();
    let found = Long::stage1(0x1000, 0, 40).walk(read, 0x20_3456).unwrap();
    assert_eq!((found.pa, found.size, found.global), (0x9_8765_4456, 0x1000, false));
    assert_eq!((found.user, found.kernel), (ALL, ALL));
    let found = Long::stage1(0x5000, 2, 40).walk(read, 0x20_3456).unwrap();
    assert_eq!((found.pa, found.size, found.global), (0x80_0000_3456, 0x20_0000, true));
    let narrow = Long::stage1(0x5000, 2, 36).walk(read, 0x20_3456);
    assert_eq!(narrow, Err(Stop::AddressSize(2)));
}

#[test]
fn the_second_stage_concatenates() {
    // 34 bits from level 2: 16 concatenated tables.
    let long = Long {
        base: 0x1_0000,
        input_bits: 34,
        start_level: 2,
        second_stage: true,
        flag_faults: true,
        output_bits: 40,
    };
    let read = |at| (at == 0x1_fff8).then_some(0x0040_0000_0080_0441);
    let found = long.walk(read, 0x3_ffe0_0010).unwrap();
    assert_eq!(found.user, Rights { read: true, write: false, fetch: false });
    assert_eq!(found.pa, 0x80_0010);
}
