//! The shapes of tables that each granule has at 48 bits of stage 1 and 44 bits of stage 2.

use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STAGE2, STE_STAGE2, STREAM, event, implementation, pa,
    went_on, written,
};
use crate::v3::{CdFlaw, Detail, SteFlaw};

/// A board whose stage-1 tables have this TG0.
fn stage1(tg0: u64) -> Board {
    let mut board = Board::new();
    board.stage1(CD0 | tg0 << 6);
    board.put(CDS + 8, &[STAGE1]);
    board
}

#[test]
fn stage_1_of_16k_starts_at_level_0_with_two_entries() {
    let mut board = stage1(2);
    let iova = 1 << 47 | 5 << 36 | 3 << 25;
    // Level 0, entry 1; level 1, entry 5; level 2, entry 3: a block of 32M.
    board.put(STAGE1, &[0, STAGE1 + 0x4003]);
    board.put(STAGE1 + 0x4000 + 8 * 5, &[STAGE1 + 0x8003]);
    board.put(STAGE1 + 0x8000 + 8 * 3, &[0x4a00_0f45]);
    let block = went_on(board.read(iova | 0x123_4567));
    assert_eq!((block.pa.get(), block.lg2), (0x4b23_4567, 25));
    assert_eq!(written(board.read(5 << 36)), "F_TRANSLATION");
}

#[test]
fn stage_1_of_64k_starts_at_level_1_with_64_entries() {
    let mut board = stage1(1);
    let iova = 63 << 42 | 2 << 29;
    board.put(STAGE1 + 8 * 63, &[STAGE1 + 0x1_0003]);
    board.put(STAGE1 + 0x1_0000 + 8 * 2, &[0x4000_0f45, STAGE1 + 0x2_0003]);
    board.put(STAGE1 + 0x2_0000, &[0x4801_0f47]);
    let block = went_on(board.read(iova | 0x100_0008));
    assert_eq!((block.pa.get(), block.lg2), (0x4100_0008, 29));
    let page = went_on(board.write(iova + (1 << 29) + 0xfff8));
    assert_eq!((page.pa.get(), page.lg2), (0x4801_fff8, 16));
}

#[test]
fn stage_2_of_16k_starts_at_level_1_with_256_entries() {
    let mut board = Board::new();
    let mut ste = STE_STAGE2;
    ste[2] |= 2 << 46;
    board.ste(STREAM, &ste);
    board.put(STAGE2, &[0]);
    board.put(STAGE2 + 8 * 255, &[STAGE2 + 0x4003]);
    board.put(STAGE2 + 0x4000 + 8, &[0x4c00_07fd]);
    assert_eq!(pa(board.write(255 << 36 | 1 << 25 | 0x18)), 0x4c00_0018);
}

#[test]
fn stage_2_of_64k_starts_at_level_1_with_4_entries() {
    let mut board = Board::new();
    let mut ste = STE_STAGE2;
    ste[2] |= 1 << 46;
    board.ste(STREAM, &ste);
    board.put(STAGE2, &[0, 0, 0, STAGE2 + 0x1_0003]);
    board.put(STAGE2 + 0x1_0000, &[0x4000_07fd]);
    assert_eq!(pa(board.write(3 << 42 | 0x500_0018)), 0x4500_0018);
}

#[test]
fn a_granule_that_is_not_implemented_is_illegal() {
    let mut ids = BOTH_STAGES;
    // 4K only.
    ids.idr[5] = 0x14;
    for tg0 in [1, 2] {
        let mut board = Board::with(implementation(ids));
        board.stage1(CD0 | tg0 << 6);
        assert_eq!(event(board.read(0)).0.detail, Detail::Cd(CdFlaw::Tg));
        let mut ste = STE_STAGE2;
        ste[2] |= tg0 << 46;
        board.ste(9, &ste);
        let outcome = board.ask(9, 0, passim_model::Access::READ);
        assert_eq!(event(outcome).0.detail, Detail::Ste(SteFlaw::S2Tg));
    }
}
