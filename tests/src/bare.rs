//! An SMMUv3 with bare memory, which a test drives itself.

use passim_model::pgtable::table::{Geometry, Mapping, MemoryType, Table};
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::{Frames, Memory, PageSize, Perms, PhysAddr, Span, Width};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{Description, Progress, TableEndian};

/// Every feature of an SMMUv3, with the address sizes that [`empty_table`] uses.
pub const DESCRIPTION: Description =
    Description { table_endian: TableEndian::Little, output_bits: 44, ..Description::EVERYTHING };

/// 256M of RAM from 0x4000_0000 on.
///
/// # Panics
/// Never: there is room.
pub fn memory() -> Memory {
    let mut memory = Memory::new();
    let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x1000_0000).expect("a span");
    memory.add_bank(ram).expect("the one bank");
    memory
}

/// First physical address of [`frames`].
pub const TABLES: u64 = 0x4400_0000;
/// Bytes of [`frames`].
pub const TABLE_BYTES: u64 = 32 << 20;

/// Frames for translation tables, from the RAM of [`memory`].
///
/// # Panics
/// Never: there is room.
pub fn frames() -> Frames {
    let span = Span::from_size(PhysAddr::new(TABLES), TABLE_BYTES).expect("a span");
    Frames::new(PageSize::K4, [span])
}

/// A mapping of normal memory, readable, and writable if `writable`.
pub fn normal(input: u64, output: u64, size: u64, writable: bool) -> Mapping {
    let mut perms = Perms::READ;
    perms.set(Perms::WRITE, writable);
    let (output, memory_type) = (PhysAddr::new(output), MemoryType::Normal);
    Mapping { input, output, size, perms, memory_type }
}

/// Stores doublewords from `at` on.
///
/// # Panics
/// If there is no memory at `at`.
pub fn put(memory: &mut Memory, at: u64, words: &[u64]) {
    for (at, word) in (at..).step_by(8).zip(words) {
        memory.store_u64(PhysAddr::new(at), *word).expect("RAM");
    }
}

/// An empty table of pages of 4K, for 39 bits of input at stage 1, and 44 at stage 2.
///
/// # Panics
/// Without a frame for it.
pub fn empty_table(stage: Stage, memory: &mut Memory, frames: &mut Frames) -> Table {
    let bits = if stage == Stage::One { 39 } else { 44 };
    let geometry = Geometry::linux(stage, Granule::K4, bits, 44).expect("a shape of Linux's");
    Table::new(geometry, memory, frames).expect("room for a root")
}

/// A Command queue, as its producer sees it.
#[derive(Clone, Debug)]
pub struct Commands {
    at: u64,
    size_lg2: u64,
    prod: u64,
}

const CMDQ_PROD: u64 = 0x98;
const GERROR: u64 = 0x60;

impl Commands {
    /// Creates an empty queue at `at`, with `1 << size_lg2` entries.
    pub const fn new(at: u64, size_lg2: u64) -> Self {
        Self { at, size_lg2, prod: 0 }
    }

    /// The value of SMMU_CMDQ_BASE for it.
    pub const fn base(&self) -> u64 {
        self.at | self.size_lg2
    }

    /// Submits a command to the SMMU and runs it until it is consumed.
    ///
    /// # Panics
    /// If the SMMU does not consume it.
    pub fn give(&mut self, words: [u64; 2], smmu: &mut SmmuV3, memory: &mut Memory) {
        let index = self.prod & ((1 << self.size_lg2) - 1);
        put(memory, self.at + 16 * index, &words);
        self.prod = (self.prod + 1) & ((2 << self.size_lg2) - 1);
        smmu.store(CMDQ_PROD, Width::W32, self.prod, memory);
        while smmu.step(memory) == Progress::Worked {}
        assert_eq!(smmu.load(GERROR, Width::W32), 0, "{words:x?} is legal");
    }
}
