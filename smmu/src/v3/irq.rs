//! Interrupts and global errors. IHI 0070 G.b 3.18 and 7.5.

use crate::v3::SmmuV3;
use crate::v3::wire::regs::{Gerror, IrqCtrl};
use passim_model::bits::Field;
use passim_model::{Effect, IntId, PhysAddr};

/// The wired interrupts, where they exist. Each is edge-triggered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Wires {
    /// The Event queue became non-empty.
    pub event_queue: Option<IntId>,
    /// The PRI queue (nothing raises it yet).
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
}
