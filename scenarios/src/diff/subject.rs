//! What is run: a scenario, or the calls of a recording; and what was answered.

use serde::Serialize;

use crate::chosen::Chosen;
use crate::explain::{Nearest, explain};
use crate::input_error::{InputError, SourceText, is_standard_input};
use crate::op::Op;
use crate::recording::{self, Found};
use crate::replay::{Choices, RuleNote, listen, nearest_in};
use crate::run::{Runner, files};
use crate::script::Script;
use std::path::{Path, PathBuf};

/// What is run.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The operations of a scenario, whatever it says happens.
    Scenario(Script),
    /// The calls of a recording, whatever was answered.
    Recording(Found),
}

/// An operation or a line, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Line of the file, 1-based.
    pub line: u64,
    /// What was asked.
    pub call: String,
    /// What was answered.
    pub side: Side,
    /// Why it could not be performed at all, if so.
    pub(super) impossible: Option<InputError>,
}

/// What one kernel answered.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Side {
    /// In words, a line each.
    pub said: Vec<String>,
    /// The bytes of the answer, where words do not hold all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// The rules by which it refused.
    pub rules: Vec<RuleNote>,
    /// The request nearest to the refused one that this kernel accepts, or why there is none; only
    /// for the first divergences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
}

impl Side {
    /// The side of a moment; of one that was not reached, that.
    pub(super) fn of(moment: Option<&Moment>) -> Self {
        let unreached = || Self { said: vec!["not reached".to_owned()], ..Self::default() };
        moment.map_or_else(unreached, |moment| moment.side.clone())
    }

    /// Whether a process sees the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.said == other.said && self.bytes == other.bytes
    }
}

/// How far a run goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Until {
    End,
    /// This many moments.
    Moments(usize),
}

impl Until {
    fn is_reached(self, moments: usize) -> bool {
        matches!(self, Self::Moments(most) if moments >= most)
    }
}

impl Subject {
    /// What the paths name: scenario files, recordings, and folders of either.
    ///
    /// # Errors
    /// A path that cannot be read, or that names neither.
    pub fn find(paths: &[PathBuf]) -> Result<Vec<Self>, InputError> {
        let mut subjects = Vec::new();
        for path in paths {
            let is_scenario =
                |path: &Path| path.extension().is_some_and(|it| it == files::EXTENSION);
            if is_scenario(path)
                || is_standard_input(path)
                || (path.is_dir() && files::find(std::slice::from_ref(path)).is_ok())
            {
                for file in files::find(std::slice::from_ref(path))? {
                    subjects.push(Self::Scenario(Script::parse(SourceText::read(&file)?)?));
                }
            } else {
                let found = recording::find(std::slice::from_ref(path))?;
                subjects.extend(found.into_iter().map(Self::Recording));
            }
        }
        Ok(subjects)
    }

    /// The file, as the caller named it.
    pub fn name(&self) -> String {
        match self {
            Self::Scenario(script) => script.source().path().display().to_string(),
            Self::Recording(found) => found.recording.display().to_string(),
        }
    }

    /// What a kernel accepts in place of what it refused in a line, by a search that runs the
    /// subject to that line again.
    pub(super) fn nearest(&self, chosen: &Chosen, line: u64) -> Option<Nearest> {
        match self {
            Self::Scenario(script) => explain(script, line, chosen).ok()?.nearest,
            Self::Recording(found) => {
                let choices = Choices { chosen: chosen.clone(), ..Choices::default() };
                nearest_in(found, &choices, line).ok()?
            }
        }
    }

    /// Runs it. `observe` is told the steps done and their number.
    pub(super) fn run(
        &self,
        chosen: &Chosen,
        until: Until,
        observe: impl FnMut(u64, u64),
    ) -> Result<Vec<Moment>, InputError> {
        match self {
            Self::Scenario(script) => scenario(script, chosen, until),
            Self::Recording(found) => calls(found, chosen, until, observe),
        }
    }
}

/// An operation that cannot be performed under one kernel may well be under the other, so that is
/// an outcome like any.
fn scenario(script: &Script, chosen: &Chosen, until: Until) -> Result<Vec<Moment>, InputError> {
    let mut runner = Runner::with(chosen.clone());
    let mut moments = Vec::new();
    for block in script.blocks() {
        if until.is_reached(moments.len()) {
            break;
        }
        let op = Op::read(script.source(), &block.invocation)?;
        let (side, impossible) = match runner.perform(&op) {
            Ok(said) => {
                let rules = runner.account().refused;
                let rules = rules.iter().map(RuleNote::from).collect();
                (Side { said, rules, ..Side::default() }, None)
            }
            Err(error) => {
                let said = vec![format!("cannot be performed: {}", error.message)];
                (Side { said, ..Side::default() }, Some(error.at(script, block)))
            }
        };
        moments.push(Moment {
            line: script.line_of(block),
            call: op.to_string(),
            side,
            impossible,
        });
    }
    Ok(moments)
}

fn calls(
    found: &Found,
    chosen: &Chosen,
    until: Until,
    mut observe: impl FnMut(u64, u64),
) -> Result<Vec<Moment>, InputError> {
    let choices = Choices { chosen: chosen.clone(), ..Choices::default() };
    let mut moments = Vec::new();
    listen(found, &choices, |heard, progress| {
        observe(progress.line, progress.lines);
        moments.extend(heard.into_iter().map(|heard| Moment {
            line: progress.line,
            call: heard.call,
            side: Side {
                said: heard.said,
                bytes: heard.bytes,
                rules: heard.rule.into_iter().collect(),
                nearest: None,
            },
            impossible: None,
        }));
        !until.is_reached(moments.len())
    })?;
    if let Until::Moments(most) = until {
        moments.truncate(most);
    }
    Ok(moments)
}
