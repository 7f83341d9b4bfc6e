//! Missing synchronisation is observable: the life of an interrupt as Linux's driver manages it,
//! with one command left out, under the adversarial preset with many seeds.
//!
//! | left out | observable effect |
//! | --- | --- |
//! | INV after the LPI is enabled | the message is never taken |
//! | SYNC after MOVI | a message is taken by the old CPU |
//! | INV after the LPI is disabled | a message is taken |
//! | SYNC after that INV | a message is taken |
//! | DISCARD | a message raises an LPI that is no longer the device's |
//! | SYNC after DISCARD | the next owner of the LPI loses a message |
//! | SYNC after MAPTI, where INV and SYNC follow | nothing |
//! | SYNC after the INV that enables, where a SYNC has followed MAPTI | nothing but a delay |
//! | MAPD that unmaps, after DISCARD | nothing |

use crate::choice::Preset;
use crate::its::testkit::{Board, ITS, itt};
use crate::its::{Arrival, Untranslated};

const LPI: u32 = 8195;
/// The CPU the interrupt starts at, and the one it moves to.
const OLD: u16 = 3;
const NEW: u16 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Mapd,
    Mapti,
    SyncMapti,
    InvOn,
    SyncOn,
    Movi,
    SyncMovi,
    InvOff,
    SyncOff,
    Discard,
    SyncDiscard,
    Unmapd,
}

use Step::*;

const LIFE: [Step; 12] = [
    Mapd,
    Mapti,
    SyncMapti,
    InvOn,
    SyncOn,
    Movi,
    SyncMovi,
    InvOff,
    SyncOff,
    Discard,
    SyncDiscard,
    Unmapd,
];

fn words(step: Step) -> [u64; 4] {
    let of = |opcode: u64, word2: u64| [2 << 32 | opcode, 20, word2, 0];
    let sync = |cpu: u16| [5, 0, u64::from(cpu) << 16, 0];
    match step {
        Mapd => [2 << 32 | 0x08, 7, 1 << 63 | 0x4602_0000, 0],
        Mapti => [2 << 32 | 0x0a, u64::from(LPI) << 32 | 20, u64::from(OLD), 0],
        InvOn | InvOff => of(0x0c, 0),
        Movi => of(0x01, u64::from(NEW)),
        Discard => of(0x0f, 0),
        Unmapd => [2 << 32 | 0x08, 0, 0, 0],
        SyncMapti | SyncOn | SyncMovi => sync(OLD),
        SyncOff | SyncDiscard => sync(NEW),
    }
}

/// A device writes its message and all CPUs acknowledge repeatedly. Returns how many interrupts
/// each took.
fn message(board: &mut Board) -> [usize; 4] {
    board.message(2, 20);
    let mut taken = [0; 4];
    for moment in 0..12 {
        for n in 0..4 {
            taken[usize::from(n)] += board.drain(n).len();
        }
        let kit = &mut board.board;
        let _ = kit.gic.step(&mut kit.memory);
        if moment == 10 {
            board.settle();
        }
    }
    taken
}

/// Runs the life without one step. Returns what goes wrong.
fn lead(seed: u64, without: Option<Step>) -> Result<(), &'static str> {
    let mut board = Board::new(Preset::Adversarial(seed));
    board.settle();
    board.configure(LPI, 0xa2);
    for step in LIFE.into_iter().filter(|step| Some(*step) != without) {
        match step {
            InvOn => board.configure(LPI, 0xa3),
            InvOff => board.configure(LPI, 0xa2),
            _ => {}
        }
        board.submit(words(step));
        for _ in 0..20 {
            if board.r64(ITS, 0x90) == board.writer {
                break;
            }
            let kit = &mut board.board;
            let _ = kit.gic.step(&mut kit.memory);
        }
        if board.r64(ITS, 0x90) != board.writer {
            return Err("the queue stops");
        }
        let (at, expected) = match (step, without) {
            (SyncOn, _) | (InvOn, Some(SyncOn)) => ("enabled", [0, 0, 0, 1]),
            (SyncMovi, _) | (Movi, Some(SyncMovi)) => ("moved", [0, 1, 0, 0]),
            (SyncOff, _) | (InvOff, Some(SyncOff)) => ("disabled", [0; 4]),
            (SyncDiscard, _) | (Discard, Some(SyncDiscard)) => ("discarded", [0; 4]),
            _ => continue,
        };
        let taken = message(&mut board);
        let kept = (0..4).any(|n| !board.pending_lpis(n).is_empty());
        if taken != expected || at == "discarded" && kept {
            return Err(at);
        }
    }
    Ok(())
}

/// The first of a bounded number of seeds under which something goes wrong.
fn caught(without: Step) -> Option<(u64, &'static str)> {
    (0..256).find_map(|seed| lead(seed, Some(without)).err().map(|wrong| (seed, wrong)))
}

#[test]
fn the_whole_life_is_right_under_every_seed() {
    for seed in 0..256 {
        assert_eq!(lead(seed, None), Ok(()), "seed {seed}");
    }
}

#[test]
fn what_is_needed_is_missed() {
    let wrong = |step| caught(step).map(|(_, wrong)| wrong);
    // A command for an unmapped device or event fails: the queue stalls, or goes on.
    assert!(matches!(wrong(Mapd), Some("the queue stops" | "enabled")));
    assert!(matches!(wrong(Mapti), Some("the queue stops" | "enabled")));
    assert_eq!(wrong(InvOn), Some("enabled"));
    assert_eq!(wrong(Movi), Some("moved"));
    assert_eq!(wrong(SyncMovi), Some("moved"));
    assert_eq!(wrong(InvOff), Some("disabled"));
    assert_eq!(wrong(SyncOff), Some("disabled"));
    assert_eq!(wrong(Discard), Some("discarded"));
}

#[test]
fn what_is_not_needed_is_not_missed() {
    // The SYNC after DISCARD is needed by the next owner of the LPI.
    for step in [SyncMapti, SyncOn, SyncDiscard, Unmapd] {
        assert_eq!(caught(step), None, "{step:?}");
    }
}

#[test]
fn without_any_sync_a_message_is_lost() {
    let lost = (0..256).any(|seed| {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.configure(LPI, 0xa3);
        board.command(words(Mapd));
        board.command(words(Mapti));
        board.command(words(InvOn));
        message(&mut board) == [0; 4]
    });
    assert!(lost);
}

/// IHI 0069 H 5.3 (SYNC): messages observe every command before it, whichever redistributor it
/// names.
#[test]
fn a_sync_of_another_cpu_is_for_messages_too() {
    for seed in 0..256 {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.map(2, 20, LPI, OLD);
        board.movi(2, 20, NEW);
        board.sync(0);
        assert_eq!(message(&mut board)[usize::from(OLD)], 0, "seed {seed}");
    }
}

/// But packets to other redistributors may not have arrived: here the one that disables.
#[test]
fn a_sync_of_another_cpu_is_not_for_what_was_sent() {
    let taken = (0..256).any(|seed| {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.map(2, 20, LPI, OLD);
        board.configure(LPI, 0xa2);
        board.inv(2, 20);
        board.sync(0);
        message(&mut board) != [0; 4]
    });
    assert!(taken);
}

/// A SYNC also waits for packets that have to arrive before those it waits for: an LPI that MOVI
/// moves to the SYNC's CPU does not arrive there after DISCARD.
#[test]
fn a_sync_leaves_nothing_behind_that_comes_first() {
    for seed in 0..256 {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.map(2, 20, LPI, OLD);
        board.int(2, 20);
        board.sync(u64::from(OLD));
        board.movi(2, 20, NEW);
        board.discard(2, 20);
        board.sync(u64::from(NEW));
        board.settle();
        assert_eq!([OLD, NEW].map(|n| board.pending_lpis(n)), [[], []], "seed {seed}");
    }
}

/// Until a SYNC, a device may be looked up as before its MAPD, and the old table is read as memory
/// holds it now: here it raises the LPI of another device, whose table reuses the first device's.
#[test]
fn a_table_that_is_used_again_before_a_sync_is_everybodys() {
    let run = |seed: u64, sync: bool| {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.map(2, 20, LPI, OLD);
        board.discard(2, 20);
        board.sync(u64::from(OLD));
        board.unmap_device(2);
        board.command([4 << 32 | 8, 7, 1 << 63 | itt(2), 0]);
        board.configure(LPI + 1, 0xa3);
        board.mapti(4, 20, LPI + 1, NEW);
        if sync {
            board.sync(0);
        }
        board.message(2, 20);
        board.settle();
        (0..4).all(|n| board.pending_lpis(n).is_empty())
    };
    assert!((0..256).all(|seed| run(seed, true)));
    assert!((0..32).any(|seed| !run(seed, false)));
}

#[test]
fn a_device_may_not_be_mapped_yet() {
    let run = |seed: u64, sync: bool| {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.mapd(2, 8);
        board.mapti(2, 20, LPI, OLD);
        if sync {
            board.sync(0);
        }
        matches!(board.message(2, 20), Arrival::Untranslated(Untranslated::UnmappedDevice))
    };
    assert!((0..256).all(|seed| !run(seed, true)));
    assert!((0..32).any(|seed| run(seed, false)));
}

#[test]
fn a_late_discard_takes_away_what_is_pending_for_the_next_owner() {
    let run = |seed: u64, sync: bool| {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.map(2, 20, LPI, OLD);
        board.discard(2, 20);
        if sync {
            board.sync(u64::from(OLD));
        }
        // Another device, at another CPU, then moved to the old CPU.
        board.mapd(4, 8);
        board.mapti(4, 0, LPI, NEW);
        board.inv(4, 0);
        board.sync(u64::from(NEW));
        board.movi(4, 0, OLD);
        board.sync(u64::from(NEW));
        board.message(4, 0);
        for _ in 0..4 {
            let kit = &mut board.board;
            let _ = kit.gic.step(&mut kit.memory);
        }
        board.settle();
        board.drain(OLD) == [LPI]
    };
    assert!((0..256).all(|seed| run(seed, true)));
    assert!((0..256).any(|seed| !run(seed, false)));
}

#[test]
fn packets_about_one_lpi_keep_their_order() {
    for seed in 0..256 {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.map(2, 20, LPI, OLD);
        board.settle();
        board.int(2, 20);
        board.clear(2, 20);
        board.int(2, 20);
        board.clear(2, 20);
        for _ in 0..50 {
            let kit = &mut board.board;
            let _ = kit.gic.step(&mut kit.memory);
        }
        board.settle();
        assert_eq!(board.pending_lpis(OLD), [], "seed {seed}");
    }
}

#[test]
fn at_once_means_at_once() {
    for preset in Preset::ALL.into_iter().take(4) {
        let mut board = Board::new(preset);
        board.map(2, 20, LPI, OLD);
        board.movi(2, 20, NEW);
        board.message(2, 20);
        assert_eq!(board.gic.its()[0].in_flight(), 0);
        assert_eq!(board.waiting(NEW), Some(LPI));
    }
}
