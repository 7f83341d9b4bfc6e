//! Memory types of short descriptors: TEX, C and B, remapped or encoded directly.
//!
//! DDI 0406 B3.8.2 and B3.8.3; IHI 0062 16.5.13 and 16.5.27 for the SMMU's PRRR and NMRR.

use super::{Attributes, Cacheability, Shareability, nibble};
use passim_model::bits::{Field, bit, bits};
use passim_model::layout;
use passim_model::pgtable::vmsav7s;

layout! {
    /// SMMU_CBn_PRRR without its indexed fields, 16.5.27.
    struct Prrr {
        /// What S = 0 means for Device memory.
        DS0 = bit(16);
        /// What S = 1 means for Device memory.
        DS1 = bit(17);
        /// What S = 0 means for Normal memory.
        NS0 = bit(18);
        /// What S = 1 means for Normal memory.
        NS1 = bit(19);
    }
}

/// PRRR.TR, NMRR.IR: the field of type 0. The fields of the other types follow in order.
const FIRST: Field = bits(1, 0);
/// NMRR.OR: the field of type 0.
const FIRST_OUTER: Field = bits(17, 16);
/// PRRR.NOS: the bit of type 0.
const FIRST_NOS: Field = bit(24);

/// Memory type of a strongly-ordered access, as a MAIR byte.
const STRONGLY_ORDERED: u8 = 0x00;
/// Memory type of a Device access.
const DEVICE: u8 = 0x04;

/// Decodes a two-bit cacheability of NMRR, of TEX, or of C with B: none, write-back with
/// allocation, write-through, write-back without.
const fn half(code: u64) -> u8 {
    match code & 3 {
        0 => nibble(Cacheability::NonCacheable),
        1 => nibble(Cacheability::WriteBack),
        // Without write-allocation: R of the nibble stays, W does not.
        2 => nibble(Cacheability::WriteThrough) & !1,
        _ => nibble(Cacheability::WriteBack) & !1,
    }
}

const fn normal(outer: u64, inner: u64) -> u8 {
    half(outer) << 4 | half(inner)
}

const fn shared(shareable: bool, inner: bool) -> Shareability {
    match (shareable, inner) {
        (false, _) => Shareability::Non,
        (true, true) => Shareability::Inner,
        (true, false) => Shareability::Outer,
    }
}

/// C and B as two bits.
const fn cb(leaf: &vmsav7s::Attributes) -> u64 {
    (leaf.c as u64) << 1 | leaf.b as u64
}

impl Attributes {
    /// The attributes of a leaf with TEX remap.
    pub(crate) fn remapped(leaf: &vmsav7s::Attributes, primary: u32, secondary: u32) -> Self {
        let (primary, secondary) = (u64::from(primary), u64::from(secondary));
        let index = u64::from(leaf.tex & 1) << 2 | cb(leaf);
        let nos = FIRST_NOS.is_set(primary >> index);
        let pair = 2 * index;
        let (memory, zero, one) = match FIRST.get(primary >> pair) {
            0 => return Self { memory: STRONGLY_ORDERED, shareability: Shareability::Outer },
            1 => (DEVICE, Prrr::DS0, Prrr::DS1),
            // 3 is reserved and taken as Normal memory.
            _ => {
                let (outer, inner) =
                    (FIRST_OUTER.get(secondary >> pair), FIRST.get(secondary >> pair));
                (normal(outer, inner), Prrr::NS0, Prrr::NS1)
            }
        };
        let shareable = if leaf.shareable { one } else { zero }.is_set(primary);
        Self { memory, shareability: shared(shareable, nos) }.consistent()
    }

    /// The attributes of a leaf without TEX remap.
    pub(crate) fn spelled(leaf: &vmsav7s::Attributes) -> Self {
        let memory = match (leaf.tex, cb(leaf)) {
            (0, 0) => STRONGLY_ORDERED,
            (0, 1) | (2, 0) => DEVICE,
            (0, 2) => normal(2, 2),
            (0, _) => normal(3, 3),
            (1, 0) => normal(0, 0),
            (1, 3) => normal(1, 1),
            // TEX[2]: outer in TEX[1:0], inner in C and B.
            (tex @ 4.., inner) => normal(u64::from(tex), inner),
            // Reserved or implementation defined: treated as non-cacheable.
            (_, _) => normal(0, 0),
        };
        // Without remap there is one kind of sharing; the SMMU treats it as inner.
        Self { memory, shareability: shared(leaf.shareable, true) }.consistent()
    }
}

#[cfg(test)]
mod tests;
