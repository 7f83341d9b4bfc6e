//! State of the ITS driver: devices, events and LPIs, Linux's `irq-gic-v3-its.c`.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | which fields do registers, commands and tables have? |
//! | `registers` | how are they loaded and stored? |
//! | `command`, `queue` | how is a command encoded, and how is it performed? |
//! | `table` | where does an ITS store devices and collections? |
//! | `node` | which commands does an ITS get? |
//! | `itt` | where are interrupt translation tables allocated? |
//! | `cpus` | what do ITSs share: which LPIs are masked, and how many events has a CPU? |
//!
//! A machine may have several ITSs. Each has a queue, tables, collections and devices of its own;
//! LPIs are allocated for the whole machine, and events are counted per CPU over all ITSs. A device
//! belongs to the ITS that firmware names for it, and all its commands go to that ITS.
//!
//! The state is kept even where no ITS answers; no commands are sent then.

mod command;
mod cpus;
mod itt;
mod node;
mod queue;
mod registers;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use super::lpi::{Lpis, MOST_BITS, numbered, propbaser_bits};
use super::message::Message;
use super::view::MessageSupply;
use super::wire::GITS_TRANSLATER;
use crate::irq::{intid_bits, num_lpis, redistributors};
use crate::policy::{IrqFreeing, ItsEvents, ItsLife, ItsSharing, LpiRanges, Policy};
use cpus::Cpus;
use itt::IttPlaces;
use node::Node;
use passim_model::{DeviceId, EventId, Frames, Host, IntId, PhysAddr, event};
pub(super) use queue::Stop;
use std::collections::BTreeMap;

/// The source of an interrupt at its ITS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Event {
    pub(super) device: DeviceId,
    pub(super) event: EventId,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Device {
    first_lpi: u32,
    taken: Vec<bool>,
    /// Several functions share its DeviceID, or may: it is never released.
    shared: bool,
}

/// What is missing to create a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lacking {
    /// A place in the device table, which has this many.
    Place(u64),
    /// Memory for a page of the device table, or for the interrupt translation table.
    Memory,
    /// Events.
    Events,
    /// An LPI.
    Lpis,
}

/// One ITS: Linux's `struct its_node`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct One {
    base: PhysAddr,
    devices: BTreeMap<DeviceId, Device>,
    /// Present if the ITS answered at boot.
    node: Option<Node>,
}

/// The driver's state. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Its {
    /// In firmware's order.
    all: Vec<One>,
    lpis: Lpis,
    ranges: LpiRanges,
    freeing: IrqFreeing,
    events: ItsEvents,
    sharing: ItsSharing,
    life: ItsLife,
    itts: IttPlaces,
    /// The CPUs with LPIs enabled: all of them, where any ITS answered.
    cpus: Cpus,
}

impl Its {
    /// Creates the state of ITSs with registers at `bases`.
    pub(super) fn new(bases: &[PhysAddr], policy: &Policy) -> Self {
        let one = |&base| One { base, devices: BTreeMap::new(), node: None };
        let ranges = policy.lpi_ranges;
        let all = bases.iter().map(one).collect();
        let (lpis, events) = (Lpis::new(ranges, MOST_BITS, None), policy.its_events);
        let (sharing, life) = (policy.its_sharing, policy.its_life);
        let (itts, cpus) = (IttPlaces::new(policy.itt_memory), Cpus::new(policy));
        let freeing = policy.irq_freeing;
        Self { all, lpis, ranges, freeing, events, sharing, life, itts, cpus }
    }

    /// Brings the ITSs up, and the LPIs of the CPUs whose redistributors start at `first`.
    // 6.12 its_init: first every ITS, then the LPI configuration table; CPUs follow as they come
    // up.
    pub(super) fn boot(
        &mut self,
        (distributor, first): (PhysAddr, PhysAddr),
        cpus: u32,
        policy: &Policy,
        frames: &mut Frames,
        host: &mut impl Host,
    ) {
        for one in &mut self.all {
            let choices = (table::Choices::of(policy), policy.its_queue_wait);
            one.node = Node::boot(one.base, choices, frames, host);
            if one.node.is_none() {
                tracing::warn!(target: event::REGISTER, base = %one.base, "no its answers");
            }
        }
        let any = self.all.iter().any(|one| one.node.is_some());
        let bits = intid_bits(distributor, host);
        if any && let Some(bits) = bits {
            let bits = numbered(policy.lpi_bits, bits);
            self.lpis = Lpis::new(self.ranges, bits, num_lpis(distributor, host));
        }
        let bits = propbaser_bits(policy.lpi_bits, bits.unwrap_or(MOST_BITS));
        if any && self.boot_cpus((first, bits), cpus, policy, frames, host).is_none() {
            tracing::warn!(target: event::REGISTER, %first, "no lpis");
            self.all.iter_mut().for_each(|one| one.node = None);
        }
    }

    /// Enables the LPIs of every CPU, and maps its collection at every ITS. `None` if a register
    /// does not answer, or memory runs out.
    // 6.12 its_cpu_init: its_cpu_init_lpis, then its_cpu_init_collections, which walks a list in
    // which each ITS was inserted at the head: the one probed last comes first.
    fn boot_cpus(
        &mut self,
        (first, bits): (PhysAddr, u32),
        cpus: u32,
        policy: &Policy,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<()> {
        self.cpus.boot((policy, bits), frames, host)?;
        let all = redistributors(first, host).ok()?;
        for redistributor in all.iter().take(cpus as usize) {
            let collection = self.cpus.add(redistributor, frames, host)?;
            for node in self.all.iter_mut().rev().filter_map(|one| one.node.as_mut()) {
                node.add_collection(collection, redistributor, policy.its_invall, host);
            }
        }
        self.cpus.any().then_some(())
    }

    /// Creates a device of an ITS with at least `wanted` events, or uses the existing one.
    /// `proxied` tells that a bridge may answer for the function.
    // 6.12 its_pci_msi_prepare: a power of two, and at least 32 for DeviceID 0, which systems that
    // do not distinguish devices give to all. 4.9 and 4.13 its_create_device: as many LPIs as
    // requested; only the table has a power of two. 5.12 its_msi_prepare: a second preparation
    // shares the device, and one through a bridge does from the start.
    pub(super) fn prepare(
        &mut self,
        (its, id): (usize, DeviceId),
        (wanted, proxied): (u32, bool),
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Lacking> {
        let stays = self.sharing == ItsSharing::Never;
        let one = self.all.get_mut(its).ok_or(Lacking::Place(0))?;
        if let Some(device) = one.devices.get_mut(&id) {
            device.shared = stays;
            return Ok(());
        }
        let wanted = match self.ranges {
            LpiRanges::Chunks32 => wanted.max(1),
            LpiRanges::FirstFit => {
                let least = if id.get() == 0 { 32 } else { 1 };
                wanted.max(least).next_power_of_two()
            }
        };
        // 7.2 its_create_device, since ce9e40a9a5e5: the table and the LPIs are limited to the
        // number of EventIDs; allocating more events fails later.
        let wanted = match (&one.node, self.events) {
            (Some(node), ItsEvents::OfTheIts) => node.nameable(wanted),
            _ => wanted,
        };
        // 4.4 and 6.12 its_create_device: a page of the device table stays allocated if the LPIs
        // run out.
        if let Some(node) = &mut one.node {
            node.cover(id, frames, host)?;
        }
        if wanted == 0 {
            return Err(Lacking::Events);
        }
        let (first_lpi, count) = self.lpis.alloc(wanted).ok_or(Lacking::Lpis)?;
        if let Some(node) = &mut one.node
            && node.map_device(id, wanted, (&mut self.itts, frames), host).is_none()
        {
            self.lpis.free(first_lpi, count);
            return Err(Lacking::Memory);
        }
        let taken = vec![false; count as usize];
        one.devices.insert(id, Device { first_lpi, taken, shared: stays && proxied });
        Ok(())
    }

    /// Allocates events of a prepared device for `count` messages, with their LPIs; `None` if it
    /// has no room.
    // 4.11 takes one event after the other, and never frees those of a failed allocation; 6.12
    // takes a block whose size and position are a power of two.
    pub(super) fn alloc(
        &mut self,
        (its, id): (usize, DeviceId),
        count: usize,
    ) -> Option<Vec<(Event, IntId)>> {
        let device = self.all.get_mut(its)?.devices.get_mut(&id)?;
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
        events.iter().for_each(|&at| device.taken[at] = true);
        let named = events.iter().map(|&at| {
            let event = Event { device: id, event: EventId::new(at as u32) };
            (event, IntId::new(device.first_lpi + at as u32))
        });
        (events.len() == count).then(|| named.collect())
    }

    /// Frees events that [`Its::alloc`] returned as one block. Returns how many of the block stay
    /// taken. A device without events in use is released, where events keep it alive.
    pub(super) fn free(
        &mut self,
        its: usize,
        events: &[Event],
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> usize {
        let (Some(one), Some(first)) = (self.all.get_mut(its), events.first()) else { return 0 };
        let Some(device) = one.devices.get_mut(&first.device) else { return 0 };
        let block = events.len().next_power_of_two();
        let mut give = |at: usize| {
            if let Some(taken) = device.taken.get_mut(at) {
                *taken = false;
            }
        };
        let mut give_each = || events.iter().for_each(|event| give(event.event.get() as usize));
        let left = match (self.ranges, self.freeing) {
            (LpiRanges::FirstFit, IrqFreeing::Whole) => {
                let at = first.event.get() as usize;
                (at..at + block).for_each(give);
                0
            }
            // 6.12 its_irq_domain_free is called with one interrupt at a time: what the block has
            // beyond them stays taken, and with it the device.
            (LpiRanges::FirstFit, IrqFreeing::Each) => {
                give_each();
                block - events.len()
            }
            (LpiRanges::Chunks32, _) => {
                give_each();
                0
            }
        };
        if let Some(node) = &mut one.node {
            events.iter().for_each(|event| node.forget_event(*event, &mut self.cpus));
        }
        if self.life == ItsLife::Events {
            self.release((its, first.device), frames, host);
        }
        left
    }

    /// Releases a device, unless other functions share it or an event is in use. Returns whether an
    /// event is.
    // 4.4 its_irq_domain_free; 6.16 its_msi_teardown.
    pub(super) fn release(
        &mut self,
        (its, id): (usize, DeviceId),
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> bool {
        let Some(one) = self.all.get_mut(its) else { return false };
        let Some(device) = one.devices.get(&id) else { return false };
        if device.shared {
            return false;
        }
        if device.taken.iter().any(|taken| *taken) {
            return true;
        }
        self.lpis.free(device.first_lpi, device.taken.len() as u32);
        one.devices.remove(&id);
        if let Some(node) = &mut one.node {
            node.unmap_device(id, (&mut self.itts, frames), host);
        }
        false
    }

    /// An ITS that answered, and the CPUs it routes to.
    fn node(&mut self, its: usize) -> Option<(&mut Node, &mut Cpus)> {
        Some((self.all.get_mut(its)?.node.as_mut()?, &mut self.cpus))
    }

    /// Maps an event to its LPI. Returns the CPU it is routed to, where an ITS answers.
    pub(super) fn activate(
        &mut self,
        (its, event): (usize, Event),
        lpi: IntId,
        host: &mut impl Host,
    ) -> Option<u16> {
        let (node, cpus) = self.node(its)?;
        Some(node.map_event(event, lpi, cpus, host))
    }

    /// Unmaps an event.
    pub(super) fn deactivate(&mut self, (its, event): (usize, Event), host: &mut impl Host) {
        if let Some((node, cpus)) = self.node(its) {
            node.unmap_event(event, cpus, host);
        }
    }

    /// Masks or unmasks an event's LPI.
    pub(super) fn set_masked(
        &mut self,
        (its, event): (usize, Event),
        lpi: IntId,
        masked: bool,
        host: &mut impl Host,
    ) {
        if let Some((node, cpus)) = self.node(its) {
            node.set_masked(event, lpi, masked, cpus, host);
        }
    }

    /// Routes an event to the CPU that a user has set, or to one that the driver selects. Returns
    /// the CPU, where an ITS answers.
    pub(super) fn set_affinity(
        &mut self,
        (its, event): (usize, Event),
        pinned: Option<u16>,
        host: &mut impl Host,
    ) -> Option<u16> {
        let (node, cpus) = self.node(its)?;
        node.set_affinity(event, pinned, cpus, host)
    }

    /// The same for an event that is not mapped.
    pub(super) fn move_unmapped(
        &mut self,
        (its, event): (usize, Event),
        pinned: Option<u16>,
        host: &mut impl Host,
    ) -> Option<u16> {
        let (node, cpus) = self.node(its)?;
        Some(node.move_unmapped(event, pinned, cpus, host))
    }

    /// Takes the failed waits for ITS commands.
    pub(super) fn take_stops(&mut self) -> Vec<Stop> {
        let nodes = self.all.iter_mut().filter_map(|one| one.node.as_mut());
        nodes.flat_map(Node::take_stops).collect()
    }

    /// Number of events in use.
    pub(super) fn in_use(&self) -> usize {
        let devices = self.all.iter().flat_map(|one| one.devices.values());
        devices.flat_map(|device| &device.taken).filter(|taken| **taken).count()
    }

    /// LPIs in total, and those assigned to no device.
    pub(super) fn supply(&self) -> MessageSupply {
        self.lpis.supply()
    }

    /// The doorbell of an ITS.
    pub(super) fn doorbell(&self, its: usize) -> Option<PhysAddr> {
        self.all.get(its)?.base.checked_add(GITS_TRANSLATER)
    }

    /// The message that raises this event, with a physical address.
    pub(super) fn message(&self, (its, event): (usize, Event)) -> Message {
        self.doorbell(its).map_or(Message::LOST, |at| Message::to(at, event.event.get()))
    }
}
