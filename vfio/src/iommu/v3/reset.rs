//! Bringing an SMMU up.
//!
//! The order of loads and stores is the one QEMU's log shows for 6.1 and 6.12 alike.

use super::command::Command;
use super::domain::geometry;
use super::events::EventQueue;
use super::ids::Ids;
use super::probe::probe;
use super::queue::{CommandQueue, Ending};
use super::streams::{StreamTable, zeroed_frame};
use super::wire::{ARM_SMMU_SH_ISH, Base, Cr0, Cr1, Cr2, Gbpa, IrqCtrl, offset};
use super::work::{Work, Worklist};
use super::{Findings, SmmuV3};
use crate::iommu::progress::finish;
use crate::iommu::registers::Registers;
use crate::iommu::{BOOT_WAITS, BootError, DomainKind};
use crate::policy::{Policy, Smmu3Asids, Smmu3Reset};
use passim_model::{Frames, Host, PageSize, PhysAddr};

/// Cacheability of queues and tables: write-back.
const CR1_CACHE_WB: u64 = 1;

impl SmmuV3 {
    /// Probes the SMMU with registers at `base`, allocates tables and queues, and turns it on.
    pub(in crate::iommu) fn boot(
        base: PhysAddr,
        policy: &Policy,
        page: PageSize,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Self, BootError> {
        let registers = Registers::new(base);
        let features = probe(registers, policy, page, host)?;
        // The kernel's own domains need it; nesting is checked when a domain is requested.
        let (input_bits, output_bits) = (features.ias, features.oas);
        let none = BootError::NoGeometry { input_bits, output_bits };
        geometry(&features, DomainKind::Paging).ok_or(none)?;
        let commands = zeroed_frame(features.cmdq_lg2 + 4, frames, host)?;
        let events = zeroed_frame(features.evtq_lg2 + 5, frames, host)?;
        let requests = match features.pri {
            true => Some(zeroed_frame(features.priq_lg2 + 4, frames, host)?),
            false => None,
        };
        let streams = StreamTable::new(&features, policy, frames, host)?;
        let mut smmu = Self {
            registers,
            commands: CommandQueue::new(commands, features.cmdq_lg2, features.sync_signal),
            events: EventQueue::new(events, features.evtq_lg2, policy.smmu3_overflow),
            vmids: Ids::new(features.vmid_bits),
            asids: match policy.smmu3_asids {
                Smmu3Asids::OfTheSmmu => Some(Ids::with_zero(features.asid_bits)),
                Smmu3Asids::OfTheMachine => None,
            },
            substreams: policy.smmu3_substreams,
            long_ranges: policy.smmu3_long_ranges,
            messages: policy.smmu3_messages,
            queues: policy.smmu3_queues,
            reset: policy.smmu3_reset,
            unattached: policy.smmu3_unattached,
            descriptors: policy.context_descriptors,
            update: policy.ste_update,
            beyond: policy.beyond_input,
            ats: policy.smmu3_ats,
            stalls: policy.smmu3_stalls,
            unresumed: Vec::new(),
            findings: Findings::default(),
            streams,
            features,
        };
        smmu.turn_off(host)?;
        smmu.give_tables(commands, host)?;
        smmu.forget_everything(host)?;
        smmu.turn_on(events, requests, host)?;
        Ok(smmu)
    }

    /// Disables an SMMU that firmware left running.
    fn turn_off(&self, host: &mut impl Host) -> Result<(), BootError> {
        let cr0 = self.registers.load(offset::CR0, host)?;
        if Cr0::SMMUEN.is_set(cr0) {
            // Traffic must not bypass while translation is off.
            let gbpa = self.registers.load(offset::GBPA, host)?;
            let value = gbpa | Gbpa::ABORT.of(1) | Gbpa::UPDATE.of(1);
            self.registers.store(offset::GBPA, value, host)?;
            self.wait(offset::GBPA, |gbpa| !Gbpa::UPDATE.is_set(gbpa), host)?;
        }
        self.acknowledged(offset::CR0, offset::CR0ACK, 0, host)
    }

    fn give_tables(&self, commands: PhysAddr, host: &mut impl Host) -> Result<(), BootError> {
        let registers = self.registers;
        // Tables and queues in write-back, inner shareable memory: 0xd75.
        let cr1 = Cr1::TABLE_SH.of(ARM_SMMU_SH_ISH)
            | Cr1::TABLE_OC.of(CR1_CACHE_WB)
            | Cr1::TABLE_IC.of(CR1_CACHE_WB)
            | Cr1::QUEUE_SH.of(ARM_SMMU_SH_ISH)
            | Cr1::QUEUE_OC.of(CR1_CACHE_WB)
            | Cr1::QUEUE_IC.of(CR1_CACHE_WB);
        registers.store(offset::CR1, cr1, host)?;
        let e2h = Cr2::E2H.flag(self.features.e2h || self.reset == Smmu3Reset::Early);
        let cr2 = Cr2::PTM.of(1) | Cr2::RECINVSID.of(1) | e2h;
        registers.store(offset::CR2, cr2, host)?;
        let (base, config) = self.streams.registers();
        registers.store_wide(offset::STRTAB_BASE, base, host)?;
        registers.store(offset::STRTAB_BASE_CFG, config, host)?;
        registers.store_wide(
            offset::CMDQ_BASE,
            queue_base(commands, self.features.cmdq_lg2),
            host,
        )?;
        registers.store(offset::CMDQ_PROD, 0, host)?;
        registers.store(offset::CMDQ_CONS, 0, host)?;
        self.acknowledged(offset::CR0, offset::CR0ACK, Cr0::CMDQEN.of(1), host)
    }

    /// Invalidates everything cached before.
    fn forget_everything(&mut self, host: &mut impl Host) -> Result<(), BootError> {
        let el2 = self.features.hyp.then(Command::tlbi_el2_all);
        let tlb = el2.into_iter().chain([Command::tlbi_nsnh_all()]);
        let tlb: Vec<_> = match self.reset {
            Smmu3Reset::Early => vec![tlb.collect()],
            Smmu3Reset::Late => tlb.map(|command| vec![command]).collect(),
        };
        let batches = [vec![Command::cfgi_all()]].into_iter().chain(tlb);
        let submit = |commands| Work::Submit { commands, ending: Ending::Sync };
        let work = Worklist::new(batches.map(submit));
        self.finish(work, host)
    }

    /// Enables the other queues, interrupts, and translation.
    fn turn_on(
        &self,
        events: PhysAddr,
        requests: Option<PhysAddr>,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        let registers = self.registers;
        registers.store_wide(
            offset::EVTQ_BASE,
            queue_base(events, self.features.evtq_lg2),
            host,
        )?;
        registers.store(offset::EVTQ_PROD, 0, host)?;
        registers.store(offset::EVTQ_CONS, 0, host)?;
        let mut cr0 = Cr0::CMDQEN.of(1) | Cr0::EVTQEN.of(1);
        self.acknowledged(offset::CR0, offset::CR0ACK, cr0, host)?;
        let mut irqs = IrqCtrl::EVTQ_IRQEN.of(1) | IrqCtrl::GERROR_IRQEN.of(1);
        if let Some(requests) = requests {
            let base = queue_base(requests, self.features.priq_lg2);
            registers.store_wide(offset::PRIQ_BASE, base, host)?;
            registers.store(offset::PRIQ_PROD, 0, host)?;
            registers.store(offset::PRIQ_CONS, 0, host)?;
            cr0 |= Cr0::PRIQEN.of(1);
            irqs |= IrqCtrl::PRIQ_IRQEN.of(1);
            self.acknowledged(offset::CR0, offset::CR0ACK, cr0, host)?;
        }
        if self.features.ats && self.reset == Smmu3Reset::Late {
            cr0 |= Cr0::ATSCHK.of(1);
            self.acknowledged(offset::CR0, offset::CR0ACK, cr0, host)?;
        }
        self.acknowledged(offset::IRQ_CTRL, offset::IRQ_CTRLACK, 0, host)?;
        // Interrupts are wired: no message address.
        registers.store_wide(offset::GERROR_IRQ_CFG0, 0, host)?;
        registers.store_wide(offset::EVTQ_IRQ_CFG0, 0, host)?;
        if requests.is_some() {
            registers.store_wide(offset::PRIQ_IRQ_CFG0, 0, host)?;
        }
        self.acknowledged(offset::IRQ_CTRL, offset::IRQ_CTRLACK, irqs, host)?;
        self.acknowledged(offset::CR0, offset::CR0ACK, cr0 | Cr0::SMMUEN.of(1), host)
    }

    /// Stores to a control register and waits for its acknowledgement.
    fn acknowledged(
        &self,
        register: u64,
        acknowledge: u64,
        value: u64,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        self.registers.store(register, value, host)?;
        self.wait(acknowledge, |read| read == value, host)
    }

    fn wait(
        &self,
        register: u64,
        good: impl Fn(u64) -> bool,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        for _ in 0..BOOT_WAITS {
            if good(self.registers.load(register, host)?) {
                return Ok(());
            }
            host.relax();
        }
        Err(BootError::NoAcknowledge(register))
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

/// A queue's base register.
fn queue_base(at: PhysAddr, lg2: u32) -> u64 {
    at.get() | Base::RWA.of(1) | Base::LOG2SIZE.of(lg2.into())
}
