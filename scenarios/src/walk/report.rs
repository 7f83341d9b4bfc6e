//! Results of checking a dump: counts, and every difference.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::replay::Verdict;

/// The result of one dump.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DumpReport {
    /// The file, as the caller named it.
    pub file: String,
    /// Name of the dump.
    pub name: String,
    /// Streams of the dump.
    pub streams: u64,
    /// Leaves translated.
    pub leaves: u64,
    /// Lines of recordings that expect a translation of this dump.
    pub expectations: u64,
    /// Addresses checked that the dump leaves unmapped.
    pub unmapped: u64,
    /// Accesses made to the SMMU.
    pub asked: u64,
    /// Commands of the dump's queue that the SMMU consumed.
    pub commands: u64,
    /// Number of items that could not be compared, by reason.
    pub not_compared: BTreeMap<String, u64>,
    /// Every difference.
    pub differences: Vec<Difference>,
}

/// An answer of the SMMU that differs from the required one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// The access or item.
    pub asked: String,
    /// The required answer, or the dump's statement.
    pub expected: String,
    /// The SMMU's answer, or the contents of the tables.
    pub found: String,
    /// The file and line of a recording that expects it.
    pub line: Option<(String, u64)>,
}

impl DumpReport {
    /// An empty report of a dump.
    pub(super) fn new(file: String, name: String) -> Self {
        Self {
            file,
            name,
            streams: 0,
            leaves: 0,
            expectations: 0,
            unmapped: 0,
            asked: 0,
            commands: 0,
            not_compared: BTreeMap::new(),
            differences: Vec::new(),
        }
    }

    /// Whether every comparison agreed.
    pub fn verdict(&self) -> Verdict {
        if self.differences.is_empty() { Verdict::Agreed } else { Verdict::Differed }
    }

    /// Number of items that could not be compared.
    pub fn times_not_compared(&self) -> u64 {
        self.not_compared.values().sum()
    }

    pub(super) fn differs(
        &mut self,
        asked: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        let (asked, expected, found) = (asked.into(), expected.into(), found.into());
        self.differences.push(Difference { asked, expected, found, line: None });
    }

    pub(super) fn skip(&mut self, reason: &str) {
        *self.not_compared.entry(reason.to_owned()).or_default() += 1;
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.line {
            write!(f, "{file}:{line}: ")?;
        }
        write!(f, "{}\n    expected: {}\n    found:    {}", self.asked, self.expected, self.found)
    }
}

impl fmt::Display for DumpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, streams, leaves, expectations, unmapped, asked, commands, .. } = self;
        write!(f, "{file}: {streams} streams, {leaves} leaves, {expectations} expectations, ")?;
        write!(f, "{unmapped} unmapped, {commands} commands; ")?;
        write!(f, "asked {asked} times, {} differ", self.differences.len())?;
        for (reason, times) in &self.not_compared {
            write!(f, "; not compared {times}: {reason}")?;
        }
        Ok(())
    }
}
