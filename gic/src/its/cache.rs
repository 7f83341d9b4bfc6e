//! Translations remembered: from an event of a device to an LPI and a CPU.

use super::command::Source;
use crate::Cpu;
use crate::choice::its::Caching;
use core::num::NonZeroU64;
use passim_model::IntId;

#[derive(Clone, Copy, Debug)]
struct Entry {
    epoch: NonZeroU64,
    source: Source,
    intid: IntId,
    cpu: Cpu,
}

/// A cache of one entry a slot. It forgets an event when a command names it, and everything when a
/// command or a store names a device, a collection or a table.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    entries: Box<[Option<Entry>]>,
    /// Entries of another epoch are forgotten.
    epoch: NonZeroU64,
}

impl Cache {
    pub(super) fn new(caching: Caching) -> Self {
        let slots = match caching {
            Caching::Off => 0,
            Caching::Translations { lg2 } => 1 << lg2.min(20),
        };
        Self { entries: vec![None; slots].into_boxed_slice(), epoch: NonZeroU64::MIN }
    }

    #[inline(always)]
    fn slot(&self, source: Source) -> usize {
        let spread = u64::from(source.device.get()).wrapping_mul(0x9e37_79b1);
        spread.wrapping_add(u64::from(source.event.get())) as usize
            & self.entries.len().wrapping_sub(1)
    }

    /// What is remembered of an event.
    #[inline(always)]
    pub(super) fn find(&self, source: Source) -> Option<(IntId, Cpu)> {
        let entry = self.entries.get(self.slot(source))?.as_ref()?;
        let known = entry.epoch == self.epoch && entry.source == source;
        known.then_some((entry.intid, entry.cpu))
    }

    /// Remembers.
    #[inline]
    pub(super) fn remember(&mut self, source: Source, intid: IntId, cpu: Cpu) {
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
    }

    /// Forgets everything.
    pub(super) fn forget_all(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
    }

    /// How many translations are remembered.
    pub(super) fn count(&self) -> usize {
        self.entries.iter().flatten().filter(|entry| entry.epoch == self.epoch).count()
    }
}
