//! Allocation hints in SMMUv2's encoding. IHI 0062 D.c 2.4: RACFG and WACFG, two bits each, in
//! registers and in the descriptors of stage 2.

use super::{ALLOCATE, Attributes, Cacheability};
use passim_model::bits::{Field, bits};

/// In a descriptor of stage 2. IHI 0062 D.c table 2-12.
const RACFG: Field = bits(61, 60);
const WACFG: Field = bits(63, 62);

/// A two-bit allocation field.
const fn allocation(field: u64) -> Option<bool> {
    match field {
        2 => Some(true),
        3 => Some(false),
        _ => None,
    }
}

/// R and W of a half of a MAIR byte.
const READ_ALLOCATE: u8 = 0b10;
const WRITE_ALLOCATE: u8 = 0b01;

/// RACFG and WACFG of one register or descriptor, decoded; `None` leaves allocation as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Hints {
    read: Option<bool>,
    write: Option<bool>,
}

impl Hints {
    pub(crate) const fn of(racfg: u64, wacfg: u64) -> Self {
        Self { read: allocation(racfg), write: allocation(wacfg) }
    }

    /// The hints of a stage-2 leaf.
    pub(crate) const fn of_leaf(descriptor: u64) -> Self {
        Self::of(RACFG.get(descriptor), WACFG.get(descriptor))
    }

    /// Applies the hints to both halves of a Normal type.
    pub(crate) fn apply(self, attributes: Attributes) -> Attributes {
        if attributes.is_device() {
            return attributes;
        }
        let outer = self.half(attributes.memory >> 4, attributes.outer());
        let memory = outer << 4 | self.half(attributes.memory & 0xf, attributes.inner());
        Attributes { memory, ..attributes }
    }

    /// Applies the hints to one half of a Normal type, if that half is cached.
    fn half(self, mut half: u8, cached: Cacheability) -> u8 {
        if cached == Cacheability::NonCacheable {
            return half;
        }
        for (hint, bit) in [(self.read, READ_ALLOCATE), (self.write, WRITE_ALLOCATE)] {
            match hint {
                Some(true) => half |= bit,
                Some(false) => half &= !bit,
                None => {}
            }
        }
        // A transient type without allocation does not exist: DDI 0487, MAIR.
        if half & ALLOCATE == 0 { half | 0b1000 } else { half }
    }
}
