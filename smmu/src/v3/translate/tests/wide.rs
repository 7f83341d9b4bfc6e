//! Addresses of 52 bits: DS with the small granules, LVA and LPA with 64K.

use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STAGE2, STE_STAGE2, STREAM, event, implementation, pa,
    went_on, written,
};
use crate::v3::{CdFlaw, Detail, IdRegisters};

/// OAS 52, DS, VAX 1, every granule.
fn ids() -> IdRegisters {
    let mut ids = BOTH_STAGES;
    ids.idr[5] = 1 << 10 | 1 << 7 | 0x70 | 6;
    ids
}

const DS: u64 = 1 << 58;

/// A board whose CD has this T0SZ and TG0, IPS 52 and, if asked, DS.
fn stage1(t0sz: u64, tg0: u64, ds: bool) -> Board {
    let mut board = Board::with(implementation(ids()));
    let cd0 = CD0 & !0xff & !(7 << 32) | 6 << 32 | tg0 << 6 | t0sz;
    board.stage1(cd0);
    board.put(CDS, &[cd0, STAGE1, if ds { DS } else { 0 }, 0xffff]);
    board
}

#[test]
fn level_minus_1_resolves_52_bits_of_4k() {
    let mut board = stage1(12, 0, true);
    let iova = 0xf << 48 | 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12;
    board.put(STAGE1 + 8 * 15, &[STAGE1 + 0x1003]);
    board.put(STAGE1 + 0x1000 + 8, &[STAGE1 + 0x2003]);
    board.put(STAGE1 + 0x2000 + 8 * 2, &[STAGE1 + 0x3003]);
    board.put(STAGE1 + 0x3000 + 8 * 3, &[STAGE1 + 0x4003]);
    // OA[51:50] in bits 9:8: 0b01; OA[49:48] in place: 0b11.
    board.put(STAGE1 + 0x4000 + 8 * 4, &[3 << 48 | 0x1234_5000 | 0x447 | 1 << 8]);
    assert_eq!(pa(board.read(iova | 0x18)), 0x7 << 48 | 0x1234_5018);
    // Below the start level's table: the level is recorded.
    let (fault, _) = event(board.read(0xe << 48));
    assert_eq!((fault.kind.name(), fault.detail), ("F_TRANSLATION", Detail::Level(-1)));
    // A block of 512G at level 0.
    board.put(STAGE1 + 0x1000 + 16, &[0x80_0000_0000 | 0x445]);
    let block = went_on(board.read(0xf << 48 | 2 << 39 | 0x12_3456_7000));
    assert_eq!((block.pa.get(), block.lg2), (0x92_3456_7000, 39));
}

#[test]
fn t0sz_below_16_needs_ds_or_64k() {
    let mut board = stage1(12, 0, false);
    assert_eq!(event(board.read(0)).0.detail, Detail::Cd(CdFlaw::TxSz));
    let mut board = stage1(11, 0, true);
    assert_eq!(event(board.read(0)).0.detail, Detail::Cd(CdFlaw::TxSz));
    let mut board = stage1(12, 1, false);
    assert_eq!(written(board.read(0)), "F_TRANSLATION");
}

#[test]
fn blocks_of_64g_with_16k() {
    let mut board = stage1(12, 2, true);
    // Level 0 has 32 entries.
    let iova = 31 << 47 | 5 << 36;
    board.put(STAGE1 + 8 * 31, &[STAGE1 + 0x4003]);
    board.put(STAGE1 + 0x4000 + 8 * 5, &[1 << 48 | 3 << 36 | 2 << 8 | 0x445]);
    let block = went_on(board.read(iova | 0xf_1234_5678));
    assert_eq!((block.pa.get(), block.lg2), (0x9 << 48 | 3 << 36 | 0xf_1234_5678, 36));
    // Without DS there is no such block.
    let mut board = stage1(16, 2, false);
    board.put(STAGE1, &[STAGE1 + 0x4003]);
    board.put(STAGE1 + 0x4000 + 8 * 5, &[3 << 36 | 0x445]);
    assert_eq!(written(board.read(5 << 36)), "F_TRANSLATION");
}

#[test]
fn blocks_of_4t_and_52_bits_with_64k() {
    let mut board = stage1(12, 1, false);
    // OA[51:48] in bits 15:12.
    board.put(STAGE1 + 8 * 1023, &[0x9000 | 2 << 42 | 0x445]);
    let block = went_on(board.read(1023 << 42 | 0x1_2345));
    assert_eq!((block.pa.get(), block.lg2), (0x9 << 48 | 2 << 42 | 0x1_2345, 42));
}

#[test]
fn shareability_then_comes_from_the_cd() {
    let mut board = stage1(16, 0, true);
    board.stage1_tables();
    // SH0 is 3 in CD0: inner; bits 9:8 of the page would mean an address.
    let inner = went_on(board.read(0x20_0000));
    assert_eq!(inner.pa.get() >> 48, 0xc, "0xf45 has 3 in bits 9:8");
    assert_eq!(inner.attributes.shareability, crate::attributes::Shareability::Inner);
}

#[test]
fn stage_2_starts_at_level_minus_1_with_s2sl0_2() {
    let mut board = Board::with(implementation(ids()));
    let [d0, d1, d2, _] = STE_STAGE2;
    // T0SZ 12, SL0 0, PS 52; S2DS and S2SL0_2.
    let d2 = d2 & !(0xff << 32) & !(7 << 48) | 6 << 48 | 12 << 32;
    board.ste(STREAM, &[d0, d1, d2, STAGE2 | 1 << 3 | 1 << 2]);
    board.put(STAGE2 + 8 * 15, &[STAGE2 + 0x1003]);
    board.put(STAGE2 + 0x1000, &[3 << 48 | 2 << 8 | 0x4fd]);
    let block = went_on(board.write(0xf << 48 | 0x1234));
    assert_eq!((block.pa.get(), block.lg2), (0xb << 48 | 0x1234, 39));
    // SL2 = 1 goes with SL0 = 0 only.
    board.ste(9, &[d0, d1, d2 | 1 << 38, STAGE2 | 1 << 3 | 1 << 2]);
    let outcome = board.ask(9, 0, passim_model::Access::READ);
    assert_eq!(event(outcome).0.detail, Detail::Ste(crate::v3::SteFlaw::S2Sl0));
}
