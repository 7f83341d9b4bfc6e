//! A translation of an SMMUv2: its stream match, its banks, and its tables.

use passim_smmu::v2::{
    ContextFault, ContextFaultKind, Explanation, GlobalFaultKind, Register, Step, Transaction,
    Verdict,
};

use super::{
    NarratedStep, Narration, asked_text, cached_table_text, descriptor_text, fields, hit_text,
    leaf_text, translated, update_text,
};

/// Explains an access.
pub(super) fn told(asked: &Transaction, explanation: &Explanation) -> Narration {
    let verdict = &explanation.verdict;
    Narration {
        asked: asked_text(asked),
        steps: explanation.steps.iter().map(told_step).collect(),
        verdict: verdict_text(asked.iova.get(), verdict),
        section: format!("IHI 0062 D.c {}", verdict.section()),
        address: match verdict {
            Verdict::Translated(found) => Some(found.pa.to_string()),
            _ => None,
        },
        event: match verdict {
            Verdict::Context(fault) => Some(flag(fault.kind)),
            Verdict::Global(fault) => Some(global_flag(fault.kind)),
            _ => None,
        },
    }
}

fn told_step(step: &Step) -> NarratedStep {
    let (what, at, word) = parts(step);
    NarratedStep {
        what,
        at: at.map(|at| format!("{at:#x}")),
        words: word.iter().map(|word| format!("{word:#x}")).collect(),
        fields: fields(step.fields()),
        section: step.section(),
    }
}

/// A step's name, its address, and its word.
fn parts(step: &Step) -> (String, Option<u64>, Option<u64>) {
    match *step {
        Step::Register(register) => (name(&register), Some(register.offset), Some(register.value)),
        Step::Bank(bank) => (format!("context bank {bank}"), None, None),
        Step::SecondBank(bank) => (format!("behind it context bank {bank}"), None, None),
        Step::Hit { stage, entry } => (hit_text(stage, &entry), None, None),
        Step::CachedTable { stage, level, table } => {
            (cached_table_text(stage, level, None), Some(table), None)
        }
        Step::Descriptor { stage, level, ipa, at, word, spelled } => {
            let entry = spelled.map(|(_, entry)| entry);
            (descriptor_text(stage, level, ipa, entry), Some(at.get()), Some(word))
        }
        Step::Leaf { stage, leaf } => (leaf_text(stage, &leaf), None, None),
        Step::Update { at, set, clear } => (update_text(set, clear), Some(at.get()), None),
    }
}

/// A register's name in the specification; offsets are from the window's base.
fn name(register: &Register) -> String {
    match (register.name, register.index) {
        (name @ ("CBAR" | "CBA2R" | "SMR" | "S2CR"), Some(index)) => format!("{name}{index}"),
        (name, Some(bank)) => format!("CB{bank}_{name}"),
        (name, None) => name.to_owned(),
    }
}

fn verdict_text(iova: u64, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Translated(found) => translated(iova, found),
        Verdict::Global(fault) => {
            let nested = if fault.nested { ", of what the bank is" } else { "" };
            format!("global fault, GFSR.{}{nested}", global_flag(fault.kind))
        }
        Verdict::Context(fault) => fault_text(fault),
        Verdict::Outstanding(bank) => {
            format!(
                "ended without a record: FSR of bank {bank} has an earlier fault, and HUPCF is 0"
            )
        }
        Verdict::Waits(bank) => format!("waits: bank {bank} is stalled"),
    }
}

fn fault_text(fault: &ContextFault) -> String {
    let mut text = format!(
        "context fault of bank {}, FSR.{}, at level {}",
        fault.bank,
        flag(fault.kind),
        fault.level
    );
    if let Some(first) = fault.nested_in {
        text.push_str(&format!(", behind bank {first}"));
    }
    if fault.on_stage1_walk {
        text.push_str(", on a walk of stage 1");
    }
    if let Some(ipa) = fault.ipa {
        text.push_str(&format!(", IPA {ipa}"));
    }
    text
}

/// The bit of FSR. IHI 0062 D.c 16.5.9.
fn flag(kind: ContextFaultKind) -> &'static str {
    match kind {
        ContextFaultKind::Translation => "TF",
        ContextFaultKind::AccessFlag => "AFF",
        ContextFaultKind::Permission => "PF",
        ContextFaultKind::External => "EF",
        ContextFaultKind::TlbConflict => "TLBMCF",
        ContextFaultKind::AddressSize => "ASF",
        ContextFaultKind::UnsupportedUpstream => "UUT",
    }
}

/// The bit of GFSR. IHI 0062 D.c 9.6.15.
fn global_flag(kind: GlobalFaultKind) -> &'static str {
    match kind {
        GlobalFaultKind::InvalidContext => "ICF",
        GlobalFaultKind::UnidentifiedStream => "USF",
        GlobalFaultKind::StreamMatchConflict => "SMCF",
        GlobalFaultKind::UnimplementedBank => "UCBF",
        GlobalFaultKind::UnimplementedInterrupt => "UCIF",
    }
}

#[cfg(test)]
mod tests;
