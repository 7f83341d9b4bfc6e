//! Collections of KVM's ITS, which has them in a list: those that come have to have a place in memory, as
//! in an array; those that there are need none.

use super::migration::migrate;
use crate::choice::Preset;
use crate::its::testkit::{Board, COLLECTIONS, ITS};
use crate::its::{Arrival, Failure, Refused};

/// Stores GITS_BASER of collections: pages of 64 KiB, which have room for 8192 each.
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
fn a_collection_outlives_its_place_in_the_table() {
    let mut board = Board::new(Preset::KvmAbi0);
    collections(&mut board, COLLECTIONS, 2);
    board.mapc(9000, 1);
    board.map(2, 20, 8195, 9000);
    collections(&mut board, COLLECTIONS, 1);
    board.message(2, 20);
    board.only(1, 8195);
    board.configure(8196, 0xa3);
    board.mapti(2, 21, 8196, 9000);
    board.invall(9000);
    board.int(2, 21);
    board.only(1, 8196);
    board.movi(2, 20, 0);
    board.movi(2, 20, 9000);
    board.message(2, 20);
    board.only(1, 8195);
    board.mapc(9000, 2);
    board.message(2, 20);
    board.only(2, 8195);
    assert_eq!(errors(&mut board), []);
    // Saved, it is listed, and who restores asks for its place.
    let mut moved = board;
    migrate(&mut moved);
    assert_eq!(moved.gic.its()[0].refused(), Some(Refused::NoPlace(9000)));
    assert!(matches!(moved.message(2, 20), Arrival::Untranslated(_)));
}

#[test]
fn a_collection_that_comes_has_to_have_a_place() {
    let mut board = Board::new(Preset::KvmAbi0);
    board.mapd(2, 8);
    // Beyond the table, which has one page; unmapping asks for none, and what is not there is not mapped.
    board.mapc(9000, 1);
    board.mapti(2, 20, 8195, 9000);
    board.unmap_collection(9000);
    board.mapti(2, 21, 8195, 1);
    board.movi(2, 21, 9000);
    board.invall(9000);
    assert_eq!(errors(&mut board), [0x01_0903, 0x01_0a03, 0x01_0109, 0x01_0d09]);
    // An event that is mapped stays as it is, whatever is asked for.
    board.mapti(2, 21, 8195, 9000);
    assert_eq!(errors(&mut board), []);
    // Where there is no memory.
    let mut board =
        Board::without_collections(crate::v3::Implementation::of(Preset::KvmAbi0, 4, 32));
    collections(&mut board, 0x100_0000, 1);
    board.mapc(0, 0);
    board.mapd(2, 8);
    board.mapti(2, 20, 8195, 0);
    assert_eq!(errors(&mut board), [0x01_0903, 0x01_0a03]);
    assert!(matches!(board.message(2, 20), Arrival::Untranslated(_)));
}
