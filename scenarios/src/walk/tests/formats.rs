//! Less common formats of tables and structures.

use serde_json::{Value, json};

use super::{
    STE_STAGE1, Table, agrees, at, cd, dump, hex, looked, of_16k, of_64k, stage2, without_leaves,
};

fn table(n: u64) -> u64 {
    at::TABLES + n * 0x1_0000
}

fn word(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// The same dump with descriptors of the other byte order.
fn swapped(mut dump: Value) -> Value {
    for table in dump["streams"][0]["tables"].as_array_mut().unwrap() {
        for descriptor in table["ent"].as_object_mut().unwrap().values_mut() {
            *descriptor = hex(word(descriptor).swap_bytes());
        }
    }
    // TTENDIAN 0: both orders.
    dump["regs"]["IDR0"] = hex(word(&dump["regs"]["IDR0"]) & !(3 << 21));
    dump
}

fn or(dump: &mut Value, at: [&str; 2], index: usize, bits: u64) {
    let [structure, register] = at;
    let place = match structure {
        "regs" => &mut dump["regs"][register],
        _ => &mut dump["streams"][0][structure][index],
    };
    *place = hex(word(place) | bits);
}

#[test]
fn big_endian_tables_agree() {
    let mut first = swapped(of_16k());
    or(&mut first, ["cd", ""], 0, 1 << 15);
    agrees(&first, 2);
    let mut second = swapped(of_64k());
    or(&mut second, ["ste", ""], 2, 1 << 52);
    agrees(&second, 2);
}

/// An SMMU of 52 bits with DS.
fn wide(mut dump: Value) -> Value {
    dump["regs"]["IDR5"] = hex(0x4f6 | 0x70);
    dump
}

#[test]
fn wide_descriptors_of_stage_1_agree() {
    let page = 0x2_0000_8000_4000 | 3 << 8 | 0x4c7;
    let block = 0x8000_0000_0000 | 0x445;
    let tables: [Table<'_>; 5] = [
        (table(0), 0, 16, &[(15, table(1) | 3)]),
        (table(1), 0, 512, &[(0, table(2) | 3), (7, block)]),
        (table(2), 1, 512, &[(0, table(3) | 3)]),
        (table(3), 2, 512, &[(0, table(4) | 3)]),
        (table(4), 3, 512, &[(9, page)]),
    ];
    let leaves = [
        [15 << 48 | 9 << 12, 0xe_0000_8000_4000, 1 << 12, page],
        [15 << 48 | 7 << 39, 0x8000_0000_0000, 1 << 39, block],
    ];
    let [w0, w1, _, w3] = cd(12, 0);
    let cd = [w0 & !(7 << 32) | 6 << 32, w1, 1 << 58, w3];
    agrees(&wide(dump(STE_STAGE1, Some(cd), &tables, &leaves)), 2);
    // With 16K, a block at level 1.
    let block = 0x9_0000_0000_0000 >> 4 | 2 << 8 | 0x445;
    let tables: [Table<'_>; 2] =
        [(table(0), 0, 32, &[(31, table(1) | 3)]), (table(1), 1, 2048, &[(5, block)])];
    let pa = block & 0x3_fff0_0000_0000 | 2 << 50;
    let leaves = [[31 << 47 | 5 << 36, pa, 1 << 36, block]];
    let [w0, w1, _, w3] = cd_of_16k();
    agrees(&wide(dump(STE_STAGE1, Some([w0, w1, 1 << 58, w3]), &tables, &leaves)), 1);
}

fn cd_of_16k() -> [u64; 4] {
    let [w0, w1, w2, w3] = cd(12, 2);
    [w0 & !(7 << 32) | 6 << 32, w1, w2, w3]
}

#[test]
fn wide_descriptors_of_stage_2_agree() {
    let page = 0x3_0000_1234_5000 | 1 << 8 | 0x4ff;
    let tables: [Table<'_>; 5] = [
        (table(0), 0, 16, &[(1, table(1) | 3)]),
        (table(1), 0, 512, &[(2, table(2) | 3)]),
        (table(2), 1, 512, &[(3, table(3) | 3)]),
        (table(3), 2, 512, &[(4, table(4) | 3)]),
        (table(4), 3, 512, &[(5, page)]),
    ];
    let iova = 1 << 48 | 2 << 39 | 3 << 30 | 4 << 21 | 5 << 12;
    let leaves = [[iova, 0x7_0000_1234_5000, 1 << 12, page]];
    let [s0, s1, s2, s3] = stage2(6, 12, 0, 0, table(0));
    let ste = [s0, s1, s2 & !(7 << 48) | 6 << 48, s3 | 1 << 3 | 1 << 2];
    agrees(&wide(dump(ste, None, &tables, &leaves)), 1);
}

#[test]
fn the_upper_half_agrees() {
    let (low, high) = (0x4000_0000 | 0x745, 0x5000_0000 | 0x7c5);
    let tables: [Table<'_>; 2] = [
        (table(0), 1, 512, &[(0, low)]),
        (table(1), 1, 512, &[(511, high & !0x3fff_f000 | 0x4000_0000)]),
    ];
    let high = high & !0x3fff_f000 | 0x4000_0000;
    let leaves = [[0, 0x4000_0000, 1 << 30, low], [u64::MAX << 30, 0x4000_0000, 1 << 30, high]];
    let [w0, w1, _, w3] = cd(25, 0);
    // T1SZ 25, TG1 4K, EPD1 0.
    let cd = [w0 & !(1 << 30) | 25 << 16 | 2 << 22, w1, table(1), w3];
    let made = dump(STE_STAGE1, Some(cd), &tables, &leaves);
    agrees(&made, 2);
    let mut ignored = made;
    or(&mut ignored, ["cd", ""], 0, 3 << 38);
    agrees(&ignored, 2);
}

/// Three CDs: for no SubstreamID or 0, for 5, and an invalid one for 6; with `fmt` 1 they are in a
/// leaf of 4K, and the second leaf is missing.
fn of_substreams(fmt: u64, dss: u64) -> Value {
    let leaf = if fmt == 0 { at::CD } else { at::CD + 0x1_0000 };
    let mut words: Vec<(u32, u64)> = Vec::new();
    for (substream, root) in [(0, table(0)), (5, table(1)), (6, 0)] {
        let [w0, _, _, w3] = cd(25, 0);
        let cd = if root == 0 { [0; 4] } else { [w0 | substream << 48, root, 0, w3] };
        let at = |index: usize| (substream * 8) as u32 + index as u32;
        words.extend(cd.into_iter().enumerate().map(|(index, word)| (at(index), word)));
    }
    let first = [(0, leaf | 1)];
    let (low, high) = (0x4000_0000 | 0x745, 0x8000_0000 | 0x7c5);
    let (lower, upper) = ([(0, low)], [(3, high)]);
    let mut tables: Vec<Table<'_>> =
        vec![(leaf, 0, 512, &words), (table(0), 1, 512, &lower), (table(1), 1, 512, &upper)];
    if fmt != 0 {
        tables.push((at::CD, 0, 2, &first));
    }
    let leaves = [[0, 0x4000_0000, 1 << 30, low]];
    let leaves = if dss == 2 { &leaves[..] } else { &[] };
    let count_lg2 = if fmt == 0 { 4 } else { 7 };
    let ste = [1 | 5 << 1 | fmt << 4 | at::CD | count_lg2 << 59, 0xd4 | dss, 0, 0];
    let mut made = dump(ste, None, &tables, leaves);
    or(&mut made, ["regs", "IDR0"], 0, 1 << 19);
    or(&mut made, ["regs", "IDR1"], 0, 8 << 6);
    made
}

#[test]
fn substreams_agree() {
    for fmt in [0, 1] {
        for (dss, leaves) in [(2, 2), (0, 2), (1, 2)] {
            let report = looked(&of_substreams(fmt, dss));
            assert_eq!(report.differences, [], "{report}");
            assert_eq!((report.leaves, report.not_compared.len()), (leaves, 0), "{report}");
        }
    }
}

/// A leaf of CDs beyond the output size: C_BAD_SUBSTREAMID, except for SMMUv3.0, which may truncate
/// it.
#[test]
fn a_leaf_of_contexts_too_far_away_is_none() {
    let mut far = of_substreams(1, 2);
    let first = &mut far["streams"][0]["tables"].as_array_mut().unwrap()[3]["ent"];
    first["0"] = hex(word(&first["0"]) | 1 << 50);
    far["streams"][0]["leaves"] = json!([]);
    let report = looked(&far);
    assert_eq!((report.differences.len(), report.not_compared.len()), (0, 0), "{report}");
    far["regs"]["AIDR"] = json!("0x0");
    assert_ne!(looked(&far).not_compared.len(), 0);
}

#[test]
fn a_format_or_order_that_the_smmu_lacks_is_illegal() {
    let mut big_endian = without_leaves(of_16k());
    or(&mut big_endian, ["cd", ""], 0, 1 << 15);
    agrees(&big_endian, 0);
    let mut short = without_leaves(of_16k());
    short["streams"][0]["cd"][0] = hex(cd(16, 2)[0] & !(1 << 41));
    agrees(&short, 0);
    let mut short = without_leaves(of_64k());
    let [_, _, ste2, _] = stage2(6, 20, 2, 1, at::TABLES);
    short["streams"][0]["ste"][2] = hex(ste2 & !(1 << 51));
    agrees(&short, 0);
    // An SMMU with AArch32 tables makes this walk report that it cannot read them.
    or(&mut short, ["regs", "IDR0"], 0, 1 << 2);
    assert_eq!(looked(&short).not_compared.len(), 1);
    assert_eq!(short["tag"], json!("made"));
}
