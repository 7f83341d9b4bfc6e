//! Entries checked against a definition: an entry is the set of streams it matches.

use super::super::probe::StreamMapping;
use super::super::testkit::features;
use super::super::work::Work;
use super::{StreamMap, Way};
use crate::iommu::BootError;
use crate::policy::{Policy, Profile, Smmu2Unattached};
use passim_model::StreamId;
use std::collections::BTreeSet;

/// StreamID bits that are tested.
const BITS: u32 = 3;

fn map() -> StreamMap {
    StreamMap::new(&features(), &Profile::Linux6_12.policy())
}

/// A table as before 4.9.
fn old() -> StreamMap {
    StreamMap::new(&features(), &Profile::Linux4_6.policy())
}

fn streams_of(id: u32, mask: u32) -> BTreeSet<u32> {
    (0..1 << BITS).filter(|stream| (stream ^ id) & !mask == 0).collect()
}

#[test]
fn two_entries_share_all_streams_or_none() {
    let all = || (0..1u32 << BITS).flat_map(|id| (0..1u32 << BITS).map(move |mask| (id, mask)));
    for (id, mask) in all() {
        for (other, others) in all() {
            let mut map = map();
            assert_eq!(map.take(&[StreamId::new(id)], mask, 1), Ok(vec![0]));
            let second = map.take(&[StreamId::new(other)], others, 1);
            let (first, wanted) = (streams_of(id, mask), streams_of(other, others));
            let expected = if wanted.is_subset(&first) {
                Ok(vec![0])
            } else if wanted.is_disjoint(&first) {
                Ok(vec![1])
            } else {
                Err(BootError::StreamConflict(StreamId::new(other)))
            };
            assert_eq!(second, expected, "{id:#x}/{mask:#x} then {other:#x}/{others:#x}");
        }
    }
}

#[test]
fn entries_run_out_and_come_back() {
    let mut map = map();
    let streams: Vec<_> = (1..=4).map(StreamId::new).collect();
    let taken = map.take(&streams, 0, 1).unwrap();
    assert_eq!(taken, [0, 1, 2, 3]);
    let fifth = StreamId::new(5);
    assert_eq!(map.take(&[fifth], 0, 1), Err(BootError::NoStreamEntry(fifth)));
    // Entries allocated for a device that fails are freed.
    assert_eq!(map.take(&[StreamId::new(4), fifth], 0, 1), Err(BootError::NoStreamEntry(fifth)));
    assert_eq!(map.give_back(&taken[..2]), [0, 1]);
    assert_eq!(map.take(&[fifth, StreamId::new(4)], 0, 1), Ok(vec![0, 3]));
    assert_eq!(map.give_back(&[3]), Vec::<usize>::new(), "another device has it still");
    assert_eq!(map.give_back(&[3]), [3]);
}

#[test]
fn groups_share_no_entry() {
    let mut map = map();
    let stream = StreamId::new(6);
    assert_eq!(map.take(&[stream], 1, 1), Ok(vec![0]));
    let neighbour = StreamId::new(7);
    assert_eq!(map.take(&[neighbour], 0, 2), Err(BootError::StreamTaken(neighbour)));
    assert_eq!(map.take(&[neighbour], 0, 1), Ok(vec![0]));
}

#[test]
fn registers_hold_streams_and_where_they_go() {
    let mut map = map();
    let taken = map.take(&[StreamId::new(0x480)], 0x1f, 1).unwrap();
    let store = |at, value| Work::Store { at, value };
    // S2CR.TYPE is 2; SMR is valid.
    assert_eq!(map.write(0), [store(0xc00, 2 << 16), store(0x800, 1 << 31 | 0x1f << 16 | 0x480)]);
    assert_eq!(map.send(&taken, Way::Bank(5)), [store(0xc00, 5)]);
    assert_eq!(map.send(&taken, Way::Bank(5)), []);
    assert_eq!(map.send(&taken, Way::Bypass), [store(0xc00, 1 << 16)]);
    map.give_back(&taken);
    // No longer valid; the StreamID and its mask stay.
    assert_eq!(map.write(0), [store(0xc00, 2 << 16), store(0x800, 0x1f << 16 | 0x480)]);
    // EXIDENABLE: 16 bits of StreamID, and S2CR holds the valid bit.
    let wide = super::Features { extended_ids: true, ..features() };
    let policy = Profile::Linux6_12.policy();
    let policy = Policy { smmu2_unattached: Smmu2Unattached::Bypass, ..policy };
    let mut map = StreamMap::new(&wide, &policy);
    map.take(&[StreamId::new(0x8001)], 0, 1).unwrap();
    assert_eq!(map.write(0), [store(0xc00, 1 << 16 | 1 << 10), store(0x800, 0x8001)]);
}

/// Before 4.9 SMR is stored first, even where there is none.
#[test]
fn a_reset_stores_every_entry() {
    let store = |at, value| Work::Store { at, value };
    let indexed = super::Features { mapping: StreamMapping::Indexed, groups: 2, ..features() };
    let [old, new] = [Profile::Linux4_6, Profile::Linux6_12].map(Profile::policy);
    let all = |policy: &Policy| StreamMap::new(&indexed, policy).write_all(policy.smmu2_entries);
    let bypass = 1 << 16;
    let before = [store(0x800, 0), store(0xc00, bypass), store(0x804, 0), store(0xc04, bypass)];
    assert_eq!(all(&old), before);
    assert_eq!(all(&new), [store(0xc00, 2 << 16), store(0xc04, 2 << 16)]);
}

#[test]
fn entries_that_come_with_a_domain_are_one_a_stream() {
    let mut map = old();
    let [eight, nine] = [8, 9].map(StreamId::new);
    assert_eq!(map.take_each(&[eight, nine], 1), Ok(vec![0, 1]));
    // Devices of one group share; another group has its own entry, and both match.
    assert_eq!(map.take_each(&[nine], 1), Ok(vec![1]));
    assert_eq!(map.take_each(&[nine], 2), Ok(vec![2]));
    // Nothing is allocated for a device that finds one entry of two.
    let more = [10, 11].map(StreamId::new);
    assert_eq!(map.take_each(&more, 3), Err(BootError::NoStreamEntry(more[1])));
    assert_eq!(map.take_each(&more[..1], 3), Ok(vec![3]));
}

/// S2CR.TYPE is bit 16, PRIVCFG bit 25, VALID of the SMR bit 31.
#[test]
fn entries_that_come_with_a_domain_are_written_with_it() {
    let store = |at, value| Work::Store { at, value };
    let mut map = old();
    let taken = map.take_each(&[8, 9].map(StreamId::new), 1).unwrap();
    let [matches, ways] = [0x800, 0xc00].map(|at| [at, at + 4]);
    let came = [
        store(matches[0], 1 << 31 | 8),
        store(matches[1], 1 << 31 | 9),
        store(ways[0], 2 << 24 | 3),
        store(ways[1], 2 << 24 | 3),
    ];
    assert_eq!(map.enter(&taken, Way::Bank(3)), came);
    let gone = [
        store(ways[0], 1 << 16),
        store(ways[1], 1 << 16),
        store(matches[0], 0x7fff_ffff),
        store(matches[1], 0x7fff_ffff),
    ];
    assert_eq!(map.leave(taken), gone);
    assert_eq!(map.leave(Vec::new()), []);
}
