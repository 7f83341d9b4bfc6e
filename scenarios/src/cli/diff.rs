//! `passim diff`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use passim_vfio::policy::Profile;
use serde::Serialize;

use super::Ended;
use super::output::{Output, unused};
use super::progress::Bar;
use super::setting::Settings;
use crate::chosen::profile_named;
use crate::diff::{Asked, Because, DiffReport, Divergence, Subject, diff as diff_subject};
use crate::explain::Searched;
use crate::input_error::InputError;

/// Most divergences of a file, or line numbers of them, that are printed for people; JSON lists
/// all.
const MAX_PRINTED: usize = 20;
/// Most divergences printed that have the same cause.
const MAX_OF_A_CAUSE: usize = 3;

/// What to compare.
#[derive(clap::Args)]
#[command(after_help = "\
What will a program see when its host is upgraded? A scenario is run under both profiles, whatever
its `machine` lines name and whatever it says happens. Of a recording the calls are made, and what
was answered to them is not looked at. A divergence comes with the choices that bring it about,
found by setting them one at a time. Of several with the same choices the first three are told, the
others by their lines; of several files those that are the same are passed over. -v tells them.

Examples:
  passim diff --profiles msi-v9,linux-6.12 scenarios/files
  passim diff --profiles linux-6.1,linux-6.12 order.jsonl
  passim diff --profiles linux-6.1,linux-6.12 --set zero-page=pinned my.scn --json

Exit code: 0 the same, 1 something differed, 2 bad input.")]
pub(super) struct Arguments {
    /// The two kernel profiles
    #[arg(long, value_name = "A,B", value_parser = two)]
    profiles: (String, String),
    #[command(flatten)]
    settings: Settings,
    /// For how many differences of a file to search what would have been accepted; each takes runs
    /// of its own
    #[arg(long, value_name = "N", default_value_t = Searched::default().0)]
    nearest: usize,
    /// Scenarios (.scn), recordings (.jsonl, .jsonl.zst), or folders of either
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

fn two(text: &str) -> Result<(String, String), String> {
    let (a, b) = text.split_once(',').ok_or("say A,B, such as linux-6.1,linux-6.12")?;
    Ok((a.to_owned(), b.to_owned()))
}

/// The whole result in JSON.
#[derive(Serialize)]
struct Document {
    files: Vec<DiffReport>,
    errors: Vec<InputError>,
}

fn asked(arguments: &Arguments) -> Result<(Asked, Vec<Subject>), InputError> {
    let (a, b) = &arguments.profiles;
    let profiles: (Profile, Profile) = (profile_named(a)?, profile_named(b)?);
    let set = arguments.settings.chosen(None)?.set;
    let subjects = Subject::find(&arguments.paths)?;
    Ok((
        Asked { a: profiles.0, b: profiles.1, set, searched: Searched(arguments.nearest) },
        subjects,
    ))
}

pub(super) fn diff(arguments: &Arguments, output: &mut Output) -> Ended {
    let mut document = Document { files: Vec::new(), errors: Vec::new() };
    let (asked, subjects) = match asked(arguments) {
        Ok(asked) => asked,
        Err(error) => {
            output.error(&error);
            document.errors.push(error);
            output.json(&document);
            return Ended::BadInput;
        }
    };
    let mut ended = Ended::Agreed;
    for subject in &subjects {
        let mut bar = Bar::new();
        let name = subject.name();
        let result = diff_subject(subject, &asked, |at| {
            let what = format!("{name}, run {} of {}", at.run, at.runs);
            bar.at(&what, at.done, at.steps);
        });
        bar.clear();
        match result {
            Ok(report) => {
                if !report.divergences.is_empty() {
                    ended = ended.max(Ended::Differed);
                }
                print(&report, subjects.len() > 1, output);
                document.files.push(report);
            }
            Err(error) => {
                ended = Ended::BadInput;
                output.error(&error);
                document.errors.push(error);
            }
        }
    }
    if document.files.len() > 1 {
        output.text(&summary(&document.files, document.errors.len()));
    }
    output.json(&document);
    ended
}

fn summary(of_all: &[DiffReport], errors: usize) -> String {
    let files = of_all;
    let differ = files.iter().filter(|report| !report.divergences.is_empty()).count();
    let compared: u64 = files.iter().map(|report| report.compared).sum();
    let divergences: usize = files.iter().map(|report| report.divergences.len()).sum();
    let files = files.len();
    let (differ, divergences) = (differing(differ), differing(divergences));
    let unused = unused(errors);
    let mut text = format!("{files} files, {differ}; {compared} compared, {divergences}{unused}");
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for (reason, times) in of_all.iter().flat_map(DiffReport::reasons) {
        *reasons.entry(reason).or_default() += times;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, times)| Reverse(*times));
    for (reason, times) in reasons {
        text.push_str(&format!("\n  {times} because {reason}"));
    }
    text
}

fn differing(count: usize) -> String {
    if count == 1 { "1 differs".to_owned() } else { format!("{count} differ") }
}

fn print(report: &DiffReport, is_one_of_many: bool, output: &mut Output) {
    if report.divergences.is_empty() && is_one_of_many && !output.is_verbose() {
        return;
    }
    output.text(&report.to_string());
    let mut told = BTreeSet::new();
    let mut causes: Vec<(&Because, Vec<&Divergence>)> = Vec::new();
    for divergence in &report.divergences {
        match causes.iter_mut().find(|(because, _)| **because == divergence.because) {
            Some((_, of_it)) => of_it.push(divergence),
            None => causes.push((&divergence.because, vec![divergence])),
        }
    }
    for (because, divergences) in &causes {
        let each = if output.is_verbose() { MAX_PRINTED } else { MAX_OF_A_CAUSE };
        for divergence in divergences.iter().take(each) {
            let drawn = divergence.render(report.a, report.b, &mut told);
            output.text(&format!("  {}", drawn.replace('\n', "\n  ")));
        }
        let rest = divergences.get(each..).unwrap_or_default();
        if !rest.is_empty() {
            let lines: Vec<_> =
                rest.iter().take(MAX_PRINTED).map(|it| it.line.to_string()).collect();
            let more = if rest.len() > MAX_PRINTED { ", ..." } else { "" };
            output.text(&format!(
                "  and {} more because {because}: lines {}{more}; --json lists all",
                rest.len(),
                lines.join(", ")
            ));
        }
    }
}
