//! Registers: fixed fields, access sizes, halves, and the presets' choices about them.

use super::every_preset;
use crate::Size;
use crate::choice::Preset;
use crate::choice::its::{BasesWhileEnabled, QueueBase, Quiescent};
use crate::its::testkit::{Board, COLLECTIONS, DEVICES, ITS, QUEUE};
use crate::v3::Implementation;

#[test]
fn what_a_driver_reads() {
    let mut qemu = Board::new(Preset::Qemu);
    assert_eq!(qemu.r64(ITS, 0x08), 0x1f_0001_efb1, "as recorded");
    assert_eq!(qemu.r32(ITS, 0x04), 0x43b);
    assert_eq!(qemu.r32(ITS, 0x00), 0x8000_0001, "as recorded");
    assert_eq!(qemu.r32(ITS, 0xffe8), 0x3b);
    let mut kvm = Board::new(Preset::KvmAbi0);
    assert_eq!(kvm.r64(ITS, 0x08), 0x1_ef71);
    assert_eq!(kvm.r32(ITS, 0x04), 0x4b00_043b);
    let mut strict = Board::new(Preset::ArchStrict);
    assert_eq!(strict.r64(ITS, 0x08), 0x101f_0001_efb1);
}

#[test]
fn registers_of_tables() {
    let mut board = Board::new(Preset::Qemu);
    board.w32(ITS, 0x00, 0);
    board.w64(ITS, 0x100, 0xf907_0001_001d_0600);
    assert_eq!(board.r64(ITS, 0x100), 0xf907_0001_001d_0600, "as recorded");
    board.w64(ITS, 0x108, 0xb807_0001_001e_0600);
    assert_eq!(board.r64(ITS, 0x108), 0xbc07_0001_001e_0600, "the type is fixed");
    for n in 2..8 {
        board.w64(ITS, 0x100 + 8 * n, u64::MAX);
        assert_eq!(board.r64(ITS, 0x100 + 8 * n), 0);
    }
    board.w32(ITS, 0x104, 0x8000_0000);
    assert_eq!(board.r64(ITS, 0x100), 0x8107_0000_001d_0600, "the upper half alone");
    board.w64(ITS, 0x100, 1 << 63 | 3 << 8);
    assert_eq!(board.r64(ITS, 0x100) >> 8 & 3, 3, "a reserved page size is kept");
    let mut strict = Board::new(Preset::ArchStrict);
    strict.w32(ITS, 0x00, 0);
    strict.w64(ITS, 0x100, 1 << 63 | 3 << 8);
    assert_eq!(strict.r64(ITS, 0x100) >> 8 & 3, 2, "elsewhere it is 64 KiB");
    let mut kvm = Board::new(Preset::KvmAbi0);
    kvm.w32(ITS, 0x00, 0);
    kvm.w64(ITS, 0x108, 1 << 63 | 1 << 62 | COLLECTIONS);
    assert_eq!(kvm.r64(ITS, 0x108) >> 62, 2, "collections are flat");
    assert_eq!(kvm.r64(ITS, 0x108) >> 8 & 3, 2, "pages are 64 KiB");
}

#[test]
fn bases_are_closed_while_enabled() {
    every_preset(|mut board, preset| {
        let taken = board.choices().bases_while_enabled == BasesWhileEnabled::Taken;
        assert!(!taken || matches!(preset, Preset::Adversarial(_)));
        for (at, value) in [(0x80, 1 << 63 | 0x4800_0000), (0x100, 1 << 63), (0x108, 1 << 63)] {
            let before = board.r64(ITS, at);
            board.w64(ITS, at, value);
            assert_eq!(board.r64(ITS, at) != before, taken);
        }
    });
}

#[test]
fn the_queue_base_clears_the_reader() {
    every_preset(|mut board, preset| {
        board.map(2, 20, 8195, 3);
        assert_ne!(board.r64(ITS, 0x90), 0);
        board.w32(ITS, 0x00, 0);
        let writer = board.r64(ITS, 0x88);
        board.w64(ITS, 0x80, 1 << 63 | (QUEUE + 0x1000) | 15);
        assert_eq!(board.r64(ITS, 0x90), 0);
        let kvm = preset == Preset::KvmAbi0;
        assert_eq!(board.r64(ITS, 0x88), if kvm { 0 } else { writer });
        // KVM stores cacheable in place of Non-cacheable.
        let attributes = if kvm { 3 << 59 } else { 0 };
        let cut = board.choices().queue_base == QueueBase::Cut;
        let base = if cut { QUEUE } else { QUEUE + 0x1000 };
        assert_eq!(board.r64(ITS, 0x80), 1 << 63 | attributes | base | 15);
    });
}

#[test]
fn the_reader_is_read_only_unless_chosen() {
    every_preset(|mut board, preset| {
        let reader = board.r64(ITS, 0x90);
        let stored = |value| if preset == Preset::Qemu { value } else { reader };
        board.w64(ITS, 0x90, 0x40);
        assert_eq!(board.r64(ITS, 0x90), stored(0x40), "while enabled");
        board.run();
        assert_eq!(board.r64(ITS, 0x90), stored(0x40), "nothing is looked for by that");
        let writer = board.writer;
        board.w64(ITS, 0x88, writer);
        board.run();
        assert_eq!(board.r64(ITS, 0x90), reader, "but by GITS_CWRITER");
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x90, 0x60);
        assert_eq!(board.r64(ITS, 0x90), stored(0x60));
    });
}

#[test]
fn quiescent() {
    every_preset(|mut board, _| {
        let on = board.r32(ITS, 0x00) >> 31;
        board.write_command([0x05, 0, 0, 0]);
        let writer = board.writer;
        board.w64(ITS, 0x88, writer);
        let busy = board.r32(ITS, 0x00) >> 31;
        board.run();
        board.w32(ITS, 0x00, 0);
        board.run();
        let off = board.r32(ITS, 0x00) >> 31;
        let expected = match board.choices().quiescent {
            Quiescent::Always => [1, 1, 1],
            Quiescent::WhenIdle | Quiescent::WhenQuiet => [1, 0, 1],
            Quiescent::WhenDisabled => [0, 0, 1],
        };
        assert_eq!([on, busy, off], expected);
    });
}

#[test]
fn enabling_without_tables() {
    for (preset, expected) in [(Preset::Qemu, 1), (Preset::KvmAbi0, 0)] {
        let mut board = Board::new(preset);
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x108, 0);
        board.w32(ITS, 0x00, 1);
        assert_eq!(board.r32(ITS, 0x00) & 1, expected);
    }
}

/// Where the bits below the alignment act as zero, commands are read at the aligned address; they
/// read as written, or as zero.
#[test]
fn a_queue_that_is_not_aligned() {
    for (queue_base, reads, used) in [
        (QueueBase::AsItIs, 0x1000, 0x1000),
        (QueueBase::Cut, 0, 0),
        (QueueBase::CutUnseen, 0x1000, 0),
    ] {
        let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
        spec.its[0].choices.queue_base = queue_base;
        let mut board = Board::with(spec);
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x80, 1 << 63 | (QUEUE + 0x1000));
        assert_eq!(board.r64(ITS, 0x80), 1 << 63 | (QUEUE + reads));
        // By halves the bits stay what they read as.
        board.w32(ITS, 0x84, 1 << 31);
        assert_eq!(board.r64(ITS, 0x80), 1 << 63 | (QUEUE + reads));
        // MAPC of collection 7, at the address used.
        board.put(QUEUE + used, 0x09);
        board.put(QUEUE + used + 16, 1 << 63 | 7);
        board.put(QUEUE + (used ^ 0x1000), 0xff);
        board.w64(ITS, 0x88, 0x20);
        board.w32(ITS, 0x00, 1);
        board.run();
        assert_eq!(board.r64(ITS, 0x90), 0x20, "{queue_base:?}");
        let mappings = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
        assert!(mappings.collections.contains_key(&7));
    }
}

#[test]
fn a_writer_beyond_the_queue() {
    for (preset, kept) in [(Preset::ArchStrict, false), (Preset::Qemu, true)] {
        let mut board = Board::new(preset);
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x80, 1 << 63 | QUEUE);
        board.w64(ITS, 0x88, 0);
        board.w32(ITS, 0x00, 1);
        board.w64(ITS, 0x88, 0x2000);
        assert_eq!(board.r64(ITS, 0x88) == 0x2000, kept);
        assert_eq!(board.run(), 0);
        board.w64(ITS, 0x88, 0x20);
        assert_eq!(board.run(), 1, "put right");
    }
}

#[test]
fn the_queue_wraps() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x80, 1 << 63 | QUEUE);
        board.w64(ITS, 0x88, 0);
        board.w32(ITS, 0x00, 1);
        board.run();
        // A queue of 4 KiB holds 128 commands: three times round, in batches of 50.
        let mut writer = 0u64;
        let mut consumed = board.gic.its()[0].counters().commands;
        for _ in 0..8 {
            for _ in 0..50 {
                let int = [2u64 << 32 | 0x03, 20, 0, 0];
                for (i, word) in int.into_iter().enumerate() {
                    board.put(QUEUE + writer + 8 * i as u64, word);
                }
                writer = (writer + 32) % 0x1000;
            }
            board.w64(ITS, 0x88, writer);
            for _ in 0..200 {
                let board = &mut board.board;
                let _ = board.gic.step(&mut board.memory);
            }
            assert_eq!(board.r64(ITS, 0x90), writer);
            consumed += 50;
            assert_eq!(board.gic.its()[0].counters().commands, consumed);
            board.only(3, 8195);
        }
    });
}

#[test]
fn accesses_that_are_flagged() {
    let mut board = Board::new(Preset::ArchStrict);
    assert_eq!(board.r32(ITS, 0x40), 0);
    board.r32(ITS, 0x20);
    assert_eq!(board.r32(ITS, 0x40), 1, "RRD");
    board.w32(ITS, 0x20, 0);
    board.r32(ITS, 0x1_0040);
    board.w32(ITS, 0x04, 0);
    assert_eq!(board.r32(ITS, 0x40), 0xf);
    board.w32(ITS, 0x40, 0b101);
    assert_eq!(board.r32(ITS, 0x40), 0xa, "write one to clear");
    let mut without = Board::new(Preset::Qemu);
    without.r32(ITS, 0x20);
    assert_eq!(without.r32(ITS, 0x40), 0);
}

#[test]
fn unmapped_messages_are_recorded() {
    let mut board = Board::new(Preset::ArchStrict);
    board.map(2, 20, 8195, 3);
    board.message(2, 21);
    assert_eq!(board.r64(ITS, 0x48), 2 << 32 | 21);
    assert_eq!(board.r32(ITS, 0x40), 5 << 6 | 1 << 4);
    board.message(3, 1);
    assert_eq!(board.r64(ITS, 0x48), 2 << 32 | 21, "the first is kept");
    assert_eq!(board.r32(ITS, 0x40) >> 4 & 3, 3);
    board.w32(ITS, 0x40, 0x30);
    for (device, event, syndrome) in [(3, 1, 3), (2, 256, 4), (0x1_0000, 0, 2)] {
        board.message(device, event);
        assert_eq!(board.r32(ITS, 0x40) >> 6, syndrome);
        assert_eq!(board.r64(ITS, 0x48), u64::from(device) << 32 | u64::from(event));
        board.w32(ITS, 0x40, 0x30);
    }
    board.unmap_collection(3);
    board.message(2, 20);
    assert_eq!(board.r32(ITS, 0x40) >> 6, 7);
}

#[test]
fn sizes_a_register_does_not_have() {
    let mut board = Board::new(Preset::ArchStrict);
    for size in [Size::Byte, Size::Half] {
        assert_eq!(board.gic.load(ITS, 0x08, size), 0);
        board.board.gic.store(ITS, 0x00, size, 0, &mut board.board.memory);
        assert_eq!(board.r32(ITS, 0x00) & 1, 1);
    }
    assert_eq!(board.gic.load(ITS, 0x0a, Size::Word), 0, "misaligned");
    assert_eq!(board.r64(ITS, 0x100) & 0xffff_ffff_0000, DEVICES);
}

/// 32-bit registers ignore 64-bit accesses.
#[test]
fn only_wide_registers_take_wide_accesses() {
    every_preset(|mut board, _| {
        for at in [0x00, 0x40, 0xffd0, 0xffe8] {
            assert_eq!(board.r64(ITS, at), 0, "{at:#x}");
        }
        board.w64(ITS, 0x00, 0);
        assert_eq!(board.r32(ITS, 0x00) & 1, 1, "it is on as before");
        assert_ne!(board.r64(ITS, 0x08), 0);
    });
}

/// QEMU stores every bit that is not read-only; KVM does so in GITS_CBASER.
#[test]
fn reserved_bits_are_kept_where_chosen() {
    let all = u64::MAX;
    // GITS_CBASER, CWRITER, CREADR, BASER0.
    let presets = [
        (Preset::ArchStrict, [0xb8ef_ffff_ffff_fcff, 0xf_ffe0, 0, 0xf9e7_ffff_ffff_feff]),
        (Preset::Qemu, [all, all & !1, all & !1, 0xf9e7_ffff_ffff_ffff]),
        (Preset::KvmAbi0, [0xff1f_ffff_ffff_0fff, 0, 0, 0xf907_ffff_ffff_feff]),
    ];
    for (preset, [queue, writer, reader, devices]) in presets {
        let mut board = Board::new(preset);
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x80, all);
        board.w64(ITS, 0x88, all);
        board.w64(ITS, 0x90, all);
        board.w64(ITS, 0x100, all);
        let entry = board.r64(ITS, 0x100) & (0x1f << 48 | 7 << 56);
        let seen = [0x80, 0x88, 0x90].map(|at| board.r64(ITS, at));
        assert_eq!(seen[0], queue, "{} {:#x}", preset.name(), seen[0]);
        assert_eq!(seen[2], reader, "{} {:#x}", preset.name(), seen[2]);
        // A store beyond the queue may be ignored.
        if preset == Preset::Qemu {
            assert_eq!(seen[1], writer);
        }
        let seen = board.r64(ITS, 0x100) & !entry;
        assert_eq!(seen, devices & !(0x1f << 48 | 7 << 56), "{} {seen:#x}", preset.name());
    }
}

/// In QEMU a store to GITS_CREADR clears Stalled.
#[test]
fn a_store_to_the_reader_clears_stalled() {
    let mut board = Board::new(Preset::Qemu);
    board.w32(ITS, 0x00, 0);
    board.w64(ITS, 0x80, 1 << 63 | 0xf_0000_0000);
    board.w32(ITS, 0x00, 1);
    board.w64(ITS, 0x88, 0x20);
    board.run();
    assert_eq!(board.r64(ITS, 0x90), 1);
    board.w64(ITS, 0x90, 0x20);
    assert_eq!(board.r64(ITS, 0x90), 0x20);
}
