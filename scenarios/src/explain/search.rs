//! The nearest request that is accepted: made, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use passim_model::Refusal;
use passim_vfio::verdict::Severity;

use super::Subject;
use super::candidate::{self, Attempt, Distance};
use super::report::Nearest;
use crate::op::Op;
use crate::run::Surroundings;

/// Most requests that are made in order of their distance.
const MOST_IN_ORDER: usize = 24;

/// Most checks that are satisfied one after the other.
const MOST_CHECKS: usize = 16;

/// What came of one attempt.
#[derive(Clone, Copy)]
enum Tried {
    Accepted,
    Refused(Refusal),
    /// It could not be performed, or what refused it is not known.
    Lost,
}

/// A search under way.
struct Search<'a> {
    subject: &'a Subject<'a>,
    around: &'a Surroundings,
    original: Attempt,
    refusal: Refusal,
    tried: BTreeMap<String, Tried>,
}

/// Searches the request nearest to `op` that is accepted where `op` was refused.
///
/// Requests near to the refused one follow from what it ran into; where one of these is refused
/// as well, more follow from what that ran into. They are made in order of their distance. A
/// request that is wrong in many ways is too far from any that is accepted for that: then its
/// checks are satisfied one after the other, each by the nearest change that does.
pub(super) fn nearest(
    subject: &Subject<'_>,
    op: &Op,
    refusal: &Refusal,
    around: &Surroundings,
) -> Nearest {
    let original = Attempt::of(op.clone());
    let mut search =
        Search { subject, around, original, refusal: *refusal, tried: BTreeMap::new() };
    let found = search.in_order().or_else(|| search.check_by_check());
    let tries = search.tried.len();
    match found {
        Some(attempt) => {
            let lines = attempt.before.iter().chain([&attempt.op]).map(Op::to_string);
            Nearest::Accepted { lines: lines.collect(), tries }
        }
        None => Nearest::None { tries, because: candidate::why_none(op, refusal, around, tries) },
    }
}

impl Search<'_> {
    fn in_order(&mut self) -> Option<Attempt> {
        let mut seen = BTreeSet::from([self.original.to_string()]);
        let mut queue: BTreeMap<(Distance, usize), Attempt> = BTreeMap::new();
        let mut next = Some((self.original.clone(), self.refusal));
        loop {
            if let Some((from, refusal)) = next.take() {
                for (distance, attempt) in self.near(&from, &refusal) {
                    if seen.insert(attempt.to_string()) {
                        queue.insert((distance, seen.len()), attempt);
                    }
                }
            }
            let (_, attempt) = queue.pop_first()?;
            if self.tried.len() == MOST_IN_ORDER {
                return None;
            }
            match self.attempted(&attempt) {
                Tried::Accepted => return Some(attempt),
                Tried::Refused(refusal) => next = Some((attempt, refusal)),
                Tried::Lost => {}
            }
        }
    }

    /// Checks stand in an order: what satisfies one is refused by a later one, or accepted.
    fn check_by_check(&mut self) -> Option<Attempt> {
        let mut passed = BTreeSet::new();
        let (mut from, mut refusal) = (self.original.clone(), self.refusal);
        for _ in 0..MOST_CHECKS {
            passed.insert((refusal.rule.name, from.to_string()));
            let mut further = None;
            for (_, attempt) in self.near(&from, &refusal) {
                match self.attempted(&attempt) {
                    Tried::Accepted => return Some(attempt),
                    Tried::Refused(other) if other != refusal => {
                        if !passed.contains(&(other.rule.name, attempt.to_string())) {
                            further = Some((attempt, other));
                            break;
                        }
                    }
                    Tried::Refused(_) | Tried::Lost => {}
                }
            }
            (from, refusal) = further?;
        }
        None
    }

    /// Requests near `from`, the nearest to the original first.
    fn near(&self, from: &Attempt, refusal: &Refusal) -> Vec<(Distance, Attempt)> {
        let near = candidate::near(from, refusal, self.around);
        let mut near: Vec<_> = near
            .into_iter()
            .map(|attempt| (attempt.distance(&self.original, self.around), attempt))
            .collect();
        near.sort_by_key(|(distance, _)| *distance);
        near
    }

    fn attempted(&mut self, attempt: &Attempt) -> Tried {
        let text = attempt.to_string();
        if let Some(known) = self.tried.get(&text) {
            return *known;
        }
        let tried = attempted(self.subject, attempt);
        self.tried.insert(text, tried);
        tried
    }
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
