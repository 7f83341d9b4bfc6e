//! Random stores and table addresses cause no panic and keep the invariants of a GIC.

use super::cpu;
use crate::choice::Preset;
use crate::v3::testkit::{Board, CONFIGURATION, PENDING};
use crate::v3::{Block, Implementation, SystemRegister};
use crate::{Signal, Size};
use passim_model::IntId;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Action {
    Load(Block, u64, Size),
    Store(Block, u64, Size, u64),
    Read(u16, SystemRegister),
    Write(u16, SystemRegister, u64),
    Wire(u32, Signal),
    Pend(u16, u32),
    Memory(u64, u64),
    Step,
}

fn block() -> impl Strategy<Value = Block> {
    prop_oneof![Just(Block::Distributor), (0u16..4).prop_map(|n| Block::Redistributor(cpu(n))),]
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0u64..0x100).prop_map(|at| at & !3),
        2 => (0x1_0000u64..0x1_0d00).prop_map(|at| at & !3),
        2 => (0u64..0x8000).prop_map(|at| at & !3),
        1 => 0u64..0x2_0010,
        1 => any::<u64>(),
    ]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![4 => Just(Size::Word), 3 => Just(Size::Double), 1 => Just(Size::Byte), 1 => Just(Size::Half)]
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0u64..4,
        8190u64..8200,
        Just(u64::MAX),
        (0u64..16).prop_map(|bits| CONFIGURATION | bits),
        (0u64..4).prop_map(|n| PENDING + (n << 16)),
        (0u32..64).prop_map(|bit| 1 << bit),
    ]
}

fn register() -> impl Strategy<Value = SystemRegister> {
    use SystemRegister as R;
    prop::sample::select(vec![
        R::Pmr,
        R::Rpr,
        R::Ctlr,
        R::Sre,
        R::Dir,
        R::Sgi0r,
        R::Sgi1r,
        R::Iar0,
        R::Iar1,
        R::Eoir0,
        R::Eoir1,
        R::Hppir0,
        R::Hppir1,
        R::Bpr0,
        R::Bpr1,
        R::Igrpen0,
        R::Igrpen1,
        R::Ap0r0,
        R::Ap1r0,
    ])
}

fn action() -> impl Strategy<Value = Action> {
    let signal = prop_oneof![Just(Signal::High), Just(Signal::Low), Just(Signal::Pulse)];
    prop_oneof![
        2 => (block(), offset(), size()).prop_map(|(b, at, s)| Action::Load(b, at, s)),
        6 => (block(), offset(), size(), value())
            .prop_map(|(b, at, s, value)| Action::Store(b, at, s, value)),
        2 => (0u16..4, register()).prop_map(|(n, register)| Action::Read(n, register)),
        3 => (0u16..4, register(), value()).prop_map(|(n, r, value)| Action::Write(n, r, value)),
        2 => (0u32..1100, signal).prop_map(|(spi, signal)| Action::Wire(spi, signal)),
        4 => (0u16..4, 8190u32..8210).prop_map(|(n, lpi)| Action::Pend(n, lpi)),
        2 => (0u64..64, any::<u64>()).prop_map(|(at, word)| Action::Memory(at, word)),
        1 => Just(Action::Step),
    ]
}

fn perform(board: &mut Board, action: Action) {
    match action {
        Action::Load(block, at, size) => {
            let value = board.gic.load(block, at, size);
            assert_eq!(value, size.cut(value));
        }
        Action::Store(block, at, size, value) => {
            board.gic.store(block, at, size, value, &mut board.memory);
        }
        Action::Read(n, register) => {
            board.gic.read(cpu(n), register, &mut board.memory);
        }
        Action::Write(n, register, value) => board.gic.write(cpu(n), register, value),
        Action::Wire(spi, signal) => board.gic.wire(IntId::new(spi), signal),
        Action::Pend(n, lpi) => {
            board.pend(n, lpi);
        }
        Action::Memory(at, word) => {
            let tables = [CONFIGURATION, PENDING + 1024];
            for table in tables {
                board.memory.store_u64(passim_model::PhysAddr::new(table + at * 8), word).unwrap();
            }
        }
        Action::Step => {
            board.run();
        }
    }
}

proptest! {
    #[test]
    fn what_is_signalled_is_what_iar_returns(
        actions in prop::collection::vec(action(), 0..200),
        preset in 0..Preset::ALL.len(),
        booted in any::<bool>(),
    ) {
        let mut board = Board::cold(Implementation::of(Preset::ALL[preset], 3, 64));
        if booted {
            board.boot();
        }
        for action in actions {
            perform(&mut board, action);
            for n in 0..3 {
                let Some(waiting) = board.gic.highest_pending(cpu(n)) else { continue };
                let line = board.gic.line(cpu(n), waiting.intid).expect("it exists");
                prop_assert!(line.enabled);
                prop_assert_eq!((line.priority, line.group1), (waiting.priority, waiting.group1));
                let register =
                    if waiting.group1 { SystemRegister::Iar1 } else { SystemRegister::Iar0 };
                let mut gic = board.gic.clone();
                let iar = gic.read(cpu(n), register, &mut board.memory) as u32;
                prop_assert_eq!(iar, waiting.intid.get());
                prop_assert!(gic.highest_pending(cpu(n)).is_none_or(|next| next != waiting));
            }
        }
    }
}
