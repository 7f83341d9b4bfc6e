//! Device files: what a PCI function shows of itself through VFIO.
//!
//! Regions and interrupts are described here. Interrupts are not delivered here.

use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::process::{AreaKind, FileId, Pid};
use crate::rules;
use crate::type1::fixed_bytes_written;
use crate::uapi::{Buffer, DeviceInfo, Header, IrqInfo, RegionInfo, ioctl, irq, region};
use passim_model::topology::{Bar, BarKind, Function};
use passim_model::{Conflict, Errno, PhysAddr, Refusal, Rid};
use std::collections::BTreeSet;

/// What is known of a device while files of it are open.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct DeviceState {
    /// Open files.
    pub(crate) files: u32,
    /// BARs that VFIO has used since the first was opened.
    pub(crate) claimed: BTreeSet<u8>,
}

/// Message vectors of a function.
pub(crate) fn vectors(function: &Function, index: u32) -> u32 {
    let control =
        |capability: Option<u16>| capability.map(|at| function.config_u16(u32::from(at) + 2));
    match index {
        // PCI 3.0 6.2.4: a function without a pin has no legacy interrupt.
        irq::INTX => u32::from(function.config_byte(0x3d) != 0),
        // PCI 3.0 6.8.1.3: Multiple Message Capable, log2, bits 3 to 1.
        irq::MSI => control(function.msi).map_or(0, |flags| 1 << (flags >> 1 & 7)),
        // PCI 3.0 6.8.2.3: table size less one, bits 10 to 0.
        irq::MSIX => control(function.msix).map_or(0, |flags| u32::from(flags & 0x7ff) + 1),
        irq::ERR => u32::from(function.pcie.is_some()),
        _ => 1,
    }
}

/// The BAR that holds the MSI-X table.
fn msix_bar(function: &Function) -> Option<u8> {
    let at = u32::from(function.msix?);
    // PCI 3.0 6.8.2.4: the low three bits of the table's offset register name the BAR.
    Some(function.config_byte(at + 4) & 7)
}

/// EINVAL if argsz is below what the call reads.
fn judge_argsz(argsz: u32, needs: usize) -> Result<(), Refusal> {
    if (argsz as usize) < needs {
        let conflict = Conflict::Short { got: u64::from(argsz), needs: needs as u64 };
        return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
    }
    Ok(())
}

impl Kernel {
    /// Serves an ioctl on a device file.
    pub(crate) fn device_ioctl(
        &mut self,
        _pid: Pid,
        rid: Rid,
        request: u32,
        buffer: &mut Buffer,
    ) -> Result<i64, Refusal> {
        match request {
            ioctl::DEVICE_GET_INFO => self.device_info(rid, buffer),
            ioctl::DEVICE_GET_REGION_INFO => self.region_info(rid, buffer),
            ioctl::DEVICE_GET_IRQ_INFO => self.irq_info(rid, buffer),
            ioctl::DEVICE_SET_IRQS => self.set_irqs(rid, buffer),
            ioctl::DEVICE_RESET => self.reset(rid),
            ioctl::DEVICE_GET_PCI_HOT_RESET_INFO => self.hot_reset_info(rid, buffer),
            ioctl::DEVICE_PCI_HOT_RESET => {
                judge_argsz(Header::read(buffer)?.argsz, 12)?;
                Err(rules::NOT_MODELLED.refuse(Errno::EINVAL))
            }
            ioctl::DEVICE_IOEVENTFD => {
                if Header::read(buffer)?.argsz < 32 {
                    return Err(rules::IOEVENTFD_SHAPE.refuse(Errno::EINVAL));
                }
                Err(rules::NOT_MODELLED.refuse(Errno::EINVAL))
            }
            ioctl::DEVICE_FEATURE => {
                if Header::read(buffer)?.argsz < 8 {
                    return Err(rules::DEVICE_FEATURE_SHAPE.refuse(Errno::EINVAL));
                }
                Err(rules::NOT_MODELLED.refuse(Errno::ENOTTY))
            }
            _ => Err(rules::IOCTL_UNKNOWN
                .refuse_for(Errno::ENOTTY, Conflict::Unknown(u64::from(request)))),
        }
    }

    fn function(&self, rid: Rid) -> &Function {
        self.topology.function(rid).expect("a device file names a function of the machine")
    }

    fn device_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
        const FLAG_RESET: u32 = 1 << 0;
        const FLAG_PCI: u32 = 1 << 1;
        buffer.copy_in::<16>(0)?;
        let argsz = Header::read(buffer)?.argsz;
        judge_argsz(argsz, 16)?;
        let reset = if self.function(rid).resettable { FLAG_RESET } else { 0 };
        let header = Header { argsz, flags: FLAG_PCI | reset };
        let info = DeviceInfo { header, regions: region::COUNT, irqs: irq::COUNT, cap_offset: 0 };
        let written = fixed_bytes_written(argsz, &self.policy);
        buffer.copy_out(0, &info.to_bytes()[..written])?;
        Ok(0)
    }

    fn region_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
        let mut info = RegionInfo::read(buffer)?;
        judge_argsz(info.header.argsz, RegionInfo::BYTES)?;
        let function = self.function(rid);
        let read_write = region::FLAG_READ | region::FLAG_WRITE;
        let mut capability = None;
        (info.header.flags, info.size) = match info.index {
            0..region::ROM => match function.bar(info.index as u8) {
                None => (0, 0),
                Some(bar) => {
                    let size = bar.span.size_minus_one() + 1;
                    let mut flags = read_write;
                    if self.is_mappable(bar) {
                        flags |= region::FLAG_MMAP;
                        if msix_bar(function) == Some(bar.index) {
                            flags |= region::FLAG_CAPS;
                            capability = Some(region::CAP_MSIX_MAPPABLE);
                        }
                    }
                    (flags, size)
                }
            },
            region::ROM => match function.bar(region::ROM as u8) {
                None => (0, 0),
                Some(bar) => (region::FLAG_READ, bar.span.size_minus_one() + 1),
            },
            region::CONFIG => (read_write, u64::from(function.config_size)),
            other => {
                let conflict = Conflict::Unknown(u64::from(other));
                return Err(rules::REGION_INDEX.refuse_for(Errno::EINVAL, conflict));
            }
        };
        info.offset = u64::from(info.index) << region::OFFSET_LG2;
        if let Some(id) = capability {
            const CAP_BYTES: usize = 8;
            let needed = (RegionInfo::BYTES + CAP_BYTES) as u32;
            if info.header.argsz < needed {
                // measured on 6.1 and 6.12: success, argsz says what it would take.
                info.header.argsz = needed;
                info.cap_offset = 0;
            } else {
                let mut bytes = [0; CAP_BYTES];
                bytes[0..2].copy_from_slice(&id.to_le_bytes());
                bytes[2..4].copy_from_slice(&1u16.to_le_bytes());
                buffer.copy_out(RegionInfo::BYTES, &bytes)?;
                info.cap_offset = RegionInfo::BYTES as u32;
            }
        }
        buffer.copy_out(0, &info.to_bytes())?;
        Ok(0)
    }

    fn irq_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
        let mut info = IrqInfo::read(buffer)?;
        judge_argsz(info.header.argsz, IrqInfo::BYTES)?;
        let function = self.function(rid);
        let absent = info.index == irq::ERR && function.pcie.is_none();
        if info.index >= irq::COUNT || absent {
            let conflict = Conflict::Unknown(u64::from(info.index));
            return Err(rules::IRQ_INDEX.refuse_for(Errno::EINVAL, conflict));
        }
        info.count = vectors(function, info.index);
        info.header.flags = irq::FLAG_EVENTFD
            | if info.index == irq::INTX {
                irq::FLAG_MASKABLE | irq::FLAG_AUTOMASKED
            } else {
                irq::FLAG_NORESIZE
            };
        buffer.copy_out(0, &info.to_bytes())?;
        Ok(0)
    }

    /// VFIO_DEVICE_SET_IRQS, as far as its header goes.
    fn set_irqs(&mut self, _rid: Rid, buffer: &Buffer) -> Result<i64, Refusal> {
        const HEADER_BYTES: usize = 20;
        buffer.copy_in::<HEADER_BYTES>(0)?;
        if (Header::read(buffer)?.argsz as usize) < HEADER_BYTES {
            return Err(rules::SET_IRQS_SHAPE.refuse(Errno::EINVAL));
        }
        Err(rules::NOT_MODELLED.refuse(Errno::EINVAL))
    }

    fn reset(&mut self, rid: Rid) -> Result<i64, Refusal> {
        if !self.function(rid).resettable {
            let conflict = Conflict::Device(rid);
            return Err(rules::RESET_UNSUPPORTED.refuse_for(Errno::EINVAL, conflict));
        }
        Ok(0)
    }

    /// VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: who would be reset along with the device.
    fn hot_reset_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
        const HEADER_BYTES: usize = 12;
        const ENTRY_BYTES: usize = 8;
        buffer.copy_in::<HEADER_BYTES>(0)?;
        let argsz = Header::read(buffer)?.argsz;
        judge_argsz(argsz, HEADER_BYTES)?;
        if rid.bus() == 0 {
            // measured on 6.1 and 6.12: nothing above the root bus can reset it.
            let conflict = Conflict::Device(rid);
            return Err(rules::HOT_RESET_NO_SLOT.refuse_for(Errno::ENODEV, conflict));
        }
        let functions = self.topology.functions().iter();
        let along: Vec<_> = functions.filter(|function| function.rid.bus() == rid.bus()).collect();
        let needs = HEADER_BYTES + along.len() * ENTRY_BYTES;
        buffer.copy_out(4, &0u32.to_le_bytes())?;
        buffer.copy_out(8, &(along.len() as u32).to_le_bytes())?;
        if (argsz as usize) < needs {
            let conflict = Conflict::Short { got: u64::from(argsz), needs: needs as u64 };
            return Err(rules::ARGSZ_SHORT.refuse_for(Errno::ENOSPC, conflict));
        }
        for (k, function) in along.into_iter().enumerate() {
            let mut entry = [0; ENTRY_BYTES];
            entry[0..4].copy_from_slice(&function.group.unwrap_or(u32::MAX).to_le_bytes());
            entry[6] = function.rid.bus();
            entry[7] = (function.rid.get() & 0xff) as u8;
            buffer.copy_out(HEADER_BYTES + k * ENTRY_BYTES, &entry)?;
        }
        Ok(0)
    }

    /// A memory BAR is mappable if it owns every page it touches.
    pub(crate) fn is_mappable(&self, bar: &Bar) -> bool {
        if bar.kind != BarKind::Memory {
            return false;
        }
        if bar.span.size_minus_one() >= self.page.mask() {
            return true;
        }
        // measured with 16K and 64K pages: a small BAR at the start of a page is mappable if
        // nothing else lies in that page.
        let lg2 = self.page.lg2();
        let first = bar.span.start();
        let alone = |other: &Bar| {
            other.kind != BarKind::Memory
                || other.span == bar.span
                || other.index > region::ROM as u8
                || other.span.last().align_down(lg2) < first.align_down(lg2)
                || other.span.start().align_down(lg2) > first.align_down(lg2)
        };
        let mut bars = self.topology.functions().iter().flat_map(|function| &function.bars);
        first.is_aligned(lg2) && bars.all(alone)
    }

    /// What an `mmap` of a file shows.
    ///
    /// # Errors
    /// EINVAL by `bar-not-mappable` or `resource-claimed`.
    pub(crate) fn file_area(
        &mut self,
        pid: Pid,
        fd: i32,
        offset: u64,
        len: u64,
    ) -> Result<AreaKind, Refusal> {
        let file = self.file(pid, fd)?;
        match self.files.kind(file).cloned() {
            Some(FileKind::Plain(number)) => Ok(AreaKind::File { number, offset }),
            Some(FileKind::Device { rid, .. }) => {
                let index = offset >> region::OFFSET_LG2;
                let within = offset & ((1 << region::OFFSET_LG2) - 1);
                let base = self.bar_page(rid, index, within, len)?;
                Ok(AreaKind::Device { base, file })
            }
            Some(FileKind::Platform { number, .. }) => {
                let base = self.platform_page(number, offset, len)?;
                Ok(AreaKind::Device { base, file })
            }
            Some(FileKind::Resource { rid, bar }) => {
                let state = self.devices.get(&rid);
                let claimed = state.is_some_and(|state| state.claimed.contains(&bar));
                if claimed && self.io_strict_devmem {
                    let conflict = Conflict::Device(rid);
                    return Err(rules::RESOURCE_CLAIMED.refuse_for(Errno::EINVAL, conflict));
                }
                let base = self.bar_page(rid, u64::from(bar), offset, len)?;
                Ok(AreaKind::Device { base, file })
            }
            _ => {
                Err(rules::BAR_NOT_MAPPABLE.refuse_for(Errno::EINVAL, Conflict::Fd(i64::from(fd))))
            }
        }
    }

    /// The physical address of a part of a mappable BAR.
    fn bar_page(&self, rid: Rid, index: u64, within: u64, len: u64) -> Result<PhysAddr, Refusal> {
        let refusal = rules::BAR_NOT_MAPPABLE.refuse_for(Errno::EINVAL, Conflict::Device(rid));
        // 6.12 vfio_pci: the ROM is read through the file only, and nothing lies beyond it.
        let bars = u64::from(region::ROM);
        let index = u8::try_from(index).ok().filter(|&index| u64::from(index) < bars);
        let function = self.topology.function(rid);
        let bar = function.zip(index).and_then(|(function, index)| function.bar(index));
        let bar = bar.filter(|bar| self.is_mappable(bar)).ok_or(refusal)?;
        // The last page may reach beyond a BAR smaller than a page.
        let size = (bar.span.size_minus_one() | self.page.mask()).checked_add(1).ok_or(refusal)?;
        let end = within.checked_add(len).ok_or(refusal)?;
        if end > size || !self.page.divides(within) {
            return Err(refusal);
        }
        bar.span.start().checked_add(within).ok_or(refusal)
    }

    /// VFIO uses the BAR that `offset` of a device's file lies in.
    pub(crate) fn claim_bar(&mut self, file: FileId, offset: u64) {
        if let Some(&FileKind::Device { rid, .. }) = self.files.kind(file)
            && let Ok(bar) = u8::try_from(offset >> region::OFFSET_LG2)
        {
            self.devices.entry(rid).or_default().claimed.insert(bar);
        }
    }

    /// A device file is open.
    pub(crate) fn count_device_file(&mut self, rid: Rid) {
        self.devices.entry(rid).or_default().files += 1;
    }

    /// A device file is gone.
    pub(crate) fn release_device_file(&mut self, rid: Rid, group_file: FileId) {
        if let Some(state) = self.devices.get_mut(&rid) {
            state.files -= 1;
            if state.files == 0 {
                self.devices.remove(&rid);
            }
        }
        if let Some(&FileKind::Group(number)) = self.files.kind(group_file)
            && let Some(group) = self.groups.get_mut(&number)
        {
            group.device_files -= 1;
        }
    }
}
