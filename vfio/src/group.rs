//! Groups: opening, status, joining and leaving a container, handing out devices.
//!
//! Not here: whether the container accepts the group ([`type1`](crate::type1)); open devices
//! ([`device`](crate::device)).

use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::VFIO_PCI;
use crate::policy::{DeviceName, LastDevice};
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

/// EINVAL if argsz is below what GET_STATUS writes.
fn judge_status(buffer: &Buffer) -> Result<(), Refusal> {
    let header = Header::read(buffer)?;
    if header.argsz < 8 {
        let conflict = Conflict::Short { got: u64::from(header.argsz), needs: 8 };
        return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
    }
    Ok(())
}

fn conflict_of(device: Endpoint) -> Conflict {
    match device {
        Endpoint::Pci(rid) => Conflict::Device(rid),
        Endpoint::Platform(number) => Conflict::Platform(number),
    }
}

/// Whether a token follows the name, after blanks; `None` if anything else follows. Only the form
/// of the UUID is checked.
fn has_token(mut rest: &str) -> Option<bool> {
    const KEY: &str = "vf_token=";
    const UUID_BYTES: usize = 36;
    let mut given = false;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix(' ') {
            rest = behind;
            continue;
        }
        let token = rest.strip_prefix(KEY).filter(|_| !given)?;
        let (uuid, behind) = token.split_at_checked(UUID_BYTES)?;
        let is_digit = |(at, byte): (usize, u8)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        if !uuid.bytes().enumerate().all(is_digit) {
            return None;
        }
        given = true;
        rest = behind;
    }
    Some(given)
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
            _ => Err(rules::unknown_ioctl(request)),
        }
    }

    /// Serves an ioctl on the file of a removed group.
    // 6.12 vfio/group.c: the request's argument is checked first.
    pub(crate) fn lost_group_ioctl(
        &self,
        pid: Pid,
        request: u32,
        buffer: &Buffer,
    ) -> Result<i64, Refusal> {
        match request {
            ioctl::GROUP_GET_STATUS => judge_status(buffer)?,
            ioctl::GROUP_SET_CONTAINER => {
                self.container_file(pid, buffer)?;
            }
            ioctl::GROUP_UNSET_CONTAINER => {
                return Err(rules::GROUP_NOT_ATTACHED.refuse(Errno::EINVAL));
            }
            ioctl::GROUP_GET_DEVICE_FD => {
                buffer.text(self.page.bytes() as usize)?;
            }
            _ => return Err(rules::unknown_ioctl(request)),
        }
        Err(rules::GROUP_LOST.refuse(Errno::ENODEV))
    }

    fn group_status(&mut self, number: u32, buffer: &mut Buffer) -> Result<i64, Refusal> {
        judge_status(buffer)?;
        // measured on 6.1 and 6.12: a group in a container reports both flags, whatever drivers its
        // members have (the kernel keeps them from changing meanwhile).
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
        let (fd, file) = self.container_file(pid, buffer)?;
        let bad_fd = Conflict::Fd(i64::from(fd));
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

    /// The descriptor that SET_CONTAINER names, and its file, of any kind.
    fn container_file(&self, pid: Pid, buffer: &Buffer) -> Result<(i32, FileId), Refusal> {
        let fd = i32::from_le_bytes(buffer.copy_in::<4>(0)?);
        let file = self.processes.get(pid).and_then(|process| process.file(fd));
        let bad_fd = Conflict::Fd(i64::from(fd));
        let file = file.ok_or(rules::CONTAINER_FD_BAD.refuse_for(Errno::EBADF, bad_fd))?;
        Ok((fd, file))
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
        let name = buffer.text(self.page.bytes() as usize)?;
        // measured on 6.1 and 6.12: an unknown name is ENODEV even without a container, and so is a
        // name without its PCI domain.
        let function = self.function_named(number, &name)?.map(Endpoint::from);
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

    /// The function of a group that VFIO serves under this name.
    ///
    /// # Errors
    /// EINVAL by `device-name-options`.
    // 6.12 vfio_pci_core.c, vfio_pci_core_match and vfio_pci_validate_vf_token.
    fn function_named(&self, number: u32, name: &str) -> Result<Option<Rid>, Refusal> {
        for rid in self.pci.vfio_members(number) {
            let Some(rest) = name.strip_prefix(&format!("0000:{rid}")) else { continue };
            if rest.is_empty() {
                return Ok(Some(rid));
            }
            if self.policy.device_name == DeviceName::Whole || !rest.starts_with(' ') {
                continue;
            }
            // A token is for a physical function, or for a virtual one whose physical function VFIO
            // serves too.
            let physical = self.topology.physical_of(rid);
            let takes_token = match physical {
                Some(physical) => self.pci.driver(physical) == Some(VFIO_PCI),
                None => self.topology.virtual_of(rid).next().is_some(),
            };
            let has_token = has_token(rest);
            if has_token.is_none_or(|given| given && !takes_token) {
                let conflict = Conflict::Device(rid);
                return Err(rules::DEVICE_NAME_OPTIONS.refuse_for(Errno::EINVAL, conflict));
            }
            return Ok(Some(rid));
        }
        Ok(None)
    }

    /// Removes a device from VFIO. The last one to go removes the group: it leaves its container,
    /// and calls on its open file fail from then on.
    // 6.12 vfio/group.c, vfio_device_remove_group.
    pub(crate) fn give_up_group(&mut self, leaver: Endpoint, tasks: &mut Vec<Task>) {
        let Some(number) = self.group_given_up(leaver) else { return };
        let Some(group) = self.groups.get_mut(&number) else { return };
        let file = group.file.take();
        self.leave(number, tasks);
        if let Some(kind) = file.and_then(|file| self.files.kind_mut(file)) {
            *kind = FileKind::LostGroup;
        }
    }

    /// The group that is removed when a device leaves VFIO.
    pub(crate) fn group_given_up(&self, leaver: Endpoint) -> Option<u32> {
        let number = self.iommu.group_of(leaver)?;
        let functions = self.pci.vfio_members(number).map(Endpoint::from);
        let is_last = functions.chain(self.platforms.vfio_members(number)).eq([leaver]);
        let goes = self.policy.last_device == LastDevice::GroupGoes;
        (is_last && goes).then_some(number)
    }

    /// A member of the group whose driver does its own DMA, if any.
    pub(crate) fn dma_driver_in(&self, number: u32) -> Option<Endpoint> {
        let function = self.pci.dma_driver_in(number).map(Endpoint::from);
        function.or_else(|| self.platforms.dma_driver_in(number))
    }

    /// Releases a group whose file was closed: it leaves its container.
    pub(crate) fn release_group_file(&mut self, number: u32, tasks: &mut Vec<Task>) {
        if let Some(group) = self.groups.get_mut(&number) {
            group.file = None;
            if group.container.is_some() {
                self.leave(number, tasks);
            }
        }
    }
}
