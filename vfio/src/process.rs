//! Processes: descriptors, areas and their pages, limits, forking and ending.
//!
//! This room knows nothing of VFIO: files are numbers ([`FileId`]) of the kernel's file table. A
//! process owns references to files, by descriptors and by areas; calls that give up references
//! return them, and the kernel drops them.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `fd` | which descriptor does a file get? |
//! | `areas`, `mapping` | what is mapped where, and what does mmap change? |
//! | `table`, `frame_table`, `file_pages`, `sparse` | which frame holds a page, and who uses it? |
//! | `fault`, `plan` | how are pages populated, and in which frames? |
//! | `access` | how is user memory read and written? |
//! | `pin` | which frames are pinned for a device? |
//! | `lock` | how much memory is locked, and how much may be? |
//! | [`rules`] | which check refused? |

mod access;
mod areas;
mod fault;
mod fd;
mod file_pages;
mod frame_table;
mod lock;
mod mapping;
mod pin;
mod plan;
pub mod rules;
mod sparse;
mod table;

pub use access::Resolved;
pub use areas::{Area, AreaKind};
pub use fault::{Cause, Fault, Misplaced};
pub use lock::LimitExceeded;
pub use mapping::NotMoved;
pub use pin::{PinAccess, Run};

use crate::policy::ZeroPage;
use fault::{AddressSpace, Pages, Ram};
use fd::FdTable;
use passim_model::{Errno, Frames, Memory, PageSize, Refusal, UserAddr};

/// A process, by order of creation. Numbers are not reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid(usize);

impl Pid {
    /// The first process of a machine.
    #[cfg(test)]
    pub(crate) const FIRST: Self = Self(0);

    /// Number of processes created before.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// An open file, by its index in the kernel's file table. The generation distinguishes files that
/// had the same index one after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId {
    index: u32,
    generation: u32,
}

impl FileId {
    /// The file at `index`, the `generation`-th to be opened.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// Its index.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// Its generation.
    pub const fn generation(self) -> u32 {
        self.generation
    }
}

bitflags::bitflags! {
    /// Capabilities of a process. Bits are numbered as in `capabilities(7)`; only those checked
    /// here have names.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
    pub struct Capabilities: u64 {
        /// CAP_IPC_LOCK: locked memory is not limited.
        const IPC_LOCK = 1 << 14;
    }
}

/// The initial state of a process that is not forked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// Open descriptors.
    pub fds: Vec<i32>,
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// RLIMIT_MEMLOCK in bytes.
    pub memlock: u64,
}

/// A process that has not ended.
pub struct Process {
    page: PageSize,
    fds: FdTable,
    space: AddressSpace,
    memlock: u64,
    capabilities: Capabilities,
    locked_pages: u64,
}

impl Process {
    /// The file that a descriptor refers to.
    pub fn file(&self, fd: i32) -> Option<FileId> {
        self.fds.get(fd)
    }

    /// Every descriptor and its file, ascending.
    pub fn files(&self) -> impl Iterator<Item = (i32, FileId)> + '_ {
        self.fds.iter()
    }

    /// Installs a file, with its reference, at the lowest free descriptor.
    pub fn install_file(&mut self, file: FileId) -> i32 {
        self.fds.insert(file)
    }

    /// Installs a file, with its reference, at `fd`. Returns the reference given up: that of the
    /// file that was there, or `file` itself if no descriptor can have this number.
    pub fn place_file(&mut self, fd: i32, file: FileId) -> Option<FileId> {
        self.fds.place(fd, file)
    }

    /// Closes a descriptor. Returns the reference given up.
    pub fn remove_file(&mut self, fd: i32) -> Option<FileId> {
        self.fds.remove(fd)
    }

    /// Every area, ascending.
    pub fn areas(&self) -> impl Iterator<Item = &Area> + '_ {
        self.space.areas.iter()
    }

    /// The area that holds `at`.
    pub fn area(&self, at: UserAddr) -> Option<&Area> {
        self.space.areas.find(at)
    }

    /// Whether it holds CAP_IPC_LOCK.
    pub fn ipc_lock(&self) -> bool {
        self.capabilities.contains(Capabilities::IPC_LOCK)
    }

    /// RLIMIT_MEMLOCK, the soft limit, in bytes.
    pub fn memlock(&self) -> u64 {
        self.memlock
    }

    /// RLIMIT_MEMLOCK in whole pages (measured on 6.1 and 6.12: rounded down).
    pub fn memlock_pages(&self) -> u64 {
        self.memlock >> self.page.lg2()
    }

    /// Pages (of the CPU's size) it has locked and pinned.
    pub fn locked_pages(&self) -> u64 {
        self.locked_pages
    }

    /// Pages it has locked and pinned, in KiB: VmLck.
    pub fn locked_kib(&self) -> u64 {
        self.locked_pages.wrapping_mul(self.page.bytes() / 1024)
    }

    /// The two lines of `/proc/PID/status` about locked memory. VFIO counts pinned pages as locked,
    /// so VmPin stays 0 (measured on 6.1 and 6.12).
    pub fn status(&self) -> String {
        format!("VmLck:\t{:>8} kB\nVmPin:\t{:>8} kB\n", self.locked_kib(), 0)
    }
}

/// Every process, and every page of user memory. See the [module](self).
pub struct Processes {
    /// By number; `None` for those that have ended.
    list: Vec<Option<Process>>,
    pages: Pages,
    last_user: UserAddr,
}

impl Processes {
    /// A machine without processes, with this page size and this many bits of user addresses.
    pub fn new(page: PageSize, user_va_bits: u32, zero_page: ZeroPage) -> Self {
        let last = 1u64.checked_shl(user_va_bits).map_or(u64::MAX, |size| size - 1);
        let pages = Pages::new(page, zero_page);
        Self { list: Vec::new(), pages, last_user: UserAddr::new(last) }
    }

    /// Creates a process without descriptors and memory. `memlock` is in bytes.
    pub fn spawn(&mut self, capabilities: Capabilities, memlock: u64) -> Pid {
        self.add(Process {
            page: self.pages.page,
            fds: FdTable::default(),
            space: AddressSpace::default(),
            memlock,
            capabilities,
            locked_pages: 0,
        })
    }

    fn add(&mut self, process: Process) -> Pid {
        self.list.push(Some(process));
        Pid(self.list.len() - 1)
    }

    /// The process, unless it has ended.
    pub fn get(&self, pid: Pid) -> Option<&Process> {
        self.list.get(pid.0)?.as_ref()
    }

    /// The process, mutable, unless it has ended.
    pub fn get_mut(&mut self, pid: Pid) -> Option<&mut Process> {
        self.list.get_mut(pid.0)?.as_mut()
    }

    /// Whether a process has a descriptor of the file.
    pub(crate) fn has_file(&self, file: FileId) -> bool {
        self.list.iter().flatten().any(|process| process.files().any(|(_, it)| it == file))
    }

    /// Pages the process has locked and pinned; 0 if it has ended.
    pub fn locked_pages(&self, pid: Pid) -> u64 {
        self.get(pid).map_or(0, Process::locked_pages)
    }

    /// The machine's pages, and the process.
    fn parts(&mut self, pid: Pid) -> Option<(&mut Pages, &mut Process)> {
        let process = self.list.get_mut(pid.0)?.as_mut()?;
        Some((&mut self.pages, process))
    }

    fn parts_or_refuse(&mut self, pid: Pid) -> Result<(&mut Pages, &mut Process), Refusal> {
        self.parts(pid).ok_or(rules::NO_PROCESS.refuse(Errno::EINVAL))
    }

    /// Forks `parent`: the child has its descriptors, its limit and capabilities, its areas (none
    /// locked), and its pages, which are copied when either process writes them, or at once where
    /// they are pinned. Also returns the files that gained references, once per reference. `None`
    /// if the parent has ended, or no frame is left for a copied page.
    pub fn fork(
        &mut self,
        parent: Pid,
        frames: &mut Frames,
        memory: &mut Memory,
    ) -> Option<(Pid, Vec<FileId>)> {
        let (pages, process) = self.parts(parent)?;
        let space = pages.fork(&process.space, &mut Ram { frames, memory }).ok()?;
        let mut files: Vec<_> = process.files().map(|(_, file)| file).collect();
        files.extend(space.areas.files());
        let child = Process {
            page: process.page,
            fds: process.fds.clone(),
            space,
            memlock: process.memlock,
            capabilities: process.capabilities,
            // measured on 6.1 and 6.12: a child starts with nothing locked.
            locked_pages: 0,
        };
        Some((self.add(child), files))
    }

    /// Ends a process. Pages without other references are freed; pinned ones stay with the device.
    /// Returns the file references given up: by descriptors, ascending, then by areas.
    pub fn exit(&mut self, pid: Pid, frames: &mut Frames) -> Vec<FileId> {
        let ended = self.list.get_mut(pid.0).and_then(Option::take);
        let Some(mut process) = ended else { return Vec::new() };
        self.pages.release(&mut process.space, 0, u64::MAX, frames);
        let mut files: Vec<_> = process.files().map(|(_, file)| file).collect();
        files.extend(process.space.areas.files());
        files
    }
}

#[cfg(test)]
mod tests;
