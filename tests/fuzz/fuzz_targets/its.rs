//! An initialised ITS, then stores, commands, words of its tables, messages, acknowledged
//! interrupts and migrations: no panic; a queue with enough time is empty or has stalled; and a CPU
//! acknowledges the interrupt that it was signalled.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use passim_gic::choice::Preset;
use passim_gic::v3::{Block, Implementation, SystemRegister};
use passim_gic::{Cpu, GicV3, Progress, Size};
use passim_model::{DeviceId, Memory, PhysAddr, Requester, Span, StreamId};

const RAM: u64 = 0x4000_0000;
const QUEUE: u64 = RAM;
const DEVICES: u64 = RAM + 0x1_0000;
const COLLECTIONS: u64 = RAM + 0x2_0000;
const CONFIGURATION: u64 = RAM + 0x3_0000;
const PENDING: u64 = RAM + 0x4_0000;
/// Interrupt translation tables, a page each.
const ITT: u64 = RAM + 0x8_0000;
/// Bytes of memory: everything above, and room for the tables of 256 devices.
const RAM_BYTES: u64 = 0x20_0000;
const CPUS: u16 = 4;
/// Bytes of the initial queue.
const QUEUE_BYTES: u64 = 0x1000;
/// Steps without effect after which nothing is pending: with late commands each step waits at
/// random.
const PATIENCE: u32 = 64;
/// Commands of the largest queue that GITS_CBASER can encode, a mebibyte.
const MOST_COMMANDS: u32 = 1 << 15;

/// A command of an opcode that exists, with small numbers, so that most are valid.
#[derive(Arbitrary, Debug)]
struct Likely {
    opcode: u8,
    device: u8,
    event: u8,
    collection: u8,
    cpu: u8,
    more: u8,
}

#[derive(Arbitrary, Debug)]
enum Action {
    Its { offset: u32, size: u8, value: u64 },
    Redistributor { cpu: u8, offset: u32, size: u8, value: u64 },
    Distributor { offset: u16, size: u8, value: u64 },
    Word { at: u32, value: u64 },
    Raw([u64; 4]),
    Command(Likely),
    Queue { read: u16, write: u16, retry: bool },
    Message { device: u8, event: u16, half: bool },
    Lpis { cpu: u8, on: bool },
    Configuration { lpi: u8, byte: u8 },
    Take { cpu: u8 },
    End { cpu: u8, intid: u16, deactivate: bool },
    Step(u8),
    Migrate,
}

const OPCODES: [u8; 22] = [
    0x01, 0x03, 0x04, 0x05, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x21, 0x22, 0x23, 0x25,
    0x29, 0x2a, 0x2b, 0x2d, 0x2e, 0xff,
];

impl Likely {
    /// Bytes from 0xf0 on encode values out of range, or not valid.
    fn words(&self) -> [u64; 4] {
        let wild = |byte: u8| if byte >= 0xf0 { 1u64 << (byte & 0xf) } else { 0 };
        let opcode = OPCODES[usize::from(self.opcode) % OPCODES.len()];
        let device = u64::from(self.device % 8) | wild(self.device) << 8;
        let event = u64::from(self.event % 32) | wild(self.event) << 5;
        let rdbase = u64::from(self.cpu % 5) << 16;
        let valid = u64::from(self.more & 0x80 == 0) << 63;
        let collection = u64::from(self.collection % 8) | wild(self.collection);
        let lpi = 8192 + u64::from(self.more % 64);
        let word1 = match opcode {
            0x08 => u64::from(self.event % 32),
            0x0a => lpi << 32 | event,
            0x0b => lpi,
            _ => event,
        };
        let itt = ITT + 0x1000 * u64::from(self.device);
        let word2 = if opcode == 0x08 { itt | valid } else { valid | rdbase | collection };
        [device << 32 | u64::from(opcode), word1, word2, u64::from(self.more % 5) << 16]
    }
}

/// A GIC and the memory it reads.
struct Board {
    gic: GicV3,
    memory: Memory,
    implementation: Implementation,
}

fn size(byte: u8) -> Size {
    [Size::Word, Size::Double, Size::Half, Size::Byte][usize::from(byte % 4)]
}

fn cpu(byte: u8) -> Cpu {
    Cpu::new(u16::from(byte) % CPUS)
}

impl Board {
    fn new(preset: Preset) -> Self {
        let mut memory = Memory::new();
        let ram = Span::from_size(PhysAddr::new(RAM), RAM_BYTES).expect("two megabytes");
        memory.add_bank(ram).expect("an empty memory takes it");
        let implementation = Implementation::of(preset, CPUS, 32);
        let gic = GicV3::new(implementation.clone());
        let mut board = Self { gic, memory, implementation };
        board.boot();
        board
    }

    fn store(&mut self, block: Block, offset: u64, size: Size, value: u64) {
        self.gic.store(block, offset, size, value, &mut self.memory);
    }

    fn boot(&mut self) {
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
        let registers = [(0x80, QUEUE), (0x100, DEVICES), (0x108, COLLECTIONS)];
        for (offset, value) in registers {
            self.store(Block::Its(0), offset, Size::Double, valid | value);
        }
        self.store(Block::Its(0), 0, Size::Word, 1);
        for lpi in 0..64 {
            self.word(CONFIGURATION + lpi, 0xa3, 1);
        }
    }

    /// Writes the low bytes of a value to memory, if there is memory.
    fn word(&mut self, at: u64, value: u64, bytes: usize) {
        let at = PhysAddr::new(at);
        self.memory.write(at, &value.to_le_bytes()[..bytes]).expect("inside the bank");
    }

    fn submit(&mut self, words: [u64; 4]) {
        let write = self.gic.load(Block::Its(0), 0x88, Size::Double) % QUEUE_BYTES & !31;
        for (n, word) in (0..).zip(words) {
            self.word(QUEUE + write + 8 * n, word, 8);
        }
        self.store(Block::Its(0), 0x88, Size::Double, (write + 32) % QUEUE_BYTES);
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Its { offset, size: s, value } => {
                let (block, offset) = (Block::Its(0), u64::from(offset % 0x2_0000));
                self.store(block, offset, size(s), value);
                let read = self.gic.load(block, offset, size(s));
                assert_eq!(read, size(s).cut(read), "no wider than the access");
            }
            Action::Redistributor { cpu: n, offset, size: s, value } => {
                let block = Block::Redistributor(cpu(n));
                self.store(block, u64::from(offset % 0x2_0000), size(s), value);
            }
            Action::Distributor { offset, size: s, value } => {
                self.store(Block::Distributor, u64::from(offset), size(s), value);
            }
            Action::Word { at, value } => self.word(RAM + u64::from(at) * 8 % RAM_BYTES, value, 8),
            Action::Raw(words) => self.submit(words),
            Action::Command(ref likely) => self.submit(likely.words()),
            Action::Queue { read, write, retry } => {
                let offset = |n: u16| u64::from(n) << 5;
                self.store(Block::Its(0), 0x90, Size::Double, offset(read));
                self.store(Block::Its(0), 0x88, Size::Double, offset(write) | u64::from(retry));
            }
            Action::Message { device, event, half } => self.message(device, event, half),
            Action::Lpis { cpu: n, on } => {
                self.store(Block::Redistributor(cpu(n)), 0, Size::Word, u64::from(on));
            }
            Action::Configuration { lpi, byte } => {
                self.word(CONFIGURATION + u64::from(lpi % 64), u64::from(byte), 1);
            }
            Action::Take { cpu: n } => self.take(cpu(n)),
            Action::End { cpu: n, intid, deactivate } => {
                let register = if deactivate { SystemRegister::Dir } else { SystemRegister::Eoir1 };
                self.gic.write(cpu(n), register, u64::from(intid));
            }
            Action::Step(count) => (0..count).for_each(|_| drop(self.gic.step(&mut self.memory))),
            Action::Migrate => self.migrate(),
        }
    }

    fn message(&mut self, device: u8, event: u16, half: bool) {
        let device = DeviceId::new(u32::from(device));
        let requester = Requester { stream: StreamId::new(0), substream: None, device };
        let size = if half { Size::Half } else { Size::Word };
        self.gic.message(0, 0x1_0040, size, u64::from(event), &requester, &mut self.memory);
    }

    /// A CPU acknowledges the interrupt that it is signalled, or a spurious one.
    fn take(&mut self, cpu: Cpu) {
        let told = self.gic.highest_pending(cpu);
        let taken = self.gic.read(cpu, SystemRegister::Iar1, &mut self.memory);
        let told = told.filter(|waiting| waiting.group1);
        assert_eq!(taken, told.map_or(1023, |waiting| u64::from(waiting.intid.get())));
        self.gic.write(cpu, SystemRegister::Eoir1, taken);
    }

    /// Saves the GIC, and continues with one restored from that state.
    fn migrate(&mut self) {
        let saved = self.gic.save(&mut self.memory);
        self.gic = GicV3::restore(self.implementation.clone(), &saved, &mut self.memory);
    }

    /// Runs the ITS as long as any queue can need.
    fn run_out(&mut self) {
        let mut idle = 0;
        for _ in 0..MOST_COMMANDS + PATIENCE {
            let worked = self.gic.step(&mut self.memory) == Progress::Worked;
            idle = if worked { 0 } else { idle + 1 };
            if idle == PATIENCE {
                return;
            }
        }
    }
}

fuzz_target!(|input: (u8, u64, Vec<Action>)| {
    let (preset, seed, actions) = input;
    let presets = [Preset::ArchStrict, Preset::Qemu, Preset::KvmAbi0, Preset::Gic600];
    let preset = presets.get(usize::from(preset % 5)).copied();
    let mut board = Board::new(preset.unwrap_or(Preset::Adversarial(seed)));
    for action in &actions {
        board.act(action);
    }
    board.run_out();
    let performed = board.gic.its()[0].counters().commands;
    for _ in 0..PATIENCE {
        let _ = board.gic.step(&mut board.memory);
    }
    let counted = board.gic.its()[0].counters().commands;
    assert_eq!(counted, performed, "the queue is empty, or has stopped");
});
