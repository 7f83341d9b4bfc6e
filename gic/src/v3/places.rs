//! LPIs with one state each, at one CPU at a time ([`LpiState::PerLpi`], KVM's `vgic_irq`): which
//! exist, and where each is. The redistributor of that CPU holds the LPI's pending state and cached
//! configuration, whether its LPIs are on or not.
//!
//! An LPI exists while any ITS maps an event to it, or while its CPU can take it. An LPI that no
//! event was reported to map to is at the redistributor that its last packet reached, as with
//! [`LpiState::PerRedistributor`].

use super::lpis::Lpis;
use super::wire::FIRST_LPI;
use super::{GicV3, Packet};
use crate::Cpu;
use crate::choice::lpi::{LpiState, MoveToDisabled};
use passim_model::{IntId, Memory};
use std::collections::BTreeSet;

/// The state of an LPI beside its redistributor's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Place {
    /// Number of events that map to it.
    events: u32,
    /// The CPU plus one; 0 for none, while its events are in unmapped collections.
    cpu: u16,
    /// While there is no CPU, its cached configuration.
    known: u8,
    /// While there is no CPU, whether it is pending.
    pending: bool,
}

impl Place {
    fn cpu(&self) -> Option<Cpu> {
        self.cpu.checked_sub(1).map(Cpu::new)
    }
}

/// The LPIs that exist.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// By INTID minus [`FIRST_LPI`]; empty without [`LpiState::PerLpi`].
    all: Vec<Place>,
    /// LPIs that no event maps to any more.
    unreferenced: BTreeSet<u32>,
}

impl Places {
    /// No LPI exists yet; INTIDs have `intid_bits` bits.
    pub(super) fn new(state: LpiState, intid_bits: u32) -> Self {
        let count = match state {
            LpiState::PerRedistributor => 0,
            LpiState::PerLpi => (1usize << intid_bits).saturating_sub(FIRST_LPI as usize),
        };
        Self { all: vec![Place::default(); count], unreferenced: BTreeSet::new() }
    }

    fn slot(&mut self, intid: u32) -> Option<&mut Place> {
        self.all.get_mut(intid.checked_sub(FIRST_LPI)? as usize)
    }

    /// The LPI, if it exists.
    #[inline]
    fn get(&self, intid: u32) -> Option<Place> {
        let place = self.all.get(intid.checked_sub(FIRST_LPI)? as usize)?;
        (place.events != 0 || self.unreferenced.contains(&intid)).then_some(*place)
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

    /// Delivers a packet about LPIs with a state of their own; `None` if the redistributor has to
    /// handle it.
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

    /// An event maps to an LPI, for a CPU. Returns whether the LPI can exist.
    // vgic_add_lpi: an existing LPI only gets another reference.
    fn arrive(&mut self, intid: u32, cpu: Option<Cpu>, memory: &mut Memory) -> Option<bool> {
        let there = self.places.get(intid).is_some();
        let slot = self.places.slot(intid)?;
        slot.events = slot.events.saturating_add(1);
        self.places.unreferenced.remove(&intid);
        if there {
            return Some(true);
        }
        let slot = self.places.slot(intid)?;
        *slot = Place { events: 1, cpu: cpu.map_or(0, |cpu| cpu.get() + 1), ..Place::default() };
        match self.lpis_at(cpu) {
            Some(lpis) => lpis.mapped_here(intid, memory),
            None => self.invalidate_in_place(intid, memory),
        }
        Some(true)
    }

    /// Reads the LPI's configuration again, where the LPI is.
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

    /// Moves an LPI to a CPU, with its cached configuration. Returns whether it is pending there.
    // update_affinity: an LPI on no ap_list stays on none.
    fn take_to(&mut self, intid: u32, to: Cpu, memory: &mut Memory) -> bool {
        let Some(place) = self.places.get(intid) else { return false };
        let on = self.redistributors.get(to.index()).is_some_and(|redist| redist.is_on());
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

    /// One event fewer maps to the LPI.
    fn release(&mut self, intid: u32) {
        let Some(slot) = self.places.slot(intid) else { return };
        let before = slot.events;
        slot.events = before.saturating_sub(1);
        if before == 1 {
            self.places.unreferenced.insert(intid);
        }
    }

    /// Drops an LPI if no event maps to it, unless its CPU can take it. To be called after whatever
    /// may have ended either.
    pub(super) fn drop_unreferenced(&mut self, intid: u32) {
        if !self.places.unreferenced.contains(&intid) {
            return;
        }
        let cpu = self.places.slot(intid).and_then(|place| place.cpu());
        let lpis = self.lpis_at(cpu);
        if lpis.as_ref().is_some_and(|lpis| lpis.waits(intid)) {
            return;
        }
        if let Some(lpis) = lpis {
            lpis.withdraw(intid);
        }
        if let Some(slot) = self.places.slot(intid) {
            *slot = Place::default();
        }
        self.places.unreferenced.remove(&intid);
    }

    /// As [`GicV3::drop_unreferenced`], for every LPI: after a change of all pending bits or of all
    /// configuration.
    pub(super) fn drop_all_unreferenced(&mut self) {
        let all: Vec<_> = self.places.unreferenced.iter().copied().collect();
        for intid in all {
            self.drop_unreferenced(intid);
        }
    }

    /// A message for a CPU with LPIs on, of an LPI that is at another CPU. `None` if the LPI is at
    /// the message's CPU or has no state of its own.
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

    /// The CPU that an LPI is at after a message for `cpu` raised it: where it was before, if it
    /// has a state of its own.
    #[inline(always)]
    pub(super) fn cpu_of_lpi(&self, intid: IntId, cpu: Cpu) -> Cpu {
        if self.places.all.is_empty() {
            return cpu;
        }
        self.places.get(intid.get()).and_then(|place| place.cpu()).unwrap_or(cpu)
    }

    /// LPIs of a CPU have been turned on: takes over pending from its table for each LPI that
    /// exists there, and offers all shelved LPIs again.
    // its_sync_lpi_pending_table.
    pub(super) fn sync_with_table(&mut self, cpu: Cpu, memory: &mut Memory) {
        if self.places.all.is_empty() {
            return;
        }
        for intid in self.places.at(cpu) {
            if let Some(lpis) = self.lpis_at(Some(cpu)) {
                lpis.sync_with_table(intid, memory);
            }
        }
        for redistributor in &mut self.redistributors {
            if let Some(lpis) = &mut redistributor.lpis {
                lpis.unshelve(memory);
            }
        }
    }

    /// Writes the pending bit of each LPI that exists to its CPU's table.
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

    /// Creates the LPIs that events of restored tables map to.
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
