//! A translation in three words, as a slot of a TLB of limited size holds it.
//!
//! A lookup compares the name and reads a few bits; in this form the thousands of entries of a TLB
//! stay in the host's caches. The form omits only the intermediate address, and only where it is
//! neither the input nor the output.

use super::{Granule, Perms, Translation};
use crate::attributes::{Attributes, Shareability};
use crate::regime::LeafAttributes;
use passim_model::access::{Access, Privilege};

passim_model::layout! {
    /// A translation without its addresses.
    struct Details {
        /// What both stages together permit without privilege.
        GRANTED_UNPRIVILEGED = bits(2, 0);
        /// The same with privilege.
        GRANTED_PRIVILEGED = bits(5, 3);
        /// [`Translation::stage1`], without privilege.
        STAGE1_UNPRIVILEGED = bits(8, 6);
        /// The same with privilege.
        STAGE1_PRIVILEGED = bits(11, 9);
        /// [`Translation::stage2`], without privilege.
        STAGE2_UNPRIVILEGED = bits(14, 12);
        /// The same with privilege.
        STAGE2_PRIVILEGED = bits(17, 15);
        /// [`Translation::leaf_lg2`].
        LEAF_LG2 = bits(23, 18);
        /// [`Translation::level`].
        LEVEL = bits(26, 24);
        /// [`Translation::granule`]: its index in [`Granule::ALL`].
        GRANULE = bits(28, 27);
        /// [`Translation::clean`].
        CLEAN = bit(29);
        /// Where [`Translation::intermediate`] is: one of [`Between`].
        BETWEEN = bits(31, 30);
        /// Shareability of [`Translation::attributes`]: see [`shareability`].
        SHAREABILITY = bits(33, 32);
        /// Memory type of [`Translation::attributes`].
        MEMORY = bits(41, 34);
        /// [`LeafAttributes::mem_attr`].
        LEAF_MEM_ATTR = bits(49, 42);
        /// [`LeafAttributes::shareability`]: see [`shareability`].
        LEAF_SHAREABILITY = bits(51, 50);
        /// [`LeafAttributes::level`].
        LEAF_LEVEL = bits(54, 52);
        /// [`LeafAttributes::hints`].
        LEAF_HINTS = bits(58, 55);
    }
}

/// Decodes a shareability.
#[inline(always)]
const fn shareability(place: u64) -> Shareability {
    match place {
        0 => Shareability::Non,
        1 => Shareability::Inner,
        _ => Shareability::Outer,
    }
}

/// The bits of a name that hold log2 of the page's size; no page is so small that its address needs
/// them.
const SIZE: u64 = 0x3f;

/// Where the intermediate address is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Between {
    /// It is the output: there is no stage 2.
    Output,
    /// It is the input: there is no stage 1, or it changes nothing.
    Input,
    /// Neither: it is stored elsewhere.
    Elsewhere,
}

/// A translation in three words. See the [module](self).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Packed {
    name: u64,
    output: u64,
    details: u64,
}

impl Packed {
    /// An empty entry: no page has its name.
    pub(crate) const NONE: Self = Self { name: 0, output: 0, details: 0 };

    /// The name of the page of `1 << lg2` bytes that holds `input`.
    #[inline(always)]
    pub(crate) const fn name_of(input: u64, lg2: u32) -> u64 {
        input >> lg2 << lg2 | lg2 as u64
    }

    pub(crate) fn of(translation: &Translation) -> Self {
        let &Translation { input, output, intermediate, attributes, leaf, .. } = translation;
        let between = match intermediate {
            at if at == output => Between::Output,
            at if at == input => Between::Input,
            _ => Between::Elsewhere,
        };
        let [first, second] = [translation.stage1, translation.stage2];
        let bits = |perms: Perms| u64::from(perms.bits());
        let details = Details::GRANTED_UNPRIVILEGED.of(bits(first[0] & second[0]))
            | Details::GRANTED_PRIVILEGED.of(bits(first[1] & second[1]))
            | Details::STAGE1_UNPRIVILEGED.of(bits(first[0]))
            | Details::STAGE1_PRIVILEGED.of(bits(first[1]))
            | Details::STAGE2_UNPRIVILEGED.of(bits(second[0]))
            | Details::STAGE2_PRIVILEGED.of(bits(second[1]))
            | Details::LEAF_LG2.of(translation.leaf_lg2.into())
            | Details::LEVEL.of(translation.level.into())
            | Details::GRANULE.of(translation.granule as u64)
            | Details::CLEAN.flag(translation.clean)
            | Details::BETWEEN.of(between as u64)
            | Details::SHAREABILITY.of(attributes.shareability as u64)
            | Details::MEMORY.of(attributes.memory.into())
            | Details::LEAF_MEM_ATTR.of(leaf.mem_attr.into())
            | Details::LEAF_SHAREABILITY.of(leaf.shareability as u64)
            | Details::LEAF_LEVEL.of(leaf.level.into())
            | Details::LEAF_HINTS.of(leaf.hints.into());
        Self { name: Self::name_of(input, translation.lg2.into()), output, details }
    }

    /// The same translation for another page of the same size. Its intermediate address must be its
    /// input or output.
    #[inline(always)]
    pub(crate) const fn at(self, name: u64, output: u64) -> Self {
        Self { name, output, ..self }
    }

    /// A page with this name and output, and the [`Self::details`] of another page.
    #[inline(always)]
    pub(crate) const fn with(name: u64, output: u64, details: u64) -> Self {
        Self { name, output, details }
    }

    /// The translation without its addresses.
    #[inline(always)]
    pub(crate) const fn details(self) -> u64 {
        self.details
    }

    /// Unpacks the translation; `elsewhere` is the intermediate address, where that is neither
    /// input nor output.
    #[inline]
    pub(super) fn translation(self, elsewhere: u64) -> Translation {
        let Self { output, details, .. } = self;
        let perms =
            |field: passim_model::bits::Field| Perms::from_bits_truncate(field.get(details) as u8);
        let intermediate = match self.between() {
            Between::Output => output,
            Between::Input => self.input(),
            Between::Elsewhere => elsewhere,
        };
        Translation {
            input: self.input(),
            output,
            intermediate,
            lg2: self.lg2() as u8,
            leaf_lg2: self.leaf_lg2() as u8,
            level: self.level(),
            granule: self.granule(),
            stage1: [perms(Details::STAGE1_UNPRIVILEGED), perms(Details::STAGE1_PRIVILEGED)],
            stage2: [perms(Details::STAGE2_UNPRIVILEGED), perms(Details::STAGE2_PRIVILEGED)],
            clean: Details::CLEAN.is_set(details),
            attributes: self.attributes(),
            leaf: LeafAttributes {
                mem_attr: Details::LEAF_MEM_ATTR.get(details) as u8,
                shareability: shareability(Details::LEAF_SHAREABILITY.get(details)),
                hints: Details::LEAF_HINTS.get(details) as u8,
                level: Details::LEAF_LEVEL.get(details) as u8,
            },
        }
    }

    /// Whether this page has that name.
    #[inline(always)]
    pub(super) const fn is_named(self, name: u64) -> bool {
        self.name == name
    }

    /// Whether another page has the same name.
    pub(super) const fn shares_name(self, other: Self) -> bool {
        self.name == other.name
    }

    /// First input address.
    #[inline(always)]
    pub(super) const fn input(self) -> u64 {
        self.name & !SIZE
    }

    /// log2 of the page's size.
    #[inline(always)]
    pub(crate) const fn lg2(self) -> u32 {
        (self.name & SIZE) as u32
    }

    /// Translates an address in the page.
    #[inline(always)]
    pub(crate) const fn translate(self, input: u64) -> u64 {
        self.output | input & ((1 << self.lg2()) - 1)
    }

    /// The permissions of both stages combined for this privilege; without write for a page that a
    /// write must mark dirty ([`Translation::clean`]).
    #[inline(always)]
    pub(crate) fn granted(self, privilege: Privilege) -> Perms {
        let field = match privilege {
            Privilege::Unprivileged => Details::GRANTED_UNPRIVILEGED,
            Privilege::Privileged => Details::GRANTED_PRIVILEGED,
        };
        Perms::from_bits_truncate(field.get(self.details) as u8)
    }

    /// Whether an access is permitted: [`Self::granted`] has what it needs.
    #[inline(always)]
    pub(crate) fn permits(self, access: Access) -> bool {
        let field = match access.privilege {
            Privilege::Unprivileged => Details::GRANTED_UNPRIVILEGED,
            Privilege::Privileged => Details::GRANTED_PRIVILEGED,
        };
        // `needs` returns a single bit.
        let needed = u32::from(access.needs().bits()).trailing_zeros();
        self.details >> (field.low() + needed) & 1 != 0
    }

    /// Memory attributes.
    #[inline(always)]
    pub(crate) fn attributes(self) -> Attributes {
        Attributes {
            memory: Details::MEMORY.get(self.details) as u8,
            shareability: shareability(Details::SHAREABILITY.get(self.details)),
        }
    }

    #[inline]
    pub(super) const fn leaf_lg2(self) -> u32 {
        Details::LEAF_LG2.get(self.details) as u32
    }

    #[inline]
    pub(super) const fn level(self) -> u8 {
        Details::LEVEL.get(self.details) as u8
    }

    #[inline]
    pub(super) const fn granule(self) -> Granule {
        match Details::GRANULE.get(self.details) {
            0 => Granule::K4,
            1 => Granule::K16,
            _ => Granule::K64,
        }
    }

    #[inline]
    pub(super) const fn between(self) -> Between {
        match Details::BETWEEN.get(self.details) {
            0 => Between::Output,
            1 => Between::Input,
            _ => Between::Elsewhere,
        }
    }
}
