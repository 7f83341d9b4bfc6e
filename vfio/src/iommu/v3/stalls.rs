//! Stalled transactions without a fault handler.
//!
//! Linux lets only those devices stall that firmware lists, and all devices of an SMMU that always
//! stalls. VFIO has no handler for their faults.

use super::SmmuV3;
use super::command::Command;
use super::probe::Stalls;
use super::queue::{Ending, Submitted};
use super::wire::{EVT_ID_STALLING, Evtq0, Evtq1};
use crate::policy::Smmu3Stalls;
use passim_model::{Host, StreamId};

impl SmmuV3 {
    /// Terminates the transactions that these events report as stalled.
    // arm_smmu_handle_evt, arm_smmu_page_response: without a handler the transaction aborts; no
    // SYNC follows, it would do nothing for CMD_RESUME.
    pub(super) fn end_stalled(&mut self, events: &[[u64; 4]], host: &mut impl Host) {
        if self.features.stalls != Stalls::Forced || self.stalls == Smmu3Stalls::Left {
            return;
        }
        let stage2 = self.features.stage2_stalls;
        self.unresumed.extend(events.iter().filter_map(|event| resume(event, stage2)));
        let commands = core::mem::take(&mut self.unresumed);
        for (at, command) in commands.iter().enumerate() {
            // Linux waits for room; here a command that does not fit is retried with the next
            // event.
            if self.submit(&[*command], Ending::Open, host) == Submitted::Full {
                self.unresumed = commands[at..].to_vec();
                return;
            }
        }
    }
}

/// The command that answers an event. Kernels under which `stage2` does not stall assume that its
/// tables are complete: a transaction that stalls there is left stalled.
fn resume(event: &[u64; 4], stage2: bool) -> Option<Command> {
    let [first, second, ..] = *event;
    let is_fault = EVT_ID_STALLING.contains(&Evtq0::ID.get(first));
    let calls = is_fault && Evtq1::STALL.is_set(second) && (stage2 || !Evtq1::S2.is_set(second));
    let stream = StreamId::new(Evtq0::SID.get(first) as u32);
    calls.then(|| Command::resume_abort(stream, Evtq1::STAG.get(second)))
}

#[cfg(test)]
mod tests;
