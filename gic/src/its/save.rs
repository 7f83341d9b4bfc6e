//! Saving an ITS and making another of it. Everything that is not in memory is in [`Saved`]; the
//! tables are in memory and travel with it.

use super::distance::Place;
use super::image::{Device, ImageError, Mappings, Reading, Tables};
use super::wire::{COLLECTIONS, DEVICES};
use super::{Implementation, Its, Layout, Registers, Source};
use crate::Cpu;
use crate::choice::its::{TablesAtSave, UnmapCollection};
use passim_model::Memory;

/// The registers of an ITS, and the collections it holds itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    registers: Registers,
    held: Vec<Option<Cpu>>,
}

impl Its {
    /// What the tables map now, and the collections that the ITS holds itself. Nothing of it if a
    /// table is not valid.
    ///
    /// # Errors
    /// As [`Mappings::read`].
    pub fn mappings(&self, memory: &Memory) -> Result<Mappings, ImageError> {
        let features = &self.implementation.features;
        let bits = (features.device_bits, features.event_bits);
        let layout = features.layout;
        let mut mappings = Mappings::read(layout, Reading::Every, self.tables(), bits, memory)?;
        // What a table says of collections that are held counts for nothing.
        let held = (0u16..).zip(&self.held);
        for (icid, cpu) in held {
            match cpu {
                Some(cpu) => mappings.collections.insert(icid, *cpu),
                None => mappings.collections.remove(&icid),
            };
        }
        Ok(mappings)
    }

    /// Where the tables are.
    pub fn tables(&self) -> Tables {
        let basers = &self.registers.basers;
        Tables { devices: basers[DEVICES], collections: basers[COLLECTIONS] }
    }

    /// Saves the ITS. What is on its way arrives first; take it with [`Its::take_packets`]. Where
    /// [`TablesAtSave::Distances`] is chosen, distances are written to the tables, which map the
    /// same.
    ///
    /// No guest can prevent it: what memory does not answer for is passed over.
    pub fn save(&mut self, memory: &mut Memory) -> Saved {
        self.settle();
        if let Some(place) = self.distances() {
            place.write(memory);
        }
        self.save_registers()
    }

    /// The tables whose distances say what is mapped.
    fn distances(&self) -> Option<Place> {
        let Implementation { features, choices } = self.implementation;
        let written = choices.tables_at_save == TablesAtSave::Distances;
        if features.layout != Layout::Kvm0 || !written {
            return None;
        }
        let (device_bits, event_bits) = (features.device_bits, features.event_bits);
        let table = self.registers.devices()?;
        Some(Place { table, device_bits, event_bits })
    }

    /// What of an ITS is not in memory.
    pub(crate) fn save_registers(&self) -> Saved {
        Saved { registers: self.registers.clone(), held: self.held.clone() }
    }

    /// An ITS as one was when it was saved. Where [`TablesAtSave::Distances`] is chosen, tables are
    /// read by them, and what they do not lead to is no longer mapped.
    pub fn restore(
        implementation: Implementation,
        cpus: u16,
        saved: &Saved,
        memory: &mut Memory,
    ) -> Self {
        let mut its = Self::new(implementation, cpus);
        its.registers = saved.registers.clone();
        its.held.clone_from(&saved.held);
        if let Some(place) = its.distances() {
            place.prune(memory);
        }
        its.gather_members(memory);
        its
    }

    /// Which events each collection has; none if a table is not valid.
    fn gather_members(&mut self, memory: &Memory) {
        if self.implementation.choices.unmap_collection != UnmapCollection::Orphans {
            return;
        }
        for (source, icid) in self.events(memory) {
            if let Some(icid) = icid {
                self.members.entry(icid).or_default().insert(source);
            }
        }
    }

    /// The mapped events and the collection of each, if it is in one.
    fn events(&self, memory: &Memory) -> Vec<(Source, Option<u16>)> {
        if let Some(place) = self.distances() {
            return place.events(memory);
        }
        let mappings = self.mappings(memory).unwrap_or_default();
        let of = |(device, it): (_, Device)| {
            let events = it.events.into_iter();
            events.map(move |(event, (_, icid))| (Source { device, event }, icid))
        };
        mappings.devices.into_iter().flat_map(of).collect()
    }
}
