//! Runs of equal blocks inside one table: the inner loops of map and unmap.
//!
//! The granule is a compile-time constant here. A run is filled through one borrowed slice, and a
//! fresh table is filled before it is linked, so a descriptor is written once.

use super::attributes::attributes;
use super::{Gather, MapError, Mapping, Table};
use crate::pgtable::vmsav8::{Entry, LAST_LEVEL, Vmsav8};
use crate::{Abort, Frames, Memory, PageSize, PhysAddr};

/// Blocks of one size side by side in one table.
#[derive(Clone, Copy)]
struct Run {
    /// First input address.
    input: u64,
    block: PageSize,
    /// The level whose leaves have this size.
    level: u8,
    /// Index of the first descriptor in its table.
    first: usize,
    /// At least 1.
    count: usize,
}

impl Run {
    /// As many blocks as `rest` bytes hold and as the table of the first has room for.
    #[inline]
    fn new<const G: u32>(input: u64, block: PageSize, rest: u64) -> Self {
        let first = Vmsav8::<G>::index(input, block.lg2());
        let room = Vmsav8::<G>::ENTRIES - first;
        let count = usize::try_from(rest >> block.lg2()).map_or(room, |count| count.min(room));
        Self { input, block, level: Vmsav8::<G>::level_of(block.lg2()), first, count }
    }

    /// Input address of block `i`.
    fn input_of(&self, i: usize) -> u64 {
        self.input + ((i as u64) << self.block.lg2())
    }
}

/// What a run of leaves is filled with.
#[derive(Clone, Copy)]
struct Fill {
    /// Output address of the first block.
    output: u64,
    /// All but type and address.
    attributes: u64,
}

/// A request that was not mapped completely.
pub(super) struct Stopped {
    /// Bytes mapped before.
    pub(super) mapped: u64,
    pub(super) error: MapError,
}

/// A run that was not mapped completely.
struct Blocked {
    /// Blocks mapped before.
    free: usize,
    error: MapError,
}

impl From<MapError> for Blocked {
    fn from(error: MapError) -> Self {
        Self { free: 0, error }
    }
}

/// The table of a run.
enum Place {
    /// A table that is linked.
    Linked(PhysAddr),
    /// No table yet; the descriptor at this address will lead to it.
    Unlinked { slot: PhysAddr },
}

impl Table {
    /// Maps block by block, each the largest that divides input and output and fits the rest.
    pub(super) fn map_blocks<const G: u32>(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        mapping: &Mapping,
        gather: &mut Gather,
    ) -> Result<(), Stopped> {
        let attributes = attributes(self.geometry.stage, mapping.perms, mapping.memory_type);
        let mut mapped = 0;
        while mapped < mapping.size {
            let (input, output) = (mapping.input + mapped, mapping.output.get() + mapped);
            let rest = mapping.size - mapped;
            let block = self.sizes.best(input | output, rest).expect("aligned to the smallest");
            let run = Run::new::<G>(input, block, rest);
            match self.map_run::<G>(memory, frames, run, Fill { output, attributes }, gather) {
                Ok(()) => mapped += (run.count as u64) << block.lg2(),
                Err(Blocked { free, error }) => {
                    mapped += (free as u64) << block.lg2();
                    return Err(Stopped { mapped, error });
                }
            }
        }
        Ok(())
    }

    /// Unmaps block by block, each the largest that divides the input and fits the rest. Returns
    /// the number of bytes unmapped.
    pub(super) fn unmap_blocks<const G: u32>(
        &mut self,
        memory: &mut Memory,
        input: u64,
        size: u64,
        gather: &mut Gather,
    ) -> u64 {
        let mut done = 0;
        while done < size {
            let Some(input) = input.checked_add(done) else { break };
            if input > self.last_input {
                break;
            }
            let rest = size - done;
            let block = self.sizes.best(input, rest).expect("aligned to the smallest");
            let unmapped = self.unmap_run::<G>(memory, Run::new::<G>(input, block, rest), gather);
            if unmapped == 0 {
                break;
            }
            done += (unmapped as u64) << block.lg2();
        }
        done
    }

    /// Maps `run`.
    fn map_run<const G: u32>(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        run: Run,
        fill: Fill,
        gather: &mut Gather,
    ) -> Result<(), Blocked> {
        let Run { first, count, .. } = run;
        match self.find_or_grow::<G>(memory, frames, run)? {
            Place::Unlinked { slot } => {
                let table = frames.alloc(self.geometry.granule.page()).ok_or(MapError::NoFrame)?;
                let words = memory.words_mut(table, Vmsav8::<G>::ENTRIES).expect("frames are RAM");
                words[..first].fill(0);
                fill_leaves::<G>(&mut words[first..first + count], run.level, fill);
                words[first + count..].fill(0);
                self.link::<G>(memory, slot, table);
                Ok(())
            }
            Place::Linked(table) => {
                let blocked = self.clear_way::<G>(memory, table, run, gather);
                let free = blocked.unwrap_or(count);
                if let Ok(words) = memory.words_mut(slot_of(table, first), free) {
                    fill_leaves::<G>(words, run.level, fill);
                }
                match blocked {
                    None => Ok(()),
                    Some(free) => {
                        let at = run.input_of(free);
                        Err(Blocked { free, error: MapError::Exists { at } })
                    }
                }
            }
        }
    }

    /// Unlinks the tables that leaves of `run` replace. Returns the number of free blocks if not
    /// all are free: a leaf is in the way, or the table does not answer.
    fn clear_way<const G: u32>(
        &mut self,
        memory: &mut Memory,
        table: PhysAddr,
        run: Run,
        gather: &mut Gather,
    ) -> Option<usize> {
        let Run { first, count, .. } = run;
        let Ok(words) = memory.words(slot_of(table, first), count) else { return Some(0) };
        // By far the most common: nothing there.
        if words.iter().fold(0, |all, word| all | word) == 0 {
            return None;
        }
        for i in 0..count {
            match self.read::<G>(memory, slot_of(table, first + i), run.level) {
                Ok(Entry::Invalid) => {}
                Ok(Entry::Leaf(_)) | Err(Abort(_)) => return Some(i),
                Ok(Entry::Table(below)) => {
                    self.unlink::<G>(memory, slot_of(table, first + i), below, run, i, gather);
                }
            }
        }
        None
    }

    /// Descends to the table of `run`, making the tables above it where they are missing.
    fn find_or_grow<const G: u32>(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        run: Run,
    ) -> Result<Place, MapError> {
        let mut table = self.root_table(run.input);
        for level in self.geometry.start_level..run.level {
            let lg2 = Vmsav8::<G>::level_lg2(level);
            let slot = slot_of(table, Vmsav8::<G>::index(run.input, lg2));
            // Where a table does not answer, the descriptor that leads to it was overwritten.
            let at = run.input >> lg2 << lg2;
            let entry = self.read::<G>(memory, slot, level).map_err(|_| MapError::Exists { at })?;
            table = match entry {
                Entry::Table(next) => PhysAddr::new(next),
                Entry::Leaf(_) => return Err(MapError::Exists { at }),
                Entry::Invalid if level + 1 == run.level => return Ok(Place::Unlinked { slot }),
                Entry::Invalid => {
                    let page = self.geometry.granule.page();
                    let table = frames.alloc(page).ok_or(MapError::NoFrame)?;
                    memory.words_mut(table, Vmsav8::<G>::ENTRIES).expect("frames are RAM").fill(0);
                    self.link::<G>(memory, slot, table);
                    table
                }
            };
        }
        Ok(Place::Linked(table))
    }

    /// Makes the descriptor at `slot` lead to the new `table`.
    fn link<const G: u32>(&mut self, memory: &mut Memory, slot: PhysAddr, table: PhysAddr) {
        self.pages.insert(table);
        memory.store_u64(slot, Vmsav8::<G>::table(table.get())).expect("the slot was just read");
    }

    /// Unmaps `run` up to the first hole. Returns the number of blocks unmapped.
    fn unmap_run<const G: u32>(
        &mut self,
        memory: &mut Memory,
        run: Run,
        gather: &mut Gather,
    ) -> usize {
        let Some(table) = self.find::<G>(memory, run) else { return 0 };
        let output_bits = self.output_bits();
        let mut done = 0;
        while done < run.count {
            let slot = slot_of(table, run.first + done);
            let Ok(words) = memory.words_mut(slot, run.count - done) else { break };
            let is_leaf = |word: &u64| {
                matches!(Vmsav8::<G>::decode(*word, run.level, output_bits), Entry::Leaf(_))
            };
            let leaves = words.iter().take_while(|word| is_leaf(word)).count();
            if leaves != 0 {
                words[..leaves].fill(0);
                let start = run.input_of(done);
                done += leaves;
                gather.add_leaves(start, run.input_of(done) - 1, run.block);
                continue;
            }
            let Entry::Table(below) = Vmsav8::<G>::decode(words[0], run.level, output_bits) else {
                break;
            };
            self.unlink::<G>(memory, slot, below, run, done, gather);
            done += 1;
        }
        done
    }

    /// Descends to the table of `run`, if there is one.
    fn find<const G: u32>(&self, memory: &Memory, run: Run) -> Option<PhysAddr> {
        let mut table = self.root_table(run.input);
        for level in self.geometry.start_level..run.level {
            let index = Vmsav8::<G>::index(run.input, Vmsav8::<G>::level_lg2(level));
            let slot = slot_of(table, index);
            let Ok(Entry::Table(next)) = self.read::<G>(memory, slot, level) else { return None };
            table = PhysAddr::new(next);
        }
        Some(table)
    }

    /// Decodes the descriptor at `slot`.
    fn read<const G: u32>(
        &self,
        memory: &Memory,
        slot: PhysAddr,
        level: u8,
    ) -> Result<Entry, Abort> {
        Ok(Vmsav8::<G>::decode(memory.load_u64(slot)?, level, self.output_bits()))
    }

    /// Clears the descriptor at `slot`, block `i` of `run`, and hands the table `below` with
    /// everything under it to `gather`.
    fn unlink<const G: u32>(
        &mut self,
        memory: &mut Memory,
        slot: PhysAddr,
        below: u64,
        run: Run,
        i: usize,
        gather: &mut Gather,
    ) {
        memory.store_u64(slot, 0).expect("the slot was just read");
        let start = run.input_of(i);
        gather.add_walk(start, start + run.block.mask(), self.geometry.granule.page());
        self.abandon::<G>(memory, PhysAddr::new(below), run.level + 1, gather);
    }

    /// Hands `table` of `level` and the tables under it to `gather`, those that this set of tables
    /// owns. Taking each out of the set first bounds the recursion, whatever memory holds.
    fn abandon<const G: u32>(
        &mut self,
        memory: &Memory,
        table: PhysAddr,
        level: u8,
        gather: &mut Gather,
    ) {
        if !self.pages.remove(table) {
            return;
        }
        if level < LAST_LEVEL {
            for i in 0..Vmsav8::<G>::ENTRIES {
                if let Ok(Entry::Table(below)) = self.read::<G>(memory, slot_of(table, i), level) {
                    self.abandon::<G>(memory, PhysAddr::new(below), level + 1, gather);
                }
            }
        }
        gather.add_table(table, self.geometry.granule.page());
    }
}

/// The address of descriptor `i` of `table`.
fn slot_of(table: PhysAddr, i: usize) -> PhysAddr {
    PhysAddr::new(table.get() + 8 * i as u64)
}

/// Writes leaves that lead to consecutive blocks.
#[inline]
fn fill_leaves<const G: u32>(words: &mut [u64], level: u8, fill: Fill) {
    let step = 1 << Vmsav8::<G>::level_lg2(level);
    let bits = fill.attributes | Vmsav8::<G>::leaf_type(level);
    let first = Vmsav8::<G>::place(fill.output);
    let rest = words.len().saturating_sub(1) as u64 * step;
    // An address has the same position in its descriptor, so one addition gives the next
    // descriptor; except for bits 51:48, where the run carries into them.
    if Vmsav8::<G>::place(fill.output + rest) == first + rest {
        let mut descriptor = bits | first;
        for word in words {
            *word = descriptor;
            descriptor += step;
        }
    } else {
        for (i, word) in words.iter_mut().enumerate() {
            *word = bits | Vmsav8::<G>::place(fill.output + i as u64 * step);
        }
    }
}
