//! The board: memory, the address map, and the parts of the hardware.
//!
//! Not here: transfers and messages of devices (`dma`, `message`), and the kernel, which reaches
//! the board through [`Host`](passim_model::Host).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `host` | what do a CPU's loads and stores reach? |
//! | `doorbell` | what does a write to the interrupt controller do? |
//! | `lost` | which ITS command is dropped for `--lose`? |
//! | `shared` | which SMMU holds the TLB that several share (Cavium 27704)? |

mod doorbell;
mod host;
mod lost;
mod shared;

pub use lost::{Dropped, Lost, LostCommand};

use passim_gic::choice::Preset;
use passim_gic::its::image::{Converted, ImageError};
use passim_gic::its::{FailedWrite, Report};
use passim_gic::{Cpu, GicV2, GicV3, Signal, Size};
use passim_model::pci::Registers;
use passim_model::{
    AddressMap, DeviceId, Effect, IntId, Memory, PhysAddr, Requester, Rid, Span, StreamId, Target,
};
use passim_smmu::SmmuV3;
use passim_smmu::v3::Progress;

use super::ats::Ats;
use super::controller::Controller;
use super::dma::Initiator;
use super::edu::Edu;
use super::message::Delivery;
use super::outstanding::{CarriedOn, Outstanding};
use super::platform_device::PlatformDevice;
use super::smmu::Smmu;
use super::x86::X86Unit;
use crate::machine::GicIts;

/// Most steps an SMMU runs at a time. A queue of 2^19 commands, each followed by work elsewhere,
/// needs fewer; reaching this limit means a loop in the model.
const MAX_STEPS: u32 = 1 << 22;

/// Most deliveries that are kept until taken.
const MAX_DELIVERIES: usize = 1 << 12;

/// When hardware works.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pace {
    /// At once: after a store to a register the part works until it has nothing left to do.
    Eager,
    /// Only while the CPU waits, and then one step at a time.
    Stepped,
}

/// A PCI function on the board.
pub struct Slot {
    /// Its requester ID.
    pub rid: Rid,
    /// Configuration space, and the MSI-X table in a BAR.
    pub registers: Registers,
    /// Which SMMU its DMA passes; `None` on a machine without one.
    pub smmu: Option<usize>,
    /// Its translation services, if it has any.
    pub ats: Option<Ats>,
    /// The interrupt of its pin, if that is connected.
    pub(super) pin: Option<IntId>,
    /// Model of its other registers, if there is one.
    pub(super) edu: Option<Edu>,
    /// For a virtual function, its physical function and its number there.
    pub(super) physical: Option<(Rid, u16)>,
}

impl Slot {
    /// Updates its translation services from its registers.
    pub(super) fn follow_ats(&mut self) {
        if let Some(ats) = &mut self.ats {
            ats.follow(self.registers.ats_is_enabled());
        }
    }

    /// The source of its transactions.
    pub(super) fn initiator(&self) -> Initiator {
        let requester = self.registers.requester();
        Initiator { requester, smmu: self.smmu, function: None, asks: None }
    }
}

/// Result of an SMMU's message.
enum Written {
    /// It arrived.
    Taken,
    /// It reached a part without a model, or a PCI function that does not claim it: writes to PCI
    /// are posted, so that they are neither answered nor aborted.
    Unknown,
    /// Nothing answers there: an external abort.
    Aborted,
}

/// Memory and hardware, as a CPU sees them.
pub struct Board {
    memory: Memory,
    map: AddressMap,
    smmus: Vec<Smmu>,
    /// Which of the SMMUs that share a TLB holds it now.
    tlb_holder: Option<usize>,
    /// The DeviceID of each SMMU's messages, if it has one.
    smmu_ids: Vec<Option<DeviceId>>,
    /// Ascending by requester ID, in the topology's order.
    slots: Vec<Slot>,
    /// The x86-like IOMMU, which DMA passes after the SMMUs.
    pub(super) x86: Option<X86Unit>,
    /// Platform devices, in the topology's order.
    pub(super) aboard: Vec<PlatformDevice>,
    controller: Controller,
    /// A command that the ITS does not receive.
    lost: Option<Lost>,
    /// That command, once it is dropped.
    dropped: Option<Dropped>,
    /// The CPU that does the next loads and stores.
    cpu: Cpu,
    pace: Pace,
    effects: Vec<Effect>,
    /// Whether functions receive what SMMUs send them; otherwise it stays among the effects.
    devices_answer: bool,
    deliveries: Vec<Delivery>,
    /// Pieces of transfers that are stalled at an SMMU, oldest first.
    pub(super) outstanding: Vec<Outstanding>,
    /// Pieces that continued after a stall.
    pub(super) carried_on: Vec<CarriedOn>,
}

/// The parts of a board.
pub(super) struct Parts {
    pub(super) memory: Memory,
    /// Where each part answers.
    pub(super) map: AddressMap,
    pub(super) smmus: Vec<Smmu>,
    /// The DeviceID of each SMMU's messages.
    pub(super) smmu_ids: Vec<Option<DeviceId>>,
    /// Ascending by requester ID.
    pub(super) slots: Vec<Slot>,
    pub(super) x86: Option<X86Unit>,
    /// In the topology's order.
    pub(super) aboard: Vec<PlatformDevice>,
    pub(super) controller: Controller,
}

impl Board {
    /// A board of memory and SMMUs alone; `map` gives their addresses.
    pub fn bare(memory: Memory, map: AddressMap, smmus: Vec<Smmu>, pace: Pace) -> Self {
        let (smmu_ids, slots, aboard) = (Vec::new(), Vec::new(), Vec::new());
        let (x86, controller) = (None, Controller::Absent);
        Self::new(Parts { memory, map, smmus, smmu_ids, slots, x86, aboard, controller }, pace)
    }

    /// A board of these parts, on which CPU 0 runs.
    pub(super) fn new(parts: Parts, pace: Pace) -> Self {
        let Parts { memory, map, smmus, smmu_ids, slots, x86, aboard, controller } = parts;
        Self {
            memory,
            map,
            smmus,
            tlb_holder: None,
            smmu_ids,
            slots,
            x86,
            aboard,
            controller,
            lost: None,
            dropped: None,
            cpu: Cpu::default(),
            pace,
            effects: Vec::new(),
            devices_answer: true,
            deliveries: Vec::new(),
            outstanding: Vec::new(),
            carried_on: Vec::new(),
        }
    }

    /// From now on leaves messages from SMMUs to devices among the effects: invalidations of their
    /// caches, and stalled transactions that continued.
    pub fn leave_invalidations(&mut self) {
        self.devices_answer = false;
    }

    /// Sets when hardware works.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// When hardware works.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// What answers at each address.
    pub fn map(&self) -> &AddressMap {
        &self.map
    }

    /// As [`Board::map`], mutable, for lookups that cache the last target.
    pub(super) fn map_mut(&mut self) -> &mut AddressMap {
        &mut self.map
    }

    /// Whether the SMMU with this index has effects to perform ([`Board::perform`]).
    #[inline]
    pub(super) fn wants_anything(&self, smmu: usize) -> bool {
        self.smmus.get(smmu).is_some_and(Smmu::has_effects)
    }

    /// The name of a block of the interrupt controller, by its number on the bus.
    pub fn block_name(&self, block: u16) -> String {
        self.controller.block_name(block)
    }

    /// The SMMU with this index.
    pub fn smmu(&self, index: usize) -> Option<&Smmu> {
        self.smmus.get(index)
    }

    /// The SMMU with this index, and the memory it uses.
    pub fn smmu_mut(&mut self, index: usize) -> Option<(&mut Smmu, &mut Memory)> {
        self.hand_tlb_to(index);
        Some((self.smmus.get_mut(index)?, &mut self.memory))
    }

    /// The SMMU with this index, if it is an SMMUv3, which shares no TLB with others.
    #[inline]
    pub(super) fn smmu_at_hand(&mut self, index: usize) -> Option<&mut SmmuV3> {
        self.smmus.get_mut(index)?.v3_mut()
    }

    /// Number of SMMUs.
    pub fn smmus(&self) -> usize {
        self.smmus.len()
    }

    /// Number of IOMMUs of every kind.
    pub(super) fn iommus(&self) -> usize {
        self.smmus.len() + usize::from(self.x86.is_some())
    }

    /// The PCI functions, ascending by requester ID.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The PCI function at `rid`.
    pub fn slot(&self, rid: Rid) -> Option<&Slot> {
        Some(&self.slots[self.slot_index(rid)?])
    }

    pub(super) fn slot_index(&self, rid: Rid) -> Option<usize> {
        self.slots.binary_search_by_key(&rid, |slot| slot.rid).ok()
    }

    /// The physical function of a virtual one.
    pub(crate) fn physical_of(&self, rid: Rid) -> Option<Rid> {
        Some(self.slot(rid)?.physical?.0)
    }

    /// Whether the function exists now: virtual functions only as far as the physical function's
    /// registers enable them. PCI Express 5.0 9.3.3.3.1.
    pub(super) fn is_there(&self, slot: &Slot) -> bool {
        let Some((physical, number)) = slot.physical else { return true };
        let on = self.slot(physical).and_then(|slot| slot.registers.virtual_functions());
        on.is_none_or(|on| number < on)
    }

    pub(super) fn slots_mut(&mut self) -> &mut [Slot] {
        &mut self.slots
    }

    pub(super) fn slot_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)
    }

    /// Resets the function at `rid`.
    pub(super) fn reset_function(&mut self, rid: Rid) {
        let Some(function) = self.slot_index(rid) else { return };
        let slot = &mut self.slots[function];
        slot.registers.reset();
        slot.follow_ats();
        if let Some(edu) = &mut slot.edu {
            edu.reset();
        }
        self.forget_outstanding(function);
    }

    /// The interrupt controller, on a machine with a GICv2.
    pub fn gic(&self) -> Option<&GicV2> {
        self.controller.v2()
    }

    /// The interrupt controller, on a machine with a GICv3.
    pub fn gicv3(&self) -> Option<&GicV3> {
        self.controller.v3()
    }

    /// Takes the messages that functions sent and their results, oldest first. Only the first of
    /// very many are kept.
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    pub(super) fn note(&mut self, delivery: Delivery) {
        if self.deliveries.len() < MAX_DELIVERIES {
            self.deliveries.push(delivery);
        }
    }

    /// Takes the effects that no part of the board performs: interrupts without a controller, and
    /// messages to parts without a model. Oldest first.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Empties the caches of every SMMU: later translations read memory. No software can do this;
    /// it serves comparisons.
    pub fn forget_translations(&mut self) {
        for smmu in &mut self.smmus {
            smmu.clear_caches();
        }
    }

    /// Lets every SMMU and the interrupt controller work until none has anything left to do, and
    /// everything in flight arrive.
    pub fn settle(&mut self) {
        self.run_all();
        self.controller.settle(&mut self.memory);
    }

    /// Lets every SMMU and the interrupt controller work until none has anything left to do now.
    fn run_all(&mut self) {
        for index in 0..self.smmus.len() {
            self.run(index);
        }
        self.controller.run(true, &mut self.memory);
    }

    /// Lets a device's message arrive at a CPU.
    pub(super) fn arrive(&mut self) {
        self.controller.arrive(&mut self.memory);
    }

    fn run(&mut self, index: usize) {
        self.hand_tlb_to(index);
        for _ in 0..MAX_STEPS {
            match self.smmus[index].step(&mut self.memory) {
                // The queue may have waited for an invalidation that has completed.
                Progress::Idle if self.perform(index) => {}
                Progress::Idle => break,
                Progress::Worked => {}
            }
        }
        self.perform(index);
    }

    /// Performs an SMMU's effects: messages are written, wires pulse at the interrupt controller,
    /// invalidations reach devices, and stalled transfers continue; all others are kept until
    /// taken. Returns whether an invalidation completed.
    pub fn perform(&mut self, index: usize) -> bool {
        let mut ended = false;
        // An effect may cause others: an aborted message is a global error.
        loop {
            let effects = self.smmus[index].take_effects();
            if effects.is_empty() {
                return ended;
            }
            for effect in effects {
                ended |= self.perform_one(index, effect);
            }
        }
    }

    fn perform_one(&mut self, index: usize, effect: Effect) -> bool {
        match effect {
            Effect::Write { at, data, tag } => match self.write_word(at, data, index) {
                Written::Taken => {}
                Written::Unknown => self.effects.push(effect),
                Written::Aborted => {
                    self.effects.push(effect);
                    self.smmus[index].message_aborted(tag);
                }
            },
            Effect::Wire(intid) => {
                if !self.controller.wire(intid, Signal::Pulse) {
                    self.effects.push(effect);
                }
            }
            Effect::InvalidateAtc(_) if !self.devices_answer => self.effects.push(effect),
            Effect::InvalidateAtc(request) => {
                self.invalidate_atc(index, &request);
                return true;
            }
            Effect::RespondToPages(response) => {
                if !self.respond(index, response) {
                    self.effects.push(effect);
                }
            }
            Effect::Resume(_) if !self.devices_answer => self.effects.push(effect),
            Effect::Resume(_) => self.carry_on(index),
        }
        false
    }

    /// Writes 32 bits of an SMMU to RAM or to a doorbell. The doorbell may need a DeviceID, which
    /// the SMMU may not have.
    fn write_word(&mut self, at: PhysAddr, data: u32, smmu: usize) -> Written {
        let device = self.smmu_ids.get(smmu).copied().flatten();
        // An SMMU's own writes are not translated, so the StreamID does not matter.
        let stream = StreamId::default();
        let requester = device.map(|device| Requester { stream, substream: None, device });
        match self.map.find(at) {
            Some((Target::Ram, _)) => match self.memory.write(at, &data.to_le_bytes()) {
                Ok(()) => Written::Taken,
                Err(_) => Written::Aborted,
            },
            Some((Target::Interrupts(block), offset)) => {
                let access = (offset, Size::Word, u64::from(data));
                let memory = &mut self.memory;
                match self.controller.message(block, access, requester.as_ref(), memory) {
                    Some(_) => Written::Taken,
                    None => Written::Unknown,
                }
            }
            Some(_) => Written::Unknown,
            None => Written::Aborted,
        }
    }

    /// Updates the wire of a function's pin: it is high while any function that shares it asserts
    /// its pin.
    pub(super) fn drive_pin(&mut self, function: usize) {
        let Some(intid) = self.slots.get(function).and_then(|slot| slot.pin) else { return };
        let mut shared = self.slots.iter().filter(|slot| slot.pin == Some(intid));
        let high = shared.any(|slot| slot.registers.asserts_pin());
        self.controller.wire(intid, if high { Signal::High } else { Signal::Low });
    }

    /// Signals a wire of a platform device; `false` if it is not connected.
    pub(crate) fn wire(&mut self, intid: IntId, signal: Signal) -> bool {
        self.controller.wire(intid, signal)
    }

    /// Signals a private wire (PPI) of a CPU; `false` if it is not connected.
    pub(crate) fn wire_private(&mut self, cpu: u16, ppi: IntId, signal: Signal) -> bool {
        self.controller.wire_private(Cpu::new(cpu), ppi, signal)
    }

    /// Takes an ITS's failed commands since the last call.
    pub fn take_reports(&mut self, its: u16) -> Vec<Report> {
        self.controller.take_reports(its)
    }

    /// Takes the device writes that an ITS has reported as failed since the last call.
    pub fn take_failed_writes(&mut self, its: u16) -> Vec<FailedWrite> {
        self.controller.take_failed_writes(its)
    }

    /// Saves the GICv3 and builds another from the saved state and memory, as migration to another
    /// host does. On a machine without a GICv3 nothing happens.
    pub fn migrate_gic(&mut self) {
        self.controller.migrate(&mut self.memory);
    }

    /// As [`Board::migrate_gic`], to a host whose GICv3 has the choices and the table layout of the
    /// preset in `to`, except where the machine's own GICv3 (its second part) overrides them; with
    /// that one's own preset both are built alike. `None` on a machine without a GICv3.
    ///
    /// # Errors
    /// As [`GicV3::convert`].
    pub fn convert_gic(
        &mut self,
        to: (Preset, &GicIts),
        scratch: Option<Span<PhysAddr>>,
    ) -> Option<Result<Vec<Option<Converted>>, ImageError>> {
        self.controller.convert(to, scratch, &mut self.memory)
    }

    /// The first CPU with an interrupt to acknowledge, and its INTID.
    pub fn interrupted(&mut self) -> Option<(Cpu, IntId)> {
        self.controller.interrupted()
    }
}
