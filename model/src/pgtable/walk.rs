//! The hardware's reading of the tables.
use super::vmsav8::{Granule, Stage};
use crate::Perms;

/// Everything that decides one stage of translation, as a CD or STE amounts to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// Stage 1 or 2.
    pub stage: Stage,
    /// Translation granule.
    pub granule: Granule,
    /// Input address bits: 64 - TxSZ. The caller has checked the input against it.
    pub input_bits: u32,
    /// Level at which the walk starts.
    pub start_level: u8,
    /// Address of the first table, in the stage's output space; concatenated tables follow it.
    pub root: u64,
    /// Output address bits: effective IPS or PS.
    pub output_bits: u32,
    /// Whether APTable, XNTable and PXNTable count (HAD = 0).
    pub hierarchical: bool,
    /// Whether a clear access flag faults (AFFD = 0).
    pub access_flag_faults: bool,
}

/// Where descriptors come from: physical memory, or stage 2 first.
pub trait Fetch {
    /// Why a descriptor could not be read.
    type Fault;
    /// Reads the descriptor at `at` (in the stage's output space) for `level`.
    ///
    /// # Errors
    /// Whatever keeps the descriptor from being read.
    fn fetch(&mut self, at: u64, level: u8) -> Result<u64, Self::Fault>;
}

/// What a completed walk found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Leaf {
    /// First byte of the block, in the stage's output space.
    pub output: u64,
    /// log2 of the block's size in bytes (contiguous hint not counted).
    pub lg2: u32,
    /// Level of the leaf descriptor.
    pub level: u8,
    /// The descriptor as read.
    pub descriptor: u64,
    /// The contiguous hint.
    pub contiguous: bool,
    /// nG: entries are tagged with the ASID.
    pub not_global: bool,
    /// What unprivileged accesses may do (stage 2: all accesses), hierarchical limits applied.
    pub unprivileged: Perms,
    /// What privileged accesses may do.
    pub privileged: Perms,
}

/// Why a walk found no leaf. The level is that of the descriptor that decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault<F> {
    /// A descriptor could not be read.
    Fetch {
        /// Level of the descriptor.
        level: u8,
        /// Its address in the stage's output space.
        at: u64,
        /// Why.
        cause: F,
    },
    /// Invalid descriptor.
    Translation {
        /// Its level.
        level: u8,
    },
    /// A table or block address beyond the output size.
    AddressSize {
        /// Level of the descriptor.
        level: u8,
    },
    /// Access flag clear.
    AccessFlag {
        /// Level of the descriptor.
        level: u8,
    },
}

/// Walks the tables for `input`.
///
/// # Errors
/// The first fault in the architecture's order.
pub fn walk<F: Fetch>(config: &Config, input: u64, fetch: &mut F) -> Result<Leaf, Fault<F::Fault>> {
    let _ = fetch.fetch(config.root.wrapping_add(input), config.start_level);
    Err(Fault::Translation { level: config.start_level })
}
