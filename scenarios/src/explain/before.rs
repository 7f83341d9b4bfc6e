//! The lines before the one that is explained: which mapping is whose, and which command to an ITS was
//! not performed.

use std::collections::{BTreeMap, BTreeSet};

use passim_model::{Iova, Span};

use super::Origin;
use super::sent::Sent;
use crate::op::{ItsOp, Op};
use crate::run::{Answered, ContainerHere, Outcome, Runner};

/// What is noted of lines as they are performed.
#[derive(Default)]
pub(super) struct Before {
    made: BTreeMap<(usize, Span<Iova>), u64>,
    /// Why commands to an ITS did nothing, by their lines.
    pub(super) undone: BTreeMap<u64, String>,
    /// What a kernel's driver sent to ITSs.
    pub(super) sent: Sent,
}

impl Before {
    /// Performs an operation in `line`, and notes what it maps: a call that names its range without
    /// looking at all that is mapped, one that is given byte by byte by what is there after it.
    pub(super) fn perform(&mut self, runner: &mut Runner, op: &Op, line: u64) -> Outcome {
        let named = match op {
            Op::Map { iova, size, fd, .. } | Op::MsiWindow { iova, size, fd } => {
                let span = Span::from_size(*iova, size.0);
                span.and_then(|span| Some((runner.container_behind(fd.map(|fd| fd.0))?, span)))
            }
            _ => None,
        };
        let is_raw = matches!(op, Op::Ioctl { .. });
        let before = is_raw.then(|| mappings_of(runner));
        let had_lost = runner.has_lost();
        let outcome = runner.perform(op)?;
        if let Some(key) = named.filter(|_| runner.account().refused.is_empty()) {
            self.made.insert(key, line);
        }
        if let Some(before) = before {
            let new = mappings_of(runner).into_iter().filter(|key| !before.contains(key));
            self.made.extend(new.map(|key| (key, line)));
        }
        if let Op::Its(ItsOp::ItsCommand { .. } | ItsOp::ItsWords { .. }) = op {
            self.note_command(runner, line, had_lost);
        }
        self.sent.note(runner, op, line);
        Ok(outcome)
    }

    fn note_command(&mut self, runner: &Runner, line: u64, had_lost: bool) {
        if runner.has_lost() && !had_lost {
            self.undone.insert(line, "it was lost on its way: the ITS never saw it".to_owned());
        }
        for answered in runner.account().hardware {
            if let Answered::Command(report) = answered {
                self.undone.insert(line, format!("the ITS did not perform it: {}", report.failure));
            }
        }
    }

    /// Mappings that are still there, with the lines that made them.
    pub(super) fn origins(&self, runner: &Runner) -> Vec<Origin> {
        let there = mappings_of(runner);
        let origins = self.made.iter().filter(|(key, _)| there.contains(key));
        origins.map(|(&(container, iova), &line)| Origin { container, iova, line }).collect()
    }
}

fn mappings_of(runner: &Runner) -> BTreeSet<(usize, Span<Iova>)> {
    let Some(around) = runner.surroundings() else { return BTreeSet::new() };
    let of = |(&number, here): (&usize, &ContainerHere)| {
        here.mappings.iter().map(|mapping| (number, mapping.iova)).collect::<Vec<_>>()
    };
    around.containers.iter().flat_map(of).collect()
}
