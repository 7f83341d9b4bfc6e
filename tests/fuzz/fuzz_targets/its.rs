//! An ITS that is set up, then arbitrary stores, commands, words of its tables and messages: no panic,
//! and after as many steps as the queue has commands it is empty or has stopped.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use passim_gic::choice::Preset;
use passim_gic::v3::{Block, Implementation};
use passim_gic::{Cpu, GicV3, Size};
use passim_model::{DeviceId, Memory, PhysAddr, Requester, Span, StreamId};

const RAM: u64 = 0x4000_0000;
const QUEUE: u64 = RAM;
const DEVICES: u64 = RAM + 0x1_0000;
const COLLECTIONS: u64 = RAM + 0x2_0000;
const CONFIGURATION: u64 = RAM + 0x3_0000;
const PENDING: u64 = RAM + 0x4_0000;
/// Bytes of memory: everything above, and what interrupt translation tables need.
const RAM_BYTES: u64 = 0x20_0000;
const CPUS: u16 = 4;
/// Commands of a queue of 4 KiB.
const COMMANDS: u64 = 128;

#[derive(Arbitrary, Debug)]
enum Action {
    Its { offset: u32, wide: bool, value: u64 },
    Redistributor { cpu: u8, offset: u32, wide: bool, value: u64 },
    Distributor { offset: u16, value: u32 },
    Word { at: u32, value: u64 },
    Command([u64; 4]),
    Message { device: u32, event: u32 },
    Step(u8),
}

fn size(wide: bool) -> Size {
    if wide { Size::Double } else { Size::Word }
}

fn set_up(gic: &mut GicV3, memory: &mut Memory) {
    let its = Block::Its(0);
    let valid = 1 << 63;
    for cpu in gic.cpus() {
        let (block, own) = (Block::Redistributor(cpu), 0x1_0000 * u64::from(cpu.get()));
        gic.store(block, 0x70, Size::Double, CONFIGURATION | 15, memory);
        gic.store(block, 0x78, Size::Double, PENDING + own, memory);
        gic.store(block, 0, Size::Word, 1, memory);
    }
    for (offset, value) in [(0x80, QUEUE), (0x100, DEVICES), (0x108, COLLECTIONS)] {
        gic.store(its, offset, Size::Double, valid | value, memory);
    }
    gic.store(its, 0, Size::Word, 1, memory);
}

fn submit(gic: &mut GicV3, memory: &mut Memory, words: [u64; 4]) {
    let write = gic.load(Block::Its(0), 0x88, Size::Double) % (COMMANDS * 32);
    for (n, word) in (0..).zip(words) {
        memory.store_u64(PhysAddr::new(QUEUE + write + 8 * n), word).expect("inside the bank");
    }
    gic.store(Block::Its(0), 0x88, Size::Double, (write + 32) % (COMMANDS * 32), memory);
}

fn act(gic: &mut GicV3, memory: &mut Memory, action: Action) {
    match action {
        Action::Its { offset, wide, value } => {
            let offset = u64::from(offset % 0x2_0000);
            gic.store(Block::Its(0), offset, size(wide), value, memory);
            gic.load(Block::Its(0), offset, size(wide));
        }
        Action::Redistributor { cpu, offset, wide, value } => {
            let block = Block::Redistributor(Cpu::new(u16::from(cpu) % CPUS));
            gic.store(block, u64::from(offset % 0x2_0000), size(wide), value, memory);
        }
        Action::Distributor { offset, value } => {
            gic.store(Block::Distributor, u64::from(offset), Size::Word, u64::from(value), memory);
        }
        Action::Word { at, value } => {
            let at = RAM + u64::from(at) * 8 % RAM_BYTES;
            memory.store_u64(PhysAddr::new(at), value).expect("inside the bank");
        }
        Action::Command(words) => submit(gic, memory, words),
        Action::Message { device, event } => {
            let (stream, device) = (StreamId::new(0), DeviceId::new(device));
            let requester = Requester { stream, substream: None, device };
            gic.message(0, 0x1_0040, Size::Word, u64::from(event), &requester, memory);
        }
        Action::Step(count) => {
            for _ in 0..count {
                let _ = gic.step(memory);
            }
        }
    }
}

fuzz_target!(|input: (u8, u64, Vec<Action>)| {
    let (preset, seed, actions) = input;
    let presets = [Preset::ArchStrict, Preset::Qemu, Preset::KvmAbi0, Preset::Gic600];
    let preset = presets.get(usize::from(preset % 5)).copied();
    let preset = preset.unwrap_or(Preset::Adversarial(seed));
    let mut memory = Memory::new();
    let ram = Span::from_size(PhysAddr::new(RAM), RAM_BYTES).expect("two megabytes");
    memory.add_bank(ram).expect("an empty memory takes it");
    let mut gic = GicV3::new(Implementation::of(preset, CPUS, 32));
    set_up(&mut gic, &mut memory);
    for action in actions {
        act(&mut gic, &mut memory, action);
    }
    // The largest queue that GITS_CBASER can say has a mebibyte.
    for _ in 0..1 << 15 {
        let _ = gic.step(&mut memory);
    }
    let performed = gic.its()[0].counters().commands;
    for _ in 0..64 {
        let _ = gic.step(&mut memory);
    }
    assert_eq!(gic.its()[0].counters().commands, performed, "the queue is empty, or has stopped");
});
