//! The whole SMMU: a driver's sequence from reset to DMA, and arbitrary stores and accesses.

use crate::choice::{
    self, Acknowledge, Choices, ContiguousStes, OutOfRangeParameter, Overlap, Prefetch,
    ReservedCommandFields, StreamTableBeyondOas,
};
use crate::tlb::Retention;
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, COMMANDS, EVENTS, STAGE1, STAGE2, STE_STAGE1, STE_STAGE2, STREAM,
    STREAM_TABLE, event, implementation, pa, small_caches, went_on, written,
};
use crate::v3::{Implementation, Outcome, Path, Progress, Transaction};
use passim_model::access::{Access, Direction, Privilege};
use passim_model::ats::{Completion, InvalidationEnd, PageRequest, TranslationRequest};
use passim_model::{
    DeviceId, Effect, IntId, Iova, Memory, Perms, PhysAddr, Requester, StreamId, SubstreamId, Width,
};
use proptest::prelude::*;

/// The stores and loads of a driver that finds the SMMU, resets it, and turns it on.
#[test]
fn a_driver_boots() {
    let mut board = Board::cold(implementation(BOTH_STAGES));
    // Probe.
    assert_eq!(board.r32(0x4) >> 21 & 0x1f, 19);
    // Reset: everything off, and wait.
    assert_eq!(board.r32(0x20), 0);
    board.w32(0x20, 0);
    assert_eq!(board.r32(0x24), 0);
    board.w32(0x28, 0xd75);
    board.w32(0x2c, 0b110);
    assert_eq!(board.r32(0x2c), 0b010, "PTM needs BTM");
    // Stream table: two levels, 16 bits, split 8, every level-1 descriptor empty.
    board.w64(0x80, 1 << 62 | 0x4110_0000);
    board.w32(0x88, 1 << 16 | 8 << 6 | 16);
    // Command queue of 2^8, pointers, on.
    board.w64(0x90, 1 << 62 | COMMANDS | 8);
    board.w32(0x98, 0);
    board.w32(0x9c, 0);
    board.w32(0x20, 0x8);
    assert_eq!(board.r32(0x24), 0x8);
    // Invalidate everything.
    for (n, w0, w1) in [(0, 0x4, 31), (1, 0xfc0_2046, 0), (2, 0x30, 0), (3, 0xfc0_2046, 0)] {
        board.put(COMMANDS + 16 * n, &[w0, w1]);
        board.w32(0x98, n as u32 + 1);
        board.run();
        assert_eq!(u64::from(board.r32(0x9c)), n + 1);
    }
    // Event queue of 2^7, pointers in page 1, on.
    board.w64(0xa0, 1 << 62 | EVENTS | 7);
    board.w32(0x100a8, 0);
    board.w32(0x100ac, 0);
    board.w32(0x20, 0xc);
    assert_eq!(board.r32(0x24), 0xc);
    // Interrupts: off, and wait, then on.
    board.w32(0x50, 0);
    assert_eq!(board.r32(0x54), 0);
    board.w32(0x50, 0b101);
    assert_eq!(board.r32(0x54), 0b101);
    // Translation on.
    board.w32(0x20, 0xd);
    assert_eq!(board.r32(0x24), 0xd);

    // A device before its master is attached: no level-2 table.
    assert_eq!(written(board.read(0)), "C_BAD_STREAMID");
    assert_eq!(board.effects(), [Effect::Wire(IntId::new(106))]);
    board.w32(0x100ac, 1);
    // A level-2 table of 256 STEs, all of them "abort", then one for stage 1.
    board.put(0x4110_0000, &[STREAM_TABLE | 9]);
    for stream in 0..256 {
        board.ste(stream, &[1]);
    }
    board.stage1_tables();
    board.stage1(CD0);
    assert_eq!(pa(board.write(0x10_0f0)), 0x4800_00f0);
    assert_eq!(went_on(board.read(0x10_000)).path, Path::Hit);
    // A fault: one record, one pulse.
    assert_eq!(board.effects(), []);
    assert_eq!(written(board.read(0x9_0000)), "F_TRANSLATION");
    assert_eq!(board.effects(), [Effect::Wire(IntId::new(106))]);
    assert_eq!((board.r32(0x100a8), board.get(EVENTS + 32)), (2, 0x8_0000_0010));
}

#[test]
fn a_stage_2_only_smmu_boots_and_bypasses_and_translates() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] = 0xd44_1019;
    let mut board = Board::with(implementation(ids));
    board.stage2_tables();
    board.ste(STREAM, &[0x9]);
    assert_eq!(went_on(board.read(0x4000_0000)).path, Path::Bypass);
    board.ste(STREAM, &STE_STAGE2);
    board.command(0x8_0000_0003, 1);
    board.command(0x3_0000_0028, 0);
    board.command(0xfc0_2046, 0);
    assert_eq!(pa(board.write(0x10_000)), 0x4900_0000);
    assert_eq!(board.r32(0x60), 0);
}

/// What may happen to an SMMU.
#[derive(Clone, Debug)]
enum Happening {
    Store(u64, Width, u64),
    Poke(u64, u64),
    Steps(u8),
    Dma(u32, Option<u32>, u64, Access),
    /// A translation request, a translated access with its answer, and a page request.
    Ats(u32, Option<u32>, u64, bool, bool),
    /// The end of an invalidation.
    Ended(u32, bool),
    /// A message of the SMMU that was aborted.
    Lost(u32),
}

fn register() -> impl Strategy<Value = u64> {
    let known = [
        0x20, 0x28, 0x2c, 0x44, 0x50, 0x64, 0x68, 0x80, 0x84, 0x88, 0x90, 0x94, 0x98, 0x9c, 0xa0,
        0xa4, 0xb0, 0xc0, 0xd0, 0xdc, 0x100a8, 0x100ac, 0x100c8, 0x100cc,
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()), 1 => 0..0x2_0010u64, 1 => any::<u64>()]
}

/// Values near those that mean something.
fn value() -> impl Strategy<Value = u64> {
    let base = prop::sample::select(vec![
        0,
        0xd,
        STREAM_TABLE,
        COMMANDS | 3,
        EVENTS | 2,
        CD0,
        STE_STAGE1,
        STE_STAGE1 | 4,
        STE_STAGE2[0],
        STE_STAGE2[2],
        STAGE1 + 0x1003,
        STAGE2 + 0x1003,
        0x4800_0f47,
        0x0007_0000_0030_0012,
        1 << 16 | 8 << 6 | 16,
        u64::MAX,
    ]);
    prop_oneof![
        3 => base.clone(),
        3 => (base, 0..64u32).prop_map(|(base, bit)| base ^ 1 << bit),
        1 => any::<u64>(),
    ]
}

fn place() -> impl Strategy<Value = u64> {
    let bases = [
        STREAM_TABLE + 64 * u64::from(STREAM),
        STREAM_TABLE,
        COMMANDS,
        EVENTS,
        CDS,
        STAGE1,
        STAGE1 + 0x1000,
        STAGE1 + 0x2000,
        STAGE1 + 0x3080,
        STAGE2,
        STAGE2 + 0x1000,
        STAGE2 + 0x2000,
    ];
    (prop::sample::select(bases.to_vec()), 0..24u64).prop_map(|(base, word)| base + 8 * word)
}

fn happening() -> impl Strategy<Value = Happening> {
    let access =
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(write, high, fetch)| Access {
            direction: if write { Direction::Write } else { Direction::Read },
            privilege: if high { Privilege::Privileged } else { Privilege::Unprivileged },
            instruction: fetch && !write,
        });
    let width = prop::sample::select(vec![Width::W32, Width::W64]);
    let stream = prop_oneof![6 => Just(STREAM), 2 => 0..16u32, 1 => any::<u32>()];
    let substream = prop_oneof![4 => Just(None), 1 => (0..1u32 << 20).prop_map(Some)];
    let iova = prop_oneof![4 => 0..0x40_0000u64, 1 => any::<u64>()];
    prop_oneof![
        3 => (register(), width, value()).prop_map(|(at, width, value)| Happening::Store(at, width, value)),
        4 => (place(), value()).prop_map(|(at, value)| Happening::Poke(at, value)),
        2 => (1..20u8).prop_map(Happening::Steps),
        5 => (stream.clone(), substream.clone(), iova.clone(), access)
            .prop_map(|(s, sub, iova, access)| Happening::Dma(s, sub, iova, access)),
        2 => (stream, substream, iova, any::<bool>(), any::<bool>())
            .prop_map(|(s, sub, iova, a, b)| Happening::Ats(s, sub, iova, a, b)),
        1 => (0..4u32, any::<bool>()).prop_map(|(tag, late)| Happening::Ended(tag, late)),
        1 => (0..5u32).prop_map(Happening::Lost),
    ]
}

fn built() -> impl Strategy<Value = Implementation> {
    let idr0 = prop_oneof![
        Just(0xd44_101bu32),
        Just(0xd44_1019),
        Just(0xd4c_321b),
        (0..32u32).prop_map(|bit| 0xd44_101b ^ 1 << bit),
        any::<u32>(),
    ];
    let rest = (any::<u32>(), any::<u32>(), any::<u32>());
    let choices = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let caches = (any::<bool>(), any::<bool>(), any::<bool>(), small_caches(), 0..3usize);
    let choices = (choices, caches);
    (idr0, rest, prop::bool::weighted(0.7), choices).prop_map(|(idr0, rest, usual, picks)| {
        let mut ids = BOTH_STAGES;
        ids.idr[0] = idr0;
        if !usual {
            (ids.idr[1], ids.idr[3], ids.idr[5]) = rest;
            ids.mpamidr = rest.0;
        }
        let ((a, b, c, d, e), (late, everything, detected, caches, contiguous)) = picks;
        let choices = Choices {
            acknowledge: if a { Acknowledge::OnStep } else { Acknowledge::AtOnce },
            completion: match late {
                true => choice::Completion::WhenSynchronised,
                false => choice::Completion::AtOnce,
            },
            prefetch: if b { Prefetch::Configuration } else { Prefetch::Ignored },
            stream_table_beyond_oas: match c {
                true => StreamTableBeyondOas::Truncate,
                false => StreamTableBeyondOas::FetchFault,
            },
            reserved_command_fields: match d {
                true => ReservedCommandFields::Illegal,
                false => ReservedCommandFields::Ignored,
            },
            out_of_range: match e {
                true => OutOfRangeParameter::Truncate,
                false => OutOfRangeParameter::NoEffect,
            },
            overlap: if detected { Overlap::Detected } else { Overlap::SmallestWins },
            contiguous_stes: [
                ContiguousStes::Apart,
                ContiguousStes::Shared,
                ContiguousStes::Detected,
            ][contiguous],
        };
        Implementation {
            retention: if everything { Retention::Everything } else { Retention::Sized },
            caches,
            choices,
            ..implementation(ids)
        }
    })
}

fn apply(board: &mut Board, happening: &Happening) {
    match *happening {
        Happening::Store(at, width, value) => {
            board.smmu.store(at, width, value, &mut board.memory);
            board.smmu.load(at, width);
        }
        Happening::Poke(at, value) => board.put(at, &[value]),
        Happening::Steps(count) => {
            for _ in 0..count {
                if board.smmu.step(&mut board.memory) == Progress::Idle {
                    break;
                }
            }
        }
        Happening::Dma(stream, substream, iova, access) => {
            let first = board.ask_as(stream, substream, iova, access);
            let with_front = board.ask_as(stream, substream, iova, access);
            board.smmu.front.clear();
            let without = board.ask_as(stream, substream, iova, access);
            // The front cache answers as the caches behind it; the first translation may have
            // filled them.
            if let Outcome::Translated(_) = with_front {
                assert_eq!(with_front, without);
                assert!(matches!(first, Outcome::Translated(_)));
            }
        }
        Happening::Ats(stream, substream, iova, no_write, last) => {
            ask_ats(board, stream, substream, iova, no_write, last);
        }
        Happening::Ended(tag, late) => {
            let end = if late { InvalidationEnd::TimedOut } else { InvalidationEnd::Completed };
            board.smmu.invalidation_ended(tag, end);
        }
        Happening::Lost(tag) => board.smmu.message_aborted(tag),
    }
    board.smmu.take_resolved();
}

fn ask_ats(
    board: &mut Board,
    stream: u32,
    substream: Option<u32>,
    iova: u64,
    no_write: bool,
    last: bool,
) {
    let requester = Requester {
        stream: StreamId::new(stream),
        substream: substream.map(SubstreamId::new),
        device: DeviceId::new(stream),
    };
    let (iova, privileged) = (Iova::new(iova), last);
    let request = TranslationRequest { requester, iova, no_write, execute: last, privileged };
    let answer = board.smmu.translation_request(&mut board.memory, &request);
    if let Completion::Success(grant) = answer {
        assert!(grant.lg2 >= 12 && grant.address.is_multiple_of(1 << grant.lg2));
        let access = if no_write { Access::READ } else { Access::WRITE };
        let txn = Transaction { requester, iova: Iova::new(grant.address), access };
        board.smmu.translated(&mut board.memory, &txn);
        board.smmu.explain(&board.memory, &Transaction { iova, ..txn });
    }
    let perms = if no_write { Perms::READ } else { Perms::empty() };
    let group = (iova.get() >> 12) as u16;
    let page = PageRequest { requester, page: iova, perms, privileged, last, group };
    board.smmu.page_request(&mut board.memory, &page);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Nothing panics, and nothing takes long, whatever software and devices do.
    #[test]
    fn anything_may_happen(built in built(), all in prop::collection::vec(happening(), 1..80)) {
        let mut board = Board::cold(built);
        board.boot();
        board.stage1_tables();
        board.stage2_tables();
        board.ste(STREAM, &[STE_STAGE1 | 4, 0xd6, STE_STAGE2[2], STE_STAGE2[3]]);
        board.put(CDS, &[CD0, STAGE1]);
        for happening in &all {
            apply(&mut board, happening);
        }
        board.smmu.tlb_entries();
        prop_assert!(board.smmu.take_effects().len() <= 4 * 20 * 80);
    }

    /// With every invalidation sent, caches are invisible: an SMMU that has just invalidated
    /// everything answers as one whose caches are empty.
    #[test]
    fn forgetting_everything_is_having_no_caches(
        caches in small_caches(),
        all in prop::collection::vec(happening(), 1..60),
        asks in prop::collection::vec((0..0x40_0000u64, any::<bool>()), 1..8),
    ) {
        let built = Implementation { caches, ..implementation(BOTH_STAGES) };
        let mut board = Board::with(built);
        board.stage1_tables();
        board.stage2_tables();
        board.ste(STREAM, &[STE_STAGE1 | 4, 0xd6, STE_STAGE2[2], STE_STAGE2[3]]);
        board.put(CDS, &[CD0, STAGE1]);
        let tables = |happening: &&Happening| match happening {
            Happening::Poke(at, _) => !(COMMANDS..COMMANDS + 0x1000).contains(at),
            Happening::Dma(..) => true,
            Happening::Ats(..) => true,
            Happening::Store(..)
            | Happening::Steps(_)
            | Happening::Ended(..)
            | Happening::Lost(..) => false,
        };
        for happening in all.iter().filter(tables) {
            apply(&mut board, happening);
        }
        board.command(0x4, 31);
        board.command(0x30, 0);
        // No records from here on: a CD may by now have its table in the event queue, where a
        // record is a change without an invalidation.
        board.w32(0x20, 0x9);
        let answers = |board: &mut Board, empty: bool| -> Vec<_> {
            asks.iter().map(|&(iova, write)| {
                if empty {
                    board.smmu.clear_caches();
                }
                let access = if write { Access::WRITE } else { Access::READ };
                match board.ask(STREAM, iova, access) {
                    Outcome::Translated(to) => Ok((to.pa, to.perms)),
                    Outcome::Terminated(ended) => Err(format!("{ended:?}")),
                    // Tickets and STAGs differ from one time to the next.
                    Outcome::Stalled(stalled) => Err(format!("stalled {:?}", stalled.event.kind)),
                }
            }).collect()
        };
        let told = answers(&mut board, false);
        prop_assert_eq!(told, answers(&mut board, true));
    }
}

#[test]
fn memory_without_banks_answers_with_faults() {
    let mut board = Board::cold(implementation(BOTH_STAGES));
    board.memory = Memory::new();
    board.boot();
    board.w32(0x98, 1);
    assert_eq!(board.run(), 1);
    assert_eq!((board.r32(0x9c), board.r32(0x60)), (0x200_0000, 1));
    assert_eq!(event(board.read(0)).0.fetch, Some(PhysAddr::new(STREAM_TABLE + 0x200)));
    assert_eq!(board.r32(0x60), 0b101);
}
