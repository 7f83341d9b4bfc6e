//! A translation on the machine of a scenario, in its state after a line.

use passim_model::{Access, Iova, SubstreamId};
use passim_smmu::v3::Transaction;

use super::tell::{Narration, tell};
use crate::chosen::Chosen;
use crate::input_error::{InputError, InputKind};
use crate::op::{DeviceName, Op};
use crate::run::{Runner, Unperformable};
use crate::script::Script;
use crate::system::Explained;

/// Explains one access of a device of a scenario, after `line` (or the operation above it, if
/// `line` is part of an outcome), or after the last line. No state changes.
///
/// # Errors
/// A scenario that cannot be run to the line, no machine there, no such device, or one whose DMA
/// passes no SMMU.
pub fn explain_in_scenario(
    script: &Script,
    line: Option<u64>,
    chosen: &Chosen,
    device: &DeviceName,
    asked: (Option<SubstreamId>, Iova, Access),
) -> Result<Narration, InputError> {
    let (substream, iova, access) = asked;
    at_line(script, line, chosen, |runner| runner.explain_access(device, substream, iova, access))
}

/// The same for a transaction at the first SMMU of the machine, which may be a bare one.
///
/// # Errors
/// As [`explain_in_scenario`]; no SMMU.
pub fn explain_transaction_in_scenario(
    script: &Script,
    line: Option<u64>,
    chosen: &Chosen,
    transaction: &Transaction,
) -> Result<Narration, InputError> {
    at_line(script, line, chosen, |runner| {
        Ok((*transaction, runner.explain_transaction(transaction)?))
    })
}

fn at_line(
    script: &Script,
    line: Option<u64>,
    chosen: &Chosen,
    explained: impl FnOnce(&Runner) -> Result<(Transaction, Explained), Unperformable>,
) -> Result<Narration, InputError> {
    line.map_or(Ok(()), |line| script.reaches(line))?;
    let mut runner = Runner::with(chosen.clone());
    let mut last = None;
    for block in script.blocks() {
        if line.is_some_and(|line| script.line_of(block) > line) {
            break;
        }
        let op = Op::read(script.source(), &block.invocation)?;
        runner.perform(&op).map_err(|error| error.at(script, block))?;
        last = Some(block);
    }
    let (asked, explanation) = explained(&runner).map_err(|error| match last {
        Some(block) => error.at(script, block),
        None => {
            let path = script.source().path();
            InputError::in_file(InputKind::Scenario, path, "no operation stands up to that line")
        }
    })?;
    Ok(tell(&asked, &explanation))
}
