//! Every listed value is drawn, and no other.

use super::{DRAWN, its, lpi};
use crate::choice::Preset;
use crate::choice::its::{Haste, Ordering};
use std::collections::{BTreeMap, BTreeSet};

/// The name of a value, without its contents.
fn name(value: impl core::fmt::Debug) -> String {
    format!("{value:?}").split(' ').next().unwrap().to_owned()
}

fn of_seed(seed: u64) -> [(&'static str, String); 26] {
    let (i, l) = (its(seed, Preset::ArchStrict.its()), lpi(seed));
    [
        ("CommandErrors", name(i.command_errors)),
        ("MemoryErrors", name(i.memory_errors)),
        ("UnknownCommands", name(i.unknown_commands)),
        ("ReservedBits", name(i.reserved_bits)),
        ("TableBase", name(i.table_base)),
        ("QueueBase", name(i.queue_base)),
        ("EventBeyond", name(i.event_beyond)),
        ("RemapEvent", name(i.remap_event)),
        ("RemapDevice", name(i.remap_device)),
        ("IttAtMapd", name(i.itt_at_mapd)),
        ("UnmapCollection", name(i.unmap_collection)),
        ("MoveFrom", name(i.move_from_unmapped)),
        ("BasesWhileEnabled", name(i.bases_while_enabled)),
        ("WriterBeyond", name(i.writer_beyond)),
        ("Quiescent", name(i.quiescent)),
        ("Caching", name(i.caching)),
        ("ConfigRead", name(l.config)),
        ("PendingHome", name(l.pending)),
        ("PendingZero", name(l.ptz)),
        ("ClearEnable", name(l.clear_enable)),
        ("Disabling", name(l.disabling)),
        ("BaseWhileEnabled", name(l.base_while_enabled)),
        ("PropertyTable", name(l.property_table)),
        ("PendingPriority", name(l.pending_priority)),
        ("MoveToDisabled", name(l.move_to_disabled)),
        ("RegisterInvalidation", name(l.register_invalidation)),
    ]
}

#[test]
fn every_value_is_drawn_and_none_besides() {
    let mut seen = BTreeMap::<_, BTreeSet<_>>::new();
    for seed in 0..64 {
        for (home, value) in of_seed(seed) {
            seen.entry(home).or_default().insert(value);
        }
    }
    for point in DRAWN {
        let said: BTreeSet<_> = point.values.iter().map(|value| (*value).to_owned()).collect();
        assert_eq!(seen.remove(point.home), Some(said), "{}", point.home);
    }
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_haste_is_drawn() {
    let haste = |seed| match its(seed, Preset::ArchStrict.its()).ordering {
        Ordering::Late { haste, .. } => haste,
        Ordering::AtOnce => panic!("seed {seed}"),
    };
    for wanted in [Haste::Even, Haste::Slow, Haste::Never] {
        assert!((0..8).any(|seed| haste(seed) == wanted), "{wanted:?}");
    }
}

#[test]
fn other_points_are_as_the_architecture_has_them() {
    let strict = Preset::ArchStrict.its();
    for seed in 0..64 {
        let drawn = its(seed, strict);
        assert_eq!((drawn.restart, drawn.reader), (strict.restart, strict.reader));
        let settled =
            |choices: crate::choice::ItsChoices| (choices.cleared_by_base, choices.enabling);
        assert_eq!(settled(drawn), settled(strict));
        assert_eq!(drawn.map_to_unmapped, strict.map_to_unmapped);
        assert_eq!(drawn.invall_scope, strict.invall_scope);
    }
}
