//! Translations that recordings expect of dumps: their `expect` lines.

use std::path::{Path, PathBuf};

use crate::input_error::InputError;
use crate::recording::line::{Answer, Expect};
use crate::recording::{Line, Recording};

/// `expect` lines of recordings.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Expectations(pub(super) Vec<Expectation>);

/// One `expect` line.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Expectation {
    /// The recording, as the caller named it.
    pub(super) file: String,
    /// Line number, 1-based.
    pub(super) line: u64,
    /// The line.
    pub(super) expect: Expect,
}

/// The `expect` lines of recordings, compressed if their names end in `.zst`.
///
/// # Errors
/// Unreadable, or not a recording.
pub fn expectations(paths: &[PathBuf]) -> Result<Expectations, InputError> {
    let mut all = Vec::new();
    for path in paths {
        read(path, &mut all)?;
    }
    Ok(Expectations(all))
}

fn read(path: &Path, all: &mut Vec<Expectation>) -> Result<(), InputError> {
    for record in Recording::open(path)? {
        let record = record?;
        if let Line::Answer(Answer::Expect(expect)) = record.content {
            all.push(Expectation { file: path.display().to_string(), line: record.line, expect });
        }
    }
    Ok(())
}

impl Expectations {
    /// Number of lines.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The lines about one dump, by its name or by the corresponding part of its file name.
    pub(super) fn of(&self, names: &[&str]) -> Vec<&Expectation> {
        let is_meant = |it: &&Expectation| {
            let name = it.expect.dump.replace('/', "_");
            names.iter().any(|known| known.replace('/', "_") == name)
        };
        self.0.iter().filter(is_meant).collect()
    }
}
