//! Values likely to find edges.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

/// The process's memory: pages of the rig's area, and how many.
pub(crate) const MEMORY: (u64, u64) = (0x1000_0000_0000, 32);

/// 64-bit values around boundaries.
pub(crate) fn long() -> impl Strategy<Value = u64> {
    let edges = vec![
        0,
        1,
        7,
        8,
        0xfff,
        0x1000,
        0x2000,
        0x4000,
        0x1_0000,
        0x20_0000,
        0x7ff_f000,
        0x800_0000,
        0x810_0000,
        0x4000_0000,
        1 << 32,
        1 << 44,
        1 << 47,
        1 << 48,
        1 << 52,
        1 << 62,
        1 << 63,
        u64::MAX,
        u64::MAX - 7,
        0xffff_ffff_ffff_f000,
        MEMORY.0,
        MEMORY.0 + 0x1000,
        0x1000_0000,
    ];
    prop_oneof![
        6 => select(edges),
        2 => (0..64u64).prop_map(|page| page << 12),
        1 => (0..64u32).prop_map(|bit| 1 << bit),
        1 => any::<u64>(),
    ]
}

/// 32-bit values around boundaries.
pub(crate) fn word() -> impl Strategy<Value = u32> {
    let edges = vec![0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 23, 24, 32, 40, 48, 0x100, u32::MAX];
    prop_oneof![4 => select(edges), 1 => any::<u32>()]
}

/// Bytes of a structure: argsz, flags, 64-bit fields; truncated anywhere.
pub(crate) fn structure() -> impl Strategy<Value = Vec<u8>> {
    let full = prop_oneof![3 => Just(256usize), 1 => 0..64usize];
    (word(), word(), vec(long(), 0..8), full).prop_map(|(argsz, flags, longs, most)| {
        let mut bytes = crate::rig::bytes(&[argsz, flags], &longs);
        bytes.truncate(most);
        bytes
    })
}
