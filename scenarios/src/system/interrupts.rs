//! Interrupts reach the kernel.
//!
//! A CPU that is interrupted goes to its controller to learn by what.

use passim_gic::Signal;
use passim_model::{Endpoint, IntId};

use super::{NoTransfer, Pace, System};

/// How often CPUs are interrupted before everybody goes on: a kernel that leaves an interrupt
/// where it is would be interrupted for ever.
const MOST_INTERRUPTIONS: u32 = 1 << 8;

/// What a device does to a wire of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wire {
    /// Asserts it.
    High,
    /// Is content.
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
    /// A device asserts one of its wired interrupts, or does not any more: a device on the board
    /// that with this index, a function its pin, which has index 0. Returns where the wire leads;
    /// `None` if it is not known to lead anywhere, or there is none of that index.
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

    /// A pin is of a level: what pulses is seen only where the other end looks at once.
    fn assert_pin(&mut self, slot: usize, wire: Wire) {
        if let Some(function) = self.board.slot_mut(slot) {
            function.registers.set_wants_service(wire != Wire::Low);
        }
        self.board.drive_pin(slot);
        if wire == Wire::Pulse {
            self.assert_pin(slot, Wire::Low);
        }
    }

    /// Lets the kernel serve what was raised. Where hardware works only while the CPU waits,
    /// interrupts wait too.
    pub(super) fn deliver(&mut self) {
        if self.board.pace() == Pace::Stepped {
            return;
        }
        self.board.arrive();
        for _ in 0..MOST_INTERRUPTIONS {
            let Some((cpu, _)) = self.board.interrupted() else { break };
            self.kernel.interrupt(cpu.get(), &mut self.board);
        }
        // What is left, nobody on the board does.
        drop(self.board.take_effects());
    }
}
