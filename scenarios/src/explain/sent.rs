//! The commands that a kernel's driver sent to ITSs, and what became of them.
//!
//! A scenario's own commands, on a machine that no kernel runs, are `before`'s and `hardware`'s.

use std::collections::BTreeMap;

use passim_gic::its::{Part, Report, Spelled};

use super::hardware::{Undone, Unsynchronised, until};
use crate::op::{DeviceName, Op};
use crate::run::{Account, Answered, QueueHere, Runner, Surroundings};
use crate::system::Lost;

/// Most commands that are listed of those that wait.
const MOST_WAITING: usize = 8;

/// A command of a driver.
struct Command {
    /// The line in which it was sent.
    line: u64,
    slot: u64,
    spelled: Spelled,
    fate: Fate,
}

/// What became of a command.
#[derive(Clone, PartialEq, Eq)]
enum Fate {
    /// Performed, or still in the queue.
    Consumed,
    Failed(String),
    Lost,
}

/// The commands to one ITS.
#[derive(Default)]
struct ToIts {
    sent: Vec<Command>,
    /// The slot that was to be written next when the queue was last looked at.
    written: u64,
    /// How many commands had failed by then.
    errors: u64,
}

/// The commands that drivers sent, by ITS, as lines are performed.
#[derive(Default)]
pub(super) struct Sent {
    to: BTreeMap<usize, ToIts>,
    /// The last line after which everything late was done.
    settled: u64,
    dropped: bool,
}

/// Which event an operation asks for.
struct Asked {
    device: u64,
    event: Option<u64>,
    its: usize,
}

impl Sent {
    /// Notes what was sent during the operation in `line`.
    pub(super) fn note(&mut self, runner: &mut Runner, op: &Op, line: u64) {
        for (its, queue) in runner.its_queues().into_iter().enumerate() {
            let Some(queue) = queue else { continue };
            let to = self.to.entry(its).or_default();
            to.note(runner, &queue, line);
        }
        if let Some(dropped) = runner.its_dropped().filter(|_| !self.dropped) {
            self.dropped = true;
            let its = usize::from(dropped.its);
            let queues = runner.its_queues();
            if let (Some(to), Some(Some(queue))) = (self.to.get_mut(&its), queues.get(its)) {
                let slot = QueueHere::slot_at(dropped.offset);
                if let Some(command) = to.sent.iter_mut().rev().find(|it| it.slot == slot) {
                    command.spelled = queue.spelled(&dropped.words);
                    command.fate = Fate::Lost;
                }
            }
        }
        let message = |it: &Answered| matches!(it, Answered::Message(_));
        let has_rung = || runner.account().hardware.iter().any(message);
        if matches!(op, Op::Hardware(crate::op::HardwareOp::Settle {}))
            || runner.settles_at_messages() && has_rung()
        {
            self.settled = line;
        }
    }

    /// What bears on the operation in `line` and did nothing, and what no SYNC follows. `settled` is
    /// the last line before it after which everything late was done.
    pub(super) fn told(
        &self,
        runner: &mut Runner,
        (op, line, settled): (&Op, u64, u64),
        around: Option<&Surroundings>,
        lost: Option<Lost>,
    ) -> (Vec<Undone>, Vec<Unsynchronised>) {
        let asked = around.and_then(|around| asked(op, &runner.account(), around));
        let (mut undone, mut unsynchronised) = (Vec::new(), Vec::new());
        for (its, queue) in runner.its_queues().into_iter().enumerate() {
            let (Some(to), Some(queue)) = (self.to.get(&its), queue) else { continue };
            let asked = asked.as_ref().filter(|asked| asked.its == its);
            let bears = |command: &Command| match asked {
                Some(asked) => asked.bears(&command.spelled),
                None => command.line == line || matches!(op, Op::Pending {}),
            };
            undone.extend(to.undone(&queue, &bears, lost));
            if asked.is_some() {
                unsynchronised.extend(to.unsynchronised(&queue, &bears, settled));
            }
        }
        (undone, unsynchronised)
    }

    /// The last line after which everything late was done.
    pub(super) fn settled(&self) -> u64 {
        self.settled
    }
}

impl ToIts {
    fn note(&mut self, runner: &Runner, queue: &QueueHere, line: u64) {
        let mut slot = self.written;
        while slot != queue.written && slot < queue.slots {
            if let Some(words) = runner.its_command(queue, slot) {
                let spelled = queue.spelled(&words);
                self.sent.push(Command { line, slot, spelled, fate: Fate::Consumed });
            }
            slot = (slot + 1) % queue.slots;
        }
        self.written = queue.written;
        let new = queue.errors.saturating_sub(self.errors);
        self.errors = queue.errors;
        let new = queue.reports.iter().rev().take(usize::try_from(new).unwrap_or(usize::MAX));
        for Report { offset, failure, .. } in new {
            let slot = QueueHere::slot_at(*offset);
            if let Some(command) = self.sent.iter_mut().rev().find(|it| it.slot == slot)
                && command.fate == Fate::Consumed
            {
                command.fate = Fate::Failed(failure.to_string());
            }
        }
    }

    /// The commands that did nothing, as far as they bear on an operation.
    fn undone(
        &self,
        queue: &QueueHere,
        bears: &dyn Fn(&Command) -> bool,
        lost: Option<Lost>,
    ) -> Vec<Undone> {
        let first = self.waiting(queue);
        let (before, waiting) = self.sent.split_at(first);
        let told = |command: &Command, because: String| Undone {
            line: command.line,
            command: command.spelled.to_string(),
            because,
        };
        let gone = before.iter().filter(|it| bears(it) || is_lost_sync(it)).filter_map(|it| {
            let why = match &it.fate {
                Fate::Consumed => return None,
                Fate::Failed(why) => format!("the ITS did not perform it: {why}"),
                Fate::Lost => lost_on_its_way(lost),
            };
            Some(told(it, why))
        });
        let mut undone: Vec<_> = gone.collect();
        let mut behind: Vec<_> = waiting.iter().filter(|it| bears(it)).collect();
        let (why, stopped) = match (queue.stopped, queue.enabled) {
            (true, _) => {
                ("it waits in the queue behind the command where the ITS stopped", waiting.first())
            }
            (false, false) => {
                ("it waits in the queue: the ITS is not enabled (GITS_CTLR.Enabled)", None)
            }
            (false, true) => ("it waits in the queue: the ITS has not consumed it yet", None),
        };
        // Where a queue stands is of interest only to who waits for what is there or behind.
        if let Some(stopped) = stopped.filter(|_| !behind.is_empty()) {
            behind.retain(|it| it.slot != stopped.slot);
            let why = match &stopped.fate {
                Fate::Failed(why) => format!(": {why}"),
                _ => String::new(),
            };
            let why = format!("the ITS could not perform it, and its queue stands there{why}");
            undone.push(told(stopped, why));
        }
        behind.retain(|it| it.spelled.name != Some("SYNC"));
        let skipped = behind.len().saturating_sub(MOST_WAITING);
        undone.extend(behind.into_iter().skip(skipped).map(|it| match &it.fate {
            Fate::Lost => told(it, lost_on_its_way(lost)),
            _ => told(it, why.to_owned()),
        }));
        undone
    }

    /// The first of the commands that wait in the queue.
    fn waiting(&self, queue: &QueueHere) -> usize {
        let count = (queue.written + queue.slots - queue.read) % queue.slots;
        self.sent.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The commands that no SYNC follows, as far as they bear on an operation.
    fn unsynchronised(
        &self,
        queue: &QueueHere,
        bears: &dyn Fn(&Command) -> bool,
        settled: u64,
    ) -> Vec<Unsynchronised> {
        let mut open: Vec<&Command> = Vec::new();
        let consumed = self.sent.iter().take(self.waiting(queue));
        for command in consumed.filter(|it| it.fate == Fate::Consumed && it.line > settled) {
            match command.spelled.name {
                // IHI 0069 H 5.3 (SYNC): messages see every command before a SYNC, of whichever
                // redistributor.
                Some("SYNC") => open.clear(),
                _ => open.push(command),
            }
        }
        open.retain(|command| bears(command));
        let told = |command: &Command| Unsynchronised {
            line: command.line,
            command: command.spelled.to_string(),
            until: until(command.spelled.name.unwrap_or_default()),
        };
        open.into_iter().map(told).collect()
    }
}

fn lost_on_its_way(lost: Option<Lost>) -> String {
    let name = lost.map(|lost| format!(" ({lost})")).unwrap_or_default();
    format!("it was lost on its way{name}: the ITS never saw it")
}

/// Whether this is the SYNC that the caller let go missing: it may have been anybody's.
fn is_lost_sync(command: &Command) -> bool {
    command.fate == Fate::Lost && command.spelled.name == Some("SYNC")
}

impl Asked {
    /// Whether a command can be seen in what the event comes to.
    fn bears(&self, command: &Spelled) -> bool {
        let part = |name: &str| {
            let found = command.parts.iter().find(|(known, _)| *known == name);
            found.and_then(|(_, part)| match part {
                Part::Number(value) | Part::Hex(value) => Some(*value),
                Part::Flag(_) => None,
            })
        };
        let of_event = part("event").is_none_or(|event| self.event.is_none_or(|it| it == event));
        part("device").is_none_or(|device| device == self.device) && of_event
    }
}

/// Which event of which ITS a device asks for, by a message that came there.
fn asked(op: &Op, account: &Account, around: &Surroundings) -> Option<Asked> {
    let (its, _) = around.its_at(account.doorbell?)?;
    let (rid, event) = match op {
        Op::Raise { dev: DeviceName::Function(rid), vector } => {
            let vector = vector.unwrap_or(0);
            let function = around.functions.get(rid)?;
            let found = function.vectors.iter().find(|it| u32::from(it.vector) == vector);
            (rid, found.map(|it| u64::from(it.message.data)))
        }
        Op::Write { dev: DeviceName::Function(rid), value, .. } => (rid, Some(value.0)),
        _ => return None,
    };
    let (device, _) = around.senders.get(rid)?;
    Some(Asked { device: u64::from(device.get()), event, its })
}
