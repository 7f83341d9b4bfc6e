//! The shape of a set of tables: levels, sizes, and Linux's choice among the possible ones.

use crate::pgtable::vmsav8::{Granule, LAST_LEVEL, MAX_CONCATENATED_LG2, Stage};
use crate::pgtable::walk::Config;
use crate::{PageSize, PageSizes};

/// The shape of a set of tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Geometry {
    /// Stage 1 or 2.
    pub stage: Stage,
    /// Translation granule.
    pub granule: Granule,
    /// Input address bits: 64 - TxSZ.
    pub input_bits: u32,
    /// Output address bits: IPS or PS, in bits.
    pub output_bits: u32,
    /// First level looked up, 0 to 3.
    pub start_level: u8,
    /// log2 of the number of tables side by side at the start level: 0 to 4, 0 at stage 1.
    pub concatenated_lg2: u32,
}

/// When Linux starts stage 2 one level lower than necessary, with several tables side by side.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Concatenation {
    /// Wherever that saves level 0, and takes no more tables than there may be.
    WherePossible,
    /// Where the architecture has no other start level.
    WhereNeeded,
}

impl Geometry {
    /// The shape Linux gives tables of `input_bits` and `output_bits` (its `ias` and `oas`), with
    /// concatenation where it is needed.
    ///
    /// `None` as of [`Self::of_linux`].
    pub const fn linux(
        stage: Stage,
        granule: Granule,
        input_bits: u32,
        output_bits: u32,
    ) -> Option<Self> {
        let rule = Concatenation::WhereNeeded;
        Self::of_linux(stage, granule, input_bits, output_bits, rule)
    }

    /// The shape Linux gives tables of `input_bits` and `output_bits` (its `ias` and `oas`).
    ///
    /// `None` where there is no such shape: more than 52 bits of either (48 except for the 64K
    /// granule), an input no larger than a page, or more tables to concatenate than stage 2 allows.
    pub const fn of_linux(
        stage: Stage,
        granule: Granule,
        input_bits: u32,
        output_bits: u32,
        rule: Concatenation,
    ) -> Option<Self> {
        let widest = granule.expressible_output_bits(u32::MAX);
        if input_bits > widest || output_bits > widest || input_bits <= granule.lg2() {
            return None;
        }
        let mut start_level = Config::start_level_for(granule, input_bits);
        let mut concatenated_lg2 = 0;
        let concatenates = match rule {
            Concatenation::WherePossible => can_concatenate(granule, start_level, input_bits),
            Concatenation::WhereNeeded => {
                must_concatenate(granule, start_level, input_bits, output_bits)
            }
        };
        if matches!(stage, Stage::Two) && concatenates {
            concatenated_lg2 = input_bits - granule.level_lg2(start_level);
            start_level += 1;
        }
        if concatenated_lg2 > MAX_CONCATENATED_LG2 {
            return None;
        }
        Some(Self { stage, granule, input_bits, output_bits, start_level, concatenated_lg2 })
    }

    /// The sizes a leaf can have, without the contiguous hint.
    pub const fn page_sizes(&self) -> PageSizes {
        let mut bits = 0;
        let mut level = self.granule.first_block_level(self.output_bits);
        while level <= LAST_LEVEL {
            bits |= 1 << self.granule.level_lg2(level);
            level += 1;
        }
        PageSizes::from_bits(bits)
    }

    /// Descriptors in the first table, all concatenated ones counted.
    pub const fn root_entries(&self) -> u64 {
        let lg2 = self.granule.level_lg2(self.start_level);
        1 << self.input_bits.saturating_sub(lg2)
    }

    /// Last input address, inclusive.
    pub const fn last_input(&self) -> u64 {
        (1 << self.input_bits) - 1
    }

    /// Last input address that indices into the tables distinguish: at least [`Self::last_input`],
    /// and more where the first table does not fill its page.
    pub const fn last_indexed(&self) -> u64 {
        let lg2 = self.granule.level_lg2(self.start_level);
        (1 << (lg2 + self.granule.index_bits() + self.concatenated_lg2)) - 1
    }

    /// Bytes set aside for the first table: whole pages, all concatenated ones.
    pub(super) const fn root_size(&self) -> PageSize {
        match PageSize::from_lg2(self.granule.lg2() + self.concatenated_lg2) {
            Some(size) => size,
            None => panic!("a granule and 16 tables make at most 1M"),
        }
    }

    /// Whether the first table can resolve the input bits that the levels below leave.
    pub(super) const fn is_consistent(&self) -> bool {
        if self.start_level > LAST_LEVEL || self.concatenated_lg2 > MAX_CONCATENATED_LG2 {
            return false;
        }
        let lg2 = self.granule.level_lg2(self.start_level);
        let widest = lg2 + self.granule.index_bits() + self.concatenated_lg2;
        self.input_bits > self.granule.lg2()
            && self.input_bits <= widest
            && self.input_bits <= 52
            && self.output_bits <= 52
    }
}

/// Whether stage 2 can do without level 0, with several tables side by side.
const fn can_concatenate(granule: Granule, start_level: u8, input_bits: u32) -> bool {
    start_level == 0 && input_bits - granule.level_lg2(0) <= MAX_CONCATENATED_LG2
}

/// Whether stage 2 has to start one level lower, with several tables side by side.
// DDI 0487 D8.2: with 4K tables inputs of 40 and 42 bits, with 16K tables those of 40 and 48 bits
// have no other start level. Linux concatenates in these cases only.
const fn must_concatenate(
    granule: Granule,
    start_level: u8,
    input_bits: u32,
    output_bits: u32,
) -> bool {
    match (granule, start_level) {
        (Granule::K4, 0) => output_bits == 40 || output_bits == 42,
        (Granule::K16, 0) => input_bits == 48 || output_bits == 48,
        (Granule::K16, 1) => output_bits == 40,
        _ => false,
    }
}
