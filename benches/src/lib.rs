//! Measurements, one file per question. This file takes the ratios that goals are set for.
//!
//! What is measured and what it is measured against take turns in one process, and the fastest turn
//! of each counts: other load on the machine can only make a turn slower. `cargo bench -p
//! passim-benches --bench translate -- ratios` prints the ratios of one file and nothing else.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A goal: a ratio that is not to be exceeded.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// Its number, `P1` and so on.
    pub id: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// What it is measured against.
    pub against: &'static str,
    /// The ratio.
    pub at_most: f64,
}

/// The measurement of a goal.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    goal: Goal,
    /// The fastest turn, in nanoseconds each.
    ours: f64,
    other: f64,
}

impl Goal {
    /// Lets both take turns of `each` operations.
    pub fn race(
        self,
        turns: u32,
        each: u64,
        mut ours: impl FnMut() -> Duration,
        mut other: impl FnMut() -> Duration,
    ) -> Ratio {
        let mut quickest = [Duration::MAX; 2];
        for _ in 0..turns {
            quickest[0] = quickest[0].min(ours());
            quickest[1] = quickest[1].min(other());
        }
        let [ours, other] = quickest.map(|turn| turn.as_nanos() as f64 / each as f64);
        Ratio { goal: self, ours, other }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { goal: Goal { id, what, against, at_most }, ours, other } = self;
        let ratio = ours / other;
        let reached = if ratio <= *at_most { "reached" } else { "not reached" };
        write!(f, "{id:<4} {ratio:>7.3}x  goal {at_most:>4}x  {reached:<11}  ")?;
        write!(f, "{what}, of {against}: {ours:.2} ns, {other:.2} ns")
    }
}

/// Times one call. Its result counts as used.
#[inline(always)]
pub fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    black_box(work());
    begun.elapsed()
}
