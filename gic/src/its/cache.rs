//! Translations remembered: from an event of a device to an LPI and a CPU.

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

/// A cache of one entry a slot, in front of all that was ever found where none is lost to another. It
/// forgets an event when a command names it, and everything when a command or a store names a device, a
/// collection or a table; what else there is to [`Forgetting`](crate::choice::its::Forgetting) is for
/// those who perform commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cache {
    entries: Box<[Option<Entry>]>,
    /// Entries of another epoch are forgotten.
    epoch: NonZeroU64,
    /// Where there is room for all.
    all: Option<BTreeMap<Source, (IntId, Cpu)>>,
}

/// log2 of the slots in front of all.
const IN_FRONT: u8 = 12;

impl Cache {
    pub(super) fn new(caching: Caching) -> Self {
        let slots = match caching {
            Caching::Off => 0,
            Caching::Translations { lg2 } => 1 << lg2.min(20),
            Caching::All => 1 << IN_FRONT,
        };
        Self {
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

    /// What is remembered of an event at hand.
    #[inline(always)]
    pub(super) fn find(&self, source: Source) -> Option<(IntId, Cpu)> {
        let entry = self.entries.get(self.slot(source))?.as_ref()?;
        let known = entry.epoch == self.epoch && entry.source == source;
        known.then_some((entry.intid, entry.cpu))
    }

    /// What is remembered of an event that is not at hand.
    pub(super) fn recall(&mut self, source: Source) -> Option<(IntId, Cpu)> {
        let (intid, cpu) = *self.all.as_ref()?.get(&source)?;
        self.take(source, intid, cpu);
        Some((intid, cpu))
    }

    /// Remembers.
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

    /// Forgets an event.
    pub(super) fn forget(&mut self, source: Source) {
        if !self.entries.is_empty() {
            let slot = self.slot(source);
            self.entries[slot] = self.entries[slot].filter(|entry| entry.source != source);
        }
        if let Some(all) = &mut self.all {
            all.remove(&source);
        }
    }

    /// Forgets everything.
    pub(super) fn forget_all(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        if let Some(all) = &mut self.all {
            all.clear();
        }
    }

    /// Takes over what another remembers, if it has as much room.
    pub(super) fn take_over(&mut self, other: &Self) {
        if self.entries.len() == other.entries.len() {
            self.clone_from(other);
        }
    }

    /// How many translations are remembered.
    pub(super) fn count(&self) -> usize {
        let at_hand = self.entries.iter().flatten().filter(|entry| entry.epoch == self.epoch);
        self.all.as_ref().map_or_else(|| at_hand.count(), BTreeMap::len)
    }
}
