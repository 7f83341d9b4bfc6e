//! The two groups, accessed without Security Extensions and by Non-secure software.

use super::{Board, C, D};
use crate::Signal;
use crate::state::State;
use crate::v2::{Implementation, View};

#[test]
fn group_1_has_registers_of_its_own() {
    let mut board = Board::new();
    board.edge(80);
    board.w(D, 0x088, 1 << 16);
    assert_eq!(board.r(D, 0x088), 1 << 16);
    board.signal(80, Signal::Pulse);
    assert_eq!(board.waiting(0), None, "Group 1 is off");
    board.w(D, 0x000, 3);
    board.w(C, 0x00, 3);
    assert_eq!(board.waiting(0), Some(80));
    assert_eq!((board.r(C, 0x0c), board.r(C, 0x18)), (1022, 1022));
    assert_eq!((board.r(C, 0x28), board.r(C, 0x20)), (80, 80));
    assert_eq!(board.r(C, 0xe0), 1 << 20);
    board.w(C, 0x10, 80);
    assert_eq!(board.state(80), State::Active, "not through EOIR");
    board.w(C, 0x24, 80);
    assert_eq!(board.state(80), State::Inactive);
    board.w(C, 0x00, 7);
    board.signal(80, Signal::Pulse);
    assert_eq!(board.r(C, 0x0c), 80, "AckCtl");
    board.w(C, 0x10, 80);
    assert_eq!(board.state(80), State::Inactive);
}

#[test]
fn group_0_may_be_fiq() {
    let mut board = Board::new();
    board.edge(80);
    board.w(C, 0x00, 1 | 8);
    board.signal(80, Signal::Pulse);
    let cpu = crate::Cpu::new(0);
    let waiting = board.gic.highest_pending(cpu).unwrap();
    assert!(board.gic.is_fiq(cpu, &waiting));
    assert_eq!(board.r(C, 0x20), 1023, "AIAR is for Group 1");
}

#[test]
fn non_secure_software_sees_half_of_it() {
    let spec = Implementation { view: View::NonSecure, ..Implementation::gic400(2, 64) };
    let mut board = Board::cold(spec);
    assert_eq!(board.r(D, 0x004), 0x422);
    assert_eq!((board.r(D, 0x084), board.r(C, 0x04), board.r(D, 0x420)), (0, 0, 0));
    board.boot();
    assert_eq!((board.r(D, 0x000), board.r(C, 0x00)), (1, 1));
    assert_eq!((board.r(D, 0x420), board.r(C, 0x04)), (0xa0a0_a0a0, 0xf0));
    board.w(D, 0x084, 0);
    board.edge(40);
    board.signal(40, Signal::Pulse);
    assert_eq!(board.r(C, 0x0c), 40, "still in Group 1");
    assert_eq!((board.r(C, 0x14), board.r(C, 0xd0)), (0xa0, 1 << 10));
    board.w(C, 0x00, 1 | 1 << 9);
    assert_eq!(board.r(C, 0x00), 0x201);
    board.w(C, 0x10, 40);
    assert_eq!(board.state(40), State::Active);
    board.w(C, 0x1000, 40);
    assert_eq!(board.state(40), State::Inactive);
    board.w(C, 0x08, 0);
    assert_eq!(board.r(C, 0x08), 3);
    assert_eq!((board.r(C, 0x1c), board.r(C, 0x20)), (0, 0), "aliases are Secure");
}
