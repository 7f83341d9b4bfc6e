//! How a transaction finds its configuration, and what stops it on the way.

use crate::regime::Response;
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STE_STAGE1, STREAM, STREAM_TABLE, event, implementation,
    pa, went_on, written,
};
use crate::v3::{Cause, CdFlaw, Detail, IdRegisters, Outcome, Path, Record, SteFlaw};
use passim_model::Access;

/// IDs with substreams of five bits and two-level CD tables.
fn with_substreams() -> IdRegisters {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 19;
    ids.idr[1] |= 10 << 6;
    ids
}

#[track_caller]
fn silent(outcome: Outcome, cause: Cause) {
    let Outcome::Terminated(ended) = outcome else { panic!("translated") };
    assert_eq!((ended.response, ended.cause), (Response::Abort, cause));
}

#[test]
fn disabled_follows_gbpa() {
    let mut board = Board::cold(implementation(BOTH_STAGES));
    let through = went_on(board.read(0xfff_ffff_ffff));
    assert_eq!((through.pa.get(), through.path), (0xfff_ffff_ffff, Path::Disabled));
    silent(board.read(1 << 44), Cause::BeyondOutputSize);
    board.w32(0x44, 1 << 20);
    assert_eq!(went_on(board.read(0)).path, Path::Disabled, "without Update nothing changes");
    board.w32(0x44, 1 << 31 | 1 << 20);
    silent(board.read(0), Cause::GlobalAbort);
    assert_eq!(board.smmu.counters().events, 0);
}

#[test]
fn stream_ids_beyond_the_table_abort_t16() {
    let mut board = Board::new();
    let (event0, record) = event(board.ask(256, 0, Access::READ));
    assert_eq!((event0.kind.name(), record), ("C_BAD_STREAMID", Record::Suppressed));
    assert_eq!(board.drain_events(), 0);
    board.reprogram(|board| board.w32(0x2c, 2));
    assert_eq!(written(board.ask(256, 0, Access::READ)), "C_BAD_STREAMID");
    assert_eq!(board.last_record(), [0x100_0000_0002, 0, 0, 0]);
    // LOG2SIZE beyond SIDSIZE does not make more streams.
    board.reprogram(|board| board.w32(0x88, 63));
    assert_eq!(written(board.ask(0x1_0000, 0, Access::READ)), "C_BAD_STREAMID");
}

#[test]
fn an_ste_says_abort_bypass_or_nothing_valid() {
    let mut board = Board::new();
    board.ste(1, &[1]);
    silent(board.ask(1, 0, Access::READ), Cause::StreamAborts);
    board.ste(2, &[0x9]);
    let through = went_on(board.ask(2, 0x1234, Access::WRITE));
    assert_eq!((through.pa.get(), through.path), (0x1234, Path::Bypass));
    assert_eq!(written(board.ask(2, 1 << 44, Access::WRITE)), "F_ADDR_SIZE");
    let substream = board.ask_as(2, Some(0), 0, Access::READ);
    assert_eq!(written(substream), "C_BAD_SUBSTREAMID");
    assert_eq!(written(board.ask(3, 0, Access::READ)), "C_BAD_STE");
    assert_eq!(board.last_record(), [0x3_0000_0004, 0, 0, 0]);
    assert_eq!(event(board.ask(3, 0, Access::READ)).0.detail, Detail::Ste(SteFlaw::NotValid));
}

#[test]
fn an_ste_without_memory_is_a_fetch_fault() {
    let mut board = Board::new();
    board.reprogram(|board| board.w64(0x80, 0x1_0000_0000));
    assert_eq!(written(board.read(0)), "F_STE_FETCH");
    assert_eq!(board.last_record(), [0x8_0000_0003, 0, 0, 0x1_0000_0200]);
    board.reprogram(|board| board.w64(0x80, 1 << 44));
    assert_eq!(written(board.read(0)), "F_STE_FETCH");
}

#[test]
fn a_cd_without_memory_is_a_fetch_fault_t7() {
    let mut board = Board::new();
    board.ste(STREAM, &[0x1_0000_000b, 0xd6]);
    assert_eq!(written(board.read(0)), "F_CD_FETCH");
    assert_eq!(board.last_record(), [0x8_0000_0009, 0, 0, 0x1_0000_0000]);
}

#[test]
fn the_stream_table_is_aligned_by_the_smmu() {
    let mut board = Board::new();
    board.stage1(CD0);
    board.reprogram(|board| board.w64(0x80, STREAM_TABLE + 0x1fc0));
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
}

#[test]
fn two_levels_respect_span_t2() {
    let mut board = Board::new();
    board.stage1(CD0);
    board.reprogram(|board| {
        board.w32(0x2c, 2);
        // FMT 1, SPLIT 8, LOG2SIZE 16, and the level-1 table elsewhere.
        board.w32(0x88, 1 << 16 | 8 << 6 | 16);
        board.w64(0x80, 0x4110_0000);
    });
    let span = |board: &mut Board, span: u64| {
        board.put(0x4110_0000, &[STREAM_TABLE | span]);
        board.command(0x4, 31);
        board.read(0x10_000)
    };
    // 2^(Span-1) STEs: 8 of them do not hold StreamID 8, 16 do.
    assert_eq!(written(span(&mut board, 4)), "C_BAD_STREAMID");
    assert_eq!(pa(span(&mut board, 5)), 0x4800_0000);
    assert_eq!(written(span(&mut board, 0)), "C_BAD_STREAMID");
    assert_eq!(pa(span(&mut board, 9)), 0x4800_0000);
    // SPLIT + 1 is the most.
    assert_eq!(written(span(&mut board, 10)), "C_BAD_STREAMID");
    assert_eq!(written(span(&mut board, 31)), "C_BAD_STREAMID");
    board.put(0x4110_0000, &[0x1_0000_0009]);
    board.drain_events();
    assert_eq!(written(board.read(0)), "F_STE_FETCH");
}

#[test]
fn the_format_is_a_plain_field_t13() {
    let mut board = Board::new();
    board.stage1(CD0);
    board.reprogram(|board| board.w32(0x88, 1 << 16 | 8 << 6 | 16));
    board.reprogram(|board| board.w32(0x88, 8));
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
}

#[test]
fn s1cdmax_is_ignored_without_substreams_t15() {
    let mut board = Board::new();
    board.stage1(CD0);
    board.ste(STREAM, &[3 << 59 | STE_STAGE1, 0]);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    let substream = board.ask_as(STREAM, Some(1), 0, Access::READ);
    assert_eq!(written(substream), "C_BAD_SUBSTREAMID");
}

#[test]
fn substreams_select_cds_and_s1dss_the_rest() {
    let mut board = Board::with(implementation(with_substreams()));
    board.stage1_tables();
    board.put(CDS, &[0; 32]);
    board.put(CDS, &[CD0, STAGE1]);
    board.put(CDS + 3 * 64, &[CD0 & !(0xffff << 48) | 9 << 48, STAGE1]);
    let cdmax = 2 << 59 | STE_STAGE1;
    let ask = |board: &mut Board, s1dss: u64, substream| {
        board.ste(STREAM, &[cdmax, s1dss]);
        board.command(0x4, 31);
        board.drain_events();
        board.ask_as(STREAM, substream, 0x10_000, Access::READ)
    };
    assert_eq!(pa(ask(&mut board, 0, Some(3))), 0x4800_0000);
    assert_eq!(pa(ask(&mut board, 0, Some(0))), 0x4800_0000);
    assert_eq!(written(ask(&mut board, 0, Some(4))), "C_BAD_SUBSTREAMID");
    assert_eq!(written(ask(&mut board, 0, Some(1))), "C_BAD_CD");
    assert_eq!(written(ask(&mut board, 0, None)), "F_STREAM_DISABLED");
    assert_eq!(written(ask(&mut board, 3, None)), "F_STREAM_DISABLED");
    assert_eq!(went_on(ask(&mut board, 1, None)).path, Path::Bypass);
    assert_eq!(pa(ask(&mut board, 2, None)), 0x4800_0000);
    assert_eq!(written(ask(&mut board, 2, Some(0))), "F_STREAM_DISABLED");
    // SSV and SubstreamID 0.
    assert_eq!(board.last_record(), [0x8_0000_0806, 0, 0, 0]);
}

#[test]
fn a_two_level_cd_table_is_followed() {
    let mut board = Board::with(implementation(with_substreams()));
    board.stage1_tables();
    // S1Fmt 1, S1CDMax 10: CD 65 is the second of the second leaf.
    board.ste(STREAM, &[10 << 59 | STE_STAGE1 | 1 << 4, 0]);
    board.put(CDS, &[0, 0x4399_0001]);
    board.put(0x4399_0040, &[CD0, STAGE1]);
    let ask = |board: &mut Board, id| board.ask_as(STREAM, Some(id), 0x10_000, Access::READ);
    assert_eq!(pa(ask(&mut board, 65)), 0x4800_0000);
    assert_eq!(written(ask(&mut board, 1)), "C_BAD_SUBSTREAMID");
    board.put(CDS, &[1 << 44 | 1]);
    assert_eq!(written(ask(&mut board, 1)), "C_BAD_SUBSTREAMID");
    // A linear table of 2^10 CDs is aligned to 64K, whatever S1ContextPtr holds below; so is a
    // table of 2^4 L1CDs, to 128 bytes.
    board.ste(STREAM, &[10 << 59 | 0x4399_8040 | 0xb, 0]);
    board.command(0x4, 31);
    assert_eq!(pa(ask(&mut board, 1)), 0x4800_0000);
    board.ste(STREAM, &[10 << 59 | (STE_STAGE1 + 0x40) | 1 << 4, 0]);
    board.command(0x4, 31);
    assert_eq!(pa(ask(&mut board, 65)), 0x4800_0000);
    // CD2L = 0: S1Fmt is illegal.
    let mut ids = with_substreams();
    ids.idr[0] &= !(1 << 19);
    let mut board = Board::with(implementation(ids));
    board.ste(STREAM, &[10 << 59 | STE_STAGE1 | 1 << 4, 0]);
    assert_eq!(event(ask(&mut board, 65)).0.detail, Detail::Ste(SteFlaw::S1Fmt));
}

#[test]
fn ste_rules_of_stage_1() {
    let flaw = |ids: IdRegisters, words: [u64; 3]| {
        let mut board = Board::with(implementation(ids));
        board.ste(STREAM, &words);
        event(board.read(0)).0.detail
    };
    let mut stage2_only = BOTH_STAGES;
    stage2_only.idr[0] = 0xd44_1019;
    assert_eq!(flaw(stage2_only, [STE_STAGE1, 0, 0]), Detail::Ste(SteFlaw::NoStage1));
    let mut stage1_only = BOTH_STAGES;
    stage1_only.idr[0] &= !1;
    assert_eq!(flaw(stage1_only, [0xd, 0, 0]), Detail::Ste(SteFlaw::NoStage2));
    assert_eq!(flaw(BOTH_STAGES, [STE_STAGE1, 1 << 27, 0]), Detail::Ste(SteFlaw::S1Stalld));
    assert_eq!(flaw(BOTH_STAGES, [STE_STAGE1 | 1 << 44, 0, 0]), Detail::Ste(SteFlaw::S1ContextPtr));
    assert_eq!(
        flaw(with_substreams(), [11 << 59 | STE_STAGE1, 0, 0]),
        Detail::Ste(SteFlaw::S1CdMax)
    );
    // STRW applies only with Hyp; EATS only with ATS.
    let mut hyp = BOTH_STAGES;
    hyp.idr[0] |= 1 << 9;
    assert_eq!(flaw(hyp, [STE_STAGE1, 1 << 30, 0]), Detail::Ste(SteFlaw::Strw));
    assert_eq!(flaw(BOTH_STAGES, [STE_STAGE1, 0x7 << 28, 0]), Detail::Cd(CdFlaw::NotValid));
    let mut ats = BOTH_STAGES;
    ats.idr[0] |= 1 << 10;
    assert_eq!(flaw(ats, [STE_STAGE1, 2 << 28, 0]), Detail::Ste(SteFlaw::Eats));
}

#[test]
fn cd_rules() {
    let flaw = |edit: fn(&mut [u64; 3])| {
        let mut board = Board::new();
        let mut cd = [CD0, STAGE1, 0];
        edit(&mut cd);
        board.stage1(cd[0]);
        board.put(CDS, &cd);
        let (event, record) = event(board.read(0x10_000));
        assert_eq!((event.kind.name(), record), ("C_BAD_CD", Record::Written));
        assert_eq!(board.last_record(), [0x8_0000_000a, 0, 0, 0]);
        event.detail
    };
    let rule = Detail::Cd;
    assert_eq!(flaw(|cd| cd[0] &= !(1 << 31)), rule(CdFlaw::NotValid));
    assert_eq!(flaw(|cd| cd[0] |= 1 << 44), rule(CdFlaw::S));
    assert_eq!(flaw(|cd| cd[0] &= !(1 << 46)), rule(CdFlaw::A));
    assert_eq!(flaw(|cd| cd[0] |= 1 << 15), rule(CdFlaw::Endi));
    assert_eq!(flaw(|cd| cd[0] &= !(1 << 41)), rule(CdFlaw::Aa64));
    assert_eq!(flaw(|cd| cd[0] |= 1 << 43), rule(CdFlaw::FlagUpdate));
    assert_eq!(flaw(|cd| cd[0] |= 1 << 42), rule(CdFlaw::FlagUpdate));
    assert_eq!(flaw(|cd| cd[0] = cd[0] & !0x3f | 15), rule(CdFlaw::TxSz));
    assert_eq!(flaw(|cd| cd[0] = cd[0] & !0x3f | 40), rule(CdFlaw::TxSz));
    assert_eq!(flaw(|cd| cd[0] |= 3 << 6), rule(CdFlaw::Tg));
    assert_eq!(flaw(|cd| cd[1] |= 1 << 44), rule(CdFlaw::Ttb));
    // The upper half is checked once EPD1 is clear: TG1 0 is reserved, T1SZ 0 out of range.
    assert_eq!(flaw(|cd| cd[0] &= !(1 << 30)), rule(CdFlaw::TxSz));
    assert_eq!(flaw(|cd| cd[0] = cd[0] & !(1 << 30) | 16 << 16), rule(CdFlaw::Tg));
}
