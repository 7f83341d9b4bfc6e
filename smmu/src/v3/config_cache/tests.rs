use super::*;
use crate::cache::{Geometry, Victim};
use crate::v3::config::cd::CdFlaw;
use crate::v3::label::SteLabel;

const ABORT: Ste = Ste { state: SteState::Abort, pasid_in_responses: false, label: SteLabel::NONE };

fn stream(number: u32) -> StreamId {
    StreamId::new(number)
}

fn cache() -> ConfigCache {
    let sizes = Caches { stes: Geometry::new(2, 1), cds: Geometry::new(4, 1), ..Caches::VIRT };
    let mut cache = ConfigCache::new(&sizes, Retention::Sized);
    for number in 0..4 {
        cache.insert_ste(stream(number), ABORT);
        let label = crate::v3::label::Named::default();
        cache.insert_cd(stream(number), 0, Cd { state: Err(CdFlaw::NotValid), label });
    }
    cache
}

#[test]
fn a_collision_replaces() {
    let mut cache = cache();
    cache.insert_ste(stream(5), ABORT);
    assert!(cache.ste(stream(1)).is_none() && cache.ste(stream(5)).is_some());
    assert_eq!(cache.streams(), [0, 2, 3, 5].map(stream));
}

#[test]
fn ranges_drop_streams_and_their_contexts() {
    for (first, last, left) in [(1, 2, vec![0, 3]), (0, u32::MAX, vec![]), (4, 5, vec![0, 1, 2, 3])]
    {
        let mut cache = cache();
        cache.invalidate_streams(stream(first), stream(last), true);
        let left: Vec<StreamId> = left.into_iter().map(stream).collect();
        assert_eq!(cache.streams(), left);
        let contexts: Vec<StreamId> = cache.contexts().iter().map(|context| context.0).collect();
        assert_eq!(contexts, left);
    }
}

#[test]
fn a_new_ste_takes_the_contexts_with_it() {
    let mut cache = cache();
    cache.insert_ste(stream(2), ABORT);
    assert!(cache.cd(stream(2), 0).is_none() && cache.cd(stream(1), 0).is_some());
}

/// What a walk of a Stream table has: the cached word, or this one, which is then cached.
fn level_one(cache: &mut ConfigCache, number: u32, memory: u64) -> u64 {
    let cached = cache.level_one_of_stream(stream(number), 8);
    if cached.is_none() {
        cache.insert_level_one_of_stream(stream(number), 8, memory);
    }
    cached.unwrap_or(memory)
}

#[test]
fn level_1_descriptors_are_kept_as_each_command_leaves_them() {
    for retention in [Retention::Sized, Retention::Everything] {
        let mut cache = ConfigCache::new(&Caches::EVERYTHING, retention);
        assert_eq!(level_one(&mut cache, 0x105, 1), 1);
        assert_eq!(level_one(&mut cache, 0x1ff, 2), 1);
        cache.invalidate_streams(stream(0x105), stream(0x105), true);
        assert_eq!(level_one(&mut cache, 0x100, 3), 1);
        cache.invalidate_streams(stream(0x200), stream(0x2ff), false);
        assert_eq!(level_one(&mut cache, 0x100, 4), 1);
        cache.invalidate_streams(stream(0x1ab), stream(0x1ab), false);
        assert_eq!(level_one(&mut cache, 0x100, 5), 5);
        cache.insert_level_one_of_cd(stream(1), 70, 6, 9);
        cache.invalidate_cd(stream(1), 70, true);
        assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), Some(9));
        cache.invalidate_cd(stream(1), 63, false);
        cache.invalidate_cd(stream(2), 64, false);
        assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), Some(9));
        cache.invalidate_cd(stream(1), 64, false);
        assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), None);
        cache.insert_level_one_of_cd(stream(1), 70, 6, 9);
        cache.invalidate_cds(stream(2));
        assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), Some(9));
        cache.invalidate_cds(stream(1));
        assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), None);
        // Leaf = 1 of CFGI_STE spares what led to the STE, and nothing that the STE led to.
        cache.insert_level_one_of_cd(stream(1), 70, 6, 9);
        cache.invalidate_streams(stream(1), stream(1), true);
        assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), None);
    }
}

#[test]
fn everything_is_kept() {
    let mut cache = ConfigCache::new(&Caches::VIRT, Retention::Everything);
    for number in 0..1000 {
        cache.insert_ste(stream(number), ABORT);
    }
    assert_eq!(cache.streams().len(), 1000);
}

#[test]
fn the_ste_used_longest_ago_gives_way() {
    let stes = Geometry { sets_lg2: 1, ways: 2, victim: Victim::LeastRecentlyUsed };
    let mut cache = ConfigCache::new(&Caches { stes, ..Caches::VIRT }, Retention::Sized);
    for number in [0, 2, 1] {
        cache.insert_ste(stream(number), ABORT);
    }
    cache.touch_ste(stream(0));
    cache.insert_ste(stream(4), ABORT);
    assert_eq!(cache.streams(), [0, 1, 4].map(stream));
}
