//! Transactions that stalled, and for which nobody has a handler.
//!
//! Linux lets only devices stall that firmware says can, and those of an SMMU that stalls whether
//! or not it is asked to. VFIO has no handler for their faults.

use super::SmmuV3;
use super::command::Command;
use super::probe::Stalls;
use super::queue::{Ending, Submitted};
use super::wire::{EVT_ID_STALLING, Evtq0, Evtq1};
use crate::policy::Smmu3Stalls;
use passim_model::{Host, StreamId};

impl SmmuV3 {
    /// Ends what these events say has stalled.
    // arm_smmu_handle_evt, arm_smmu_page_response: nobody cares, so the transaction aborts; no
    // SYNC follows, it would do nothing for CMD_RESUME.
    pub(super) fn end_stalled(&mut self, events: &[[u64; 4]], host: &mut impl Host) {
        if self.features.stalls != Stalls::Forced || self.stalls == Smmu3Stalls::Left {
            return;
        }
        let stage2 = self.features.stage2_stalls;
        self.unresumed.extend(events.iter().filter_map(|event| resume(event, stage2)));
        let commands = core::mem::take(&mut self.unresumed);
        for (at, command) in commands.iter().enumerate() {
            // Linux waits for room; here what finds none is tried with the next event.
            if self.submit(&[*command], Ending::Open, host) == Submitted::Full {
                self.unresumed = commands[at..].to_vec();
                return;
            }
        }
    }
}

/// The command an event calls for. Kernels under which `stage2` does not stall take its tables to
/// be complete: what stalls there is left.
fn resume(event: &[u64; 4], stage2: bool) -> Option<Command> {
    let [first, second, ..] = *event;
    let is_fault = EVT_ID_STALLING.contains(&Evtq0::ID.get(first));
    let calls = is_fault && Evtq1::STALL.is_set(second) && (stage2 || !Evtq1::S2.is_set(second));
    let stream = StreamId::new(Evtq0::SID.get(first) as u32);
    calls.then(|| Command::resume_abort(stream, Evtq1::STAG.get(second)))
}

#[cfg(test)]
mod tests;
