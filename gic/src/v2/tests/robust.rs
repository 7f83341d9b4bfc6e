//! Random accesses cause no panic and keep the invariants of a GIC.

use crate::state::State;
use crate::v2::{Block, GicV2, Implementation, View};
use crate::{Cpu, Signal, Size, v2m};
use passim_model::IntId;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Action {
    Load(Block, u64, Size, u16),
    Store(Block, u64, Size, u64, u16),
    Wire(u32, Signal),
    Private(u16, u32, Signal),
}

fn block() -> impl Strategy<Value = Block> {
    prop_oneof![
        Just(Block::Distributor),
        Just(Block::CpuInterface),
        (0u16..3).prop_map(Block::Frame)
    ]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![4 => Just(Size::Word), 2 => Just(Size::Byte), 1 => Just(Size::Half), 1 => Just(Size::Double)]
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0u64..0x1008).prop_map(|at| at & !3),
        4 => (0u64..0x1c).prop_map(|at| at & !3),
        1 => any::<u64>(),
        1 => 0u64..0x2000,
    ]
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0u64..1024, Just(u64::MAX), (0u32..32).prop_map(|bit| 1 << bit)]
}

fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![Just(Signal::High), Just(Signal::Low), Just(Signal::Pulse)]
}

fn action() -> impl Strategy<Value = Action> {
    let cpu = 0u16..5;
    prop_oneof![
        2 => (block(), offset(), size(), cpu.clone())
            .prop_map(|(block, at, size, cpu)| Action::Load(block, at, size, cpu)),
        4 => (block(), offset(), size(), value(), cpu.clone())
            .prop_map(|(block, at, size, value, cpu)| Action::Store(block, at, size, value, cpu)),
        2 => (0u32..1100, signal()).prop_map(|(spi, signal)| Action::Wire(spi, signal)),
        1 => (cpu, 0u32..40, signal()).prop_map(|(cpu, ppi, s)| Action::Private(cpu, ppi, s)),
    ]
}

fn perform(gic: &mut GicV2, action: Action) {
    match action {
        Action::Load(block, at, size, cpu) => {
            let value = gic.load(block, at, size, Cpu::new(cpu));
            assert_eq!(value, size.cut(value));
        }
        Action::Store(block, at, size, value, cpu) => {
            gic.store(block, at, size, value, Cpu::new(cpu));
        }
        Action::Wire(spi, signal) => gic.wire(IntId::new(spi), signal),
        Action::Private(cpu, ppi, signal) => {
            gic.wire_private(Cpu::new(cpu), IntId::new(ppi), signal);
        }
    }
}

proptest! {
    #[test]
    fn what_is_signalled_is_what_iar_returns(
        actions in prop::collection::vec(action(), 0..200),
        secure in any::<bool>(),
        spis in 0u16..1100,
        cpus in 0u16..10,
    ) {
        let frame = v2m::Implementation::new(IntId::new(40), 20);
        let spec = Implementation {
            frames: vec![frame],
            view: if secure { View::NonSecure } else { View::Single },
            ..Implementation::gic400(cpus, spis)
        };
        let mut gic = GicV2::new(spec);
        gic.store(Block::CpuInterface, 0, Size::Word, 7, Cpu::new(0));
        gic.store(Block::CpuInterface, 4, Size::Word, 0xff, Cpu::new(0));
        gic.store(Block::Distributor, 0, Size::Word, 3, Cpu::new(0));
        for action in actions {
            perform(&mut gic, action);
            let cpu = Cpu::new(0);
            let before = gic.highest_pending(cpu);
            if let Some(waiting) = before {
                let line = gic.line(cpu, waiting.intid).expect("it exists");
                prop_assert!(line.enabled && line.targets & 1 != 0);
                prop_assert_eq!(line.state, State::Pending);
                prop_assert!(waiting.intid.get() < 1020);
            }
            let mut copy = gic.clone();
            let iar = copy.load(Block::CpuInterface, 0x0c, Size::Word, cpu) as u32 & 0x3ff;
            match before {
                None => prop_assert_eq!(iar, 1023),
                Some(waiting) => {
                    prop_assert!(iar == waiting.intid.get() || iar == 1022);
                    if iar != 1022 {
                        let state = copy.line(cpu, waiting.intid).map(|line| line.state);
                        let active = [Some(State::Active), Some(State::ActivePending)];
                        prop_assert!(active.contains(&state));
                    }
                }
            }
        }
    }
}
