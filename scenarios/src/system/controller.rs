//! The interrupt controller on the board: which of its blocks answers where, and which CPU it
//! interrupts.

use passim_gic::choice::Preset;
use passim_gic::choice::its::TableHome;
use passim_gic::its::image::{Converted, ImageError};
use passim_gic::its::{self, FailedWrite, Features, Report};
use passim_gic::state::State;
use passim_gic::v3::{self, SystemRegister};
use passim_gic::{Cpu, GicV2, GicV3, Its, Progress, Signal, Size, v2};
use passim_model::{Effect, IccRegister, IntId, Memory, PhysAddr, Requester, Span};

use super::message::Arrival;
use crate::machine::GicIts;

/// GICD_SETSPI_NSR and GICR_SETLPIR, GICD_CLRSPI_NSR and GICR_CLRLPIR. IHI 0069 H 12.8, 12.10.
const SET_NSR: u64 = 0x40;
const CLEAR_NSR: u64 = 0x48;

fn is_pending(state: State) -> bool {
    matches!(state, State::Pending | State::ActivePending)
}

/// Most steps a GICv3 is given at a time. A queue of 2^15 commands ends below it.
const MAX_STEPS: u32 = 1 << 20;

/// The interrupt controller of a board.
pub(super) enum Controller {
    /// There is none.
    Absent,
    /// A GICv2 with GICv2m frames. Its blocks on the bus are the frames, by their number, then
    /// the distributor and the CPU interface.
    V2 {
        gic: Box<GicV2>,
        /// Something happened to it since interrupts were last looked for.
        stirred: bool,
    },
    /// A GICv3 with ITSs. Its blocks on the bus are the ITSs, the distributor, then the
    /// redistributors by CPU.
    V3 {
        gic: Box<GicV3>,
        /// As of a GICv2.
        stirred: bool,
        /// A device has written, and what came of it may be on its way.
        rung: bool,
    },
}

/// A block of registers, by its number on the bus.
enum Block {
    V2(v2::Block),
    V3(v3::Block),
}

impl Controller {
    /// A GICv2 on a board.
    pub(super) fn of_v2(gic: GicV2) -> Self {
        Self::V2 { gic: Box::new(gic), stirred: false }
    }

    /// A GICv3 on a board.
    pub(super) fn of_v3(gic: GicV3) -> Self {
        Self::V3 { gic: Box::new(gic), stirred: false, rung: false }
    }

    pub(super) fn v2(&self) -> Option<&GicV2> {
        match self {
            Self::V2 { gic, .. } => Some(gic),
            Self::V3 { .. } | Self::Absent => None,
        }
    }

    pub(super) fn v3(&self) -> Option<&GicV3> {
        match self {
            Self::V3 { gic, .. } => Some(gic),
            Self::V2 { .. } | Self::Absent => None,
        }
    }

    fn v2_mut(&mut self) -> Option<&mut GicV2> {
        match self {
            Self::V2 { gic, stirred } => {
                *stirred = true;
                Some(gic)
            }
            Self::V3 { .. } | Self::Absent => None,
        }
    }

    fn v3_mut(&mut self) -> Option<&mut GicV3> {
        match self {
            Self::V3 { gic, stirred, .. } => {
                *stirred = true;
                Some(gic)
            }
            Self::V2 { .. } | Self::Absent => None,
        }
    }

    /// Which of the controller's blocks has this number on the bus.
    fn block(&self, number: u16) -> Option<Block> {
        match self {
            Self::Absent => None,
            Self::V2 { gic, .. } => {
                let frames = u16::try_from(gic.frames().len()).unwrap_or(u16::MAX);
                Some(Block::V2(match number.checked_sub(frames) {
                    None => v2::Block::Frame(number),
                    Some(0) => v2::Block::Distributor,
                    Some(1) => v2::Block::CpuInterface,
                    Some(_) => return None,
                }))
            }
            Self::V3 { gic, .. } => {
                let its = u16::try_from(gic.its().len()).unwrap_or(u16::MAX);
                Some(Block::V3(match number.checked_sub(its) {
                    None => v3::Block::Its(number),
                    Some(0) => v3::Block::Distributor,
                    Some(other) => v3::Block::Redistributor(Cpu::new(other - 1)),
                }))
            }
        }
    }

    /// What a block is called.
    pub(super) fn block_name(&self, number: u16) -> String {
        match self.block(number) {
            Some(Block::V2(v2::Block::Frame(frame))) => format!("GICv2m frame {frame}"),
            Some(Block::V2(v2::Block::CpuInterface)) => "the CPU interface".to_owned(),
            Some(Block::V2(v2::Block::Distributor) | Block::V3(v3::Block::Distributor)) => {
                "the distributor".to_owned()
            }
            Some(Block::V3(v3::Block::Its(_))) => "the ITS".to_owned(),
            Some(Block::V3(v3::Block::Redistributor(cpu))) => {
                format!("the redistributor of cpu {cpu}")
            }
            None => format!("block {number} of the interrupt controller"),
        }
    }

    /// A CPU loads; `None` if nothing is known of the block.
    pub(super) fn load(&mut self, number: u16, offset: u64, size: Size, cpu: Cpu) -> Option<u64> {
        match self.block(number)? {
            Block::V2(block) => Some(self.v2_mut()?.load(block, offset, size, cpu)),
            Block::V3(block) => Some(self.v3_mut()?.load(block, offset, size)),
        }
    }

    /// A CPU stores; `None` if nothing is known of the block.
    pub(super) fn store(
        &mut self,
        number: u16,
        (offset, size, value): (u64, Size, u64),
        cpu: Cpu,
        memory: &mut Memory,
    ) -> Option<()> {
        match self.block(number)? {
            Block::V2(block) => self.v2_mut()?.store(block, offset, size, value, cpu),
            Block::V3(block) => self.v3_mut()?.store(block, offset, size, value, memory),
        }
        Some(())
    }

    /// A CPU reads a system register; `None` without a GICv3.
    pub(super) fn read_icc(
        &mut self,
        cpu: Cpu,
        register: IccRegister,
        memory: &mut Memory,
    ) -> Option<u64> {
        Some(self.v3_mut()?.read(cpu, system_register(register), memory))
    }

    /// A CPU writes a system register.
    pub(super) fn write_icc(&mut self, cpu: Cpu, register: IccRegister, value: u64) {
        if let Some(gic) = self.v3_mut() {
            gic.write(cpu, system_register(register), value);
        }
    }

    /// Whether the block is an ITS.
    pub(super) fn is_its(&self, number: u16) -> bool {
        matches!(self.block(number), Some(Block::V3(v3::Block::Its(_))))
    }

    /// Whether devices may write to the block, and it is known what comes of it.
    pub(super) fn is_doorbell(&self, number: u16) -> bool {
        let built = self.v3().map(GicV3::implementation);
        match self.block(number) {
            Some(Block::V2(v2::Block::Frame(_)) | Block::V3(v3::Block::Its(_))) => true,
            Some(Block::V3(v3::Block::Distributor)) => {
                built.is_some_and(|built| built.distributor.message_spis)
            }
            Some(Block::V3(v3::Block::Redistributor(_))) => {
                built.is_some_and(|built| built.redistributors.direct_lpi)
            }
            _ => false,
        }
    }

    /// A device writes a word to an ITS, and it is plain to see what comes of it
    /// ([`GicV3::message_fast`]); else nothing has happened.
    #[inline(always)]
    pub(super) fn message_fast(
        &mut self,
        number: u16,
        (offset, value): (u64, u32),
        requester: &Requester,
        memory: &mut Memory,
    ) -> Option<(IntId, Cpu)> {
        // ITSs are the first of its blocks.
        let Self::V3 { gic, stirred, rung } = self else { return None };
        let access = (offset, Size::Word, value.into());
        let raised = gic.message_fast(number, access, requester, memory)?;
        (*stirred, *rung) = (true, true);
        Some(raised)
    }

    /// A device writes: what came of it. `None` if nothing is known of the block, or of who
    /// writes where that decides.
    pub(super) fn message(
        &mut self,
        number: u16,
        (offset, size, value): (u64, Size, u64),
        requester: Option<&Requester>,
        memory: &mut Memory,
    ) -> Option<Arrival> {
        match self.block(number)? {
            Block::V2(v2::Block::Frame(frame)) => {
                let gic = self.v2_mut()?;
                let spi = gic.message(frame, offset, size, value);
                let line = spi.and_then(|spi| Some((spi, gic.line(Cpu::default(), spi)?)));
                let pending = |(spi, line): (IntId, v2::Line)| Arrival::Pending(spi, line.targets);
                Some(line.map_or(Arrival::Ignored, pending))
            }
            Block::V3(v3::Block::Its(its)) => {
                let arrival = self.v3_mut()?.message(its, offset, size, value, requester?, memory);
                if let Self::V3 { rung, .. } = self {
                    *rung = true;
                }
                // What is not translated may interrupt.
                if !matches!(arrival, its::Arrival::Raised { .. }) {
                    self.pulse();
                }
                Some(arrival.into())
            }
            Block::V3(block) => {
                let rung = self.is_doorbell(number);
                rung.then(|| self.message_by_register(block, (offset, size, value), memory))
            }
            Block::V2(_) => None,
        }
    }

    /// What a write to a block's doorbell comes to that is no message; `None` without a doorbell.
    pub(super) fn takes_nothing(&self, number: u16) -> Option<Arrival> {
        let of_its = matches!(self.block(number), Some(Block::V3(v3::Block::Its(_))));
        let nothing = if of_its { Arrival::NoMessage } else { Arrival::Ignored };
        self.is_doorbell(number).then_some(nothing)
    }

    /// A device writes where a GICv3, with ITSs or without, takes messages by a register, if it is
    /// built to: IHI 0069 H 12.9
    /// (GICD_SETSPI_NSR, GICD_CLRSPI_NSR), 12.11 (GICR_SETLPIR, GICR_CLRLPIR). Nobody asks who it
    /// is.
    fn message_by_register(
        &mut self,
        block: v3::Block,
        (offset, size, value): (u64, Size, u64),
        memory: &mut Memory,
    ) -> Arrival {
        let Some(gic) = self.v3_mut().filter(|_| matches!(offset, SET_NSR | CLEAR_NSR)) else {
            return Arrival::Ignored;
        };
        let (intid, cpu) = match block {
            v3::Block::Redistributor(cpu) => (IntId::new(size.cut(value) as u32), cpu),
            _ => (v3::message_spi(size.cut(value)), Cpu::default()),
        };
        let waits = |gic: &GicV3| gic.line(cpu, intid).is_some_and(|line| is_pending(line.state));
        let before = waits(gic);
        gic.store(block, offset, size, value, memory);
        match (block, waits(gic)) {
            (_, false) if before => Arrival::TakenBack(intid),
            (_, false) => Arrival::Ignored,
            (v3::Block::Redistributor(cpu), true) => Arrival::Lpi(intid, cpu),
            (_, true) => Arrival::Pending(intid, gic.targets(intid)),
        }
    }

    /// Something happens on a wire of one CPU's own; `false` without a GICv3.
    pub(super) fn wire_private(&mut self, cpu: Cpu, ppi: IntId, signal: Signal) -> bool {
        self.v3_mut().map(|gic| gic.wire_private(cpu, ppi, signal)).is_some()
    }

    /// Something happens on a wire; `false` if there is no controller to see it.
    pub(super) fn wire(&mut self, intid: IntId, signal: Signal) -> bool {
        if let Some(gic) = self.v2_mut() {
            gic.wire(intid, signal);
        } else if let Some(gic) = self.v3_mut() {
            gic.wire(intid, signal);
        } else {
            return false;
        }
        true
    }

    /// Lets the controller do what waits: at most one thing, or all it does without time passing.
    /// Wires of its own parts pulse at itself.
    pub(super) fn run(&mut self, all: bool, memory: &mut Memory) {
        let Some(gic) = self.v3_mut() else { return };
        let steps = if all { MAX_STEPS } else { 1 };
        for _ in 0..steps {
            if gic.step(memory) == Progress::Idle {
                break;
            }
        }
        self.pulse();
    }

    /// Lets time pass: what is on its way arrives, some of it in the order that chance wants.
    pub(super) fn settle(&mut self, memory: &mut Memory) {
        self.run(true, memory);
        let Some(gic) = self.v3_mut() else { return };
        let on_the_way: usize = gic.its().iter().map(Its::in_flight).sum();
        for _ in 0..on_the_way {
            let _ = gic.step(memory);
        }
        gic.settle(memory);
        self.pulse();
        if let Self::V3 { rung, .. } = self {
            *rung = false;
        }
    }

    /// Lets what a device wrote arrive, if one has written.
    pub(super) fn arrive(&mut self, memory: &mut Memory) {
        if matches!(self, Self::V3 { rung: true, .. }) {
            self.settle(memory);
        }
    }

    /// The failed commands of an ITS since the last call.
    pub(super) fn take_reports(&mut self, its: u16) -> Vec<Report> {
        self.v3_mut().map_or(Vec::new(), |gic| gic.take_reports(its))
    }

    /// The writes of devices that an ITS reports since the last call.
    pub(super) fn take_failed_writes(&mut self, its: u16) -> Vec<FailedWrite> {
        self.v3_mut().map_or(Vec::new(), |gic| gic.take_failed_writes(its))
    }

    /// Saves the GICv3, and makes another of it.
    pub(super) fn migrate(&mut self, memory: &mut Memory) {
        let Some(gic) = self.v3_mut() else { return };
        let saved = gic.save(memory);
        *gic = GicV3::restore(gic.implementation().clone(), &saved, memory);
    }

    /// As [`Controller::migrate`], to one that chooses as `preset` does, but for what `first`, which the
    /// machine has been built with, is built to choose, and has its tables as that has them; one of
    /// `first`'s own preset is built as that. `None` without a GICv3.
    pub(super) fn convert(
        &mut self,
        (preset, first): (Preset, &GicIts),
        scratch: Option<Span<PhysAddr>>,
        memory: &mut Memory,
    ) -> Option<Result<Vec<Option<Converted>>, ImageError>> {
        let gic = self.v3_mut()?;
        let mut to = gic.implementation().clone();
        let mut like = v3::Implementation::of(preset, to.affinities.len() as u16, 0);
        if preset.name() == first.preset.name() {
            first.built.apply(&mut like, first.redistributors);
        }
        let theirs = like.its[0];
        to.choices = preset.lpi();
        for its in &mut to.its {
            its.choices = theirs.choices;
            first.built.choose(&mut its.choices);
            let Features { redistributors_at, error_wire, unmapped_wire, .. } = its.features;
            its.features = match theirs.choices.table_home {
                // What software has seen of the old one.
                TableHome::Memory => Features {
                    layout: theirs.features.layout,
                    iidr: theirs.features.iidr,
                    identification: theirs.features.identification,
                    ..its.features
                },
                // KVM's has no registers but its own to restore the old one's into.
                TableHome::Its => {
                    Features { redistributors_at, error_wire, unmapped_wire, ..theirs.features }
                }
            };
        }
        Some(gic.convert(to, scratch, memory))
    }

    fn pulse(&mut self) {
        let Some(gic) = self.v3_mut() else { return };
        for effect in gic.take_effects() {
            if let Effect::Wire(intid) = effect {
                gic.wire(intid, Signal::Pulse);
            }
        }
    }

    /// The first CPU that has an interrupt to take, and which.
    pub(super) fn interrupted(&mut self) -> Option<(Cpu, IntId)> {
        let (found, stirred) = match self {
            Self::V2 { gic, stirred: stirred @ true } => {
                let mut cpus = (0..gic.implementation().cpus).map(Cpu::new);
                (cpus.find_map(|cpu| Some((cpu, gic.highest_pending(cpu)?.intid))), stirred)
            }
            Self::V3 { gic, stirred: stirred @ true, .. } => {
                let mut cpus = gic.cpus();
                (cpus.find_map(|cpu| Some((cpu, gic.highest_pending(cpu)?.intid))), stirred)
            }
            Self::V2 { .. } | Self::V3 { .. } | Self::Absent => return None,
        };
        *stirred = found.is_some();
        found
    }
}

fn system_register(register: IccRegister) -> SystemRegister {
    match register {
        IccRegister::Sre => SystemRegister::Sre,
        IccRegister::Pmr => SystemRegister::Pmr,
        IccRegister::Bpr0 => SystemRegister::Bpr0,
        IccRegister::Bpr1 => SystemRegister::Bpr1,
        IccRegister::Ctlr => SystemRegister::Ctlr,
        IccRegister::Igrpen0 => SystemRegister::Igrpen0,
        IccRegister::Igrpen1 => SystemRegister::Igrpen1,
        IccRegister::Iar0 => SystemRegister::Iar0,
        IccRegister::Iar1 => SystemRegister::Iar1,
        IccRegister::Eoir0 => SystemRegister::Eoir0,
        IccRegister::Eoir1 => SystemRegister::Eoir1,
        IccRegister::Hppir0 => SystemRegister::Hppir0,
        IccRegister::Hppir1 => SystemRegister::Hppir1,
        IccRegister::Dir => SystemRegister::Dir,
        IccRegister::Rpr => SystemRegister::Rpr,
        IccRegister::Ap0r0 => SystemRegister::Ap0r0,
        IccRegister::Ap1r0 => SystemRegister::Ap1r0,
        IccRegister::Sgi0r => SystemRegister::Sgi0r,
        IccRegister::Sgi1r => SystemRegister::Sgi1r,
        IccRegister::Asgi1r => SystemRegister::Asgi1r,
    }
}
