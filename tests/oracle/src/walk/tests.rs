//! Tables recorded from Linux 6.12, and tables written by hand where none were recorded.

use super::*;

use std::collections::BTreeMap;

/// Tables as (physical address, number of entries, (index, descriptor)...).
type Tables<'a> = &'a [(u64, u64, &'a [(u64, u64)])];

fn memory(tables: Tables<'_>) -> impl Fn(u64) -> Option<u64> {
    let mut words = BTreeMap::new();
    for &(pa, count, entries) in tables {
        words.extend((0..count).map(|index| (pa + 8 * index, 0)));
        words.extend(entries.iter().map(|&(index, word)| (pa + 8 * index, word)));
    }
    move |pa| words.get(&pa).copied()
}

/// measured: linux-6.12-4k/ioctls/dumps/smmu_multi_two_groups_type3.json, stream 0x8
const STAGE1: Tables<'_> = &[
    (0x480c_2000, 512, &[(0, 0x4d0e_2003)]),
    (0x4d0e_2000, 512, &[(0, 0x4c4c_f003), (1, 0x4c4d_0003)]),
    (0x4c4c_f000, 512, &[(0, 0x480c_8003)]),
    (0x480c_8000, 512, &[]),
    (0x4c4d_0000, 512, &[(0, 0x480c_0003), (128, 0x480b_4003)]),
    (0x480c_0000, 512, &[(0, 0x4285_4f47), (1, 0x41fa_cf47)]),
    (0x480b_4000, 512, &[(0, 0x41ef_4fc7)]),
];

/// measured: linux-6.12-4k/stage2/dumps/smmu_s1v2_mixed.json, stream 0x8 (some of its tables)
const STAGE2: Tables<'_> = &[
    (0x1_0a44_d000, 32, &[(0, 0x1_0a44_e003)]),
    (0x1_0a44_e000, 512, &[(0, 0x1_00cd_d003), (16, 0x8000_07fd), (18, 0x1_00de_2003)]),
    (0x1_00cd_d000, 512, &[(0, 0x1_0a46_9003)]),
    (0x1_0a46_9000, 512, &[(0, 0x1_0a23_d77f), (1, 0x1_0a23_e7bf), (5, 0x1_0a23_f7ff)]),
    (0x1_00de_2000, 512, &[(1, 0x8000_077d), (2, 0x8020_077d)]),
];

/// A leaf whose execution nothing forbids.
fn leaf(pa: u64, block_size: u64, readable: bool, writable: bool) -> Result<Leaf, Fault> {
    Ok(Leaf { pa, block_size, readable, writable, executable: true })
}

#[test]
fn recorded_stage_1() {
    let config = Config::stage1(Granule::Size4K, 0x480c_2000, 48, 44);
    assert_eq!(config.start_level, 0);
    let walk = |input| translate(&config, input, memory(STAGE1));
    assert_eq!(walk(0x4000_1234), leaf(0x41fa_c234, 0x1000, true, true));
    assert_eq!(walk(0x5000_0fff), leaf(0x41ef_4fff, 0x1000, true, false));
    assert_eq!(walk(0), Err(Fault::Translation { level: 3 }));
    assert_eq!(walk(0x4020_0000), Err(Fault::Translation { level: 2 }));
    assert_eq!(walk(0x8000_0000), Err(Fault::Translation { level: 1 }));
    assert_eq!(walk(0x80_0000_0000), Err(Fault::Translation { level: 0 }));
    assert_eq!(walk(1 << 48), Err(Fault::Translation { level: 0 }));

    let entry = |iova, pa, descriptor| TableLeaf { iova, pa, size: 0x1000, descriptor };
    assert_eq!(
        all_leaves(&config, memory(STAGE1)),
        Ok(vec![
            entry(0x4000_0000, 0x4285_4000, 0x4285_4f47),
            entry(0x4000_1000, 0x41fa_c000, 0x41fa_cf47),
            entry(0x5000_0000, 0x41ef_4000, 0x41ef_4fc7),
        ])
    );
}

#[test]
fn recorded_stage_2() {
    let start = start_level_of_sl0(Granule::Size4K, 2).expect("recorded: SL0 2");
    let config = Config::stage2(Granule::Size4K, 0x1_0a44_d000, 44, start, 44);
    let walk = |input| translate(&config, input, memory(STAGE2));
    assert_eq!(walk(0x10), leaf(0x1_0a23_d010, 0x1000, true, false));
    assert_eq!(walk(0x1000), leaf(0x1_0a23_e000, 0x1000, false, true));
    assert_eq!(walk(0x5000), leaf(0x1_0a23_f000, 0x1000, true, true));
    assert_eq!(walk(0x4_3fff_fff8), leaf(0xbfff_fff8, 0x4000_0000, true, true));
    assert_eq!(walk(0x4_8040_0010), leaf(0x8020_0010, 0x20_0000, true, false));
    assert_eq!(walk(1 << 44), Err(Fault::Translation { level: 0 }));
    assert_eq!(all_leaves(&config, memory(STAGE2)).map(|leaves| leaves.len()), Ok(6));
}

#[test]
fn start_levels_and_table_sizes() {
    // measured: 48 bits start at level 0 with 4K (512 entries), 16K (2), at level 1 with 64K (64)
    let stage1 = |granule, bits| {
        let config = Config::stage1(granule, 0, bits, 48);
        (config.start_level, config.entries(config.start_level))
    };
    assert_eq!(stage1(Granule::Size4K, 48), (0, 512));
    assert_eq!(stage1(Granule::Size16K, 48), (0, 2));
    assert_eq!(stage1(Granule::Size64K, 48), (1, 64));
    assert_eq!(stage1(Granule::Size4K, 39), (1, 512));
    assert_eq!(stage1(Granule::Size4K, 40), (0, 2));
    assert_eq!(stage1(Granule::Size16K, 47), (1, 2048));
    assert_eq!(stage1(Granule::Size64K, 42), (2, 8192));
    assert_eq!(stage1(Granule::Size64K, 52), (1, 1024));
    // measured: 44 bits of stage 2 have 32 entries with 4K, 256 with 16K, 4 with 64K
    let stage2 = |granule, sl0| {
        let start = start_level_of_sl0(granule, sl0).expect("plain SL0");
        (start, Config::stage2(granule, 0, 44, start, 44).entries(start))
    };
    assert_eq!(stage2(Granule::Size4K, 2), (0, 32));
    assert_eq!(stage2(Granule::Size16K, 2), (1, 256));
    assert_eq!(stage2(Granule::Size64K, 2), (1, 4));
}

#[test]
fn concatenated_tables_are_one_long_one() {
    // 40 bits from level 1: two concatenated tables of 512.
    let config = Config::stage2(Granule::Size4K, 0x1000_2000, 40, 1, 40);
    let tables: Tables<'_> = &[(0x1000_2000, 1024, &[(512 + 3, 0x4000_07fd)])];
    let input = (1 << 39) + 3 * 0x4000_0000 + 0x123;
    assert_eq!(translate(&config, input, memory(tables)), leaf(0x4000_0123, 1 << 30, true, true));
    // The base is aligned to both tables: bit 12 is ignored.
    let config = Config { base: 0x1000_3000, ..config };
    assert_eq!(translate(&config, input, memory(tables)), leaf(0x4000_0123, 1 << 30, true, true));
    assert!(std::panic::catch_unwind(|| Config::stage2(Granule::Size4K, 0, 44, 1, 44)).is_err());
}

/// Whether a valid block descriptor at `level` of a fresh table maps memory.
fn block_at(granule: Granule, output_bits: u8, level: u8) -> bool {
    let bits = if granule == Granule::Size64K { 52 } else { 48 };
    let mut config = Config::stage1(granule, 0x10_0000, bits, output_bits);
    config.start_level = level;
    // Short input addresses: the level has two entries.
    config.input_bits = config.low(level) + 1;
    translate(&config, 0, |_| Some(0x441)).is_ok()
}

#[test]
fn blocks_by_granule_and_level() {
    let levels = |granule, bits| {
        let from = if granule == Granule::Size64K { 1 } else { 0 };
        (from..=3).filter(|&level| block_at(granule, bits, level)).collect::<Vec<u8>>()
    };
    assert_eq!(levels(Granule::Size4K, 48), [1, 2]);
    assert_eq!(levels(Granule::Size16K, 48), [2]);
    assert_eq!(levels(Granule::Size64K, 48), [2]);
    assert_eq!(levels(Granule::Size64K, 52), [1, 2]);
}

#[test]
fn addresses_of_the_larger_granules() {
    // 16K: a table at an address with bit 14 set, a page, a 32 MiB block.
    let config = Config::stage1(Granule::Size16K, 0x4_0000, 47, 48);
    let tables: Tables<'_> = &[
        (0x4_0000, 2048, &[(1, 0x4_4003)]),
        (0x4_4000, 2048, &[(0, 0x4_8003), (7, 0x9200_0445)]),
        (0x4_8000, 2048, &[(2, 0xffff_0000_c447)]),
    ];
    let walk = |input| translate(&config, input, memory(tables));
    assert_eq!(walk((1 << 36) + 0x8010), leaf(0xffff_0000_c010, 0x4000, true, true));
    assert_eq!(walk((1 << 36) + 0xe00_0001), leaf(0x9200_0001, 0x200_0000, true, true));

    // 64K with 52-bit addresses: bits [15:12] are address bits [51:48], in tables and pages.
    let config = Config::stage1(Granule::Size64K, 0xa_0000_0010_0000, 48, 52);
    let tables: Tables<'_> = &[
        (0xa_0000_0010_0000, 64, &[(0, 0x11_b003)]),
        (0xb_0000_0011_0000, 8192, &[(0, 0x12_c003)]),
        (0xc_0000_0012_0000, 8192, &[(3, 0x1234_5678_d4c7)]),
    ];
    let page = leaf(0xd_1234_5678_0000 & !0xffff | 0x77, 0x1_0000, true, false);
    assert_eq!(translate(&config, 0x3_0077, memory(tables)), page);
    // Without them the same bits are reserved and ignored.
    let narrow = Config { high_address: HighAddress::Reserved, base: 0x10_0000, ..config };
    let tables: Tables<'_> = &[(0x10_0000, 64, &[(0, 0x11_b003)])];
    let missing = Err(Fault::Abort { pa: 0x11_0000 });
    assert_eq!(translate(&narrow, 0x3_0077, memory(tables)), missing);
}

#[test]
fn faults_in_order() {
    let config = Config::stage1(Granule::Size4K, 0x1000, 39, 32);
    let walk =
        |descriptor| translate(&config, 0x123, move |pa| (pa == 0x1000).then_some(descriptor));
    assert_eq!(walk(0xffff_ffff_fffe), Err(Fault::Translation { level: 1 }));
    assert_eq!(walk(0x1_0000_0003), Err(Fault::AddressSize { level: 1 }));
    // Too large, and the access flag clear: the size is checked first.
    assert_eq!(walk(0x1_0000_0041), Err(Fault::AddressSize { level: 1 }));
    assert_eq!(walk(0x4000_0041), Err(Fault::Access { level: 1 }));
    assert_eq!(walk(0x4000_0441), leaf(0x4000_0123, 1 << 30, true, true));
    assert_eq!(walk(0x2003), Err(Fault::Abort { pa: 0x2000 }));
    let beyond = Config { base: 1 << 32, ..config };
    assert_eq!(translate(&beyond, 0, |_| Some(0)), Err(Fault::AddressSize { level: 0 }));
    assert_eq!(all_leaves(&config, |_| None), Err(Fault::Abort { pa: 0x1000 }));
}

#[test]
fn stage_1_permissions() {
    let base = Config::stage1(Granule::Size4K, 0x1000, 39, 48);
    let ask = |privilege, table_permissions, ap: u64, ap_table: u64| {
        let config = Config { privilege, table_permissions, ..base };
        let read = move |pa| match pa {
            0x1000 => Some(0x2003 | ap_table << 61),
            _ => Some(0x4000_0401 | ap << 6),
        };
        let leaf = translate(&config, 0, read).expect("a block at level 2");
        (leaf.readable, leaf.writable)
    };
    use Privilege::{Privileged, Unprivileged};
    use TablePermissions::{Disabled, Honoured};
    assert_eq!(ask(Unprivileged, Honoured, 0b00, 0), (false, false));
    assert_eq!(ask(Unprivileged, Honoured, 0b01, 0), (true, true));
    assert_eq!(ask(Unprivileged, Honoured, 0b10, 0), (false, false));
    assert_eq!(ask(Unprivileged, Honoured, 0b11, 0), (true, false));
    assert_eq!(ask(Privileged, Honoured, 0b00, 0), (true, true));
    assert_eq!(ask(Privileged, Honoured, 0b10, 0), (true, false));
    assert_eq!(ask(Unprivileged, Honoured, 0b01, 0b01), (false, false));
    assert_eq!(ask(Unprivileged, Honoured, 0b01, 0b10), (true, false));
    assert_eq!(ask(Privileged, Honoured, 0b00, 0b01), (true, true));
    assert_eq!(ask(Unprivileged, Disabled, 0b01, 0b11), (true, true));
}
