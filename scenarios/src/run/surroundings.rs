//! The context of a scenario's request: mappings, valid ranges, areas, descriptors, by name.

use std::collections::BTreeMap;

use passim_gic::its::ITS_BYTES;
use passim_model::topology::Function;
use passim_model::{DeviceId, Iova, PageSize, PhysAddr, Rid, Span, UserAddr};
use passim_vfio::iommu::ReservedRegion;
use passim_vfio::iommu::msi::DoorbellView;
use passim_vfio::msi::{MessageSupply, VectorView};
use passim_vfio::policy::{Policy, Profile};
use passim_vfio::type1::Version;
use passim_vfio::view::{MappingView, OpenFile};

use super::{Attached, Runner, Running};
use crate::script::Place;

/// The machine of a scenario as the current process sees it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The CPU's page.
    pub page: PageSize,
    /// The kernel, if it was chosen by name.
    pub profile: Option<Profile>,
    /// The kernel's choices where kernels differ.
    pub policy: Policy,
    /// The current process, by its number in the scenario.
    pub process: u32,
    /// The default container of operations.
    pub container: Option<i32>,
    /// Descriptors of the process that are containers, ascending, each with its container.
    pub container_fds: Vec<(i32, usize)>,
    /// Every container.
    pub containers: BTreeMap<usize, ContainerHere>,
    /// Devices whose group is in a container, with the container.
    pub devices: BTreeMap<Rid, usize>,
    /// Areas of the current process, by name.
    pub areas: Vec<AreaHere>,
    /// Memory the process has locked, in KiB.
    pub locked_kib: u64,
    /// The limit of locked memory in pages, and whether the limit applies to the process.
    pub memlock_pages: Option<(u64, bool)>,
    /// Descriptors of the process, ascending.
    pub files: Vec<(i32, OpenFile)>,
    /// The descriptors that `attach` opened, by device.
    pub attached: BTreeMap<Rid, AttachedHere>,
    /// Functions that the kernel has.
    pub functions: BTreeMap<Rid, FunctionHere>,
    /// Devices bound to VFIO, by name, of every group that has any.
    pub given: BTreeMap<u32, Vec<String>>,
    /// Linux numbers of interrupts for messages, ascending.
    pub irqs: Vec<u32>,
    /// How many CPUs the machine has.
    pub cpus: u16,
    /// The interrupts for messages that are still free.
    pub supply: Option<MessageSupply>,
    /// Where the ITSs are, as firmware lists them.
    pub itss: Vec<PhysAddr>,
    /// Every function of the machine, whether the kernel has it or not, with the DeviceID of its
    /// messages and the ITS that they go to; `None` where firmware leads to none.
    pub senders: BTreeMap<Rid, (DeviceId, Option<usize>)>,
    /// Functions of the machine that the kernel does not have now.
    pub absent: Vec<AbsentHere>,
}

/// A function that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbsentHere {
    /// Its requester ID.
    pub rid: Rid,
    /// The group that it would be in.
    pub group: Option<u32>,
    /// The physical function of a virtual one.
    pub physical: Option<Rid>,
}

/// The descriptors that `attach` opened for a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttachedHere {
    /// The process that attached it, by its number in the scenario.
    pub process: u32,
    /// Descriptor of the group.
    pub group: i32,
    /// Descriptor of the device.
    pub device: i32,
}

/// A PCI function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionHere {
    /// Its group.
    pub group: Option<u32>,
    /// The driver it is bound to.
    pub driver: Option<String>,
    /// Number of interrupts of each index, the pin first.
    pub irqs: Vec<u32>,
    /// The index that is enabled.
    pub on: Option<u32>,
    /// Its message vectors, while messages are enabled.
    pub vectors: Vec<VectorView>,
    /// Doorbells that are mapped for it.
    pub doorbells: Vec<DoorbellView>,
}

/// A container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerHere {
    /// The type1 version, once the container has a type.
    pub version: Option<Version>,
    /// Its groups.
    pub groups: Vec<u32>,
    /// Number of mappings it still accepts.
    pub entries_left: u32,
    /// Its mappings, ascending.
    pub mappings: Vec<MappingView>,
    /// Valid IOVA ranges; empty where the kernel does not check them.
    pub windows: Vec<Span<Iova>>,
    /// Reserved regions of its groups.
    pub reserved: Vec<ReservedRegion>,
}

/// A named area.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AreaHere {
    /// Its name.
    pub name: String,
    /// Its first address.
    pub va: UserAddr,
    /// Its bytes.
    pub size: u64,
}

impl Runner {
    /// The number of the container behind a descriptor of the current process, or of the default
    /// container.
    pub fn container_behind(&self, fd: Option<i64>) -> Option<usize> {
        let running = self.running()?;
        let own = running.container.get(&running.current).copied();
        let fd = fd.map_or(own, |fd| i32::try_from(fd).ok())?;
        let known = running.system.kernel.container_fds(running.pid_of(running.current)?);
        known.into_iter().find(|(known, _)| *known == fd).map(|(_, number)| number)
    }

    /// The context of the next operation; `None` without a machine.
    pub fn surroundings(&self) -> Option<Surroundings> {
        self.running().map(Running::surroundings)
    }
}

impl Running {
    fn surroundings(&self) -> Surroundings {
        let kernel = &self.system.kernel;
        let pid = self.pid_of(self.current);
        let containers = kernel.containers().into_iter().map(|view| {
            let regions = view.groups.iter().map(|group| kernel.iommu().reserved_regions(*group));
            let here = ContainerHere {
                reserved: regions.flatten().copied().collect(),
                version: view.version,
                groups: view.groups,
                entries_left: view.entries_left,
                mappings: kernel.mappings(view.number),
                windows: view.windows,
            };
            (view.number, here)
        });
        let known = self.system.topology().functions().iter();
        let known = known.filter(|function| kernel.has_function(function.rid));
        let devices = known.clone().map(|function| function.rid);
        let platforms = self.system.topology().platforms().iter().map(|device| device.group);
        let groups = known.clone().map(|function| kernel.group_of_function(function.rid));
        let groups = groups.chain(platforms).flatten();
        let own = self.areas.iter().filter(|(_, area)| area.process == self.current);
        Surroundings {
            page: kernel.page(),
            profile: self.profile,
            policy: kernel.policy().clone(),
            process: self.current,
            container: self.container.get(&self.current).copied(),
            container_fds: pid.map(|pid| kernel.container_fds(pid)).unwrap_or_default(),
            containers: containers.collect(),
            devices: devices
                .filter_map(|rid| Some((rid, kernel.container_of_device(rid)?)))
                .collect(),
            areas: own
                .map(|(name, area)| AreaHere { name: name.clone(), va: area.va, size: area.size })
                .collect(),
            locked_kib: pid.map_or(0, |pid| kernel.locked_kib(pid)),
            memlock_pages: pid.and_then(|pid| kernel.memlock_pages(pid)),
            files: pid.map(|pid| kernel.open_files(pid)).unwrap_or_default(),
            attached: self.attached.iter().map(|(rid, it)| (*rid, (*it).into())).collect(),
            functions: known.map(|it| (it.rid, self.function(it))).collect(),
            given: groups.map(|number: u32| (number, kernel.devices_given(number))).collect(),
            irqs: kernel.irq_numbers(),
            cpus: kernel.cpus(),
            supply: kernel.message_supply(),
            itss: self.system.its.clone(),
            absent: self.absent(),
            senders: self.system.topology().functions().iter().map(|it| self.sender(it)).collect(),
        }
    }

    fn function(&self, function: &Function) -> FunctionHere {
        let kernel = &self.system.kernel;
        let (irqs, on) = kernel.irqs_of_device(function.rid);
        FunctionHere {
            group: kernel.group_of_function(function.rid),
            driver: kernel.driver_of(function.rid).map(str::to_owned),
            irqs,
            on,
            vectors: kernel.vectors(function.rid),
            doorbells: kernel.doorbells_of(function.rid),
        }
    }

    fn absent(&self) -> Vec<AbsentHere> {
        let absent = self.system.topology().functions().iter();
        let absent = absent.filter(|it| !self.system.kernel.has_function(it.rid));
        let here = |it: &Function| AbsentHere {
            rid: it.rid,
            group: it.group,
            physical: self.system.board.physical_of(it.rid),
        };
        absent.map(here).collect()
    }

    fn sender(&self, function: &Function) -> (Rid, (DeviceId, Option<usize>)) {
        let its = self.system.its_of.get(&function.rid).copied();
        (function.rid, (function.device_id, its))
    }
}

impl From<Attached> for AttachedHere {
    fn from(Attached { process, group, device }: Attached) -> Self {
        Self { process, group, device }
    }
}

impl Surroundings {
    /// The ITS in whose registers an address is, and the offset there.
    pub fn its_at(&self, at: PhysAddr) -> Option<(usize, u64)> {
        let offset = |its: &PhysAddr| at.get().checked_sub(its.get()).filter(|at| *at < ITS_BYTES);
        self.itss.iter().enumerate().find_map(|(n, its)| Some((n, offset(its)?)))
    }

    /// The container behind a descriptor, or the default container.
    pub fn container_behind(&self, fd: Option<i64>) -> Option<&ContainerHere> {
        let fd = fd.map_or(self.container, |fd| i32::try_from(fd).ok())?;
        let (_, number) = self.container_fds.iter().find(|(known, _)| *known == fd)?;
        self.containers.get(number)
    }

    /// A user address as a number; `None` if the scenario has no such area.
    pub fn resolve(&self, place: &Place) -> Option<u64> {
        match place {
            Place::Absolute(address) => Some(*address),
            Place::Area { name, offset } => {
                let area = self.areas.iter().find(|area| area.name == *name)?;
                Some(area.va.get().wrapping_add(*offset))
            }
        }
    }

    /// A user address as a name and an offset, if it is in an area.
    pub fn place(&self, address: u64) -> Place {
        let inside = |area: &&AreaHere| {
            address.checked_sub(area.va.get()).is_some_and(|offset| offset < area.size)
        };
        match self.areas.iter().find(inside) {
            Some(area) => Place::Area { name: area.name.clone(), offset: address - area.va.get() },
            None => Place::Absolute(address),
        }
    }
}
