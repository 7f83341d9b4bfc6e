//! The board: memory, what answers at each address, and the parts that answer.
//!
//! Not here: what a device does (`dma`, `message`), and the kernel, which knows the board as its
//! [`Host`](passim_model::Host).

mod doorbell;
mod host;
mod lost;
mod shared;

pub use lost::{Lost, LostCommand};

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

use super::aboard::BoardDevice;
use super::ats::Ats;
use super::controller::Controller;
use super::dma::Initiator;
use super::edu::Edu;
use super::message::Delivery;
use super::outstanding::{CarriedOn, Outstanding};
use super::smmu::Smmu;
use super::x86::X86Unit;
use crate::machine::GicIts;

/// Most steps an SMMU is given at a time. A queue of 2^19 commands, each followed by others'
/// work, ends below it; what does not is a loop in the model.
const MAX_STEPS: u32 = 1 << 22;

/// Most deliveries that are kept for whoever looks.
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
    /// Where it is.
    pub rid: Rid,
    /// Configuration space, and the MSI-X table in a BAR.
    pub registers: Registers,
    /// Which SMMU its DMA passes; `None` on a machine without one.
    pub smmu: Option<usize>,
    /// Its translation services, if it has any.
    pub ats: Option<Ats>,
    /// Where its pin leads, if anywhere.
    pub(super) pin: Option<IntId>,
    /// What its other registers do, if that is known.
    pub(super) edu: Option<Edu>,
    /// Of a virtual function its physical one, and which of that one's it is.
    pub(super) physical: Option<(Rid, u16)>,
}

impl Slot {
    /// Its translation services are as its registers have them.
    pub(super) fn follow_ats(&mut self) {
        if let Some(ats) = &mut self.ats {
            ats.follow(self.registers.ats_is_enabled());
        }
    }

    /// Who its transactions come from.
    pub(super) fn initiator(&self) -> Initiator {
        Initiator { requester: self.registers.requester(), smmu: self.smmu, asks: None }
    }
}

/// What became of a message of an SMMU.
enum Written {
    /// It arrived.
    Taken,
    /// It came to a part of which nothing is known, or to a PCI function that does not claim it:
    /// writes to PCI are posted, so that nothing answers them, and no abort either.
    Unknown,
    /// Nothing answers there: an external abort.
    Aborted,
}

/// Memory and hardware, as a CPU sees them.
pub struct Board {
    memory: Memory,
    map: AddressMap,
    smmus: Vec<Smmu>,
    /// Which of the SMMUs that share a TLB has it now.
    tlb_holder: Option<usize>,
    /// What an ITS knows the messages of each SMMU by, if it does.
    smmu_ids: Vec<Option<DeviceId>>,
    /// Ascending by requester identifier, as the topology has them.
    slots: Vec<Slot>,
    /// An IOMMU as on x86, which comes after the SMMUs.
    pub(super) x86: Option<X86Unit>,
    /// Devices that are on no bus, as the topology has them.
    pub(super) aboard: Vec<BoardDevice>,
    controller: Controller,
    /// A command that no ITS sees.
    lost: Option<Lost>,
    /// The CPU whose loads and stores come next.
    cpu: Cpu,
    pace: Pace,
    effects: Vec<Effect>,
    /// Whether functions hear what SMMUs tell them; else whoever looks at the effects does.
    devices_answer: bool,
    deliveries: Vec<Delivery>,
    /// Pieces of transfers that wait at an SMMU, oldest first.
    pub(super) outstanding: Vec<Outstanding>,
    /// Those that went on.
    pub(super) carried_on: Vec<CarriedOn>,
}

/// What a board is made of.
pub(super) struct Parts {
    pub(super) memory: Memory,
    /// Where each part answers.
    pub(super) map: AddressMap,
    pub(super) smmus: Vec<Smmu>,
    /// By SMMU, what an ITS knows its messages by.
    pub(super) smmu_ids: Vec<Option<DeviceId>>,
    /// Ascending by requester identifier.
    pub(super) slots: Vec<Slot>,
    pub(super) x86: Option<X86Unit>,
    /// As the topology has them.
    pub(super) aboard: Vec<BoardDevice>,
    pub(super) controller: Controller,
}

impl Board {
    /// A board of memory and SMMUs alone; `map` says where each answers.
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
            cpu: Cpu::default(),
            pace,
            effects: Vec::new(),
            devices_answer: true,
            deliveries: Vec::new(),
            outstanding: Vec::new(),
            carried_on: Vec::new(),
        }
    }

    /// What SMMUs tell devices is from now on left to whoever takes the effects: invalidations of
    /// their caches, and that a stalled transaction went on.
    pub fn leave_invalidations(&mut self) {
        self.devices_answer = false;
    }

    /// When hardware works from now on.
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

    /// As [`Board::map`], to be looked up in one access after another.
    pub(super) fn map_mut(&mut self) -> &mut AddressMap {
        &mut self.map
    }

    /// Whether the SMMU with this index wants something done elsewhere ([`Board::perform`]).
    #[inline]
    pub(super) fn wants_anything(&self, smmu: usize) -> bool {
        self.smmus.get(smmu).is_some_and(Smmu::has_effects)
    }

    /// What a block of the interrupt controller is called, by its number on the bus.
    pub fn block_name(&self, block: u16) -> String {
        self.controller.block_name(block)
    }

    /// The SMMU with this index.
    pub fn smmu(&self, index: usize) -> Option<&Smmu> {
        self.smmus.get(index)
    }

    /// The SMMU with this index, and the memory it stands on.
    pub fn smmu_mut(&mut self, index: usize) -> Option<(&mut Smmu, &mut Memory)> {
        self.hand_tlb_to(index);
        Some((self.smmus.get_mut(index)?, &mut self.memory))
    }

    /// The SMMU with this index, if it is an SMMUv3, which shares nothing with others.
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

    /// The PCI functions, ascending by requester identifier.
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

    /// Whether the function is there: of virtual ones only those that the physical one's
    /// registers turn on. PCI Express 5.0 9.3.3.3.1.
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

    /// The function at `rid` is as after a reset.
    pub(super) fn reset_function(&mut self, rid: Rid) {
        if let Some(slot) = self.slot_index(rid).and_then(|index| self.slots.get_mut(index)) {
            slot.registers.reset();
            slot.follow_ats();
            let requester = slot.registers.requester();
            self.forget_outstanding(&requester);
        }
    }

    /// The interrupt controller, on a machine with a GICv2.
    pub fn gic(&self) -> Option<&GicV2> {
        self.controller.v2()
    }

    /// The interrupt controller, on a machine with a GICv3.
    pub fn gicv3(&self) -> Option<&GicV3> {
        self.controller.v3()
    }

    /// Messages that functions sent and what became of them, oldest first; taken once. Of very
    /// many only the first are kept.
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    pub(super) fn note(&mut self, delivery: Delivery) {
        if self.deliveries.len() < MAX_DELIVERIES {
            self.deliveries.push(delivery);
        }
    }

    /// What parts wanted done and nobody here does: interrupts that no controller takes, and
    /// messages to parts of which nothing is known. Oldest first; taken once.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Empties the caches of every SMMU: what comes next is read from memory. No software can do
    /// this; it is for looking twice.
    pub fn forget_translations(&mut self) {
        for smmu in &mut self.smmus {
            smmu.clear_caches();
        }
    }

    /// Lets every SMMU and the interrupt controller work until none has anything left to do, and
    /// what is on its way arrive.
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

    /// What a device sent as a message arrives at a CPU.
    pub(super) fn arrive(&mut self) {
        self.controller.arrive(&mut self.memory);
    }

    fn run(&mut self, index: usize) {
        self.hand_tlb_to(index);
        for _ in 0..MAX_STEPS {
            match self.smmus[index].step(&mut self.memory) {
                // An invalidation that ended may be what the queue waited for.
                Progress::Idle if self.perform(index) => {}
                Progress::Idle => break,
                Progress::Worked => {}
            }
        }
        self.perform(index);
    }

    /// Does what an SMMU wants done: its messages are written, its wires pulse at the interrupt
    /// controller, its invalidations reach devices, and transfers that had stalled go on; all else
    /// is kept for whoever looks. Whether an invalidation ended.
    pub fn perform(&mut self, index: usize) -> bool {
        let mut ended = false;
        // What is done may make the SMMU want more: a message that is aborted is a global error.
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

    /// An SMMU writes 32 bits to RAM or to a doorbell. A doorbell may ask who writes, and the SMMU
    /// may have no name there.
    fn write_word(&mut self, at: PhysAddr, data: u32, smmu: usize) -> Written {
        let device = self.smmu_ids.get(smmu).copied().flatten();
        // What an SMMU writes itself is not translated, so that the StreamID says nothing.
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

    /// A function may assert its pin now, or not any more: the wire is high as long as one of those
    /// that share it does.
    pub(super) fn drive_pin(&mut self, function: usize) {
        let Some(intid) = self.slots.get(function).and_then(|slot| slot.pin) else { return };
        let mut shared = self.slots.iter().filter(|slot| slot.pin == Some(intid));
        let high = shared.any(|slot| slot.registers.asserts_pin());
        self.controller.wire(intid, if high { Signal::High } else { Signal::Low });
    }

    /// Something happens on a wire of a device on the board; `false` if it leads nowhere.
    pub(crate) fn wire(&mut self, intid: IntId, signal: Signal) -> bool {
        self.controller.wire(intid, signal)
    }

    /// Something happens on a wire of one CPU's own; `false` if it leads nowhere.
    pub(crate) fn wire_private(&mut self, cpu: u16, ppi: IntId, signal: Signal) -> bool {
        self.controller.wire_private(Cpu::new(cpu), ppi, signal)
    }

    /// The failed commands of an ITS since the last call.
    pub fn take_reports(&mut self, its: u16) -> Vec<Report> {
        self.controller.take_reports(its)
    }

    /// The writes of devices that an ITS reports since the last call.
    pub fn take_failed_writes(&mut self, its: u16) -> Vec<FailedWrite> {
        self.controller.take_failed_writes(its)
    }

    /// Saves the GICv3 and makes another of what was saved and of memory, as where a machine moves
    /// to another host. On a machine without a GICv3 nothing happens.
    pub fn migrate_gic(&mut self) {
        self.controller.migrate(&mut self.memory);
    }

    /// As [`Board::migrate_gic`], to a host whose GICv3 chooses as a preset does, but for what the first,
    /// which the machine has been built with, is built to choose, and lays tables out as that does; one of
    /// the first's own preset is built as that. `None` on a machine without a GICv3.
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

    /// The first CPU that has an interrupt to take, and which.
    pub fn interrupted(&mut self) -> Option<(Cpu, IntId)> {
        self.controller.interrupted()
    }
}
