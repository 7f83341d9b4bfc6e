//! Compares caches with lists, over every short sequence of operations.

use super::*;
use std::collections::BTreeSet;

impl Key for u8 {
    fn spread(self) -> u64 {
        self.into()
    }
}

/// One set, modelled by lists: places by number, and names by age of use.
#[derive(Clone)]
struct Set {
    places: Vec<Option<(u8, u32)>>,
    /// The place to replace next.
    turn: usize,
    /// Names, least recently used first.
    by_use: Vec<u8>,
}

#[derive(Clone)]
struct Listed {
    victim: Victim,
    sets: Vec<Set>,
}

impl Listed {
    fn new(geometry: Geometry) -> Self {
        let places = vec![None; geometry.ways.into()];
        let set = Set { places, turn: 0, by_use: Vec::new() };
        Self { victim: geometry.victim, sets: vec![set; 1 << geometry.sets_lg2] }
    }

    fn set(&mut self, key: u8) -> &mut Set {
        let at = usize::from(key) % self.sets.len();
        &mut self.sets[at]
    }

    fn get(&self, key: u8) -> Option<u32> {
        let set = &self.sets[usize::from(key) % self.sets.len()];
        let mut held = set.places.iter().flatten();
        held.find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn touch(&mut self, key: u8) {
        if self.get(key).is_some() {
            let by_use = &mut self.set(key).by_use;
            by_use.retain(|name| *name != key);
            by_use.push(key);
        }
    }

    fn insert(&mut self, key: u8, value: u32) {
        let victim = self.victim;
        let set = self.set(key);
        let is = |wanted: Option<u8>| {
            set.places.iter().position(|held| held.map(|(name, _)| name) == wanted)
        };
        let place = is(Some(key)).or_else(|| is(None)).unwrap_or_else(|| match victim {
            Victim::RoundRobin => {
                let turn = set.turn;
                set.turn = (turn + 1) % set.places.len();
                turn
            }
            _ => is(Some(set.by_use[0])).expect("what was used is held"),
        });
        if let Some((gone, _)) = set.places[place].replace((key, value)) {
            set.by_use.retain(|name| *name != gone);
        }
        self.touch(key);
    }

    fn drop_where(&mut self, named: impl Fn(u8, u32) -> bool) {
        for set in &mut self.sets {
            for place in &mut set.places {
                if let Some((gone, _)) = place.take_if(|(key, value)| named(*key, *value)) {
                    set.by_use.retain(|name| *name != gone);
                }
            }
        }
    }

    fn keys(&self) -> Vec<u8> {
        let held = self.sets.iter().flat_map(|set| set.places.iter().flatten());
        let keys: BTreeSet<u8> = held.map(|(key, _)| *key).collect();
        keys.into_iter().collect()
    }
}

const KEYS: u8 = 5;

/// Every sequence of `left` operations from here on.
fn explore(cache: &Cache<u8, u32>, listed: &Listed, left: u32) {
    assert_eq!(cache.keys(), listed.keys());
    for key in 0..KEYS {
        assert_eq!(cache.get(key).copied(), listed.get(key));
    }
    if left == 0 {
        return;
    }
    let each = |act: &dyn Fn(&mut Cache<u8, u32>, &mut Listed)| {
        let (mut cache, mut listed) = (cache.clone(), listed.clone());
        act(&mut cache, &mut listed);
        explore(&cache, &listed, left - 1);
    };
    for key in 0..KEYS {
        each(&|cache, listed| {
            cache.insert(key, left);
            listed.insert(key, left);
        });
        each(&|cache, listed| {
            cache.touch(key);
            listed.touch(key);
        });
    }
    each(&|cache, listed| {
        cache.remove(1);
        listed.drop_where(|key, _| key == 1);
    });
    each(&|cache, listed| {
        cache.drop_where(|key, value| key >= 3 && *value > 2);
        listed.drop_where(|key, value| key >= 3 && value > 2);
    });
}

#[test]
fn every_short_sequence_leaves_what_a_list_holds() {
    for victim in [Victim::RoundRobin, Victim::LeastRecentlyUsed] {
        for (sets_lg2, ways) in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)] {
            let geometry = Geometry { sets_lg2, ways, victim };
            let cache = Cache::new(Some(geometry), Retention::Sized);
            explore(&cache, &Listed::new(geometry), 5);
        }
    }
}

/// The keys evicted, in order, by inserting one key after another.
fn evictions(seed: u32) -> Vec<u8> {
    let geometry = Geometry { sets_lg2: 0, ways: 4, victim: Victim::Random { seed } };
    let mut cache = Cache::new(Some(geometry), Retention::Sized);
    let mut gone = Vec::new();
    for key in 0..200u8 {
        let before = cache.keys();
        cache.insert(key, 0);
        let after = cache.keys();
        assert_eq!(after.len(), usize::from(key.min(3)) + 1, "one gives way to one");
        gone.extend(before.into_iter().filter(|key| !after.contains(key)));
    }
    gone
}

#[test]
fn chance_follows_from_its_seed() {
    assert_eq!(evictions(7), evictions(7));
    assert_ne!(evictions(7), evictions(8));
    assert_ne!(evictions(7), (0..196).collect::<Vec<_>>(), "not simply the oldest");
}

#[test]
fn chance_leaves_no_way_out() {
    let mut replacement =
        Replacement::new(Geometry { sets_lg2: 1, ways: 16, victim: Victim::Random { seed: 0 } });
    let ways: BTreeSet<usize> = (0..400).map(|_| replacement.give_way(16)).collect();
    assert_eq!(ways, (16..32).collect());
}

#[test]
fn a_cache_that_is_absent_holds_nothing_and_one_without_end_all() {
    let mut absent = Cache::new(None, Retention::Sized);
    absent.insert(1u8, 1);
    assert!(!absent.is_present() && absent.get(1).is_none() && absent.slots() == Some(0));
    let mut endless = Cache::new(None, Retention::Everything);
    (0..=255u8).for_each(|key| endless.insert(key, 0));
    assert_eq!((endless.keys().len(), endless.slots()), (256, None));
}

#[test]
fn sizes_beyond_the_limits_are_brought_inside() {
    let wild = Geometry { sets_lg2: 200, ways: 0, victim: Victim::RoundRobin };
    let bounded = wild.bounded();
    assert_eq!((bounded.sets_lg2, bounded.ways), (20, 1));
    assert_eq!(Geometry::new(0, 255).bounded().ways, 16);
}
