//! The register file by raw offsets.

use crate::choice::Acknowledge;
use crate::v3::testkit::{BOTH_STAGES, Board, implementation};
use passim_model::Width;

fn cold() -> Board {
    Board::cold(implementation(BOTH_STAGES))
}

#[test]
fn identification_reads_and_ignores_stores() {
    let mut board = cold();
    let expected =
        [(0x0, 0xd44_101b), (0x4, 0x273_0010), (0x8, 0), (0xc, 0x1414), (0x10, 0), (0x14, 0x74)];
    for (offset, value) in expected {
        board.w32(offset, !0);
        assert_eq!(board.r32(offset), value, "{offset:#x}");
    }
    assert_eq!((board.r32(0x18), board.r32(0x1c)), (0, 1));
    assert_eq!(board.r64(0x0), 0x273_0010_0d44_101b);
}

#[test]
fn cr0_is_acknowledged_at_once_by_default() {
    let mut board = cold();
    board.w32(0x20, !0);
    // PRIQEN, ATSCHK and VMW do not exist here.
    assert_eq!((board.r32(0x20), board.r32(0x24)), (0xd, 0xd));
    board.w32(0x24, 0);
    assert_eq!(board.r32(0x24), 0xd);
    board.w32(0x50, !0);
    assert_eq!((board.r32(0x50), board.r32(0x54)), (0b101, 0b101));
}

#[test]
fn a_wildcard_altered_twice_keeps_its_first_value() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 17;
    let mut built = implementation(ids);
    built.choices.acknowledge = Acknowledge::OnStep;
    let mut board = Board::cold(built);
    board.w32(0x20, 1 << 6);
    // IHI 0070 G.b 6.3.9: ignored until the Update is complete; fields beside it are not.
    board.w32(0x20, 2 << 6 | 1 << 2);
    assert_eq!((board.r32(0x20), board.r32(0x24)), (1 << 6 | 1 << 2, 0));
    board.run();
    assert_eq!(board.r32(0x24), 1 << 6 | 1 << 2);
    board.w32(0x20, 2 << 6);
    // What was there before ends the Update.
    board.w32(0x20, 1 << 6);
    board.w32(0x20, 3 << 6);
    board.run();
    assert_eq!((board.r32(0x20), board.r32(0x24)), (3 << 6, 3 << 6));
}

#[test]
fn acknowledgement_can_take_steps() {
    let mut built = implementation(BOTH_STAGES);
    built.choices.acknowledge = Acknowledge::OnStep;
    let mut board = Board::cold(built);
    board.w32(0x20, 1);
    board.w32(0x50, 4);
    board.w32(0x44, 1 << 31 | 0x1000);
    assert_eq!((board.r32(0x24), board.r32(0x54)), (0, 0));
    assert_eq!(board.r32(0x44), 0x8000_1000);
    // A second update while one is under way is ignored.
    board.w32(0x44, 1 << 31 | 0x2000);
    // Written but not acknowledged guards as well.
    board.w32(0x88, 8);
    assert_eq!(board.r32(0x88), 0);
    assert_eq!(board.run(), 3);
    assert_eq!((board.r32(0x24), board.r32(0x54), board.r32(0x44)), (1, 4, 0x1000));
    board.w32(0x20, 0);
    board.w32(0x88, 8);
    assert_eq!(board.r32(0x88), 0, "still acknowledged as on");
    assert_eq!(board.run(), 1);
    board.w32(0x88, 8);
    assert_eq!(board.r32(0x88), 8);
}

#[test]
fn wide_registers_take_halves_and_keep_their_fields() {
    let mut board = cold();
    for base in [0x80, 0x90, 0xa0] {
        board.w64(base, !0);
        let both = board.r64(base);
        assert_eq!(u64::from(board.r32(base)), both & 0xffff_ffff);
        assert_eq!(u64::from(board.r32(base + 4)), both >> 32);
        board.w32(base, 0x1234_5678);
        board.w32(base + 4, 0x4000_0001);
        let fields = if base == 0x80 { 0x1234_5640 } else { 0x1234_5678 };
        assert_eq!(board.r64(base), 0x4000_0001_0000_0000 | fields);
    }
    board.w64(0x80, !0);
    assert_eq!(board.r64(0x80), 0x40ff_ffff_ffff_ffc0);
    board.w64(0x90, !0);
    assert_eq!(board.r64(0x90), 0x40ff_ffff_ffff_ffff);
    board.w32(0x88, !0);
    assert_eq!(board.r32(0x88), 0x3_07ff);
}

#[test]
fn pointers_show_the_bits_of_their_queue() {
    let mut board = cold();
    board.w64(0x90, 3);
    board.w32(0x98, !0);
    board.w32(0x9c, !0);
    assert_eq!((board.r32(0x98), board.r32(0x9c)), (0xf, 0x7f00_000f));
    board.w64(0xa0, 2);
    board.w32(0x100a8, !0);
    board.w32(0x100ac, !0);
    assert_eq!((board.r32(0x100a8), board.r32(0x100ac)), (0x8000_0007, 0x8000_0007));
    // Page 0 has no alias of them.
    assert_eq!((board.r32(0xa8), board.r32(0xac)), (0, 0));
    // LOG2SIZE beyond IDR1 reads back and is not used.
    board.w64(0x90, 31);
    assert_eq!(board.r32(0x90), 31);
    board.w32(0x98, !0);
    assert_eq!(board.r32(0x98), 0xf_ffff);
}

/// Each guard: the enabling store, the register, a value it holds.
#[test]
fn guarded_registers_ignore_stores_t21() {
    let smmuen: &[u64] = &[0x80, 0x84, 0x88, 0x2c];
    let eventqen: &[u64] = &[0xa0, 0xa4, 0x100a8];
    let cmdqen: &[u64] = &[0x90, 0x94, 0x9c];
    for (enable, guarded) in [(1, smmuen), (4, eventqen), (8, cmdqen)] {
        for &offset in guarded {
            let mut board = cold();
            board.w64(0x90, 3);
            board.w64(0xa0, 2);
            let before = board.r32(offset);
            board.w32(0x20, enable);
            board.w32(offset, 0x4000_0046);
            assert_eq!(board.r32(offset), before, "{offset:#x} with CR0 {enable:#x}");
            board.w32(0x20, 0);
            board.w32(offset, 0x4000_0046);
            assert_ne!(board.r32(offset), before, "{offset:#x} once it is open");
        }
    }
    // The pointers software moves stay open.
    let mut board = cold();
    board.w64(0x90, 3);
    board.w64(0xa0, 3);
    board.w32(0x20, 0xc);
    board.w32(0x98, 5);
    board.w32(0x100ac, 6);
    assert_eq!((board.r32(0x98), board.r32(0x100ac)), (5, 6));
}

#[test]
fn cr1_is_guarded_in_two_parts() {
    let mut board = cold();
    board.w32(0x28, !0);
    assert_eq!(board.r32(0x28), 0xfff);
    board.w32(0x20, 1);
    board.w32(0x28, 0);
    assert_eq!(board.r32(0x28), 0xfc0);
    board.w32(0x20, 4);
    board.w32(0x28, 0x3f);
    assert_eq!(board.r32(0x28), 0);
}

#[test]
fn message_configuration_exists_with_msi_and_is_guarded() {
    let mut board = cold();
    board.w64(0x68, !0);
    board.w32(0xb8, !0);
    assert_eq!((board.r64(0x68), board.r32(0xb8)), (0, 0));
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 13;
    let mut board = Board::cold(implementation(ids));
    for base in [0x68, 0xb0] {
        board.w64(base, !0);
        board.w64(base + 8, !0);
        assert_eq!(board.r64(base), 0x00ff_ffff_ffff_fffc);
        assert_eq!(board.r64(base + 8), 0x3f_ffff_ffff);
    }
    board.w32(0x50, 0b001);
    board.w64(0x68, 0);
    board.w64(0xb0, 0);
    assert_eq!((board.r64(0x68), board.r64(0xb0)), (0x00ff_ffff_ffff_fffc, 0));
}

/// IHI 0070 G.b 6.3.25: FMT and SPLIT are about two levels.
#[test]
fn linear_stream_tables_have_a_size_alone() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] &= !(3 << 27);
    for (ids, kept) in [(BOTH_STAGES, 0x3_07ff), (ids, 0x3f)] {
        let mut board = Board::cold(implementation(ids));
        board.w32(0x88, !0);
        assert_eq!(board.r32(0x88), kept);
    }
}

#[test]
fn what_is_not_there_reads_as_zero() {
    let mut board = cold();
    for offset in [0x48, 0x100, 0x108, 0xc0, 0xfd0, 0x8000, 0x8020, 0x10000, 0x1fffc, 0x20000, !3] {
        board.w32(offset, !0);
        assert_eq!(board.r32(offset), 0, "{offset:#x}");
    }
    // Misaligned accesses too.
    assert_eq!(board.smmu.load(0x1, Width::W32), 0);
    assert_eq!(board.smmu.load(0x4, Width::W64), 0);
    board.smmu.store(0x22, Width::W32, 1, &mut board.memory);
    assert_eq!(board.r32(0x20), 0);
}

#[test]
fn reset_forgets_everything() {
    let mut board = Board::new();
    board.smmu.reset();
    assert_eq!((board.r32(0x20), board.r32(0x24), board.r64(0x80), board.r64(0x90)), (0, 0, 0, 0));
}
