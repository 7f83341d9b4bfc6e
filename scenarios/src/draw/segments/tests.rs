use proptest::prelude::*;

use super::{Claim, segments};

fn claim(start: u64, last: u64, what: u8) -> Claim<u8> {
    Claim { start, last, what }
}

#[test]
fn what_stands_later_covers_what_stands_before() {
    let parts = segments(&[claim(0x1000, 0x4fff, 1), claim(0x2000, 0x2fff, 2)]);
    let told: Vec<_> = parts.iter().map(|part| (part.start, part.what)).collect();
    let cut = [(0, None), (0x1000, Some(1)), (0x2000, Some(2)), (0x3000, Some(1)), (0x5000, None)];
    assert_eq!(told, cut);
    assert_eq!(parts[4].last, u64::MAX);
    assert_eq!(parts[2].bytes(), 0x1000);
}

#[test]
fn the_whole_space_is_one_part_of_2_to_the_64_bytes() {
    let parts = segments(&[claim(0, u64::MAX, 7)]);
    assert_eq!((parts.len(), parts[0].bytes()), (1, 1 << 64));
}

/// An address near an end of a claim, or of the space.
fn address() -> impl Strategy<Value = u64> {
    prop_oneof![0..64u64, (0..64u64).prop_map(|below| u64::MAX - below), any::<u64>()]
}

proptest! {
    #[test]
    fn parts_cover_the_space_and_say_what_the_last_claim_says(
        ends in prop::collection::vec((address(), address(), 0..4u8), 0..12),
        asked in prop::collection::vec(address(), 1..32),
    ) {
        let claims: Vec<_> =
            ends.iter().map(|&(a, b, what)| claim(a.min(b), a.max(b), what)).collect();
        let parts = segments(&claims);
        prop_assert_eq!(parts[0].start, 0);
        prop_assert_eq!(parts[parts.len() - 1].last, u64::MAX);
        for pair in parts.windows(2) {
            prop_assert_eq!(pair[0].last + 1, pair[1].start);
            prop_assert_ne!(pair[0].what, pair[1].what);
        }
        for at in asked {
            let part = parts.iter().find(|part| (part.start..=part.last).contains(&at));
            let covering = claims.iter().rfind(|claim| claim.start <= at && at <= claim.last);
            prop_assert_eq!(part.unwrap().what, covering.map(|claim| claim.what));
        }
    }
}
