//! Searches the nearest accepted request by trying candidates.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use passim_model::Refusal;
use passim_vfio::verdict::Severity;

use super::candidate::{self, Attempt, Distance};
use super::report::{Attempted, Nearest};
use super::{Subject, why};
use crate::op::Op;
use crate::run::{Runner, Surroundings};

/// Most requests that are tried in order of their distance.
const MOST_IN_ORDER: usize = 24;

/// Most checks that are satisfied one after the other.
const MOST_CHECKS: usize = 16;

/// The result of one attempt.
#[derive(Clone, Copy)]
pub(super) enum Tried {
    Accepted,
    Refused(Refusal),
    /// An operation before it was refused, so nothing is known.
    Blocked(Refusal),
    /// It could not be performed, or the kernel misbehaved.
    Lost,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Refused(Refusal { errno, rule, .. }) => write!(f, "{errno} by {}", rule.name),
            Self::Blocked(Refusal { errno, rule, .. }) => {
                write!(f, "what comes first is refused: {errno} by {}", rule.name)
            }
            Self::Lost => f.write_str("cannot be made"),
        }
    }
}

/// A search in progress.
pub(super) struct Search<'a, T> {
    trial: T,
    around: &'a Surroundings,
    original: Attempt,
    refusal: Refusal,
    /// The number that the kernel reported as available.
    available: Option<i64>,
    tried: BTreeMap<String, (Distance, Attempt, Tried)>,
}

impl<'a, T: Trial> Search<'a, T> {
    /// A search for what is accepted where `op` was refused, or where fewer were available.
    pub(super) fn new(
        trial: T,
        around: &'a Surroundings,
        op: &Op,
        (refusal, available): (Refusal, Option<i64>),
    ) -> Self {
        let original = Attempt::of(op.clone());
        Self { trial, around, original, refusal, available, tried: BTreeMap::new() }
    }

    /// Searches the request nearest to the refused one that is accepted.
    ///
    /// Candidates follow from the conflict; where one of them is refused as well, more follow from
    /// its conflict. They are tried in order of their distance. A request that is wrong in many
    /// ways is too far from any accepted one for that: then its checks are satisfied one after the
    /// other, each by the nearest change that satisfies it.
    pub(super) fn nearest(mut self) -> Nearest {
        let found = self.in_order().or_else(|| self.check_by_check());
        let tries = self.tried.len();
        if let Some(attempt) = found {
            return Nearest::Accepted { lines: attempt.lines(), tries };
        }
        let because = why::none(&self.original.op, &self.refusal, self.around, tries);
        let mut tried: Vec<_> = self.tried.into_values().collect();
        tried.sort_by_key(|(distance, ..)| *distance);
        let tried = tried.into_iter().map(|(_, attempt, tried)| Attempted {
            lines: attempt.lines(),
            answer: tried.to_string(),
        });
        Nearest::None { tries, because, tried: tried.collect() }
    }

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
                Tried::Blocked(_) | Tried::Lost => {}
            }
        }
    }

    /// Checks have an order: a request that satisfies one is refused by a later one, or accepted.
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
                    Tried::Refused(_) | Tried::Blocked(_) | Tried::Lost => {}
                }
            }
            (from, refusal) = further?;
        }
        None
    }

    /// Requests near `from`, sorted by distance from the original.
    fn near(&self, from: &Attempt, refusal: &Refusal) -> Vec<(Distance, Attempt)> {
        let mut near = candidate::near(from, refusal, self.around);
        if let Some(available) = self.available.filter(|_| *from == self.original) {
            near.extend(candidate::granted(from, available));
        }
        let original = self.original.to_string();
        let mut near: Vec<_> = near
            .into_iter()
            .filter(|attempt| attempt.to_string() != original)
            .map(|attempt| (attempt.distance(&self.original, self.around), attempt))
            .collect();
        near.sort_by_key(|(distance, _)| *distance);
        near
    }

    fn attempted(&mut self, attempt: &Attempt) -> Tried {
        let text = attempt.to_string();
        if let Some((.., known)) = self.tried.get(&text) {
            return *known;
        }
        let tried = self.trial.made(attempt);
        let distance = attempt.distance(&self.original, self.around);
        self.tried.insert(text, (distance, attempt.clone(), tried));
        tried
    }
}

/// A place where requests can be tried.
pub(super) trait Trial {
    /// Makes a request.
    fn made(&mut self, attempt: &Attempt) -> Tried;
}

/// Each on a new machine, which is run to the line first.
impl Trial for &Subject<'_> {
    fn made(&mut self, attempt: &Attempt) -> Tried {
        self.arrive_quickly().map_or(Tried::Lost, |mut runner| performed(&mut runner, attempt))
    }
}

/// All on one machine after the original request was refused there, which changed nothing. An
/// attempt of several operations is not made.
impl Trial for Runner {
    fn made(&mut self, attempt: &Attempt) -> Tried {
        if attempt.before.is_empty() { performed(self, attempt) } else { Tried::Lost }
    }
}

fn performed(runner: &mut Runner, attempt: &Attempt) -> Tried {
    for op in attempt.before.iter().chain([&attempt.op]) {
        if runner.perform(op).is_err() {
            return Tried::Lost;
        }
        let account = runner.account();
        if account.verdicts.iter().any(|verdict| verdict.severity == Severity::Oops) {
            return Tried::Lost;
        }
        if let Some(refusal) = account.refusal() {
            let is_last = std::ptr::eq(op, &attempt.op);
            return if is_last { Tried::Refused(refusal) } else { Tried::Blocked(refusal) };
        }
    }
    Tried::Accepted
}
