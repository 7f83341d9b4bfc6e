//! Comparison with the standard library's set.

use super::IdSet;
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn behaves_as_a_set(
        bound in 1u32..70_000,
        changes in prop::collection::vec((any::<u32>(), any::<bool>()), 0..300),
    ) {
        let (mut ours, mut theirs) = (IdSet::new(bound), BTreeSet::new());
        for (number, add) in changes {
            let id = number % bound;
            if add {
                prop_assert_eq!(ours.insert(id), theirs.insert(id));
            } else {
                prop_assert_eq!(ours.remove(id), theirs.remove(&id));
            }
            prop_assert_eq!(ours.first(), theirs.first().copied());
            prop_assert_eq!(ours.is_empty(), theirs.is_empty());
        }
        prop_assert!(ours.iter().eq(theirs.iter().copied()));
        prop_assert!(!ours.contains(bound) && !ours.remove(u32::MAX));
    }
}
