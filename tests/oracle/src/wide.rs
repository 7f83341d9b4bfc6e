//! A second reading of AArch64 translation tables where DS is set (FEAT_LPA2): 52-bit addresses
//! with the 4K and 16K granules.
//!
//! For: the same as [`walk`](crate::walk), for the tables that room leaves out. Written from the
//! Arm ARM (DDI 0487, chapter D8): with DS, OA\[49:12\] (4K) or \[49:14\] (16K) stand in place,
//! OA\[51:50\] where shareability was; the 4K granule has a level -1 and blocks at level 0, the 16K
//! granule blocks at level 1.
//! Not for: what `walk` is not for, and the 64K granule, which DS does not change.

use crate::walk::{Leaf, Privilege, TablePermissions};
use crate::{Granule, Stage};

/// How a table is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Granule: 4K or 16K.
    pub granule: Granule,
    /// Stage; decides what bits \[7:6\] of a leaf mean.
    pub stage: Stage,
    /// Physical address of the first table, aligned to its size.
    pub base: u64,
    /// Input address size in bits: 64 - TxSZ.
    pub input_bits: u8,
    /// Level of the first lookup.
    pub start_level: i8,
    /// Output address size in bits.
    pub output_bits: u8,
    /// Stage 1: who asks. Ignored at stage 2.
    pub privilege: Privilege,
    /// Stage 1: whether APTable counts. Ignored at stage 2, which has none.
    pub table_permissions: TablePermissions,
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

/// Walks the table for one input address. `read` gives the little-endian 64-bit word at a physical
/// address, or `None` where memory does not answer.
///
/// # Errors
/// The first fault on the way, in the architecture's order.
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
    let mut ap_table = 0;
    let mut level = config.start_level;
    loop {
        let low = low_bit(config.granule, level);
        let top = if level == config.start_level {
            config.input_bits
        } else {
            low_bit(config.granule, level - 1)
        };
        let index = (input % (1 << top)) >> low;
        let pa = table + 8 * index;
        let descriptor = read(pa).ok_or(Fault::Abort(pa))?;
        let leaf = match (descriptor & 3, level) {
            (3, 3) => true,
            (3, _) => false,
            (1, _) if has_blocks(config.granule, level) => true,
            _ => return Err(Fault::Translation(level)),
        };
        let lowest = if leaf { low } else { low_bit(config.granule, 3) };
        let address = field(descriptor, 49, lowest) << lowest | field(descriptor, 9, 8) << 50;
        if address >> config.output_bits != 0 {
            return Err(Fault::AddressSize(level));
        }
        if leaf {
            if field(descriptor, 10, 10) == 0 {
                return Err(Fault::Access(level));
            }
            let (readable, writable) = permissions(config, descriptor, ap_table);
            let block_size = 1 << low;
            let pa = address + input % block_size;
            return Ok(Leaf { pa, block_size, readable, writable });
        }
        if config.table_permissions == TablePermissions::Honoured {
            ap_table |= field(descriptor, 62, 61);
        }
        table = address;
        level += 1;
    }
}

/// Readable and writable: S2AP at stage 2; AP and the APTable bits above at stage 1.
fn permissions(config: &Config, descriptor: u64, ap_table: u64) -> (bool, bool) {
    let (bit6, bit7) = (field(descriptor, 6, 6) == 1, field(descriptor, 7, 7) == 1);
    if config.stage == Stage::Two {
        return (bit6, bit7);
    }
    let open = match config.privilege {
        Privilege::Privileged => true,
        Privilege::Unprivileged => bit6 && ap_table & 1 == 0,
    };
    (open, open && !bit7 && ap_table & 2 == 0)
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
