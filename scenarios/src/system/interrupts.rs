//! Interrupts reach the kernel.
//!
//! On a machine with a GICv2 a CPU that is interrupted goes to its controller to learn by what.
//! Where the controller is not on the board, the kernel is told which of an SMMU's interrupts came.

use passim_model::{Effect, IntId, event};

use super::{Pace, System};

/// What an interrupt of an SMMU is about.
enum Source {
    Events(usize),
    Errors(usize),
}

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
        for _ in 0..MOST_INTERRUPTIONS {
            let Some((cpu, _)) = self.board.interrupted() else { break };
            self.kernel.interrupt(cpu.get(), &mut self.board);
        }
        for effect in self.board.take_effects() {
            let Effect::Wire(intid) = effect else { continue };
            match self.source_of(intid) {
                Some(Source::Events(smmu)) => {
                    let events = self.kernel.event_interrupt(smmu, &mut self.board);
                    tracing::debug!(target: event::QUEUE, smmu, taken = events.len(), "events");
                }
                Some(Source::Errors(smmu)) => self.kernel.error_interrupt(smmu, &mut self.board),
                None => {}
            }
        }
    }

    fn source_of(&self, intid: IntId) -> Option<Source> {
        (0..self.board.smmus()).find_map(|index| {
            let wires = self.board.smmu(index)?.implementation().wires;
            if wires.event_queue == Some(intid) {
                Some(Source::Events(index))
            } else if wires.global_error == Some(intid) {
                Some(Source::Errors(index))
            } else {
                None
            }
        })
    }
}
