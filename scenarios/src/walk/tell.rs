//! Explains one translation step by step: for people, and as data for programs.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `smmuv2` | how is a translation of an SMMUv2 explained? |

mod smmuv2;

use std::fmt;

use passim_model::PhysAddr;
use passim_model::access::Privilege;
use passim_model::pgtable::vmsav8::{Entry, Stage};
use passim_model::pgtable::walk::Leaf;
use passim_smmu::attributes::Attributes;
use passim_smmu::tlb::Translation;
use passim_smmu::v3::{
    Detail, Explanation, Label, Named, Path, Step, Transaction, Translated, Verdict,
};
use serde::Serialize;

use crate::system::Explained;

/// An explained translation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Narration {
    /// The access.
    pub asked: String,
    /// The structures and cache entries read, in order.
    pub steps: Vec<NarratedStep>,
    /// The result.
    pub verdict: String,
    /// The section of the specification that decides, and its document.
    pub section: String,
    /// The output address, if it is translated.
    pub address: Option<String>,
    /// The event, if it is not.
    pub event: Option<&'static str>,
}

/// One step of an explanation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NarratedStep {
    /// The structure or cache entry.
    pub what: String,
    /// Its address.
    pub at: Option<String>,
    /// The words read.
    pub words: Vec<String>,
    /// Their fields; fields that are left out are 0.
    pub fields: Vec<Field>,
    /// The section that defines it.
    pub section: String,
}

/// A field of a structure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Field {
    /// Its name in the specification.
    pub name: &'static str,
    /// Shifted down to bit 0; an address in place.
    pub value: u64,
    /// The value's meaning, where words add to the number.
    pub meaning: Option<String>,
}

/// Explains an access.
pub fn tell(asked: &Transaction, explanation: &Explained) -> Narration {
    match explanation {
        Explained::V3(explanation) => of_v3(asked, explanation),
        Explained::V2(explanation) => smmuv2::told(asked, explanation),
    }
}

fn of_v3(asked: &Transaction, explanation: &Explanation) -> Narration {
    let verdict = &explanation.verdict;
    let iova = asked.iova.get();
    Narration {
        asked: asked_text(asked),
        steps: explanation.steps.iter().map(NarratedStep::of).collect(),
        verdict: verdict_text(iova, verdict) + &label_text(explanation.label),
        section: format!("IHI 0070 G.b {}", verdict.section()),
        address: match verdict {
            Verdict::Translated(found) => Some(found.pa.to_string()),
            _ => None,
        },
        event: match verdict {
            Verdict::Event(event) => Some(event.kind.name()),
            _ => None,
        },
    }
}

impl NarratedStep {
    /// Explains one step.
    pub(super) fn of(step: &Step) -> Self {
        let (what, at, words) = parts(step);
        let (fields, section) = (fields(step.fields()), step.section().to_owned());
        let words = words.iter().map(|word| format!("{word:#x}")).collect();
        Self { what, at: at.map(|at| format!("{at:#x}")), words, fields, section }
    }
}

fn fields(named: Vec<Named>) -> Vec<Field> {
    let field = |Named { name, value, meaning }| Field { name, value, meaning };
    named.into_iter().map(field).collect()
}

/// A step's name, its address, and its words.
fn parts(step: &Step) -> (String, Option<u64>, Vec<u64>) {
    match *step {
        Step::LevelOneStream { at, word } => {
            ("level-1 Stream table descriptor".to_owned(), Some(at.get()), vec![word])
        }
        Step::Ste { at, words } => ("STE".to_owned(), Some(at.get()), words.to_vec()),
        Step::CachedLevelOneStream { word } => {
            ("level-1 Stream table descriptor: cached".to_owned(), None, vec![word])
        }
        Step::CachedSte => ("STE: cached".to_owned(), None, Vec::new()),
        Step::LevelOneCd { at, word } => {
            ("level-1 CD table descriptor".to_owned(), Some(at.get()), vec![word])
        }
        Step::Cd { at, words } => ("CD".to_owned(), Some(at.get()), words.to_vec()),
        Step::CachedLevelOneCd { word } => {
            ("level-1 CD table descriptor: cached".to_owned(), None, vec![word])
        }
        Step::CachedCd => ("CD: cached".to_owned(), None, Vec::new()),
        Step::PartidMap { at, words } => {
            ("VMS: PARTID_MAP".to_owned(), Some(at.get()), words.to_vec())
        }
        Step::CachedPartidMap => ("VMS: PARTID_MAP: cached".to_owned(), None, Vec::new()),
        Step::Hit { stage, entry } => (hit_text(stage, &entry), None, Vec::new()),
        Step::CachedTable { stage, level, table, behind } => {
            (cached_table_text(stage, level, behind), Some(table), Vec::new())
        }
        Step::Descriptor { stage, level, ipa, at, word, entry } => {
            (descriptor_text(stage, level, ipa, entry), Some(at.get()), vec![word])
        }
        Step::Leaf { stage, leaf } => (leaf_text(stage, &leaf), None, Vec::new()),
        Step::Update { at, set, clear } => (update_text(set, clear), Some(at.get()), Vec::new()),
    }
}

fn cached_table_text(stage: Stage, level: u8, behind: Option<PhysAddr>) -> String {
    let behind = behind.map(|at| format!(", behind stage 2 from {at} on"));
    let behind = behind.unwrap_or_default();
    format!("{}: in the walk cache: table of level {level}{behind}", stage_text(stage))
}

fn hit_text(stage: Stage, entry: &Translation) -> String {
    let (input, output) = (entry.input, entry.output);
    let size = bytes(u32::from(entry.lg2));
    format!("{}: in the TLB: {input:#x} -> {output:#x}, {size}", stage_text(stage))
}

fn descriptor_text(stage: Stage, level: i8, ipa: Option<u64>, entry: Option<Entry>) -> String {
    let mut what = format!("{} level {level}: ", stage_text(stage));
    what.push_str(&match entry {
        None => "descriptor".to_owned(),
        Some(Entry::Invalid) => "invalid descriptor".to_owned(),
        Some(Entry::Table(next)) => format!("table {next:#x}"),
        Some(Entry::Leaf(output)) => format!("leaf {output:#x}"),
    });
    if let Some(ipa) = ipa {
        what.push_str(&format!(", read at IPA {ipa:#x}"));
    }
    what
}

fn leaf_text(stage: Stage, leaf: &Leaf) -> String {
    format!(
        "{}: {:#x}, {}, unprivileged {}, privileged {}",
        stage_text(stage),
        leaf.output,
        bytes(leaf.lg2),
        leaf.unprivileged,
        leaf.privileged
    )
}

fn update_text(set: u64, clear: u64) -> String {
    format!("hardware would set {set:#x} and clear {clear:#x}")
}

fn asked_text(asked: &Transaction) -> String {
    let stream = asked.requester.stream.get();
    let substream = match asked.requester.substream {
        None => String::new(),
        Some(id) => format!(", SubstreamID {:#x}", id.get()),
    };
    let privilege = match asked.access.privilege {
        Privilege::Unprivileged => "",
        Privilege::Privileged => "privileged ",
    };
    let access = match (asked.access.is_write(), asked.access.instruction) {
        (true, _) => "write",
        (false, true) => "instruction fetch",
        (false, false) => "read",
    };
    format!("stream {stream:#x}{substream}: {privilege}{access} at {}", asked.iova)
}

fn verdict_text(iova: u64, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Translated(found) => translated(iova, found),
        Verdict::Disabled => "the SMMU is off: GBPA decides".to_owned(),
        Verdict::StreamAborts => "ended without a record: STE.Config says abort".to_owned(),
        Verdict::Event(event) => {
            let mut text = event.kind.name().to_owned();
            if let Detail::Level(level) = event.detail {
                text.push_str(&format!(" of {} at level {level}", stage_text(event.stage)));
            }
            if let Some(ipa) = event.ipa {
                text.push_str(&format!(", IPA {ipa}"));
            }
            if let Some(at) = event.fetch {
                text.push_str(&format!(", nothing answers at {at}"));
            }
            if let Some(flaw) = verdict.flaw() {
                text.push_str(&format!(": {flaw}"));
            }
            text
        }
    }
}

fn translated(iova: u64, found: &Translated) -> String {
    let Translated { pa, perms, lg2, path, attributes } = found;
    let Attributes { memory, shareability } = attributes;
    let path = match path {
        Path::Disabled => "past the SMMU, which is off".to_owned(),
        Path::Bypass => "past both stages".to_owned(),
        Path::Hit => format!("from the TLB, {}", bytes(u32::from(*lg2))),
        Path::Walk => format!("by a walk, {}", bytes(u32::from(*lg2))),
    };
    format!("{iova:#x} -> {pa}, {perms}, {path}, memory type {memory:#04x} {shareability:?}")
}

/// The MPAM label, if any.
fn label_text(label: Option<Label>) -> String {
    let Some(Label { partid, pmg }) = label else { return String::new() };
    let number = |number: Option<u16>| number.map_or("UNKNOWN".to_owned(), |n| format!("{n:#x}"));
    format!(", PARTID {} PMG {}", number(partid), number(pmg.map(u16::from)))
}

fn bytes(lg2: u32) -> String {
    match 1u64.checked_shl(lg2) {
        Some(bytes) => format!("{bytes:#x} bytes"),
        None => "all of memory".to_owned(),
    }
}

fn stage_text(stage: Stage) -> &'static str {
    match stage {
        Stage::One => "stage 1",
        Stage::Two => "stage 2",
    }
}

impl fmt::Display for Narration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.asked)?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        write!(f, "verdict: {} ({})", self.verdict, self.section)
    }
}

impl fmt::Display for NarratedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(at) = &self.at {
            write!(f, " at {at}")?;
        }
        // A structure is printed as its fields, a descriptor also as its word.
        if let [word] = self.words.as_slice() {
            write!(f, ": {word}")?;
        }
        write!(f, " ({})", self.section)?;
        for (index, Field { name, value, meaning }) in self.fields.iter().enumerate() {
            f.write_str(if index == 0 { "\n    " } else { " " })?;
            write!(f, "{name}={value:#x}")?;
            if let Some(meaning) = meaning {
                write!(f, " ({meaning})")?;
            }
        }
        Ok(())
    }
}
