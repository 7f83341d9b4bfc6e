//! The index against a reference with one key for each address of a tiny space, against a
//! `BTreeMap` in a large one, and against its own invariants after every change.

use std::collections::BTreeMap;

use passim_model::{Iova, Span};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use super::{Finger, SlotId, Slots};

fn span(start: u64, last: u64) -> Span<Iova> {
    Span::new(Iova::new(start), Iova::new(last)).unwrap()
}

fn ends(span: Span<Iova>) -> (u64, u64) {
    (span.start().get(), span.last().get())
}

/// Points of the tiny space: half of them at 0, half at the end of the address space.
const POINTS: u64 = 24;

/// The address of a point: 0, 1, .. 11, then 2^64 - 12, .. 2^64 - 1.
fn address(point: u64) -> u64 {
    if point < POINTS / 2 { point } else { u64::MAX - (POINTS - 1 - point) }
}

/// The reference: every point of the tiny space names its slot.
#[derive(Clone, Default)]
struct Dense {
    owner: BTreeMap<u64, SlotId>,
}

impl Dense {
    fn insert(&mut self, first: u64, last: u64, id: SlotId) {
        for point in first..=last {
            assert!(self.owner.insert(point, id).is_none());
        }
    }

    fn remove(&mut self, id: SlotId) {
        self.owner.retain(|_, owner| *owner != id);
    }

    fn lowest_in(&self, first: u64, last: u64) -> Option<SlotId> {
        (first..=last).find_map(|point| self.owner.get(&point)).copied()
    }

    /// Owners of the points from `first` to `last`, ascending, each once.
    fn owners(&self, first: u64, last: u64) -> Vec<SlotId> {
        let mut owners: Vec<_> =
            (first..=last).filter_map(|point| self.owner.get(&point)).copied().collect();
        owners.dedup();
        owners
    }

    fn gap(&self, point: u64) -> Option<(u64, u64)> {
        if self.owner.contains_key(&point) {
            return None;
        }
        let free = |point: &u64| !self.owner.contains_key(point);
        let first = (0..=point).rev().take_while(free).last()?;
        let last = (point..POINTS).take_while(free).last()?;
        // The addresses between the two halves of the space belong to the gap.
        let start = if first == 0 { 0 } else { address(first - 1) + 1 };
        let end = if last == POINTS - 1 { u64::MAX } else { address(last + 1) - 1 };
        Some((start, end))
    }
}

/// Compares every query of index and reference.
fn agree<T>(slots: &Slots<T>, dense: &Dense) {
    slots.check();
    assert_eq!(slots.len(), dense.owners(0, POINTS - 1).len());
    let mut finger = Finger::default();
    for point in (0..POINTS).chain((0..POINTS).rev()) {
        let iova = Iova::new(address(point));
        let owner = dense.owner.get(&point).copied();
        assert_eq!(slots.containing(iova), owner);
        assert_eq!(slots.lookup_with(&mut finger, iova), owner);
        assert_eq!(slots.first_ending_at_or_after(iova), dense.lowest_in(point, POINTS - 1));
        assert_eq!(slots.gap_containing(iova).map(ends), dense.gap(point));
        for last in point..POINTS {
            let window = span(address(point), address(last));
            assert_eq!(slots.first_overlapping(window), dense.lowest_in(point, last));
            let found: Vec<_> = slots.overlapping(window).map(|(id, _)| id).collect();
            assert_eq!(found, dense.owners(point, last));
            let mut folded = Vec::new();
            slots.overlapping(window).for_each(|(id, _)| folded.push(id));
            assert_eq!(folded, found);
        }
    }
}

/// Inserts into both, or checks that both refuse because of the same slot.
fn insert(slots: &mut Slots<u64>, dense: &mut Dense, first: u64, last: u64) -> Option<SlotId> {
    let range = span(address(first), address(last));
    let blocker = dense.lowest_in(first, last);
    let result = slots.insert(range, first);
    assert_eq!(result.err(), blocker);
    let id = result.ok()?;
    dense.insert(first, last, id);
    assert_eq!(slots.span(id), Some(range));
    assert_eq!(slots.get(id), Some(&first));
    Some(id)
}

fn permutations(items: &mut Vec<(u64, u64)>, from: usize, visit: &mut impl FnMut(&[(u64, u64)])) {
    if from == items.len() {
        visit(items);
    }
    for other in from..items.len() {
        items.swap(from, other);
        permutations(items, from + 1, visit);
        items.swap(from, other);
    }
}

#[test]
fn awkward_ranges_in_every_order() {
    // ◆ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌  the first address of all
    // ◌ ●---◆ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌  touches that one
    // ◌ ◌ ◌ ◆ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌  the last of that one
    // ◌ ◌ ◌ ◌ ◌ ●-------------------------◆ ◌ ◌ ◌ ◌ ◌  over the middle
    // ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ●---◆ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌  inside that one
    // ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ●---------◆ ◌  over its end
    // ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◌ ◆  the last address of all
    let mut ranges = vec![(0, 0), (1, 3), (3, 3), (5, 18), (10, 12), (17, 22), (23, 23)];
    permutations(&mut ranges, 0, &mut |order| {
        let mut slots = Slots::new();
        let mut dense = Dense::default();
        let mut made = Vec::new();
        for &(first, last) in order {
            made.extend(insert(&mut slots, &mut dense, first, last));
        }
        agree(&slots, &dense);
        for id in made {
            assert!(slots.remove(id).is_some());
            dense.remove(id);
        }
        agree(&slots, &dense);
    });
}

#[test]
fn the_whole_space_is_one_range() {
    let mut slots = Slots::new();
    assert_eq!(slots.gap_containing(Iova::new(5)).map(ends), Some((0, u64::MAX)));
    let id = slots.insert(span(0, u64::MAX), 'a').unwrap();
    for at in [0, 1 << 63, u64::MAX] {
        assert_eq!(slots.containing(Iova::new(at)), Some(id));
        assert_eq!(slots.gap_containing(Iova::new(at)), None);
        assert_eq!(slots.insert(span(at, at), 'b'), Err(id));
    }
    assert_eq!(slots.remove(id), Some('a'));
    assert_eq!(slots.first_ending_at_or_after(Iova::new(0)), None);
    slots.check();
}

#[test]
fn a_stale_id_names_nothing() {
    let mut slots = Slots::new();
    let old = slots.insert(span(0x1000, 0x1fff), 1).unwrap();
    assert_eq!(slots.remove(old), Some(1));
    let new = slots.insert(span(0x1000, 0x1fff), 2).unwrap();
    assert_eq!(old.index, new.index, "the place is used again");
    assert_eq!(slots.get(old), None);
    assert_eq!(slots.get_mut(old), None);
    assert_eq!(slots.span(old), None);
    assert_eq!(slots.remove(old), None);
    *slots.get_mut(new).unwrap() = 3;
    assert_eq!(slots.get(new), Some(&3));
    slots.clear();
    let after = slots.insert(span(0x1000, 0x1fff), 4).unwrap();
    assert_eq!(slots.get(new), None);
    assert_eq!(slots.get(after), Some(&4));
}

#[test]
fn drain_hands_back_everything_in_order() {
    let mut slots = Slots::new();
    for page in [7_u64, 3, 9, 1, 5] {
        slots.insert(span(page << 12, (page << 12) + 0xfff), page).unwrap();
    }
    let listed: Vec<u64> = slots.iter().map(|(_, _, page)| *page).collect();
    assert_eq!(listed, [1, 3, 5, 7, 9]);
    assert_eq!(slots.iter().len(), 5);
    let stale = slots.containing(Iova::new(0x1000)).unwrap();
    let drained: Vec<_> = slots.drain().map(|(range, page)| (range.start().get(), page)).collect();
    assert_eq!(drained, [(0x1000, 1), (0x3000, 3), (0x5000, 5), (0x7000, 7), (0x9000, 9)]);
    assert!(slots.is_empty());
    assert_eq!(slots.get(stale), None);
    slots.check();
}

/// A stream of numbers for the long tests, each a function of the seed alone.
struct Numbers(u64);

impl Numbers {
    /// The next number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// The reference for many ranges: std's tree, by start.
type Twin = BTreeMap<u64, (u64, SlotId)>;

fn twin_at(twin: &Twin, at: u64) -> Option<SlotId> {
    let (_, (last, id)) = twin.range(..=at).next_back()?;
    (at <= *last).then_some(*id)
}

fn twin_ending_from(twin: &Twin, at: u64) -> Option<SlotId> {
    twin_at(twin, at).or_else(|| twin.range(at..).next().map(|(_, (_, id))| *id))
}

/// Compares all entries, and lookups at and around every boundary.
fn agree_with_twin<T>(slots: &Slots<T>, twin: &Twin) {
    slots.check();
    let listed = slots.iter().map(|(id, range, _)| (ends(range), id));
    let expected = twin.iter().map(|(&start, &(last, id))| ((start, last), id));
    assert!(listed.eq(expected));
    let mut finger = Finger::default();
    for (&start, &(last, _)) in twin {
        for at in [start.wrapping_sub(1), start, last, last.wrapping_add(1)] {
            let iova = Iova::new(at);
            assert_eq!(slots.containing(iova), twin_at(twin, at));
            assert_eq!(slots.lookup_with(&mut finger, iova), twin_at(twin, at));
            assert_eq!(slots.first_ending_at_or_after(iova), twin_ending_from(twin, at));
        }
    }
}

/// Where the long tests place their ranges: evenly, in two distant clusters, or crowded with one
/// distant range, which are the directory's best, middling and worst cases.
#[derive(Clone, Copy, Debug)]
enum Place {
    Even,
    TwoClusters,
    Huddled,
}

impl Place {
    fn start(self, page: u64) -> u64 {
        match self {
            Place::Even => page << 12,
            Place::TwoClusters if page.is_multiple_of(2) => page << 12,
            Place::TwoClusters => u64::MAX - 0xfff - (page << 12),
            Place::Huddled if page == 0 => u64::MAX - 0xfff,
            Place::Huddled => page << 12,
        }
    }
}

fn churn(place: Place, seed: u64, pages: u64, steps: usize) {
    let mut slots = Slots::new();
    let mut twin = Twin::new();
    let mut numbers = Numbers(seed);
    for step in 0..steps {
        // Grow for half of the steps, then shrink, so that nodes split and merge.
        let grow = if step < steps / 2 { 7 } else { 3 };
        let start = place.start(numbers.below(pages));
        if numbers.below(10) < grow {
            let last = start + 0xfff - numbers.below(0x10);
            let result = slots.insert(span(start, last), step);
            match twin.get(&start) {
                Some((_, there)) => assert_eq!(result, Err(*there)),
                None => drop(twin.insert(start, (last, result.unwrap()))),
            }
        } else if let Some((_, (_, id))) = twin.range(start..).next() {
            let id = *id;
            assert!(slots.remove(id).is_some());
            twin.retain_not(id, start);
        }
        if step % (steps / 16) == 0 {
            agree_with_twin(&slots, &twin);
        }
    }
    let (leaves, inners) = slots.nodes();
    assert!(leaves <= 1 + slots.len() / super::node::LEAF_MIN, "leaves in use are well filled");
    assert!(inners <= 1 + leaves / 4, "and so are the levels above");
    if let Place::Even = place {
        assert!(slots.led_right() * 10 >= slots.len() * 7, "churn does not wear the directory out");
    }
    let ids: Vec<_> = twin.values().map(|(_, id)| *id).collect();
    for id in ids.iter().step_by(2).chain(ids.iter().skip(1).step_by(2)) {
        assert!(slots.remove(*id).is_some());
    }
    slots.check();
    assert_eq!((slots.len(), slots.height(), slots.nodes()), (0, 0, (1, 0)));
}

/// Removal by id from a reference keyed by start.
trait RetainNot {
    fn retain_not(&mut self, id: SlotId, from: u64);
}

impl RetainNot for Twin {
    fn retain_not(&mut self, id: SlotId, from: u64) {
        let (&start, _) =
            self.range(from..).find(|(_, (_, there))| *there == id).expect("the twin has it");
        self.remove(&start);
    }
}

#[test]
fn churn_in_a_large_space() {
    for (place, seed) in [(Place::Even, 11), (Place::TwoClusters, 12), (Place::Huddled, 13)] {
        churn(place, seed, 6000, 24_000);
        churn(place, seed + 10, 300, 6000);
    }
}

#[test]
fn ranges_in_order_fill_their_leaves() {
    let page = |number: u64| span(number << 12, (number << 12) + 0xfff);
    let mut up = Slots::new();
    let mut down = Slots::new();
    for number in 0..4096 {
        up.insert(page(number), ()).unwrap();
        down.insert(page(4095 - number), ()).unwrap();
    }
    for slots in [up, down] {
        slots.check();
        let (leaves, _) = slots.nodes();
        assert!(leaves * 10 < 4096 + 100, "ten entries and more to a leaf");
        assert!(slots.height() >= 2);
    }
}

#[test]
fn memory_stays_bounded_under_churn() {
    let mut slots = Slots::new();
    let mut numbers = Numbers(5);
    let mut held = Vec::new();
    for _ in 0..40_000 {
        let start = numbers.below(1 << 20) << 12;
        held.extend(slots.insert(span(start, start + 0xfff), ()));
        if held.len() > 500 {
            let index = numbers.below(held.len() as u64) as usize;
            slots.remove(held.swap_remove(index)).unwrap();
        }
    }
    slots.check();
    assert!(slots.slab.capacity() <= 1024, "places in the slab are used again");
    assert!(slots.tree.leaves.places() <= 150, "and those in the arena");
}

#[test]
fn a_finger_forgets_when_the_index_changes() {
    let mut slots = Slots::new();
    let mut finger = Finger::default();
    let at = Iova::new(0x1800);
    assert_eq!(slots.lookup_with(&mut finger, at), None);
    let id = slots.insert(span(0x1000, 0x1fff), ()).unwrap();
    assert_eq!(slots.lookup_with(&mut finger, at), Some(id));
    slots.remove(id);
    assert_eq!(slots.lookup_with(&mut finger, at), None);
    slots.clear();
    let id = slots.insert(span(0, u64::MAX), ()).unwrap();
    assert_eq!(slots.lookup_with(&mut finger, at), Some(id));
}

/// An operation of a property test.
#[derive(Clone, Debug)]
enum Op {
    /// Insert the points from the first to the second.
    Insert(u64, u64),
    /// Remove the slot at this point, if any.
    Remove(u64),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        60 => (0..POINTS, 0..4_u64)
            .prop_map(|(first, more)| Op::Insert(first, (first + more).min(POINTS - 1))),
        40 => (0..POINTS).prop_map(Op::Remove),
        1 => Just(Op::Clear),
    ]
}

proptest! {
    #[test]
    fn agrees_with_one_key_a_point(ops in prop::collection::vec(op(), 1..60)) {
        let mut slots = Slots::new();
        let mut dense = Dense::default();
        for op in ops {
            match op {
                Op::Insert(first, last) => drop(insert(&mut slots, &mut dense, first, last)),
                Op::Remove(point) => {
                    if let Some(&id) = dense.owner.get(&point) {
                        assert!(slots.remove(id).is_some());
                        dense.remove(id);
                    }
                }
                Op::Clear => {
                    slots.clear();
                    dense = Dense::default();
                }
            }
        }
        agree(&slots, &dense);
    }

    #[test]
    fn agrees_with_std_in_a_wide_space(
        ops in prop::collection::vec((any::<u8>(), 0..512_u64, 0..64_u32), 100..900),
    ) {
        let mut slots = Slots::new();
        let mut twin = Twin::new();
        for (choice, place, lg2) in ops {
            // Places at every order of magnitude: clusters within clusters.
            let start = place << lg2.min(55);
            if choice >= 64 {
                let last = start.saturating_add(u64::from(choice - 64) << (lg2 / 2));
                let blocker = twin_ending_from(&twin, start)
                    .filter(|id| slots.span(*id).unwrap().start().get() <= last);
                let result = slots.insert(span(start, last), choice);
                assert_eq!(result.err(), blocker);
                if let Ok(id) = result {
                    twin.insert(start, (last, id));
                }
            } else if let Some(id) = twin_ending_from(&twin, start) {
                let (removed, _) = ends(slots.span(id).unwrap());
                slots.remove(id).unwrap();
                twin.remove(&removed);
            }
        }
        agree_with_twin(&slots, &twin);
    }
}
