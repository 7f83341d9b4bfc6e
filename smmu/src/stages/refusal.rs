//! Why an address was not translated.

use crate::regime::{OnFault, Stage1, Stage2};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::pgtable::walk::Fault;
use passim_model::{Abort, PhysAddr};

/// The kind of fault. Each version of the SMMU has its own name for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Nothing maps the address, or no table can.
    Translation,
    /// An address exceeds the address size.
    AddressSize,
    /// The access flag is clear.
    AccessFlag,
    /// The access is not permitted.
    Permission,
    /// The read of a descriptor aborted.
    WalkAbort,
    /// The TLB holds several translations.
    Conflict,
}

/// What lies at the address that was not translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum About {
    /// A context descriptor.
    Context,
    /// A stage-1 descriptor.
    Table,
    /// The target of the transaction.
    Input,
}

/// Why an address was not translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
    pub(crate) about: About,
    /// The input address of stage 2.
    pub(crate) ipa: Option<u64>,
    pub(crate) fetch: Option<PhysAddr>,
    /// The address, before stage 2, of a stage-1 descriptor whose read aborted.
    pub(crate) descriptor: Option<u64>,
    pub(crate) level: Option<i8>,
    /// The access to a stage-1 descriptor that stage 2 refused was a write.
    pub(crate) table_write: bool,
    pub(crate) on_fault: OnFault,
}

impl Refusal {
    /// A fault that no configuration governs: abort and record.
    const PLAIN: Self = Self {
        kind: Kind::AddressSize,
        stage: Stage::One,
        about: About::Input,
        ipa: None,
        fetch: None,
        descriptor: None,
        level: None,
        table_write: false,
        on_fault: OnFault::ABORT_AND_RECORD,
    };

    /// An address too large for a bypassed stage 1. IHI 0070 G.b 3.4, 7.3.14: a stage-1 fault that
    /// no configuration suppresses.
    #[cold]
    pub(crate) fn beyond_bypass() -> Self {
        Self::PLAIN
    }

    /// Several TLB entries for one address. IHI 0070 G.b 3.20.1.
    #[cold]
    pub(crate) fn conflict(stage: Stage, ipa: Option<u64>) -> Self {
        Self { kind: Kind::Conflict, stage, ipa, ..Self::PLAIN }
    }

    /// The read of a stage-1 descriptor aborted. IHI 0070 G.b 7.3.12: CLASS is TT.
    #[cold]
    pub(super) fn aborted(stage1: &Stage1, level: i8, descriptor: u64, Abort(at): Abort) -> Self {
        Self {
            about: About::Table,
            fetch: Some(at),
            descriptor: Some(descriptor),
            level: Some(level),
            on_fault: OnFault::ABORT_AND_RECORD,
            ..at_stage1(stage1, Kind::WalkAbort)
        }
    }
}

#[cold]
pub(super) fn at_stage1(stage1: &Stage1, kind: Kind) -> Refusal {
    Refusal { kind, on_fault: stage1.on_fault, ..Refusal::PLAIN }
}

#[cold]
pub(super) fn at_stage2(stage2: &Stage2, kind: Kind, ipa: u64) -> Refusal {
    // IHI 0070 G.b 5.5: only the four translation faults follow the fault configuration.
    let on_fault =
        if kind == Kind::WalkAbort { OnFault::ABORT_AND_RECORD } else { stage2.on_fault };
    Refusal { kind, stage: Stage::Two, ipa: Some(ipa), on_fault, ..Refusal::PLAIN }
}

/// The refusal of a faulting stage-1 walk.
#[cold]
pub(super) fn of_walk<F>(stage1: &Stage1, fault: &Fault<F>) -> Refusal {
    let (kind, level) = match *fault {
        Fault::Translation { level } => (Kind::Translation, level),
        Fault::AddressSize { level } => (Kind::AddressSize, level),
        Fault::AccessFlag { level } => (Kind::AccessFlag, level),
        Fault::Fetch { level, .. } => (Kind::WalkAbort, level),
    };
    Refusal { level: Some(level), ..at_stage1(stage1, kind) }
}
