//! `passim walk`.

pub(super) mod explain;
mod log;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Ended;
use super::output::Output;
use super::progress::Bar;
use crate::input_error::InputError;
use crate::replay::Verdict;
use crate::walk::{Difference, DumpReport, Expectations, Stand, expectations, look};

/// Most differences of a dump that are printed for people; programs get all.
const MAX_PRINTED: usize = 20;

/// Where to look.
#[derive(clap::Args)]
#[command(after_help = "\
With --dump alone, a dump's bytes become memory and its registers an SMMU; every leaf, what lies
between the leaves, every `expect` line of the recordings and the queue's commands are put to it;
so is every SubstreamID whose context descriptor the dump holds. What must be answered is read from
the tables a second time, by a walk of another hand. Lines that expect something of other dumps are
passed over. An `expect` line of this dump that cannot be compared differs, and says why. Everything
else that cannot be compared (a structure the second walk cannot judge, tables behind an SMMU that
is off) is counted as not compared, by reason and in the last line, and is no difference: an SMMU
that is off must let addresses pass as GBPA says.

With --log, an emulator's log is followed: the SMMU must answer each lookup alike, or the emulator
must be known to deviate there.

With --iova, one translation is explained: every structure and every descriptor with its fields,
what was found in caches, and how it ends, in a dump or on the machine of a scenario as it stands
after a line; of a bare machine by its StreamID.

Examples:
  passim walk --dump dumps/smmu_s1v2_mixed.json
  passim walk --dump dumps/smmu_s1v2_mixed.json --expect dump.jsonl
  passim walk --dump dumps/smmu_s1v2_mixed.json --sid 8 --iova 0x1000 --write
  passim walk --log qemu-trace.log.zst
  passim walk scenarios/files/map/first.scn:13 --dev 00:01.0 --iova 0x10008
  passim walk scenarios/files/smmu/corners/lpa2.scn --sid 8 --iova 0x10000")]
pub(super) struct Arguments {
    /// A scenario, or a line of one, on whose machine to explain a translation
    #[arg(value_name = "SCENARIO[:LINE]", conflicts_with_all = ["dump", "expect"])]
    scenario: Option<String>,
    /// A dump of an SMMU (.json, .json.zst); may be given several times
    #[arg(long, value_name = "DUMP", required_unless_present_any = ["scenario", "log"])]
    dump: Vec<PathBuf>,
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
}

/// All of it, for programs.
#[derive(Serialize)]
struct Document {
    dumps: Vec<DumpEntry>,
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
}

pub(super) fn walk(arguments: &Arguments, output: &mut Output) -> Ended {
    if let Some(log) = &arguments.log {
        return log::follow_log(log, &arguments.dump, output);
    }
    let explained = match (&arguments.scenario, arguments.access.is_asked()) {
        (Some(place), _) => explain::in_scenario(place, &arguments.access),
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
    let mut document = Document { dumps: Vec::new(), not_compared: 0, errors: Vec::new() };
    let expected = match expectations(&arguments.expect) {
        Ok(expected) => expected,
        Err(error) => {
            output.error(&error);
            output.json(&Document { dumps: Vec::new(), not_compared: 0, errors: vec![error] });
            return Ended::BadInput;
        }
    };
    let mut ended = Ended::Agreed;
    for path in &arguments.dump {
        match dump(path, &expected) {
            Ok(report) => {
                let verdict = report.verdict();
                if verdict == Verdict::Differed {
                    ended = ended.max(Ended::Differed);
                }
                print(&report, output);
                document.not_compared += report.times_not_compared();
                document.dumps.push(DumpEntry { verdict, report });
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

fn dump(path: &Path, expected: &Expectations) -> Result<DumpReport, InputError> {
    let mut stand = Stand::read(path)?;
    let mut bar = Bar::new();
    let file = path.display().to_string();
    let name = stand.name.clone();
    let report = look(&mut stand, expected, file, |at| bar.at(&name, at.done, at.all));
    bar.clear();
    Ok(report)
}

fn print(report: &DumpReport, output: &mut Output) {
    output.text(&report.to_string());
    print_differences(&report.differences, output);
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
        "{} dumps: {} leaves, {} expectations, {} unmapped, {} commands; {} differ, {} not compared",
        document.dumps.len(),
        total(|report| report.leaves),
        total(|report| report.expectations),
        total(|report| report.unmapped),
        total(|report| report.commands),
        total(|report| report.differences.len() as u64),
        document.not_compared,
    )
}
