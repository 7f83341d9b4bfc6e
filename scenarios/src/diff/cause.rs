//! Which choices make a difference: found by setting them, not from a table.
//!
//! First every choice in which the profiles differ is set alone, in the first kernel, as the second
//! has it. Where none of them brings about the second kernel's answer, several do so together; then
//! choices are taken out of the whole as long as the answer stays.

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
    /// What was answered at those places with these choices set.
    tried: BTreeMap<Set, Vec<Side>>,
    runs: u64,
}

impl<'a> Experiment<'a> {
    pub(super) fn new(
        subject: &'a Subject,
        asked: &'a Asked,
        parted: &[usize],
        b: &[Moment],
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
        for flip in 0..self.flips.len() {
            self.set(&Set::from([flip]), observe)?;
        }
        (0..self.parted.len()).map(|at| self.reason(at, observe)).collect()
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

    /// What is answered where the kernels part if the first has these choices of the second.
    fn set(
        &mut self,
        set: &Set,
        observe: &mut impl FnMut(Progress),
    ) -> Result<&[Side], InputError> {
        if !self.tried.contains_key(set) {
            self.runs += 1;
            let (run, runs) = (self.runs, self.runs.max(2 + self.flips.len() as u64));
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
