//! What the model would have accepted where it refused and the recorded kernel did not.
//!
//! The recording is replayed up to the line, and requests near the refused one are tried there
//! until one is accepted.

use passim_vfio::view::OpenFile;

use super::report::FileReport;
use super::select::{Choices, select};
use super::{Replayer, look_ahead, words};
use crate::explain::{Nearest, nearest_on};
use crate::input_error::InputError;
use crate::op::Op;
use crate::recording::{Found, Record, Recording};
use crate::run::Runner;

/// Adds the nearest accepted request to the first differences that are refusals of the model.
pub(super) fn explain(
    found: &Found,
    choices: &Choices,
    report: &mut FileReport,
) -> Result<(), InputError> {
    let refused = report.differences.iter_mut().filter(|difference| difference.rule.is_some());
    for difference in refused.take(choices.searched.0) {
        difference.nearest = nearest_in(found, choices, difference.line)?.map(Box::new);
    }
    Ok(())
}

/// The request nearest to the one refused in a line; `None` if a scenario cannot express it.
///
/// # Errors
/// As [`replay`](super::replay).
pub(crate) fn nearest_in(
    found: &Found,
    choices: &Choices,
    line: u64,
) -> Result<Option<Nearest>, InputError> {
    let selected = select(found, choices)?;
    let placements = look_ahead(found, &selected.machine)?;
    let mut replayer = Replayer::new(found, selected, placements)?;
    replayer.expected = None;
    replayer.heard = Some(Vec::new());
    for record in Recording::open(&found.recording)? {
        let Record { line: at, content } = record?;
        replayer.move_pages();
        replayer.refused = None;
        replayer.heard = Some(Vec::new());
        if !replayer.hear(at, &content)? || at == line {
            break;
        }
        replayer.moving.extend_from_slice(replayer.placements.moves(at));
    }
    let Some((pid, call, refusal)) = replayer.refused else { return Ok(None) };
    let files: Vec<(i32, OpenFile)> = replayer.system.kernel.open_files(pid);
    let text = words::call(&call, words::file_of(&call, &files));
    let Ok(op) = Op::parse("call", &text) else { return Ok(None) };
    Ok(nearest_on(Runner::adopt(replayer.system, pid), &op, &refusal))
}
