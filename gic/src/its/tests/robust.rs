//! Random registers, queues and tables: no panic, every command completes or stalls the queue, and
//! the work is bounded. [`reach`] checks that the generator reaches enough, [`at_hand`] that the
//! fast path gives the same results.

mod actions;
mod fast_path;
mod reach;

use super::migration::migrate;
use crate::Progress;
use crate::choice::Preset;
use crate::its::testkit::{Board, ITS};
use crate::its::{Failure, Layout, Opcode, PageSizes, Report};
use crate::v3::testkit::{CONFIGURATION, cpu};
use crate::v3::{Block, GicV3, Implementation};
use actions::{Action, SCRATCH, action};
use passim_model::{PhysAddr, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Maximum time for one case, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Outcomes, each with its count: `MAPD done`, `message: raised`.
type Seen = BTreeMap<String, u64>;

fn saw(seen: &mut Seen, what: impl Into<String>) {
    *seen.entry(what.into()).or_default() += 1;
}

/// The parameters of an ITS, and its state before the first action.
#[derive(Clone, Copy, Debug)]
struct Start {
    preset: Preset,
    held: u8,
    by_address: bool,
    other_layout: bool,
    large_entries: bool,
    small_pages: bool,
    /// Devices, events and collections are mapped.
    mapped: bool,
}

impl Start {
    fn implementation(&self) -> Implementation {
        let mut spec = Implementation::of(self.preset, 4, 32);
        let features = &mut spec.its[0].features;
        features.held_collections = self.held;
        if self.by_address {
            features.redistributors_at = Some(PhysAddr::new(0));
        }
        if self.other_layout {
            features.layout = other(features.layout);
        }
        if self.large_entries {
            features.table_entry_bytes = 16;
        }
        if self.small_pages {
            features.page_sizes = PageSizes::All;
        }
        spec
    }

    fn board(&self) -> Board {
        let mut board = Board::without_collections(self.implementation());
        if self.mapped {
            // Where commands name redistributors by address, CPU n is at n times 128 KiB.
            let target = |n: u64| if self.by_address { 2 * n } else { n };
            for n in 0..4 {
                board.mapc(n as u16, target(n));
            }
            for device in 0..3 {
                board.mapd(device, 14);
                for event in 0..4 {
                    board.mapti(device, event, 8192 + 4 * (device & 1) + event, event as u16);
                }
            }
            for lpi in 8192..8200 {
                board.configure(lpi, 0xa3);
            }
            board.mapti(1, 4, 20_000, 3);
            // Where LPIs can be turned off, one redistributor with LPIs off, and one with fewer
            // LPIs than events have.
            let last = Block::Redistributor(cpu(3));
            board.w32(Block::Redistributor(cpu(2)), 0, u32::from(self.small_pages));
            board.w32(last, 0, 0);
            board.w64(last, 0x70, CONFIGURATION | 13);
            board.w32(last, 0, 1);
        }
        board
    }
}

fn other(layout: Layout) -> Layout {
    match layout {
        Layout::Qemu => Layout::Kvm0,
        Layout::Kvm0 => Layout::Gic600,
        Layout::Gic600 => Layout::Qemu,
    }
}

fn start() -> impl Strategy<Value = Start> {
    let preset = prop_oneof![
        Just(Preset::ArchStrict),
        Just(Preset::Qemu),
        Just(Preset::KvmAbi0),
        Just(Preset::Gic600),
        any::<u64>().prop_map(Preset::Adversarial),
    ];
    let seldom = || prop_oneof![3 => Just(false), 1 => Just(true)];
    let mapped = prop_oneof![1 => Just(false), 3 => Just(true)];
    let held = prop_oneof![3 => Just(0u8), 1 => Just(2)];
    (preset, held, seldom(), seldom(), seldom(), seldom(), mapped).prop_map(
        |(preset, held, by_address, other_layout, large_entries, small_pages, mapped)| Start {
            preset,
            held,
            by_address,
            other_layout,
            large_entries,
            small_pages,
            mapped,
        },
    )
}

/// One step. A command that it consumes completes, or stalls the queue with a report.
fn step(board: &mut Board, seen: &mut Seen) -> Progress {
    let before = board.gic.its()[0].counters();
    let (reader, base) = (board.r64(ITS, 0x90), board.r64(ITS, 0x80));
    let size = ((base & 0xff) + 1) << 12;
    let at = PhysAddr::new((base & 0xf_ffff_ffff_f000) + (reader & 0xf_ffe0));
    let word = board.memory.load_u64(at).ok();
    let kit = &mut board.board;
    let progress = kit.gic.step(&mut kit.memory);
    let after = board.gic.its()[0].counters();
    if after.commands == before.commands {
        return progress;
    }
    assert_eq!(after.commands, before.commands + 1, "one step is one command");
    let reports = board.reports();
    assert_eq!(reports.len() as u64, after.errors - before.errors, "errors are reported");
    let next = board.r64(ITS, 0x90);
    let name = match word.map(|word| Opcode::of(word as u8)) {
        None => "a fetch",
        Some(None) => "no command",
        Some(Some(opcode)) => opcode.name(),
    };
    let passed = ((reader & 0xf_ffe0) + 32) % size;
    match reports.first() {
        None => saw(seen, format!("{name} done")),
        Some(Report { stalled, failure, syndrome, .. }) => {
            match (failure, syndrome) {
                (Failure::Command(error), _) => {
                    saw(seen, format!("{name} {:#08x}", error.syndrome()))
                }
                (Failure::Memory(_), _) => saw(seen, format!("{name} not answered")),
            }
            if *stalled {
                saw(seen, "stalled");
                assert_eq!(next, reader | 1, "the queue stands at the command");
                return progress;
            }
        }
    }
    assert_eq!(next & 0xf_ffe0, passed, "the command is passed");
    progress
}

fn steps(board: &mut Board, count: usize, seen: &mut Seen) {
    for _ in 0..count {
        step(board, seen);
    }
}

/// Restarts a stalled queue.
fn retry(board: &mut Board, mend: bool, seen: &mut Seen) {
    let (reader, base) = (board.r64(ITS, 0x90), board.r64(ITS, 0x80));
    if reader & 1 == 0 {
        return;
    }
    if mend {
        let at = PhysAddr::new((base & 0xf_ffff_ffff_f000) + (reader & 0xf_ffe0));
        let _ = board.memory.store_u64(at, 5);
    }
    let writer = board.r64(ITS, 0x88);
    board.w64(ITS, 0x88, writer | 1);
    step(board, seen);
    if board.r64(ITS, 0x90) & !1 != reader & !1 {
        saw(seen, "went on after Retry");
    }
}

fn convert(board: &mut Board, scratch: bool, seen: &mut Seen) {
    let mut to = board.gic.implementation().clone();
    to.its[0].features.layout = other(to.its[0].features.layout);
    let kit = &mut board.board;
    let room = Span::from_size(PhysAddr::new(SCRATCH), 0x10_0000).filter(|_| scratch);
    match kit.gic.convert(to, room, &mut kit.memory) {
        Ok(_) => saw(seen, "converted"),
        Err(_) => saw(seen, "not converted"),
    }
}

/// Number of events that the tables map.
fn mapped(board: &Board) -> usize {
    let found = board.gic.its()[0].mappings(&board.memory);
    let devices = found.map(|found| found.mappings.devices).unwrap_or_default();
    devices.values().map(|device| device.events.len()).sum()
}

fn perform(board: &mut Board, action: Action, seen: &mut Seen) {
    match action {
        Action::Store(at, size, value) => {
            let kit = &mut board.board;
            kit.gic.store(ITS, at, size, value, &mut kit.memory);
        }
        Action::StoreRedistributor(n, at, size, value) => {
            let kit = &mut board.board;
            kit.gic.store(Block::Redistributor(cpu(n)), at, size, value, &mut kit.memory);
        }
        Action::Load(at, size) => {
            let value = board.gic.load(ITS, at, size);
            assert_eq!(value, size.cut(value));
        }
        Action::Lpis(n, on) => board.w32(Block::Redistributor(cpu(n)), 0, u32::from(on)),
        Action::Enable(on) => board.w32(ITS, 0, u32::from(on)),
        Action::Memory(at, word) => {
            let _ = board.memory.store_u64(PhysAddr::new(at), word);
        }
        Action::Command(words) => {
            // After a change of CWRITER, the next command goes where it is read.
            board.writer = board.r64(ITS, 0x88) & 0xffe0;
            board.submit(words);
            steps(board, 2, seen);
        }
        Action::Retry(mend) => retry(board, mend, seen),
        Action::Message(device, at, size, value) => {
            let arrival = format!("{:?}", board.device_write(device, at, size, value));
            let kind: String = arrival.chars().take_while(|c| *c != ' ' && *c != '{').collect();
            let kind = if kind.contains("Abort") { "Untranslated(Abort)".to_owned() } else { kind };
            saw(seen, format!("message: {kind}"));
        }
        Action::Step(count) => steps(board, usize::from(count), seen),
        Action::Take(n) => {
            let intid = board.iar(n);
            if intid >= 8192 {
                saw(seen, "an LPI taken");
            }
            board.eoi(n, intid);
        }
        Action::Settle => board.settle(),
        Action::Migrate(None) => {
            // Saving fails for nothing that a guest wrote, and keeps the mappings.
            saw(seen, if mapped(board) == 0 { "migrated empty" } else { "migrated with events" });
            migrate(board);
        }
        Action::Migrate(Some((at, word))) => {
            let kit = &mut board.board;
            let saved = kit.gic.save(&mut kit.memory);
            let _ = kit.memory.store_u64(PhysAddr::new(at), word);
            let implementation = kit.gic.implementation().clone();
            kit.gic = GicV3::restore(implementation, &saved, &mut kit.memory);
            saw(seen, "restored from other memory");
        }
        Action::Convert(scratch) => convert(board, scratch, seen),
    }
}

fn survive(start: &Start, actions: &[Action], seen: &mut Seen) {
    let begun = Instant::now();
    let mut board = start.board();
    for action in actions {
        perform(&mut board, *action, seen);
    }
    // Some queues read commands only after a store to GITS_CWRITER.
    let writer = board.r64(ITS, 0x88);
    board.w64(ITS, 0x88, writer);
    // After as many steps as the queue's memory holds commands, every command is consumed, or the
    // queue has stalled.
    for _ in 0..1 << 15 {
        if step(&mut board, seen) == Progress::Idle && board.gic.its()[0].in_flight() == 0 {
            break;
        }
    }
    let stalled = board.r64(ITS, 0x90) & 1 != 0;
    let (reader, writer) = (board.r64(ITS, 0x90) & 0xf_ffe0, board.r64(ITS, 0x88) & 0xf_ffe0);
    let queue = board.r64(ITS, 0x80);
    let size = ((queue & 0xff) + 1) << 12;
    let runs = board.r32(ITS, 0) & 1 != 0 && queue >> 63 != 0;
    let in_queue = writer < size && reader < size;
    if runs && in_queue && !stalled {
        assert_eq!(reader, writer);
    }
    let commands = board.gic.its()[0].counters().commands;
    steps(&mut board, 64, seen);
    assert_eq!(board.gic.its()[0].counters().commands, commands);
    assert!(begun.elapsed() < PATIENCE, "{:?} for one case", begun.elapsed());
}

proptest! {
    #[test]
    fn nothing_is_too_strange(
        start in start(),
        actions in prop::collection::vec(action(), 0..150),
    ) {
        survive(&start, &actions, &mut Seen::new());
    }
}
