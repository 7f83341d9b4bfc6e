//! VFIO_DEVICE_SET_IRQS of a platform device: its wires and their eventfds.
//!
//! A level-triggered wire masks itself at the interrupt controller when it signals its eventfd,
//! until it is unmasked; if it is still asserted then, it fires again at once. vfio-platform
//! requests the interrupt of every wire while the device is open, or, in older kernels, while the
//! wire has an eventfd.

use super::rules;
use crate::device::{Action, Data, Request};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::WireService;
use crate::process::{FileId, Pid};
use crate::uapi::{Buffer, IrqSet};
use crate::verdict::{Severity, Verdict};
use passim_model::{Conflict, Errno, Host, IntId, Refusal};

/// A wire of an open device.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Wire {
    /// Linux number of its interrupt, if the wire is connected.
    irq: Option<u32>,
    /// The eventfd that it signals.
    trigger: Option<FileId>,
    masked: bool,
    /// The eventfd that masks it.
    mask: Option<FileId>,
    /// The eventfd that unmasks it.
    unmask: Option<FileId>,
}

fn refuse_block(number: u16) -> Refusal {
    rules::WIRE_BLOCK.refuse_for(Errno::EINVAL, Conflict::Platform(number))
}

impl Kernel {
    /// The wires of a device that is being opened: numbered, masked, and requested where the kernel
    /// does that on opening.
    pub(super) fn open_wires(&mut self, number: u16, host: &mut impl Host) -> Vec<Wire> {
        let wires = self.platform(number).wires.clone();
        let mut opened = Vec::with_capacity(wires.len());
        for wire in wires {
            let irq = wire.intid.map(|intid| self.irqs.wired(intid, wire.level, host));
            if let Some(irq) = irq.filter(|_| self.policy.wire_handlers == WireService::WhileOpen) {
                let name = self.wire_name(number, irq);
                self.irqs.join_wire(irq, &name, host);
            }
            opened.push(Wire { irq, ..Wire::default() });
        }
        opened
    }

    /// 6.12 vfio_platform_irq.c names an interrupt's user by its Linux number.
    fn wire_name(&self, number: u16, irq: u32) -> String {
        format!("vfio-irq[{irq}]({})", self.platform(number).name)
    }

    /// Masks the wires of a device after the last close.
    pub(super) fn close_wires(
        &mut self,
        number: u16,
        wires: &[Wire],
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        for irq in wires.iter().filter_map(|wire| wire.irq) {
            self.irqs.let_through(irq, false, host);
            let name = self.wire_name(number, irq);
            self.irqs.leave_wire(irq, &name, host);
        }
        for file in wires.iter().flat_map(|wire| [wire.mask, wire.unmask]).flatten() {
            self.stop_waiting(file);
        }
        self.drop_files(wires.iter().filter_map(|wire| wire.trigger), tasks, host);
    }

    fn wire(&mut self, number: u16, index: u32) -> &mut Wire {
        let device = self.platforms.open.get_mut(&number);
        let wire = device.and_then(|device| device.wires.get_mut(index as usize));
        wire.expect("the device is open and the index was judged")
    }

    /// VFIO_DEVICE_SET_IRQS.
    ///
    /// # Errors
    /// EINVAL by `set-irqs-shape`, `wire-block` or `wire-not-maskable`, ENOTTY by `irq-action`,
    /// EBADF or EINVAL by `irq-eventfd`, EBUSY by `irq-unmask-taken`.
    // vfio_platform_irq.c of 4.10 and 6.12.
    pub(super) fn set_wire(
        &mut self,
        pid: Pid,
        number: u16,
        buffer: &Buffer,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let set = IrqSet::read(buffer)?;
        let count = self.platform(number).wires.len() as u32;
        // Start and count are checked against the number of wires, not against the single interrupt
        // of each.
        let request = Request::read(&set, (count, count), buffer)?;
        let Some(action) = Action::of(set.header.flags) else {
            let conflict = Conflict::Unknown(u64::from(set.header.flags));
            return Err(crate::device::rules::IRQ_ACTION.refuse_for(Errno::ENOTTY, conflict));
        };
        let index = set.index;
        if action == Action::Trigger && request.turns_off() {
            self.set_wire_trigger(number, index, None, tasks, host);
            return Ok(0);
        }
        if request.start != 0 || request.count != 1 {
            return Err(refuse_block(number));
        }
        if action != Action::Trigger {
            return self.mask_wire(pid, (number, index), action, &request, tasks, host);
        }
        match &request.data {
            Data::Descriptors(fds) => {
                let fd = fds.first().copied().unwrap_or(-1);
                // The old eventfd is removed first, whatever the new one is.
                self.set_wire_trigger(number, index, None, tasks, host);
                if fd >= 0 {
                    let file = self.hold_eventfd(pid, fd)?;
                    self.set_wire_trigger(number, index, Some(file), tasks, host);
                }
            }
            Data::None | Data::Bools(_) if request.asks() => {
                self.wire_came(number, index, host);
            }
            Data::None | Data::Bools(_) => {}
        }
        Ok(0)
    }

    /// Sets the eventfd of a wire, or removes it and masks the wire.
    fn set_wire_trigger(
        &mut self,
        number: u16,
        index: u32,
        trigger: Option<FileId>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let old = core::mem::replace(&mut self.wire(number, index).trigger, trigger);
        let &mut Wire { irq, masked, .. } = self.wire(number, index);
        if let Some(irq) = irq {
            if self.policy.wire_handlers == WireService::WhileSet {
                let name = self.wire_name(number, irq);
                match (old, trigger) {
                    (None, Some(_)) => self.irqs.join_wire(irq, &name, host),
                    (Some(_), None) => self.irqs.leave_wire(irq, &name, host),
                    _ => {}
                }
            }
            self.irqs.let_through(irq, trigger.is_some() && !masked, host);
        }
        self.drop_files(old, tasks, host);
    }

    fn mask_wire(
        &mut self,
        pid: Pid,
        (number, index): (u16, u32),
        action: Action,
        request: &Request,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let masks = action == Action::Mask;
        if !self.platform(number).wires[index as usize].level {
            let conflict = Conflict::Platform(number);
            return Err(rules::WIRE_NOT_MASKABLE.refuse_for(Errno::EINVAL, conflict));
        }
        let Data::Descriptors(fds) = &request.data else {
            if request.asks() {
                self.set_wire_masked(number, index, masks, host);
            }
            return Ok(0);
        };
        let fd = fds.first().copied().unwrap_or(-1);
        let file = if fd < 0 { None } else { Some(self.hold_eventfd(pid, fd)?) };
        let wire = self.wire(number, index);
        let place = if masks { &mut wire.mask } else { &mut wire.unmask };
        if let (Some(file), Some(_)) = (file, *place) {
            self.drop_files([file], tasks, host);
            let conflict = Conflict::Fd(i64::from(fd));
            return Err(crate::device::rules::IRQ_UNMASK_TAKEN.refuse_for(Errno::EBUSY, conflict));
        }
        if let Some(old) = core::mem::replace(place, file) {
            self.stop_waiting(old);
        }
        if let Some(file) = file
            && self.wait_for(file)
        {
            self.set_wire_masked(number, index, masks, host);
        }
        Ok(0)
    }

    fn set_wire_masked(&mut self, number: u16, index: u32, masked: bool, host: &mut impl Host) {
        let wire = self.wire(number, index);
        if wire.masked == masked {
            return;
        }
        wire.masked = masked;
        let (irq, signals) = (wire.irq, wire.trigger.is_some());
        if let Some(irq) = irq {
            self.irqs.let_through(irq, signals && !masked, host);
        }
    }

    /// Handles a wire's interrupt, from an asserted wire or a trigger request.
    fn wire_came(&mut self, number: u16, index: u32, host: &mut impl Host) {
        let level = self.platform(number).wires[index as usize].level;
        let &mut Wire { trigger, masked, .. } = self.wire(number, index);
        if level && masked {
            return;
        }
        if level {
            self.set_wire_masked(number, index, true, host);
        }
        match trigger {
            Some(file) => self.signal(file),
            None if self.policy.wire_handlers == WireService::WhileSet => {
                self.verdicts.push(Verdict {
                    severity: Severity::Oops,
                    rule: &rules::WIRE_WITHOUT_EVENTFD,
                    conflict: Conflict::Platform(number),
                });
            }
            None => {}
        }
    }

    /// Handles an interrupt for every open device that shares its wire.
    pub(crate) fn serve_wire(&mut self, intid: IntId, host: &mut impl Host) {
        let devices: Vec<u16> = self.platforms.open.keys().copied().collect();
        for number in devices {
            let wires = self.platform(number).wires.iter().zip(0u32..);
            let mine = wires.filter(|(wire, _)| wire.intid == Some(intid));
            let mine: Vec<u32> = mine.map(|(_, index)| index).collect();
            for index in mine {
                self.wire_came(number, index, host);
            }
        }
        self.serve_pins(intid, host);
    }

    /// Masks or unmasks the wires for which `file` is the eventfd to do so. Returns whether there
    /// are any.
    pub(crate) fn mask_wires_by(&mut self, file: FileId, host: &mut impl Host) -> bool {
        let mut told = Vec::new();
        for (&number, device) in &self.platforms.open {
            for (wire, index) in device.wires.iter().zip(0u32..) {
                let both = [(wire.mask, true), (wire.unmask, false)];
                let named = both.into_iter().filter(|(it, _)| *it == Some(file));
                told.extend(named.map(|(_, masks)| (number, index, masks)));
            }
        }
        for &(number, index, masks) in &told {
            self.set_wire_masked(number, index, masks, host);
        }
        !told.is_empty()
    }

    /// Stops masking and unmasking wires by `file`. Returns how many places held it.
    pub(crate) fn hang_up_wires(&mut self, file: FileId) -> usize {
        let wires = self.platforms.open.values_mut().flat_map(|device| &mut device.wires);
        let places = wires.flat_map(|wire| [&mut wire.mask, &mut wire.unmask]);
        places.filter_map(|place| place.take_if(|it| *it == file)).count()
    }
}
