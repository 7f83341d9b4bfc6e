//! What a request of a scenario stands among: mappings, valid ranges, areas, descriptors, by name.

use std::collections::BTreeMap;

use passim_model::{Iova, PageSize, Rid, Span, UserAddr};
use passim_vfio::policy::Policy;
use passim_vfio::view::MappingView;

use super::{Runner, Running};
use crate::script::Place;

/// The machine of a scenario as the current process finds it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The CPU's page.
    pub page: PageSize,
    /// What the kernel does where kernels differ.
    pub policy: Policy,
    /// The current process, as the scenario counts.
    pub process: u32,
    /// The container of operations that name none.
    pub container: Option<i32>,
    /// Descriptors of the process that are containers, ascending, each with its container.
    pub container_fds: Vec<(i32, usize)>,
    /// Every container.
    pub containers: BTreeMap<usize, ContainerHere>,
    /// Devices of which the group is in a container, each with that.
    pub devices: BTreeMap<Rid, usize>,
    /// Areas of the current process, by name.
    pub areas: Vec<AreaHere>,
    /// What the process has locked, in KiB.
    pub locked_kib: u64,
}

/// A container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerHere {
    /// Whether it has a type.
    pub has_type: bool,
    /// Its mappings, ascending.
    pub mappings: Vec<MappingView>,
    /// Where mappings may lie; empty where nobody looks.
    pub windows: Vec<Span<Iova>>,
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
    /// What the next operation stands among; `None` without a machine.
    pub fn surroundings(&self) -> Option<Surroundings> {
        self.running().map(Running::surroundings)
    }
}

impl Running {
    fn surroundings(&self) -> Surroundings {
        let kernel = &self.system.kernel;
        let pid = self.pid_of(self.current);
        let containers = kernel.containers().into_iter().map(|view| {
            let mappings = kernel.mappings(view.number);
            let has_type = view.version.is_some();
            (view.number, ContainerHere { has_type, mappings, windows: view.windows })
        });
        let devices = self.system.topology().functions().iter().map(|function| function.rid);
        let own = self.areas.iter().filter(|(_, area)| area.process == self.current);
        Surroundings {
            page: kernel.page(),
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
        }
    }
}

impl Surroundings {
    /// The container behind a descriptor, or behind the one of operations that name none.
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

    /// A user address by the name of its area, as far as it is in one.
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
