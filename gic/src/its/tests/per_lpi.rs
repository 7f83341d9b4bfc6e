//! LPIs with a state of their own, as under KVM: where each is, and what happens to its pending
//! state while LPIs are off, when it moves, and when no event maps to it any more.

use super::migration::migrate;
use crate::choice::Preset;
use crate::choice::lpi::{MoveToDisabled, PendingAtDisable};
use crate::its::Arrival;
use crate::its::testkit::{Board, ITS};
use crate::v3::testkit::cpu;
use crate::v3::{Block, Implementation};
use passim_model::IntId;

fn r(n: u16) -> Block {
    Block::Redistributor(cpu(n))
}

/// One event, of an enabled LPI, at CPU 3.
fn board() -> Board {
    let mut board = Board::new(Preset::KvmAbi0);
    board.map(2, 20, 8195, 3);
    board
}

fn lpis_on(board: &mut Board, n: u16, on: bool) {
    board.w32(r(n), 0x00, u32::from(on));
}

fn pending(board: &Board) -> [Vec<u32>; 4] {
    [0, 1, 2, 3].map(|n| board.pending_lpis(n))
}

#[test]
fn a_message_for_where_lpis_are_off_is_dropped() {
    let mut board = board();
    lpis_on(&mut board, 3, false);
    board.int(2, 20);
    board.message(2, 20);
    assert_eq!(pending(&board), [const { Vec::new() }; 4]);
    assert_eq!(board.gic.counters().lpis_dropped, 2);
}

#[test]
fn what_moves_to_where_lpis_are_off_is_taken_there() {
    type Move = (&'static str, fn(&mut Board));
    let moves: [Move; 3] = [
        ("MOVI", |board| board.movi(2, 20, 1)),
        ("MOVALL", |board| board.movall(3, 1)),
        ("MAPC", |board| board.mapc(3, 1)),
    ];
    for (name, to_cpu_1) in moves {
        let mut board = board();
        lpis_on(&mut board, 1, false);
        board.message(2, 20);
        to_cpu_1(&mut board);
        assert_eq!(pending(&board), [vec![], vec![8195], vec![], vec![]], "{name}");
        board.only(1, 8195);
    }
}

/// A message reports the CPU that the LPI is at, not that of its event's collection.
#[test]
fn a_message_names_the_cpu_that_the_lpi_is_at() {
    let mut board = board();
    board.mapti(2, 21, 8195, 1);
    let raised = |n| Arrival::Raised { intid: IntId::new(8195), cpu: cpu(n) };
    assert_eq!(board.message(2, 21), raised(3), "it came with the first event");
    board.only(3, 8195);
    board.movall(3, 0);
    assert_eq!(board.message(2, 20), raised(0), "and went with MOVALL");
    board.only(0, 8195);
}

/// A cached translation names the LPI, not its CPU: it outlives MAPC, and is used without a check
/// whether LPIs are on at the new CPU.
#[test]
fn what_is_remembered_is_raised_where_lpis_are_off() {
    type Known = (&'static str, bool, fn(&mut Board));
    let known: [Known; 4] = [
        ("nothing", false, |_| {}),
        ("a message", true, |board| {
            board.message(2, 20);
        }),
        ("INT", true, |board| board.int(2, 20)),
        ("a message while LPIs were off", false, |board| {
            lpis_on(board, 3, false);
            board.message(2, 20);
            lpis_on(board, 3, true);
        }),
    ];
    for (name, remembered, know) in known {
        let mut board = board();
        lpis_on(&mut board, 1, false);
        know(&mut board);
        board.delivered();
        board.mapc(3, 1);
        board.int(2, 20);
        board.nothing();
        board.message(2, 20);
        let taken = board.delivered();
        assert_eq!(taken[1], if remembered { vec![8195] } else { vec![] }, "{name}");
    }
}

#[test]
fn what_is_remembered_is_forgotten_whole() {
    type Command = (&'static str, bool, fn(&mut Board));
    let commands: [Command; 13] = [
        ("DISCARD of another", true, |board| board.discard(4, 1)),
        ("MOVI of another", true, |board| board.movi(4, 1, 2)),
        ("MOVALL", true, |board| board.movall(2, 0)),
        ("MAPC without V of another", true, |board| board.unmap_collection(2)),
        ("MAPD of another that is mapped", true, |board| board.mapd(4, 4)),
        ("the ITS off and on", true, |board| {
            board.w32(ITS, 0x00, 0);
            board.w32(ITS, 0x00, 1);
        }),
        ("LPIs of another off and on", true, |board| {
            lpis_on(board, 0, false);
            lpis_on(board, 0, true);
        }),
        ("MAPD of a new device", false, |board| board.mapd(5, 4)),
        ("MAPTI", false, |board| board.mapti(4, 2, 8199, 0)),
        ("MAPC of another", false, |board| board.mapc(2, 0)),
        ("INV", false, |board| board.inv(2, 20)),
        ("INVALL", false, |board| board.invall(0)),
        ("MOVALL to where they are", false, |board| board.movall(1, 1)),
    ];
    for (name, forgotten, command) in commands {
        let mut board = board();
        board.map(4, 1, 8200, 0);
        lpis_on(&mut board, 1, false);
        board.message(2, 20);
        board.only(3, 8195);
        board.mapc(3, 1);
        command(&mut board);
        board.message(2, 20);
        let taken = board.delivered();
        assert_eq!(taken[1], if forgotten { vec![] } else { vec![8195] }, "{name}");
    }
}

/// However many translations are cached, none evicts another.
#[test]
fn all_are_remembered() {
    let mut board = board();
    lpis_on(&mut board, 1, false);
    board.mapd(2, 13);
    for event in 0..8192 {
        board.mapti(2, event, 8192 + event, 3);
        board.message(2, event);
    }
    board.delivered();
    board.mapc(3, 1);
    (0..8192).for_each(|event| {
        board.message(2, event);
    });
    assert_eq!(board.pending_lpis(1).len(), 8192);
    assert_eq!(board.gic.its()[0].cached_translations(), 8192);
}

#[test]
fn turned_off_it_stays_pending_and_is_not_taken() {
    let mut board = board();
    board.message(2, 20);
    lpis_on(&mut board, 3, false);
    assert!(!board.pending_bit(3, 8195), "the table is not written");
    assert_eq!(board.pending_lpis(3), [8195]);
    board.nothing();
    // An invalidation is enough, whether LPIs are on or not.
    board.inv(2, 20);
    board.only(3, 8195);
}

#[test]
fn what_lets_it_be_taken_again() {
    type Look = (&'static str, bool, fn(&mut Board));
    let looks: [Look; 7] = [
        ("INVALL", true, |board| board.invall(3)),
        ("INVLPIR of another", true, |board| board.w64(r(0), 0xa0, 8195)),
        ("INVALLR of another", false, |board| board.w64(r(0), 0xb0, 0)),
        ("MOVI", false, |board| board.movi(2, 20, 1)),
        ("another turned on", true, |board| {
            lpis_on(board, 0, false);
            lpis_on(board, 0, true);
        }),
        ("turned on, the table says no", false, |board| lpis_on(board, 3, true)),
        ("turned on, the table says yes", true, |board| {
            board.preset_pending(3, 8195);
            lpis_on(board, 3, true);
        }),
    ];
    for (name, taken, look) in looks {
        let mut board = board();
        board.message(2, 20);
        lpis_on(&mut board, 3, false);
        look(&mut board);
        let [_, one, _, three] = board.delivered();
        assert_eq!(one.len() + three.len(), usize::from(taken), "{name}");
    }
}

/// With PTZ neither the table is read nor are shelved LPIs offered again.
#[test]
fn turned_on_with_pending_zero_it_waits_for_the_next_look() {
    let mut board = board();
    board.message(2, 20);
    lpis_on(&mut board, 3, false);
    let table = board.r64(r(3), 0x78);
    board.w64(r(3), 0x78, 1 << 62 | table);
    lpis_on(&mut board, 3, true);
    board.nothing();
    assert_eq!(board.pending_lpis(3), [8195]);
    board.message(2, 20);
    board.only(3, 8195);
}

#[test]
fn discard_leaves_what_waits_and_forgets_what_does_not() {
    type Unmap = (&'static str, fn(&mut Board));
    let unmaps: [Unmap; 4] = [
        ("DISCARD", |board| board.discard(2, 20)),
        ("MAPD without V", |board| board.unmap_device(2)),
        ("MAPD", |board| board.mapd(2, 8)),
        ("GITS_BASER without V", |board| {
            board.w32(ITS, 0x00, 0);
            board.w64(ITS, 0x100, 0);
        }),
    ];
    for (name, unmap) in unmaps {
        let mut waits = board();
        waits.message(2, 20);
        unmap(&mut waits);
        waits.only(3, 8195);
        let mut disabled = board();
        disabled.configure(8195, 0xa2);
        disabled.inv(2, 20);
        disabled.message(2, 20);
        assert_eq!(disabled.pending_lpis(3), [8195]);
        unmap(&mut disabled);
        assert_eq!(disabled.pending_lpis(3), [], "{name}");
        let mut shelved = board();
        shelved.message(2, 20);
        lpis_on(&mut shelved, 3, false);
        unmap(&mut shelved);
        assert_eq!(shelved.pending_lpis(3), [], "{name}");
    }
}

/// A pending LPI without events ceases to exist once it is no longer pending.
#[test]
fn an_lpi_without_events_ends_with_its_wait() {
    let mut off = board();
    off.message(2, 20);
    off.discard(2, 20);
    lpis_on(&mut off, 3, false);
    assert_eq!(off.pending_lpis(3), []);
    let mut disabled = board();
    disabled.message(2, 20);
    disabled.discard(2, 20);
    disabled.configure(8195, 0xa2);
    disabled.w64(r(3), 0xa0, 8195);
    assert_eq!(disabled.pending_lpis(3), []);
    // Mapped before that, it is the same LPI, where it was.
    let mut again = board();
    again.message(2, 20);
    again.discard(2, 20);
    again.mapti(2, 21, 8195, 1);
    again.only(3, 8195);
    again.message(2, 21);
    again.only(3, 8195);
    again.discard(2, 21);
    again.mapti(2, 21, 8195, 1);
    again.message(2, 21);
    again.only(1, 8195);
}

#[test]
fn events_of_one_lpi_raise_it_where_it_is() {
    let mut board = board();
    board.mapti(2, 21, 8195, 1);
    board.message(2, 21);
    board.only(3, 8195);
    board.discard(2, 20);
    board.message(2, 21);
    board.only(3, 8195);
    board.movi(2, 21, 1);
    board.message(2, 21);
    board.only(1, 8195);
    // With LPIs off at its collection's CPU, a message is dropped.
    lpis_on(&mut board, 1, false);
    board.movall(1, 2);
    board.message(2, 21);
    board.nothing();
    lpis_on(&mut board, 1, true);
    board.message(2, 21);
    board.only(2, 8195);
}

#[test]
fn an_lpi_of_a_collection_that_is_not_mapped_is_nowhere() {
    let mut board = board();
    board.configure(8200, 0xa3);
    board.mapti(2, 30, 8200, 7);
    board.mapti(2, 31, 8200, 1);
    board.message(2, 31);
    assert_eq!(pending(&board), [const { Vec::new() }; 4]);
    board.mapc(7, 2);
    board.nothing();
    assert_eq!(board.pending_lpis(2), [8200]);
    board.invall(7);
    board.only(2, 8200);
}

#[test]
fn saving_says_of_each_lpi_where_it_is_and_of_no_other() {
    let mut board = board();
    board.map(4, 1, 8200, 1);
    // No event maps to these: their pending bits in the tables do not change.
    board.preset_pending(3, 8196);
    board.preset_pending(1, 8300);
    // The LPI has moved, and LPIs have been turned off: save still writes its pending bit.
    board.message(2, 20);
    board.movi(2, 20, 2);
    lpis_on(&mut board, 2, false);
    let kit = &mut board.board;
    let _ = kit.gic.save(&mut kit.memory);
    let bits = |lpi| [0, 1, 2, 3].map(|n| board.pending_bit(n, lpi));
    assert_eq!(bits(8195), [false, false, true, false]);
    assert_eq!(bits(8196), [false, false, false, true]);
    assert_eq!(bits(8300), [false, true, false, false]);
    // Restored, it is pending, whether LPIs are on or not, and its bit in the table is cleared.
    migrate(&mut board);
    assert!(!board.pending_bit(2, 8195) && board.pending_bit(3, 8196));
    board.only(2, 8195);
}

/// MOVALL moves LPIs and no collection: restore puts each LPI at its event's CPU, and does not find
/// its pending bit there.
#[test]
fn movall_does_not_survive_a_migration() {
    let mut board = board();
    board.movall(3, 1);
    board.message(2, 20);
    board.only(1, 8195);
    board.message(2, 20);
    migrate(&mut board);
    assert!(board.pending_bit(1, 8195));
    board.nothing();
    board.message(2, 20);
    board.only(3, 8195);
}

/// The other values of two choices, with LPIs that have a state of their own.
#[test]
fn moves_and_turning_off_may_be_otherwise() {
    for (choice, left) in [(MoveToDisabled::Stay, 1), (MoveToDisabled::Lost, 0)] {
        let mut spec = Implementation::of(Preset::KvmAbi0, 4, 32);
        spec.choices.move_to_disabled = choice;
        spec.choices.pending_at_disable = PendingAtDisable::Written;
        let mut board = Board::with(spec);
        board.map(2, 20, 8195, 3);
        lpis_on(&mut board, 1, false);
        board.message(2, 20);
        board.movi(2, 20, 1);
        assert_eq!(board.pending_lpis(3).len(), left);
        lpis_on(&mut board, 3, false);
        assert_eq!(board.pending_bit(3, 8195), left == 1);
        assert_eq!(pending(&board), [const { Vec::new() }; 4]);
    }
}

/// An LPI without an event is gone as soon as its CPU can no longer take it, whatever ended that.
#[test]
fn an_lpi_without_an_event_is_there_while_it_waits() {
    type End = (&'static str, fn(&mut Board));
    let ends: [End; 4] = [
        ("acknowledge", |board| {
            assert_eq!(board.iar(3), 8195);
            board.eoi(3, 8195);
        }),
        ("INVALL", |board| {
            board.configure(8195, 0xa2);
            board.invall(3);
        }),
        ("GICR_INVLPIR", |board| {
            board.configure(8195, 0xa2);
            board.w64(r(3), 0xa0, 8195);
        }),
        ("MOVALL, acknowledge", |board| {
            board.movall(3, 1);
            assert_eq!(board.iar(1), 8195);
            board.eoi(1, 8195);
        }),
    ];
    for (name, end) in ends {
        let mut board = board();
        board.map(4, 20, 8196, 3);
        for device in [2, 4] {
            board.message(device, 20);
            board.unmap_device(device);
        }
        assert_eq!(pending(&board)[3], [8195, 8196], "{name}");
        end(&mut board);
        let left = pending(&board).concat();
        assert_eq!(left, [8196], "{name}");
        // It comes back as one that never was.
        board.map(2, 20, 8195, 2);
        board.message(2, 20);
        assert_eq!(pending(&board)[2], [8195], "{name}");
    }
}
