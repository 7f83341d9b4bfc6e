//! The CPU interface, reached by system registers. IHI 0069 H 12.2.

use super::wire::{IccCtlr, SPURIOUS};
use crate::priority::{self, IDLE, LEAST_BINARY_POINT, Served, binary_point};
use passim_model::IntId;

/// A system register of the CPU interface.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SystemRegister {
    /// ICC_PMR_EL1: the priority mask.
    Pmr,
    /// ICC_RPR_EL1: the running priority.
    Rpr,
    /// ICC_CTLR_EL1.
    Ctlr,
    /// ICC_SRE_EL1: only system registers access the interface.
    Sre,
    /// ICC_DIR_EL1: deactivates an interrupt.
    Dir,
    /// ICC_SGI0R_EL1: requests a Group 0 SGI.
    Sgi0r,
    /// ICC_SGI1R_EL1: requests an SGI, of the groups in [`SgiGroups`](super::SgiGroups).
    Sgi1r,
    /// ICC_ASGI1R_EL1: requests an SGI of the other Security state; with one Security state, a
    /// Group 0 SGI.
    Asgi1r,
    /// ICC_IAR0_EL1: acknowledges an interrupt, Group 0.
    Iar0,
    /// ICC_IAR1_EL1: acknowledges an interrupt, Group 1.
    Iar1,
    /// ICC_EOIR0_EL1: ends an interrupt, Group 0.
    Eoir0,
    /// ICC_EOIR1_EL1: ends an interrupt, Group 1.
    Eoir1,
    /// ICC_HPPIR0_EL1: the highest pending interrupt, Group 0.
    Hppir0,
    /// ICC_HPPIR1_EL1: the highest pending interrupt, Group 1.
    Hppir1,
    /// ICC_BPR0_EL1: the binary point, Group 0.
    Bpr0,
    /// ICC_BPR1_EL1: the binary point, Group 1.
    Bpr1,
    /// ICC_IGRPEN0_EL1.
    Igrpen0,
    /// ICC_IGRPEN1_EL1.
    Igrpen1,
    /// ICC_AP0R0_EL1: active priorities, Group 0.
    Ap0r0,
    /// ICC_AP1R0_EL1: active priorities, Group 1.
    Ap1r0,
}

/// An interrupt that waits for a CPU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Waiting {
    /// Its INTID.
    pub intid: IntId,
    /// Its priority; lower numbers are more urgent.
    pub priority: u8,
    /// Whether it is in Group 1.
    pub group1: bool,
}

/// A CPU interface.
#[derive(Clone, Debug)]
pub(super) struct CpuInterface {
    pmr: u8,
    ctlr: u64,
    /// Binary points of the groups.
    bpr: [u8; 2],
    enabled: [bool; 2],
    served: [Served; 2],
    intid_bits: u32,
    range_selector: bool,
}

impl CpuInterface {
    pub(super) fn new(intid_bits: u32, range_selector: bool) -> Self {
        Self {
            pmr: 0,
            ctlr: 0,
            bpr: [LEAST_BINARY_POINT, LEAST_BINARY_POINT + 1],
            enabled: [false; 2],
            served: [Served::default(); 2],
            intid_bits,
            range_selector,
        }
    }

    /// The groups that the interface enables: 0, 1.
    pub(super) fn groups(&self) -> (bool, bool) {
        (self.enabled[0], self.enabled[1])
    }

    /// Whether the interrupt is signalled to the CPU now.
    pub(super) fn signals(&self, waiting: &Waiting) -> bool {
        let preempts = match priority::running(self.served[0], self.served[1]) {
            None => true,
            Some(running) => self.group_priority(waiting) < running,
        };
        waiting.priority < self.pmr && preempts
    }

    fn group_priority(&self, waiting: &Waiting) -> u8 {
        let own = waiting.group1 && !IccCtlr::CBPR.is_set(self.ctlr);
        let subpriority_bits = if own { self.bpr[1] } else { self.bpr[0] + 1 };
        priority::group_part(waiting.priority, subpriority_bits)
    }

    /// The CPU acknowledges the interrupt.
    pub(super) fn take(&mut self, waiting: &Waiting) {
        let group_priority = self.group_priority(waiting);
        self.served[usize::from(waiting.group1)].take(group_priority);
    }

    /// The CPU ends an interrupt of a group. Returns whether that also deactivates it; `None` if no
    /// priority of the group is active.
    pub(super) fn end(&mut self, group1: bool) -> Option<bool> {
        let served = &mut self.served[usize::from(group1)];
        served.highest()?;
        served.drop_highest();
        Some(!self.ends_apart())
    }

    /// EOImode: deactivation is a separate operation.
    pub(super) fn ends_apart(&self) -> bool {
        IccCtlr::EOI_MODE.is_set(self.ctlr)
    }

    /// A read without effect on interrupts.
    pub(super) fn read(&self, register: SystemRegister) -> u64 {
        let running = priority::running(self.served[0], self.served[1]);
        match register {
            SystemRegister::Pmr => u64::from(self.pmr),
            SystemRegister::Rpr => u64::from(running.unwrap_or(IDLE)),
            SystemRegister::Ctlr => {
                self.ctlr
                    | IccCtlr::PRI_BITS.of(u64::from(priority::BITS - 1))
                    | IccCtlr::ID_BITS.of(u64::from(self.intid_bits > 16))
                    | IccCtlr::A3V.flag(true)
                    | IccCtlr::RSS.flag(self.range_selector)
            }
            // IHI 0069 H 12.2 (ICC_SRE_EL1): SRE, DFB and DIB, all fixed.
            SystemRegister::Sre => 0b111,
            SystemRegister::Bpr0 => u64::from(self.bpr[0]),
            SystemRegister::Bpr1 if IccCtlr::CBPR.is_set(self.ctlr) => {
                u64::from((self.bpr[0] + 1).min(7))
            }
            SystemRegister::Bpr1 => u64::from(self.bpr[1]),
            SystemRegister::Igrpen0 => u64::from(self.enabled[0]),
            SystemRegister::Igrpen1 => u64::from(self.enabled[1]),
            SystemRegister::Ap0r0 => u64::from(self.served[0].0),
            SystemRegister::Ap1r0 => u64::from(self.served[1].0),
            SystemRegister::Iar0
            | SystemRegister::Iar1
            | SystemRegister::Hppir0
            | SystemRegister::Hppir1 => u64::from(SPURIOUS),
            SystemRegister::Dir
            | SystemRegister::Sgi0r
            | SystemRegister::Sgi1r
            | SystemRegister::Asgi1r
            | SystemRegister::Eoir0
            | SystemRegister::Eoir1 => 0,
        }
    }

    /// A write without effect on interrupts.
    pub(super) fn write(&mut self, register: SystemRegister, value: u64) {
        match register {
            SystemRegister::Pmr => self.pmr = priority::implemented(value as u8),
            SystemRegister::Ctlr => {
                let fields = [IccCtlr::CBPR, IccCtlr::EOI_MODE];
                self.ctlr = fields.iter().fold(0, |word, field| word | field.in_place(value));
            }
            SystemRegister::Bpr0 => {
                self.bpr[0] = binary_point(value as u32, LEAST_BINARY_POINT);
            }
            // IHI 0069 H 12.2 (ICC_BPR1_EL1): with a common binary point the write is ignored.
            SystemRegister::Bpr1 if !IccCtlr::CBPR.is_set(self.ctlr) => {
                self.bpr[1] = binary_point(value as u32, LEAST_BINARY_POINT + 1);
            }
            SystemRegister::Igrpen0 => self.enabled[0] = value & 1 != 0,
            SystemRegister::Igrpen1 => self.enabled[1] = value & 1 != 0,
            SystemRegister::Ap0r0 => self.served[0] = Served(value as u32),
            SystemRegister::Ap1r0 => self.served[1] = Served(value as u32),
            _ => {}
        }
    }
}
