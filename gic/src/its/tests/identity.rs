//! Saving and restoring is the identity between any two commands: a GIC that is saved and restored again
//! and again, beside one that never is. Configuration that is remembered, and priorities of pending LPIs
//! that stick, are in no table, and what was drawn by chance is not drawn again.
//!
//! Not so under KVM, which reads configuration anew when it restores; and under QEMU as far as
//! configuration bytes go that were changed without an invalidation.

use super::migration::migrate;
use super::oracle::{Action, action, submit, synchronise};
use crate::choice::Preset;
use crate::choice::its::{RemapDevice, UnmapCollection};
use crate::choice::lpi::{ConfigRead, PendingPriority};
use crate::its::image::Mappings;
use crate::its::testkit::{Board, ITTS};
use crate::its::{Arrival, Untranslated};
use crate::v3::testkit::cpu;
use crate::v3::{Block, Implementation, Line, SystemRegister};
use passim_model::IntId;
use proptest::prelude::*;

const CPUS: u16 = 4;
/// The LPIs that are looked at: those of [`action`], and some of MAPI.
const LPIS: core::ops::Range<u32> = 8192..8208;

#[derive(Clone, Copy, Debug)]
enum Step {
    Do(Action),
    /// Software writes a byte of configuration.
    Configure(u32, u8),
    /// GICR_INVLPIR, or GICR_INVALLR.
    Invalidate(u16, Option<u32>),
    /// GICR_CTLR.EnableLPIs.
    Lpis(u16, bool),
    /// A CPU acknowledges one interrupt and ends it.
    Acknowledge(u16),
    /// Software writes to a table in use, which it must not.
    Scribble(u32, u32),
}

/// What came of a step, and what there is after it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    answer: Option<Result<(), u32>>,
    arrival: Option<Arrival>,
    taken: Vec<(u32, u64)>,
    lines: Vec<Option<Line>>,
    pending: Vec<Vec<u32>>,
}

fn step() -> impl Strategy<Value = Step> {
    let byte = || (prop::sample::select(&[0x40u8, 0x60, 0xa0, 0xc0]), any::<bool>());
    let configure = (LPIS, byte()).prop_map(|(lpi, (priority, enabled))| {
        Step::Configure(lpi, priority | 2 | u8::from(enabled))
    });
    prop_oneof![
        40 => action().prop_map(Step::Do),
        10 => configure,
        2 => (0..CPUS, prop::option::of(LPIS)).prop_map(|(cpu, lpi)| Step::Invalidate(cpu, lpi)),
        1 => (0..CPUS, any::<bool>()).prop_map(|(cpu, on)| Step::Lpis(cpu, on)),
        4 => (0..CPUS).prop_map(Step::Acknowledge),
    ]
}

/// Few devices, which share few tables that nobody zeroes, and collections that come and go.
fn over_used_tables() -> impl Strategy<Value = Step> {
    let (device, event) = (|| 2u32..4, || 0u32..4);
    let icid = || 0u16..3;
    let command = prop_oneof![
        4 => (device(), 1u64..4, 0u64..2, prop::bool::weighted(0.8))
            .prop_map(|(device, bits, itt, valid)| Action::Mapd { device, bits, itt, valid }),
        4 => (icid(), 0u64..4, prop::bool::weighted(0.6))
            .prop_map(|(icid, cpu, valid)| Action::Mapc { icid, cpu, valid }),
        6 => (device(), event(), 8192u32..8196, icid())
            .prop_map(|(device, event, lpi, icid)| Action::Mapti { device, event, lpi, icid }),
        2 => (device(), event(), icid())
            .prop_map(|(device, event, icid)| Action::Movi { device, event, icid }),
        2 => (device(), event()).prop_map(|(device, event)| Action::Discard { device, event }),
        1 => (device(), event()).prop_map(|(device, event)| Action::Inv { device, event }),
        1 => (0u64..4, 0u64..4).prop_map(|(from, to)| Action::Movall { from, to }),
        6 => (device(), event()).prop_map(|(device, event)| Action::Message { device, event }),
        1 => (0u16..CPUS).prop_map(|cpu| Action::Take { cpu }),
    ];
    prop_oneof![
        20 => command.prop_map(Step::Do),
        1 => (0u32..2, event()).prop_map(|(table, event)| Step::Scribble(table, event)),
    ]
}

/// A CPU acknowledges the most urgent interrupt and ends it: which it was, and at what priority.
fn acknowledge(board: &mut Board, n: u16) -> Option<(u32, u64)> {
    let intid = board.iar(n);
    if intid == 1023 {
        return None;
    }
    let kit = &mut board.board;
    let priority = kit.gic.read(cpu(n), SystemRegister::Rpr, &mut kit.memory);
    board.eoi(n, intid);
    Some((intid, priority))
}

fn drain(board: &mut Board, n: u16) -> Vec<(u32, u64)> {
    core::iter::from_fn(|| acknowledge(board, n)).collect()
}

fn mapped(board: &Board) -> Mappings {
    board.gic.its()[0].mappings(&board.memory).expect("not too many").mappings
}

fn perform(board: &mut Board, step: Step) -> Result<Seen, TestCaseError> {
    let (mut answer, mut arrival, mut taken) = (None, None, Vec::new());
    match step {
        Step::Do(Action::Message { device, event }) => arrival = Some(board.message(device, event)),
        Step::Do(Action::Take { cpu }) => taken = drain(board, cpu),
        Step::Do(command) => {
            answer = Some(submit(board, command.words().expect("a command"))?);
        }
        Step::Configure(lpi, byte) => {
            board.configure(lpi, byte);
            // QEMU restores by reading: what was changed is told there.
            if board.gic.implementation().choices.reads_anew_when_restored() {
                answer = Some(submit(board, [0x0d, 0, 0, 0])?);
            }
        }
        Step::Invalidate(n, lpi) => {
            let (at, intid) = lpi.map_or((0xb0, 0), |lpi| (0xa0, lpi));
            board.w64(Block::Redistributor(cpu(n)), at, u64::from(intid));
        }
        Step::Lpis(n, on) => board.w32(Block::Redistributor(cpu(n)), 0, u32::from(on)),
        Step::Acknowledge(n) => taken.extend(acknowledge(board, n)),
        Step::Scribble(table, event) => {
            let ite = board.gic.its()[0].implementation().features.layout.ite_bytes();
            let at = (ITTS + (u64::from(table) << 20) + u64::from(event) * ite) & !7;
            let word = board.get(at);
            board.put(at, if word == 0 { 0x1234_5678 } else { 0 });
        }
    }
    let lines = (0..CPUS).flat_map(|n| LPIS.map(move |lpi| (n, lpi)));
    let lines = lines.map(|(n, lpi)| board.gic.line(cpu(n), IntId::new(lpi))).collect();
    let pending = (0..CPUS).map(|n| board.pending_lpis(n)).collect();
    Ok(Seen { answer, arrival, taken, lines, pending })
}

/// The same steps on two boards, one of which is saved and restored after those that say so. What is on
/// its way has arrived then, for saving waits for it.
fn side_by_side(preset: Preset, steps: &[(Step, bool)]) -> Result<(), TestCaseError> {
    let mut spec = Implementation::of(preset, CPUS, 32);
    spec.its[0].features.collection_bits = Some(4);
    let start = || {
        let mut board = Board::without_collections(spec.clone());
        LPIS.for_each(|lpi| board.configure(lpi, 0xa3));
        for n in 0..CPUS {
            board.mapc(n, u64::from(n));
        }
        board
    };
    let (mut stays, mut moves) = (start(), start());
    for &(step, moved) in steps {
        let (left, right) = (perform(&mut stays, step)?, perform(&mut moves, step)?);
        prop_assert_eq!(left, right, "{:?}", step);
        if moved {
            synchronise(&mut stays);
            synchronise(&mut moves);
            migrate(&mut moves);
        }
    }
    synchronise(&mut stays);
    synchronise(&mut moves);
    prop_assert_eq!(mapped(&stays), mapped(&moves));
    for n in 0..CPUS {
        prop_assert_eq!(drain(&mut stays, n), drain(&mut moves, n), "CPU {}", n);
    }
    Ok(())
}

fn preset() -> impl Strategy<Value = Preset> {
    prop_oneof![
        1 => Just(Preset::ArchStrict),
        1 => Just(Preset::Qemu),
        1 => Just(Preset::Gic600),
        2 => any::<u64>().prop_map(Preset::Adversarial),
    ]
}

proptest! {
    #[test]
    fn so_it_does_where_tables_are_used_again(
        preset in preset(),
        steps in prop::collection::vec((over_used_tables(), prop::bool::weighted(0.3)), 0..60),
    ) {
        side_by_side(preset, &steps)?;
    }

    #[test]
    fn saved_and_restored_it_goes_on_as_if_it_had_not_been(
        preset in preset(),
        steps in prop::collection::vec((step(), prop::bool::weighted(0.3)), 0..80),
    ) {
        side_by_side(preset, &steps)?;
    }
}

/// A table that was not zeroed maps what it did, and what a collection takes with it is what tables say.
#[test]
fn events_of_a_table_that_is_mapped_again_lose_their_collection() {
    let mut spec = Implementation::of(Preset::ArchStrict, CPUS, 32);
    spec.its[0].choices.unmap_collection = UnmapCollection::Orphans;
    spec.its[0].choices.remap_device = RemapDevice::Replace;
    for moved in [false, true] {
        let mut board = Board::with(spec.clone());
        board.map(2, 20, 8195, 3);
        board.mapd(2, 7);
        if moved {
            migrate(&mut board);
        }
        board.unmap_collection(3);
        board.mapc(3, 3);
        let answer = board.message(2, 20);
        assert_eq!(answer, Arrival::Untranslated(Untranslated::UnmappedCollection), "{moved}");
    }
}

/// What has failed and was not told yet is told by the one that goes on.
#[test]
fn what_is_to_be_told_travels() {
    for preset in [Preset::ArchStrict, Preset::Gic600] {
        let failed = || {
            let mut board = Board::new(preset);
            board.submit([7 << 32 | 0x03, 0, 0, 0]);
            board.run();
            board.message(7, 0);
            board
        };
        let (mut board, mut stays) = (failed(), failed());
        migrate(&mut board);
        let told = board.reports();
        assert_eq!(told.len(), 1, "INT of a device that is not mapped");
        assert_eq!(told, stays.reports());
        assert_eq!(board.gic.take_failed_writes(0), stays.gic.take_failed_writes(0));
    }
}

/// LPI 8195 of device 2, enabled at 0xa0; 8196 of device 3, enabled at 0x60: both pending at CPU 0. Then
/// 8195 is said to be at 0x40, and 8196 not enabled, which only the first is told.
fn both_pending(preset: Preset) -> Board {
    let mut board = Board::new(preset);
    board.map(2, 0, 8195, 0);
    board.map(3, 0, 8196, 0);
    board.configure(8196, 0x63);
    board.inv(3, 0);
    board.message(2, 0);
    board.message(3, 0);
    board.configure(8195, 0x43);
    board.inv(2, 0);
    board.configure(8196, 0x62);
    board
}

#[test]
fn what_is_remembered_travels() {
    for (preset, taken) in [
        (Preset::ArchStrict, vec![(8195, 0x40), (8196, 0x60)]),
        // The priority of a pending LPI sticks.
        (Preset::Gic600, vec![(8196, 0x60), (8195, 0xa0)]),
        // Read anew: the second is not enabled.
        (Preset::KvmAbi0, vec![(8195, 0x40)]),
        (Preset::Qemu, vec![(8195, 0x40)]),
    ] {
        let mut board = both_pending(preset);
        migrate(&mut board);
        assert_eq!(drain(&mut board, 0), taken, "{preset:?}");
    }
}

/// A new GIC has of what was remembered what it can remember itself.
#[test]
fn a_new_one_remembers_what_it_can() {
    let whole = |config, pending_priority| {
        let mut to = Implementation::of(Preset::ArchStrict, 4, 32);
        (to.choices.config, to.choices.pending_priority) = (config, pending_priority);
        to
    };
    use ConfigRead::{AtEnabling, AtMapping, UntilInvalidated, WhenPended};
    use PendingPriority::{Follows, Sticks};
    let same = vec![(8196, 0x60), (8195, 0xa0)];
    let follows = vec![(8195, 0x40), (8196, 0x60)];
    let of = |preset| Implementation::of(preset, 4, 32);
    for (from, to, taken) in [
        (Preset::Gic600, of(Preset::ArchStrict), &follows),
        (Preset::ArchStrict, of(Preset::Gic600), &follows),
        (Preset::Gic600, of(Preset::Qemu), &vec![(8195, 0x40)]),
        (Preset::Gic600, of(Preset::KvmAbi0), &vec![(8195, 0x40)]),
        (Preset::Qemu, of(Preset::Gic600), &vec![(8195, 0x40)]),
        (Preset::Gic600, whole(AtMapping, Sticks), &same),
        (Preset::Gic600, whole(AtEnabling, Follows), &follows),
        (Preset::Gic600, whole(UntilInvalidated, Sticks), &same),
        // No byte is known there, but at which priority each is pending.
        (Preset::Gic600, whole(WhenPended, Follows), &same),
    ] {
        let mut board = both_pending(from);
        let kit = &mut board.board;
        let scratch =
            passim_model::Span::from_size(passim_model::PhysAddr::new(0x4800_0000), 1 << 20);
        kit.gic.convert(to.clone(), scratch, &mut kit.memory).unwrap();
        assert_eq!(drain(&mut board, 0), *taken, "{from:?} to {:?}", to.choices);
        // What is not known is read when it is needed: 8196 is known to be enabled, or it is not.
        board.message(3, 0);
        let known = to.choices.config != WhenPended && taken.len() == 2;
        assert_eq!(drain(&mut board, 0).len(), usize::from(known), "{from:?} to {:?}", to.choices);
    }
}
