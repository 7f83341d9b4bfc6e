//! The ITS driver's books: devices, events and LPIs, Linux's `irq-gic-v3-its.c`.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `registers` | how are they loaded and stored? |
//! | `command`, `queue` | what is a command, and how is it performed? |
//! | `table` | where does the ITS keep devices and collections? |
//! | `hardware` | what is the ITS told? |
//!
//! The books hold where no ITS answers too; then nobody is told.

mod command;
mod hardware;
mod queue;
mod registers;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use super::lpi::Lpis;
use super::message::Message;
use super::view::MessageSupply;
use super::wire::GITS_TRANSLATER;
use crate::policy::{LpiRanges, Policy};
use hardware::Hardware;
use passim_model::{DeviceId, EventId, Frames, Host, IntId, PhysAddr, event};
use std::collections::BTreeMap;

/// Where an interrupt comes from, as the ITS sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Event {
    pub(super) device: DeviceId,
    pub(super) event: EventId,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Device {
    first_lpi: u32,
    taken: Vec<bool>,
    /// It was met again under another function: it stays.
    shared: bool,
}

/// The driver's books. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Its {
    base: PhysAddr,
    devices: BTreeMap<DeviceId, Device>,
    lpis: Lpis,
    ranges: LpiRanges,
    /// An ITS that answered.
    hardware: Option<Hardware>,
}

impl Its {
    /// The ITS with its registers at `base`.
    pub(super) fn new(base: PhysAddr, ranges: LpiRanges) -> Self {
        let (devices, lpis) = (BTreeMap::new(), Lpis::new(ranges));
        Self { base, devices, lpis, ranges, hardware: None }
    }

    /// Brings the ITS up, with the LPIs of the CPUs whose redistributors start at `first`.
    pub(super) fn boot(
        &mut self,
        first: PhysAddr,
        cpus: u32,
        policy: &Policy,
        frames: &mut Frames,
        host: &mut impl Host,
    ) {
        self.hardware = Hardware::boot(self.base, first, cpus, policy, frames, host);
        if self.hardware.is_none() {
            tracing::warn!(target: event::REGISTER, base = %self.base, "no its answers");
        }
    }

    /// Makes a device that can raise `wanted` events, or takes the one that is there. `false` if
    /// no LPI is left for it, or the ITS has no room.
    // 6.12 its_pci_msi_prepare: a power of two, and at least 32 for DeviceID 0, which systems that
    // do not tell devices apart give to all.
    pub(super) fn prepare(
        &mut self,
        id: DeviceId,
        wanted: u32,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> bool {
        if let Some(device) = self.devices.get_mut(&id) {
            device.shared = true;
            return true;
        }
        let least = if id.get() == 0 { 32 } else { 1 };
        let wanted = wanted.max(least).next_power_of_two();
        let Some((first_lpi, count)) = self.lpis.alloc(wanted) else { return false };
        if let Some(hardware) = &mut self.hardware
            && hardware.map_device(id, wanted, frames, host).is_none()
        {
            self.lpis.free(first_lpi, count);
            return false;
        }
        let taken = vec![false; count as usize];
        self.devices.insert(id, Device { first_lpi, taken, shared: false });
        true
    }

    /// Events of a prepared device for `count` messages, and their LPIs; `None` if it has no room.
    // 4.11 takes one after the other; 6.12 a block whose size and place are a power of two.
    pub(super) fn alloc(&mut self, id: DeviceId, count: usize) -> Option<Vec<(Event, IntId)>> {
        let device = self.devices.get_mut(&id)?;
        let events: Vec<usize> = match self.ranges {
            LpiRanges::Chunks32 => {
                let free = device.taken.iter().enumerate().filter(|(_, taken)| !**taken);
                free.map(|(at, _)| at).take(count).collect()
            }
            LpiRanges::FirstFit => {
                let block = count.next_power_of_two();
                let room = device.taken.chunks_exact(block);
                let at = room.enumerate().find(|(_, block)| block.iter().all(|taken| !taken));
                let first = at?.0 * block;
                device.taken[first..first + block].fill(true);
                (first..first + count).collect()
            }
        };
        if events.len() < count {
            return None;
        }
        let named = events.into_iter().map(|at| {
            device.taken[at] = true;
            let event = Event { device: id, event: EventId::new(at as u32) };
            (event, IntId::new(device.first_lpi + at as u32))
        });
        Some(named.collect())
    }

    /// Events that [`Its::alloc`] gave as one block are free again. A device without any goes,
    /// unless another function shares it.
    pub(super) fn free(&mut self, events: &[Event], frames: &mut Frames, host: &mut impl Host) {
        let Some(first) = events.first() else { return };
        let Some(device) = self.devices.get_mut(&first.device) else { return };
        let mut give = |at: usize| {
            if let Some(taken) = device.taken.get_mut(at) {
                *taken = false;
            }
        };
        match self.ranges {
            LpiRanges::Chunks32 => events.iter().for_each(|event| give(event.event.get() as usize)),
            LpiRanges::FirstFit => {
                let at = first.event.get() as usize;
                (at..at + events.len().next_power_of_two()).for_each(give);
            }
        }
        if !device.shared && device.taken.iter().all(|taken| !taken) {
            self.lpis.free(device.first_lpi, device.taken.len() as u32);
            self.devices.remove(&first.device);
            if let Some(hardware) = &mut self.hardware {
                hardware.unmap_device(first.device, frames, host);
            }
        }
    }

    /// An event raises its LPI from now on. Returns the CPU it goes to, where an ITS answers.
    pub(super) fn activate(
        &mut self,
        event: Event,
        lpi: IntId,
        pinned: Option<u16>,
        host: &mut impl Host,
    ) -> Option<u16> {
        Some(self.hardware.as_mut()?.map_event(event, lpi, pinned, host))
    }

    /// An event raises nothing any more.
    pub(super) fn deactivate(&mut self, event: Event, host: &mut impl Host) {
        if let Some(hardware) = &mut self.hardware {
            hardware.unmap_event(event, host);
        }
    }

    /// Holds an event's LPI back, or lets it through.
    pub(super) fn set_masked(
        &mut self,
        event: Event,
        lpi: IntId,
        masked: bool,
        host: &mut impl Host,
    ) {
        if let Some(hardware) = &mut self.hardware {
            hardware.set_masked(event, lpi, masked, host);
        }
    }

    /// Sends an event to another CPU.
    pub(super) fn move_to(&mut self, event: Event, cpu: u16, host: &mut impl Host) {
        if let Some(hardware) = &mut self.hardware {
            hardware.move_event(event, cpu, host);
        }
    }

    /// Events in use.
    pub(super) fn in_use(&self) -> usize {
        self.devices.values().flat_map(|device| &device.taken).filter(|taken| **taken).count()
    }

    /// What there is of LPIs, and what no device was given.
    pub(super) fn supply(&self) -> MessageSupply {
        self.lpis.supply()
    }

    /// Where messages go.
    pub(super) fn doorbell(&self) -> Option<PhysAddr> {
        self.base.checked_add(GITS_TRANSLATER)
    }

    /// What raises this event, with a physical address.
    pub(super) fn message(&self, event: Event) -> Message {
        self.doorbell().map_or(Message::LOST, |at| Message::to(at, event.event.get()))
    }
}
