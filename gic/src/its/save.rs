//! Saving an ITS and making another of it. Everything that is not in memory is in [`Saved`]; the
//! tables are in memory and travel with it.

use super::image::{ImageError, Mappings, Reading, Tables};
use super::wire::{COLLECTIONS, DEVICES};
use super::{Implementation, Its, Layout, Registers, Source};
use crate::Cpu;
use crate::choice::its::UnmapCollection;
use passim_model::Memory;

/// The registers of an ITS, and the collections it holds itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    registers: Registers,
    held: Vec<Option<Cpu>>,
}

impl Its {
    /// What the tables map now. Nothing of it if a table is not valid.
    ///
    /// # Errors
    /// As [`Mappings::read`].
    pub fn mappings(&self, memory: &Memory) -> Result<Mappings, ImageError> {
        let features = &self.implementation.features;
        let bits = (features.device_bits, features.event_bits);
        Mappings::read(features.layout, Reading::Every, self.tables(), bits, memory)
    }

    /// Where the tables are.
    pub fn tables(&self) -> Tables {
        let basers = &self.registers.basers;
        Tables { devices: basers[DEVICES], collections: basers[COLLECTIONS] }
    }

    /// Saves the ITS. What is on its way arrives first; take it with [`Its::take_packets`]. In the
    /// layout that has distances the tables are rewritten to say them, and map the same.
    ///
    /// # Errors
    /// As [`Mappings::read`] and [`Mappings::write`].
    pub fn save(&mut self, memory: &mut Memory) -> Result<Saved, ImageError> {
        self.settle();
        let layout = self.implementation.features.layout;
        if layout == Layout::Kvm0 {
            let mappings = self.mappings(memory)?;
            mappings.write(layout, self.tables(), memory)?;
            self.cache.forget_all();
        }
        Ok(self.save_registers())
    }

    /// What of an ITS is not in memory.
    pub(crate) fn save_registers(&self) -> Saved {
        Saved { registers: self.registers.clone(), held: self.held.clone() }
    }

    /// An ITS as one was when it was saved. In the layout that has distances, tables are read by
    /// them, and what they do not lead to is no longer mapped.
    ///
    /// # Errors
    /// As [`Mappings::read`] and [`Mappings::write`].
    pub fn restore(
        implementation: Implementation,
        cpus: u16,
        saved: &Saved,
        memory: &mut Memory,
    ) -> Result<Self, ImageError> {
        let mut its = Self::new(implementation, cpus);
        its.registers = saved.registers.clone();
        its.held.clone_from(&saved.held);
        let features = its.implementation.features;
        if features.layout == Layout::Kvm0 {
            let bits = (features.device_bits, features.event_bits);
            let tables = its.tables();
            let mappings =
                Mappings::read(features.layout, Reading::ByDistance, tables, bits, memory)?;
            mappings.write(features.layout, tables, memory)?;
        }
        its.gather_members(memory);
        Ok(its)
    }

    /// Which events each collection has; none if a table is not valid.
    fn gather_members(&mut self, memory: &Memory) {
        if self.implementation.choices.unmap_collection != UnmapCollection::Orphans {
            return;
        }
        let Ok(mappings) = self.mappings(memory) else { return };
        for (device, entry) in &mappings.devices {
            for (event, (_, icid)) in &entry.events {
                let source = Source { device: *device, event: *event };
                self.members.entry(*icid).or_default().insert(source);
            }
        }
    }
}
