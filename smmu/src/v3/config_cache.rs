//! The configuration caches: STEs by StreamID, CDs by StreamID and SubstreamID.
//!
//! What is cached stays until a command names it, whatever memory says meanwhile. Both caches
//! are direct mapped; a structure pushed out is read again when it is next needed.

use crate::v3::config::cd::CdState;
use crate::v3::config::ste::SteState;
use passim_model::StreamId;

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

struct CachedSte {
    stream: StreamId,
    state: SteState,
}

struct CachedCd {
    stream: StreamId,
    index: u32,
    state: CdState,
}

/// The caches. See the [module](self).
pub(crate) struct ConfigCache {
    stes: Box<[Option<CachedSte>]>,
    cds: Box<[Option<CachedCd>]>,
    changes: u64,
}

impl ConfigCache {
    /// Empty caches. Sizes beyond the limits of [`ConfigGeometry`] are brought inside them.
    pub(crate) fn new(geometry: ConfigGeometry) -> Self {
        Self {
            stes: (0..1usize << geometry.stes_lg2.min(16)).map(|_| None).collect(),
            cds: (0..1usize << geometry.cds_lg2.min(16)).map(|_| None).collect(),
            changes: 0,
        }
    }

    /// How often anything was put in or taken out.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The cached STE of a stream.
    #[inline]
    pub(crate) fn ste(&self, stream: StreamId) -> Option<&SteState> {
        match &self.stes[self.ste_slot(stream)] {
            Some(cached) if cached.stream == stream => Some(&cached.state),
            _ => None,
        }
    }

    /// The cached CD of a stream.
    #[inline]
    pub(crate) fn cd(&self, stream: StreamId, index: u32) -> Option<&CdState> {
        match &self.cds[self.cd_slot(stream, index)] {
            Some(cached) if cached.stream == stream && cached.index == index => Some(&cached.state),
            _ => None,
        }
    }

    /// Caches an STE. CDs of the stream go: they were judged under the STE that was here before.
    pub(crate) fn insert_ste(&mut self, stream: StreamId, state: SteState) {
        self.changes += 1;
        self.invalidate_cds(stream);
        self.stes[self.ste_slot(stream)] = Some(CachedSte { stream, state });
    }

    /// Caches a CD.
    pub(crate) fn insert_cd(&mut self, stream: StreamId, index: u32, state: CdState) {
        self.changes += 1;
        let slot = self.cd_slot(stream, index);
        self.cds[slot] = Some(CachedCd { stream, index, state });
    }

    /// Drops the STEs and CDs of the streams `first..=last`.
    pub(crate) fn invalidate_streams(&mut self, first: StreamId, last: StreamId) {
        self.changes += 1;
        let named = |stream: StreamId| first <= stream && stream <= last;
        let count = u64::from(last.get().saturating_sub(first.get())) + 1;
        if count <= self.stes.len() as u64 {
            for stream in first.get()..=last.get() {
                let slot = self.ste_slot(StreamId::new(stream));
                if self.stes[slot].as_ref().is_some_and(|cached| named(cached.stream)) {
                    self.stes[slot] = None;
                }
            }
        } else {
            drop_where(&mut self.stes, |cached| named(cached.stream));
        }
        drop_where(&mut self.cds, |cached| named(cached.stream));
    }

    /// Drops one CD.
    pub(crate) fn invalidate_cd(&mut self, stream: StreamId, index: u32) {
        self.changes += 1;
        let slot = self.cd_slot(stream, index);
        let named = |cached: &CachedCd| cached.stream == stream && cached.index == index;
        if self.cds[slot].as_ref().is_some_and(named) {
            self.cds[slot] = None;
        }
    }

    /// Drops every CD of a stream.
    pub(crate) fn invalidate_cds(&mut self, stream: StreamId) {
        self.changes += 1;
        drop_where(&mut self.cds, |cached| cached.stream == stream);
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.changes += 1;
        drop_where(&mut self.stes, |_| true);
        drop_where(&mut self.cds, |_| true);
    }

    /// The streams whose STE is cached, ascending.
    pub(crate) fn streams(&self) -> Vec<StreamId> {
        let mut streams: Vec<StreamId> =
            self.stes.iter().flatten().map(|cached| cached.stream).collect();
        streams.sort();
        streams
    }

    /// The contexts whose CD is cached, ascending.
    pub(crate) fn contexts(&self) -> Vec<(StreamId, u32)> {
        let mut contexts: Vec<(StreamId, u32)> =
            self.cds.iter().flatten().map(|cached| (cached.stream, cached.index)).collect();
        contexts.sort();
        contexts
    }

    #[inline]
    fn ste_slot(&self, stream: StreamId) -> usize {
        stream.get() as usize & (self.stes.len() - 1)
    }

    #[inline]
    fn cd_slot(&self, stream: StreamId, index: u32) -> usize {
        let spread = index.wrapping_mul(0x9e37_79b1) >> 8;
        (stream.get().wrapping_add(spread) as usize) & (self.cds.len() - 1)
    }
}

fn drop_where<T>(slots: &mut [Option<T>], named: impl Fn(&T) -> bool) {
    for slot in slots {
        if slot.as_ref().is_some_and(&named) {
            *slot = None;
        }
    }
}

#[cfg(test)]
mod tests;
