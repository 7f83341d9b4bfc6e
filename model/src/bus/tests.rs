//! Compares the map with a search of everything that was placed.

use super::{AddressMap, Overlap, Target};
use crate::{PhysAddr, Span};
use proptest::prelude::*;

proptest! {
    #[test]
    fn each_address_has_the_part_that_was_placed_there_first(
        wanted in prop::collection::vec((0u64..200, 1u64..20), 1..40),
        looked_up in prop::collection::vec(0u64..230, 0..60),
    ) {
        let mut map = AddressMap::new();
        let mut placed: Vec<(Span<PhysAddr>, Target)> = Vec::new();
        for (index, (start, size)) in (0..).zip(wanted) {
            let span = Span::from_size(PhysAddr::new(start), size).unwrap();
            let target = Target::Interrupts(index);
            let mut others = placed.iter().filter(|(other, _)| other.overlaps(span));
            match (map.place(span, target), others.next()) {
                (Ok(()), None) => placed.push((span, target)),
                (Err(Overlap { other, .. }), Some(_)) => {
                    prop_assert!(placed.iter().any(|(at, it)| *it == other && at.overlaps(span)));
                }
                (answer, other) => prop_assert!(false, "{answer:?} beside {other:?}"),
            }
        }
        for at in (0..230).map(PhysAddr::new) {
            let there = placed.iter().find(|(span, _)| span.contains(at));
            let there = there.map(|(span, it)| (*it, at.get() - span.start().get()));
            prop_assert_eq!(map.find(at), there);
        }
        // What was looked up before, wherever it was, changes no answer.
        for at in looked_up.into_iter().map(PhysAddr::new) {
            prop_assert_eq!(map.look_up(at), map.find(at));
        }
        placed.sort_by_key(|(span, _)| span.start());
        prop_assert!(map.iter().eq(placed));
    }
}
