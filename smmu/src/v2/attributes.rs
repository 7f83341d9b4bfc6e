//! Memory attributes by which registers override incoming ones. IHI 0062 D.c 2.4.
//!
//! The encodings differ from those of SMMUv3: 0 is "default" almost everywhere. Values that table
//! 2-4 calls reserved act as it says for SMMUv2, in SMMUv1 too, where any behaviour is permitted.
//!
//! Not here: the memory attributes of descriptors, which [`attributes`](crate::attributes) decodes.

use crate::attributes::{ALLOCATE, Attributes, Cacheability, Hints, Shareability};
use crate::v2::wire::bank::Sctlr;
use crate::v2::wire::global::{CbarBypass, Cr0, S2cr};

/// MTCFG with MemAttr, SHCFG, RACFG and WACFG of one register, decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Preset {
    /// MemAttr, where MTCFG is set.
    memory: Option<u64>,
    shareability: Option<Shareability>,
    hints: Hints,
}

/// SHCFG: outer, inner or non-shareable.
const fn sharing(field: u64) -> Option<Shareability> {
    match field {
        1 => Some(Shareability::Outer),
        2 => Some(Shareability::Inner),
        3 => Some(Shareability::Non),
        _ => None,
    }
}

/// MemAttr; IHI 0062 D.c table 2-4: what is reserved is strongly-ordered.
const fn memory_type(field: u64) -> u64 {
    match field {
        0b0100 | 0b1000 | 0b1100 => 0,
        _ => field,
    }
}

/// The type by which MemAttr replaces `incoming`. IHI 0062 D.c 2.4.2 (transform_by_register): the
/// allocation hints stay those of `incoming` where both types are cached, and are clear otherwise.
fn replaced(field: u64, incoming: Attributes, shareability: Shareability) -> Attributes {
    let found = Attributes::of_mem_attr(field, shareability);
    let cached = |attributes: Attributes, cacheability: Cacheability| {
        !attributes.is_device() && cacheability != Cacheability::NonCacheable
    };
    let half = |shift: u32, new: Cacheability, old: Cacheability| {
        let own = found.memory >> shift & 0xf;
        match (cached(found, new), cached(incoming, old)) {
            (true, true) => own & !ALLOCATE | incoming.memory >> shift & ALLOCATE,
            (true, false) => own & !ALLOCATE,
            (false, _) => own,
        }
    };
    let outer = half(4, found.outer(), incoming.outer());
    let memory = outer << 4 | half(0, found.inner(), incoming.inner());
    Attributes { memory, ..found }
}

impl Preset {
    fn of(memory: Option<u64>, [shcfg, racfg, wacfg]: [u64; 3]) -> Self {
        Self {
            memory: memory.map(memory_type),
            shareability: sharing(shcfg),
            hints: Hints::of(racfg, wacfg),
        }
    }

    /// The overrides of transactions that bypass the stream mapping table.
    pub(crate) fn of_cr0(cr0: u64) -> Self {
        let memory = Cr0::MTCFG.is_set(cr0).then_some(Cr0::MEM_ATTR.get(cr0));
        Self::of(memory, [Cr0::SHCFG.get(cr0), Cr0::RACFG.get(cr0), Cr0::WACFG.get(cr0)])
    }

    /// The overrides of a stream.
    pub(crate) fn of_s2cr(s2cr: u64) -> Self {
        let memory = S2cr::MTCFG.is_set(s2cr).then_some(S2cr::MEM_ATTR.get(s2cr));
        Self::of(memory, [S2cr::SHCFG.get(s2cr), S2cr::RACFG.get(s2cr), S2cr::WACFG.get(s2cr)])
    }

    /// The overrides of a stage-1 bank that is off (M = 0).
    pub(crate) fn of_sctlr(sctlr: u64) -> Self {
        let memory = Sctlr::MTCFG.is_set(sctlr).then_some(Sctlr::MEM_ATTR.get(sctlr));
        let hints = [Sctlr::SHCFG.get(sctlr), Sctlr::RACFG.get(sctlr), Sctlr::WACFG.get(sctlr)];
        Self::of(memory, hints)
    }

    /// `incoming` after the override.
    pub(crate) fn apply(self, incoming: Attributes) -> Attributes {
        let shareability = self.shareability.unwrap_or(incoming.shareability);
        let found = match self.memory {
            Some(field) => replaced(field, incoming, shareability),
            None => Attributes { shareability, ..incoming },
        };
        self.hints.apply(found).consistent()
    }
}

/// The attributes that a bypassed stage 2 combines with those of stage 1: MemAttr, RACFG and WACFG
/// with BPSHCFG of CBAR, or with SHCFG of a stage-2 SCTLR with M = 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Combination {
    mem_attr: u64,
    shareability: Shareability,
    hints: Hints,
}

impl Combination {
    pub(crate) fn of_cbar(cbar: u64) -> Self {
        // IHI 0062 D.c table 2-4: the reserved 0 is outer shareable.
        let bpshcfg = CbarBypass::BPSHCFG.get(cbar);
        Self {
            mem_attr: memory_type(CbarBypass::MEM_ATTR.get(cbar)),
            shareability: sharing(bpshcfg).unwrap_or(Shareability::Outer),
            hints: Hints::of(CbarBypass::RACFG.get(cbar), CbarBypass::WACFG.get(cbar)),
        }
    }

    pub(crate) fn of_sctlr(sctlr: u64) -> Self {
        Self {
            mem_attr: memory_type(Sctlr::MEM_ATTR.get(sctlr)),
            shareability: sharing(Sctlr::SHCFG.get(sctlr)).unwrap_or(Shareability::Non),
            hints: Hints::of(Sctlr::RACFG.get(sctlr), Sctlr::WACFG.get(sctlr)),
        }
    }

    /// IHI 0062 D.c 2.4.2 (Combine): the stronger of each, except for allocation, where stage 2
    /// decides if its fields specify any.
    pub(crate) fn apply(self, attributes: Attributes) -> Attributes {
        self.hints.apply(attributes.combine(self.mem_attr, self.shareability)).consistent()
    }
}

#[cfg(test)]
mod tests;
