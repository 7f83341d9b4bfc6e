use super::*;
use crate::v3::config::cd::CdFlaw;

fn stream(number: u32) -> StreamId {
    StreamId::new(number)
}

fn cache() -> ConfigCache {
    let mut cache = ConfigCache::new(ConfigGeometry { stes_lg2: 2, cds_lg2: 4 });
    for number in 0..4 {
        cache.insert_ste(stream(number), SteState::Abort);
        cache.insert_cd(stream(number), 0, Err(CdFlaw::NotValid));
    }
    cache
}

#[test]
fn a_collision_replaces() {
    let mut cache = cache();
    cache.insert_ste(stream(5), SteState::Abort);
    assert!(cache.ste(stream(1)).is_none() && cache.ste(stream(5)).is_some());
    assert_eq!(cache.streams(), [0, 2, 3, 5].map(stream));
}

#[test]
fn ranges_drop_streams_and_their_contexts() {
    for (first, last, left) in [(1, 2, vec![0, 3]), (0, u32::MAX, vec![]), (4, 5, vec![0, 1, 2, 3])]
    {
        let mut cache = cache();
        cache.invalidate_streams(stream(first), stream(last));
        let left: Vec<StreamId> = left.into_iter().map(stream).collect();
        assert_eq!(cache.streams(), left);
        let contexts: Vec<StreamId> = cache.contexts().iter().map(|context| context.0).collect();
        assert_eq!(contexts, left);
    }
}

#[test]
fn a_new_ste_takes_the_contexts_with_it() {
    let mut cache = cache();
    cache.insert_ste(stream(2), SteState::Abort);
    assert!(cache.cd(stream(2), 0).is_none() && cache.cd(stream(1), 0).is_some());
}
