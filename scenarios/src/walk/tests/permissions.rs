//! Permissions: every leaf, under every table, in every regime.

use serde_json::Value;

use super::{Table, agrees, at, cd, dump, hex, looked, stage2, without_leaves};

/// Addresses of the tables of these dumps.
fn table(n: u64) -> u64 {
    at::TABLES + n * 0x1_0000
}

/// Registers of a dump with more bits set.
fn with(mut dump: Value, registers: &[(&str, u64)]) -> Value {
    for (name, bits) in registers {
        let old = dump["regs"][name].as_str().unwrap().trim_start_matches("0x").to_owned();
        dump["regs"][name] = hex(u64::from_str_radix(&old, 16).unwrap() | bits);
    }
    dump
}

/// Blocks of 2M with every AP, XN and PXN, by their index in a table.
fn blocks() -> Vec<(u64, u64)> {
    (0..16).map(|n| (n, 0x4000_0000 | n << 21 | 0x701 | (n & 3) << 6 | (n >> 2) << 53)).collect()
}

/// Those blocks below table descriptors with each of the limits, and without.
fn stage1(ste: [u64; 4], cd: [u64; 4]) -> Value {
    let first: Vec<(u32, u64)> = (0..16).map(|n| (n, table(1) | 3 | u64::from(n) << 59)).collect();
    let second: Vec<(u32, u64)> = blocks().into_iter().map(|(n, word)| (n as u32, word)).collect();
    let tables: [Table<'_>; 2] = [(table(0), 1, 512, &first), (table(1), 2, 512, &second)];
    let mut leaves = Vec::new();
    for limits in 0..16 {
        for (n, word) in blocks() {
            leaves.push([limits << 30 | n << 21, word & 0xff_ffe0_0000, 1 << 21, word]);
        }
    }
    dump(ste, Some(cd), &tables, &leaves)
}

const LEAVES: u64 = 256;

fn ste(word1: u64) -> [u64; 4] {
    [1 | 5 << 1 | at::CD, 0xd6 | word1, 0, 0]
}

/// A CD of 39 bits with more bits in its first two words.
fn limited(word0: u64, word1: u64) -> [u64; 4] {
    let [first, second, third, fourth] = cd(25, 0);
    [first | word0, second | word1, third, fourth]
}

#[test]
fn limits_of_stage_1_agree() {
    let (wxn, uwxn, pan) = (1 << 36, 1 << 37, 1 << 40);
    for word0 in [0, wxn, uwxn, pan, wxn | pan] {
        agrees(&stage1(ste(0), limited(word0, 0)), LEAVES);
    }
    // HAD0, E0PD0 and EPAN, with the registers that enable them and without.
    let (had, e0pd, epan) = (1 << 1, 1 << 2, 1 << 59);
    for word1 in [had, e0pd, epan, had | epan] {
        let made = stage1(ste(0), limited(pan, word1));
        agrees(&made, LEAVES);
        agrees(&with(made, &[("IDR3", 1 << 13 | 1 << 17)]), LEAVES);
    }
}

#[test]
fn regimes_agree() {
    let hyp = ("IDR0", 1 << 9);
    let (wxn, pan) = (1 << 36, 1 << 40);
    for word0 in [0, wxn, pan | 1 << 14] {
        let made = with(stage1(ste(2 << 30), limited(word0 & !(1 << 14), 0)), &[hyp]);
        agrees(&made, LEAVES);
        agrees(&with(made, &[("CR2", 1)]), LEAVES);
    }
    // EPD0 acts as 0 in EL2, and terminates every access elsewhere.
    agrees(&with(stage1(ste(2 << 30), limited(1 << 14, 0)), &[hyp]), LEAVES);
    let made = stage1(ste(0), limited(1 << 14, 0));
    let report = looked(&made);
    assert_eq!((report.leaves, report.not_compared.len()), (0, 0), "{report}");
    assert!(report.unmapped > 0 && report.differences.len() as u64 == LEAVES, "{report}");
    // A reserved StreamWorld makes the STE ILLEGAL.
    let reserved = with(stage1(ste(3 << 30), limited(0, 0)), &[hyp]);
    let report = looked(&reserved);
    assert!(report.differences[0].asked.ends_with("list of leaves"), "{report}");
    let report = looked(&without_leaves(reserved));
    assert_eq!((report.differences.len(), report.not_compared.len()), (0, 0), "{report}");
}

#[test]
fn overrides_agree() {
    for (privilege, kind) in [(2, 0), (3, 0), (0, 2), (0, 3), (3, 3), (2, 3)] {
        let made = stage1(ste(privilege << 48 | kind << 50), limited(0, 0));
        agrees(&made, LEAVES);
        agrees(&with(made, &[("IDR1", 1 << 26)]), LEAVES);
    }
}

/// A stage 2 of 2M blocks, one table, with every S2AP and every XN.
fn second(config: u64, registers: &[(&str, u64)]) -> Value {
    let [s0, _, s2, s3] = stage2(config, 25, 1, 0, table(4));
    let words: Vec<(u32, u64)> =
        (0..16u64).map(|n| (n as u32, n << 21 | 0x73d | (n & 3) << 6 | (n >> 2) << 53)).collect();
    let upper: [(u32, u64); 1] = [(0, table(5) | 3)];
    let tables: [Table<'_>; 2] = [(table(4), 1, 512, &upper), (table(5), 2, 512, &words)];
    let leaves =
        words.iter().map(|(n, word)| [u64::from(*n) << 21, word & 0xff_ffe0_0000, 1 << 21, *word]);
    let leaves: Vec<_> = leaves.collect();
    let mut made = dump([s0, 0, s2, s3], None, &tables, &leaves);
    // IDR3.XNX is set in these dumps by default.
    made["regs"]["IDR3"] = hex(0x1404);
    with(made, registers)
}

#[test]
fn execution_at_stage_2_agrees() {
    // Block descriptors of type 0x73d: bit 1 must be clear.
    agrees(&second(6, &[]), 16);
    agrees(&second(6, &[("IDR3", 1 << 4)]), 16);
}

#[test]
fn permissions_of_two_stages_agree() {
    // Stage 1 maps block n to block n of stage 2 in sixteen ways.
    let upper: Vec<(u32, u64)> = (0..1).map(|n| (n, table(1) | 3)).collect();
    let lower: Vec<(u32, u64)> = (0..256u64)
        .map(|n| {
            (n as u32, 0x4000_0000 | (n & 15) << 21 | 0x701 | (n >> 4 & 3) << 6 | (n >> 6) << 53)
        })
        .collect();
    let [s0, _, s2, s3] = stage2(7, 25, 1, 0, table(4));
    let tables_of_2: Vec<(u32, u64)> = vec![(0, table(6) | 3), (1, table(5) | 3)];
    // The first megabytes contain the CD and the tables of stage 1.
    let below: Vec<(u32, u64)> = vec![(0, 0x7fd)];
    let words: Vec<(u32, u64)> = (0..16u64)
        .map(|n| (n as u32, 0x8000_0000 | n << 21 | 0x73d | (n & 3) << 6 | (n >> 2) << 53))
        .collect();
    let tables: [Table<'_>; 5] = [
        (table(0), 1, 512, &upper),
        (table(1), 2, 512, &lower),
        (table(4), 1, 512, &tables_of_2),
        (table(5), 2, 512, &words),
        (table(6), 2, 512, &below),
    ];
    let leaves: Vec<_> = lower
        .iter()
        .map(|(n, word)| [u64::from(*n) << 21, word & 0xff_ffe0_0000, 1 << 21, *word])
        .collect();
    let made = dump([s0 | at::CD, 0xd6, s2, s3], Some(cd(25, 0)), &tables, &leaves);
    agrees(&made, 256);
    let mut without = made;
    without["regs"]["IDR3"] = hex(0x1404);
    agrees(&without, 256);
}
