//! Memory attributes that registers put in the place of incoming ones. IHI 0062 D.c 2.4.
//!
//! The fields are spelled otherwise than those of SMMUv3: 0 is "default" everywhere.

use crate::attributes::{Attributes, Cacheability, Shareability};
use crate::v2::wire::bank::Sctlr;
use crate::v2::wire::global::{CbarBypass, Cr0, S2cr};

/// What MTCFG with MemAttr, SHCFG, RACFG and WACFG of one register say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Preset {
    /// MemAttr, where MTCFG is set.
    memory: Option<u64>,
    shareability: Option<Shareability>,
    read_allocate: Option<bool>,
    write_allocate: Option<bool>,
}

/// A two-bit allocation field.
const fn allocation(field: u64) -> Option<bool> {
    match field {
        2 => Some(true),
        3 => Some(false),
        _ => None,
    }
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

/// R and W of a half of a MAIR byte.
const READ_ALLOCATE: u8 = 0b10;
const WRITE_ALLOCATE: u8 = 0b01;

impl Preset {
    fn of(memory: Option<u64>, [shcfg, racfg, wacfg]: [u64; 3]) -> Self {
        Self {
            memory,
            shareability: sharing(shcfg),
            read_allocate: allocation(racfg),
            write_allocate: allocation(wacfg),
        }
    }

    /// Of transactions that bypass the stream mapping table.
    pub(crate) fn of_cr0(cr0: u64) -> Self {
        let memory = Cr0::MTCFG.is_set(cr0).then_some(Cr0::MEM_ATTR.get(cr0));
        Self::of(memory, [Cr0::SHCFG.get(cr0), Cr0::RACFG.get(cr0), Cr0::WACFG.get(cr0)])
    }

    /// Of a stream.
    pub(crate) fn of_s2cr(s2cr: u64) -> Self {
        let memory = S2cr::MTCFG.is_set(s2cr).then_some(S2cr::MEM_ATTR.get(s2cr));
        Self::of(memory, [S2cr::SHCFG.get(s2cr), S2cr::RACFG.get(s2cr), S2cr::WACFG.get(s2cr)])
    }

    /// Of a stage-1 bank that is off (M = 0).
    pub(crate) fn of_sctlr(sctlr: u64) -> Self {
        let memory = Sctlr::MTCFG.is_set(sctlr).then_some(Sctlr::MEM_ATTR.get(sctlr));
        let hints = [Sctlr::SHCFG.get(sctlr), Sctlr::RACFG.get(sctlr), Sctlr::WACFG.get(sctlr)];
        Self::of(memory, hints)
    }

    /// `incoming` after the replacement.
    pub(crate) fn apply(self, incoming: Attributes) -> Attributes {
        let shareability = self.shareability.unwrap_or(incoming.shareability);
        let mut found = match self.memory {
            Some(field) => Attributes::of_mem_attr(field, shareability),
            None => Attributes { shareability, ..incoming },
        };
        if !found.is_device() {
            let outer = self.hinted(found.memory >> 4, found.outer());
            found.memory = outer << 4 | self.hinted(found.memory & 0xf, found.inner());
        }
        found.consistent()
    }

    /// A half of a Normal type with the hints, where it is cached at all.
    fn hinted(self, mut half: u8, cached: Cacheability) -> u8 {
        if cached == Cacheability::NonCacheable {
            return half;
        }
        for (hint, bit) in
            [(self.read_allocate, READ_ALLOCATE), (self.write_allocate, WRITE_ALLOCATE)]
        {
            match hint {
                Some(true) => half |= bit,
                Some(false) => half &= !bit,
                None => {}
            }
        }
        // A transient type without allocation does not exist: DDI 0487, MAIR.
        if half & 0b0011 == 0 { half | 0b1000 } else { half }
    }
}

/// What a bypassed stage 2 does to the attributes of stage 1: MemAttr and BPSHCFG of CBAR, or
/// MemAttr and SHCFG of a stage-2 SCTLR with M = 0, combined with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Combination {
    mem_attr: u64,
    shareability: Shareability,
}

impl Combination {
    pub(crate) fn of_cbar(cbar: u64) -> Self {
        let shareability = sharing(CbarBypass::BPSHCFG.get(cbar)).unwrap_or(Shareability::Non);
        Self { mem_attr: CbarBypass::MEM_ATTR.get(cbar), shareability }
    }

    pub(crate) fn of_sctlr(sctlr: u64) -> Self {
        let shareability = sharing(Sctlr::SHCFG.get(sctlr)).unwrap_or(Shareability::Non);
        Self { mem_attr: Sctlr::MEM_ATTR.get(sctlr), shareability }
    }

    pub(crate) fn apply(self, attributes: Attributes) -> Attributes {
        attributes.combine(self.mem_attr, self.shareability)
    }
}

#[cfg(test)]
mod tests;
