//! An ITS that becomes another kind: from tables in memory to internal tables and back, and state
//! that the other kind does not support.

use crate::Cpu;
use crate::choice::Preset;
use crate::choice::its::TableHome;
use crate::choice::lpi::ClearEnable;
use crate::its::Layout;
use crate::its::image::ImageError;
use crate::its::testkit::{Board, COLLECTIONS, DEVICES, ITS, QUEUE};
use crate::v3::testkit::CONFIGURATION;
use crate::v3::{Block, Implementation};

/// Three events of two devices.
fn board(preset: Preset) -> Board {
    let mut board = Board::new(preset);
    for (device, event, lpi) in [(2, 0, 8195), (2, 5, 8196), (3, 1, 8197)] {
        board.configure(lpi, 0xa3);
        if event != 5 {
            board.command([
                u64::from(device) << 32 | 8,
                3,
                1 << 63 | (0x4600_0000 + u64::from(device) * 4096),
                0,
            ]);
        }
        board.mapti(device, event, lpi, 1);
    }
    board.sync(1);
    board
}

fn becomes(board: &mut Board, preset: Preset) -> Result<(), ImageError> {
    let kit = &mut board.board;
    let to = Implementation::of(preset, 4, 32);
    kit.gic.convert(to, None, &mut kit.memory).map(|_| ())
}

/// GIC-600's tables in KVM's layout, without distances.
#[test]
fn every_event_comes_along_whatever_the_layouts() {
    for from in [Preset::ArchStrict, Preset::Qemu, Preset::KvmAbi0, Preset::Gic600] {
        for to in [Preset::Qemu, Preset::KvmAbi0, Preset::Gic600] {
            let mut board = board(from);
            becomes(&mut board, to).unwrap();
            for (device, event, lpi) in [(2, 0, 8195), (2, 5, 8196), (3, 1, 8197)] {
                board.message(device, event);
                board.settle();
                assert_eq!(board.drain(1), [lpi], "{} to {}", from.name(), to.name());
            }
        }
    }
}

#[test]
fn there_and_back_and_mapped_between() {
    let mut board = board(Preset::KvmAbi0);
    becomes(&mut board, Preset::Gic600).unwrap();
    board.writer = board.r64(ITS, 0x88);
    board.configure(8198, 0xa3);
    board.mapti(3, 9, 8198, 1);
    becomes(&mut board, Preset::KvmAbi0).unwrap();
    board.message(3, 9);
    board.only(1, 8198);
    board.message(2, 5);
    board.only(1, 8196);
}

#[test]
fn what_kvm_cannot_have_is_refused() {
    type Change = (&'static str, fn(&mut Board));
    let changes: [Change; 3] = [
        ("the other ITS has no tables of such pages", |board| {
            board.w64(ITS, 0x108, 1 << 63 | COLLECTIONS);
        }),
        ("the other ITS has no such table of two levels", |board| {
            board.w64(ITS, 0x108, 1 << 63 | 1 << 62 | COLLECTIONS | 2 << 8);
        }),
        ("the other ITS has no command queue at such a place", |board| {
            board.w64(ITS, 0x80, 1 << 63 | (QUEUE + 0x1000));
        }),
    ];
    for (why, change) in changes {
        let mut board = board(Preset::ArchStrict);
        board.w32(ITS, 0x00, 0);
        change(&mut board);
        let refused = becomes(&mut board, Preset::KvmAbi0).unwrap_err();
        assert_eq!(refused.to_string(), why);
    }
    type Widening = (&'static str, fn(&mut Implementation));
    let wide: [Widening; 3] = [
        ("EventIDs", |spec| spec.its[0].features.event_bits = 17),
        ("DeviceIDs", |spec| spec.its[0].features.device_bits = 20),
        ("INTIDs", |spec| {
            spec.its[0].features.intid_bits = 18;
            spec.distributor.intid_bits = 18;
        }),
    ];
    for (what, change) in wide {
        let mut spec = Implementation::of(Preset::Qemu, 4, 32);
        change(&mut spec);
        let mut board = Board::with(spec);
        let refused = becomes(&mut board, Preset::KvmAbi0).unwrap_err();
        assert_eq!(refused.to_string(), format!("the other ITS has no {what} of so many bits"));
    }
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its[0].features.held_collections = 2;
    let mut board = Board::with(spec);
    let refused = becomes(&mut board, Preset::KvmAbi0).unwrap_err();
    assert_eq!(refused.to_string(), "the other ITS has no collections without a table");
}

/// KVM's ITS has no stalled state: it goes on with the next command.
#[test]
fn a_queue_that_stopped_goes_on() {
    let mut board = board(Preset::ArchStrict);
    board.submit([99 << 32 | 3, 0, 0, 0]);
    board.run();
    assert_eq!(board.r64(ITS, 0x90) & 1, 1);
    becomes(&mut board, Preset::KvmAbi0).unwrap();
    assert_eq!(board.r64(ITS, 0x90) & 1, 0);
    board.int(2, 5);
    board.only(1, 8196);
}

/// QEMU's queue goes on at any store and leaves Stalled set; a store to GITS_CREADR stops it without
/// an error. Where Retry alone restarts a queue, it is stopped if and only if Stalled is set.
#[test]
fn a_queue_is_stopped_where_it_says_so() {
    for (to, went_on, stored) in [Preset::ArchStrict, Preset::Gic600].into_iter().flat_map(|to| {
        [(true, false), (false, false), (false, true)].map(|(on, stored)| (to, on, stored))
    }) {
        let mut board = board(Preset::Qemu);
        let entry = board.get(DEVICES);
        board.put(DEVICES, 1 << 63 | 0xf_0000_0000);
        board.submit([2 << 32 | 3, 5, 0, 0]);
        board.run();
        board.put(DEVICES, entry);
        let at = board.r64(ITS, 0x90);
        assert_eq!(at & 1, 1);
        let writer = board.writer;
        if went_on {
            board.w64(ITS, 0x88, writer);
            board.run();
            assert_eq!(board.r64(ITS, 0x90), writer | 1);
        }
        if stored {
            board.w64(ITS, 0x90, at & !1);
        }
        becomes(&mut board, to).unwrap();
        let name = to.name();
        match (went_on, stored) {
            (false, false) => {
                board.run();
                assert_eq!(board.r64(ITS, 0x90), at, "{name}");
                board.w64(ITS, 0x88, writer | 1);
            }
            _ => assert_eq!(board.r64(ITS, 0x90) & 1, 0, "{name}"),
        }
        board.run();
        assert_eq!(board.r64(ITS, 0x90), writer, "{name}");
        board.only(1, 8196);
    }
}

/// Registers that the other ITS does not have read as zero, and do not come back.
#[test]
fn what_the_other_has_no_register_for_is_gone() {
    let mut spec = Implementation::of(Preset::Qemu, 4, 50);
    let features = &mut spec.its[0].features;
    features.unmapped_messages = true;
    features.statusr = true;
    features.unmapped_wire = Some(passim_model::IntId::new(50));
    for to in [Preset::Qemu, Preset::KvmAbi0, Preset::Gic600] {
        let mut board = Board::with(spec.clone());
        board.w32(ITS, 0x00, 0x101);
        board.message(9, 1);
        // A load of a register that is write-only.
        board.r32(ITS, 0x1_0040);
        let read = |board: &mut Board| {
            let quiescent = 1 << 31;
            let status = [board.r32(ITS, 0x40), board.r32(ITS, 0x00) & !quiescent];
            (status, board.r64(ITS, 0x48))
        };
        assert_eq!(read(&mut board), ([0xd4, 0x101], 9 << 32 | 1));
        becomes(&mut board, to).unwrap();
        let has = Implementation::of(to, 4, 50).its[0].features;
        assert!(!has.unmapped_messages, "{}", to.name());
        let status = if has.statusr { 0x4 } else { 0 };
        assert_eq!(read(&mut board), ([status, 0x1], 0), "{}", to.name());
        becomes(&mut board, Preset::ArchStrict).unwrap();
        assert_eq!(read(&mut board), ([status, 0x1], 0), "{}", to.name());
    }
}

/// Internal tables are not in memory until the ITS is saved.
#[test]
fn memory_is_softwares_while_tables_are_the_its() {
    let mut board = Board::new(Preset::KvmAbi0);
    let spec = board.gic.its()[0].implementation();
    assert_eq!((spec.choices.table_home, spec.features.layout), (TableHome::Its, Layout::Kvm0));
    board.map(2, 20, 8195, 3);
    let device = crate::its::testkit::DEVICES2 + 16;
    assert_eq!((board.get(device), board.get(COLLECTIONS)), (0, 0));
    for at in [device, COLLECTIONS, crate::its::testkit::itt(2) + 8 * 21] {
        board.put(at, 0x1234_5678_9abc);
    }
    board.message(2, 20);
    board.only(3, 8195);
    board.put(DEVICES, 0);
    board.message(2, 20);
    board.only(3, 8195);
    board.w32(ITS, 0x00, 0);
    board.w64(ITS, 0x100, 0);
    assert_eq!(board.get(device), 0x1234_5678_9abc, "it is left alone");
}

/// KVM has one GICR_PROPBASER: redistributors are restored one after the other, and the last value
/// remains.
#[test]
fn kvms_redistributors_have_one_table_of_configuration() {
    let redistributor = |n| Block::Redistributor(Cpu::new(n));
    let other = (CONFIGURATION + 0x10_0000) | 15;
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.choices.clear_enable = ClearEnable::Allowed;
    let mut board = Board::with(spec);
    board.w32(redistributor(3), 0x00, 0);
    board.w64(redistributor(3), 0x70, other);
    board.w32(redistributor(3), 0x00, 1);
    board.map(2, 20, 8195, 0);
    board.put(CONFIGURATION + 0x10_0000, 0x4300_0000);
    assert_eq!(board.r64(redistributor(0), 0x70), CONFIGURATION | 15);
    becomes(&mut board, Preset::KvmAbi0).unwrap();
    for n in 0..4 {
        assert_eq!(board.r64(redistributor(n), 0x70), other | 0x180, "CPU {n}");
    }
    board.message(2, 20);
    assert_eq!(board.gic.highest_pending(Cpu::new(0)).map(|it| it.priority), Some(0x40));
}
