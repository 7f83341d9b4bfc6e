//! From a range of stale translations to register stores.
//!
//! Not here: when they are stored (`work`), and what is stale
//! ([`Gather`](passim_model::pgtable::gather::Gather)).

use super::probe::{Features, Format};
use super::wire::{CbTlbi, CbTlbi32, cb, gr0};
use super::work::{Scope, Sweep, Work};
use crate::iommu::facts::SmmuVersion;
use crate::policy::{Smmu2Sync, UnmapSync};
use passim_model::pgtable::gather::{Invalidation, Stale};
use passim_model::pgtable::vmsav8::Stage;

/// The tags of a context bank's translations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tagged {
    pub(super) stage: Stage,
    /// The bank.
    pub(super) bank: usize,
    /// The ASID of its translations.
    pub(super) asid: u64,
    /// The VMID of its translations.
    pub(super) vmid: u64,
}

impl Tagged {
    /// Invalidates all of them.
    pub(super) fn all(self, features: &Features) -> [Work; 2] {
        match self.stage {
            Stage::One => {
                let at = features.cb(self.bank, cb::S1_TLBIASID);
                [Work::Store { at, value: self.asid }, self.sync(features)]
            }
            Stage::Two => {
                let at = features.gr0(gr0::TLBIVMID);
                [Work::Store { at, value: self.vmid }, Work::Sync(Scope::Global)]
            }
        }
    }

    /// The synchronisation after invalidations that were stored to the bank; where it has no
    /// invalidation of single addresses, the whole VMID was invalidated, and the wait is global.
    fn sync(self, features: &Features) -> Work {
        let whole = self.stage == Stage::Two && features.version != SmmuVersion::V2;
        let global = whole || features.sync == Smmu2Sync::Global;
        Work::Sync(if global { Scope::Global } else { Scope::Bank(self.bank) })
    }

    fn sweep(self, features: &Features, stale: Stale, leaves: bool) -> Work {
        let (wide, block) =
            (features.format == Format::Aarch64 && features.wide_operands, stale.block.bytes());
        let count = stale.blocks();
        let at = |leaf, walk| features.cb(self.bank, if leaves { leaf } else { walk });
        Work::Sweep(match (self.stage, wide) {
            (Stage::One, true) => Sweep {
                at: at(cb::S1_TLBIVAL, cb::S1_TLBIVA),
                operand: stale.start >> 12 | CbTlbi::ASID.of(self.asid),
                stride: block >> 12,
                count,
                wide,
            },
            (Stage::One, false) => Sweep {
                at: at(cb::S1_TLBIVAL, cb::S1_TLBIVA),
                operand: CbTlbi32::VA.in_place(stale.start) | CbTlbi32::ASID.of(self.asid),
                stride: block,
                count,
                wide,
            },
            // Without TLBIIPAS2 the whole VMID is invalidated, once for each block.
            (Stage::Two, _) if features.version != SmmuVersion::V2 => Sweep {
                at: features.gr0(gr0::TLBIVMID),
                operand: self.vmid,
                stride: 0,
                count: if leaves { count } else { 1 },
                wide: false,
            },
            (Stage::Two, wide) => Sweep {
                at: at(cb::S2_TLBIIPAS2L, cb::S2_TLBIIPAS2),
                operand: stale.start >> 12,
                stride: block >> 12,
                count,
                wide,
            },
        })
    }
}

/// The invalidations after an unmap. An unlinked table is waited for at once, leaves all together,
/// or one by one.
// 6.12 arm-smmu.c: tlb_flush_walk and tlb_add_page; iotlb_sync at the end. io-pgtable-arm.c of 4.x:
// arm_lpae_unmap waits after each block, even after the wait for an unlinked table.
pub(super) fn acts(
    tagged: Tagged,
    features: &Features,
    invalidations: impl Iterator<Item = Invalidation>,
) -> Vec<Work> {
    let mut acts = Vec::new();
    let mut waiting = false;
    let each = features.unmap_sync == UnmapSync::EachBlock;
    for invalidation in invalidations {
        match invalidation {
            Invalidation::Leaves(stale) if each => {
                for block in stale.each_block() {
                    acts.extend([tagged.sweep(features, block, true), tagged.sync(features)]);
                }
            }
            Invalidation::Leaves(stale) => {
                acts.push(tagged.sweep(features, stale, true));
                waiting = true;
            }
            Invalidation::Walk(stale) => {
                acts.extend([tagged.sweep(features, stale, false), tagged.sync(features)]);
                acts.extend(each.then(|| tagged.sync(features)));
                waiting = false;
            }
        }
    }
    if waiting {
        acts.push(tagged.sync(features));
    }
    acts
}

#[cfg(test)]
mod tests;
