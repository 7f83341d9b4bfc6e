//! Results of replaying a recording: counts, and every difference.

use std::collections::BTreeMap;
use std::fmt;

use passim_model::Refusal;
use serde::Serialize;

use crate::explain::Nearest;

/// The result of replaying one file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FileReport {
    /// The recording, as the caller named it.
    pub file: String,
    /// The machine it was replayed on.
    pub machine: String,
    /// The profile.
    pub profile: String,
    /// The recorded kernel, where it has no profile of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<String>,
    /// Lines read.
    pub lines: u64,
    /// Lines with an answer that was compared.
    pub compared: u64,
    /// Of these, lines on which kernel and model agree.
    pub agreed: u64,
    /// Of these, lines on which they do not.
    pub differed: u64,
    /// Lines without an answer, which were only performed.
    pub inputs: u64,
    /// Lines that repeat others, by kind.
    pub repeats: BTreeMap<String, u64>,
    /// Lines with an answer that the model does not compare, by kind.
    pub not_compared: BTreeMap<String, NotCompared>,
    /// Lines of unknown kinds, by kind.
    pub unknown: BTreeMap<String, u64>,
    /// Pages and leaves accessed through the SMMU.
    pub walked: u64,
    /// Of these, those with the required result.
    pub walk_agreed: u64,
    /// Commands of the recorded driver that were compared with those of the model's driver.
    pub commands: u64,
    /// Pages that could not be placed at their recorded address.
    pub misplaced: u64,
    /// Whether the file counts only if windows were walked: it contains a random trace.
    pub must_walk: bool,
    /// Windows walked.
    pub windows: u64,
    /// Other facts about the comparison: files that should have been read and could not be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The first line in which one of kernel and model succeeded and the other failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parted: Option<u64>,
    /// Every difference, in the order of the lines.
    pub differences: Vec<Difference>,
}

/// Lines with answers that are not compared.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NotCompared {
    /// Number of lines.
    pub lines: u64,
    /// Why.
    pub reason: &'static str,
}

/// A line on which kernel and model do not agree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// Line number, 1-based.
    pub line: u64,
    /// The call.
    pub call: String,
    /// The kernel's result.
    pub kernel: String,
    /// The model's result.
    pub model: String,
    /// The rule by which the model refused, if it did.
    pub rule: Option<RuleNote>,
    /// The request nearest to the refused one that the model accepts, or why there is none; only
    /// for the first differences of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Box<Nearest>>,
    /// Advice.
    pub hint: Option<String>,
    /// An earlier line in which one of kernel and model succeeded and the other failed, so that
    /// this difference may follow from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<u64>,
    /// Whether one of kernel and model succeeded here and the other failed.
    #[serde(skip)]
    pub(super) parts: bool,
}

/// The rule behind a refusal, for a report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleNote {
    /// Its stable name.
    pub name: &'static str,
    /// Its demand.
    pub sentence: &'static str,
    /// Its source.
    pub source: &'static str,
    /// The conflict of the request.
    pub conflict: String,
}

impl From<&Refusal> for RuleNote {
    fn from(refusal: &Refusal) -> Self {
        Self {
            name: refusal.rule.name,
            sentence: refusal.rule.sentence,
            source: refusal.rule.source,
            conflict: refusal.conflict.to_string(),
        }
    }
}

/// Whether a file agreed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every answer compared, and everything walked, is as recorded.
    Agreed,
    /// Something differs, or a random trace was not walked.
    Differed,
}

impl FileReport {
    /// An empty report of a file.
    pub fn new(file: String, machine: String, profile: String) -> Self {
        Self {
            file,
            machine,
            profile,
            stands_for: None,
            lines: 0,
            compared: 0,
            agreed: 0,
            differed: 0,
            inputs: 0,
            repeats: BTreeMap::new(),
            not_compared: BTreeMap::new(),
            unknown: BTreeMap::new(),
            walked: 0,
            walk_agreed: 0,
            commands: 0,
            misplaced: 0,
            must_walk: false,
            windows: 0,
            notes: Vec::new(),
            parted: None,
            differences: Vec::new(),
        }
    }

    /// Whether the file agreed.
    pub fn verdict(&self) -> Verdict {
        let walked = self.walked == self.walk_agreed && (self.windows > 0 || !self.must_walk);
        if self.differences.is_empty() && self.differed == 0 && walked {
            Verdict::Agreed
        } else {
            Verdict::Differed
        }
    }

    /// Counts a line whose answer was compared: `difference` is `None` if it agreed.
    pub(super) fn compared(&mut self, difference: Option<Difference>) {
        self.compared += 1;
        match difference {
            None => self.agreed += 1,
            Some(mut difference) => {
                self.differed += 1;
                difference.follows = self.parted;
                if let Some(line) = self.parted {
                    // The rule may be right, but apply to a state that already differs.
                    difference.hint = Some(format!("this may follow from line {line}"));
                } else if difference.parts {
                    self.parted = Some(difference.line);
                }
                self.differences.push(difference);
            }
        }
    }

    /// Counts a line whose answer is not compared.
    pub(super) fn skipped(&mut self, kind: &str, reason: &'static str) {
        self.skipped_times(kind, reason, 1);
    }

    /// Counts `times` items that are not compared.
    pub(super) fn skipped_times(&mut self, kind: &str, reason: &'static str, times: u64) {
        let entry = self.not_compared.entry(kind.to_owned());
        let entry = entry.or_insert(NotCompared { lines: 0, reason });
        entry.lines = entry.lines.saturating_add(times);
    }

    /// Counts `walked` accesses through the SMMU, `agreed` of which had the required result.
    pub(super) fn walked(&mut self, walked: u64, agreed: u64) {
        self.walked += walked;
        self.walk_agreed += agreed;
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line {}: {}", self.line, self.call)?;
        writeln!(f, "    kernel: {}", self.kernel)?;
        write!(f, "    model:  {}", self.model)?;
        if let Some(rule) = &self.rule {
            write!(f, "\n    rule:   {}: {} ({})", rule.name, rule.sentence, rule.conflict)?;
            write!(f, "\n    source: {}", rule.source)?;
        }
        match self.nearest.as_deref() {
            Some(Nearest::Accepted { lines, .. }) => {
                write!(f, "\n    accepts: {}", lines.join("; "))?;
            }
            Some(Nearest::None { because, .. }) => {
                write!(f, "\n    accepts: nothing near it: {because}")?;
            }
            None => {}
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n    hint:   {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, profile, compared, agreed, differed, .. } = self;
        write!(f, "{file} ({profile}")?;
        if let Some(kernel) = &self.stands_for {
            write!(f, ", the last profile before {kernel}")?;
        }
        write!(f, "): {compared} compared, {agreed} agreed, {differed} differed")?;
        if self.walked > 0 || self.must_walk {
            write!(f, "; walked {}, agreed {}", self.walked, self.walk_agreed)?;
        }
        if self.commands > 0 {
            write!(f, "; {} commands", self.commands)?;
        }
        if self.misplaced > 0 {
            write!(f, "; {} pages are not where they lay", self.misplaced)?;
        }
        write!(f, "; {} inputs", self.inputs)?;
        counted(f, "repeats", self.repeats.iter().map(|(kind, lines)| (kind, *lines)))?;
        let skipped = self.not_compared.iter().map(|(kind, entry)| (kind, entry.lines));
        counted(f, "not compared", skipped)?;
        counted(f, "of unknown kind", self.unknown.iter().map(|(kind, lines)| (kind, *lines)))?;
        self.notes.iter().try_for_each(|note| write!(f, "\n  note: {note}"))
    }
}

/// `; 12 repeats (session 3, buf 9)`, or nothing where there are none.
fn counted<'a>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    kinds: impl Iterator<Item = (&'a String, u64)> + Clone,
) -> fmt::Result {
    let total: u64 = kinds.clone().map(|(_, lines)| lines).sum();
    if total == 0 {
        return Ok(());
    }
    write!(f, "; {total} {what} (")?;
    for (index, (kind, lines)) in kinds.enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}{kind} {lines}")?;
    }
    f.write_str(")")
}
