//! The hardware's reading of the tables.
//!
//! One stage, one input address. Arm DDI 0487 D8.2 (levels and indices) and D8.4 (permissions);
//! the order of faults is that of IHI 0070 7.3.22: at each level a descriptor that cannot be
//! fetched, an invalid one, an address beyond the output size; at the leaf also the access flag.
//! Permissions are reported, not judged: the access is the caller's.
//!
//! A nested walk is this walk with a [`Fetch`] that puts its addresses through stage 2 first.

use super::vmsav8::{
    Entry, Granule, LAST_LEVEL, MAX_CONCATENATED_LG2, Stage, Stage1Leaf, Stage2Leaf, Vmsav8,
};
use crate::{Abort, Memory, Perms, PhysAddr};

mod permissions;

/// Widest input of any stage; a level whose descriptors would cover more does not exist (level 0
/// of the 64K granule).
const MAX_INPUT_BITS: u32 = 52;

/// Everything that decides one stage of translation, as a CD or STE amounts to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// Stage 1 or 2.
    pub stage: Stage,
    /// Translation granule.
    pub granule: Granule,
    /// Input address bits: 64 - TxSZ. The caller has checked the input against it; bits above do
    /// not count.
    pub input_bits: u32,
    /// Level at which the walk starts.
    pub start_level: u8,
    /// Address of the first table, in the stage's output space; concatenated tables follow it.
    pub root: u64,
    /// Output address bits: effective IPS or PS. 52 only with the 64K granule; the others count
    /// it as 48.
    pub output_bits: u32,
    /// Whether APTable, XNTable and PXNTable count (HAD = 0).
    pub hierarchical: bool,
    /// Whether a clear access flag faults (AFFD = 0).
    pub access_flag_faults: bool,
}

impl Config {
    /// The start level that `input_bits` of input call for, without concatenation; the only one
    /// stage 1 can have.
    pub const fn start_level_for(granule: Granule, input_bits: u32) -> u8 {
        let resolved = input_bits.saturating_sub(granule.lg2());
        let levels = resolved.div_ceil(granule.index_bits());
        match levels {
            0 => LAST_LEVEL,
            1..=4 => 4 - levels as u8,
            _ => 0,
        }
    }

    /// Whether there is such a walk at all: its start level exists, and its first table has no
    /// more descriptors than the architecture lets it have.
    #[inline]
    const fn is_possible<const G: u32>(&self) -> bool {
        // DDI 0487 D8.2: up to 16 tables may be concatenated at the start level of stage 2.
        let concatenated_lg2 = match self.stage {
            Stage::One => 0,
            Stage::Two => MAX_CONCATENATED_LG2,
        };
        let lg2 = Vmsav8::<G>::level_lg2(self.start_level);
        self.start_level <= LAST_LEVEL
            && lg2 < MAX_INPUT_BITS
            && self.input_bits <= MAX_INPUT_BITS
            && self.input_bits <= lg2 + Vmsav8::<G>::INDEX_BITS + concatenated_lg2
    }
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

/// Descriptors straight from physical memory: a stage whose output space is the physical one.
#[derive(Clone, Copy)]
pub struct PlainFetch<'a>(pub &'a Memory);

impl Fetch for PlainFetch<'_> {
    type Fault = Abort;

    #[inline]
    fn fetch(&mut self, at: u64, _level: u8) -> Result<u64, Abort> {
        self.0.load_u64(PhysAddr::new(at))
    }
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
    /// nG: entries are tagged with the ASID. Never at stage 2.
    pub not_global: bool,
    /// What unprivileged accesses may do (stage 2: all data accesses, unprivileged instruction
    /// fetches), hierarchical limits applied.
    pub unprivileged: Perms,
    /// What privileged accesses may do.
    pub privileged: Perms,
    /// What accesses may do in a regime that knows only one privilege (any-EL2, EL3): AP\[1\] acts
    /// as 1, PXN does not count. Stage 2: as `unprivileged`.
    pub undivided: Perms,
}

impl Leaf {
    /// Where `input`, which the block translates, leads.
    #[inline]
    pub const fn translate(&self, input: u64) -> u64 {
        self.output | input & ((1 << self.lg2) - 1)
    }
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
        /// Level of the descriptor; 0 for the address of the first table.
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
/// A `config` that no CD or STE can amount to gives a translation fault at its start level.
///
/// # Errors
/// The first fault in the architecture's order.
#[inline]
pub fn walk<F: Fetch>(config: &Config, input: u64, fetch: &mut F) -> Result<Leaf, Fault<F::Fault>> {
    match config.granule {
        Granule::K4 => walk_granule::<12, F>(config, input, fetch),
        Granule::K16 => walk_granule::<14, F>(config, input, fetch),
        Granule::K64 => walk_granule::<16, F>(config, input, fetch),
    }
}

#[inline(always)]
fn walk_granule<const G: u32, F: Fetch>(
    config: &Config,
    input: u64,
    fetch: &mut F,
) -> Result<Leaf, Fault<F::Fault>> {
    if !config.is_possible::<G>() {
        return Err(Fault::Translation { level: config.start_level.min(LAST_LEVEL) });
    }
    let output_bits = Vmsav8::<G>::GRANULE.expressible_output_bits(config.output_bits);
    let beyond_output = u64::MAX << output_bits;
    if config.root & beyond_output != 0 {
        return Err(Fault::AddressSize { level: 0 });
    }
    let input = input & ((1 << config.input_bits) - 1);
    // Concatenated tables make the index at the start level wider than at the others.
    let at = config.root + 8 * (input >> Vmsav8::<G>::level_lg2(config.start_level));
    let mut descent = Descent::<G> { input, output_bits, beyond_output, at, limits: 0 };
    // One copy of the step for each level, so that no level computes with its number.
    let found = 'found: {
        if config.start_level == 0
            && let Step::Leaf(found) = descent.step::<0, F>(fetch)?
        {
            break 'found found;
        }
        if config.start_level <= 1
            && let Step::Leaf(found) = descent.step::<1, F>(fetch)?
        {
            break 'found found;
        }
        if config.start_level <= 2
            && let Step::Leaf(found) = descent.step::<2, F>(fetch)?
        {
            break 'found found;
        }
        match descent.step::<LAST_LEVEL, F>(fetch)? {
            Step::Leaf(found) => found,
            Step::Below => return Err(Fault::Translation { level: LAST_LEVEL }),
        }
    };
    let limits = if config.hierarchical { descent.limits } else { 0 };
    leaf(config, found, limits)
}

/// A walk on its way down.
struct Descent<const G: u32> {
    input: u64,
    output_bits: u32,
    /// Address bits that no output has.
    beyond_output: u64,
    /// Where the next descriptor is.
    at: u64,
    /// The table descriptors passed, combined by `|`: each may only limit further.
    limits: u64,
}

/// What one level came to.
enum Step {
    /// A table: on to the next level. Never at the last.
    Below,
    Leaf(Found),
}

/// A leaf descriptor.
struct Found {
    output: u64,
    lg2: u32,
    level: u8,
    descriptor: u64,
}

impl<const G: u32> Descent<G> {
    /// Reads the descriptor of this level.
    #[inline(always)]
    fn step<const LEVEL: u8, F: Fetch>(&mut self, fetch: &mut F) -> Result<Step, Fault<F::Fault>> {
        let (level, at) = (LEVEL, self.at);
        let descriptor = match fetch.fetch(at, level) {
            Ok(descriptor) => descriptor,
            Err(cause) => return Err(Fault::Fetch { level, at, cause }),
        };
        match Vmsav8::<G>::decode(descriptor, level, self.output_bits) {
            Entry::Invalid => Err(Fault::Translation { level }),
            Entry::Table(address) | Entry::Leaf(address) if address & self.beyond_output != 0 => {
                Err(Fault::AddressSize { level })
            }
            Entry::Table(table) => {
                let below = Vmsav8::<G>::level_lg2(level + 1);
                self.limits |= descriptor;
                self.at = table + 8 * Vmsav8::<G>::index(self.input, below) as u64;
                Ok(Step::Below)
            }
            Entry::Leaf(output) => {
                let lg2 = Vmsav8::<G>::level_lg2(level);
                Ok(Step::Leaf(Found { output, lg2, level, descriptor }))
            }
        }
    }
}

#[inline(always)]
fn leaf<F>(config: &Config, found: Found, limits: u64) -> Result<Leaf, Fault<F>> {
    let Found { output, lg2, level, descriptor } = found;
    let (accessed, contiguous) = match config.stage {
        Stage::One => (Stage1Leaf::AF, Stage1Leaf::CONTIGUOUS),
        Stage::Two => (Stage2Leaf::AF, Stage2Leaf::CONTIGUOUS),
    };
    if config.access_flag_faults && !accessed.is_set(descriptor) {
        return Err(Fault::AccessFlag { level });
    }
    let perms = match config.stage {
        Stage::One => permissions::stage1(descriptor, limits),
        // DDI 0487 D8.3: stage 2 table descriptors limit nothing.
        Stage::Two => permissions::stage2(descriptor),
    };
    Ok(Leaf {
        output,
        lg2,
        level,
        descriptor,
        contiguous: contiguous.is_set(descriptor),
        not_global: config.stage == Stage::One && Stage1Leaf::NG.is_set(descriptor),
        unprivileged: perms.unprivileged,
        privileged: perms.privileged,
        undivided: perms.undivided,
    })
}
