//! Delivers interrupts to the kernel.
//!
//! An interrupted CPU acknowledges at its controller which interrupt it is.

use passim_gic::Signal;
use passim_model::{Endpoint, IntId};

use super::{NoTransfer, Pace, System};

/// Most interrupts that CPUs take in a row: a kernel that does not clear an interrupt would be
/// interrupted for ever.
const MOST_INTERRUPTIONS: u32 = 1 << 8;

/// What a device does to one of its wires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wire {
    /// Asserts it.
    High,
    /// Deasserts it.
    Low,
    /// Asserts it for a moment.
    Pulse,
}

impl From<Wire> for Signal {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::High => Self::High,
            Wire::Low => Self::Low,
            Wire::Pulse => Self::Pulse,
        }
    }
}

impl System {
    /// A device signals one of its wired interrupts: a platform device the one with this index, a
    /// function its pin, which has index 0. Returns the wire's INTID; `None` if the wire is not
    /// connected, or does not exist.
    ///
    /// # Errors
    /// [`NoTransfer::NoDevice`].
    pub fn wire(
        &mut self,
        device: Endpoint,
        index: usize,
        wire: Wire,
    ) -> Result<Option<IntId>, NoTransfer> {
        self.requester(device).ok_or(NoTransfer::NoDevice(device))?;
        let leads = match device {
            Endpoint::Pci(rid) => {
                let slot = self.board.slot_index(rid).filter(|_| index == 0);
                if let Some(slot) = slot {
                    self.assert_pin(slot, wire);
                }
                self.topology.pin(rid).filter(|_| slot.is_some())
            }
            Endpoint::Platform(number) => {
                let device = self.topology.platform(number);
                let leads = device.and_then(|it| it.wires.get(index)?.intid);
                leads.filter(|&intid| self.board.wire(intid, wire.into()))
            }
        };
        self.deliver();
        Ok(leads)
    }

    /// A pin is level-triggered: a pulse is seen only by a controller that samples it at once.
    fn assert_pin(&mut self, slot: usize, wire: Wire) {
        if let Some(function) = self.board.slot_mut(slot) {
            function.registers.set_wants_service(wire != Wire::Low);
        }
        self.board.drive_pin(slot);
        if wire == Wire::Pulse {
            self.assert_pin(slot, Wire::Low);
        }
    }

    /// Lets the kernel serve raised interrupts. At [`Pace::Stepped`] interrupts wait too.
    pub(super) fn deliver(&mut self) {
        if self.board.pace() == Pace::Stepped {
            return;
        }
        self.board.arrive();
        for _ in 0..MOST_INTERRUPTIONS {
            let Some((cpu, _)) = self.board.interrupted() else { break };
            self.kernel.interrupt(cpu.get(), &mut self.board);
        }
        // No part of the board performs the effects that are left.
        drop(self.board.take_effects());
    }
}
