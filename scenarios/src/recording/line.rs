//! The contents of one line of a recording.
//!
//! Keys decide a line's kind: `step`, then `req`, then `op`, else the first key. Fields that only
//! repeat others or comment (`e`, `note`, `vsym`, `at`, `tag`) are not read.

mod forms;

use std::path::Path;

use passim_model::{Iova, PhysAddr, Rid, UserAddr};
use serde::Deserialize;

use super::at::At;
use super::number;
use super::step::{self, Step};
use crate::input_error::InputError;
pub(super) use forms::Head;
use forms::ProcInterrupts;

/// A line of a recording.
#[derive(Clone, PartialEq, Debug)]
pub enum Line {
    /// An action of a process, or of the machine around it.
    Step(Step),
    /// An ioctl with a structure or a value as its argument.
    Ioctl(IoctlLine),
    /// `VFIO_IOMMU_MAP_DMA`.
    Map(MapLine),
    /// `VFIO_IOMMU_UNMAP_DMA`.
    Unmap(UnmapLine),
    /// A map of a random trace, its user address relative to the arena.
    RandomMap(RandomMap),
    /// An unmap of a random trace.
    RandomUnmap(RandomUnmap),
    /// Page frames of the arena of a random trace.
    ArenaPfn(ArenaPfn),
    /// A named buffer; only `ARENA`, the base of [`RandomMap::voff`], adds information.
    Buf(Buf),
    /// An answer that belongs to neither a step nor an ioctl.
    Answer(Answer),
    /// A line of this kind, which repeats earlier lines or comments on them.
    Summary(&'static str),
    /// A line of an unknown kind, by the key that decides it.
    Unknown(String),
}

/// An ioctl other than map and unmap.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "forms::IoctlFields")]
pub struct IoctlLine {
    /// File descriptor number; may be one that is not open, or -1.
    pub fd: i32,
    /// The request, `';' << 8 | number`.
    pub nr: u32,
    /// The request's name, for reports only.
    pub name: String,
    /// The call's third argument.
    pub argument: IoctlArgument,
    /// Number of named calls before it in its process, if the line has it.
    pub number: Option<u64>,
    /// The return value: 0 or more, or -1.
    pub ret: i32,
    /// The errno, 0 on success.
    pub errno: i32,
}

/// The third argument of an ioctl.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IoctlArgument {
    /// By value, as the register held it: -1 is all ones.
    Value(u64),
    /// A pointer to `before`; the call left `after` there. Either may be longer than `argsz`.
    Buffer {
        /// The caller's bytes.
        before: Vec<u8>,
        /// The same bytes afterwards.
        after: Vec<u8>,
    },
    /// A null pointer in place of a structure.
    Null,
}

/// A `VFIO_IOMMU_MAP_DMA`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct MapLine {
    /// Number of named calls before it in its process, if the line has it.
    #[serde(rename = "n")]
    pub number: Option<u64>,
    /// File descriptor number.
    #[serde(rename = "fdn")]
    pub fd: i32,
    /// `argsz` of the structure.
    #[serde(deserialize_with = "number::unsigned")]
    pub argsz: u32,
    /// `flags` of the structure.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags: u32,
    /// First IOVA.
    #[serde(deserialize_with = "number::address")]
    pub iova: Iova,
    /// First user address.
    #[serde(deserialize_with = "number::address")]
    pub vaddr: UserAddr,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub size: u64,
    /// What the call returned: 0 or -1.
    pub ret: i32,
    /// The errno, 0 on success.
    pub errno: i32,
}

/// A `VFIO_IOMMU_UNMAP_DMA`, with the structure as the kernel left it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct UnmapLine {
    /// Number of named calls before it in its process, if the line has it.
    #[serde(rename = "n")]
    pub number: Option<u64>,
    /// File descriptor number.
    #[serde(rename = "fdn")]
    pub fd: i32,
    /// `argsz` of the structure.
    #[serde(deserialize_with = "number::unsigned")]
    pub argsz: u32,
    /// `flags` of the structure.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags: u32,
    /// First IOVA.
    #[serde(deserialize_with = "number::address")]
    pub iova: Iova,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub size: u64,
    /// What the call returned: 0 or -1.
    pub ret: i32,
    /// The errno, 0 on success.
    pub errno: i32,
    /// Bytes unmapped, as the kernel reports.
    #[serde(deserialize_with = "number::unsigned")]
    pub size_out: u64,
    /// `iova` afterwards.
    #[serde(deserialize_with = "number::address")]
    pub iova_out: Iova,
    /// `flags` afterwards.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags_out: u32,
    /// `argsz` afterwards.
    #[serde(deserialize_with = "number::unsigned")]
    pub argsz_out: u32,
}

/// A map of a random trace.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct RandomMap {
    /// Number of the operation in its trace.
    #[serde(deserialize_with = "number::unsigned")]
    pub k: u64,
    /// File descriptor number.
    #[serde(rename = "fdn")]
    pub fd: i32,
    /// `argsz` of the structure.
    #[serde(deserialize_with = "number::unsigned")]
    pub argsz: u32,
    /// `flags` of the structure.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags: u32,
    /// First IOVA.
    #[serde(deserialize_with = "number::address")]
    pub iova: Iova,
    /// First user address relative to the arena's, modulo 2^64.
    #[serde(deserialize_with = "number::wrapping")]
    pub voff: u64,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub size: u64,
    /// What the call returned: 0 or -1.
    pub ret: i32,
    /// The errno, 0 on success.
    pub errno: i32,
}

/// An unmap of a random trace.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct RandomUnmap {
    /// Number of the operation in its trace.
    #[serde(deserialize_with = "number::unsigned")]
    pub k: u64,
    /// File descriptor number.
    #[serde(rename = "fdn")]
    pub fd: i32,
    /// `argsz` of the structure.
    #[serde(deserialize_with = "number::unsigned")]
    pub argsz: u32,
    /// `flags` of the structure.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags: u32,
    /// First IOVA.
    #[serde(deserialize_with = "number::address")]
    pub iova: Iova,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub size: u64,
    /// What the call returned: 0 or -1.
    pub ret: i32,
    /// The errno, 0 on success.
    pub errno: i32,
    /// Bytes unmapped, as the kernel reports.
    #[serde(deserialize_with = "number::unsigned")]
    pub got: u64,
}

/// The page frame of every page of the arena.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct ArenaPfn {
    /// Page frame numbers in units of the machine's page, `None` for a hole.
    #[serde(rename = "arena_pfn", deserialize_with = "forms::pfns")]
    pub pfns: Vec<Option<u64>>,
}

/// A buffer by name.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Buf {
    /// Its name.
    #[serde(rename = "buf")]
    pub name: String,
    /// Its address; `None` when its mmap failed.
    #[serde(deserialize_with = "number::optional_address")]
    pub va: Option<UserAddr>,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub len: u64,
}

/// An answer of the kernel or of a device's registers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// A line of `/proc/self/status`.
    Status(Status),
    /// A device's MSI capability, from its registers.
    MsiCap(MsiCap),
    /// A device's MSI-X capability, from its registers.
    MsixCap(MsixCap),
    /// One entry of a device's MSI-X table.
    MsixEntry(MsixEntry),
    /// A line of `/proc/interrupts` as the kernel printed it.
    ProcInterrupts(String),
    /// A translation that the next dump must show.
    Expect(Expect),
}

/// A line of `/proc/self/status`: `VmLck` or `VmPin`, a colon, white space, a number, `kB`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "forms::StatusText")]
pub struct Status {
    /// Which count.
    pub counter: StatusCounter,
    /// KiB.
    pub kib: u64,
}

/// The counts of `/proc/self/status` that recordings compare.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StatusCounter {
    /// Locked memory, `VmLck`.
    Locked,
    /// Pinned memory, `VmPin`.
    Pinned,
}

/// A device's MSI capability.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct MsiCap {
    /// The device.
    #[serde(rename = "msi_cap", deserialize_with = "number::rid")]
    pub dev: Rid,
    /// Message control.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags: u16,
    /// Message address.
    #[serde(deserialize_with = "number::address")]
    pub addr: Iova,
    /// Message data.
    #[serde(deserialize_with = "number::unsigned")]
    pub data: u32,
}

/// A device's MSI-X capability.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct MsixCap {
    /// The device.
    #[serde(rename = "msix_cap", deserialize_with = "number::rid")]
    pub dev: Rid,
    /// Message control.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags: u16,
    /// BAR of the table.
    #[serde(deserialize_with = "number::unsigned")]
    pub table_bir: u8,
    /// Offset of the table in that BAR, in bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub table_off: u32,
    /// The pending-bit register: offset, and BAR in its low three bits.
    #[serde(deserialize_with = "number::unsigned")]
    pub pba: u32,
    /// Entries of the table.
    #[serde(rename = "n", deserialize_with = "number::unsigned")]
    pub entries: u32,
}

/// One entry of an MSI-X table.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct MsixEntry {
    /// Index in the table.
    #[serde(rename = "msix_entry", deserialize_with = "number::unsigned")]
    pub index: u32,
    /// The device.
    #[serde(deserialize_with = "number::rid")]
    pub dev: Rid,
    /// Message address.
    #[serde(deserialize_with = "number::address")]
    pub addr: Iova,
    /// Message data.
    #[serde(deserialize_with = "number::unsigned")]
    pub data: u32,
    /// Vector control; bit 0 masks.
    #[serde(deserialize_with = "number::unsigned")]
    pub ctl: u32,
}

/// A live mapping as the next dump of this name must show it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Expect {
    /// Name of the dump.
    #[serde(rename = "expect")]
    pub dump: String,
    /// The device.
    #[serde(deserialize_with = "number::rid")]
    pub dev: Rid,
    /// First IOVA.
    #[serde(deserialize_with = "number::address")]
    pub iova: Iova,
    /// Its physical address.
    #[serde(deserialize_with = "number::address")]
    pub pa: PhysAddr,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub size: u64,
    /// `VFIO_DMA_MAP_FLAG_*` of the mapping.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags: u32,
}

/// Kinds of lines that repeat others or comment on them, ascending.
const SUMMARIES: &[&str] = &[
    "allow_unsafe_interrupts",
    "bar_mmap",
    "bitmap",
    "dma_entry_limit",
    "dropped",
    "edu_copy_ok",
    "edu_dma",
    "groups",
    "hole_at",
    "huge_read_ok",
    "loopback",
    "module",
    "msix_table",
    "multi",
    "open_group",
    "open_groupD",
    "open_group_second_time",
    "rebind_vfio",
    "ro_page_untouched",
    "session",
    "trace",
    "unbind",
    "vfio_config_space",
    "vfio_mmap_msix_bar",
    "vfio_pread_msix_table",
    "viability",
    "wo_read_got",
    "write_param",
];

/// Prefixes of more such kinds; the rest names the circumstance.
const SUMMARY_FAMILIES: &[&str] = &["bind_host_driver", "close_group", "edu_irq_", "reopen_group"];

/// The kind, or family of kinds, of a summary line.
fn summary(kind: &str) -> Option<&'static str> {
    let exact = SUMMARIES.binary_search(&kind).ok().map(|index| SUMMARIES[index]);
    exact.or_else(|| SUMMARY_FAMILIES.iter().copied().find(|family| kind.starts_with(family)))
}

impl Line {
    /// Reads one line; `number` is its line number, 1-based, and `path` its file.
    ///
    /// # Errors
    /// Not a JSON object, or a field of a known kind is missing or of another form.
    pub fn parse(path: &Path, number: u64, text: &str) -> Result<Self, InputError> {
        let at = At { path, number, text };
        let head: Head = at.read()?;
        if let Some(kind) = &head.step {
            return step::parse(at, kind);
        }
        if head.has_req {
            return at.read().map(Self::Ioctl);
        }
        match (head.op.as_deref(), head.first.as_ref()) {
            (Some("map"), "k") => at.read().map(Self::RandomMap),
            (Some("unmap"), "k") => at.read().map(Self::RandomUnmap),
            (Some("map"), _) => at.read().map(Self::Map),
            (Some("unmap"), _) => at.read().map(Self::Unmap),
            (Some(other), _) => Ok(Self::Unknown(format!("op {other}"))),
            (None, first) => Self::parse_by_first_key(at, first),
        }
    }

    fn parse_by_first_key(at: At<'_>, first: &str) -> Result<Self, InputError> {
        let answer = match first {
            "arena_pfn" => return at.read().map(Self::ArenaPfn),
            "buf" => return at.read().map(Self::Buf),
            "status" => at.read().map(Answer::Status)?,
            "msi_cap" => at.read().map(Answer::MsiCap)?,
            "msix_cap" => at.read().map(Answer::MsixCap)?,
            "msix_entry" => at.read().map(Answer::MsixEntry)?,
            "proc_interrupts" => Answer::ProcInterrupts(at.read::<ProcInterrupts>()?.line),
            "expect" => at.read().map(Answer::Expect)?,
            other => {
                return Ok(
                    summary(other).map_or_else(|| Self::Unknown(other.to_owned()), Self::Summary)
                );
            }
        };
        Ok(Self::Answer(answer))
    }
}

#[cfg(test)]
mod tests;
