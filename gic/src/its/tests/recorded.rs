//! What Linux 6.12.95 wrote into the command queue of QEMU's ITS until the first MSI of the edu
//! device, and the tables at that time. Recording `linux-6.12-4k`, suite `stage1/msi`, dump
//! `its_msi_edu`; registers, commands and tables are copied from it.

use crate::choice::Preset;
use crate::its::testkit::ITS;
use crate::v3::testkit as kit;
use crate::v3::{Block, Implementation};
use crate::{Cpu, Size};
use passim_model::{DeviceId, Memory, PhysAddr, Requester, Span, StreamId};

const COMMANDS: [[u64; 4]; 23] = [
    [0x9, 0x0, 0x8000_0000_0000_0000, 0x0],
    [0x5, 0x0, 0x0, 0x0],
    [0xd, 0x0, 0x0, 0x0],
    [0x5, 0x0, 0x0, 0x0],
    [0x9, 0x0, 0x8000_0000_0001_0001, 0x0],
    [0x5, 0x0, 0x1_0000, 0x0],
    [0xd, 0x0, 0x1, 0x0],
    [0x5, 0x0, 0x1_0000, 0x0],
    [0x28_0000_0008, 0x0, 0x8000_0001_093a_c800, 0x0],
    [0x28_0000_000a, 0x2000_0000_0000, 0x0, 0x0],
    [0x5, 0x0, 0x0, 0x0],
    [0x28_0000_000c, 0x0, 0x0, 0x0],
    [0x5, 0x0, 0x0, 0x0],
    [0x30_0000_0008, 0x0, 0x8000_0001_093a_d400, 0x0],
    [0x30_0000_000a, 0x2001_0000_0000, 0x1, 0x0],
    [0x5, 0x0, 0x1_0000, 0x0],
    [0x30_0000_000c, 0x0, 0x0, 0x0],
    [0x5, 0x0, 0x1_0000, 0x0],
    [0x08_0000_0008, 0x0, 0x8000_0001_0939_8400, 0x0],
    [0x08_0000_000a, 0x2002_0000_0000, 0x0, 0x0],
    [0x5, 0x0, 0x0, 0x0],
    [0x08_0000_000c, 0x0, 0x0, 0x0],
    [0x5, 0x0, 0x0, 0x0],
];

/// Address and value of every doubleword in the tables that is not zero.
const TABLES: [(u64, u64); 11] = [
    (0x1_0a09_0000 + 8 * 8, 0x424e_6101),
    (0x1_0a09_0000 + 8 * 40, 0x424e_b201),
    (0x1_0a09_0000 + 8 * 48, 0x424e_b501),
    (0x1_001e_0000, 0x1),
    (0x1_001e_0008, 0x3),
    (0x1_0939_8400, 0x800b),
    (0x1_0939_8408, 0x3ff),
    (0x1_093a_c800, 0x8003),
    (0x1_093a_c808, 0x3ff),
    (0x1_093a_d400, 0x1_0000_8007),
    (0x1_093a_d408, 0x3ff),
];

/// The machine of the recording, when CWRITER is stored to.
fn board(preset: Preset) -> kit::Board {
    let mut board = kit::Board::cold(Implementation::of(preset, 2, 288));
    board.memory = Memory::new();
    let ram = Span::from_size(PhysAddr::new(0x1_0000_0000), 0x1000_0000).unwrap();
    board.memory.add_bank(ram).unwrap();
    board.w32(Block::Distributor, 0x000, 2);
    for n in 0..2 {
        let redistributor = Block::Redistributor(Cpu::new(n));
        board.w32(redistributor, 0x14, 0);
        board.w64(redistributor, 0x70, 0x1_001f_078f);
        board.w64(redistributor, 0x78, 0x1_0020_0780 + 0x1_0000 * u64::from(n));
        board.w32(redistributor, 0x00, 1);
        board.gic.write(Cpu::new(n), crate::v3::SystemRegister::Pmr, 0xf0);
        board.gic.write(Cpu::new(n), crate::v3::SystemRegister::Igrpen1, 1);
    }
    let mut put = |at: u64, word: u64| board.memory.store_u64(PhysAddr::new(at), word).unwrap();
    put(0x1_001d_0000, 0x8000_0001_0a09_0000);
    put(0x1_001f_0000, 0xc3c3c3);
    for (i, command) in COMMANDS.iter().enumerate() {
        for (j, word) in command.iter().enumerate() {
            put(0x1_001c_0000 + 32 * i as u64 + 8 * j as u64, *word);
        }
    }
    let registers = [
        (0x100, 0xf907_0001_001d_0600u64),
        (0x108, 0xbc07_0001_001e_0600),
        (0x80, 0xb800_0001_001c_040f),
        (0x88, 0),
    ];
    for (at, value) in registers {
        board.w64(ITS, at, value);
        assert_eq!(board.r64(ITS, at), value);
    }
    board.w32(ITS, 0x00, 1);
    board.w64(ITS, 0x88, 0x2e0);
    board
}

#[test]
fn the_recorded_queue_leaves_the_recorded_tables() {
    for preset in [Preset::Qemu, Preset::ArchStrict, Preset::Adversarial(1)] {
        let mut board = board(preset);
        while board.r64(ITS, 0x90) != 0x2e0 {
            let kit = &mut board;
            let _ = kit.gic.step(&mut kit.memory);
        }
        for (at, word) in TABLES {
            assert_eq!(board.memory.load_u64(PhysAddr::new(at)), Ok(word), "{at:#x}");
        }
        let mappings = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
        let mapped: Vec<_> = mappings.devices.keys().map(|device| device.get()).collect();
        assert_eq!((mapped, mappings.collections.len()), (vec![8, 40, 48], 2));
        // The message whose eventfd was read: data 0, through the doorbell, from 00:01.0.
        let requester =
            Requester { stream: StreamId::new(8), substream: None, device: DeviceId::new(8) };
        board.gic.message(0, 0x1_0040, Size::Word, 0, &requester, &mut board.memory);
        board.gic.settle(&mut board.memory);
        assert_eq!((board.drain(0), board.drain(1)), (vec![8194], vec![]));
    }
}

#[test]
fn what_the_recorded_registers_read() {
    let mut board = board(Preset::Qemu);
    board.run();
    assert_eq!(board.r32(ITS, 0x00), 0x8000_0001);
    assert_eq!((board.r32(ITS, 0x04), board.r64(ITS, 0x08)), (0x43b, 0x1f_0001_efb1));
    let of = |board: &mut kit::Board, n: u16| {
        let redistributor = Block::Redistributor(Cpu::new(n));
        (board.r32(redistributor, 0x00), board.r64(redistributor, 0x08))
    };
    assert_eq!(of(&mut board, 0), (3, 0x100_0001));
    assert_eq!(of(&mut board, 1), (3, 0x1_0100_0111));
}
