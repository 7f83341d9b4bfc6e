//! A GICv2 driven through its registers: raw offsets and values, as a driver writes them.

mod groups;
mod robust;

use super::{Block, GicV2, Implementation};
use crate::state::{State, Trigger};
use crate::{Cpu, Signal, Size, v2m};
use passim_model::IntId;

const D: Block = Block::Distributor;
const C: Block = Block::CpuInterface;

/// Two CPUs, 256 SPIs and the frame of the recordings' machine, set up as Linux does.
struct Board {
    gic: GicV2,
}

impl Board {
    fn cold(implementation: Implementation) -> Self {
        Self { gic: GicV2::new(implementation) }
    }

    fn new() -> Self {
        let frame = v2m::Implementation::new(IntId::new(80), 64);
        let spec = Implementation { frames: vec![frame], ..Implementation::gic400(2, 256) };
        let mut board = Self::cold(spec);
        board.boot();
        board
    }

    /// Distributor and interfaces enabled, every SPI targets CPU 0 at priority 0xa0.
    fn boot(&mut self) {
        self.w(D, 0x000, 1);
        for at in (0x820..0x920).step_by(4) {
            self.w(D, at, 0x0101_0101);
        }
        for cpu in [0, 1] {
            for at in (0x400..0x520).step_by(4) {
                self.wc(D, at, 0xa0a0_a0a0, cpu);
            }
            self.wc(C, 0x04, 0xf0, cpu);
            self.wc(C, 0x00, 1, cpu);
        }
    }

    fn rc(&mut self, block: Block, at: u64, cpu: u16) -> u32 {
        self.gic.load(block, at, Size::Word, Cpu::new(cpu)) as u32
    }

    fn wc(&mut self, block: Block, at: u64, value: u32, cpu: u16) {
        self.gic.store(block, at, Size::Word, u64::from(value), Cpu::new(cpu));
    }

    fn r(&mut self, block: Block, at: u64) -> u32 {
        self.rc(block, at, 0)
    }

    fn w(&mut self, block: Block, at: u64, value: u32) {
        self.wc(block, at, value, 0);
    }

    fn byte(&mut self, at: u64, value: u8) {
        self.gic.store(D, at, Size::Byte, u64::from(value), Cpu::new(0));
    }

    /// Enables an SPI, edge-triggered.
    fn edge(&mut self, spi: u32) {
        let at = 0xc00 + u64::from(spi / 16) * 4;
        let old = self.r(D, at);
        self.w(D, at, old | 2 << (spi % 16 * 2));
        self.enable(spi);
    }

    fn enable(&mut self, intid: u32) {
        self.w(D, 0x100 + u64::from(intid / 32) * 4, 1 << (intid % 32));
    }

    fn state(&self, intid: u32) -> State {
        self.gic.line(Cpu::new(0), IntId::new(intid)).unwrap().state
    }

    fn waiting(&self, cpu: u16) -> Option<u32> {
        self.gic.highest_pending(Cpu::new(cpu)).map(|waiting| waiting.intid.get())
    }

    fn signal(&mut self, spi: u32, signal: Signal) {
        self.gic.wire(IntId::new(spi), signal);
    }
}

#[test]
fn what_a_driver_reads() {
    let mut board = Board::new();
    assert_eq!(board.r(D, 0x004), 0x28, "256 SPIs, two CPUs, no Security Extensions");
    assert_eq!(board.r(D, 0x008), 0x0200_143b);
    assert_eq!(board.r(C, 0xfc), 0x0202_143b);
    assert_eq!(board.r(D, 0xfe8), 0x2b);
    assert_eq!(board.rc(D, 0x800, 0), 0x0101_0101, "own bit");
    assert_eq!(board.rc(D, 0x800, 1), 0x0202_0202, "own bit");
    assert_eq!(board.r(D, 0xc00), 0xaaaa_aaaa, "SGIs are edge-triggered");
    assert_eq!(board.r(D, 0xc04), 0, "PPIs are not");
    assert_eq!(board.r(D, 0x100), 0xffff, "SGIs are always enabled");
    board.w(D, 0x180, u32::MAX);
    assert_eq!(board.r(D, 0x100), 0xffff);
}

#[test]
fn a_message_is_taken_and_ended() {
    let mut board = Board::new();
    board.edge(82);
    board.w(Block::Frame(0), 0x40, 82);
    assert_eq!(board.state(82), State::Pending);
    assert_eq!((board.waiting(0), board.waiting(1)), (Some(82), None));
    assert_eq!(board.r(C, 0x18), 82, "HPPIR takes nothing");
    assert_eq!(board.r(C, 0x0c), 82);
    assert_eq!(board.state(82), State::Active);
    assert_eq!(board.r(C, 0x14), 0xa0);
    assert_eq!(board.r(C, 0x0c), 1023);
    board.w(Block::Frame(0), 0x40, 82);
    assert_eq!(board.state(82), State::ActivePending);
    assert_eq!(board.waiting(0), None, "not while it is active");
    board.w(C, 0x10, 82);
    assert_eq!(board.r(C, 0x14), 0xff);
    assert_eq!(board.r(C, 0x0c), 82, "the second message");
    board.w(C, 0x10, 82);
    assert_eq!(board.state(82), State::Inactive);
}

#[test]
fn a_message_to_a_number_of_no_frame_raises_nothing() {
    let mut board = Board::new();
    for number in [0, 79, 144, 1023] {
        board.w(Block::Frame(0), 0x40, number);
        board.w(Block::Frame(1), 0x40, 80);
    }
    assert_eq!(board.gic.busy(Cpu::new(0)), []);
}

#[test]
fn a_level_is_pending_while_its_wire_is_high() {
    let mut board = Board::new();
    board.enable(40);
    board.signal(40, Signal::Pulse);
    assert_eq!(board.state(40), State::Inactive);
    board.signal(40, Signal::High);
    assert_eq!(board.r(C, 0x0c), 40);
    assert_eq!(board.state(40), State::ActivePending);
    board.w(C, 0x10, 40);
    assert_eq!(board.waiting(0), Some(40), "again, until the device lets go");
    board.signal(40, Signal::Low);
    assert_eq!(board.waiting(0), None);
    board.w(D, 0x204, 1 << 8);
    assert_eq!(board.state(40), State::Pending, "software asks for it");
    board.w(D, 0x284, 1 << 8);
    assert_eq!(board.state(40), State::Inactive);
}

#[test]
fn disabled_interrupts_stay_pending() {
    let mut board = Board::new();
    board.edge(82);
    board.w(D, 0x188, 1 << 18);
    board.w(Block::Frame(0), 0x40, 82);
    assert_eq!((board.state(82), board.waiting(0)), (State::Pending, None));
    board.enable(82);
    assert_eq!(board.waiting(0), Some(82));
    board.w(D, 0x000, 0);
    assert_eq!(board.waiting(0), None, "the distributor is off");
}

#[test]
fn an_interrupt_disabled_while_served_can_be_ended() {
    let mut board = Board::new();
    board.edge(82);
    board.w(Block::Frame(0), 0x40, 82);
    assert_eq!(board.r(C, 0x0c), 82);
    board.w(D, 0x188, 1 << 18);
    board.w(C, 0x10, 82);
    assert_eq!((board.state(82), board.r(C, 0x14)), (State::Inactive, 0xff));
}

#[test]
fn routing_follows_targets() {
    let mut board = Board::new();
    board.edge(82);
    board.byte(0x852, 2);
    board.w(Block::Frame(0), 0x40, 82);
    assert_eq!((board.waiting(0), board.waiting(1)), (None, Some(82)));
    board.byte(0x852, 3);
    assert_eq!((board.waiting(0), board.waiting(1)), (Some(82), Some(82)));
    assert_eq!(board.rc(C, 0x0c, 1), 82);
    assert_eq!(board.rc(C, 0x0c, 0), 1023, "the other was first");
    board.byte(0x852, 0xfc);
    assert_eq!(board.r(D, 0x850) >> 16 & 0xff, 0, "CPUs that do not exist");
}

#[test]
fn the_more_urgent_goes_first_and_preempts() {
    let mut board = Board::new();
    for spi in [80, 81, 82] {
        board.edge(spi);
    }
    board.byte(0x450, 0xa0);
    board.byte(0x451, 0x40);
    board.byte(0x452, 0x47);
    assert_eq!(board.r(D, 0x450), 0xa040_40a0, "five bits of priority");
    board.w(Block::Frame(0), 0x40, 80);
    assert_eq!(board.r(C, 0x0c), 80);
    board.w(Block::Frame(0), 0x40, 82);
    board.w(Block::Frame(0), 0x40, 81);
    assert_eq!(board.r(C, 0x0c), 81, "equal priorities: the lower number");
    assert_eq!(board.r(C, 0xd0), 1 << 20 | 1 << 8);
    assert_eq!((board.r(C, 0x0c), board.r(C, 0x18)), (1023, 82), "82 does not preempt 81");
    board.w(C, 0x10, 81);
    assert_eq!(board.r(C, 0x14), 0xa0);
    assert_eq!(board.r(C, 0x0c), 82);
    board.w(C, 0x10, 82);
    board.w(C, 0x10, 80);
    assert_eq!(board.r(C, 0x14), 0xff);
}

#[test]
fn mask_and_binary_point() {
    let mut board = Board::new();
    board.edge(80);
    board.edge(81);
    board.byte(0x450, 0x48);
    board.byte(0x451, 0x40);
    board.w(C, 0x04, 0x48);
    board.w(Block::Frame(0), 0x40, 80);
    assert_eq!(board.waiting(0), None, "equal to the mask is masked");
    board.w(C, 0x04, 0x50);
    assert_eq!(board.waiting(0), Some(80));
    board.w(C, 0x08, 0);
    assert_eq!(board.r(C, 0x08), 2, "the least there is");
    board.w(C, 0x08, 3);
    board.r(C, 0x0c);
    assert_eq!(board.r(C, 0x14), 0x40, "the group priority");
    board.w(Block::Frame(0), 0x40, 81);
    assert_eq!(board.waiting(0), None, "one group priority");
    board.w(C, 0x08, 2);
    assert_eq!(board.waiting(0), None);
    board.w(C, 0x10, 80);
    assert_eq!(board.waiting(0), Some(81));
}

#[test]
fn drop_and_deactivate_apart() {
    let mut board = Board::new();
    board.w(C, 0x00, 1 | 1 << 9);
    board.edge(80);
    board.edge(81);
    board.w(Block::Frame(0), 0x40, 80);
    assert_eq!(board.r(C, 0x0c), 80);
    board.w(C, 0x10, 80);
    assert_eq!((board.state(80), board.r(C, 0x14)), (State::Active, 0xff));
    board.w(Block::Frame(0), 0x40, 81);
    assert_eq!(board.r(C, 0x0c), 81, "the priority has dropped");
    board.wc(C, 0x1000, 80, 0);
    assert_eq!(board.state(80), State::Inactive);
    board.w(C, 0x00, 1);
    board.w(C, 0x1000, 81);
    assert_eq!(board.state(81), State::Active, "no DIR with EOImode 0");
}

#[test]
fn an_end_of_what_is_not_active_changes_nothing() {
    let mut board = Board::new();
    board.edge(80);
    board.w(Block::Frame(0), 0x40, 80);
    board.r(C, 0x0c);
    for value in [81, 1023, 1022, 5, 300] {
        board.w(C, 0x10, value);
        assert_eq!((board.state(80), board.r(C, 0x14)), (State::Active, 0xa0));
    }
}

#[test]
fn sgis_name_who_asked() {
    let mut board = Board::new();
    board.wc(D, 0xf00, 0x0001_0003, 0);
    board.wc(D, 0xf00, 0x0001_0003, 1);
    assert_eq!(board.r(D, 0xf10), 0x0300_0000);
    assert_eq!(board.r(C, 0x0c), 3);
    assert_eq!(board.state(3), State::ActivePending);
    assert_eq!(board.r(C, 0x0c), 1023);
    board.w(C, 0x10, 3);
    assert_eq!(board.r(C, 0x0c), 1 << 10 | 3);
    board.w(C, 0x10, 1 << 10 | 3);
    assert_eq!(board.state(3), State::Inactive);
    board.wc(D, 0xf00, 1 << 24 | 4, 1);
    assert_eq!((board.waiting(0), board.waiting(1)), (Some(4), None), "all others");
    board.wc(D, 0xf00, 2 << 24 | 4, 1);
    assert_eq!(board.waiting(1), Some(4), "itself");
    board.byte(0xf14, 2);
    assert_eq!(board.waiting(0), None, "taken back");
    board.byte(0xf24, 2);
    assert_eq!(board.waiting(0), Some(4), "and set");
    board.w(D, 0x280, u32::MAX);
    assert_eq!(board.waiting(0), Some(4), "ICPENDR does not reach SGIs");
}

#[test]
fn private_interrupts_are_each_cpus_own() {
    let mut board = Board::new();
    let ppi = IntId::new(27);
    board.wc(D, 0x100, 1 << 27, 0);
    board.wc(D, 0x100, 1 << 27, 1);
    board.gic.wire_private(Cpu::new(1), ppi, Signal::High);
    assert_eq!((board.waiting(0), board.waiting(1)), (None, Some(27)));
    board.gic.wire_private(Cpu::new(1), IntId::new(3), Signal::High);
    board.gic.wire_private(Cpu::new(9), ppi, Signal::High);
    board.gic.wire(ppi, Signal::High);
    assert_eq!(board.gic.busy(Cpu::new(0)), []);
    assert_eq!(board.gic.busy(Cpu::new(1)), [(ppi, State::Pending)]);
}

#[test]
fn sizes_a_register_does_not_have() {
    let mut board = Board::new();
    let cpu = Cpu::new(0);
    for size in [Size::Byte, Size::Half, Size::Double] {
        assert_eq!(board.gic.load(D, 0x008, size, cpu), 0);
        assert_eq!(board.gic.load(C, 0x008, size, cpu), 0);
        board.gic.store(D, 0x000, size, 0, cpu);
        assert_eq!(board.r(D, 0x000), 1);
    }
    assert_eq!(board.gic.load(D, 0x421, Size::Byte, cpu), 0xa0);
    assert_eq!(board.gic.load(D, 0x420, Size::Half, cpu), 0);
}

#[test]
fn one_cpu_has_nothing_to_choose() {
    let mut board = Board::cold(Implementation::gic400(1, 32));
    board.boot();
    assert_eq!(board.r(D, 0x820), 0);
    board.edge(32);
    board.signal(32, Signal::Pulse);
    assert_eq!(board.waiting(0), Some(32));
    let line = board.gic.line(Cpu::new(0), IntId::new(32)).unwrap();
    assert_eq!((line.trigger, line.targets), (Trigger::Edge, 1));
    board.gic.reset();
    assert_eq!(board.gic.busy(Cpu::new(0)), []);
}
