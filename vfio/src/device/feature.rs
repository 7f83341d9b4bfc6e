//! VFIO_DEVICE_FEATURE: the low power states of a PCI function.
//!
//! Not here: migration and tokens of physical functions. They are refused as a kernel refuses them
//! for a device without them.

use super::rules as device_rules;
use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::process::{FileId, Pid};
use crate::rules;
use crate::uapi::{Buffer, Header, feature, region};
use passim_model::{Conflict, Errno, Refusal, Rid};

impl Kernel {
    /// VFIO_DEVICE_FEATURE.
    // 6.12 vfio_main.c and vfio_pci_core.c, in the order of their checks.
    pub(super) fn device_feature(
        &mut self,
        pid: Pid,
        rid: Rid,
        buffer: &Buffer,
    ) -> Result<i64, Refusal> {
        let Header { argsz, flags } = Header::read(buffer)?;
        let asked = flags & !feature::MASK;
        let both = feature::GET | feature::SET;
        let known = asked & !(both | feature::PROBE) == 0;
        let one = asked & feature::PROBE != 0 || asked & both != both;
        if (argsz as usize) < feature::HEADER_BYTES || !known || !one {
            let conflict = Conflict::Unknown(u64::from(flags));
            return Err(rules::DEVICE_FEATURE_SHAPE.refuse_for(Errno::EINVAL, conflict));
        }
        let payload = match flags & feature::MASK {
            feature::LOW_POWER_ENTRY | feature::LOW_POWER_EXIT => 0,
            feature::LOW_POWER_ENTRY_WITH_WAKEUP => feature::WAKEUP_BYTES,
            other => {
                let conflict = Conflict::Unknown(u64::from(other));
                return Err(device_rules::FEATURE_ABSENT.refuse_for(Errno::ENOTTY, conflict));
            }
        };
        let refused = || device_rules::FEATURE_SET_ONLY.refuse(Errno::EINVAL);
        if asked & feature::GET != 0 {
            return Err(refused());
        }
        if asked & feature::PROBE != 0 {
            return Ok(0);
        }
        if asked & feature::SET == 0 || (argsz as usize) - feature::HEADER_BYTES < payload {
            return Err(refused());
        }
        let wakeup = if payload > 0 { Some(self.wakeup(pid, buffer)?) } else { None };
        let is_entry = flags & feature::MASK != feature::LOW_POWER_EXIT;
        let Some(state) = self.devices.get_mut(&rid) else { return Ok(0) };
        if is_entry && state.may_sleep {
            return Err(
                device_rules::LOW_POWER_TWICE.refuse_for(Errno::EINVAL, Conflict::Device(rid))
            );
        }
        state.may_sleep = is_entry;
        state.wakeup = wakeup;
        if let Some(file) = wakeup {
            self.files.take(file);
        }
        Ok(0)
    }

    /// Wakes the device for a call on its file. A user who registered a wakeup eventfd is
    /// signalled, and the device may no longer sleep.
    // 6.12 vfio_pci_core_runtime_resume. The model assumes that a device sleeps by the next call,
    // as it usually does: it goes to sleep as soon as a CPU has time for that.
    pub(super) fn wake(&mut self, rid: Rid) {
        let Some(state) = self.devices.get_mut(&rid) else { return };
        let Some(file) = state.wakeup.take() else { return };
        state.may_sleep = false;
        self.signal(file);
        // Dropping an eventfd releases nothing else.
        self.files.drop_reference(file);
    }

    /// Wakes the device for a read or write of a region; an offset beyond every region wakes
    /// nothing.
    pub(super) fn wake_for_region(&mut self, rid: Rid, offset: u64) {
        if offset >> region::OFFSET_LG2 <= u64::from(region::VGA) {
            self.wake(rid);
        }
    }

    /// The eventfd to signal when the device is woken. The kernel does not read the rest of the
    /// structure.
    // 6.12 vfio_pci_core_pm_entry_with_wakeup.
    fn wakeup(&self, pid: Pid, buffer: &Buffer) -> Result<FileId, Refusal> {
        let bytes = buffer.copy_in::<{ feature::WAKEUP_BYTES }>(feature::HEADER_BYTES)?;
        let fd = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let conflict = Conflict::Fd(i64::from(fd));
        let refuse = |errno| device_rules::IRQ_EVENTFD.refuse_for(errno, conflict);
        if fd < 0 {
            return Err(refuse(Errno::EINVAL));
        }
        let file = self.file(pid, fd).map_err(|_| refuse(Errno::EBADF))?;
        match self.files.kind(file) {
            Some(FileKind::EventFd { .. }) => Ok(file),
            _ => Err(refuse(Errno::EINVAL)),
        }
    }
}
