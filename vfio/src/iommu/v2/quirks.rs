//! Special treatment of particular makers' SMMUs, as far as the kernel has it.
//!
//! Not here: Tegra's SMMUs, two or three programmed as one, and mappings of Qualcomm's firmware
//! that the kernel keeps.

use crate::iommu::facts::{SmmuModel, SmmuV2Facts};
use crate::policy::{Policy, Smmu2Ap806, Smmu2Cavium, Smmu2Mmu500, Smmu2Qualcomm};

/// Workarounds that are on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Workarounds {
    /// Registers of 64 bits are accessed by halves, and the kernel ignores the SMMU's AArch64
    /// tables: their invalidations would need 64 bits at once. Marvell 582743.
    pub(super) halves: bool,
    /// Two SMMUs with this erratum never share an ASID or VMID. Cavium 27704.
    pub(super) tags_apart: bool,
    /// The prefetcher is turned off. MMU-500 841119 and 826419.
    pub(super) no_prefetch: bool,
    /// Where S2CR cannot encode "bypass", a context bank bypasses.
    pub(super) bypass_by_bank: bool,
    /// Registers banked by security state are accessed at an offset of 0x400.
    pub(super) secure_access: bool,
}

impl Workarounds {
    /// The workarounds for the SMMU that firmware names, in a kernel of this policy.
    // 6.12 arm-smmu-impl.c, arm_smmu_impl_init: an AP806's SMMU is also an MMU-500. Secure accesses
    // date from 3.14, before any kernel here.
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
