//! Groups: opening, status, joining and leaving a container, handing out devices.

use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::process::{FileId, Pid};
use crate::rules;
use crate::uapi::{Buffer, Header, group_status, ioctl};
use passim_model::{Conflict, Endpoint, Errno, Host, Refusal, Rid};

/// An IOMMU group as VFIO sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Group {
    /// Its open file; there is at most one.
    pub(crate) file: Option<FileId>,
    /// The container it is in.
    pub(crate) container: Option<usize>,
    /// Device files open through it.
    pub(crate) device_files: u32,
}

fn conflict_of(device: Endpoint) -> Conflict {
    match device {
        Endpoint::Pci(rid) => Conflict::Device(rid),
        Endpoint::Platform(number) => Conflict::Platform(number),
    }
}

impl Kernel {
    /// Opens `/dev/vfio/N`.
    ///
    /// # Errors
    /// ENOENT by `group-absent`, EBUSY by `group-open`.
    pub(crate) fn open_group(&mut self, number: u32) -> Result<FileId, Refusal> {
        let conflict = Conflict::Group(number);
        let member = self.pci.vfio_members(number).next().map(Endpoint::from);
        let member = member.or_else(|| self.platforms.vfio_members(number).next());
        let Some(group) = self.groups.get_mut(&number).filter(|_| member.is_some()) else {
            return Err(rules::GROUP_ABSENT.refuse_for(Errno::ENOENT, conflict));
        };
        if group.file.is_some() {
            return Err(rules::GROUP_OPEN.refuse_for(Errno::EBUSY, conflict));
        }
        let file = self.files.open(FileKind::Group(number));
        group.file = Some(file);
        Ok(file)
    }

    /// Serves an ioctl on a group file.
    pub(crate) fn group_ioctl(
        &mut self,
        pid: Pid,
        number: u32,
        request: u32,
        buffer: &mut Buffer,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        match request {
            ioctl::GROUP_GET_STATUS => self.group_status(number, buffer),
            ioctl::GROUP_SET_CONTAINER => self.set_container(pid, number, buffer, tasks, host),
            ioctl::GROUP_UNSET_CONTAINER => self.unset_container(number, tasks),
            ioctl::GROUP_GET_DEVICE_FD => self.device_fd(pid, number, buffer, host),
            _ => Err(rules::IOCTL_UNKNOWN
                .refuse_for(Errno::ENOTTY, Conflict::Unknown(u64::from(request)))),
        }
    }

    fn group_status(&mut self, number: u32, buffer: &mut Buffer) -> Result<i64, Refusal> {
        let header = Header::read(buffer)?;
        if header.argsz < 8 {
            let conflict = Conflict::Short { got: u64::from(header.argsz), needs: 8 };
            return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
        }
        // measured on 6.1 and 6.12: a group in a container reports both flags, whatever its
        // members are bound to (the kernel keeps them from changing then).
        let flags = if self.groups[&number].container.is_some() {
            group_status::CONTAINER_SET | group_status::VIABLE
        } else if self.dma_driver_in(number).is_none() {
            group_status::VIABLE
        } else {
            0
        };
        buffer.copy_out(4, &flags.to_le_bytes())?;
        Ok(0)
    }

    fn set_container(
        &mut self,
        pid: Pid,
        number: u32,
        buffer: &Buffer,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        // measured on 6.1 and 6.12: NULL, then a bad descriptor, then already attached, then no
        // container, then not viable.
        let fd = i32::from_le_bytes(buffer.copy_in::<4>(0)?);
        let bad_fd = Conflict::Fd(i64::from(fd));
        let Some(file) = self.processes.get(pid).and_then(|process| process.file(fd)) else {
            return Err(rules::CONTAINER_FD_BAD.refuse_for(Errno::EBADF, bad_fd));
        };
        if self.groups[&number].container.is_some() {
            return Err(rules::GROUP_ATTACHED.refuse_for(Errno::EINVAL, Conflict::Group(number)));
        }
        let Some(&FileKind::Container(container)) = self.files.kind(file) else {
            let errno = self.policy.not_a_container.errno();
            return Err(rules::CONTAINER_FD_OTHER.refuse_for(errno, bad_fd));
        };
        if let Some(holder) = self.dma_driver_in(number) {
            return Err(rules::GROUP_NOT_VIABLE.refuse_for(Errno::EPERM, conflict_of(holder)));
        }
        self.join(number, container, tasks, host)?;
        Ok(0)
    }

    fn unset_container(&mut self, number: u32, tasks: &mut Vec<Task>) -> Result<i64, Refusal> {
        let group = &self.groups[&number];
        if group.container.is_none() {
            return Err(
                rules::GROUP_NOT_ATTACHED.refuse_for(Errno::EINVAL, Conflict::Group(number))
            );
        }
        if group.device_files > 0 {
            let open = u64::from(group.device_files);
            let conflict = Conflict::Limit { limit: 0, wanted: open };
            return Err(rules::GROUP_DEVICES_OPEN.refuse_for(Errno::EBUSY, conflict));
        }
        self.leave(number, tasks);
        Ok(0)
    }

    fn device_fd(
        &mut self,
        pid: Pid,
        number: u32,
        buffer: &Buffer,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        // A longer name is cut by nobody: the kernel takes up to a page.
        let name = buffer.text(4096)?;
        // measured on 6.1 and 6.12: an unknown name is ENODEV even without a container. Names are
        // compared whole, so a name without its PCI domain is unknown.
        let named = |rid: &Rid| format!("0000:{rid}") == name;
        let function = self.pci.vfio_members(number).find(named).map(Endpoint::from);
        let Some(device) = function.or_else(|| self.platform_named(number, &name)) else {
            return Err(
                rules::DEVICE_NOT_IN_GROUP.refuse_for(Errno::ENODEV, Conflict::Group(number))
            );
        };
        let group = &self.groups[&number];
        let typed = group.container.is_some_and(|at| self.containers[at].backend.is_some());
        let (true, Some(group_file)) = (typed, group.file) else {
            return Err(
                rules::DEVICE_NEEDS_CONTAINER.refuse_for(Errno::EINVAL, Conflict::Group(number))
            );
        };
        let file = match device {
            Endpoint::Pci(rid) => {
                self.open_device(rid, host);
                self.files.open(FileKind::Device { rid, group_file })
            }
            Endpoint::Platform(number) => {
                self.open_platform(number, host);
                self.files.open(FileKind::Platform { number, group_file })
            }
        };
        self.files.take(group_file);
        if let Some(group) = self.groups.get_mut(&number) {
            group.device_files += 1;
        }
        self.install(pid, file)
    }

    /// A member of the group whose driver does its own DMA, if there is one.
    pub(crate) fn dma_driver_in(&self, number: u32) -> Option<Endpoint> {
        let function = self.pci.dma_driver_in(number).map(Endpoint::from);
        function.or_else(|| self.platforms.dma_driver_in(number))
    }

    /// The group's file is gone: nothing keeps it in its container any more.
    pub(crate) fn release_group_file(&mut self, number: u32, tasks: &mut Vec<Task>) {
        if let Some(group) = self.groups.get_mut(&number) {
            group.file = None;
            if group.container.is_some() {
                self.leave(number, tasks);
            }
        }
    }
}
