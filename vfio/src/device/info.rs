//! What a device file says of its device: regions, interrupts, resets.

use crate::kernel::Kernel;
use crate::msi::table_place;
use crate::rules;
use crate::type1::fixed_bytes_written;
use crate::uapi::{Buffer, DeviceInfo, Header, IrqInfo, RegionInfo, irq, region};
use passim_model::topology::Function;
use passim_model::{Conflict, Errno, Refusal, Rid};

use super::{judge_argsz, vectors};

impl Kernel {
    pub(super) fn device_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
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

    pub(super) fn region_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
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
                        if table_place(function).is_some_and(|(index, _)| index == bar.index) {
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

    pub(super) fn irq_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
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

    /// VFIO_DEVICE_RESET.
    pub(super) fn reset(&mut self, rid: Rid) -> Result<i64, Refusal> {
        if !self.function(rid).resettable {
            let conflict = Conflict::Device(rid);
            return Err(rules::RESET_UNSUPPORTED.refuse_for(Errno::EINVAL, conflict));
        }
        Ok(0)
    }

    /// VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: who would be reset along with the device.
    pub(super) fn hot_reset_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
        const HEADER_BYTES: usize = 12;
        const ENTRY_BYTES: usize = 8;
        buffer.copy_in::<HEADER_BYTES>(0)?;
        let argsz = Header::read(buffer)?.argsz;
        judge_argsz(argsz, HEADER_BYTES)?;
        let Some(along) = self.reset_along(rid) else {
            // measured on 6.1 and 6.12: nothing above a root bus can reset it.
            let conflict = Conflict::Device(rid);
            return Err(rules::HOT_RESET_NO_SLOT.refuse_for(Errno::ENODEV, conflict));
        };
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

    /// The functions that a reset of the bus of `rid` resets: those on it and on the buses behind
    /// it. `None` where no bridge leads to that bus: a root bus, whatever its number, or one that
    /// only virtual functions are on.
    // 6.12 pci.c, pci_bus_reset: a bus without a bridge is not reset. vfio_pci_core.c walks the bus.
    fn reset_along(&self, rid: Rid) -> Option<Vec<&Function>> {
        let there = || self.topology.functions().iter().filter(|it| self.pci.exists(it.rid));
        let secondary = |function: &Function| {
            // PCI-to-PCI bridge 1.2, 3.2.5.3: the secondary bus number is at 0x19.
            let is_bridge = function.config_byte(0x0e) & 0x7f == 1;
            is_bridge.then(|| function.config_byte(0x19))
        };
        there().find(|it| secondary(it) == Some(rid.bus()))?;
        let mut buses = vec![rid.bus()];
        // Buses are numbered from 0 to 255, so this ends.
        for at in 0..=usize::from(u8::MAX) {
            let Some(&bus) = buses.get(at) else { break };
            let behind = there().filter(|it| it.rid.bus() == bus).filter_map(secondary);
            let new: Vec<u8> = behind.filter(|bus| !buses.contains(bus)).collect();
            buses.extend(new);
        }
        Some(there().filter(|it| buses.contains(&it.rid.bus())).collect())
    }
}
