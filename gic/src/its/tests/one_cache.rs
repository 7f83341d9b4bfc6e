//! Configuration that all redistributors know alike: an LPI is mapped, moved and mapped elsewhere, and
//! what memory says of it by then counts once it is invalidated, and not before.

use crate::Cpu;
use crate::choice::Preset;
use crate::its::testkit::Board;
use crate::v3::{Block, Implementation};

const ON: u8 = 0xa3;
const OFF: u8 = 0xa2;

/// A board of whose LPI 8195, of event 20 of device 2 at CPU 0, is known that it is not enabled: it has
/// been pending so, and is no longer.
fn known_as_off(preset: Preset) -> Board {
    known_as_off_with(Implementation::of(preset, 4, 32))
}

fn known_as_off_with(spec: Implementation) -> Board {
    let mut board = Board::with(spec);
    board.configure(8195, OFF);
    board.mapd(2, 8);
    board.mapti(2, 20, 8195, 0);
    board.message(2, 20);
    board.nothing();
    board.clear(2, 20);
    board.sync(0);
    board.configure(8195, ON);
    board
}

#[test]
fn mapping_and_moving_are_no_invalidations_of_a_gic600() {
    // Redistributors that know for themselves may read anew what comes to them.
    for (preset, anew) in [(Preset::Gic600, false), (Preset::ArchStrict, true)] {
        let taken = |n: usize, taken: bool| {
            let mut all = [const { Vec::new() }; 4];
            all[n].extend(taken.then_some(8195));
            all
        };
        // Another event of the LPI.
        let mut board = known_as_off(preset);
        board.mapti(2, 21, 8195, 0);
        board.message(2, 21);
        assert_eq!(board.delivered(), taken(0, anew), "{preset:?}: MAPTI");
        // The same, mapped anew, and elsewhere.
        for n in [0u16, 2] {
            let mut board = known_as_off(preset);
            board.discard(2, 20);
            board.mapti(2, 20, 8195, n);
            board.message(2, 20);
            assert_eq!(
                board.delivered(),
                taken(usize::from(n), anew),
                "{preset:?}: DISCARD, MAPTI"
            );
        }
        let mut board = known_as_off(preset);
        board.movi(2, 20, 1);
        board.message(2, 20);
        assert_eq!(board.delivered(), taken(1, anew), "{preset:?}: MOVI");
        // And what is pending.
        let mut board = known_as_off(preset);
        board.configure(8195, OFF);
        board.message(2, 20);
        board.configure(8195, ON);
        board.movi(2, 20, 1);
        assert_eq!(board.delivered(), taken(1, anew), "{preset:?}: MOVI of what is pending");
    }
}

#[test]
fn mapping_a_pending_lpi_settles_nothing_of_a_gic600() {
    let mut board = known_as_off(Preset::Gic600);
    board.message(2, 20);
    board.mapti(2, 21, 8195, 0);
    board.nothing();
    board.inv(2, 21);
    board.sync(0);
    board.only(0, 8195);
}

#[test]
fn an_invalidation_is_one_for_all_redistributors_of_a_gic600() {
    // Of what was known while the LPI was at CPU 0, now that it is at CPU 1, and later at 0 again.
    let commands: [fn(&mut Board); 2] = [|board| board.inv(2, 20), |board| board.invall(1)];
    for command in commands {
        let mut board = known_as_off(Preset::Gic600);
        board.movi(2, 20, 1);
        command(&mut board);
        board.sync(1);
        board.movi(2, 20, 0);
        board.message(2, 20);
        board.only(0, 8195);
    }
}

#[test]
fn invalidation_by_register_is_too() {
    for (at, value) in [(0xa0, 8195), (0xb0, 0)] {
        let mut spec = Implementation::of(Preset::Gic600, 4, 32);
        spec.redistributors.invalidation_registers = true;
        let mut board = known_as_off_with(spec);
        board.w64(Block::Redistributor(Cpu::new(3)), at, value);
        board.message(2, 20);
        board.only(0, 8195);
    }
}

#[test]
fn lpis_that_are_turned_on_are_known_already() {
    let mut board = known_as_off(Preset::Gic600);
    let redistributor = Block::Redistributor(Cpu::new(1));
    board.w32(redistributor, 0, 0);
    board.preset_pending(1, 8195);
    board.w32(redistributor, 0, 1);
    assert_eq!(board.pending_lpis(1), [8195]);
    board.nothing();
    board.inv(2, 20);
    board.sync(0);
    board.only(1, 8195);
}
