//! Interrupts and global errors. IHI 0070 G.b 3.18 and 7.5.

use crate::v3::SmmuV3;
use crate::v3::regs::IrqConfig;
use crate::v3::wire::regs::{Gerror, IrqCtrl};
use passim_model::bits::Field;
use passim_model::{Effect, IntId, PhysAddr};

/// The wired interrupts, where they exist. Each is edge-triggered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Wires {
    /// The Event queue became non-empty.
    pub event_queue: Option<IntId>,
    /// The PRI queue became non-empty, or took the last request of a group.
    pub pri_queue: Option<IntId>,
    /// A CMD_SYNC that asked for it completed.
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

impl SmmuV3 {
    /// Raises an interrupt, if it is enabled: a pulse on its wire and a message, where the SMMU
    /// has the one and the other. IHI 0070 G.b 3.18.2.
    pub(crate) fn interrupt(&mut self, source: Source) {
        let (enable, config, wire) = match source {
            Source::EventQueue => (
                IrqCtrl::EVENTQ_IRQEN,
                self.registers.eventq_irq,
                self.implementation.wires.event_queue,
            ),
            Source::PriQueue => {
                (IrqCtrl::PRIQ_IRQEN, self.registers.priq_irq, self.implementation.wires.pri_queue)
            }
            Source::GlobalError => (
                IrqCtrl::GERROR_IRQEN,
                self.registers.gerror_irq,
                self.implementation.wires.global_error,
            ),
        };
        if !self.registers.irq_enabled(enable) {
            return;
        }
        self.message(config.address, config.data);
        self.effects.extend(wire.map(Effect::Wire));
    }

    /// Sends a message, if the SMMU sends messages and the address is not zero.
    pub(crate) fn message(&mut self, address: u64, data: u32) {
        if self.features.msi && address != 0 {
            // IHI 0070 G.b 3.4.3: the address is cut to the output size, after the check for zero.
            let at = PhysAddr::new(self.features.truncate(address));
            self.effects.push(Effect::Write { at, data });
        }
    }

    /// Activates a global error. IHI 0070 G.b 7.5.1: an error that is active already is not
    /// logged again, and a failed GERROR message does not raise another.
    pub(crate) fn activate_error(&mut self, error: Field) {
        if self.registers.activate_error(error) && error != Gerror::MSI_GERROR_ABT_ERR {
            self.interrupt(Source::GlobalError);
        }
    }

    /// A message this SMMU sent was aborted: the global error of its sender becomes active.
    /// IHI 0070 G.b 3.18.1, 7.5.
    ///
    /// The sender is the queue, or GERROR, whose registers name this address and data; failing
    /// that, a CMD_SYNC.
    pub fn message_aborted(&mut self, at: PhysAddr, data: u32) {
        let registers = &self.registers;
        let named = |config: &IrqConfig| {
            self.features.truncate(config.address) == at.get() && config.data == data
        };
        let senders = [
            (&registers.gerror_irq, Gerror::MSI_GERROR_ABT_ERR),
            (&registers.eventq_irq, Gerror::MSI_EVENTQ_ABT_ERR),
            (&registers.priq_irq, Gerror::MSI_PRIQ_ABT_ERR),
        ];
        let sender = senders.into_iter().find(|(config, _)| named(config));
        let error = sender.map_or(Gerror::MSI_CMDQ_ABT_ERR, |(_, error)| error);
        self.activate_error(error);
    }

    /// Something in the SMMU broke for good: service failure mode. From now on, until reset,
    /// transactions are aborted, and commands and records are not served. IHI 0070 G.b 12.3.
    pub fn fail(&mut self) {
        if !self.failed {
            self.failed = true;
            self.configs.surroundings_changed();
            self.activate_error(Gerror::SFM_ERR);
        }
    }
}
