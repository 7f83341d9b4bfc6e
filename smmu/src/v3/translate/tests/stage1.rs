//! Stage 1 alone: ranges, permissions, faults and their records.

use crate::regime::Response;
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STREAM, event, implementation, pa, went_on, written,
};
use crate::v3::{Cause, CdFlaw, Description, Detail, IdRegisters, Outcome, Path, Record};
use passim_model::access::{Access, Privilege};
use passim_model::{Perms, PhysAddr};

fn board() -> Board {
    let mut board = Board::new();
    board.stage1(CD0);
    board
}

/// A board whose CD is `edit`ed.
fn board_with(ids: IdRegisters, edit: impl FnOnce(&mut [u64; 4])) -> Board {
    let mut board = Board::with(implementation(ids));
    board.stage1_tables();
    let mut cd = [CD0, STAGE1, 0, 0];
    edit(&mut cd);
    board.stage1(cd[0]);
    board.put(CDS, &cd);
    board
}

#[test]
fn pages_and_blocks_translate() {
    let mut board = board();
    let first = went_on(board.read(0x10_008));
    assert_eq!(first.pa, PhysAddr::new(0x4800_0008));
    assert_eq!((first.lg2, first.path), (12, Path::Walk));
    assert_eq!(first.perms & Perms::WRITE, Perms::WRITE);
    let again = went_on(board.read(0x10_ff8));
    assert_eq!((again.pa, again.path), (PhysAddr::new(0x4800_0ff8), Path::Hit));
    assert_eq!(pa(board.write(0x10_008)), 0x4800_0008);
    let block = went_on(board.read(0x32_1234));
    assert_eq!((block.pa.get(), block.lg2), (0x4832_1234, 21));
    assert_eq!(board.smmu.counters().walks, 2);
}

#[test]
fn one_record_for_one_transaction_t22() {
    let mut board = board();
    assert_eq!(written(board.read(0x12_340)), "F_TRANSLATION");
    assert_eq!(board.drain_events(), 1);
    // ID 0x10, stream 8; RnW, CLASS = IN; the address as it was on the bus.
    assert_eq!(board.last_record(), [0x8_0000_0010, 0x208_0000_0000, 0x12340, 0]);
    written(board.write(0x12_340));
    assert_eq!(board.last_record(), [0x8_0000_0010, 0x200_0000_0000, 0x12340, 0]);
}

#[test]
fn a_read_only_page_refuses_writes_on_a_miss_and_on_a_hit() {
    let mut board = board();
    assert_eq!(written(board.write(0x11_000)), "F_PERMISSION");
    assert_eq!(board.last_record(), [0x8_0000_0013, 0x200_0000_0000, 0x11000, 0]);
    let hit = went_on(board.read(0x11_000));
    assert_eq!((hit.pa.get(), hit.path), (0x4800_1000, Path::Hit));
    assert_eq!(hit.perms & Perms::WRITE, Perms::empty());
    let (event, _) = event(board.write(0x11_000));
    assert_eq!((event.kind.number(), event.detail), (0x13, Detail::Level(3)));
}

#[test]
fn table_limits_survive_in_the_tlb_t10() {
    let mut board = board();
    // APTable[1] of the level-2 table descriptor: read-only below.
    board.put(STAGE1 + 0x2000, &[1 << 62 | (STAGE1 + 0x3003)]);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    assert_eq!(written(board.write(0x10_000)), "F_PERMISSION");
}

#[test]
fn unprivileged_traffic_needs_ap1_t17() {
    let mut board = board();
    // AP[1] = 0: privileged only.
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f07]);
    assert_eq!(written(board.write(0x10_000)), "F_PERMISSION");
    let privileged = Access { privilege: Privilege::Privileged, ..Access::WRITE };
    assert_eq!(pa(board.ask(STREAM, 0x10_000, privileged)), 0x4800_0000);
    let (event, _) = event(board.ask(STREAM, 0x13_000, privileged));
    // PnU is bit 33.
    assert_eq!(event.words()[1], 0x202_0000_0000);
}

#[test]
fn beyond_t0sz_is_a_translation_fault() {
    let mut board = board();
    for iova in [1 << 48, 1 << 52, 0x00ff_0000_0001_0000] {
        assert_eq!(written(board.read(iova)), "F_TRANSLATION");
        board.drain_events();
    }
    // The upper half is disabled by EPD1, whatever TTB1 is.
    assert_eq!(written(board.read(0xffff_0000_0001_0000)), "F_TRANSLATION");
    // EPD0: the miss faults.
    let mut board = board_with(BOTH_STAGES, |cd| cd[0] |= 1 << 14);
    assert_eq!(written(board.read(0x10_000)), "F_TRANSLATION");
}

#[test]
fn the_upper_half_uses_ttb1() {
    // EPD1 off, T1SZ 16, TG1 2 (4K).
    let cd0 = CD0 & !(1 << 30) | 16 << 16 | 2 << 22;
    let mut board = board_with(BOTH_STAGES, |cd| *cd = [cd0, 0x4700_0000, STAGE1, 0]);
    assert_eq!(pa(board.read(0xffff_0000_0001_0004)), 0x4800_0004);
    assert_eq!(written(board.read(0x1_0004)), "F_TRANSLATION");
    assert_eq!(written(board.read(0xfffe_0000_0001_0004)), "F_TRANSLATION");
}

#[test]
fn top_byte_ignore_is_a_matter_of_each_half_t5() {
    let both = CD0 & !(1 << 30) | 16 << 16 | 2 << 22;
    let (low, high) = (0x5500_0000_0001_0000, 0x55ff_0000_0001_0000);
    for (tbi, low_works, high_works) in
        [(0, false, false), (1, true, false), (2, false, true), (3, true, true)]
    {
        let cd0 = both | tbi << 38;
        let mut board = board_with(BOTH_STAGES, |cd| *cd = [cd0, STAGE1, STAGE1, 0]);
        for (iova, works) in [(low, low_works), (high, high_works)] {
            match works {
                true => assert_eq!(pa(board.read(iova)), 0x4800_0000, "TBI {tbi}"),
                false => assert_eq!(written(board.read(iova)), "F_TRANSLATION", "TBI {tbi}"),
            }
        }
        // The event holds the address as it came.
        if !low_works {
            board.drain_events();
            board.read(low);
            assert_eq!(board.last_record()[2], low);
        }
    }
}

#[test]
fn ips_is_capped_to_the_output_size_t3() {
    // IPS 6 is 52 bits; OAS is 44.
    let wide = CD0 & !(7 << 32) | 6 << 32;
    let mut board = board_with(BOTH_STAGES, |cd| cd[0] = wide);
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[1 << 44 | 0xf47]);
    assert_eq!(written(board.read(0x10_000)), "F_ADDR_SIZE");
    let mut board = board_with(BOTH_STAGES, |cd| cd[..2].copy_from_slice(&[wide, 1 << 44]));
    let (event, _) = event(board.read(0x10_000));
    assert_eq!((event.kind.number(), event.detail), (0x0a, Detail::Cd(CdFlaw::Ttb)));
}

#[test]
fn a_table_pointer_beyond_ips_is_an_address_size_fault_t20() {
    let mut board = board();
    board.put(STAGE1 + 0x2000, &[1 << 45 | 3]);
    assert_eq!(written(board.read(0x10_000)), "F_ADDR_SIZE");
    assert_eq!(board.last_record()[1], 0x208_0000_0000);
}

#[test]
fn a_table_without_memory_is_an_aborted_walk() {
    let mut board = board();
    board.put(STAGE1 + 0x2000, &[0x1_0000_0003]);
    assert_eq!(written(board.read(0x10_000)), "F_WALK_EABT");
    // CLASS = TT, S2 = 0; dword 3 is the address of the descriptor.
    assert_eq!(board.last_record(), [0x8_0000_000b, 0x108_0000_0000, 0x10000, 0x1_0000_0080]);
}

#[test]
fn a_clear_access_flag_faults_before_permission_and_unless_disabled() {
    let mut board = board();
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f47 & !(1 << 10) | 0x80]);
    assert_eq!(written(board.write(0x10_000)), "F_ACCESS");
    let mut board = board_with(BOTH_STAGES, |cd| cd[0] |= 1 << 35);
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f47 & !(1 << 10)]);
    assert_eq!(pa(board.write(0x10_000)), 0x4800_0000);
}

#[test]
fn r_decides_recording_and_a_the_answer() {
    let mut board = board_with(BOTH_STAGES, |cd| cd[0] &= !(1 << 45));
    assert_eq!(event(board.read(0)).1, Record::Suppressed);
    assert_eq!(board.drain_events(), 0);
    // A walk that aborts is recorded, whatever R is.
    board.put(STAGE1 + 0x2000, &[0x1_0000_0003]);
    assert_eq!(written(board.read(0x10_000)), "F_WALK_EABT");

    // TERM_MODEL = 1: A = 0 is illegal. TERM_MODEL = 0: reads as zero, writes ignored.
    let no_abort = |cd: &mut [u64; 4]| cd[0] &= !(1 << 46);
    let mut strict = board_with(BOTH_STAGES, no_abort);
    assert_eq!(event(strict.read(0)).0.detail, Detail::Cd(CdFlaw::A));
    let mut ids = BOTH_STAGES;
    ids.idr[0] &= !(1 << 26);
    let mut lenient = board_with(ids, no_abort);
    let Outcome::Terminated(ended) = lenient.read(0) else { panic!("translated") };
    assert_eq!(ended.response, Response::RazWi);
    assert!(matches!(ended.cause, Cause::Event(_, Record::Written)));
}

#[test]
fn execution_is_a_permission_of_its_own() {
    let mut board = board();
    let fetch = Access { instruction: true, ..Access::READ };
    assert_eq!(pa(board.ask(STREAM, 0x10_000, fetch)), 0x4800_0000);
    // XN.
    board.put(STAGE1 + 0x3000 + 0x14 * 8, &[1 << 54 | 0x4800_4f47]);
    assert_eq!(written(board.ask(STREAM, 0x14_000, fetch)), "F_PERMISSION");
    // InD is bit 34, RnW bit 35.
    assert_eq!(board.last_record()[1], 0x20c_0000_0000);
    assert_eq!(pa(board.read(0x14_000)), 0x4800_4000);
}

/// EVERYTHING has E0PD, EPAN and HAD.
fn everything(edit: impl FnOnce(&mut [u64; 4])) -> Board {
    let description = Description { stream_bits: 16, ..Description::EVERYTHING };
    board_with(description.id_registers().unwrap(), edit)
}

const PRIVILEGED: Access = Access { privilege: Privilege::Privileged, ..Access::READ };

#[test]
fn e0pd_closes_a_half_to_unprivileged_accesses() {
    let mut board = everything(|cd| cd[1] |= 1 << 2);
    assert_eq!(written(board.read(0x10_000)), "F_TRANSLATION");
    assert_eq!(pa(board.ask(STREAM, 0x10_000, PRIVILEGED)), 0x4800_0000);
    // On a hit too.
    assert_eq!(written(board.read(0x10_000)), "F_TRANSLATION");
    // Without the feature the bit means nothing.
    let mut board = board_with(BOTH_STAGES, |cd| cd[1] |= 1 << 2);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
}

#[test]
fn pan_closes_unprivileged_pages_to_privileged_data_accesses() {
    let mut board = everything(|cd| cd[0] |= 1 << 40);
    assert_eq!(written(board.ask(STREAM, 0x10_000, PRIVILEGED)), "F_PERMISSION");
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    // AP[1] = 0: executable without privilege, and that applies only with EPAN.
    let page = STAGE1 + 0x3000 + 0x12 * 8;
    board.put(page, &[0x4800_2f07]);
    assert_eq!(pa(board.ask(STREAM, 0x12_000, PRIVILEGED)), 0x4800_2000);
    let mut board = everything(|cd| {
        cd[0] |= 1 << 40;
        cd[1] |= 1 << 59;
    });
    board.put(page, &[0x4800_2f07]);
    assert_eq!(written(board.ask(STREAM, 0x12_000, PRIVILEGED)), "F_PERMISSION");
}

#[test]
fn had_makes_table_limits_ignored() {
    let mut board = everything(|cd| cd[1] |= 1 << 1);
    board.put(STAGE1 + 0x2000, &[3 << 61 | (STAGE1 + 0x3003)]);
    assert_eq!(pa(board.write(0x10_000)), 0x4800_0000);
}

#[test]
fn wxn_takes_execution_from_what_may_be_written() {
    let mut board = everything(|cd| cd[0] |= 1 << 36);
    let fetch = Access { instruction: true, ..Access::READ };
    assert_eq!(written(board.ask(STREAM, 0x10_000, fetch)), "F_PERMISSION");
    assert_eq!(pa(board.ask(STREAM, 0x11_000, fetch)), 0x4800_1000);
}
