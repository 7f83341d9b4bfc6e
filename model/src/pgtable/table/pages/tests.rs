use super::Pages;
use crate::{PageSize, PhysAddr};
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn a_bitmap_in_pieces_is_a_set(ops in prop::collection::vec(0u64..300, 0..400)) {
        let mut pages = Pages::new(PageSize::K16);
        let mut set = BTreeSet::new();
        for number in ops {
            // Twice the same number: in, then out.
            let page = PhysAddr::new(number << 14);
            if set.insert(page) {
                prop_assert!(!pages.remove(page));
                pages.insert(page);
            } else {
                set.remove(&page);
                prop_assert!(pages.remove(page));
            }
            prop_assert_eq!(pages.len(), set.len());
            prop_assert!(pages.iter().eq(set.iter().copied()));
        }
    }
}
