//! Reports faults: status, address and syndrome registers, and the interrupt lines. IHI 0062 D.c
//! chapter 3.

use crate::regime::Response;
use crate::v2::SmmuV2;
use crate::v2::bank::{BankFormat, far_bits, gfar_bits};
use crate::v2::context;
use crate::v2::outcome::{
    Cause, ContextFault, ContextFaultKind, GlobalFault, GlobalFaultKind, Outcome, Record,
    Terminated, Transaction,
};
use crate::v2::stall::{Held, Waits};
use crate::v2::stream;
use crate::v2::translate::Earlier;
use crate::v2::wire::bank::{Fsr, Fsynr0, Sctlr};
use crate::v2::wire::global::{Cbar, Cr0, Gfsr, Gfsynr0, Gfsynr1};
use passim_model::access::{Access, Privilege};
use passim_model::bits::Field;
use passim_model::{Effect, IntId, event};
use std::collections::BTreeSet;

/// The interrupt lines, by the INTIDs they lead to. Each is level-triggered.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Wires {
    /// A global fault is recorded.
    pub global: Option<IntId>,
    /// Context faults: bank n asserts the n-th line (SMMUv1: the one CBAR.IRPTNDX names); the last
    /// line serves all higher numbers. Several banks may share a line.
    pub contexts: Vec<IntId>,
}

/// The FSR bit of a context fault.
pub(crate) const fn fsr_field(kind: ContextFaultKind) -> Field {
    match kind {
        ContextFaultKind::Translation => Fsr::TF,
        ContextFaultKind::AccessFlag => Fsr::AFF,
        ContextFaultKind::Permission => Fsr::PF,
        ContextFaultKind::External => Fsr::EF,
        ContextFaultKind::TlbConflict => Fsr::TLBMCF,
        ContextFaultKind::AddressSize => Fsr::ASF,
        ContextFaultKind::UnsupportedUpstream => Fsr::UUT,
    }
}

const fn gfsr_field(kind: GlobalFaultKind) -> Field {
    match kind {
        GlobalFaultKind::InvalidContext => Gfsr::ICF,
        GlobalFaultKind::UnidentifiedStream => Gfsr::USF,
        GlobalFaultKind::StreamMatchConflict => Gfsr::SMCF,
        GlobalFaultKind::UnimplementedBank => Gfsr::UCBF,
        GlobalFaultKind::UnimplementedInterrupt => Gfsr::UCIF,
    }
}

/// A faulting access, as syndrome registers record it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The input address, before any sign extension.
    pub(crate) address: u64,
    pub(crate) access: Access,
    /// The stream; `None` for an address translation operation.
    pub(crate) stream: Option<u32>,
}

impl SmmuV2 {
    /// Whether a fault of this bank terminates rather than stalls. IHI 0062 D.c 3.7.3.
    pub(crate) fn terminates(&self, bank: usize) -> bool {
        !self.can_stall() || !Sctlr::CFCFG.is_set(self.banks[bank].sctlr())
    }

    /// Whether accesses can stall: the SMMU implements it, and STALLD is clear.
    pub(crate) fn can_stall(&self) -> bool {
        self.implementation.description.stall && !self.globals.has(Cr0::STALLD)
    }

    fn hits_under_fault(&self, bank: usize) -> bool {
        Sctlr::HUPCF.is_set(self.banks[bank].sctlr())
    }

    /// How the uncleared faults of this bank affect the next transaction. IHI 0062 D.c 3.7.3:
    /// `CheckForFaultsInBank`.
    pub(crate) fn earlier_fault(&self, bank: usize) -> Earlier {
        let registers = &self.banks[bank];
        if !registers.is_faulting() || self.hits_under_fault(bank) {
            Earlier::None
        } else if registers.is_stalled() {
            // Whatever CFCFG is now: a stalled bank waits for RESUME.
            Earlier::Waits
        } else {
            Earlier::Terminates
        }
    }

    /// The faulting access of a transaction.
    fn asked(&self, txn: &Transaction, access: Access) -> Asked {
        let description = &self.implementation.description;
        let stream = txn.requester.stream.get();
        let stream = Some(stream::implemented(&self.globals, description, stream));
        Asked { address: txn.iova.get(), access, stream }
    }

    /// Records a context fault of a transaction, and returns its outcome. IHI 0062 D.c 3.7.3.
    pub(crate) fn context_fault(
        &mut self,
        txn: &Transaction,
        access: Access,
        fault: ContextFault,
        ticket: Option<u64>,
    ) -> Outcome {
        let bank = usize::from(fault.bank);
        let held = Held::Transaction(*txn);
        let asked = self.asked(txn, access);
        let registers = &self.banks[bank];
        if registers.is_stalled() {
            return self.wait(held, ticket, Waits::Bank(bank));
        }
        if !registers.is_faulting() && !self.terminates(bank) {
            self.record(&fault, &asked, true);
            return self.wait(held, ticket, Waits::Resume(fault));
        }
        let record = self.record(&fault, &asked, false);
        let response = self.report(bank);
        Outcome::Terminated(Terminated { response, cause: Cause::Context(fault, record) })
    }

    /// Records a context fault, as far as an earlier fault permits.
    pub(crate) fn record(&mut self, fault: &ContextFault, asked: &Asked, stalls: bool) -> Record {
        let bank = usize::from(fault.bank);
        self.changes += 1;
        let hits_under_fault = self.hits_under_fault(bank);
        let stage2 = context::format_of(self.registers(), bank) == BankFormat::Stage2;
        let description = &self.implementation.description;
        let registers = &mut self.banks[bank];
        let record = if !registers.is_faulting() {
            registers.set_fault(fsr_field(fault.kind));
            registers.set_stalled(stalls);
            registers.far = asked.address & far_bits(description);
            registers.fsynr0 = syndrome(fault, asked, stage2);
            if let Some(ipa) = fault.ipa {
                registers.ipafar = ipa.get() & far_bits(description);
            }
            // IHI 0062 D.c 10.2.3: UNKNOWN for an operation, which has no stream.
            self.globals.cbfrsynra[bank] =
                Gfsynr1::STREAM_ID.of(u64::from(asked.stream.unwrap_or(0))) as u32;
            Record::Written
        } else if hits_under_fault {
            registers.set_fault(Fsr::MULTI);
            Record::Multiple
        } else {
            Record::Suppressed
        };
        self.counters.events += u64::from(record == Record::Written);
        tracing::trace!(target: event::TRANSLATE, ?fault, ?record, "context fault");
        self.missing_interrupt(fault, asked);
        self.update_lines();
        record
    }

    /// Records the global fault of a context fault whose interrupt does not exist. IHI 0062 D.c
    /// 3.6.2: SMMUv1 only.
    fn missing_interrupt(&mut self, fault: &ContextFault, asked: &Asked) {
        let bank = usize::from(fault.bank);
        let description = &self.implementation.description;
        let index = Cbar::IRPTNDX.get(self.globals.cbar(bank));
        let exists = index < u64::from(description.context_interrupts);
        if !description.is_v2() && !exists && self.banks[bank].interrupts() {
            let kind = GlobalFaultKind::UnimplementedInterrupt;
            // IHI 0062 D.c 3.8.1: whether the bank is that of stage 2 behind a stage 1.
            let nested = fault.nested_in.is_some();
            self.record_global(GlobalFault { kind, nested }, asked);
        }
    }

    /// Records a global fault of a transaction, and terminates it.
    pub(crate) fn global_fault(&mut self, txn: &Transaction, fault: GlobalFault) -> Outcome {
        let asked = self.asked(txn, txn.access);
        let record = self.record_global(fault, &asked);
        let reported = self.globals.has(Cr0::GFRE);
        let response = if reported { Response::Abort } else { Response::RazWi };
        Outcome::Terminated(Terminated { response, cause: Cause::Global(fault, record) })
    }

    /// IHI 0062 D.c 3.8.1: the first is recorded in full, later ones only set MULTI.
    pub(crate) fn record_global(&mut self, fault: GlobalFault, asked: &Asked) -> Record {
        self.changes += 1;
        let record = if self.globals.gfsr() == 0 {
            self.globals.set_global_fault(gfsr_field(fault.kind));
            self.globals.gfar = asked.address & gfar_bits(&self.implementation.description);
            let privileged = asked.access.privilege == Privilege::Privileged;
            self.globals.gfsynr0 = (Gfsynr0::NESTED.flag(fault.nested)
                | Gfsynr0::WNR.flag(asked.access.is_write())
                | Gfsynr0::PNU.flag(privileged)
                | Gfsynr0::IND.flag(asked.access.instruction)
                | Gfsynr0::ATS.flag(asked.stream.is_none()))
                as u32;
            let stream = u64::from(asked.stream.unwrap_or(0));
            self.globals.gfsynr1 = Gfsynr1::STREAM_ID.of(stream) as u32;
            Record::Written
        } else {
            self.globals.set_global_fault(Gfsr::MULTI);
            Record::Multiple
        };
        self.counters.events += u64::from(record == Record::Written);
        tracing::trace!(target: event::TRANSLATE, ?fault, ?record, "global fault");
        self.update_lines();
        record
    }

    /// The interrupts that are asserted now, ascending.
    pub fn asserted(&self) -> impl Iterator<Item = IntId> + '_ {
        self.lines.iter().copied()
    }

    /// Recomputes the interrupt lines; each that rises is an effect. IHI 0062 D.c 3.6.3.
    pub(crate) fn update_lines(&mut self) {
        let mut lines = BTreeSet::new();
        let wires = &self.implementation.wires;
        if self.globals.has(Cr0::GFIE) && self.globals.gfsr() & !Gfsr::CAF.mask() != 0 {
            lines.extend(wires.global);
        }
        for (bank, registers) in self.banks.iter().enumerate() {
            if registers.interrupts() {
                lines.extend(self.line_of(bank));
            }
        }
        self.effects.extend(lines.difference(&self.lines).copied().map(Effect::Wire));
        self.lines = lines;
    }

    /// The interrupt of a bank.
    fn line_of(&self, bank: usize) -> Option<IntId> {
        let description = &self.implementation.description;
        let index = if description.is_v2() {
            bank
        } else {
            let index = Cbar::IRPTNDX.get(self.globals.cbar(bank));
            if index >= u64::from(description.context_interrupts) {
                return None;
            }
            index as usize
        };
        let contexts = &self.implementation.wires.contexts;
        contexts.get(index).or(contexts.last()).copied()
    }
}

/// FSYNR0. IHI 0062 D.c 16.5.11, 17.3.1: a stage-2 bank sets NSATTR, as every transaction is
/// Non-secure; in a stage-1 bank the bit is reserved.
fn syndrome(fault: &ContextFault, asked: &Asked, stage2: bool) -> u32 {
    let external = fault.kind == ContextFaultKind::External;
    let word = Fsynr0::PLVL.of(u64::from(fault.level))
        | Fsynr0::NESTED.flag(fault.nested_in.is_some())
        | Fsynr0::S1PTWF.flag(fault.on_stage1_walk)
        | Fsynr0::WNR.flag(asked.access.is_write())
        | Fsynr0::PNU.flag(asked.access.privilege == Privilege::Privileged)
        | Fsynr0::IND.flag(asked.access.instruction)
        | Fsynr0::NSATTR.flag(stage2)
        | Fsynr0::ATOF.flag(asked.stream.is_none())
        | Fsynr0::PTWF.flag(external)
        | Fsynr0::S1CBNDX.of(u64::from(fault.nested_in.unwrap_or(0)));
    word as u32
}

#[cfg(test)]
mod tests;
