//! Arbitrary stores: no panic, every load is defined, and reset clears everything.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `manual` | how does the manual define every register? |
//! | `registers` | do loads return that? |

mod manual;
mod registers;

use super::*;
use crate::tlb::Retention;
use crate::v2::testkit::*;
use passim_model::access::{Access, Direction, Privilege};
use passim_model::{DeviceId, Iova, Requester, StreamId};
use proptest::prelude::*;

#[test]
fn pages_of_4k_and_64k() {
    for (description, banks, window) in [
        (Description::MMU_500, 0x80_0000, 0x100_0000),
        (Description::EVERYTHING, 0x8_0000, 0x10_0000),
    ] {
        let mut board = Board::cold(implementation(description));
        assert_eq!(board.smmu.window(), window);
        assert_eq!(board.of_bank(0, 0), banks);
        board.bank32(63, 0x20, 0x1234);
        assert_eq!(board.r32(banks + 63 * (banks >> description.pages_lg2) + 0x20), 0x1234);
        // Past the last register of any page, and past the window.
        assert_eq!(board.r32(0xffc), 0);
        assert_eq!(board.r32(window), 0);
        board.w32(window, 1);
    }
}

#[test]
fn identification_reads_as_described() {
    let board = Board::cold(implementation(Description::MMU_401));
    let ids = Description::MMU_401.ids();
    for (n, id) in (0..).zip(ids) {
        assert_eq!(board.r32(0x20 + 4 * n), id);
    }
    assert_eq!(board.r64(0x20), u64::from(ids[1]) << 32 | u64::from(ids[0]));
}

#[test]
fn secure_registers_are_not_there() {
    let mut board = Board::cold(implementation(Description::EVERYTHING));
    // SCR1, STLBIALL, STLBIVALM, STLBIVAM, STLBIALLM, and the alias of Non-secure registers.
    for offset in [0x4, 0x60, 0xa0, 0xa8, 0xbc, 0x400, 0x440, 0x448, 0x450, 0x474, 0x580] {
        board.w32(offset, u32::MAX);
        assert_eq!(board.r32(offset), 0, "{offset:#x}");
    }
    // SES reads as zero; NSCFG of S2CR and MONC of CBA2R do not exist.
    assert_eq!(board.r32(0x20) >> 31, 0);
    board.w32(0xc00, 3 << 18);
    assert_eq!(board.r32(0xc00), 0);
    board.cbar(BANK, 0, 2);
    assert_eq!(board.r32(0x1000 + 0x800 + 4 * BANK), 0);
}

#[test]
fn reset_values() {
    let board = Board::cold(implementation(Description::EVERYTHING));
    assert_eq!(board.r32(0), 1, "CLIENTPD");
    assert_eq!((board.r32(0x48), board.r32(0x74)), (0, 0));
    assert_eq!(board.read_bank(BANK, 0), 0);
}

/// What registers keep of all ones: the fields this SMMU has, of all formats.
#[test]
fn only_what_is_implemented_is_stored() {
    let nested = Description::EVERYTHING;
    let not_nested = Description { nested: false, ..Description::EVERYTHING };
    let v1 = Description::SMMU_V1;
    // A bank of stage 1 or 2, the register in it, and what it reads as.
    let cases = [
        (nested, 1, 0x68, 0xc73),
        (nested, 0, 0x68, 0xff_0f7f),
        (not_nested, 0, 0x68, 0xf73),
        (nested, 0, 0x24, 0xffff),
        (nested, 1, 0x24, u32::MAX),
        (nested, 1, 0x0, 0x4fdf_d7ff),
        (v1, 1, 0x0, 0x0fdf_d7ff),
        (v1, 0, 0x24, 0xff),
        (v1, 1, 0x24, 0xff_00ff),
        (not_nested, 0, 0x0, 0x0fef_c1ff),
        (nested, 0, 0x0, 0x0fef_e1ff),
        (nested, 1, 0x30, 0xffff_ffbf),
        (v1, 1, 0x30, 0xbfc7_3fb7),
    ];
    for (description, kind, register, kept) in cases {
        let mut board = Board::cold(implementation(description));
        board.cbar(BANK, kind << 16, 0);
        board.bank32(BANK, register, u32::MAX);
        assert_eq!(board.read_bank(BANK, register), kept, "{kind} {register:#x}");
    }
    let no_extended = Description { extended_ids: false, ..nested };
    let narrow = Description { stream_bits: 10, ..v1 };
    for (description, kept) in [(nested, 0xffff), (no_extended, 0x7fff), (narrow, 0x3ff)] {
        let mut board = Board::cold(implementation(description));
        board.w32(0x54, u32::MAX);
        assert_eq!(board.r32(0x54), kept, "GFSYNR1");
        let page = if description.large_pages { 0x1_0000 } else { 0x1000 };
        board.w32(page + 0x400 + 4 * BANK, u32::MAX);
        assert_eq!(board.frsynra(BANK), kept, "CBFRSYNRA");
    }
}

fn is_translated(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Translated(_))
}

fn any_access() -> impl Strategy<Value = Access> {
    any::<(bool, bool, bool)>().prop_map(|(write, privileged, instruction)| Access {
        direction: if write { Direction::Write } else { Direction::Read },
        privilege: if privileged { Privilege::Privileged } else { Privilege::Unprivileged },
        instruction: instruction && !write,
    })
}

#[derive(Clone, Debug)]
enum Step {
    Store { offset: u64, wide: bool, value: u64 },
    Access { stream: u32, iova: u64, access: Access },
    Rest,
}

/// Mostly offsets of registers: the pages are small, and there are few banks.
fn any_offset() -> impl Strategy<Value = u64> {
    let register = prop_oneof![
        3 => (0..0x90u64).prop_map(|n| n * 4),
        2 => (0x180..0x190u64).prop_map(|n| n * 4),
        1 => (0x1f8..0x240u64).prop_map(|n| n * 4),
        2 => (0..4u64).prop_map(|n| 0x800 + n * 4),
        2 => (0..4u64).prop_map(|n| 0xc00 + n * 4),
        1 => (0..4u64).prop_map(|n| 0x400 + n * 4),
        1 => 0..0x1000u64,
    ];
    let page = prop_oneof![2 => Just(0u64), 2 => Just(1), 6 => 4..8u64, 1 => any::<u64>()];
    (page, register).prop_map(|(page, register)| page.wrapping_mul(0x1000).wrapping_add(register))
}

fn any_value() -> impl Strategy<Value = u64> {
    // Addresses of the tables, small numbers, single bits, anything.
    prop_oneof![
        3 => prop::sample::select(vec![STAGE1, STAGE2, LONG, SHORT, 0x67, 0x1e7, 0x8090_0010]),
        2 => 0..16u64,
        2 => (0..64u32).prop_map(|bit| 1 << bit),
        2 => (0..4u64, any::<u16>()).prop_map(|(kind, low)| kind << 16 | u64::from(low)),
        1 => any::<u64>(),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any_offset(), any::<bool>(), any_value())
            .prop_map(|(offset, wide, value)| Step::Store { offset, wide, value }),
        4 => (0..4u32, any::<u64>(), any_access()).prop_map(|(stream, iova, access)| {
            Step::Access { stream, iova: iova & 0x1f_ffff, access }
        }),
        1 => (any::<u32>(), any::<u64>(), any_access())
            .prop_map(|(stream, iova, access)| Step::Access { stream, iova, access }),
        2 => Just(Step::Rest),
    ]
}

fn any_implementation() -> impl Strategy<Value = Implementation> {
    let descriptions = vec![
        Description::EVERYTHING,
        Description { stage2_banks: 1, ..Description::SMMU_V1 },
        Description::MMU_401,
        Description { stream_matching: false, stream_bits: 2, ..Description::EVERYTHING },
        Description { aarch32: Aarch32::Absent, upstream_bits: 49, ..Description::EVERYTHING },
        Description { stall: false, nested: false, ..Description::MMU_500 },
    ];
    let completions = vec![Completion::AtOnce, Completion::OnStep, Completion::WhenSynchronised];
    let retentions = vec![Retention::Sized, Retention::Everything];
    let conflicts = vec![Conflict::Detected, Conflict::First, Conflict::Last];
    (
        prop::sample::select(descriptions),
        prop::sample::select(completions),
        prop::sample::select(retentions),
        prop::sample::select(conflicts),
        (prop::option::of(any_errata()), any::<bool>()),
    )
        .prop_map(|(description, completion, retention, conflict, (errata, tables))| {
            let description = Description {
                banks: 4,
                stage2_banks: description.stage2_banks.min(1),
                stream_entries: 4,
                large_pages: false,
                pages_lg2: 2,
                ..description
            };
            let choices = Choices { completion, conflict, ..Choices::default() };
            let tlb = Geometry { sets_lg2: 4, ways: 2, ..Geometry::default() };
            let errata = errata.unwrap_or_default();
            let tables = tables.then_some(Geometry::new(1, 2));
            Implementation {
                choices,
                retention,
                tlb,
                tables,
                errata,
                ..implementation(description)
            }
        })
}

fn any_errata() -> impl Strategy<Value = Errata> {
    any::<[bool; 5]>().prop_map(|[narrow, bypass, secure, shared, prefetch]| Errata {
        no_wide_accesses: narrow,
        bypass_becomes_fault: bypass,
        secure_accesses: secure,
        shared_tags: shared,
        stale_prefetch: prefetch,
    })
}

impl SmmuV2 {
    /// Every register, as software reads it.
    fn every_register(&self) -> Vec<u64> {
        (0..self.window()).step_by(4).map(|offset| self.load(offset, Width::W32)).collect()
    }

    /// For tests of stream matching.
    pub(crate) fn globals_for_tests(&self) -> &Globals {
        &self.globals
    }
}

/// Something to start from: stage 1 in bank 1, both stages in bank 2, stage 2 in bank 3; the last
/// two stall.
fn set_up(board: &mut Board) {
    for bank in 1..4 {
        board.stream_to(bank - 1, bank as u32 - 1, bank);
        board.stage1_64(bank);
    }
    board.stage2_64(3);
    board.cbar(2, 3 << 16 | 3 << 8 | 3, 1);
    board.bank32(2, 0, SCTLR | 1 << 7);
    board.bank32(3, 0, SCTLR | 1 << 7 | 1 << 8);
    board.on();
}

fn apply(board: &mut Board, step: &Step) {
    match *step {
        Step::Store { offset, wide, value } => {
            let width = if wide { Width::W64 } else { Width::W32 };
            board.smmu.store(offset, width, value, &mut board.memory);
        }
        Step::Access { stream, iova, access } => {
            let requester = Requester {
                stream: StreamId::new(stream),
                substream: None,
                device: DeviceId::new(0),
            };
            let txn = Transaction { requester, iova: Iova::new(iova), access };
            // An explanation must match the outcome.
            let told = board.smmu.explain(&board.memory, &txn).verdict;
            let outcome = board.smmu.translate(&mut board.memory, &txn);
            assert_eq!(matches!(told, Verdict::Translated(_)), is_translated(&outcome));
            if let (Verdict::Translated(told), Outcome::Translated(found)) = (told, outcome) {
                assert_eq!(told.pa, found.pa);
            }
        }
        Step::Rest => {
            board.smmu.step(&mut board.memory);
        }
    }
}

proptest! {
    /// For any stores, accesses and steps: no panic; every register reads the same twice; a 64-bit
    /// load returns two 32-bit registers, or zero where 64-bit accesses do not arrive; and reset
    /// clears everything.
    #[test]
    fn any_stores_at_all(
        implementation in any_implementation(),
        ready in any::<bool>(),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut board = Board::cold(implementation.clone());
        board.w32(0, 0);
        if ready {
            set_up(&mut board);
        }
        for step in &steps {
            apply(&mut board, step);
        }
        let registers = board.smmu.every_register();
        prop_assert_eq!(&registers, &board.smmu.every_register());
        for offset in (0..board.smmu.window()).step_by(8) {
            let at = (offset / 4) as usize;
            let halves = registers[at + 1] << 32 | registers[at];
            let arrives = !implementation.errata.no_wide_accesses;
            prop_assert_eq!(board.r64(offset), if arrives { halves } else { 0 });
        }
        // Unsynchronised invalidations may remain; everything else must end.
        let mut budget = 10_000;
        while board.smmu.step(&mut board.memory) == Progress::Worked {
            budget -= 1;
            prop_assert!(budget > 0, "it never comes to rest");
        }
        board.smmu.reset();
        let fresh = SmmuV2::new(implementation);
        prop_assert_eq!(board.smmu.every_register(), fresh.every_register());
        prop_assert_eq!(board.smmu.tlb_entries().len(), 0);
        prop_assert_eq!(board.smmu.take_effects().len(), 0);
        prop_assert_eq!(board.smmu.stalled().len() + board.smmu.take_resolved().len(), 0);
        prop_assert_eq!(board.smmu.asserted().count(), 0);
        prop_assert_eq!(board.smmu.counters(), fresh.counters());
        prop_assert_eq!(board.smmu.step(&mut board.memory), Progress::Idle);
        // After reset everything bypasses, whatever was set up.
        let found = translated(board.read(0x1_0000));
        prop_assert_eq!((found.pa.get(), found.path), (0x1_0000, Path::Disabled));
    }

    /// A description with any numbers at all makes an SMMU.
    #[test]
    fn any_description(bytes in any::<[u8; 9]>(), flags in any::<[bool; 4]>()) {
        let [entries, bits, irqs, banks, stage2, pages, ipa, output, upstream] = bytes;
        let description = Description {
            stream_entries: entries,
            stream_bits: bits,
            context_interrupts: irqs,
            banks,
            stage2_banks: stage2,
            pages_lg2: pages,
            ipa_bits: ipa,
            output_bits: output,
            upstream_bits: upstream,
            stage1: flags[0],
            stage2: flags[1],
            nested: flags[2],
            stream_matching: flags[3],
            ..Description::EVERYTHING
        };
        let _ = (description.check(), description.ids());
        let mut board = Board::cold(implementation(description.within_limits()));
        board.stream_to(0, STREAM, 0);
        board.stage1_64(0);
        board.on();
        board.read(0x1_0000);
        board.write(u64::MAX);
    }
}
