//! An SMMU's actions, in the words of the specification.

use passim_model::ats::{Completion, Invalidation, PageResponse, ResponseCode};
use passim_model::bits::Field;
use passim_model::{Effect, Iova, SubstreamId};
use passim_smmu::attributes::Shareability;
use passim_smmu::v3::names::{Fields, PAGE_REQUEST, record_fields};
use passim_smmu::v3::{Class, EventKind, PageOutcome, Path, Record, Transaction, Translated};

use crate::run::outcome;
use crate::system::Outcome;

/// `0x9 SMMUEN=1 CMDQEN=1`: a register's value, and its non-zero fields.
pub(super) fn register(value: u64, fields: Fields) -> String {
    let mut text = format!("{value:#x}");
    for (name, field) in fields.iter().filter(|(_, field)| field.is_set(value)) {
        text.push_str(&format!(" {name}={}", shown(*field, value)));
    }
    text
}

/// A field's value: in hexadecimal unless it is a single digit.
fn shown(field: Field, word: u64) -> String {
    match field.said(word) {
        digit @ 0..=9 => digit.to_string(),
        value => format!("{value:#x}"),
    }
}

/// `0x10000 -> 0x48000000: r|w, 4K, memory 0xff inner, walked`, or the reason that ended it.
pub(super) fn answer(iova: Iova, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Translated(translated) => format!("{iova} -> {}", self::translated(translated)),
        Outcome::Terminated(terminated) => format!("{iova}: {}", outcome::terminated(terminated)),
        Outcome::Stalled(stalled) => format!("{iova}: {}", outcome::stalled(stalled)),
    }
}

/// The result of a transaction of an unsupported type.
pub(super) fn unsupported(iova: Iova, record: Record) -> String {
    let recorded = match record {
        Record::Suppressed => "aborted, nothing recorded".to_owned(),
        other => {
            format!("{}, {}", EventKind::UnsupportedTransaction.name(), record_of_event(other))
        }
    };
    format!("{iova}: {recorded}")
}

/// Whether the record of an event was written.
pub(super) fn record_of_event(record: Record) -> &'static str {
    outcome::record_text(record)
}

fn translated(translated: &Translated) -> String {
    let Translated { pa, perms, lg2, path, attributes } = translated;
    let shared = match attributes.shareability {
        Shareability::Non => "not shared",
        Shareability::Inner => "inner",
        Shareability::Outer => "outer",
    };
    let memory = attributes.memory;
    let how = match path {
        Path::Disabled => "SMMU off",
        Path::Bypass => "bypass",
        Path::Hit => "from the TLB",
        Path::Walk => "walked",
    };
    let page = if *lg2 < 64 { format!(", {}", size((*lg2).into())) } else { String::new() };
    format!("{pa}: {perms}{page}, memory {memory:#04x} {shared}, {how}")
}

/// `4K`, `2M`, `1G`.
fn size(lg2: u32) -> String {
    let unit = match lg2 / 10 {
        0 => "",
        1 => "K",
        2 => "M",
        3 => "G",
        4 => "T",
        _ => "P",
    };
    format!("{}{unit}", 1u64 << (lg2 % 10))
}

/// A transaction that continued after a stall.
pub(super) fn resolved(transaction: &Transaction, outcome: &Outcome) -> String {
    let stream = transaction.requester.stream.get();
    format!("stream {stream:#x} went on: {}", answer(transaction.iova, outcome))
}

/// `0x48000000: r|w, 4K`, or the reason that no translation was returned.
pub(super) fn completion(completion: &Completion) -> String {
    match completion {
        Completion::Success(grant) => {
            let privilege = if grant.privileged { ", Priv" } else { "" };
            let (perms, size) = (grant.perms, size(grant.lg2));
            format!("{:#x}: {perms}, {size}{privilege}", grant.address)
        }
        Completion::UnsupportedRequest => "Unsupported Request".to_owned(),
        Completion::CompleterAbort => "Completer Abort".to_owned(),
    }
}

pub(super) fn page_outcome(outcome: &PageOutcome) -> String {
    match outcome {
        PageOutcome::Queued => "in the PRI queue".to_owned(),
        PageOutcome::Answered(response) => format!("answered at once: {}", page_response(response)),
        PageOutcome::Discarded => "discarded".to_owned(),
    }
}

fn page_response(response: &PageResponse) -> String {
    let code = match response.code {
        ResponseCode::Success => "Success",
        ResponseCode::InvalidRequest => "Invalid Request",
        ResponseCode::Failure => "Response Failure",
    };
    let PageResponse { stream, group, .. } = response;
    format!("{code} to stream {:#x}{}, group {group}", stream.get(), pasid(response.substream))
}

fn pasid(substream: Option<SubstreamId>) -> String {
    substream.map_or_else(String::new, |substream| format!(" PASID {:#x}", substream.get()))
}

/// A message to a device; `None` for effects that are shown elsewhere.
pub(super) fn effect(effect: &Effect) -> Option<String> {
    match effect {
        Effect::InvalidateAtc(Invalidation { tag, stream, substream, global, first, last }) => {
            let global = if *global { ", global" } else { "" };
            let to = format!("stream {:#x}{}", stream.get(), pasid(*substream));
            Some(format!("ATC invalidation {tag} to {to}{global}: {first:#x} to {last:#x}"))
        }
        Effect::RespondToPages(response) => {
            Some(format!("page response: {}", page_response(response)))
        }
        Effect::Wire(intid) => Some(format!("interrupt {intid} that nobody takes")),
        Effect::Write { at, data, .. } => {
            Some(format!("a write of {data:#x} to {at}, which is lost"))
        }
        Effect::Resume(_) => None,
    }
}

/// A record of the PRI queue: its non-zero fields.
pub(super) fn page_request(words: &[u64]) -> String {
    let mut text = "page request".to_owned();
    for field in PAGE_REQUEST.fields() {
        let word = words[field.word];
        if field.field.is_set(word) {
            text.push_str(&format!(" {}={}", field.name, shown(field.field, word)));
        }
    }
    text
}

/// A record of the Event queue: its name, all its fields, and set bits that belong to no field.
pub(super) fn record(words: [u64; 4]) -> String {
    let number = words[0] & 0xff;
    let Some(kind) = EventKind::ALL.into_iter().find(|kind| u64::from(kind.number()) == number)
    else {
        let words = words.map(|word| format!("{word:#x}"));
        return format!("record {}", words.join(" "));
    };
    let mut text = kind.name().to_owned();
    let mut rest = words;
    rest[0] &= !0xff;
    for field in record_fields(kind) {
        let word = words[field.word];
        rest[field.word] &= !field.field.mask();
        let value =
            match Class::ALL.into_iter().find(|class| *class as u64 == field.field.get(word)) {
                Some(class) if field.name == "CLASS" => class.name().to_owned(),
                _ => shown(field.field, word),
            };
        text.push_str(&format!(" {}={value}", field.name));
    }
    for (index, bits) in rest.into_iter().enumerate().filter(|(_, bits)| *bits != 0) {
        text.push_str(&format!(", and in doubleword {index} {bits:#x}"));
    }
    text
}
