//! The configuration caches: STEs by StreamID, CDs by StreamID and SubstreamID.
//!
//! What is cached stays until a command names it, whatever memory says meanwhile. Caches of
//! limited size are direct mapped; a structure pushed out is read again when it is next needed.
//! Where everything is kept ([`Retention::Everything`]), so are the level-1 descriptors on the way.

use crate::tlb::Retention;
use crate::v3::config::cd::CdState;
use crate::v3::config::ste::{Ste, SteState};
use passim_model::StreamId;
use std::collections::BTreeMap;

/// How large the configuration caches are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConfigGeometry {
    /// log2 of the STEs held; at most 16.
    pub stes_lg2: u8,
    /// log2 of the CDs held; at most 16.
    pub cds_lg2: u8,
}

impl Default for ConfigGeometry {
    fn default() -> Self {
        Self { stes_lg2: 8, cds_lg2: 8 }
    }
}

/// What a cache slot is named by.
trait Key: Copy + Ord {
    /// A number that spreads over the slots.
    fn spread(self) -> usize;
}

impl Key for StreamId {
    #[inline]
    fn spread(self) -> usize {
        self.get() as usize
    }
}

impl Key for (StreamId, u32) {
    #[inline]
    fn spread(self) -> usize {
        let (stream, index) = self;
        stream.get().wrapping_add(index.wrapping_mul(0x9e37_79b1) >> 8) as usize
    }
}

/// One cache.
#[derive(Clone)]
enum Cache<K, V> {
    /// Direct mapped; names lie apart from what they name, so that looking through them is quick.
    Sized { names: Box<[Option<K>]>, values: Box<[Option<V>]> },
    /// Without end.
    Everything(BTreeMap<K, V>),
}

impl<K: Key, V> Cache<K, V> {
    fn new(lg2: u8, retention: Retention) -> Self {
        match retention {
            Retention::Sized => {
                let slots = 0..1usize << lg2.min(16);
                let (names, values) = (slots.clone().map(|_| None), slots.map(|_| None));
                Self::Sized { names: names.collect(), values: values.collect() }
            }
            Retention::Everything => Self::Everything(BTreeMap::new()),
        }
    }

    #[inline]
    fn get(&self, key: K) -> Option<&V> {
        match self {
            Self::Sized { names, values } => {
                let at = key.spread() & (names.len() - 1);
                if names[at] == Some(key) { values[at].as_ref() } else { None }
            }
            Self::Everything(map) => map.get(&key),
        }
    }

    fn insert(&mut self, key: K, value: V) {
        match self {
            Self::Sized { names, values } => {
                let at = key.spread() & (names.len() - 1);
                (names[at], values[at]) = (Some(key), Some(value));
            }
            Self::Everything(map) => {
                map.insert(key, value);
            }
        }
    }

    fn remove(&mut self, key: K) {
        match self {
            Self::Sized { names, .. } => {
                let name = &mut names[key.spread() & (names.len() - 1)];
                *name = name.filter(|name| *name != key);
            }
            Self::Everything(map) => {
                map.remove(&key);
            }
        }
    }

    fn drop_where(&mut self, named: impl Fn(K) -> bool) {
        match self {
            Self::Sized { names, .. } => {
                for name in names {
                    *name = name.filter(|name| !named(*name));
                }
            }
            Self::Everything(map) => map.retain(|key, _| !named(*key)),
        }
    }

    /// How many slots there are, where there is a limit.
    fn slots(&self) -> Option<usize> {
        match self {
            Self::Sized { names, .. } => Some(names.len()),
            Self::Everything(_) => None,
        }
    }

    fn keys(&self) -> Vec<K> {
        let mut keys: Vec<K> = match self {
            Self::Sized { names, .. } => names.iter().flatten().copied().collect(),
            Self::Everything(map) => map.keys().copied().collect(),
        };
        keys.sort();
        keys
    }
}

/// A level-1 descriptor as read, and the split of its table.
#[derive(Clone, Copy)]
struct Descriptor {
    split: u32,
    word: u64,
}

/// Level-1 descriptors: of Stream tables by their first StreamID, of CD tables by StreamID and
/// first SubstreamID.
#[derive(Clone, Default)]
struct LevelOne {
    streams: BTreeMap<StreamId, Descriptor>,
    contexts: BTreeMap<(StreamId, u32), Descriptor>,
}

/// The caches. See the [module](self).
#[derive(Clone)]
pub(crate) struct ConfigCache {
    stes: Cache<StreamId, Ste>,
    cds: Cache<(StreamId, u32), CdState>,
    level_one: Option<LevelOne>,
    changes: u64,
}

impl ConfigCache {
    /// Empty caches. Sizes beyond the limits of [`ConfigGeometry`] are brought inside them.
    pub(crate) fn new(geometry: ConfigGeometry, retention: Retention) -> Self {
        Self {
            stes: Cache::new(geometry.stes_lg2, retention),
            cds: Cache::new(geometry.cds_lg2, retention),
            level_one: (retention == Retention::Everything).then(LevelOne::default),
            changes: 1,
        }
    }

    /// A number that changes whenever anything is put in or taken out, or what is outside and
    /// decides with it changes; never 0.
    #[inline(always)]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// What decides beside what is cached changed: a register, say.
    #[inline]
    pub(crate) fn surroundings_changed(&mut self) {
        self.changes += 1;
    }

    /// What the cached STE of a stream says.
    #[inline]
    pub(crate) fn ste(&self, stream: StreamId) -> Option<&SteState> {
        self.stes.get(stream).map(|ste| &ste.state)
    }

    /// The cached STE of a stream, whole.
    pub(crate) fn whole_ste(&self, stream: StreamId) -> Option<&Ste> {
        self.stes.get(stream)
    }

    /// The cached CD of a stream.
    #[inline]
    pub(crate) fn cd(&self, stream: StreamId, index: u32) -> Option<&CdState> {
        self.cds.get((stream, index))
    }

    /// Caches an STE. CDs of the stream go: they were judged under the STE that was here before.
    pub(crate) fn insert_ste(&mut self, stream: StreamId, ste: Ste) {
        self.invalidate_cds(stream);
        self.stes.insert(stream, ste);
    }

    /// Caches a CD.
    pub(crate) fn insert_cd(&mut self, stream: StreamId, index: u32, state: CdState) {
        self.changes += 1;
        self.cds.insert((stream, index), state);
    }

    /// The level-1 descriptor for `stream`, where such are cached; read with `read` otherwise.
    pub(crate) fn level_one_of_stream<E>(
        &mut self,
        stream: StreamId,
        split: u32,
        read: impl FnOnce() -> Result<u64, E>,
    ) -> Result<u64, E> {
        let Some(cached) = &mut self.level_one else {
            return read();
        };
        let first = StreamId::new(stream.get() >> split << split);
        if let Some(&Descriptor { word, .. }) = cached.streams.get(&first) {
            return Ok(word);
        }
        let word = read()?;
        cached.streams.insert(first, Descriptor { split, word });
        Ok(word)
    }

    /// The cached level-1 descriptor for the CD with this index.
    pub(crate) fn level_one_of_cd(&self, stream: StreamId, index: u32, split: u32) -> Option<u64> {
        let first = index >> split << split;
        self.level_one.as_ref()?.contexts.get(&(stream, first)).map(|cached| cached.word)
    }

    /// Caches the level-1 descriptor for the CD with this index, where such are cached.
    pub(crate) fn insert_level_one_of_cd(
        &mut self,
        stream: StreamId,
        index: u32,
        split: u32,
        word: u64,
    ) {
        if let Some(cached) = &mut self.level_one {
            let first = index >> split << split;
            cached.contexts.insert((stream, first), Descriptor { split, word });
        }
    }

    /// Drops the STEs and CDs of the streams `first..=last`; the level-1 descriptors that led to
    /// the STEs stay if only leaves are named. IHI 0070 G.b 4.3.1.
    pub(crate) fn invalidate_streams(&mut self, first: StreamId, last: StreamId, leaf: bool) {
        self.changes += 1;
        let count = u64::from(last.get().saturating_sub(first.get())) + 1;
        if self.stes.slots().is_some_and(|slots| count <= slots as u64) {
            for stream in first.get()..=last.get() {
                self.stes.remove(StreamId::new(stream));
            }
        } else {
            self.stes.drop_where(|stream| first <= stream && stream <= last);
        }
        self.cds.drop_where(|(stream, _)| first <= stream && stream <= last);
        if let Some(cached) = &mut self.level_one {
            cached.contexts.retain(|(stream, _), _| *stream < first || last < *stream);
            if !leaf {
                cached.streams.retain(|start, descriptor| {
                    let end = start.get() | ((1 << descriptor.split) - 1);
                    end < first.get() || last < *start
                });
            }
        }
    }

    /// Drops one CD, and the level-1 descriptor that led to it unless only leaves are named.
    /// IHI 0070 G.b 4.3.3.
    pub(crate) fn invalidate_cd(&mut self, stream: StreamId, index: u32, leaf: bool) {
        self.changes += 1;
        self.cds.remove((stream, index));
        if let Some(cached) = self.level_one.as_mut().filter(|_| !leaf) {
            cached.contexts.retain(|&(owner, start), descriptor| {
                let split = descriptor.split;
                !(owner == stream && index >> split << split == start)
            });
        }
    }

    /// Drops every CD of a stream, and the level-1 descriptors on the way. IHI 0070 G.b 4.3.4.
    pub(crate) fn invalidate_cds(&mut self, stream: StreamId) {
        self.changes += 1;
        self.cds.drop_where(|(owner, _)| owner == stream);
        if let Some(cached) = &mut self.level_one {
            cached.contexts.retain(|(owner, _), _| *owner != stream);
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.changes += 1;
        self.stes.drop_where(|_| true);
        self.cds.drop_where(|_| true);
        if let Some(cached) = &mut self.level_one {
            *cached = LevelOne::default();
        }
    }

    /// The streams whose STE is cached, ascending.
    pub(crate) fn streams(&self) -> Vec<StreamId> {
        self.stes.keys()
    }

    /// The contexts whose CD is cached, ascending.
    pub(crate) fn contexts(&self) -> Vec<(StreamId, u32)> {
        self.cds.keys()
    }
}

#[cfg(test)]
mod tests;
