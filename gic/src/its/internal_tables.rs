//! Devices, events and collections kept inside the ITS, where that is chosen
//! ([`TableHome::Its`](crate::choice::its::TableHome)): memory is written only on save and read
//! only on restore.
//!
//! In between, table memory belongs to software and is not read. KVM's ITS zeroes the entry of a
//! device or event that it unmaps there, and writes nothing else.

use super::Its;
use super::command::Source;
use super::entry::{Dte, Ite, Layout};
use super::image::{Device, Found, Mappings, Reading, with_distance};
use super::orphans::Orphans;
use super::table::{Table, clear, zero};
use crate::Cpu;
use passim_model::{DeviceId, EventId, IntId, Memory, PhysAddr};
use std::collections::{BTreeMap, BTreeSet};

/// The internal tables.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct InternalTables {
    devices: BTreeMap<DeviceId, Dte>,
    events: BTreeMap<Source, Ite>,
    /// In the order in which they were first named; without a CPU if they are not mapped.
    collections: Vec<(u16, Option<Cpu>)>,
}

/// The range of all events of a device.
fn of(device: DeviceId) -> core::ops::RangeInclusive<Source> {
    let source = |event| Source { device, event: EventId::new(event) };
    source(0)..=source(u32::MAX)
}

impl InternalTables {
    pub(super) fn device(&self, device: DeviceId) -> Option<Dte> {
        self.devices.get(&device).copied()
    }

    /// Maps or unmaps a device, and unmaps all of its events.
    pub(super) fn set_device(&mut self, device: DeviceId, dte: Option<Dte>) {
        let events: Vec<_> = self.events.range(of(device)).map(|(source, _)| *source).collect();
        events.iter().for_each(|source| {
            self.events.remove(source);
        });
        match dte {
            Some(dte) => self.devices.insert(device, dte),
            None => self.devices.remove(&device),
        };
    }

    #[inline]
    pub(super) fn event(&self, source: Source) -> Option<Ite> {
        self.events.get(&source).copied()
    }

    pub(super) fn set_event(&mut self, source: Source, ite: Option<Ite>) {
        match ite {
            Some(ite) => self.events.insert(source, ite),
            None => self.events.remove(&source),
        };
    }

    /// The CPU of a collection, if it is mapped.
    pub(super) fn collection(&self, icid: u16) -> Option<Cpu> {
        self.collections.iter().find(|(of, _)| *of == icid).and_then(|(_, cpu)| *cpu)
    }

    /// Whether the collection is known, mapped or not.
    pub(super) fn has_collection(&self, icid: u16) -> bool {
        self.collections.iter().any(|(of, _)| *of == icid)
    }

    /// Maps a collection.
    pub(super) fn map_collection(&mut self, icid: u16, cpu: Cpu) {
        self.name_collection(icid);
        if let Some((_, place)) = self.collections.iter_mut().find(|(of, _)| *of == icid) {
            *place = Some(cpu);
        }
    }

    /// Adds a collection, unmapped, if it is not known.
    pub(super) fn name_collection(&mut self, icid: u16) {
        if !self.has_collection(icid) {
            self.collections.push((icid, None));
        }
    }

    /// Removes a collection.
    pub(super) fn remove_collection(&mut self, icid: u16) {
        self.collections.retain(|(of, _)| *of != icid);
    }

    /// Unmaps all devices.
    pub(super) fn clear_devices(&mut self) {
        self.devices.clear();
        self.events.clear();
    }

    /// Removes all collections.
    pub(super) fn clear_collections(&mut self) {
        self.collections.clear();
    }

    /// The mappings.
    pub(super) fn found(&self) -> Found {
        let mut mappings = Mappings::default();
        for (&device, dte) in &self.devices {
            let events = self.events.range(of(device));
            let events =
                events.map(|(source, ite)| (source.event, (IntId::new(ite.intid), ite.icid)));
            let (itt, event_bits) = (PhysAddr::new(dte.itt), dte.bits);
            let device_of = Device { itt, event_bits, events: events.collect() };
            mappings.devices.insert(device, device_of);
        }
        let mapped = self.collections.iter().filter_map(|(icid, cpu)| Some((*icid, (*cpu)?)));
        mappings.collections = mapped.collect();
        Found { mappings, silent: Vec::new() }
    }
}

impl Its {
    /// Writes the internal tables to memory, where memory exists: in KVM's layout the entries of
    /// what is mapped, and no others. Events that lost their collection cannot be represented
    /// there, and are unmapped after a restore.
    // Linux vgic-its.c: vgic_its_save_device_tables, vgic_its_save_collection_table.
    pub(super) fn write_internal(&self, memory: &mut Memory) {
        let Some(internal) = &self.internal else { return };
        let layout = self.implementation.features.layout;
        // A layout of which every entry is read must not keep stale entries.
        if layout != Layout::Kvm0 {
            self.clear_internal(internal, memory);
        }
        let reached = |device: &&DeviceId| self.device_entry(**device, memory).is_ok();
        let devices: Vec<_> = internal.devices.keys().filter(reached).copied().collect();
        for (device, next) in with_distance(devices.iter(), |id| id.get()) {
            let dte = internal.devices[device];
            let at_event = |event: EventId| {
                PhysAddr::new(dte.itt + u64::from(event.get()) * layout.ite_bytes())
            };
            if let Ok(at) = self.device_entry(*device, memory) {
                let word = layout.spell_dte(Some(dte), next.min(Layout::MOST_NEXT.0));
                let _ = memory.store_u64(at, word);
            }
            let mut said = BTreeMap::new();
            for (source, ite) in internal.events.range(of(*device)) {
                match ite.icid {
                    Some(icid) => {
                        said.insert(source.event, (ite.intid, icid));
                    }
                    None => {
                        let _ = layout.store_ite(at_event(source.event), None, 0, memory);
                    }
                }
            }
            for (event, next) in with_distance(said.keys(), |id| id.get()) {
                let next = next.min(Layout::MOST_NEXT.1);
                let _ = layout.store_ite(at_event(*event), Some(said[event]), next, memory);
            }
        }
        if let Some(table) = self.registers.collections() {
            internal.write_collections(layout, table, memory);
        }
    }

    fn clear_internal(&self, internal: &InternalTables, memory: &mut Memory) {
        if let Some(table) = self.registers.devices() {
            clear(table, memory);
        }
        let tables: BTreeSet<_> =
            internal.devices.values().map(|dte| (dte.itt, dte.bits)).collect();
        for (itt, bits) in tables {
            let bytes = self.implementation.features.layout.ite_bytes() << bits;
            zero(PhysAddr::new(itt), bytes, memory);
        }
    }

    /// Reads the tables in memory, and restores all of them or nothing ([`Its::refused`]).
    // vgic_its_restore_collection_table, vgic_its_restore_device_tables.
    pub(super) fn read_internal(&mut self, memory: &Memory) {
        if self.internal.is_none() {
            return;
        }
        let features = self.implementation.features;
        let bits = (features.device_bits, features.event_bits);
        let tables = self.tables();
        let reading = self.implementation.reading();
        let (found, _) = Mappings::read_most(features.layout, reading, tables, bits, memory);
        self.orphans = Orphans::default();
        let listed = self.registers.collections().filter(|_| features.layout.lists_collections());
        let listed = listed.map(|table| table.listed(memory)).unwrap_or_default();
        if reading == Reading::ByDistance
            && let Err(why) = self.look_at_restored(&found, &listed, memory)
        {
            self.refused = Some(why);
            return;
        }
        let Some(internal) = &mut self.internal else { return };
        for (icid, cpu) in listed {
            internal.name_collection(icid);
            if let Some(cpu) = cpu.filter(|cpu| cpu.get() < self.cpus) {
                internal.map_collection(icid, cpu);
            }
        }
        // Layouts with an array of collections do not give an order.
        for (icid, cpu) in found.mappings.collections {
            if internal.collection(icid).is_none() && cpu.get() < self.cpus {
                internal.map_collection(icid, cpu);
            }
        }
        for (device, it) in found.mappings.devices {
            let dte = Dte { itt: it.itt.get(), bits: it.event_bits };
            internal.devices.insert(device, dte);
            let ites = it.events.into_iter().map(|(event, (intid, icid))| {
                (Source { device, event }, Ite { intid: intid.get(), icid })
            });
            internal.events.extend(ites.filter(|(_, ite)| features.is_lpi(ite.intid)));
        }
    }
}

impl InternalTables {
    fn write_collections(&self, layout: Layout, table: Table, memory: &mut Memory) {
        if !layout.lists_collections() {
            clear(table, memory);
        }
        let mut end = 0;
        for (icid, cpu) in &self.collections {
            let (n, word) = match (layout.lists_collections(), cpu) {
                (true, Some(cpu)) => (end, layout.spell_cte(*icid, *cpu)),
                (true, None) => (end, Layout::spell_unmapped_cte(*icid)),
                (false, Some(cpu)) => (u64::from(*icid), layout.spell_cte(*icid, *cpu)),
                (false, None) => continue,
            };
            end += 1;
            if let Ok(at) = table.entry(n, memory) {
                let _ = layout.store_cte(at, word, memory);
            }
        }
        // If the table has room, an invalid entry ends the list.
        if let Ok(at) = table.entry(end, memory)
            && layout.lists_collections()
        {
            let _ = layout.store_cte(at, 0, memory);
        }
    }
}
