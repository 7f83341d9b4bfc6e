//! The nearest request that is accepted: made, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use passim_model::Refusal;
use passim_vfio::verdict::Severity;

use super::Subject;
use super::candidate::{self, Attempt, Distance};
use super::report::Nearest;
use crate::input_error::InputError;
use crate::op::Op;
use crate::run::Surroundings;

/// Most requests that are made.
const MOST_TRIES: usize = 96;

/// What came of one attempt.
enum Tried {
    Accepted,
    Refused(Refusal),
    /// It could not be performed, or what refused it is not known.
    Lost,
}

/// Searches the request nearest to `op` that is accepted where `op` was refused.
///
/// Requests near to the refused one follow from what it ran into; where one of these is refused
/// as well, more follow from what that ran into. The nearest that was not tried is next.
pub(super) fn nearest(
    subject: &Subject<'_>,
    op: &Op,
    refusal: &Refusal,
    around: &Surroundings,
) -> Result<Nearest, InputError> {
    let original = Attempt::of(op.clone());
    let mut seen = BTreeSet::from([original.to_string()]);
    let mut queue: BTreeMap<(Distance, usize), Attempt> = BTreeMap::new();
    let mut add = |from: &Attempt, refusal: &Refusal, queue: &mut BTreeMap<_, _>| {
        for attempt in candidate::near(from, refusal, around) {
            if seen.insert(attempt.to_string()) {
                let distance = attempt.distance(&original, around);
                queue.insert((distance, seen.len()), attempt);
            }
        }
    };
    add(&original, refusal, &mut queue);
    let mut tries = 0;
    while let Some((_, attempt)) = queue.pop_first() {
        if tries == MOST_TRIES {
            break;
        }
        tries += 1;
        match attempted(subject, &attempt) {
            Tried::Accepted => {
                let lines = attempt.before.iter().chain([&attempt.op]).map(Op::to_string);
                return Ok(Nearest::Accepted { lines: lines.collect(), tries });
            }
            Tried::Refused(refusal) => add(&attempt, &refusal, &mut queue),
            Tried::Lost => {}
        }
    }
    Ok(Nearest::None { tries, because: candidate::why_none(op, refusal, around, tries) })
}

/// Makes a request on a machine of its own.
fn attempted(subject: &Subject<'_>, attempt: &Attempt) -> Tried {
    let Some(mut runner) = subject.arrive_quickly() else { return Tried::Lost };
    for op in attempt.before.iter().chain([&attempt.op]) {
        if runner.perform(op).is_err() {
            return Tried::Lost;
        }
        let account = runner.account();
        if account.verdicts.iter().any(|verdict| verdict.severity == Severity::Oops) {
            return Tried::Lost;
        }
        if let Some(refusal) = account.refused.last() {
            // What was to come first was refused: nothing follows from that.
            let is_last = std::ptr::eq(op, &attempt.op);
            return if is_last { Tried::Refused(*refusal) } else { Tried::Lost };
        }
    }
    Tried::Accepted
}
