//! Memory with room for tables, and the names the tests below share.

use super::gather::Gather;
use super::table::{Geometry, MapError, Mapping, MemoryType, Table};
use super::vmsav8::{Granule, Stage};
use super::walk::{self, Fault, Leaf, PlainFetch};
use crate::{Abort, Frames, Memory, PageSize, Perms, PhysAddr, Span};

mod blocks;
mod dense;
mod gather;
mod hardware;
mod hostile;
mod layouts;
mod recorded;
mod suite;

const STAGES: [Stage; 2] = [Stage::One, Stage::Two];
const RW: Perms = Perms::READ.union(Perms::WRITE);

/// A bank of memory, its frames, and one set of tables in it.
struct Bench {
    memory: Memory,
    frames: Frames,
    table: Table,
    gather: Gather,
}

impl Bench {
    /// Tables of Linux's shape in a bank of `bank` bytes that ends where `output_bits` end.
    fn with_bank(stage: Stage, granule: Granule, bits: (u32, u32), bank: u64) -> Self {
        let geometry = Geometry::linux(stage, granule, bits.0, bits.1).unwrap();
        let span = Span::from_size(PhysAddr::new((1 << bits.1) - bank), bank).unwrap();
        let mut memory = Memory::new();
        memory.add_bank(span).unwrap();
        let mut frames = Frames::new(PageSize::K4, [span]);
        let table = Table::new(geometry, &mut memory, &mut frames).unwrap();
        Self { memory, frames, table, gather: Gather::new() }
    }

    fn new(stage: Stage, granule: Granule, bits: (u32, u32)) -> Self {
        Self::with_bank(stage, granule, bits, 64 << 20)
    }

    fn try_map(&mut self, mapping: Mapping) -> Result<(), MapError> {
        self.table.map(&mut self.memory, &mut self.frames, &mapping, &mut self.gather)
    }

    fn map(&mut self, input: u64, output: u64, size: u64) -> Result<(), MapError> {
        self.try_map(plain(input, output, size))
    }

    fn unmap(&mut self, input: u64, size: u64) -> u64 {
        self.table.unmap(&mut self.memory, input, size, &mut self.gather)
    }

    fn lookup(&self, input: u64) -> Option<u64> {
        self.table.lookup(&self.memory, input).map(PhysAddr::get)
    }

    /// The hardware's answer, which must be the software's.
    fn walk(&self, input: u64) -> Result<Leaf, Fault<Abort>> {
        let found = walk::walk(&self.table.config(), input, &mut PlainFetch(&self.memory));
        let output = found.ok().map(|leaf| leaf.translate(input));
        assert_eq!(output, self.lookup(input), "hardware and software differ at {input:#x}");
        found
    }

    /// Frees everything; no frame may be missing.
    fn finish(mut self) {
        self.gather.release_tables(&mut self.frames);
        self.table.free(&mut self.frames);
        assert_eq!(self.frames.in_use(), 0);
    }
}

fn plain(input: u64, output: u64, size: u64) -> Mapping {
    let output = PhysAddr::new(output);
    Mapping { input, output, size, perms: RW, memory_type: MemoryType::Normal }
}

/// Sizes a leaf can have, ascending.
fn sizes(geometry: Geometry) -> Vec<u64> {
    let bits = geometry.page_sizes().bits();
    (0..64).map(|lg2| 1 << lg2).filter(|size| bits & size != 0).collect()
}
