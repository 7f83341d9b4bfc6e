//! Saving an ITS and restoring another from it. [`Saved`] holds the state that is not in memory;
//! the tables are in memory and move with it.

use super::image::{Device, Found, ImageError, Limits, Mappings, Plan, Reading, Tables, plan};
use super::orphans::Orphans;
use super::wire::{COLLECTIONS, DEVICES};
use super::{Cache, FailedWrite, Implementation, Its, Layout, Registers, Report, Source};
use crate::Cpu;
use crate::chance::Chance;
use crate::choice::its::{Ordering, TableHome};
use passim_model::{Effect, Memory, PhysAddr, Span, event};
use std::collections::VecDeque;

/// The registers of an ITS, the collections held in it, the events that lost theirs, the cached
/// translations, the reports and effects not yet taken, and the state of chance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    registers: Registers,
    held: Vec<Option<Cpu>>,
    orphans: Orphans,
    /// `None` for an ITS with internal tables.
    cache: Option<Cache>,
    drawn: (Ordering, Chance),
    reports: VecDeque<Report>,
    failed_writes: VecDeque<FailedWrite>,
    effects: Vec<Effect>,
}

impl Saved {
    /// The conversion of the tables to another layout; `None` if none is needed. State about their
    /// entries is converted here at once.
    ///
    /// # Errors
    /// As [`convert`](super::image::convert).
    pub(crate) fn plan(
        &mut self,
        ((from, to), cpus): ((&Implementation, &Implementation), u16),
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
        self.registers.forget_absent(to);
        let features = from.features;
        let layouts = (features.layout, to.features.layout);
        let homes = (from.choices.table_home, to.choices.table_home);
        // A reader that follows distances needs them rewritten; one that reads every entry must not
        // find stale ones.
        if layouts.0 == layouts.1 && homes.0 == homes.1 {
            return Ok(None);
        }
        let reading = from.reading();
        let bits = (features.device_bits, features.event_bits);
        let basers = &self.registers.basers;
        let tables = Tables { devices: basers[DEVICES], collections: basers[COLLECTIONS] };
        let icid_bits = to.in_range().features.icid_bits();
        let limits = Limits { bits, intid_bits: features.intid_bits, icid_bits, cpus };
        let plan = plan(layouts, reading, tables, limits, scratch, memory)?;
        let Tables { devices, collections } = tables.laid_out(layouts);
        (self.registers.basers[DEVICES], self.registers.basers[COLLECTIONS]) =
            (devices, collections);
        self.orphans = self.orphans.rewritten(plan.converted(), layouts);
        Ok(Some(plan))
    }
}

/// An identifier size that was reported to software and that the other ITS does not support,
/// whether software uses it or not. Fewer ICIDs are no such case: GITS_TYPER reports them, and a
/// conversion refuses those in use.
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
    /// How the tables of a saved ITS are read: by distances, if the ITS had internal tables and its
    /// layout has distances.
    pub(super) fn reading(&self) -> Reading {
        let Self { features, choices } = self;
        match (choices.table_home, features.layout) {
            (TableHome::Its, Layout::Kvm0) => Reading::ByDistance,
            _ => Reading::Every,
        }
    }
}

impl Its {
    /// The mappings in the tables now, the collections held in the ITS, and the events that lost
    /// theirs. Tables that are not valid, or cannot be read, map nothing.
    ///
    /// # Errors
    /// As [`Mappings::read`].
    pub fn mappings(&self, memory: &Memory) -> Result<Found, ImageError> {
        let (found, read) = self.most_mappings(memory);
        read.map(|()| found)
    }

    /// As [`Its::mappings`]; returns what was found even if the reading failed.
    pub fn most_mappings(&self, memory: &Memory) -> (Found, Result<(), ImageError>) {
        let features = &self.implementation.features;
        let bits = (features.device_bits, features.event_bits);
        let layout = features.layout;
        let (mut found, read) = match &self.internal {
            Some(internal) => (internal.found(), Ok(())),
            None => Mappings::read_most(layout, Reading::Every, self.tables(), bits, memory),
        };
        let mappings = &mut found.mappings;
        mappings.collections.retain(|_, cpu| cpu.get() < self.cpus);
        // Table entries of collections held in the ITS are ignored.
        for (icid, cpu) in (0u16..).zip(&self.held) {
            match cpu {
                Some(cpu) => mappings.collections.insert(icid, *cpu),
                None => mappings.collections.remove(&icid),
            };
        }
        self.add_orphans(mappings);
        (found, read)
    }

    /// Locations of the tables.
    pub fn tables(&self) -> Tables {
        let basers = &self.registers.basers;
        Tables { devices: basers[DEVICES], collections: basers[COLLECTIONS] }
    }

    /// Saves the ITS. Packets on their way arrive first; take them with [`Its::take_packets`].
    /// Internal tables ([`TableHome::Its`]) are written to memory.
    ///
    /// A guest cannot make this fail: failed writes are skipped.
    pub fn save(&mut self, memory: &mut Memory) -> Saved {
        self.settle();
        self.write_internal(memory);
        self.save_registers()
    }

    /// The state of an ITS that is not in memory.
    pub(crate) fn save_registers(&self) -> Saved {
        Saved {
            registers: self.registers.clone(),
            held: self.held.clone(),
            orphans: self.orphans.clone(),
            cache: self.internal.is_none().then(|| self.cache.clone()),
            drawn: (self.implementation.choices.ordering, self.chance.clone()),
            reports: self.reports.clone(),
            failed_writes: self.failed_writes.clone(),
            effects: self.effects.clone(),
        }
    }

    /// An ITS as it was when saved. Internal tables are read by their distances: entries that no
    /// distance leads to are not mapped, and if any entry is refused, nothing is
    /// ([`Its::refused`]).
    pub fn restore(
        implementation: Implementation,
        cpus: u16,
        saved: &Saved,
        memory: &mut Memory,
    ) -> Self {
        let mut its = Self::new(implementation, cpus);
        its.registers = saved.registers.clone();
        // Those beyond, where fewer are held here, are unmapped: see `Saved::plan`.
        let held = saved.held.iter().copied().chain(core::iter::repeat(None));
        its.held = held.take(its.held.len()).collect();
        its.orphans.clone_from(&saved.orphans);
        its.reports.clone_from(&saved.reports);
        its.failed_writes.clone_from(&saved.failed_writes);
        its.effects.clone_from(&saved.effects);
        if let Some(cache) = saved.cache.as_ref().filter(|_| its.internal.is_none()) {
            its.cache.take_over(cache);
        }
        // With another seed chance starts anew.
        let (ordering, chance) = &saved.drawn;
        if its.implementation.choices.ordering == *ordering {
            its.chance.clone_from(chance);
        }
        its.read_internal(memory);
        its.gather_references(memory);
        its
    }

    /// The events of a collection in the tables now; also events that name it although no command
    /// mapped them.
    pub(super) fn members(&self, icid: u16, memory: &Memory) -> Vec<Source> {
        let events = self.events(memory).into_iter();
        events.filter(|(_, of)| *of == Some(icid)).map(|(source, _)| source).collect()
    }

    /// The mapped events and the collection of each, if it has one.
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
