//! Compares the TLB with a list of translations that applies every rule directly.

use super::*;
use crate::attributes::Shareability;
use proptest::prelude::*;

const SIZES: [u8; 3] = [12, 14, 21];

#[derive(Clone, Debug)]
enum Op {
    Insert { space: usize, page: u64, size: usize, leaf: usize },
    DropSpace { space: usize },
    Drop { space: usize, first: u64, pages: u64, granule: Option<Granule>, level: Option<u8> },
    Lookup { space: usize, input: u64 },
}

fn sized(sets_lg2: u8, ways: u8) -> Tlb {
    Tlb::new(Geometry::new(sets_lg2, ways), None, Retention::Sized)
}

fn spaces() -> [Space; 4] {
    let (world, vmid) = (World::El1, Vmid::new(0));
    [
        Space::Stage1 { world, vmid, asid: Asid::new(1) },
        Space::Stage1 { world, vmid, asid: Asid::new(2) },
        Space::Global { world, vmid, aset: 1 },
        Space::Stage2 { vmid },
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let space = 0..4usize;
    let input = 0..0x60_0000u64;
    prop_oneof![
        4 => (space.clone(), input.clone(), 0..3usize, 0..3usize)
            .prop_map(|(space, page, size, leaf)| Op::Insert { space, page, size, leaf }),
        1 => space.clone().prop_map(|space| Op::DropSpace { space }),
        2 => (
            space.clone(),
            input.clone(),
            1..600u64,
            prop::option::of(prop::sample::select(vec![Granule::K4, Granule::K16])),
            prop::option::of(2..4u8),
        )
            .prop_map(|(space, first, pages, granule, level)| {
                Op::Drop { space, first, pages, granule, level }
            }),
        6 => (space, input).prop_map(|(space, input)| Op::Lookup { space, input }),
    ]
}

fn translation(page_of: u64, size: usize, leaf: usize) -> Translation {
    let lg2 = SIZES[size];
    let leaf_lg2 = SIZES[leaf].max(lg2);
    let input = page(page_of, lg2.into());
    Translation {
        input,
        output: input | 0x8000_0000,
        intermediate: input,
        lg2,
        leaf_lg2,
        level: if leaf_lg2 == 21 { 2 } else { 3 },
        granule: if leaf_lg2 == 14 { Granule::K16 } else { Granule::K4 },
        stage1: [Perms::READ; 2],
        stage2: [Perms::all(); 2],
        clean: false,
        attributes: Attributes::INCOMING,
        leaf: LeafAttributes {
            mem_attr: 0xf,
            shareability: Shareability::Inner,
            hints: 0b1110,
            level: 3,
        },
    }
}

/// The list: newest last.
#[derive(Default)]
struct Dense(Vec<(usize, Translation)>);

impl Dense {
    fn drop(&mut self, space: usize, first: u64, last: u64, hint: Hint) {
        self.0.retain(|(owner, entry)| {
            let leaf_first = entry.input >> entry.leaf_lg2 << entry.leaf_lg2;
            let leaf_last = leaf_first + (1 << entry.leaf_lg2) - 1;
            let met = first <= leaf_last && leaf_first <= last;
            !(*owner == space && met && hint.admits(entry.granule, entry.level))
        });
    }

    fn lookup(&self, space: usize, input: u64) -> Option<Translation> {
        let holds = |entry: &Translation| input >> entry.lg2 << entry.lg2 == entry.input;
        let hits = self.0.iter().filter(|(owner, entry)| *owner == space && holds(entry));
        hits.map(|(_, entry)| *entry).min_by_key(|entry| entry.lg2)
    }
}

/// Runs the same operations on both; `exact` if nothing can be evicted.
fn compare(geometry: Geometry, ops: &[Op], exact: bool) {
    let mut tlb = Tlb::new(geometry, None, Retention::Sized);
    let names = spaces();
    let ids = names.map(|name| tlb.space(name));
    let mut dense = Dense::default();
    for op in ops {
        match *op {
            Op::Insert { space, page, size, leaf } => {
                let entry = translation(page, size, leaf);
                tlb.insert(ids[space], &entry);
                let same = |(owner, old): &(usize, Translation)| {
                    *owner == space && (old.input, old.lg2) == (entry.input, entry.lg2)
                };
                dense.0.retain(|old| !same(old));
                dense.0.push((space, entry));
            }
            Op::DropSpace { space } => {
                tlb.invalidate_spaces(names[space]..=names[space]);
                dense.0.retain(|(owner, _)| *owner != space);
            }
            Op::Drop { space, first, pages, granule, level } => {
                let last = first + (pages << 12) - 1;
                let hint = Hint { granule, level, leaves_only: false };
                tlb.invalidate(names[space]..=names[space], first, last, hint);
                dense.drop(space, first, last, hint);
            }
            Op::Lookup { space, input } => {
                let found = tlb.lookup(ids[space], input);
                let expected = dense.lookup(space, input);
                if exact {
                    assert_eq!(found, expected);
                } else if let Some(entry) = found {
                    assert!(dense.0.contains(&(space, entry)), "stale: {entry:x?}");
                }
            }
        }
    }
    let entries = tlb.entries();
    assert!(entries.iter().all(|(space, entry)| {
        let owner = names.iter().position(|name| name == space).unwrap();
        dense.0.contains(&(owner, *entry))
    }));
    if exact {
        assert_eq!(entries.len(), dense.0.len());
    }
}

proptest! {
    #[test]
    fn nothing_named_survives_and_nothing_else_goes(ops in prop::collection::vec(op(), 1..120)) {
        compare(Geometry { sets_lg2: 12, ways: 16, ..Geometry::default() }, &ops, true);
    }

    #[test]
    fn a_small_tlb_forgets_but_never_lies(
        ops in prop::collection::vec(op(), 1..200),
        sets_lg2 in 0..5u8,
        ways in 1..5u8,
    ) {
        compare(Geometry { sets_lg2, ways, ..Geometry::default() }, &ops, false);
    }
}

#[test]
fn a_range_to_the_end_of_the_address_space_ends() {
    let mut tlb = sized(4, 2);
    let [name, ..] = spaces();
    let id = tlb.space(name);
    let top = Translation { input: !0xfff, ..translation(0, 0, 0) };
    tlb.insert(id, &top);
    assert!(tlb.lookup(id, u64::MAX).is_some());
    tlb.invalidate(name..=name, 0, u64::MAX, Hint::default());
    assert!(tlb.lookup(id, u64::MAX).is_none());
}

#[test]
fn a_full_set_gives_up_its_dead_first() {
    let mut tlb = sized(0, 2);
    let [first, second, ..] = spaces();
    let (a, b) = (tlb.space(first), tlb.space(second));
    tlb.insert(a, &translation(0x1000, 0, 0));
    tlb.insert(b, &translation(0x2000, 0, 0));
    tlb.invalidate_spaces(first..=first);
    tlb.insert(b, &translation(0x3000, 0, 0));
    assert!(tlb.lookup(b, 0x2000).is_some() && tlb.lookup(b, 0x3000).is_some());
    assert!(tlb.lookup(a, 0x1000).is_none());
}
