//! Results of comparing two kernels, for people and for programs.
//!
//! Nothing is run or judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::subject::Side;
use crate::explain::Nearest;
use crate::replay::RuleNote;

/// The result of one scenario or recording under two kernels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DiffReport {
    /// The file, as the caller named it.
    pub file: String,
    /// One profile.
    pub a: &'static str,
    /// The other.
    pub b: &'static str,
    /// Number of operations or calls whose answers were compared.
    pub compared: u64,
    /// Where the kernels differ, in the order of lines; later differences may follow from the
    /// first.
    pub divergences: Vec<Divergence>,
}

/// An operation or a call that two kernels answer differently.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Divergence {
    /// Line of the file, 1-based.
    pub line: u64,
    /// The operation or call.
    pub call: String,
    /// What the first kernel answers.
    pub a: Side,
    /// What the second answers.
    pub b: Side,
    /// The choices that cause it.
    pub because: Because,
}

/// A choice that takes the second kernel's value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Flip {
    /// Its name.
    pub choice: &'static str,
    /// The value of the first kernel.
    pub from: &'static str,
    /// The value of the second.
    pub to: &'static str,
    /// What it decides.
    pub decides: &'static str,
}

/// Sets of choices. Each set alone, and no part of it, makes the first kernel answer as the second.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Because(pub Vec<Vec<Flip>>);

impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.choice, self.from, self.to)
    }
}

/// `zero-page: pinned -> unshared`; `a ... together with b ...`; `a ..., or b ... alone`.
impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, set) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; or ")?;
            }
            for (at, flip) in set.iter().enumerate() {
                let joint = if at == 0 { "" } else { " together with " };
                write!(f, "{joint}{flip}")?;
            }
            if at > 0 {
                f.write_str(" alone")?;
            }
        }
        Ok(())
    }
}

/// Longest line of an answer that is printed whole.
const MAX_LINE: usize = 320;

impl Divergence {
    /// Several lines, without a line feed at the end; `a` and `b` name the kernels. Each choice is
    /// explained once: `told` holds those explained before, and those explained here are added.
    pub fn render(&self, a: &str, b: &str, told: &mut BTreeSet<&'static str>) -> String {
        let width = a.len().max(b.len()).max("because".len());
        let mut text = format!("line {}: {}", self.line, self.call);
        let from = parting(&self.a, &self.b);
        let same_words = self.a.said == self.b.said;
        for (name, side) in [(a, &self.a), (b, &self.b)] {
            for (at, said) in side.said.iter().enumerate() {
                let name = if at == 0 { name } else { "" };
                text.push_str(&format!("\n    {name:width$}  {}", shown(said, from)));
            }
            if let Some(bytes) = side.bytes.as_ref().filter(|_| same_words) {
                text.push_str(&format!("\n    {:width$}  bytes {}", "", shown(bytes, from)));
            }
            for note in &side.rules {
                text.push_str(&format!("\n    {:width$}  ({})", "", noted(note, &side.said)));
            }
            if let Some(nearest) = &side.nearest {
                text.push_str(&format!("\n    {:width$}  {}", "", accepted(nearest)));
            }
        }
        text.push_str(&format!("\n    {:width$}  {}", "because", self.because));
        for flip in self.because.0.iter().flatten() {
            if told.insert(flip.choice) {
                text.push_str(&format!("\n    {:width$}  ({}: {})", "", flip.choice, flip.decides));
            }
        }
        text
    }
}

/// A rule, with its demand where the answer does not state it already.
fn noted(note: &RuleNote, said: &[String]) -> String {
    let RuleNote { name, sentence, source, conflict } = note;
    match said.iter().any(|said| said.contains(sentence)) {
        true => format!("{name}: {source}"),
        false => format!("{name}: {sentence} It ran into {conflict}. Source: {source}"),
    }
}

/// The nearest request that a kernel accepts.
fn accepted(nearest: &Nearest) -> String {
    match nearest {
        Nearest::Accepted { lines, .. } => format!("accepts: {}", lines.join("; ")),
        Nearest::None { because, .. } => format!("accepts nothing near it: {because}"),
    }
}

/// Where two long answers begin to differ, on a character boundary of both.
fn parting(a: &Side, b: &Side) -> usize {
    let all = a.said.iter().chain(&a.bytes).zip(b.said.iter().chain(&b.bytes));
    let pairs = all.filter(|(a, b)| a != b && a.len().max(b.len()) > MAX_LINE);
    let at = |(a, b): (&String, &String)| {
        let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        (0..=same).rev().find(|&at| a.is_char_boundary(at) && b.is_char_boundary(at))
    };
    pairs.filter_map(at).next().unwrap_or(0)
}

/// A line, cut where it is too long: from a little before `from` on.
fn shown(said: &str, from: usize) -> String {
    if said.len() <= MAX_LINE {
        return said.to_owned();
    }
    let start = (0..=from.saturating_sub(16)).rev().find(|&at| said.is_char_boundary(at));
    let rest = &said[start.unwrap_or(0).min(said.len())..];
    let cut: String = rest.chars().take(MAX_LINE / 2).collect();
    let before = if start.unwrap_or(0) > 0 { "..." } else { "" };
    let after = if cut.len() < rest.len() { "..." } else { "" };
    format!("{before}{cut}{after}")
}

impl DiffReport {
    /// How often each reason was found, by its first set of choices.
    pub fn reasons(&self) -> BTreeMap<String, u64> {
        let mut reasons = BTreeMap::new();
        for divergence in &self.divergences {
            *reasons.entry(divergence.because.to_string()).or_default() += 1;
        }
        reasons
    }
}

/// One line.
impl fmt::Display for DiffReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, a, b, compared, divergences } = self;
        write!(f, "{file}: {compared} compared under {a} and {b}, ")?;
        match divergences.first() {
            None => f.write_str("all the same"),
            Some(first) if divergences.len() == 1 => write!(f, "1 differs, in line {}", first.line),
            Some(first) => {
                write!(f, "{} differ, the first in line {}", divergences.len(), first.line)
            }
        }
    }
}
