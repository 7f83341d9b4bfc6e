//! Interrupts and global errors. IHI 0070 G.b 3.18 and 7.5.
//!
//! Not here: the delivery of messages, which is the machine's.

use crate::v3::SmmuV3;
use crate::v3::outcome::Cause;
use crate::v3::wire::regs::{Gerror, IrqCtrl};
use passim_model::bits::Field;
use passim_model::{Effect, IntId, PhysAddr};

/// The wired interrupts, by the INTIDs they lead to, where they exist. Each is edge-triggered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Wires {
    /// The Event queue became non-empty.
    pub event_queue: Option<IntId>,
    /// The PRI queue became non-empty, or took the last request of a group.
    pub pri_queue: Option<IntId>,
    /// A CMD_SYNC that requested the interrupt completed.
    pub command_sync: Option<IntId>,
    /// A global error became active.
    pub global_error: Option<IntId>,
}

/// What raises an interrupt that registers enable and configure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    EventQueue,
    PriQueue,
    GlobalError,
}

/// The sender of a message, by the tag of its messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sender {
    CommandSync = 0,
    EventQueue = 1,
    PriQueue = 2,
    GlobalError = 3,
}

impl Sender {
    const ALL: [(Self, Field); 4] = [
        (Self::CommandSync, Gerror::MSI_CMDQ_ABT_ERR),
        (Self::EventQueue, Gerror::MSI_EVENTQ_ABT_ERR),
        (Self::PriQueue, Gerror::MSI_PRIQ_ABT_ERR),
        (Self::GlobalError, Gerror::MSI_GERROR_ABT_ERR),
    ];
}

impl SmmuV3 {
    /// Raises an interrupt, if it is enabled: a pulse on its wire and a message, as far as the SMMU
    /// has them. IHI 0070 G.b 3.18.2.
    pub(crate) fn interrupt(&mut self, source: Source) {
        let (registers, wires) = (&self.registers, self.implementation.wires);
        let (enable, config, wire, sender) = match source {
            Source::EventQueue => {
                (IrqCtrl::EVENTQ_IRQEN, registers.eventq_irq, wires.event_queue, Sender::EventQueue)
            }
            Source::PriQueue => {
                (IrqCtrl::PRIQ_IRQEN, registers.priq_irq, wires.pri_queue, Sender::PriQueue)
            }
            Source::GlobalError => (
                IrqCtrl::GERROR_IRQEN,
                registers.gerror_irq,
                wires.global_error,
                Sender::GlobalError,
            ),
        };
        if !self.registers.irq_enabled(enable) {
            return;
        }
        self.message(sender, config.address, config.data);
        self.effects.extend(wire.map(Effect::Wire));
    }

    /// Sends a message, if the SMMU sends messages and the address is not zero.
    pub(crate) fn message(&mut self, sender: Sender, address: u64, data: u32) {
        if self.features.msi && address != 0 {
            // IHI 0070 G.b 3.4.3: the address is truncated to the output size, after the check for
            // zero.
            let at = PhysAddr::new(self.features.truncate(address));
            self.effects.push(Effect::Write { at, data, tag: sender as u32 });
        }
    }

    /// Activates a global error. IHI 0070 G.b 7.5.1: an error that is active already is not
    /// logged again, and a failed GERROR message does not raise another.
    pub(crate) fn activate_error(&mut self, error: Field) {
        if self.registers.activate_error(error) && error != Gerror::MSI_GERROR_ABT_ERR {
            self.interrupt(Source::GlobalError);
        }
    }

    /// Reports that a message which the SMMU sent with this tag was aborted: the global error of
    /// its sender becomes active. A tag that no message has is ignored. IHI 0070 G.b 3.18.1, 7.5.
    pub fn message_aborted(&mut self, tag: u32) {
        let sender = Sender::ALL.into_iter().find(|(sender, _)| *sender as u32 == tag);
        if let Some((_, error)) = sender {
            self.activate_error(error);
        }
    }

    /// Enters service failure mode. Until reset, transactions are aborted, stalled ones at once, and
    /// no queue is accessed. IHI 0070 G.b 12.3.
    pub fn fail(&mut self) {
        if !self.failed {
            self.failed = true;
            self.configs.surroundings_changed();
            self.end_stalls(Cause::ServiceFailure, |_| true);
            self.activate_error(Gerror::SFM_ERR);
        }
    }
}
