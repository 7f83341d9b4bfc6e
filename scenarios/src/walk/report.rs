//! What came of looking at a dump: counts, and every difference.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::replay::Verdict;

/// What came of one dump.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DumpReport {
    /// The file, as the caller named it.
    pub file: String,
    /// Name of the dump.
    pub name: String,
    /// Streams of the dump.
    pub streams: u64,
    /// Leaves asked for.
    pub leaves: u64,
    /// Lines of recordings that expect something of this dump.
    pub expectations: u64,
    /// Addresses asked for that the dump leaves unmapped.
    pub unmapped: u64,
    /// Questions put to the SMMU.
    pub asked: u64,
    /// Commands of the dump's queue that the SMMU consumed.
    pub commands: u64,
    /// What could not be compared, by reason.
    pub not_compared: BTreeMap<String, u64>,
    /// Every difference.
    pub differences: Vec<Difference>,
}

/// A question to which the SMMU answers otherwise than it should.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    /// What was asked.
    pub asked: String,
    /// What must be answered, or what the dump says.
    pub expected: String,
    /// What was answered, or what its tables say.
    pub found: String,
    /// The line of a recording that expects it: file and line.
    pub line: Option<(String, u64)>,
}

impl DumpReport {
    /// A report of a dump of which nothing was looked at yet.
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

    /// Whether everything that was compared is as it must be.
    pub fn verdict(&self) -> Verdict {
        if self.differences.is_empty() { Verdict::Agreed } else { Verdict::Differed }
    }

    /// How often something could not be compared.
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
