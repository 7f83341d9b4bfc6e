//! Stalled transactions through the public interface.

use crate::regime::Response;
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, STAGE1, STAGE2, STE_STAGE2, STREAM, implementation, pa,
};
use crate::v3::{Cause, IdRegisters, Outcome, Record, Resolved, Stalled};
use passim_model::{Access, Effect};

const PAGE: u64 = STAGE1 + 0x3000 + 0x12 * 8;

/// Stall and terminate, RAZ/WI too; as many stalls as `max`.
fn ids(max: u32) -> IdRegisters {
    let mut ids = BOTH_STAGES;
    ids.idr[0] &= !(3 << 24 | 1 << 26);
    ids.idr[5] |= max << 16;
    ids
}

/// A board whose CD has S set.
fn board_of(max: u32) -> Board {
    let mut board = Board::with(implementation(ids(max)));
    board.stage1_tables();
    board.stage2_tables();
    board.stage1(CD0 | 1 << 44);
    board.effects();
    board
}

fn board() -> Board {
    board_of(8)
}

#[track_caller]
fn stalled(outcome: Outcome) -> Stalled {
    match outcome {
        Outcome::Stalled(stalled) => stalled,
        other => panic!("not stalled: {other:x?}"),
    }
}

#[track_caller]
fn ended(resolved: &Resolved) -> Response {
    match resolved.outcome {
        Outcome::Terminated(ended) => {
            assert_eq!(ended.cause, Cause::EndedBySoftware);
            ended.response
        }
        other => panic!("not terminated: {other:x?}"),
    }
}

/// CMD_RESUME: Ac, Ab, STAG.
fn resume(board: &mut Board, retry: bool, abort: bool, stag: u64) {
    let w0 = 0x8_0000_0044 | u64::from(retry) << 12 | u64::from(abort) << 13;
    board.command(w0, stag);
}

#[test]
fn a_fault_waits_and_is_retried() {
    let mut board = board();
    let waits = stalled(board.read(0x12_340));
    assert_eq!((waits.event.stall, waits.record), (Some(0), Record::Written));
    // STALL is bit 31, STAG 0.
    assert_eq!(board.last_record(), [0x8_0000_0010, 0x208_8000_0000, 0x12340, 0]);
    assert_eq!(board.smmu.stalled(), [waits.ticket]);
    board.put(PAGE, &[0x4800_2f47]);
    resume(&mut board, true, false, 0);
    let resolved = board.smmu.take_resolved();
    assert_eq!((resolved.len(), resolved[0].ticket), (1, waits.ticket));
    assert_eq!(pa(resolved[0].outcome), 0x4800_2340);
    assert!(board.effects().contains(&Effect::Resume(resolved[0].transaction.requester.stream)));
    assert_eq!((board.smmu.stalled().len(), board.smmu.take_resolved().len()), (0, 0));
}

#[test]
fn a_retry_that_faults_again_is_recorded_again() {
    let mut board = board();
    let first = stalled(board.read(0x12_000));
    assert_eq!(board.drain_events(), 1);
    resume(&mut board, true, false, 0);
    assert_eq!(board.drain_events(), 1);
    assert_eq!(board.smmu.stalled(), [first.ticket], "the same transaction");
    assert_eq!(board.smmu.take_resolved(), []);
}

#[test]
fn termination_is_as_asked() {
    for (abort, response) in [(false, Response::RazWi), (true, Response::Abort)] {
        let mut board = board();
        stalled(board.write(0x12_000));
        resume(&mut board, false, abort, 0);
        let resolved = board.smmu.take_resolved();
        assert_eq!(ended(&resolved[0]), response);
    }
    // TERM_MODEL = 1: always an abort.
    let mut built = ids(4);
    built.idr[0] |= 1 << 26;
    let mut board = Board::with(implementation(built));
    board.stage1_tables();
    board.stage1(CD0 | 1 << 44);
    stalled(board.write(0x12_000));
    resume(&mut board, false, false, 0);
    assert_eq!(ended(&board.smmu.take_resolved()[0]), Response::Abort);
}

#[test]
fn a_stag_belongs_to_its_stream() {
    let mut board = board();
    stalled(board.read(0x12_000));
    stalled(board.read(0x13_000));
    for (w0, w1) in [(0x9_0000_0044, 0), (0x8_0000_0044, 7)] {
        board.command(w0, w1);
        assert_eq!(board.smmu.stalled().len(), 2);
    }
    resume(&mut board, false, true, 1);
    assert_eq!(board.smmu.take_resolved()[0].transaction.iova.get(), 0x13_000);
    // The STAG is free again, and the lowest free one is taken.
    assert_eq!(stalled(board.read(0x14_000)).event.stall, Some(1));
    assert_eq!(stalled(board.read(0x15_000)).event.stall, Some(2));
}

#[test]
fn a_full_queue_keeps_the_record_and_does_not_overflow_w6() {
    let mut board = board();
    for n in 0..4 {
        assert_eq!(stalled(board.read(0x12_000 + (n << 12))).record, Record::Written);
    }
    let last = stalled(board.read(0x16_000));
    assert_eq!((last.record, last.event.stall), (Record::Waiting, None));
    assert_eq!(board.r32(0x100a8), 4, "no OVFLG");
    assert_eq!(board.run(), 0, "nothing to do while there is no room");
    // RESUME cannot reach it: it has no STAG. Room brings the record.
    board.w32(0x100ac, 1);
    assert_eq!(board.run(), 1);
    assert_eq!(board.r32(0x100a8), 5);
    assert_eq!(board.last_record()[1..3], [0x208_8000_0004, 0x16000]);
}

#[test]
fn what_waits_for_the_queue_may_succeed_in_the_end() {
    let mut board = board();
    board.w32(0x20, 0x9);
    let waits = stalled(board.read(0x12_000));
    assert_eq!(waits.record, Record::Waiting);
    board.put(PAGE, &[0x4800_2f47]);
    board.w32(0x20, 0xd);
    board.run();
    let resolved = board.smmu.take_resolved();
    assert_eq!((resolved[0].ticket, pa(resolved[0].outcome)), (waits.ticket, 0x4800_2000));
    assert_eq!(board.drain_events(), 0);
}

#[test]
fn more_stalls_than_can_wait_have_no_stag() {
    let mut board = board_of(2);
    stalled(board.read(0x12_000));
    stalled(board.read(0x13_000));
    assert_eq!(stalled(board.read(0x14_000)).record, Record::Waiting);
    assert_eq!((board.drain_events(), board.run()), (2, 0));
    resume(&mut board, false, true, 0);
    assert_eq!(board.drain_events(), 1);
    assert_eq!(board.smmu.stalled().len(), 2);
}

#[test]
fn stall_term_ends_a_stream_and_smmuen_everything() {
    let mut board = board();
    let again = [board.get(STAGE1)];
    board.put(STAGE1, &again);
    stalled(board.read(0x12_000));
    stalled(board.read(0x13_000));
    board.command(0x9_0000_0045, 0);
    assert_eq!(board.smmu.stalled().len(), 2, "another stream");
    board.command(0x8_0000_0045, 0);
    let resolved = board.smmu.take_resolved();
    assert_eq!(resolved.iter().map(ended).collect::<Vec<_>>(), [Response::Abort; 2]);
    stalled(board.read(0x12_000));
    board.w32(0x20, 0xc);
    assert_eq!(ended(&board.smmu.take_resolved()[0]), Response::Abort);
}

#[test]
fn stage_2_stalls_by_itself() {
    let mut board = board();
    let mut ste = STE_STAGE2;
    ste[2] |= 1 << 57;
    board.ste(STREAM, &ste);
    let waits = stalled(board.write(0x11_008));
    assert_eq!(board.last_record(), [0x8_0000_0013, 0x280_8000_0000, 0x11008, 0x11000]);
    board.put(STAGE2 + 0x3000 + 0x11 * 8, &[0x4900_17ff]);
    // The entry that refused is cached: without an invalidation the retry stalls again.
    resume(&mut board, true, false, 0);
    assert_eq!(board.smmu.stalled(), [waits.ticket]);
    board.command(0x3_0000_002a, 0x1_1001);
    resume(&mut board, true, false, 0);
    assert_eq!(pa(board.smmu.take_resolved()[0].outcome), 0x4900_1008);
    // Configuration errors never stall.
    board.ste(9, &[0]);
    assert!(matches!(board.ask(9, 0, Access::READ), Outcome::Terminated(_)));
}

#[test]
fn what_a_cd_may_ask_for_w5() {
    use crate::v3::{CdFlaw, Detail, testkit::event};
    // Forced stalls: S = 0 is illegal. S1STALLD: S = 1 is.
    let mut forced = ids(4);
    forced.idr[0] |= 2 << 24;
    let mut board = Board::with(implementation(forced));
    board.stage1(CD0);
    assert_eq!(event(board.read(0)).0.detail, Detail::Cd(CdFlaw::S));
    let mut board = self::board();
    board.ste(STREAM, &[crate::v3::testkit::STE_STAGE1, 0xd6 | 1 << 27]);
    assert_eq!(event(board.read(0)).0.detail, Detail::Cd(CdFlaw::StallDisabled));
}
