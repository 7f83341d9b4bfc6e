//! LPIs that have one state each and are at one CPU each, where that is chosen
//! ([`LpiState::PerLpi`]): which there are, and where they are. What is pending and what is known of
//! configuration is held by the redistributor of that CPU, whether its LPIs are on or not.
//!
//! An LPI is there while an event maps to it, of whichever ITS, and as long as it waits for its CPU.
//! One that no event was said to map to is where packets bring it, as elsewhere.

use super::lpis::Lpis;
use super::wire::FIRST_LPI;
use super::{GicV3, Packet};
use crate::Cpu;
use crate::choice::lpi::{LpiState, MoveToDisabled};
use passim_model::{IntId, Memory};
use std::collections::BTreeSet;

/// An LPI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Place {
    /// Events that map to it.
    events: u32,
    /// The CPU, plus one; 0 while there is none, as events are in collections that nobody has mapped.
    cpu: u16,
    /// While there is no CPU, what is known of its configuration.
    known: u8,
    /// While there is no CPU, whether it is pending.
    pending: bool,
}

impl Place {
    fn cpu(&self) -> Option<Cpu> {
        self.cpu.checked_sub(1).map(Cpu::new)
    }
}

/// The LPIs that there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// By INTID less [`FIRST_LPI`]; none where LPIs have no state of their own.
    all: Vec<Place>,
    /// Those that no event maps to any more.
    loose: BTreeSet<u32>,
}

impl Places {
    /// None yet, of INTIDs of so many bits.
    pub(super) fn new(state: LpiState, intid_bits: u32) -> Self {
        let count = match state {
            LpiState::PerRedistributor => 0,
            LpiState::PerLpi => (1usize << intid_bits).saturating_sub(FIRST_LPI as usize),
        };
        Self { all: vec![Place::default(); count], loose: BTreeSet::new() }
    }

    fn slot(&mut self, intid: u32) -> Option<&mut Place> {
        self.all.get_mut(intid.checked_sub(FIRST_LPI)? as usize)
    }

    /// The LPI, if it is there.
    #[inline]
    fn get(&self, intid: u32) -> Option<Place> {
        let place = self.all.get(intid.checked_sub(FIRST_LPI)? as usize)?;
        (place.events != 0 || self.loose.contains(&intid)).then_some(*place)
    }

    /// The LPIs at a CPU, ascending.
    fn at(&self, cpu: Cpu) -> Vec<u32> {
        let numbered = (FIRST_LPI..).zip(&self.all).filter(|(_, place)| place.cpu() == Some(cpu));
        numbered.map(|(intid, _)| intid).collect()
    }
}

impl GicV3 {
    fn lpis_at(&mut self, cpu: Option<Cpu>) -> Option<&mut Lpis> {
        self.redistributors.get_mut(cpu?.index())?.lpis.as_mut()
    }

    /// A packet about LPIs that have a state of their own; `None` if it is about others, too.
    pub(super) fn deliver_to_place(
        &mut self,
        cpu: Cpu,
        packet: Packet,
        memory: &mut Memory,
    ) -> Option<bool> {
        if self.places.all.is_empty() {
            return None;
        }
        match packet {
            Packet::Mapped(intid) => return self.arrive(intid.get(), Some(cpu), memory),
            Packet::MappedNowhere(intid) => return self.arrive(intid.get(), None, memory),
            Packet::MoveAll(to) => {
                for intid in self.places.at(cpu) {
                    self.take_to(intid, to, memory);
                }
                return None;
            }
            _ => {}
        }
        let intid = packet.intid()?.get();
        let place = self.places.get(intid)?;
        match packet {
            Packet::Released(_) => self.release(intid),
            Packet::Move(_, to) => return Some(self.take_to(intid, to, memory)),
            Packet::ClearPending(_) => match self.lpis_at(place.cpu()) {
                Some(lpis) => {
                    lpis.clear_pending(intid, memory);
                }
                None => self.places.slot(intid)?.pending = false,
            },
            Packet::Invalidate(_) => self.invalidate_in_place(intid, memory),
            Packet::SetPending(_) => return None,
            _ => {}
        }
        Some(true)
    }

    /// An event maps to an LPI, for a CPU. Whether it could.
    // vgic_add_lpi: one that is there already gets nothing but a reference.
    fn arrive(&mut self, intid: u32, cpu: Option<Cpu>, memory: &mut Memory) -> Option<bool> {
        let there = self.places.get(intid).is_some();
        let slot = self.places.slot(intid)?;
        slot.events = slot.events.saturating_add(1);
        self.places.loose.remove(&intid);
        if there {
            return Some(true);
        }
        let slot = self.places.slot(intid)?;
        *slot = Place { events: 1, cpu: cpu.map_or(0, |cpu| cpu.get() + 1), ..Place::default() };
        match self.lpis_at(cpu) {
            Some(lpis) => lpis.welcome(intid, memory),
            None => self.invalidate_in_place(intid, memory),
        }
        Some(true)
    }

    /// Configuration is read anew where the LPI is.
    pub(super) fn invalidate_in_place(&mut self, intid: u32, memory: &Memory) {
        let Some(place) = self.places.get(intid) else { return };
        if let Some(lpis) = self.lpis_at(place.cpu()) {
            return lpis.invalidate(intid, memory);
        }
        let byte = self.lpis_at(Some(Cpu::new(0))).map_or(0, |lpis| lpis.fresh(intid, memory));
        if let Some(slot) = self.places.slot(intid) {
            slot.known = byte;
        }
    }

    /// An LPI is at this CPU from now on, with all that is known of it. Whether it is pending there.
    // update_affinity: what is on no list stays on none.
    fn take_to(&mut self, intid: u32, to: Cpu, memory: &mut Memory) -> bool {
        let Some(place) = self.places.get(intid) else { return false };
        let on = self.redistributors.get(to.index()).is_some_and(|place| place.is_on());
        let off = self.implementation.choices.move_to_disabled;
        if place.cpu() == Some(to) || !on && off == MoveToDisabled::Stay {
            return false;
        }
        let (known, shelved) = match self.lpis_at(place.cpu()) {
            Some(lpis) => (lpis.known(intid), lpis.withdraw(intid)),
            None => (place.known, place.pending.then_some(true)),
        };
        if let Some(slot) = self.places.slot(intid) {
            *slot = Place { events: slot.events, cpu: to.get() + 1, ..Place::default() };
        }
        let lost = !on && off == MoveToDisabled::Lost;
        let Some(lpis) = self.lpis_at(Some(to)) else { return false };
        lpis.take_over(intid, known, memory);
        match shelved.filter(|_| !lost) {
            Some(true) => lpis.shelve(intid),
            Some(false) => {
                lpis.set_pending(intid, memory);
            }
            None => return false,
        }
        true
    }

    /// An event less maps to an LPI.
    fn release(&mut self, intid: u32) {
        let Some(slot) = self.places.slot(intid) else { return };
        let before = slot.events;
        slot.events = before.saturating_sub(1);
        if before == 1 {
            self.places.loose.insert(intid);
        }
    }

    /// LPIs that no event maps to are no more, but for those that wait for a CPU.
    pub(super) fn forget_loose(&mut self) {
        if self.places.loose.is_empty() {
            return;
        }
        for intid in core::mem::take(&mut self.places.loose) {
            let cpu = self.places.slot(intid).and_then(|place| place.cpu());
            let lpis = self.lpis_at(cpu);
            if lpis.as_ref().is_some_and(|lpis| lpis.waits(intid)) {
                self.places.loose.insert(intid);
                continue;
            }
            if let Some(lpis) = lpis {
                lpis.withdraw(intid);
            }
            if let Some(slot) = self.places.slot(intid) {
                *slot = Place::default();
            }
        }
    }

    /// A message, for a CPU whose LPIs are on, of an LPI that is elsewhere. `None` if that is where
    /// the message brings it.
    #[inline(always)]
    pub(super) fn pend_elsewhere(
        &mut self,
        cpu: Cpu,
        intid: u32,
        memory: &mut Memory,
    ) -> Option<bool> {
        if self.places.all.is_empty() {
            return None;
        }
        self.pend_in_place(cpu, intid, memory)
    }

    /// As [`GicV3::pend_elsewhere`], where LPIs have a state of their own.
    #[inline(never)]
    fn pend_in_place(&mut self, cpu: Cpu, intid: u32, memory: &mut Memory) -> Option<bool> {
        let place = self.places.get(intid)?;
        if place.cpu() == Some(cpu) || !self.redistributors.get(cpu.index())?.is_on() {
            return None;
        }
        match self.lpis_at(place.cpu()) {
            Some(lpis) => Some(lpis.set_pending(intid, memory)),
            None => {
                self.places.slot(intid)?.pending = true;
                Some(true)
            }
        }
    }

    /// The CPU at which an LPI is that a message brought to `cpu`: where it went before, if it has a
    /// state of its own.
    #[inline(always)]
    pub(super) fn whereabouts(&self, intid: IntId, cpu: Cpu) -> Cpu {
        if self.places.all.is_empty() {
            return cpu;
        }
        self.places.get(intid.get()).and_then(|place| place.cpu()).unwrap_or(cpu)
    }

    /// LPIs of a CPU have been turned on: of those that are there, what the table says holds, and
    /// what is shelved anywhere waits again.
    // its_sync_lpi_pending_table.
    pub(super) fn believe_table(&mut self, cpu: Cpu, memory: &mut Memory) {
        if self.places.all.is_empty() {
            return;
        }
        for intid in self.places.at(cpu) {
            if let Some(lpis) = self.lpis_at(Some(cpu)) {
                lpis.believe_table(intid, memory);
            }
        }
        for redistributor in &mut self.redistributors {
            if let Some(lpis) = &mut redistributor.lpis {
                lpis.unshelve(memory);
            }
        }
    }

    /// Pending tables say of the LPIs that there are whether they are pending.
    // vgic_v3_save_pending_tables.
    pub(super) fn write_places(&mut self, memory: &mut Memory) {
        if self.places.all.is_empty() {
            return;
        }
        for cpu in self.cpus() {
            let mut all: BTreeSet<_> = self.places.at(cpu).into_iter().collect();
            let Some(lpis) = self.lpis_at(Some(cpu)) else { continue };
            all.extend(lpis.pending());
            for intid in all {
                lpis.write_bit(intid, memory);
            }
        }
    }

    /// The LPIs that events of restored tables map to are there.
    // vgic_its_restore_ite.
    pub(super) fn gather_places(&mut self, memory: &mut Memory) {
        if self.places.all.is_empty() {
            return;
        }
        let mapped: Vec<_> = self.its.iter().flat_map(|its| its.lpis(memory)).collect();
        for (intid, cpu) in mapped {
            self.arrive(intid.get(), cpu, memory);
        }
    }
}
