//! Whatever is in registers, in the queue and in tables: no panic, every command is answered or
//! keeps the queue, and the work is bounded.

use super::migration::migrate;
use crate::Size;
use crate::choice::Preset;
use crate::its::testkit::{Board, COLLECTIONS, DEVICES, DEVICES2, ITS, QUEUE, itt};
use crate::v3::testkit::{CONFIGURATION, PENDING, cpu};
use crate::v3::{Block, Implementation};
use passim_model::PhysAddr;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Action {
    Store(u64, Size, u64),
    Load(u64, Size),
    Lpis(u16, bool),
    Memory(u64, u64),
    Command([u64; 4]),
    Raw([u64; 4]),
    Message(u32, u64, Size, u64),
    Step(u8),
    Take(u16),
    Settle,
    Migrate,
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => prop::sample::select(vec![0u64, 4, 8, 0x40, 0x48, 0x80, 0x84, 0x88, 0x90, 0x100, 0x104,
            0x108, 0x10c, 0x110, 0xffe8, 0x1_0040]),
        1 => 0u64..0x2_0010,
        1 => any::<u64>(),
    ]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        4 => Just(Size::Double),
        3 => Just(Size::Word),
        1 => Just(Size::Half),
        1 => Just(Size::Byte),
    ]
}

fn place() -> impl Strategy<Value = u64> {
    let near = |base: u64| (0u64..64).prop_map(move |n| base + 8 * n);
    prop_oneof![
        near(DEVICES),
        near(DEVICES2),
        near(COLLECTIONS),
        near(itt(2)),
        near(QUEUE),
        near(CONFIGURATION),
        near(PENDING + 1024),
    ]
}

fn word() -> impl Strategy<Value = u64> {
    let address = prop_oneof![
        Just(DEVICES),
        Just(DEVICES2),
        Just(COLLECTIONS),
        Just(QUEUE),
        Just(itt(2)),
        Just(0xf_0000_0000u64),
        Just(0xf_ffff_ffff_f000u64),
        Just(0x4fff_f000u64),
    ];
    prop_oneof![
        3 => any::<u64>(),
        2 => (address, 0u64..1024, any::<bool>(), any::<bool>())
            .prop_map(|(at, low, top, next)| {
                at | low | u64::from(top) << 63 | u64::from(next) << 62
            }),
        1 => Just(0u64),
        1 => Just(u64::MAX),
        1 => (0u32..64).prop_map(|bit| 1 << bit),
    ]
}

/// Commands that might make sense, and those that do not.
fn command() -> impl Strategy<Value = [u64; 4]> {
    let number = prop_oneof![8 => 1u64..0x10, 1 => 0x20u64..0x30, 1 => any::<u64>()];
    let small =
        || prop_oneof![4 => 0u64..6, 2 => 8190u64..8200, 1 => any::<u32>().prop_map(u64::from)];
    let half = prop_oneof![4 => 0u64..6, 1 => any::<u64>()];
    (number, small(), small(), small(), word(), half).prop_map(
        |(number, device, event, lpi, word2, icid)| {
            let low = number | device << 32;
            let cpu = (word2 >> 8 & 7) << 16;
            let simple = word2 >> 20 & 1 == 0;
            let word2 = if simple { 1 << 63 | cpu | icid & 0xffff } else { word2 };
            [low, lpi << 32 | event, word2, icid << 16]
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (offset(), size(), word()).prop_map(|(at, size, value)| Action::Store(at, size, value)),
        1 => (offset(), size()).prop_map(|(at, size)| Action::Load(at, size)),
        1 => (0u16..5, any::<bool>()).prop_map(|(n, on)| Action::Lpis(n, on)),
        4 => (place(), word()).prop_map(|(at, word)| Action::Memory(at, word)),
        8 => command().prop_map(Action::Command),
        2 => [word(), word(), word(), word()].prop_map(Action::Raw),
        4 => (0u32..6, offset(), size(), 0u64..24)
            .prop_map(|(device, at, size, value)| Action::Message(device, at, size, value)),
        4 => (1u8..20).prop_map(Action::Step),
        1 => (0u16..5).prop_map(Action::Take),
        1 => Just(Action::Settle),
        1 => Just(Action::Migrate),
    ]
}

fn steps(board: &mut Board, count: usize) {
    let kit = &mut board.board;
    for _ in 0..count {
        let _ = kit.gic.step(&mut kit.memory);
    }
}

fn perform(board: &mut Board, action: Action) {
    match action {
        Action::Store(at, size, value) => {
            let kit = &mut board.board;
            kit.gic.store(ITS, at, size, value, &mut kit.memory);
        }
        Action::Load(at, size) => {
            let value = board.gic.load(ITS, at, size);
            assert_eq!(value, size.cut(value));
        }
        Action::Lpis(n, on) => board.w32(Block::Redistributor(cpu(n)), 0, u32::from(on)),
        Action::Memory(at, word) => {
            let _ = board.memory.store_u64(PhysAddr::new(at), word);
        }
        Action::Command(words) | Action::Raw(words) => {
            board.submit(words);
            steps(board, 1);
        }
        Action::Message(device, at, size, value) => {
            board.device_write(device, at, size, value);
        }
        Action::Step(count) => steps(board, usize::from(count)),
        Action::Take(n) => {
            let intid = board.iar(n);
            board.eoi(n, intid);
        }
        Action::Settle => board.settle(),
        Action::Migrate => {
            // What tables mapped they map: saving fails for nothing that a guest wrote.
            migrate(board);
        }
    }
}

fn preset() -> impl Strategy<Value = Preset> {
    prop_oneof![
        Just(Preset::ArchStrict),
        Just(Preset::Qemu),
        Just(Preset::KvmAbi0),
        Just(Preset::Gic600),
        any::<u64>().prop_map(Preset::Adversarial),
    ]
}

proptest! {
    #[test]
    fn nothing_is_too_strange(
        preset in preset(),
        actions in prop::collection::vec(action(), 0..150),
        held in prop::sample::select(vec![0u8, 2]),
        by_address in any::<bool>(),
    ) {
        let mut spec = Implementation::of(preset, 4, 32);
        spec.its[0].features.held_collections = held;
        if by_address {
            spec.its[0].features.redistributors_at = Some(PhysAddr::new(0));
        }
        let mut board = Board::without_collections(spec);
        for action in actions {
            perform(&mut board, action);
        }
        // A queue is as long as its memory: after as many steps nothing is left to consume, or the
        // queue has stopped.
        steps(&mut board, 1 << 15);
        let (reader, writer) = (board.r64(ITS, 0x90), board.r64(ITS, 0x88));
        let queue = board.r64(ITS, 0x80);
        let size = ((queue & 0xff) + 1) << 12;
        let runs = board.r32(ITS, 0) & 1 != 0 && queue >> 63 != 0;
        let in_queue = writer < size && (reader & !1) < size;
        if runs && in_queue && reader & 1 == 0 {
            prop_assert_eq!(reader, writer);
        }
        let commands = board.gic.its()[0].counters().commands;
        steps(&mut board, 64);
        prop_assert_eq!(board.gic.its()[0].counters().commands, commands);
    }
}
