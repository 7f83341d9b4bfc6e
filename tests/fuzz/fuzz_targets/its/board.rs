//! A GIC with the memory it reads, and what has to hold after every action.

use crate::actions::{
    Access, Action, COLLECTIONS, CONFIGURATION, CPUS, DEVICES, Entry, ITT, LEVEL2, PENDING, QUEUE,
    RAM, RAM_BYTES, SCRATCH, Start, cpu, of_interface, of_its, of_redistributor, sent, size,
    written,
};
use passim_gic::choice::its::TableHome;
use passim_gic::its::image::{ImageError, Mappings};
use passim_gic::its::{Arrival, Report};
use passim_gic::state::State;
use passim_gic::v3::{Block, SystemRegister, Waiting};
use passim_gic::{Cpu, GicV3, Progress, Size};
use passim_model::{DeviceId, IntId, Memory, PhysAddr, Requester, Span, StreamId};

const ITS: Block = Block::Its(0);
/// Bytes of the initial queue.
const QUEUE_BYTES: u64 = 0x1000;
/// Steps without effect after which nothing is pending: with late commands each step waits at
/// random.
pub const PATIENCE: u32 = 64;
/// Commands of the largest queue that GITS_CBASER can encode, a mebibyte.
const MOST_COMMANDS: u32 = 1 << 15;

pub struct Board {
    gic: GicV3,
    memory: Memory,
    heard: Vec<Heard>,
}

/// What an action brought about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    Arrival(Arrival),
    Taken(u64),
    Read(u64),
    Step(Progress, Vec<Report>),
}

/// What software and devices can find out about a GIC.
#[derive(PartialEq, Eq, Debug)]
pub struct Seen {
    heard: Vec<Heard>,
    its: Vec<u64>,
    redistributors: Vec<u64>,
    pending: Vec<Vec<IntId>>,
    signalled: Vec<Option<Waiting>>,
    mappings: Result<Mappings, ImageError>,
}

/// Where the queue stands: GITS_CBASER, GITS_CREADR, GITS_CWRITER.
struct Pointers {
    bytes: u64,
    valid: bool,
    read: u64,
    write: u64,
    stalled: bool,
}

impl Board {
    pub fn new(start: &Start) -> Self {
        let mut memory = Memory::new();
        let ram = Span::from_size(PhysAddr::new(RAM), RAM_BYTES).expect("two megabytes");
        memory.add_bank(ram).expect("an empty memory takes it");
        let gic = GicV3::new(start.implementation());
        let mut board = Self { gic, memory, heard: Vec::new() };
        board.boot(start.two_levels);
        if start.mapped {
            board.map();
        }
        board
    }

    fn store(&mut self, block: Block, offset: u64, size: Size, value: u64) {
        self.gic.store(block, offset, size, value, &mut self.memory);
    }

    fn load(&mut self, offset: u64) -> u64 {
        self.gic.load(ITS, offset, Size::Double)
    }

    fn boot(&mut self, two_levels: bool) {
        let valid = 1 << 63;
        self.store(Block::Distributor, 0, Size::Word, 0x13);
        for n in 0..CPUS {
            let (block, own) = (Block::Redistributor(Cpu::new(n)), 0x1_0000 * u64::from(n));
            self.store(block, 0x70, Size::Double, CONFIGURATION | 15);
            self.store(block, 0x78, Size::Double, PENDING + own);
            self.store(block, 0, Size::Word, 1);
            // Asleep, as it is out of reset, a CPU is told of nothing, and takes nothing.
            self.store(block, 0x14, Size::Word, 0);
            assert_eq!(self.gic.load(block, 0x14, Size::Word), 0, "awake");
            for (register, value) in [(SystemRegister::Pmr, 0xf0), (SystemRegister::Igrpen1, 1)] {
                self.gic.write(Cpu::new(n), register, value);
            }
        }
        let mut devices = DEVICES;
        if two_levels {
            self.word(DEVICES, valid | LEVEL2, 8);
            devices |= 1 << 62;
        }
        for (offset, value) in [(0x80, QUEUE), (0x100, devices), (0x108, COLLECTIONS)] {
            self.store(ITS, offset, Size::Double, valid | value);
        }
        self.store(ITS, 0, Size::Word, 1);
        for lpi in 0..64 {
            self.word(CONFIGURATION + lpi, 0xa3, 1);
        }
    }

    /// Maps a collection for each CPU, and four events of each of three devices.
    fn map(&mut self) {
        let valid = 1 << 63;
        for n in 0..u64::from(CPUS) {
            self.submit([0x09, 0, valid | (n * self.unit()) << 16 | n, 0]);
        }
        for device in 0..3 {
            self.submit([device << 32 | 0x08, 4, valid | ITT + 0x1000 * device, 0]);
            for event in 0..4 {
                let lpi = 8192 + 4 * device + event;
                self.submit([device << 32 | 0x0a, lpi << 32 | event, event, 0]);
            }
        }
        self.run_out();
        assert_eq!(self.gic.its()[0].counters().errors, 0, "everything is mapped");
    }

    /// Distance between the numbers of two redistributors in commands.
    fn unit(&self) -> u64 {
        let features = self.gic.its()[0].implementation().features;
        if features.redistributors_at.is_some() { 2 } else { 1 }
    }

    /// Writes the low bytes of a value to memory.
    fn word(&mut self, at: u64, value: u64, bytes: usize) {
        let at = PhysAddr::new(at);
        self.memory.write(at, &value.to_le_bytes()[..bytes]).expect("inside the bank");
    }

    fn entry(&mut self, entry: &Entry) {
        self.memory.store_u64(entry.at(), entry.word()).expect("inside the bank");
    }

    fn submit(&mut self, words: [u64; 4]) {
        let write = self.load(0x88) % QUEUE_BYTES & !31;
        for (n, word) in (0..).zip(words) {
            self.word(QUEUE + write + 8 * n, word, 8);
        }
        self.store(ITS, 0x88, Size::Double, (write + 32) % QUEUE_BYTES);
    }

    pub fn act(&mut self, action: &Action) {
        self.heard.clear();
        match *action {
            Action::Access(ref access) => self.access(access),
            Action::Word { at, value } => self.word(RAM + u64::from(at) * 8 % RAM_BYTES, value, 8),
            Action::Entry(ref entry) => self.entry(entry),
            Action::Raw(words) => self.submit(words),
            Action::Command(ref likely) => self.submit(likely.words(self.unit())),
            Action::Message { device, event, shape } => {
                self.message(sent(device, event), written(shape));
            }
            Action::Configuration { lpi, byte } => {
                self.word(CONFIGURATION + u64::from(lpi % 64), u64::from(byte), 1);
            }
            Action::Take { cpu: n } => self.take(cpu(n)),
            Action::End { cpu: n, intid, deactivate } => {
                let register = if deactivate { SystemRegister::Dir } else { SystemRegister::Eoir1 };
                self.gic.write(cpu(n), register, u64::from(intid));
            }
            Action::Step(count) => {
                for _ in 0..count {
                    self.step();
                }
            }
            Action::Settle => self.gic.settle(&mut self.memory),
            Action::Migrate => self.migrate(),
            Action::Restore(ref entry) => self.restore(entry),
            Action::Convert { ref to, scratch } => self.convert(to, scratch),
        }
    }

    fn access(&mut self, access: &Access) {
        match *access {
            Access::Its { offset, size: s, value } => {
                self.store_and_load(u64::from(offset % 0x2_0000), size(s), value);
            }
            Access::KnownIts { register, size: s, value } => {
                self.store_and_load(of_its(register), size(s), value);
            }
            Access::Redistributor { cpu: n, offset, size: s, value } => {
                let block = Block::Redistributor(cpu(n));
                self.store(block, u64::from(offset % 0x2_0000), size(s), value);
            }
            Access::KnownRedistributor { cpu: n, register, value } => {
                let block = Block::Redistributor(cpu(n));
                self.store(block, of_redistributor(register), Size::Double, u64::from(value));
            }
            Access::Distributor { offset, size: s, value } => {
                self.store(Block::Distributor, u64::from(offset), size(s), value);
            }
            Access::Load { cpu: n, offset, size: s } => {
                let block = n.map_or(Block::Distributor, |n| Block::Redistributor(cpu(n)));
                let read = self.gic.load(block, u64::from(offset % 0x2_0000), size(s));
                assert_eq!(read, size(s).cut(read), "no wider than the access");
                self.heard.push(Heard::Read(read));
            }
            Access::System { cpu: n, register, value } => {
                let register = of_interface(register);
                match value {
                    Some(value) => self.gic.write(cpu(n), register, value),
                    None => {
                        let read = self.gic.read(cpu(n), register, &mut self.memory);
                        self.heard.push(Heard::Read(read));
                    }
                }
            }
            Access::Queue { read, write, retry } => {
                let offset = |n: u16| u64::from(n) << 5;
                self.store(ITS, 0x90, Size::Double, offset(read));
                self.store(ITS, 0x88, Size::Double, offset(write) | u64::from(retry));
            }
            Access::Lpis { cpu: n, on } => {
                self.store(Block::Redistributor(cpu(n)), 0, Size::Word, u64::from(on));
            }
            Access::Enable(on) => self.store(ITS, 0, Size::Word, u64::from(on)),
        }
    }

    fn store_and_load(&mut self, offset: u64, size: Size, value: u64) {
        self.store(ITS, offset, size, value);
        let read = self.gic.load(ITS, offset, size);
        assert_eq!(read, size.cut(read), "no wider than the access");
    }

    /// A message. What it raises and has arrived is pending there, unless the redistributor dropped
    /// it or its tables did not answer.
    fn message(&mut self, (device, event): (u32, u64), (at, size): (u64, Size)) {
        let device = DeviceId::new(device);
        let requester = Requester { stream: StreamId::new(0), substream: None, device };
        let before = self.gic.counters();
        let arrival = self.gic.message(0, at, size, event, &requester, &mut self.memory);
        self.heard.push(Heard::Arrival(arrival));
        let Arrival::Raised { intid, cpu } = arrival else { return };
        assert!(intid.get() >= 8192 && cpu.get() < CPUS, "{intid:?} at {cpu:?}");
        if self.gic.its()[0].in_flight() == 0 && self.gic.counters() == before {
            let line = self.gic.line(cpu, intid);
            assert!(line.is_some_and(|line| line.state == State::Pending), "{intid:?} at {cpu:?}");
        }
    }

    /// A CPU acknowledges the interrupt that it is signalled, or a spurious one.
    fn take(&mut self, cpu: Cpu) {
        let told = self.gic.highest_pending(cpu);
        let taken = self.gic.read(cpu, SystemRegister::Iar1, &mut self.memory);
        let told = told.filter(|waiting| waiting.group1);
        assert_eq!(taken, told.map_or(1023, |waiting| u64::from(waiting.intid.get())));
        self.gic.write(cpu, SystemRegister::Eoir1, taken);
        self.heard.push(Heard::Taken(taken));
    }

    fn mappings(&self) -> Result<Mappings, ImageError> {
        self.gic.its()[0].mappings(&self.memory).map(|found| found.mappings)
    }

    fn has_internal_tables(&self) -> bool {
        self.gic.its()[0].implementation().choices.table_home == TableHome::Its
    }

    /// What can be found out, with what the last action brought about.
    pub fn seen(&mut self) -> Seen {
        let its = [0, 0x40, 0x48, 0x80, 0x88, 0x90, 0x100, 0x108].map(|at| self.load(at));
        let mut redistributors = Vec::new();
        for cpu in self.gic.cpus() {
            for at in [0, 0x70, 0x78, 0xc0, 0x1_0200, 0x1_0300] {
                redistributors.push(self.gic.load(Block::Redistributor(cpu), at, Size::Word));
            }
        }
        let cpus: Vec<Cpu> = self.gic.cpus().collect();
        Seen {
            heard: core::mem::take(&mut self.heard),
            its: its.to_vec(),
            redistributors,
            pending: cpus.iter().map(|cpu| self.gic.pending_lpis(*cpu)).collect(),
            signalled: cpus.iter().map(|cpu| self.gic.highest_pending(*cpu)).collect(),
            mappings: self.mappings(),
        }
    }

    /// Saves the GIC, and continues with the same.
    pub fn save(&mut self) {
        self.gic.save(&mut self.memory);
    }

    /// Saves the GIC, and continues with one restored from that state. Tables in memory map what
    /// they mapped.
    pub fn migrate(&mut self) {
        let saved = self.gic.save(&mut self.memory);
        let before = self.mappings();
        let implementation = self.gic.implementation().clone();
        self.gic = GicV3::restore(implementation, &saved, &mut self.memory);
        if !self.has_internal_tables() {
            assert_eq!(self.mappings(), before, "nothing was mapped or unmapped");
        }
        self.check_restored();
    }

    /// An entry changes between save and restore.
    fn restore(&mut self, entry: &Entry) {
        let saved = self.gic.save(&mut self.memory);
        self.entry(entry);
        let implementation = self.gic.implementation().clone();
        self.gic = GicV3::restore(implementation, &saved, &mut self.memory);
        self.check_restored();
    }

    /// Internal tables have what an ITS could have mapped, and nothing if they were refused.
    fn check_restored(&self) {
        let its = &self.gic.its()[0];
        let features = its.implementation().features;
        if !self.has_internal_tables() {
            assert_eq!(its.refused(), None);
            return;
        }
        let mappings = self.mappings().expect("internal tables can be read");
        let held = |icid: u16| icid < u16::from(features.held_collections);
        if its.refused().is_some() {
            assert!(mappings.devices.is_empty());
            assert!(mappings.collections.keys().all(|icid| held(*icid)));
        }
        assert!(mappings.collections.values().all(|cpu| cpu.get() < CPUS));
        for (id, device) in &mappings.devices {
            assert!(u64::from(id.get()) < 1 << features.device_bits);
            assert!(device.event_bits <= features.event_bits);
            for (event, (lpi, _)) in &device.events {
                assert!(u64::from(event.get()) < 1 << device.event_bits);
                assert!(lpi.get() >= 8192 && u64::from(lpi.get()) < 1 << features.intid_bits);
            }
        }
    }

    /// A conversion that is refused before it writes tables maps what was mapped.
    fn convert(&mut self, to: &Start, scratch: bool) {
        self.gic.save(&mut self.memory);
        let before = self.mappings();
        let scratch = Span::from_size(PhysAddr::new(SCRATCH), 0x7_0000).filter(|_| scratch);
        match self.gic.convert(to.implementation(), scratch, &mut self.memory) {
            Ok(_) => self.check_restored(),
            Err(ImageError::NoRoom(..)) => {}
            Err(_) => assert_eq!(self.mappings(), before, "the GIC is unchanged"),
        }
    }

    fn pointers(&mut self) -> Pointers {
        let (base, read, write) = (self.load(0x80), self.load(0x90), self.load(0x88));
        Pointers {
            bytes: ((base & 0xff) + 1) << 12,
            valid: base >> 63 != 0,
            read: read & 0xf_ffe0,
            write: write & 0xf_ffe0,
            stalled: read & 1 != 0,
        }
    }

    /// One step. A command that it consumes is passed, or stalls the queue with a report.
    fn step(&mut self) -> Progress {
        let (before, at) = (self.gic.its()[0].counters(), self.pointers());
        self.gic.take_reports(0);
        let progress = self.gic.step(&mut self.memory);
        let (after, next) = (self.gic.its()[0].counters(), self.pointers());
        let reports = self.gic.take_reports(0);
        assert_eq!(reports.len() as u64, after.errors - before.errors, "errors are reported");
        self.heard.push(Heard::Step(progress, reports.clone()));
        if after.commands == before.commands {
            assert_eq!(at.read, next.read, "nothing was consumed");
            return progress;
        }
        assert_eq!(after.commands, before.commands + 1, "one step is one command");
        if reports.first().is_some_and(|report| report.stalled) {
            assert!(next.stalled && next.read == at.read, "the queue stands at the command");
        } else {
            assert_eq!(next.read, (at.read + 32) % at.bytes, "the command is passed");
        }
        progress
    }

    /// Runs the ITS as long as any queue can need.
    pub fn run_out(&mut self) {
        let mut idle = 0;
        for _ in 0..MOST_COMMANDS + PATIENCE {
            idle = if self.step() == Progress::Worked { 0 } else { idle + 1 };
            if idle == PATIENCE {
                return;
            }
        }
    }

    /// Afterwards every command is answered: the queue is empty, or it has stalled.
    pub fn finish(&mut self) {
        // Some queues read commands only after a store to GITS_CWRITER.
        let write = self.load(0x88) & !1;
        self.store(ITS, 0x88, Size::Double, write);
        self.run_out();
        let runs = self.load(0) & 1 != 0;
        let Pointers { bytes, valid, read, write, stalled } = self.pointers();
        if runs && valid && !stalled && read < bytes && write < bytes {
            assert_eq!(read, write, "the queue is empty");
        }
        let performed = self.gic.its()[0].counters().commands;
        for _ in 0..PATIENCE {
            self.step();
        }
        let counted = self.gic.its()[0].counters().commands;
        assert_eq!(counted, performed, "the queue is empty, or has stopped");
    }
}
