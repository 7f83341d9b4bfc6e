//! Steps: actions of processes and of the machine around them, between ioctls.

mod forms;

use passim_model::{PageSize, PhysAddr, Rid, UserAddr};
use serde::Deserialize;

use super::at::At;
use super::line::Line;
use super::number;
use crate::input_error::InputError;

/// Number of a process in a recording; 0 is the first.
pub type ProcessNumber = u32;

/// A `step` line. An ioctl step is a [`Line::Ioctl`], so that calls of one kind have one form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The first process.
    Start(Start),
    /// The current process is copied.
    Fork {
        /// Number of the copy.
        child: ProcessNumber,
    },
    /// The lines that follow belong to this process.
    In {
        /// Its number.
        proc: ProcessNumber,
    },
    /// A process ends.
    Exit {
        /// Its number.
        proc: ProcessNumber,
    },
    /// `RLIMIT_MEMLOCK` is set.
    SetRlimit {
        /// Soft limit in bytes.
        memlock: u64,
    },
    /// A process drops a capability permanently.
    DropCap(Capability),
    /// A file is opened.
    Open(Open),
    /// A file descriptor is closed.
    Close(Close),
    /// A new eventfd, counter 0, non-blocking.
    Eventfd {
        /// Its file descriptor.
        fd: i32,
    },
    /// An eventfd is polled and read, which resets it.
    EventfdRead {
        /// Its file descriptor.
        fd: i32,
        /// The counter, 0 if it was not signalled.
        value: u64,
    },
    /// The length of a plain file is set.
    Ftruncate {
        /// Its file descriptor.
        fd: i32,
        /// Bytes.
        len: u64,
    },
    /// A read at an offset.
    Pread(Transfer),
    /// A write at an offset.
    Pwrite(Transfer),
    /// A new area of memory is mapped.
    Mmap(Mmap),
    /// An area is unmapped.
    Munmap(Area),
    /// The protection of an area changes.
    Mprotect(Mprotect),
    /// Every page of an area is written: its first 8 bytes become its own address, the rest 0.
    Touch(Area),
    /// A process writes its memory.
    Fill(Fill),
    /// A process reads its memory.
    Peek(Peek),
    /// Memory is locked.
    Mlock(Lock),
    /// Memory is unlocked.
    Munlock(Lock),
    /// The physical addresses of pages.
    Phys(Phys),
    /// A file of sysfs is written.
    Write(SysfsWrite),
    /// A file of sysfs is read.
    Read {
        /// The file.
        path: String,
        /// Its contents without the final line feed.
        value: String,
    },
    /// A symbolic link of sysfs is read.
    Readlink {
        /// The link.
        path: String,
        /// Its target; empty on failure.
        value: String,
        /// The errno, 0 on success.
        errno: i32,
    },
    /// A module is loaded.
    Module {
        /// Its name.
        name: String,
        /// Its parameters.
        params: String,
        /// 0, or a negative errno: -2 where the kernel has no such module.
        ret: i32,
    },
    /// A register of a device is written through its mapped BAR.
    Mmio(Mmio),
    /// A register of a device is read through its mapped BAR.
    MmioRead(Mmio),
    /// Tables and queues are dumped now.
    Dump(Dump),
}

/// The first process as it begins.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Start {
    /// Its number.
    pub proc: ProcessNumber,
    /// Open file descriptors, all of them the console.
    pub fds: Vec<i32>,
    /// `RLIMIT_MEMLOCK` in bytes.
    #[serde(deserialize_with = "number::wrapping")]
    pub memlock: u64,
    /// Its capabilities.
    pub caps: Capabilities,
    /// Parameters of `vfio_iommu_type1` at that time.
    pub params: ModuleParams,
}

/// The capabilities of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capabilities {
    /// Every one, as root has.
    All,
}

/// A capability that recordings drop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Capability {
    /// To lock memory beyond `RLIMIT_MEMLOCK`.
    #[serde(rename = "CAP_IPC_LOCK")]
    IpcLock,
}

/// Parameters of `vfio_iommu_type1`; `None` where the kernel has no such parameter.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ModuleParams {
    /// Attach a group without interrupt remapping.
    #[serde(deserialize_with = "forms::yes_or_no")]
    pub allow_unsafe_interrupts: Option<bool>,
    /// Map page by page.
    #[serde(deserialize_with = "forms::yes_or_no")]
    pub disable_hugepages: Option<bool>,
    /// Most mappings a container may have.
    #[serde(deserialize_with = "forms::decimal")]
    pub dma_entry_limit: Option<u32>,
}

/// An open.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Open {
    /// The file.
    pub path: String,
    /// The descriptor, or -1.
    pub fd: i32,
    /// The errno, 0 on success.
    #[serde(default)]
    pub errno: i32,
}

/// A close.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Close {
    /// The descriptor.
    pub fd: i32,
    /// The errno, 0 on success.
    #[serde(default)]
    pub errno: i32,
}

/// A pread or pwrite.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Transfer {
    /// The descriptor.
    pub fd: i32,
    /// Offset in bytes; of a vfio device, region number << 40 plus the offset in the region.
    #[serde(deserialize_with = "number::unsigned")]
    pub offset: u64,
    /// Bytes requested.
    #[serde(deserialize_with = "number::unsigned")]
    pub len: u64,
    /// Bytes transferred, or -1.
    pub ret: i64,
    /// The errno, 0 on success.
    #[serde(default)]
    pub errno: i32,
    /// The bytes read, or those that were to be written.
    #[serde(rename = "hex", default, deserialize_with = "number::bytes")]
    pub bytes: Vec<u8>,
}

/// A range of user memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct Area {
    /// First address.
    #[serde(deserialize_with = "number::address")]
    pub va: UserAddr,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub len: u64,
}

/// An mmap.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Mmap {
    /// Its address; `None` when the call failed.
    #[serde(deserialize_with = "number::optional_address")]
    pub va: Option<UserAddr>,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub len: u64,
    /// Protection.
    pub prot: Prot,
    /// What backs it.
    pub kind: AreaKind,
    /// The file, of kinds `File` and `Bar`.
    #[serde(default)]
    pub fd: Option<i32>,
    /// Offset in that file, bytes.
    #[serde(default, deserialize_with = "number::optional")]
    pub offset: Option<u64>,
    /// Length of a plain file at that time, in bytes.
    #[serde(default, deserialize_with = "number::optional")]
    pub file_len: Option<u64>,
    /// The errno, 0 on success.
    #[serde(default)]
    pub errno: i32,
}

/// Protection of an area.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
pub enum Prot {
    /// No access.
    #[serde(rename = "none")]
    None,
    /// Read only.
    #[serde(rename = "r")]
    Read,
    /// Write only, which a CPU grants as read and write.
    #[serde(rename = "w")]
    Write,
    /// Read and write.
    #[serde(rename = "rw")]
    ReadWrite,
}

/// What backs an area.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(try_from = "String")]
pub enum AreaKind {
    /// Anonymous memory in base pages.
    Anon,
    /// Anonymous memory that may be huge pages.
    AnonThp,
    /// Anonymous memory without pages until it is written.
    AnonUntouched,
    /// Pages of hugetlbfs.
    Hugetlb(PageSize),
    /// A plain file, shared.
    File,
    /// Registers of a device.
    Bar,
}

/// A change of protection.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Mprotect {
    /// First address.
    #[serde(deserialize_with = "number::address")]
    pub va: UserAddr,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub len: u64,
    /// The new protection.
    pub prot: Prot,
}

/// A write to the process's own memory.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "forms::FillFields")]
pub struct Fill {
    /// First address.
    pub va: UserAddr,
    /// Bytes.
    pub len: u64,
    /// The bytes written.
    pub pattern: FillPattern,
}

/// The contents that a [`Fill`] writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FillPattern {
    /// This byte, repeated.
    Byte(u8),
    /// These bytes, as many as fit the area.
    Bytes(Vec<u8>),
}

/// A read of the process's own memory.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Peek {
    /// First address.
    #[serde(deserialize_with = "number::address")]
    pub va: UserAddr,
    /// The bytes read.
    #[serde(rename = "hex", deserialize_with = "number::bytes")]
    pub bytes: Vec<u8>,
}

/// An mlock or munlock.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Lock {
    /// First address.
    #[serde(deserialize_with = "number::address")]
    pub va: UserAddr,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub len: u64,
    /// 0 or -1.
    pub ret: i32,
    /// The errno, 0 on success.
    #[serde(default)]
    pub errno: i32,
}

/// Physical addresses of a buffer's pages.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Phys {
    /// First address.
    #[serde(deserialize_with = "number::address")]
    pub va: UserAddr,
    /// Its pages, in consecutive runs.
    pub runs: Vec<PhysRun>,
}

/// Physically contiguous pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct PhysRun(
    /// The first page; `None` for missing pages.
    #[serde(deserialize_with = "number::optional_address")]
    pub Option<PhysAddr>,
    /// Number of pages, in units of the machine's page.
    #[serde(deserialize_with = "number::unsigned")]
    pub u64,
);

/// A write to sysfs.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct SysfsWrite {
    /// The file.
    pub path: String,
    /// The text written.
    pub value: String,
    /// 0, or a negative errno.
    pub ret: i32,
}

/// A register access.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Mmio {
    /// The device.
    #[serde(deserialize_with = "number::rid")]
    pub dev: Rid,
    /// BAR index.
    pub bar: u8,
    /// Offset in the BAR, bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub off: u64,
    /// Bytes: 1, 2, 4 or 8.
    #[serde(deserialize_with = "forms::access_size")]
    pub size: u8,
    /// The value written or read.
    #[serde(deserialize_with = "number::unsigned")]
    pub value: u64,
}

/// A dump taken at this point.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Dump {
    /// What was dumped.
    pub what: DumpKind,
    /// Its name; [`Dump::file_stem`] derives the file's name.
    pub name: String,
    /// Devices whose tables it contains, with their names in the recording.
    #[serde(deserialize_with = "forms::named_devices")]
    pub devs: Vec<NamedDevice>,
}

impl Dump {
    /// The name of the dump's file without `.json` or `.json.zst`: `/` in the name becomes `_`.
    pub fn file_stem(&self) -> String {
        let kind = match self.what {
            DumpKind::Smmu => "smmu",
            DumpKind::Its => "its",
        };
        format!("{kind}_{}", self.name.replace('/', "_"))
    }
}

/// The kind of a dump.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DumpKind {
    /// Registers, tables and queues of the SMMU.
    Smmu,
    /// Registers, tables and queue of the ITS, or the GICv2m frame.
    Its,
}

/// `A=00:01.0`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedDevice {
    /// `A`.
    pub name: String,
    /// `00:01.0`.
    pub dev: Rid,
}

/// Reads a line whose `step` is `kind`.
pub(super) fn parse(at: At<'_>, kind: &str) -> Result<Line, InputError> {
    let step = match kind {
        "ioctl" => return at.read().map(Line::Ioctl),
        "start" => Step::Start(at.read()?),
        "fork" => Step::Fork { child: at.read::<forms::Fork>()?.child },
        "in" => Step::In { proc: at.read::<forms::Process>()?.proc },
        "exit" => Step::Exit { proc: at.read::<forms::Process>()?.proc },
        "setrlimit" => Step::SetRlimit { memlock: at.read::<forms::Memlock>()?.memlock },
        "drop_cap" => Step::DropCap(at.read::<forms::DropCap>()?.cap),
        "open" => Step::Open(at.read()?),
        "close" => Step::Close(at.read()?),
        "eventfd" => Step::Eventfd { fd: at.read::<forms::Descriptor>()?.fd },
        "eventfd_read" => at.read::<forms::EventfdRead>()?.into(),
        "ftruncate" => at.read::<forms::Ftruncate>()?.into(),
        "pread" => Step::Pread(at.read()?),
        "pwrite" => Step::Pwrite(at.read()?),
        "mmap" => Step::Mmap(at.read()?),
        "munmap" => Step::Munmap(at.read()?),
        "mprotect" => Step::Mprotect(at.read()?),
        "touch" => Step::Touch(at.read()?),
        "fill" => Step::Fill(at.read()?),
        "peek" => Step::Peek(at.read()?),
        "mlock" => Step::Mlock(at.read()?),
        "munlock" => Step::Munlock(at.read()?),
        "phys" => Step::Phys(at.read()?),
        "write" => Step::Write(at.read()?),
        "read" => at.read::<forms::SysfsRead>()?.into(),
        "readlink" => at.read::<forms::Readlink>()?.into(),
        "module" => at.read::<forms::Module>()?.into(),
        "mmio" => Step::Mmio(at.read()?),
        "mmio_read" => Step::MmioRead(at.read()?),
        "dump" => Step::Dump(at.read()?),
        other => return Ok(Line::Unknown(format!("step {other}"))),
    };
    Ok(Line::Step(step))
}
