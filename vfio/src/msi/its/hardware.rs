//! What the ITS driver tells the hardware: tables, queue, LPIs of each CPU, devices and events.
//! Linux's `irq-gic-v3-its.c`.

use super::Event;
use super::command::Command;
use super::queue::Queue;
use super::registers::Registers;
use super::table::{self, Table, zeroed};
use super::wire::{
    Ctlr, FIRST_LPI, GIC_PIDR2_ARCH, GICR_CTLR_ENABLE_LPIS, INNER_SHAREABLE, ITS_CMD_QUEUE_LG2,
    ITS_ITT_ALIGN, LPI_NRBITS, LPI_TABLE_LG2, LpiProp, Pidr2, Propbaser, RA_WA_WB, Typer, gicr,
    gits,
};
use crate::irq::{Redistributor, default_priority, redistributors};
use crate::policy::{LpiAffinity, Policy};
use passim_model::{DeviceId, Frames, Host, IntId, PageSize, PhysAddr};
use std::collections::BTreeMap;

/// How often the driver looks whether the ITS is quiet. 6.12 its_force_quiescent: a second.
const MOST_LOOKS: u32 = 1 << 16;

/// Where commands send a CPU's LPIs.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Collection {
    /// What commands call its redistributor, in place.
    target: u64,
    /// Events that go there.
    load: u32,
}

/// An interrupt translation table.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Itt {
    at: PhysAddr,
    size: PageSize,
    bits: u32,
}

/// An ITS that answered when it was brought up. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hardware {
    queue: Queue,
    devices: Table,
    itt_entry_bytes: u64,
    /// The LPI configuration table.
    properties: PhysAddr,
    /// By CPU.
    collections: Vec<Collection>,
    itts: BTreeMap<DeviceId, Itt>,
    /// Events that are mapped, and their collections.
    mapped: BTreeMap<Event, u16>,
    affinity: LpiAffinity,
}

/// The configuration of an LPI that is held back.
fn masked(policy: &Policy) -> u8 {
    let priority = LpiProp::PRIORITY.in_place(default_priority(policy.gicv3_priority));
    (priority | LpiProp::GROUP1.flag(true)) as u8
}

impl Hardware {
    /// Brings up the ITS and the LPIs of every CPU. `None` if a register does not answer as an
    /// ITS's, or there is no memory.
    pub(super) fn boot(
        its: PhysAddr,
        first: PhysAddr,
        cpus: u32,
        policy: &Policy,
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
        let devices = table::alloc_all(registers, device_bits, frames, host)?;
        let queue = Queue::new(queue, registers, host)?;
        let ctlr = registers.load32(gits::CTLR, host)?;
        registers.store32(gits::CTLR, ctlr | Ctlr::ENABLE.flag(true), host)?;

        let properties = zeroed(LPI_TABLE_LG2, frames, host)?;
        let bytes = vec![masked(policy); 1 << LPI_TABLE_LG2];
        host.memory_mut().write(properties, &bytes).ok()?;
        let mut hardware = Self {
            queue,
            devices,
            itt_entry_bytes: Typer::ITT_ENTRY_SIZE.get(typer) + 1,
            properties,
            collections: Vec::new(),
            itts: BTreeMap::new(),
            mapped: BTreeMap::new(),
            affinity: policy.lpi_affinity,
        };
        let all = redistributors(first, host).ok()?;
        for redistributor in all.iter().take(cpus as usize) {
            let by_address = Typer::PTA.is_set(typer);
            hardware.boot_cpu(redistributor, by_address, frames, host)?;
        }
        (!hardware.collections.is_empty()).then_some(hardware)
    }

    /// The LPIs of a CPU, and its collection. 6.12 its_cpu_init_lpis, its_cpu_init_collection.
    fn boot_cpu(
        &mut self,
        redistributor: &Redistributor,
        by_address: bool,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<()> {
        let registers = Registers(redistributor.base);
        let pending = zeroed(LPI_TABLE_LG2, frames, host)?;
        let attributes = Propbaser::INNER_CACHEABILITY.of(RA_WA_WB)
            | Propbaser::SHAREABILITY.of(INNER_SHAREABLE);
        let properties = Propbaser::ADDRESS.in_place(self.properties.get())
            | Propbaser::IDBITS.of(u64::from(LPI_NRBITS - 1));
        registers.store64(gicr::PROPBASER, properties | attributes, host)?;
        // measured on 6.1 and 6.12, dumps of the ITS: PTZ is not written, though the table is zero.
        let pending = Propbaser::ADDRESS.in_place(pending.get());
        registers.store64(gicr::PENDBASER, pending | attributes, host)?;
        let ctlr = registers.load32(gicr::CTLR, host)?;
        registers.store32(gicr::CTLR, ctlr | GICR_CTLR_ENABLE_LPIS, host)?;

        let target = match by_address {
            true => redistributor.base.get(),
            false => redistributor.number << 16,
        };
        let collection = u16::try_from(self.collections.len()).ok()?;
        self.collections.push(Collection { target, load: 0 });
        self.queue.send(Command::Mapc { collection, target }, Some(target), host);
        self.queue.send(Command::Invall { collection }, Some(target), host);
        Some(())
    }

    /// A device gets a table for `wanted` events, and is mapped. `None` if that cannot be.
    // 6.12 its_create_device: two entries at least.
    pub(super) fn map_device(
        &mut self,
        device: DeviceId,
        wanted: u32,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<()> {
        self.devices.cover(device, frames, host)?;
        let events = wanted.max(2).next_power_of_two();
        let bytes = (u64::from(events) * self.itt_entry_bytes).max(ITS_ITT_ALIGN);
        let size = PageSize::from_lg2(bytes.next_power_of_two().ilog2())?;
        let size = size.max(frames.smallest());
        let at = zeroed(size.lg2(), frames, host)?;
        let bits = events.ilog2();
        self.queue.send(Command::Mapd { device, bits, itt: at, valid: true }, None, host);
        self.itts.insert(device, Itt { at, size, bits });
        Some(())
    }

    /// A device is gone.
    pub(super) fn unmap_device(
        &mut self,
        device: DeviceId,
        frames: &mut Frames,
        host: &mut impl Host,
    ) {
        let Some(Itt { at, size, bits }) = self.itts.remove(&device) else { return };
        self.queue.send(Command::Mapd { device, bits, itt: at, valid: false }, None, host);
        frames.free(at, size);
    }

    /// The CPU a new event goes to. 6.12 its_select_cpu: of those it may go to, the first with the
    /// fewest.
    fn select(&self, pinned: Option<u16>) -> u16 {
        let loads = (0u16..).zip(self.collections.iter().map(|collection| collection.load));
        let least = || match self.affinity {
            LpiAffinity::FirstCpu => 0,
            LpiAffinity::LeastLoaded => {
                loads.min_by_key(|&(cpu, load)| (load, cpu)).map_or(0, |(cpu, _)| cpu)
            }
        };
        let there = |cpu: &u16| usize::from(*cpu) < self.collections.len();
        pinned.filter(there).unwrap_or_else(least)
    }

    fn target(&self, collection: u16) -> Option<u64> {
        Some(self.collections.get(usize::from(collection))?.target)
    }

    fn weigh(&mut self, collection: u16, more: bool) {
        if let Some(collection) = self.collections.get_mut(usize::from(collection)) {
            let load = collection.load;
            collection.load = if more { load + 1 } else { load.saturating_sub(1) };
        }
    }

    /// An event raises an LPI from now on. Returns the CPU it goes to.
    pub(super) fn map_event(
        &mut self,
        event: Event,
        lpi: IntId,
        pinned: Option<u16>,
        host: &mut impl Host,
    ) -> u16 {
        if let Some(&mapped) = self.mapped.get(&event) {
            return mapped;
        }
        let collection = self.select(pinned);
        self.weigh(collection, true);
        self.mapped.insert(event, collection);
        let sync = self.target(collection);
        self.queue.send(Command::Mapti { event, lpi, collection }, sync, host);
        collection
    }

    /// An event raises nothing any more.
    pub(super) fn unmap_event(&mut self, event: Event, host: &mut impl Host) {
        let Some(collection) = self.mapped.remove(&event) else { return };
        self.weigh(collection, false);
        let sync = self.target(collection);
        self.queue.send(Command::Discard { event }, sync, host);
    }

    /// Holds an event's LPI back, or lets it through.
    pub(super) fn set_masked(
        &mut self,
        event: Event,
        lpi: IntId,
        masked: bool,
        host: &mut impl Host,
    ) {
        let Some(&collection) = self.mapped.get(&event) else { return };
        let entry = lpi.get().checked_sub(FIRST_LPI);
        let place = entry.and_then(|entry| self.properties.checked_add(u64::from(entry)));
        let mut byte = [0];
        let known = place.filter(|&place| host.memory().read(place, &mut byte).is_ok());
        let Some(place) = known else { return };
        let word = LpiProp::ENABLED.set(u64::from(byte[0]), u64::from(!masked));
        // A byte that was read can be written.
        let _ = host.memory_mut().write(place, &[word as u8]);
        let sync = self.target(collection);
        self.queue.send(Command::Inv { event }, sync, host);
    }

    /// An event goes to another CPU. The SYNC is for the redistributor it leaves (6.12
    /// its_build_movi_cmd).
    pub(super) fn move_event(&mut self, event: Event, cpu: u16, host: &mut impl Host) {
        let there = usize::from(cpu) < self.collections.len();
        let Some(old) = self.mapped.get(&event).copied().filter(|&old| there && old != cpu) else {
            return;
        };
        let sync = self.target(old);
        self.queue.send(Command::Movi { event, collection: cpu }, sync, host);
        self.weigh(old, false);
        self.weigh(cpu, true);
        self.mapped.insert(event, cpu);
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
