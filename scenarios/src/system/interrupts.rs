//! Interrupts reach the kernel.
//!
//! Those of the SMMUs go the short way: the kernel is told which came.

use passim_model::{Effect, IntId, event};

use super::{Pace, System};

/// What an interrupt of an SMMU is about.
enum Source {
    Events(usize),
    Errors(usize),
}

impl System {
    /// Lets the kernel serve what was raised. Where hardware works only while the CPU waits,
    /// interrupts wait too.
    pub(super) fn deliver(&mut self) {
        if self.board.pace() == Pace::Stepped {
            return;
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
