//! Bringing an SMMU up.
//!
//! The order of stores is that of arm_smmu_device_reset, as far as it was read: of about 4.5, 4.9,
//! 4.12 and of 6.12. No recording has an SMMUv2.

use super::SmmuV2;
use super::domain::shape;
use super::faults::FAULTS;
use super::probe::{Features, probe};
use super::quirks::Workarounds;
use super::streams::StreamMap;
use super::wire::{
    Acr, CB_ACTLR_CPRE, CBAR_TYPE_S1_TRANS_S2_BYPASS, Cbar, Cr0, S2CR_TYPE_BYPASS, S2cr, cb, gr0,
    gr1,
};
use super::work::{Scope, Work, Worklist, everything};
use crate::iommu::facts::{SmmuV2Facts, SmmuVersion};
use crate::iommu::finding::Findings;
use crate::iommu::progress::finish;
use crate::iommu::registers::Registers;
use crate::iommu::{BootError, DomainKind};
use crate::policy::{
    Policy, Smmu2BypassEntries, Smmu2Entries, Smmu2ExtendedIds, Smmu2Interrupts, Smmu2Unattached,
};
use passim_model::{Host, PageSize};

/// Checks the number of context interrupts that firmware lists.
// arm_smmu_device_probe: zero is too few for any SMMU; an SMMUv2 has one for each bank.
fn judge_interrupts(
    features: &Features,
    facts: &SmmuV2Facts,
    policy: &Policy,
) -> Result<(), BootError> {
    let (interrupts, banks) = (facts.context_interrupts as usize, features.banks);
    let v2 = features.version == SmmuVersion::V2;
    if interrupts == 0 || v2 && interrupts < banks {
        return Err(BootError::TooFewContextInterrupts { interrupts, banks });
    }
    if v2 && interrupts > banks && policy.smmu2_interrupts == Smmu2Interrupts::AsManyAsBanks {
        return Err(BootError::TooManyContextInterrupts { interrupts, banks });
    }
    Ok(())
}

impl SmmuV2 {
    /// Probes the SMMU that firmware describes, and turns it on.
    pub(in crate::iommu) fn boot(
        facts: &SmmuV2Facts,
        policy: &Policy,
        page: PageSize,
        tag_base: u16,
        host: &mut impl Host,
    ) -> Result<Self, BootError> {
        let registers = Registers::new(facts.base);
        let features = probe(registers, facts, policy, tag_base, host)?;
        // The kernel's own domains need it; nesting is checked when a domain is requested.
        let (input_bits, output_bits) = (features.ipa_bits, features.pa_bits);
        let none = BootError::NoGeometry { input_bits, output_bits };
        shape(&features, DomainKind::Paging, page).ok_or(none)?;
        judge_interrupts(&features, facts, policy)?;
        let mut smmu = Self {
            registers,
            map: StreamMap::new(&features, policy),
            banks: vec![false; features.banks],
            context_interrupts: facts.context_interrupts,
            interrupts_given: 0,
            stream_match_mask: facts.stream_match_mask,
            entries: policy.smmu2_entries,
            asids: policy.smmu2_asids,
            attributes: policy.stage1_attributes,
            bypass_entries: policy.smmu2_bypass_entries,
            contexts: policy.smmu1_contexts,
            workarounds: Workarounds::of(facts, policy),
            faults: policy.smmu2_faults,
            messages: policy.smmu2_messages,
            wide_loads: policy.smmu2_wide_loads,
            beyond: policy.beyond_input,
            page,
            findings: Findings::default(),
            features,
        };
        smmu.try_bypass(host)?;
        smmu.reset(policy.smmu2_unattached, host)?;
        if policy.smmu2_entries == Smmu2Entries::OfTheDevice
            && policy.smmu2_extended_ids == Smmu2ExtendedIds::Used
        {
            smmu.features.try_masks(registers, host)?;
        }
        Ok(smmu)
    }

    /// Probes whether an S2CR can encode "bypass"; if not, reserves the last context bank for
    /// bypassing.
    // 6.12 arm-smmu-qcom.c, qcom_smmu_cfg_probe, which also keeps firmware's mappings.
    fn try_bypass(&mut self, host: &mut impl Host) -> Result<(), BootError> {
        let (registers, features) = (self.registers, &self.features);
        let Some(last) = features.banks.checked_sub(1).filter(|_| self.workarounds.bypass_by_bank)
        else {
            return Ok(());
        };
        let s2cr = gr0::S2CR + 4 * (features.groups as u64 - 1);
        let asked = S2cr::TYPE.of(S2CR_TYPE_BYPASS) | S2cr::CBNDX.of(0xff);
        registers.store(s2cr, asked, host)?;
        if S2cr::TYPE.get(registers.load(s2cr, host)?) == S2CR_TYPE_BYPASS {
            return Ok(());
        }
        registers.store(features.cb(last, cb::SCTLR), 0, host)?;
        let cbar = Cbar::TYPE.of(CBAR_TYPE_S1_TRANS_S2_BYPASS);
        registers.store(features.gr1(gr1::CBAR, last), cbar, host)?;
        self.banks[last] = true;
        self.map.bypass_through(last as u8);
        Ok(())
    }

    fn reset(
        &mut self,
        unattached: Smmu2Unattached,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        let registers = self.registers;
        // Faults that firmware left behind.
        let gfsr = registers.load(self.features.gr0(gr0::GFSR), host)?;
        registers.store(self.features.gr0(gr0::GFSR), gfsr, host)?;
        self.finish(Worklist::new(self.map.write_all(self.entries)), host)?;
        let tamed_last = self.bypass_entries == Smmu2BypassEntries::All;
        if self.workarounds.no_prefetch && !tamed_last {
            self.unlock_mmu500(host)?;
        }
        for bank in 0..self.features.banks {
            let at = |register| self.features.cb(bank, register);
            let off = Work::Store { at: at(cb::SCTLR), value: 0 };
            let no_fault = Work::Store { at: at(cb::FSR), value: FAULTS };
            self.finish(Worklist::new([off, no_fault]), host)?;
            if self.workarounds.no_prefetch && !tamed_last {
                self.end_prefetch(bank, host)?;
            }
        }
        self.finish(Worklist::new(everything()), host)?;
        let mut cr0 = registers.load(self.features.gr0(gr0::CR0), host)?;
        cr0 |= Cr0::GFRE.of(1)
            | Cr0::GFIE.of(1)
            | Cr0::GCFGFRE.of(1)
            | Cr0::GCFGFIE.of(1)
            | Cr0::VMIDPNE.of(1)
            | Cr0::PTM.of(1);
        cr0 &= !(Cr0::CLIENTPD.mask() | Cr0::USFCFG.mask() | Cr0::FB.mask() | Cr0::BSU.mask());
        cr0 |= Cr0::USFCFG.flag(unattached == Smmu2Unattached::Fault)
            | Cr0::VMID16EN.flag(self.features.vmid16)
            | Cr0::EXIDENABLE.flag(self.features.extended_ids);
        if self.workarounds.no_prefetch && tamed_last {
            self.unlock_mmu500(host)?;
            for bank in 0..self.features.banks {
                self.end_prefetch(bank, host)?;
            }
        }
        self.finish(Worklist::new([Work::Sync(Scope::Global)]), host)?;
        registers.store(self.features.gr0(gr0::CR0), cr0, host)?;
        Ok(())
    }

    /// Clears the lock on the control registers of an MMU-500, which exists from major revision 2
    /// on, and allows TLB entries for streams that bypass.
    // 6.12 arm-smmu-impl.c, arm_mmu500_reset.
    fn unlock_mmu500(&mut self, host: &mut impl Host) -> Result<(), BootError> {
        let locked = self.features.major >= 2;
        let entries = match self.bypass_entries {
            Smmu2BypassEntries::AsReset if !locked => return Ok(()),
            Smmu2BypassEntries::AsReset => 0,
            Smmu2BypassEntries::Unmatched => Acr::SMTNMB_TLBEN.of(1),
            Smmu2BypassEntries::All => Acr::SMTNMB_TLBEN.of(1) | Acr::S2CRB_TLBEN.of(1),
        };
        let lock = if locked { Acr::CACHE_LOCK.mask() } else { 0 };
        let at = self.features.gr0(gr0::ACR);
        let acr = self.registers.load(at, host)?;
        self.registers.store(at, acr & !lock | entries, host)?;
        Ok(())
    }

    /// Turns the prefetcher of an MMU-500's context bank off, because of its errata.
    // 6.12 arm-smmu-impl.c, arm_mmu500_reset: errata 841119 and 826419.
    fn end_prefetch(&mut self, bank: usize, host: &mut impl Host) -> Result<(), BootError> {
        let at = self.features.cb(bank, cb::ACTLR);
        let actlr = self.registers.load(at, host)?;
        self.registers.store(at, actlr & !CB_ACTLR_CPRE, host)?;
        Ok(())
    }

    /// Completes acts while nothing else runs.
    pub(in crate::iommu) fn finish(
        &mut self,
        mut work: Worklist,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        finish(host, |host| work.advance(self, host))
    }
}
