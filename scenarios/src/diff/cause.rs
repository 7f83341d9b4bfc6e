//! Which choices make a difference: found by setting them, not from a table.
//!
//! First choices in which the profiles differ are set alone, in the first kernel, as the second has
//! them: those of a group that changes no answer when all of it is set are passed over, and of the
//! others the groups are halved down to the single choice. That takes few runs where few choices
//! matter. Where none of them brings about the second kernel's answer, several do so together; then
//! choices are taken out of the smallest group that does, or out of the whole, as long as the answer
//! stays.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Because, Flip};
use super::subject::{Moment, Side, Subject, Until};
use super::{Asked, Progress};
use crate::chosen::{Chosen, differing};
use crate::input_error::InputError;
use passim_vfio::policy::choices;

/// Choices that are set together, by their place in the list of those that differ.
type Set = BTreeSet<usize>;

/// The search for reasons.
pub(super) struct Experiment<'a> {
    subject: &'a Subject,
    asked: &'a Asked,
    flips: Vec<Flip>,
    /// Where the answers part, and what the second kernel says there.
    parted: Vec<(usize, Side)>,
    /// What the first says there.
    first: Vec<Side>,
    /// What was answered at those places with these choices set.
    tried: BTreeMap<Set, Vec<Side>>,
    runs: u64,
}

impl<'a> Experiment<'a> {
    pub(super) fn new(
        subject: &'a Subject,
        asked: &'a Asked,
        parted: &[usize],
        (a, b): (&[Moment], &[Moment]),
    ) -> Self {
        let decides: BTreeMap<_, _> =
            choices().into_iter().map(|choice| (choice.name, choice.decides)).collect();
        let flips = differing(&asked.a.policy(), &asked.b.policy());
        let flips = flips.into_iter().map(|(choice, from, to)| Flip {
            choice,
            from,
            to,
            decides: decides.get(choice).copied().unwrap_or_default(),
        });
        Self {
            subject,
            asked,
            flips: flips.collect(),
            parted: parted.iter().map(|&at| (at, Side::of(b.get(at)))).collect(),
            first: parted.iter().map(|&at| Side::of(a.get(at))).collect(),
            tried: BTreeMap::new(),
            runs: 2,
        }
    }

    /// The reason of every divergence, in their order.
    pub(super) fn reasons(
        &mut self,
        observe: &mut impl FnMut(Progress),
    ) -> Result<Vec<Because>, InputError> {
        if self.parted.is_empty() {
            return Ok(Vec::new());
        }
        let all: Vec<usize> = (0..self.flips.len()).collect();
        self.single_out(&all, true, observe)?;
        (0..self.parted.len()).map(|at| self.reason(at, observe)).collect()
    }

    /// Sets every choice of a group alone that seems to change an answer; `shows` where the group
    /// does, as far as is known. Whether it does.
    fn single_out(
        &mut self,
        group: &[usize],
        shows: bool,
        observe: &mut impl FnMut(Progress),
    ) -> Result<bool, InputError> {
        if group.is_empty() {
            return Ok(false);
        }
        if !shows || group.len() == 1 {
            let set = group.iter().copied().collect();
            self.set(&set, observe)?;
            let sides = self.tried[&set].iter().zip(&self.first);
            if sides.into_iter().all(|(now, first)| now.is_like(first)) {
                return Ok(false);
            }
        }
        if group.len() > 1 {
            let (front, back) = group.split_at(group.len() / 2);
            let in_front = self.single_out(front, false, observe)?;
            self.single_out(back, !in_front, observe)?;
        }
        Ok(true)
    }

    fn reason(
        &mut self,
        at: usize,
        observe: &mut impl FnMut(Progress),
    ) -> Result<Because, InputError> {
        let wanted = self.parted[at].1.clone();
        // Reasons found before, the single ones first: they are the smallest.
        let mut known: Vec<Set> = self
            .tried
            .iter()
            .filter(|(_, at_all)| at_all[at].is_like(&wanted))
            .map(|(set, _)| set.clone())
            .collect();
        known.sort_by_key(Set::len);
        if let Some(least) = known.first().map(Set::len).filter(|least| *least == 1) {
            known.retain(|set| set.len() == least);
            return Ok(self.because(&known));
        }
        let mut set = match known.into_iter().next() {
            Some(set) => set,
            None => (0..self.flips.len()).collect(),
        };
        for flip in set.clone() {
            let mut without = set.clone();
            without.remove(&flip);
            if !without.is_empty() && self.set(&without, observe)?[at].is_like(&wanted) {
                set = without;
            }
        }
        Ok(self.because(&[set]))
    }

    fn because(&self, sets: &[Set]) -> Because {
        let flips = |set: &Set| set.iter().map(|&flip| self.flips[flip].clone()).collect();
        Because(sets.iter().map(flips).collect())
    }

    /// Runs that a single reason takes, as a guess.
    fn expected(&self) -> u64 {
        2 + 2 * u64::from(self.flips.len().next_power_of_two().ilog2())
    }

    /// What is answered where the kernels part if the first has these choices of the second.
    fn set(
        &mut self,
        set: &Set,
        observe: &mut impl FnMut(Progress),
    ) -> Result<&[Side], InputError> {
        if !self.tried.contains_key(set) {
            self.runs += 1;
            let (run, runs) = (self.runs, self.runs.max(self.expected()));
            let under = set
                .iter()
                .map(|&flip| (self.flips[flip].choice.to_owned(), self.flips[flip].to.to_owned()));
            let chosen = Chosen {
                profile: Some(self.asked.a),
                under: under.collect(),
                set: self.asked.set.clone(),
                ..Chosen::default()
            };
            let last = self.parted.last().map_or(0, |(at, _)| *at);
            let moments = self.subject.run(&chosen, Until::Moments(last + 1), |done, steps| {
                observe(Progress { run, runs, done, steps });
            })?;
            let sides = self.parted.iter().map(|(at, _)| Side::of(moments.get(*at))).collect();
            self.tried.insert(set.clone(), sides);
        }
        Ok(&self.tried[set])
    }
}
