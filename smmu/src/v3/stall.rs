//! Transactions that wait for software: the stall fault model. IHI 0070 G.b 3.12.2.
//!
//! A stalled transaction stays here until software retries or ends it. A retried transaction is
//! translated as though it had just arrived; [`SmmuV3::take_resolved`] returns its outcome.

use crate::regime::Response;
use crate::transaction::Transaction;
use crate::v3::eventq::{Event, Record};
use crate::v3::outcome::{Cause, Outcome, Resolved, Stalled, Terminated};
use crate::v3::wire::regs::Cr0;
use crate::v3::{Progress, SmmuV3};
use passim_model::{Effect, Memory, StreamId};
use std::collections::BTreeSet;

/// What a stalled transaction waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waits {
    /// A command.
    Command,
    /// Room in the Event queue, or a STAG: its record is not written yet.
    Room,
    /// Its turn to be retried.
    Turn,
}

/// A stalled transaction.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: u64,
    transaction: Transaction,
    stag: Option<u16>,
    waits: Waits,
}

/// The stalled transactions, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Stalls {
    waiting: Vec<Waiting>,
    stags: Stags,
    next_ticket: u64,
    resolved: Vec<Resolved>,
}

/// The free STAGs: those that were given back, and all from `fresh` on.
#[derive(Clone, Default)]
struct Stags {
    returned: BTreeSet<u16>,
    fresh: u32,
}

impl Stags {
    /// The lowest free STAG, below `most`.
    fn lowest(&self, most: u32) -> Option<u16> {
        let fresh = (self.fresh < most.clamp(1, 1 << 16)).then_some(self.fresh as u16);
        self.returned.first().copied().or(fresh)
    }

    /// Allocates the lowest free STAG.
    fn take(&mut self, lowest: u16) {
        if !self.returned.remove(&lowest) {
            self.fresh = u32::from(lowest) + 1;
        }
    }

    fn give_back(&mut self, stag: Option<u16>) {
        self.returned.extend(stag);
    }
}

impl Stalls {
    /// The lowest free STAG, below `most`.
    fn free_stag(&self, most: u32) -> Option<u16> {
        self.stags.lowest(most)
    }

    /// Removes a waiting transaction, and frees its STAG.
    fn remove(&mut self, at: usize) -> Waiting {
        let waiting = self.waiting.remove(at);
        self.stags.give_back(waiting.stag);
        waiting
    }

    fn resolve(&mut self, waiting: &Waiting, outcome: Outcome) {
        let Waiting { ticket, transaction, .. } = *waiting;
        self.resolved.push(Resolved { ticket, transaction, outcome });
    }

    fn end(&mut self, waiting: &Waiting, response: Response, cause: Cause) {
        let terminated = Terminated { response, cause };
        self.resolve(waiting, Outcome::Terminated(terminated));
    }
}

impl SmmuV3 {
    /// Stalls a transaction after a fault, and records the fault if the queue has room.
    pub(crate) fn stall(
        &mut self,
        memory: &mut Memory,
        txn: &Transaction,
        event: Event,
        ticket: Option<u64>,
    ) -> Outcome {
        let ticket = ticket.unwrap_or_else(|| {
            self.stalls.next_ticket += 1;
            self.stalls.next_ticket
        });
        let stag = self.stalls.free_stag(self.features.stall_max);
        let stag = stag.filter(|_| self.event_queue_writable());
        let event = Event { stall: stag, ..event };
        let (waits, record) = match stag {
            // IHI 0070 G.b 7.2.1: a stall that cannot be recorded waits, and is no overflow.
            None => (Waits::Room, Record::Waiting),
            // IHI 0070 G.b 7.2.2: a record lost to an abort is lost; the transaction waits on.
            Some(_) => (Waits::Command, self.record(memory, &event)),
        };
        if let Some(stag) = stag {
            self.stalls.stags.take(stag);
        }
        self.stalls.waiting.push(Waiting { ticket, transaction: *txn, stag, waits });
        Outcome::Stalled(Stalled { ticket, event, record })
    }

    /// The outcomes of transactions that had stalled, oldest first. Each is returned once.
    pub fn take_resolved(&mut self) -> Vec<Resolved> {
        core::mem::take(&mut self.stalls.resolved)
    }

    /// Tickets of the transactions that wait, oldest first.
    pub fn stalled(&self) -> Vec<u64> {
        self.stalls.waiting.iter().map(|waiting| waiting.ticket).collect()
    }

    /// Retries one transaction whose turn it is.
    pub(crate) fn retry_one(&mut self, memory: &mut Memory) -> Progress {
        let waiting = &self.stalls.waiting;
        let asked = waiting.iter().position(|waiting| waiting.waits == Waits::Turn);
        let at = asked.or_else(|| {
            let room = self.event_queue_writable()
                && self.stalls.free_stag(self.features.stall_max).is_some();
            let unrecorded = |waiting: &Waiting| waiting.waits == Waits::Room;
            room.then(|| waiting.iter().position(unrecorded)).flatten()
        });
        let Some(at) = at else {
            return Progress::Idle;
        };
        let waiting = self.stalls.remove(at);
        let outcome = self.translate_slow(memory, &waiting.transaction, Some(waiting.ticket));
        if !matches!(outcome, Outcome::Stalled(_)) {
            self.stalls.resolve(&waiting, outcome);
            self.effects.push(Effect::Resume(waiting.transaction.requester.stream));
        }
        Progress::Worked
    }

    /// CMD_RESUME: retries (`None`) or ends the transaction with this STAG. IHI 0070 G.b 4.7.1: a
    /// STAG that is not the stream's matches nothing.
    pub(crate) fn resume(&mut self, stream: StreamId, stag: u16, end: Option<Response>) {
        let named = |waiting: &Waiting| {
            let owner = waiting.transaction.requester.stream;
            owner == stream && waiting.stag == Some(stag) && waiting.waits == Waits::Command
        };
        let Some(at) = self.stalls.waiting.iter().position(named) else {
            return;
        };
        match end {
            None => {
                // IHI 0070 G.b 4.7.1: the STAG may be used again.
                let waiting = &mut self.stalls.waiting[at];
                let stag = waiting.stag.take();
                waiting.waits = Waits::Turn;
                self.stalls.stags.give_back(stag);
            }
            Some(response) => {
                let waiting = self.stalls.remove(at);
                self.stalls.end(&waiting, response, Cause::EndedBySoftware);
                self.effects.push(Effect::Resume(stream));
            }
        }
    }

    /// Ends every stalled transaction that `named` selects, with an abort: CMD_STALL_TERM, SMMUEN
    /// cleared, and service failure mode. IHI 0070 G.b 4.7.2, 6.3.9.6, 12.3.
    pub(crate) fn end_stalls(&mut self, cause: Cause, named: impl Fn(StreamId) -> bool) {
        let stream = |waiting: &Waiting| waiting.transaction.requester.stream;
        let (ended, kept) =
            self.stalls.waiting.drain(..).partition(|waiting| named(stream(waiting)));
        self.stalls.waiting = kept;
        let ended: Vec<Waiting> = ended;
        for waiting in &ended {
            self.stalls.stags.give_back(waiting.stag);
            self.stalls.end(waiting, Response::Abort, cause);
            self.effects.push(Effect::Resume(stream(waiting)));
        }
    }

    /// Applies a change of CR0 to the transactions that wait.
    pub(crate) fn controls_changed(&mut self) {
        if !self.stalls.waiting.is_empty() && !self.registers.enabled(Cr0::SMMUEN) {
            self.end_stalls(Cause::EndedBySoftware, |_| true);
        }
    }
}

#[cfg(test)]
mod tests;
