//! An independent reading of AArch64 translation tables: VMSAv8-64, stage 1 and stage 2, all
//! granules.
//!
//! For: what a table in memory means, independently of the walker under test. Written from the
//! tables of the Arm ARM (DDI 0487, chapter D8): which address bits index which level, which levels
//! may have blocks, and the meaning of a descriptor's type bits.
//! Not for: choosing a table (TTBR0 or TTBR1, ASIDs, EPD), nesting (call it once per stage), DS=1
//! (52-bit addresses with 4K and 16K), 128-bit descriptors, hardware update of AF and dirty state,
//! memory attributes.

use crate::rights::{self, Rights, Rules};
use crate::{Granule, Stage};

/// How a table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Granule.
    pub granule: Granule,
    /// Stage; decides the meaning of bits \[7:6\] of a leaf.
    pub stage: Stage,
    /// Physical address of the first table. Bits below the table's own size are ignored.
    pub base: u64,
    /// Input address size in bits: 64 - TxSZ.
    pub input_bits: u8,
    /// Level of the first lookup.
    pub start_level: u8,
    /// Output address size in bits (IPS, S2PS), at most 52; an address beyond it is an Address size
    /// fault.
    pub output_bits: u8,
    /// Whether bits \[15:12\] of a 64K descriptor are address bits \[51:48\].
    pub high_address: HighAddress,
    /// Privilege of the access.
    pub privilege: Privilege,
    /// Stage 1: whether APTable, XNTable and PXNTable apply. Ignored at stage 2, which has none.
    pub table_permissions: TablePermissions,
    /// Other settings that decide permissions.
    pub rules: Rules,
}

/// Meaning of bits \[15:12\] of descriptors with the 64K granule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HighAddress {
    /// The implementation has at most 48-bit physical addresses: the bits are reserved.
    Reserved,
    /// The implementation has 52-bit physical addresses: they are address bits \[51:48\].
    Present,
}

/// Privilege of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// The privilege of a PCIe device without PASID, unless its STE overrides it.
    Unprivileged,
    /// Privileged: AP\[1\] does not apply.
    Privileged,
}

/// Whether table descriptors limit the permissions below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TablePermissions {
    /// APTable, XNTable and PXNTable apply.
    Honoured,
    /// Disabled (HPD, HAD).
    Disabled,
}

/// The outcome of a successful walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Output address of the input address.
    pub pa: u64,
    /// Bytes the leaf maps.
    pub block_size: u64,
    /// The access of [`Config::privilege`] may read.
    pub readable: bool,
    /// The access of [`Config::privilege`] may write.
    pub writable: bool,
    /// The access of [`Config::privilege`] may fetch instructions.
    pub executable: bool,
}

impl Leaf {
    pub(crate) fn of(pa: u64, block_size: u64, rights: Rights) -> Self {
        let Rights { read: readable, write: writable, fetch: executable } = rights;
        Leaf { pa, block_size, readable, writable, executable }
    }

    /// The permissions as [`Rights`].
    pub fn rights(&self) -> Rights {
        let Leaf { readable: read, writable: write, executable: fetch, .. } = *self;
        Rights { read, write, fetch }
    }
}

/// Why a walk ended without a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An invalid or reserved descriptor, or (level 0) an input address beyond the input size.
    Translation {
        /// Level of the descriptor.
        level: u8,
    },
    /// An address beyond the output size: a next table, a leaf, or (level 0) the base itself.
    AddressSize {
        /// Level of the descriptor with the address.
        level: u8,
    },
    /// A leaf whose access flag is 0.
    Access {
        /// Level of the leaf.
        level: u8,
    },
    /// Memory did not answer.
    Abort {
        /// Physical address of the descriptor.
        pa: u64,
    },
}

/// A leaf in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableLeaf {
    /// Input address of the first byte.
    pub iova: u64,
    /// Output address of the first byte.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
    /// The descriptor.
    pub descriptor: u64,
}

/// The meaning of a descriptor at its level.
enum Meaning {
    Invalid,
    Table(u64),
    Leaf(u64),
}

impl Config {
    /// Stage 1 for unprivileged accesses; the start level follows from the input size.
    ///
    /// # Panics
    /// If the input size does not suit the granule.
    pub fn stage1(granule: Granule, base: u64, input_bits: u8, output_bits: u8) -> Self {
        // The first level that resolves an address bit.
        let start = (0..=3).find(|&level| low_bit(granule, level).is_some_and(|b| b < input_bits));
        let start = start.unwrap_or_else(|| panic!("{input_bits} input bits with {granule:?}"));
        let config = Config::any(Stage::One, granule, base, input_bits, start, output_bits);
        assert!(config.entries(start) <= full_table(granule), "{input_bits} input bits");
        config
    }

    /// Stage 2 from a given start level (see [`start_level_of_sl0`]); more entries than one table
    /// has mean concatenated tables.
    ///
    /// # Panics
    /// If granule, input size and start level are inconsistent: the level does not exist, resolves
    /// no bit, or would need more than 16 tables.
    pub fn stage2(
        granule: Granule,
        base: u64,
        input_bits: u8,
        start_level: u8,
        output_bits: u8,
    ) -> Self {
        let low = low_bit(granule, start_level);
        assert!(low.is_some_and(|bit| bit < input_bits), "{granule:?} from level {start_level}");
        let config = Config::any(Stage::Two, granule, base, input_bits, start_level, output_bits);
        assert!(config.entries(start_level) <= 16 * full_table(granule), "{input_bits} input bits");
        config
    }

    fn any(
        stage: Stage,
        granule: Granule,
        base: u64,
        input_bits: u8,
        start_level: u8,
        output_bits: u8,
    ) -> Self {
        let high_address =
            if output_bits > 48 { HighAddress::Present } else { HighAddress::Reserved };
        Config {
            granule,
            stage,
            base,
            input_bits,
            start_level,
            output_bits,
            high_address,
            privilege: Privilege::Unprivileged,
            table_permissions: TablePermissions::Honoured,
            rules: Rules::default(),
        }
    }

    /// Entries of a table at `level`. The first table has as many as the remaining input bits
    /// index.
    fn entries(&self, level: u8) -> u64 {
        if level == self.start_level {
            1 << (self.input_bits - self.low(level))
        } else {
            full_table(self.granule)
        }
    }

    fn low(&self, level: u8) -> u8 {
        low_bit(self.granule, level).expect("a walk starts at a level that exists and goes down")
    }

    fn leaf_size(&self, level: u8) -> u64 {
        1 << self.low(level)
    }

    fn first_table(&self) -> Result<u64, Fault> {
        if self.base >> self.output_bits != 0 {
            return Err(Fault::AddressSize { level: 0 });
        }
        // With 52-bit outputs a small table is still aligned to 64 bytes.
        let least = if self.output_bits > 48 { 64 } else { 16 };
        let bytes = (self.entries(self.start_level) * 8).max(least);
        Ok(self.base / bytes * bytes)
    }

    /// The meaning of the type bits, by level. DDI 0487 D8.3: bit 0 clear is invalid; bit 1 set is
    /// a table above level 3 and a page at level 3; bit 1 clear is a block where the level has
    /// blocks and reserved elsewhere, which is treated as invalid.
    fn meaning(&self, level: u8, descriptor: u64) -> Result<Meaning, Fault> {
        let leaf = match (descriptor & 3, level) {
            (3, 0..=2) => false,
            (3, _) => true,
            (1, _) if self.has_blocks(level) => true,
            _ => return Ok(Meaning::Invalid),
        };
        let low = if leaf { self.low(level) } else { self.low(3) };
        let mut address = field(descriptor, 47, low) << low;
        if self.granule == Granule::Size64K && self.high_address == HighAddress::Present {
            address |= field(descriptor, 15, 12) << 48;
        }
        if address >> self.output_bits != 0 {
            return Err(Fault::AddressSize { level });
        }
        Ok(if leaf { Meaning::Leaf(address) } else { Meaning::Table(address) })
    }

    /// DDI 0487 D8.3: block descriptors by granule, without DS=1.
    fn has_blocks(&self, level: u8) -> bool {
        match (self.granule, level) {
            (Granule::Size4K, 1 | 2) => true,
            (Granule::Size16K, 2) => true,
            (Granule::Size64K, 2) => true,
            // 4 TiB blocks require 52-bit addresses.
            (Granule::Size64K, 1) => self.high_address == HighAddress::Present,
            _ => false,
        }
    }

    /// The permissions of a leaf below tables whose descriptors combine to `tables` by OR.
    fn rights(&self, descriptor: u64, tables: u64) -> Rights {
        match self.stage {
            Stage::One => rights::stage1(self.rules, self.privilege, descriptor, tables),
            Stage::Two => rights::stage2(self.rules, self.privilege, descriptor),
        }
    }
}

/// Start level that STE.S2SL0 (VTCR_EL2.SL0) selects, for values without an extension.
pub const fn start_level_of_sl0(granule: Granule, sl0: u8) -> Option<u8> {
    match (granule, sl0) {
        (Granule::Size4K, 0) => Some(2),
        (Granule::Size4K, 1) => Some(1),
        (Granule::Size4K, 2) => Some(0),
        (Granule::Size16K | Granule::Size64K, 0) => Some(3),
        (Granule::Size16K | Granule::Size64K, 1) => Some(2),
        (Granule::Size16K | Granule::Size64K, 2) => Some(1),
        _ => None,
    }
}

/// Walks the table for one input address. `read` returns the little-endian 64-bit word at a
/// physical address, or `None` where memory does not answer.
///
/// # Errors
/// The first fault of the walk, in the architecture's order at each level: external abort,
/// translation, address size; at the leaf the access flag last. Permissions are part of the result,
/// not a fault.
pub fn translate(
    config: &Config,
    input: u64,
    read: impl Fn(u64) -> Option<u64>,
) -> Result<Leaf, Fault> {
    if input >> config.input_bits != 0 {
        return Err(Fault::Translation { level: 0 });
    }
    let mut table = config.first_table()?;
    let mut tables = 0;
    for level in config.start_level..=3 {
        let index = input / config.leaf_size(level) % config.entries(level);
        let pa = table + 8 * index;
        let descriptor = read(pa).ok_or(Fault::Abort { pa })?;
        match config.meaning(level, descriptor)? {
            Meaning::Invalid => return Err(Fault::Translation { level }),
            Meaning::Table(next) => {
                table = next;
                if config.table_permissions == TablePermissions::Honoured {
                    tables |= descriptor;
                }
            }
            Meaning::Leaf(_) if field(descriptor, 10, 10) == 0 => {
                return Err(Fault::Access { level });
            }
            Meaning::Leaf(address) => {
                let block_size = config.leaf_size(level);
                let rights = config.rights(descriptor, tables);
                return Ok(Leaf::of(address + input % block_size, block_size, rights));
            }
        }
    }
    unreachable!("level 3 has no tables")
}

/// Every leaf of the table in order of input address, whatever its access flag.
///
/// A table that points to itself is followed to level 3 like any other, which takes time
/// exponential in the number of levels.
///
/// # Errors
/// An abort or an address size fault anywhere in the table.
pub fn all_leaves(
    config: &Config,
    read: impl Fn(u64) -> Option<u64>,
) -> Result<Vec<TableLeaf>, Fault> {
    let mut leaves = Vec::new();
    let first = config.first_table()?;
    visit(config, &read, config.start_level, first, 0, &mut leaves)?;
    Ok(leaves)
}

fn visit(
    config: &Config,
    read: &impl Fn(u64) -> Option<u64>,
    level: u8,
    table: u64,
    iova: u64,
    leaves: &mut Vec<TableLeaf>,
) -> Result<(), Fault> {
    let size = config.leaf_size(level);
    for index in 0..config.entries(level) {
        let pa = table + 8 * index;
        let iova = iova + index * size;
        let descriptor = read(pa).ok_or(Fault::Abort { pa })?;
        match config.meaning(level, descriptor)? {
            Meaning::Invalid => {}
            Meaning::Table(next) => visit(config, read, level + 1, next, iova, leaves)?,
            Meaning::Leaf(pa) => leaves.push(TableLeaf { iova, pa, size, descriptor }),
        }
    }
    Ok(())
}

/// Lowest address bit that indexes a table at `level`, `None` if the granule has no such level.
/// DDI 0487 D8.2, the tables "address bits resolved at all possible levels".
const fn low_bit(granule: Granule, level: u8) -> Option<u8> {
    match (granule, level) {
        (Granule::Size4K, 0) => Some(39),
        (Granule::Size4K, 1) => Some(30),
        (Granule::Size4K, 2) => Some(21),
        (Granule::Size4K, 3) => Some(12),
        (Granule::Size16K, 0) => Some(47),
        (Granule::Size16K, 1) => Some(36),
        (Granule::Size16K, 2) => Some(25),
        (Granule::Size16K, 3) => Some(14),
        (Granule::Size64K, 1) => Some(42),
        (Granule::Size64K, 2) => Some(29),
        (Granule::Size64K, 3) => Some(16),
        _ => None,
    }
}

/// Entries of a full table: a granule of 8-byte descriptors.
const fn full_table(granule: Granule) -> u64 {
    granule.bytes() / 8
}

/// Bits `high..=low` of a word, moved down to bit 0.
fn field(word: u64, high: u8, low: u8) -> u64 {
    (word << (63 - high)) >> (63 - high + low)
}

#[cfg(test)]
mod tests;
