//! Save and restore at any time, and conversion of table layouts.

use super::every_preset;
use super::known_tests::set_up;
use crate::choice::Preset;
use crate::choice::lpi::ClearEnable;
use crate::its::image::{self, ImageError, Mappings, Reading, Silent};
use crate::its::testkit::{Board, COLLECTIONS, DEVICES, DEVICES2, itt};
use crate::its::{Its, Layout};
use crate::v3::testkit::cpu;
use crate::v3::{Block, GicV3, Implementation};
use passim_model::{DeviceId, EventId, IntId, PhysAddr, Span};

/// Saves registers and memory, and restores them in another GIC.
pub(crate) fn migrate(board: &mut Board) {
    let kit = &mut board.board;
    let saved = kit.gic.save(&mut kit.memory);
    let implementation = kit.gic.implementation().clone();
    kit.gic = GicV3::restore(implementation, &saved, &mut kit.memory);
}

#[test]
fn migration_12_and_13() {
    every_preset(|mut board, _| {
        set_up(&mut board);
        migrate(&mut board);
        board.int(2, 20);
        board.only(3, 8195);
        board.int(7, 255);
        board.only(2, 8196);
    });
}

#[test]
fn migration_with_an_unmapped_collection_14_to_16() {
    every_preset(|mut board, _| {
        set_up(&mut board);
        board.configure(8192, 0xa3);
        board.mapti(2, 0, 8192, 0);
        migrate(&mut board);
        board.mapc(0, 0);
        board.invall(0);
        board.sync(0);
        board.int(7, 255);
        board.only(2, 8196);
        let mut byte = [0];
        let at = passim_model::PhysAddr::new(crate::v3::testkit::CONFIGURATION);
        board.memory.read(at, &mut byte).unwrap();
        assert_eq!(byte, [0xa3]);
        board.int(2, 0);
        board.only(0, 8192);
    });
}

#[test]
fn migration_of_pending_lpis_17() {
    for preset in Preset::ALL {
        let mut spec = Implementation::of(preset, 4, 32);
        spec.choices.clear_enable = ClearEnable::Allowed;
        let mut board = Board::with(spec);
        board.mapd(2, 8);
        for n in [2, 3] {
            board.w32(Block::Redistributor(cpu(n)), 0x00, 0);
        }
        for i in 0..256u32 {
            let n = if i % 2 == 1 { 3 } else { 2 };
            board.mapti(2, i, 8192 + i, n);
            board.configure(8192 + i, 0xa3);
            board.preset_pending(n, 8192 + i);
        }
        // KVM would write zeros to the pending tables before LPIs are on.
        for n in [2, 3] {
            board.w32(Block::Redistributor(cpu(n)), 0x00, 1);
        }
        migrate(&mut board);
        let [zero, one, two, three] = board.delivered();
        assert_eq!((zero.len(), one.len(), two.len(), three.len()), (0, 0, 128, 128));
        assert!(three.iter().all(|lpi| lpi % 2 == 1));
    }
}

/// GICR_PENDBASER of each CPU.
fn pending_tables(board: &mut Board) -> [u64; 4] {
    [0, 1, 2, 3].map(|n| board.r64(Block::Redistributor(cpu(n)), 0x78))
}

#[test]
fn pending_lpis_travel() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.map(4, 1, 8200, 1);
        board.configure(8200, 0xa2);
        board.inv(4, 1);
        board.sync(1);
        board.message(2, 20);
        board.message(4, 1);
        let tables = pending_tables(&mut board);
        migrate(&mut board);
        assert_eq!(pending_tables(&mut board), tables);
        assert_eq!((board.pending_lpis(3), board.pending_lpis(1)), (vec![8195], vec![8200]));
        board.only(3, 8195);
        assert_eq!(board.pending_lpis(1), [8200]);
    });
}

#[test]
fn what_was_unmapped_stays_unmapped() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.map(4, 1, 8200, 1);
        board.discard(2, 20);
        board.unmap_device(4);
        board.unmap_collection(2);
        let before = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
        migrate(&mut board);
        let after = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
        assert_eq!(before, after);
        let mapped: Vec<_> = after.devices.keys().map(|device| device.get()).collect();
        assert_eq!(mapped, [2]);
        assert!(after.devices[&DeviceId::new(2)].events.is_empty());
        assert_eq!(after.collections.keys().copied().collect::<Vec<_>>(), [0, 1, 3]);
    });
}

#[test]
fn distances_of_the_kvm_abi() {
    let mut board = Board::new(Preset::KvmAbi0);
    for device in [2, 3, 300, 500] {
        board.mapd(device, 8);
    }
    for event in [0, 1, 255] {
        board.mapti(3, event, 8200 + event, 1);
    }
    migrate(&mut board);
    let next = |board: &Board, device: u64| board.get(DEVICES2 + 8 * device) >> 49 & 0x3fff;
    assert_eq!([2, 3, 300, 500].map(|n| next(&board, n)), [1, 297, 200, 0]);
    let ite = |board: &Board, event: u64| board.get(itt(3) + 8 * event);
    let expected = [1 << 48 | 8200 << 16 | 1, 254 << 48 | 8201 << 16 | 1, 8455 << 16 | 1];
    assert_eq!([0, 1, 255].map(|n| ite(&board, n)), expected);
    // An entry that no distance leads to is not restored.
    board.put(DEVICES2 + 8 * 2, board.get(DEVICES2 + 8 * 2) & !(0x3fff << 49) | 298 << 49);
    let kit = &mut board.board;
    let tables = kit.gic.its()[0].tables();
    let read = |reading| {
        let bits = (16, 16);
        let found = Mappings::read(Layout::Kvm0, reading, tables, bits, &kit.memory).unwrap();
        let mappings = found.mappings;
        mappings.devices.keys().map(|device| device.get()).collect::<Vec<_>>()
    };
    assert_eq!(read(Reading::ByDistance), [2, 300, 500]);
    assert_eq!(read(Reading::Every), [2, 3, 300, 500]);
    let implementation = *kit.gic.its()[0].implementation();
    let saved = kit.gic.its()[0].save_registers();
    let its = Its::restore(implementation, 4, &saved, &mut kit.memory);
    let mappings = its.mappings(&kit.memory).unwrap().mappings;
    assert!(!mappings.devices.contains_key(&DeviceId::new(3)));
}

/// Devices whose entries are on pages far apart, with none between: a distance leads from one page
/// to another, and where it exceeds the field, the reader continues entry by entry.
#[test]
fn a_distance_leads_from_page_to_page() {
    let mut board = Board::new(Preset::KvmAbi0);
    // Devices 0x8000 to 0x9fff.
    board.put(DEVICES + 8 * 4, 1 << 63 | (DEVICES2 + 0x1_0000));
    let devices = [3, 0x8001, 0x9fff];
    for (device, lpi) in devices.into_iter().zip(8200..) {
        let table = itt(lpi - 8200);
        board.command([u64::from(device) << 32 | 0x08, 7, 1 << 63 | table, 0]);
        board.configure(lpi, 0xa3);
        board.mapti(device, 5, lpi, 1);
    }
    board.sync(1);
    migrate(&mut board);
    for (device, lpi) in devices.into_iter().zip(8200..) {
        board.message(device, 5);
        board.only(1, lpi);
    }
}

#[test]
fn qemu_tables_become_kvm_tables_and_back() {
    let mut board = Board::new(Preset::Qemu);
    board.mapd(2, 4);
    board.mapd(0x18, 4);
    board.mapti(2, 0, 8194, 1);
    board.mapti(2, 15, 8195, 3);
    board.mapti(0x18, 7, 8200, 2);
    let tables = board.gic.its()[0].tables();
    let before = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
    let memory = &mut board.board.memory;
    let bits = (16, 16);
    let there = image::convert((Layout::Qemu, Layout::Kvm0), tables, bits, None, memory).unwrap();
    assert_eq!(there.mappings, before);
    assert_eq!(board.get(DEVICES2 + 16), 1 << 63 | 0x16 << 49 | itt(2) >> 8 << 5 | 3);
    assert_eq!(board.get(itt(2)), 15 << 48 | 8194 << 16 | 1);
    assert_eq!(board.get(itt(2) + 8 * 15), 8195 << 16 | 3);
    assert_eq!(board.get(COLLECTIONS + 24), 1 << 63 | 3 << 16 | 3);
    let memory = &mut board.board.memory;
    let back = image::convert((Layout::Kvm0, Layout::Qemu), tables, bits, None, memory).unwrap();
    assert_eq!(back.mappings, before);
    let device = &back.mappings.devices[&DeviceId::new(2)];
    assert_eq!(device.events[&EventId::new(15)], (IntId::new(8195), Some(3)));
    board.configure(8195, 0xa3);
    board.message(2, 15);
    board.only(3, 8195);
}

#[test]
fn a_table_made_for_smaller_entries_is_not_overrun() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.mapd(2, 5);
    board.mapti(2, 0, 8194, 1);
    board.mapti(2, 31, 8195, 2);
    board.configure(8194, 0xa3);
    migrate(&mut board);
    let tables = board.gic.its()[0].tables();
    let (layouts, bits) = ((Layout::Kvm0, Layout::Qemu), (16, 16));
    let memory = &mut board.board.memory;
    let device = DeviceId::new(2);
    let too_small = ImageError::IttTooSmall { device, has: 256, wants: 384 };
    let refused = image::convert(layouts, tables, bits, None, memory);
    assert_eq!(refused, Err(too_small));
    // Scratch memory is too small if its aligned part is one byte short.
    let scratch = |at, bytes| Span::from_size(PhysAddr::new(at), bytes).unwrap();
    let few = Some(scratch(0x4800_0001, 638));
    assert_eq!(image::convert(layouts, tables, bits, few, memory), Err(too_small));
    // Scratch memory that is in use, or is not RAM, is refused.
    for wrong in [scratch(itt(2), 4096), scratch(DEVICES2 + 8, 8), scratch(0xf_0000_0000, 4096)] {
        let refused = image::convert(layouts, tables, bits, Some(wrong), memory);
        assert_eq!(refused, Err(ImageError::Scratch(wrong)));
    }
    board.message(2, 0);
    board.only(1, 8194);
}

/// A table that is too small moves to scratch memory, with every event.
#[test]
fn a_table_that_does_not_fit_moves() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.mapd(2, 5);
    board.mapd(3, 4);
    for event in 0..32 {
        board.mapti(2, event, 8200 + event, (event % 4) as u16);
    }
    board.mapti(3, 15, 8300, 3);
    migrate(&mut board);
    let before = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
    let tables = board.gic.its()[0].tables();
    let scratch = Span::from_size(PhysAddr::new(0x4800_0001), 640);
    let (layouts, bits) = ((Layout::Kvm0, Layout::Qemu), (16, 16));
    let memory = &mut board.board.memory;
    let converted = image::convert(layouts, tables, bits, scratch, memory).unwrap();
    assert_eq!(converted.silent, []);
    let moved: Vec<_> = converted.moved.into_iter().collect();
    assert_eq!(moved, [(DeviceId::new(2), PhysAddr::new(itt(2)))]);
    let read = Mappings::read(Layout::Qemu, Reading::Every, tables, bits, memory).unwrap();
    let mut expected = before;
    let place = PhysAddr::new(0x4800_0100);
    expected.devices.get_mut(&DeviceId::new(2)).unwrap().itt = place;
    assert_eq!(read.mappings, expected);
    assert_eq!(converted.mappings, expected);
}

/// Parts that cannot be read are reported, and the rest is read.
#[test]
fn reading_passes_over_what_does_not_answer() {
    for layout in [Layout::Qemu, Layout::Kvm0] {
        let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
        spec.its[0].features.layout = layout;
        let mut board = Board::with(spec);
        board.map(2, 20, 8195, 3);
        let silent = |board: &Board| {
            let found = board.gic.its()[0].mappings(&board.memory).unwrap();
            assert!(found.mappings.devices.contains_key(&DeviceId::new(2)));
            found.silent.iter().map(Silent::to_string).collect::<Vec<_>>()
        };
        assert_eq!(silent(&board), [""; 0]);
        board.put(DEVICES + 8, 1 << 63 | 0xf_0000_0000);
        let said = ["the device table does not answer at [0xf00000000, 0xf0000ffff]"];
        assert_eq!(silent(&board), said);
        board.put(DEVICES + 8, 0);
        let itt = 0xf_0000_0000u64 >> 8;
        let word = match layout {
            Layout::Kvm0 => 1 << 63 | itt << 5 | 7,
            _ => itt << 6 | 7 << 1 | 1,
        };
        board.put(DEVICES2 + 24, word);
        let said =
            ["the interrupt translation table does not answer at [0xf00000000, 0xf00000fff]"];
        assert_eq!(silent(&board), said);
    }
}

/// An unmapped collection that events name is in KVM's list, with a number that no CPU has, and is
/// unmapped after a restore.
#[test]
fn unmapped_collections_are_listed_where_kvm_lists_them() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.map(2, 20, 8195, 3);
    board.mapti(2, 21, 8196, 7);
    board.mapti(2, 22, 8197, 7);
    board.configure(8196, 0xa3);
    migrate(&mut board);
    // Four are mapped; the list ends after the fifth.
    assert_eq!(board.get(COLLECTIONS + 8 * 4), 1 << 63 | 0xffff_ffff << 16 | 7);
    assert_eq!(board.get(COLLECTIONS + 8 * 5), 0);
    let found = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
    assert!(!found.collections.contains_key(&7));
    board.message(2, 21);
    board.nothing();
    // A second save adds nothing, and the collection can be mapped as ever.
    migrate(&mut board);
    assert_eq!(board.get(COLLECTIONS + 8 * 5), 0);
    board.mapc(7, 2);
    board.sync(2);
    migrate(&mut board);
    assert_eq!(board.get(COLLECTIONS + 8 * 4), 1 << 63 | 2 << 16 | 7);
    board.message(2, 21);
    board.only(2, 8196);
}

#[test]
fn a_cleared_level_1_entry_does_not_hinder_saving() {
    every_preset(|mut board, _| {
        board.map(2, 20, 8195, 3);
        board.put(DEVICES, 0);
        migrate(&mut board);
        assert!(board.gic.its()[0].mappings(&board.memory).unwrap().mappings.devices.is_empty());
        board.message(2, 20);
        board.nothing();
    });
}

/// Events lose an unmapped collection for good after a migration too, where that is chosen.
#[test]
fn orphans_are_made_by_whoever_goes_on() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.map(2, 20, 8195, 3);
    migrate(&mut board);
    board.unmap_collection(3);
    board.mapc(3, 3);
    board.message(2, 20);
    board.nothing();
}

/// A guest cannot make saving fail: a level 2 page and a table that are not RAM are skipped, and
/// everything else is restored.
#[test]
fn saving_passes_over_what_does_not_answer() {
    every_preset(|mut board, preset| {
        board.map(2, 20, 8195, 3);
        board.put(super::super::testkit::DEVICES + 8, 1 << 63 | 0xf_0000_0000);
        migrate(&mut board);
        board.message(2, 20);
        board.only(3, 8195);
        // Interrupt translation tables without RAM, before and after one with RAM.
        for device in [1, 3] {
            let layout = board.gic.its()[0].implementation().features.layout;
            let itt = 0xf_0000_0000u64 >> 8;
            let word = match layout {
                Layout::Kvm0 => 1 << 63 | itt << 5 | 7,
                Layout::Qemu => itt << 6 | 7 << 1 | 1,
                Layout::Gic600 => 1 << 63 | itt << 8 | 7,
            };
            board.put(DEVICES2 + 8 * device, word);
        }
        migrate(&mut board);
        assert!([1, 3].iter().all(|device| board.get(DEVICES2 + 8 * device) != 0));
        board.message(2, 20);
        // KVM saves its internal tables; restore fails at the first of these, and restores nothing.
        let refused = board.gic.its()[0].refused();
        assert_eq!(refused.is_some(), preset == Preset::KvmAbi0);
        if refused.is_none() {
            board.only(3, 8195);
        }
    });
}

/// Any number of devices, even if all share a table.
#[test]
fn saving_takes_tables_as_they_are() {
    for preset in Preset::ALL.into_iter().take(4) {
        let mut board = Board::new(preset);
        board.mapd(2, 16);
        board.configure(8195, 0xa3);
        for device in 3..300u64 {
            board.command([device << 32 | 0x08, 15, 1 << 63 | itt(2), 0]);
        }
        board.mapti(2, 0xffff, 8195, 3);
        board.sync(3);
        migrate(&mut board);
        for device in [2, 3, 299] {
            board.message(device, 0xffff);
            board.only(3, 8195);
        }
        board.message(300, 0xffff);
        board.nothing();
    }
}

/// Two devices may share a table, with fewer EventID bits for one.
#[test]
fn events_of_a_shared_table_travel() {
    for preset in [Preset::ArchStrict, Preset::Qemu, Preset::Gic600] {
        let mut board = Board::new(preset);
        board.mapd(2, 4);
        for (event, lpi, icid) in [(3, 8195, 1), (10, 8196, 2)] {
            board.configure(lpi, 0xa3);
            board.mapti(2, event, lpi, icid);
        }
        let mut word = board.get(DEVICES2 + 16);
        // Without MAPD, which may zero the table: device 3 with two bits fewer.
        let size = match board.gic.its()[0].implementation().features.layout {
            Layout::Kvm0 | Layout::Gic600 => 0,
            Layout::Qemu => 1,
        };
        word -= 2 << size;
        board.put(DEVICES2 + 24, word);
        migrate(&mut board);
        for (device, event, cpu, lpi) in [(2, 3, 1, 8195), (2, 10, 2, 8196), (3, 3, 1, 8195)] {
            board.message(device, event);
            board.only(cpu, lpi);
        }
    }
}

/// Whichever ICIDs are mapped: an event that lost its collection is in none of them, after a
/// migration too.
#[test]
fn orphans_never_come_back() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.map(2, 20, 8195, 3);
    board.unmap_collection(3);
    for icid in [3, 0, 0xffff] {
        board.mapc(icid, 3);
        board.message(2, 20);
        board.nothing();
        migrate(&mut board);
        board.message(2, 20);
        board.nothing();
    }
    let mappings = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
    // No table can represent it: the event is not mapped.
    assert!(mappings.devices[&DeviceId::new(2)].events.is_empty());
    assert_eq!(board.get(itt(2) + 8 * 20), 0);
    // It cannot be moved into a collection either. The earlier failure, an ICID out of range, is
    // still reported.
    assert_eq!(board.reports().len(), 1);
    board.submit([2 << 32 | 0x01, 20, 3, 0]);
    board.run();
    let said: Vec<_> = board.reports().iter().map(|report| report.failure.to_string()).collect();
    assert_eq!(said, ["MOVI: the event is not mapped (0x010107)"]);
}
