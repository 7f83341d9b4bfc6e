//! Outcomes of transactions, and faults.
//!
//! Types only: `translate` decides which fault it is, `fault` how it is reported.

use crate::regime::Response;
pub use crate::transaction::{Path, Transaction, Translated};
use passim_model::Ipa;

/// A fault of a context bank. IHI 0062 D.c 3.7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ContextFaultKind {
    /// FSR.TF.
    Translation,
    /// FSR.AFF.
    AccessFlag,
    /// FSR.PF.
    Permission,
    /// FSR.EF: the read of a descriptor aborted.
    External,
    /// FSR.TLBMCF: several TLB entries.
    TlbConflict,
    /// FSR.ASF: an address with too many bits.
    AddressSize,
    /// FSR.UUT: an input address that the upstream bus cannot carry.
    UnsupportedUpstream,
}

/// A context fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ContextFault {
    /// The bank it belongs to.
    pub bank: u8,
    /// Its kind.
    pub kind: ContextFaultKind,
    /// FSYNR0.PLVL: the level of the tables, 0 to 3.
    pub level: u8,
    /// The stage-1 bank of a pair whose stage 2 faults.
    pub nested_in: Option<u8>,
    /// FSYNR0.S1PTWF: stage 2 refused a descriptor of stage 1.
    pub on_stage1_walk: bool,
    /// IPAFAR: the input address of stage 2.
    pub ipa: Option<Ipa>,
}

/// A fault that belongs to no context bank. IHI 0062 D.c 3.8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GlobalFaultKind {
    /// GFSR.ICF.
    InvalidContext,
    /// GFSR.USF.
    UnidentifiedStream,
    /// GFSR.SMCF.
    StreamMatchConflict,
    /// GFSR.UCBF.
    UnimplementedBank,
    /// GFSR.UCIF: beside a context fault whose interrupt does not exist.
    UnimplementedInterrupt,
}

/// A global fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GlobalFault {
    /// Its kind.
    pub kind: GlobalFaultKind,
    /// GFSYNR0.Nested.
    pub nested: bool,
}

/// How a fault was recorded. IHI 0062 D.c 3.3: the first is recorded in full, later ones only set
/// MULTI.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// In the status, address and syndrome registers.
    Written,
    /// An earlier fault is recorded: MULTI is set.
    Multiple,
    /// An earlier fault is recorded, and HUPCF = 0: nothing changes. An earlier fault stops
    /// transactions before translation, so none ends with this.
    Suppressed,
}

/// Why a transaction was terminated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// A context fault.
    Context(ContextFault, Record),
    /// A global fault.
    Global(GlobalFault, Record),
    /// An earlier fault of this bank is outstanding (HUPCF = 0). IHI 0062 D.c 3.7.3.
    Outstanding {
        /// The bank.
        bank: u8,
    },
    /// It had stalled, and software ended it through RESUME.
    EndedBySoftware,
}

/// A terminated transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Terminated {
    /// The response to the device, by CFRE or GFRE.
    pub response: Response,
    /// Why.
    pub cause: Cause,
}

/// Why a transaction waits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WaitsFor {
    /// RESUME: its fault is recorded with SS.
    Resume(ContextFault),
    /// RESUME of another transaction, which stalled this bank.
    Bank(u8),
}

/// A stalled transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stalled {
    /// Names it in [`Resolved`].
    pub ticket: u64,
    /// What it waits for.
    pub waits_for: WaitsFor,
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
