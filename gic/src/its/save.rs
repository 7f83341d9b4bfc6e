//! Saving an ITS and making another of it. Everything that is not in memory is in [`Saved`]; the
//! tables are in memory and travel with it.

use super::collection::name_unmapped;
use super::distance::Place;
use super::image::{Device, Found, ImageError, Mappings, Plan, Reading, Tables, plan};
use super::orphans::Orphans;
use super::wire::{COLLECTIONS, DEVICES};
use super::{Implementation, Its, Layout, Registers, Source};
use crate::Cpu;
use crate::choice::its::TablesAtSave;
use passim_model::{Memory, PhysAddr, Span, event};

/// The registers of an ITS, the collections it holds itself, and the events that lost theirs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    registers: Registers,
    held: Vec<Option<Cpu>>,
    orphans: Orphans,
}

impl Saved {
    /// How the tables are to be laid out otherwise; `None` if they need not be. What is known of their
    /// entries beside them is so already.
    ///
    /// # Errors
    /// As [`convert`](super::image::convert).
    pub(crate) fn plan(
        &mut self,
        (from, to): (&Implementation, &Implementation),
        scratch: Option<Span<PhysAddr>>,
        memory: &Memory,
    ) -> Result<Option<Plan>, ImageError> {
        let features = from.features;
        let layouts = (features.layout, to.features.layout);
        // Distances are there where they have been written; whoever reads by them needs them.
        let reading = match from.says_distances() {
            true => Reading::ByDistance,
            false => Reading::Every,
        };
        let missed = to.says_distances() && !from.says_distances();
        if layouts.0 == layouts.1 && !missed {
            return Ok(None);
        }
        let bits = (features.device_bits, features.event_bits);
        let basers = &self.registers.basers;
        let tables = Tables { devices: basers[DEVICES], collections: basers[COLLECTIONS] };
        let bits = (bits, features.intid_bits);
        let plan = plan(layouts, reading, tables, bits, scratch, memory)?;
        let Tables { devices, collections } = tables.laid_out(layouts);
        (self.registers.basers[DEVICES], self.registers.basers[COLLECTIONS]) =
            (devices, collections);
        self.orphans = self.orphans.rewritten(plan.converted(), layouts);
        Ok(Some(plan))
    }
}

impl Implementation {
    /// Whether distances say what is mapped: they are written where the ITS is saved, and followed where
    /// it is restored.
    fn says_distances(&self) -> bool {
        let written = self.choices.tables_at_save == TablesAtSave::Distances;
        written && self.features.layout == Layout::Kvm0
    }
}

impl Its {
    /// What the tables map now, the collections that the ITS holds itself, and the events that lost
    /// theirs. Nothing of a table that is not valid, and of memory that does not answer.
    ///
    /// # Errors
    /// As [`Mappings::read`].
    pub fn mappings(&self, memory: &Memory) -> Result<Found, ImageError> {
        let (found, read) = self.most_mappings(memory);
        read.map(|()| found)
    }

    /// As [`Its::mappings`]: what was found, also where that is not all.
    pub(super) fn most_mappings(&self, memory: &Memory) -> (Found, Result<(), ImageError>) {
        let features = &self.implementation.features;
        let bits = (features.device_bits, features.event_bits);
        let layout = features.layout;
        let (mut found, read) =
            Mappings::read_most(layout, Reading::Every, self.tables(), bits, memory);
        let mappings = &mut found.mappings;
        mappings.collections.retain(|_, cpu| cpu.get() < self.cpus);
        // What a table says of collections that are held counts for nothing.
        for (icid, cpu) in (0u16..).zip(&self.held) {
            match cpu {
                Some(cpu) => mappings.collections.insert(icid, *cpu),
                None => mappings.collections.remove(&icid),
            };
        }
        self.add_orphans(mappings);
        (found, read)
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
            self.name_collections(place, memory);
        }
        self.save_registers()
    }

    /// Enters the collections of events in their table, where nobody has mapped them.
    fn name_collections(&self, place: Place, memory: &mut Memory) {
        let Some(table) = self.registers.collections() else { return };
        let events = place.events(memory).into_iter();
        let held = self.held.len();
        let icids = events.filter_map(|(_, icid)| icid).filter(|icid| usize::from(*icid) >= held);
        name_unmapped(table, icids.collect(), memory);
    }

    /// The tables whose distances say what is mapped.
    fn distances(&self) -> Option<Place> {
        if !self.implementation.says_distances() {
            return None;
        }
        let features = self.implementation.features;
        let (device_bits, event_bits) = (features.device_bits, features.event_bits);
        let table = self.registers.devices()?;
        Some(Place { table, device_bits, event_bits })
    }

    /// What of an ITS is not in memory.
    pub(crate) fn save_registers(&self) -> Saved {
        let Self { registers, held, orphans, .. } = self;
        Saved { registers: registers.clone(), held: held.clone(), orphans: orphans.clone() }
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
        its.orphans.clone_from(&saved.orphans);
        if let Some(place) = its.distances() {
            place.prune(memory);
        }
        its.gather_members(memory);
        its.gather_told(memory);
        its
    }

    /// Which events each collection has; none if a table is not valid.
    fn gather_members(&mut self, memory: &Memory) {
        if !self.keeps_members() {
            return;
        }
        for (source, icid) in self.events(memory) {
            if let Some(icid) = icid {
                self.members.entry(icid).or_default().insert(source);
            }
        }
    }

    /// The mapped events and the collection of each, if it is in one.
    pub(super) fn events(&self, memory: &Memory) -> Vec<(Source, Option<u16>)> {
        if let Some(place) = self.distances() {
            return place.events(memory);
        }
        let (Found { mappings, .. }, read) = self.most_mappings(memory);
        if let Err(error) = read {
            tracing::warn!(target: event::QUEUE, %error, "not every event is known by its collection");
        }
        let of = |(device, it): (_, Device)| {
            let events = it.events.into_iter();
            events.map(move |(event, (_, icid))| (Source { device, event }, icid))
        };
        mappings.devices.into_iter().flat_map(of).collect()
    }
}
