//! VFIO_DEVICE_SET_IRQS: is the request well formed, and which interrupt does it address?
//!
//! Not here: its effect (`messages`, `intx` and `notices`).

use super::intx::Intx;
use super::{rules, vectors};
use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::msi::MessageKind;
use crate::operation::Task;
use crate::process::{FileId, Pid};
use crate::rules as vfio_rules;
use crate::uapi::{Buffer, IrqSet, irq, irq_set};
use passim_model::{Conflict, Errno, Host, Refusal, Rid};
use std::collections::BTreeMap;

/// How a device interrupts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Mode {
    /// Not at all.
    #[default]
    Off,
    /// By its pin.
    Pin,
    /// By messages.
    Messages(MessageKind),
}

/// The eventfds of a device's interrupts. The kernel holds a reference to each.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct DeviceIrqs {
    pub(super) mode: Mode,
    pub(super) intx: Intx,
    /// By vector.
    pub(super) triggers: BTreeMap<u16, FileId>,
    /// Uncorrected errors.
    pub(super) error: Option<FileId>,
    /// The kernel wants the device back.
    pub(super) request: Option<FileId>,
}

/// The data of a well-formed request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Data {
    None,
    Bools(Vec<bool>),
    Descriptors(Vec<i32>),
}

/// The action of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Mask,
    Unmask,
    Trigger,
}

/// A well-formed request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) start: u32,
    pub(crate) count: u32,
    pub(crate) data: Data,
}

impl Request {
    /// Whether a request about one interrupt asks for its action: its flag is set, or it carries no
    /// data.
    pub(crate) fn asks(&self) -> bool {
        match &self.data {
            Data::None => true,
            Data::Bools(flags) => flags.first().copied().unwrap_or(false),
            Data::Descriptors(_) => false,
        }
    }

    /// Whether it turns an interrupt off: count 0 and no data.
    pub(crate) fn turns_off(&self) -> bool {
        self.count == 0 && self.data == Data::None
    }
}

fn shape(conflict: Conflict) -> Refusal {
    vfio_rules::SET_IRQS_SHAPE.refuse_for(Errno::EINVAL, conflict)
}

impl Action {
    /// The action that the flags name; `None` unless they name exactly one.
    pub(crate) fn of(flags: u32) -> Option<Self> {
        match flags & irq_set::ACTION_TYPE_MASK {
            irq_set::ACTION_MASK => Some(Self::Mask),
            irq_set::ACTION_UNMASK => Some(Self::Unmask),
            irq_set::ACTION_TRIGGER => Some(Self::Trigger),
            _ => None,
        }
    }
}

impl Request {
    /// Reads and checks a request; `has` is the number of interrupts that the device has at the
    /// index, `indices` the number of indices.
    ///
    /// # Errors
    /// EFAULT by `user-pointer`, EINVAL by `set-irqs-shape`.
    // measured on 6.1 and 6.12; the order from reading 6.12 vfio_set_irqs_validate_and_prepare.
    pub(crate) fn read(
        set: &IrqSet,
        (indices, has): (u32, u32),
        buffer: &Buffer,
    ) -> Result<Self, Refusal> {
        let IrqSet { header, start, count, .. } = *set;
        let known = irq_set::DATA_TYPE_MASK | irq_set::ACTION_TYPE_MASK;
        let short = (header.argsz as usize) < IrqSet::BYTES;
        if short || set.index >= indices || count >= u32::MAX - start {
            return Err(shape(Conflict::Unknown(u64::from(set.index))));
        }
        if header.flags & !known != 0 {
            return Err(shape(Conflict::Unknown(u64::from(header.flags & !known))));
        }
        if start >= has || start + count > has {
            let wanted = u64::from(start) + u64::from(count);
            return Err(shape(Conflict::Limit { limit: u64::from(has), wanted }));
        }
        let each: usize = match header.flags & irq_set::DATA_TYPE_MASK {
            irq_set::DATA_NONE => 0,
            irq_set::DATA_BOOL => 1,
            irq_set::DATA_EVENTFD => 4,
            other => return Err(shape(Conflict::Unknown(u64::from(other)))),
        };
        let (got, needs) = (header.argsz as usize - IrqSet::BYTES, count as usize * each);
        if got < needs {
            return Err(shape(Conflict::Short { got: got as u64, needs: needs as u64 }));
        }
        let bytes = buffer.slice(IrqSet::BYTES, needs)?;
        let data = match each {
            0 => Data::None,
            1 => Data::Bools(bytes.iter().map(|&byte| byte != 0).collect()),
            _ => {
                let four = bytes.chunks_exact(4);
                let fd = |four: &[u8]| i32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                Data::Descriptors(four.map(fd).collect())
            }
        };
        Ok(Request { start, count, data })
    }
}

impl Kernel {
    /// VFIO_DEVICE_SET_IRQS.
    pub(super) fn set_irqs(
        &mut self,
        pid: Pid,
        rid: Rid,
        buffer: &Buffer,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let set = IrqSet::read(buffer)?;
        let function = self.function(rid);
        let has = if set.index < irq::COUNT { vectors(function, set.index) } else { 0 };
        let request = Request::read(&set, (irq::COUNT, has), buffer)?;
        let action = Action::of(set.header.flags);
        match (set.index, action) {
            (irq::INTX, Some(action)) => self.set_intx(pid, rid, action, &request, tasks, host),
            (irq::MSI, Some(Action::Trigger)) => {
                self.set_messages(pid, rid, MessageKind::Msi, &request, tasks, host)
            }
            (irq::MSIX, Some(Action::Trigger)) => {
                self.set_messages(pid, rid, MessageKind::Msix, &request, tasks, host)
            }
            (irq::ERR | irq::REQ, Some(Action::Trigger)) => {
                self.set_notice(pid, rid, set.index, &request, tasks, host)
            }
            _ => {
                let conflict = Conflict::Unknown(u64::from(set.header.flags));
                Err(rules::IRQ_ACTION.refuse_for(Errno::ENOTTY, conflict))
            }
        }
    }

    /// The index of the interrupts of a device that are on.
    pub(crate) fn irqs_on(&self, rid: Rid) -> Option<u32> {
        match self.devices.get(&rid)?.irqs.mode {
            // VFIO does not serve message interrupts of devices on the board.
            Mode::Off | Mode::Messages(MessageKind::Platform) => None,
            Mode::Pin => Some(irq::INTX),
            Mode::Messages(MessageKind::Msi) => Some(irq::MSI),
            Mode::Messages(MessageKind::Msix) => Some(irq::MSIX),
        }
    }

    /// The interrupts of an open device.
    pub(super) fn irqs_of(&mut self, rid: Rid) -> &mut DeviceIrqs {
        &mut self.devices.entry(rid).or_default().irqs
    }

    /// The eventfd that a descriptor refers to; takes a reference to it.
    ///
    /// # Errors
    /// EBADF or EINVAL by `irq-eventfd`.
    pub(crate) fn hold_eventfd(&mut self, pid: Pid, fd: i32) -> Result<FileId, Refusal> {
        let conflict = Conflict::Fd(i64::from(fd));
        let file = self.file(pid, fd);
        let file = file.map_err(|_| rules::IRQ_EVENTFD.refuse_for(Errno::EBADF, conflict))?;
        if !matches!(self.files.kind(file), Some(FileKind::EventFd(_))) {
            return Err(rules::IRQ_EVENTFD.refuse_for(Errno::EINVAL, conflict));
        }
        self.files.take(file);
        Ok(file)
    }
}
