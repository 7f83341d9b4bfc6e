//! Shareability and cacheability fields of a queue or table, as stored by hardware that supports
//! only cacheable memory ([`Attributes::Cacheable`](crate::choice::Attributes)). Linux's
//! `vgic-mmio-v3.c`, vgic_sanitise_shareability, vgic_sanitise_inner_cacheability,
//! vgic_sanitise_outer_cacheability.

use passim_model::bits::{Field, bits};

/// Positions of the fields in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Places {
    inner: Field,
    outer: Field,
    shareability: Field,
}

/// In GITS_CBASER and GITS_BASER. IHI 0069 H 12.19.
pub(crate) const GITS: Places =
    Places { inner: bits(61, 59), outer: bits(55, 53), shareability: bits(11, 10) };
/// In GICR_PROPBASER and GICR_PENDBASER. IHI 0069 H 12.11.
pub(crate) const GICR: Places =
    Places { inner: bits(9, 7), outer: bits(58, 56), shareability: bits(11, 10) };

/// Inner cacheability: Normal, Non-cacheable. The values below it are not cacheable either.
const NOT_CACHEABLE: u64 = 1;
/// Read-allocate, write-back.
const READ_ALLOCATE: u64 = 3;
/// Outer cacheability: same as inner.
const AS_INNER: u64 = 0;
const INNER_SHAREABLE: u64 = 1;
const OUTER_SHAREABLE: u64 = 2;

/// GITS_BASER's initial value in KVM: cacheable, Inner Shareable.
pub(crate) const KVM_BASER: u64 =
    GITS.inner.of(READ_ALLOCATE) | GITS.shareability.of(INNER_SHAREABLE);
/// GICR_PROPBASER likewise.
pub(crate) const KVM_PROPBASER: u64 =
    GICR.inner.of(READ_ALLOCATE) | GICR.shareability.of(INNER_SHAREABLE);

/// `word` with its attributes made cacheable.
pub(crate) fn cacheable(word: u64, places: Places) -> u64 {
    let Places { inner, outer, shareability } = places;
    let mut word = word;
    if inner.get(word) <= NOT_CACHEABLE {
        word = inner.set(word, READ_ALLOCATE);
    }
    if outer.get(word) > NOT_CACHEABLE {
        word = outer.set(word, AS_INNER);
    }
    if shareability.get(word) == OUTER_SHAREABLE {
        word = shareability.set(word, INNER_SHAREABLE);
    }
    word
}
