//! Scenario files: found, run, compared, blessed.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Runner, Unperformable};
use crate::below::files;
use crate::chosen::Chosen;
use crate::input_error::{Colour, InputError, InputKind, SourceText, is_standard_input};
use crate::op::Op;
use crate::script::{Arg, Block, Script, compare, same};

/// What a scenario file's name ends with.
pub const EXTENSION: &str = "scn";

/// The scenarios that `paths` name: a file stands for itself, a folder for every `.scn` below it,
/// in the order of their names.
///
/// # Errors
/// A path that cannot be read, or a folder without scenarios.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, InputError> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in paths {
        let scenarios = if path.is_dir() { below(path)? } else { vec![path.clone()] };
        for scenario in scenarios {
            if !found.contains(&scenario) {
                found.push(scenario);
            }
        }
    }
    Ok(found)
}

fn below(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
    let is_scenario = |file: &Path| file.extension().is_some_and(|it| it == EXTENSION);
    let scenarios = files(folder, |_| true, is_scenario)?;
    if scenarios.is_empty() {
        let message = "no scenarios here";
        return Err(InputError::in_file(InputKind::Scenario, folder, message)
            .with_hint(format!("scenarios are files named `<name>.{EXTENSION}`")));
    }
    Ok(scenarios)
}

impl Unperformable {
    /// The same as an error at the operation of `block`, or at the argument it is about.
    pub fn at(self, script: &Script, block: &Block) -> InputError {
        let is_meant = |arg: &&Arg| match (&arg.key, &self.key) {
            (Some(key), Some(meant)) => key.text == *meant,
            _ => false,
        };
        let meant = block.invocation.args.iter().find(is_meant).map(Arg::span);
        let error = script.error(meant.unwrap_or(block.invocation.span()), self.message);
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// What came of running one scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ScenarioReport {
    /// The file, as the caller named it.
    pub file: String,
    /// Operations performed.
    pub operations: u64,
    /// Whether the command that was to be lost came, and was.
    pub lost: bool,
    /// Operations whose outcome is not what the file says.
    pub differences: Vec<OutcomeDifference>,
    /// What happened, operation by operation.
    #[serde(skip)]
    pub outcomes: Vec<Vec<String>>,
}

/// An operation that did not do what the file says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OutcomeDifference {
    /// Line of the operation, 1-based.
    pub line: u64,
    /// The operation.
    pub operation: String,
    /// What the file says.
    pub expected: Vec<String>,
    /// What happened.
    pub actual: Vec<String>,
}

impl OutcomeDifference {
    /// The operation and both outcomes, one line under the other.
    pub fn render(&self, colour: Colour) -> String {
        let drawn = compare(&self.expected, &self.actual);
        let drawn = drawn.map_or_else(String::new, |difference| difference.render(colour));
        format!("line {}: {}\n{drawn}", self.line, self.operation)
    }
}

/// Runs a scenario to its end.
///
/// # Errors
/// Not a scenario, or an operation that cannot be performed: the error points at it.
pub fn run(script: &Script) -> Result<ScenarioReport, InputError> {
    run_with(script, &Chosen::default())
}

/// Runs a scenario to its end, with what was chosen over what it says.
///
/// # Errors
/// As [`run`]; a choice or a value that does not exist.
pub fn run_with(script: &Script, chosen: &Chosen) -> Result<ScenarioReport, InputError> {
    let mut runner = Runner::with(chosen.clone());
    let mut report = ScenarioReport {
        file: script.source().path().display().to_string(),
        operations: 0,
        lost: false,
        differences: Vec::new(),
        outcomes: Vec::new(),
    };
    for block in script.blocks() {
        let op = Op::read(script.source(), &block.invocation)?;
        tracing::debug!(target: "scenario", line = script.line_of(block), "{op}");
        let actual = runner.perform(&op).map_err(|error| error.at(script, block))?;
        report.operations += 1;
        report.lost |= runner.has_lost();
        if !same(&block.expected, &actual) {
            report.differences.push(OutcomeDifference {
                line: script.line_of(block),
                operation: op.to_string(),
                expected: block.expected.clone(),
                actual: actual.clone(),
            });
        }
        report.outcomes.push(actual);
    }
    Ok(report)
}

/// Reads and runs a scenario file.
///
/// # Errors
/// Unreadable, or what [`run`] refuses.
pub fn run_file(path: &Path) -> Result<ScenarioReport, InputError> {
    run(&Script::parse(SourceText::read(path)?)?)
}

/// Runs a scenario file and writes what happened into it.
///
/// # Errors
/// Unreadable, what [`run`] refuses, or a file that cannot be written.
pub fn bless_file(path: &Path) -> Result<ScenarioReport, InputError> {
    if is_standard_input(path) {
        let message = "what comes from standard input cannot be written into";
        return Err(InputError::in_file(InputKind::Unwritable, path, message));
    }
    let script = Script::parse(SourceText::read(path)?)?;
    let report = run(&script)?;
    if !report.differences.is_empty() {
        let blessed = script.bless(&report.outcomes);
        fs::write(path, blessed).map_err(|error| {
            let message = format!("cannot write: {error}");
            InputError::in_file(InputKind::Unwritable, path, message)
        })?;
    }
    Ok(report)
}
