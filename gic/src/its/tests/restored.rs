//! Under KVM save writes the entries of what is mapped and no others, and restore reads from the
//! first entry on: stale contents of a table that software should have zeroed are then restored, or
//! make restore refuse everything.

use super::migration::migrate;
use crate::choice::Preset;
use crate::choice::its::Caching;
use crate::its::cache::Cache;
use crate::its::command::Source;
use crate::its::testkit::{Board, COLLECTIONS, DEVICES, DEVICES2, itt};
use crate::its::{Arrival, Refused};
use crate::v3::testkit::cpu;
use crate::v3::{GicV3, Implementation};
use passim_model::{DeviceId, EventId, IntId, PhysAddr};

const DEVICE: DeviceId = DeviceId::new(2);

/// An interrupt translation entry: the distance to the next, an LPI, an ICID.
fn ite(next: u64, intid: u64, icid: u64) -> u64 {
    next << 48 | intid << 16 | icid
}

/// Device 2 with its event 20, in a table that held this entry before; then saved and restored.
fn over(event: u64, entry: u64) -> Board {
    let mut board = Board::new(Preset::KvmAbi0);
    board.put(itt(2) + 8 * event, entry);
    board.map(2, 20, 8195, 3);
    assert!(matches!(board.message(2, event as u32), Arrival::Untranslated(_)), "not looked at");
    board.message(2, 20);
    board.only(3, 8195);
    migrate(&mut board);
    board
}

/// The CPU that acknowledges the LPI of a message, and the LPI.
fn taken(board: &mut Board, event: u32) -> Option<(u16, u32)> {
    board.message(2, event);
    let taken = board.delivered();
    let first = taken.iter().zip(0..).find_map(|(lpis, n)| Some((n, *lpis.first()?)));
    assert!(taken.iter().map(Vec::len).sum::<usize>() <= 1);
    first
}

#[test]
fn what_was_in_a_table_is_found_when_it_is_restored() {
    // Before the mapped event, and leading to it.
    let mut board = over(5, ite(15, 8200, 1));
    assert_eq!(board.gic.its()[0].refused(), None);
    board.configure(8200, 0xa3);
    board.inv(2, 5);
    assert_eq!(taken(&mut board, 5), Some((1, 8200)));
    assert_eq!(taken(&mut board, 20), Some((3, 8195)));
    // As the last entry: the events after it are no longer mapped.
    let mut board = over(5, ite(0, 8200, 1));
    board.configure(8200, 0xa3);
    board.inv(2, 5);
    assert_eq!(taken(&mut board, 5), Some((1, 8200)));
    assert_eq!(taken(&mut board, 20), None);
    // Entries after the last are not read.
    let mut board = over(21, ite(0, 8200, 1));
    assert_eq!(taken(&mut board, 21), None);
    assert_eq!(taken(&mut board, 20), Some((3, 8195)));
}

#[test]
fn what_cannot_be_is_refused_with_all_the_rest() {
    let event = EventId::new(5);
    for (entry, why) in [
        (ite(15, 100, 1), Refused::NoLpi(DEVICE, event)),
        (ite(300, 8200, 1), Refused::Beyond(DEVICE, event)),
        (ite(15, 8200, 9), Refused::NoCollection(DEVICE, event)),
    ] {
        let mut board = over(5, entry);
        assert_eq!(board.gic.its()[0].refused(), Some(why));
        assert_eq!(taken(&mut board, 20), None);
        let mappings = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
        assert!(mappings.devices.is_empty() && mappings.collections.is_empty());
        // Software can map again.
        board.put(itt(2) + 8 * 5, 0);
        board.mapc(3, 3);
        board.map(2, 20, 8195, 3);
        migrate(&mut board);
        assert_eq!(board.gic.its()[0].refused(), None);
        assert_eq!(taken(&mut board, 20), Some((3, 8195)));
    }
}

/// Software changes tables between save and restore.
#[test]
fn tables_that_are_spoilt_are_refused() {
    type Spoil = (Refused, fn(&mut Board));
    let spoils: [Spoil; 5] = [
        (Refused::Twice(0), |board| {
            let first = board.get(COLLECTIONS);
            board.put(COLLECTIONS + 8, first);
        }),
        (Refused::NoCpu(0), |board| board.put(COLLECTIONS, 1 << 63 | 4 << 16)),
        (Refused::NoPlace(9000), |board| board.put(COLLECTIONS, 1 << 63 | 9000)),
        (Refused::EventBits(DEVICE), |board| {
            let entry = board.get(DEVICES2 + 16);
            board.put(DEVICES2 + 16, entry | 31);
        }),
        (Refused::Abort(PhysAddr::new(0xf_0000_0000)), |board| {
            board.put(DEVICES2 + 16, 1 << 63 | 0xf_0000_0000 >> 8 << 5 | 7);
        }),
    ];
    for (why, spoil) in spoils {
        let mut board = Board::new(Preset::KvmAbi0);
        board.map(2, 20, 8195, 3);
        let saved = board.board.gic.save(&mut board.board.memory);
        spoil(&mut board);
        let spec = board.gic.implementation().clone();
        board.board.gic = GicV3::restore(spec, &saved, &mut board.board.memory);
        assert_eq!(board.gic.its()[0].refused(), Some(why));
        assert_eq!(taken(&mut board, 20), None);
    }
}

/// An earlier save has left the entry there.
#[test]
fn a_table_that_is_used_again_has_what_saving_wrote() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.map(2, 3, 8196, 1);
    migrate(&mut board);
    // Maps the device elsewhere, and back again.
    board.command([2 << 32 | 0x08, 7, 1 << 63 | itt(9), 0]);
    board.map(2, 20, 8195, 3);
    assert_eq!(taken(&mut board, 3), None);
    migrate(&mut board);
    board.configure(8196, 0xa3);
    assert_eq!(taken(&mut board, 3), Some((1, 8196)));
    assert_eq!(taken(&mut board, 20), None, "the old one says that it is the last");
}

/// Each page of a two-level table is read from its first entry on, wherever the distance that leads
/// to it points: a stale entry ahead of the mapped one is found, in any page.
#[test]
fn what_was_at_the_head_of_a_page_is_found() {
    const NEXT_PAGE: u64 = DEVICES2 + 0x1_0000;
    let over = |entry: u64| {
        let mut board = Board::new(Preset::KvmAbi0);
        board.put(DEVICES + 8, 1 << 63 | NEXT_PAGE);
        board.put(NEXT_PAGE + 16, entry);
        board.map(2, 20, 8195, 3);
        board.command([8197 << 32 | 0x08, 7, 1 << 63 | itt(3), 0]);
        board.mapti(8197, 20, 8196, 1);
        migrate(&mut board);
        board
    };
    let devices = |board: &Board| {
        let mappings = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
        mappings.devices.keys().map(|device| device.get()).collect::<Vec<_>>()
    };
    let board = over(0);
    assert_eq!(devices(&board), [2, 8197]);
    // Device 8194, leading to 8197.
    let board = over(1 << 63 | 3 << 49 | itt(4) >> 8 << 5 | 7);
    assert_eq!(devices(&board), [2, 8194, 8197]);
    // As the last entry.
    let board = over(1 << 63 | itt(4) >> 8 << 5 | 7);
    assert_eq!(devices(&board), [2, 8194]);
    // With more EventID bits than there are.
    let board = over(1 << 63 | 3 << 49 | itt(4) >> 8 << 5 | 31);
    assert_eq!(board.gic.its()[0].refused(), Some(Refused::EventBits(DeviceId::new(8194))));
    assert_eq!(devices(&board), [0; 0]);
}

/// A move to KVM leaves out a device whose table cannot be read, since KVM would then restore
/// nothing.
#[test]
fn a_move_to_kvm_takes_what_can_be_restored() {
    let mut board = Board::new(Preset::Qemu);
    board.map(2, 20, 8195, 3);
    board.put(DEVICES2 + 8, 0xf_0000_0000 >> 8 << 6 | 7 << 1 | 1);
    let to = Implementation::of(Preset::KvmAbi0, 4, 32);
    let kit = &mut board.board;
    let converted = kit.gic.convert(to, None, &mut kit.memory).unwrap();
    let [Some(converted)] = &converted[..] else { panic!("tables are laid out otherwise") };
    assert!(!converted.silent.is_empty());
    assert_eq!(converted.mappings.devices.keys().copied().collect::<Vec<_>>(), [DEVICE]);
    assert_eq!(board.gic.its()[0].refused(), None);
    assert_eq!(taken(&mut board, 20), Some((3, 8195)));
    migrate(&mut board);
    assert_eq!(taken(&mut board, 20), Some((3, 8195)));
}

/// Other presets keep mappings in tables, and refuse nothing.
#[test]
fn nobody_else_refuses_anything() {
    for preset in [Preset::ArchStrict, Preset::Qemu, Preset::Gic600] {
        let mut board = Board::new(preset);
        board.put(itt(2), u64::MAX);
        board.map(2, 20, 8195, 3);
        migrate(&mut board);
        assert_eq!(board.gic.its()[0].refused(), None);
        board.message(2, 20);
        board.only(3, 8195);
    }
}

/// Restored where more collections are held than were: those of the difference are held too.
#[test]
fn more_collections_are_held_after_a_restore() {
    let spec = |held| {
        let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
        spec.its[0].features.held_collections = held;
        spec
    };
    let mut board = Board::with(spec(2));
    board.map(2, 20, 8195, 1);
    let saved = board.board.gic.save(&mut board.board.memory);
    board.board.gic = GicV3::restore(spec(4), &saved, &mut board.board.memory);
    let table = |board: &Board| [0, 8, 16, 24].map(|at| board.get(COLLECTIONS + at));
    let before = table(&board);
    board.mapc(3, 0);
    board.sync(0);
    assert_eq!(table(&board), before);
    board.movi(2, 20, 3);
    board.sync(0);
    board.message(2, 20);
    board.only(0, 8195);
}

#[test]
fn a_cache_takes_over_only_one_of_its_kind() {
    let source = |event| Source { device: DEVICE, event: EventId::new(event) };
    let known = Caching::Translations { lg2: 12 };
    for (here, there) in
        [(Caching::All, known), (known, Caching::All), (known, known), (Caching::All, Caching::All)]
    {
        let (taken, all) = (here == there, here == Caching::All);
        let [mut here, mut there] = [here, there].map(Cache::new);
        there.remember(source(1), IntId::new(8192), cpu(0));
        here.take_over(&there);
        assert_eq!(here.find(source(1)).is_some(), taken);
        // A cache of all translations still is one: these two share a slot in front of it.
        here.remember(source(1), IntId::new(8192), cpu(0));
        here.remember(source(1 + 4096), IntId::new(8193), cpu(0));
        assert_eq!(here.recall(source(1)).is_some(), all);
    }
}
