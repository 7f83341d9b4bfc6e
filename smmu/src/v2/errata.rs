//! The errata that Linux works around, each a switch.
//!
//! Only the workarounds are public. Where the mechanism of an erratum is visible, it is a choice
//! made here:
//!
//! | erratum | made here |
//! | --- | --- |
//! | Marvell 582743: accesses of 64 bits | loads read zero, stores are lost |
//! | Cavium 27704: equal ASIDs and VMIDs of several SMMUs | one TLB for all of them |
//! | MMU-500 841119, 826419: prefetch and invalidations | each SMMU has at most one prefetch under way, which no invalidation reaches until the next transaction |

use crate::progress::Counters;
use crate::regime::Stage1;
use crate::stages::Silent;
use crate::stages::{Demand, Stages};
use crate::tlb::{Geometry, Retention, SpaceId, Tlb, Translation};
use crate::v2::SmmuV2;
use crate::v2::context::Setting;
use crate::v2::outcome::Path;
use crate::v2::translate::{Parts, through};
use passim_model::Memory;
use passim_model::access::Access;

/// Deviations from the architecture, each one that Linux works around.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Errata {
    /// 64-bit accesses do not arrive: loads read zero, stores are lost (Marvell 582743).
    pub no_wide_accesses: bool,
    /// An S2CR stored with TYPE "bypass" becomes "fault", and one stored with TYPE "fault" is not
    /// stored at all (firmware of some Qualcomm systems).
    pub bypass_becomes_fault: bool,
    /// Every access arrives as a Secure one (Calxeda's Highbank): registers that both states have
    /// are the Secure state's at their own offsets, which are not modelled, and the Non-secure
    /// state's 0x400 further on.
    pub secure_accesses: bool,
    /// SMMUs with this erratum share one TLB, so that equal ASIDs and VMIDs name the same address
    /// space in all of them (Cavium 27704). Their board [hands the TLB over](SmmuV2::hand_tlb_to).
    pub shared_tags: bool,
    /// While ACTLR.CPRE is 1, a walk fetches the next page's translation too, and until the next
    /// transaction no invalidation reaches that translation (MMU-500 841119 and 826419; see
    /// `choice`).
    pub stale_prefetch: bool,
}

/// A prefetched translation, and the space it belongs to.
pub(crate) type Prefetched = (SpaceId, Translation);

impl SmmuV2 {
    /// Exchanges TLBs with another SMMU that has [`Errata::shared_tags`].
    ///
    /// A board calls this before the other SMMU is used, so that one TLB serves all of them.
    pub fn hand_tlb_to(&mut self, other: &mut Self) {
        core::mem::swap(&mut self.tlb, &mut other.tlb);
        for smmu in [self, other] {
            // Decoded settings and front answers refer to spaces and entries of the old TLB.
            smmu.settings.fill(None);
            smmu.changes += 1;
            smmu.prefetched = None;
        }
    }

    /// Moves the prefetched translation into the TLB, whatever was invalidated since.
    pub(crate) fn land_prefetch(&mut self) {
        if let Some((space, translation)) = self.prefetched.take() {
            self.tlb.insert(space, &translation);
        }
    }

    /// Prefetches the translation of the page after that of `address`, which a walk found and which
    /// has `1 << lg2` bytes.
    pub(crate) fn prefetch(&mut self, memory: &Memory, bank: usize, address: u64, lg2: u32) {
        let errata = self.implementation.errata;
        if !errata.stale_prefetch || !self.banks[bank].prefetches() {
            return;
        }
        let Some(Ok(setting)) = &self.settings[bank] else { return };
        let next = (address >> lg2).checked_add(1).filter(|page| page.leading_zeros() >= lg2);
        let Some(next) = next.map(|page| page << lg2) else { return };
        let mut apart = Tlb::new(Geometry::default(), None, Retention::Everything);
        let (mut counters, mut writes) = (Counters::default(), Vec::new());
        let demand =
            Demand { access: Access::READ, attributes: crate::attributes::Attributes::INCOMING };
        let mut parts = Parts {
            description: &self.implementation.description,
            stages: Stages {
                memory,
                tlb: &mut apart,
                counters: &mut counters,
                writes: &mut writes,
                caching: self.caching,
                log: &mut Silent,
            },
        };
        let found = through(&mut parts, setting, next, demand);
        // A prefetch that would fault, or would update a descriptor, is not made.
        if found.is_ok_and(|found| found.answer.path == Path::Walk) && writes.is_empty() {
            let spaces = spaces(setting);
            self.prefetched = spaces.into_iter().flatten().find_map(|space| {
                let translation = apart.lookup(space, next)?;
                Some((space, translation))
            });
            // The front cache must not answer before the prefetch has entered the TLB.
            self.changes += 1;
        }
    }
}

/// The spaces that hold the translations of a setting.
fn spaces(setting: &Setting) -> [Option<SpaceId>; 3] {
    let first = |of: fn(&Stage1) -> SpaceId| setting.stage1.as_ref().map(of);
    let second = setting.stage2.as_ref().filter(|_| setting.stage1.is_none());
    [first(|stage1| stage1.space), first(|stage1| stage1.global), second.map(|stage2| stage2.space)]
}

#[cfg(test)]
mod tests;
