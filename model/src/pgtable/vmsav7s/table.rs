//! Software's short-descriptor tables: map, unmap, look up, as Linux's io-pgtable does.
//!
//! One first table of 16 KiB, second tables of 1 KiB. Addresses have 32 bits on both sides, and so
//! do the tables' own. A large page or a supersection is 16 equal descriptors, which are written
//! and removed together; a piece of one cannot be unmapped. An empty table stays; a table is freed
//! only when a section replaces it.
//!
//! The tables are in memory, where a device may overwrite them: descriptors that are read there are
//! followed, but never decide the ownership of pages.

use super::{
    Attributes, Descriptor, FIRST_LEVEL, FIRST_TABLE_LG2, INPUT_BITS, Kind, LAST_LEVEL,
    SECOND_TABLE_LG2, SECTION_LG2, SMALL_PAGE_LG2, decode,
};
use crate::pgtable::gather::Gather;
use crate::pgtable::table::{MapError, MappedLeaf, Mapping, MemoryType};
use crate::pgtable::vmsav8::{Entry, Granule, Stage};
use crate::pgtable::walk::{Config, Format};
use crate::{Abort, Frames, Memory, PageSize, PageSizes, Perms, PhysAddr, Span};
use std::collections::BTreeSet;

/// All sizes a leaf can have: 4K, 64K, 1M, 16M.
pub const ALL_SIZES: PageSizes = PageSizes::from_bits(
    1 << Kind::SmallPage.lg2()
        | 1 << Kind::LargePage.lg2()
        | 1 << Kind::Section.lg2()
        | 1 << Kind::Supersection.lg2(),
);

/// Bytes of a descriptor.
const BYTES: u64 = 4;

/// A set of tables in memory. Must be freed with [`Table::free`].
#[must_use = "its pages are lost unless given back with `free`"]
#[derive(Debug)]
pub struct Table {
    sizes: PageSizes,
    root: PhysAddr,
    /// The second tables.
    tables: BTreeSet<PhysAddr>,
}

/// `1 << lg2` bytes.
fn size(lg2: u32) -> PageSize {
    PageSize::from_lg2(lg2).expect("tables and blocks are far below 2^64 bytes")
}

/// A frame for a table that a descriptor can name.
fn table_frame(frames: &mut Frames, lg2: u32) -> Result<PhysAddr, MapError> {
    let frame = frames.alloc(size(lg2)).ok_or(MapError::NoFrame)?;
    if frame.get() >> INPUT_BITS != 0 {
        frames.free(frame, size(lg2));
        return Err(MapError::NoFrame);
    }
    Ok(frame)
}

fn clear(memory: &mut Memory, table: PhysAddr, lg2: u32) {
    let span = Span::from_size(table, size(lg2).bytes()).expect("a frame does not wrap");
    memory.zero(span).expect("frames are RAM");
}

fn load(memory: &Memory, slot: PhysAddr) -> Result<u32, Abort> {
    let half = u32::BITS * (slot.get() >> 2 & 1) as u32;
    Ok((memory.load_u64(slot)? >> half) as u32)
}

fn store(memory: &mut Memory, slot: PhysAddr, descriptor: u32) -> Result<(), Abort> {
    memory.write(slot, &descriptor.to_le_bytes())
}

fn slot(table: PhysAddr, index: u64) -> PhysAddr {
    PhysAddr::new(table.get() + BYTES * index)
}

/// The attributes Linux gives its leaves: TEX remap, simplified permissions, shareable, not
/// global.
const fn attributes(perms: Perms, memory_type: MemoryType) -> Attributes {
    let (tex, c, b) = match memory_type {
        MemoryType::Normal => (1, true, true),
        MemoryType::NonCacheable => (1, false, false),
        MemoryType::Device => (0, false, true),
    };
    // AP[0] is the access flag, AP[1] unprivileged access, AP[2] read-only.
    let ap = if perms.contains(Perms::WRITE) { 0b011 } else { 0b111 };
    let xn = matches!(memory_type, MemoryType::Device);
    Attributes { ap, tex, c, b, shareable: true, not_global: true, xn, pxn: false }
}

impl Table {
    /// Empty tables whose leaves may have these sizes of [`ALL_SIZES`]; 4K is always one of them.
    ///
    /// # Errors
    /// [`MapError::NoFrame`], also where frames lie beyond 32 bits.
    ///
    /// # Panics
    /// If `frames` hands out addresses that are not RAM in `memory`.
    pub fn new(
        sizes: PageSizes,
        memory: &mut Memory,
        frames: &mut Frames,
    ) -> Result<Self, MapError> {
        let root = table_frame(frames, FIRST_TABLE_LG2)?;
        clear(memory, root, FIRST_TABLE_LG2);
        let sizes =
            PageSizes::from_bits(sizes.bits() & ALL_SIZES.bits() | size(SMALL_PAGE_LG2).bytes());
        Ok(Self { sizes, root, tables: BTreeSet::new() })
    }

    /// Physical address of the first table, a multiple of 16 KiB below 4 GiB.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// The sizes its leaves can have.
    pub fn page_sizes(&self) -> PageSizes {
        self.sizes
    }

    /// How many tables there are, the first one included.
    pub fn table_count(&self) -> usize {
        self.tables.len() + 1
    }

    /// The configuration with which hardware walks these tables: TTBCR.N = 0, AFE and TRE set.
    pub fn config(&self) -> Config {
        Config {
            format: Format::Short { simplified: true },
            stage: Stage::One,
            granule: Granule::K4,
            input_bits: INPUT_BITS,
            start_level: FIRST_LEVEL as i8,
            root: self.root.get(),
            output_bits: INPUT_BITS,
            implemented_bits: INPUT_BITS,
            hierarchical: true,
            access_flag_faults: true,
            ds: false,
            dirty_state: false,
        }
    }

    /// Maps. Each block is the largest that divides input and output and fits the rest.
    ///
    /// # Errors
    /// See [`MapError`]. Blocks made before the error are unmapped again, through `gather`; tables
    /// made for them may stay.
    pub fn map(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        mapping: &Mapping,
        gather: &mut Gather,
    ) -> Result<(), MapError> {
        let Mapping { input, output, size, perms, memory_type } = *mapping;
        let divided = PageSize::K4.divides(input | output.get() | size);
        if !divided || size == 0 || !perms.intersects(Perms::READ | Perms::WRITE) {
            return Err(MapError::Misaligned);
        }
        let fits =
            |start: u64| start.checked_add(size - 1).is_some_and(|last| last >> INPUT_BITS == 0);
        if !fits(input) || !fits(output.get()) {
            return Err(MapError::OutOfRange);
        }
        let attributes = attributes(perms, memory_type);
        let mut done = 0;
        while done < size {
            let (from, to) = (input + done, output.get() + done);
            let block = self.sizes.best(from | to, size - done).expect("4K is one of them");
            let kind = kind_of(block);
            let descriptor = super::leaf(kind, to, attributes);
            if let Err(error) = self.map_block(memory, frames, kind, from, descriptor, gather) {
                self.unmap(memory, input, done, gather);
                return Err(error);
            }
            done += block.bytes();
        }
        Ok(())
    }

    /// Writes the descriptors of one leaf.
    fn map_block(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        kind: Kind,
        input: u64,
        descriptor: u32,
        gather: &mut Gather,
    ) -> Result<(), MapError> {
        let first = match kind.level() {
            FIRST_LEVEL => slot(self.root, input >> SECTION_LG2),
            _ => {
                let table = self.find_or_make(memory, frames, input)?;
                slot(table, second_index(input))
            }
        };
        let step = level_size(kind.level());
        for i in 0..kind.copies() as u64 {
            let at = input + i * step.bytes();
            let here = slot(first, i);
            let old = load(memory, here).map_err(|_| MapError::Exists { at })?;
            match decode(old, kind.level()) {
                // io-pgtable treats any word but 0 as a mapping.
                Entry::Invalid if old == 0 => {}
                Entry::Table(below) => {
                    store(memory, here, 0).expect("the slot was just read");
                    self.abandon(PhysAddr::new(below), at, gather);
                }
                Entry::Invalid | Entry::Leaf(_) => return Err(MapError::Exists { at }),
            }
        }
        for i in 0..kind.copies() as u64 {
            store(memory, slot(first, i), descriptor).expect("the slots were just read");
        }
        Ok(())
    }

    /// The second table for `input`, made if it is missing.
    fn find_or_make(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        input: u64,
    ) -> Result<PhysAddr, MapError> {
        let here = slot(self.root, input >> SECTION_LG2);
        let at = input >> SECTION_LG2 << SECTION_LG2;
        let old = load(memory, here).map_err(|_| MapError::Exists { at })?;
        match decode(old, FIRST_LEVEL) {
            Entry::Table(table) => Ok(PhysAddr::new(table)),
            Entry::Invalid if old == 0 => {
                let table = table_frame(frames, SECOND_TABLE_LG2)?;
                clear(memory, table, SECOND_TABLE_LG2);
                self.tables.insert(table);
                store(memory, here, super::table(table.get())).expect("the slot was just read");
                Ok(table)
            }
            Entry::Invalid | Entry::Leaf(_) => Err(MapError::Exists { at }),
        }
    }

    /// Hands a second table, unlinked from the section at `input`, to `gather`.
    fn abandon(&mut self, table: PhysAddr, input: u64, gather: &mut Gather) {
        let section = size(SECTION_LG2);
        gather.add_walk(input, input + section.mask(), PageSize::K4);
        if self.tables.remove(&table) {
            gather.add_table(table, size(SECOND_TABLE_LG2));
        }
    }

    /// Unmaps up to `size` bytes from `input` on. Returns the number of bytes unmapped.
    ///
    /// Each step takes the largest block that divides the input and fits the rest, and unmaps
    /// everything in it: leaves of that size or smaller ones side by side, or a whole table. A hole
    /// ends it, and so does a leaf larger than the step, of which nothing is unmapped.
    pub fn unmap(
        &mut self,
        memory: &mut Memory,
        input: u64,
        size: u64,
        gather: &mut Gather,
    ) -> u64 {
        if !PageSize::K4.divides(input | size) {
            return 0;
        }
        let mut done = 0;
        while done < size {
            let Some(from) = input.checked_add(done).filter(|from| from >> INPUT_BITS == 0) else {
                break;
            };
            let block = self.sizes.best(from, size - done).expect("4K is one of them");
            if self.unmap_block(memory, kind_of(block), from, gather).is_none() {
                break;
            }
            done += block.bytes();
        }
        done
    }

    fn unmap_block(
        &mut self,
        memory: &mut Memory,
        kind: Kind,
        input: u64,
        gather: &mut Gather,
    ) -> Option<()> {
        let first = match kind.level() {
            FIRST_LEVEL => slot(self.root, input >> SECTION_LG2),
            _ => slot(self.find(memory, input)?, second_index(input)),
        };
        let copies = kind.copies() as u64;
        let mut old = Vec::with_capacity(kind.copies());
        for i in 0..copies {
            let descriptor = load(memory, slot(first, i)).ok()?;
            // Of 16 descriptors, none may be missing.
            if !Descriptor::TYPE.is_set(u64::from(descriptor)) {
                return None;
            }
            old.push(descriptor);
        }
        let larger = Kind::of(old[0], kind.level()).is_some_and(|found| found.copies() != 1);
        if copies == 1 && larger {
            return None;
        }
        let step = level_size(kind.level());
        for (i, &descriptor) in (0..).zip(&old) {
            store(memory, slot(first, i), 0).expect("the slots were just read");
            let at = input + i * step.bytes();
            match decode(descriptor, kind.level()) {
                Entry::Table(below) => self.abandon(PhysAddr::new(below), at, gather),
                Entry::Leaf(_) | Entry::Invalid => gather.add_leaves(at, at + step.mask(), step),
            }
        }
        Some(())
    }

    /// The second table for `input`, if there is one.
    fn find(&self, memory: &Memory, input: u64) -> Option<PhysAddr> {
        let descriptor = load(memory, slot(self.root, input >> SECTION_LG2)).ok()?;
        match decode(descriptor, FIRST_LEVEL) {
            Entry::Table(table) => Some(PhysAddr::new(table)),
            Entry::Leaf(_) | Entry::Invalid => None,
        }
    }

    /// The leaf that translates `input` (an IOVA below 4 GiB), if there is one.
    pub fn leaf(&self, memory: &Memory, input: u64) -> Option<MappedLeaf> {
        if input >> INPUT_BITS != 0 {
            return None;
        }
        let mut level = FIRST_LEVEL;
        let mut descriptor = load(memory, slot(self.root, input >> SECTION_LG2)).ok()?;
        if let Entry::Table(table) = decode(descriptor, FIRST_LEVEL) {
            level = LAST_LEVEL;
            descriptor = load(memory, slot(PhysAddr::new(table), second_index(input))).ok()?;
        }
        let Entry::Leaf(output) = decode(descriptor, level) else { return None };
        let lg2 = Kind::of(descriptor, level)?.lg2();
        let descriptor = u64::from(descriptor);
        Some(MappedLeaf { input: input >> lg2 << lg2, output, lg2, descriptor })
    }

    /// The output address of `input` (an IOVA), whatever its permissions; `None` where no leaf
    /// translates it.
    pub fn lookup(&self, memory: &Memory, input: u64) -> Option<PhysAddr> {
        let leaf = self.leaf(memory, input)?;
        Some(PhysAddr::new(leaf.output + (input - leaf.input)))
    }

    /// Frees every table. Tables in a [`Gather`] are freed there.
    pub fn free(self, frames: &mut Frames) {
        for table in self.tables {
            frames.free(table, size(SECOND_TABLE_LG2));
        }
        frames.free(self.root, size(FIRST_TABLE_LG2));
    }
}

/// Index into a second table.
fn second_index(input: u64) -> u64 {
    input >> SMALL_PAGE_LG2 & ((1 << (SECTION_LG2 - SMALL_PAGE_LG2)) - 1)
}

/// What one descriptor of `level` covers.
fn level_size(level: u8) -> PageSize {
    size(if level == FIRST_LEVEL { SECTION_LG2 } else { SMALL_PAGE_LG2 })
}

/// The kind of leaf of this size.
fn kind_of(block: PageSize) -> Kind {
    let kind = Kind::ALL.into_iter().find(|kind| kind.lg2() == block.lg2());
    kind.expect("the sizes are those of the four kinds")
}
