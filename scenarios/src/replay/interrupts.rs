//! Messages in a recording: registers of devices, frames, `/proc/interrupts`.

use passim_model::{Host, PhysAddr, Rid, UserAddr, Width};

use super::Replayer;
use super::compare::Place;
use super::perform::Taken;
use super::report::Difference;
use crate::machine::Gic;
use crate::recording::dump::FrameDump;
use crate::recording::line::{MsiCap, MsixCap, MsixEntry};
use crate::recording::step::{Dump, Mmap};

/// The file from which `proc_interrupts` lines are read.
const INTERRUPTS: &str = "/proc/interrupts";

/// A BAR that a process has mapped through its file in sysfs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MappedBar {
    rid: Rid,
    bar: u8,
    /// Offset in the BAR of the first byte mapped.
    offset: u64,
    len: u64,
    va: UserAddr,
}

/// PCI 3.0 6.8.1 and 6.8.2: offsets in the capabilities, as far as recordings contain them.
mod offset {
    pub(super) const CONTROL: u64 = 2;
    pub(super) const ADDRESS: u64 = 4;
    pub(super) const ADDRESS_UPPER: u64 = 8;
    /// In a capability whose address has 32 and 64 bits.
    pub(super) const DATA: [u64; 2] = [8, 12];
    pub(super) const TABLE: u64 = 4;
    pub(super) const PBA: u64 = 8;
    /// Message control of MSI: the address has 64 bits.
    pub(super) const WIDE: u64 = 1 << 7;
}

/// `/sys/bus/pci/devices/0000:00:02.0/resource3`: the device, and the number of its BAR.
fn resource(path: &str) -> Option<(Rid, u8)> {
    let (name, file) = path.strip_prefix("/sys/bus/pci/devices/")?.split_once('/')?;
    Some((Rid::parse(name)?, file.strip_prefix("resource")?.parse().ok()?))
}

impl Replayer<'_> {
    /// A register of the configuration space of `dev`, as a CPU loads it.
    fn config(&mut self, dev: Rid, at: u64, width: Width) -> Option<u64> {
        let ecam = self.machine.ecam.get();
        let at = PhysAddr::new(ecam + (u64::from(dev.get()) << 12) + at);
        self.system.board.load(at, width).ok()
    }

    pub(super) fn msi_cap(&mut self, number: u64, line: &MsiCap) -> Taken {
        let place = Place { line: number, call: format!("MSI capability of {}", line.dev) };
        let at = self.machine.function(line.dev).and_then(|function| function.msi);
        let read = at.and_then(|at| self.read_msi(line.dev, at.into()));
        let Some((flags, address, data)) = read else {
            return Taken::Compared(Some(place.differs("has one", "has none")));
        };
        let difference = place.number("flags", line.flags.into(), flags);
        let difference = difference.or_else(|| place.number("address", line.addr.get(), address));
        Taken::Compared(difference.or_else(|| place.number("data", line.data.into(), data)))
    }

    fn read_msi(&mut self, dev: Rid, at: u64) -> Option<(u64, u64, u64)> {
        let flags = self.config(dev, at + offset::CONTROL, Width::W16)?;
        let wide = flags & offset::WIDE != 0;
        let low = self.config(dev, at + offset::ADDRESS, Width::W32)?;
        let upper = match wide {
            true => self.config(dev, at + offset::ADDRESS_UPPER, Width::W32)?,
            false => 0,
        };
        let data = self.config(dev, at + offset::DATA[usize::from(wide)], Width::W16)?;
        Some((flags, upper << 32 | low, data))
    }

    pub(super) fn msix_cap(&mut self, number: u64, line: &MsixCap) -> Taken {
        let place = Place { line: number, call: format!("MSI-X capability of {}", line.dev) };
        let at = self.machine.function(line.dev).and_then(|function| function.msix);
        let read = at.and_then(|at| {
            let at = u64::from(at);
            let flags = self.config(line.dev, at + offset::CONTROL, Width::W16)?;
            let table = self.config(line.dev, at + offset::TABLE, Width::W32)?;
            Some((flags, table, self.config(line.dev, at + offset::PBA, Width::W32)?))
        });
        let Some((flags, table, pba)) = read else {
            return Taken::Compared(Some(place.differs("has one", "has none")));
        };
        let recorded = u64::from(line.table_off) | u64::from(line.table_bir);
        let difference = place.number("flags", line.flags.into(), flags);
        let difference = difference.or_else(|| place.number("table", recorded, table));
        let difference = difference.or_else(|| place.number("pending bits", line.pba.into(), pba));
        let entries = (flags & 0x7ff) + 1;
        Taken::Compared(
            difference.or_else(|| place.number("entries", line.entries.into(), entries)),
        )
    }

    /// An entry of the MSI-X table, through the process's own mapping of the BAR where it has one.
    pub(super) fn msix_entry(&mut self, number: u64, line: &MsixEntry) -> Taken {
        const ENTRY_BYTES: u64 = 16;
        let call = format!("MSI-X entry {} of {}", line.index, line.dev);
        let place = Place { line: number, call };
        let table = self.machine.function(line.dev).and_then(|function| function.msix_table());
        let bytes = table.and_then(|table| {
            let at = u64::from(table.offset) + u64::from(line.index) * ENTRY_BYTES;
            self.read_bar(line.dev, table.bar, at, ENTRY_BYTES)
        });
        let Some(bytes) = bytes else {
            return Taken::Compared(Some(place.differs("has one", "cannot be read")));
        };
        let mut recorded = line.addr.get().to_le_bytes().to_vec();
        recorded.extend(line.data.to_le_bytes());
        recorded.extend(line.ctl.to_le_bytes());
        Taken::Compared(place.bytes("entry", &recorded, &bytes))
    }

    fn read_bar(&mut self, dev: Rid, bar: u8, at: u64, len: u64) -> Option<Vec<u8>> {
        let covers = |mapped: &&MappedBar| {
            let from = at.checked_sub(mapped.offset);
            let fits = from.is_some_and(|from| from.saturating_add(len) <= mapped.len);
            (mapped.rid, mapped.bar) == (dev, bar) && fits
        };
        if let Some(mapped) = self.registers.iter().rev().find(covers) {
            let (va, pid) = (mapped.va.checked_add(at - mapped.offset)?, self.pid()?);
            return self.system.read_memory(pid, va, usize::try_from(len).ok()?).ok();
        }
        let start = self.system.topology().function(dev)?.bar(bar)?.span.start();
        let mut bytes = Vec::new();
        for word in 0..len / 4 {
            let at = start.checked_add(at + 4 * word)?;
            let word = self.system.board.load(at, Width::W32).ok()? as u32;
            bytes.extend(word.to_le_bytes());
        }
        Some(bytes)
    }

    /// Records a mapped file: if it is a BAR, its registers are read through the mapping.
    pub(super) fn note_registers(&mut self, va: UserAddr, mmap: &Mmap) {
        let path = mmap.fd.and_then(|fd| self.file_name(fd));
        if let Some((rid, bar)) = path.and_then(resource) {
            let offset = mmap.offset.unwrap_or(0);
            self.registers.push(MappedBar { rid, bar, offset, len: mmap.len, va });
        }
    }

    pub(super) fn forget_registers(&mut self, va: UserAddr) {
        self.registers.retain(|mapped| mapped.va != va);
    }

    /// Compares a dump of the interrupt controller: an ITS, or the registers of a GICv2m frame.
    pub(super) fn controller_dump(&mut self, number: u64, dump: &Dump) -> Taken {
        if let Gic::Its(_) = self.machine.gic {
            return self.its_dump(number, dump);
        }
        let Some(path) = self.found.dump(&dump.file_stem()) else {
            return Taken::Skipped("dump its", "no dump lies beside the recording");
        };
        let recorded = match FrameDump::read(&path) {
            Ok(recorded) => recorded,
            Err(error) => return Taken::Unreadable(error),
        };
        let call = format!("dump {}: frame at {}", dump.name, recorded.frame);
        let place = Place { line: number, call };
        /// Arm SBSA, GICv2m: offsets in the frame.
        const TYPER: u64 = 0x008;
        const IIDR: u64 = 0xfcc;
        let registers = [("MSI_TYPER", TYPER, recorded.typer), ("MSI_IIDR", IIDR, recorded.iidr)];
        Taken::Compared(registers.into_iter().find_map(|(name, at, kernel)| {
            let at = recorded.frame.checked_add(at);
            match at.map(|at| self.system.board.load(at, Width::W32)) {
                Some(Ok(model)) => place.number(name, kernel.into(), model),
                _ => Some(place.differs(format!("{name} {kernel:#x}"), "nothing answers")),
            }
        }))
    }

    /// Called when a file is opened: for `/proc/interrupts`, keeps the model's lines of VFIO's
    /// interrupts.
    pub(super) fn list_interrupts(&mut self, path: &str) {
        if path == INTERRUPTS {
            let lines = self.system.kernel.interrupts();
            let of_vfio = lines.iter().filter(|line| line.name.starts_with("vfio-"));
            self.interrupts = of_vfio.map(ToString::to_string).collect();
        }
    }

    pub(super) fn interrupt_line(&mut self, number: u64, recorded: &str) -> Taken {
        let place = Place { line: number, call: INTERRUPTS.to_owned() };
        if !self.has_open(INTERRUPTS) {
            return Taken::Compared(Some(place.differs("read", "the file is not open")));
        }
        let model = self.interrupts.pop_front().unwrap_or_else(|| "no further line".to_owned());
        Taken::Compared((model != recorded).then(|| place.differs(recorded, model)))
    }

    /// Called when a descriptor is closed: every line of the model must have been in the recording.
    pub(super) fn interrupts_left(&mut self, place: &Place, fd: i32) -> Option<Difference> {
        if self.file_name(fd) != Some(INTERRUPTS) {
            return None;
        }
        let left = std::mem::take(&mut self.interrupts);
        Some(place.differs("no further line", left.front()?.as_str()))
    }
}
