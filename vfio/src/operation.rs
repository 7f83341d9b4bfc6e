//! A system call in progress: its answer, and its remaining acts on hardware.
//!
//! The checks of a call and its changes to the kernel's own state happen at once, under the locks
//! the kernel would hold. What remains are tasks for hardware, in order: STEs and CDs to write,
//! translations to invalidate, pages to unpin when the SMMU has answered. The answer is known from
//! the start and returned at the end.
//!
//! One call decides on its way: enabling messages maps doorbells one after the other, and other
//! calls that need the same lock intervene. Its answer is known when it holds them all.

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

/// How often hardware is run before a call gives up waiting: far more than a full command queue
/// needs, one command at a time.
const MOST_WAITS: u32 = 1 << 18;

/// Something to do on hardware.
#[derive(Debug)]
pub(crate) enum Task {
    /// Groups change their domain, or a fresh domain is tested.
    Play(Transition),
    /// Table pages that a mapping replaced are invalidated and freed.
    Drop(Invalidation),
    /// Mappings are removed.
    Remove(Removal),
    /// A domain without groups is freed.
    FreeDomain { domain: DomainId },
    /// A container without references is freed.
    Forget { container: usize },
    /// Messages are enabled for a process. The outcome is the answer of the call.
    Enable(Box<SetMessages>),
}

/// A system call in progress. See the [module](self).
#[derive(Debug)]
pub struct Operation {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not begun, or waiting for a lock before it begins.
    Asked { pid: Pid, call: Call },
    /// Decided; tasks remain.
    Decided { answer: Answer, locks: Locks, tasks: VecDeque<Task> },
    /// The answer was returned.
    Finished,
}

impl Operation {
    pub(crate) fn new(pid: Pid, call: Call) -> Self {
        Self { state: State::Asked { pid, call } }
    }

    /// Whether the answer was returned.
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
    /// Creates the operation of a system call of `pid`; [`Kernel::step`] carries it out.
    pub fn begin(&self, pid: Pid, call: Call) -> Operation {
        Operation::new(pid, call)
    }

    /// Steps an operation as far as possible without waiting.
    ///
    /// # Panics
    /// If the operation is finished: its answer was already returned.
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
                // Its index may be another container's before this call is over.
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

    /// Runs a system call to its end. Hardware runs whenever the call waits; if it makes no
    /// progress in all that time, the call is [abandoned](Kernel::abandon).
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

    /// Abandons an operation whose hardware does not answer. Returns the answer as decided; the
    /// remaining tasks are dropped, so what they would have freed (pages, tables, domains) stays
    /// allocated.
    ///
    /// Linux waits a second for a CMD_SYNC, logs the failure, and continues as if it had completed:
    /// it would unpin pages that a device can still reach. The model does not do that.
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

    /// Steps the front task as far as possible; `true` when none is left.
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

/// Drops the proof of a step that needs none.
fn without_proof(step: Step<Synced>) -> Step<()> {
    match step {
        Step::Done(_) => Step::Done(()),
        Step::Waiting(queue) => Step::Waiting(queue),
        Step::Unlocked => Step::Unlocked,
    }
}
