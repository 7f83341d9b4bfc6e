//! VFIO_DEVICE_SET_IRQS of the pin.
//!
//! No wire is behind it: the pin only signals what a request to trigger it signals.

use super::irqs::{Action, Data, Mode, Request};
use super::rules;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::Space;
use crate::process::{FileId, Pid};
use passim_model::{Conflict, Errno, Host, Refusal, Rid};

/// The pin while it is on.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Intx {
    trigger: Option<FileId>,
    /// What unmasks it when it is signalled.
    unmask: Option<FileId>,
    masked: bool,
}

impl Kernel {
    /// Turns the pin on or off, masks or unmasks it, changes what it signals, or signals it.
    ///
    /// # Errors
    /// EINVAL by `irq-mode` or `irq-off`, ENOTTY by `irq-action` for an eventfd that masks, EBADF
    /// or EINVAL by `irq-eventfd`, EBUSY by `irq-unmask-taken`.
    pub(super) fn set_intx(
        &mut self,
        pid: Pid,
        rid: Rid,
        action: Action,
        request: &Request,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let conflict = Conflict::Device(rid);
        let mode = self.irqs_of(rid).mode;
        let on = mode == Mode::Pin;
        let one = request.start == 0 && request.count == 1;
        if action != Action::Trigger {
            if !on || !one {
                return Err(rules::IRQ_OFF.refuse_for(Errno::EINVAL, conflict));
            }
            return self.mask_intx(pid, rid, action, request, tasks, host).map(|()| 0);
        }
        if on && request.turns_off() {
            self.turn_intx_off(rid, tasks, host);
            return Ok(0);
        }
        if !(on || mode == Mode::Off) || !one {
            return Err(rules::IRQ_MODE.refuse_for(Errno::EINVAL, conflict));
        }
        if let Data::Descriptors(fds) = &request.data {
            let fd = fds.first().copied().unwrap_or(-1);
            let file = if fd < 0 { None } else { Some(self.hold_eventfd(pid, fd)?) };
            if !on {
                let masked = self.pin_is_disabled(rid);
                let irqs = self.irqs_of(rid);
                irqs.mode = Mode::Pin;
                irqs.intx = Intx { masked, ..Intx::default() };
                Space::new(self.ecam, rid).set_intx(!masked, host);
            }
            let old = core::mem::replace(&mut self.irqs_of(rid).intx.trigger, file);
            self.drop_files(old, tasks, host);
            return Ok(0);
        }
        if !on {
            return Err(rules::IRQ_OFF.refuse_for(Errno::EINVAL, conflict));
        }
        let trigger = self.irqs_of(rid).intx.trigger;
        if let Some(file) = trigger.filter(|_| request.asks() && !self.pin_is_disabled(rid)) {
            self.signal(file);
        }
        Ok(0)
    }

    fn mask_intx(
        &mut self,
        pid: Pid,
        rid: Rid,
        action: Action,
        request: &Request,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let Data::Descriptors(fds) = &request.data else {
            if request.asks() {
                self.set_pin_masked(rid, action == Action::Mask, host);
            }
            return Ok(());
        };
        let fd = fds.first().copied().unwrap_or(-1);
        let conflict = Conflict::Fd(i64::from(fd));
        if action == Action::Mask {
            return Err(rules::IRQ_ACTION.refuse_for(Errno::ENOTTY, conflict));
        }
        if fd < 0 {
            let old = self.irqs_of(rid).intx.unmask.take();
            self.drop_files(old, tasks, host);
            return Ok(());
        }
        let file = self.hold_eventfd(pid, fd)?;
        if self.irqs_of(rid).intx.unmask.is_some() {
            self.drop_files([file], tasks, host);
            return Err(rules::IRQ_UNMASK_TAKEN.refuse_for(Errno::EBUSY, conflict));
        }
        self.irqs_of(rid).intx.unmask = Some(file);
        Ok(())
    }

    /// Masks or unmasks the pin, at the device.
    pub(super) fn set_pin_masked(&mut self, rid: Rid, masked: bool, host: &mut impl Host) {
        let irqs = self.irqs_of(rid);
        if irqs.mode == Mode::Pin && irqs.intx.masked != masked {
            irqs.intx.masked = masked;
            Space::new(self.ecam, rid).set_intx(!masked, host);
        }
    }

    /// Turns the pin off.
    pub(super) fn turn_intx_off(&mut self, rid: Rid, tasks: &mut Vec<Task>, host: &mut impl Host) {
        let irqs = self.irqs_of(rid);
        irqs.mode = Mode::Off;
        let Intx { trigger, unmask, .. } = core::mem::take(&mut irqs.intx);
        self.drop_files(trigger.into_iter().chain(unmask), tasks, host);
    }
}
