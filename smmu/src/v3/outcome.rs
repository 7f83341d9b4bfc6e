//! Outcomes of transactions.
//!
//! Types only: `translate` decides which outcome it is.

use super::eventq::{Event, Record};
use crate::regime::Response;
use crate::transaction::{Transaction, Translated};

/// Why a transaction was terminated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// The SMMU is disabled and GBPA.ABORT is set. Nothing is recorded.
    GlobalAbort,
    /// The address is beyond the output size and nothing translates it: the SMMU is disabled, or
    /// the transaction is translated already. Nothing is recorded.
    BeyondOutputSize,
    /// STE.Config is 0b0xx. Nothing is recorded.
    StreamAborts,
    /// The SMMU is in service failure mode. Nothing is recorded. IHI 0070 G.b 12.3.
    ServiceFailure,
    /// It had stalled, and software ended it: CMD_RESUME, CMD_STALL_TERM, or SMMUEN cleared.
    EndedBySoftware,
    /// An error or a fault, and how it was recorded.
    Event(Event, Record),
}

/// A terminated transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Terminated {
    /// The response to the device.
    pub response: Response,
    /// Why.
    pub cause: Cause,
}

/// A stalled transaction, which waits for software. IHI 0070 G.b 3.12.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stalled {
    /// Names it in [`Resolved`].
    pub ticket: u64,
    /// The fault; [`Event::stall`] is the STAG, once it has one.
    pub event: Event,
    /// How the fault was recorded.
    pub record: Record,
}

/// The outcome of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It proceeds.
    Translated(Translated),
    /// It is terminated.
    Terminated(Terminated),
    /// It stalls.
    Stalled(Stalled),
}

/// The end of a transaction that had stalled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Resolved {
    /// The name it was given when it stalled.
    pub ticket: u64,
    /// The transaction.
    pub transaction: Transaction,
    /// Its outcome; never [`Outcome::Stalled`].
    pub outcome: Outcome,
}
