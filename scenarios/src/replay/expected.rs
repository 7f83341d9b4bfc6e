//! The required results of a random trace, according to the oracle.
//!
//! It follows the same lines as the model and shares nothing with it: areas and descriptors come
//! from the recorded answers, containers are the oracle's. It supports only the calls of random
//! traces; a recording without such a trace has no [`Expected`].

use std::collections::BTreeMap;

use passim_model::{PageSize, Rid, UserAddr};
use passim_oracle::window::{
    Budget, Caller, Container, MapRequest, PageAnswer, Pin, UnmapRequest, Version,
};
use rangemap::RangeInclusiveMap;

use crate::ioctl;
use crate::recording::line::{IoctlArgument, IoctlLine, RandomMap, RandomUnmap};
use crate::recording::step::{ProcessNumber, Prot, Start, Step};

/// The object of a descriptor.
#[derive(Clone, Copy)]
enum File {
    /// A container that may or may not have an IOMMU.
    Container(usize),
    /// A group, in a container or not.
    Group(Option<usize>),
    /// A device of a group in this container.
    Device(Rid, usize),
}

/// A process's state according to the trace's lines.
#[derive(Clone, Default)]
struct View {
    files: BTreeMap<i32, File>,
    areas: RangeInclusiveMap<u64, Readable>,
    memlock: u64,
    limited: bool,
    /// Bytes under `mlock`.
    locked: u64,
}

/// The access that a page may be pinned for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readable {
    Nothing,
    Reading,
    Writing,
}

/// The required results. See the [module](self).
pub(super) struct Expected {
    page: PageSize,
    /// IOVA ranges in which mappings are valid.
    valid: Vec<(u64, u64)>,
    entry_limit: u32,
    /// Frames by user address.
    frames: BTreeMap<u64, u64>,
    arena: Option<UserAddr>,
    current: ProcessNumber,
    views: BTreeMap<ProcessNumber, View>,
    containers: Vec<Option<Container>>,
}

impl Expected {
    /// The initial state. `valid` are the IOVA ranges of every group, `frames` the physical
    /// addresses of the arena's pages.
    pub(super) fn new(page: PageSize, valid: Vec<(u64, u64)>, frames: BTreeMap<u64, u64>) -> Self {
        Self {
            page,
            valid,
            entry_limit: u32::from(u16::MAX),
            frames,
            arena: None,
            current: 0,
            views: BTreeMap::new(),
            containers: Vec::new(),
        }
    }

    /// Sets the address of the arena.
    pub(super) fn arena(&mut self, va: Option<UserAddr>) {
        self.arena = va;
    }

    /// Follows a step.
    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Start(start) => self.start(start),
            Step::Fork { child } => {
                let copy = View { locked: 0, ..self.view().clone() };
                self.views.insert(*child, copy);
            }
            Step::In { proc } => self.current = *proc,
            Step::Exit { proc } => {
                self.views.remove(proc);
            }
            Step::SetRlimit { memlock } => self.view().memlock = *memlock,
            Step::DropCap(_) => self.view().limited = true,
            Step::Open(open) if open.fd >= 0 => self.open(open.fd, &open.path),
            Step::Close(close) if close.errno == 0 => {
                self.view().files.remove(&close.fd);
            }
            Step::Mmap(mmap) => {
                if let Some(va) = mmap.va {
                    self.protect(va, mmap.len, mmap.prot);
                }
            }
            Step::Mprotect(change) => self.protect(change.va, change.len, change.prot),
            Step::Munmap(area) => {
                if let Some(last) = last(area.va, area.len) {
                    self.view().areas.remove(area.va.get()..=last);
                }
            }
            Step::Mlock(lock) if lock.ret == 0 => self.view().locked += lock.len,
            Step::Munlock(lock) if lock.ret == 0 => {
                let view = self.view();
                view.locked = view.locked.saturating_sub(lock.len);
            }
            Step::Write(write) if write.ret == 0 && write.path.ends_with("/dma_entry_limit") => {
                if let Ok(limit) = write.value.trim().parse() {
                    self.entry_limit = limit;
                }
            }
            _ => {}
        }
    }

    /// Follows an ioctl that succeeded, as recorded.
    pub(super) fn ioctl(&mut self, line: &IoctlLine) {
        if line.ret < 0 {
            return;
        }
        let file = self.view().files.get(&line.fd).copied();
        match (line.nr, file, &line.argument) {
            (ioctl::SET_IOMMU, Some(File::Container(id)), IoctlArgument::Value(kind)) => {
                let version = if *kind == 1 { Version::V1 } else { Version::V2 };
                let valid = self.valid.clone();
                let new = Container::new(self.page.bytes(), version, self.entry_limit, valid);
                self.containers[id] = Some(new);
            }
            (
                ioctl::GROUP_SET_CONTAINER,
                Some(File::Group(_)),
                IoctlArgument::Buffer { before, .. },
            ) => {
                let fd = before.first_chunk().map(|bytes| i32::from_le_bytes(*bytes));
                let named = fd.and_then(|fd| self.view().files.get(&fd).copied());
                if let Some(File::Container(id)) = named {
                    self.view().files.insert(line.fd, File::Group(Some(id)));
                }
            }
            (
                ioctl::GROUP_GET_DEVICE_FD,
                Some(File::Group(Some(id))),
                IoctlArgument::Buffer { before, .. },
            ) => {
                let name = before.split(|byte| *byte == 0).next().unwrap_or_default();
                let rid = std::str::from_utf8(name).ok().and_then(Rid::parse);
                if let Some(rid) = rid {
                    self.view().files.insert(line.ret, File::Device(rid, id));
                }
            }
            _ => {}
        }
    }

    /// The oracle's answer to a map: `None` if the descriptor is no container with an IOMMU.
    pub(super) fn map(&mut self, line: &RandomMap) -> Option<Result<(), i32>> {
        let process = u64::from(self.current);
        let budget = self.budget();
        let request = MapRequest {
            argsz: line.argsz,
            flags: line.flags,
            vaddr: self.arena?.get().wrapping_add(line.voff),
            iova: line.iova.get(),
            size: line.size,
        };
        let id = self.container_of(line.fd)?;
        let areas = &self.views.get(&self.current)?.areas;
        let frames = &self.frames;
        let pages = |va: u64, pin: Pin| match (areas.get(&va), pin, frames.get(&va)) {
            (Some(Readable::Writing), _, Some(frame))
            | (Some(Readable::Reading), Pin::Read, Some(frame)) => PageAnswer::Frame(*frame),
            _ => PageAnswer::Fault,
        };
        let container = self.containers[id].as_mut()?;
        Some(container.map(&request, Caller { process, budget }, pages))
    }

    /// The oracle's answer to an unmap: bytes, or errno.
    pub(super) fn unmap(&mut self, line: &RandomUnmap) -> Option<Result<u64, i32>> {
        let id = self.container_of(line.fd)?;
        let request = UnmapRequest {
            argsz: line.argsz,
            flags: line.flags,
            iova: line.iova.get(),
            size: line.size,
        };
        Some(self.containers[id].as_mut()?.unmap(&request))
    }

    /// Open devices, lowest descriptor first, each with the container whose mappings it must reach.
    pub(super) fn open_devices(&self) -> Vec<(Rid, &Container)> {
        let mut devices = Vec::new();
        for view in self.views.values() {
            for file in view.files.values() {
                if let File::Device(rid, id) = *file
                    && let Some(container) = &self.containers[id]
                    && !devices.iter().any(|(known, _)| *known == rid)
                {
                    devices.push((rid, container));
                }
            }
        }
        devices
    }

    fn start(&mut self, start: &Start) {
        self.current = start.proc;
        if let Some(limit) = start.params.dma_entry_limit {
            self.entry_limit = limit;
        }
        self.view().memlock = start.memlock;
    }

    fn open(&mut self, fd: i32, path: &str) {
        let file = match path.strip_prefix("/dev/vfio/") {
            Some("vfio") => {
                self.containers.push(None);
                File::Container(self.containers.len() - 1)
            }
            Some(_) => File::Group(None),
            None => return,
        };
        self.view().files.insert(fd, file);
    }

    fn protect(&mut self, va: UserAddr, len: u64, prot: Prot) {
        let readable = match prot {
            Prot::None => Readable::Nothing,
            Prot::Read => Readable::Reading,
            Prot::Write | Prot::ReadWrite => Readable::Writing,
        };
        if let Some(last) = last(va, len) {
            self.view().areas.insert(va.get()..=last, readable);
        }
    }

    fn container_of(&mut self, fd: i32) -> Option<usize> {
        match self.view().files.get(&fd)? {
            File::Container(id) => Some(*id),
            File::Group(_) | File::Device(..) => None,
        }
    }

    /// The current limit of locked memory of the current process.
    fn budget(&mut self) -> Budget {
        let process = u64::from(self.current);
        let page = self.page.bytes();
        let pinned: u64 = self.containers.iter().flatten().map(|it| it.locked_pages(process)).sum();
        let view = self.view();
        if !view.limited {
            return Budget::Unlimited;
        }
        let locked = pinned + view.locked / page;
        Budget::Pages((view.memlock / page).saturating_sub(locked))
    }

    fn view(&mut self) -> &mut View {
        self.views.entry(self.current).or_default()
    }
}

fn last(va: UserAddr, len: u64) -> Option<u64> {
    va.get().checked_add(len.checked_sub(1)?)
}
