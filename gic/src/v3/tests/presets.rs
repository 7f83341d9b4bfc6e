//! Registers of the distributor and of redistributors as KVM's guests and QEMU's see them, against the
//! plainest.

use super::{Board, D, r};
use crate::choice::Preset;
use crate::v3::testkit::cpu;
use crate::v3::{Implementation, SystemRegister};
use crate::{Signal, Size};
use passim_model::IntId;

fn cold(preset: Preset) -> Board {
    Board::cold(Implementation::of(preset, 2, 64))
}

#[test]
fn group_0_is_no_bit_of_kvms_distributor() {
    for (preset, kept) in [(Preset::KvmAbi0, 0x52), (Preset::Qemu, 0x53)] {
        let mut board = cold(preset);
        board.w32(D, 0x00, 0xffff_ffff);
        assert_eq!(board.r32(D, 0x00), kept, "{}", preset.name());
    }
}

#[test]
fn kvm_forwards_both_groups_with_one_bit() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.w32(D, 0x84, 0);
    board.w32(D, 0x104, 1);
    board.gic.write(cpu(0), SystemRegister::Igrpen0, 1);
    board.gic.wire(IntId::new(32), Signal::Pulse);
    assert_eq!(board.waiting(0), Some(32), "Group 0, with EnableGrp1");
    board.w32(D, 0x00, 1);
    assert_eq!(board.waiting(0), None);
}

#[test]
fn what_is_set_out_of_reset() {
    for preset in Preset::ALL {
        let kvm = preset == Preset::KvmAbi0;
        let all = if kvm { u32::MAX } else { 0 };
        let mut board = cold(preset);
        let (of_sgis, of_spis) = (board.r32(r(1), 0x1_0080), board.r32(D, 0x84));
        assert_eq!((of_sgis, of_spis), (all, all), "groups, {}", preset.name());
        assert_eq!(board.r32(r(1), 0x1_0100), all & 0xffff, "SGIs enabled");
        assert_eq!(board.r32(D, 0x104), 0);
        assert_eq!(board.r32(r(1), 0x1_0c00), 0xaaaa_aaaa, "SGIs are edge-triggered");
        assert_eq!(board.r32(r(1), 0x1_0c04), 0, "PPIs are not");
        let edge = if kvm { 0xaaaa_aaaa } else { 0 };
        assert_eq!(board.r32(D, 0xc08), edge, "SPIs");
        let base = if kvm { 3 << 7 | 1 << 10 } else { 0 };
        assert_eq!((board.r64(r(1), 0x70), board.r64(r(1), 0x78)), (base, base));
        assert_eq!(board.r32(D, 0x10), all, "GICD_STATUSR");
        assert_eq!(board.r32(r(1), 0x10), 0, "GICR_STATUSR");
        assert_eq!(board.r32(D, 0x0c), 0, "GICD_TYPER2");
    }
}

#[test]
fn registers_that_invalidate_lpis() {
    // GICR_CTLR, with CES and IR, and whether a byte that was known is read again after INVLPIR.
    let presets = [
        (Preset::ArchStrict, 0b100, true),
        (Preset::Qemu, 0b010, false),
        (Preset::KvmAbi0, 0b110, true),
        // GIC-600AE TRM 101206_0003_04, pages 121 and 125.
        (Preset::Gic600, 0, false),
    ];
    for (preset, ctlr, read) in presets {
        let mut board = cold(preset);
        assert_eq!(board.r32(r(1), 0), ctlr, "{}", preset.name());
        board.boot();
        assert_eq!(board.r32(r(1), 0), ctlr | 1, "{}", preset.name());
        board.configure(8192, 0xa2);
        board.pend(0, 8192);
        assert_eq!(board.waiting(0), None);
        board.configure(8192, 0xa3);
        board.w64(r(0), 0xa0, 8192);
        assert_eq!(board.waiting(0).is_some(), read, "{}", preset.name());
    }
}

#[test]
fn gic600_lets_lpis_be_turned_off_and_does_not_say_so() {
    let mut board = cold(Preset::Gic600);
    board.boot();
    board.w32(r(0), 0, 0);
    assert_eq!(board.r32(r(0), 0), 0);
    board.w32(r(0), 0, 1);
    assert_eq!(board.r32(r(0), 0), 1);
}

#[test]
fn waker() {
    // Out of reset, with ProcessorSleep stored, without; and whether interrupts come in the second.
    let presets = [
        (Preset::ArchStrict, 6, 6, 0, false),
        (Preset::Qemu, 6, 6, 0, true),
        (Preset::KvmAbi0, 0, 0, 0, true),
    ];
    for (preset, reset, set, clear, taken) in presets {
        let mut board = cold(preset);
        assert_eq!(board.r32(r(0), 0x14), reset, "{}", preset.name());
        board.boot();
        assert_eq!(board.r32(r(0), 0x14), clear);
        board.w32(r(0), 0x14, 2);
        assert_eq!(board.r32(r(0), 0x14), set);
        board.configure(8192, 0xa3);
        board.pend(0, 8192);
        assert_eq!(board.waiting(0).is_some(), taken, "{}", preset.name());
    }
}

#[test]
fn triggers_of_ppis_are_read_only_under_kvm() {
    for (preset, kept) in [(Preset::KvmAbi0, 0), (Preset::Qemu, 0xaaaa_aaaa)] {
        let mut board = cold(preset);
        board.w32(r(0), 0x1_0c04, u32::MAX);
        assert_eq!(board.r32(r(0), 0x1_0c04), kept, "{}", preset.name());
    }
}

#[test]
fn sgis_of_either_group_come_of_a_request_for_group_1_under_kvm() {
    for (preset, taken) in [(Preset::KvmAbi0, Some(5)), (Preset::Qemu, None)] {
        let mut board = Board::new(preset);
        board.gic.write(cpu(1), SystemRegister::Igrpen0, 1);
        board.w32(r(1), 0x1_0080, 0);
        board.w32(r(1), 0x1_0100, 1 << 5);
        board.gic.write(cpu(0), SystemRegister::Sgi1r, 5 << 24 | 0b10);
        assert_eq!(board.waiting(1), taken, "{}", preset.name());
    }
}

#[test]
fn bases_of_qemus_redistributors_are_kept_raw() {
    for (preset, properties, pending) in [
        (Preset::Qemu, u64::MAX, u64::MAX),
        (Preset::ArchStrict, 0x070f_ffff_ffff_ff9f, 0x070f_ffff_ffff_0f80),
    ] {
        let mut board = cold(preset);
        board.w64(r(0), 0x70, u64::MAX);
        board.w64(r(0), 0x78, u64::MAX);
        assert_eq!(board.r64(r(0), 0x70), properties, "{}", preset.name());
        assert_eq!(board.r64(r(0), 0x78), pending, "{}", preset.name());
        assert_eq!(board.gic.load(r(0), 0x74, Size::Word), properties >> 32);
    }
}
