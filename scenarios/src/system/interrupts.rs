//! Interrupts reach the kernel.
//!
//! A CPU that is interrupted goes to its controller to learn by what.

use super::{Pace, System};

/// How often CPUs are interrupted before everybody goes on: a kernel that leaves an interrupt
/// where it is would be interrupted for ever.
const MOST_INTERRUPTIONS: u32 = 1 << 8;

impl System {
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
