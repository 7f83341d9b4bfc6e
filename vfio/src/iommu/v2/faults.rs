//! The interrupts of an SMMUv2: which registers are read, logged and cleared.

use super::SmmuV2;
use super::wire::{CbFsr, Gfsr, RESUME_TERMINATE, cb, gr0, gr1};
use crate::iommu::finding::Finding;
use crate::policy::{Smmu2Faults, Smmu2Messages, Smmu2WideLoads};
use passim_model::{Abort, Host};

/// The faults that FSR reports; writing ones clears them.
pub(super) const FAULTS: u64 = CbFsr::TF.mask()
    | CbFsr::AFF.mask()
    | CbFsr::PF.mask()
    | CbFsr::EF.mask()
    | CbFsr::TLBMCF.mask()
    | CbFsr::TLBLKF.mask()
    | CbFsr::ASF.mask()
    | CbFsr::UUT.mask()
    | CbFsr::SS.mask()
    | CbFsr::MULTI.mask();

impl SmmuV2 {
    /// Handles an interrupt line: every interrupt routine on it reads its status. Only banks in use
    /// have one.
    pub(in crate::iommu) fn fault_interrupt(&mut self, host: &mut impl Host) {
        let bypass = self.map.bypass_bank().map(usize::from);
        let in_use =
            self.banks.iter().enumerate().filter(|(at, taken)| **taken && Some(*at) != bypass);
        let in_use: Vec<_> = in_use.map(|(at, _)| at).collect();
        let outcome = self
            .global_fault(host)
            .and_then(|()| in_use.into_iter().try_for_each(|bank| self.context_fault(bank, host)));
        if let Err(abort) = outcome {
            self.findings.push(Finding::NoAnswer(abort));
        }
    }

    // 6.12 arm-smmu.c, arm_smmu_global_fault.
    fn global_fault(&mut self, host: &mut impl Host) -> Result<(), Abort> {
        let gfsr = self.registers.load(self.features.gr0(gr0::GFSR), host)?;
        if gfsr == 0 {
            return Ok(());
        }
        let syndrome0 = self.registers.load(self.features.gr0(gr0::GFSYNR0), host)?;
        let syndrome1 = self.registers.load(self.features.gr0(gr0::GFSYNR1), host)?;
        let unidentified = Gfsr::USF.is_set(gfsr);
        self.findings.push(Finding::GlobalFault {
            status: gfsr as u32,
            unidentified,
            syndrome: [syndrome0 as u32, syndrome1 as u32],
        });
        self.registers.store(self.features.gr0(gr0::GFSR), gfsr, host)
    }

    // arm_smmu_context_fault. While faults stall (4.6), the routine terminates the stalled
    // transaction; 4.6 logs neither FSR nor the stream.
    fn context_fault(&mut self, bank: usize, host: &mut impl Host) -> Result<(), Abort> {
        let (registers, features) = (self.registers, &self.features);
        let at = |register| features.cb(bank, register);
        let fsr = registers.load(at(cb::FSR), host)?;
        if fsr & FAULTS == 0 {
            return Ok(());
        }
        let syndrome = registers.load(at(cb::FSYNR0), host)?;
        let address = match self.wide_loads {
            Smmu2WideLoads::Halves => {
                let low = registers.load(at(cb::FAR), host)?;
                registers.load(at(cb::FAR) + 4, host)? << 32 | low
            }
            Smmu2WideLoads::Whole => self.load_wide(at(cb::FAR), host)?,
        };
        let (status, stream) = match self.messages {
            Smmu2Messages::Address => (None, None),
            Smmu2Messages::Status => (Some(fsr as u32), None),
            Smmu2Messages::Stream => {
                let stream = registers.load(features.gr1(gr1::CBFRSYNRA, bank), host)?;
                (Some(fsr as u32), Some(stream as u32))
            }
        };
        let (bank, syndrome) = (bank as u8, syndrome as u32);
        self.findings.push(Finding::ContextFault { bank, status, address, syndrome, stream });
        registers.store(at(cb::FSR), fsr, host)?;
        if self.faults == Smmu2Faults::Stall && CbFsr::SS.is_set(fsr) {
            registers.store(at(cb::RESUME), RESUME_TERMINATE, host)?;
        }
        Ok(())
    }
}
