//! `topo.jsonl`: the machine at the start of the recordings beside it.

use std::fmt;
use std::path::Path;

use passim_model::{Iova, PageSize, PhysAddr, Rid, Span};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use super::at::At;
use super::interrupts::InterruptLine;
use super::number;
use super::read::read_whole;
use crate::input_error::{InputError, InputKind, SourceText};

/// The contents of a `topo.jsonl`.
#[derive(Clone, PartialEq, Debug)]
pub struct Topology {
    /// The file itself, for errors about its contents.
    pub source: SourceText,
    /// The board.
    pub board: Board,
    /// The kernel's own description of itself.
    pub kernel: String,
    /// Modules loaded before the first recording; empty where vfio is built in.
    pub modules: Vec<Module>,
    /// Every PCI function, in the file's order.
    pub devices: Vec<PciDevice>,
    /// Configuration of PCI functions, in the file's order.
    pub configs: Vec<PciConfig>,
    /// Members of groups and the groups' reserved regions, in the file's order.
    pub members: Vec<GroupMember>,
    /// Numbered lines of `/proc/interrupts`.
    pub interrupts: Vec<InterruptLine>,
    /// Linux interrupt numbers in use, ascending.
    pub irqs_allocated: Vec<u32>,
}

/// The board, as the recorder built it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Board {
    /// QEMU's name of the board.
    pub machine: String,
    /// Interrupt controller: `its` or `v2m`.
    pub gic: String,
    /// SMMU: `stage1+2` or `stage2`.
    pub smmu: String,
    /// Number of CPUs.
    pub cpus: u32,
    /// QEMU's name of the CPU.
    pub cpu: String,
    /// Bytes of RAM.
    #[serde(deserialize_with = "number::unsigned")]
    pub ram: u64,
    /// The address of RAM.
    #[serde(deserialize_with = "number::address")]
    pub ram_base: PhysAddr,
    /// The kernel's page.
    #[serde(deserialize_with = "page_size")]
    pub page: PageSize,
    /// The kernel's version.
    #[serde(rename = "kernel", deserialize_with = "version")]
    pub version: KernelVersion,
    /// Whether user space may not map a BAR through sysfs that a driver has claimed.
    pub io_strict_devmem: bool,
    /// The suites that were recorded in this boot, in order; empty where they are not known.
    #[serde(default, deserialize_with = "suites")]
    pub suites: Vec<String>,
}

/// `6.12.95`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KernelVersion {
    /// 6
    pub major: u32,
    /// 12
    pub minor: u32,
    /// 95, or 0 where the version has two parts.
    pub patch: u32,
}

/// A module and the result of loading it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Module {
    /// Its name.
    #[serde(rename = "module")]
    pub name: String,
    /// Its parameters.
    pub params: String,
    /// 0, or a negative errno.
    pub ret: i32,
}

/// A PCI function.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct PciDevice {
    /// Its requester ID.
    #[serde(rename = "pci", deserialize_with = "number::rid")]
    pub rid: Rid,
    /// Vendor.
    #[serde(rename = "vid", deserialize_with = "number::unsigned")]
    pub vendor: u16,
    /// Device.
    #[serde(rename = "did", deserialize_with = "number::unsigned")]
    pub device: u16,
    /// Class code, 24 bits.
    #[serde(deserialize_with = "number::unsigned")]
    pub class: u32,
    /// IOMMU group, `None` without one.
    #[serde(deserialize_with = "group")]
    pub group: Option<u32>,
    /// The bound driver, `None` without one.
    #[serde(deserialize_with = "name")]
    pub driver: Option<String>,
}

/// The configuration of a PCI function.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct PciConfig {
    /// Its requester ID.
    #[serde(rename = "pci_config", deserialize_with = "number::rid")]
    pub rid: Rid,
    /// Line of the file, 1-based.
    #[serde(skip)]
    pub line: u64,
    /// BARs, the ROM (6) and bridge windows (above).
    pub bars: Vec<Bar>,
    /// Bytes of configuration space: 256 or 4096.
    pub config_size: u32,
    /// Offset of the MSI capability in configuration space, in bytes.
    #[serde(deserialize_with = "number::optional")]
    pub msi: Option<u8>,
    /// Offset of the MSI-X capability in configuration space, in bytes.
    #[serde(deserialize_with = "number::optional")]
    pub msix: Option<u8>,
    /// Offset of the PCI Express capability in configuration space, in bytes.
    #[serde(deserialize_with = "number::optional")]
    pub pcie: Option<u8>,
    /// Reset methods known to the kernel, `None` without any.
    #[serde(deserialize_with = "name")]
    pub reset_method: Option<String>,
    /// The first bytes of configuration space, while no process had the device open.
    #[serde(deserialize_with = "number::bytes")]
    pub config: Vec<u8>,
}

/// A BAR or bridge window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct Bar {
    /// 0 to 5 a BAR, 6 the ROM, above 6 a bridge window.
    #[serde(rename = "i")]
    pub index: u8,
    /// Its bus address.
    #[serde(deserialize_with = "number::address")]
    pub addr: PhysAddr,
    /// Bytes.
    #[serde(deserialize_with = "number::unsigned")]
    pub size: u64,
    /// Linux's `IORESOURCE_*`: 0x100 I/O ports, 0x200 memory.
    #[serde(deserialize_with = "number::unsigned")]
    pub flags: u64,
}

/// A function's membership of a group.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct GroupMember {
    /// The group.
    pub group: u32,
    /// The function.
    #[serde(rename = "dev", deserialize_with = "number::rid")]
    pub rid: Rid,
    /// Reserved regions of the group.
    #[serde(rename = "reserved_regions", deserialize_with = "reserved_regions")]
    pub reserved: Vec<ReservedRegion>,
}

/// A reserved region of a group, as sysfs prints it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReservedRegion {
    /// Its IOVAs.
    pub span: Span<Iova>,
    /// `msi`, `direct`, `reserved`, ...
    pub kind: String,
}

impl Topology {
    /// Reads a `topo.jsonl`.
    ///
    /// # Errors
    /// Unreadable, or what [`Topology::parse`] refuses.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        Self::parse(read_whole(path)?)
    }

    /// Reads a topology already in memory.
    ///
    /// # Errors
    /// No `board` line first, a line of an unknown kind, or a field missing or of another form.
    pub fn parse(source: SourceText) -> Result<Self, InputError> {
        let mut lines = source.text().lines().zip(1..).map(|(text, number)| At {
            path: source.path(),
            number,
            text,
        });
        let begins_with_board = || {
            InputError::in_file(
                InputKind::Recording,
                source.path(),
                "a topology begins with a `board` line",
            )
        };
        let board = lines.next().ok_or_else(begins_with_board)?.read::<BoardLine>()?.board;
        let mut facts = Facts::default();
        for at in lines.filter(|at| !at.text.trim().is_empty()) {
            facts.add(at)?;
        }
        let Facts { kernel, modules, devices, configs, members, interrupts, irqs_allocated } =
            facts;
        Ok(Self {
            board,
            kernel,
            modules,
            devices,
            configs,
            members,
            interrupts,
            irqs_allocated,
            source,
        })
    }
}

/// The lines after the board's.
#[derive(Default)]
struct Facts {
    kernel: String,
    modules: Vec<Module>,
    devices: Vec<PciDevice>,
    configs: Vec<PciConfig>,
    members: Vec<GroupMember>,
    interrupts: Vec<InterruptLine>,
    irqs_allocated: Vec<u32>,
}

impl Facts {
    fn add(&mut self, at: At<'_>) -> Result<(), InputError> {
        let key = at.first_key()?;
        match key.as_ref() {
            "kernel" => self.kernel = at.read::<KernelLine>()?.kernel,
            "module" => self.modules.push(at.read()?),
            "pci" => self.devices.push(at.read()?),
            "group" => self.members.push(at.read()?),
            "pci_config" => self.configs.push(PciConfig { line: at.number, ..at.read()? }),
            "irq_at_boot" => {
                let InterruptAtBoot { line } = at.read()?;
                let line = InterruptLine::parse(&line)
                    .ok_or_else(|| at.error("not a line of /proc/interrupts"))?;
                self.interrupts.push(line);
            }
            "irqs_allocated" => {
                self.irqs_allocated = at.read::<IrqsAllocated>()?.irqs;
                self.irqs_allocated.sort_unstable();
                self.irqs_allocated.dedup();
            }
            other => {
                let message = format!("a topology has no line of kind {other:?}");
                return Err(at.error(message));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct BoardLine {
    board: Board,
}

#[derive(Deserialize)]
struct KernelLine {
    kernel: String,
}

#[derive(Deserialize)]
struct InterruptAtBoot {
    line: String,
}

#[derive(Deserialize)]
struct IrqsAllocated {
    #[serde(rename = "irqs_allocated")]
    irqs: Vec<u32>,
}

impl KernelVersion {
    /// Reads `6.12.95`, `6.12` or `6.12.95-arm64`; what follows the last number is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut parts = text[..end].trim_end_matches('.').split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let patch = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KernelVersion, D::Error> {
    let text = String::deserialize(deserializer)?;
    KernelVersion::parse(&text)
        .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"a kernel version"))
}

/// Names separated by commas.
fn suites<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn page_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PageSize, D::Error> {
    let bytes: u64 = number::unsigned(deserializer)?;
    [PageSize::K4, PageSize::K16, PageSize::K64]
        .into_iter()
        .find(|size| size.bytes() == bytes)
        .ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Unsigned(bytes), &"4096, 16384 or 65536")
        })
}

/// A group number; -1 means none.
fn group<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    match number {
        -1 => Ok(None),
        _ => u32::try_from(number).map(Some).map_err(D::Error::custom),
    }
}

/// A name; the empty string means none.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(deserializer)?).filter(|name| !name.is_empty()))
}

/// `0x8000000 0x80fffff msi`, one region after the other.
fn reserved_regions<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ReservedRegion>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let region = |words: &[&str]| {
        let [start, last, kind] = words else { return None };
        let start = Iova::new(number::hexadecimal(start)?);
        let last = Iova::new(number::hexadecimal(last)?);
        Some(ReservedRegion { span: Span::new(start, last)?, kind: (*kind).to_owned() })
    };
    let regions: Option<Vec<_>> = words.chunks(3).map(region).collect();
    regions.ok_or_else(|| {
        D::Error::invalid_value(Unexpected::Str(&text), &"reserved regions: start, last, kind")
    })
}

#[cfg(test)]
mod tests;
