//! The Command queue through the public interface: pointers, errors, signals.

use crate::choice::{OutOfRangeParameter, Prefetch, ReservedCommandFields};
use crate::v3::testkit::{BOTH_STAGES, Board, CD0, COMMANDS, STAGE1, STREAM, implementation, pa};
use crate::v3::{IdRegisters, Path, Progress, SmmuV3};
use passim_model::{Effect, IntId, PhysAddr, StreamId, SubstreamId};

/// Whether a command is CERROR_ILL, and RD stays.
#[track_caller]
fn illegal_on(ids: IdRegisters, w0: u64, w1: u64) -> bool {
    let mut board = Board::with(implementation(ids));
    board.submit(w0, w1);
    assert_eq!(board.run(), 1);
    match (board.r32(0x9c), board.r32(0x60)) {
        (1, 0) => false,
        (0x100_0000, 1) => true,
        other => panic!("CONS and GERROR {other:x?}"),
    }
}

#[track_caller]
fn illegal(w0: u64, w1: u64) -> bool {
    illegal_on(BOTH_STAGES, w0, w1)
}

fn changed(edit: impl FnOnce(&mut [u32; 6])) -> IdRegisters {
    let mut ids = BOTH_STAGES;
    edit(&mut ids.idr);
    ids
}

#[test]
fn tlbi_el2_all_needs_hyp_t12a() {
    assert!(illegal(0x20, 0));
}

#[test]
fn atc_inv_needs_ats_t12b() {
    assert!(illegal(0x40, 0));
}

#[test]
fn resume_and_stall_term_need_stalls_t12c() {
    assert!(illegal(0x44, 0) && illegal(0x45, 0));
}

#[test]
fn pri_resp_needs_pri_t12d() {
    assert!(illegal(0x41, 0));
}

#[test]
fn a_granule_without_range_or_level_is_reserved_t12e() {
    assert!(illegal(0x12, 0x400), "TG 1 and NUM = SCALE = TTL = 0");
    assert!(illegal(0x12, 0x900), "TG 2 and TTL 1, which acts as 0");
    assert!(!illegal_on(changed(|idr| idr[5] |= 1 << 7), 0x12, 0x900), "with DS it is a level");
}

#[test]
fn sync_signals_are_three_t12f() {
    assert!(illegal(0x3046, 0));
}

#[test]
fn el3_is_for_the_secure_queue_t12g() {
    assert!(illegal(0x18, 0) && illegal(0x1a, 0));
}

#[test]
fn commands_of_features_that_are_absent() {
    assert!(illegal(0x07, 0), "CFGI_VMS_PIDM, MPAM = 0");
    for secure in [0x50, 0x51, 0x52, 0x53, 0x58, 0x5a, 0x60, 0x70, 0x73] {
        assert!(illegal(secure, 0), "{secure:#x}");
    }
    for reserved in [0x00, 0x08, 0x14, 0x19, 0x24, 0x29, 0x2f, 0x31, 0x42, 0x47, 0x80, 0xff] {
        assert!(illegal(reserved, 0), "{reserved:#x}");
    }
    for secure_stream in [0x401, 0x402, 0x403, 0x404, 0x405, 0x406] {
        assert!(illegal(secure_stream, 0), "SSec: {secure_stream:#x}");
    }
}

#[test]
fn the_same_commands_where_they_belong() {
    let hyp = changed(|idr| idr[0] |= 1 << 9);
    for code in 0x20..=0x23 {
        assert!(!illegal_on(hyp, code, 0));
    }
    assert!(!illegal_on(changed(|idr| idr[0] |= 1 << 10), 0x40, 0));
    let stalls = changed(|idr| idr[0] &= !(3 << 24));
    assert!(!illegal_on(stalls, 0x44, 0));
    assert!(!illegal_on(stalls, 0x45, 0));
    let pri = changed(|idr| idr[0] |= 1 << 16);
    assert!(!illegal_on(pri, 0x41, 2 << 12));
    assert!(illegal_on(pri, 0x41, 3 << 12), "Resp 3");
    // Without RIL, TG means nothing.
    assert!(!illegal_on(changed(|idr| idr[3] = 0), 0x12, 0x400));
    // One stage only.
    let stage2 = changed(|idr| idr[0] = 0xd44_1019);
    for code in [0x05, 0x06, 0x10, 0x11, 0x12, 0x13] {
        assert!(illegal_on(stage2, code, 0), "{code:#x} without stage 1");
        assert!(!illegal(code, 0));
    }
    let stage1 = changed(|idr| idr[0] &= !1);
    for code in [0x28, 0x2a] {
        assert!(illegal_on(stage1, code, 0), "{code:#x} without stage 2");
        assert!(!illegal(code, 0));
    }
    for code in [0x01, 0x02, 0x03, 0x04, 0x30, 0x46, 0x1046, 0x2046] {
        assert!(!illegal_on(stage2, code, 0) && !illegal_on(stage1, code, 0));
    }
}

#[test]
fn an_error_stops_the_queue_until_it_is_acknowledged() {
    let mut board = Board::new();
    board.effects();
    board.submit(0x2046, 0);
    board.submit(0xff, 0);
    board.submit(0x2046, 0);
    assert_eq!(board.run(), 2);
    assert_eq!((board.r32(0x9c), board.r32(0x60), board.r32(0x64)), (0x100_0001, 1, 0));
    assert_eq!(board.effects(), [Effect::Wire(IntId::new(109))]);
    // Ringing again does not help; putting a good command there and acknowledging does.
    board.w32(0x98, 3);
    assert_eq!(board.run(), 0);
    board.put(COMMANDS + 16, &[0x30, 0]);
    board.w32(0x64, 1);
    assert_eq!(board.run(), 2);
    assert_eq!(board.r32(0x9c) & 0xf, 3);
    // The next error toggles the bit back.
    board.submit(0xff, 0);
    board.run();
    assert_eq!((board.r32(0x60), board.r32(0x64)), (0, 1));
}

#[test]
fn a_queue_without_memory_is_an_abort() {
    let mut board = Board::new();
    board.w32(0x20, 0x5);
    board.w64(0x90, 0x1_0000_0003);
    board.w32(0x20, 0xd);
    board.w32(0x98, 1);
    board.run();
    assert_eq!((board.r32(0x9c), board.r32(0x60)), (0x200_0000, 1));
}

#[test]
fn the_queue_wraps_and_is_consumed_one_by_one() {
    let mut board = Board::new();
    for _ in 0..5 {
        board.command(0x2046, 0);
    }
    for _ in 0..8 {
        board.submit(0x2046, 0);
    }
    // Full: indexes equal, wrap flags differ.
    assert_eq!((board.r32(0x98), board.r32(0x9c)), (13, 5));
    assert_eq!(board.smmu.step(&mut board.memory), Progress::Worked);
    assert_eq!(board.r32(0x9c), 6);
    assert_eq!(board.run(), 7);
    assert_eq!((board.r32(0x98), board.r32(0x9c)), (13, 13));
    board.command(0x2046, 0);
    board.command(0x2046, 0);
    board.command(0x2046, 0);
    assert_eq!((board.r32(0x98), board.r32(0x9c)), (0, 0));
}

#[test]
fn nothing_is_consumed_while_disabled() {
    let mut board = Board::new();
    board.w32(0x20, 0x5);
    board.submit(0x2046, 0);
    assert_eq!(board.run(), 0);
    board.w32(0x20, 0xd);
    assert_eq!(board.run(), 1);
}

#[test]
fn the_base_is_aligned_to_the_queue_t14() {
    let mut board = Board::new();
    board.w32(0x20, 0x5);
    // Eight commands of 16 bytes: the low seven bits are ignored.
    board.w64(0x90, COMMANDS | 0x60 | 3);
    board.w32(0x20, 0xd);
    board.command(0xff, 0);
    assert_eq!(board.r32(0x60), 1, "the command at the aligned base was read");
}

#[test]
fn sync_signals_as_asked() {
    let mut board = Board::new();
    let wire = Effect::Wire(IntId::new(108));
    board.command(0x46, 0x4123_4560);
    assert_eq!(board.effects(), []);
    // Without MSI the message is ignored and the wire pulses, whatever IRQ_CTRL is.
    board.w32(0x50, 0);
    board.command(0xabcd_0000_1046, 0x4123_4560);
    assert_eq!(board.effects(), [wire]);
    board.command(0x2046, 0);
    assert_eq!(board.smmu.counters().cpu_events, 0, "IDR0.SEV = 0");
    let mut board = Board::with(implementation(changed(|idr| idr[0] |= 1 << 13 | 1 << 14)));
    board.command(0xabcd_0000_1046, 0x4123_4563);
    let message = Effect::Write { at: PhysAddr::new(0x4123_4560), data: 0xabcd, tag: 0 };
    assert_eq!(board.effects(), [message, wire]);
    board.command(0xabcd_0000_1046, 0);
    assert_eq!(board.effects(), [wire], "address zero sends nothing");
    board.command(0x2046, 0);
    assert_eq!(board.smmu.counters().cpu_events, 1);
}

/// A full queue sends an event when it has room again; a queue that was never full sends none.
#[test]
fn room_in_a_full_queue_is_an_event() {
    for (sev, expected) in [(0, 0), (1, 1)] {
        let mut board = Board::with(implementation(changed(|idr| idr[0] |= sev << 14)));
        for _ in 0..7 {
            board.submit(0x46, 0);
        }
        board.run();
        assert_eq!(board.smmu.counters().cpu_events, 0, "never full");
        for _ in 0..8 {
            board.submit(0x46, 0);
        }
        board.smmu.step(&mut board.memory);
        assert_eq!(board.smmu.counters().cpu_events, expected);
        board.run();
        assert_eq!(board.smmu.counters().cpu_events, expected, "once");
        // A command in error leaves the queue full.
        board.submit(0xff, 0);
        for _ in 0..7 {
            board.submit(0x46, 0);
        }
        board.run();
        assert_eq!((board.smmu.counters().cpu_events, board.r32(0x60)), (expected, 1));
    }
}

fn cached(smmu: &SmmuV3) -> (usize, usize) {
    (smmu.cached_streams().len(), smmu.cached_contexts().len())
}

#[test]
fn prefetch_fills_caches_only_if_that_is_the_choice() {
    for (choice, expected) in [(Prefetch::Ignored, (0, 0)), (Prefetch::Configuration, (1, 1))] {
        let mut built = implementation(BOTH_STAGES);
        built.choices.prefetch = choice;
        let mut board = Board::with(built);
        board.stage1(CD0);
        board.command(0x8_0000_0001, 0);
        assert_eq!(cached(&board.smmu), expected);
        // Nothing at all, and no event, for a stream without table or configuration.
        board.command(0xffff_0000_0001, 0);
        board.command(0x9_0000_0001, 0);
        assert_eq!((board.drain_events(), board.r32(0x60)), (0, 0));
    }
}

#[test]
fn parameters_beyond_the_size_are_a_choice() {
    for (choice, stays) in
        [(OutOfRangeParameter::NoEffect, true), (OutOfRangeParameter::Truncate, false)]
    {
        let mut built = implementation(BOTH_STAGES);
        built.choices.out_of_range = choice;
        let mut board = Board::with(built);
        board.stage1(CD0);
        board.stage1_tables();
        pa(board.read(0x10_000));
        board.command(0x1_0008_0000_0003, 1);
        assert_eq!(board.smmu.cached_streams() == [StreamId::new(STREAM)], stays);
    }
}

/// CMD_ATC_INV and CMD_PRI_RESP with PASID 0x43 where five bits are implemented.
#[test]
fn a_pasid_beyond_the_size_is_nobody_or_cut_but_not_absent() {
    let ids = changed(|idr| {
        idr[0] |= 1 << 16 | 1 << 10;
        idr[1] |= 5 << 6;
    });
    for (choice, expected) in [
        (OutOfRangeParameter::NoEffect, vec![]),
        (OutOfRangeParameter::Truncate, vec![Some(SubstreamId::new(3)); 2]),
    ] {
        let mut built = implementation(ids);
        built.choices.out_of_range = choice;
        let mut board = Board::with(built);
        board.effects();
        board.command(0x8_0004_3840, 0);
        board.command(0x8_0004_3841, 2 << 12);
        let told = board.effects().into_iter().map(|effect| match effect {
            Effect::InvalidateAtc(request) => request.substream,
            Effect::RespondToPages(response) => response.substream,
            other => panic!("{other:?}"),
        });
        assert_eq!((told.collect::<Vec<_>>(), board.r32(0x60)), (expected, 0));
        // Without SSV the field means nothing.
        board.command(0x8_0004_3040, 0);
        assert_eq!(board.effects().len(), 1);
    }
}

#[test]
fn reserved_fields_are_a_choice() {
    // Bit 9 of CFGI_STE means nothing.
    assert!(!illegal(0x8_0000_0203, 1));
    let mut built = implementation(BOTH_STAGES);
    built.choices.reserved_command_fields = ReservedCommandFields::Illegal;
    let mut board = Board::with(built);
    // What Linux sends is clean.
    for (w0, w1) in [
        (0x8_0000_0003, 1),
        (0x4, 31),
        (0x8_0000_0005, 1),
        (0x7_0000_0030_0012, 0x4000_0701),
        (0x7_0000_0000_0011, 0),
        (0x30, 0),
        (0xfc0_2046, 0),
    ] {
        board.command(w0, w1);
        assert_eq!(board.r32(0x60), 0, "{w0:#x}");
    }
    board.command(0x8_0000_0203, 1);
    assert_eq!(board.r32(0x60), 1);
}

#[test]
fn el2_commands_follow_e2h() {
    let mut board = Board::with(implementation(changed(|idr| idr[0] |= 1 << 9)));
    board.stage1_tables();
    board.stage1(CD0);
    // STRW 2: EL2.
    board.ste(STREAM, &[0x4398_700b, 2 << 30]);
    pa(board.read(0x10_000));
    for keeps in [0x7_0000_0000_0021, 0x10, 0x30, 0x7_0000_0000_0012] {
        board.command(keeps, 0x1_0001);
        assert_eq!(board.smmu.tlb_entries().len(), 1, "{keeps:#x}");
    }
    // The ASID is ignored.
    board.command(0x9_0000_0000_0022, 0x1_0001);
    assert_eq!(board.smmu.tlb_entries().len(), 0);
    // In an EL2 regime AP[1] acts as 1.
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f07]);
    pa(board.write(0x10_000));
    board.command(0x20, 0);
    board.reprogram(|board| board.w32(0x2c, 1));
    board.command(0x4, 31);
    board.stage1_tables();
    pa(board.read(0x10_000));
    board.command(0x9_0000_0000_0022, 0x1_0001);
    assert_eq!(board.smmu.tlb_entries().len(), 1, "E2H entries have an ASID");
    board.command(0x7_0000_0000_0021, 0);
    let walked = crate::v3::testkit::went_on(board.read(0x10_000));
    assert_eq!(walked.path, Path::Walk);
}
