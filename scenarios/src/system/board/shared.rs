//! SMMUs that share one TLB (Cavium 27704): the one that is used takes it from the other.

use super::Board;
use crate::system::smmu::Smmu;

impl Board {
    /// Gives the shared TLB, if there is one, to the SMMU with this index before it is used.
    pub(super) fn hand_tlb_to(&mut self, index: usize) {
        if !self.smmus.get(index).is_some_and(shares) {
            return;
        }
        let holder = self.tlb_holder.replace(index).unwrap_or(index);
        let [first, second] = [holder.min(index), holder.max(index)];
        if first == second {
            return;
        }
        let (before, from) = self.smmus.split_at_mut(second);
        if let (Smmu::V2(one), Smmu::V2(other)) = (&mut before[first], &mut from[0]) {
            one.hand_tlb_to(other);
        }
    }
}

fn shares(smmu: &Smmu) -> bool {
    matches!(smmu, Smmu::V2(smmu) if smmu.implementation().errata.shared_tags)
}
