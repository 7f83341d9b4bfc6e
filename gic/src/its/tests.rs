//! An ITS from outside: raw registers, commands and tables, as a driver would write them.

mod choices;
mod commands;
mod errors;
mod isolation;
mod known_tests;
mod late;
mod migration;
mod oracle;
mod recorded;
mod registers;
mod robust;

use super::testkit::Board;
use super::{Arrival, Untranslated};
use crate::Size;
use crate::choice::Preset;

/// Runs a test on a fresh board for every preset, the adversarial one with several seeds.
fn every_preset(test: impl Fn(Board, Preset)) {
    let fixed = Preset::ALL.into_iter().take(4);
    let seeds = (0..8).map(Preset::Adversarial);
    for preset in fixed.chain(seeds) {
        test(Board::new(preset), preset);
    }
}

#[test]
fn a_message_becomes_an_lpi() {
    every_preset(|mut board, preset| {
        board.map(2, 20, 8195, 3);
        assert!(matches!(board.message(2, 20), Arrival::Raised { .. }), "{preset:?}");
        board.only(3, 8195);
        board.device_write(2, 0x1_0040, Size::Half, 20);
        board.only(3, 8195);
        assert!(board.reports().is_empty());
    });
}

#[test]
fn messages_that_raise_nothing() {
    every_preset(|mut board, preset| {
        board.map(2, 20, 8195, 3);
        let unmapped = [(3, 20), (2, 21), (0x1_0002, 20), (8193, 20)];
        for (device, event) in unmapped {
            assert!(matches!(board.message(device, event), Arrival::Untranslated(_)));
        }
        for (at, size) in [
            (0x1_0040, Size::Byte),
            (0x1_0040, Size::Double),
            (0x1_0044, Size::Word),
            (0, Size::Word),
        ] {
            assert_eq!(board.device_write(2, at, size, 20), Arrival::Ignored);
        }
        board.w32(super::testkit::ITS, 0x1_0040, 20);
        board.nothing();
        let beyond = board.message(2, 0x114);
        let cut = matches!(preset, Preset::Adversarial(seed) if seed % 2 == 1);
        match cut {
            true => board.only(3, 8195),
            false => assert_eq!(beyond, Arrival::Untranslated(Untranslated::EventOutOfRange)),
        }
        board.w32(super::testkit::ITS, 0x00, 0);
        assert_eq!(board.message(2, 20), Arrival::Untranslated(Untranslated::Disabled));
        board.nothing();
    });
}
