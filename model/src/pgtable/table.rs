//! Software's tables: map, unmap, look up, as the kernel does.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `geometry` ([`Geometry`]) | which levels, which sizes? |
//! | `attributes` ([`MemoryType`]) | which attributes has a leaf? |
//! | `blocks` | what is written where for a run of equal blocks? |
//! | `leaves` | what is mapped? |
//! | `pages` | which pages belong to the tables? |
//!
//! This is what Linux's IOMMU core and its io-pgtable do together. A request is cut into the
//! largest blocks that input, output and remaining size allow. An unmap is cut by the input alone;
//! where it meets a table instead of a block, it unlinks the whole table. A table that has become
//! empty is not freed (measured on 6.1 and 6.12).
//!
//! The tables are in memory, where a device may overwrite them. Descriptors that are read there are
//! followed as the kernel would follow them, but never decide the ownership of pages.

use super::gather::Gather;
use super::vmsav8::Granule;
use super::walk::{Config, Format};
use crate::{Frames, Memory, PageSizes, Perms, PhysAddr, Span};

mod attributes;
mod blocks;
mod geometry;
mod leaves;
mod pages;

pub use attributes::MemoryType;
pub use geometry::{Concatenation, Geometry};
pub use leaves::{Leaves, MappedLeaf};

use pages::Pages;

/// A request to [`Table::map`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// First input address, in the stage's input space.
    pub input: u64,
    /// First output address, in the stage's output space.
    pub output: PhysAddr,
    /// Bytes, at least one granule.
    pub size: u64,
    /// What is allowed: READ, WRITE or both. EXEC is ignored.
    pub perms: Perms,
    /// The kind of memory mapped.
    pub memory_type: MemoryType,
}

/// Why a mapping was not made. Nothing of the request remains mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum MapError {
    /// An address or size that the smallest block does not divide, a size of 0, or neither READ nor
    /// WRITE asked for.
    #[error("not a multiple of the smallest block, or neither readable nor writable")]
    Misaligned,
    /// The request begins or ends beyond [`Geometry::input_bits`], or its output lies beyond the
    /// output bits that descriptors can hold.
    #[error("beyond the input or output addresses of the tables")]
    OutOfRange,
    /// A leaf exists already, or a word that no map wrote.
    #[error("{at:#x} is already mapped")]
    Exists {
        /// First input address that the descriptor in the way covers.
        at: u64,
    },
    /// No frame for a table.
    #[error("no frame for a table")]
    NoFrame,
}

/// A set of tables in memory. Must be freed with [`Table::free`].
#[must_use = "its pages are lost unless given back with `free`"]
#[derive(Debug)]
pub struct Table {
    geometry: Geometry,
    /// The sizes its leaves can have.
    sizes: PageSizes,
    /// Last input address that is accepted.
    last_input: u64,
    root: PhysAddr,
    /// Every page below the root.
    pages: Pages,
}

impl Table {
    /// Empty tables.
    ///
    /// # Errors
    /// [`MapError::NoFrame`].
    ///
    /// # Panics
    /// If `geometry` was put together by hand and is inconsistent, or if `frames` hands out
    /// addresses that are not RAM in `memory`.
    pub fn new(
        geometry: Geometry,
        memory: &mut Memory,
        frames: &mut Frames,
    ) -> Result<Self, MapError> {
        assert!(geometry.is_consistent(), "a geometry's first table resolves its input");
        let size = geometry.root_size();
        let root = frames.alloc(size).ok_or(MapError::NoFrame)?;
        let span = Span::from_size(root, size.bytes()).expect("a frame does not wrap");
        memory.zero(span).expect("frames are RAM");
        let pages = Pages::new(geometry.granule.page());
        let (sizes, last_input) = (geometry.page_sizes(), geometry.last_input());
        Ok(Self { geometry, sizes, last_input, root, pages })
    }

    /// Accepts inputs beyond the geometry from now on, as far as indices reach, like software that
    /// does not check. Hardware does not find what is mapped there.
    pub fn take_whatever_is_indexed(&mut self) {
        self.last_input = self.geometry.last_indexed();
    }

    /// Last input address that is accepted.
    pub fn last_input(&self) -> u64 {
        self.last_input
    }

    /// The shape.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Physical address of the first table; concatenated ones follow it.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// The configuration with which hardware walks these tables.
    pub fn config(&self) -> Config {
        Config {
            format: Format::Aarch64,
            stage: self.geometry.stage,
            granule: self.geometry.granule,
            input_bits: self.geometry.input_bits,
            start_level: self.geometry.start_level as i8,
            root: self.root.get(),
            output_bits: self.geometry.output_bits,
            implemented_bits: self.geometry.output_bits,
            hierarchical: true,
            access_flag_faults: true,
            ds: false,
            dirty_state: false,
        }
    }

    /// How many tables there are, the concatenated first ones counted singly, those that wait in
    /// a [`Gather`] not counted.
    pub fn table_count(&self) -> usize {
        self.pages.len() + (1 << self.geometry.concatenated_lg2)
    }

    /// Maps. Each block is the largest that divides input and output and fits the rest.
    ///
    /// Where a block replaces a table, the table is unlinked into `gather` with whatever it still
    /// maps, as io-pgtable does; only a leaf of the block's size or larger makes the map fail.
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
        self.check(mapping)?;
        let result = match self.geometry.granule {
            Granule::K4 => self.map_blocks::<12>(memory, frames, mapping, gather),
            Granule::K16 => self.map_blocks::<14>(memory, frames, mapping, gather),
            Granule::K64 => self.map_blocks::<16>(memory, frames, mapping, gather),
        };
        result.map_err(|blocks::Stopped { mapped, error }| {
            self.unmap(memory, mapping.input, mapped, gather);
            error
        })
    }

    fn check(&self, mapping: &Mapping) -> Result<(), MapError> {
        let granule = self.geometry.granule.page();
        let Mapping { input, output, size, perms, .. } = *mapping;
        let divided = granule.divides(input | output.get() | size);
        if !divided || size == 0 || !perms.intersects(Perms::READ | Perms::WRITE) {
            return Err(MapError::Misaligned);
        }
        let last = |start: u64| start.checked_add(size - 1);
        let is_input = last(input).is_some_and(|last| last <= self.last_input);
        let is_output = last(output.get()).is_some_and(|last| last >> self.output_bits() == 0);
        if is_input && is_output { Ok(()) } else { Err(MapError::OutOfRange) }
    }

    /// Output bits that descriptors can express.
    fn output_bits(&self) -> u32 {
        self.geometry.granule.expressible_output_bits(self.geometry.output_bits)
    }

    /// Unmaps up to `size` bytes from `input` on. Returns the number of bytes unmapped.
    ///
    /// Each step takes the largest block that divides the input and fits the rest. It unmaps a
    /// leaf of that size, or unlinks a table there, whatever the table maps. The first hole ends
    /// it, and so does a leaf larger than the step, of which nothing is unmapped. An address or
    /// size that the smallest block does not divide unmaps nothing.
    pub fn unmap(
        &mut self,
        memory: &mut Memory,
        input: u64,
        size: u64,
        gather: &mut Gather,
    ) -> u64 {
        if !self.geometry.granule.page().divides(input | size) {
            return 0;
        }
        match self.geometry.granule {
            Granule::K4 => self.unmap_blocks::<12>(memory, input, size, gather),
            Granule::K16 => self.unmap_blocks::<14>(memory, input, size, gather),
            Granule::K64 => self.unmap_blocks::<16>(memory, input, size, gather),
        }
    }

    /// The output address of `input` (in the stage's input space), whatever its permissions; `None`
    /// where no leaf translates it.
    pub fn lookup(&self, memory: &Memory, input: u64) -> Option<PhysAddr> {
        let leaf = self.leaf(memory, input)?;
        Some(PhysAddr::new(leaf.output + (input - leaf.input)))
    }

    /// Frees every table page. Pages in a [`Gather`] are freed there.
    pub fn free(self, frames: &mut Frames) {
        let granule = self.geometry.granule.page();
        for page in self.pages.iter() {
            frames.free(page, granule);
        }
        frames.free(self.root, self.geometry.root_size());
    }

    /// The table that translates `input` at the start level: one of the concatenated ones.
    fn root_table(&self, input: u64) -> PhysAddr {
        let Geometry { granule, start_level, .. } = self.geometry;
        let covered = granule.level_lg2(start_level) + granule.index_bits();
        PhysAddr::new(self.root.get() + ((input >> covered) << granule.lg2()))
    }
}
