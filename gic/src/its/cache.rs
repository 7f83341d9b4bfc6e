//! The translation cache: from an event of a device to an LPI and a CPU.

use super::command::Source;
use crate::Cpu;
use crate::choice::its::Caching;
use core::num::NonZeroU64;
use passim_model::IntId;
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    epoch: NonZeroU64,
    source: Source,
    intid: IntId,
    cpu: Cpu,
}

/// A direct-mapped cache, optionally in front of a map of every translation found. A command that
/// names an event invalidates that event; a command or a store that names a device, a collection or
/// a table invalidates everything. The callers that perform commands implement the rest of
/// [`Forgetting`](crate::choice::its::Forgetting).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cache {
    caching: Caching,
    entries: Box<[Option<Entry>]>,
    /// Entries of another epoch are invalid.
    epoch: NonZeroU64,
    /// The map of every translation, for [`Caching::All`].
    all: Option<BTreeMap<Source, (IntId, Cpu)>>,
}

/// log2 of the slots in front of the map.
const IN_FRONT: u8 = 12;

impl Cache {
    pub(super) fn new(caching: Caching) -> Self {
        let slots = match caching {
            Caching::Off => 0,
            Caching::Translations { lg2 } => 1 << lg2.min(20),
            Caching::All => 1 << IN_FRONT,
        };
        Self {
            caching,
            entries: vec![None; slots].into_boxed_slice(),
            epoch: NonZeroU64::MIN,
            all: (caching == Caching::All).then(BTreeMap::new),
        }
    }

    #[inline(always)]
    fn slot(&self, source: Source) -> usize {
        let spread = u64::from(source.device.get()).wrapping_mul(0x9e37_79b1);
        spread.wrapping_add(u64::from(source.event.get())) as usize
            & self.entries.len().wrapping_sub(1)
    }

    /// The translation of an event in its slot.
    #[inline(always)]
    pub(super) fn find(&self, source: Source) -> Option<(IntId, Cpu)> {
        let entry = self.entries.get(self.slot(source))?.as_ref()?;
        let known = entry.epoch == self.epoch && entry.source == source;
        known.then_some((entry.intid, entry.cpu))
    }

    /// The translation of an event in the map; copies it to its slot.
    pub(super) fn recall(&mut self, source: Source) -> Option<(IntId, Cpu)> {
        let (intid, cpu) = *self.all.as_ref()?.get(&source)?;
        self.take(source, intid, cpu);
        Some((intid, cpu))
    }

    /// Caches a translation.
    #[inline]
    pub(super) fn remember(&mut self, source: Source, intid: IntId, cpu: Cpu) {
        self.take(source, intid, cpu);
        if let Some(all) = &mut self.all {
            all.insert(source, (intid, cpu));
        }
    }

    #[inline]
    fn take(&mut self, source: Source, intid: IntId, cpu: Cpu) {
        if !self.entries.is_empty() {
            let slot = self.slot(source);
            self.entries[slot] = Some(Entry { epoch: self.epoch, source, intid, cpu });
        }
    }

    /// Invalidates an event.
    pub(super) fn forget(&mut self, source: Source) {
        if !self.entries.is_empty() {
            let slot = self.slot(source);
            self.entries[slot] = self.entries[slot].filter(|entry| entry.source != source);
        }
        if let Some(all) = &mut self.all {
            all.remove(&source);
        }
    }

    /// Invalidates everything.
    pub(super) fn forget_all(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        if let Some(all) = &mut self.all {
            all.clear();
        }
    }

    /// Copies the other cache, if it is of the same kind and size.
    pub(super) fn take_over(&mut self, other: &Self) {
        if self.caching == other.caching {
            self.clone_from(other);
        }
    }

    /// Number of cached translations.
    pub(super) fn count(&self) -> usize {
        let at_hand = self.entries.iter().flatten().filter(|entry| entry.epoch == self.epoch);
        self.all.as_ref().map_or_else(|| at_hand.count(), BTreeMap::len)
    }
}
