//! VMSAv8-64 descriptors: the encoding of tables, blocks and pages.
//!
//! Positions are those of the Arm Architecture Reference Manual (DDI 0487, D8.3 "Translation table
//! descriptor formats"), which IHI 0070 (3.4, 13.1) adopts for the SMMU. This room holds the format
//! of both stages and of the three granules and nothing else: it neither reads memory nor decides
//! what to map.
//!
//! The granule is a constant of the type [`Vmsav8`], so that the loops of [`walk`](super::walk)
//! and [`table`](super::table) are compiled once for each; [`Granule`] is the same as a value.
//! Addresses of 52 bits exist for the 64K granule (FEAT_LPA), and for the other two where DS is set
//! (FEAT_LPA2): see [`Form`]. Software writes tables without DS.

use crate::PageSize;

/// The last level: its leaves are pages.
pub const LAST_LEVEL: u8 = 3;

/// log2 of how many tables may lie side by side at the start level of stage 2.
// DDI 0487 D8.2: stage 2 may concatenate up to 16 tables at its initial lookup level.
pub const MAX_CONCATENATED_LG2: u32 = 4;

/// Widest output address without FEAT_LPA, in bits.
const PLAIN_OUTPUT_BITS: u32 = 48;

crate::layout! {
    /// What all descriptors have in common (DDI 0487 D8.3).
    pub struct Descriptor {
        /// Clear: the descriptor translates nothing, whatever its other bits.
        VALID = bit(0);
        /// Table rather than block; at the last level a page must have it set.
        TABLE_OR_PAGE = bit(1);
    }
}

crate::layout! {
    /// Output address of the 4K granule.
    pub struct Address4K {
        /// OA\[47:12\].
        OA = bits(47, 12);
    }
}

crate::layout! {
    /// Output address of the 16K granule.
    pub struct Address16K {
        /// OA\[47:14\].
        OA = bits(47, 14);
    }
}

crate::layout! {
    /// Output address of the 64K granule.
    pub struct Address64K {
        /// OA\[51:48\], where outputs are wider than 48 bits (FEAT_LPA).
        OA_51_48 = bits(15, 12);
        /// OA\[47:16\].
        OA = bits(47, 16);
    }
}

crate::layout! {
    /// Output address of the 4K granule where DS is set (FEAT_LPA2).
    pub struct WideAddress4K {
        /// OA\[51:50\], in the place of SH.
        OA_51_50 = bits(9, 8);
        /// OA\[49:12\].
        OA = bits(49, 12);
    }
}

crate::layout! {
    /// Output address of the 16K granule where DS is set (FEAT_LPA2).
    pub struct WideAddress16K {
        /// OA\[51:50\], in the place of SH.
        OA_51_50 = bits(9, 8);
        /// OA\[49:14\].
        OA = bits(49, 14);
    }
}

crate::layout! {
    /// Where OA\[51:48\] belongs in an address.
    struct WideAddress {
        /// Bits 51:48.
        BITS_51_48 = bits(51, 48);
    }
}

crate::layout! {
    /// Where OA\[51:50\] belongs in an address.
    struct WidestAddress {
        /// Bits 51:50.
        BITS_51_50 = bits(51, 50);
    }
}

/// What the shape of a descriptor depends on besides the granule.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Form {
    /// Output address bits that are implemented, up to 52. DDI 0487 D8.3: IPS bounds what a
    /// descriptor of the 64K granule may hold; whether it has room for 52 bits, and whether blocks
    /// of 4T exist, is the implementation's.
    pub output_bits: u32,
    /// DS: descriptors of the 4K and 16K granules hold addresses of 52 bits, and no shareability.
    pub ds: bool,
}

impl Form {
    /// Without DS.
    pub const fn plain(output_bits: u32) -> Self {
        Self { output_bits, ds: false }
    }
}

crate::layout! {
    /// Limits a stage 1 table descriptor puts on everything below it (DDI 0487 D8.3, D8.4).
    pub struct TableLimits {
        /// Nothing below is privileged-executable.
        PXN_TABLE = bit(59);
        /// Nothing below is unprivileged-executable (executable, where there is one privilege).
        XN_TABLE = bit(60);
        /// APTable\[0\]: nothing below is accessible to unprivileged accesses.
        AP_TABLE_NO_UNPRIVILEGED = bit(61);
        /// APTable\[1\]: nothing below is writable.
        AP_TABLE_READ_ONLY = bit(62);
        /// Everything below is non-secure.
        NS_TABLE = bit(63);
    }
}

crate::layout! {
    /// Attributes of a stage 1 block or page (DDI 0487 D8.3).
    pub struct Stage1Leaf {
        /// Index of the memory type in the MAIR.
        ATTR_INDX = bits(4, 2);
        /// Non-secure.
        NS = bit(5);
        /// AP\[1\]: accessible to unprivileged accesses.
        AP_UNPRIVILEGED = bit(6);
        /// AP\[2\]: read-only.
        AP_READ_ONLY = bit(7);
        /// Shareability.
        SH = bits(9, 8);
        /// Access flag.
        AF = bit(10);
        /// Not global: belongs to one ASID.
        NG = bit(11);
        /// nT of a block: it replaces entries of another size, and must not conflict with them.
        NT = bit(16);
        /// Dirty bit modifier.
        DBM = bit(51);
        /// Part of a contiguous run.
        CONTIGUOUS = bit(52);
        /// Not privileged-executable.
        PXN = bit(53);
        /// Not unprivileged-executable (not executable, where there is one privilege).
        XN = bit(54);
        /// Left to software.
        SOFTWARE = bits(58, 55);
    }
}

crate::layout! {
    /// Attributes of a stage 2 block or page (DDI 0487 D8.3).
    pub struct Stage2Leaf {
        /// Memory type, encoded directly.
        MEM_ATTR = bits(5, 2);
        /// S2AP\[0\]: readable.
        S2AP_READ = bit(6);
        /// S2AP\[1\]: writable.
        S2AP_WRITE = bit(7);
        /// Shareability.
        SH = bits(9, 8);
        /// Access flag.
        AF = bit(10);
        /// nT of a block, as at stage 1.
        NT = bit(16);
        /// Dirty bit modifier.
        DBM = bit(51);
        /// Part of a contiguous run.
        CONTIGUOUS = bit(52);
        /// Execute-never, by privilege.
        XN = bits(54, 53);
        /// Left to software.
        SOFTWARE = bits(58, 55);
    }
}

/// Which of the two stages a set of tables belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Stage 1: input IOVA, output IPA.
    One,
    /// Stage 2: input IPA (or IOVA), output physical address.
    Two,
}

/// Translation granule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Granule {
    /// 4 KiB.
    K4,
    /// 16 KiB.
    K16,
    /// 64 KiB.
    K64,
}

impl Granule {
    /// All three, ascending.
    pub const ALL: [Self; 3] = [Self::K4, Self::K16, Self::K64];

    /// The granule as a page size.
    pub const fn page(self) -> PageSize {
        match self {
            Self::K4 => PageSize::K4,
            Self::K16 => PageSize::K16,
            Self::K64 => PageSize::K64,
        }
    }

    /// log2 of the granule in bytes.
    pub const fn lg2(self) -> u32 {
        self.page().lg2()
    }

    /// Address bits that one level resolves: log2 of the descriptors in a table.
    pub const fn index_bits(self) -> u32 {
        self.lg2() - 3
    }

    /// log2 of the bytes one descriptor of `level` covers. Levels beyond the last count as the
    /// last.
    pub const fn level_lg2(self, level: u8) -> u32 {
        let above = LAST_LEVEL.saturating_sub(level);
        self.lg2() + above as u32 * self.index_bits()
    }

    /// log2 of how many descriptors in a row a contiguous hint at `level` covers; 0 where the level
    /// has no such runs.
    // DDI 0487 D8.6: 16 descriptors (4K); 128 at level 3, 32 at level 2 (16K); 32 (64K). Level 0
    // of 4K and level 1 of 16K, which exist with DS, have no runs.
    pub const fn contiguous_lg2(self, level: u8) -> u32 {
        match (self, level) {
            (Self::K4, 1..=3) => 4,
            (Self::K16, 3) => 7,
            (Self::K16, 2) => 5,
            (Self::K64, 1..=3) => 5,
            _ => 0,
        }
    }

    /// First level whose descriptors may be blocks, where outputs have `output_bits` bits.
    // DDI 0487 D8.3: blocks exist at levels 1 and 2 (4K) or 2 (16K, 64K); with 52-bit outputs
    // the 64K granule has them at level 1 too.
    pub const fn first_block_level(self, output_bits: u32) -> u8 {
        match self {
            Self::K4 => 1,
            Self::K16 => 2,
            Self::K64 if output_bits > PLAIN_OUTPUT_BITS => 1,
            Self::K64 => 2,
        }
    }

    /// As [`Self::first_block_level`]; DS adds blocks of 512G (4K) and 64G (16K).
    // DDI 0487 D8.3, FEAT_LPA2.
    pub const fn first_block_level_of(self, form: Form) -> u8 {
        match self {
            Self::K4 if form.ds => 0,
            Self::K16 if form.ds => 1,
            _ => self.first_block_level(form.output_bits),
        }
    }

    /// Output address bits a descriptor can express, at most `output_bits`.
    pub const fn expressible_output_bits(self, output_bits: u32) -> u32 {
        let limit = match self {
            Self::K4 | Self::K16 => PLAIN_OUTPUT_BITS,
            Self::K64 => 52,
        };
        if output_bits < limit { output_bits } else { limit }
    }

    /// Decodes a descriptor of `level`, where outputs have `output_bits` bits.
    pub const fn decode(self, descriptor: u64, level: u8, output_bits: u32) -> Entry {
        match self {
            Self::K4 => Vmsav8::<12>::decode(descriptor, level, output_bits),
            Self::K16 => Vmsav8::<14>::decode(descriptor, level, output_bits),
            Self::K64 => Vmsav8::<16>::decode(descriptor, level, output_bits),
        }
    }
}

/// A decoded descriptor, at the level it was read from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Entry {
    /// Translates nothing.
    Invalid,
    /// Leads to the table at this address (stage's output space).
    Table(u64),
    /// Translates to the block or page that starts at this address (stage's output space).
    Leaf(u64),
}

/// The format with a granule of `1 << G` bytes, `G` being 12, 14 or 16.
#[derive(Clone, Copy, Debug)]
pub struct Vmsav8<const G: u32>;

impl<const G: u32> Vmsav8<G> {
    /// The granule as a value.
    pub const GRANULE: Granule = match G {
        12 => Granule::K4,
        14 => Granule::K16,
        16 => Granule::K64,
        _ => panic!("the granules are 4K, 16K and 64K"),
    };
    /// Address bits that one level resolves.
    pub const INDEX_BITS: u32 = Self::GRANULE.index_bits();
    /// Descriptors in a table.
    pub const ENTRIES: usize = 1 << Self::INDEX_BITS;

    /// log2 of the bytes one descriptor of `level` covers. Levels beyond the last count as the
    /// last.
    #[inline]
    pub const fn level_lg2(level: u8) -> u32 {
        Self::GRANULE.level_lg2(level)
    }

    /// The level whose descriptors cover `1 << lg2` bytes; `lg2` is at least `G`.
    #[inline]
    pub const fn level_of(lg2: u32) -> u8 {
        LAST_LEVEL - ((lg2 - G) / Self::INDEX_BITS) as u8
    }

    /// Which descriptor of its table translates `input` at the level whose descriptors cover
    /// `1 << lg2` bytes.
    #[inline]
    pub const fn index(input: u64, lg2: u32) -> usize {
        (input >> lg2) as usize & (Self::ENTRIES - 1)
    }

    /// The address a descriptor holds, down to the granule.
    #[inline]
    pub const fn address(descriptor: u64, output_bits: u32) -> u64 {
        Self::address_in(descriptor, Form::plain(output_bits))
    }

    /// As [`Self::address`], whatever the form.
    #[inline]
    pub const fn address_in(descriptor: u64, form: Form) -> u64 {
        let Form { output_bits, ds } = form;
        match Self::GRANULE {
            Granule::K4 if ds => {
                let high = WideAddress4K::OA_51_50.get(descriptor);
                WidestAddress::BITS_51_50.of(high) | WideAddress4K::OA.in_place(descriptor)
            }
            Granule::K16 if ds => {
                let high = WideAddress16K::OA_51_50.get(descriptor);
                WidestAddress::BITS_51_50.of(high) | WideAddress16K::OA.in_place(descriptor)
            }
            Granule::K4 => Address4K::OA.in_place(descriptor),
            Granule::K16 => Address16K::OA.in_place(descriptor),
            // DDI 0487 D8.3: bits [15:12] hold OA[51:48] only where 52 bits are implemented;
            // otherwise they are RES0 and ignored.
            Granule::K64 if output_bits > PLAIN_OUTPUT_BITS => {
                let high = Address64K::OA_51_48.get(descriptor);
                WideAddress::BITS_51_48.of(high) | Address64K::OA.in_place(descriptor)
            }
            Granule::K64 => Address64K::OA.in_place(descriptor),
        }
    }

    /// A word that holds `address` where [`Self::address`] finds it.
    #[inline]
    pub const fn place(address: u64) -> u64 {
        match Self::GRANULE {
            Granule::K4 => Address4K::OA.in_place(address),
            Granule::K16 => Address16K::OA.in_place(address),
            Granule::K64 => {
                let high = WideAddress::BITS_51_48.get(address);
                Address64K::OA_51_48.of(high) | Address64K::OA.in_place(address)
            }
        }
    }

    /// Decodes a descriptor of `level`.
    #[inline]
    pub const fn decode(descriptor: u64, level: u8, output_bits: u32) -> Entry {
        Self::decode_in(descriptor, level as i8, Form::plain(output_bits))
    }

    /// As [`Self::decode`], whatever the form; level -1 exists with DS and the 4K granule.
    #[inline]
    pub const fn decode_in(descriptor: u64, level: i8, form: Form) -> Entry {
        if !Descriptor::VALID.is_set(descriptor) {
            return Entry::Invalid;
        }
        let address = Self::address_in(descriptor, form);
        let last = LAST_LEVEL as i8;
        if Descriptor::TABLE_OR_PAGE.is_set(descriptor) {
            if level >= last { Entry::Leaf(address) } else { Entry::Table(address) }
        } else if level < last && level >= Self::GRANULE.first_block_level_of(form) as i8 {
            let lg2 = Self::level_lg2(level as u8);
            Entry::Leaf(address >> lg2 << lg2)
        } else {
            // DDI 0487 D8.3: what would be a block at a level without blocks, the last among
            // them, is reserved and translates nothing.
            Entry::Invalid
        }
    }

    /// The descriptor of a table at `address` (stage's output space), which limits nothing.
    #[inline]
    pub const fn table(address: u64) -> u64 {
        Descriptor::VALID.of(1) | Descriptor::TABLE_OR_PAGE.of(1) | Self::place(address)
    }

    /// The bits that make a descriptor of `level` a leaf.
    #[inline]
    pub const fn leaf_type(level: u8) -> u64 {
        Descriptor::VALID.of(1) | Descriptor::TABLE_OR_PAGE.flag(level >= LAST_LEVEL)
    }
}
