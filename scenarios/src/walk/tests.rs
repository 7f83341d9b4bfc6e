//! Dumps made here, of every stage and granule, and dumps with errors.

mod expected;
mod formats;
mod illegal;
mod permissions;
mod pointers;

use passim_model::{Access, StreamId};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::dumped_smmu::{Who, transaction};
use super::{DumpReport, DumpedSmmu, Expectations, look, tell};
use crate::input_error::{InputError, SourceText};
use crate::system::Explained;

/// Addresses in a dump made here; 64K apart, so that any table fits.
mod at {
    pub(super) const STREAM_TABLE: u64 = 0x1_0000;
    pub(super) const STREAM: u64 = 8;
    pub(super) const STE: u64 = STREAM_TABLE + STREAM * 64;
    pub(super) const CD: u64 = 0x4_0000;
    pub(super) const TABLES: u64 = 0x10_0000;
}

/// A table page: address, level, entries, index and value of the non-zero descriptors.
type Table<'a> = (u64, u8, u32, &'a [(u32, u64)]);

fn hex(word: u64) -> Value {
    json!(format!("{word:#x}"))
}

fn dump(ste: [u64; 4], cd: Option<[u64; 4]>, tables: &[Table<'_>], leaves: &[[u64; 4]]) -> Value {
    let words = |words: [u64; 4]| words.into_iter().chain([0; 4]).map(hex).collect::<Vec<_>>();
    let table = |&(pa, level, n, entries): &Table<'_>| {
        let descriptors: serde_json::Map<_, _> =
            entries.iter().map(|(index, word)| (index.to_string(), hex(*word))).collect();
        json!({"pa": hex(pa), "level": level, "n": n, "base": "0x0", "ent": descriptors})
    };
    let mut stream = json!({
        "dev": "00:01.0", "name": "A", "sid": hex(at::STREAM), "l1std": [],
        "ste_pa": hex(at::STE), "ste": words(ste),
        "tables": tables.iter().map(table).collect::<Vec<_>>(),
        "leaves": leaves.iter().map(|leaf| leaf.map(hex)).collect::<Vec<_>>(),
    });
    if let Some(cd) = cd {
        stream["cd_pa"] = hex(at::CD);
        stream["cd"] = json!(words(cd));
    }
    let queue = |pa: &str| json!({"pa": pa, "n": 16, "prod": 0, "wrapflag": 0, "entries": []});
    json!({
        "tag": "made",
        "regs": {
            "IDR0": "0xd44101b", "IDR1": "0x2730010", "IDR3": "0x1414", "IDR5": "0x74",
            "AIDR": "0x1", "CR0": "0xd", "CR2": "0x6", "STRTAB_BASE": hex(at::STREAM_TABLE),
            "STRTAB_BASE_CFG": "0x4", "CMDQ_BASE": "0x30004", "EVENTQ_BASE": "0x20004",
        },
        "streams": [stream], "cmdq": queue("0x30000"), "eventq": queue("0x20000"),
    })
}

fn stand(dump: &Value) -> Result<DumpedSmmu, InputError> {
    DumpedSmmu::of(&SourceText::new("smmu_made.json", dump.to_string()))
}

/// The same dump from a recorder that found no leaves.
fn without_leaves(mut dump: Value) -> Value {
    dump["streams"][0]["leaves"] = json!([]);
    dump
}

fn looked(dump: &Value) -> DumpReport {
    let mut stand = stand(dump).unwrap();
    look(&mut stand, &Expectations::default(), "smmu_made.json".to_owned(), |_| {})
}

fn agrees(dump: &Value, leaves: u64) {
    let report = looked(dump);
    assert_eq!(report.differences, [], "{report}");
    assert_eq!((report.leaves, report.not_compared.len()), (leaves, 0));
}

/// STE.Config 0b101, S1DSS 2.
const STE_STAGE1: [u64; 4] = [1 | 5 << 1 | at::CD, 0xd6, 0, 0];

/// Valid, AArch64, R, A, ASET, EPD1, IPS 44 bits, ASID 1.
fn cd(t0sz: u64, tg0: u64) -> [u64; 4] {
    let flags = 1 << 30 | 1 << 31 | 4 << 32 | 1 << 41 | 1 << 45 | 1 << 46 | 1 << 47 | 1 << 48;
    [flags | t0sz | tg0 << 6, at::TABLES, 0, 0xff]
}

/// VMID 1, AArch64, S2R, S2PS 44 bits.
fn stage2(config: u64, t0sz: u64, sl0: u64, tg: u64, ttb: u64) -> [u64; 4] {
    let ste2 = 1 | t0sz << 32 | sl0 << 38 | tg << 46 | 4 << 48 | 1 << 51 | 1 << 58;
    [1 | config << 1, 0, ste2, ttb]
}

/// An access that stage 1 forbids does not reach stage 2.
#[test]
fn the_stage_that_decides_comes_first() {
    let mut forbidden = nested();
    let page = hex(0x8000_0000 | 0xfc7);
    forbidden["streams"][0]["tables"][2]["ent"]["2"] = page.clone();
    forbidden["streams"][0]["leaves"][1][3] = page;
    agrees(&forbidden, 3);
}

/// Three levels of 16K from the top of 48 bits: a page that is read-only, and a block.
fn of_16k() -> Value {
    let at = |n: u64| at::TABLES + n * 0x1_0000;
    let (page, block) = (0x8000_4000 | 0xfc7, 0x1_0000_0000 | 0xf45);
    let tables: [Table<'_>; 4] = [
        (at(0), 0, 2, &[(0, at(1) | 3)]),
        (at(1), 1, 2048, &[(0, at(2) | 3)]),
        (at(2), 2, 2048, &[(0, at(3) | 3), (5, block)]),
        (at(3), 3, 2048, &[(7, page)]),
    ];
    let leaves = [[7 << 14, 0x8000_4000, 1 << 14, page], [5 << 25, 0x1_0000_0000, 1 << 25, block]];
    dump(STE_STAGE1, Some(cd(16, 2)), &tables, &leaves)
}

/// Stage 2 with 64K: a write-only page, and a block.
fn of_64k() -> Value {
    let at = |n: u64| at::TABLES + n * 0x1_0000;
    let (page, block) = (0x8123_0000 | 0x7bf, 0x4000_0000 | 0x7fd);
    let tables: [Table<'_>; 3] = [
        (at(0), 1, 4, &[(3, at(1) | 3)]),
        (at(1), 2, 8192, &[(0, at(2) | 3), (8191, block)]),
        (at(2), 3, 8192, &[(1, page)]),
    ];
    let leaves = [
        [(3 << 42) + 0x1_0000, 0x8123_0000, 1 << 16, page],
        [(3 << 42) + (8191 << 29), 0x4000_0000, 1 << 29, block],
    ];
    dump(stage2(6, 20, 2, 1, at::TABLES), None, &tables, &leaves)
}

/// Stage 1 of three levels over a stage 2 of two concatenated tables that identity-maps the first
/// gigabyte, read-only from 512M on.
fn nested() -> Value {
    let at = |n: u64| at::TABLES + n * 0x1_0000;
    let (rw, ro) = (0x7fd, 0x77d);
    let (page, high, beyond) = (0x8_0000 | 0xf47, 0x2000_0000 | 0xf45, 0x8000_0000 | 0xf47);
    let half: Vec<(u32, u64)> =
        (0..512).map(|n| (n, u64::from(n) << 21 | if n < 256 { rw } else { ro })).collect();
    let tables: [Table<'_>; 5] = [
        (at(0), 1, 512, &[(0, at(1) | 3)]),
        (at(1), 2, 512, &[(0, at(2) | 3), (9, high)]),
        (at(2), 3, 512, &[(1, page), (2, beyond)]),
        (at(4), 1, 1024, &[(0, at(5) | 3)]),
        (at(5), 2, 512, &half),
    ];
    let leaves = [
        [0x1000, 0x8_0000, 0x1000, page],
        [0x2000, 0x8000_0000, 0x1000, beyond],
        [9 << 21, 0x2000_0000, 1 << 21, high],
    ];
    let [s0, _, s2, s3] = stage2(7, 24, 1, 0, at(4));
    dump([s0 | at::CD, 0xd6, s2, s3], Some(cd(25, 0)), &tables, &leaves)
}

#[test]
fn every_granule_and_stage_agrees() {
    agrees(&of_16k(), 2);
    agrees(&of_64k(), 2);
    agrees(&nested(), 3);
}

#[test]
fn streams_without_tables_agree() {
    for ste0 in [0, 1, 1 | 4 << 1] {
        agrees(&dump([ste0, 0, 0, 0], None, &[], &[]), 0);
    }
    agrees(&dump(STE_STAGE1, Some([0; 4]), &[], &[]), 0);
}

#[test]
fn a_list_that_says_otherwise_than_the_tables_differs() {
    let mut wrong = of_16k();
    wrong["streams"][0]["leaves"][0][1] = json!("0x80008000");
    let report = looked(&wrong);
    assert_eq!(report.differences.len(), 1, "{report}");
    assert!(report.differences[0].asked.contains("list of leaves"));
    wrong["streams"][0]["leaves"] = json!([]);
    assert_eq!(looked(&wrong).differences.len(), 2);
}

#[test]
fn a_table_that_the_dump_lacks_differs() {
    let mut wrong = of_16k();
    wrong["streams"][0]["tables"].as_array_mut().unwrap().pop();
    let report = looked(&wrong);
    assert!(report.differences[0].asked.contains("tables"), "{report}");
}

#[test]
fn a_table_that_leads_to_itself_ends() {
    let tables: [Table<'_>; 1] = [(at::TABLES, 0, 512, &[])];
    let mut circle = dump(STE_STAGE1, Some(cd(16, 0)), &tables, &[]);
    let all: serde_json::Map<_, _> =
        (0..512).map(|index| (format!("{index}"), hex(at::TABLES | 3))).collect();
    circle["streams"][0]["tables"][0]["ent"] = json!(all);
    assert_eq!(looked(&circle).differences.len(), 1);
}

#[test]
fn what_cannot_be_read_a_second_time_is_said() {
    let mut off = of_16k();
    off["regs"]["CR0"] = json!("0xc");
    assert_eq!(looked(&off).not_compared.len(), 1);
}

/// S2PTW, and start levels that are reserved or do not suit the input size: both walks judge them
/// alike.
#[test]
fn what_protects_tables_and_where_they_start_is_read_a_second_time() {
    let [_, _, ste2, _] = stage2(7, 24, 1, 0, 0);
    for changed in [ste2 | 1 << 54, ste2 & !(3 << 38), ste2 | 3 << 38] {
        let mut dump = nested();
        dump["streams"][0]["ste"][2] = hex(changed);
        let is_legal = changed == ste2 | 1 << 54;
        let report = looked(&if is_legal { dump } else { without_leaves(dump) });
        assert!(report.not_compared.is_empty(), "{changed:#x}: {report}");
        assert!(report.differences.is_empty(), "{changed:#x}: {report}");
    }
}

#[test]
fn a_dump_that_contradicts_itself_is_refused_with_its_place() {
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut wrong = of_16k();
        change(&mut wrong);
        let Err(error) = stand(&wrong) else { panic!("{wrong}") };
        assert!(error.line() == Some(1) && error.column() > Some(1), "{error}");
        assert!(!error.hint().is_empty());
        error.message().to_owned()
    };
    let message = refused(&|dump| dump["streams"][0]["ste_pa"] = Value::Null);
    assert!(message.contains("ste_pa"), "{message}");
    let message = refused(&|dump| {
        dump["regs"].as_object_mut().unwrap().remove("STRTAB_BASE");
    });
    assert!(message.contains("STRTAB_BASE"), "{message}");
    let message = refused(&|dump| dump["streams"][0]["tables"][0]["n"] = json!(0));
    assert!(message.contains("has an entry 0"), "{message}");
    let message = refused(&|dump| dump["streams"][0]["tables"][0]["pa"] = hex(1 << 52));
    assert!(message.contains("no memory lies"), "{message}");
    let message = refused(&|dump| {
        dump["streams"][0]["cd_pa"] = hex(at::STE);
    });
    assert!(message.contains("is 0x"), "{message}");
    let message = refused(&|dump| dump["cmdq"]["entries"] = json!([[16, "0x46", "0x0"]]));
    assert!(message.contains("slot 16"), "{message}");
}

/// Words that may be anywhere: few bits, small numbers, addresses of the dump, anything.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0..64u32).prop_map(|bit| 1 << bit),
        0..0x40u64,
        (0..0x10u64, 0..0x1000u64).prop_map(|(page, low)| at::TABLES + (page << 16) + low),
    ]
}

#[test]
fn no_dump_makes_it_panic() {
    let made = [of_16k(), of_64k(), nested()].map(|dump| dump.to_string());
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let strategy = (0..made.len(), vec((any::<Index>(), word()), 1..5));
    let changed = |(which, changes): (usize, Vec<(Index, u64)>)| {
        let mut text = made[which].clone();
        for (index, word) in changes {
            let places: Vec<_> = text.match_indices("\"0x").map(|(at, _)| at + 1).collect();
            let start = places[index.index(places.len())];
            let end = start + text[start..].find('"').unwrap();
            text.replace_range(start..end, &format!("{word:#x}"));
        }
        let Ok(mut stand) = DumpedSmmu::of(&SourceText::new("smmu_made.json", text)) else {
            return Ok(());
        };
        let asked = transaction(Who::of(StreamId::new(8)), 0x1000, Access::READ);
        let explained = Explained::V3(stand.explain(&asked));
        assert!(!tell(&asked, &explained).to_string().is_empty());
        let report = look(&mut stand, &Expectations::default(), String::new(), |_| {});
        assert!(!report.to_string().is_empty());
        Ok(())
    };
    TestRunner::new_with_rng(config, rng).run(&strategy, changed).unwrap();
}
