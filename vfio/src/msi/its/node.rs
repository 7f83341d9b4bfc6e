//! One ITS as its driver programs it: tables, queue, collections, devices and events. Linux's
//! `struct its_node` of `irq-gic-v3-its.c`.

use super::command::Command;
use super::cpus::Cpus;
use super::itt::IttPlaces;
use super::queue::{Queue, Stop};
use super::registers::Registers;
use super::table::{self, Table, zeroed};
use super::wire::{Ctlr, GIC_PIDR2_ARCH, ITS_CMD_QUEUE_LG2, Pidr2, Typer, gits};
use super::{Event, Lacking};
use crate::irq::Redistributor;
use crate::policy::{ItsInvall, ItsQueueWait};
use passim_model::{DeviceId, Frames, Host, IntId, PhysAddr};
use std::collections::BTreeMap;

/// How often the driver polls for quiescence. 6.12 its_force_quiescent: a second.
const MOST_LOOKS: u32 = 1 << 16;

/// An interrupt translation table.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Itt {
    at: PhysAddr,
    bytes: u64,
    bits: u32,
}

/// An ITS that answered when it was brought up. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Node {
    queue: Queue,
    devices: Table,
    itt_entry_bytes: u64,
    /// Number of EventIDs, up to `1 << 32`.
    event_ids: u64,
    /// Commands name a redistributor by its address, not by its number.
    by_address: bool,
    /// By CPU: its redistributor's name in commands, already shifted to its position.
    collections: Vec<u64>,
    itts: BTreeMap<DeviceId, Itt>,
    /// Mapped events, and their collections.
    mapped: BTreeMap<Event, u16>,
    /// Unmapped events of mapped devices: the collection in which each was last, or to which it was
    /// moved. Collection 0 for events that are absent.
    left: BTreeMap<Event, u16>,
}

impl Node {
    /// Brings the ITS up. `None` if a register does not answer as an ITS's, or memory runs out.
    // 6.12 its_probe_one.
    pub(super) fn boot(
        its: PhysAddr,
        (choices, wait): (table::Choices, ItsQueueWait),
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<Self> {
        let registers = Registers(its);
        let arch = Pidr2::ARCH.get(registers.load32(gits::PIDR2, host)?);
        if !GIC_PIDR2_ARCH.contains(&arch) {
            return None;
        }
        quiesce(registers, host)?;
        let typer = registers.load64(gits::TYPER, host)?;
        let queue = zeroed(ITS_CMD_QUEUE_LG2, frames, host)?;
        let device_bits = Typer::DEVBITS.get(typer) as u32 + 1;
        let devices = table::alloc_all((registers, choices), device_bits, frames, host)?;
        let queue = Queue::new(queue, (choices.cacheability, wait), registers, host)?;
        let ctlr = registers.load32(gits::CTLR, host)?;
        registers.store32(gits::CTLR, ctlr | Ctlr::ENABLE.flag(true), host)?;
        Some(Self {
            queue,
            devices,
            itt_entry_bytes: Typer::ITT_ENTRY_SIZE.get(typer) + 1,
            event_ids: 2 << Typer::IDBITS.get(typer),
            by_address: Typer::PTA.is_set(typer),
            collections: Vec::new(),
            itts: BTreeMap::new(),
            mapped: BTreeMap::new(),
            left: BTreeMap::new(),
        })
    }

    /// Takes the failed waits for commands.
    pub(super) fn take_stops(&mut self) -> Vec<Stop> {
        self.queue.take_stops()
    }

    /// Limits `wanted` events to the number of EventIDs.
    // 7.2 its_create_device: the lesser of the two as `unsigned int`, so that 2^32 EventIDs count as
    // none, and no device is created.
    pub(super) fn nameable(&self, wanted: u32) -> u32 {
        wanted.min(self.event_ids as u32)
    }

    /// Maps a CPU's collection. 6.12 its_cpu_init_collection.
    pub(super) fn add_collection(
        &mut self,
        collection: u16,
        redistributor: &Redistributor,
        invall: ItsInvall,
        host: &mut impl Host,
    ) {
        let target = match self.by_address {
            true => redistributor.base.get(),
            false => redistributor.number << 16,
        };
        self.collections.push(target);
        self.queue.send(Command::Mapc { collection, target }, Some(target), host);
        let sync = Some(target).filter(|_| invall == ItsInvall::Synced);
        self.queue.send(Command::Invall { collection }, sync, host);
    }

    /// Allocates the device table's page for a device, if it is missing.
    pub(super) fn cover(
        &self,
        device: DeviceId,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Lacking> {
        self.devices.cover(device, frames, host)
    }

    /// Allocates a table of `wanted` events for a [covered](Self::cover) device, and maps it.
    /// `None` if memory runs out.
    // 6.12 its_create_device: two entries at least.
    pub(super) fn map_device(
        &mut self,
        device: DeviceId,
        wanted: u32,
        (places, frames): (&mut IttPlaces, &mut Frames),
        host: &mut impl Host,
    ) -> Option<()> {
        let events = wanted.max(2).next_power_of_two();
        let bytes = u64::from(events) * self.itt_entry_bytes;
        let at = places.alloc(bytes, frames, host)?;
        let bits = events.ilog2();
        self.queue.send(Command::Mapd { device, bits, itt: at, valid: true }, None, host);
        self.itts.insert(device, Itt { at, bytes, bits });
        Some(())
    }

    /// Unmaps a device and frees its table.
    pub(super) fn unmap_device(
        &mut self,
        device: DeviceId,
        (places, frames): (&mut IttPlaces, &mut Frames),
        host: &mut impl Host,
    ) {
        let Some(Itt { at, bytes, bits }) = self.itts.remove(&device) else { return };
        self.queue.send(Command::Mapd { device, bits, itt: at, valid: false }, None, host);
        places.free(at, bytes, frames);
        self.left.retain(|event, _| event.device != device);
    }

    fn target(&self, collection: u16) -> Option<u64> {
        self.collections.get(usize::from(collection)).copied()
    }

    /// Maps an event to an LPI. Returns the CPU it is routed to, whatever was set before.
    // 4.4 and 5.12 its_irq_domain_activate: also if the event is mapped already.
    pub(super) fn map_event(
        &mut self,
        event: Event,
        lpi: IntId,
        cpus: &mut Cpus,
        host: &mut impl Host,
    ) -> u16 {
        if let Some(&mapped) = self.mapped.get(&event) {
            cpus.weigh(mapped, false);
        }
        let collection = cpus.select(None);
        cpus.weigh(collection, true);
        self.mapped.insert(event, collection);
        let sync = self.target(collection);
        self.queue.send(Command::Mapti { event, lpi, collection }, sync, host);
        collection
    }

    /// Unmaps an event.
    pub(super) fn unmap_event(&mut self, event: Event, cpus: &mut Cpus, host: &mut impl Host) {
        let Some(collection) = self.mapped.remove(&event) else { return };
        cpus.weigh(collection, false);
        self.left.insert(event, collection);
        let sync = self.target(collection);
        self.queue.send(Command::Discard { event }, sync, host);
    }

    /// Removes the driver's record of an event, whether or not it can still raise an interrupt.
    pub(super) fn forget_event(&mut self, event: Event, cpus: &mut Cpus) {
        if let Some(collection) = self.mapped.remove(&event) {
            cpus.weigh(collection, false);
            self.left.insert(event, collection);
        }
    }

    /// Masks or unmasks an event's LPI.
    pub(super) fn set_masked(
        &mut self,
        event: Event,
        lpi: IntId,
        masked: bool,
        cpus: &Cpus,
        host: &mut impl Host,
    ) {
        let Some(&collection) = self.mapped.get(&event) else { return };
        if cpus.configure(lpi, masked, host).is_some() && !cpus.invalidate(collection, lpi, host) {
            let sync = self.target(collection);
            self.queue.send(Command::Inv { event }, sync, host);
        }
    }

    /// Routes an event to the CPU that a user has set, or to one that the driver selects, and
    /// returns the CPU. The SYNC targets the old redistributor (6.12 its_build_movi_cmd).
    // 5.12 its_set_affinity: the event is not counted at its old CPU; 4.4: MOVI is sent each time.
    pub(super) fn set_affinity(
        &mut self,
        event: Event,
        pinned: Option<u16>,
        cpus: &mut Cpus,
        host: &mut impl Host,
    ) -> Option<u16> {
        let old = *self.mapped.get(&event)?;
        cpus.weigh(old, false);
        let cpu = cpus.select(pinned);
        cpus.weigh(cpu, true);
        if cpu != old || cpus.says_each_time() {
            let sync = self.target(old);
            self.queue.send(Command::Movi { event, collection: cpu }, sync, host);
            self.mapped.insert(event, cpu);
        }
        Some(cpu)
    }

    /// Sends MOVI for an event that is not mapped, as if it were.
    // 4.4 its_set_affinity does not check; the SYNC uses col_map, which is zero at first.
    pub(super) fn move_unmapped(
        &mut self,
        event: Event,
        pinned: Option<u16>,
        cpus: &Cpus,
        host: &mut impl Host,
    ) -> u16 {
        let old = self.left.get(&event).copied().unwrap_or(0);
        let cpu = cpus.select(pinned);
        if cpu != old || cpus.says_each_time() {
            let sync = self.target(old);
            self.queue.send(Command::Movi { event, collection: cpu }, sync, host);
            self.left.insert(event, cpu);
        }
        cpu
    }
}

/// Turns the ITS off, and waits until it is. 6.12 its_force_quiescent.
fn quiesce(registers: Registers, host: &mut impl Host) -> Option<()> {
    let mut ctlr = registers.load32(gits::CTLR, host)?;
    if Ctlr::QUIESCENT.is_set(ctlr) && !Ctlr::ENABLE.is_set(ctlr) {
        return Some(());
    }
    registers.store32(gits::CTLR, Ctlr::ENABLE.set(ctlr, 0), host)?;
    for _ in 0..MOST_LOOKS {
        ctlr = registers.load32(gits::CTLR, host)?;
        if Ctlr::QUIESCENT.is_set(ctlr) {
            return Some(());
        }
        host.relax();
    }
    None
}
