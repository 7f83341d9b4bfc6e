//! The same calls under two kernels: where the answers part, and which choices part them.
//!
//! A scenario is run, or the calls of a recording are made, once under either profile. What is
//! compared is what a process sees: answers, what the kernel would log, what devices reach. Why
//! they part is found by experiment: choices in which the profiles differ are set as the other
//! profile has them, and what then still makes the difference is the reason.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `subject` | what is run, and what was answered? |
//! | `cause` | which choices make a difference? |
//! | `report` | how is it told? |

mod cause;
mod report;
mod subject;

pub use report::{Because, DiffReport, Divergence, Flip};
pub use subject::{Moment, Side, Subject};

use passim_vfio::policy::Profile;

use crate::chosen::Chosen;
use crate::explain::Searched;
use crate::input_error::InputError;
use cause::Experiment;
use subject::Until;

/// What is compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// One kernel.
    pub a: Profile,
    /// The other.
    pub b: Profile,
    /// Single choices of both.
    pub set: Vec<(String, String)>,
    /// How many divergences come with the nearest request that is accepted.
    pub searched: Searched,
}

/// How far a comparison is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Runs done, the present one included.
    pub run: u64,
    /// Runs there are, as far as is known.
    pub runs: u64,
    /// Steps of the present run done.
    pub done: u64,
    /// Its steps.
    pub steps: u64,
}

/// Runs `subject` under both profiles and explains every divergence. `observe` is told now and
/// then how far it is.
///
/// # Errors
/// Input that cannot be used under either profile.
pub fn diff(
    subject: &Subject,
    asked: &Asked,
    mut observe: impl FnMut(Progress),
) -> Result<DiffReport, InputError> {
    let chosen =
        |profile| Chosen { profile: Some(profile), set: asked.set.clone(), ..Chosen::default() };
    let mut run = |number, profile| {
        subject.run(&chosen(profile), Until::End, |done, steps| {
            observe(Progress { run: number, runs: 2, done, steps });
        })
    };
    let (a, b) = (run(1, asked.a)?, run(2, asked.b)?);
    if let Some(error) = never_possible(&a, &b) {
        return Err(error);
    }
    let parted: Vec<usize> = (0..a.len().max(b.len()))
        .filter(|&at| !Side::of(a.get(at)).is_like(&Side::of(b.get(at))))
        .collect();
    let mut experiment = Experiment::new(subject, asked, &parted, (&a, &b));
    let reasons = experiment.reasons(&mut observe)?;
    let divergences = parted.iter().zip(reasons).enumerate().map(|(number, (&at, because))| {
        let there = a.get(at).or(b.get(at)).expect("one of the two was that long");
        let side = |moment: Option<&Moment>, profile| {
            let mut side = Side::of(moment);
            if number < asked.searched.0 && !side.rules.is_empty() {
                side.nearest = subject.nearest(&chosen(profile), there.line);
            }
            side
        };
        Divergence {
            line: there.line,
            call: there.call.clone(),
            a: side(a.get(at), asked.a),
            b: side(b.get(at), asked.b),
            because,
        }
    });
    Ok(DiffReport {
        file: subject.name(),
        a: asked.a.name(),
        b: asked.b.name(),
        compared: a.len().max(b.len()) as u64,
        divergences: divergences.collect(),
    })
}

/// The error of an operation that cannot be performed under either profile, while everything
/// before it agrees and nothing was refused: then the input is wrong, and no kernel. (After a
/// refusal, an attach that both kernels refuse, say, what builds on it cannot be performed, and
/// that is the same on both sides.)
fn never_possible(a: &[Moment], b: &[Moment]) -> Option<InputError> {
    let agree = a.iter().zip(b).take_while(|(a, b)| a.side == b.side);
    let granted = agree.take_while(|(a, _)| a.side.rules.is_empty());
    granted.into_iter().find_map(|(a, _)| a.impossible.clone())
}

#[cfg(test)]
mod tests;
