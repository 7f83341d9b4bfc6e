//! Overwritten tables: nothing panics, everything terminates, no page is lost or freed twice.

use super::*;
use proptest::prelude::*;

/// What a device or a script may have written.
#[derive(Clone, Copy, Debug)]
enum Scribble {
    /// Any word.
    Word(u64),
    /// A table descriptor that leads to the nth page of the bank: another table, or itself.
    Table(u64),
    /// A table descriptor that leads to an address outside of memory.
    Nowhere,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Map(u64, u64, u64),
    Unmap(u64, u64),
    /// Over the nth word of the mth page from the top of the bank, where tables are.
    Scribble(u64, u64, Scribble),
    Release,
}

fn op() -> impl Strategy<Value = Op> {
    let place = || (0..3u64, 0..3u64, 0..4u64).prop_map(|(a, b, c)| a << 30 | b << 21 | c << 12);
    let size = || {
        prop_oneof![
            (1..4u64).prop_map(|pages| pages << 12),
            (1..600u64).prop_map(|pages| pages << 12),
            Just(1 << 30),
            Just(1 << 21),
        ]
    };
    let scribble = prop_oneof![
        any::<u64>().prop_map(Scribble::Word),
        (0..12u64).prop_map(Scribble::Table),
        Just(Scribble::Nowhere),
    ];
    prop_oneof![
        3 => (place(), place(), size()).prop_map(|(a, b, c)| Op::Map(a, b, c)),
        3 => (place(), size()).prop_map(|(a, b)| Op::Unmap(a, b)),
        3 => (0..12u64, 0..8u64, scribble).prop_map(|(a, b, c)| Op::Scribble(a, b, c)),
        1 => Just(Op::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_memory_holds(
        second in prop::bool::ANY,
        ops in prop::collection::vec(op(), 1..40),
    ) {
        let stage = STAGES[usize::from(second)];
        let mut bench = Bench::with_bank(stage, Granule::K4, (44, 44), 8 << 20);
        let top = 1u64 << 44;
        for op in ops {
            match op {
                Op::Map(input, output, size) => {
                    let _ = bench.map(input, output, size);
                }
                Op::Unmap(input, size) => {
                    prop_assert!(bench.unmap(input, size) <= size);
                }
                Op::Scribble(page, word, scribble) => {
                    let value = match scribble {
                        Scribble::Word(word) => word,
                        Scribble::Table(n) => (top - (n + 1) * 0x1000) | 3,
                        Scribble::Nowhere => 0x5000_0003,
                    };
                    let at = PhysAddr::new(top - (page + 1) * 0x1000 + 8 * word);
                    bench.memory.store_u64(at, value).unwrap();
                }
                Op::Release => bench.gather.release_tables(&mut bench.frames),
            }
            // Hardware and software may differ here: software does not look at the access flag.
            let config = bench.table.config();
            let _ = walk::walk(&config, 0x4020_1000, &mut PlainFetch(&bench.memory));
            let _ = bench.lookup(0x4020_1000);
            let most = bench.table.table_count() * 512;
            prop_assert!(bench.table.leaves(&bench.memory).count() <= most);
        }
        bench.finish();
    }
}

#[test]
fn tables_that_lead_to_themselves() {
    for granule in Granule::ALL {
        let mut bench = Bench::new(Stage::One, granule, (44, 44));
        let root = bench.table.root();
        for i in 0..8 {
            let slot = PhysAddr::new(root.get() + 8 * i);
            bench.memory.store_u64(slot, root.get() | 3).unwrap();
        }
        assert!(bench.table.leaves(&bench.memory).count() <= 1 << granule.index_bits());
        let page = granule.page().bytes();
        let _ = bench.map(0, 0, page);
        bench.unmap(0, page);
        bench.unmap(0, *sizes(bench.table.geometry()).last().unwrap());
        bench.walk(0).ok();
        bench.finish();
    }
}

#[test]
fn a_table_that_does_not_answer_is_in_the_way() {
    let mut bench = Bench::new(Stage::One, Granule::K4, (44, 44));
    bench.memory.store_u64(bench.table.root(), 0x5003).unwrap();
    assert_eq!(bench.map(0x1000, 0, 0x1000), Err(MapError::Exists { at: 0 }));
    assert_eq!(bench.unmap(0x1000, 0x1000), 0);
    assert_eq!(bench.lookup(0x1000), None);
    assert_eq!(
        bench.walk(0x1000),
        Err(Fault::Fetch { level: 1, at: 0x5000, cause: Abort(PhysAddr::new(0x5000)) })
    );
    bench.finish();
}
