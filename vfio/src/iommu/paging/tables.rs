//! Operations on tables of either format: io-pgtable's.

use super::run;
use super::shape::{SHORT_LAST_INPUT, SMALL_PAGE, Shape};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::{MapError, Mapping, Table};
use passim_model::pgtable::vmsav7s::table as short;
use passim_model::{Frames, Memory, PageSize, PhysAddr};

/// A set of tables in memory.
pub(in crate::iommu) trait Tables {
    /// Maps a range.
    fn map(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        mapping: &Mapping,
        gather: &mut Gather,
    ) -> Result<(), MapError>;

    /// Unmaps up to the first hole; returns the number of bytes unmapped.
    fn unmap(&mut self, memory: &mut Memory, input: u64, size: u64, gather: &mut Gather) -> u64;

    /// The physical address of `input`, and how many bytes stay contiguous from there, at most
    /// `max`.
    fn run(&self, memory: &Memory, input: u64, max: u64) -> Option<(PhysAddr, u64)>;

    /// Address of the first table.
    fn root(&self) -> PhysAddr;

    /// Last input address that is accepted.
    fn last_input(&self) -> u64;

    /// Accepts inputs beyond that, as far as the indices reach.
    fn take_whatever_is_indexed(&mut self);

    /// The smallest leaf.
    fn smallest(&self) -> PageSize;

    /// Frees every page of the tables.
    fn free(self, frames: &mut Frames);
}

impl Tables for Table {
    fn map(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        mapping: &Mapping,
        gather: &mut Gather,
    ) -> Result<(), MapError> {
        self.map(memory, frames, mapping, gather)
    }

    fn unmap(&mut self, memory: &mut Memory, input: u64, size: u64, gather: &mut Gather) -> u64 {
        self.unmap(memory, input, size, gather)
    }

    fn run(&self, memory: &Memory, input: u64, max: u64) -> Option<(PhysAddr, u64)> {
        run::run(self, memory, input, max)
    }

    fn root(&self) -> PhysAddr {
        self.root()
    }

    fn last_input(&self) -> u64 {
        self.last_input()
    }

    fn take_whatever_is_indexed(&mut self) {
        self.take_whatever_is_indexed();
    }

    fn smallest(&self) -> PageSize {
        self.geometry().granule.page()
    }

    fn free(self, frames: &mut Frames) {
        self.free(frames);
    }
}

/// Tables of the format that a context uses.
#[derive(Debug)]
pub(in crate::iommu) enum EitherTable {
    /// Long descriptors, of 64 bits.
    Long(Table),
    /// Short descriptors.
    Short(short::Table),
}

impl EitherTable {
    /// Empty tables of this shape.
    ///
    /// # Errors
    /// Without a frame for the first table: short descriptors take only frames below 4 GiB.
    pub(in crate::iommu) fn new(
        shape: Shape,
        memory: &mut Memory,
        frames: &mut Frames,
    ) -> Result<Self, MapError> {
        match shape {
            Shape::Long(geometry) => Table::new(geometry, memory, frames).map(Self::Long),
            Shape::Short(sizes) => short::Table::new(sizes, memory, frames).map(Self::Short),
        }
    }
}

impl Tables for EitherTable {
    fn map(
        &mut self,
        memory: &mut Memory,
        frames: &mut Frames,
        mapping: &Mapping,
        gather: &mut Gather,
    ) -> Result<(), MapError> {
        match self {
            Self::Long(table) => table.map(memory, frames, mapping, gather),
            Self::Short(table) => table.map(memory, frames, mapping, gather),
        }
    }

    fn unmap(&mut self, memory: &mut Memory, input: u64, size: u64, gather: &mut Gather) -> u64 {
        match self {
            Self::Long(table) => table.unmap(memory, input, size, gather),
            Self::Short(table) => table.unmap(memory, input, size, gather),
        }
    }

    fn run(&self, memory: &Memory, input: u64, max: u64) -> Option<(PhysAddr, u64)> {
        match self {
            Self::Long(table) => run::run(table, memory, input, max),
            Self::Short(table) => run::short_run(table, memory, input, max),
        }
    }

    fn root(&self) -> PhysAddr {
        match self {
            Self::Long(table) => table.root(),
            Self::Short(table) => table.root(),
        }
    }

    fn last_input(&self) -> u64 {
        match self {
            Self::Long(table) => table.last_input(),
            Self::Short(_) => SHORT_LAST_INPUT,
        }
    }

    fn take_whatever_is_indexed(&mut self) {
        match self {
            Self::Long(table) => table.take_whatever_is_indexed(),
            // Its indices hold exactly the 32 bits.
            Self::Short(_) => {}
        }
    }

    fn smallest(&self) -> PageSize {
        match self {
            Self::Long(table) => table.geometry().granule.page(),
            Self::Short(_) => SMALL_PAGE,
        }
    }

    fn free(self, frames: &mut Frames) {
        match self {
            Self::Long(table) => table.free(frames),
            Self::Short(table) => table.free(frames),
        }
    }
}
