//! Paths: opening, reading, writing and following them.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `binding` | when does a driver bind to a device? |
//! | `removal` | when does a function leave its driver or the machine? |
//! | `virtuals` | how are virtual functions enabled and disabled? |
//!
//! Paths are matched as text: there is no file system, and a path without a match is ENOENT.

mod binding;
mod removal;
mod virtuals;

pub(crate) use removal::Leave;

use crate::call::Answer;
use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::process::Pid;
use crate::rules;
use crate::uapi::region;
use passim_model::{Errno, Host, Refusal, Rid};

/// A plain file: its path. Its length and pages belong to the processes' memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PlainFile {
    pub(crate) path: String,
}

const INTERRUPTS: &str = "/proc/interrupts";
const PCI_DEVICES: &str = "/sys/bus/pci/devices/";
const PARAMETERS: &str = "/sys/module/vfio_iommu_type1/parameters/";

fn absent() -> Refusal {
    rules::PATH_ABSENT.refuse(Errno::ENOENT)
}

fn bad_value() -> Refusal {
    rules::ATTRIBUTE_VALUE.refuse(Errno::EINVAL)
}

/// A boolean module parameter, as the kernel reads it.
///
/// # Errors
/// EINVAL by `attribute-value`.
// 6.12 kstrtobool, for every kernel: the first letter decides, after an "o" the second; the rest is
// ignored.
fn boolean(text: &str) -> Result<bool, Refusal> {
    match text.as_bytes() {
        [b'y' | b'Y' | b't' | b'T' | b'1', ..] | [b'o' | b'O', b'n' | b'N', ..] => Ok(true),
        [b'n' | b'N' | b'f' | b'F' | b'0', ..] | [b'o' | b'O', b'f' | b'F', ..] => Ok(false),
        _ => Err(bad_value()),
    }
}

/// An unsigned module parameter, as the kernel reads it.
///
/// # Errors
/// EINVAL and, for more than 32 bits, ERANGE by `attribute-value`.
// 6.12 kstrtouint.
fn unsigned(text: &str) -> Result<u32, Refusal> {
    u32::try_from(number(text)?).map_err(|_| rules::ATTRIBUTE_VALUE.refuse(Errno::ERANGE))
}

/// A number of up to 64 bits.
///
/// # Errors
/// EINVAL and, for more than 64 bits, ERANGE by `attribute-value`.
// 6.12 kstrtoull: a plus sign, a prefix that names the base as in C, digits, one newline.
fn number(text: &str) -> Result<u64, Refusal> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_prefix('+').unwrap_or(text);
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, &text[2..]),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(bad_value());
    }
    let too_large = rules::ATTRIBUTE_VALUE.refuse(Errno::ERANGE);
    u64::from_str_radix(digits, radix).map_err(|_| too_large)
}

/// The interrupt whose affinity a path sets.
fn affinity_path(path: &str) -> Option<u32> {
    path.strip_prefix("/proc/irq/")?.strip_suffix("/smp_affinity_list")?.parse().ok()
}

impl Kernel {
    /// `open(path)`.
    ///
    /// # Errors
    /// ENOENT by `path-absent`; what a group's opening refuses.
    pub(crate) fn open(&mut self, pid: Pid, path: &str) -> Result<i64, Refusal> {
        let file = if path == "/dev/vfio/vfio" {
            let container = crate::container::Container { file_open: true, ..Default::default() };
            let at = self.containers.insert(container);
            self.files.open(FileKind::Container(at))
        } else if let Some(number) = path.strip_prefix("/dev/vfio/") {
            self.open_group(number.parse().map_err(|_| absent())?)?
        } else if let Some((rid, attribute)) = self.pci_attribute(path) {
            let kind = self.pci_file(rid, attribute).ok_or_else(absent)?;
            self.files.open(kind)
        } else if path.starts_with("/proc/") {
            self.files.open(FileKind::Proc(path.to_owned()))
        } else if path.starts_with("/tmp/") {
            let number = self.plain_file(path);
            self.files.open(FileKind::Plain(number))
        } else {
            return Err(absent());
        };
        self.install(pid, file)
    }

    /// The number of a plain file; a path that was never opened creates an empty file.
    fn plain_file(&mut self, path: &str) -> usize {
        match self.plain_files.iter().position(|file| file.path == path) {
            Some(number) => number,
            None => {
                self.plain_files.push(PlainFile { path: path.to_owned() });
                self.plain_files.len() - 1
            }
        }
    }

    /// The function and attribute a path below a PCI device's directory names.
    pub(crate) fn pci_attribute<'a>(&self, path: &'a str) -> Option<(Rid, &'a str)> {
        let (name, attribute) = path.strip_prefix(PCI_DEVICES)?.split_once('/')?;
        let rid = name.starts_with("0000:").then(|| Rid::parse(name))??;
        self.pci.exists(rid).then_some((rid, attribute))
    }

    fn pci_file(&self, rid: Rid, attribute: &str) -> Option<FileKind> {
        if attribute == "config" {
            return Some(FileKind::Config(rid));
        }
        let bar: u8 = attribute.strip_prefix("resource")?.parse().ok()?;
        self.topology.function(rid)?.bar(bar)?;
        // The expansion ROM has a separate file, which cannot be mapped.
        (u32::from(bar) < region::ROM).then_some(FileKind::Resource { rid, bar })
    }

    /// Writes a sysfs attribute.
    ///
    /// # Errors
    /// ENOENT by `path-absent`; EINVAL, ENODEV and ERANGE by `attribute-value`; EINVAL by
    /// `probe-dma-owned`; EBUSY by `unbind-in-use` and `remove-in-use`.
    pub(crate) fn write_attribute(
        &mut self,
        path: &str,
        value: &str,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        if let Some(name) = path.strip_prefix(PARAMETERS) {
            self.set_parameter(name, value)?;
        } else if path == "/sys/bus/pci/drivers_probe" {
            let rid = self.named_function(value)?;
            self.probe_function(rid, tasks, host)?;
        } else if let Some((rid, attribute)) = self.pci_attribute(path) {
            match attribute {
                "driver_override" => self.pci.override_driver(rid, value),
                "driver/unbind" => self.unbind(rid, value, tasks, host)?,
                "remove" => self.remove(rid, value, tasks, host)?,
                "sriov_numvfs" => self.set_virtual(rid, value, tasks, host)?,
                _ => return Err(absent()),
            }
        } else if let Some(irq) = affinity_path(path) {
            let cpu = u16::try_from(unsigned(value)?).map_err(|_| bad_value())?;
            self.set_affinity(irq, cpu, host)?;
        } else {
            return Err(absent());
        }
        Ok(0)
    }

    /// The function whose full name is written to an attribute of the PCI bus.
    ///
    /// # Errors
    /// ENODEV by `attribute-value`.
    // 6.12 driver core: devices are looked up by name, so one without its domain is unknown.
    fn named_function(&self, value: &str) -> Result<Rid, Refusal> {
        let name = value.strip_suffix('\n').unwrap_or(value);
        let mut functions = self.topology.functions().iter();
        let found = functions.find(|function| {
            self.pci.exists(function.rid) && format!("0000:{}", function.rid) == name
        });
        let unknown = || rules::ATTRIBUTE_VALUE.refuse(Errno::ENODEV);
        Ok(found.ok_or_else(unknown)?.rid)
    }

    fn unbind(
        &mut self,
        rid: Rid,
        value: &str,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        if self.pci.driver(rid).is_none() {
            return Err(absent());
        }
        if self.named_function(value)? != rid {
            return Err(rules::ATTRIBUTE_VALUE.refuse(Errno::ENODEV));
        }
        self.see_off(rid, Leave::Driver, tasks, host)
    }

    fn set_parameter(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        match name {
            "allow_unsafe_interrupts" => {
                self.params.allow_unsafe_interrupts = boolean(value)?;
            }
            "disable_hugepages" => {
                self.params.disable_hugepages = boolean(value)?;
            }
            "dma_entry_limit" => {
                self.params.dma_entry_limit = unsigned(value)?;
            }
            _ => return Err(absent()),
        }
        Ok(())
    }

    /// Reads a sysfs attribute; booleans read `Y` or `N`, and every text ends with a newline.
    pub(crate) fn read_attribute(&self, path: &str) -> Answer {
        let yes_no = |value: bool| if value { "Y".to_owned() } else { "N".to_owned() };
        let text = match path.strip_prefix(PARAMETERS) {
            Some("allow_unsafe_interrupts") => yes_no(self.params.allow_unsafe_interrupts),
            Some("disable_hugepages") => yes_no(self.params.disable_hugepages),
            Some("dma_entry_limit") => self.params.dma_entry_limit.to_string(),
            _ => return Answer::refused(absent()),
        };
        Answer { ret: Ok(text.len() as i64 + 1), bytes: format!("{text}\n").into_bytes() }
    }

    /// Follows the `driver` link of a PCI device.
    pub(crate) fn readlink(&self, path: &str) -> Answer {
        let device = path.strip_suffix("/driver").map(|device| format!("{device}/"));
        let found = device.as_deref().and_then(|device| self.pci_attribute(device));
        let driver = found.and_then(|(rid, _)| Some((rid, self.pci.driver(rid)?)));
        let Some((rid, driver)) = driver else { return Answer::refused(absent()) };
        // Devices on the root bus are four directories below /sys/devices, and each bridge above
        // adds one: platform, host bridge, bus, device.
        let up = "../".repeat(5 + self.bridges_above(rid));
        let target = format!("{up}bus/pci/drivers/{driver}");
        Answer { ret: Ok(target.len() as i64), bytes: target.into_bytes() }
    }

    /// Number of bridges between a function and the root bus.
    fn bridges_above(&self, rid: Rid) -> usize {
        let mut above = 0;
        let mut bus = rid.bus();
        while bus != 0 && above < 256 {
            // PCI-to-PCI bridge 1.2, 3.2.5.3: the secondary bus number is at 0x19.
            let mut functions = self.topology.functions().iter();
            let bridge = functions.find(|function| {
                function.config_byte(0x0e) & 0x7f == 1 && function.config_byte(0x19) == bus
            });
            // A root bus need not be bus 0, and virtual functions are on the bus of their physical
            // function.
            let Some(bridge) = bridge else { return above };
            above += 1;
            bus = bridge.rid.bus();
        }
        above
    }

    /// `ftruncate` of a plain file.
    pub(crate) fn truncate(
        &mut self,
        pid: Pid,
        fd: i32,
        len: u64,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let file = self.file(pid, fd)?;
        match self.files.kind(file) {
            Some(&FileKind::Plain(number)) => {
                self.processes.truncate(number, len, &mut self.frames, host.memory_mut());
                Ok(0)
            }
            _ => Err(bad_value()),
        }
    }

    /// `pread`.
    pub(crate) fn pread(
        &mut self,
        pid: Pid,
        fd: i32,
        offset: u64,
        len: usize,
        host: &mut impl Host,
    ) -> Answer {
        let file = match self.file(pid, fd) {
            Ok(file) => file,
            Err(refusal) => return Answer::refused(refusal),
        };
        match self.files.kind(file) {
            Some(&FileKind::Config(rid)) => self.read_config(rid, offset, len, host),
            Some(&FileKind::Device { rid, .. }) => self.read_device(rid, offset, len, host),
            Some(FileKind::Proc(path)) if path == INTERRUPTS => {
                let lines = self.interrupts();
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                let rest =
                    text.as_bytes().iter().skip(usize::try_from(offset).unwrap_or(usize::MAX));
                let bytes: Vec<u8> = rest.take(len).copied().collect();
                Answer { ret: Ok(bytes.len() as i64), bytes }
            }
            _ => Answer::refused(rules::NOT_MODELLED.refuse(Errno::EINVAL)),
        }
    }

    /// `pwrite`.
    pub(crate) fn pwrite(
        &mut self,
        pid: Pid,
        fd: i32,
        offset: u64,
        bytes: &[u8],
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let file = self.file(pid, fd)?;
        match self.files.kind(file) {
            Some(&FileKind::Device { rid, .. }) => self.write_device(rid, offset, bytes, host),
            _ => Err(rules::NOT_MODELLED.refuse(Errno::EINVAL)),
        }
    }
}

#[cfg(test)]
mod tests;
