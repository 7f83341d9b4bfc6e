//! A CPU interface: which interrupt a CPU acknowledges, and its end of interrupt. IHI 0048 B.b 3.2,
//! 3.3, 4.4.

use super::dist::Distributor;
use super::wire::{Acknowledge, InterfaceCtlr, NonSecureCtlr, OF_GROUP1, SPURIOUS, gicc};
use super::{View, Waiting};
use crate::Cpu;
use crate::priority::{self, IDLE, LEAST_BINARY_POINT, Served, binary_point};
use crate::row::FIRST_SPECIAL;
use passim_model::bits::Field;

/// The two sets of acknowledge registers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Registers {
    /// IAR, EOIR, HPPIR.
    Plain,
    /// AIAR, AEOIR, AHPPIR: Group 1.
    Aliased,
}

/// A CPU interface.
#[derive(Clone, Debug)]
pub(super) struct CpuInterface {
    view: View,
    /// In the layout without Security Extensions, for either view.
    ctlr: u64,
    pmr: u8,
    bpr: u8,
    abpr: u8,
    served0: Served,
    served1: Served,
}

impl CpuInterface {
    pub(super) fn new(view: View) -> Self {
        Self {
            view,
            ctlr: 0,
            pmr: match view {
                View::Single => 0,
                View::NonSecure => 0x80,
            },
            bpr: LEAST_BINARY_POINT,
            abpr: LEAST_BINARY_POINT + 1,
            served0: Served::default(),
            served1: Served::default(),
        }
    }

    fn on(&self, field: Field) -> bool {
        field.is_set(self.ctlr)
    }

    /// The most urgent waiting interrupt, whether the CPU may take it now or not.
    fn highest(&self, distributor: &Distributor, cpu: Cpu) -> Option<Waiting> {
        let group0 = self.on(InterfaceCtlr::ENABLE_GRP0);
        let group1 = self.on(InterfaceCtlr::ENABLE_GRP1);
        distributor.highest(cpu, group0, group1)
    }

    /// The interrupt that is signalled to the CPU. IHI 0048 B.b 3.3.
    pub(super) fn signalled(&self, distributor: &Distributor, cpu: Cpu) -> Option<Waiting> {
        let waiting = self.highest(distributor, cpu)?;
        let preempts = match self.running() {
            None => true,
            Some(running) => self.group_priority(&waiting) < running,
        };
        (waiting.priority < self.pmr && preempts).then_some(waiting)
    }

    pub(super) fn is_fiq(&self, waiting: &Waiting) -> bool {
        !waiting.group1 && self.on(InterfaceCtlr::FIQ_EN)
    }

    /// The running priority, a group priority.
    fn running(&self) -> Option<u8> {
        priority::running(self.served0, self.served1)
    }

    /// The part of a priority that decides preemption. IHI 0048 B.b 3.3.3: Group 1's binary point
    /// leaves one subpriority bit less than the same value for Group 0.
    fn group_priority(&self, waiting: &Waiting) -> u8 {
        let own = waiting.group1 && !self.on(InterfaceCtlr::CBPR);
        let subpriority_bits = if own { self.abpr } else { self.bpr + 1 };
        priority::group_part(waiting.priority, subpriority_bits)
    }

    /// A load; GICC_IAR and GICC_AIAR acknowledge.
    pub(super) fn load(&mut self, distributor: &mut Distributor, at: u64, cpu: Cpu) -> u32 {
        let single = self.view == View::Single;
        match at {
            gicc::CTLR => self.load_ctlr(),
            gicc::PMR => u32::from(self.seen(self.pmr)),
            gicc::BPR if single => u32::from(self.bpr),
            gicc::BPR => u32::from(self.non_secure_bpr()),
            gicc::ABPR if single => u32::from(self.abpr),
            gicc::IAR => self.acknowledge(distributor, cpu, Registers::Plain),
            gicc::AIAR if single => self.acknowledge(distributor, cpu, Registers::Aliased),
            gicc::RPR => match self.running() {
                None => u32::from(IDLE),
                Some(running) => u32::from(self.seen(running)),
            },
            gicc::HPPIR => self.named(self.highest(distributor, cpu), Registers::Plain).1,
            gicc::AHPPIR if single => {
                self.named(self.highest(distributor, cpu), Registers::Aliased).1
            }
            gicc::APR if single => self.served0.0,
            gicc::NSAPR if single => self.served1.0,
            // IHI 0048 B.b 4.4.12: Non-secure accesses see the upper half, which is Group 1's.
            gicc::APR => self.served1.0 >> 16,
            gicc::IIDR => distributor.implementation.interface_iidr,
            _ => 0,
        }
    }

    /// A store.
    pub(super) fn store(&mut self, dist: &mut Distributor, at: u64, value: u32, cpu: Cpu) {
        let single = self.view == View::Single;
        match at {
            gicc::CTLR => self.store_ctlr(u64::from(value)),
            gicc::PMR if single => self.pmr = priority::implemented(value as u8),
            // IHI 0048 B.b 4.4.2: Non-secure accesses reach the upper half only, and only while the
            // mask is in it.
            gicc::PMR if self.pmr & 0x80 != 0 => {
                self.pmr = priority::implemented(0x80 | value as u8 >> 1);
            }
            gicc::BPR if single => self.bpr = binary_point(value, LEAST_BINARY_POINT),
            gicc::ABPR if single => self.abpr = binary_point(value, LEAST_BINARY_POINT + 1),
            gicc::BPR => self.abpr = binary_point(value, LEAST_BINARY_POINT + 1),
            gicc::EOIR => self.end(dist, value, cpu, Registers::Plain),
            gicc::AEOIR if single => self.end(dist, value, cpu, Registers::Aliased),
            gicc::APR if single => self.served0 = Served(value),
            gicc::NSAPR if single => self.served1 = Served(value),
            gicc::APR => self.served1 = Served(value << 16),
            gicc::DIR => self.deactivate(dist, value, cpu),
            _ => {}
        }
    }

    /// A priority as accesses see it. IHI 0048 B.b 3.8.1.
    fn seen(&self, priority: u8) -> u8 {
        match self.view {
            View::Single => priority,
            View::NonSecure if priority & 0x80 == 0 => 0,
            View::NonSecure => priority << 1,
        }
    }

    fn non_secure_bpr(&self) -> u8 {
        // IHI 0048 B.b 4.4.3: with a common binary point, Group 0's plus one.
        if self.on(InterfaceCtlr::CBPR) { (self.bpr + 1).min(7) } else { self.abpr }
    }

    fn load_ctlr(&self) -> u32 {
        let word = match self.view {
            View::Single => self.ctlr,
            View::NonSecure => NON_SECURE
                .iter()
                .fold(0, |word, (theirs, ours)| word | theirs.of(ours.get(self.ctlr))),
        };
        word as u32
    }

    fn store_ctlr(&mut self, value: u64) {
        self.ctlr = match self.view {
            View::Single => SINGLE.iter().fold(0, |word, field| word | field.in_place(value)),
            View::NonSecure => NON_SECURE
                .iter()
                .fold(self.ctlr, |word, (theirs, ours)| ours.set(word, theirs.get(value))),
        };
    }

    /// The value an acknowledge register returns for `waiting`, and the interrupt it names, if any.
    /// IHI 0048 B.b 3.2.5, 4.4.4, 4.4.9.
    fn named(&self, waiting: Option<Waiting>, registers: Registers) -> (Option<Waiting>, u32) {
        let Some(waiting) = waiting else { return (None, SPURIOUS) };
        let refused = match (self.view, registers, waiting.group1) {
            (View::Single, Registers::Plain, true) if !self.on(InterfaceCtlr::ACK_CTL) => {
                Some(OF_GROUP1)
            }
            (View::Single, Registers::Aliased, false) | (View::NonSecure, _, false) => {
                Some(SPURIOUS)
            }
            _ => None,
        };
        if let Some(special) = refused {
            return (None, special);
        }
        let requester = waiting.requester.map_or(0, |cpu| u64::from(cpu.get()));
        let word = Acknowledge::INTERRUPT_ID.of(u64::from(waiting.intid.get()))
            | Acknowledge::CPU_ID.of(requester);
        (Some(waiting), word as u32)
    }

    fn acknowledge(&mut self, dist: &mut Distributor, cpu: Cpu, registers: Registers) -> u32 {
        let (taken, word) = self.named(self.signalled(dist, cpu), registers);
        if let Some(waiting) = taken {
            let group_priority = self.group_priority(&waiting);
            let served = if waiting.group1 { &mut self.served1 } else { &mut self.served0 };
            served.take(group_priority);
            dist.acknowledge(cpu, &waiting);
        }
        word
    }

    /// IHI 0048 B.b 4.4.5: the priority drops, and with EOImode 0 the interrupt is deactivated.
    fn end(&mut self, dist: &mut Distributor, value: u32, cpu: Cpu, registers: Registers) {
        let Some((intid, group1)) = self.active(dist, value, cpu) else { return };
        let allowed = match (self.view, registers) {
            (View::Single, Registers::Plain) => !group1 || self.on(InterfaceCtlr::ACK_CTL),
            (View::Single, Registers::Aliased) | (View::NonSecure, _) => group1,
        };
        if !allowed {
            return;
        }
        let served = if group1 { &mut self.served1 } else { &mut self.served0 };
        served.drop_highest();
        if !self.on(self.eoi_mode()) {
            dist.deactivate(cpu, intid);
        }
    }

    /// IHI 0048 B.b 4.4.15.
    fn deactivate(&mut self, dist: &mut Distributor, value: u32, cpu: Cpu) {
        let Some((intid, group1)) = self.active(dist, value, cpu) else { return };
        let reached = group1 || self.view == View::Single;
        if reached && self.on(self.eoi_mode()) {
            dist.deactivate(cpu, intid);
        }
    }

    fn eoi_mode(&self) -> Field {
        match self.view {
            View::Single => InterfaceCtlr::EOI_MODE,
            View::NonSecure => InterfaceCtlr::EOI_MODE_NS,
        }
    }

    /// The active interrupt that a store names, and whether it is in Group 1.
    fn active(&self, dist: &Distributor, value: u32, cpu: Cpu) -> Option<(u32, bool)> {
        let intid = Acknowledge::INTERRUPT_ID.get(u64::from(value)) as u32;
        if intid >= FIRST_SPECIAL || !dist.is_active(cpu, intid) {
            return None;
        }
        let row = dist.row(cpu, (intid / 32) as usize)?;
        Some((intid, row.group1 >> (intid % 32) & 1 != 0))
    }
}

/// The control bits stored without Security Extensions.
const SINGLE: [Field; 10] = [
    InterfaceCtlr::ENABLE_GRP0,
    InterfaceCtlr::ENABLE_GRP1,
    InterfaceCtlr::ACK_CTL,
    InterfaceCtlr::FIQ_EN,
    InterfaceCtlr::CBPR,
    InterfaceCtlr::FIQ_BYP_DIS_GRP0,
    InterfaceCtlr::IRQ_BYP_DIS_GRP0,
    InterfaceCtlr::FIQ_BYP_DIS_GRP1,
    InterfaceCtlr::IRQ_BYP_DIS_GRP1,
    InterfaceCtlr::EOI_MODE,
];

/// The control bits that Non-secure accesses see, each with the stored bit behind it.
const NON_SECURE: [(Field, Field); 4] = [
    (NonSecureCtlr::ENABLE_GRP1, InterfaceCtlr::ENABLE_GRP1),
    (NonSecureCtlr::FIQ_BYP_DIS_GRP1, InterfaceCtlr::FIQ_BYP_DIS_GRP1),
    (NonSecureCtlr::IRQ_BYP_DIS_GRP1, InterfaceCtlr::IRQ_BYP_DIS_GRP1),
    (NonSecureCtlr::EOI_MODE_NS, InterfaceCtlr::EOI_MODE_NS),
];
