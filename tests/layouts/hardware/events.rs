//! Event records as the recorded SMMU wrote them.

use super::{Board, Cause, Outcome, Record};
use crate::literals::event;
use crate::literals::registers::EVENTQ_BASE;
use passim_model::Access;

/// The record in memory of a transaction that faults.
fn record(board: &mut Board, iova: u64, access: Access) -> [u64; 4] {
    let prod = board.r32(0x1_00a8);
    let outcome = board.ask(iova, access);
    let Outcome::Terminated(ended) = outcome else { panic!("{outcome:?}") };
    let Cause::Event(event, Record::Written) = ended.cause else { panic!("{ended:?}") };
    assert_eq!(board.r32(0x1_00a8), prod + 1);
    let at = (EVENTQ_BASE & 0xf_ffff_ffff_ffe0) + 32 * u64::from(prod);
    let words = core::array::from_fn(|word| board.get(at + 8 * word as u64));
    assert_eq!(words, event.words());
    words
}

#[test]
fn stage_1_records_as_measured() {
    let mut board = Board::stage1();
    assert_eq!(record(&mut board, 0, Access::WRITE), event::WRITE_TO_READ_ONLY);
    assert_eq!(record(&mut board, 0x3000_0000, Access::WRITE), event::WRITE_TO_NOTHING);
    // Beyond T0SZ: F_TRANSLATION, not F_ADDR_SIZE (kernel-observed 38).
    assert_eq!(record(&mut board, 1 << 52, Access::READ), event::READ_BEYOND_INPUT);
    // In this dump no doorbell was mapped yet.
    board.put(0x1_08e2_4000, &[0]);
    assert_eq!(record(&mut board, 0x800_001c, Access::READ), event::READ_OF_NOTHING);
}

#[test]
fn stage_2_records_as_measured() {
    let mut board = Board::stage2();
    assert_eq!(record(&mut board, 0x1000, Access::READ), event::READ_OF_WRITE_ONLY_STAGE2);
    board.put(0x1_00dc_d000, &[0]);
    assert_eq!(record(&mut board, 0x800_001c, Access::READ), event::READ_OF_NOTHING_STAGE2);
}
