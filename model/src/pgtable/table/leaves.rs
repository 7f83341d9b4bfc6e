//! The mapped leaves: that of one address, or all in order.

use super::Table;
use super::pages::Pages;
use crate::pgtable::vmsav8::{Entry, LAST_LEVEL};
use crate::{Memory, PhysAddr};

/// A leaf that software finds in its tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MappedLeaf {
    /// First input address, in the stage's input space.
    pub input: u64,
    /// First output address, in the stage's output space.
    pub output: u64,
    /// log2 of the size in bytes.
    pub lg2: u32,
    /// The descriptor.
    pub descriptor: u64,
}

impl Table {
    /// The leaf that translates `input` (in the stage's input space), if there is one.
    pub fn leaf(&self, memory: &Memory, input: u64) -> Option<MappedLeaf> {
        if input > self.last_input {
            return None;
        }
        let granule = self.geometry.granule;
        let mut table = self.root_table(input);
        for level in self.geometry.start_level..=LAST_LEVEL {
            let lg2 = granule.level_lg2(level);
            let index = input >> lg2 & ((1 << granule.index_bits()) - 1);
            let slot = PhysAddr::new(table.get() + 8 * index);
            let descriptor = memory.load_u64(slot).ok()?;
            match granule.decode(descriptor, level, self.output_bits()) {
                Entry::Invalid => return None,
                Entry::Table(next) => table = PhysAddr::new(next),
                Entry::Leaf(output) => {
                    return Some(MappedLeaf {
                        input: input >> lg2 << lg2,
                        output,
                        lg2,
                        descriptor,
                    });
                }
            }
        }
        None
    }

    /// All leaves by ascending input address, as far as hardware finds them.
    ///
    /// Only tables that [`Table::map`] made are entered, each once, so this ends whatever memory
    /// holds.
    pub fn leaves<'a>(&'a self, memory: &'a Memory) -> Leaves<'a> {
        let first = Cursor { table: self.root, index: 0, input: 0 };
        Leaves { table: self, memory, unseen: self.pages.clone(), path: vec![first] }
    }
}

/// The position of an iteration in one table.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    table: PhysAddr,
    /// Next descriptor; at the start level counted through all concatenated tables.
    index: u64,
    /// First input address of the table.
    input: u64,
}

/// The leaves of a [`Table`], from [`Table::leaves`].
pub struct Leaves<'a> {
    table: &'a Table,
    memory: &'a Memory,
    /// Tables not entered yet.
    unseen: Pages,
    /// One cursor per level, from the start level down.
    path: Vec<Cursor>,
}

impl Iterator for Leaves<'_> {
    type Item = MappedLeaf;

    fn next(&mut self) -> Option<MappedLeaf> {
        let geometry = self.table.geometry;
        let granule = geometry.granule;
        loop {
            let depth = self.path.len() as u8;
            let cursor = self.path.last_mut()?;
            let entries =
                if depth == 1 { geometry.root_entries() } else { 1 << granule.index_bits() };
            if cursor.index == entries {
                self.path.pop();
                continue;
            }
            let level = geometry.start_level + depth - 1;
            let lg2 = granule.level_lg2(level);
            let input = cursor.input + (cursor.index << lg2);
            let slot = PhysAddr::new(cursor.table.get() + 8 * cursor.index);
            cursor.index += 1;
            let descriptor = self.memory.load_u64(slot).unwrap_or(0);
            match granule.decode(descriptor, level, self.table.output_bits()) {
                Entry::Invalid => {}
                Entry::Leaf(output) => {
                    return Some(MappedLeaf { input, output, lg2, descriptor });
                }
                Entry::Table(below) => {
                    let below = PhysAddr::new(below);
                    if self.unseen.remove(below) {
                        self.path.push(Cursor { table: below, index: 0, input });
                    }
                }
            }
        }
    }
}
