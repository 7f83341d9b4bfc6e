//! VFIO_DEVICE_FEATURE: of what it offers, a PCI function has the low power states.
//!
//! Not here: migration, tokens of physical functions. They are refused as a kernel refuses them for
//! a device without them.

use super::rules as device_rules;
use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::process::Pid;
use crate::rules;
use crate::uapi::{Buffer, Header, feature};
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
        if payload > 0 {
            self.judge_wakeup(pid, buffer)?;
        }
        let is_entry = flags & feature::MASK != feature::LOW_POWER_EXIT;
        let Some(state) = self.devices.get_mut(&rid) else { return Ok(0) };
        if is_entry && state.may_sleep {
            return Err(
                device_rules::LOW_POWER_TWICE.refuse_for(Errno::EINVAL, Conflict::Device(rid))
            );
        }
        state.may_sleep = is_entry;
        Ok(0)
    }

    /// The descriptor to be signalled when the host wakes the device: an eventfd, and nothing else
    /// in the structure.
    fn judge_wakeup(&self, pid: Pid, buffer: &Buffer) -> Result<(), Refusal> {
        let bytes = buffer.copy_in::<{ feature::WAKEUP_BYTES }>(feature::HEADER_BYTES)?;
        if bytes[4..] != [0; 4] {
            return Err(device_rules::FEATURE_SET_ONLY.refuse(Errno::EINVAL));
        }
        let fd = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let conflict = Conflict::Fd(i64::from(fd));
        let refuse = |errno| device_rules::IRQ_EVENTFD.refuse_for(errno, conflict);
        let file = self.file(pid, fd).map_err(|_| refuse(Errno::EBADF))?;
        match self.files.kind(file) {
            Some(FileKind::EventFd { .. }) => Ok(()),
            _ => Err(refuse(Errno::EINVAL)),
        }
    }
}
