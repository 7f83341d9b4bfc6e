//! Compares the walk cache with a list of tables.

use super::*;
use crate::cache::Victim;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Insert { space: u32, input: u64, level: u8, granule: Granule },
    DropSpace { space: u32 },
    Drop { space: u32, first: u64, pages: u64, hint: Hint },
    Nearest { space: u32, input: u64 },
}

fn granule() -> impl Strategy<Value = Granule> {
    prop::sample::select(vec![Granule::K4, Granule::K64])
}

fn op() -> impl Strategy<Value = Op> {
    let (space, input, level) = (0..3u32, 0..1u64 << 32, 1..4u8);
    let hint = (prop::option::of(granule()), prop::option::of(1..4u8));
    let hint = hint.prop_map(|(granule, level)| Hint { granule, level, leaves_only: false });
    let pages = prop_oneof![1..1024u64, 1..1u64 << 20];
    prop_oneof![
        4 => (space.clone(), input.clone(), level, granule()).prop_map(
            |(space, input, level, granule)| Op::Insert { space, input, level, granule }
        ),
        1 => space.clone().prop_map(|space| Op::DropSpace { space }),
        2 => (space.clone(), input.clone(), pages, hint)
            .prop_map(|(space, first, pages, hint)| Op::Drop { space, first, pages, hint }),
        5 => (space, input).prop_map(|(space, input)| Op::Nearest { space, input }),
    ]
}

/// log2 of what a table covers: its level's index bits and all below.
fn covers(granule: Granule, level: u8) -> u32 {
    let (page, index) = if granule == Granule::K4 { (12, 9) } else { (16, 13) };
    page + index * (4 - u32::from(level))
}

/// Space, first and last address covered, and the table.
#[derive(Default)]
struct Listed(Vec<(u32, u64, u64, Table)>);

impl Listed {
    fn insert(&mut self, space: u32, input: u64, table: Table) {
        let size = 1u64 << covers(table.granule, table.below.level);
        let (first, last) = (input / size * size, input / size * size + size - 1);
        self.0.retain(|held| (held.0, held.1, held.2) != (space, first, last));
        self.0.push((space, first, last, table));
    }

    fn drop(&mut self, space: u32, first: u64, last: u64, hint: Hint) {
        self.0.retain(|(owner, start, end, table)| {
            let meets = *owner == space && *start <= last && first <= *end;
            let granule = hint.granule.is_none_or(|named| named == table.granule);
            let level = hint.level.is_none_or(|leaf| table.below.level <= leaf);
            !(meets && granule && level)
        });
    }

    fn nearest(&self, space: u32, input: u64) -> Option<Table> {
        let led =
            |held: &&(u32, u64, u64, Table)| held.0 == space && (held.1..=held.2).contains(&input);
        self.0.iter().filter(led).min_by_key(|held| held.2 - held.1).map(|held| held.3)
    }
}

fn compare(geometry: Option<Geometry>, retention: Retention, ops: &[Op], exact: bool) {
    let mut tables = Tables::new(geometry, retention);
    let mut listed = Listed::default();
    for (number, op) in (0..).zip(ops) {
        match *op {
            Op::Insert { space, input, level, granule } => {
                let below = Below { level, table: number << 16, limits: 0, descriptor: 3 };
                let table = Table { granule, below, behind: None };
                tables.insert(SpaceId(space), input, table);
                listed.insert(space, input, table);
            }
            Op::DropSpace { space } => {
                tables.drop_space(SpaceId(space));
                listed.0.retain(|held| held.0 != space);
            }
            Op::Drop { space, first, pages, hint } => {
                let last = first + (pages << 12) - 1;
                tables.drop_addresses(SpaceId(space), first, last, hint);
                listed.drop(space, first, last, hint);
            }
            Op::Nearest { space, input } => {
                let found = tables.nearest(SpaceId(space), input);
                if exact {
                    assert_eq!(found, listed.nearest(space, input));
                } else if let Some(found) = found {
                    assert!(listed.0.iter().any(|held| held.3 == found), "stale: {found:x?}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_named_survives_and_nothing_else_goes(
        ops in prop::collection::vec(op(), 1..100),
        everything in any::<bool>(),
    ) {
        let retention = if everything { Retention::Everything } else { Retention::Sized };
        compare(Some(Geometry::new(10, 16)), retention, &ops, true);
    }

    #[test]
    fn a_small_one_forgets_but_never_lies(
        ops in prop::collection::vec(op(), 1..200),
        sets_lg2 in 0..3u8,
        ways in 1..4u8,
        used in any::<bool>(),
    ) {
        let victim = if used { Victim::LeastRecentlyUsed } else { Victim::Random { seed: 3 } };
        let geometry = Geometry { sets_lg2, ways, victim };
        compare(Some(geometry), Retention::Sized, &ops, false);
    }
}

#[test]
fn none_is_none() {
    let mut tables = Tables::new(None, Retention::Sized);
    let below = Below { level: 3, table: 0x1000, limits: 0, descriptor: 3 };
    tables.insert(SpaceId(0), 0, Table { granule: Granule::K4, below, behind: None });
    assert!(!tables.are_kept() && tables.nearest(SpaceId(0), 0).is_none());
}

#[test]
fn a_page_of_a_table_is_no_more_than_that() {
    let behind = Behind { ipa: 0x1234_5678, at: PhysAddr::new(0x9999_9678), lg2: 12 };
    assert_eq!(behind.physical(0x1234_5008), Some(PhysAddr::new(0x9999_9008)));
    assert_eq!(behind.physical(0x1234_6008), None);
}
