//! `passim walk`.

pub(super) mod explain;
mod log;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Ended;
use super::output::{Output, counted, unused};
use super::progress::Bar;
use super::setting::Settings;
use crate::input_error::{InputError, InputKind};
use crate::recording::dump::is_of_its;
use crate::recording::read::read_whole;
use crate::replay::Verdict;
use crate::walk::{
    Difference, DumpReport, DumpedSmmu, Expectations, ItsListing, Listing, expectations, look,
};

/// Most differences of a dump that are printed for people; programs get all.
const MAX_PRINTED: usize = 20;

/// Where to look.
#[derive(clap::Args)]
#[command(after_help = "\
With --dump alone, a dump's bytes become memory and its registers an SMMU; every leaf, what lies \
between the leaves, every `expect` line of the recordings and the queue's commands are put to it; \
so is every SubstreamID whose context descriptor the dump holds. What must be answered is read from \
the tables a second time, by a walk of another hand. Lines that expect something of other dumps are \
passed over. An `expect` line of this dump that cannot be compared differs, and says why. Everything \
else that cannot be compared (a structure the second walk cannot judge, tables behind an SMMU that \
is off) is counted as not compared, by reason and in the last line, and is no difference: an SMMU \
that is off must let addresses pass as GBPA says.

With --list as well, the dump is told one by one: the STE and CD of each stream by their fields, every \
run of leaves with where it leads, page size, permissions and memory type, and every command and \
event in the queues.

The dump of an ITS is told at once: registers, the command queue command by command, device and \
collection tables, and for every mapped event which LPI a message raises, at which CPU, or why none.

With --log, an emulator's log is followed: the SMMU must answer each lookup alike, or the emulator \
must be known to deviate there.

With --iova, one translation is explained: every structure and every descriptor with its fields, \
what was found in caches, and how it ends, in a dump or on the machine of a scenario as it stands \
after a line; of a bare machine by its StreamID.

Examples:
  passim walk --dump dumps/smmu_s1v2_mixed.json
  passim walk --dump dumps/smmu_s1v2_mixed.json --expect dump.jsonl
  passim walk --dump dumps/smmu_s1v2_mixed.json --list
  passim walk --dump dumps/its_unsafe_1.json
  passim walk --dump dumps/smmu_s1v2_mixed.json --sid 8 --iova 0x1000 --write
  passim walk --log qemu-trace.log.zst
  passim walk scenarios/files/map/first.scn:13 --dev 00:01.0 --iova 0x10008
  passim walk scenarios/files/smmu/corners/lpa2.scn --sid 8 --iova 0x10000")]
pub(super) struct Arguments {
    /// A scenario, or a line of one, on whose machine to explain a translation
    #[arg(value_name = "SCENARIO[:LINE]", conflicts_with_all = ["dump", "expect"])]
    scenario: Option<String>,
    /// A dump of an SMMU or of an ITS (.json, .json.zst); may be given several times
    #[arg(long, value_name = "DUMP", required_unless_present_any = ["scenario", "log"])]
    dump: Vec<PathBuf>,
    /// List every leaf, structure, command and event of the dumps
    #[arg(long, requires = "dump", conflicts_with_all = ["log", "iova"])]
    list: bool,
    /// A recording (.jsonl, .jsonl.zst) whose lines expect something of a dump; may be given
    /// several times
    #[arg(long, value_name = "RECORDING")]
    expect: Vec<PathBuf>,
    /// A log of an emulator's SMMU (.log, .log.zst) to follow; its machine's dumps are those named,
    /// or those in the folder `dumps` beside it
    #[arg(long, value_name = "LOG", conflicts_with_all = ["scenario", "expect", "iova"])]
    log: Option<PathBuf>,
    #[command(flatten)]
    access: explain::Access,
    /// A kernel profile, in place of those the scenario names
    #[arg(long, value_name = "NAME", requires = "scenario")]
    profile: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// All of it, for programs.
#[derive(Default, Serialize)]
struct Document {
    dumps: Vec<DumpEntry>,
    /// Dumps of an ITS.
    its: Vec<ItsEntry>,
    /// How often something could not be compared, of all dumps together.
    not_compared: u64,
    errors: Vec<InputError>,
}

/// One dump, for programs.
#[derive(Serialize)]
struct DumpEntry {
    verdict: Verdict,
    #[serde(flatten)]
    report: DumpReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    listing: Option<Listing>,
}

/// One dump of an ITS, for programs.
#[derive(Serialize)]
struct ItsEntry {
    verdict: Verdict,
    #[serde(flatten)]
    listing: ItsListing,
}

/// What came of one dump.
enum Looked {
    Smmu(DumpReport, Option<Listing>),
    Its(ItsListing),
}

impl Document {
    fn add(&mut self, looked: Looked) -> Verdict {
        match looked {
            Looked::Smmu(report, listing) => {
                let verdict = report.verdict();
                self.not_compared += report.times_not_compared();
                self.dumps.push(DumpEntry { verdict, report, listing });
                verdict
            }
            Looked::Its(listing) => {
                let verdict = listing.verdict();
                self.its.push(ItsEntry { verdict, listing });
                verdict
            }
        }
    }
}

pub(super) fn walk(arguments: &Arguments, output: &mut Output) -> Ended {
    if arguments.scenario.is_none() && !arguments.settings.set.is_empty() {
        return output.refused(&unasked("--set", "a dump holds what a kernel chose already"));
    }
    if let Some(log) = &arguments.log {
        return log::follow_log(log, &arguments.dump, output);
    }
    let explained = match (&arguments.scenario, arguments.access.is_asked()) {
        (Some(place), _) => {
            let chosen = arguments.settings.chosen(arguments.profile.as_deref());
            chosen.and_then(|chosen| explain::in_scenario(place, &arguments.access, &chosen))
        }
        (None, true) => explain::in_dump(&arguments.dump, &arguments.access),
        (None, false) => return look_at_all(arguments, output),
    };
    match explained {
        Ok(told) => {
            output.text(&told.to_string());
            output.json(&told);
            Ended::Agreed
        }
        Err(error) => output.refused(&error),
    }
}

fn look_at_all(arguments: &Arguments, output: &mut Output) -> Ended {
    let mut document = Document::default();
    let expected = match expectations(&arguments.expect) {
        Ok(expected) => expected,
        Err(error) => {
            output.error(&error);
            output.json(&Document { errors: vec![error], ..document });
            return Ended::BadInput;
        }
    };
    let mut ended = Ended::Agreed;
    for path in &arguments.dump {
        match dump(path, &expected, arguments.list) {
            Ok(looked) => {
                print(&looked, output);
                if document.add(looked) == Verdict::Differed {
                    ended = ended.max(Ended::Differed);
                }
            }
            Err(error) => {
                ended = Ended::BadInput;
                output.error(&error);
                document.errors.push(error);
            }
        }
    }
    if document.dumps.is_empty() && !document.its.is_empty() && !arguments.expect.is_empty() {
        let error = unasked("--expect", "no line of a recording expects anything of an ITS");
        ended = output.refused(&error);
        document.errors.push(error);
    }
    if !document.dumps.is_empty() || document.its.is_empty() {
        output.text(&summary(&document));
    }
    output.json(&document);
    ended
}

/// An option that says nothing of what is looked at.
fn unasked(option: &str, why: &str) -> InputError {
    InputError::in_file(InputKind::Argument, Path::new(option), why)
        .with_hint(format!("leave `{option}` out"))
}

fn dump(path: &Path, expected: &Expectations, list: bool) -> Result<Looked, InputError> {
    let source = read_whole(path)?;
    let file = path.display().to_string();
    if is_of_its(&source) {
        return Ok(Looked::Its(ItsListing::of(&source, file)?));
    }
    let mut stand = DumpedSmmu::of(&source)?;
    let mut bar = Bar::new();
    let name = stand.name.clone();
    let report = look(&mut stand, expected, file, |at| bar.at(&name, at.done, at.all));
    bar.clear();
    let listing = list.then(|| Listing::of(&mut stand));
    Ok(Looked::Smmu(report, listing))
}

fn print(looked: &Looked, output: &mut Output) {
    match looked {
        Looked::Smmu(report, listing) => {
            output.text(&report.to_string());
            if let Some(listing) = listing {
                output.text(&listing.to_string());
            }
            print_differences(&report.differences, output);
        }
        Looked::Its(listing) => {
            output.text(&listing.to_string());
            print_differences(&listing.differences, output);
        }
    }
}

fn print_differences(differences: &[Difference], output: &mut Output) {
    for difference in differences.iter().take(MAX_PRINTED) {
        output.text(&format!("  {difference}"));
    }
    if let Some(more) = differences.len().checked_sub(MAX_PRINTED).filter(|more| *more > 0) {
        output.text(&format!("  and {more} more; --json lists all"));
    }
}

fn summary(document: &Document) -> String {
    let total = |count: fn(&DumpReport) -> u64| {
        document.dumps.iter().map(|entry| count(&entry.report)).sum::<u64>()
    };
    format!(
        "{}: {} leaves, {} expectations, {} unmapped, {} commands; {} differ, {} not compared{}",
        counted(document.dumps.len() as u64, "dump"),
        total(|report| report.leaves),
        total(|report| report.expectations),
        total(|report| report.unmapped),
        total(|report| report.commands),
        total(|report| report.differences.len() as u64),
        document.not_compared,
        unused(document.errors.len()),
    )
}
