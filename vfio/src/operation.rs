//! A system call under way: what it decided, and what is still to be done to hardware.
//!
//! The checks of a call and its changes to the kernel's own state happen at once, under the locks
//! the kernel would hold. What remains are tasks for hardware, in their order: STEs and CDs to
//! write, translations to invalidate, pages to give back when the SMMU has answered. The answer is
//! known from the start and handed out at the end.
//!
//! One call decides on its way: whoever turns messages on maps doorbells one after the other, and
//! others that need the same lock come in between. Its answer is known when it has them all.

use crate::call::{Answer, Call};
use crate::device::SetMessages;
use crate::iommu::{DomainId, Invalidation, Synced, Transition};
use crate::kernel::Kernel;
use crate::lock::{Lock, Locks};
use crate::process::Pid;
use crate::rules;
use crate::step::Step;
use crate::type1::removal::Removal;
use passim_model::{Errno, Host, event};
use std::collections::VecDeque;

/// How often hardware is given time before it is given up: far more than the commands of a full
/// queue, one at a time.
const MOST_WAITS: u32 = 1 << 18;

/// Something to be done to hardware.
#[derive(Debug)]
pub(crate) enum Task {
    /// Groups change their domain, or a fresh domain is tried out.
    Play(Transition),
    /// Table pages that a mapping replaced are dropped.
    Drop(Invalidation),
    /// Mappings go.
    Remove(Removal),
    /// A domain without groups goes.
    FreeDomain { domain: DomainId },
    /// A container that nothing refers to goes.
    Forget { container: usize },
    /// Messages are turned on for a process. What comes of it is the answer of the call.
    Enable(Box<SetMessages>),
}

/// A system call under way. See the [module](self).
#[derive(Debug)]
pub struct Operation {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not begun, or waiting for a container's lock before it begins.
    Asked { pid: Pid, call: Call },
    /// Decided; tasks remain.
    Decided { answer: Answer, locks: Locks, tasks: VecDeque<Task> },
    /// The answer was handed out.
    Finished,
}

impl Operation {
    pub(crate) fn new(pid: Pid, call: Call) -> Self {
        Self { state: State::Asked { pid, call } }
    }

    /// Whether the answer has been handed out.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Where it has dropped a lock: the name of a [suspension
    /// point](crate::step::SUSPENSION_POINTS).
    pub fn point(&self) -> Option<&'static str> {
        match &self.state {
            State::Decided { tasks, .. } => match tasks.front() {
                Some(Task::Enable(setting)) => setting.point(),
                _ => None,
            },
            State::Asked { .. } | State::Finished => None,
        }
    }
}

impl Kernel {
    /// A system call of `pid`, not begun: [`Kernel::step`] takes it on.
    pub fn begin(&self, pid: Pid, call: Call) -> Operation {
        Operation::new(pid, call)
    }

    /// Takes an operation as far as it goes without waiting.
    ///
    /// # Panics
    /// If the operation is finished: its answer was handed out before.
    pub fn step(&mut self, operation: &mut Operation, host: &mut impl Host) -> Step<Answer> {
        if let State::Asked { pid, call } = &operation.state {
            let mut locks = self.locks_of(*pid, call);
            if locks.iter().any(|lock| self.is_lost(lock)) {
                operation.state = State::Finished;
                let refusal = rules::LOCK_NEVER_FREE.refuse(Errno::EINTR);
                return Step::Done(Answer::refused(refusal));
            }
            if let Some(lock) = locks.iter().find(|lock| self.is_locked(*lock)) {
                return Step::Waiting(lock.queue());
            }
            let asked = std::mem::replace(&mut operation.state, State::Finished);
            let State::Asked { pid, call } = asked else { unreachable!("it was just looked at") };
            let mut tasks = Vec::new();
            tracing::debug!(target: event::VFIO, pid = pid.index(), ?call, "call");
            let answer = self.decide(pid, call, &mut tasks, host);
            self.follow_up(host);
            tracing::debug!(target: event::VFIO, ret = ?answer.ret, tasks = tasks.len(), "decided");
            if tasks.is_empty() {
                locks = Locks::NONE;
            }
            for lock in locks.iter() {
                self.set_locked(lock, true);
            }
            let tasks = tasks.into();
            operation.state = State::Decided { answer, locks, tasks };
        }
        let State::Decided { answer, locks, tasks } = &mut operation.state else {
            panic!("the answer of a finished operation was handed out before");
        };
        loop {
            if let Some(Task::Forget { container }) = tasks.front() {
                // Its number may be another container's before this call is over.
                locks.remove(Lock::Container(*container));
            }
            match self.step_task(tasks, answer, host) {
                Step::Done(true) => break,
                Step::Done(false) => {}
                Step::Waiting(queue) => return Step::Waiting(queue),
                Step::Unlocked => return Step::Unlocked,
            }
        }
        for lock in std::mem::replace(locks, Locks::NONE).iter() {
            self.set_locked(lock, false);
        }
        let answer = std::mem::replace(answer, Answer::value(0));
        operation.state = State::Finished;
        Step::Done(answer)
    }

    /// Runs a system call to its end. Hardware gets time whenever the call waits; if it does not
    /// move in all that time, the call is [abandoned](Kernel::abandon).
    pub fn run(&mut self, pid: Pid, call: Call, host: &mut impl Host) -> Answer {
        let mut operation = self.begin(pid, call);
        for _ in 0..MOST_WAITS {
            match self.step(&mut operation, host) {
                Step::Done(answer) => return answer,
                Step::Waiting(_) | Step::Unlocked => host.relax(),
            }
        }
        self.abandon(operation)
    }

    /// Gives up on an operation whose hardware does not answer. The answer is what was decided;
    /// what was still to be done to hardware is not done, so what it would have given back (pages,
    /// tables, domains) stays taken.
    ///
    /// Linux waits a second for a CMD_SYNC, complains, and goes on as if it had come: it would
    /// unpin pages a device can still reach. The model does not follow it there.
    pub fn abandon(&mut self, operation: Operation) -> Answer {
        match operation.state {
            State::Decided { answer, locks, tasks } => {
                for lock in locks.iter() {
                    self.set_locked(lock, false);
                }
                tracing::warn!(target: event::IOMMU, left = tasks.len(), "hardware does not answer");
                self.abandoned += 1;
                answer
            }
            State::Asked { .. } | State::Finished => {
                Answer::refused(rules::LOCK_NEVER_FREE.refuse(Errno::EINTR))
            }
        }
    }

    /// Takes the front task as far as it goes; `true` when none is left.
    fn step_task(
        &mut self,
        tasks: &mut VecDeque<Task>,
        answer: &mut Answer,
        host: &mut impl Host,
    ) -> Step<bool> {
        let mut left = Vec::new();
        let step = match tasks.front_mut() {
            None => return Step::Done(true),
            Some(Task::Play(transition)) => {
                without_proof(transition.step(&mut self.iommu, &mut self.frames, host))
            }
            Some(Task::Drop(invalidation)) => {
                without_proof(invalidation.step(&mut self.iommu, &mut self.frames, host))
            }
            Some(Task::Remove(removal)) => removal.step(self, host),
            Some(&mut Task::FreeDomain { domain }) => {
                tasks[0] = Task::Play(self.iommu.free_domain(domain));
                return Step::Done(false);
            }
            Some(&mut Task::Forget { container }) => {
                self.forget_container(container);
                Step::Done(())
            }
            Some(Task::Enable(setting)) => match self.step_messages(setting, &mut left, host) {
                Step::Done(ret) => {
                    answer.ret = ret;
                    Step::Done(())
                }
                Step::Waiting(queue) => Step::Waiting(queue),
                Step::Unlocked => Step::Unlocked,
            },
        };
        tasks.extend(left);
        match step {
            Step::Done(()) => {
                tasks.pop_front();
                Step::Done(false)
            }
            Step::Waiting(queue) => Step::Waiting(queue),
            Step::Unlocked => Step::Unlocked,
        }
    }
}

/// A step whose proof nothing depends on.
fn without_proof(step: Step<Synced>) -> Step<()> {
    match step {
        Step::Done(_) => Step::Done(()),
        Step::Waiting(queue) => Step::Waiting(queue),
        Step::Unlocked => Step::Unlocked,
    }
}
