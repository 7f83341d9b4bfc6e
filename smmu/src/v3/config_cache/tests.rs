use super::*;
use crate::v3::config::cd::CdFlaw;

const ABORT: Ste = Ste { state: SteState::Abort, pasid_in_responses: false };

fn stream(number: u32) -> StreamId {
    StreamId::new(number)
}

fn cache() -> ConfigCache {
    let mut cache = ConfigCache::new(ConfigGeometry { stes_lg2: 2, cds_lg2: 4 }, Retention::Sized);
    for number in 0..4 {
        cache.insert_ste(stream(number), ABORT);
        cache.insert_cd(stream(number), 0, Err(CdFlaw::NotValid));
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

#[test]
fn everything_is_kept_with_the_descriptors_on_the_way() {
    let mut cache = ConfigCache::new(ConfigGeometry::default(), Retention::Everything);
    for number in 0..1000 {
        cache.insert_ste(stream(number), ABORT);
    }
    assert_eq!(cache.streams().len(), 1000);
    let read = |word: u64| move || Ok::<u64, ()>(word);
    assert_eq!(cache.level_one_of_stream(stream(0x105), 8, read(1)), Ok(1));
    assert_eq!(cache.level_one_of_stream(stream(0x1ff), 8, read(2)), Ok(1));
    cache.invalidate_streams(stream(0x105), stream(0x105), true);
    assert_eq!(cache.level_one_of_stream(stream(0x100), 8, read(3)), Ok(1));
    cache.invalidate_streams(stream(0x200), stream(0x2ff), false);
    assert_eq!(cache.level_one_of_stream(stream(0x100), 8, read(4)), Ok(1));
    cache.invalidate_streams(stream(0x1ab), stream(0x1ab), false);
    assert_eq!(cache.level_one_of_stream(stream(0x100), 8, read(5)), Ok(5));
    cache.insert_level_one_of_cd(stream(1), 70, 6, 9);
    cache.invalidate_cd(stream(1), 70, true);
    assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), Some(9));
    cache.invalidate_cd(stream(1), 63, false);
    assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), Some(9));
    cache.invalidate_cd(stream(1), 64, false);
    assert_eq!(cache.level_one_of_cd(stream(1), 64, 6), None);
}
