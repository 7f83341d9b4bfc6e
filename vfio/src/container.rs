//! Containers: which groups a container holds, and which backend serves it.
//!
//! Not here: attaching groups to domains ([`type1`](crate::type1)), and whether a group may join
//! (`group`).

use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{DirtyTracking, DmaCoherency, NestingType, ThirdMapFlag, UnmapAll};
use crate::process::Pid;
use crate::rules;
use crate::type1::{Type1, Version};
use crate::uapi::{Buffer, Extension, ioctl};
use passim_model::{Conflict, Errno, Host, Refusal};

/// A container.
#[derive(Default)]
pub(crate) struct Container {
    /// Its groups, the last to join first.
    pub(crate) groups: Vec<u32>,
    /// The backend that serves its mappings, once VFIO_SET_IOMMU has set a type.
    pub(crate) backend: Option<Type1>,
    /// Whether a descriptor refers to it.
    pub(crate) file_open: bool,
    /// Whether an operation holds its lock.
    pub(crate) locked: bool,
    /// Whether an operation died holding its lock.
    pub(crate) dead: bool,
}

impl Container {
    /// The backend that serves its mappings.
    ///
    /// # Panics
    ///
    /// Without a type: `container_ioctl` refuses requests that need one, and only groups of a
    /// container with a type are attached.
    pub(crate) fn type1(&self) -> &Type1 {
        self.backend.as_ref().expect("a typed container")
    }

    /// [`Self::type1`], mutable.
    pub(crate) fn type1_mut(&mut self) -> &mut Type1 {
        self.backend.as_mut().expect("a typed container")
    }
}

impl Kernel {
    /// Serves an ioctl on a container file.
    pub(crate) fn container_ioctl(
        &mut self,
        pid: Pid,
        container: usize,
        request: u32,
        buffer: &mut Buffer,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        if self.containers[container].backend.is_none() {
            // measured on 6.1 and 6.12: without a type every other request is EINVAL, known or not,
            // and the argument is not read.
            let conflict = Conflict::Unknown(u64::from(request));
            return Err(rules::CONTAINER_WITHOUT_IOMMU.refuse_for(Errno::EINVAL, conflict));
        }
        match request {
            ioctl::IOMMU_GET_INFO => self.iommu_info(container, buffer),
            ioctl::IOMMU_MAP_DMA => self.map_dma(pid, container, buffer, tasks, host),
            ioctl::IOMMU_UNMAP_DMA => {
                self.unmap_dma(pid, container, buffer, tasks, host.memory_mut())
            }
            ioctl::IOMMU_DIRTY_PAGES if self.policy.dirty_tracking == DirtyTracking::Present => {
                self.dirty_pages(pid, container, buffer, host.memory_mut())
            }
            _ => Err(rules::unknown_ioctl(request)),
        }
    }

    /// VFIO_CHECK_EXTENSION.
    pub(crate) fn check_extension(&self, container: usize, number: u64) -> i64 {
        let typed = self.containers[container].backend.is_some();
        let policy = &self.policy;
        let listed = match Extension::from_number(number) {
            Some(Extension::Type1 | Extension::Type1v2) => true,
            Some(Extension::Type1Nesting) => policy.nesting_type != NestingType::Hidden,
            Some(Extension::UnmapAll) => policy.unmap_all == UnmapAll::Present,
            // measured on 6.1 and 6.12: only a container with a type reports it.
            Some(Extension::UpdateVaddr) => typed && policy.third_map_flag == ThirdMapFlag::Vaddr,
            // measured on 6.1 and 6.12: 0 with and without a type on these boards, whose SMMU
            // cannot enforce coherency. VFIO of 4.6 asks only for the capability.
            Some(Extension::DmaCacheCoherent) => {
                typed && policy.dma_coherency == DmaCoherency::Capability
            }
            None => false,
        };
        i64::from(listed)
    }

    /// VFIO_SET_IOMMU.
    pub(crate) fn set_iommu(
        &mut self,
        container: usize,
        number: u64,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let conflict = Conflict::Unknown(number);
        let this = &self.containers[container];
        if this.groups.is_empty() {
            return Err(rules::SET_IOMMU_WITHOUT_GROUP.refuse(Errno::EINVAL));
        }
        if this.backend.is_some() {
            return Err(rules::SET_IOMMU_TWICE.refuse_for(Errno::EINVAL, conflict));
        }
        let (version, nesting) = match Extension::from_number(number) {
            Some(Extension::Type1) => (Version::V1, false),
            Some(Extension::Type1v2) => (Version::V2, false),
            Some(Extension::Type1Nesting) if self.policy.nesting_type != NestingType::Hidden => {
                (Version::V2, true)
            }
            _ if self.check_extension(container, number) > 0 => {
                return Err(rules::IOMMU_TYPE_NOT_A_TYPE.refuse_for(Errno::EINVAL, conflict));
            }
            _ => return Err(rules::IOMMU_TYPE_UNSUPPORTED.refuse_for(Errno::ENODEV, conflict)),
        };
        if nesting && this.groups.iter().any(|group| self.iommu.refuses_nesting(*group)) {
            return Err(rules::NESTING_REFUSED.refuse_for(Errno::EPERM, conflict));
        }
        let limit = self.params.dma_entry_limit;
        let groups = this.groups.clone();
        self.containers[container].backend =
            Some(Type1::new(version, nesting, limit, self.page, &self.policy));
        for (done, &group) in groups.iter().enumerate() {
            if let Err(refusal) = self.attach_group(container, group, tasks, host) {
                for &attached in groups[..done].iter().rev() {
                    self.detach_group(container, attached, tasks);
                }
                self.containers[container].backend = None;
                return Err(refusal);
            }
        }
        Ok(0)
    }

    /// Adds a group to a container: claims it, and attaches it if the container has a type.
    pub(crate) fn join(
        &mut self,
        group: u32,
        container: usize,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        tasks.push(Task::Play(self.iommu.claim(group, &mut self.frames, host)?));
        if self.containers[container].backend.is_some()
            && let Err(refusal) = self.attach_group(container, group, tasks, host)
        {
            tasks.push(Task::Play(self.iommu.release(group)));
            return Err(refusal);
        }
        self.containers[container].groups.insert(0, group);
        if let Some(entry) = self.groups.get_mut(&group) {
            entry.container = Some(container);
        }
        Ok(())
    }

    /// Removes a group from its container; the last group to leave takes the container's type with
    /// it.
    pub(crate) fn leave(&mut self, group: u32, tasks: &mut Vec<Task>) {
        let Some(entry) = self.groups.get_mut(&group) else { return };
        let Some(at) = entry.container.take() else { return };
        if self.containers[at].backend.is_some() {
            self.detach_group(at, group, tasks);
        }
        tasks.push(Task::Play(self.iommu.release(group)));
        let container = &mut self.containers[at];
        container.groups.retain(|&member| member != group);
        if container.groups.is_empty() {
            container.backend = None;
            if !container.file_open {
                tasks.push(Task::Forget { container: at });
            }
        }
    }

    /// Releases a container whose file was closed.
    pub(crate) fn release_container_file(&mut self, container: usize, tasks: &mut Vec<Task>) {
        let this = &mut self.containers[container];
        this.file_open = false;
        if this.groups.is_empty() {
            tasks.push(Task::Forget { container });
        }
    }
}
