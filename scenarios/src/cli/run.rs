//! `passim run`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Ended;
use super::manual::manual;
use super::output::{Output, counted, unused};
use super::progress::Bar;
use super::setting::{GicSettings, Settings};
use crate::chosen::Chosen;
use crate::input_error::{InputError, InputKind, SourceText};
use crate::run::files::{ScenarioReport, bless_file, find, run_with};
use crate::run::junit;
use crate::script::Script;
use crate::system::Lost;

const EXAMPLES: &str = "\
Examples:
  passim run scenarios/files                    every scenario below a folder
  passim run --bless my.scn                     write down what happens
  passim run --set zero-page=pinned my.scn      what changes with another choice
  passim run --junit report.xml scenarios/files";

/// What to run.
#[derive(clap::Args)]
#[command(
    after_help = format!("{EXAMPLES}\n\n--help lists the operations of a scenario."),
    after_long_help = format!("{EXAMPLES}\n\n{}", manual()),
)]
pub(super) struct Arguments {
    /// Scenario files (.scn), or folders of them; - is standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write what happens into the files in place of what they say
    #[arg(long, conflicts_with_all = ["profile", "set", "gic", "built", "lose"])]
    bless: bool,
    /// A kernel profile, in place of those the scenarios name
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    controller: GicSettings,
}

impl Arguments {
    fn chosen(&self) -> Result<Chosen, InputError> {
        self.controller.over(self.settings.chosen(self.profile.as_deref())?)
    }
}

/// All of it, for programs.
#[derive(Serialize)]
struct Document<'a> {
    files: Vec<&'a ScenarioReport>,
    errors: Vec<&'a InputError>,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Ended {
    let chosen = arguments.chosen();
    let (chosen, paths) = match chosen.and_then(|it| Ok((it, find(&arguments.paths)?))) {
        Ok(both) => both,
        Err(error) => {
            return report(&[Err(error)], arguments.bless, output);
        }
    };
    let mut bar = Bar::new();
    let mut results = Vec::new();
    for (done, path) in (0u64..).zip(&paths) {
        bar.at("scenarios", done, paths.len() as u64);
        results.push(if arguments.bless { bless_file(path) } else { run_chosen(path, &chosen) });
    }
    bar.clear();
    let mut ended = report(&results, arguments.bless, output);
    if let Some(error) = chosen.lost.and_then(|lost| never_lost(lost, &results)) {
        ended = output.refused(&error);
    }
    if let Some(path) = &arguments.junit
        && let Err(error) = fs::write(path, junit::xml(&results))
    {
        let message = format!("cannot write: {error}");
        let error = InputError::in_file(InputKind::Unwritable, path, message);
        output.error(&error);
        ended = Ended::BadInput;
    }
    ended
}

fn run_chosen(path: &Path, chosen: &Chosen) -> junit::FileResult {
    run_with(&Script::parse(SourceText::read(path)?)?, chosen)
}

/// A command that was to be lost and never came: what happened says nothing of losing it.
fn never_lost(lost: Lost, results: &[junit::FileResult]) -> Option<InputError> {
    let mut reports = results.iter().filter_map(|result| result.as_ref().ok()).peekable();
    reports.peek()?;
    let none = reports.all(|report| !report.lost);
    none.then(|| {
        let message = format!("no ITS of these scenarios was told {lost}: nothing was lost");
        InputError::in_file(InputKind::Argument, Path::new("--lose"), message)
            .with_hint("`its-queue` shows the commands that an ITS is told")
    })
}

fn report(results: &[junit::FileResult], bless: bool, output: &mut Output) -> Ended {
    let mut ended = Ended::Agreed;
    let (mut operations, mut differences) = (0, 0);
    for result in results {
        match result {
            Ok(report) => {
                operations += report.operations;
                differences += report.differences.len();
                if bless {
                    if !report.differences.is_empty() {
                        output.text(&format!("{}: blessed", report.file));
                    }
                    continue;
                }
                for difference in &report.differences {
                    ended = ended.max(Ended::Differed);
                    let drawn = difference.render(output.colour());
                    output.text(&format!("{}: {}", report.file, drawn.trim_end()));
                }
            }
            Err(error) => {
                ended = Ended::BadInput;
                output.error(error);
            }
        }
    }
    let ended_as = match (bless, differences) {
        (true, _) => "blessed",
        (false, 1) => "differs",
        (false, _) => "differ",
    };
    let performed = results.iter().filter(|result| result.is_ok()).count();
    let scenarios = counted(performed as u64, "scenario");
    let operations = counted(operations, "operation");
    let unused = unused(results.len() - performed);
    output.text(&format!("{scenarios}, {operations}, {differences} {ended_as}{unused}"));
    output.json(&Document {
        files: results.iter().filter_map(|result| result.as_ref().ok()).collect(),
        errors: results.iter().filter_map(|result| result.as_ref().err()).collect(),
    });
    ended
}
