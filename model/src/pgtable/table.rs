//! Software's tables: map, unmap, look up.
use super::gather::Gather;
use super::vmsav8::{Granule, Stage};
use crate::{Frames, Memory, Perms, PhysAddr};

/// The shape of a set of tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Geometry {
    /// Stage 1 or 2.
    pub stage: Stage,
    /// Translation granule.
    pub granule: Granule,
    /// Input address bits.
    pub input_bits: u32,
    /// Output address bits.
    pub output_bits: u32,
    /// First level looked up.
    pub start_level: u8,
    /// log2 of the number of tables side by side at the start level.
    pub concatenated_lg2: u32,
}

/// What a mapping is for: decides the memory attributes of its leaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemoryType {
    /// Normal write-back memory (IOMMU_CACHE).
    Normal,
    /// Normal non-cacheable memory.
    NonCacheable,
    /// Device memory (IOMMU_MMIO), never executable.
    Device,
}

/// Why a mapping was not made. Nothing of the request remains mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MapError {
    /// An address or size that no block size divides, or no permission asked for.
    Misaligned,
    /// Input or output address beyond the tables' range.
    OutOfRange,
    /// A leaf is already there.
    Exists {
        /// Input address of the leaf.
        at: u64,
    },
    /// No frame for a table.
    NoFrame,
}

/// A set of tables in memory. Must be given back with [`Table::free`].
#[derive(Debug)]
pub struct Table {
    geometry: Geometry,
    root: PhysAddr,
}

impl Table {
    /// Empty tables.
    ///
    /// # Errors
    /// [`MapError::NoFrame`].
    pub fn new(
        geometry: Geometry,
        _memory: &mut Memory,
        frames: &mut Frames,
    ) -> Result<Self, MapError> {
        let root = frames.alloc(geometry.granule.page()).ok_or(MapError::NoFrame)?;
        Ok(Self { geometry, root })
    }
    /// The shape.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }
    /// Address of the first table.
    pub fn root(&self) -> PhysAddr {
        self.root
    }
    /// Maps `size` bytes at `input` to `output`.
    ///
    /// # Errors
    /// See [`MapError`].
    #[expect(clippy::too_many_arguments, reason = "skeleton")]
    pub fn map(
        &mut self,
        _memory: &mut Memory,
        _frames: &mut Frames,
        _input: u64,
        _output: PhysAddr,
        _size: u64,
        _perms: Perms,
        _memory_type: MemoryType,
    ) -> Result<(), MapError> {
        Err(MapError::NoFrame)
    }
    /// Unmaps; returns bytes unmapped.
    pub fn unmap(
        &mut self,
        _memory: &mut Memory,
        _input: u64,
        _size: u64,
        _gather: &mut Gather,
    ) -> u64 {
        0
    }
    /// Where `input` leads.
    pub fn lookup(&self, _memory: &Memory, _input: u64) -> Option<PhysAddr> {
        None
    }
    /// Gives every table page back.
    pub fn free(self, _memory: &mut Memory, frames: &mut Frames) {
        frames.free(self.root, self.geometry.granule.page());
    }
}
