//! How caches are built: sets, ways, and replacement.
//!
//! Every cache of an SMMU has a [`Geometry`] of its own. The rooms that own a cache decide what is
//! cached and what invalidates it: [`tlb`](crate::tlb), and the configuration caches of SMMUv3.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `replacement` | which way of a full set is replaced? |
//! | `ways` | what does a cache of limited size hold? |

mod replacement;
mod ways;

pub(crate) use replacement::Replacement;
use std::collections::BTreeMap;
use ways::Ways;

/// Which entry of a full set is replaced. IHI 0070 and IHI 0062 leave it open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Victim {
    /// Each way of the set in turn.
    #[default]
    RoundRobin,
    /// The one used longest ago.
    LeastRecentlyUsed,
    /// A pseudo-random one.
    Random {
        /// Seed of the sequence: equal seeds give equal evictions.
        seed: u32,
    },
}

/// The size of a cache. Consecutive entries lie in consecutive sets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Geometry {
    /// log2 of the number of sets; at most [`Geometry::MOST_SETS_LG2`] for a TLB, and
    /// [`Geometry::MOST_SETS_OF_STRUCTURES_LG2`] otherwise.
    pub sets_lg2: u8,
    /// Entries per set; at least 1, at most [`Geometry::MOST_WAYS`].
    pub ways: u8,
    /// Which entry of a full set is replaced.
    pub victim: Victim,
}

impl Geometry {
    /// log2 of the most sets of a TLB.
    pub const MOST_SETS_LG2: u8 = 20;
    /// The same for caches of structures: tables, STEs, CDs and descriptors.
    pub const MOST_SETS_OF_STRUCTURES_LG2: u8 = 16;
    /// Most entries of a set.
    pub const MOST_WAYS: u8 = 16;

    /// `1 << sets_lg2` sets of `ways` ways, replaced in turn.
    pub const fn new(sets_lg2: u8, ways: u8) -> Self {
        Self { sets_lg2, ways, victim: Victim::RoundRobin }
    }

    /// This geometry, clamped to the limits.
    pub(crate) fn bounded(self) -> Self {
        let sets_lg2 = self.sets_lg2.min(Self::MOST_SETS_LG2);
        Self { sets_lg2, ways: self.ways.clamp(1, Self::MOST_WAYS), ..self }
    }

    /// Entries of all sets together.
    pub const fn entries(self) -> usize {
        (self.ways as usize) << self.sets_lg2
    }

    /// Whether replacement depends on when entries were used.
    pub(crate) fn counts_uses(self) -> bool {
        self.victim == Victim::LeastRecentlyUsed && self.ways > 1
    }
}

impl Default for Geometry {
    /// 4096 entries, direct mapped.
    fn default() -> Self {
        Self::new(12, 1)
    }
}

/// How long cached entries are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Retention {
    /// As long as there is room.
    #[default]
    Sized,
    /// Until they are invalidated, without limit; and everything that may be cached is:
    /// intermediate tables, level-1 descriptors, contiguous runs as one. An invalidation that a
    /// driver omits then always shows.
    Everything,
}

/// The key of an entry.
pub(crate) trait Key: Copy + Ord {
    /// Its set number, before reduction to the number of sets.
    fn spread(self) -> u64;
}

/// A cache of structures by key.
#[derive(Clone)]
pub(crate) enum Cache<K, V> {
    /// No cache.
    Absent,
    /// Of limited size.
    Sized(Ways<K, V>),
    /// Of unlimited size.
    Everything(BTreeMap<K, V>),
}

impl<K: Key, V> Cache<K, V> {
    /// An empty cache of this geometry, clamped to the limits; absent without a geometry, unless
    /// everything is kept.
    pub(crate) fn new(geometry: Option<Geometry>, retention: Retention) -> Self {
        match (retention, geometry) {
            (Retention::Everything, _) => Self::Everything(BTreeMap::new()),
            (Retention::Sized, Some(geometry)) => {
                let bounded = geometry.bounded();
                let sets_lg2 = bounded.sets_lg2.min(Geometry::MOST_SETS_OF_STRUCTURES_LG2);
                Self::Sized(Ways::new(Geometry { sets_lg2, ..bounded }))
            }
            (Retention::Sized, None) => Self::Absent,
        }
    }

    /// Whether the cache exists.
    #[inline]
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The entry with this key. Does not count as a use: [`Self::touch`] does.
    #[inline]
    pub(crate) fn get(&self, key: K) -> Option<&V> {
        match self {
            Self::Absent => None,
            Self::Sized(ways) => ways.get(key),
            Self::Everything(map) => map.get(&key),
        }
    }

    /// Records a use of the entry with this key.
    #[inline]
    pub(crate) fn touch(&mut self, key: K) {
        if let Self::Sized(ways) = self {
            ways.touch(key);
        }
    }

    /// Caches a structure, replacing another if its set is full.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self {
            Self::Absent => {}
            Self::Sized(ways) => ways.insert(key, value),
            Self::Everything(map) => {
                map.insert(key, value);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) {
        match self {
            Self::Absent => {}
            Self::Sized(ways) => ways.remove(key),
            Self::Everything(map) => {
                map.remove(&key);
            }
        }
    }

    pub(crate) fn drop_where(&mut self, named: impl Fn(K, &V) -> bool) {
        match self {
            Self::Absent => {}
            Self::Sized(ways) => ways.drop_where(named),
            Self::Everything(map) => map.retain(|key, value| !named(*key, value)),
        }
    }

    /// Capacity in entries; `None` if it is unlimited.
    pub(crate) fn slots(&self) -> Option<usize> {
        match self {
            Self::Absent => Some(0),
            Self::Sized(ways) => Some(ways.slots()),
            Self::Everything(_) => None,
        }
    }

    /// The keys of all entries, ascending.
    pub(crate) fn keys(&self) -> Vec<K> {
        match self {
            Self::Absent => Vec::new(),
            Self::Sized(ways) => ways.keys(),
            Self::Everything(map) => map.keys().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
