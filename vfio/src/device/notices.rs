//! VFIO_DEVICE_SET_IRQS of notices to the user: errors, and requests to return a device.
//!
//! The model detects no PCI Express errors: only a trigger request signals their eventfd.

use super::irqs::{Data, Request};
use super::rules;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::DeviceErrorFd;
use crate::process::{FileId, Pid};
use crate::uapi::irq;
use passim_model::{Conflict, Errno, Host, Refusal, Rid};

impl Kernel {
    fn notice(&mut self, rid: Rid, index: u32) -> &mut Option<FileId> {
        let irqs = self.irqs_of(rid);
        if index == irq::ERR { &mut irqs.error } else { &mut irqs.request }
    }

    /// Sets, removes or signals the eventfd of errors or of requests.
    ///
    /// # Errors
    /// EINVAL by `irq-notice`, EBADF or EINVAL by `irq-eventfd`.
    // measured on 6.1 and 6.12.
    pub(super) fn set_notice(
        &mut self,
        pid: Pid,
        rid: Rid,
        index: u32,
        request: &Request,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let refused = rules::IRQ_NOTICE.refuse_for(Errno::EINVAL, Conflict::Device(rid));
        let set = *self.notice(rid, index);
        match (&request.data, set) {
            (Data::None, None) => return Err(refused),
            (Data::None, Some(file)) if request.count > 0 => self.signal(file),
            (Data::None, Some(_)) => {
                let old = self.notice(rid, index).take();
                self.drop_files(old, tasks, host);
            }
            (Data::Bools(flags), _) => {
                let asked = *flags.first().ok_or(refused)?;
                if let Some(file) = set.filter(|_| asked) {
                    self.signal(file);
                }
            }
            (Data::Descriptors(fds), _) => {
                let fd = *fds.first().ok_or(refused)?;
                if fd < -1 {
                    let conflict = Conflict::Fd(i64::from(fd));
                    return match self.policy.device_error_fd {
                        DeviceErrorFd::Ignored => Ok(0),
                        DeviceErrorFd::Einval => {
                            Err(rules::IRQ_EVENTFD.refuse_for(Errno::EINVAL, conflict))
                        }
                    };
                }
                let file = if fd < 0 { None } else { Some(self.hold_eventfd(pid, fd)?) };
                let old = core::mem::replace(self.notice(rid, index), file);
                self.drop_files(old, tasks, host);
            }
        }
        Ok(0)
    }

    /// Asks the user of an open function to release it, if the user has set an eventfd for that.
    // 4.6 vfio_del_group_dev and 6.12 vfio_unregister_group_dev: ops->request, at once and then
    // every ten seconds; vfio_pci_request signals the eventfd of VFIO_PCI_REQ_IRQ_INDEX, and logs
    // that no user can be asked where none is set.
    pub(crate) fn ask_back(&mut self, rid: Rid) {
        let asked = self.devices.get(&rid).and_then(|device| device.irqs.request);
        if let Some(file) = asked {
            self.signal(file);
        }
    }
}
