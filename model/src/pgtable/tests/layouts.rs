//! Compares descriptors with words written out by hand.

use super::*;
use crate::pgtable::vmsav8::{Entry, Vmsav8};
use crate::pgtable::walk::Config;

#[test]
fn what_a_descriptor_is_depends_on_its_level() {
    use Entry::{Invalid, Leaf, Table};
    // (granule, descriptor, what it is at levels 0 to 3)
    let cases = [
        (Granule::K4, 0x1234_5678_9000, [Invalid; 4]),
        (Granule::K4, 0x1234_5678_9002, [Invalid; 4]),
        (
            Granule::K4,
            0x1234_5678_9001,
            [Invalid, Leaf(0x1234_4000_0000), Leaf(0x1234_5660_0000), Invalid],
        ),
        (
            Granule::K4,
            0xfff0_ffff_ffff_ffff,
            [
                Table(0xffff_ffff_f000),
                Table(0xffff_ffff_f000),
                Table(0xffff_ffff_f000),
                Leaf(0xffff_ffff_f000),
            ],
        ),
        (Granule::K16, 0x1234_5678_f001, [Invalid, Invalid, Leaf(0x1234_5600_0000), Invalid]),
        (
            Granule::K16,
            0x1234_5678_f003,
            [
                Table(0x1234_5678_c000),
                Table(0x1234_5678_c000),
                Table(0x1234_5678_c000),
                Leaf(0x1234_5678_c000),
            ],
        ),
        (Granule::K64, 0x1234_5678_f001, [Invalid, Invalid, Leaf(0x1234_4000_0000), Invalid]),
        (
            Granule::K64,
            0x1234_5678_f003,
            [
                Table(0x1234_5678_0000),
                Table(0x1234_5678_0000),
                Table(0x1234_5678_0000),
                Leaf(0x1234_5678_0000),
            ],
        ),
    ];
    for (granule, descriptor, expected) in cases {
        for (level, expected) in (0..).zip(expected) {
            let entry = granule.decode(descriptor, level, 48);
            assert_eq!(entry, expected, "{granule:?} {descriptor:#x} at level {level}");
        }
    }
}

#[test]
fn addresses_of_52_bits_exist_for_64k_only() {
    use Entry::{Invalid, Leaf, Table};
    let decode = |level, bits| Granule::K64.decode(0x1234_5678_f003, level, bits);
    assert_eq!(decode(2, 52), Table(0xf_1234_5678_0000));
    assert_eq!(decode(3, 52), Leaf(0xf_1234_5678_0000));
    assert_eq!(decode(3, 48), Leaf(0x1234_5678_0000));
    let block = |level, bits| Granule::K64.decode(0x1234_5678_a001, level, bits);
    assert_eq!(block(1, 52), Leaf(0xa_1000_0000_0000));
    assert_eq!(block(1, 48), Invalid);
    assert_eq!(block(2, 52), Leaf(0xa_1234_4000_0000));
    assert_eq!(Vmsav8::<16>::table(0xa_1234_5678_0000), 0x1234_5678_a003);
    assert_eq!(Granule::K4.decode(0x1234_5678_f003, 3, 52), Leaf(0x1234_5678_f000));
}

#[test]
fn tables_and_leaves_may_lie_above_48_bits() {
    for stage in STAGES {
        let mut bench = Bench::new(stage, Granule::K64, (52, 52));
        assert!(bench.table.root().get() >> 48 != 0, "the bank ends where addresses end");
        // The run of outputs crosses 2^48, where the field in the descriptor wraps.
        let output = (1 << 48) - 0x3_0000;
        bench.map(0, output, 0x6_0000).unwrap();
        for page in 0..6 {
            let input = page << 16;
            assert_eq!(bench.walk(input).unwrap().output, output + input);
        }
        bench.map(1 << 42, 0xa << 48, 1 << 42).unwrap();
        assert_eq!(bench.walk(1 << 42).unwrap().level, 1, "a 4T block");
        assert_eq!(bench.walk((1 << 43) - 1).unwrap().output, 0xa << 48);
        bench.finish();
    }
}

#[test]
fn start_levels_of_stage_1() {
    // (granule, input bits, start level): DDI 0487 D8.2, and those of recorded tables.
    let cases = [
        (Granule::K4, 48, 0),
        (Granule::K4, 40, 0),
        (Granule::K4, 39, 1),
        (Granule::K4, 31, 1),
        (Granule::K4, 30, 2),
        (Granule::K4, 25, 2),
        (Granule::K4, 21, 3),
        (Granule::K4, 16, 3),
        (Granule::K16, 48, 0),
        (Granule::K16, 47, 1),
        (Granule::K16, 37, 1),
        (Granule::K16, 36, 2),
        (Granule::K16, 25, 3),
        (Granule::K64, 52, 1),
        (Granule::K64, 48, 1),
        (Granule::K64, 43, 1),
        (Granule::K64, 42, 2),
        (Granule::K64, 29, 3),
        (Granule::K64, 17, 3),
    ];
    for (granule, bits, level) in cases {
        assert_eq!(Config::start_level_for(granule, bits), level, "{granule:?} {bits}");
    }
}

#[test]
fn tables_are_concatenated_where_there_is_no_other_way() {
    // (granule, input bits, output bits, start level, tables side by side)
    let cases = [
        (Granule::K4, 40, 40, 1, 2),
        (Granule::K4, 42, 42, 1, 8),
        (Granule::K4, 44, 44, 0, 1),
        (Granule::K4, 48, 48, 0, 1),
        (Granule::K4, 40, 44, 0, 1),
        (Granule::K4, 36, 36, 1, 1),
        (Granule::K16, 48, 48, 1, 2),
        (Granule::K16, 44, 44, 1, 1),
        (Granule::K16, 40, 40, 2, 16),
        (Granule::K16, 42, 48, 1, 1),
        (Granule::K64, 48, 48, 1, 1),
        (Granule::K64, 42, 42, 2, 1),
        (Granule::K64, 40, 40, 2, 1),
    ];
    for (granule, input_bits, output_bits, level, tables) in cases {
        let shape = Geometry::linux(Stage::Two, granule, input_bits, output_bits).unwrap();
        assert_eq!(
            (shape.start_level, 1 << shape.concatenated_lg2),
            (level, tables),
            "{granule:?} {input_bits} {output_bits}"
        );
    }
}
