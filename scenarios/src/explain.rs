//! Why a line of a scenario was answered as it was, and what would have been accepted instead.
//!
//! The scenario is run to the line. A refusal is told with its rule, with what it ran into by the
//! names the scenario has for it, and with the checks it had passed. The nearest request that is
//! accepted is searched: requests a little different from the refused one are made, nearest first,
//! each on a machine that was run to the line for it alone.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `before` | which line made a mapping, which command did nothing? |
//! | `sent` | which commands did a kernel's driver send to an ITS, and what became of them? |
//! | `order` | which checks did it pass before? |
//! | `words` | what did it run into, by name? |
//! | `access` | where does what a device does lead? |
//! | `limits` | of what is there not enough, who says how much there is, what is left? |
//! | `hardware` | what did hardware answer, by which rule, and what would it have answered otherwise? |
//! | `candidate` | which requests are near? |
//! | `search` | which of them is accepted? |
//! | `why` | why is none of them? |
//! | `report` | how is it told? |

mod access;
mod before;
mod candidate;
mod hardware;
mod limits;
mod order;
mod report;
mod search;
mod sent;
mod why;
mod words;

pub use hardware::{
    Hardware, Otherwise, Undone, Unsynchronised, command_rules, rules as hardware_rules,
};
pub use report::{Attempted, Explained, Explanation, Nearest, Remark};

use passim_model::{Iova, Refusal, Span};

use crate::chosen::Chosen;
use crate::input_error::{InputError, InputKind};
use crate::op::Op;
use crate::run::{Answered, Runner, Unperformable};
use crate::script::{Block, Script};
use before::Before;

/// For how many differences of a file it is searched what would have been accepted; each takes runs
/// of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Searched(pub usize);

impl Default for Searched {
    fn default() -> Self {
        Self(3)
    }
}

/// A scenario, and how it is run.
pub(crate) struct Subject<'a> {
    script: &'a Script,
    chosen: &'a Chosen,
    /// The operations that matter: from the last `machine` before the line up to the line, it not
    /// included.
    before: Vec<(Op, &'a Block)>,
}

/// What a line was answered on a machine of its own.
struct Moment {
    outcome: Vec<String>,
    /// Whether neither kernel nor hardware had anything against it.
    is_good: bool,
}

/// A mapping, and the line that made it.
pub(crate) struct Origin {
    pub(crate) container: usize,
    pub(crate) iova: Span<Iova>,
    pub(crate) line: u64,
}

/// Explains the operation in `line` of a scenario, or the one above if what happened is there.
///
/// # Errors
/// No operation in that line, or a scenario that cannot be run to it.
pub fn explain(script: &Script, line: u64, chosen: &Chosen) -> Result<Explanation, InputError> {
    let (subject, op, block) = Subject::new(script, line, chosen)?;
    let (mut runner, mut before) = subject.arrive()?;
    let origins = before.origins(&runner);
    let surroundings = runner.surroundings();
    let outcome = runner.perform(&op).map_err(|error| error.at(script, block))?;
    let account = runner.account();
    let here = (&op, script.line_of(block), before.sent.settled());
    before.sent.note(&mut runner, &op, here.1);
    let sent = before.sent.told(&mut runner, here, surroundings.as_ref(), chosen.lost);
    let told = |refusal| Explained::new(refusal, &op, surroundings.as_ref(), &origins);
    let short = account
        .shortage
        .as_ref()
        .map(|shortage| Explained { granted: Some(shortage.available), ..told(&shortage.refusal) });
    let mut explanation = Explanation {
        file: script.source().path().display().to_string(),
        line: script.line_of(block),
        operation: op.to_string(),
        outcome: outcome.clone(),
        refusals: account.refused.iter().map(told).chain(short).collect(),
        remarks: account.verdicts.iter().map(Remark::from).collect(),
        by_device: matches!(op, Op::Read { .. } | Op::Write { .. } | Op::Raise { .. }),
        has_kernel: runner.is_booted(),
        hardware: hardware::told(&op, &outcome, &account.hardware),
        lost: runner.has_lost(),
        not_performed: hardware::undone(subject.lines_before(), &op, &before.undone),
        not_synchronised: hardware::unsynchronised(subject.lines_before(), &op, &before.undone),
        otherwise: Vec::new(),
        notes: access::notes(&op, surroundings.as_ref(), &origins, &account),
        nearest: None,
    };
    if account.hardware.iter().any(|answered| !answered.is_done()) {
        let walked = access::walked(&op, &explanation.file, explanation.line);
        explanation.notes.extend(walked);
    }
    explanation.not_performed.extend(sent.0);
    explanation.not_synchronised.extend(sent.1);
    let waits = !explanation.not_synchronised.is_empty();
    if !explanation.has_kernel || waits || !explanation.not_performed.is_empty() {
        explanation.otherwise = hardware::otherwise(&subject, &op, &explanation.outcome, waits);
    }
    if account.refusal().is_none() {
        let around = surroundings.as_ref();
        let undone = subject.lines_before().filter(|(line, _)| before.undone.contains_key(line));
        let undone: Vec<&Op> = undone.map(|(_, op)| op).collect();
        explanation.nearest = hardware::nearest(&subject, &op, &account.hardware, &undone, around);
    }
    if let (Some(refusal), Some(surroundings)) = (account.refusal(), surroundings) {
        let available = account.shortage.map(|shortage| shortage.available);
        let search = search::Search::new(&subject, &surroundings, &op, (refusal, available));
        explanation.nearest = Some(search.nearest());
    }
    Ok(explanation)
}

/// The request nearest to one that was refused on a machine, by the descriptors of the process that
/// made it.
pub(crate) fn nearest_on(runner: Runner, op: &Op, refusal: &Refusal) -> Option<Nearest> {
    let around = runner.surroundings()?;
    Some(search::Search::new(runner, &around, op, (*refusal, None)).nearest())
}

impl<'a> Subject<'a> {
    fn new(
        script: &'a Script,
        line: u64,
        chosen: &'a Chosen,
    ) -> Result<(Self, Op, &'a Block), InputError> {
        let mut before: Vec<(Op, &Block)> = Vec::new();
        for block in script.blocks() {
            let first = script.line_of(block);
            let op = Op::read(script.source(), &block.invocation)?;
            if first > line {
                break;
            }
            if line <= first + block.expected.len() as u64 {
                return Ok((Self { script, chosen, before }, op, block));
            }
            if matches!(op, Op::Machine { .. }) {
                before.clear();
            }
            before.push((op, block));
        }
        if let Some(error) = script.unread() {
            return Err(error.clone());
        }
        let lines: Vec<_> = script.blocks().map(|block| script.line_of(block)).collect();
        let near = lines.iter().copied().min_by_key(|known| known.abs_diff(line));
        let error = script.source().error_in_line(
            InputKind::Scenario,
            line,
            format!("no operation stands in line {line}"),
        );
        Err(match near {
            Some(near) => error.with_hint(format!("the nearest one stands in line {near}")),
            None => error,
        })
    }

    /// A machine that was run to the line, and what was noted on the way.
    fn arrive(&self) -> Result<(Runner, Before), InputError> {
        let mut runner = Runner::with(self.chosen.clone());
        let mut made = Before::default();
        for (op, block) in &self.before {
            let line = self.script.line_of(block);
            made.perform(&mut runner, op, line).map_err(|error| error.at(self.script, block))?;
        }
        Ok((runner, made))
    }

    /// The operations before, each with its line.
    fn lines_before(&self) -> impl Iterator<Item = (u64, &Op)> {
        self.before.iter().map(|(op, block)| (self.script.line_of(block), op))
    }

    /// What `op` is answered after `before`, on a machine of its own that was run to the line; by what
    /// `chosen` says in place of the caller's choice, if it says anything.
    ///
    /// # Errors
    /// It cannot be performed.
    fn performed(
        &self,
        before: &[Op],
        op: &Op,
        chosen: Option<&Chosen>,
    ) -> Result<Moment, Unperformable> {
        let mut runner = Runner::with(chosen.unwrap_or(self.chosen).clone());
        self.before.iter().try_for_each(|(op, _)| runner.perform(op).map(drop))?;
        for op in before {
            let outcome = runner.perform(op)?;
            if runner.account().refusal().is_some() {
                let first = format!("what comes first is refused: {op}: ");
                let outcome = vec![format!("{first}{}", outcome.join("; "))];
                return Ok(Moment { outcome, is_good: false });
            }
        }
        let outcome = runner.perform(op)?;
        let account = runner.account();
        let stopped = outcome.iter().any(|line| line.starts_with("stalled"));
        let is_good = !stopped
            && account.refusal().is_none()
            && account.hardware.iter().all(Answered::is_done);
        Ok(Moment { outcome, is_good })
    }

    /// The same without asking which lines made what.
    fn arrive_quickly(&self) -> Option<Runner> {
        let mut runner = Runner::with(self.chosen.clone());
        self.before.iter().try_for_each(|(op, _)| runner.perform(op).map(drop)).ok()?;
        Some(runner)
    }
}

#[cfg(test)]
mod tests;
