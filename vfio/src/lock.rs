//! Locks that system calls take: who excludes whom while a call is under way.
//!
//! Locks a call takes and drops without anything in between are not here: a step of a call is
//! indivisible.

use crate::call::Call;
use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::process::{AreaKind, FileId, Pid};
use crate::step::Queue;
use crate::uapi::ioctl;
use passim_model::Endpoint;
use std::collections::BTreeSet;

/// A lock that is held over the steps of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Lock {
    /// Of the container with this index: its mappings and its groups.
    Container(usize),
    /// Of a device: its interrupts.
    // 6.12 vfio_pci_core.c: SET_IRQS holds igate of the device, and no lock of its container; so
    // two devices of one container come to doorbells at the same time.
    Device(Endpoint),
}

impl Lock {
    /// What who has to wait for it waits for.
    pub(crate) fn queue(self) -> Queue {
        match self {
            Self::Container(at) => Queue::ContainerLock(at),
            Self::Device(device) => Queue::DeviceLock(device),
        }
    }
}

/// The locks of a call, each once and in their order.
#[derive(Debug)]
pub(crate) enum Locks {
    /// One or none, as of most calls.
    One(Option<Lock>),
    /// Any number.
    Many(Vec<Lock>),
}

impl Locks {
    /// None.
    pub(crate) const NONE: Self = Self::One(None);

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Lock> + use<'_> {
        let locks = match self {
            Self::One(lock) => lock.as_slice(),
            Self::Many(locks) => locks,
        };
        locks.iter().copied()
    }

    /// This one is not among them any more.
    pub(crate) fn remove(&mut self, lock: Lock) {
        match self {
            Self::One(one) => *one = one.filter(|one| *one != lock),
            Self::Many(locks) => locks.retain(|one| *one != lock),
        }
    }
}

impl FromIterator<Lock> for Locks {
    fn from_iter<I: IntoIterator<Item = Lock>>(locks: I) -> Self {
        let mut locks: Vec<_> = locks.into_iter().collect();
        locks.sort_unstable();
        locks.dedup();
        Self::Many(locks)
    }
}

impl Kernel {
    /// The locks a call may take: those of what it asks something of, and of what it may release.
    pub(crate) fn locks_of(&self, pid: Pid, call: &Call) -> Locks {
        let Some(process) = self.processes.get(pid) else { return Locks::NONE };
        let mapped_in = |first: u64, last: u64| {
            let areas = process.areas().filter(move |area| {
                area.span.start().get() <= last && area.span.last().get() >= first
            });
            areas.filter_map(|area| match area.kind {
                AreaKind::Device { file, .. } => Some(file),
                _ => None,
            })
        };
        let files: Vec<FileId> = match call {
            Call::Ioctl { fd, request, .. } => {
                let asked = process.file(*fd);
                if let Some(device) = asked.and_then(|file| self.device_behind(file)) {
                    let changes = *request == ioctl::DEVICE_SET_IRQS;
                    return Locks::One(changes.then_some(Lock::Device(device)));
                }
                // Which container a group joins may stand in memory that changes until the call
                // begins: any the process has.
                if *request != ioctl::GROUP_SET_CONTAINER {
                    let container = asked.and_then(|file| self.container_behind(file));
                    return Locks::One(container.map(Lock::Container));
                }
                let files = process.files().map(|(_, file)| file);
                let is_container =
                    |file: &FileId| matches!(self.files.kind(*file), Some(FileKind::Container(_)));
                asked.into_iter().chain(files.filter(is_container)).collect()
            }
            Call::Close { fd } => process.file(*fd).into_iter().collect(),
            Call::Mmap { va, len, .. } | Call::Munmap { va, len } => {
                let last = va.get().saturating_add(*len).saturating_add(self.page.mask());
                mapped_in(va.get(), last).collect()
            }
            Call::WriteAttribute { path, .. } => {
                return self.containers_given_up(path).into_iter().map(Lock::Container).collect();
            }
            Call::Exit => {
                process.files().map(|(_, file)| file).chain(mapped_in(0, u64::MAX)).collect()
            }
            _ => return Locks::NONE,
        };
        let locks = files.into_iter().flat_map(|file| {
            let container = self.container_behind(file).map(Lock::Container);
            container.into_iter().chain(self.device_behind(file).map(Lock::Device))
        });
        locks.collect()
    }

    /// The containers that groups may leave because a function, or the virtual ones that go with
    /// it, leave VFIO, ascending.
    fn containers_given_up(&self, path: &str) -> BTreeSet<usize> {
        let Some((rid, "remove" | "driver/unbind" | "sriov_numvfs")) = self.pci_attribute(path)
        else {
            return BTreeSet::new();
        };
        let leavers = self.topology.virtual_of(rid).chain([rid]);
        let groups = leavers.filter_map(|rid| self.group_given_up(rid.into()));
        groups.filter_map(|number| self.groups.get(&number)?.container).collect()
    }

    /// The device that a file is.
    fn device_behind(&self, file: FileId) -> Option<Endpoint> {
        match self.files.kind(file)? {
            FileKind::Device { rid, .. } => Some((*rid).into()),
            FileKind::Platform { number, .. } => Some(Endpoint::Platform(*number)),
            _ => None,
        }
    }

    /// The container that a file is, or that the group behind it is in.
    fn container_behind(&self, file: FileId) -> Option<usize> {
        match self.files.kind(file)? {
            FileKind::Container(at) => Some(*at),
            FileKind::Group(number) => self.groups.get(number)?.container,
            FileKind::Device { group_file, .. } | FileKind::Platform { group_file, .. } => {
                self.container_behind(*group_file)
            }
            _ => None,
        }
    }

    /// Whether an operation holds the lock.
    pub(crate) fn is_locked(&self, lock: Lock) -> bool {
        match lock {
            Lock::Container(at) => self.containers.get(at).is_some_and(|it| it.locked),
            Lock::Device(device) => self.changing.contains(&device),
        }
    }

    /// Whether who holds the lock died holding it.
    pub(crate) fn is_lost(&self, lock: Lock) -> bool {
        match lock {
            Lock::Container(at) => self.containers.get(at).is_some_and(|it| it.dead),
            Lock::Device(_) => false,
        }
    }

    /// Takes the lock, or gives it back.
    pub(crate) fn set_locked(&mut self, lock: Lock, locked: bool) {
        match lock {
            Lock::Container(at) => {
                if let Some(container) = self.containers.get_mut(at) {
                    container.locked = locked;
                }
            }
            Lock::Device(device) if locked => drop(self.changing.insert(device)),
            Lock::Device(device) => drop(self.changing.remove(&device)),
        }
    }
}
