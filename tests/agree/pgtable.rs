//! The page tables alone: random maps and unmaps, read by the walker, by software and by the
//! oracle.

use crate::explore;
use crate::tables::granule;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::{Geometry, MapError, Mapping, MemoryType, Table};
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk::{PlainFetch, walk};
use passim_model::{Frames, Memory, PageSize, Perms, PhysAddr, Span};
use passim_oracle::walk::{Config, all_leaves, translate};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use std::collections::BTreeMap;

/// Memory for tables.
const RAM: (u64, u64) = (1 << 32, 512 << 20);

#[derive(Clone, Copy, Debug)]
struct Shape {
    stage: Stage,
    granule: Granule,
    input_bits: u32,
    output_bits: u32,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// In units of the smallest block, except the output.
    Map {
        input: u64,
        output: u64,
        size: u64,
        perms: u8,
    },
    Unmap {
        input: u64,
        size: u64,
    },
}

fn shape() -> impl Strategy<Value = Shape> {
    let granule = select(vec![Granule::K4, Granule::K16, Granule::K64]);
    let stage = select(vec![Stage::One, Stage::Two]);
    (granule, stage, 34..=48u32, select(vec![36u32, 40, 42, 44, 48])).prop_map(
        |(granule, stage, input_bits, output_bits)| {
            // Stage 2 accepts no input beyond the output size.
            let input_bits =
                if stage == Stage::Two { input_bits.min(output_bits) } else { input_bits };
            Shape { stage, granule, input_bits, output_bits }
        },
    )
}

/// Addresses around a few boundaries of blocks of each size.
fn place(bits: u32, granule: Granule) -> impl Strategy<Value = u64> {
    let page = granule.page().bytes();
    let block = 1u64 << (2 * granule.lg2() - 3);
    let bases =
        vec![0, block, 3 * block, 1 << 30, (1u64 << bits) - 4 * block, (1u64 << bits) - page];
    let offset = prop_oneof![Just(0), Just(page), 0..64 * page];
    (select(bases), offset).prop_map(move |(base, offset)| (base + offset) / page * page)
}

fn step(shape: Shape) -> impl Strategy<Value = Step> {
    let page = shape.granule.page().bytes();
    let block = 1u64 << (2 * shape.granule.lg2() - 3);
    let size = move || {
        prop_oneof![
            6 => (1..40u64).prop_map(move |pages| pages * page),
            2 => Just(block),
            1 => Just(2 * block + page),
            1 => Just(1 << 30),
            1 => Just(0),
        ]
    };
    let input = move || place(shape.input_bits, shape.granule);
    prop_oneof![
        3 => (input(), place(shape.output_bits, shape.granule), size(), 1..=3u8)
            .prop_map(|(input, output, size, perms)| Step::Map { input, output, size, perms }),
        2 => (input(), size()).prop_map(|(input, size)| Step::Unmap { input, size }),
    ]
}

/// Steps; an unmap may name the range of an earlier map, or pages from its start on.
fn case() -> impl Strategy<Value = (Shape, Vec<Step>)> {
    let page_or_all = prop_oneof![Just(None), (1..20u64).prop_map(Some)];
    shape().prop_flat_map(move |shape| {
        let page = shape.granule.page().bytes();
        let step = (step(shape), proptest::option::of(0..6usize), page_or_all.clone());
        vec(step, 1..24).prop_map(move |drawn| {
            let mut steps: Vec<Step> = Vec::new();
            for (step, earlier, pages) in drawn {
                let earlier = earlier.and_then(|back| steps.iter().rev().nth(back).copied());
                steps.push(match (step, earlier) {
                    (Step::Unmap { .. }, Some(Step::Map { input, size, .. })) => {
                        let size = pages.map_or(size, |pages| (pages * page).min(size));
                        Step::Unmap { input, size }
                    }
                    _ => step,
                });
            }
            (shape, steps)
        })
    })
}

/// The mappings: first input, last input, output, permissions. Ranges never overlap.
type Mapped = BTreeMap<u64, (u64, u64, u8)>;

fn overlaps(mapped: &Mapped, first: u64, last: u64) -> bool {
    mapped.iter().any(|(&start, &(end, ..))| start <= last && first <= end)
}

/// Whether one end of a range lies inside a leaf; kernels make no such unmap.
fn cuts_a_leaf(leaves: &[(u64, u64)], first: u64, last: u64) -> bool {
    let cut = |&(at, size): &(u64, u64)| {
        let end = at + (size - 1);
        at <= last && first <= end && (at < first || last < end)
    };
    leaves.iter().any(cut)
}

/// Removes a range from the list.
fn take_out(mapped: &mut Mapped, first: u64, last: u64) -> u64 {
    let mut bytes = 0;
    let hit: Vec<_> = mapped
        .iter()
        .filter(|(start, (end, ..))| **start <= last && first <= *end)
        .map(|(&start, &rest)| (start, rest))
        .collect();
    for (start, (end, output, perms)) in hit {
        mapped.remove(&start);
        bytes += end.min(last) - start.max(first) + 1;
        if start < first {
            mapped.insert(start, (first - 1, output, perms));
        }
        if end > last {
            mapped.insert(last + 1, (end, output + (last + 1 - start), perms));
        }
    }
    bytes
}

struct Bench {
    memory: Memory,
    frames: Frames,
    table: Table,
    gather: Gather,
    mapped: Mapped,
}

impl Bench {
    fn new(shape: Shape) -> Option<Self> {
        let Shape { stage, granule, input_bits, output_bits } = shape;
        let geometry = Geometry::linux(stage, granule, input_bits, output_bits)?;
        let span = Span::from_size(PhysAddr::new(RAM.0), RAM.1)?;
        let mut memory = Memory::new();
        memory.add_bank(span).ok()?;
        let mut frames = Frames::new(PageSize::K4, [span]);
        let table = Table::new(geometry, &mut memory, &mut frames).ok()?;
        Some(Self { memory, frames, table, gather: Gather::new(), mapped: Mapped::new() })
    }

    fn oracle_config(&self) -> Config {
        let geometry = self.table.geometry();
        let granule = granule(geometry.granule.lg2());
        let (root, input) = (self.table.root().get(), geometry.input_bits as u8);
        let output = geometry.output_bits as u8;
        match geometry.stage {
            Stage::One => Config::stage1(granule, root, input, output),
            Stage::Two => Config::stage2(granule, root, input, geometry.start_level, output),
        }
    }

    fn word(&self, at: u64) -> Option<u64> {
        self.memory.load_u64(PhysAddr::new(at)).ok()
    }

    fn map(&mut self, input: u64, output: u64, size: u64, perms: u8) -> TestCaseResult {
        let geometry = self.table.geometry();
        let exists = size != 0 && overlaps(&self.mapped, input, input + (size - 1));
        // A block replaces a table in its place with everything below, as in Linux. Callers of map
        // never cause that.
        if exists && size >> (2 * geometry.granule.lg2() - 3) != 0 {
            return Ok(());
        }
        let mapping = Mapping {
            input,
            output: PhysAddr::new(output),
            size,
            perms: Perms::from_bits_truncate(perms),
            memory_type: MemoryType::Normal,
        };
        let Self { table, memory, frames, gather, .. } = self;
        let found = table.map(memory, frames, &mapping, gather);
        let fits = |start: u64, bits: u32| size != 0 && start + (size - 1) < 1 << bits;
        match found {
            Ok(()) => {
                prop_assert!(
                    fits(input, geometry.input_bits) && fits(output, geometry.output_bits)
                );
                prop_assert!(!exists);
                self.mapped.insert(input, (input + (size - 1), output, perms));
            }
            Err(MapError::Misaligned) => prop_assert_eq!(size, 0),
            Err(MapError::OutOfRange) => prop_assert!(
                !fits(input, geometry.input_bits) || !fits(output, geometry.output_bits)
            ),
            Err(MapError::Exists { .. }) => prop_assert!(exists),
            Err(MapError::NoFrame) => prop_assert!(false, "512M of frames are enough"),
        }
        Ok(())
    }

    fn unmap(&mut self, input: u64, size: u64) -> TestCaseResult {
        if size == 0 {
            return Ok(());
        }
        let last = input + (size - 1);
        let leaves: Vec<_> =
            self.table.leaves(&self.memory).map(|leaf| (leaf.input, 1u64 << leaf.lg2)).collect();
        if last >> self.table.geometry().input_bits != 0 || cuts_a_leaf(&leaves, input, last) {
            return Ok(());
        }
        // A table whose whole range is unmapped is removed unread and counted in full, as in Linux.
        // Callers name mapped ranges only.
        if contiguous(&self.mapped, input, last) != size {
            return Ok(());
        }
        let removed = self.table.unmap(&mut self.memory, input, size, &mut self.gather);
        prop_assert_eq!(removed, size, "unmap of {:#x} bytes at {:#x}", size, input);
        prop_assert_eq!(take_out(&mut self.mapped, input, last), size);
        Ok(())
    }

    fn agrees(&self) -> TestCaseResult {
        let config = self.oracle_config();
        let page = self.table.geometry().granule.page().bytes();
        let second = all_leaves(&config, |at| self.word(at)).expect("tables lie in RAM");
        let own: Vec<_> = self.table.leaves(&self.memory).collect();
        prop_assert_eq!(own.len(), second.len());
        for (own, second) in own.iter().zip(&second) {
            let own = (own.input, own.output, 1 << own.lg2, own.descriptor);
            prop_assert_eq!(own, (second.iova, second.pa, second.size, second.descriptor));
        }
        let bytes: u64 = second.iter().map(|leaf| leaf.size).sum();
        let asked: u64 = self.mapped.iter().map(|(start, (end, ..))| end - start + 1).sum();
        prop_assert_eq!(bytes, asked);
        for (&start, &(end, output, perms)) in &self.mapped {
            for at in [start, start + (end - start) / 2 / page * page, end - 7] {
                self.agrees_at(&config, at, Some((output + (at - start), perms)))?;
            }
            for at in [start.wrapping_sub(page), end.wrapping_add(1)] {
                if at >> config.input_bits == 0 && !overlaps(&self.mapped, at, at) {
                    self.agrees_at(&config, at, None)?;
                }
            }
        }
        Ok(())
    }

    /// Compares one address: the hardware's walk, software's lookup and the independent walk.
    fn agrees_at(&self, config: &Config, at: u64, expected: Option<(u64, u8)>) -> TestCaseResult {
        let hardware = walk(&self.table.config(), at, &mut PlainFetch(&self.memory)).ok();
        let second = translate(config, at, |at| self.word(at)).ok();
        let software = self.table.lookup(&self.memory, at).map(PhysAddr::get);
        let output = expected.map(|(output, _)| output);
        prop_assert_eq!(hardware.map(|leaf| leaf.translate(at)), output, "{:#x}", at);
        prop_assert_eq!(second.map(|leaf| leaf.pa), output, "{:#x}", at);
        prop_assert_eq!(software, output, "{:#x}", at);
        let (Some(hardware), Some(second), Some((_, perms))) = (hardware, second, expected) else {
            return Ok(());
        };
        // At stage 1 a writable page is readable.
        let stage1 = self.table.geometry().stage == Stage::One;
        let wanted = (perms & 1 != 0 || stage1, perms & 2 != 0);
        let granted = hardware.unprivileged;
        let granted = (granted.contains(Perms::READ), granted.contains(Perms::WRITE));
        prop_assert_eq!(granted, wanted, "{:#x}", at);
        prop_assert_eq!((second.readable, second.writable), wanted, "{:#x}", at);
        prop_assert_eq!(second.block_size, 1u64 << hardware.lg2);
        Ok(())
    }

    fn finish(mut self) -> TestCaseResult {
        self.gather.release_tables(&mut self.frames);
        self.table.free(&mut self.frames);
        prop_assert_eq!(self.frames.in_use(), 0, "every frame goes back");
        Ok(())
    }
}

/// Bytes mapped without a hole from `first` on, at most to `last`.
fn contiguous(mapped: &Mapped, first: u64, last: u64) -> u64 {
    let mut at = first;
    while at <= last {
        let Some((_, &(end, ..))) = mapped.range(..=at).next_back() else { break };
        if end < at {
            break;
        }
        at = end.min(last) + 1;
    }
    at - first
}

fn holds(shape: Shape, steps: &[Step]) -> TestCaseResult {
    let Some(mut bench) = Bench::new(shape) else { return Ok(()) };
    for step in steps {
        match *step {
            Step::Map { input, output, size, perms } => bench.map(input, output, size, perms)?,
            Step::Unmap { input, size } => bench.unmap(input, size)?,
        }
        bench.agrees()?;
    }
    bench.finish()
}

#[test]
fn tables_are_read_the_same_three_times() {
    let told = |case: &(Shape, Vec<Step>)| format!("{case:#x?}");
    explore(200, 3, &case(), |(shape, steps)| holds(shape, &steps), told);
}
