//! Interrupts of devices: SET_IRQS, eventfds, CPUs.

use passim_model::Rid;
use passim_vfio::call::{Answer, Arg, Call};
use passim_vfio::msi::VectorView;

use super::account::Shortage;
use super::{Attached, Outcome, Running, Unperformable, outcome};
use crate::ioctl;
use crate::op::{IrqIndex, Op};
use crate::script::Text;

/// Flags of SET_IRQS. `linux/vfio.h`.
mod flag {
    pub(super) const DATA_NONE: u32 = 1 << 0;
    pub(super) const DATA_EVENTFD: u32 = 1 << 2;
    pub(super) const ACTION_TRIGGER: u32 = 1 << 5;
}

/// Offset of the command register in the file of a device: region 7. `linux/vfio.h`.
const COMMAND: u64 = 7 << 40 | 4;

/// Bus Master Enable. PCI 3.0 6.2.2.
const BUS_MASTER: u8 = 1 << 2;

/// The most vectors of MSI-X. PCI 3.0 6.8.2.
const MOST_VECTORS: u32 = 2048;

impl Running {
    pub(super) fn interrupts(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Enable { dev, vectors, index, start, until } => {
                let index = index.unwrap_or(IrqIndex::Msix);
                let block = (start.unwrap_or(0), *vectors);
                self.enable(*dev, index, block, until.as_ref())
            }
            Op::GoOn { dev, until } => self.go_on(*dev, until.as_ref()),
            Op::Disable { dev, index } => {
                let index = index.unwrap_or(IrqIndex::Msix);
                let flags = flag::DATA_NONE | flag::ACTION_TRIGGER;
                let answer = self.set_irqs(*dev, index, flags, (0, 0), &[])?;
                Ok(vec![outcome::plain(&answer)])
            }
            Op::SetIrqs { dev, fd, index, flags, start, count, data } => {
                let device = match (dev, fd) {
                    (Some(dev), None) => self.device_file(*dev)?,
                    (None, Some(fd)) => Self::fd(fd.0)?,
                    _ => {
                        let message = "`set-irqs` takes either `dev=` or `fd=`";
                        return Err(Unperformable::new(message));
                    }
                };
                let flags =
                    u32::try_from(flags.0).map_err(|_| Unperformable::new("flags have 32 bits"))?;
                let block = (start.unwrap_or(0), count.unwrap_or(1));
                let data = data.as_ref().map_or(&[][..], |data| &data.0);
                let answer = self.call(set_irqs_call(device, *index, flags, block, data))?;
                Ok(vec![self.availability(*dev, &answer)])
            }
            Op::Eventfd { fd, dev, vector } => {
                let fd = match (fd, dev) {
                    (Some(fd), None) => Self::fd(fd.0)?,
                    (None, Some(dev)) => self.eventfd_of(*dev, vector.unwrap_or(0))?,
                    _ => {
                        let message = "`eventfd` takes either `fd=` or `dev=`";
                        return Err(Unperformable::new(message));
                    }
                };
                let answer = self.call(Call::ReadEventFd { fd })?;
                Ok(vec![outcome::value("counter", &answer)])
            }
            Op::NewEventfd {} => Ok(vec![outcome::value("fd", &self.call(Call::EventFd)?)]),
            Op::Signal { fd, value } => {
                let value = value.map_or(1, |value| value.0);
                self.plain(Call::WriteEventFd { fd: Self::fd(fd.0)?, value })
            }
            Op::Affinity { irq, cpu } => {
                let path = format!("/proc/irq/{irq}/smp_affinity_list");
                self.plain(Call::WriteAttribute { path, value: cpu.to_string() })
            }
            Op::Interrupts {} => {
                let lines = self.system.kernel.interrupts();
                if lines.is_empty() {
                    return Ok(vec!["none".to_owned()]);
                }
                Ok(lines.iter().map(|line| line.to_string().trim_start().to_owned()).collect())
            }
            _ => unreachable!("only operations about interrupts come here"),
        }
    }

    fn device_file(&self, dev: Rid) -> Result<i32, Unperformable> {
        let attached = self.attached.get(&dev);
        let attached = attached.filter(|attached| attached.process == self.current);
        let Some(&Attached { device, .. }) = attached else {
            let message = format!("this process has not attached {dev}");
            return Err(Unperformable::new(message).hint("`attach dev=...` opens a device"));
        };
        Ok(device)
    }

    fn eventfd_of(&self, dev: Rid, vector: u32) -> Result<i32, Unperformable> {
        let made = self.eventfds.get(&(self.current, dev, vector)).copied();
        made.ok_or_else(|| {
            Unperformable::new(format!("vector {vector} of {dev} has no eventfd"))
                .hint("`enable dev=... vectors=...` makes one for each vector")
        })
    }

    fn set_irqs(
        &mut self,
        dev: Rid,
        index: IrqIndex,
        flags: u32,
        (start, count): (u32, u32),
        data: &[u8],
    ) -> Result<Answer, Unperformable> {
        let fd = self.device_file(dev)?;
        self.call(set_irqs_call(fd, index, flags, (start, count), data))
    }

    fn enable(
        &mut self,
        dev: Rid,
        index: IrqIndex,
        (start, count): (u32, u32),
        until: Option<&Text>,
    ) -> Outcome {
        if count > MOST_VECTORS {
            return Err(Unperformable::new(format!("a device has at most {MOST_VECTORS} vectors")));
        }
        let device = self.device_file(dev)?;
        self.let_master(device)?;
        let mut fds = Vec::with_capacity(count as usize);
        for vector in start..start.saturating_add(count) {
            let made = self.call(Call::EventFd)?;
            let Ok(fd) = made.ret else { return Ok(vec![outcome::plain(&made)]) };
            // Descriptors are small numbers.
            let fd = fd as i32;
            self.eventfds.insert((self.current, dev, vector), fd);
            fds.extend(fd.to_le_bytes());
        }
        let flags = flag::DATA_EVENTFD | flag::ACTION_TRIGGER;
        let call = set_irqs_call(device, index, flags, (start, count), &fds);
        if let Some(until) = until {
            return self.begin(dev, call, (start, count), until);
        }
        let answer = self.call(call)?;
        Ok(self.enabled(dev, (start, count), &answer))
    }

    /// The output of `enable` for a block of vectors.
    pub(super) fn enabled(
        &mut self,
        dev: Rid,
        (start, count): (u32, u32),
        answer: &Answer,
    ) -> Vec<String> {
        if !matches!(answer.ret, Ok(0)) {
            return vec![self.availability(Some(dev), answer)];
        }
        let vectors = self.system.kernel.vectors(dev);
        let mine = vectors
            .iter()
            .filter(|view| u32::from(view.vector).checked_sub(start).is_some_and(|at| at < count));
        mine.map(vector_text).collect()
    }

    /// `ok`, the number of vectors available, or the refusal. The resource that ran short is known
    /// only if `dev` names the device.
    fn availability(&mut self, dev: Option<Rid>, answer: &Answer) -> String {
        match answer.ret {
            Ok(available @ 1..) => {
                let refusal = dev.and_then(|dev| self.system.kernel.message_shortage(dev));
                let shortage = refusal.map(|refusal| Shortage { available, refusal });
                self.account.shortage = shortage;
                format!("off: {available} available")
            }
            _ => outcome::plain(answer),
        }
    }

    /// Sets Bus Master Enable, as the device's driver would.
    fn let_master(&mut self, device: i32) -> Result<(), Unperformable> {
        let read = self.call(Call::Pread { fd: device, offset: COMMAND, len: 2 })?;
        if let [low, high] = read.bytes[..] {
            let bytes = vec![low | BUS_MASTER, high];
            self.call(Call::Pwrite { fd: device, offset: COMMAND, bytes })?;
        }
        Ok(())
    }
}

/// SET_IRQS with a device's descriptor.
fn set_irqs_call(
    fd: i32,
    index: IrqIndex,
    flags: u32,
    (start, count): (u32, u32),
    data: &[u8],
) -> Call {
    let argsz = (ioctl::IRQ_SET_BYTES + data.len()) as u32;
    let fields = [argsz, flags, index.number(), start, count];
    let mut bytes: Vec<u8> = fields.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.extend_from_slice(data);
    Call::Ioctl { fd, request: ioctl::DEVICE_SET_IRQS, arg: Arg::Bytes(bytes) }
}

/// `vector 0: doorbell 0x800f040, data 82`; of an ITS, with `, lpi 8194`.
fn vector_text(view: &VectorView) -> String {
    /// IHI 0069 H.b 2.2: LPIs are INTIDs from 8192 on.
    const FIRST_LPI: u32 = 8192;
    let VectorView { vector, message, intid, .. } = view;
    let text = format!("vector {vector}: doorbell {:#x}, data {}", message.address, message.data);
    // An SPI is the message's data; an LPI is only in the tables of its device.
    match intid.get() {
        FIRST_LPI.. => format!("{text}, lpi {intid}"),
        _ => text,
    }
}
