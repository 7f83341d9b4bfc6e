//! VFIO_DEVICE_SET_IRQS of MSI and MSI-X.

use super::irqs::{Data, Mode, Request};
use super::rules;
use crate::irq::Service;
use crate::kernel::Kernel;
use crate::msi::{Enabling, MessageKind};
use crate::operation::Task;
use crate::pci::Space;
use crate::policy::VectorRange;
use crate::process::Pid;
use crate::step::Step;
use passim_model::{Conflict, Errno, Host, Refusal, Rid};

/// Messages being enabled for a process, and the eventfds to signal once they are.
#[derive(Debug)]
pub(crate) struct SetMessages {
    pid: Pid,
    rid: Rid,
    kind: MessageKind,
    request: Request,
    fds: Vec<i32>,
    /// The command register's value before.
    command: u64,
    enabling: Enabling,
}

impl SetMessages {
    /// The name of the suspension point that it has reached.
    pub(crate) fn point(&self) -> Option<&'static str> {
        self.enabling.point()
    }
}

impl Kernel {
    /// Enables or disables messages, sets their eventfds, or signals them as if messages had
    /// arrived.
    ///
    /// Returns 0, or, where fewer vectors are available than requested, how many; messages are then
    /// off. Enabling is left to a task, whose outcome is the answer.
    ///
    /// # Errors
    /// EINVAL by `irq-mode`, `irq-off` or `irq-vector`, EBADF or EINVAL by `irq-eventfd`, ERANGE by
    /// `vectors-none`, and what allocation refuses with.
    pub(super) fn set_messages(
        &mut self,
        pid: Pid,
        rid: Rid,
        kind: MessageKind,
        request: &Request,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let conflict = Conflict::Device(rid);
        let mode = self.irqs_of(rid).mode;
        let on = mode == Mode::Messages(kind);
        if on && request.turns_off() {
            self.turn_messages_off(rid, tasks, host);
            return Ok(0);
        }
        if !on && mode != Mode::Off {
            return Err(rules::IRQ_MODE.refuse_for(Errno::EINVAL, conflict));
        }
        let Data::Descriptors(fds) = &request.data else {
            if !on {
                return Err(rules::IRQ_OFF.refuse_for(Errno::EINVAL, conflict));
            }
            self.loop_back(rid, request)?;
            return Ok(0);
        };
        if on {
            return self.set_block((pid, rid, kind), request, fds, tasks, host).map(|()| 0);
        }
        let wanted = request.start + request.count;
        let space = Space::new(self.ecam, rid);
        let command = space.enable_memory(host);
        let enabling = match self.begin_enabling(rid.into(), kind, wanted, None, host) {
            Ok(enabling) => enabling,
            Err(refusal) => {
                space.set_command(command, host);
                return Err(refusal);
            }
        };
        let (request, fds) = (request.clone(), fds.clone());
        let setting = SetMessages { pid, rid, kind, request, fds, command, enabling };
        tasks.push(Task::Enable(Box::new(setting)));
        Ok(0)
    }

    /// Enables messages as far as possible without waiting, and then sets their eventfds.
    pub(crate) fn step_messages(
        &mut self,
        setting: &mut SetMessages,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Step<Result<i64, Refusal>> {
        match self.step_enabling(&mut setting.enabling, tasks, host) {
            Step::Done(enabled) => Step::Done(self.messages_are_on(setting, enabled, tasks, host)),
            Step::Waiting(queue) => Step::Waiting(queue),
            Step::Unlocked => Step::Unlocked,
        }
    }

    fn messages_are_on(
        &mut self,
        setting: &SetMessages,
        enabled: Result<u32, Refusal>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let SetMessages { pid, rid, kind, ref request, ref fds, command, .. } = *setting;
        let wanted = request.start + request.count;
        if let Ok(fewer) = enabled
            && fewer < wanted
        {
            self.disable_messages(rid.into(), tasks, host);
        }
        Space::new(self.ecam, rid).set_command(command, host);
        match enabled? {
            fewer if fewer < wanted => return Ok(i64::from(fewer)),
            _ => self.irqs_of(rid).mode = Mode::Messages(kind),
        }
        if kind == MessageKind::Msi {
            self.set_most(rid, wanted);
        }
        if let Err(refusal) = self.set_block((pid, rid, kind), request, fds, tasks, host) {
            self.turn_messages_off(rid, tasks, host);
            return Err(refusal);
        }
        Ok(0)
    }

    /// Signals the eventfds of the vectors of a request, without any message.
    fn loop_back(&mut self, rid: Rid, request: &Request) -> Result<(), Refusal> {
        let Request { start, count, data } = request;
        if self.policy.vector_range == VectorRange::Before {
            self.judge_vectors(rid, u64::from(start + count))?;
        }
        let asked = (*start..start + count).zip(0usize..).filter(|(_, at)| match data {
            Data::Bools(flags) => flags.get(*at).copied().unwrap_or(false),
            Data::None | Data::Descriptors(_) => true,
        });
        for (vector, _) in asked {
            let trigger = u16::try_from(vector).ok();
            let trigger = trigger.and_then(|at| self.irqs_of(rid).triggers.get(&at).copied());
            if let Some(file) = trigger {
                self.signal(file);
            }
        }
        Ok(())
    }

    /// EINVAL if the block that ends before `end` contains vectors without an interrupt.
    fn judge_vectors(&self, rid: Rid, end: u64) -> Result<(), Refusal> {
        let has = self.vectors(rid).len() as u64;
        if end > has { Err(no_vector(has, end)) } else { Ok(()) }
    }

    /// Sets the eventfds of a block of vectors. On failure, every vector of the block up to the one
    /// that failed loses its eventfd.
    fn set_block(
        &mut self,
        (pid, rid, kind): (Pid, Rid, MessageKind),
        request: &Request,
        fds: &[i32],
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        if self.policy.vector_range == VectorRange::Before {
            let end = u64::from(request.start) + u64::from(request.count.max(1));
            self.judge_vectors(rid, end)?;
        }
        for (&fd, vector) in fds.iter().zip(request.start..) {
            if let Err(refusal) = self.set_vector((pid, rid, kind), (vector, fd), tasks, host) {
                for before in request.start..=vector {
                    self.clear_vector(rid, before, host);
                }
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// Sets the eventfd of one vector; a negative descriptor removes it.
    // measured on 6.1 and 6.12: the old eventfd is removed first, whatever the new one is. 6.5
    // vfio_msi_alloc_irq: a missing interrupt is allocated before the new one is checked.
    fn set_vector(
        &mut self,
        (pid, rid, kind): (Pid, Rid, MessageKind),
        (vector, fd): (u32, i32),
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        self.clear_vector(rid, vector, host);
        if fd < 0 {
            return Ok(());
        }
        // The request was checked against the number of vectors, at most 2048.
        let number = vector as u16;
        if self.irq_of_vector(rid.into(), number).is_none() {
            if !self.has_vectors_one_by_one(kind) {
                return Err(no_vector(self.vectors(rid).len() as u64, u64::from(vector) + 1));
            }
            let space = Space::new(self.ecam, rid);
            let command = space.enable_memory(host);
            let added = self.add_vector(rid.into(), number, tasks, host);
            space.set_command(command, host);
            added?;
        }
        let file = self.hold_eventfd(pid, fd)?;
        let space = Space::new(self.ecam, rid);
        let command = space.enable_memory(host);
        let letter = if kind == MessageKind::Msix { "x" } else { "" };
        if kind == MessageKind::Msix {
            self.rewrite_message(rid.into(), number, host);
        }
        let name = format!("vfio-msi{letter}[{number}](0000:{rid})");
        self.request_vector(rid.into(), number, Service::EventFd(file), name, host);
        space.set_command(command, host);
        self.irqs_of(rid).triggers.insert(number, file);
        Ok(())
    }

    /// Removes the eventfd of a vector, and clears the vector's message in the device.
    fn clear_vector(&mut self, rid: Rid, vector: u32, host: &mut impl Host) {
        let Ok(number) = u16::try_from(vector) else { return };
        let Some(file) = self.irqs_of(rid).triggers.remove(&number) else { return };
        let space = Space::new(self.ecam, rid);
        let command = space.enable_memory(host);
        self.release_vector(rid.into(), number, host);
        space.set_command(command, host);
        self.files.drop_reference(file);
    }

    /// Disables messages.
    pub(super) fn turn_messages_off(
        &mut self,
        rid: Rid,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let set: Vec<u16> = self.irqs_of(rid).triggers.keys().copied().collect();
        for vector in set {
            self.clear_vector(rid, u32::from(vector), host);
        }
        let space = Space::new(self.ecam, rid);
        let command = space.enable_memory(host);
        self.disable_messages(rid.into(), tasks, host);
        space.set_command(command, host);
        self.irqs_of(rid).mode = Mode::Off;
    }
}

/// EINVAL for a vector without an interrupt, where `has` vectors have one.
fn no_vector(has: u64, end: u64) -> Refusal {
    rules::IRQ_VECTOR.refuse_for(Errno::EINVAL, Conflict::Limit { limit: has, wanted: end })
}
