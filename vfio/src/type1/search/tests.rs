//! The search by kind and the walk of UNMAP, against the steps of patch 2/7 on every tree that the
//! kernel could have built.

use super::{Search, Taken};
use crate::policy::{FindDma, RangeEnd};
use crate::process::Pid;
use crate::type1::slots::Slots;
use crate::type1::{Slot, SlotKind, Version};
use passim_model::{Iova, Perms, Span, UserAddr};
use std::collections::BTreeSet;

const CODED: Search = Search { end: RangeEnd::Exclusive, find: FindDma::AsCoded };
const INTENDED: Search = Search { end: RangeEnd::Exclusive, find: FindDma::AsIntended };

/// A slot of a small space: addresses 0 to 11, exclusive end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    start: u64,
    end: u64,
    window: bool,
}

fn slots_of(places: &[Place]) -> Slots<Slot> {
    let mut slots = Slots::new();
    for place in places {
        let kind = if place.window { SlotKind::ReservedMsi } else { SlotKind::User };
        let slot = Slot {
            kind,
            vaddr: UserAddr::new(0),
            perms: Perms::READ,
            owner: Pid::FIRST,
            ipc_lock: false,
            locked_pages: 0,
            vaddr_valid: true,
            bitmap: None,
        };
        slots.insert(span(place.start, place.end), slot).expect("places lie apart");
    }
    slots
}

fn span(start: u64, end: u64) -> Span<Iova> {
    Span::new(Iova::new(start), Iova::new(end - 1)).expect("a place is not empty")
}

/// A search tree.
#[derive(Clone)]
enum Tree {
    Leaf,
    Node(Box<Tree>, Place, Box<Tree>),
}

/// Every tree over places in ascending order.
fn trees(places: &[Place]) -> Vec<Tree> {
    if places.is_empty() {
        return vec![Tree::Leaf];
    }
    let mut all = Vec::new();
    for (top, place) in places.iter().enumerate() {
        for left in trees(&places[..top]) {
            for right in trees(&places[top + 1..]) {
                all.push(Tree::Node(Box::new(left.clone()), *place, Box::new(right)));
            }
        }
    }
    all
}

/// The result of the search as coded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Result {
    None,
    Place(Place),
    Null,
}

/// Steps 1 to 3 of the search for user slots.
fn find_user(tree: &Tree, start: u64, size: u64) -> Result {
    let Tree::Node(left, place, right) = tree else { return Result::None };
    if start + size <= place.start {
        return find_user(left, start, size);
    }
    if start >= place.end {
        return find_user(right, start, size);
    }
    if !place.window {
        return Result::Place(*place);
    }
    let mut result = Result::Place(*place);
    if start < place.start {
        result = find_user(left, start, size);
        match result {
            Result::Place(_) => return result,
            // The code computes the end of the NULL result.
            Result::None | Result::Null => return Result::Null,
        }
    }
    if let Result::Place(place) = result
        && start + size > place.end
    {
        return find_user(right, start, size);
    }
    result
}

/// Every set of slots that the loop of UNMAP may have removed when it ends, and whether it ended at
/// NULL, over all shapes of the tree at each turn.
fn outcomes(
    places: &[Place],
    gone: &BTreeSet<Place>,
    start: u64,
    size: u64,
    version: Version,
) -> BTreeSet<(BTreeSet<Place>, bool)> {
    let left: Vec<Place> = places.iter().copied().filter(|place| !gone.contains(place)).collect();
    let found: BTreeSet<Result> =
        trees(&left).iter().map(|tree| find_user(tree, start, size)).collect();
    let mut all = BTreeSet::new();
    for result in found {
        match result {
            Result::None => drop(all.insert((gone.clone(), false))),
            Result::Null => drop(all.insert((gone.clone(), true))),
            Result::Place(place) if version == Version::V1 && start > place.start => {
                all.insert((gone.clone(), false));
            }
            Result::Place(place) => {
                let mut gone = gone.clone();
                gone.insert(place);
                all.extend(outcomes(places, &gone, start, size, version));
            }
        }
    }
    all
}

/// Spaces of up to five slots with at most one window.
fn worlds() -> Vec<Vec<Place>> {
    let user = |start, end| Place { start, end, window: false };
    let window = |start, end| Place { start, end, window: true };
    vec![
        vec![window(4, 8)],
        vec![user(0, 2), window(4, 8)],
        vec![window(4, 8), user(8, 10)],
        vec![user(0, 2), user(2, 4), window(4, 8), user(8, 10)],
        vec![user(0, 2), window(4, 8), user(8, 9), user(10, 12)],
        vec![user(0, 1), user(1, 2), user(2, 4), user(6, 8), user(8, 12)],
    ]
}

#[test]
fn the_walk_is_one_the_kernel_could_have_taken() {
    for places in worlds() {
        let slots = slots_of(&places);
        for (start, end) in (0..12).flat_map(|start| (start + 1..=12).map(move |end| (start, end)))
        {
            for version in [Version::V1, Version::V2] {
                let may = outcomes(&places, &BTreeSet::new(), start, end - start, version);
                let taken = CODED.taken(&slots, span(start, end), version);
                check(&places, &taken, &may, (start, end));
            }
        }
    }
}

fn check(
    places: &[Place],
    taken: &Taken,
    may: &BTreeSet<(BTreeSet<Place>, bool)>,
    range: (u64, u64),
) {
    let gone: BTreeSet<Place> = taken
        .hits
        .iter()
        .map(|(_, slot)| {
            let start = slot.start().get();
            *places.iter().find(|place| place.start == start).expect("a slot of this world")
        })
        .collect();
    let case = format!("{places:?} {range:?}: {taken:?}, may {may:?}");
    assert!(may.contains(&(gone, taken.null.is_some())), "{case}");
    let ends: BTreeSet<bool> = may.iter().map(|(_, null)| *null).collect();
    assert_eq!(ends.len(), 1, "whether it ends at nothing is no matter of shape: {case}");
    assert_eq!(taken.left > 0, may.len() > 1, "what depends on shape is said: {case}");
}

#[test]
fn points_find_what_the_coded_search_finds() {
    for places in worlds() {
        let slots = slots_of(&places);
        for at in 0..12 {
            let found: BTreeSet<Result> =
                trees(&places).iter().map(|tree| find_user(tree, at, 0)).collect();
            let hit = CODED.user_inside(&slots, Iova::new(at)).map(|(_, slot)| slot.start().get());
            let want: Vec<Option<u64>> = found
                .iter()
                .map(
                    |result| {
                        if let Result::Place(place) = result { Some(place.start) } else { None }
                    },
                )
                .collect();
            assert_eq!(want, [hit], "{places:?} at {at}");
        }
    }
}

#[test]
fn as_intended_the_window_is_passed_over() {
    for places in worlds() {
        let slots = slots_of(&places);
        for (start, end) in (0..12).flat_map(|start| (start + 1..=12).map(move |end| (start, end)))
        {
            let taken = INTENDED.taken(&slots, span(start, end), Version::V2);
            let got: Vec<u64> = taken.hits.iter().map(|(_, slot)| slot.start().get()).collect();
            let user = places.iter().filter(|place| !place.window);
            let want: Vec<u64> = user
                .filter(|place| place.start < end && start < place.end)
                .map(|place| place.start)
                .collect();
            assert_eq!(got, want, "{places:?} [{start}, {end})");
            assert_eq!(taken.null, None);
        }
    }
}

#[test]
fn an_exclusive_end_at_the_top_is_never_found() {
    let top = Span::new(Iova::new(u64::MAX - 0xfff), Iova::new(u64::MAX)).unwrap();
    let mut slots = slots_of(&[]);
    let slot = slots_of(&[Place { start: 0, end: 1, window: true }]).drain().next().unwrap().1;
    slots.insert(top, slot).unwrap();
    assert_eq!(CODED.any(&slots, top), None);
    let below = Span::new(Iova::new(u64::MAX - 0x1fff), Iova::new(u64::MAX - 1)).unwrap();
    assert_eq!(CODED.any(&slots, below), None);
    let inclusive = Search { end: RangeEnd::Inclusive, ..CODED };
    assert!(inclusive.any(&slots, below).is_some() && inclusive.any(&slots, top).is_some());
}
