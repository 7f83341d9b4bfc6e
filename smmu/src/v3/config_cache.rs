//! The configuration caches: STEs by StreamID, CDs by StreamID and SubstreamID, and the level-1
//! descriptors that lead to both.
//!
//! An entry stays until a command invalidates it, whatever memory holds meanwhile. A structure that
//! was replaced is read again when it is next needed. IHI 0070 G.b 3.21.3: each kind may be cached
//! separately; a command that names leaves only need not invalidate level-1 descriptors.

use crate::cache::{Cache, Key, Retention};
use crate::v3::Caches;
use crate::v3::config::cd::{Cd, CdState};
use crate::v3::config::ste::{Ste, SteState};
use crate::v3::label::Named;
use passim_model::StreamId;

impl Key for StreamId {
    #[inline]
    fn spread(self) -> u64 {
        self.get().into()
    }
}

impl Key for (StreamId, u32) {
    #[inline]
    fn spread(self) -> u64 {
        let (stream, index) = self;
        stream.get().wrapping_add(index.wrapping_mul(0x9e37_79b1) >> 8).into()
    }
}

/// The key of a level-1 descriptor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LevelOne<Table> {
    table: Table,
    /// Which descriptor of the table.
    number: u32,
    /// log2 of the structures it leads to.
    split: u32,
}

impl<Table> LevelOne<Table> {
    /// The descriptor that leads to the structure with this index.
    fn of(table: Table, index: u32, split: u32) -> Self {
        Self { table, number: index >> split, split }
    }

    /// First and last index of the structures it leads to.
    fn span(&self) -> (u32, u32) {
        let first = self.number << self.split;
        (first, first | ((1 << self.split) - 1))
    }
}

/// A descriptor of the Stream table.
impl Key for LevelOne<()> {
    fn spread(self) -> u64 {
        self.number.into()
    }
}

/// A descriptor of a stream's CD table.
impl Key for LevelOne<StreamId> {
    fn spread(self) -> u64 {
        (self.table, self.number).spread()
    }
}

/// The caches. See the [module](self).
#[derive(Clone)]
pub(crate) struct ConfigCache {
    stes: Cache<StreamId, Ste>,
    cds: Cache<(StreamId, u32), Cd>,
    level_one_stes: Cache<LevelOne<()>, u64>,
    level_one_cds: Cache<LevelOne<StreamId>, u64>,
    changes: u64,
}

impl ConfigCache {
    /// Empty caches. Sizes are clamped to the limits of [`Geometry`](crate::cache::Geometry).
    pub(crate) fn new(sizes: &Caches, retention: Retention) -> Self {
        Self {
            stes: Cache::new(Some(sizes.stes), retention),
            cds: Cache::new(Some(sizes.cds), retention),
            level_one_stes: Cache::new(sizes.level_one_stes, retention),
            level_one_cds: Cache::new(sizes.level_one_cds, retention),
            changes: 1,
        }
    }

    /// A number that changes whenever an entry is added or dropped, or anything outside changes
    /// that decides with it; never 0.
    #[inline(always)]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Records a change of something outside that decides with the entries, such as a register.
    #[inline]
    pub(crate) fn surroundings_changed(&mut self) {
        self.changes += 1;
    }

    /// The decoded state of a stream's cached STE.
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
        self.cds.get((stream, index)).map(|cd| &cd.state)
    }

    /// The label that the cached CD of a stream names.
    pub(crate) fn label_of_cd(&self, stream: StreamId, index: u32) -> Option<Named> {
        self.cds.get((stream, index)).map(|cd| cd.label)
    }

    /// Caches an STE. Drops the stream's CDs: they were checked under the previous STE.
    pub(crate) fn insert_ste(&mut self, stream: StreamId, ste: Ste) {
        self.invalidate_cds(stream);
        self.stes.insert(stream, ste);
    }

    /// Caches a CD.
    pub(crate) fn insert_cd(&mut self, stream: StreamId, index: u32, cd: Cd) {
        self.changes += 1;
        self.cds.insert((stream, index), cd);
    }

    /// Records that a transaction used the STE of a stream.
    pub(crate) fn touch_ste(&mut self, stream: StreamId) {
        self.stes.touch(stream);
    }

    /// Records that a transaction used a CD of a stream.
    pub(crate) fn touch_cd(&mut self, stream: StreamId, index: u32) {
        self.cds.touch((stream, index));
    }

    /// The cached level-1 descriptor for the STE of `stream`.
    pub(crate) fn level_one_of_stream(&mut self, stream: StreamId, split: u32) -> Option<u64> {
        let name = LevelOne::of((), stream.get(), split);
        self.level_one_stes.touch(name);
        self.level_one_stes.get(name).copied()
    }

    /// Caches the level-1 descriptor for the STE of `stream`, where such are cached.
    pub(crate) fn insert_level_one_of_stream(&mut self, stream: StreamId, split: u32, word: u64) {
        self.level_one_stes.insert(LevelOne::of((), stream.get(), split), word);
    }

    /// The cached level-1 descriptor for the CD with this index. The caller caches it again after
    /// use.
    pub(crate) fn level_one_of_cd(&self, stream: StreamId, index: u32, split: u32) -> Option<u64> {
        self.level_one_cds.get(LevelOne::of(stream, index, split)).copied()
    }

    /// Caches the level-1 descriptor for the CD with this index, where such are cached.
    pub(crate) fn insert_level_one_of_cd(
        &mut self,
        stream: StreamId,
        index: u32,
        split: u32,
        word: u64,
    ) {
        self.level_one_cds.insert(LevelOne::of(stream, index, split), word);
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
            self.stes.drop_where(|stream, _| first <= stream && stream <= last);
        }
        self.cds.drop_where(|(stream, _), _| first <= stream && stream <= last);
        self.level_one_cds.drop_where(|name, _| first <= name.table && name.table <= last);
        if !leaf {
            self.level_one_stes.drop_where(|name, _| {
                let (start, end) = name.span();
                start <= last.get() && first.get() <= end
            });
        }
    }

    /// Drops one CD, and the level-1 descriptor that led to it unless only leaves are named.
    /// IHI 0070 G.b 4.3.3.
    pub(crate) fn invalidate_cd(&mut self, stream: StreamId, index: u32, leaf: bool) {
        self.changes += 1;
        self.cds.remove((stream, index));
        if !leaf {
            self.level_one_cds.drop_where(|name, _| {
                let (start, end) = name.span();
                name.table == stream && start <= index && index <= end
            });
        }
    }

    /// Drops every CD of a stream, and the level-1 descriptors on the way. IHI 0070 G.b 4.3.4.
    pub(crate) fn invalidate_cds(&mut self, stream: StreamId) {
        self.changes += 1;
        self.cds.drop_where(|(owner, _), _| owner == stream);
        self.level_one_cds.drop_where(|name, _| name.table == stream);
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.changes += 1;
        self.stes.drop_where(|_, _| true);
        self.cds.drop_where(|_, _| true);
        self.level_one_stes.drop_where(|_, _| true);
        self.level_one_cds.drop_where(|_, _| true);
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
