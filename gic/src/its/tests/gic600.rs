//! Entries of GIC-600's sizes: how registers report them, their contents, and numbers that do not
//! fit.

use crate::Cpu;
use crate::choice::Preset;
use crate::its::entry::{Dte, Layout};
use crate::its::image::{self, Device, ImageError, Kind, Mappings, Tables};
use crate::its::testkit::{Board, COLLECTIONS, DEVICES, DEVICES2, ITS, itt};
use crate::v3::{Block, GicV3, Implementation, MOST_CPUS, testkit};
use passim_model::{DeviceId, EventId, IntId, PhysAddr, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SMALL: Layout = Layout::Gic600;

/// Rockchip's RK3588, as Linux reads it: two ITSs with these values, and entries of 8 and 2 bytes.
#[test]
fn what_an_rk3588_says() {
    let mut board = Board::new(Preset::Gic600);
    assert_eq!(board.r64(ITS, 0x08), 0x13_0001_ef31);
    assert_eq!(board.r32(ITS, 0x04), 0x0201_743b);
    board.w32(ITS, 0x00, 0);
    // Every bit that can be stored, as Linux stored it on an RK3566 of the same family.
    board.w64(ITS, 0x100, 0xf907_0001_0019_0600);
    assert_eq!(board.r64(ITS, 0x100), 0xf907_0001_0019_0600);
    board.w64(ITS, 0x108, 0xffff_0001_0019_0600);
    assert_eq!(board.r64(ITS, 0x108), 0xbce1_0001_0019_0600, "flat, of 2 bytes an entry");
    for n in 2..8 {
        board.w64(ITS, 0x100 + 8 * n, u64::MAX);
        assert_eq!(board.r64(ITS, 0x100 + 8 * n), 0);
    }
}

/// A GIC-600 is configured for its number of CPUs: a collection for each, and at least 16 here.
#[test]
fn as_many_collections_as_cpus() {
    for (cpus, bits) in [(1, 4), (8, 4), (16, 4), (17, 5), (80, 7), (512, 9)] {
        let spec = Implementation::of(Preset::Gic600, cpus, 32);
        assert_eq!(spec.its[0].features.collection_bits, Some(bits));
    }
}

#[test]
fn entries_lie_side_by_side() {
    let mut board = Board::new(Preset::Gic600);
    // Collections 0 to 3 at their CPUs: the first four entries are a doubleword.
    assert_eq!(board.get(COLLECTIONS), 0x8003_8002_8001_8000);
    board.mapd(2, 16);
    assert_eq!(board.get(DEVICES2 + 16), 1 << 63 | itt(2) | 15);
    board.mapti(2, 0, 8192, 1);
    board.mapti(2, 1, 0xffff, 3);
    assert_eq!(board.get(itt(2)), 0x8003_ffff_8001_2000);
    board.discard(2, 0);
    assert_eq!(board.get(itt(2)), 0x8003_ffff_0000_0000, "its neighbour stays");
    board.unmap_collection(1);
    assert_eq!(board.get(COLLECTIONS), 0x8003_8002_0000_8000);
    board.unmap_device(2);
    assert_eq!(board.get(DEVICES2 + 16), 0);
}

/// A driver that sizes an interrupt translation table by GITS_TYPER allocates 4 bytes per event:
/// every event can be used, and nothing after the table is written.
#[test]
fn a_table_of_events_has_four_bytes_an_event() {
    let mut board = Board::new(Preset::Gic600);
    let end = itt(2) + (4 << 7);
    board.put(end, u64::MAX);
    board.mapd(2, 7);
    for event in 0..1 << 7 {
        board.mapti(2, event, 8192 + event, (event % 4) as u16);
    }
    assert_eq!(board.get(end), u64::MAX);
    for event in 0..1 << 7 {
        board.configure(8192 + event, 0xa3);
        board.inv(2, event);
        board.message(2, event);
        board.only((event % 4) as u16, 8192 + event);
    }
}

/// Numbers that do not fit an entry are refused: they are out of the range that registers report.
#[test]
fn what_does_not_fit_is_out_of_range() {
    let mut spec = Implementation::of(Preset::Gic600, 4, 32);
    let features = &mut spec.its[0].features;
    (features.collection_bits, features.intid_bits) = (None, 24);
    let mut board = Board::with(spec);
    // Without a limit of its own an ICID has as many bits as an interrupt translation entry holds:
    // 14.
    assert_eq!(board.r64(ITS, 0x08) >> 32, 0x1d);
    board.mapd(2, 8);
    let mut refused = |words, syndrome| {
        board.submit(words);
        board.run();
        let reports = board.reports();
        let said: Vec<_> = reports.iter().map(|report| report.syndrome).collect();
        assert_eq!(said, [Some(syndrome)]);
        // Replaces it by SYNC.
        let at = board.r64(ITS, 0x90) & !1;
        for (n, word) in (0..).zip([0x05, 0, 0, 0]) {
            board.put(crate::its::testkit::QUEUE + at + 8 * n, word);
        }
        let writer = board.writer;
        board.w64(ITS, 0x88, writer | 1);
        board.run();
    };
    // The largest number that fits, and the next: of a collection, and of an LPI.
    refused([0x09, 0, 1 << 63 | 0x4000, 0], 0x01_0903);
    refused([2 << 32 | 0x0a, 8192 << 32, 0x4000, 0], 0x01_0a03);
    refused([2 << 32 | 0x0a, 0x1_0000 << 32, 1, 0], 0x01_0a06);
    board.mapc(0x3fff, 3);
    board.mapti(2, 0, 0xffff, 0x3fff);
    board.configure(0xffff, 0xa3);
    board.inv(2, 0);
    board.message(2, 0);
    board.only(3, 0xffff);
    // GITS_BASER1 limits ICIDs to the table, which has the 16 entries that Linux would give it.
    let mut small = Board::new(Preset::Gic600);
    small.submit([0x09, 0, 1 << 63 | 16, 0]);
    small.run();
    assert_eq!(small.reports()[0].syndrome, Some(0x01_0903));
}

/// GICD_TYPER reports no LPI that entries cannot hold.
#[test]
fn as_many_bits_of_an_intid_as_an_entry_has() {
    for (layout, bits) in [(Layout::Gic600, 16), (Layout::Qemu, 24)] {
        let mut spec = Implementation::of(Preset::Gic600, 4, 32);
        spec.distributor.intid_bits = 24;
        spec.its[0].features.intid_bits = 24;
        spec.its[0].features.layout = layout;
        let mut board = Board::with(spec);
        assert_eq!(board.r32(Block::Distributor, 0x04) >> 19 & 0x1f, bits - 1);
        board.mapd(2, 8);
        board.submit([2 << 32 | 0x0a, 70_000 << 32, 0, 0]);
        board.run();
        assert_eq!(board.reports().is_empty(), bits == 24);
    }
}

/// A level 1 table whose pages hold 8192 devices each.
#[test]
fn a_device_table_of_two_levels() {
    let mut board = Board::new(Preset::Gic600);
    let second = DEVICES2 + 0x1_0000;
    board.put(DEVICES + 8, 1 << 63 | second);
    board.command([8192 << 32 | 0x08, 7, 1 << 63 | itt(3), 0]);
    assert_eq!(board.get(second), 1 << 63 | itt(3) | 7);
    board.configure(8195, 0xa3);
    board.mapti(8192, 3, 8195, 2);
    board.inv(8192, 3);
    board.message(8192, 3);
    board.only(2, 8195);
}

fn migrate(board: &mut Board) {
    let kit = &mut board.board;
    let saved = kit.gic.save(&mut kit.memory);
    let implementation = kit.gic.implementation().clone();
    kit.gic = GicV3::restore(implementation, &saved, &mut kit.memory);
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        bits in 1u32..=32,
        table in 0u64..1 << 44,
        intid in 8192u32..0x1_0000,
        icid in 0u16..0x4000,
        cpu in 0..MOST_CPUS as u16,
        place in 0u64..4,
    ) {
        let dte = Dte { itt: table << 8, bits };
        prop_assert_eq!(SMALL.dte(SMALL.spell_dte(Some(dte), 0)), Some(dte));
        let mut memory = testkit::memory();
        let (table, around) = (PhysAddr::new(COLLECTIONS), 0x5a5a_a5a5_1234_4321);
        for at in [table, PhysAddr::new(COLLECTIONS + 8)] {
            memory.store_u64(at, around).unwrap();
        }
        let at = PhysAddr::new(COLLECTIONS + 4 * place);
        SMALL.store_ite(at, Some((intid, icid)), 0, &mut memory).unwrap();
        let read = SMALL.load_ite(at, &memory).unwrap();
        prop_assert_eq!(read.map(|ite| (ite.intid, ite.icid)), Some((intid, Some(icid))));
        SMALL.store_ite(at, None, 0, &mut memory).unwrap();
        prop_assert_eq!(SMALL.load_ite(at, &memory).unwrap(), None);
        memory.write(at, &around.to_le_bytes()[4 * (place % 2) as usize..][..4]).unwrap();
        let at = PhysAddr::new(COLLECTIONS + 2 * place);
        SMALL.store_cte(at, SMALL.spell_cte(icid, Cpu::new(cpu)), &mut memory).unwrap();
        let read = SMALL.cte(SMALL.load_cte(at, &memory).unwrap());
        prop_assert_eq!(read.and_then(|(_, cpu)| cpu), Some(Cpu::new(cpu)));
        // Bytes beside an entry are not written.
        memory.write(at, &around.to_le_bytes()[2 * place as usize..][..2]).unwrap();
        prop_assert_eq!(memory.load_u64(table).unwrap(), around);
        prop_assert_eq!(memory.load_u64(PhysAddr::new(COLLECTIONS + 8)).unwrap(), around);
    }

    /// Save and restore keep tables to the byte, and their mappings.
    #[test]
    fn a_migration_changes_nothing(
        events in prop::collection::btree_map(0u32..256, (8192u32..8400, 0u16..4), 0..20),
    ) {
        let mut board = Board::new(Preset::Gic600);
        board.mapd(2, 8);
        for (&event, &(lpi, icid)) in &events {
            board.mapti(2, event, lpi, icid);
        }
        let bytes = |board: &Board| {
            let tables = [(DEVICES2, 0x1_0000), (COLLECTIONS, 0x1_0000), (itt(2), 1024)];
            tables.map(|(at, len)| {
                let mut bytes = vec![0; len];
                board.memory.read(PhysAddr::new(at), &mut bytes).unwrap();
                bytes
            })
        };
        let mapped = |board: &Board| board.gic.its()[0].mappings(&board.memory).unwrap();
        let before = (bytes(&board), mapped(&board));
        migrate(&mut board);
        prop_assert!(before == (bytes(&board), mapped(&board)));
    }
}

/// Converts to QEMU's layout and back: the registers report the new entry sizes, and every mapping
/// stays.
#[test]
fn a_gic_moves_to_other_entries_and_back() {
    let mut board = Board::new(Preset::Gic600);
    board.map(2, 20, 8195, 3);
    let mut free = 0x47f0_0000;
    let mut layout = |board: &mut Board, layout| {
        let mut to = board.gic.implementation().clone();
        to.its[0].features.layout = layout;
        let kit = &mut board.board;
        let scratch = Span::from_size(PhysAddr::new(free), 0x1_0000);
        free += 0x1_0000;
        kit.gic.convert(to, scratch, &mut kit.memory).map(|_| ())
    };
    for (to, typer, cte) in [
        (Layout::Qemu, 0x13_0001_efb1, 7),
        (Layout::Gic600, 0x13_0001_ef31, 1),
        (Layout::Kvm0, 0x13_0001_ef71, 7),
        (Layout::Gic600, 0x13_0001_ef31, 1),
    ] {
        layout(&mut board, to).unwrap();
        assert_eq!(board.r64(ITS, 0x08), typer);
        assert_eq!(board.r64(ITS, 0x108) >> 48 & 0x1f, cte);
        board.message(2, 20);
        board.only(3, 8195);
        board.mapc(2, 1);
        board.mapc(2, 2);
    }
}

/// Numbers that the other layout's entries cannot hold: nothing is written.
#[test]
fn numbers_too_wide_are_refused() {
    let table = |at: u64, entry: u64| 1 << 63 | at | 2 << 8 | entry << 48;
    let tables = Tables { devices: table(DEVICES, 7), collections: table(COLLECTIONS, 7) | 2 };
    let of = |lpi, icid| {
        let mut mappings = Mappings::default();
        let events = BTreeMap::from([(EventId::new(1), (IntId::new(lpi), Some(icid)))]);
        let device = Device { itt: PhysAddr::new(itt(2)), event_bits: 4, events };
        mappings.devices.insert(DeviceId::new(2), device);
        mappings
    };
    let convert = |mappings: &Mappings| {
        let mut memory = testkit::memory();
        mappings.write(Layout::Kvm0, tables, &mut memory).unwrap();
        let layouts = (Layout::Kvm0, SMALL);
        let converted = image::convert(layouts, tables, (16, 16), None, &mut memory);
        (converted.map(|converted| converted.mappings), memory)
    };
    let fits = of(0xffff, 0x3fff);
    let (converted, memory) = convert(&fits);
    assert_eq!(converted, Ok(fits));
    assert_eq!(memory.load_u64(PhysAddr::new(itt(2))).unwrap(), 0xbfff_ffff << 32);
    for (wide, of, what, number) in [
        (of(0x1_0000, 0), Kind::Event, "lpi", 0x1_0000),
        (of(8192, 0x4000), Kind::Event, "collection", 0x4000),
    ] {
        let (converted, memory) = convert(&wide);
        assert_eq!(converted, Err(ImageError::TooWide { of, what, number }));
        assert_ne!(memory.load_u64(PhysAddr::new(itt(2) + 8)).unwrap(), 0);
    }
}
