//! An independent reading of AArch64 translation tables where DS is set (FEAT_LPA2): 52-bit
//! addresses with the 4K and 16K granules.
//!
//! For: the same as [`walk`](crate::walk), for the tables that room excludes. Written from the Arm
//! ARM (DDI 0487, chapter D8): with DS, OA\[49:12\] (4K) or \[49:14\] (16K) are in place,
//! OA\[51:50\] in the bits of shareability; the 4K granule has a level -1 and blocks at level 0,
//! the 16K granule blocks at level 1.
//! Not for: what `walk` excludes, and the 64K granule, which DS does not change.

use crate::rights::{self, Rights, Rules};
use crate::walk::{Leaf, Privilege, TableLeaf, TablePermissions};
use crate::{Granule, Stage};

/// How a table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Granule: 4K or 16K.
    pub granule: Granule,
    /// Stage; decides the meaning of bits \[7:6\] of a leaf.
    pub stage: Stage,
    /// Physical address of the first table, aligned to its size.
    pub base: u64,
    /// Input address size in bits: 64 - TxSZ.
    pub input_bits: u8,
    /// Level of the first lookup.
    pub start_level: i8,
    /// Output address size in bits.
    pub output_bits: u8,
    /// Privilege of the access.
    pub privilege: Privilege,
    /// Stage 1: whether APTable, XNTable and PXNTable apply. Ignored at stage 2, which has none.
    pub table_permissions: TablePermissions,
    /// Other settings that decide permissions.
    pub rules: Rules,
}

/// The meaning of a descriptor at its level.
enum Meaning {
    Table(u64),
    Leaf(u64),
}

/// Why a walk ended without a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An invalid or reserved descriptor, or (level 0) an input address beyond the input size.
    Translation(i8),
    /// An address beyond the output size: a next table, a leaf, or (level 0) the base itself.
    AddressSize(i8),
    /// A leaf whose access flag is 0.
    Access(i8),
    /// Memory did not answer at this physical address.
    Abort(u64),
}

/// Walks the table for one input address. `read` returns the little-endian 64-bit word at a
/// physical address, or `None` where memory does not answer.
///
/// # Errors
/// The first fault of the walk, in the architecture's order.
///
/// # Panics
/// If the granule has no such start level.
pub fn translate(
    config: &Config,
    input: u64,
    read: impl Fn(u64) -> Option<u64>,
) -> Result<Leaf, Fault> {
    if input >> config.input_bits != 0 {
        return Err(Fault::Translation(0));
    }
    if config.base >> config.output_bits != 0 {
        return Err(Fault::AddressSize(0));
    }
    let mut table = config.base;
    let mut tables = 0;
    let mut level = config.start_level;
    loop {
        let low = low_bit(config.granule, level);
        let index = (input % (1 << config.top(level))) >> low;
        let pa = table + 8 * index;
        let descriptor = read(pa).ok_or(Fault::Abort(pa))?;
        match config.meaning(level, descriptor)? {
            None => return Err(Fault::Translation(level)),
            Some(Meaning::Leaf(_)) if field(descriptor, 10, 10) == 0 => {
                return Err(Fault::Access(level));
            }
            Some(Meaning::Leaf(address)) => {
                let rights = config.rights(descriptor, tables);
                let block_size = 1 << low;
                return Ok(Leaf::of(address + input % block_size, block_size, rights));
            }
            Some(Meaning::Table(next)) => table = next,
        }
        if config.table_permissions == TablePermissions::Honoured {
            tables |= descriptor;
        }
        level += 1;
    }
}

/// Every leaf of the table in order of input address, whatever its access flag. Takes as long as
/// [`walk::all_leaves`](crate::walk::all_leaves).
///
/// # Errors
/// An abort or an address size fault anywhere in the table.
///
/// # Panics
/// If the granule has no such start level.
pub fn all_leaves(
    config: &Config,
    read: impl Fn(u64) -> Option<u64>,
) -> Result<Vec<TableLeaf>, Fault> {
    if config.base >> config.output_bits != 0 {
        return Err(Fault::AddressSize(0));
    }
    let mut leaves = Vec::new();
    visit(config, &read, (config.start_level, config.base), 0, &mut leaves)?;
    Ok(leaves)
}

fn visit(
    config: &Config,
    read: &impl Fn(u64) -> Option<u64>,
    (level, table): (i8, u64),
    iova: u64,
    leaves: &mut Vec<TableLeaf>,
) -> Result<(), Fault> {
    let low = low_bit(config.granule, level);
    let size = 1 << low;
    for index in 0..1u64 << (config.top(level) - low) {
        let pa = table + 8 * index;
        let iova = iova + index * size;
        let descriptor = read(pa).ok_or(Fault::Abort(pa))?;
        match config.meaning(level, descriptor)? {
            None => {}
            Some(Meaning::Table(next)) => visit(config, read, (level + 1, next), iova, leaves)?,
            Some(Meaning::Leaf(pa)) => leaves.push(TableLeaf { iova, pa, size, descriptor }),
        }
    }
    Ok(())
}

impl Config {
    /// First address bit above those that index a table at `level`.
    fn top(&self, level: i8) -> u8 {
        if level == self.start_level { self.input_bits } else { low_bit(self.granule, level - 1) }
    }

    /// The meaning of a descriptor; `None` if it is invalid.
    fn meaning(&self, level: i8, descriptor: u64) -> Result<Option<Meaning>, Fault> {
        let leaf = match (descriptor & 3, level) {
            (3, 3) => true,
            (3, _) => false,
            (1, _) if has_blocks(self.granule, level) => true,
            _ => return Ok(None),
        };
        let lowest = low_bit(self.granule, if leaf { level } else { 3 });
        let address = field(descriptor, 49, lowest) << lowest | field(descriptor, 9, 8) << 50;
        if address >> self.output_bits != 0 {
            return Err(Fault::AddressSize(level));
        }
        Ok(Some(if leaf { Meaning::Leaf(address) } else { Meaning::Table(address) }))
    }

    /// The permissions of a leaf below tables whose descriptors combine to `tables` by OR.
    fn rights(&self, descriptor: u64, tables: u64) -> Rights {
        match self.stage {
            Stage::One => rights::stage1(self.rules, self.privilege, descriptor, tables),
            Stage::Two => rights::stage2(self.rules, self.privilege, descriptor),
        }
    }
}

/// Lowest address bit that indexes a table at `level`.
fn low_bit(granule: Granule, level: i8) -> u8 {
    match (granule, level) {
        (Granule::Size4K, -1) => 48,
        (Granule::Size4K, 0) => 39,
        (Granule::Size4K, 1) => 30,
        (Granule::Size4K, 2) => 21,
        (Granule::Size4K, 3) => 12,
        (Granule::Size16K, 0) => 47,
        (Granule::Size16K, 1) => 36,
        (Granule::Size16K, 2) => 25,
        (Granule::Size16K, 3) => 14,
        _ => panic!("{granule:?} has no level {level} with DS"),
    }
}

fn has_blocks(granule: Granule, level: i8) -> bool {
    match granule {
        Granule::Size4K => (0..=2).contains(&level),
        Granule::Size16K => (1..=2).contains(&level),
        Granule::Size64K => false,
    }
}

/// Bits `high..=low` of a word, moved down to bit 0.
fn field(word: u64, high: u8, low: u8) -> u64 {
    (word << (63 - high)) >> (63 - high + low)
}

#[cfg(test)]
mod tests;
