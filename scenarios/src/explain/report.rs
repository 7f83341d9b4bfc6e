//! An explanation, for people and for programs.

use std::fmt;

use passim_model::Refusal;
use passim_vfio::verdict::{Severity, Verdict};
use serde::Serialize;

use super::hardware::{Hardware, Otherwise, Undone, Unsynchronised};
use super::{Origin, limits, order, words};
use crate::op::Op;
use crate::rulebook::{Decision, Known, dated};
use crate::run::Surroundings;

/// Why a line was answered as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Explanation {
    /// The scenario, as the caller named it.
    pub file: String,
    /// Line of the operation, 1-based.
    pub line: u64,
    /// The operation.
    pub operation: String,
    /// What happened.
    pub outcome: Vec<String>,
    /// Every refusal on the way, in order.
    pub refusals: Vec<Explained>,
    /// What the kernel would do that no return value tells.
    pub remarks: Vec<Remark>,
    /// Whether a device did it, and no call was made.
    pub by_device: bool,
    /// Whether a kernel runs on the machine: on a bare one hardware alone answers.
    pub has_kernel: bool,
    /// What hardware answered, with the rule behind it, in order; not what was simply done.
    pub hardware: Vec<Hardware>,
    /// Whether the command that was to be lost came, and was.
    pub lost: bool,
    /// Commands to the ITS that bear on the line and did nothing.
    pub not_performed: Vec<Undone>,
    /// Commands to the ITS that bear on the line and that no SYNC follows.
    pub not_synchronised: Vec<Unsynchronised>,
    /// The same line where it is answered otherwise: after a SYNC, under other presets of the GIC.
    pub otherwise: Vec<Otherwise>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// The nearest request that is accepted; `None` where nothing was refused.
    pub nearest: Option<Nearest>,
}

/// A refusal, explained.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Explained {
    /// What the call returns.
    pub errno: String,
    /// The check that refused.
    pub rule: &'static str,
    /// What it demands.
    pub sentence: &'static str,
    /// Where it is known from: a patch, a kernel, or a measurement.
    pub source: &'static str,
    /// How it is known of the kernel that runs here, and where in a kernel it stands.
    pub known: Option<Known>,
    /// What the request ran into, if anything beyond itself.
    pub ran_into: Option<String>,
    /// Where there is not enough of something: how much there is, who says so, what is left.
    pub limit: Option<String>,
    /// Checks the request had passed before, in their order; empty where that is not known.
    pub passed: Vec<&'static str>,
    /// What the call answered in place of the errno: how many there are.
    pub granted: Option<i64>,
}

/// Something no return value tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Remark {
    /// `finding`, `warning` or `oops`.
    pub severity: &'static str,
    /// In words.
    pub text: String,
    /// The rule that names it.
    pub rule: &'static str,
    /// Where it is known from.
    pub source: &'static str,
}

/// What a search for an accepted request came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nearest {
    /// These lines, in place of the refused one, are accepted.
    Accepted {
        /// Operations of a scenario.
        lines: Vec<String>,
        /// Requests that were made to find it.
        tries: usize,
    },
    /// None was found.
    None {
        /// Requests that were made.
        tries: usize,
        /// Why.
        because: String,
        /// What was made, the nearest first.
        tried: Vec<Attempted>,
    },
}

/// A request that was made in the search.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Attempted {
    /// Operations of a scenario.
    pub lines: Vec<String>,
    /// What came of the last of them.
    pub answer: String,
}

impl Explained {
    pub(super) fn new(
        refusal: &Refusal,
        op: &Op,
        around: Option<&Surroundings>,
        origins: &[Origin],
    ) -> Self {
        let Refusal { errno, rule, .. } = refusal;
        let passed = around.map(|around| order::passed(op, rule, &around.policy));
        Self {
            errno: errno.to_string(),
            rule: rule.name,
            sentence: rule.sentence,
            source: rule.source,
            known: around.and_then(|around| {
                around.profile.map(|profile| Known::of(refusal, profile, &around.policy))
            }),
            ran_into: words::conflict(refusal, op, around, origins),
            limit: around.and_then(|around| limits::told(refusal, op, around)),
            granted: None,
            passed: passed.unwrap_or_default().iter().map(|rule| rule.name).collect(),
        }
    }
}

impl From<&Verdict> for Remark {
    fn from(verdict: &Verdict) -> Self {
        Self {
            severity: match verdict.severity {
                Severity::Finding => "finding",
                Severity::Unbound => "unbound",
                Severity::Warning => "warning",
                Severity::Oops => "oops",
            },
            text: verdict.to_string(),
            rule: verdict.rule.name,
            source: verdict.rule.source,
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { errno, rule, sentence, source, known, ran_into, limit, passed, granted } = self;
        match granted {
            None => writeln!(f, "refused with {errno} by {rule}")?,
            Some(count) => writeln!(f, "answered with {count}, and nothing done, by {rule}")?,
        }
        writeln!(f, "  demands:   {sentence}")?;
        write!(f, "  source:    {source}")?;
        if let Some(Known { profile, certainty, from, place, decided_by }) = known {
            write!(f, "\n  here:      {profile}, {certainty}: {from}")?;
            for Decision { choice, value, certainty, .. } in decided_by {
                write!(f, "\n             {choice} = {value} ({certainty})")?;
            }
            if let Some(place) = place {
                write!(f, "\n  place:     {}", dated(place))?;
            }
        }
        if let Some(ran_into) = ran_into {
            write!(f, "\n  ran into:  {ran_into}")?;
        }
        if let Some(limit) = limit {
            write!(f, "\n  limit:     {limit}")?;
        }
        if !passed.is_empty() {
            write!(f, "\n  passed:    {}", passed.join(", "))?;
        }
        Ok(())
    }
}

/// Most requests that are shown where none is accepted.
const MOST_TRIED: usize = 4;

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { lines, .. } => {
                f.write_str("nearest request that is accepted:")?;
                lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
            Self::None { because, tries: 0, .. } => {
                write!(f, "no other request was tried: {because}")
            }
            Self::None { because, tried, .. } => {
                write!(f, "no request near it was found that is accepted: {because}")?;
                if !tried.is_empty() {
                    f.write_str("\n  tried, the nearest first:")?;
                }
                for Attempted { lines, answer } in tried.iter().take(MOST_TRIED) {
                    write!(f, "\n  {}\n    {answer}", lines.join("; "))?;
                }
                match tried.len().saturating_sub(MOST_TRIED) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
        }
    }
}

impl Explanation {
    /// What hardware answered, and what it would have.
    fn hardware(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Hardware { by, answer, rule, sentence, source } in &self.hardware {
            write!(f, "\n\nanswered by the {by}: {answer}\n  rule:      {rule}")?;
            write!(f, "\n  demands:   {sentence}\n  source:    {source}")?;
        }
        if !self.not_performed.is_empty() {
            f.write_str("\n\nnot performed, and so without effect:")?;
        }
        for Undone { line, command, because } in &self.not_performed {
            write!(f, "\n  line {line}: {command}\n    {because}")?;
        }
        if !self.not_synchronised.is_empty() {
            f.write_str(
                "\n\nno SYNC follows, which leaves open what is seen of it (IHI 0069 H 5.3):",
            )?;
        }
        for Unsynchronised { line, command, until } in &self.not_synchronised {
            write!(f, "\n  line {line}: {command}")?;
            until.iter().try_for_each(|until| write!(f, "\n    {until}"))?;
        }
        if !self.otherwise.is_empty() {
            f.write_str("\n\nanswered otherwise:")?;
        }
        for Otherwise { with, outcome } in &self.otherwise {
            write!(f, "\n  with {with}: {}", outcome.join("; "))?;
        }
        Ok(())
    }
}

const NO_RULE_OF_HARDWARE: &str =
    "\n\nno kernel runs here: hardware answered, and no rule is known for what it said";

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.operation)?;
        self.outcome.iter().try_for_each(|line| write!(f, "\n  {line}"))?;
        for refusal in &self.refusals {
            write!(f, "\n\n{refusal}")?;
        }
        for Remark { text, rule, source, .. } in &self.remarks {
            write!(f, "\n\n{text}\n  rule:      {rule}\n  source:    {source}")?;
        }
        if self.refusals.is_empty() && self.remarks.is_empty() {
            match (self.has_kernel, self.by_device) {
                (true, true) => f.write_str("\n\nthe kernel was not asked: a device did this")?,
                (true, false) if !self.hardware.is_empty() => {
                    f.write_str("\n\nthe kernel refused nothing: hardware answered")?
                }
                (true, false) => f.write_str("\n\nthe kernel refused nothing")?,
                // What hardware says of it stands below.
                (false, _) if !self.hardware.is_empty() => {}
                (false, _) => f.write_str(NO_RULE_OF_HARDWARE)?,
            }
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))?;
        self.hardware(f)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "\n\n{nearest}")?;
        }
        Ok(())
    }
}
