//! Assertions of kvm-unit-tests about an ITS (`arm/gic.c`, group its, and its library), for every
//! preset. Numbers in names count its reports. Migration is in `migration`.

use super::every_preset;
use crate::its::testkit::{Board, ITS};

/// The library's set-up: two devices, two collections, two events.
pub(super) fn set_up(board: &mut Board) {
    for icid in 0..4 {
        board.unmap_collection(icid);
        board.sync(u64::from(icid));
    }
    board.configure(8195, 0xa3);
    board.configure(8196, 0xa3);
    board.mapd(2, 8);
    board.mapd(7, 8);
    board.mapc(3, 3);
    board.mapc(2, 2);
    board.invall(2);
    board.invall(3);
    board.mapti(2, 20, 8195, 3);
    board.mapti(7, 255, 8196, 2);
    board.sync(2);
    board.sync(3);
}

#[test]
fn introspection_1_to_5() {
    every_preset(|mut board, _| {
        for at in [0x04, 0x08, 0x0c] {
            let value = board.r32(ITS, at);
            board.w32(ITS, at, !value);
            assert_eq!(board.r32(ITS, at), value, "read-only");
        }
        let typer = board.r64(ITS, 0x08);
        assert_eq!(typer & 1, 1, "physical LPIs");
        assert!(typer >> 8 & 0x1f != 0 && typer >> 13 & 0x1f != 0);
        // Sixteen bits, whether CIL is set or not.
        assert!(typer >> 36 & 1 == 0 || typer >> 32 & 0xf != 0);
        let kinds = [0, 1].map(|n| board.r64(ITS, 0x100 + 8 * n) >> 56 & 7);
        assert_eq!(kinds, [1, 4], "devices, collections");
        board.w32(ITS, 0x00, 0);
        for at in [0x100, 0x108] {
            let value = board.r64(ITS, at);
            board.w64(ITS, at, value & !(3 << 8) | 2 << 8);
            assert_eq!(board.r64(ITS, at) >> 8 & 3, 2, "pages of 64 KiB");
        }
    });
}

#[test]
fn trigger_6_and_7() {
    every_preset(|mut board, _| {
        set_up(&mut board);
        board.int(2, 20);
        board.only(3, 8195);
        board.int(7, 255);
        board.only(2, 8196);
    });
}

#[test]
fn invalidate_8_to_10() {
    every_preset(|mut board, _| {
        set_up(&mut board);
        board.configure(8195, 0xa2);
        board.inv(2, 20);
        board.sync(3);
        board.int(2, 20);
        board.sync(3);
        board.nothing();
        board.configure(8195, 0xa3);
        board.int(2, 20);
        board.sync(3);
        // An implementation that caches nothing may deliver already.
        let early = board.drain(3);
        board.invall(3);
        board.sync(3);
        let mut taken = early;
        taken.extend(board.drain(3));
        taken.dedup();
        assert_eq!(taken, [8195]);
        board.int(2, 20);
        board.only(3, 8195);
    });
}

#[test]
fn unmapped_device_11() {
    every_preset(|mut board, _| {
        set_up(&mut board);
        board.unmap_device(2);
        board.submit([2 << 32 | 0x03, 20, 0, 0]);
        for _ in 0..100 {
            let board = &mut board.board;
            let _ = board.gic.step(&mut board.memory);
        }
        board.nothing();
        assert_eq!(board.iar(3), 1023);
    });
}
