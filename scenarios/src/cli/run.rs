//! `passim run`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Ended;
use super::manual::manual;
use super::output::{Output, counted, unused};
use super::progress::Bar;
use super::seeds::Seeds;
use super::setting::{GicSettings, Settings, never_lost};
use crate::chosen::Chosen;
use crate::input_error::{InputError, InputKind, SourceText, is_standard_input};
use crate::run::files::{ScenarioReport, bless_file, find, run_as_far};
use crate::run::junit;
use crate::script::Script;

const EXAMPLES: &str = "\
Examples:
  passim run scenarios/files                    every scenario below a folder
  passim run --bless my.scn                     write down what happens
  passim run --set zero-page=pinned my.scn      what changes with another choice
  passim run --junit report.xml scenarios/files
  passim run --seeds 0..1000 my.scn             the first seed under which chance breaks it

A scenario that goes no further than an operation that cannot be performed is told up to there, and
blessed up to there.";

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
    #[arg(long, conflicts_with_all = ["profile", "set", "gic", "built", "lose", "seeds"])]
    bless: bool,
    /// A kernel profile, in place of those the scenarios name
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    controller: GicSettings,
    /// Run under the GIC preset adversarial with each of these seeds, and tell the first under which a
    /// scenario does not go as it says
    #[arg(long, value_name = "A..B", conflicts_with_all = ["gic", "seed"])]
    seeds: Option<Seeds>,
}

impl Arguments {
    fn chosen(&self) -> Result<Chosen, InputError> {
        self.controller.over(self.settings.chosen(self.profile.as_deref())?)
    }

    fn run(&self, path: &Path, chosen: &Chosen) -> junit::FileResult {
        if self.bless {
            return bless_file(path);
        }
        let script = Script::parse_as_far(SourceText::read(path)?);
        if script.blocks().next().is_none() && script.unread().is_none() {
            let message = "no operation stands in this file";
            let error = InputError::in_file(InputKind::Scenario, path, message);
            return Err(error.with_hint("a scenario begins with `machine NAME` or `bare NAME`"));
        }
        Ok(match self.seeds {
            Some(seeds) => seeds.run(&script, chosen),
            None => run_as_far(&script, chosen),
        })
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
            return report(&[Err(error)], arguments, output);
        }
    };
    let mut bar = Bar::new();
    let mut results = Vec::new();
    for (done, path) in (0u64..).zip(&paths) {
        bar.at("scenarios", done, paths.len() as u64);
        results.push(arguments.run(path, &chosen));
    }
    bar.clear();
    let mut ended = report(&results, arguments, output);
    let mut reports = results.iter().filter_map(|result| result.as_ref().ok()).peekable();
    if let Some(lost) = chosen.lost.filter(|_| reports.peek().is_some())
        && reports.all(|report| !report.lost)
    {
        ended = output.refused(&never_lost(lost));
    }
    if let Some(path) = arguments.junit.as_deref().filter(|path| is_standard_input(path)) {
        let message = "standard output has what is told; JUnit XML wants a file of its own";
        let error = InputError::in_file(InputKind::Argument, path, message);
        ended = output.refused(&error.with_hint("name a file"));
    } else if let Some(path) = &arguments.junit
        && let Err(error) = fs::write(path, junit::xml(&results))
    {
        let message = format!("cannot write: {error}");
        let error = InputError::in_file(InputKind::Unwritable, path, message);
        output.error(&error);
        ended = Ended::BadInput;
    }
    ended
}

fn report(results: &[junit::FileResult], arguments: &Arguments, output: &mut Output) -> Ended {
    let mut ended = Ended::Agreed;
    for result in results {
        let error = match result {
            Ok(report) => {
                ended = ended.max(tell(report, arguments, output));
                report.error.as_ref()
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            ended = output.refused(error);
        }
    }
    output.text(&summary(results, arguments.bless));
    output.json(&Document {
        files: results.iter().filter_map(|result| result.as_ref().ok()).collect(),
        errors: results.iter().filter_map(|result| result.as_ref().err()).collect(),
    });
    ended
}

/// What came of one file, as far as it could be run.
fn tell(report: &ScenarioReport, arguments: &Arguments, output: &mut Output) -> Ended {
    let ScenarioReport { file, differences, seed, .. } = report;
    if arguments.bless {
        let up_to = report.answers.last().filter(|_| report.error.is_some());
        let up_to = up_to.map_or_else(String::new, |last| format!(" up to line {}", last.line));
        if !differences.is_empty() {
            output.text(&format!("{file}: blessed{up_to}"));
        }
        return Ended::Agreed;
    }
    let under = match (arguments.seeds, seed) {
        (Some(_), Some(seed)) => format!("seed {seed}, "),
        (Some(seeds), None) => {
            output.text(&format!("{file}: as it says under every seed of {seeds}"));
            String::new()
        }
        (None, _) => String::new(),
    };
    for difference in differences {
        let drawn = difference.render(output.colour());
        output.text(&format!("{file}: {under}{}", drawn.trim_end()));
    }
    if differences.is_empty() { Ended::Agreed } else { Ended::Differed }
}

fn summary(results: &[junit::FileResult], bless: bool) -> String {
    let reports = || results.iter().filter_map(|result| result.as_ref().ok());
    let differences: usize = reports().map(|report| report.differences.len()).sum();
    let ended_as = match (bless, differences) {
        (true, _) => "blessed",
        (false, 1) => "differs",
        (false, _) => "differ",
    };
    let cut_short = reports().filter(|report| report.error.is_some()).count();
    let scenarios = counted(reports().count() as u64, "scenario");
    let operations = counted(reports().map(|report| report.operations).sum::<u64>(), "operation");
    let cut_short = match cut_short {
        0 => String::new(),
        count => format!("; {count} not run to the end"),
    };
    let unused = unused(results.len() - reports().count());
    format!("{scenarios}, {operations}, {differences} {ended_as}{cut_short}{unused}")
}
