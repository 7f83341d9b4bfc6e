//! VMSAv8-32 short descriptors (ARMv7's own format, "v7s"): the encoding of tables, sections and
//! pages.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`mod@walk`] | what does hardware read out of the tables for one address? |
//! | [`mod@table`] | how does software map and unmap? |
//!
//! Positions are those of the Arm Architecture Reference Manual, ARMv7-A (DDI 0406, B3.5.1
//! "Short-descriptor translation table format descriptors"), which IHI 0062 (2.7.1) adopts for the
//! SMMU. Descriptors have 32 bits; the first table resolves input bits 31:20, the second 19:12. The
//! format exists for stage 1 only. Domains do not exist in an SMMU (IHI 0062 2.7.2).

use super::vmsav8::Entry;
use crate::Perms;
use crate::bits::Field;

pub mod table;
pub mod walk;

/// Level whose descriptors are tables, sections and supersections.
pub const FIRST_LEVEL: u8 = 1;
/// Level whose descriptors are pages.
pub const LAST_LEVEL: u8 = 2;

/// log2 of a section, which is what a descriptor of the first level covers.
pub const SECTION_LG2: u32 = 20;
/// log2 of a supersection: 16 equal descriptors.
pub const SUPERSECTION_LG2: u32 = 24;
/// log2 of a small page, which is what a descriptor of the second level covers.
pub const SMALL_PAGE_LG2: u32 = 12;
/// log2 of a large page: 16 equal descriptors.
pub const LARGE_PAGE_LG2: u32 = 16;

/// Bits of an input address.
pub const INPUT_BITS: u32 = 32;
/// log2 of the bytes of a first table that resolves all 12 bits.
pub const FIRST_TABLE_LG2: u32 = 14;
/// log2 of the bytes of a second table.
pub const SECOND_TABLE_LG2: u32 = 10;

crate::layout! {
    /// What all descriptors have in common (DDI 0406 B3.5.1).
    pub struct Descriptor {
        /// 0: translates nothing. First level: 1 table, 2 and 3 section. Second level: 1 large
        /// page, 2 and 3 small page.
        TYPE = bits(1, 0);
    }
}

crate::layout! {
    /// First-level descriptor of a table.
    pub struct TableEntry {
        /// Nothing below is privileged-executable.
        PXN = bit(2);
        /// Everything below is non-secure.
        NS = bit(3);
        /// Not used by an SMMU.
        DOMAIN = bits(8, 5);
        /// Address of the second table.
        TABLE = bits(31, 10);
    }
}

crate::layout! {
    /// First-level descriptor of a section.
    pub struct Section {
        /// Not privileged-executable.
        PXN = bit(0);
        /// Memory type.
        B = bit(2);
        /// Memory type.
        C = bit(3);
        /// Not executable.
        XN = bit(4);
        /// Not used by an SMMU.
        DOMAIN = bits(8, 5);
        /// AP\[1:0\].
        AP = bits(11, 10);
        /// Memory type.
        TEX = bits(14, 12);
        /// AP\[2\].
        AP2 = bit(15);
        /// Shareable.
        S = bit(16);
        /// Not global: belongs to one ASID.
        NG = bit(17);
        /// A supersection: its address is in [`Supersection`].
        SUPERSECTION = bit(18);
        /// Non-secure.
        NS = bit(19);
        /// Output address.
        OA = bits(31, 20);
    }
}

crate::layout! {
    /// Output address of a supersection; its other fields are those of [`Section`].
    pub struct Supersection {
        /// OA\[39:36\], in the place of the domain.
        OA_39_36 = bits(8, 5);
        /// OA\[35:32\].
        OA_35_32 = bits(23, 20);
        /// OA\[31:24\].
        OA = bits(31, 24);
    }
}

crate::layout! {
    /// Second-level descriptor of a small page.
    pub struct SmallPage {
        /// Not executable.
        XN = bit(0);
        /// Memory type.
        B = bit(2);
        /// Memory type.
        C = bit(3);
        /// AP\[1:0\].
        AP = bits(5, 4);
        /// Memory type.
        TEX = bits(8, 6);
        /// AP\[2\].
        AP2 = bit(9);
        /// Shareable.
        S = bit(10);
        /// Not global: belongs to one ASID.
        NG = bit(11);
        /// Output address.
        OA = bits(31, 12);
    }
}

crate::layout! {
    /// Second-level descriptor of a large page.
    pub struct LargePage {
        /// Memory type.
        B = bit(2);
        /// Memory type.
        C = bit(3);
        /// AP\[1:0\].
        AP = bits(5, 4);
        /// AP\[2\].
        AP2 = bit(9);
        /// Shareable.
        S = bit(10);
        /// Not global: belongs to one ASID.
        NG = bit(11);
        /// Memory type.
        TEX = bits(14, 12);
        /// Not executable.
        XN = bit(15);
        /// Output address.
        OA = bits(31, 16);
    }
}

crate::layout! {
    /// Where the parts of a supersection's address belong.
    struct WideAddress {
        BITS_35_32 = bits(35, 32);
        BITS_39_36 = bits(39, 36);
    }
}

/// The four kinds of leaf.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// 4 KiB.
    SmallPage,
    /// 64 KiB.
    LargePage,
    /// 1 MiB.
    Section,
    /// 16 MiB.
    Supersection,
}

impl Kind {
    /// All four, ascending.
    pub const ALL: [Self; 4] =
        [Self::SmallPage, Self::LargePage, Self::Section, Self::Supersection];

    /// The kind of leaf of a descriptor of `level` (1 or 2); `None` if it is no leaf.
    pub const fn of(descriptor: u32, level: u8) -> Option<Self> {
        let word = descriptor as u64;
        match (level, Descriptor::TYPE.get(word)) {
            (_, 0) | (FIRST_LEVEL, 1) => None,
            (FIRST_LEVEL, _) if Section::SUPERSECTION.is_set(word) => Some(Self::Supersection),
            (FIRST_LEVEL, _) => Some(Self::Section),
            (_, 1) => Some(Self::LargePage),
            (_, _) => Some(Self::SmallPage),
        }
    }

    /// log2 of the size in bytes.
    pub const fn lg2(self) -> u32 {
        match self {
            Self::SmallPage => SMALL_PAGE_LG2,
            Self::LargePage => LARGE_PAGE_LG2,
            Self::Section => SECTION_LG2,
            Self::Supersection => SUPERSECTION_LG2,
        }
    }

    /// The level of its descriptors.
    pub const fn level(self) -> u8 {
        match self {
            Self::SmallPage | Self::LargePage => LAST_LEVEL,
            Self::Section | Self::Supersection => FIRST_LEVEL,
        }
    }

    /// How many equal descriptors encode it.
    pub const fn copies(self) -> usize {
        match self {
            Self::SmallPage | Self::Section => 1,
            Self::LargePage | Self::Supersection => 16,
        }
    }

    /// The positions of its fields.
    const fn fields(self) -> LeafFields {
        match self {
            Self::SmallPage => LeafFields {
                ap: SmallPage::AP,
                ap2: SmallPage::AP2,
                tex: SmallPage::TEX,
                shareable: SmallPage::S,
                not_global: SmallPage::NG,
                xn: SmallPage::XN,
            },
            Self::LargePage => LeafFields {
                ap: LargePage::AP,
                ap2: LargePage::AP2,
                tex: LargePage::TEX,
                shareable: LargePage::S,
                not_global: LargePage::NG,
                xn: LargePage::XN,
            },
            Self::Section | Self::Supersection => LeafFields {
                ap: Section::AP,
                ap2: Section::AP2,
                tex: Section::TEX,
                shareable: Section::S,
                not_global: Section::NG,
                xn: Section::XN,
            },
        }
    }
}

/// Positions of the fields of a kind of leaf. C and B have the same positions in every kind.
struct LeafFields {
    ap: Field,
    ap2: Field,
    tex: Field,
    shareable: Field,
    not_global: Field,
    xn: Field,
}

/// The fields of a leaf other than its address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Attributes {
    /// AP\[2:0\], 3 bits.
    pub ap: u8,
    /// TEX\[2:0\], 3 bits.
    pub tex: u8,
    /// C.
    pub c: bool,
    /// B.
    pub b: bool,
    /// Shareable.
    pub shareable: bool,
    /// Not global: belongs to one ASID.
    pub not_global: bool,
    /// Not executable.
    pub xn: bool,
    /// Not privileged-executable: in sections only; pages have it in the table's descriptor.
    pub pxn: bool,
}

impl Attributes {
    /// Decodes a leaf of this kind.
    pub const fn of(descriptor: u32, kind: Kind) -> Self {
        let word = descriptor as u64;
        let at = kind.fields();
        let section = matches!(kind, Kind::Section | Kind::Supersection);
        Self {
            ap: (at.ap2.get(word) << at.ap.width() | at.ap.get(word)) as u8,
            tex: at.tex.get(word) as u8,
            c: Section::C.is_set(word),
            b: Section::B.is_set(word),
            shareable: at.shareable.is_set(word),
            not_global: at.not_global.is_set(word),
            xn: at.xn.is_set(word),
            pxn: section && Section::PXN.is_set(word),
        }
    }

    /// Encodes these attributes in a descriptor of this kind, its type included.
    pub const fn encode(self, kind: Kind) -> u32 {
        let at = kind.fields();
        let section = matches!(kind, Kind::Section | Kind::Supersection);
        let kind_bits = match kind {
            Kind::LargePage => Descriptor::TYPE.of(1),
            Kind::SmallPage | Kind::Section => Descriptor::TYPE.of(2),
            Kind::Supersection => Descriptor::TYPE.of(2) | Section::SUPERSECTION.of(1),
        };
        let ap = self.ap as u64;
        let word = kind_bits
            | at.ap.of(ap)
            | at.ap2.of(ap >> at.ap.width())
            | at.tex.of(self.tex as u64)
            | Section::C.flag(self.c)
            | Section::B.flag(self.b)
            | at.shareable.flag(self.shareable)
            | at.not_global.flag(self.not_global)
            | at.xn.flag(self.xn)
            | Section::PXN.flag(section && self.pxn);
        word as u32
    }

    /// AP\[0\], where it is the access flag (AFE).
    pub const fn accessed(self) -> bool {
        self.ap & 1 != 0
    }

    /// What unprivileged and privileged data accesses may do. `simplified`: AFE, AP\[0\] is no
    /// permission.
    // DDI 0406 B3.7.1: "Access permissions", both models. 0b100 is reserved and gives nothing.
    pub const fn data(self, simplified: bool) -> (Perms, Perms) {
        const NONE: Perms = Perms::empty();
        const RO: Perms = Perms::READ;
        const RW: Perms = Perms::READ.union(Perms::WRITE);
        let ap = if simplified { self.ap | 1 } else { self.ap };
        match ap & 7 {
            0b001 => (NONE, RW),
            0b010 => (RO, RW),
            0b011 => (RW, RW),
            0b101 => (NONE, RO),
            0b110 | 0b111 => (RO, RO),
            _ => (NONE, NONE),
        }
    }
}

/// The address of a supersection, assembled from its parts.
const fn supersection_address(word: u64) -> u64 {
    WideAddress::BITS_39_36.of(Supersection::OA_39_36.get(word))
        | WideAddress::BITS_35_32.of(Supersection::OA_35_32.get(word))
        | Supersection::OA.in_place(word)
}

/// Decodes a descriptor of `level` (1 or 2).
pub const fn decode(descriptor: u32, level: u8) -> Entry {
    let word = descriptor as u64;
    match Kind::of(descriptor, level) {
        Some(Kind::SmallPage) => Entry::Leaf(SmallPage::OA.in_place(word)),
        Some(Kind::LargePage) => Entry::Leaf(LargePage::OA.in_place(word)),
        Some(Kind::Section) => Entry::Leaf(Section::OA.in_place(word)),
        Some(Kind::Supersection) => Entry::Leaf(supersection_address(word)),
        None if Descriptor::TYPE.get(word) == 0 => Entry::Invalid,
        None => Entry::Table(TableEntry::TABLE.in_place(word)),
    }
}

/// The descriptor of a second table at `address`, a multiple of 1 KiB below 4 GiB; it limits
/// nothing.
pub const fn table(address: u64) -> u32 {
    (Descriptor::TYPE.of(1) | TableEntry::TABLE.in_place(address)) as u32
}

/// The descriptor of a leaf at `address`, which its kind's size divides.
pub const fn leaf(kind: Kind, address: u64, attributes: Attributes) -> u32 {
    let placed = match kind {
        Kind::SmallPage => SmallPage::OA.in_place(address),
        Kind::LargePage => LargePage::OA.in_place(address),
        Kind::Section => Section::OA.in_place(address),
        Kind::Supersection => {
            Supersection::OA_39_36.of(WideAddress::BITS_39_36.get(address))
                | Supersection::OA_35_32.of(WideAddress::BITS_35_32.get(address))
                | Supersection::OA.in_place(address)
        }
    };
    attributes.encode(kind) | placed as u32
}
