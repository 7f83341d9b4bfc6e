//! System calls as values: the call that a process makes, and its result.
//!
//! Not here: what a call does. [`uapi`](crate::uapi) defines the structure that an ioctl's argument
//! holds.

use passim_model::{Refusal, UserAddr};

/// The third argument of an ioctl.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arg {
    /// A number: the value itself, or, for a request that takes a structure, the structure's
    /// address.
    Value(u64),
    /// A structure, given by its bytes. They stand for memory that the process owns; an access
    /// beyond them is EFAULT by `user-pointer`.
    Bytes(Vec<u8>),
}

/// What an `mmap` maps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MapKind {
    /// Anonymous private memory; pages appear when first written.
    Anonymous,
    /// Anonymous private memory backed by huge pages of `1 << lg2` bytes; each appears whole when
    /// first written.
    HugeTlb {
        /// log2 of the huge page.
        lg2: u32,
    },
    /// A file, shared, from `offset` bytes on: a plain file, a device region or a PCI resource.
    File {
        /// Descriptor.
        fd: i32,
        /// Offset in bytes.
        offset: u64,
    },
}

/// Protection of an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// No access.
    None,
    /// Read.
    Read,
    /// Write, which lets a CPU read as well.
    Write,
    /// Read and write.
    ReadWrite,
}

/// A system call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Call {
    /// `open(path)`: the answer is a descriptor.
    Open {
        /// Absolute path.
        path: String,
    },
    /// `close(fd)`.
    Close {
        /// Descriptor.
        fd: i32,
    },
    /// `ioctl(fd, request, arg)`.
    Ioctl {
        /// Descriptor.
        fd: i32,
        /// Request number.
        request: u32,
        /// Third argument.
        arg: Arg,
    },
    /// `eventfd(0, EFD_NONBLOCK)`.
    EventFd,
    /// `read` of an eventfd: the answer is the counter, which becomes 0.
    ReadEventFd {
        /// Descriptor.
        fd: i32,
    },
    /// `ftruncate(fd, len)` of a plain file.
    Truncate {
        /// Descriptor.
        fd: i32,
        /// New length in bytes.
        len: u64,
    },
    /// `write` of an eventfd: adds `value` to the counter.
    WriteEventFd {
        /// Descriptor.
        fd: i32,
        /// Added to the counter.
        value: u64,
    },
    /// `pread(fd, len, offset)`: the answer is the count, the bytes are in [`Answer::bytes`].
    Pread {
        /// Descriptor.
        fd: i32,
        /// File offset in bytes; for a device file, `region << OFFSET_LG2` plus the offset in that
        /// region ([`region`](crate::uapi::region)).
        offset: u64,
        /// Bytes to read.
        len: usize,
    },
    /// `pwrite(fd, bytes, offset)`.
    Pwrite {
        /// Descriptor.
        fd: i32,
        /// As of [`Call::Pread`].
        offset: u64,
        /// Bytes to write.
        bytes: Vec<u8>,
    },
    /// `mmap(va, len, prot, MAP_FIXED, ..)`: replaces existing mappings in the range.
    Mmap {
        /// Page-aligned address.
        va: UserAddr,
        /// Bytes.
        len: u64,
        /// Protection.
        prot: Protection,
        /// What is mapped.
        kind: MapKind,
    },
    /// `munmap(va, len)`.
    Munmap {
        /// Page-aligned address.
        va: UserAddr,
        /// Bytes.
        len: u64,
    },
    /// `mprotect(va, len, prot)`.
    Mprotect {
        /// Page-aligned address.
        va: UserAddr,
        /// Bytes.
        len: u64,
        /// Protection.
        prot: Protection,
    },
    /// `mlock(va, len)`.
    Mlock {
        /// Address.
        va: UserAddr,
        /// Bytes.
        len: u64,
    },
    /// `munlock(va, len)`.
    Munlock {
        /// Address.
        va: UserAddr,
        /// Bytes.
        len: u64,
    },
    /// `setrlimit(RLIMIT_MEMLOCK)`: the soft limit, in bytes.
    SetMemlock {
        /// New limit.
        bytes: u64,
    },
    /// Gives up CAP_IPC_LOCK for good.
    DropIpcLock,
    /// `open`, `write`, `close` of a sysfs attribute.
    WriteAttribute {
        /// Absolute path.
        path: String,
        /// The text written.
        value: String,
    },
    /// `open`, `read`, `close` of a sysfs attribute: the text is in [`Answer::bytes`].
    ReadAttribute {
        /// Absolute path.
        path: String,
    },
    /// `readlink(path)`: the target is in [`Answer::bytes`].
    Readlink {
        /// Absolute path.
        path: String,
    },
    /// The process ends: its descriptors are closed, its memory is unmapped.
    Exit,
}

/// What a system call returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The return value, never negative, or the refusal whose errno it carries.
    pub ret: Result<i64, Refusal>,
    /// The caller's structure after an ioctl, or the bytes read. Empty for other calls.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// A return value without bytes.
    pub fn value(ret: i64) -> Self {
        Self { ret: Ok(ret), bytes: Vec::new() }
    }

    /// A refusal without bytes.
    pub fn refused(refusal: Refusal) -> Self {
        Self { ret: Err(refusal), bytes: Vec::new() }
    }
}
