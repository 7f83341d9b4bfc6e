//! The two tests of KVM's selftest `vgic_its_save` (tools/testing/selftests/kvm/arm64, September
//! 2026): what software does to its tables makes no save fail, and what a save writes can be
//! restored.

use super::migration::migrate;
use crate::choice::Preset;
use crate::its::Refused;
use crate::its::testkit::{Board, COLLECTIONS, DEVICES, DEVICES2, ITS, itt};
use crate::v3::Implementation;

/// Contents that nothing but a save changes.
const POISON: u64 = 0xdead_beef_dead_beef;
/// Entries in a page of 64 KiB.
const IN_PAGE: u16 = 8192;
/// The page of level 2 of the devices from 8192 on.
const DEVICES2_NEXT: u64 = DEVICES2 + 0x1_0000;

/// One collection more than a page holds, in a table of two pages.
fn two_pages() -> Board {
    let mut board = Board::without_collections(Implementation::of(Preset::KvmAbi0, 4, 32));
    board.w32(ITS, 0x00, 0);
    board.w64(ITS, 0x108, 1 << 63 | COLLECTIONS | 2 << 8 | 1);
    board.w32(ITS, 0x00, 1);
    for icid in 0..=IN_PAGE {
        board.mapc(icid, 0);
    }
    board.map(2, 20, 8195, 0);
    board
}

#[test]
fn a_changed_register_drops_the_collections() {
    let mut board = two_pages();
    board.w32(ITS, 0x00, 0);
    let valid = board.r64(ITS, 0x108);
    board.w64(ITS, 0x108, valid & !0xff);
    let words = || (0..2 * u64::from(IN_PAGE)).map(|n| COLLECTIONS + 8 * n);
    words().for_each(|at| board.put(at, POISON));
    migrate(&mut board);
    assert_eq!(board.gic.its()[0].refused(), None::<Refused>);
    assert_eq!(board.get(COLLECTIONS), 0, "the list ends");
    assert!(words().skip(1).all(|at| board.get(at) == POISON));
    // The event has lost its collection for good.
    board.w32(ITS, 0x00, 1);
    board.mapc(0, 0);
    board.message(2, 20);
    board.nothing();
}

/// Linux stores the registers again when a machine resumes: nothing is unmapped.
#[test]
fn an_unchanged_register_drops_nothing() {
    let mut board = two_pages();
    board.w32(ITS, 0x00, 0);
    for at in [0x100, 0x108] {
        let valid = board.r64(ITS, at);
        board.w64(ITS, at, valid);
    }
    board.w32(ITS, 0x00, 1);
    migrate(&mut board);
    board.message(2, 20);
    board.only(0, 8195);
}

/// The same for devices, with all their events.
#[test]
fn a_changed_register_drops_the_devices() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.map(2, 20, 8195, 3);
    board.w32(ITS, 0x00, 0);
    let valid = board.r64(ITS, 0x100);
    board.w64(ITS, 0x100, valid | 1);
    board.w64(ITS, 0x100, valid);
    board.w32(ITS, 0x00, 1);
    let mappings = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
    assert!(mappings.devices.is_empty());
    assert_eq!(mappings.collections.len(), 4);
    board.message(2, 20);
    board.nothing();
}

#[test]
fn an_unreachable_device_is_skipped() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.put(DEVICES + 8, 1 << 63 | DEVICES2_NEXT);
    for (device, table) in [(0, itt(0)), (u64::from(IN_PAGE), itt(1))] {
        board.command([device << 32 | 0x08, 12, 1 << 63 | table, 0]);
    }
    board.put(DEVICES + 8, 0);
    for page in [DEVICES2, DEVICES2_NEXT] {
        (0..u64::from(IN_PAGE)).for_each(|n| board.put(page + 8 * n, POISON));
    }
    migrate(&mut board);
    assert_eq!(board.gic.its()[0].refused(), None::<Refused>);
    let entry = board.get(DEVICES2);
    assert_eq!((entry >> 63, entry >> 49 & 0x3fff), (1, 0), "mapped, and the last");
    assert_eq!(board.get(DEVICES2_NEXT), POISON);
}
