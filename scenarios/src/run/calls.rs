//! Calls with one return value: files, ioctls, mappings, drivers.

use passim_model::{Perms, Rid};
use passim_vfio::call::{Answer, Arg, Call};

use super::{Outcome, Running, Unperformable, outcome};
use crate::ioctl::{self, DmaMap, DmaUnmap};
use crate::op::Op;

/// VFIO_DMA_MAP_FLAG_READ and _WRITE.
const FLAG_READ: u32 = 1;
const FLAG_WRITE: u32 = 2;
/// VFIO_DMA_MAP_FLAG_RESERVED_MSI_IOVA.
const FLAG_RESERVED_MSI_IOVA: u32 = 4;

impl Running {
    pub(super) fn calls(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Open { path } => {
                let answer = self.call(Call::Open { path: path.0.clone() })?;
                if let (Ok(fd), "/dev/vfio/vfio") = (&answer.ret, path.0.as_str()) {
                    self.container.insert(self.current, Self::fd(*fd)?);
                }
                Ok(vec![outcome::value("fd", &answer)])
            }
            Op::Close { fd } => self.plain(Call::Close { fd: Self::fd(fd.0)? }),
            Op::Truncate { fd, size } => {
                self.plain(Call::Truncate { fd: Self::fd(fd.0)?, len: size.0 })
            }
            Op::Ioctl { .. } => self.any_ioctl(op),
            Op::Map { .. } => self.map(op),
            Op::MsiWindow { iova, size, fd } => {
                let (argsz, flags) = (32, FLAG_RESERVED_MSI_IOVA);
                let map = DmaMap { argsz, flags, vaddr: 0, iova: iova.get(), size: size.0 };
                let fd = self.container_fd(*fd)?;
                let answer = self.ioctl(fd, ioctl::MAP_DMA, Arg::Bytes(map.bytes()))?;
                Ok(vec![outcome::plain(&answer)])
            }
            Op::Unmap { iova, size, fd, flags, argsz } => {
                let unmap = DmaUnmap {
                    argsz: argsz.unwrap_or(24),
                    flags: flags.map_or(Ok(0), |flags| word(flags.0))?,
                    iova: iova.get(),
                    size: size.0,
                };
                self.unmap(self.container_fd(*fd)?, unmap)
            }
            Op::UnmapAll { fd } => {
                let flags = ioctl::UNMAP_FLAG_ALL;
                let unmap = DmaUnmap { argsz: 24, flags, iova: 0, size: 0 };
                self.unmap(self.container_fd(*fd)?, unmap)
            }
            Op::Bind { dev, driver } => self.bind(*dev, &driver.0),
            Op::Unbind { dev } => {
                let path = format!("/sys/bus/pci/devices/0000:{dev}/driver/unbind");
                self.plain(Call::WriteAttribute { path, value: format!("0000:{dev}") })
            }
            Op::Unplug { dev } => {
                let path = format!("/sys/bus/pci/devices/0000:{dev}/remove");
                let answer = self.call(Call::WriteAttribute { path, value: "1".to_owned() })?;
                self.system.unplug(*dev);
                Ok(vec![outcome::plain(&answer)])
            }
            Op::Module { name } => {
                self.system.kernel.load_module(&name.0);
                Ok(vec!["ok".to_owned()])
            }
            Op::Sysfs { path, value } => {
                let (path, value) = (path.0.clone(), value.0.clone());
                self.plain(Call::WriteAttribute { path, value })
            }
            _ => self.membership(op),
        }
    }

    /// Groups and containers, one call at a time.
    fn membership(&mut self, op: &Op) -> Outcome {
        match op {
            Op::SetContainer { group, container } => {
                let bytes = Self::fd(container.0)?.to_le_bytes().to_vec();
                let group = Self::fd(group.0)?;
                let arg = Arg::Bytes(bytes);
                let answer = self.ioctl(group, ioctl::GROUP_SET_CONTAINER, arg)?;
                Ok(vec![outcome::plain(&answer)])
            }
            Op::UnsetContainer { group } => {
                let group = Self::fd(group.0)?;
                let answer = self.ioctl(group, ioctl::GROUP_UNSET_CONTAINER, Arg::Value(0))?;
                Ok(vec![outcome::plain(&answer)])
            }
            Op::SetIommu { fd, kind } => {
                let fd = self.container_fd(*fd)?;
                let answer = self.ioctl(fd, ioctl::SET_IOMMU, Arg::Value(kind.number()))?;
                Ok(vec![outcome::plain(&answer)])
            }
            Op::GetDevice { group, name } => {
                let mut bytes = name.0.clone().into_bytes();
                bytes.push(0);
                let group = Self::fd(group.0)?;
                let answer = self.ioctl(group, ioctl::GROUP_GET_DEVICE_FD, Arg::Bytes(bytes))?;
                Ok(vec![outcome::value("fd", &answer)])
            }
            Op::CheckExtension { number, fd } => {
                let fd = self.container_fd(*fd)?;
                let arg = Arg::Value(number.0.cast_unsigned());
                let answer = self.ioctl(fd, ioctl::CHECK_EXTENSION, arg)?;
                Ok(vec![match &answer.ret {
                    Ok(value) => value.to_string(),
                    Err(refusal) => outcome::refusal(refusal),
                }])
            }
            _ => unreachable!("the runner knows a room for every operation"),
        }
    }

    fn any_ioctl(&mut self, op: &Op) -> Outcome {
        let Op::Ioctl { fd, nr, arg, bytes } = op else {
            unreachable!("called for `ioctl` alone");
        };
        let arg = match (arg, bytes) {
            (Some(value), None) => Arg::Value(value.0.cast_unsigned()),
            (None, Some(bytes)) => Arg::Bytes(bytes.0.clone()),
            (None, None) => Arg::Value(0),
            (Some(_), Some(_)) => {
                return Err(Unperformable::new("an ioctl takes `arg=` or `bytes=`, not both"));
            }
        };
        let before = if let Arg::Bytes(bytes) = &arg { bytes.clone() } else { Vec::new() };
        let answer = self.ioctl(Self::fd(fd.0)?, word(nr.0)?, arg)?;
        let mut lines = vec![outcome::value("returned", &answer)];
        if answer.bytes != before {
            lines.push(hex::encode(&answer.bytes));
        }
        Ok(lines)
    }

    fn map(&mut self, op: &Op) -> Outcome {
        let Op::Map { iova, va, size, prot, fd, flags, argsz } = op else {
            unreachable!("called for `map` alone");
        };
        let flags = match flags {
            Some(flags) => word(flags.0)?,
            None => {
                let read = if prot.contains(Perms::READ) { FLAG_READ } else { 0 };
                let write = if prot.contains(Perms::WRITE) { FLAG_WRITE } else { 0 };
                read | write
            }
        };
        let map = DmaMap {
            argsz: argsz.unwrap_or(32),
            flags,
            vaddr: self.address(va)?.get(),
            iova: iova.get(),
            size: size.0,
        };
        let fd = self.container_fd(*fd)?;
        let answer = self.ioctl(fd, ioctl::MAP_DMA, Arg::Bytes(map.bytes()))?;
        Ok(vec![outcome::plain(&answer)])
    }

    fn unmap(&mut self, fd: i32, unmap: DmaUnmap) -> Outcome {
        let answer = self.ioctl(fd, ioctl::UNMAP_DMA, Arg::Bytes(unmap.bytes()))?;
        let Answer { ret, bytes } = &answer;
        Ok(vec![match (ret, DmaUnmap::read(bytes)) {
            (Ok(_), Some(after)) => format!("unmapped {:#x}", after.size),
            _ => outcome::plain(&answer),
        }])
    }

    /// As an administrator does: sets `driver_override`, then has the device probed.
    fn bind(&mut self, dev: Rid, driver: &str) -> Outcome {
        let path = format!("/sys/bus/pci/devices/0000:{dev}/driver_override");
        let value = driver.to_owned();
        let named = self.call(Call::WriteAttribute { path, value })?;
        if named.ret.is_err() {
            return Ok(vec![outcome::plain(&named)]);
        }
        let path = "/sys/bus/pci/drivers_probe".to_owned();
        self.plain(Call::WriteAttribute { path, value: format!("0000:{dev}") })
    }
}

fn word(number: u64) -> Result<u32, Unperformable> {
    u32::try_from(number)
        .map_err(|_| Unperformable::new(format!("{number:#x} has more than 32 bits")))
}
