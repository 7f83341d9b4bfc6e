use crate::regime::Response;
use crate::v2::testkit::*;
use crate::v2::{Cause, ContextFaultKind, Description, Outcome, Stalled, WaitsFor};
use passim_model::access::Access;

/// SS and TF of AArch64.
const STALLED: u32 = 1 << 30 | 0x402;

fn stalled(outcome: Outcome) -> Stalled {
    match outcome {
        Outcome::Stalled(stalled) => stalled,
        other => panic!("not stalled: {other:?}"),
    }
}

/// A board whose bank stalls.
fn stalling() -> Board {
    let mut board = Board::new();
    board.bank32(BANK, 0, SCTLR | 1 << 7);
    board
}

fn mend(board: &mut Board) {
    board.put(STAGE1 + 0x3000 + 0x14 * 8, &[0x4800_4f47]);
}

fn outcomes(board: &mut Board) -> Vec<(u64, Outcome)> {
    let resolved = board.smmu.take_resolved().into_iter();
    resolved.map(|resolved| (resolved.ticket, resolved.outcome)).collect()
}

#[test]
fn a_stalled_transaction_is_retried() {
    let mut board = stalling();
    let Stalled { ticket, waits_for } = stalled(board.read(0x1_4000));
    let WaitsFor::Resume(fault) = waits_for else { panic!("{waits_for:?}") };
    assert_eq!(kind(fault), (ContextFaultKind::Translation, 3));
    assert_eq!(board.told(BANK).0, STALLED);
    assert_eq!(board.settle(), 0, "nothing moves by itself");
    mend(&mut board);
    // IHI 0062 16.5.28: correct, clear, resume.
    board.clear_fsr(BANK);
    assert_eq!(board.read_bank(BANK, 0x58), 1 << 30 | 0x400, "SS is not cleared by a store");
    board.bank32(BANK, 0x8, 0);
    board.settle();
    let found = outcomes(&mut board);
    assert_eq!(found[0].0, ticket);
    assert_eq!(translated(found[0].1).pa.get(), 0x4800_4000);
    assert_eq!(board.read_bank(BANK, 0x58), 0x400);
}

#[test]
fn a_stalled_transaction_is_terminated() {
    let mut board = stalling();
    let ticket = stalled(board.read(0x1_4000)).ticket;
    board.clear_fsr(BANK);
    board.bank32(BANK, 0x8, 1);
    let found = outcomes(&mut board);
    let ended = terminated(found[0].1);
    assert_eq!((found[0].0, ended.cause), (ticket, Cause::EndedBySoftware));
    assert_eq!(ended.response, Response::Abort);
    // IHI 0062 3.7.3: not recorded again.
    assert_eq!(board.read_bank(BANK, 0x58), 0x400);
    board.bank32(BANK, 0x8, 1);
    assert_eq!(outcomes(&mut board), [], "without a stall RESUME is ignored");
}

#[test]
fn others_wait_behind_it() {
    let mut board = stalling();
    board.pa(0x1_0000);
    let first = stalled(board.read(0x1_4000)).ticket;
    let second = stalled(board.read(0x1_0000));
    assert_eq!(second.waits_for, WaitsFor::Bank(BANK as u8));
    assert_eq!(board.smmu.stalled(), [first, second.ticket]);
    mend(&mut board);
    board.clear_fsr(BANK);
    board.bank32(BANK, 0x8, 0);
    board.settle();
    let order: Vec<u64> = outcomes(&mut board).iter().map(|(ticket, _)| *ticket).collect();
    assert_eq!(order, [first, second.ticket]);
}

#[test]
fn hits_pass_a_stall_with_hupcf() {
    let mut board = stalling();
    board.bank32(BANK, 0, SCTLR | 1 << 7 | 1 << 8);
    let first = stalled(board.read(0x1_4000)).ticket;
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    // Another fault waits, and is not recorded.
    let second = stalled(board.write(0x1_1000));
    assert_eq!(second.waits_for, WaitsFor::Bank(BANK as u8));
    assert_eq!(board.told(BANK).0, STALLED);
    board.clear_fsr(BANK);
    board.bank32(BANK, 0x8, 1);
    board.settle();
    // The second one's turn: its fault is recorded now, and stalls.
    assert_eq!(outcomes(&mut board).iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [first]);
    assert_eq!(board.told(BANK).0, 1 << 30 | 0x408);
    assert_eq!(board.smmu.stalled(), [second.ticket]);
}

#[test]
fn a_retry_without_clearing_ends() {
    let mut board = stalling();
    let ticket = stalled(board.read(0x1_4000)).ticket;
    mend(&mut board);
    board.bank32(BANK, 0x8, 0);
    board.settle();
    // IHI 0062 3.7.3: SS is clear, other bits are not, and HUPCF is 0.
    let found = outcomes(&mut board);
    let outstanding = Cause::Outstanding { bank: BANK as u8 };
    assert_eq!((found[0].0, terminated(found[0].1).cause), (ticket, outstanding));
}

#[test]
fn a_change_of_model_does_not_release_it() {
    let mut board = stalling();
    stalled(board.read(0x1_4000));
    board.bank32(BANK, 0, SCTLR);
    let behind = stalled(board.read(0x1_0000));
    assert_eq!(behind.waits_for, WaitsFor::Bank(BANK as u8));
    board.clear_fsr(BANK);
    board.bank32(BANK, 0x8, 0);
    board.settle();
    // Now it is terminated, and its fault terminates the access behind it.
    let found = outcomes(&mut board);
    assert!(matches!(terminated(found[0].1).cause, Cause::Context(..)));
    assert_eq!(terminated(found[1].1).cause, Cause::Outstanding { bank: BANK as u8 });
}

#[test]
fn stalld_forbids_stalling() {
    let mut board = stalling();
    board.w32(0, board.r32(0) | 1 << 8);
    // IHI 0062 3.7.3: CFCFG is RAZ/WI.
    assert_eq!(board.read_bank(BANK, 0), SCTLR);
    board.bank32(BANK, 0, SCTLR | 1 << 7);
    board.fault(0x1_4000);
    let without = Description { stall: false, ..Description::EVERYTHING };
    let mut board = Board::with(implementation(without));
    board.bank32(BANK, 0, SCTLR | 1 << 7);
    assert_eq!(board.read_bank(BANK, 0), SCTLR);
    board.fault(0x1_4000);
}

#[test]
fn a_global_stall_stops_every_bank() {
    let mut board = stalling();
    board.stage1_64(7);
    board.stream_to(1, 9, 7);
    let first = stalled(board.read(0x1_4000)).ticket;
    let other = |board: &mut Board| board.access_as(9, 0x1_0000, Access::READ);
    translated(other(&mut board));
    board.w32(0, board.r32(0) | 1 << 9);
    let second = stalled(other(&mut board));
    assert_eq!(second.waits_for, WaitsFor::Bank(BANK as u8));
    board.clear_fsr(BANK);
    board.bank32(BANK, 0x8, 1);
    board.settle();
    let found = outcomes(&mut board);
    assert_eq!(found.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [first, second.ticket]);
    translated(found[1].1);
}

#[test]
fn stage_2_stalls_for_stage_1() {
    let mut board = Board::new();
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x1_0f47, 0x1_4f47]);
    board.nest();
    board.bank32(SECOND, 0, SCTLR | 1 << 7);
    let ticket = stalled(board.read(0x2_1000)).ticket;
    assert_eq!(board.read_bank(SECOND, 0x58), 1 << 30 | 0x402);
    let behind = stalled(board.read(0x2_0000));
    assert_eq!(behind.waits_for, WaitsFor::Bank(SECOND as u8));
    board.put(STAGE2 + 0x3000 + 0x14 * 8, &[0x4900_47ff]);
    board.clear_fsr(SECOND);
    board.bank32(SECOND, 0x8, 0);
    board.settle();
    let found = outcomes(&mut board);
    assert_eq!((found[0].0, translated(found[0].1).pa.get()), (ticket, 0x4900_4000));
    assert_eq!(translated(found[1].1).pa.get(), 0x4900_0000);
}

#[test]
fn stalld_switches_global_stalling_off() {
    let mut board = Board::new();
    board.w32(0, 1 << 9);
    assert_eq!(board.r32(0), 1 << 9);
    // IHI 0062 9.6.3: GSE is RAZ/WI while STALLD is set.
    board.w32(0, 1 << 9 | 1 << 8);
    assert_eq!(board.r32(0), 1 << 8);
    board.w32(0, 1 << 8);
    board.w32(0, 0);
    assert_eq!(board.r32(0) & 1 << 8, 0);
}

/// A step visits one waiting access, however many there are.
#[test]
fn very_many_wait_and_go_on() {
    const MANY: usize = 100_000;
    let mut board = stalling();
    for _ in 0..MANY {
        assert!(matches!(board.read(0x1_3000), Outcome::Stalled(_)));
        assert_eq!(board.settle(), 0);
    }
    board.put(STAGE1 + 0x3000 + 0x13 * 8, &[0x4800_3f47]);
    board.clear_fsr(BANK);
    board.bank32(BANK, 0x8, 0);
    assert_eq!((board.settle(), board.smmu.stalled().len()), (MANY, 0));
    let resolved = board.smmu.take_resolved();
    assert!(resolved.iter().map(|it| it.ticket).is_sorted(), "oldest first");
    assert!(resolved.iter().all(|it| matches!(it.outcome, Outcome::Translated(_))));
}
