//! Scenario files: found, run, compared, blessed.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Runner, Unperformable};
use crate::chosen::Chosen;
use crate::find_files::files;
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
    /// The first seed of a range under which it does not go as the file says, if a range was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whether the command that was to be lost came, and was.
    pub lost: bool,
    /// Operations whose outcome is not what the file says.
    pub differences: Vec<OutcomeDifference>,
    /// What happened, operation by operation.
    pub answers: Vec<Happened>,
    /// Why the operation after the last of these could not be performed, if it could not.
    pub error: Option<InputError>,
}

/// An operation, and what happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Happened {
    /// Line of the operation, 1-based.
    pub line: u64,
    /// The operation.
    pub operation: String,
    /// What happened, a line each.
    pub outcome: Vec<String>,
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
    let mut report = run_as_far(script, chosen);
    report.error.take().map_or(Ok(report), Err)
}

/// Runs a scenario to its end or to the first operation that cannot be performed: the report holds
/// what happened before, and the error.
pub fn run_as_far(script: &Script, chosen: &Chosen) -> ScenarioReport {
    let mut runner = Runner::with(chosen.clone());
    let mut report = ScenarioReport {
        file: script.source().path().display().to_string(),
        operations: 0,
        seed: None,
        lost: false,
        differences: Vec::new(),
        answers: Vec::new(),
        error: None,
    };
    for block in script.blocks() {
        if let Err(error) = report.take(script, block, &mut runner) {
            report.error = Some(error);
            return report;
        }
    }
    report.error = script.unread().cloned();
    report
}

impl ScenarioReport {
    /// What happened, operation by operation.
    pub fn outcomes(&self) -> Vec<Vec<String>> {
        self.answers.iter().map(|it| it.outcome.clone()).collect()
    }

    /// Whether all of it happened, and as the file says.
    pub fn agrees(&self) -> bool {
        self.differences.is_empty() && self.error.is_none()
    }

    /// Performs one operation, and notes what happened.
    fn take(
        &mut self,
        script: &Script,
        block: &Block,
        runner: &mut Runner,
    ) -> Result<(), InputError> {
        let op = Op::read(script.source(), &block.invocation)?;
        let line = script.line_of(block);
        tracing::debug!(target: "scenario", line, "{op}");
        let outcome = runner.perform(&op).map_err(|error| error.at(script, block))?;
        let operation = op.to_string();
        self.operations += 1;
        self.lost |= runner.has_lost();
        if !same(&block.expected, &outcome) {
            self.differences.push(OutcomeDifference {
                line,
                operation: operation.clone(),
                expected: block.expected.clone(),
                actual: outcome.clone(),
            });
        }
        self.answers.push(Happened { line, operation, outcome });
        Ok(())
    }
}

/// Reads and runs a scenario file.
///
/// # Errors
/// Unreadable, or what [`run`] refuses.
pub fn run_file(path: &Path) -> Result<ScenarioReport, InputError> {
    run(&Script::parse(SourceText::read(path)?)?)
}

/// Runs a scenario file and writes what happened into it, as far as it could be performed.
///
/// # Errors
/// Unreadable, or a file that cannot be written.
pub fn bless_file(path: &Path) -> Result<ScenarioReport, InputError> {
    if is_standard_input(path) {
        let message = "what comes from standard input cannot be written into";
        return Err(InputError::in_file(InputKind::Unwritable, path, message));
    }
    let script = Script::parse_as_far(SourceText::read(path)?);
    let report = run_as_far(&script, &Chosen::default());
    if !report.differences.is_empty() {
        let blessed = script.bless(&report.outcomes());
        fs::write(path, blessed).map_err(|error| {
            let message = format!("cannot write: {error}");
            InputError::in_file(InputKind::Unwritable, path, message)
        })?;
    }
    Ok(report)
}
