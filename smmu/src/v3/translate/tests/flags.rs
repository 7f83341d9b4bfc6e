//! Access flag and dirty state, updated by hardware. IHI 0070 G.b 3.13.

use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STAGE2, STE_STAGE1, STE_STAGE2, STREAM, event,
    implementation, pa, went_on, written,
};
use crate::v3::{CdFlaw, Detail, IdRegisters, Path, SteFlaw};

const HD: u64 = 1 << 42;
const HA: u64 = 1 << 43;
const DBM: u64 = 1 << 51;
const AF: u64 = 1 << 10;
const PAGE: u64 = STAGE1 + 0x3000 + 0x10 * 8;

fn ids(httu: u32) -> IdRegisters {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= httu << 6;
    ids
}

fn board_of(httu: u32, cd0: u64) -> Board {
    let mut board = Board::with(implementation(ids(httu)));
    board.stage1_tables();
    board.stage2_tables();
    board.stage1(CD0 | cd0);
    board
}

#[test]
fn the_access_flag_is_set_and_nothing_else() {
    let mut board = board_of(1, HA);
    let clear = 0x4800_0b47;
    board.put(PAGE, &[clear]);
    assert_eq!(pa(board.write(0x10_000)), 0x4800_0000);
    assert_eq!(board.get(PAGE), clear | AF);
    assert_eq!(board.smmu.counters().flag_updates, 1);
    // A hit changes nothing; a descriptor that has it stays untouched.
    board.put(PAGE, &[clear]);
    assert_eq!(went_on(board.read(0x10_000)).path, Path::Hit);
    assert_eq!(board.get(PAGE), clear);
    // A permission fault leaves it.
    board.put(PAGE + 8, &[0x4800_1bc7]);
    assert_eq!(written(board.write(0x11_000)), "F_PERMISSION");
    assert_eq!(board.get(PAGE + 8), 0x4800_1bc7);
    // HA = 0: F_ACCESS.
    let mut board = board_of(1, 0);
    board.put(PAGE, &[clear]);
    assert_eq!(written(board.read(0x10_000)), "F_ACCESS");
    assert_eq!(board.get(PAGE), clear);
}

#[test]
fn a_write_marks_a_clean_page_dirty_and_a_read_does_not() {
    let mut board = board_of(2, HA | HD);
    let clean = DBM | 0x4800_0fc7;
    board.put(PAGE, &[clean]);
    let read = went_on(board.read(0x10_000));
    assert!(!read.perms.contains(passim_model::Perms::WRITE));
    assert_eq!(board.get(PAGE), clean);
    // The cached translation does not answer a write: the tables do.
    let write = went_on(board.write(0x10_008));
    assert_eq!((write.pa.get(), write.path), (0x4800_0008, Path::Walk));
    assert_eq!(board.get(PAGE), clean & !0x80);
    assert_eq!(went_on(board.write(0x10_010)).path, Path::Hit);
    // DBM = 0 is read-only for good; so is a table's limit.
    assert_eq!(written(board.write(0x11_000)), "F_PERMISSION");
    board.put(PAGE + 16, &[DBM | 0x4800_2fc7]);
    board.put(STAGE1 + 0x2000, &[1 << 62 | (STAGE1 + 0x3003)]);
    assert_eq!(written(board.write(0x12_000)), "F_PERMISSION");
    assert_eq!(board.get(PAGE + 16), DBM | 0x4800_2fc7);
    // Without HD, DBM means nothing.
    let mut board = board_of(2, HA);
    board.put(PAGE, &[clean]);
    assert_eq!(written(board.write(0x10_000)), "F_PERMISSION");
}

#[test]
fn access_flags_of_tables() {
    let mut board = board_of(3, HA);
    board.put(CDS + 8, &[STAGE1 | 1 << 3]);
    pa(board.read(0x10_000));
    for table in [STAGE1, STAGE1 + 0x1000, STAGE1 + 0x2000] {
        assert_eq!(board.get(table) & 0xfff, 0x403, "{table:#x}");
    }
    // HAFT needs HA.
    let mut board = board_of(3, 0);
    board.put(CDS + 8, &[STAGE1 | 1 << 3]);
    assert_eq!(event(board.read(0)).0.detail, Detail::Cd(CdFlaw::FlagUpdate));
    // Without HTTU 3 the bit is ignored.
    let mut board = board_of(2, 0);
    board.put(CDS + 8, &[STAGE1 | 1 << 3]);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    assert_eq!(board.get(STAGE1), STAGE1 + 0x1003);
}

#[test]
fn stage_2_keeps_its_own_flags() {
    let mut board = board_of(2, 0);
    let page = STAGE2 + 0x3000 + 0x10 * 8;
    let mut ste = STE_STAGE2;
    // S2HA and S2HD.
    ste[2] |= 1 << 56 | 1 << 55;
    board.ste(STREAM, &ste);
    let clean = DBM | 0x4900_0b7f;
    board.put(page, &[clean & !AF]);
    assert_eq!(pa(board.read(0x10_000)), 0x4900_0000);
    assert_eq!(board.get(page), clean | AF);
    assert_eq!(pa(board.write(0x10_000)), 0x4900_0000);
    assert_eq!(board.get(page), clean | AF | 0x80);
    // S2HD without HTTU 2.
    let mut board = board_of(1, 0);
    board.ste(STREAM, &ste);
    assert_eq!(event(board.read(0)).0.detail, Detail::Ste(SteFlaw::S2FlagUpdate));
    // S2HD without S2HA updates nothing.
    let mut board = board_of(2, 0);
    ste[2] &= !(1 << 56);
    board.ste(STREAM, &ste);
    board.put(page, &[clean & !AF]);
    assert_eq!(written(board.read(0x10_000)), "F_ACCESS");
}

#[test]
fn an_update_of_stage_1_is_a_write_for_stage_2() {
    let mut board = board_of(2, HA | HD);
    let [_, _, s2, ttb] = STE_STAGE2;
    board.ste(STREAM, &[STE_STAGE1 | 0x4, 0xd6, s2 | 1 << 56 | 1 << 55, ttb]);
    // The tables of stage 1 lie in a 2M block of stage 2 that may not be written.
    let block = STAGE2 + 0x4000 + 8 * (STAGE1 >> 21 & 511);
    board.put(STAGE2 + 0x1000 + 8, &[STAGE2 + 0x4003]);
    for n in 0..64 {
        board.put(STAGE2 + 0x4000 + 8 * n, &[(0x4000_0000 + (n << 21)) | 0x7fd]);
    }
    let tables = STAGE1 & !0x1f_ffff;
    board.put(block, &[tables | 0x77d]);
    let page = STAGE1 + 0x3000 + 0x12 * 8;
    board.put(page, &[0x1_0b47]);
    assert_eq!(written(board.read(0x12_000)), "F_PERMISSION");
    // S2, CLASS = TT, RnW of the transaction, TTRnW = 0: the table was to be written.
    assert_eq!(board.last_record(), [0x8_0000_0013, 0x188_0000_0000, 0x12000, page & !0xfff]);
    assert_eq!(board.get(page), 0x1_0b47);
    // With DBM the block is marked dirty on the way.
    board.put(block, &[DBM | tables | 0x77d]);
    board.command(0x3_0000_0028, 0);
    assert_eq!(pa(board.read(0x12_000)), 0x4900_0000);
    assert_eq!(board.get(block), DBM | tables | 0x7fd);
    assert_eq!(board.get(page), 0x1_0f47);
}

#[test]
fn the_final_page_of_stage_2_is_dirtied_only_by_a_write_that_goes_on() {
    let mut board = board_of(2, HA | HD);
    let [_, _, s2, ttb] = STE_STAGE2;
    board.ste(STREAM, &[STE_STAGE1 | 0x4, 0xd6, s2 | 1 << 56 | 1 << 55, ttb]);
    let page = STAGE2 + 0x3000 + 0x10 * 8;
    board.put(page, &[DBM | 0x4900_077f]);
    // Stage 1: read-only, then clean.
    let first = STAGE1 + 0x3000 + 0x12 * 8;
    board.put(first, &[0x1_0fc7, DBM | 0x1_0fc7]);
    assert_eq!(written(board.write(0x12_000)), "F_PERMISSION");
    assert_eq!(board.get(page), DBM | 0x4900_077f);
    assert_eq!(pa(board.write(0x13_000)), 0x4900_0000);
    assert_eq!((board.get(page), board.get(first + 8)), (DBM | 0x4900_07ff, DBM | 0x1_0f47));
}

#[test]
fn big_endian_descriptors_are_updated_in_their_order() {
    let mut ids = ids(1);
    // TTENDIAN 0: mixed.
    ids.idr[0] &= !(3 << 21);
    let mut board = Board::with(implementation(ids));
    board.stage1(CD0 | HA | 1 << 15);
    for (at, word) in [
        (STAGE1, STAGE1 + 0x1003),
        (STAGE1 + 0x1000, STAGE1 + 0x2003),
        (STAGE1 + 0x2000, STAGE1 + 0x3003),
        (PAGE, 0x4800_0b47),
    ] {
        board.put(at, &[u64::swap_bytes(word)]);
    }
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    assert_eq!(board.get(PAGE), u64::swap_bytes(0x4800_0f47));
}
