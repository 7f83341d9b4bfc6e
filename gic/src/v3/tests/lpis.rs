//! LPIs of a redistributor: tables in memory, priorities, and the choices about them.

use super::{Board, r};
use crate::choice::Preset;
use crate::choice::lpi::{Disabling, LpiChoices};
use crate::v3::testkit::{CONFIGURATION, PENDING, cpu};
use crate::v3::{GicV3, Implementation, Packet, RedistributorFeatures};
use passim_model::IntId;

fn every_preset(test: impl Fn(Board, Preset)) {
    for preset in Preset::ALL {
        test(Board::new(preset), preset);
    }
}

fn with(choices: LpiChoices) -> Board {
    let plain = Implementation::of(Preset::ArchStrict, 4, 32);
    let mut board = Board::cold(Implementation { choices, ..plain });
    board.boot();
    board
}

#[test]
fn the_most_urgent_is_taken_first() {
    every_preset(|mut board, _| {
        for (lpi, byte) in [(8192, 0xa3), (8193, 0x43), (8200, 0x43), (65535, 0x0b), (9000, 0xa2)] {
            board.configure(lpi, byte);
            assert!(board.pend(1, lpi));
        }
        assert_eq!(board.pending_lpis(1), [8192, 8193, 8200, 9000, 65535]);
        assert_eq!(board.drain(1), [65535, 8193, 8200, 8192]);
        assert_eq!(board.pending_lpis(1), [9000], "disabled, and kept");
        assert_eq!(board.drain(0), []);
    });
}

#[test]
fn an_lpi_becomes_pending_once() {
    every_preset(|mut board, _| {
        board.configure(8192, 0xa3);
        board.pend(0, 8192);
        board.pend(0, 8192);
        assert_eq!(board.iar(0), 8192);
        board.pend(0, 8192);
        assert_eq!(board.waiting(0), None, "it does not preempt itself");
        board.eoi(0, 8192);
        assert_eq!(board.drain(0), [8192]);
    });
}

#[test]
fn numbers_that_are_no_lpi() {
    let mut board = Board::new(Preset::ArchStrict);
    for intid in [0, 1023, 8191, 65536, u32::MAX] {
        assert!(!board.pend(0, intid));
        assert_eq!(board.gic.line(cpu(0), IntId::new(intid)).is_some(), intid == 0);
    }
    assert!(!board.pend(9, 8192));
    assert_eq!(board.gic.counters().lpis_dropped, 6);
}

#[test]
fn off_means_dropped_and_the_table_says_what_was_pending() {
    for preset in [Preset::Qemu, Preset::Gic600] {
        let mut board = Board::new(preset);
        board.configure(8200, 0xa3);
        board.configure(8201, 0xa3);
        board.pend(2, 8200);
        board.pend(2, 8201);
        assert_eq!(board.iar(2), 8200);
        board.eoi(2, 8200);
        board.w32(r(2), 0x00, 0);
        assert_eq!(board.r32(r(2), 0x00) & 1, 0);
        assert_eq!((board.pending_bit(2, 8200), board.pending_bit(2, 8201)), (false, true));
        assert!(!board.pend(2, 8200));
        assert_eq!(board.waiting(2), None);
        board.w32(r(2), 0x00, 1);
        assert_eq!(board.drain(2), [8201], "{}", preset.name());
    }
}

/// While LPIs are off, what the table in memory says is all there is: what software clears there does
/// not come back.
#[test]
fn what_is_cleared_while_lpis_are_off_is_gone() {
    for preset in [Preset::Qemu, Preset::Gic600] {
        let mut board = Board::new(preset);
        for lpi in [8200, 8201] {
            board.configure(lpi, 0xa3);
            board.pend(2, lpi);
        }
        board.w32(r(2), 0x00, 0);
        board.clear_pending(2, 8201);
        board.w32(r(2), 0x00, 1);
        assert_eq!(board.drain(2), [8200], "{}", preset.name());
    }
}

#[test]
fn once_on_stays_on_where_clearing_is_refused() {
    let mut board = Board::new(Preset::ArchStrict);
    board.w32(r(0), 0x00, 0);
    assert_eq!(board.r32(r(0), 0x00), 0b101);
}

#[test]
fn pending_lives_in_memory_where_chosen() {
    let mut qemu = Board::new(Preset::Qemu);
    qemu.pend(0, 8195);
    assert!(qemu.pending_bit(0, 8195));
    let mut kvm = Board::new(Preset::KvmAbi0);
    kvm.pend(0, 8195);
    assert!(!kvm.pending_bit(0, 8195));
}

#[test]
fn pending_zero_is_a_promise_or_ignored() {
    for (preset, expected) in [(Preset::Qemu, vec![8300]), (Preset::KvmAbi0, vec![])] {
        let mut board = Board::cold(Implementation::of(preset, 1, 32));
        board.preset_pending(0, 8300);
        board.configure(8300, 0xa3);
        board.w64(r(0), 0x70, CONFIGURATION | 15);
        board.w64(r(0), 0x78, 1 << 62 | PENDING);
        board.w32(r(0), 0x00, 1);
        assert_eq!(board.pending_lpis(0), expected);
        let kept = board.r64(r(0), 0x78) >> 62 & 1 != 0;
        assert_eq!(kept, preset == Preset::Qemu);
    }
}

#[test]
fn the_table_is_read_without_pending_zero() {
    every_preset(|_, preset| {
        let mut board = Board::cold(Implementation::of(preset, 2, 32));
        board.configure(8300, 0xa3);
        board.configure(8301, 0xa2);
        board.preset_pending(1, 8300);
        board.preset_pending(1, 8301);
        board.preset_pending(1, 8191);
        board.boot();
        if preset == Preset::KvmAbi0 {
            // Nothing is mapped to them.
            assert_eq!(board.pending_lpis(1), [0; 0]);
            return;
        }
        assert_eq!(board.pending_lpis(1), [8300, 8301]);
        assert_eq!(board.drain(1), [8300]);
    });
}

#[test]
fn bases_while_on() {
    let mut kept = Board::new(Preset::Qemu);
    kept.w64(r(0), 0x70, 0x4800_0000 | 15);
    assert_eq!(kept.r64(r(0), 0x70), 0x4800_000f);
    let mut ignored = Board::new(Preset::KvmAbi0);
    ignored.w64(r(0), 0x70, 0x4800_0000 | 15);
    assert_eq!(ignored.r64(r(0), 0x70), 3 << 7 | CONFIGURATION | 15);
}

#[test]
fn one_property_table_for_all_where_chosen() {
    let mut shared = Board::cold(Implementation::of(Preset::KvmAbi0, 2, 32));
    shared.w64(r(1), 0x70, CONFIGURATION | 15);
    assert_eq!(shared.r64(r(0), 0x70), 3 << 7 | CONFIGURATION | 15);
    let mut own = Board::cold(Implementation::of(Preset::ArchStrict, 2, 32));
    own.w64(r(1), 0x70, CONFIGURATION | 15);
    assert_eq!(own.r64(r(0), 0x70), 0);
}

#[test]
fn a_known_byte_is_kept_until_invalidated() {
    let mut board = with(LpiChoices::default());
    board.configure(8192, 0xa2);
    board.pend(0, 8192);
    board.configure(8192, 0xa3);
    assert_eq!(board.waiting(0), None);
    board.w64(r(0), 0xa0, 8193);
    assert_eq!(board.waiting(0), None, "another");
    board.w64(r(0), 0xa0, 8192);
    assert_eq!(board.waiting(0), Some(8192));
    board.configure(8192, 0x22);
    board.w64(r(0), 0xb0, 0);
    assert_eq!(board.waiting(0), None, "all");
}

#[test]
fn all_that_is_known_from_mapping_is_read_anew_at_once() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.configure(8192, 0xa2);
    board.deliver(0, Packet::Invalidate(IntId::new(8192)));
    board.configure(8192, 0xa3);
    board.deliver(0, Packet::InvalidateAll);
    board.configure(8192, 0xa2);
    board.pend(0, 8192);
    assert_eq!(board.waiting(0), Some(8192), "as it was when all was invalidated");
}

#[test]
fn nothing_is_remembered_where_chosen() {
    let mut board = Board::new(Preset::Qemu);
    board.configure(8192, 0xa2);
    board.pend(0, 8192);
    board.deliver(0, Packet::ClearPending(IntId::new(8192)));
    board.configure(8192, 0xa3);
    board.pend(0, 8192);
    assert_eq!(board.waiting(0), Some(8192), "no invalidation was needed");
}

#[test]
fn the_priority_of_a_pending_lpi_sticks_where_chosen() {
    for (preset, expected) in [(Preset::Gic600, 0xa0), (Preset::ArchStrict, 0x20)] {
        let mut board = Board::new(preset);
        board.configure(8192, 0xa3);
        board.pend(0, 8192);
        board.configure(8192, 0x23);
        board.deliver(0, Packet::Invalidate(IntId::new(8192)));
        assert_eq!(board.gic.highest_pending(cpu(0)).unwrap().priority, expected);
        board.configure(8192, 0x22);
        board.deliver(0, Packet::Invalidate(IntId::new(8192)));
        assert_eq!(board.waiting(0), None, "disabling does not wait");
    }
}

#[test]
fn invalidation_by_register_may_take_its_time() {
    let plain = Implementation::of(Preset::Adversarial(1), 1, 32);
    let redistributors =
        RedistributorFeatures { invalidation_registers: true, ..plain.redistributors };
    let mut board = Board::cold(Implementation { redistributors, ..plain });
    board.boot();
    board.configure(8192, 0xa2);
    board.pend(0, 8192);
    board.configure(8192, 0xa3);
    board.w64(r(0), 0xa0, 8192);
    assert_eq!((board.r32(r(0), 0xc0), board.waiting(0)), (1, None));
    assert_eq!(board.run(), 1);
    assert_eq!((board.r32(r(0), 0xc0), board.waiting(0)), (0, Some(8192)));
}

#[test]
fn lpis_by_register() {
    let plain = Implementation::of(Preset::ArchStrict, 1, 32);
    let redistributors = RedistributorFeatures { direct_lpi: true, ..plain.redistributors };
    let mut board = Board::cold(Implementation { redistributors, ..plain });
    board.boot();
    assert_eq!(board.r32(r(0), 0x08) >> 3 & 1, 1);
    board.configure(8192, 0xa3);
    board.w64(r(0), 0x40, 8192);
    assert_eq!(board.waiting(0), Some(8192));
    board.w64(r(0), 0x48, 8192);
    assert_eq!(board.pending_lpis(0), []);
    let mut without = Board::new(Preset::ArchStrict);
    without.w64(r(0), 0x40, 8192);
    assert_eq!(without.pending_lpis(0), []);
}

#[test]
fn moves_carry_what_is_pending_and_nothing_else() {
    every_preset(|mut board, _| {
        for lpi in [8192, 8193] {
            board.configure(lpi, 0xa3);
        }
        board.pend(0, 8192);
        board.pend(2, 8193);
        board.deliver(0, Packet::Move(IntId::new(8192), cpu(1)));
        board.deliver(0, Packet::Move(IntId::new(8193), cpu(1)));
        assert_eq!((board.pending_lpis(0), board.pending_lpis(1)), (vec![], vec![8192]));
        board.pend(1, 8194);
        board.deliver(1, Packet::MoveAll(cpu(3)));
        assert_eq!((board.pending_lpis(1), board.pending_lpis(3)), (vec![], vec![8192, 8194]));
        assert_eq!(board.pending_lpis(2), [8193], "not at the source");
    });
}

#[test]
fn moves_to_where_lpis_are_off() {
    let presets = [
        (Preset::Qemu, vec![8192], vec![]),
        (Preset::KvmAbi0, vec![], vec![8192]),
        (Preset::Gic600, vec![], vec![]),
    ];
    for (preset, left, moved) in presets {
        let mut board = Board::new(preset);
        board.configure(8192, 0xa3);
        board.w32(r(1), 0x00, 0);
        board.pend(0, 8192);
        board.deliver(0, Packet::Move(IntId::new(8192), cpu(1)));
        assert_eq!((board.pending_lpis(0), board.pending_lpis(1)), (left, moved.clone()));
        assert_eq!(board.drain(1), moved, "{}", preset.name());
    }
}

/// Nothing goes, and nothing of what software wrote to the table is found: QEMU returns before it reads.
#[test]
fn moving_all_to_where_lpis_are_off_reads_no_table() {
    for (on, found) in [(1, vec![8192]), (0, vec![])] {
        let mut board = Board::new(Preset::Qemu);
        board.configure(8192, 0xa3);
        board.preset_pending(0, 8192);
        board.w32(r(1), 0x00, on);
        board.deliver(0, Packet::MoveAll(cpu(1)));
        assert_eq!((board.drain(0), board.drain(1)), (vec![], found));
    }
}

#[test]
fn few_id_bits_leave_few_lpis_or_none() {
    let mut board = Board::cold(Implementation::of(Preset::ArchStrict, 1, 32));
    board.w64(r(0), 0x70, CONFIGURATION | 13);
    board.w32(r(0), 0x00, 1);
    assert!(board.pend(0, 16383) && !board.pend(0, 16384));
    let mut none = Board::cold(Implementation::of(Preset::ArchStrict, 1, 32));
    none.w64(r(0), 0x70, CONFIGURATION | 12);
    none.w32(r(0), 0x00, 1);
    assert!(!none.pend(0, 8192));
}

#[test]
fn tables_that_do_not_answer_disable_and_are_counted() {
    every_preset(|_, preset| {
        let mut board = Board::cold(Implementation::of(preset, 1, 32));
        board.w32(super::D, 0x000, 0b11);
        board.w32(r(0), 0x14, 0);
        board.w64(r(0), 0x70, 0xf_0000_0000 | 15);
        board.w64(r(0), 0x78, 0xf_0000_0000);
        board.w32(r(0), 0x00, 1);
        board.pend(0, 8192);
        assert_eq!(board.drain(0), []);
        assert!(board.gic.counters().lpi_table_aborts > 0);
        board.w32(r(0), 0x00, 0);
    });
}

/// The table is written by a later step where that is chosen; software that does not wait for
/// GICR_CTLR.RWP finds it as it was, and its stores without effect.
#[test]
fn the_table_may_be_late_while_a_write_is_pending() {
    let mut spec = Implementation::of(Preset::Gic600, 4, 32);
    spec.choices.disabling = Disabling::OnStep;
    let mut board = Board::cold(spec);
    board.boot();
    board.configure(8200, 0xa3);
    board.pend(2, 8200);
    board.w32(r(2), 0x00, 0);
    assert_eq!(board.r32(r(2), 0x00), 0b1000);
    assert_eq!((board.pending_bit(2, 8200), board.waiting(2)), (false, None));
    let table = board.r64(r(2), 0x78);
    board.w64(r(2), 0x78, 0x4800_0000);
    board.w32(r(2), 0x00, 1);
    assert_eq!((board.r64(r(2), 0x78), board.r32(r(2), 0x00)), (table, 0b1000));
    assert_eq!(board.run(), 1);
    assert_eq!(board.r32(r(2), 0x00), 0);
    assert!(board.pending_bit(2, 8200));
    board.w32(r(2), 0x00, 1);
    assert_eq!(board.drain(2), [8200]);
    // Saving waits for it.
    board.pend(2, 8200);
    board.w32(r(2), 0x00, 0);
    let saved = board.gic.save(&mut board.memory);
    assert!(board.pending_bit(2, 8200));
    board.gic = GicV3::restore(board.gic.implementation().clone(), &saved, &mut board.memory);
    assert_eq!(board.r32(r(2), 0x00), 0);
}
