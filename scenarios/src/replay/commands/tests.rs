//! Comparison of command sequences.

use super::{Added, alike, alike_but_for_pairs, difference};
use crate::replay::compare::Place;
use crate::walk::command::{Kind, Ring};

fn kinds(words: &[[u64; 2]]) -> Added {
    words.iter().map(|words| Some(Kind::of(*words))).collect()
}

const SYNC: [u64; 2] = [0x46 | 1 << 12 | 7 << 32, 0x8000_0000];

#[test]
fn addresses_and_identifiers_do_not_count() {
    let ste = |sid: u64| [3 | sid << 32, 1];
    let va = |asid: u64, address: u64, num: u64| {
        [0x12 | num << 12 | asid << 48, 1 | 3 << 8 | 1 << 10 | address]
    };
    let one = kinds(&[ste(8), va(7, 0x1000, 4), SYNC]);
    let same = kinds(&[ste(24), va(9, 0x7000, 4), [SYNC[0] + (1 << 32), 0x9000_0000]]);
    assert!(alike(&one, &same));
    // The size of an invalidation does count.
    assert!(!alike(&one, &kinds(&[ste(8), va(7, 0x1000, 5), SYNC])));
    assert!(!alike(&one, &kinds(&[va(7, 0x1000, 4), ste(8), SYNC])));
    // Commands that a dump no longer contains are only counted.
    assert!(alike(&[None, None, one[2]], &one));
    assert!(!alike(&[None, one[2]], &one));
    let place = Place { line: 1, call: "dump".to_owned() };
    let told = difference(&one, &kinds(&[ste(8), SYNC]), &place);
    assert!(told.kernel.starts_with("3 commands; from number 1 on TLBI_NH_VA["), "{told}");
    assert!(told.model.ends_with("SYNC"), "{told}");
}

#[test]
fn a_pair_of_syncs_may_be_left_out_where_one_was() {
    let ste = [3, 1];
    let kernel = kinds(&[ste, SYNC, ste, SYNC]);
    let alike_but = |words: &[[u64; 2]]| alike_but_for_pairs(&kernel, &kinds(words));
    assert!(alike_but(&[ste, SYNC, SYNC, SYNC, ste, SYNC]));
    assert!(alike_but(&[ste, SYNC, SYNC, SYNC, ste, SYNC, SYNC, SYNC]));
    // Not for one SYNC, nor for other commands, nor where the kernel has more.
    assert!(!alike_but(&[ste, SYNC, SYNC, ste, SYNC]));
    assert!(!alike_but(&[ste, ste, ste, SYNC, ste, SYNC]));
    let more = kinds(&[ste, SYNC, SYNC, SYNC, ste, SYNC]);
    assert!(!alike_but_for_pairs(&more, &kernel));
    assert!(!alike_but_for_pairs(&[None, kernel[3]], &kernel));
}

/// Linux lets the message of a SYNC overwrite its own command.
#[test]
fn a_sync_that_its_own_message_has_overwritten_has_a_name() {
    let name = |words| Kind::of(words).name();
    assert_eq!(name([0, 0x7fe0_0520]), "SYNC, overwritten by its own message");
    assert_eq!(name([0, 0]), "a command of no known name");
    assert_eq!(name([0, 0x7fe0_0521]), "a command of no known name");
}

#[test]
fn pointers_wrap_at_twice_the_size() {
    let ring = Ring::of(4);
    assert_eq!((ring.distance(30, 2), ring.slot(30), ring.after(31, 1)), (4, 14, 0));
}
