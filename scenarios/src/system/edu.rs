//! QEMU's educational device: a DMA engine with registers.
//!
//! QEMU docs/specs/edu.rst. Only its DMA is here: source, destination, count and command. The
//! factorial, the status registers and the interrupt are not.

use passim_model::device::{BUFFER_BYTES, Device};
use passim_model::{Direction, Iova, Rid, Topology};

use super::System;

/// Vendor and device identifier.
const IDENTITY: (u16, u16) = (0x1234, 0x11e8);

/// The BAR with the registers.
const BAR: u8 = 0;

/// Offsets in it.
mod offset {
    pub(super) const SOURCE: u64 = 0x80;
    pub(super) const DESTINATION: u64 = 0x88;
    pub(super) const COUNT: u64 = 0x90;
    pub(super) const COMMAND: u64 = 0x98;
}

passim_model::layout! {
    /// The command register.
    struct Command {
        /// Start; reads 0 when the transfer is over.
        START = bit(0);
        /// 1: from the device to RAM.
        TO_RAM = bit(1);
    }
}

/// Where the device's own buffer lies, as its registers count.
const BUFFER: u64 = 0x4_0000;

/// The device.
pub(super) struct Edu {
    device: Device,
    source: u64,
    destination: u64,
    count: u64,
    command: u64,
}

/// A transfer it was told to make.
struct Transfer {
    bus: Iova,
    offset: usize,
    len: usize,
    direction: Direction,
}

impl Edu {
    /// The device at `rid`, if that is one.
    pub(super) fn at(rid: Rid, topology: &Topology) -> Option<Self> {
        let function = topology.function(rid)?;
        if (function.vendor, function.device) != IDENTITY {
            return None;
        }
        let device = Device::at(rid, topology)?;
        Some(Self { device, source: 0, destination: 0, count: 0, command: 0 })
    }

    /// The transfer the registers describe; `None` if it leaves the buffer.
    fn transfer(&self) -> Option<Transfer> {
        let to_ram = Command::TO_RAM.is_set(self.command);
        let (own, bus) = match to_ram {
            true => (self.source, self.destination),
            false => (self.destination, self.source),
        };
        let offset = usize::try_from(own.checked_sub(BUFFER)?).ok()?;
        let len = usize::try_from(self.count).ok()?;
        let direction = if to_ram { Direction::Write } else { Direction::Read };
        let fits = offset.checked_add(len)? <= BUFFER_BYTES;
        fits.then_some(Transfer { bus: Iova::new(bus), offset, len, direction })
    }
}

impl System {
    /// A register of the device at `rid`; `None` if nothing is known of it.
    pub fn load_device(&self, rid: Rid, bar: u8, at: u64) -> Option<u64> {
        let edu = self.edus.get(&rid).filter(|_| bar == BAR)?;
        match at {
            offset::SOURCE => Some(edu.source),
            offset::DESTINATION => Some(edu.destination),
            offset::COUNT => Some(edu.count),
            offset::COMMAND => Some(edu.command),
            _ => None,
        }
    }

    /// Stores to a register of the device at `rid`, which does at once what it says; `None` if
    /// nothing is known of it.
    pub fn store_device(&mut self, rid: Rid, bar: u8, at: u64, value: u64) -> Option<()> {
        let edu = self.edus.get_mut(&rid).filter(|_| bar == BAR)?;
        match at {
            offset::SOURCE => edu.source = value,
            offset::DESTINATION => edu.destination = value,
            offset::COUNT => edu.count = value,
            offset::COMMAND => {
                edu.command = value & !Command::START.mask();
                if Command::START.is_set(value)
                    && let Some(transfer) = edu.transfer()
                {
                    self.carry(rid, &transfer);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// A read that faults delivers zeros, a write that faults is dropped (measured on 6.1 and
    /// 6.12).
    fn carry(&mut self, rid: Rid, transfer: &Transfer) {
        let Transfer { bus, offset, len, direction } = *transfer;
        let Some(edu) = self.edus.get_mut(&rid) else { return };
        match direction {
            Direction::Write => {
                let dma = edu.device.dma(bus, offset, len, direction);
                let bytes = edu.device.outgoing(&dma).to_vec();
                // Nothing that goes wrong on the bus comes back to this device.
                let _ = self.dma_write(rid, bus, &bytes);
            }
            Direction::Read => {
                let dma = edu.device.dma(bus, offset, len, direction);
                let mut bytes = vec![0; len];
                let read = self.dma_read(rid, bus, &mut bytes);
                if let Some(edu) = self.edus.get_mut(&rid) {
                    edu.device.incoming(&dma, read.is_ok().then_some(&bytes));
                }
            }
        }
    }
}
