//! Collections of KVM's ITS, which lists them: a new collection needs a place in memory, as in an
//! array.

use crate::choice::Preset;
use crate::its::testkit::{Board, ITS};
use crate::its::{Arrival, Failure};

/// Stores GITS_BASER of collections: pages of 64 KiB, with room for 8192 each.
fn collections(board: &mut Board, at: u64, pages: u64) {
    board.w32(ITS, 0x00, 0);
    board.w64(ITS, 0x108, 1 << 63 | at | 2 << 8 | (pages - 1));
    board.w32(ITS, 0x00, 1);
}

fn errors(board: &mut Board) -> Vec<u32> {
    let said = board.reports().into_iter().map(|report| match report.failure {
        Failure::Command(error) => error.syndrome(),
        Failure::Memory(at) => panic!("{at}"),
    });
    said.collect()
}

#[test]
fn a_collection_that_comes_has_to_have_a_place() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.mapd(2, 8);
    // Beyond the table, which has one page; unmapping checks no place, and unmapping an unmapped
    // collection does nothing.
    board.mapc(9000, 1);
    board.mapti(2, 20, 8195, 9000);
    board.unmap_collection(9000);
    board.mapti(2, 21, 8195, 1);
    board.movi(2, 21, 9000);
    board.invall(9000);
    assert_eq!(errors(&mut board), [0x01_0903, 0x01_0a03, 0x01_0109, 0x01_0d09]);
    // A mapped event stays as it is, whatever collection MAPTI names.
    board.mapti(2, 21, 8195, 9000);
    assert_eq!(errors(&mut board), []);
    // At an address without memory.
    let mut board =
        Board::without_collections(crate::v3::Implementation::of(Preset::KvmAbi0, 4, 32));
    collections(&mut board, 0x100_0000, 1);
    board.mapc(0, 0);
    board.mapd(2, 8);
    board.mapti(2, 20, 8195, 0);
    assert_eq!(errors(&mut board), [0x01_0903, 0x01_0a03]);
    assert!(matches!(board.message(2, 20), Arrival::Untranslated(_)));
}
