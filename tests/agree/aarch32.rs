//! The formats of AArch32: the walker against the oracle's independent reading, over random words,
//! and software's short-descriptor tables against a list of mappings.

use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::{MapError, Mapping, MemoryType, Table};
use passim_model::pgtable::vmsav7l;
use passim_model::pgtable::vmsav7s;
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk::{Config, Fault, Fetch, Format, Leaf, PlainFetch, walk};
use passim_model::{Frames, Memory, PageSize, Perms, PhysAddr, Span};
use passim_oracle::aarch32::{Long, Mapped, Rights, Short, Stop};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use std::collections::BTreeMap;

/// [`crate::explore`], for cases whose debug output describes them.
fn explore<S: Strategy<Value: std::fmt::Debug>>(
    strategy: S,
    holds: impl Fn(S::Value) -> TestCaseResult,
) {
    crate::explore(512, 32, &strategy, holds, |case| format!("{case:x?}"));
}

/// Words computed from their address and a seed; tables are likely, and lie at low addresses.
#[derive(Clone, Copy)]
struct Noise {
    seed: u64,
}

impl Noise {
    fn mix(self, at: u64) -> u64 {
        let mut x = (at ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^ x >> 32
    }

    fn dword(self, at: u64) -> Option<u64> {
        let word = self.mix(at & !7);
        // One word in sixteen does not answer.
        if word >> 60 == 0 {
            return None;
        }
        Some(match word >> 56 & 7 {
            // Addresses within 40 bits, the most of LPAE.
            0..=3 => word & !0x00ff_ff00_0000_0000 | 3,
            4 => word & !0x0000_ff00_0000_0000 | 1,
            5 => word & !0x0000_fff0_0000_0000 | 1 << 10 | 1,
            _ => word & !0x0000_ff00_0000_0000 | 1 << 10,
        })
    }

    fn word(self, at: u64) -> Option<u32> {
        let dword = self.mix(at & !7);
        (dword >> 60 != 0).then_some((dword >> (8 * (at & 4))) as u32)
    }
}

/// The words as short descriptors: no kind of entry is made likely.
struct ShortWords(Noise);

impl Fetch for ShortWords {
    type Fault = u64;

    fn fetch(&mut self, at: u64, _level: i8) -> Result<u64, u64> {
        panic!("a short walk read the doubleword at {at:#x}")
    }

    fn fetch_short(&mut self, at: u64, _level: i8) -> Result<u32, u64> {
        self.0.word(at).ok_or(at)
    }
}

struct LongWords(Noise);

impl Fetch for LongWords {
    type Fault = u64;

    fn fetch(&mut self, at: u64, _level: i8) -> Result<u64, u64> {
        self.0.dword(at).ok_or(at)
    }
}

fn rights(perms: Perms) -> Rights {
    Rights {
        read: perms.contains(Perms::READ),
        write: perms.contains(Perms::WRITE),
        fetch: perms.contains(Perms::EXEC),
    }
}

/// The outcome of a walk, in the oracle's types.
fn told(found: Result<Leaf, Fault<u64>>, input: u64) -> Result<Mapped, Stop> {
    match found {
        Ok(leaf) => Ok(Mapped {
            pa: leaf.translate(input),
            size: 1 << leaf.lg2,
            user: rights(leaf.unprivileged),
            kernel: rights(leaf.privileged),
            global: !leaf.not_global,
        }),
        Err(Fault::Translation { level }) => Err(Stop::Translation(level as u8)),
        Err(Fault::AccessFlag { level }) => Err(Stop::AccessFlag(level as u8)),
        Err(Fault::AddressSize { level }) => Err(Stop::AddressSize(level as u8)),
        Err(Fault::Fetch { at, .. }) => Err(Stop::Abort(at)),
    }
}

fn config(format: Format, stage: Stage, input_bits: u32, start_level: u8) -> Config {
    Config {
        format,
        stage,
        granule: Granule::K4,
        input_bits,
        start_level: start_level as i8,
        root: 0,
        output_bits: 40,
        implemented_bits: 40,
        hierarchical: true,
        access_flag_faults: true,
        ds: false,
        dirty_state: false,
    }
}

#[test]
fn short_descriptors_are_read_alike() {
    let shape = (any::<u64>(), any::<u32>(), 0..8u32, any::<(bool, bool)>(), 30..=40u32);
    explore((shape, vec(any::<u32>(), 8)), |((seed, root, n, flags, output_bits), inputs)| {
        let (afe, flag_faults) = flags;
        let noise = Noise { seed };
        let short = Short { ttbr: u64::from(root), n, afe, flag_faults, output_bits };
        let config = Config {
            root: u64::from(root),
            output_bits,
            implemented_bits: output_bits,
            access_flag_faults: flag_faults,
            ..config(Format::Short { simplified: afe }, Stage::One, 32 - n, 1)
        };
        for input in inputs {
            let input = u64::from(input) >> n;
            let found = told(walk(&config, input, &mut ShortWords(noise)), input);
            prop_assert_eq!(found, short.walk(|at| noise.word(at), input), "at {:#x}", input);
        }
        Ok(())
    });
}

#[test]
fn long_descriptors_are_read_alike() {
    let shape = (any::<u64>(), 0..8u32, 33..=40u32, 0..1u64 << 20, any::<bool>());
    explore((shape, vec(any::<u32>(), 8)), |((seed, t0sz, output_bits, root, faults), inputs)| {
        let noise = Noise { seed };
        let base = root << 14;
        let long = Long { flag_faults: faults, ..Long::stage1(base, t0sz, output_bits) };
        let start = vmsav7l::stage1_start_level(32 - t0sz);
        prop_assert_eq!(start, long.start_level);
        let config = Config {
            root: base,
            output_bits,
            implemented_bits: output_bits,
            access_flag_faults: faults,
            ..config(Format::Long, Stage::One, 32 - t0sz, start)
        };
        for input in inputs {
            let input = u64::from(input) >> t0sz;
            let found = told(walk(&config, input, &mut LongWords(noise)), input);
            prop_assert_eq!(found, long.walk(|at| noise.dword(at), input), "at {:#x}", input);
        }
        Ok(())
    });
}

#[test]
fn long_descriptors_of_the_second_stage_are_read_alike() {
    let sizes = prop_oneof![
        (25..=34u32).prop_map(|bits| (bits, 2u8)),
        (31..=40u32).prop_map(|bits| (bits, 1u8)),
    ];
    explore((any::<u64>(), sizes, vec(any::<u64>(), 8)), |(seed, (bits, level), inputs)| {
        let noise = Noise { seed };
        let base = 0x10_0000;
        let long = Long {
            base,
            input_bits: bits,
            start_level: level,
            second_stage: true,
            flag_faults: true,
            output_bits: 40,
        };
        let config = Config { root: base, ..config(Format::Long, Stage::Two, bits, level) };
        for input in inputs {
            let input = input & ((1 << bits) - 1);
            // Of XN[1:0] AArch32 has only the upper bit, which applies to both privileges: the SMMU
            // uses the unprivileged result.
            let found = walk(&config, input, &mut LongWords(noise))
                .map(|leaf| Leaf { privileged: leaf.unprivileged, ..leaf });
            let found = told(found, input);
            prop_assert_eq!(found, long.walk(|at| noise.dword(at), input), "at {:#x}", input);
        }
        Ok(())
    });
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Map { input: u64, output: u64, size: u64, write: bool },
    Unmap { input: u64, size: u64 },
}

fn place() -> impl Strategy<Value = u64> {
    let bases = vec![0, 0x1_0000, 0x10_0000, 0x100_0000, 0xff00_0000, 0xfff0_0000, 0xffff_f000];
    let offset =
        prop_oneof![Just(0), (0..40u64).prop_map(|n| n << 12), (0..4u64).prop_map(|n| n << 20)];
    (select(bases), offset).prop_map(|(base, offset)| base + offset)
}

fn step() -> impl Strategy<Value = Step> {
    let size = || {
        prop_oneof![
            6 => (1..40u64).prop_map(|pages| pages << 12),
            2 => Just(0x1_0000),
            2 => Just(0x10_0000),
            2 => Just(0x100_0000),
            1 => Just(0x21_1000),
            1 => Just(0),
        ]
    };
    prop_oneof![
        (place(), place(), size(), any::<bool>())
            .prop_map(|(input, output, size, write)| Step::Map { input, output, size, write }),
        (place(), size()).prop_map(|(input, size)| Step::Unmap { input, size }),
    ]
}

struct Bench {
    memory: Memory,
    frames: Frames,
    table: vmsav7s::table::Table,
    gather: Gather,
    /// Every mapped page: its output, and whether it is writable.
    pages: BTreeMap<u64, (u64, bool)>,
}

impl Bench {
    fn new() -> Self {
        let span = Span::from_size(PhysAddr::new(0x8000_0000), 16 << 20).unwrap();
        let mut memory = Memory::new();
        memory.add_bank(span).unwrap();
        let mut frames = Frames::new(PageSize::K4, [span]);
        let sizes = vmsav7s::table::ALL_SIZES;
        let table = vmsav7s::table::Table::new(sizes, &mut memory, &mut frames).unwrap();
        Self { memory, frames, table, gather: Gather::new(), pages: BTreeMap::new() }
    }

    fn apply(&mut self, step: Step) -> TestCaseResult {
        match step {
            Step::Map { input, output, size, write } => self.map(input, output, size, write),
            Step::Unmap { input, size } => {
                let done = self.table.unmap(&mut self.memory, input, size, &mut self.gather);
                prop_assert!(done <= size);
                // A table is removed as a whole, with its holes: at least the mapped bytes are
                // reported, and none of them stays mapped.
                let range = input..input.saturating_add(done);
                let mapped = self.pages.range(range.clone()).count() as u64;
                prop_assert!(mapped << 12 <= done);
                self.pages.retain(|page, _| !range.contains(page));
                Ok(())
            }
        }
    }

    fn map(&mut self, input: u64, output: u64, size: u64, write: bool) -> TestCaseResult {
        let perms = if write { Perms::READ | Perms::WRITE } else { Perms::READ };
        let (to, memory_type) = (PhysAddr::new(output), MemoryType::Normal);
        let mapping = Mapping { input, output: to, size, perms, memory_type };
        let result = self.table.map(&mut self.memory, &mut self.frames, &mapping, &mut self.gather);
        let beyond = input + size > 1 << 32 || output + size > 1 << 32;
        let expected = if size == 0 {
            Some(MapError::Misaligned)
        } else if beyond {
            Some(MapError::OutOfRange)
        } else {
            None
        };
        match (result, expected) {
            (Err(error), Some(expected)) => prop_assert_eq!(error, expected),
            (Ok(()), None) => {
                for offset in (0..size).step_by(0x1000) {
                    self.pages.insert(input + offset, (output + offset, write));
                }
            }
            // Pages before the blocking one may have replaced a table's.
            (Err(MapError::Exists { .. }), None) => {
                let range = input..input + size;
                prop_assert!(self.pages.range(range.clone()).next().is_some());
                let (table, memory) = (&self.table, &self.memory);
                self.pages.retain(|page, _| {
                    !range.contains(page) || table.lookup(memory, *page).is_some()
                });
            }
            (result, expected) => prop_assert!(false, "{:?} for {:?}", result, expected),
        }
        Ok(())
    }

    /// Compares every page with the list: by software, by hardware, and by the oracle.
    fn check(&self) -> TestCaseResult {
        let config = self.table.config();
        let root = self.table.root().get();
        let short = Short { ttbr: root, n: 0, afe: true, flag_faults: true, output_bits: 32 };
        let word = |at: u64| {
            let mut bytes = [0; 4];
            self.memory.read(PhysAddr::new(at), &mut bytes).ok()?;
            Some(u32::from_le_bytes(bytes))
        };
        let around =
            self.pages.keys().flat_map(|page| [page.wrapping_sub(0x1000), *page, page + 0x1000]);
        for page in around.filter(|page| page >> 32 == 0) {
            let expected = self.pages.get(&page).copied();
            let software = self.table.lookup(&self.memory, page).map(PhysAddr::get);
            prop_assert_eq!(software, expected.map(|(output, _)| output), "{:#x}", page);
            let hardware = walk(&config, page, &mut PlainFetch(&self.memory)).ok();
            let hardware = hardware
                .map(|leaf| (leaf.translate(page), leaf.unprivileged.contains(Perms::WRITE)));
            prop_assert_eq!(hardware, expected, "{:#x}", page);
            let second = short.walk(word, page).ok().map(|found| (found.pa, found.user.write));
            prop_assert_eq!(second, expected, "{:#x}", page);
        }
        Ok(())
    }
}

#[test]
fn software_and_hardware_agree_on_short_tables() {
    explore(vec(step(), 1..12), |steps: Vec<Step>| {
        let mut bench = Bench::new();
        for step in steps {
            bench.apply(step)?;
        }
        bench.check()?;
        bench.gather.release_tables(&mut bench.frames);
        bench.table.free(&mut bench.frames);
        prop_assert_eq!(bench.frames.in_use(), 0);
        Ok(())
    });
}

/// Linux's own test of this format, with its steps in their order: every size at its stride, a
/// mapping over a mapping, unmaps, and everything again.
#[test]
fn the_formats_self_test() {
    let mut bench = Bench::new();
    let lookups = [42u64, (1 << 30) + 42, (2 << 30) + 42];
    for input in lookups {
        assert_eq!(bench.table.lookup(&bench.memory, input), None);
    }
    let sizes = [0x1000u64, 0x1_0000, 0x10_0000, 0x100_0000];
    let map = |bench: &mut Bench, input: u64, output: u64, size: u64| {
        let (to, memory_type) = (PhysAddr::new(output), MemoryType::Normal);
        let perms = Perms::READ | Perms::WRITE;
        let mapping = Mapping { input, output: to, size, perms, memory_type };
        bench.table.map(&mut bench.memory, &mut bench.frames, &mapping, &mut bench.gather)
    };
    for (i, size) in (0..).zip(sizes) {
        let input = i << 24;
        map(&mut bench, input, input, size).unwrap();
        let over = map(&mut bench, input, input + size, size);
        assert!(matches!(over, Err(MapError::Exists { at }) if at == input), "{over:?}");
        assert_eq!(bench.table.lookup(&bench.memory, input + 42), Some(PhysAddr::new(input + 42)));
    }
    for (i, size) in (0..).zip(sizes) {
        let input = i << 24;
        let unmapped = bench.table.unmap(&mut bench.memory, input, size, &mut bench.gather);
        assert_eq!(unmapped, size);
        assert_eq!(bench.table.lookup(&bench.memory, input + 42), None);
        map(&mut bench, input, input, size).unwrap();
        assert_eq!(bench.table.lookup(&bench.memory, input + 42), Some(PhysAddr::new(input + 42)));
    }
}

/// The engine of VMSAv8-64 writes long-descriptor tables; they are read as AArch32.
#[test]
fn software_and_hardware_agree_on_long_tables() {
    for (stage, input_bits) in [(Stage::One, 32), (Stage::One, 30), (Stage::Two, 40)] {
        let geometry = vmsav7l::linux(stage, input_bits, 40).unwrap();
        let span = Span::from_size(PhysAddr::new(0x8000_0000), 16 << 20).unwrap();
        let mut memory = Memory::new();
        memory.add_bank(span).unwrap();
        let mut frames = Frames::new(PageSize::K4, [span]);
        let mut gather = Gather::new();
        let mut table = Table::new(geometry, &mut memory, &mut frames).unwrap();
        let last = geometry.last_input() & !0xfff;
        for (input, output) in [(0, 0x12_3450_0000), (0x20_0000, 0xff_ffff_f000), (last, 0x5000)] {
            let (output, memory_type) = (PhysAddr::new(output), MemoryType::Normal);
            let mapping = Mapping { input, output, size: 0x1000, perms: Perms::READ, memory_type };
            table.map(&mut memory, &mut frames, &mapping, &mut gather).unwrap();
            let config = Config { format: Format::Long, ..table.config() };
            let leaf = walk(&config, input, &mut PlainFetch(&memory)).unwrap();
            assert_eq!(leaf.translate(input + 7), output.get() + 7);
            let long = Long {
                base: table.root().get(),
                input_bits,
                start_level: geometry.start_level,
                second_stage: stage == Stage::Two,
                flag_faults: true,
                output_bits: 40,
            };
            let read = |at| memory.load_u64(PhysAddr::new(at)).ok();
            let second = long.walk(read, input + 7).unwrap();
            assert_eq!((second.pa, second.user.write), (output.get() + 7, false));
        }
    }
    assert_eq!(vmsav7l::linux(Stage::One, 33, 40), None);
    assert_eq!(vmsav7l::linux(Stage::Two, 40, 42), None);
}
