//! Physical addresses of pages: a first pass over a whole recording.
//!
//! A recording contains the address of a page only in later `phys` and `arena_pfn` lines, long
//! after the page was allocated. The model needs it at allocation, so this pass runs first. It
//! assigns each address to the area that contained the page, from its `mmap` (or from the fork that
//! copied it) on; a page that is seen at two addresses moved in between. It also collects other
//! facts needed before the first line: the parameters at the start, and the frames that only these
//! pages may use.

use std::collections::BTreeMap;

use passim_model::{PageSize, PhysAddr, Span, UserAddr};
use rangemap::{RangeInclusiveMap, RangeInclusiveSet};

use crate::recording::line::{ArenaPfn, Buf, Line};
use crate::recording::step::{Area, Phys, ProcessNumber, Start, Step};

/// Most pages that one line may place; further ones are ignored.
const MAX_PAGES_A_LINE: u64 = 1 << 22;

/// Pages that are contiguous in memory and in an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Placed {
    /// First address.
    pub(super) va: UserAddr,
    /// The physical address of its page.
    pub(super) at: PhysAddr,
}

/// A page seen at another address than before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moved {
    /// The process of the page.
    pub(super) process: ProcessNumber,
    /// The page, and its new address.
    pub(super) to: Placed,
}

/// Results of the first pass.
#[derive(Default)]
pub(super) struct Placements {
    /// Addresses of the pages of an area, by the line that mapped the area.
    plans: BTreeMap<u64, Vec<Placed>>,
    /// Moves, by the line after which they may happen.
    moves: BTreeMap<u64, Vec<Moved>>,
    frames: RangeInclusiveSet<u64>,
    /// The `start` line.
    pub(super) start: Option<Start>,
    /// Whether the recording contains a random trace.
    pub(super) is_random: bool,
    /// IOVAs of accepted maps of a random trace, first to last.
    pub(super) window: Option<(u64, u64)>,
    /// Physical addresses of the arena's pages, by user address.
    pub(super) arena: BTreeMap<u64, u64>,
    /// The last operation of the random trace.
    last_random: Option<u64>,
    /// Number of lines.
    pub(super) lines: u64,
}

impl Placements {
    /// Addresses to plan at `line`.
    pub(super) fn plans(&self, line: u64) -> &[Placed] {
        self.plans.get(&line).map_or(&[], Vec::as_slice)
    }

    /// Moves that may happen after `line`.
    pub(super) fn moves(&self, line: u64) -> &[Moved] {
        self.moves.get(&line).map_or(&[], Vec::as_slice)
    }

    /// Whether a random trace ends at `line`.
    pub(super) fn is_walked_after(&self, line: u64) -> bool {
        self.last_random == Some(line)
    }

    /// Every frame that the recording names inside `ram`.
    pub(super) fn set_aside(&self, ram: &[Span<PhysAddr>]) -> Vec<Span<PhysAddr>> {
        let mut spans = Vec::new();
        for range in self.frames.iter() {
            let (start, last) = (PhysAddr::new(*range.start()), PhysAddr::new(*range.end()));
            let named = Span::new(start, last).expect("a range set holds no reversed ranges");
            spans.extend(ram.iter().filter_map(|bank| bank.intersection(named)));
        }
        spans
    }
}

/// The first pass.
pub(super) struct LookAhead {
    page: PageSize,
    current: ProcessNumber,
    /// Area numbers by user address, for each process.
    areas: BTreeMap<ProcessNumber, RangeInclusiveMap<u64, usize>>,
    /// The line that made each area.
    made: Vec<u64>,
    /// The last sighting of each page: area and user address, then line and physical address.
    seen: BTreeMap<(usize, u64), (u64, u64)>,
    arena: Option<UserAddr>,
    found: Placements,
}

impl LookAhead {
    /// The initial state. `page` is the machine's page.
    pub(super) fn new(page: PageSize) -> Self {
        Self {
            page,
            current: 0,
            areas: BTreeMap::new(),
            made: Vec::new(),
            seen: BTreeMap::new(),
            arena: None,
            found: Placements::default(),
        }
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, number: u64, line: &Line) {
        self.found.lines += 1;
        match line {
            Line::Step(step) => self.step(number, step),
            Line::Buf(Buf { name, va, .. }) if name == "ARENA" => self.arena = *va,
            Line::ArenaPfn(pfns) => self.arena_pfn(number, pfns),
            Line::RandomMap(map) => {
                self.random(number);
                if map.ret == 0 && map.size > 0 {
                    let first = map.iova.get();
                    let last = first.saturating_add(map.size - 1);
                    let (low, high) = self.found.window.unwrap_or((first, last));
                    self.found.window = Some((low.min(first), high.max(last)));
                }
            }
            Line::RandomUnmap(_) => self.random(number),
            _ => {}
        }
    }

    /// The results.
    pub(super) fn finish(self) -> Placements {
        self.found
    }

    fn random(&mut self, number: u64) {
        self.found.is_random = true;
        self.found.last_random = Some(number);
    }

    fn step(&mut self, number: u64, step: &Step) {
        match step {
            Step::Start(start) => {
                self.current = start.proc;
                if self.found.start.is_none() {
                    self.found.start = Some(start.clone());
                }
            }
            Step::In { proc } => self.current = *proc,
            Step::Fork { child } => self.fork(number, *child),
            Step::Exit { proc } => {
                self.areas.remove(proc);
            }
            Step::Mmap(mmap) => {
                if let Some(va) = mmap.va {
                    self.made.push(number);
                    let area = self.made.len() - 1;
                    if let Some(range) = range(va, mmap.len) {
                        self.areas.entry(self.current).or_default().insert(range, area);
                    }
                }
            }
            Step::Munmap(Area { va, len }) => {
                if let Some(range) = range(*va, *len) {
                    self.areas.entry(self.current).or_default().remove(range);
                }
            }
            Step::Phys(phys) => self.phys(number, phys),
            _ => {}
        }
    }

    /// A fork maps the child's areas: their pages may get other addresses.
    fn fork(&mut self, number: u64, child: ProcessNumber) {
        let parent = self.areas.get(&self.current).cloned().unwrap_or_default();
        let mut renamed: BTreeMap<usize, usize> = BTreeMap::new();
        let mut copy = RangeInclusiveMap::new();
        for (range, area) in parent.iter() {
            let area = *renamed.entry(*area).or_insert_with(|| {
                self.made.push(number);
                self.made.len() - 1
            });
            copy.insert(range.clone(), area);
        }
        self.areas.insert(child, copy);
    }

    fn phys(&mut self, number: u64, phys: &Phys) {
        let mut va = phys.va.get();
        let mut left = MAX_PAGES_A_LINE;
        for run in &phys.runs {
            for index in 0..run.1.min(left) {
                left -= 1;
                let offset = index.checked_mul(self.page.bytes());
                let at = run.0.zip(offset).and_then(|(pa, offset)| pa.checked_add(offset));
                if let Some(at) = at {
                    self.sighting(number, va, at.get());
                }
                let Some(next) = va.checked_add(self.page.bytes()) else { return };
                va = next;
            }
        }
    }

    fn arena_pfn(&mut self, number: u64, line: &ArenaPfn) {
        let Some(arena) = self.arena else { return };
        let lg2 = self.page.lg2();
        for (index, pfn) in line.pfns.iter().enumerate() {
            let va = arena.get().checked_add((index as u64) << lg2);
            let at = pfn.and_then(|pfn| pfn.checked_mul(self.page.bytes()));
            if let (Some(va), Some(at)) = (va, at) {
                self.found.arena.insert(va, at >> lg2);
                self.sighting(number, va, at);
            }
        }
    }

    /// Records that the page at `va` is at `at` on this line.
    fn sighting(&mut self, number: u64, va: u64, at: u64) {
        let Some(&area) = self.areas.get(&self.current).and_then(|areas| areas.get(&va)) else {
            return;
        };
        self.found.frames.insert(at..=at.saturating_add(self.page.mask()));
        let to = Placed { va: UserAddr::new(va), at: PhysAddr::new(at) };
        match self.seen.insert((area, va), (number, at)) {
            None => self.found.plans.entry(self.made[area]).or_default().push(to),
            Some((_, before)) if before == at => {}
            Some((line, _)) => {
                let moved = Moved { process: self.current, to };
                self.found.moves.entry(line).or_default().push(moved);
            }
        }
    }
}

fn range(va: UserAddr, len: u64) -> Option<std::ops::RangeInclusive<u64>> {
    let span = Span::from_size(va, len)?;
    Some(span.start().get()..=span.last().get())
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
