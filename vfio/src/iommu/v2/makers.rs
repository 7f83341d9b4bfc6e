//! What the SMMUs of single makers need, as far as the kernel knows of it.
//!
//! Not here: Tegra's two or three SMMUs behind one another's registers, and what Qualcomm's
//! firmware leaves mapped for the kernel to keep.

use crate::iommu::facts::{SmmuModel, SmmuV2Facts};
use crate::policy::{Policy, Smmu2Ap806, Smmu2Cavium, Smmu2Mmu500, Smmu2Qualcomm};

/// Workarounds that are on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Workarounds {
    /// Registers of 64 bits are reached by halves, and the SMMU's AArch64 tables are not seen:
    /// their invalidations would need 64 bits at once. Marvell 582743.
    pub(super) halves: bool,
    /// No two SMMUs that have this use one ASID or VMID. Cavium 27704.
    pub(super) tags_apart: bool,
    /// The prefetcher is turned off. MMU-500 841119 and 826419.
    pub(super) no_prefetch: bool,
    /// Where S2CR cannot say "bypass", a context bank says it.
    pub(super) bypass_by_bank: bool,
    /// Registers that the Secure state has, too, are 0x400 further on.
    pub(super) secure_access: bool,
}

impl Workarounds {
    /// Those for an SMMU that firmware calls so, in a kernel of this policy.
    // 6.12 arm-smmu-impl.c, arm_smmu_impl_init: one that is an AP806's is an MMU-500, too. Secure
    // accesses go back to 3.14, before any kernel here.
    pub(super) fn of(facts: &SmmuV2Facts, policy: &Policy) -> Self {
        let mmu500 = matches!(facts.model, SmmuModel::Mmu500 | SmmuModel::Ap806);
        let is = |model| facts.model == model;
        Self {
            halves: is(SmmuModel::Ap806) && policy.smmu2_ap806 == Smmu2Ap806::Halves,
            tags_apart: is(SmmuModel::Cavium) && policy.smmu2_cavium == Smmu2Cavium::Apart,
            no_prefetch: mmu500 && policy.smmu2_mmu500 == Smmu2Mmu500::NoPrefetch,
            bypass_by_bank: is(SmmuModel::Qualcomm)
                && policy.smmu2_qualcomm == Smmu2Qualcomm::ByBank,
            secure_access: facts.secure_config_access,
        }
    }
}
