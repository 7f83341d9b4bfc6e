//! Hardware's walk of the tables.
//!
//! One stage, one input address. Arm DDI 0487 D8.2 (levels and indices) and D8.4 (permissions); the
//! order of faults is that of IHI 0070 7.3.22: at each level a descriptor that cannot be fetched,
//! an invalid one, an address beyond the output size; at the leaf also the access flag. Permissions
//! are returned, and the caller checks the access against them.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `leaf` | what does a leaf descriptor mean? |
//! | `permissions` | which accesses does a leaf permit, below its tables? |
//!
//! A nested walk is this walk with a [`Fetch`] that puts its addresses through stage 2 first.

use super::vmsav7s;
use super::vmsav8::{Entry, Form, Granule, LAST_LEVEL, MAX_CONCATENATED_LG2, Stage, Vmsav8};
use crate::{Abort, Memory, PhysAddr};

mod leaf;
mod permissions;

pub use leaf::{Found, Leaf, marked_dirty};

/// Widest input of any stage; a level whose descriptors would cover more does not exist (level 0
/// of the 64K granule).
const MAX_INPUT_BITS: u32 = 52;

/// The format of descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Format {
    /// VMSAv8-64.
    #[default]
    Aarch64,
    /// VMSAv8-32, long descriptors ([`vmsav7l`](super::vmsav7l)): those of VMSAv8-64 with the 4K
    /// granule, except for execution.
    Long,
    /// VMSAv8-32, short descriptors ([`vmsav7s`]). The granule is 4K.
    Short {
        /// AFE: AP\[0\] is the access flag.
        simplified: bool,
    },
}

/// Everything that decides one stage of translation, decoded from a CD, an STE or a context bank.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The format of descriptors.
    pub format: Format,
    /// Stage 1 or 2.
    pub stage: Stage,
    /// Translation granule.
    pub granule: Granule,
    /// Input address bits: 64 - TxSZ. The caller has checked the input against it; bits above are
    /// ignored.
    pub input_bits: u32,
    /// Level at which the walk starts; -1 exists with DS and the 4K granule.
    pub start_level: i8,
    /// Address of the first table, in the stage's output space; concatenated tables follow it. The
    /// caller has aligned it, except for short descriptors.
    pub root: u64,
    /// Output address bits: effective IPS or PS. 52 only with the 64K granule or DS; otherwise the
    /// other granules take it as 48.
    pub output_bits: u32,
    /// Output address bits that are implemented: OAS, PAMax. They decide what descriptors of the
    /// 64K granule look like; `output_bits` only what they may hold.
    pub implemented_bits: u32,
    /// DS: 52-bit descriptors of the 4K and 16K granules.
    pub ds: bool,
    /// Whether APTable, XNTable and PXNTable apply (HAD = 0).
    pub hierarchical: bool,
    /// Whether a clear access flag faults (AFFD = 0, and hardware does not set it).
    pub access_flag_faults: bool,
    /// Whether hardware manages the dirty state (HD): a leaf with DBM that is read-only by AP or
    /// S2AP alone is treated as writable, and is reported as clean.
    pub dirty_state: bool,
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

    /// log2 of the bytes a descriptor at the start level covers, where there is such a level.
    #[inline]
    const fn start_lg2<const G: u32>(&self) -> Option<u32> {
        match self.start_level {
            // DDI 0487 D8.2, FEAT_LPA2: level -1 resolves bits 51:48 of the 4K granule.
            -1 if G == 12 && self.ds => Some(Vmsav8::<G>::level_lg2(0) + Vmsav8::<G>::INDEX_BITS),
            0..=3 => Some(Vmsav8::<G>::level_lg2(self.start_level as u8)),
            _ => None,
        }
    }

    /// Whether the walk is possible: its start level exists, and its first table has no more
    /// descriptors than the architecture permits.
    #[inline]
    const fn is_possible<const G: u32>(&self) -> bool {
        // DDI 0487 D8.2: up to 16 tables may be concatenated at the start level of stage 2.
        let concatenated_lg2 = match self.stage {
            Stage::One => 0,
            Stage::Two => MAX_CONCATENATED_LG2,
        };
        let Some(lg2) = self.start_lg2::<G>() else {
            return false;
        };
        lg2 < MAX_INPUT_BITS
            && self.input_bits <= MAX_INPUT_BITS
            && self.input_bits <= lg2 + Vmsav8::<G>::INDEX_BITS + concatenated_lg2
    }
}

/// The source of descriptors: physical memory, directly or through stage 2.
pub trait Fetch {
    /// Why a descriptor could not be read.
    type Fault;
    /// Reads the descriptor at `at` (in the stage's output space) for `level`.
    ///
    /// # Errors
    /// The reason why the descriptor cannot be read.
    fn fetch(&mut self, at: u64, level: i8) -> Result<u64, Self::Fault>;

    /// Reads the 32-bit descriptor at `at`, a multiple of 4, for `level`: half of the little-endian
    /// doubleword that [`Self::fetch`] reads.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    #[inline]
    fn fetch_short(&mut self, at: u64, level: i8) -> Result<u32, Self::Fault> {
        let half = u32::BITS * (at >> 2 & 1) as u32;
        Ok((self.fetch(at & !7, level)? >> half) as u32)
    }

    /// Called when the descriptor just read, at `at`, is a table's and the walk continues at
    /// `below`, the table of everything that the descriptor covers.
    ///
    /// # Errors
    /// The reason why an update of the descriptor fails.
    #[inline(always)]
    fn descend(&mut self, at: u64, below: Below) -> Result<(), Self::Fault> {
        let _ = (at, below);
        Ok(())
    }
}

/// A table that a walk reached, with everything that a later walk needs to resume there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Below {
    /// Level of the table, 0 to 3.
    pub level: u8,
    /// Its address, in the stage's output space.
    pub table: u64,
    /// The table descriptors passed, [`Self::descriptor`] among them, combined by `|`.
    pub limits: u64,
    /// The descriptor that led here.
    pub descriptor: u64,
}

/// Descriptors from physical memory directly: a stage whose output space is the physical one.
#[derive(Clone, Copy)]
pub struct PlainFetch<'a>(pub &'a Memory);

impl Fetch for PlainFetch<'_> {
    type Fault = Abort;

    #[inline(always)]
    fn fetch(&mut self, at: u64, _level: i8) -> Result<u64, Abort> {
        self.0.load_u64(PhysAddr::new(at))
    }
}

/// Why a walk found no leaf. The level is that of the descriptor that decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fault<F> {
    /// A descriptor could not be read.
    Fetch {
        /// Level of the descriptor.
        level: i8,
        /// Its address in the stage's output space.
        at: u64,
        /// Why.
        cause: F,
    },
    /// Invalid descriptor.
    Translation {
        /// Its level.
        level: i8,
    },
    /// A table or block address beyond the output size.
    AddressSize {
        /// Level of the descriptor; 0 for the address of the first table.
        level: i8,
    },
    /// Access flag clear.
    AccessFlag {
        /// Level of the descriptor.
        level: i8,
    },
}

/// Walks the tables of VMSAv8-64 for `input`, down to the leaf's descriptor; [`Found::leaf`]
/// decodes it. Both together are [`walk`]. Short descriptors are not walked this way: they give a
/// translation fault at level 0.
///
/// # Errors
/// The first fault in the architecture's order, except the access flag's.
#[inline(always)]
pub fn find<F: Fetch>(
    config: &Config,
    input: u64,
    fetch: &mut F,
) -> Result<Found, Fault<F::Fault>> {
    if let Format::Short { .. } = config.format {
        return Err(Fault::Translation { level: 0 });
    }
    match (config.granule, config.ds) {
        (Granule::K4, false) => find_granule::<12, false, F>(config, input, fetch),
        (Granule::K4, true) => find_granule::<12, true, F>(config, input, fetch),
        (Granule::K16, false) => find_granule::<14, false, F>(config, input, fetch),
        (Granule::K16, true) => find_granule::<14, true, F>(config, input, fetch),
        (Granule::K64, _) => find_granule::<16, false, F>(config, input, fetch),
    }
}

/// Walks the tables for `input`.
///
/// A `config` that no CD or STE can have gives a translation fault at its start level.
///
/// # Errors
/// The first fault in the architecture's order.
#[inline(always)]
pub fn walk<F: Fetch>(config: &Config, input: u64, fetch: &mut F) -> Result<Leaf, Fault<F::Fault>> {
    if let Format::Short { simplified } = config.format {
        return vmsav7s::walk::walk(config, simplified, input, fetch);
    }
    find(config, input, fetch)?.leaf(config)
}

/// Resumes a walk for `input` at a table that an earlier walk reached ([`Fetch::descend`]). A walk
/// of short descriptors reports no table, and starts again.
///
/// # Errors
/// As [`walk`].
#[inline(never)]
pub fn resume<F: Fetch>(
    config: &Config,
    input: u64,
    below: &Below,
    fetch: &mut F,
) -> Result<Leaf, Fault<F::Fault>> {
    if let Format::Short { simplified } = config.format {
        return vmsav7s::walk::walk(config, simplified, input, fetch);
    }
    match (config.granule, config.ds) {
        (Granule::K4, false) => resume_granule::<12, false, F>(config, input, below, fetch),
        (Granule::K4, true) => resume_granule::<12, true, F>(config, input, below, fetch),
        (Granule::K16, false) => resume_granule::<14, false, F>(config, input, below, fetch),
        (Granule::K16, true) => resume_granule::<14, true, F>(config, input, below, fetch),
        (Granule::K64, _) => resume_granule::<16, false, F>(config, input, below, fetch),
    }
}

#[inline(always)]
fn find_granule<const G: u32, const DS: bool, F: Fetch>(
    config: &Config,
    input: u64,
    fetch: &mut F,
) -> Result<Found, Fault<F::Fault>> {
    if !config.is_possible::<G>() {
        return Err(Fault::Translation { level: config.start_level.clamp(-1, LAST) });
    }
    let mut descent = Descent::<G, DS>::new(config, input);
    if config.root & descent.beyond_output != 0 {
        return Err(Fault::AddressSize { level: 0 });
    }
    // Concatenated tables make the index at the start level wider than at the others.
    let lg2 = config.start_lg2::<G>().unwrap_or(MAX_INPUT_BITS);
    descent.at = config.root + 8 * (descent.input >> lg2);
    descent.from(config.start_level, fetch)
}

fn resume_granule<const G: u32, const DS: bool, F: Fetch>(
    config: &Config,
    input: u64,
    below: &Below,
    fetch: &mut F,
) -> Result<Leaf, Fault<F::Fault>> {
    let mut descent = Descent::<G, DS>::new(config, input);
    let level = below.level.min(LAST_LEVEL);
    let index = Vmsav8::<G>::index(descent.input, Vmsav8::<G>::level_lg2(level));
    descent.at = below.table + 8 * index as u64;
    descent.limits = below.limits;
    descent.from(level as i8, fetch)?.leaf(config)
}

/// [`LAST_LEVEL`] among levels that may be negative.
const LAST: i8 = LAST_LEVEL as i8;

/// A walk in progress.
struct Descent<const G: u32, const DS: bool> {
    input: u64,
    form: Form,
    /// Address bits that no output has.
    beyond_output: u64,
    /// Where the next descriptor is.
    at: u64,
    /// The table descriptors passed, combined by `|`: each may only limit further.
    limits: u64,
}

/// The result of one level.
enum Step {
    /// A table: continue at the next level. Never at the last.
    Below,
    Leaf(Found),
}

impl<const G: u32, const DS: bool> Descent<G, DS> {
    #[inline(always)]
    fn new(config: &Config, input: u64) -> Self {
        let granule = Vmsav8::<G>::GRANULE;
        let output_bits = match DS {
            true => config.output_bits.min(MAX_INPUT_BITS),
            false => granule.expressible_output_bits(config.output_bits),
        };
        let inside = (1u64 << config.input_bits.min(63)) - 1;
        let beyond_output = u64::MAX << output_bits;
        let form = Form { output_bits: config.implemented_bits, ds: DS };
        Self { input: input & inside, form, beyond_output, at: 0, limits: 0 }
    }

    /// Walks down from this level. One copy of the step for each level, so that no level computes
    /// with its number.
    #[inline(always)]
    fn from<F: Fetch>(mut self, level: i8, fetch: &mut F) -> Result<Found, Fault<F::Fault>> {
        let found = 'found: {
            if DS
                && level == -1
                && let Step::Leaf(found) = self.step::<-1, F>(fetch)?
            {
                break 'found found;
            }
            if level <= 0
                && let Step::Leaf(found) = self.step::<0, F>(fetch)?
            {
                break 'found found;
            }
            if level <= 1
                && let Step::Leaf(found) = self.step::<1, F>(fetch)?
            {
                break 'found found;
            }
            if level <= 2
                && let Step::Leaf(found) = self.step::<2, F>(fetch)?
            {
                break 'found found;
            }
            match self.step::<LAST, F>(fetch)? {
                Step::Leaf(found) => found,
                Step::Below => return Err(Fault::Translation { level: LAST }),
            }
        };
        Ok(found)
    }

    /// Reads the descriptor of this level.
    #[inline(always)]
    fn step<const LEVEL: i8, F: Fetch>(&mut self, fetch: &mut F) -> Result<Step, Fault<F::Fault>> {
        let (level, at) = (LEVEL, self.at);
        let descriptor = match fetch.fetch(at, level) {
            Ok(descriptor) => descriptor,
            Err(cause) => return Err(Fault::Fetch { level, at, cause }),
        };
        match Vmsav8::<G>::decode_in(descriptor, level, self.form) {
            Entry::Invalid => Err(Fault::Translation { level }),
            Entry::Table(address) | Entry::Leaf(address) if address & self.beyond_output != 0 => {
                Err(Fault::AddressSize { level })
            }
            Entry::Table(table) => {
                let next = (level + 1) as u8;
                self.limits |= descriptor;
                let below = Below { level: next, table, limits: self.limits, descriptor };
                if let Err(cause) = fetch.descend(at, below) {
                    return Err(Fault::Fetch { level, at, cause });
                }
                let lg2 = Vmsav8::<G>::level_lg2(next);
                self.at = table + 8 * Vmsav8::<G>::index(self.input, lg2) as u64;
                Ok(Step::Below)
            }
            Entry::Leaf(output) => {
                let level = level as u8;
                let lg2 = Vmsav8::<G>::level_lg2(level);
                let limits = self.limits;
                Ok(Step::Leaf(Found { output, lg2, level, descriptor, at, limits }))
            }
        }
    }
}
