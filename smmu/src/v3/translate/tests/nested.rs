//! Stage 1 behind stage 2: CDs and stage-1 tables are fetched through stage 2.

use crate::v3::Path;
use crate::v3::testkit::{
    Board, CD0, STAGE1, STAGE2, STE_STAGE1, STE_STAGE2, STREAM, event, pa, went_on, written,
};

fn board() -> Board {
    let mut board = Board::new();
    board.stage1(CD0);
    let [_, _, s2, ttb] = STE_STAGE2;
    // Config 7.
    board.ste(STREAM, &[STE_STAGE1 | 0x4, 0xd6, s2, ttb]);
    // 0x12000 -> IPA 0x10000 -> 0x4900_0000, read-only and writable.
    board.put(STAGE1 + 0x3000 + 0x12 * 8, &[0x1_0f47, 0x1_1f47, 0x1_0fc7]);
    board
}

#[test]
fn both_stages_translate_and_are_cached_together() {
    let mut board = board();
    assert_eq!(pa(board.write(0x12_345)), 0x4900_0345);
    let hit = went_on(board.read(0x12_678));
    assert_eq!((hit.pa.get(), hit.path), (0x4900_0678, Path::Hit));
    // A 2M block of stage 1 inside a 1G block of stage 2.
    let block = went_on(board.read(0x20_1000));
    assert_eq!((block.pa.get(), block.lg2), (0x4820_1000, 21));
}

#[test]
fn each_stage_refuses_for_itself() {
    let mut board = board();
    // Stage 1 read-only.
    assert_eq!(written(board.write(0x14_000)), "F_PERMISSION");
    assert_eq!(board.last_record(), [0x8_0000_0013, 0x200_0000_0000, 0x14000, 0]);
    // Stage 2 read-only, on a miss and on a hit: the IPA is recorded.
    for _ in 0..2 {
        assert_eq!(written(board.write(0x13_018)), "F_PERMISSION");
        assert_eq!(board.last_record(), [0x8_0000_0013, 0x280_0000_0000, 0x13018, 0x11000]);
    }
}

#[test]
fn a_stage_2_fault_on_a_table_has_class_tt() {
    let mut board = board();
    board.put(STAGE1 + 0x2000, &[0x1_4003]);
    assert_eq!(written(board.read(0x12_000)), "F_TRANSLATION");
    // S2 and CLASS = TT; the IPA is that of the descriptor.
    assert_eq!(board.last_record(), [0x8_0000_0010, 0x188_0000_0000, 0x12000, 0x14000]);
}

#[test]
fn a_stage_2_fault_on_the_cd_has_class_cd() {
    let mut board = board();
    // S1ContextPtr at an IPA that stage 2 does not map.
    let [_, _, s2, ttb] = STE_STAGE2;
    board.ste(STREAM, &[0x1_800f, 0xd6, s2, ttb]);
    assert_eq!(written(board.read(0x12_000)), "F_TRANSLATION");
    assert_eq!(board.last_record(), [0x8_0000_0010, 0x88_0000_0000, 0x12000, 0x18000]);
    assert_eq!(event(board.read(0x12_000)).0.kind.number(), 0x10);
}

#[test]
fn stage_2_entries_are_shared_with_stage_2_streams() {
    let mut board = board();
    board.ste(9, &STE_STAGE2);
    pa(board.ask(9, 0x10_000, passim_model::Access::READ));
    // The table changes, and the translation the other stream cached is used.
    board.put(STAGE2 + 0x3000 + 0x10 * 8, &[0x4900_57ff]);
    assert_eq!(pa(board.read(0x12_000)), 0x4900_0000);
}

#[test]
fn a_block_in_pieces_goes_as_a_whole() {
    let mut board = board();
    // Stage 1: 2M at IPA 0x20_0000. Stage 2: two of its 4K pages.
    board.put(STAGE1 + 0x2000 + 8, &[0x20_0f45]);
    board.put(STAGE2 + 0x2000 + 8, &[STAGE2 + 0x4003]);
    board.put(STAGE2 + 0x4000, &[0x4900_07ff, 0x4900_17ff]);
    assert_eq!(pa(board.read(0x20_0010)), 0x4900_0010);
    assert_eq!(pa(board.read(0x20_1010)), 0x4900_1010);
    board.put(STAGE1 + 0x2000 + 8, &[0]);
    // By an address of the block that no piece translates.
    board.command(0x7_0003_0000_0012, 0x3f_f001);
    assert_eq!(written(board.read(0x20_0010)), "F_TRANSLATION");
    assert_eq!(written(board.read(0x20_1010)), "F_TRANSLATION");
}
