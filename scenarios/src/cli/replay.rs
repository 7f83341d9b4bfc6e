//! `passim replay`.

use std::path::PathBuf;

use serde::Serialize;

use super::Ended;
use super::output::{Output, counted, unused};
use super::progress::Bar;
use super::setting::Settings;
use crate::explain::Searched;
use crate::input_error::InputError;
use crate::recording::find;
use crate::replay::{Choices, FileReport, Verdict, machine_named, replay as replay_file};

/// Most differences of a file that are printed for people; programs get all.
const MAX_PRINTED: usize = 20;

/// What to replay.
#[derive(clap::Args)]
#[command(after_help = "\
The machine, its kernel and its page size come from the topo.jsonl beside a recording.

Examples:
  passim replay tests/recordings
  passim replay --profile linux-6.12 --set zero-page=pinned memlock.jsonl
  passim --json replay random/*.jsonl.zst")]
pub(super) struct Arguments {
    /// Recordings (.jsonl, .jsonl.zst), or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// A built-in machine or a machine file, in place of the topology's
    #[arg(long, value_name = "NAME|FILE")]
    machine: Option<String>,
    /// A kernel profile, in place of the recorded kernel's
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// For how many differences of a file to search what would have been accepted; each takes runs
    /// of its own
    #[arg(long, value_name = "N", default_value_t = Searched::default().0)]
    nearest: usize,
}

/// The whole result in JSON.
#[derive(Serialize)]
struct Document {
    files: Vec<FileEntry>,
    errors: Vec<InputError>,
}

/// One recording in JSON.
#[derive(Serialize)]
struct FileEntry {
    verdict: Verdict,
    #[serde(flatten)]
    report: FileReport,
}

pub(super) fn replay(arguments: &Arguments, output: &mut Output) -> Ended {
    let chosen = arguments.settings.chosen(arguments.profile.as_deref());
    // A machine that does not exist is one error, not one for each recording.
    let named = arguments.machine.as_deref().map(machine_named).transpose();
    let chosen = chosen.and_then(|chosen| named.map(|_| chosen));
    let (chosen, found) = match chosen.and_then(|it| Ok((it, find(&arguments.paths)?))) {
        Ok(both) => both,
        Err(error) => {
            output.error(&error);
            output.json(&Document { files: Vec::new(), errors: vec![error] });
            return Ended::BadInput;
        }
    };
    let choices = Choices {
        machine: arguments.machine.clone(),
        chosen,
        searched: Searched(arguments.nearest),
    };
    let mut document = Document { files: Vec::new(), errors: Vec::new() };
    let mut ended = Ended::Agreed;
    for recording in &found {
        let mut bar = Bar::new();
        let name = recording.name();
        let result = replay_file(recording, &choices, |at| bar.at(&name, at.line, at.lines));
        bar.clear();
        match result {
            Ok(report) => {
                let verdict = report.verdict();
                if verdict == Verdict::Differed {
                    ended = ended.max(Ended::Differed);
                }
                print(&report, output);
                document.files.push(FileEntry { verdict, report });
            }
            Err(error) => {
                ended = Ended::BadInput;
                output.error(&error);
                document.errors.push(error);
            }
        }
    }
    output.text(&summary(&document));
    output.json(&document);
    ended
}

fn print(report: &FileReport, output: &mut Output) {
    output.text(&report.to_string());
    let (following, own): (Vec<_>, Vec<_>) =
        report.differences.iter().partition(|difference| difference.follows.is_some());
    for difference in own.iter().take(MAX_PRINTED) {
        output.text(&format!("  {difference}"));
    }
    if let Some(more) = own.len().checked_sub(MAX_PRINTED).filter(|more| *more > 0) {
        output.text(&format!("  and {more} more; --json lists all"));
    }
    if let (Some(parted), false) = (report.parted, following.is_empty()) {
        let lines: Vec<_> =
            following.iter().take(MAX_PRINTED).map(|it| it.line.to_string()).collect();
        let rest = if following.len() > MAX_PRINTED { ", ..." } else { "" };
        output.text(&format!(
            "  and {} after kernel and model parted in line {parted}, which may follow from it: \
             lines {}{rest}; --json lists all",
            following.len(),
            lines.join(", ")
        ));
    }
    if report.must_walk && report.windows == 0 {
        output.text("  a random trace counts only if it was walked, and this one was not");
    }
}

fn summary(document: &Document) -> String {
    let total = |count: fn(&FileReport) -> u64| {
        document.files.iter().map(|entry| count(&entry.report)).sum::<u64>()
    };
    format!(
        "{}: {} compared, {} agreed, {} differed; walked {}, agreed {}{}",
        counted(document.files.len() as u64, "recording"),
        total(|report| report.compared),
        total(|report| report.agreed),
        total(|report| report.differed),
        total(|report| report.walked),
        total(|report| report.walk_agreed),
        unused(document.errors.len()),
    )
}
