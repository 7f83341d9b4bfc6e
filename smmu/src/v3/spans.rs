//! STEs that serve neighbouring streams: STE.CONT. IHI 0070 G.b 5.2, 3.20.2.
//!
//! The configuration cache holds decoded STEs; this room records which of them were read from
//! memory, and the span of each. A neighbour's STE that is used in place of a stream's own is
//! cached for that stream too, and is dropped together with the STE that it was copied from.

use crate::choice::ContiguousStes;
use crate::transaction::Transaction;
use crate::v3::SmmuV3;
use crate::v3::config::{ReadSte, SteFault, SteWords};
use crate::v3::config_cache::ConfigCache;
use crate::v3::translate::Stop;
use crate::v3::wire::ste::{Ste0, Ste1};
use passim_model::StreamId;
use std::collections::BTreeMap;

/// An STE as read, and its span.
#[derive(Clone, Copy, Debug)]
struct Span {
    last: StreamId,
    first: StreamId,
    words: SteWords,
}

impl Span {
    fn covers(&self, stream: StreamId) -> bool {
        self.first <= stream && stream <= self.last
    }

    /// The STE without CONT. IHI 0070 G.b 5.2 (CONT): STEs of a span differ in CONT at most.
    fn says(&self) -> SteWords {
        let mut words = self.words;
        words[1] &= !Ste1::CONT.mask();
        words
    }
}

/// The STEs that were read, by the stream they were read for. Some may have left the cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    read: BTreeMap<StreamId, Span>,
}

impl Spans {
    /// Records an STE that goes into the cache.
    pub(crate) fn remember(&mut self, stream: StreamId, ste: &ReadSte) {
        // CONT of an STE that is not valid is ignored.
        let valid = Ste0::V.is_set(ste.words[0]);
        let cont = if valid { Ste1::CONT.get(ste.words[1]) as u32 } else { 0 };
        let span = (1 << cont.min(ste.reach_lg2)) - 1;
        let (first, last) = (stream.get() & !span, stream.get() | span);
        let (first, last) = (StreamId::new(first), StreamId::new(last));
        self.read.insert(stream, Span { first, last, words: ste.words });
    }

    /// Drops STEs that are not cached any more.
    fn prune(&mut self, configs: &ConfigCache) {
        self.read.retain(|stream, _| configs.ste(*stream).is_some());
    }

    /// A cached STE whose span covers a stream whose own STE is not cached. Drops the record of the
    /// stream's own STE.
    fn neighbour(&mut self, stream: StreamId) -> Option<SteWords> {
        self.read.remove(&stream);
        self.read.values().find(|span| span.covers(stream)).map(|span| span.words)
    }

    /// The stream of a cached STE that covers `stream`, and differs from another cached STE that
    /// covers it.
    fn conflict(&self, configs: &ConfigCache, stream: StreamId) -> Option<StreamId> {
        let cached = self.read.iter().filter(|(owner, _)| configs.ste(**owner).is_some());
        let mut matching = cached.filter(|(_, span)| span.covers(stream));
        // The other STE is reported rather than the stream's own: software does not expect the
        // other.
        let own = self.read.get(&stream).filter(|_| configs.ste(stream).is_some());
        let said = own.or_else(|| matching.clone().next().map(|(_, span)| span))?.says();
        matching.find(|(_, span)| span.says() != said).map(|(owner, _)| *owner)
    }

    /// The streams that use an STE of `first..=last` in place of their own; they are dropped with
    /// it.
    pub(crate) fn borrowers(
        &self,
        configs: &ConfigCache,
        first: StreamId,
        last: StreamId,
    ) -> Vec<StreamId> {
        let going: Vec<Span> = self.read.range(first..=last).map(|(_, span)| *span).collect();
        if going.iter().all(|span| span.first == span.last) {
            return Vec::new();
        }
        let mut streams = configs.streams();
        streams.retain(|stream| {
            !self.read.contains_key(stream) && going.iter().any(|span| span.covers(*stream))
        });
        streams
    }
}

impl SmmuV3 {
    /// Checks that the cached STEs which cover a stream agree, where conflicts are detected.
    pub(crate) fn configuration_alone(&self, txn: &Transaction) -> Result<(), Stop> {
        if self.implementation.choices.contiguous_stes != ContiguousStes::Detected {
            return Ok(());
        }
        let conflict = self.spans.conflict(&self.configs, txn.requester.stream);
        conflict.map_or(Ok(()), |other| Err(self.no_ste(txn, SteFault::Conflict(other))))
    }

    /// A cached STE that serves a stream whose own is not cached.
    pub(crate) fn neighbour_of(&mut self, stream: StreamId) -> Option<SteWords> {
        if self.implementation.choices.contiguous_stes == ContiguousStes::Apart {
            return None;
        }
        self.spans.prune(&self.configs);
        self.spans.neighbour(stream)
    }
}

#[cfg(test)]
mod tests;
