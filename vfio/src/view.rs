//! Read-only view of the kernel's state, for reports, explanations and checks; and the entry points
//! for interrupts and modules.
//!
//! The values read here are copies, and no call's path uses them.

use crate::call::Call;
use crate::file::FileKind;
use crate::iommu::msi::DoorbellView;
use crate::iommu::{DomainId, Finding, Iommu, Translation};
use crate::kernel::Kernel;
use crate::policy::Policy;
use crate::process::{Pid, PinAccess, Resolved};
use crate::type1::{SlotKind, Version};
use crate::verdict::Verdict;
use passim_model::{
    Endpoint, Host, Iova, PageSize, Perms, PhysAddr, Rid, Span, Topology, UserAddr,
};

/// A container as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerView {
    /// Its number, stable while it exists.
    pub number: usize,
    /// Its groups, the last to join first.
    pub groups: Vec<u32>,
    /// Its version, once it has a type.
    pub version: Option<Version>,
    /// Its domains, the newest first.
    pub domains: Vec<DomainId>,
    /// Number of mappings.
    pub mappings: usize,
    /// Number of further mappings that it takes; 0 before it has a type.
    pub entries_left: u32,
    /// IOVAs at which mappings may lie, ascending: the valid ranges that GET_INFO reports. Empty
    /// before it has a type.
    pub windows: Vec<Span<Iova>>,
}

/// What a descriptor refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenFile {
    /// A container, by number.
    Container(usize),
    /// A group, by number.
    Group(u32),
    /// A device.
    Device(Endpoint),
    /// An eventfd.
    EventFd,
    /// Something else.
    Other,
}

/// A mapping as it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MappingView {
    /// Its purpose.
    pub kind: SlotKind,
    /// IOVAs, both ends inside.
    pub iova: Span<Iova>,
    /// First byte in the owner's memory.
    pub vaddr: UserAddr,
    /// The permissions requested by the process.
    pub perms: Perms,
    /// The process whose memory it maps.
    pub owner: Pid,
    /// Whether the vaddr is valid: false between UNMAP and MAP with the VADDR flag.
    pub vaddr_valid: bool,
}

impl Kernel {
    /// Every container, by number.
    pub fn containers(&self) -> Vec<ContainerView> {
        let view = |(number, container): (usize, &crate::container::Container)| {
            let backend = container.backend.as_ref();
            ContainerView {
                number,
                groups: container.groups.clone(),
                version: backend.map(|backend| backend.version),
                domains: backend.map(|backend| backend.domain_ids()).unwrap_or_default(),
                mappings: backend.map_or(0, |backend| backend.slots.len()),
                entries_left: backend.map_or(0, |backend| backend.entries_left()),
                windows: backend.map(|b| b.windows.iter().collect()).unwrap_or_default(),
            }
        };
        self.containers.iter().map(view).collect()
    }

    /// The mappings of a container, ascending; none if there is no such container.
    pub fn mappings(&self, container: usize) -> Vec<MappingView> {
        let backend = self.containers.get(container).and_then(|it| it.backend.as_ref());
        let Some(backend) = backend else { return Vec::new() };
        let view = |(_, iova, slot): (_, Span<Iova>, &crate::type1::Slot)| MappingView {
            kind: slot.kind,
            iova,
            vaddr: slot.vaddr,
            perms: slot.perms,
            owner: slot.owner,
            vaddr_valid: slot.vaddr_valid,
        };
        backend.slots.iter().map(view).collect()
    }

    /// The container a function's group is in; `None` where it is in none.
    pub fn container_of_device(&self, rid: Rid) -> Option<usize> {
        let group = self.topology.function(rid)?.group?;
        self.groups.get(&group)?.container
    }

    /// Descriptors of a process that refer to containers, ascending, each with its container.
    pub fn container_fds(&self, pid: Pid) -> Vec<(i32, usize)> {
        let files = self.processes.get(pid).into_iter().flat_map(|process| process.files());
        let container = |(fd, file)| match self.files.kind(file) {
            Some(FileKind::Container(at)) => Some((fd, *at)),
            _ => None,
        };
        files.filter_map(container).collect()
    }

    /// Descriptors of a process, ascending, each with what it refers to.
    pub fn open_files(&self, pid: Pid) -> Vec<(i32, OpenFile)> {
        let files = self.processes.get(pid).into_iter().flat_map(|process| process.files());
        let what = |(fd, file)| {
            let what = match self.files.kind(file) {
                Some(FileKind::Container(at)) => OpenFile::Container(*at),
                Some(FileKind::Group(number)) => OpenFile::Group(*number),
                Some(FileKind::Device { rid, .. }) => OpenFile::Device((*rid).into()),
                Some(FileKind::Platform { number, .. }) => {
                    OpenFile::Device(Endpoint::Platform(*number))
                }
                Some(FileKind::EventFd(_)) => OpenFile::EventFd,
                _ => OpenFile::Other,
            };
            (fd, what)
        };
        files.map(what).collect()
    }

    /// Most pages (of the CPU's size) that a process may pin and lock, and whether the limit
    /// applies: it does not with CAP_IPC_LOCK. `None` for a process that has ended.
    pub fn memlock_pages(&self, pid: Pid) -> Option<(u64, bool)> {
        let process = self.processes.get(pid)?;
        Some((process.memlock_pages(), !process.ipc_lock()))
    }

    /// The names of a group's members that VFIO serves.
    pub fn devices_given(&self, group: u32) -> Vec<String> {
        let functions = self.pci.vfio_members(group).map(|rid| format!("0000:{rid}"));
        let platforms = self.platforms.vfio_members(group).filter_map(|it| match it {
            Endpoint::Platform(number) => self.topology.platform(number),
            Endpoint::Pci(_) => None,
        });
        functions.chain(platforms.map(|platform| platform.name.clone())).collect()
    }

    /// Interrupts of a device: the number at each index, the pin first; and the index that is
    /// enabled.
    pub fn irqs_of_device(&self, rid: Rid) -> (Vec<u32>, Option<u32>) {
        let Some(function) = self.topology.function(rid) else { return (Vec::new(), None) };
        let counts = (0..crate::uapi::irq::COUNT).map(|at| crate::device::vectors(function, at));
        (counts.collect(), self.irqs_on(rid))
    }

    /// Number of CPUs.
    pub fn cpus(&self) -> u16 {
        self.irqs.cpus
    }

    /// Linux numbers of all interrupts, ascending.
    pub fn irq_numbers(&self) -> Vec<u32> {
        self.irqs.lines().map(|(irq, _)| irq).collect()
    }

    /// The container a group is in.
    pub fn container_of_group(&self, group: u32) -> Option<usize> {
        self.groups.get(&group)?.container
    }

    /// Devices with an open file, ascending.
    pub fn open_devices(&self) -> impl Iterator<Item = Rid> + '_ {
        self.devices.keys().copied()
    }

    /// Whether the function exists: it was present at boot or added since, and has not been
    /// removed.
    pub fn has_function(&self, rid: Rid) -> bool {
        self.pci.exists(rid)
    }

    /// The group of a function; of a removed one, its last group.
    pub fn group_of_function(&self, rid: Rid) -> Option<u32> {
        self.topology.function(rid)?.group
    }

    /// The driver a function is bound to.
    pub fn driver_of(&self, rid: Rid) -> Option<&str> {
        self.pci.driver(rid)
    }

    /// The kernel's choices where kernels differ.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The CPU's page size.
    pub fn page(&self) -> PageSize {
        self.page
    }

    /// The machine's functions.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The IOMMU core.
    pub fn iommu(&self) -> &Iommu {
        &self.iommu
    }

    /// Number of operations abandoned because hardware did not answer.
    pub fn abandoned(&self) -> u64 {
        self.abandoned
    }

    /// Handles the event queue interrupt of the SMMU with index `smmu`: takes its events out of the
    /// queue and returns them, oldest first, each as the four doublewords of its record (IHI 0070
    /// 7.3).
    pub fn event_interrupt(&mut self, smmu: usize, host: &mut impl Host) -> Vec<[u64; 4]> {
        self.iommu.event_interrupt(smmu, host)
    }

    /// Handles a fault interrupt of the SMMUv2 with index `smmu`, global or of a context bank.
    pub fn fault_interrupt(&mut self, smmu: usize, host: &mut impl Host) {
        self.iommu.fault_interrupt(smmu, host);
    }

    /// Handles the global error interrupt of the SMMU with index `smmu`.
    pub fn error_interrupt(&mut self, smmu: usize, host: &mut impl Host) {
        self.iommu.error_interrupt(smmu, host);
    }

    /// Takes the drivers' findings about the SMMU with index `smmu`.
    pub fn take_findings(&mut self, smmu: usize) -> Vec<Finding> {
        self.iommu.take_findings(smmu)
    }

    /// The doorbells mapped in the domain that translates for a device now, newest first; none
    /// without such a domain.
    pub fn doorbells_of(&self, device: impl Into<Endpoint>) -> Vec<DoorbellView> {
        let group = self.iommu.group_of(device);
        match group.and_then(|group| self.iommu.translation(group)) {
            Some(Translation::Domain(domain)) => self.iommu.doorbells(domain),
            Some(Translation::Blocked) | None => Vec::new(),
        }
    }

    /// Takes misbehaviour that no return value showed, oldest first.
    pub fn take_verdicts(&mut self) -> Vec<Verdict> {
        let mut all = core::mem::take(&mut self.verdicts);
        all.extend(self.iommu.take_verdicts());
        all.extend(self.msi.take_verdicts());
        all
    }

    /// Loads a module.
    pub fn load_module(&mut self, name: &str) {
        self.pci.load(name);
    }

    /// The physical address of the frame of a process's page, if it is present and in RAM.
    pub fn frame_of(&self, pid: Pid, va: UserAddr) -> Option<PhysAddr> {
        let resolved = self.processes.resolve(pid, va, PinAccess::Read).ok()?;
        match resolved {
            Resolved::Ram(at) => Some(at.align_down(self.page.lg2())),
            _ => None,
        }
    }

    /// The lowest page in `span` that the process can read and that is in this frame.
    pub fn page_in(&self, pid: Pid, span: Span<UserAddr>, frame: PhysAddr) -> Option<UserAddr> {
        self.processes.page_in(pid, span, frame)
    }

    /// Whether the page in the frame at this physical address is pinned.
    pub fn is_pinned(&self, frame: PhysAddr) -> bool {
        self.processes.pins(frame) > 0
    }

    /// Memory that a process has locked or pinned, as VmLck counts it, in KiB.
    pub fn locked_kib(&self, pid: Pid) -> u64 {
        self.processes.get(pid).map_or(0, |process| process.locked_kib())
    }

    /// Bytes of RAM that the kernel has allocated: pages of processes, tables and queues.
    pub fn frames_in_use(&self) -> u64 {
        self.frames.in_use()
    }

    /// Whether a call has to wait before it begins, because another holds a lock that it needs.
    pub fn must_wait(&self, pid: Pid, call: &Call) -> bool {
        self.locks_of(pid, call).iter().any(|lock| self.is_locked(lock))
    }
}
