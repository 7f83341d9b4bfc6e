//! The ITS driver's books: devices, events and LPIs, Linux's `irq-gic-v3-its.c`.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `registers` | how are they loaded and stored? |
//! | `command`, `queue` | what is a command, and how is it performed? |
//! | `table` | where does an ITS keep devices and collections? |
//! | `node` | what is an ITS told? |
//! | `itt` | where do the tables of events lie? |
//! | `cpus` | what do ITSs share: which LPI is held back, and which CPU has how many? |
//!
//! A machine may have several ITSs. Each has a queue, tables, collections and devices of its own;
//! LPIs are the machine's, and so is how many of them go to a CPU. A device belongs to the ITS that
//! firmware names for it, and all that concerns it is told to that one.
//!
//! The books hold where no ITS answers too; then nobody is told.

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

use super::lpi::{Lpis, MOST_BITS, numbered, told};
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

/// Where an interrupt comes from, as its ITS sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Event {
    pub(super) device: DeviceId,
    pub(super) event: EventId,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Device {
    first_lpi: u32,
    taken: Vec<bool>,
    /// Several functions send under it, or may: it stays.
    shared: bool,
}

/// One ITS: Linux's `struct its_node`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct One {
    base: PhysAddr,
    devices: BTreeMap<DeviceId, Device>,
    /// It answered.
    node: Option<Node>,
}

/// The driver's books. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Its {
    /// As firmware lists them.
    all: Vec<One>,
    lpis: Lpis,
    ranges: LpiRanges,
    freeing: IrqFreeing,
    events: ItsEvents,
    sharing: ItsSharing,
    life: ItsLife,
    itts: IttPlaces,
    /// The CPUs whose LPIs are on: all of them, where any ITS answered.
    cpus: Cpus,
}

impl Its {
    /// The ITSs with their registers at `bases`.
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

    /// Brings the ITSs up, with the LPIs of the CPUs whose redistributors start at `first`.
    // 6.12 its_init: every ITS first, then the table of LPIs; CPUs follow as they come up.
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
        let bits = told(policy.lpi_bits, bits.unwrap_or(MOST_BITS));
        if any && self.boot_cpus((first, bits), cpus, policy, frames, host).is_none() {
            tracing::warn!(target: event::REGISTER, %first, "no lpis");
            self.all.iter_mut().for_each(|one| one.node = None);
        }
    }

    /// The LPIs of every CPU, and its collection at every ITS. `None` if a register does not
    /// answer, or there is no memory.
    // 6.12 its_cpu_init: its_cpu_init_lpis, then its_cpu_init_collections, which goes through a
    // list that each ITS was put at the head of: the one probed last is told first.
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

    /// Makes a device of an ITS that can raise `wanted` events, or takes the one that is there. A
    /// bridge may answer for the function: `proxied`. `false` if no LPI is left for it, the ITS has
    /// no room, or there is no such ITS.
    // 6.12 its_pci_msi_prepare: a power of two, and at least 32 for DeviceID 0, which systems that
    // do not tell devices apart give to all. 4.9 and 4.13 its_create_device: LPIs for as many as
    // are wanted; only the table is of a power of two. 5.12 its_msi_prepare: who comes again shares
    // the device, and who comes by a bridge from the start.
    pub(super) fn prepare(
        &mut self,
        (its, id): (usize, DeviceId),
        (wanted, proxied): (u32, bool),
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> bool {
        let stays = self.sharing == ItsSharing::Never;
        let Some(one) = self.all.get_mut(its) else { return false };
        if let Some(device) = one.devices.get_mut(&id) {
            device.shared = stays;
            return true;
        }
        let wanted = match self.ranges {
            LpiRanges::Chunks32 => wanted.max(1),
            LpiRanges::FirstFit => {
                let least = if id.get() == 0 { 32 } else { 1 };
                wanted.max(least).next_power_of_two()
            }
        };
        // 7.2 its_create_device, since ce9e40a9a5e5: the table and the LPIs are for no more than
        // there are EventIDs, and who wants more is told when it asks for those.
        let wanted = match (&one.node, self.events) {
            (Some(node), ItsEvents::OfTheIts) => node.nameable(wanted),
            _ => wanted,
        };
        // 4.4 and 6.12 its_create_device: a page of the device table stays where the LPIs run out.
        if let Some(node) = &mut one.node
            && node.cover(id, frames, host).is_none()
        {
            return false;
        }
        let Some((first_lpi, count)) = self.lpis.alloc(wanted) else { return false };
        if let Some(node) = &mut one.node
            && node.map_device(id, wanted, (&mut self.itts, frames), host).is_none()
        {
            self.lpis.free(first_lpi, count);
            return false;
        }
        let taken = vec![false; count as usize];
        one.devices.insert(id, Device { first_lpi, taken, shared: stays && proxied });
        true
    }

    /// Events of a prepared device for `count` messages, and their LPIs; `None` if it has no room.
    // 4.11 takes one after the other, and what it took of too few is nobody's and never free again;
    // 6.12 takes a block whose size and place are a power of two.
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

    /// Events that [`Its::alloc`] gave as one block are free again. A device without any goes, if
    /// events are what keeps it.
    pub(super) fn free(
        &mut self,
        its: usize,
        events: &[Event],
        frames: &mut Frames,
        host: &mut impl Host,
    ) {
        let (Some(one), Some(first)) = (self.all.get_mut(its), events.first()) else { return };
        let Some(device) = one.devices.get_mut(&first.device) else { return };
        let mut give = |at: usize| {
            if let Some(taken) = device.taken.get_mut(at) {
                *taken = false;
            }
        };
        match (self.ranges, self.freeing) {
            (LpiRanges::FirstFit, IrqFreeing::Whole) => {
                let at = first.event.get() as usize;
                (at..at + events.len().next_power_of_two()).for_each(give);
            }
            // 6.12 its_irq_domain_free is called with one interrupt at a time: what the block has
            // beyond them stays taken, and with it the device.
            (LpiRanges::FirstFit, IrqFreeing::Each) | (LpiRanges::Chunks32, _) => {
                events.iter().for_each(|event| give(event.event.get() as usize));
            }
        }
        if let Some(node) = &mut one.node {
            events.iter().for_each(|event| node.forget_event(*event, &mut self.cpus));
        }
        if self.life == ItsLife::Events {
            self.release((its, first.device), frames, host);
        }
    }

    /// A device goes, unless other functions share it or an event is in use.
    // 4.4 its_irq_domain_free; 6.16 its_msi_teardown.
    pub(super) fn release(
        &mut self,
        (its, id): (usize, DeviceId),
        frames: &mut Frames,
        host: &mut impl Host,
    ) {
        let Some(one) = self.all.get_mut(its) else { return };
        let Some(device) = one.devices.get(&id) else { return };
        if device.shared || device.taken.iter().any(|taken| *taken) {
            return;
        }
        self.lpis.free(device.first_lpi, device.taken.len() as u32);
        one.devices.remove(&id);
        if let Some(node) = &mut one.node {
            node.unmap_device(id, (&mut self.itts, frames), host);
        }
    }

    /// An ITS that answered, and the CPUs it sends to.
    fn node(&mut self, its: usize) -> Option<(&mut Node, &mut Cpus)> {
        Some((self.all.get_mut(its)?.node.as_mut()?, &mut self.cpus))
    }

    /// An event raises its LPI from now on. Returns the CPU it goes to, where an ITS answers.
    pub(super) fn activate(
        &mut self,
        (its, event): (usize, Event),
        lpi: IntId,
        host: &mut impl Host,
    ) -> Option<u16> {
        let (node, cpus) = self.node(its)?;
        Some(node.map_event(event, lpi, cpus, host))
    }

    /// An event raises nothing any more.
    pub(super) fn deactivate(&mut self, (its, event): (usize, Event), host: &mut impl Host) {
        if let Some((node, cpus)) = self.node(its) {
            node.unmap_event(event, cpus, host);
        }
    }

    /// Holds an event's LPI back, or lets it through.
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

    /// Sends an event to the CPU it was told to go to, or to that which the driver chooses. Returns
    /// which, where an ITS answers.
    pub(super) fn set_affinity(
        &mut self,
        (its, event): (usize, Event),
        pinned: Option<u16>,
        host: &mut impl Host,
    ) -> Option<u16> {
        let (node, cpus) = self.node(its)?;
        node.set_affinity(event, pinned, cpus, host)
    }

    /// The same of an event that is not mapped.
    pub(super) fn move_unmapped(
        &mut self,
        (its, event): (usize, Event),
        pinned: Option<u16>,
        host: &mut impl Host,
    ) -> Option<u16> {
        let (node, cpus) = self.node(its)?;
        Some(node.move_unmapped(event, pinned, cpus, host))
    }

    /// What commands to ITSs came to nothing by, since last asked.
    pub(super) fn take_stops(&mut self) -> Vec<Stop> {
        let nodes = self.all.iter_mut().filter_map(|one| one.node.as_mut());
        nodes.flat_map(Node::take_stops).collect()
    }

    /// Events in use.
    pub(super) fn in_use(&self) -> usize {
        let devices = self.all.iter().flat_map(|one| one.devices.values());
        devices.flat_map(|device| &device.taken).filter(|taken| **taken).count()
    }

    /// What there is of LPIs, and what no device was given.
    pub(super) fn supply(&self) -> MessageSupply {
        self.lpis.supply()
    }

    /// Where messages to an ITS go.
    pub(super) fn doorbell(&self, its: usize) -> Option<PhysAddr> {
        self.all.get(its)?.base.checked_add(GITS_TRANSLATER)
    }

    /// What raises this event, with a physical address.
    pub(super) fn message(&self, (its, event): (usize, Event)) -> Message {
        self.doorbell(its).map_or(Message::LOST, |at| Message::to(at, event.event.get()))
    }
}
