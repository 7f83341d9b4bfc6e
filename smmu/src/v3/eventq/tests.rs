//! The Event queue through the public interface: wrap, overflow, loss, interrupts.

use crate::v3::Record;
use crate::v3::testkit::{BOTH_STAGES, Board, CD0, EVENTS, event, implementation};
use passim_model::{Effect, IntId, PhysAddr};

fn board() -> Board {
    let mut board = Board::new();
    board.stage1(CD0);
    board
}

fn fault(board: &mut Board, iova: u64) -> Record {
    event(board.read(iova)).1
}

#[test]
fn a_full_queue_toggles_ovflg_once_t6() {
    let mut board = board();
    for n in 0..4 {
        assert_eq!(fault(&mut board, n << 32), Record::Written);
    }
    assert_eq!(board.r32(0x100a8), 4);
    for _ in 0..3 {
        assert_eq!(fault(&mut board, 0), Record::QueueFull);
        assert_eq!(board.r32(0x100a8), 0x8000_0004);
    }
    assert_eq!(board.r32(0x60), 0, "no global error");
    // Making room without acknowledging: records are written, another overflow is not recorded.
    board.w32(0x100ac, 1);
    assert_eq!(fault(&mut board, 9 << 32), Record::Written);
    assert_eq!(fault(&mut board, 0), Record::QueueFull);
    assert_eq!(board.r32(0x100a8), 0x8000_0005);
    assert_eq!(board.get(EVENTS + 16), 9 << 32, "the fifth record is in the first place");
    // Acknowledged: the next overflow toggles it back.
    board.w32(0x100ac, 0x8000_0001);
    assert_eq!(fault(&mut board, 0), Record::QueueFull);
    assert_eq!(board.r32(0x100a8), 5);
}

#[test]
fn a_disabled_queue_loses_without_overflow() {
    let mut board = board();
    board.w32(0x20, 0x9);
    assert_eq!(fault(&mut board, 0), Record::QueueDisabled);
    assert_eq!(board.r32(0x100a8), 0);
}

#[test]
fn a_queue_without_memory_is_a_global_error() {
    let mut board = board();
    board.w32(0x20, 0x9);
    board.w64(0xa0, 0x1_0000_0002);
    board.w32(0x20, 0xd);
    assert_eq!(fault(&mut board, 0), Record::QueueAborted);
    assert_eq!((board.r32(0x60), board.r32(0x100a8)), (4, 0));
    assert_eq!(board.effects(), [Effect::Wire(IntId::new(109))]);
    // Until it is acknowledged nothing is tried again.
    assert_eq!(fault(&mut board, 0), Record::QueueAborted);
    assert_eq!(board.effects(), []);
    board.w32(0x64, 4);
    assert_eq!(fault(&mut board, 0), Record::QueueAborted);
    assert_eq!(board.r32(0x60), 0);
}

#[test]
fn the_interrupt_marks_the_first_record() {
    let mut board = board();
    let wire = Effect::Wire(IntId::new(106));
    fault(&mut board, 0);
    fault(&mut board, 0);
    assert_eq!(board.effects(), [wire]);
    assert_eq!(board.drain_events(), 2);
    fault(&mut board, 0);
    assert_eq!(board.effects(), [wire]);
    board.drain_events();
    board.w32(0x50, 1);
    fault(&mut board, 0);
    assert_eq!(board.effects(), [], "IRQ_CTRL.EVENTQ_IRQEN = 0");
}

#[test]
fn messages_go_where_they_are_configured() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 13;
    let mut board = Board::cold(implementation(ids));
    board.w64(0xb0, 0x809_0040);
    board.w32(0xb8, 0x1234);
    board.w64(0x68, 0x809_0044);
    board.w32(0x70, 0x77);
    board.boot();
    fault(&mut board, 0);
    let to = |at, data, tag| Effect::Write { at: PhysAddr::new(at), data, tag };
    let wire = |id| Effect::Wire(IntId::new(id));
    assert_eq!(board.effects(), [to(0x809_0040, 0x1234, 1), wire(106)]);
    board.command(0, 0);
    assert_eq!(board.effects(), [to(0x809_0044, 0x77, 3), wire(109)]);
}
