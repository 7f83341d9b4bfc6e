//! Events whose collection was unmapped for good, where that is chosen
//! ([`UnmapCollection::Orphans`](crate::choice::its::UnmapCollection)).
//!
//! No table layout can represent such an event: an entry names a collection or is invalid. So an
//! ITS records the address of the event's entry, which is invalid in memory; the record is saved
//! and restored with the registers.

use super::Its;
use super::command::Source;
use super::entry::{Dte, Ite, Layout};
use super::image::{Converted, Mappings};
use passim_model::{Abort, EventId, IntId, Memory, PhysAddr};
use std::collections::BTreeMap;

/// The LPIs of orphaned events, by the address of their entries.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Orphans(BTreeMap<PhysAddr, u32>);

impl Orphans {
    /// The orphan whose entry is at this address.
    #[inline]
    pub(super) fn at(&self, at: PhysAddr) -> Option<Ite> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&at).map(|&intid| Ite { intid, icid: None })
    }

    /// Drops every orphan of a device's table.
    pub(super) fn forget(&mut self, dte: Dte, layout: Layout) {
        if self.0.is_empty() {
            return;
        }
        let gone: Vec<_> = self.of(dte.itt, dte.bits, layout).map(|(at, _)| at).collect();
        for at in gone {
            self.0.remove(&at);
        }
    }

    /// The orphans after their tables have been converted to another layout.
    pub(super) fn rewritten(&self, converted: &Converted, (from, to): (Layout, Layout)) -> Self {
        let mut all = BTreeMap::new();
        for (device, entry) in &converted.mappings.devices {
            let now = entry.itt.get();
            let before = converted.moved.get(device).map_or(now, |before| before.get());
            for (at, intid) in self.of(before, entry.event_bits, from) {
                let event = (at.get() - before) / from.ite_bytes();
                all.insert(PhysAddr::new(now + event * to.ite_bytes()), intid);
            }
        }
        Self(all)
    }

    /// The orphans in a table for EventIDs of `bits` bits.
    fn of(&self, itt: u64, bits: u32, layout: Layout) -> impl Iterator<Item = (PhysAddr, u32)> {
        let last = itt.saturating_add((layout.ite_bytes() << bits) - 1);
        self.0.range(PhysAddr::new(itt)..=PhysAddr::new(last)).map(|(&at, &intid)| (at, intid))
    }
}

impl Its {
    /// Writes the entry of an event.
    pub(super) fn write_event(
        &mut self,
        (source, at): (Source, PhysAddr),
        ite: Option<Ite>,
        memory: &mut Memory,
    ) -> Result<(), Abort> {
        if let Some(internal) = &mut self.internal {
            internal.set_event(source, ite);
            if ite.is_none() {
                // As in KVM's vgic_its_cmd_handle_discard since 6.13; a failed store is ignored.
                let _ = self.implementation.features.layout.store_ite(at, None, 0, memory);
            }
            return Ok(());
        }
        let said = ite.and_then(|ite| Some((ite.intid, ite.icid?)));
        self.implementation.features.layout.store_ite(at, said, 0, memory)?;
        match ite.filter(|_| said.is_none()) {
            Some(orphan) => self.orphans.0.insert(at, orphan.intid),
            None => self.orphans.0.remove(&at),
        };
        Ok(())
    }

    /// Writes the entry of an event that goes to another collection.
    pub(super) fn move_event(
        &mut self,
        (source, at): (Source, PhysAddr),
        (ite, icid): (Ite, u16),
        memory: &mut Memory,
    ) -> Result<(), Abort> {
        if let Some(internal) = &mut self.internal {
            internal.set_event(source, Some(Ite { icid: Some(icid), ..ite }));
            return Ok(());
        }
        self.implementation.features.layout.store_moved(at, (ite.intid, icid), memory)?;
        self.orphans.0.remove(&at);
        Ok(())
    }

    /// The events of a collection lose it for good.
    pub(super) fn orphan(&mut self, icid: u16, memory: &mut Memory) -> Result<(), Abort> {
        for source in self.members(icid, memory) {
            self.lose_collection((source, icid), memory)?;
        }
        Ok(())
    }

    /// The events of every collection lose theirs for good.
    pub(super) fn orphan_all(&mut self, memory: &mut Memory) {
        for (source, icid) in self.events(memory) {
            if let Some(icid) = icid {
                // An event whose entry cannot be read is unmapped in either case.
                let _ = self.lose_collection((source, icid), memory);
            }
        }
    }

    fn lose_collection(
        &mut self,
        (source, icid): (Source, u16),
        memory: &mut Memory,
    ) -> Result<(), Abort> {
        // Devices may share a table, and the entry may have been rewritten for another device.
        match self.event(source, memory) {
            Ok((at, Some(ite))) if ite.icid == Some(icid) => {
                self.write_event((source, at), Some(Ite { icid: None, ..ite }), memory)
            }
            _ => Ok(()),
        }
    }

    /// Adds the orphans to the mappings that were read from tables.
    pub(super) fn add_orphans(&self, mappings: &mut Mappings) {
        let layout = self.implementation.features.layout;
        for device in mappings.devices.values_mut() {
            let itt = device.itt.get();
            for (at, intid) in self.orphans.of(itt, device.event_bits, layout) {
                let event = EventId::new(((at.get() - itt) / layout.ite_bytes()) as u32);
                device.events.entry(event).or_insert((IntId::new(intid), None));
            }
        }
    }
}
