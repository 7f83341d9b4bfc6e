//! Address translation operations: software reads the translation of an address. IHI 0062 D.c
//! chapter 4.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `par` | how does PAR encode the result? |
//!
//! An operation of a context bank walks stage 1, whose tables may lie behind stage 2; a stage-2
//! fault is then recorded in the stage-2 bank, and stalls there if that is configured. An operation
//! of the global space never stalls, and reports to GPAR alone.

mod par;

use crate::attributes::Attributes;
use crate::stages::Silent;
use crate::stages::{Demand, Stages};
use crate::v2::SmmuV2;
use crate::v2::bank::Scheme;
use crate::v2::context::Setting;
use crate::v2::fault::Asked;
use crate::v2::outcome::{ContextFault, ContextFaultKind, GlobalFault, GlobalFaultKind};
use crate::v2::stall::{Held, Waits};
use crate::v2::translate::{Earlier, Parts, both, fault_of, on_the_bus};
use crate::v2::wire::bank::offset;
use crate::v2::wire::global::{Cbar, Gats, cbar_type, gr0};
use par::{ParResult, Register};
use passim_model::Memory;
use passim_model::access::{Access, Direction, Privilege};

/// An operation of a context bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Operation {
    /// The stage-1 bank.
    pub(crate) bank: usize,
    access: Access,
    address: u64,
}

/// The stages that an operation translates through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    Stage1,
    Both,
}

const fn access(privilege: Privilege, direction: Direction) -> Access {
    Access { direction, privilege, instruction: false }
}

const UR: Access = access(Privilege::Unprivileged, Direction::Read);
const UW: Access = access(Privilege::Unprivileged, Direction::Write);
const PR: Access = access(Privilege::Privileged, Direction::Read);
const PW: Access = access(Privilege::Privileged, Direction::Write);

/// Why an operation found no address.
enum Stopped {
    /// Reported in PAR.
    ParResult(ContextFault),
    /// Recorded in the stage-2 bank.
    Stage2(ContextFault),
}

impl SmmuV2 {
    /// Performs a store to a bank that has operations, if it is one. Returns whether it is.
    pub(crate) fn operation_in_bank(
        &mut self,
        memory: &mut Memory,
        bank: usize,
        at: u64,
        value: u64,
    ) -> bool {
        let access = match at {
            offset::ATS1PR => PR,
            offset::ATS1PW => PW,
            offset::ATS1UR => UR,
            offset::ATS1UW => UW,
            _ => return false,
        };
        // One at a time: another while the last one waits is UNPREDICTABLE, and ignored.
        if !self.stalls.operation_of(bank) {
            let address = Gats::ADDR.in_place(self.operand(value));
            self.operate(memory, Operation { bank, access, address }, None);
        }
        true
    }

    /// The operand of an operation: SMMUv1 uses 32 bits of it. IHI 0062 D.c 16.5.2.
    fn operand(&self, value: u64) -> u64 {
        if self.implementation.description.is_v2() { value } else { value & u64::from(u32::MAX) }
    }

    /// Performs an operation of a bank. IHI 0062 D.c 4.2.
    pub(crate) fn operate(
        &mut self,
        memory: &mut Memory,
        operation: Operation,
        ticket: Option<u64>,
    ) {
        let Operation { bank, access, address } = operation;
        let asked = Asked { address, access, stream: None };
        if let Err(fault) = self.prepare(bank) {
            // IHI 0062 D.c 4.2.4: an invalid stage-2 bank is a global fault.
            let nested = Cbar::TYPE.get(self.globals.cbar(bank)) == cbar_type::NESTED;
            if nested {
                self.record_global(fault, &asked);
                return self.operation_ended(operation);
            }
            self.banks[bank].par =
                par::invalid(fault.kind, self.implementation.description.is_v2());
            return;
        }
        if let Some(second) = self.second_of(bank) {
            match self.earlier_fault(second) {
                Earlier::None => {}
                Earlier::Waits => {
                    self.wait(Held::Operation(operation), ticket, Waits::Bank(second));
                    return;
                }
                Earlier::Terminates => return self.operation_ended(operation),
            }
        }
        match self.look(memory, bank, access, address, Reach::Stage1) {
            Ok(result) => self.banks[bank].par = result.encode(Register::Bank),
            Err(Stopped::ParResult(fault)) => self.banks[bank].par = self.par_of(bank, &fault),
            Err(Stopped::Stage2(fault)) => self.stage2_refused(operation, fault, &asked, ticket),
        }
    }

    /// Handles a stage-2 fault of an operation of a stage-1 bank. IHI 0062 D.c 4.2.4.
    fn stage2_refused(
        &mut self,
        operation: Operation,
        fault: ContextFault,
        asked: &Asked,
        ticket: Option<u64>,
    ) {
        let second = usize::from(fault.bank);
        if self.banks[second].is_stalled() {
            self.wait(Held::Operation(operation), ticket, Waits::Bank(second));
        } else if !self.banks[second].is_faulting() && !self.terminates(second) {
            self.record(&fault, asked, true);
            self.wait(Held::Operation(operation), ticket, Waits::Resume(fault));
        } else {
            self.record(&fault, asked, false);
            self.operation_ended(operation);
        }
    }

    /// Terminates an operation: PAR records that and nothing else.
    pub(crate) fn operation_ended(&mut self, operation: Operation) {
        self.banks[operation.bank].par = par::TERMINATED;
    }

    fn par_of(&self, bank: usize, fault: &ContextFault) -> u64 {
        let scheme = match &self.settings[bank] {
            Some(Ok(setting)) => scheme_of(setting, fault),
            _ => Scheme::Aarch64,
        };
        par::fault(fault, scheme, self.implementation.description.is_v2())
    }

    /// Performs a store to global space 0, if it is an operation. Returns whether it is. IHI 0062
    /// D.c 4.3.
    pub(crate) fn operation_globally(&mut self, memory: &mut Memory, at: u64, value: u64) -> bool {
        let (access, reach) = match at {
            gr0::GATS1UR => (UR, Reach::Stage1),
            gr0::GATS1UW => (UW, Reach::Stage1),
            gr0::GATS1PR => (PR, Reach::Stage1),
            gr0::GATS1PW => (PW, Reach::Stage1),
            gr0::GATS12UR => (UR, Reach::Both),
            gr0::GATS12UW => (UW, Reach::Both),
            gr0::GATS12PR => (PR, Reach::Both),
            gr0::GATS12PW => (PW, Reach::Both),
            _ => return false,
        };
        let value = self.operand(value);
        let (bank, address) = (Gats::NDX.get(value) as usize, Gats::ADDR.in_place(value));
        self.globals.gpar = self.answer_globally(memory, bank, (access, reach), address);
        true
    }

    fn answer_globally(
        &mut self,
        memory: &mut Memory,
        bank: usize,
        (access, reach): (Access, Reach),
        address: u64,
    ) -> u64 {
        if let Err(GlobalFault { kind, .. }) = self.prepare(bank) {
            return par::invalid(kind, self.implementation.description.is_v2());
        }
        // IHI 0062 D.c 4.3: the index must be that of a stage-1 bank.
        let stage1 = matches!(&self.settings[bank], Some(Ok(setting)) if setting.is_stage1);
        if !stage1 {
            return par::invalid(
                GlobalFaultKind::UnimplementedBank,
                self.implementation.description.is_v2(),
            );
        }
        match self.look(memory, bank, access, address, reach) {
            Ok(result) => result.encode(Register::Global),
            Err(Stopped::ParResult(fault) | Stopped::Stage2(fault)) => self.par_of(bank, &fault),
        }
    }

    /// Translates an address through a prepared stage-1 bank.
    fn look(
        &mut self,
        memory: &mut Memory,
        bank: usize,
        access: Access,
        address: u64,
        reach: Reach,
    ) -> Result<ParResult, Stopped> {
        let Some(Ok(setting)) = &self.settings[bank] else {
            unreachable!("the setting was just prepared");
        };
        let description = &self.implementation.description;
        let privilege = if setting.privileged { Privilege::Privileged } else { access.privilege };
        let access = Access { privilege, ..access };
        let demand = Demand { access, attributes: Attributes::INCOMING };
        let mut parts = Parts {
            description,
            stages: Stages {
                memory,
                tlb: &mut self.tlb,
                counters: &mut self.counters,
                writes: &mut self.flag_writes,
                caching: self.caching,
                log: &mut Silent,
            },
        };
        let found = answer(&mut parts, setting, address, demand, reach);
        self.write_flags(memory);
        found
    }
}

fn scheme_of(setting: &Setting, fault: &ContextFault) -> Scheme {
    match setting.second {
        Some((bank, scheme)) if bank == usize::from(fault.bank) => scheme,
        _ => setting.scheme,
    }
}

/// IHI 0062 D.c 3.8.4, 4.1.1: the address is not sign-extended, and must be one that a device could
/// put on the bus.
fn answer(
    parts: &mut Parts<'_, Silent>,
    setting: &Setting,
    address: u64,
    demand: Demand,
    reach: Reach,
) -> Result<ParResult, Stopped> {
    let description = parts.description;
    let early = |kind| {
        Stopped::ParResult(ContextFault {
            bank: setting.first as u8,
            kind,
            level: setting.scheme.first_level(description),
            nested_in: None,
            on_stage1_walk: false,
            ipa: None,
        })
    };
    let v2 = parts.description.is_v2();
    let wide = setting.scheme != Scheme::Aarch64 && address >> 32 != 0;
    if wide || on_the_bus(address, parts.description).is_none() {
        return Err(early(ContextFaultKind::Translation));
    }
    let stopped = |fault: ContextFault| match fault.nested_in {
        None => Stopped::ParResult(fault),
        Some(_) => Stopped::Stage2(fault),
    };
    let result_of = |leaf_lg2, output, attributes| ParResult {
        scheme: setting.scheme,
        output,
        attributes,
        leaf_lg2,
        v2,
    };
    match (&setting.stage1, reach) {
        (Some(stage1), Reach::Stage1) => {
            let first = parts.stages.first(stage1, setting.stage2.as_ref(), address, demand.access);
            match first {
                Ok(first) => Ok(result_of(first.leaf.lg2, first.output, first.attributes)),
                Err(refusal) => {
                    Err(stopped(fault_of(parts.description, setting, &refusal, address)))
                }
            }
        }
        (None, Reach::Stage1) if address >> setting.stage1_bits.min(63) != 0 => {
            Err(early(ContextFaultKind::AddressSize))
        }
        (None, Reach::Stage1) => Ok(result_of(0, address, setting.off.apply(demand.attributes))),
        (_, Reach::Both) => match both(parts, setting, address, demand) {
            Ok(found) => {
                let answer = found.answer;
                Ok(result_of(u32::from(answer.lg2), answer.pa.get(), answer.attributes))
            }
            Err(fault) => Err(stopped(fault)),
        },
    }
}

#[cfg(test)]
mod tests;
