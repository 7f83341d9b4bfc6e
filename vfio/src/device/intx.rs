//! VFIO_DEVICE_SET_IRQS of the pin.
//!
//! Several functions may share the wire behind their pins, so VFIO never masks it at the interrupt
//! controller: it checks each function's status and masks that function through a bit of its
//! command register until it is unmasked. Where the machine does not describe where a pin leads,
//! only a trigger request signals its eventfd.

use super::irqs::{Action, Data, Mode, Request};
use super::rules;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::Space;
use crate::process::{FileId, Pid};
use passim_model::{Conflict, Errno, Host, IntId, Refusal, Rid};

/// The state of the pin while it is on.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Intx {
    trigger: Option<FileId>,
    /// The eventfd that unmasks it.
    unmask: Option<FileId>,
    masked: bool,
}

impl Kernel {
    /// Enables or disables the pin, masks or unmasks it, sets its eventfd, or signals it.
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
                self.join_pin(rid, host);
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
            if let Some(old) = self.irqs_of(rid).intx.unmask.take() {
                self.stop_waiting(old);
            }
            return Ok(());
        }
        let file = self.hold_eventfd(pid, fd)?;
        if self.irqs_of(rid).intx.unmask.is_some() {
            self.drop_files([file], tasks, host);
            return Err(rules::IRQ_UNMASK_TAKEN.refuse_for(Errno::EBUSY, conflict));
        }
        self.irqs_of(rid).intx.unmask = Some(file);
        if self.wait_for(file) {
            self.set_pin_masked(rid, false, host);
        }
        Ok(())
    }

    /// Masks or unmasks the pin at the device; while the user has disabled it, it stays masked.
    /// Where the device does not interrupt by its pin, the device's bit only follows the user's
    /// setting.
    // 6.12 vfio_pci_intrs.c, __vfio_pci_intx_mask and vfio_pci_intx_unmask_handler.
    pub(super) fn set_pin_masked(&mut self, rid: Rid, masked: bool, host: &mut impl Host) {
        let disabled = self.pin_is_disabled(rid);
        // PCI Express SR-IOV 1.1, 3.4.1.3: the bit is 0 in a virtual function, which has no pin.
        let has_bit = !self.topology.is_virtual(rid);
        let irqs = self.irqs_of(rid);
        if irqs.mode != Mode::Pin {
            if has_bit {
                Space::new(self.ecam, rid).set_intx(!masked, host);
            }
            return;
        }
        if irqs.intx.masked == masked || (disabled && !masked) {
            return;
        }
        if !masked && Space::new(self.ecam, rid).wants_service(host) {
            // 6.12 vfio_pci_intx_unmask_handler: an interrupt that is pending is signalled at once,
            // and the pin stays masked.
            return self.signal_pin(rid);
        }
        self.irqs_of(rid).intx.masked = masked;
        Space::new(self.ecam, rid).set_intx(!masked, host);
    }

    /// 6.12 vfio_send_intx_eventfd: signals nothing while the function's pin is disabled.
    fn signal_pin(&mut self, rid: Rid) {
        let trigger = self.irqs_of(rid).intx.trigger;
        if let Some(file) = trigger.filter(|_| !self.pin_is_disabled(rid)) {
            self.signal(file);
        }
    }

    fn pin_name(rid: Rid) -> String {
        format!("vfio-intx(0000:{rid})")
    }

    /// Requests the interrupt of the pin.
    fn join_pin(&mut self, rid: Rid, host: &mut impl Host) {
        let Some(intid) = self.topology.pin(rid) else { return };
        let irq = self.irqs.wired(intid, true, host);
        self.irqs.join_wire(irq, &Self::pin_name(rid), host);
        self.irqs.let_through(irq, true, host);
    }

    /// Handles an asserted wire that pins share: each function whose pin is on and asserted is
    /// masked, and its eventfd signalled.
    // 6.12 vfio_intx_handler.
    pub(crate) fn serve_pins(&mut self, intid: IntId, host: &mut impl Host) {
        let on = self.devices.iter().filter(|(_, device)| device.irqs.mode == Mode::Pin);
        let on: Vec<Rid> = on.map(|(rid, _)| *rid).collect();
        for rid in
            on.into_iter().filter(|rid| self.topology.pin(*rid) == Some(intid)).collect::<Vec<_>>()
        {
            let masked = self.irqs_of(rid).intx.masked;
            if !masked && Space::new(self.ecam, rid).wants_service(host) {
                self.set_pin_masked(rid, true, host);
                self.signal_pin(rid);
            }
        }
    }

    /// Unmasks the pins for which `file` is the unmask eventfd. Returns whether there are any.
    pub(crate) fn unmask_pins_by(&mut self, file: FileId, host: &mut impl Host) -> bool {
        let told = self.devices.iter().filter(|(_, it)| it.irqs.intx.unmask == Some(file));
        let told: Vec<Rid> = told.map(|(rid, _)| *rid).collect();
        for &rid in &told {
            self.set_pin_masked(rid, false, host);
        }
        !told.is_empty()
    }

    /// Stops unmasking pins by `file`. Returns how many pins it unmasked.
    pub(crate) fn hang_up_pins(&mut self, file: FileId) -> usize {
        let devices = self.devices.values_mut().map(|state| &mut state.irqs.intx.unmask);
        devices.filter_map(|unmask| unmask.take_if(|it| *it == file)).count()
    }

    /// Disables the pin.
    pub(super) fn turn_intx_off(&mut self, rid: Rid, tasks: &mut Vec<Task>, host: &mut impl Host) {
        let irqs = self.irqs_of(rid);
        irqs.mode = Mode::Off;
        let Intx { trigger, unmask, .. } = core::mem::take(&mut irqs.intx);
        if let Some(intid) = self.topology.pin(rid) {
            let irq = self.irqs.wired(intid, true, host);
            self.irqs.leave_wire(irq, &Self::pin_name(rid), host);
        }
        if let Some(unmask) = unmask {
            self.stop_waiting(unmask);
        }
        self.drop_files(trigger, tasks, host);
    }
}
