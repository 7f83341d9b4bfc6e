//! Results of operations, as text for scenarios.
//!
//! Not here: results from an SMMU or an ITS of a bare machine (`bare`).

use passim_model::{Conflict, Refusal};
use passim_smmu::regime::Response;
use passim_smmu::v2;
use passim_smmu::v3::{self, Cause, Detail, Event, Record};
use passim_vfio::call::Answer;

use crate::system::{Stalled, Terminated};

/// `EEXIST map-overlap: what the rule demands (mapping [0x10000, 0x11fff])`.
pub(super) fn refusal(refusal: &Refusal) -> String {
    let Refusal { errno, rule, conflict } = refusal;
    match conflict {
        Conflict::Request => format!("{errno} {}: {}", rule.name, rule.sentence),
        _ => format!("{errno} {}: {} ({conflict})", rule.name, rule.sentence),
    }
}

/// `ok`, or the refusal.
pub(super) fn plain(answer: &Answer) -> String {
    match &answer.ret {
        Ok(_) => "ok".to_owned(),
        Err(refused) => refusal(refused),
    }
}

/// `what 3`, or the refusal.
pub(super) fn value(what: &str, answer: &Answer) -> String {
    match &answer.ret {
        Ok(value) => format!("{what} {value}"),
        Err(refused) => refusal(refused),
    }
}

/// `F_TRANSLATION stage 1 level 3, recorded`; `context fault: translation, level 3, bank 0,
/// recorded`.
pub(super) fn terminated(terminated: &Terminated) -> String {
    let (what, response) = match terminated {
        Terminated::V3(terminated) => (terminated_v3(terminated), terminated.response),
        Terminated::V2(terminated) => (terminated_v2(terminated), terminated.response),
    };
    match response {
        Response::Abort => what,
        Response::RazWi => format!("{what}; reads as zero, writes are ignored"),
    }
}

/// `F_TRANSLATION stage 1 level 3, recorded; stalled, STAG 0`.
pub(super) fn stalled(stalled: &Stalled) -> String {
    match stalled {
        Stalled::V3(stalled) => stalled_v3(stalled),
        Stalled::V2(stalled) => match &stalled.waits_for {
            v2::WaitsFor::Resume(fault) => format!("{}, recorded; stalled", context_fault(fault)),
            v2::WaitsFor::Bank(bank) => format!("stalled behind the fault of bank {bank}"),
        },
    }
}

fn terminated_v2(terminated: &v2::Terminated) -> String {
    match &terminated.cause {
        v2::Cause::Context(fault, record) => {
            format!("{}, {}", context_fault(fault), record_v2(*record))
        }
        v2::Cause::Global(fault, record) => {
            let what = match fault.kind {
                v2::GlobalFaultKind::InvalidContext => "invalid context",
                v2::GlobalFaultKind::UnidentifiedStream => "unidentified stream",
                v2::GlobalFaultKind::StreamMatchConflict => "stream match conflict",
                v2::GlobalFaultKind::UnimplementedBank => "unimplemented context bank",
                v2::GlobalFaultKind::UnimplementedInterrupt => "unimplemented context interrupt",
            };
            format!("global fault: {what}, {}", record_v2(*record))
        }
        v2::Cause::Outstanding { bank } => {
            format!("terminated: an earlier fault of bank {bank} is outstanding, not recorded")
        }
        v2::Cause::EndedBySoftware => "stalled, and ended by software".to_owned(),
    }
}

/// `context fault: translation, level 3, bank 0`: the names of the bits of FSR in full.
fn context_fault(fault: &v2::ContextFault) -> String {
    let what = match fault.kind {
        v2::ContextFaultKind::Translation => "translation",
        v2::ContextFaultKind::AccessFlag => "access flag",
        v2::ContextFaultKind::Permission => "permission",
        v2::ContextFaultKind::External => "external",
        v2::ContextFaultKind::TlbConflict => "TLB conflict",
        v2::ContextFaultKind::AddressSize => "address size",
        v2::ContextFaultKind::UnsupportedUpstream => "unsupported upstream address",
    };
    format!("context fault: {what}, level {}, bank {}", fault.level, fault.bank)
}

fn record_v2(record: v2::Record) -> &'static str {
    match record {
        v2::Record::Written => "recorded",
        v2::Record::Multiple => "recorded as one of several",
        v2::Record::Suppressed => "not recorded: an earlier fault is",
    }
}

fn terminated_v3(terminated: &v3::Terminated) -> String {
    match &terminated.cause {
        Cause::GlobalAbort => "aborted: the SMMU is off and GBPA.ABORT is set".to_owned(),
        Cause::BeyondOutputSize => "aborted: beyond the output size".to_owned(),
        Cause::StreamAborts => "aborted: STE.Config says abort, not recorded".to_owned(),
        Cause::ServiceFailure => "aborted: the SMMU is in service failure mode".to_owned(),
        Cause::EndedBySoftware => "stalled, and ended by software".to_owned(),
        Cause::Event(event, record) => format!("{}, {}", self::event(event), record_text(*record)),
    }
}

fn stalled_v3(stalled: &v3::Stalled) -> String {
    let what = format!("{}, {}; stalled", event(&stalled.event), record_text(stalled.record));
    match stalled.event.stall {
        Some(stag) => format!("{what}, STAG {stag:#x}"),
        None => what,
    }
}

fn event(event: &Event) -> String {
    let mut text = event.kind.name().to_owned();
    match event.detail {
        Detail::None => {}
        Detail::Level(level) => {
            let stage = match event.stage {
                passim_model::pgtable::vmsav8::Stage::One => 1,
                passim_model::pgtable::vmsav8::Stage::Two => 2,
            };
            text.push_str(&format!(" stage {stage} level {level}"));
        }
        Detail::Ste(flaw) => text.push_str(&format!(" ({})", flaw.sentence())),
        Detail::Cd(flaw) => text.push_str(&format!(" ({})", flaw.sentence())),
        Detail::Conflict(other) => {
            text.push_str(&format!(" (the STE of stream {:#x} matches too)", other.get()));
        }
    }
    text
}

/// Whether a record was written.
pub(super) fn record_text(record: Record) -> &'static str {
    match record {
        Record::Written => "recorded",
        Record::Suppressed => "not recorded",
        Record::QueueDisabled => "lost: the event queue is off",
        Record::QueueFull => "lost: the event queue is full",
        Record::QueueAborted => "lost: the event queue does not answer",
        Record::ServiceFailure => "lost: the SMMU failed and leaves its queues alone",
        Record::Waiting => "to be recorded when the event queue has room",
    }
}
