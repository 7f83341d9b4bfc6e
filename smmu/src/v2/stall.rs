//! Accesses that wait for software: the stall fault model. IHI 0062 D.c 3.7.3.
//!
//! The first fault of a bank stalls it and is recorded; later accesses to the bank wait behind it.
//! RESUME retries or terminates the first access, and retries the others.

use crate::v2::outcome::{
    Cause, ContextFault, Outcome, Resolved, Stalled, Terminated, Transaction, WaitsFor,
};
use crate::v2::{Progress, SmmuV2};
use passim_model::{Effect, Memory};
use std::collections::{BTreeMap, BTreeSet};

/// An access that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Held {
    /// A transaction of a device.
    Transaction(Transaction),
    /// An address translation operation of a stage-1 bank.
    Operation(crate::v2::ats1::Operation),
}

/// What it waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waits {
    /// RESUME of the bank it stalled.
    Resume(ContextFault),
    /// RESUME of a bank that another stalled.
    Bank(usize),
    /// Its turn to be retried.
    Turn,
}

impl Waits {
    fn bank(self) -> Option<usize> {
        match self {
            Self::Resume(fault) => Some(usize::from(fault.bank)),
            Self::Bank(bank) => Some(bank),
            Self::Turn => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: u64,
    held: Held,
    waits: Waits,
}

/// Everything that waits, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Stalls {
    /// By position in the queue.
    waiting: BTreeMap<u64, Waiting>,
    /// Positions whose turn it is.
    turns: BTreeSet<u64>,
    /// Number of waiting operations by bank.
    operations: BTreeMap<usize, u32>,
    next_place: u64,
    next_ticket: u64,
    resolved: Vec<Resolved>,
}

impl Stalls {
    /// Whether an operation of this bank waits. ATSR.ACTIVE.
    pub(crate) fn operation_of(&self, bank: usize) -> bool {
        self.operations.contains_key(&bank)
    }

    fn enter(&mut self, waiting: Waiting) {
        if let Held::Operation(operation) = waiting.held {
            *self.operations.entry(operation.bank).or_default() += 1;
        }
        self.waiting.insert(self.next_place, waiting);
        self.next_place += 1;
    }

    fn leave(&mut self, place: u64) -> Option<Waiting> {
        self.turns.remove(&place);
        let waiting = self.waiting.remove(&place)?;
        if let Held::Operation(operation) = waiting.held
            && let Some(count) = self.operations.get_mut(&operation.bank)
        {
            *count -= 1;
            if *count == 0 {
                self.operations.remove(&operation.bank);
            }
        }
        Some(waiting)
    }
}

impl SmmuV2 {
    /// Queues an access; `ticket`: its ticket, if it waited before.
    pub(crate) fn wait(&mut self, held: Held, ticket: Option<u64>, waits: Waits) -> Outcome {
        let ticket = ticket.unwrap_or_else(|| {
            self.stalls.next_ticket += 1;
            self.stalls.next_ticket
        });
        self.stalls.enter(Waiting { ticket, held, waits });
        let waits_for = match waits {
            Waits::Resume(fault) => WaitsFor::Resume(fault),
            Waits::Bank(bank) => WaitsFor::Bank(bank as u8),
            Waits::Turn => unreachable!("a turn is given, not waited for"),
        };
        Outcome::Stalled(Stalled { ticket, waits_for })
    }

    /// A bank that is stalled, if GSE makes all others wait for it. IHI 0062 D.c 3.7.5.
    pub(crate) fn global_stall(&self) -> Option<usize> {
        use crate::v2::wire::global::Cr0;
        if !self.can_stall() || !self.globals.has(Cr0::GSE) {
            return None;
        }
        self.banks.iter().position(|bank| bank.is_stalled())
    }

    /// The outcomes of transactions that had stalled, oldest first. Each is returned once.
    pub fn take_resolved(&mut self) -> Vec<Resolved> {
        core::mem::take(&mut self.stalls.resolved)
    }

    /// Tickets of the transactions that wait, oldest first.
    pub fn stalled(&self) -> Vec<u64> {
        let transactions = self
            .stalls
            .waiting
            .values()
            .filter(|waiting| matches!(waiting.held, Held::Transaction(_)));
        transactions.map(|waiting| waiting.ticket).collect()
    }

    /// A store to RESUME. IHI 0062 D.c 16.5.28: without a stall it is ignored.
    pub(crate) fn resume(&mut self, bank: usize, terminate: bool) {
        if !self.banks[bank].is_stalled() {
            return;
        }
        self.banks[bank].set_stalled(false);
        let mut ended = None;
        for (&at, waiting) in &mut self.stalls.waiting {
            if waiting.waits.bank() != Some(bank) {
                continue;
            }
            if terminate && matches!(waiting.waits, Waits::Resume(_)) {
                ended = Some(at);
            } else {
                waiting.waits = Waits::Turn;
                self.stalls.turns.insert(at);
            }
        }
        let ended = ended.and_then(|at| self.stalls.leave(at));
        let Some(Waiting { ticket, held, .. }) = ended else { return };
        match held {
            Held::Transaction(transaction) => {
                // IHI 0062 D.c 3.7.3: not recorded again.
                let response = self.report(bank);
                let terminated = Terminated { response, cause: Cause::EndedBySoftware };
                self.let_go(ticket, transaction, Outcome::Terminated(terminated));
            }
            Held::Operation(operation) => self.operation_ended(operation),
        }
    }

    fn let_go(&mut self, ticket: u64, transaction: Transaction, outcome: Outcome) {
        self.effects.push(Effect::Resume(transaction.requester.stream));
        self.stalls.resolved.push(Resolved { ticket, transaction, outcome });
    }

    /// Retries the oldest access whose turn it is.
    pub(crate) fn retry_one(&mut self, memory: &mut Memory) -> Progress {
        let first = self.stalls.turns.first().copied();
        let Some(Waiting { ticket, held, .. }) = first.and_then(|at| self.stalls.leave(at)) else {
            return Progress::Idle;
        };
        match held {
            Held::Transaction(transaction) => {
                let outcome = self.attempt(memory, &transaction, Some(ticket));
                if !matches!(outcome, Outcome::Stalled(_)) {
                    self.let_go(ticket, transaction, outcome);
                }
            }
            Held::Operation(operation) => self.operate(memory, operation, Some(ticket)),
        }
        Progress::Worked
    }
}

#[cfg(test)]
mod tests;
