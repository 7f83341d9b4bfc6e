//! `--seeds A..B`: what chance is drawn from, one number after the other.

use std::fmt;
use std::str::FromStr;

use passim_gic::choice::Preset;

use crate::chosen::Chosen;
use crate::run::files::{ScenarioReport, run_as_far};
use crate::script::Script;

/// Seeds from the first up to the end, it not included; there is at least one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seeds {
    first: u64,
    end: u64,
}

impl FromStr for Seeds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, end) = text.split_once("..").ok_or("say A..B, such as 0..1000")?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| "A and B are numbers below 2^64");
        let (first, end) = (number(first)?, number(end)?);
        if first < end {
            Ok(Self { first, end })
        } else {
            Err("B is above A, and not tried itself")
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.end)
    }
}

impl Seeds {
    /// Runs a scenario under each, up to the first under which it does not go as it says.
    ///
    /// The report is of that run, or of the last; whether a command was lost, of all.
    pub(super) fn run(self, script: &Script, chosen: &Chosen) -> ScenarioReport {
        let under = |seed| {
            let chosen = Chosen { gic: Some(Preset::Adversarial(seed)), ..chosen.clone() };
            run_as_far(script, &chosen)
        };
        let mut report = under(self.first);
        let mut lost = report.lost;
        for seed in self.first..self.end {
            if seed > self.first {
                report = under(seed);
                lost |= report.lost;
            }
            if !report.agrees() {
                report.seed = Some(seed);
                break;
            }
        }
        ScenarioReport { lost, ..report }
    }
}
