//! Saving an ITS and making another of it. Everything that is not in memory is in [`Saved`]; the
//! tables are in memory and travel with it.

use super::image::{Device, Found, ImageError, Mappings, Plan, Reading, Tables, plan};
use super::orphans::Orphans;
use super::wire::{COLLECTIONS, DEVICES};
use super::{Cache, FailedWrite, Implementation, Its, Layout, Registers, Report, Source};
use crate::Cpu;
use crate::chance::Chance;
use crate::choice::its::{Ordering, TableHome};
use passim_model::{Effect, Memory, PhysAddr, Span, event};
use std::collections::VecDeque;

/// The registers of an ITS, the collections it holds itself, the events that lost theirs, the translations
/// that it remembers, what it has to tell, and what chance draws next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    registers: Registers,
    held: Vec<Option<Cpu>>,
    orphans: Orphans,
    /// None of an ITS that has its tables itself: it remembers what it has.
    cache: Option<Cache>,
    drawn: (Ordering, Chance),
    reports: VecDeque<Report>,
    failed_writes: VecDeque<FailedWrite>,
    effects: Vec<Effect>,
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
        if let Some(register) = self.registers.beyond(to).or_else(|| wider(from, to)) {
            return Err(ImageError::Register(register));
        }
        let few = usize::from(to.features.held_collections);
        if self.held.iter().skip(few).any(Option::is_some) {
            return Err(ImageError::Register("collections without a table"));
        }
        self.registers.go_on(to);
        let features = from.features;
        let layouts = (features.layout, to.features.layout);
        let homes = (from.choices.table_home, to.choices.table_home);
        // Who reads by distances has to find them; who believes every entry, none of old.
        if layouts.0 == layouts.1 && homes.0 == homes.1 {
            return Ok(None);
        }
        let reading = from.reading();
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

/// What software may name that the other ITS has no numbers for, whether it does or not: it has been told
/// so. Fewer ICIDs are told by GITS_TYPER, and refused where they are in use.
fn wider(from: &Implementation, to: &Implementation) -> Option<&'static str> {
    let (from, to) = (from.in_range().features, to.in_range().features);
    [
        ("EventIDs of so many bits", from.event_bits, to.event_bits),
        ("DeviceIDs of so many bits", from.device_bits, to.device_bits),
        ("INTIDs of so many bits", from.intid_bits, to.intid_bits),
    ]
    .into_iter()
    .find_map(|(what, has, can)| (has > can).then_some(what))
}

impl Implementation {
    /// How the tables of a saved ITS are read: by distances, where the ITS had them itself and its layout
    /// says any.
    pub(super) fn reading(&self) -> Reading {
        let Self { features, choices } = self;
        match (choices.table_home, features.layout) {
            (TableHome::Its, Layout::Kvm0) => Reading::ByDistance,
            _ => Reading::Every,
        }
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
    pub fn most_mappings(&self, memory: &Memory) -> (Found, Result<(), ImageError>) {
        let features = &self.implementation.features;
        let bits = (features.device_bits, features.event_bits);
        let layout = features.layout;
        let (mut found, read) = match &self.kept {
            Some(kept) => (kept.found(), Ok(())),
            None => Mappings::read_most(layout, Reading::Every, self.tables(), bits, memory),
        };
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
    /// the ITS has its tables itself ([`TableHome::Its`]), they are written to memory.
    ///
    /// No guest can prevent it: what memory does not answer for is passed over.
    pub fn save(&mut self, memory: &mut Memory) -> Saved {
        self.settle();
        self.write_kept(memory);
        self.save_registers()
    }

    /// What of an ITS is not in memory.
    pub(crate) fn save_registers(&self) -> Saved {
        Saved {
            registers: self.registers.clone(),
            held: self.held.clone(),
            orphans: self.orphans.clone(),
            cache: self.kept.is_none().then(|| self.cache.clone()),
            drawn: (self.implementation.choices.ordering, self.chance.clone()),
            reports: self.reports.clone(),
            failed_writes: self.failed_writes.clone(),
            effects: self.effects.clone(),
        }
    }

    /// An ITS as one was when it was saved. Where it has its tables itself they are
    /// read by their distances, and what those do not lead to is no longer mapped; nothing is where some
    /// of them cannot be taken ([`Its::refused`]).
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
        its.reports.clone_from(&saved.reports);
        its.failed_writes.clone_from(&saved.failed_writes);
        its.effects.clone_from(&saved.effects);
        if let Some(cache) = saved.cache.as_ref().filter(|_| its.kept.is_none()) {
            its.cache.take_over(cache);
        }
        // Of another seed it begins anew.
        let (ordering, chance) = &saved.drawn;
        if its.implementation.choices.ordering == *ordering {
            its.chance.clone_from(chance);
        }
        its.read_kept(memory);
        its.gather_told(memory);
        its
    }

    /// The events of a collection, as tables say now: one that nobody mapped here is among them too.
    pub(super) fn members(&self, icid: u16, memory: &Memory) -> Vec<Source> {
        let events = self.events(memory).into_iter();
        events.filter(|(_, of)| *of == Some(icid)).map(|(source, _)| source).collect()
    }

    /// The mapped events and the collection of each, if it is in one.
    pub(super) fn events(&self, memory: &Memory) -> Vec<(Source, Option<u16>)> {
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
