//! `iova_to_phys` by the SMMU's address translation operations.
//!
//! Not here: the look-up in the tables ([`Paging`](crate::iommu::paging::Paging)), which serves
//! where the SMMU has no such operations, or none for a domain's stage.

use super::SmmuV2;
use super::domain::Domain;
use super::probe::Format;
use super::wire::{Atsr, Par, cb};
use crate::iommu::finding::Finding;
use crate::policy::Smmu2WideLoads;
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{Abort, Host, Iova, PhysAddr};

/// Times ATSR is polled before the tables are read instead.
// arm-smmu.c: 50 us, polled every 5.
const LOOKS: usize = 10;

/// The address bits of PAR, whatever the SMMU's output size.
// arm_smmu_iova_to_phys_hard: GENMASK_ULL(39, 12). Higher bits are lost.
const ADDRESS: u64 = 0xff_ffff_f000;

/// Bytes that one operation translates.
const PAGE: u64 = 0x1000;

impl SmmuV2 {
    /// Whether a domain is looked up by the SMMU's operations.
    // 4.6 and 6.12 arm-smmu.c, arm_smmu_iova_to_phys: ARM_SMMU_FEAT_TRANS_OPS, and a domain of
    // stage 1.
    pub(in crate::iommu) fn asks_for(&self, domain: &Domain) -> bool {
        let written = domain.live.as_ref().is_some_and(|live| live.written);
        self.features.translation_operations && written && domain.shape().stage() == Stage::One
    }

    /// The physical address of `iova`, and how many bytes stay contiguous from there, at most
    /// `max`: from the SMMU, page by page, as VFIO looks it up.
    pub(in crate::iommu) fn ask_run(
        &mut self,
        domain: &Domain,
        iova: Iova,
        max: u64,
        host: &mut impl Host,
    ) -> Option<(PhysAddr, u64)> {
        let start = self.ask(domain, iova.get(), host)?;
        let mut length = PAGE - (iova.get() & (PAGE - 1));
        while length < max {
            let next = iova.get().checked_add(length);
            let goes_on = |it: u64| start.checked_add(length) == Some(it);
            if !next.and_then(|next| self.ask(domain, next, host)).is_some_and(goes_on) {
                break;
            }
            length += PAGE;
        }
        Some((PhysAddr::new(start), length.min(max)))
    }

    /// Performs one operation. `None` where it ends in a fault, which Linux logs and treats as an
    /// address without a mapping.
    fn ask(&mut self, domain: &Domain, address: u64, host: &mut impl Host) -> Option<u64> {
        let bank = usize::from(domain.live.as_ref()?.bank);
        match self.operate(bank, address, host) {
            Ok(Some(par)) if Par::F.is_set(par) => {
                self.findings.push(Finding::OperationFault { bank: bank as u8, par });
                None
            }
            Ok(Some(par)) => Some(par & ADDRESS | address & (PAGE - 1)),
            // It timed out: the tables are read.
            Ok(None) => {
                let run = domain.paging()?.run(Iova::new(address), 1, host.memory())?;
                Some(run.0.get())
            }
            Err(abort) => {
                self.findings.push(Finding::NoAnswer(abort));
                None
            }
        }
    }

    /// Performs one operation; returns PAR, or `None` on a timeout.
    // arm_smmu_iova_to_phys_hard. Up to 4.6 the operand has 64 bits on every SMMUv2; only later
    // kernels use AArch32 contexts.
    fn operate(
        &self,
        bank: usize,
        address: u64,
        host: &mut impl Host,
    ) -> Result<Option<u64>, Abort> {
        let (registers, features) = (self.registers, &self.features);
        let at = |register| features.cb(bank, register);
        let operand = address & !(PAGE - 1);
        let wide = features.format(Stage::One) == Format::Aarch64 && features.wide_operands;
        match (wide, self.workarounds.halves) {
            (true, false) => registers.store_wide(at(cb::ATS1PR), operand, host)?,
            _ => registers.store(at(cb::ATS1PR), operand, host)?,
        }
        for _ in 0..LOOKS {
            if !Atsr::ACTIVE.is_set(registers.load(at(cb::ATSR), host)?) {
                let par = match self.wide_loads {
                    Smmu2WideLoads::Halves => {
                        let low = registers.load(at(cb::PAR), host)?;
                        registers.load(at(cb::PAR) + 4, host)? << 32 | low
                    }
                    Smmu2WideLoads::Whole => self.load_wide(at(cb::PAR), host)?,
                };
                return Ok(Some(par));
            }
            host.relax();
        }
        Ok(None)
    }
}
