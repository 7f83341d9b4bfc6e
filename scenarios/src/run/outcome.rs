//! What happened, in words a scenario holds.

use passim_model::{Conflict, Refusal};
use passim_smmu::regime::Response;
use passim_smmu::v3::{Cause, Detail, Event, Record, Stalled, Terminated};
use passim_vfio::call::Answer;

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

/// `F_TRANSLATION stage 1 level 3, recorded`.
pub(super) fn terminated(terminated: &Terminated) -> String {
    let what = match &terminated.cause {
        Cause::GlobalAbort => "aborted: the SMMU is off and GBPA.ABORT is set".to_owned(),
        Cause::BeyondOutputSize => "aborted: beyond the output size".to_owned(),
        Cause::StreamAborts => "aborted: STE.Config says abort, not recorded".to_owned(),
        Cause::ServiceFailure => "aborted: the SMMU is in service failure mode".to_owned(),
        Cause::EndedBySoftware => "stalled, and ended by software".to_owned(),
        Cause::Event(event, record) => format!("{}, {}", self::event(event), record_text(*record)),
    };
    match terminated.response {
        Response::Abort => what,
        Response::RazWi => format!("{what}; reads as zero, writes are ignored"),
    }
}

/// `F_TRANSLATION stage 1 level 3, recorded; stalled, STAG 0`.
pub(super) fn stalled(stalled: &Stalled) -> String {
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
        Detail::Ste(flaw) => text.push_str(&format!(" ({flaw:?})")),
        Detail::Cd(flaw) => text.push_str(&format!(" ({flaw:?})")),
    }
    text
}

fn record_text(record: Record) -> &'static str {
    match record {
        Record::Written => "recorded",
        Record::Suppressed => "not recorded",
        Record::QueueDisabled => "lost: the event queue is off",
        Record::QueueFull => "lost: the event queue is full",
        Record::QueueAborted => "lost: the event queue does not answer",
        Record::Waiting => "to be recorded when the event queue has room",
    }
}
