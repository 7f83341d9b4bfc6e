//! Device information: the regions, interrupts and resets that a device file reports.
//!
//! Not here: which functions are reset together with a device (`hot_reset`).

use crate::kernel::Kernel;
use crate::msi::{MessageKind, table_place};
use crate::rules;
use crate::type1::fixed_bytes_written;
use crate::uapi::{Buffer, DeviceInfo, Header, IrqInfo, RegionInfo, irq, region};
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
                // measured on 6.1 and 6.12: success, argsz returns the size needed.
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
        // 6.5 vfio_pci_ioctl_get_irq_info: has_dyn_msix decides whether vectors of MSI-X can be
        // added one at a time.
        let grows = self.has_vectors_one_by_one(MessageKind::Msix);
        info.header.flags = irq::FLAG_EVENTFD
            | match info.index {
                irq::INTX => irq::FLAG_MASKABLE | irq::FLAG_AUTOMASKED,
                irq::MSIX if grows && function.msix.is_some() => 0,
                _ => irq::FLAG_NORESIZE,
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
}
