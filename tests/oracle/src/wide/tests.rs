//! The reading against tables written out by hand.

use super::*;

fn config(granule: Granule, input_bits: u8, start_level: i8) -> Config {
    Config {
        granule,
        stage: Stage::One,
        base: 0x1_0000,
        input_bits,
        start_level,
        output_bits: 52,
        privilege: Privilege::Unprivileged,
        table_permissions: TablePermissions::Honoured,
        rules: Rules::default(),
    }
}

fn memory(words: &[(u64, u64)]) -> impl Fn(u64) -> Option<u64> + '_ {
    |pa| words.iter().find(|(at, _)| *at == pa).map(|(_, word)| *word)
}

#[test]
fn five_levels_of_4k() {
    let input = 0xf << 48 | 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12 | 0x567;
    let words = [
        (0x1_0000 + 8 * 15, 0x2_0003),
        (0x2_0000 + 8, 0x3_0003),
        (0x3_0000 + 16, 0x4_0003),
        (0x4_0000 + 24, 0x5_0003),
        (0x5_0000 + 32, 0x0003_0000_1234_5000 | 0x643 | 0x400),
    ];
    let leaf = translate(&config(Granule::Size4K, 52, -1), input, memory(&words)).unwrap();
    // Bits 9:8 are 0b10: OA[51:50].
    assert_eq!((leaf.pa, leaf.block_size), (0xb_0000_1234_5567, 0x1000));
    assert!(leaf.readable && leaf.writable && leaf.executable);
    let page = TableLeaf { iova: input & !0xfff, pa: leaf.pa & !0xfff, size: 0x1000, ..LEAF };
    let all =
        all_leaves(&config(Granule::Size4K, 52, -1), |at| Some(memory(&words)(at).unwrap_or(0)));
    assert_eq!(all, Ok(vec![page]));
}

/// The leaf of [`five_levels_of_4k`], with the fields known beforehand.
const LEAF: TableLeaf =
    TableLeaf { iova: 0, pa: 0, size: 0, descriptor: 0x0003_0000_1234_5000 | 0x643 | 0x400 };

#[test]
fn blocks_where_ds_adds_them() {
    let block = |granule, bits, level, descriptor| {
        let words = [(0x1_0000, descriptor)];
        translate(&config(granule, bits, level), 0x1234, memory(&words))
    };
    assert_eq!(block(Granule::Size4K, 48, 0, 0x441).unwrap().block_size, 1 << 39);
    assert_eq!(block(Granule::Size16K, 47, 1, 0x441).unwrap().block_size, 1 << 36);
    assert_eq!(block(Granule::Size16K, 52, 0, 0x441), Err(Fault::Translation(0)));
    assert_eq!(block(Granule::Size4K, 52, -1, 0x441), Err(Fault::Translation(-1)));
    assert_eq!(block(Granule::Size4K, 48, 0, 0x041), Err(Fault::Access(0)));
}
