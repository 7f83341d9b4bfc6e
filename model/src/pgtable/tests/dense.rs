//! Compares tables with a map with one key for every page.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What one page translates to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Page {
    output: u64,
    perms: Perms,
    /// Size of the leaf the page belongs to.
    leaf: u64,
}

/// A slow and simple set of tables: which leaf is where, page by page. Requests stay so small that
/// only last-level tables are made and unlinked.
struct Dense {
    sizes: Vec<u64>,
    page: u64,
    pages: BTreeMap<u64, Page>,
    /// First input address of each last-level table, empty ones too.
    tables: BTreeSet<u64>,
}

impl Dense {
    fn new(geometry: Geometry) -> Self {
        let sizes = sizes(geometry);
        Self { page: sizes[0], sizes, pages: BTreeMap::new(), tables: BTreeSet::new() }
    }

    fn best(&self, alignment: u64, limit: u64) -> u64 {
        let fits = |size: &&u64| alignment.is_multiple_of(**size) && **size <= limit;
        **self.sizes.iter().filter(fits).collect::<Vec<_>>().last().unwrap()
    }

    fn pages_in(&self, input: u64, size: u64) -> Vec<(u64, Page)> {
        self.pages.range(input..input + size).map(|(&at, &page)| (at, page)).collect()
    }

    fn map(&mut self, mapping: Mapping) -> Result<(), MapError> {
        let Mapping { input, output, size, perms, .. } = mapping;
        let mut done = 0;
        while done < size {
            let (at, to) = (input + done, output.get() + done);
            let leaf = self.best(at | to, size - done);
            // Smaller leaves are unlinked with their table; a leaf of this size or larger is in the
            // way.
            let there = self.pages_in(at, leaf);
            if let Some((place, page)) = there.iter().find(|(_, page)| page.leaf >= leaf) {
                let at = place / page.leaf * page.leaf;
                self.unmap(input, done);
                return Err(MapError::Exists { at });
            }
            for (place, _) in there {
                self.pages.remove(&place);
            }
            if leaf == self.page {
                self.tables.insert(at / self.sizes[1] * self.sizes[1]);
            } else {
                self.tables.remove(&at);
            }
            for offset in (0..leaf).step_by(self.page as usize) {
                self.pages.insert(at + offset, Page { output: to + offset, perms, leaf });
            }
            done += leaf;
        }
        Ok(())
    }

    fn unmap(&mut self, input: u64, size: u64) -> u64 {
        let mut done = 0;
        while done < size {
            let at = input + done;
            let step = self.best(at, size - done);
            // A table is unlinked whole and counted whole, whatever it maps.
            let table = step > self.page && self.tables.remove(&at);
            let leaf = self.pages.get(&at).is_some_and(|page| page.leaf == step);
            if !table && !leaf {
                break;
            }
            for (place, _) in self.pages_in(at, step) {
                self.pages.remove(&place);
            }
            done += step;
        }
        done
    }
}

#[derive(Clone, Debug)]
enum Op {
    Map { input: u64, output: u64, pages: u64, perms: Perms },
    Unmap { input: u64, pages: u64 },
}

/// Few places, so that requests meet; sizes around that of a block.
fn op(pages_in_block: u64) -> impl Strategy<Value = Op> {
    let near = move || {
        (0..3u64, -2..3i64)
            .prop_map(move |(block, page)| (block * pages_in_block).saturating_add_signed(page))
    };
    let count = prop_oneof![
        1..4u64,
        (0..3u64).prop_map(move |page| pages_in_block - 1 + page),
        Just(2 * pages_in_block),
    ];
    let perms = prop::sample::select(vec![Perms::READ, Perms::WRITE, RW]);
    prop_oneof![
        3 => (near(), near(), count.clone(), perms)
            .prop_map(|(input, output, pages, perms)| Op::Map { input, output, pages, perms }),
        2 => (near(), count).prop_map(|(input, pages)| Op::Unmap { input, pages }),
    ]
}

/// Compares everything that can be seen.
fn compare(bench: &Bench, dense: &Dense) {
    let stage = bench.table.geometry().stage;
    let mut seen = BTreeMap::new();
    for leaf in bench.table.leaves(&bench.memory) {
        for offset in (0..1u64 << leaf.lg2).step_by(dense.page as usize) {
            seen.insert(leaf.input + offset, (leaf.output + offset, 1u64 << leaf.lg2));
        }
    }
    let expected: BTreeMap<_, _> =
        dense.pages.iter().map(|(&at, page)| (at, (page.output, page.leaf))).collect();
    assert_eq!(seen, expected);
    // Hardware at the edges of what is mapped, where faults and permissions change.
    for (&at, page) in &dense.pages {
        let edge = [at.wrapping_sub(dense.page), at + dense.page]
            .iter()
            .any(|other| dense.pages.get(other).map(|p| p.perms) != Some(page.perms));
        if !edge {
            continue;
        }
        let leaf = bench.walk(at + 8).unwrap();
        assert_eq!(leaf.translate(at + 8), page.output + 8);
        let readable = if stage == Stage::One { Perms::READ } else { Perms::empty() };
        assert_eq!(leaf.unprivileged - Perms::EXEC, page.perms | readable);
        if !dense.pages.contains_key(&(at + dense.page)) {
            let beyond = bench.walk(at + dense.page);
            assert!(matches!(beyond, Err(Fault::Translation { .. })));
        }
    }
}

fn run(stage: Stage, granule: Granule, ops: &[Op]) {
    let mut bench = Bench::new(stage, granule, (44, 44));
    let mut dense = Dense::new(bench.table.geometry());
    let page = dense.page;
    for op in ops {
        match *op {
            Op::Map { input, output, pages, perms } => {
                let mapping = Mapping { perms, ..plain(input * page, output * page, pages * page) };
                assert_eq!(bench.try_map(mapping), dense.map(mapping), "{op:?}");
            }
            Op::Unmap { input, pages } => {
                let (input, size) = (input * page, pages * page);
                assert_eq!(bench.unmap(input, size), dense.unmap(input, size), "{op:?}");
            }
        }
        compare(&bench, &dense);
    }
    bench.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn tables_of_4k_are_a_map_of_pages(
        second in prop::bool::ANY,
        ops in prop::collection::vec(op(512), 1..24),
    ) {
        run(STAGES[usize::from(second)], Granule::K4, &ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn tables_of_16k_are_a_map_of_pages(
        second in prop::bool::ANY,
        ops in prop::collection::vec(op(2048), 1..12),
    ) {
        run(STAGES[usize::from(second)], Granule::K16, &ops);
    }

    #[test]
    fn tables_of_64k_are_a_map_of_pages(
        second in prop::bool::ANY,
        ops in prop::collection::vec(op(8192), 1..8),
    ) {
        run(STAGES[usize::from(second)], Granule::K64, &ops);
    }
}
