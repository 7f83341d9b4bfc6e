//! Platform devices: their drivers, and their files through VFIO.
//!
//! vfio-platform refuses a device without a known reset; here the module is loaded with
//! `reset_required=0`, so that it accepts every device.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wires` | SET_IRQS: which eventfds do its wires signal? |

mod wires;

use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::process::{FileId, Pid};
use crate::rules;
use crate::uapi::{Buffer, DeviceInfo, Header, IrqInfo, RegionInfo, ioctl, irq, region};
use passim_model::topology::Platform;
use passim_model::{Conflict, Endpoint, Errno, Host, PhysAddr, Refusal, Topology};
use std::collections::BTreeMap;
use wires::Wire;

/// The driver whose devices VFIO serves. It leaves DMA to the group's owner.
// 6.12 vfio_platform.c: driver_managed_dma.
const VFIO_PLATFORM: &str = "vfio-platform";

/// A device while files of it are open.
#[derive(Debug)]
struct OpenPlatform {
    files: u32,
    wires: Vec<Wire>,
}

/// Driver bindings of platform devices, which change only when a driver is unbound, and open
/// devices.
pub(crate) struct Platforms {
    bindings: Vec<(u16, u32, String)>,
    open: BTreeMap<u16, OpenPlatform>,
}

impl Platforms {
    /// Bindings as the machine boots.
    pub(crate) fn boot(topology: &Topology) -> Self {
        let devices = (0..).zip(topology.platforms());
        let bound = devices.filter_map(|(number, device)| {
            Some((number, device.group?, device.boot_driver.clone()?))
        });
        Self { bindings: bound.collect(), open: BTreeMap::new() }
    }

    fn members(&self, group: u32, vfio: bool) -> impl Iterator<Item = Endpoint> + '_ {
        let members = self.bindings.iter().filter(move |(_, of, _)| *of == group);
        let members = members.filter(move |(.., driver)| (driver == VFIO_PLATFORM) == vfio);
        members.map(|(number, ..)| Endpoint::Platform(*number))
    }

    /// Members of a group that are bound to VFIO, ascending.
    pub(crate) fn vfio_members(&self, group: u32) -> impl Iterator<Item = Endpoint> + '_ {
        self.members(group, true)
    }

    /// Every device bound to VFIO, ascending.
    pub(crate) fn served(&self) -> impl Iterator<Item = Endpoint> + '_ {
        let served = self.bindings.iter().filter(|(.., driver)| driver == VFIO_PLATFORM);
        served.map(|(number, ..)| Endpoint::Platform(*number))
    }

    /// Unbinds a device's driver.
    pub(crate) fn unbind(&mut self, device: Endpoint) {
        self.bindings.retain(|(number, ..)| Endpoint::Platform(*number) != device);
    }

    /// A member of the group whose driver does its own DMA, if any.
    pub(crate) fn dma_driver_in(&self, group: u32) -> Option<Endpoint> {
        self.members(group, false).next()
    }
}

fn judge_argsz(argsz: u32, needs: usize) -> Result<(), Refusal> {
    if (argsz as usize) < needs {
        let conflict = Conflict::Short { got: u64::from(argsz), needs: needs as u64 };
        return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
    }
    Ok(())
}

impl Kernel {
    /// The platform device of a group that VFIO serves under this name.
    pub(crate) fn platform_named(&self, group: u32, name: &str) -> Option<Endpoint> {
        let mut members = self.platforms.vfio_members(group);
        members.find(|member| match member {
            Endpoint::Platform(number) => self.platform(*number).name == name,
            Endpoint::Pci(_) => false,
        })
    }

    fn platform(&self, number: u16) -> &Platform {
        self.topology.platform(number).expect("a binding or a file names a device of the machine")
    }

    /// Serves an ioctl on the file of a platform device.
    pub(crate) fn platform_ioctl(
        &mut self,
        pid: Pid,
        number: u16,
        request: u32,
        buffer: &mut Buffer,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        match request {
            ioctl::DEVICE_GET_INFO => self.platform_info(number, buffer),
            ioctl::DEVICE_GET_REGION_INFO => self.platform_region(number, buffer),
            ioctl::DEVICE_GET_IRQ_INFO => self.platform_irq(number, buffer),
            ioctl::DEVICE_SET_IRQS => self.set_wire(pid, number, buffer, tasks, host),
            ioctl::DEVICE_RESET if self.platform(number).resettable => Ok(0),
            ioctl::DEVICE_RESET => {
                let conflict = Conflict::Platform(number);
                Err(rules::RESET_UNSUPPORTED.refuse_for(Errno::EINVAL, conflict))
            }
            _ => Err(rules::unknown_ioctl(request)),
        }
    }

    fn platform_info(&mut self, number: u16, buffer: &mut Buffer) -> Result<i64, Refusal> {
        const FLAG_RESET: u32 = 1 << 0;
        const FLAG_PLATFORM: u32 = 1 << 2;
        buffer.copy_in::<16>(0)?;
        let argsz = Header::read(buffer)?.argsz;
        judge_argsz(argsz, 16)?;
        let device = self.platform(number);
        let reset = if device.resettable { FLAG_RESET } else { 0 };
        let header = Header { argsz, flags: FLAG_PLATFORM | reset };
        let (regions, irqs) = (device.regions.len() as u32, device.wires.len() as u32);
        let info = DeviceInfo { header, regions, irqs, cap_offset: 0 };
        // 6.12 vfio_platform_common.c copies out what it copied in, up to num_irqs.
        buffer.copy_out(0, &info.to_bytes()[..16])?;
        Ok(0)
    }

    fn platform_region(&mut self, number: u16, buffer: &mut Buffer) -> Result<i64, Refusal> {
        let mut info = RegionInfo::read(buffer)?;
        judge_argsz(info.header.argsz, RegionInfo::BYTES)?;
        let found = self.platform(number).regions.get(info.index as usize);
        let Some(span) = found.copied() else {
            let conflict = Conflict::Unknown(u64::from(info.index));
            return Err(rules::REGION_INDEX.refuse_for(Errno::EINVAL, conflict));
        };
        info.size = span.size_minus_one().wrapping_add(1);
        info.offset = u64::from(info.index) << region::OFFSET_LG2;
        let whole_pages = self.page.divides(span.start().get()) && self.page.divides(info.size);
        info.header.flags = region::FLAG_READ
            | region::FLAG_WRITE
            | if whole_pages { region::FLAG_MMAP } else { 0 };
        buffer.copy_out(0, &info.to_bytes())?;
        Ok(0)
    }

    fn platform_irq(&mut self, number: u16, buffer: &mut Buffer) -> Result<i64, Refusal> {
        let mut info = IrqInfo::read(buffer)?;
        judge_argsz(info.header.argsz, IrqInfo::BYTES)?;
        let Some(wire) = self.platform(number).wires.get(info.index as usize) else {
            let conflict = Conflict::Unknown(u64::from(info.index));
            return Err(rules::IRQ_INDEX.refuse_for(Errno::EINVAL, conflict));
        };
        // 6.12 vfio_platform_irq.c: every wire is one index with one interrupt; level-triggered
        // ones can be masked, and mask themselves.
        let masks = irq::FLAG_MASKABLE | irq::FLAG_AUTOMASKED;
        info.count = 1;
        info.header.flags = irq::FLAG_EVENTFD | if wire.level { masks } else { 0 };
        buffer.copy_out(0, &info.to_bytes())?;
        Ok(0)
    }

    /// The physical address of a part of a mappable region.
    ///
    /// # Errors
    /// EINVAL by `bar-not-mappable`.
    pub(crate) fn platform_page(
        &self,
        number: u16,
        offset: u64,
        len: u64,
    ) -> Result<PhysAddr, Refusal> {
        let conflict = Conflict::Platform(number);
        let refusal = rules::BAR_NOT_MAPPABLE.refuse_for(Errno::EINVAL, conflict);
        let within = offset & ((1 << region::OFFSET_LG2) - 1);
        let index = usize::try_from(offset >> region::OFFSET_LG2).map_err(|_| refusal)?;
        let span = *self.platform(number).regions.get(index).ok_or(refusal)?;
        let last = within.checked_add(len.saturating_sub(1)).ok_or(refusal)?;
        let size_minus_one = span.size_minus_one();
        let whole_pages = self.page.divides(span.start().get())
            && self.page.divides(size_minus_one.wrapping_add(1));
        if !whole_pages || !self.page.divides(within) || last > size_minus_one {
            return Err(refusal);
        }
        span.start().checked_add(within).ok_or(refusal)
    }

    /// Opens a file of a platform device.
    pub(crate) fn open_platform(&mut self, number: u16, host: &mut impl Host) {
        if let Some(device) = self.platforms.open.get_mut(&number) {
            device.files += 1;
            return;
        }
        let wires = self.open_wires(number, host);
        self.platforms.open.insert(number, OpenPlatform { files: 1, wires });
    }

    /// Closes a file of a platform device. The last close masks its wires.
    pub(crate) fn release_platform_file(
        &mut self,
        number: u16,
        group_file: FileId,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let last = self.platforms.open.get_mut(&number).is_some_and(|device| {
            device.files -= 1;
            device.files == 0
        });
        if last && let Some(device) = self.platforms.open.remove(&number) {
            self.close_wires(number, &device.wires, tasks, host);
        }
        if let Some(&FileKind::Group(number)) = self.files.kind(group_file)
            && let Some(group) = self.groups.get_mut(&number)
        {
            group.device_files -= 1;
        }
    }
}
