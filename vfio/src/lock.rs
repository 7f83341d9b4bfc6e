//! Locks that system calls hold: which calls exclude one another.
//!
//! Not here: locks that a call takes and drops within one step, since a step is indivisible.

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
    /// The container with this index: its mappings and its groups.
    Container(usize),
    /// A device: its interrupts.
    // 6.12 vfio_pci_core.c: SET_IRQS holds igate of the device, and no lock of its container; so
    // two devices of one container may map doorbells at the same time.
    Device(Endpoint),
}

impl Lock {
    /// The queue of operations that wait for it.
    pub(crate) fn queue(self) -> Queue {
        match self {
            Self::Container(at) => Queue::ContainerLock(at),
            Self::Device(device) => Queue::DeviceLock(device),
        }
    }
}

/// The locks of a call, each once, in order.
#[derive(Debug)]
pub(crate) enum Locks {
    /// At most one, as most calls have.
    One(Option<Lock>),
    /// Any number.
    Many(Vec<Lock>),
}

impl Locks {
    /// No lock.
    pub(crate) const NONE: Self = Self::One(None);

    /// Each lock.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Lock> + use<'_> {
        let locks = match self {
            Self::One(lock) => lock.as_slice(),
            Self::Many(locks) => locks,
        };
        locks.iter().copied()
    }

    /// Removes a lock.
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
    /// The locks a call may take: those of its target, and of everything that it may release.
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
                // The container that a group joins may be named in memory that changes before the
                // call begins: it may be any container of the process.
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

    /// The containers that groups may leave because a function, or its virtual functions, leave
    /// VFIO, ascending.
    fn containers_given_up(&self, path: &str) -> BTreeSet<usize> {
        let Some((rid, "remove" | "driver/unbind" | "sriov_numvfs")) = self.pci_attribute(path)
        else {
            return BTreeSet::new();
        };
        let leavers = self.topology.virtual_of(rid).chain([rid]);
        let groups = leavers.filter_map(|rid| self.group_given_up(rid.into()));
        groups.filter_map(|number| self.groups.get(&number)?.container).collect()
    }

    /// The device that a file refers to.
    fn device_behind(&self, file: FileId) -> Option<Endpoint> {
        match self.files.kind(file)? {
            FileKind::Device { rid, .. } => Some((*rid).into()),
            FileKind::Platform { number, .. } => Some(Endpoint::Platform(*number)),
            _ => None,
        }
    }

    /// The container that a file refers to, directly or through its group.
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

    /// Whether the holder of the lock died with it.
    pub(crate) fn is_lost(&self, lock: Lock) -> bool {
        match lock {
            Lock::Container(at) => self.containers.get(at).is_some_and(|it| it.dead),
            Lock::Device(_) => false,
        }
    }

    /// Takes or releases the lock.
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
