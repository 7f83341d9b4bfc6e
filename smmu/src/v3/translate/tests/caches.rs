//! Caches that keep everything, overlaps that are detected, wildcards, and service failure.

use crate::choice::Overlap;
use crate::tlb::{Geometry, Retention};
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STAGE2, STE_STAGE1, STE_STAGE2, STREAM, STREAM_TABLE,
    event, implementation, pa, written,
};
use crate::v3::{Caches, Cause, Implementation, Outcome, PageHint, Record, Transaction};
use passim_model::{Access, DeviceId, Effect, Iova, Perms, PhysAddr, Requester, StreamId};

fn keeping() -> Board {
    let built = Implementation { retention: Retention::Everything, ..implementation(BOTH_STAGES) };
    let mut board = Board::with(built);
    board.stage1_tables();
    board.stage2_tables();
    board.stage1(CD0);
    board
}

#[test]
fn tables_are_remembered_until_more_than_leaves_go() {
    let mut board = keeping();
    pa(board.read(0x10_000));
    // Another table of level 3.
    board.put(STAGE1 + 0x8000 + 0x11 * 8, &[0x4900_1f47]);
    board.put(STAGE1 + 0x2000, &[STAGE1 + 0x8003]);
    board.command(0x7_0000_0000_0012, 0x1_0001);
    board.command(0x7_0000_0000_0012, 0x1_1001);
    assert_eq!(pa(board.read(0x11_000)), 0x4800_1000, "leaves only: the old table is used");
    // Leaf = 0, and then all of the ASID.
    board.command(0x7_0000_0000_0012, 0x1_1000);
    assert_eq!(pa(board.read(0x11_000)), 0x4900_1000);
    board.put(STAGE1 + 0x2000, &[STAGE1 + 0x3003]);
    board.command(0x7_0000_0000_0012, 0x1_1001);
    assert_eq!(pa(board.read(0x11_000)), 0x4900_1000);
    board.command(0x7_0000_0000_0011, 0);
    assert_eq!(pa(board.read(0x11_000)), 0x4800_1000);
}

#[test]
fn a_level_hint_leaves_tables_below_it() {
    let mut board = keeping();
    pa(board.read(0x10_000));
    board.put(STAGE1 + 0x8000 + 0x11 * 8, &[0x4900_1f47]);
    board.put(STAGE1 + 0x2000, &[STAGE1 + 0x8003]);
    // TG 4K, TTL 2, Leaf = 0: table descriptors of levels 0 and 1 only.
    board.command(0x7_0000_0000_0012, 0x601);
    board.command(0x7_0000_0000_0012, 0x600);
    assert_eq!(pa(board.read(0x11_000)), 0x4800_1000);
    board.command(0x7_0000_0000_0012, 0x1_1700);
    assert_eq!(pa(board.read(0x11_000)), 0x4900_1000);
}

#[test]
fn a_contiguous_run_is_one_entry() {
    let mut board = keeping();
    let run: Vec<u64> = (0..16).map(|n| (1 << 52) | (0x4810_0f47 + (n << 12))).collect();
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &run);
    assert_eq!(pa(board.read(0x20_008)), 0x4810_0008);
    board.put(STAGE1 + 0x3000 + 0x2f * 8, &[0]);
    assert_eq!(pa(board.read(0x2f_008)), 0x4810_f008);
    // An invalidation of one page takes the run.
    board.command(0x7_0000_0000_0012, 0x2_2001);
    assert_eq!(written(board.read(0x2f_008)), "F_TRANSLATION");
    // A contiguous hint that cannot be true is ignored.
    board.put(STAGE1 + 0x3000 + 0x30 * 8, &[1 << 52 | 0x4810_1f47]);
    assert_eq!(pa(board.read(0x30_000)), 0x4810_1000);
    board.put(STAGE1 + 0x3000 + 0x31 * 8, &[0x4820_0f47]);
    assert_eq!(pa(board.read(0x31_000)), 0x4820_0000);
}

#[test]
fn level_1_descriptors_stay_with_leaf_invalidations() {
    let mut board = keeping();
    board.reprogram(|board| {
        board.w32(0x2c, 2);
        board.w32(0x88, 1 << 16 | 8 << 6 | 16);
        board.w64(0x80, 0x4110_0000);
    });
    // IHI 0070 G.b 5.2.1: F_STE_FETCH leaves no L1STD behind.
    board.put(0x4110_0000, &[0x8_0000_0000 | 9]);
    assert_eq!(written(board.read(0x10_000)), "F_STE_FETCH");
    board.put(0x4110_0000, &[STREAM_TABLE | 9]);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board.put(0x4110_0000, &[0]);
    board.command(0x8_0000_0003, 1);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board.command(0x8_0000_0003, 0);
    assert_eq!(written(board.read(0x10_000)), "C_BAD_STREAMID");
}

#[test]
fn nothing_makes_room_for_anything() {
    let mut board = keeping();
    for n in 0..256u64 {
        board.put(STAGE1 + 0x3000 + n * 8, &[0x4800_0f47 + (n << 12)]);
    }
    for round in 0..2 {
        for n in 0..256u64 {
            assert_eq!(pa(board.read(n << 12)), 0x4800_0000 + (n << 12));
            if round == 0 {
                board.put(STAGE1 + 0x3000 + n * 8, &[0]);
            }
        }
    }
    assert_eq!(board.smmu.tlb_entries().len(), 256);
}

/// An SMMU with this BBML that looks for conflicts.
fn noticing(bbml: u32) -> Implementation {
    let mut ids = BOTH_STAGES;
    ids.idr[3] = ids.idr[3] & !(3 << 11) | bbml << 11;
    let mut built = implementation(ids);
    built.choices.overlap = Overlap::Detected;
    built
}

#[test]
fn bbml_2_resolves_what_would_be_a_conflict() {
    for retention in [Retention::Sized, Retention::Everything] {
        let mut board = Board::with(Implementation { retention, ..noticing(2) });
        board.stage1_tables();
        board.stage1(CD0);
        assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
        board.put(STAGE1 + 0x2000, &[0x4800_0f45]);
        board.command(0x7_0000_0000_0012, 0x1f_f000);
        assert_eq!(pa(board.read(0x11_000)), 0x4801_1000);
        assert_eq!(pa(board.read(0x10_000)), 0x4800_0000, "of the smaller");
    }
}

#[test]
fn bbml_1_heeds_nt_and_takes_the_contiguous_bit_alone() {
    for retention in [Retention::Sized, Retention::Everything] {
        let mut board = Board::with(Implementation { retention, ..noticing(1) });
        board.stage1_tables();
        board.stage1(CD0);
        assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
        // A block with nT is used, and not cached.
        board.put(STAGE1 + 0x2000, &[0x4801_0f45]);
        board.command(0x7_0000_0000_0012, 0x1f_f000);
        assert_eq!(pa(board.read(0x11_000)), 0x4801_1000);
        assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
        assert_eq!(board.smmu.tlb_entries().len(), 1);
        // Without it there is a conflict.
        board.put(STAGE1 + 0x2000, &[0x4800_0f45]);
        assert_eq!(pa(board.read(0x11_000)), 0x4801_1000);
        assert_eq!(written(board.read(0x10_000)), "F_TLB_CONFLICT");
    }
    let built = Implementation { retention: Retention::Everything, ..noticing(1) };
    let mut board = Board::with(built);
    board.stage1_tables();
    board.stage1(CD0);
    let run =
        |hint: u64| (0..16).map(|n| hint << 52 | (0x4810_0f47 + (n << 12))).collect::<Vec<_>>();
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &run(0));
    assert_eq!(pa(board.read(0x20_008)), 0x4810_0008);
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &run(1));
    assert_eq!(pa(board.read(0x21_008)), 0x4810_1008);
    assert_eq!(board.smmu.tlb_entries().len(), 2);
    assert_eq!(pa(board.read(0x20_008)), 0x4810_0008);
    // A run that leads elsewhere is a conflict.
    board.put(STAGE1 + 0x3000 + 0x30 * 8, &[0x4830_0f47]);
    assert_eq!(pa(board.read(0x30_000)), 0x4830_0000);
    let other: Vec<u64> = (0..16).map(|n| 1 << 52 | (0x4840_0f47 + (n << 12))).collect();
    board.put(STAGE1 + 0x3000 + 0x30 * 8, &other);
    assert_eq!(pa(board.read(0x31_000)), 0x4840_1000);
    assert_eq!(written(board.read(0x30_000)), "F_TLB_CONFLICT");
}

#[test]
fn behind_stage_2_a_block_with_nt_is_not_cached_either() {
    let mut board = Board::with(noticing(1));
    board.stage1_tables();
    board.stage2_tables();
    board.ste(STREAM, &STE_STAGE2);
    board.put(STAGE2 + 0x2000, &[0x4801_07fd]);
    pa(board.read(0x10_000));
    assert_eq!(board.smmu.tlb_entries(), []);
}

#[test]
fn a_change_of_size_without_break_is_a_conflict() {
    let built = noticing(0);
    for retention in [Retention::Sized, Retention::Everything] {
        let mut board = Board::with(Implementation { retention, ..built });
        board.stage1_tables();
        board.stage1(CD0);
        assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
        // The table becomes a block, and nothing is invalidated but the tables.
        board.put(STAGE1 + 0x2000, &[0x4800_0f45]);
        board.command(0x7_0000_0000_0012, 0x1f_f000);
        assert_eq!(pa(board.read(0x11_000)), 0x4801_1000);
        assert_eq!(written(board.read(0x10_000)), "F_TLB_CONFLICT");
        // S2 = 0, RnW; no CLASS.
        assert_eq!(board.last_record(), [0x8_0000_0020, 0x8_0000_0000, 0x10000, 0]);
        board.command(0x7_0000_0000_0012, 0x1_0001);
        assert_eq!(pa(board.read(0x10_000)), 0x4801_0000);
    }
}

#[test]
fn a_conflict_at_stage_2_names_the_ipa() {
    let mut board = Board::with(noticing(0));
    board.stage2_tables();
    board.ste(STREAM, &STE_STAGE2);
    pa(board.read(0x10_000));
    board.put(crate::v3::testkit::STAGE2 + 0x2000, &[0x4900_07fd & !0x1f_f000]);
    pa(board.read(0x12_000));
    assert_eq!(written(board.write(0x10_000)), "F_TLB_CONFLICT");
    assert_eq!(board.last_record(), [0x8_0000_0020, 0x80_0000_0000, 0x10000, 0x10000]);
}

#[test]
fn vmid_wildcards_leave_low_bits_out() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 17;
    let mut board = Board::with(implementation(ids));
    board.stage2_tables();
    let mut ste = STE_STAGE2;
    for (stream, vmid) in [(8, 4), (9, 5), (10, 7), (11, 8)] {
        ste[2] = ste[2] & !0xffff | vmid;
        board.ste(stream, &ste);
    }
    let fill = |board: &mut Board| {
        for stream in 8..12 {
            pa(board.ask(stream, 0x10_000, Access::READ));
        }
    };
    for (vmw, left) in [(0, 3), (1, 2), (2, 1), (3, 1), (4, 0)] {
        board.w32(0x20, 0xd | vmw << 6);
        fill(&mut board);
        board.command(0x4_0000_002a, 0x1_0001);
        assert_eq!(board.smmu.tlb_entries().len(), left, "VMW {vmw}");
        board.command(0x30, 0);
    }
}

fn transaction(iova: u64, access: Access) -> Transaction {
    let stream = StreamId::new(STREAM);
    let requester = Requester { stream, substream: None, device: DeviceId::new(STREAM) };
    Transaction { requester, iova: Iova::new(iova), access }
}

#[test]
fn records_that_no_translation_makes() {
    let mut board = Board::new();
    let txn = transaction(0x1234_5678, Access::WRITE);
    assert_eq!(board.smmu.unsupported(&mut board.memory, &txn), Record::Written);
    assert_eq!(board.last_record(), [0x8_0000_0001, 0, 0x1234_5678, 0]);
    let unprivileged = Perms::READ | Perms::WRITE;
    let hint = PageHint { span: 3, unprivileged, privileged: Perms::READ };
    assert_eq!(board.smmu.hint(&mut board.memory, &txn, hint), Record::Written);
    assert_eq!(board.last_record(), [0x8_0000_0024, 0x3098_0000_0000, 0x1234_5000, 0]);
}

#[test]
fn messages_that_nobody_takes_are_global_errors() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 13;
    let mut board = Board::cold(implementation(ids));
    board.w64(0x68, 0x4444_0000);
    board.w32(0x70, 1);
    board.w64(0xb0, 0x4444_0000);
    board.w32(0xb8, 2);
    board.boot();
    let door = PhysAddr::new(0x4444_0000);
    board.effects();
    // Of the Event queue, a CMD_SYNC, and GERROR; nothing else sends messages.
    for (tag, bit) in [(1, 5), (0, 4), (3, 7)] {
        board.smmu.message_aborted(tag);
        assert_eq!(board.r32(0x60) >> bit & 1, 1, "{tag}");
        let told = board.effects().contains(&Effect::Write { at: door, data: 1, tag: 3 });
        assert_eq!(told, bit != 7, "an error about GERROR's own message sends none");
    }
}

#[test]
fn service_failure_ends_everything() {
    let mut board = Board::new();
    board.stage1(CD0);
    pa(board.read(0x10_000));
    board.smmu.fail();
    assert_eq!(board.r32(0x60), 1 << 8);
    let Outcome::Terminated(ended) = board.read(0x10_000) else { panic!("served") };
    assert_eq!(ended.cause, Cause::ServiceFailure);
    board.submit(0x46, 0);
    assert_eq!(board.run(), 0);
    // The queues are left alone.
    let txn = transaction(0x10_000, Access::READ);
    let Board { smmu, memory, .. } = &mut board;
    assert_eq!(smmu.unsupported(memory, &txn), Record::ServiceFailure);
    let hint = PageHint { span: 1, unprivileged: Perms::READ, privileged: Perms::empty() };
    assert_eq!(smmu.hint(memory, &txn, hint), Record::ServiceFailure);
    board.smmu.reset();
    assert_eq!(board.r32(0x60), 0);
}

#[test]
fn a_cd_table_of_two_levels_is_remembered_with_its_level_1() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 19;
    ids.idr[1] |= 10 << 6;
    let built = Implementation { retention: Retention::Everything, ..implementation(ids) };
    let mut board = Board::with(built);
    board.stage1_tables();
    board.ste(STREAM, &[10 << 59 | STE_STAGE1 | 1 << 4, 0]);
    board.put(0x4399_0000, &[CD0, STAGE1]);
    // IHI 0070 G.b 5.4.1: F_CD_FETCH leaves no L1CD behind.
    board.put(CDS, &[0x8_0000_0001, 0]);
    let (fault, _) = event(board.ask_as(STREAM, Some(0), 0x10_000, Access::READ));
    assert_eq!(fault.kind.name(), "F_CD_FETCH");
    board.put(CDS, &[0x4399_0001, 0]);
    board.put(0x4399_0040, &[CD0, STAGE1]);
    let ask = |board: &mut Board, id| board.ask_as(STREAM, Some(id), 0x10_000, Access::READ);
    assert_eq!(pa(ask(&mut board, 0)), 0x4800_0000);
    board.put(CDS, &[0]);
    assert_eq!(pa(ask(&mut board, 1)), 0x4800_0000, "through the remembered L1CD");
    board.command(0x8_0000_0005, 1);
    board.command(0x8_0000_1005, 1);
    assert_eq!(pa(ask(&mut board, 1)), 0x4800_0000);
    board.command(0x8_0000_1005, 0);
    let (fault, _) = event(ask(&mut board, 1));
    assert_eq!(fault.kind.name(), "C_BAD_SUBSTREAMID");
}

/// Stage 1 at IPAs that stage 2 leads elsewhere, page by page: the table of level 3 is at
/// [`TABLE_IPA`], of which there are two versions.
fn nested(caches: Caches, retention: Retention) -> Board {
    let mut board =
        Board::with(Implementation { caches, retention, ..implementation(BOTH_STAGES) });
    board.stage1_tables();
    board.stage2_tables();
    board.put(STAGE1 + 0x2000, &[TABLE_IPA | 3]);
    for (version, page) in [(0, 0x4801_0f47), (1, 0x4802_0f47)] {
        let pages: Vec<u64> = (0..4).map(|n| page + (n << 12)).collect();
        board.put(VERSIONS + (version << 12) + 0x10 * 8, &pages);
    }
    // The first gigabyte onto itself, but for two megabytes with the table.
    let identity: Vec<u64> = (0..512).map(|n| (0x4000_0000 + (n << 21)) | 0x7fd).collect();
    board.put(STAGE2 + 0x1008, &[STAGE2 + 0x8003]);
    board.put(STAGE2 + 0x8000, &identity);
    board.put(STAGE2 + 0x8000 + 0x38 * 8, &[STAGE2 + 0x9003]);
    move_table(&mut board, 0);
    board.ste(STREAM, &[STE_STAGE1 | 4, 0xd6, STE_STAGE2[2], STE_STAGE2[3]]);
    board.put(CDS, &[CD0, STAGE1]);
    board
}

/// IPA of the table of level 3.
const TABLE_IPA: u64 = 0x4700_6000;
/// Where its versions lie.
const VERSIONS: u64 = 0x4a00_0000;

fn move_table(board: &mut Board, version: u64) {
    board.put(STAGE2 + 0x9000 + 6 * 8, &[(VERSIONS + (version << 12)) | 0x7ff]);
}

#[test]
fn a_table_behind_stage_2_is_remembered_where_it_was() {
    for retention in [Retention::Sized, Retention::Everything] {
        let mut board = nested(Caches::EVERYTHING, retention);
        assert_eq!(pa(board.read(0x10_000)), 0x4801_0000);
        move_table(&mut board, 1);
        // By IPA, tables of stage 2 included: what combines both stages stays (4.4.3.1).
        board.command(0x3_0000_002a, TABLE_IPA);
        assert_eq!(pa(board.read(0x11_000)), 0x4801_1000, "the table where it was");
        // By VA, leaves only: the table stays; Leaf = 0, and it goes.
        board.command(0x7_0003_0000_0012, 0x12_001);
        assert_eq!(pa(board.read(0x12_000)), 0x4801_2000);
        board.command(0x7_0003_0000_0012, 0x12_000);
        assert_eq!(pa(board.read(0x12_000)), 0x4802_2000);
        move_table(&mut board, 0);
        board.command(0x3_0000_002a, TABLE_IPA);
        assert_eq!(pa(board.read(0x13_000)), 0x4802_3000);
        // All of stage 1 of the VMID.
        board.command(0x3_0000_0010, 0);
        assert_eq!(pa(board.read(0x13_000)), 0x4801_3000);
    }
}

#[test]
fn a_stage_2_that_moves_a_table_unasked_is_seen_by_what_is_not_remembered() {
    let mut board = nested(Caches { tables: None, ..Caches::EVERYTHING }, Retention::Sized);
    assert_eq!(pa(board.read(0x10_000)), 0x4801_0000);
    move_table(&mut board, 1);
    assert_eq!(pa(board.read(0x11_000)), 0x4801_1000, "stage 2 is in the TLB");
    board.command(0x3_0000_002a, TABLE_IPA);
    assert_eq!(pa(board.read(0x12_000)), 0x4802_2000);
}

#[test]
fn the_walk_cache_of_a_size_forgets_tables_only() {
    let tables = Some(Geometry::new(0, 1));
    let tlb = Geometry::new(0, 1);
    let built = Implementation {
        caches: Caches { tables, tlb, ..Caches::VIRT },
        ..implementation(BOTH_STAGES)
    };
    let mut board = Board::with(built);
    board.stage1_tables();
    board.stage1(CD0);
    pa(board.read(0x10_000));
    // Another table of level 3, and a block beside it.
    board.put(STAGE1 + 0x8000 + 0x11 * 8, &[0x4900_1f47]);
    board.put(STAGE1 + 0x2000, &[STAGE1 + 0x8003]);
    assert_eq!(pa(board.read(0x11_000)), 0x4800_1000, "the old table is remembered");
    // The walk to the block caches its own table of level 2, in the only slot.
    assert_eq!(pa(board.read(0x20_0000)), 0x4820_0000);
    assert_eq!(pa(board.read(0x11_000)), 0x4900_1000);
}

#[test]
fn an_l1cd_that_leads_nowhere_is_remembered_too() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 19;
    ids.idr[1] |= 10 << 6;
    for retention in [Retention::Sized, Retention::Everything] {
        let caches = Caches::EVERYTHING;
        let built = Implementation { retention, caches, ..implementation(ids) };
        let mut board = Board::with(built);
        board.stage1_tables();
        board.ste(STREAM, &[10 << 59 | STE_STAGE1 | 1 << 4, 0]);
        let ask = |board: &mut Board| board.ask_as(STREAM, Some(1), 0x10_000, Access::READ);
        assert_eq!(written(ask(&mut board)), "C_BAD_SUBSTREAMID");
        board.put(CDS, &[0x4399_0001]);
        board.put(0x4399_0040, &[CD0, STAGE1]);
        // Leaf = 1, and of another of its CDs with Leaf = 0.
        board.command(0x8_0000_1005, 1);
        assert_eq!(written(ask(&mut board)), "C_BAD_SUBSTREAMID");
        board.command(0x8_0000_2005, 0);
        assert_eq!(pa(ask(&mut board)), 0x4800_0000);
    }
}
