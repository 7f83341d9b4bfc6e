//! `passim walk --log`: an emulator's log, followed.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::print_differences;
use crate::cli::Ended;
use crate::cli::output::Output;
use crate::input_error::InputError;
use crate::recording::find::DUMPS;
use crate::replay::Verdict;
use crate::walk::{TraceReport, follow};

/// The result in JSON.
#[derive(Serialize)]
struct Document {
    verdict: Verdict,
    #[serde(flatten)]
    report: TraceReport,
}

pub(super) fn follow_log(log: &Path, dumps: &[PathBuf], output: &mut Output) -> Ended {
    let followed = match dumps {
        [] => beside(log).and_then(|dumps| follow(log, &dumps)),
        named => follow(log, named),
    };
    match followed {
        Ok(report) => {
            output.text(&report.to_string());
            print_differences(&report.differences, output);
            let verdict = report.verdict();
            output.json(&Document { verdict, report });
            match verdict {
                Verdict::Agreed => Ended::Agreed,
                Verdict::Differed => Ended::Differed,
            }
        }
        Err(error) => output.refused(&error),
    }
}

/// Dumps of an SMMU in the folder beside a log, in the order of their names; none if there is no
/// such folder.
fn beside(log: &Path) -> Result<Vec<PathBuf>, InputError> {
    let folder = log.parent().unwrap_or(Path::new("")).join(DUMPS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable = |error| InputError::unreadable(&folder, &error);
    let mut dumps = Vec::new();
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_json = name.ends_with(".json") || name.ends_with(".json.zst");
        if name.starts_with("smmu_") && is_json {
            dumps.push(path);
        }
    }
    dumps.sort();
    Ok(dumps)
}
