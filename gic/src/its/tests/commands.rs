//! The effect of each command on tables, LPIs and CPUs, for every preset.

use super::every_preset;
use crate::choice::Preset;
use crate::choice::its::{
    CommandErrors, EventBeyond, IttAtMapd, MoveFrom, RemapDevice, RemapEvent, TableHome,
    TargetOfUnmap, UnmapCollection,
};
use crate::its::testkit::{Board, COLLECTIONS, DEVICES, DEVICES2, ITS, QUEUE, itt};
use crate::its::{Arrival, Failure, Report, Untranslated};
use crate::v3::Implementation;

#[test]
fn mapi_is_mapti_with_the_event_as_lpi() {
    every_preset(|mut board, _| {
        board.configure(8195, 0xa3);
        board.mapd(2, 16);
        board.command([2 << 32 | 0x0b, 8195, 1, 0]);
        board.inv(2, 8195);
        board.sync(1);
        board.message(2, 8195);
        board.only(1, 8195);
    });
}

#[test]
fn int_and_clear() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.int(2, 20);
        board.clear(2, 20);
        board.sync(3);
        board.nothing();
        board.clear(2, 20);
        board.int(2, 20);
        board.sync(3);
        board.only(3, 8195);
    });
}

/// Software that finds the queue stalled replaces the command by a SYNC, and retries.
fn mend(board: &mut Board) {
    let stopped = board.r64(ITS, 0x90);
    if stopped & 1 == 0 {
        return;
    }
    let sync = [5, 0, 0, 0].into_iter().zip(0..);
    sync.for_each(|(word, n)| board.put(QUEUE + (stopped & !1) + 8 * n, word));
    let writer = board.writer;
    board.w64(ITS, 0x88, writer | 1);
    board.run();
}

#[test]
fn every_event_of_a_table_can_be_mapped_and_none_beyond() {
    every_preset(|mut board, preset| {
        board.mapd(2, 4);
        for event in 0..16 {
            board.configure(8192 + event, 0xa3);
            board.mapti(2, event, 8192 + event, 0);
        }
        board.invall(0);
        board.sync(0);
        // The next event, which has no entry: MAPTI, INT and a message.
        board.put(itt(2) + 16 * board.gic.its()[0].implementation().features.layout.ite_bytes(), 0);
        board.configure(8300, 0xa3);
        for command in [[2 << 32 | 0x0a, 8300 << 32 | 16, 0, 0], [2 << 32 | 0x03, 16, 0, 0]] {
            board.submit(command);
            board.run();
            let [Report { failure: Failure::Command(error), .. }] = board.reports()[..] else {
                panic!("{preset:?}: event 16 of 16");
            };
            assert_eq!(error.syndrome() & 0xff, 5, "{preset:?}");
            mend(&mut board);
        }
        let cuts = board.choices().event_beyond == EventBeyond::Cut;
        let raised = matches!(board.message(2, 16), Arrival::Raised { .. });
        assert_eq!(raised, cuts, "{preset:?}: cut, it is event 0");
        board.settle();
        board.drain(0);
        for event in [0, 7, 8, 15] {
            board.message(2, event);
            board.only(0, 8192 + event);
        }
    });
}

/// RDbase is a number of 36 bits; QEMU uses 16 of them in MAPC, KVM 32.
#[test]
fn a_redistributor_has_all_bits_of_its_number() {
    every_preset(|mut board, preset| {
        for (bit, cut) in [(16, Preset::Qemu), (32, Preset::KvmAbi0)] {
            board.submit([0x09, 0, 1 << 63 | (1 << bit | 1) << 16 | 5, 0]);
            board.run();
            let taken = preset == cut || bit == 32 && preset == Preset::Qemu;
            assert_eq!(board.reports().is_empty(), taken, "{preset:?}, bit {bit}");
            mend(&mut board);
        }
    });
}

#[test]
fn an_lpi_keeps_all_its_bits() {
    every_preset(|mut board, _| {
        for (event, lpi) in [(0, 8192), (1, 0x4000), (2, 0x6001), (3, 0xffff)] {
            board.map(2 + event, event, lpi, 3);
            board.message(2 + event, event);
            board.only(3, lpi);
        }
    });
}

#[test]
fn movi_carries_what_is_pending_and_leads_messages() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.map(4, 1, 8200, 3);
        board.configure(8195, 0xa2);
        board.inv(2, 20);
        board.sync(3);
        board.int(2, 20);
        board.int(4, 1);
        board.sync(3);
        board.movi(2, 20, 1);
        board.sync(3);
        board.settle();
        assert_eq!((board.pending_lpis(3), board.pending_lpis(1)), (vec![8200], vec![8195]));
        board.configure(8195, 0xa3);
        board.inv(2, 20);
        board.sync(1);
        assert_eq!(board.drain(1), [8195]);
        assert_eq!(board.drain(3), [8200]);
        board.message(2, 20);
        board.only(1, 8195);
        board.movi(2, 20, 1);
        board.sync(1);
        board.message(2, 20);
        board.only(1, 8195);
    });
}

#[test]
fn an_lpi_that_comes_back_is_not_configured_as_when_it_left() {
    every_preset(|mut board, preset| {
        board.map(2, 20, 8195, 3);
        board.message(2, 20);
        board.only(3, 8195);
        for pending in [false, true] {
            board.configure(8195, 0xa3);
            board.inv(2, 20);
            board.sync(3);
            board.movi(2, 20, 1);
            board.sync(3);
            board.configure(8195, 0xa2);
            board.inv(2, 20);
            board.sync(1);
            if pending {
                board.message(2, 20);
                board.sync(1);
            }
            board.movi(2, 20, 3);
            board.sync(1);
            if !pending {
                board.message(2, 20);
            }
            board.nothing();
            assert_eq!(board.pending_lpis(3), [8195], "{preset:?}");
            board.clear(2, 20);
            board.sync(3);
        }
    });
}

#[test]
fn movall_moves_what_is_pending_at_one_place_and_no_mapping() {
    every_preset(|mut board, preset| {
        for (event, icid) in [(0, 0), (1, 0), (2, 1), (3, 2)] {
            board.map(2 + event, event, 8192 + event, icid);
            board.configure(8192 + event, 0xa2);
            board.inv(2 + event, event);
            board.sync(u64::from(icid));
            board.int(2 + event, event);
            board.sync(u64::from(icid));
        }
        board.movall(0, 2);
        board.sync(0);
        board.sync(2);
        let pending = [0, 1, 2, 3].map(|n| board.pending_lpis(n));
        assert_eq!(pending, [vec![], vec![8194], vec![8192, 8193, 8195], vec![]]);
        board.configure(8192, 0xa3);
        board.inv(2, 0);
        board.sync(0);
        board.message(2, 0);
        board.settle();
        // The LPI has not moved either, except under KVM.
        let at = if preset == Preset::KvmAbi0 { 2 } else { 0 };
        assert_eq!(board.drain(at), [8192], "the mapping has not moved");
    });
}

#[test]
fn discard_takes_the_mapping_and_what_is_pending() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.configure(8195, 0xa2);
        board.inv(2, 20);
        board.sync(3);
        board.message(2, 20);
        board.discard(2, 20);
        board.sync(3);
        assert_eq!(board.pending_lpis(3), []);
        assert!(matches!(board.message(2, 20), Arrival::Untranslated(_)));
        // The LPI can now be mapped to another event.
        board.mapti(2, 21, 8195, 1);
        board.configure(8195, 0xa3);
        board.inv(2, 21);
        board.sync(1);
        board.message(2, 21);
        board.only(1, 8195);
    });
}

#[test]
fn an_unmapped_device_is_gone_from_memory_too() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        let in_memory = board.choices().table_home == TableHome::Memory;
        assert_eq!(board.get(DEVICES2 + 16) != 0, in_memory);
        // Whatever the entry holds is unmapped with the device.
        board.put(DEVICES2 + 16, board.get(DEVICES2 + 16) | u64::from(!in_memory));
        board.message(2, 20);
        board.only(3, 8195);
        board.unmap_device(2);
        assert_eq!(board.get(DEVICES2 + 16), 0);
        board.sync(0);
        assert!(matches!(board.message(2, 20), Arrival::Untranslated(_)), "no stale entry");
        board.unmap_device(2);
        board.unmap_device(5);
        assert!(board.reports().is_empty(), "unmapping what is not mapped is no error");
    });
}

#[test]
fn a_collection_that_moves_takes_its_events_along() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.map(4, 1, 8200, 2);
        board.mapc(3, 1);
        board.sync(3);
        // The other redistributor may have cached their configuration before they arrived.
        board.invall(3);
        board.sync(1);
        board.message(2, 20);
        board.only(1, 8195);
        board.message(4, 1);
        board.only(2, 8200);
    });
}

#[test]
fn an_unmapped_collection_raises_nothing() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.unmap_collection(3);
        board.sync(3);
        assert!(matches!(board.message(2, 20), Arrival::Untranslated(_)));
        board.mapc(3, 0);
        board.sync(0);
        let after = board.message(2, 20);
        if board.choices().unmap_collection == UnmapCollection::Orphans {
            assert!(matches!(after, Arrival::Untranslated(_)), "it has lost its collection");
            match board.choices().move_from_unmapped {
                MoveFrom::Allowed => board.movi(2, 20, 3),
                MoveFrom::Refused => {
                    board.unmap_device(2);
                    board.map(2, 20, 8195, 3);
                }
            }
            board.sync(0);
            board.message(2, 20);
        }
        board.only(0, 8195);
    });
}

#[test]
fn an_unmapped_collection_needs_no_redistributor() {
    let unmap = |board: &mut Board| {
        board.map(2, 20, 8195, 3);
        board.command([0x09, 0, 77 << 16 | 3, 0]);
        board.sync(3);
        let arrival = board.message(2, 20);
        let said: Vec<_> = board.reports().iter().filter_map(|report| report.syndrome).collect();
        (said, matches!(arrival, Arrival::Raised { .. }))
    };
    every_preset(|mut board, _| assert_eq!(unmap(&mut board), (vec![], false)));
    // Before 6.7 vgic_its_cmd_handle_mapc checked it first, as Xen does.
    let mut spec = Implementation::of(Preset::KvmAbi0, 4, 32);
    spec.its[0].choices.target_of_unmap = TargetOfUnmap::Checked;
    assert_eq!(unmap(&mut Board::with(spec)), (vec![0x01_0902], true));
}

#[test]
fn bits_of_rdbase_that_nobody_looks_at() {
    for preset in Preset::ALL {
        let mut board = Board::new(preset);
        let looked_at = |board: &mut Board, bit: u64, words: [u64; 4]| {
            let [w0, w1, w2, w3] = words;
            board.submit([w0, w1, w2 | 1 << bit, w3]);
            board.run();
            let refused = !board.reports().is_empty();
            if refused && board.r64(ITS, 0x90) & 1 != 0 {
                board.w32(ITS, 0x00, 0);
                board.boot_its();
            }
            refused
        };
        let (mapc, movall) = ([0x09, 0, 1 << 63 | 1, 0], [0x0e, 0, 1 << 16, 2 << 16]);
        let seen = [31, 32, 47, 48, 51]
            .map(|bit| (looked_at(&mut board, bit, mapc), looked_at(&mut board, bit, movall)));
        let all = (true, true);
        let expected = match preset {
            Preset::Qemu => [all, (false, true), (false, true), (false, true), (false, true)],
            Preset::KvmAbi0 => [all, all, all, (false, false), (false, false)],
            _ => [all; 5],
        };
        if preset.name() != "adversarial" {
            assert_eq!(seen, expected, "{}", preset.name());
        }
    }
}

#[test]
fn mapping_to_a_collection_that_comes_later() {
    every_preset(|mut board, _| {
        board.unmap_collection(1);
        board.sync(1);
        board.configure(8195, 0xa3);
        board.mapd(2, 8);
        board.mapti(2, 20, 8195, 1);
        board.mapc(1, 1);
        board.invall(1);
        board.sync(1);
        board.message(2, 20);
        board.only(1, 8195);
    });
}

#[test]
fn invall_reaches_all_of_a_collection() {
    every_preset(|mut board, _| {
        for event in 0..4 {
            board.configure(8192 + event, 0xa2);
            board.mapd(2 + event, 8);
            board.mapti(2 + event, event, 8192 + event, 3);
            board.int(2 + event, event);
        }
        board.sync(3);
        assert_eq!(board.drain(3), []);
        for event in 0..4 {
            board.configure(8192 + event, 0xa3);
        }
        board.invall(3);
        board.sync(3);
        assert_eq!(board.drain(3), [8192, 8193, 8194, 8195]);
    });
}

#[test]
fn mapping_what_is_mapped() {
    every_preset(|board, _| {
        // Where it is an error, the command is passed over.
        let mut spec = board.gic.implementation().clone();
        spec.its[0].choices.command_errors = CommandErrors::Skip;
        let mut board = Board::with(spec);
        board.map(2, 20, 8195, 3);
        board.configure(8200, 0xa3);
        board.mapti(2, 20, 8200, 1);
        board.inv(2, 20);
        board.sync(1);
        board.sync(3);
        board.message(2, 20);
        let (cpu, lpi) = match board.choices().remap_event {
            RemapEvent::Keep | RemapEvent::Refused => (3, 8195),
            RemapEvent::Replace => (1, 8200),
        };
        board.only(cpu, lpi);
        // A second MAPD with another table, which holds zeros.
        board.command([2 << 32 | 0x08, 7, 1 << 63 | itt(9), 0]);
        board.sync(0);
        let after = board.message(2, 20);
        match board.choices().remap_device {
            RemapDevice::Keep | RemapDevice::Refused => board.only(cpu, lpi),
            RemapDevice::Replace => assert!(matches!(after, Arrival::Untranslated(_))),
        }
    });
}

#[test]
fn what_a_table_holds_at_mapd() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.unmap_device(2);
        board.mapd(2, 8);
        board.sync(0);
        let after = board.message(2, 20);
        let choices = board.choices();
        match choices.itt_at_mapd {
            _ if choices.table_home == TableHome::Its => {
                assert!(matches!(after, Arrival::Untranslated(_)));
            }
            IttAtMapd::Zeroed => assert!(matches!(after, Arrival::Untranslated(_))),
            IttAtMapd::AsItIs => board.only(3, 8195),
        }
    });
}

#[test]
fn entries_as_others_write_them() {
    let mut qemu = Board::new(Preset::Qemu);
    // The nvme of a recording: device 0x18, 7 EventID bits, its table at 0x10a032000 there.
    qemu.command([0x18 << 32 | 0x08, 6, 1 << 63 | 0x4a03_2000, 0]);
    qemu.mapti(0x18, 0, 8194, 0);
    qemu.mapti(0x18, 1, 8195, 1);
    assert_eq!(qemu.get(DEVICES2 + 0x18 * 8), 0x4a03_2000 >> 8 << 6 | 0xd);
    assert_eq!(qemu.get(0x4a03_2000), 0x800b);
    assert_eq!(qemu.get(0x4a03_2008), 0x0000_800f_0000_03ff);
    assert_eq!(qemu.get(0x4a03_2010), 0x0000_03ff_0000_0001);
    assert_eq!([0, 1].map(|n| qemu.get(COLLECTIONS + 8 * n)), [1, 3]);
    let mut kvm = Board::new(Preset::KvmAbi0);
    kvm.command([0x18 << 32 | 0x08, 6, 1 << 63 | 0x4a03_2000, 0]);
    kvm.mapti(0x18, 1, 8195, 1);
    super::migration::migrate(&mut kvm);
    assert_eq!(kvm.get(DEVICES2 + 0x18 * 8), 1 << 63 | 0x4a03_2000 >> 8 << 5 | 6);
    assert_eq!(kvm.get(0x4a03_2008), 0x2003_0001);
    assert_eq!([0, 1].map(|n| kvm.get(COLLECTIONS + 8 * n)), [1 << 63, 1 << 63 | 0x1_0001]);
    kvm.unmap_collection(0);
    super::migration::migrate(&mut kvm);
    let listed = [0, 1, 2, 3].map(|n| kvm.get(COLLECTIONS + 8 * n));
    assert_eq!(
        listed,
        [1 << 63 | 0x1_0001, 1 << 63 | 0x2_0002, 1 << 63 | 0x3_0003, 0],
        "a list: the others have moved up"
    );
}

/// IHI 0069 H 5.2: Valid in bit 63, the address in 51 to 12, or from 16 on with pages of 64 KiB;
/// other bits are ignored.
#[test]
fn entries_of_level_1_have_an_address_and_nothing_else() {
    every_preset(|mut board, _| {
        let in_memory = board.choices().table_home == TableHome::Memory;
        board.put(DEVICES, 1 << 63 | 0x7ff << 52 | DEVICES2 | 0xffff);
        board.map(2, 20, 8195, 3);
        assert_eq!(board.get(DEVICES2 + 8 * 2) != 0, in_memory);
        board.message(2, 20);
        board.only(3, 8195);
        if !in_memory {
            return;
        }
        // Bit 51 is part of the address: no memory there.
        board.put(DEVICES, 1 << 63 | 1 << 51 | DEVICES2);
        board.unmap_collection(0);
        assert!(matches!(board.message(2, 20), Arrival::Untranslated(Untranslated::Abort(_))));
    });
}

#[test]
fn tables_of_every_page_size_flat_and_two_level() {
    for preset in [Preset::Qemu, Preset::Gic600, Preset::ArchStrict] {
        for (code, lg2) in [(0u64, 12), (1, 14), (2, 16)] {
            for indirect in [0u64, 1] {
                let mut board = Board::new(preset);
                board.w32(ITS, 0x00, 0);
                let device = 3u32 << (lg2 - 3) | 5;
                let table = 0x4700_0000u64;
                board.w64(ITS, 0x100, 1 << 63 | indirect << 62 | table | code << 8 | 3);
                if indirect == 1 {
                    board.put(table + 8 * 3, 1 << 63 | 0x4710_0000 | 0xff0);
                }
                board.w32(ITS, 0x00, 1);
                let words = [u64::from(device) << 32 | 0x08, 7, 1 << 63 | 0x4a00_0000, 0];
                board.command(words);
                let last_page = if indirect == 1 { 0x4710_0000 } else { table + (3 << lg2) };
                assert_ne!(board.get(last_page + 5 * 8), 0, "{preset:?} {lg2} {indirect}");
                board.configure(8195, 0xa3);
                board.mapti(device, 0, 8195, 2);
                board.message(device, 0);
                board.only(2, 8195);
            }
        }
    }
}
