//! How caches are built: sets, ways, and which way of a full set gives way.
//!
//! Every cache of an SMMU has a [`Geometry`] of its own. What is cached, and what makes it
//! forgotten, is the business of the rooms that hold one: [`tlb`](crate::tlb), and the
//! configuration caches of SMMUv3.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `replacement` | which way of a full set gives way? |
//! | `ways` | what does a cache of limited size hold? |

mod replacement;
mod ways;

pub(crate) use replacement::Replacement;
use std::collections::BTreeMap;
use ways::Ways;

/// Which entry of a full set gives way. IHI 0070 and IHI 0062 leave it open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Victim {
    /// Each way of the set in turn.
    #[default]
    RoundRobin,
    /// The one used longest ago.
    LeastRecentlyUsed,
    /// A pseudo-random one.
    Random {
        /// What the sequence follows from: the same one, the same evictions.
        seed: u32,
    },
}

/// How large a cache is. Entries that follow one another lie in sets that do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Geometry {
    /// log2 of the number of sets; at most [`Geometry::MOST_SETS_LG2`] of a TLB, and
    /// [`Geometry::MOST_SETS_OF_STRUCTURES_LG2`] otherwise.
    pub sets_lg2: u8,
    /// Entries a set; at least 1, at most [`Geometry::MOST_WAYS`].
    pub ways: u8,
    /// Which entry of a full set gives way.
    pub victim: Victim,
}

impl Geometry {
    /// log2 of the most sets, of a TLB.
    pub const MOST_SETS_LG2: u8 = 20;
    /// The same of caches that hold what was read: tables, STEs, CDs and descriptors.
    pub const MOST_SETS_OF_STRUCTURES_LG2: u8 = 16;
    /// Most entries of a set.
    pub const MOST_WAYS: u8 = 16;

    /// `1 << sets_lg2` sets of `ways` ways, each of which gives way in turn.
    pub const fn new(sets_lg2: u8, ways: u8) -> Self {
        Self { sets_lg2, ways, victim: Victim::RoundRobin }
    }

    /// The same inside the limits.
    pub(crate) fn bounded(self) -> Self {
        let sets_lg2 = self.sets_lg2.min(Self::MOST_SETS_LG2);
        Self { sets_lg2, ways: self.ways.clamp(1, Self::MOST_WAYS), ..self }
    }

    /// Entries of all sets together.
    pub const fn entries(self) -> usize {
        (self.ways as usize) << self.sets_lg2
    }

    /// Whether it makes a difference when an entry was used.
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

/// How long what was cached is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Retention {
    /// As long as there is room.
    #[default]
    Sized,
    /// Until it is invalidated, however much it is; and everything is cached that may be:
    /// intermediate tables, level-1 descriptors, contiguous runs as one. What a driver forgets
    /// to invalidate then always shows.
    Everything,
}

/// What an entry is named by.
pub(crate) trait Key: Copy + Ord {
    /// The number of its set, before that is cut to size.
    fn spread(self) -> u64;
}

/// A cache of structures by name.
#[derive(Clone)]
pub(crate) enum Cache<K, V> {
    /// There is none.
    Absent,
    /// Of limited size.
    Sized(Ways<K, V>),
    /// Without end.
    Everything(BTreeMap<K, V>),
}

impl<K: Key, V> Cache<K, V> {
    /// An empty cache of this size, brought inside the limits; absent where none is given and not
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

    /// Whether there is one.
    #[inline]
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// What has this name. It is no use of it: [`Self::touch`] is.
    #[inline]
    pub(crate) fn get(&self, key: K) -> Option<&V> {
        match self {
            Self::Absent => None,
            Self::Sized(ways) => ways.get(key),
            Self::Everything(map) => map.get(&key),
        }
    }

    /// Takes note of a use of what has this name.
    #[inline]
    pub(crate) fn touch(&mut self, key: K) {
        if let Self::Sized(ways) = self {
            ways.touch(key);
        }
    }

    /// Caches a structure, in place of one that gives way if there is no room.
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

    /// Entries there is room for, where there is a limit.
    pub(crate) fn slots(&self) -> Option<usize> {
        match self {
            Self::Absent => Some(0),
            Self::Sized(ways) => Some(ways.slots()),
            Self::Everything(_) => None,
        }
    }

    /// The names of what is cached, ascending.
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
