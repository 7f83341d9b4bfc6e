//! The kernel: its parts, and which of them serves which system call.
//!
//! Not here: what a call does in its part.

use crate::call::{Answer, Arg, Call, MapKind, Protection};
use crate::container::Container;
use crate::file::{FileKind, Files};
use crate::group::Group;
use crate::iommu::{BootError, DeviceFacts, Firmware, Iommu};
use crate::irq::registry::{self, Doorbell};
use crate::irq::{InterruptFacts, Irqs};
use crate::msi::Msi;
use crate::operation::Task;
use crate::pci::Pci;
use crate::platform::Platforms;
use crate::policy::Policy;
use crate::process::{AreaKind, FileId, Pid, Processes, Start};
use crate::rules;
use crate::sysfs::Leave;
use crate::uapi::{Buffer, ioctl};
use crate::verdict::Verdict;
use passim_model::{
    Conflict, Endpoint, Errno, Frames, Host, PageSize, PhysAddr, Refusal, Rid, Span, Topology,
    UserAddr,
};
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet};

/// Parameters of the type1 module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    /// Attach devices whose messages are not isolated.
    pub allow_unsafe_interrupts: bool,
    /// Pin page by page.
    pub disable_hugepages: bool,
    /// Most mappings of a container, where the kernel has the parameter: `entry-limit`.
    pub dma_entry_limit: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { allow_unsafe_interrupts: false, disable_hugepages: false, dma_entry_limit: 65535 }
    }
}

/// What firmware and boot parameters pass to the kernel.
#[derive(Clone, Debug)]
pub struct Boot<'a> {
    /// The CPU's page size.
    pub page: PageSize,
    /// Usable RAM, by physical address; no two spans overlap.
    pub ram: Vec<Span<PhysAddr>>,
    /// Frames of RAM that only plans and moves of pages allocate ([`Kernel::plan_pages`],
    /// [`Kernel::migrate_page`]).
    pub set_aside: Vec<Span<PhysAddr>>,
    /// PCI functions and platform devices.
    pub topology: &'a Topology,
    /// Interrupt controllers, and the messages held at boot.
    pub interrupts: &'a InterruptFacts,
    /// IOMMUs, the devices behind them, and whether messages are distinguished by sender.
    pub firmware: &'a Firmware,
    /// The kernel's choices where kernels differ.
    pub policy: Policy,
    /// Module parameters.
    pub params: Params,
    /// Modules loaded besides those of the drivers that are bound.
    pub modules: Vec<String>,
    /// Whether the kernel refuses to map a claimed PCI resource through sysfs:
    /// CONFIG_IO_STRICT_DEVMEM.
    pub io_strict_devmem: bool,
}

/// The kernel. See the [module](self).
pub struct Kernel {
    pub(crate) page: PageSize,
    pub(crate) policy: Policy,
    pub(crate) params: Params,
    pub(crate) io_strict_devmem: bool,
    pub(crate) topology: Topology,
    pub(crate) frames: Frames,
    pub(crate) processes: Processes,
    /// Linux's `current`: the process whose call was decided last; `None` before the first.
    pub(crate) current: Option<Pid>,
    pub(crate) files: Files,
    pub(crate) containers: Slab<Container>,
    pub(crate) groups: BTreeMap<u32, Group>,
    pub(crate) pci: Pci,
    pub(crate) platforms: Platforms,
    pub(crate) iommu: Iommu,
    pub(crate) irqs: Irqs,
    pub(crate) msi: Msi,
    pub(crate) eventfd_waits: crate::eventfd_waits::EventfdWaits,
    /// Physical address of configuration space.
    pub(crate) ecam: PhysAddr,
    pub(crate) devices: BTreeMap<passim_model::Rid, crate::device::DeviceState>,
    /// Devices whose interrupts an operation is changing.
    pub(crate) changing: BTreeSet<Endpoint>,
    /// Removals that wait until a user closes a function, and that function.
    pub(crate) leaving: BTreeMap<(Rid, Leave), Rid>,
    /// Firmware's facts of virtual functions, ascending; their groups only mark which of them
    /// belong together, and are not the kernel's.
    pub(crate) virtuals: Vec<DeviceFacts>,
    pub(crate) plain_files: Vec<crate::sysfs::PlainFile>,
    /// Operations abandoned because hardware did not answer.
    pub(crate) abandoned: u64,
    /// The doorbells of the system.
    pub(crate) doorbells: Vec<Doorbell>,
    /// Verdicts not yet taken.
    pub(crate) verdicts: Vec<Verdict>,
}

impl Kernel {
    /// Boots: probes the IOMMUs and gives every group its default domain; brings up the interrupt
    /// controller and lets bound drivers allocate their messages.
    ///
    /// # Errors
    /// [`BootError`] if an IOMMU does not come up, or a device names an IOMMU that does not exist.
    /// A device that only its driver refuses is [left out](Iommu::left_out).
    pub fn boot(boot: Boot<'_>, host: &mut impl Host) -> Result<Self, BootError> {
        let mut frames = Frames::new(boot.page, boot.ram.iter().copied());
        for span in &boot.set_aside {
            frames.set_aside(*span);
        }
        let firmware = boot.firmware.at_boot(boot.topology);
        let iommu = Iommu::boot(&firmware, &boot.policy, boot.page, &mut frames, host)?;
        let mut topology = boot.topology.clone();
        for rid in iommu.left_out().filter_map(|(device, _)| device.rid()) {
            topology.set_group(rid, None);
        }
        let mut verdicts = Vec::new();
        let irqs = Irqs::boot(boot.interrupts, boot.policy.gicv3_priority, host);
        let msi = Msi::boot(boot.interrupts, &boot.policy, &mut verdicts, &mut frames, host);
        let numbers: Vec<u32> = topology.groups_at_boot().collect();
        let (pci, platforms) = (Pci::boot(&topology, &boot.modules), Platforms::boot(&topology));
        let mut kernel = Self {
            page: boot.page,
            current: None,
            processes: Processes::new(
                boot.page,
                boot.policy.user_addresses.bits(boot.page),
                boot.policy.zero_page,
            ),
            policy: boot.policy,
            params: boot.params,
            io_strict_devmem: boot.io_strict_devmem,
            topology,
            frames,
            files: Files::default(),
            containers: Slab::new(),
            groups: numbers.into_iter().map(|number| (number, Group::default())).collect(),
            pci,
            platforms,
            iommu,
            irqs,
            msi,
            eventfd_waits: Default::default(),
            ecam: boot.interrupts.ecam,
            devices: BTreeMap::new(),
            changing: BTreeSet::new(),
            leaving: BTreeMap::new(),
            virtuals: boot.firmware.of_virtual(boot.topology),
            plain_files: Vec::new(),
            abandoned: 0,
            doorbells: registry::registered(boot.interrupts),
            verdicts,
        };
        kernel.judge_bound_at_boot();
        kernel.hold_at_boot(host);
        Ok(kernel)
    }

    /// Creates a process with these descriptors open on a console.
    pub fn spawn(&mut self, start: &Start) -> Pid {
        let pid = self.processes.spawn(start.capabilities, start.memlock);
        for &fd in &start.fds {
            let file = self.files.open(FileKind::Console);
            if let Some(process) = self.processes.get_mut(pid)
                && let Some(replaced) = process.place_file(fd, file)
            {
                self.files.drop_reference(replaced);
            }
        }
        pid
    }

    /// Forks `parent`: the child has the same files, and its memory copied on write. `None` as of
    /// [`Processes::fork`].
    pub fn fork(&mut self, parent: Pid, host: &mut impl Host) -> Option<Pid> {
        let (child, files) = self.processes.fork(parent, &mut self.frames, host.memory_mut())?;
        for file in files {
            self.files.take(file);
        }
        Some(child)
    }

    pub(crate) fn forget_container(&mut self, container: usize) {
        self.containers.try_remove(container);
    }

    /// Installs a new file at the lowest free descriptor.
    pub(crate) fn install(&mut self, pid: Pid, file: FileId) -> Result<i64, Refusal> {
        let process = self.processes.get_mut(pid).ok_or_else(no_process)?;
        Ok(i64::from(process.install_file(file)))
    }

    /// Unpins `pages` contiguous pages from `frame` on.
    pub(crate) fn unpin_pages(&mut self, frame: PhysAddr, pages: u64) {
        for k in 0..pages {
            let at = frame.checked_add(k << self.page.lg2());
            let Some(at) = at else { return };
            self.processes.unpin(at, &mut self.frames);
        }
    }

    /// Drops references to files, and releases files without references.
    pub(crate) fn drop_files(
        &mut self,
        files: impl IntoIterator<Item = FileId>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        for file in files {
            match self.files.drop_reference(file) {
                Some(FileKind::Container(at)) => self.release_container_file(at, tasks),
                Some(FileKind::Group(number)) => self.release_group_file(number, tasks),
                Some(FileKind::Device { rid, group_file }) => {
                    self.release_device_file(rid, group_file, tasks, host);
                    self.drop_files([group_file], tasks, host);
                }
                Some(FileKind::Platform { number, group_file }) => {
                    self.release_platform_file(number, group_file, tasks, host);
                    self.drop_files([group_file], tasks, host);
                }
                _ => {}
            }
        }
        self.go_on_with_leaving(tasks, host);
    }

    /// Performs the checks of a call: returns its answer, and adds the tasks that remain.
    pub(crate) fn decide(
        &mut self,
        pid: Pid,
        call: Call,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Answer {
        if self.processes.get(pid).is_none() {
            return Answer::refused(no_process());
        }
        self.current = Some(pid);
        let ret = match call {
            Call::Ioctl { fd, request, arg } => {
                return self.ioctl(pid, fd, request, arg, tasks, host);
            }
            Call::Pread { fd, offset, len } => return self.pread(pid, fd, offset, len, host),
            Call::ReadAttribute { path } => return self.read_attribute(&path),
            Call::Readlink { path } => return self.readlink(&path),
            Call::Open { path } => self.open(pid, &path),
            Call::Close { fd } => self.close(pid, fd, tasks, host),
            Call::EventFd => {
                let file = self.files.open(FileKind::EventFd(0));
                self.install(pid, file)
            }
            Call::ReadEventFd { fd } => self.read_eventfd(pid, fd),
            Call::WriteEventFd { fd, value } => self.write_eventfd(pid, fd, value, host),
            Call::Truncate { fd, len } => self.truncate(pid, fd, len, host),
            Call::Pwrite { fd, offset, bytes } => self.pwrite(pid, fd, offset, &bytes, host),
            Call::Mmap { va, len, prot, kind } => {
                self.mmap(pid, (va, len), prot, kind, tasks, host)
            }
            Call::Munmap { va, len } => self.munmap(pid, va, len, tasks, host),
            Call::Mprotect { va, len, prot } => self.processes.mprotect(pid, va, len, prot),
            Call::Mlock { va, len } => {
                self.processes.mlock(pid, va, len, &mut self.frames, host.memory_mut())
            }
            Call::Munlock { va, len } => self.processes.munlock(pid, va, len),
            Call::SetMemlock { bytes } => self.processes.set_memlock(pid, bytes),
            Call::DropIpcLock => self.processes.drop_ipc_lock(pid),
            Call::WriteAttribute { path, value } => {
                self.write_attribute(&path, &value, tasks, host)
            }
            Call::Exit => {
                let files = self.processes.exit(pid, &mut self.frames);
                self.drop_files(files.iter().copied(), tasks, host);
                self.hang_up(&files);
                Ok(0)
            }
        };
        Answer { ret, bytes: Vec::new() }
    }

    fn ioctl(
        &mut self,
        pid: Pid,
        fd: i32,
        request: u32,
        arg: Arg,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Answer {
        let file = match self.file(pid, fd) {
            Ok(file) => file,
            Err(refusal) => {
                let bytes = if let Arg::Bytes(bytes) = arg { bytes } else { Vec::new() };
                return Answer { ret: Err(refusal), bytes };
            }
        };
        let kind = self.files.kind(file).cloned();
        if let Some(FileKind::Container(at)) = kind {
            let value = match &arg {
                Arg::Value(value) => *value,
                // A pointer where a number is expected is some large number.
                Arg::Bytes(_) => u64::MAX >> 1,
            };
            match request {
                ioctl::GET_API_VERSION => return answer_with(Ok(0), arg),
                ioctl::CHECK_EXTENSION => {
                    return answer_with(Ok(self.check_extension(at, value)), arg);
                }
                ioctl::SET_IOMMU => {
                    let ret = self.set_iommu(at, value, tasks, host);
                    return answer_with(ret, arg);
                }
                _ => {}
            }
        }
        let (mut buffer, at) = self.structure(pid, arg, host.memory());
        let ret = match kind {
            Some(FileKind::Container(number)) => {
                self.container_ioctl(pid, number, request, &mut buffer, tasks, host)
            }
            Some(FileKind::Group(number)) => {
                self.group_ioctl(pid, number, request, &mut buffer, tasks, host)
            }
            Some(FileKind::LostGroup) => self.lost_group_ioctl(pid, request, &buffer),
            Some(FileKind::Device { rid, .. }) => {
                self.device_ioctl(pid, rid, request, &mut buffer, tasks, host)
            }
            Some(FileKind::Platform { number, .. }) => {
                self.platform_ioctl(pid, number, request, &mut buffer, tasks, host)
            }
            _ => Err(rules::unknown_ioctl(request)),
        };
        let written = buffer.written();
        let mut answer = Answer { ret, bytes: buffer.into_bytes() };
        // Only the bytes that the call wrote are copied back: those around them may not be
        // writable.
        if let Some(at) = at.and_then(|at| at.checked_add(written.start as u64))
            && let Some(bytes) = answer.bytes.get(written).filter(|bytes| !bytes.is_empty())
            && let Err(refusal) =
                self.processes.write(pid, at, bytes, &mut self.frames, host.memory_mut())
        {
            answer.ret = Err(refusal);
        }
        answer
    }

    /// The caller's structure: given by its bytes, or read from process memory at an address, as
    /// far as that is readable.
    fn structure(
        &self,
        pid: Pid,
        arg: Arg,
        memory: &passim_model::Memory,
    ) -> (Buffer, Option<UserAddr>) {
        /// More than any structure the model reads: SET_IRQS with 2048 descriptors is the largest.
        const LARGEST: usize = 3 * 4096;
        match arg {
            Arg::Bytes(bytes) => (Buffer::new(bytes), None),
            Arg::Value(0) => (Buffer::null(), None),
            Arg::Value(address) => {
                let at = UserAddr::new(address);
                let bytes = self.processes.read_prefix(pid, at, LARGEST, memory);
                (Buffer::new(bytes), Some(at))
            }
        }
    }

    /// The file that a descriptor refers to.
    pub(crate) fn file(&self, pid: Pid, fd: i32) -> Result<FileId, Refusal> {
        let process = self.processes.get(pid).ok_or_else(no_process)?;
        process.file(fd).ok_or_else(|| {
            crate::process::rules::BAD_FD.refuse_for(Errno::EBADF, Conflict::Fd(i64::from(fd)))
        })
    }

    fn close(
        &mut self,
        pid: Pid,
        fd: i32,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let file = self.file(pid, fd)?;
        if let Some(process) = self.processes.get_mut(pid) {
            process.remove_file(fd);
        }
        self.drop_files([file], tasks, host);
        self.hang_up(&[file]);
        Ok(0)
    }

    fn mmap(
        &mut self,
        pid: Pid,
        (va, len): (UserAddr, u64),
        prot: Protection,
        kind: MapKind,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let (area, offset) = match kind {
            MapKind::Anonymous => (AreaKind::Anonymous, 0),
            MapKind::HugeTlb { lg2 } => (AreaKind::HugeTlb { lg2 }, 0),
            MapKind::File { fd, offset } => (self.file_area(pid, fd, offset, len)?, offset),
        };
        if let AreaKind::Device { file, .. } = area {
            self.files.take(file);
        }
        let frames = &mut self.frames;
        let mapped = self.processes.mmap(pid, va, len, prot, area, frames);
        let dropped = match mapped {
            Ok(dropped) => dropped,
            Err(refusal) => {
                if let AreaKind::Device { file, .. } = area {
                    self.drop_files([file], tasks, host);
                }
                return Err(refusal);
            }
        };
        if let AreaKind::Device { file, .. } = area {
            self.claim_bar(file, offset);
        }
        self.drop_files(dropped, tasks, host);
        Ok(va.get() as i64)
    }

    fn munmap(
        &mut self,
        pid: Pid,
        va: UserAddr,
        len: u64,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let dropped = self.processes.munmap(pid, va, len, &mut self.frames)?;
        self.drop_files(dropped, tasks, host);
        Ok(0)
    }

    fn read_eventfd(&mut self, pid: Pid, fd: i32) -> Result<i64, Refusal> {
        let file = self.eventfd(pid, fd)?;
        Ok(self.take_counter(file) as i64)
    }

    /// Adds to the counter of an eventfd, and notifies whatever waits on it.
    fn write_eventfd(
        &mut self,
        pid: Pid,
        fd: i32,
        value: u64,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let file = self.eventfd(pid, fd)?;
        if let Some(FileKind::EventFd(count)) = self.files.kind_mut(file) {
            *count = count.saturating_add(value);
        }
        self.eventfd_signalled(file, host);
        Ok(8)
    }

    fn eventfd(&self, pid: Pid, fd: i32) -> Result<FileId, Refusal> {
        let file = self.file(pid, fd)?;
        let conflict = Conflict::Fd(i64::from(fd));
        let is_one = matches!(self.files.kind(file), Some(FileKind::EventFd(_)));
        is_one
            .then_some(file)
            .ok_or_else(|| crate::process::rules::BAD_FD.refuse_for(Errno::EINVAL, conflict))
    }

    /// Returns the counter of an eventfd and resets it to 0.
    pub(crate) fn take_counter(&mut self, file: FileId) -> u64 {
        match self.files.kind_mut(file) {
            Some(FileKind::EventFd(count)) => std::mem::take(count),
            _ => 0,
        }
    }
}

/// The refusal of a call by a process that has ended.
fn no_process() -> Refusal {
    crate::process::rules::NO_PROCESS.refuse(Errno::EINVAL)
}

fn answer_with(ret: Result<i64, Refusal>, arg: Arg) -> Answer {
    let bytes = if let Arg::Bytes(bytes) = arg { bytes } else { Vec::new() };
    Answer { ret, bytes }
}
