//! QEMU's educational device: a DMA engine with registers and an interrupt.
//!
//! QEMU docs/specs/edu.rst. Its interrupt is vector 0 of MSI. With MSI off, QEMU's device asserts
//! its pin; this one does nothing.

use passim_model::device::{BUFFER_BYTES, Device};
use passim_model::{Direction, Iova, PhysAddr, Rid, Topology, Width};

use super::dma::Initiator;
use super::{Board, System};

/// Vendor and device identifier.
const IDENTITY: (u16, u16) = (0x1234, 0x11e8);

/// The BAR with the registers.
const BAR: u8 = 0;

/// Offsets of registers in the BAR.
mod offset {
    pub(super) const IDENTIFICATION: u64 = 0x00;
    pub(super) const LIVENESS: u64 = 0x04;
    pub(super) const FACTORIAL: u64 = 0x08;
    pub(super) const CONTROL: u64 = 0x20;
    pub(super) const STATUS: u64 = 0x24;
    pub(super) const RAISE: u64 = 0x60;
    pub(super) const ACKNOWLEDGE: u64 = 0x64;
    pub(super) const SOURCE: u64 = 0x80;
    pub(super) const DESTINATION: u64 = 0x88;
    pub(super) const COUNT: u64 = 0x90;
    pub(super) const COMMAND: u64 = 0x98;
}

/// Version 1.0, and the device's own number.
const IDENTIFICATION: u64 = 0x0100_00ed;

passim_model::layout! {
    /// The command register.
    struct Command {
        /// Start; reads 0 when the transfer is over.
        START = bit(0);
        /// 1: from the device to RAM.
        TO_RAM = bit(1);
        /// Raise the interrupt when the transfer is over.
        INTERRUPT = bit(2);
    }
}
passim_model::layout! {
    /// The interrupt status register, of which two bits have a fixed meaning.
    struct Status {
        /// The factorial has been computed.
        FACTORIAL = bit(0);
        /// A transfer has ended.
        TRANSFER = bit(8);
    }
}

passim_model::layout! {
    /// The status register. A factorial is computed at once, so the busy bit always reads 0.
    struct Control {
        /// Raise the interrupt when the factorial has been computed.
        INTERRUPT = bit(7);
    }
}

/// Address of the device's own buffer, for its DMA registers.
const BUFFER: u64 = 0x4_0000;

/// The device.
pub(super) struct Edu {
    device: Device,
    /// The inverted value of the last store to the liveness register.
    liveness: u64,
    factorial: u64,
    control: u64,
    status: u64,
    source: u64,
    destination: u64,
    count: u64,
    command: u64,
    /// Pieces of the transfer that are stalled at an SMMU.
    waiting: usize,
    /// Whether an interrupt follows the stalled transfer.
    interrupt_follows: bool,
}

/// The factorial, modulo 2^32.
fn factorial(of: u32) -> u32 {
    /// The smallest number whose factorial is divisible by 2^32.
    const VANISHES: u32 = 34;
    match of {
        VANISHES.. => 0,
        _ => (1..=of).fold(1, u32::wrapping_mul),
    }
}

/// A transfer that software started.
struct Transfer {
    bus: Iova,
    offset: usize,
    len: usize,
    direction: Direction,
}

/// The consequence of a store.
pub(super) enum Work {
    /// A transfer; `interrupt` if an interrupt follows it.
    Transfer { interrupt: bool },
    /// The interrupt.
    Interrupt,
}

impl Edu {
    /// The device at `rid`, if it is an edu device.
    pub(super) fn at(rid: Rid, topology: &Topology) -> Option<Self> {
        let function = topology.function(rid)?;
        if (function.vendor, function.device) != IDENTITY {
            return None;
        }
        let device = Device::at(rid, topology)?;
        Some(Self {
            device,
            liveness: 0,
            factorial: 0,
            control: 0,
            status: 0,
            source: 0,
            destination: 0,
            count: 0,
            command: 0,
            waiting: 0,
            interrupt_follows: false,
        })
    }

    /// Whether a register accepts an access of that width. Registers of the DMA engine have 8
    /// bytes.
    // edu.rst: all accesses below 0x80 have 4 bytes, others 4 or 8.
    fn takes(at: u64, width: Width) -> bool {
        width == Width::W32 || (width == Width::W64 && at >= offset::SOURCE)
    }

    /// Loads a register. Unreadable offsets and other widths read as ones.
    pub(super) fn load(&self, bar: u8, at: u64, width: Width) -> Option<u64> {
        Some(match at {
            _ if bar != BAR => return None,
            _ if !Self::takes(at, width) => u64::MAX,
            offset::IDENTIFICATION => IDENTIFICATION,
            offset::LIVENESS => self.liveness,
            offset::FACTORIAL => self.factorial,
            offset::CONTROL => self.control,
            offset::STATUS => self.status,
            offset::SOURCE => self.source,
            offset::DESTINATION => self.destination,
            offset::COUNT => self.count,
            offset::COMMAND => self.command | Command::START.flag(self.waiting != 0),
            _ => u64::MAX,
        })
    }

    /// Stores to a register. Returns the consequence.
    pub(super) fn store(&mut self, bar: u8, at: u64, width: Width, value: u64) -> Option<Work> {
        match at {
            _ if bar != BAR || !Self::takes(at, width) => {}
            // The registers of a running transfer cannot be written.
            offset::SOURCE | offset::DESTINATION | offset::COUNT | offset::COMMAND
                if self.waiting != 0 => {}
            offset::LIVENESS => self.liveness = !value & u64::from(u32::MAX),
            offset::FACTORIAL => {
                self.factorial = factorial(value as u32).into();
                let interrupt = Control::INTERRUPT.is_set(self.control);
                return interrupt.then(|| self.interrupt(Status::FACTORIAL.mask())).flatten();
            }
            offset::CONTROL => self.control = value & Control::INTERRUPT.mask(),
            offset::RAISE => return self.interrupt(value),
            offset::ACKNOWLEDGE => self.status &= !value,
            offset::SOURCE => self.source = value,
            offset::DESTINATION => self.destination = value,
            offset::COUNT => self.count = value,
            // A command without the start bit is ignored.
            offset::COMMAND if Command::START.is_set(value) => {
                self.command = value & !Command::START.mask();
                let interrupt = Command::INTERRUPT.is_set(value);
                return Some(Work::Transfer { interrupt });
            }
            _ => {}
        }
        None
    }

    /// The function is reset: a transfer that waits is over, and no interrupt follows it. Registers
    /// stay as they are.
    // QEMU hw/misc/edu.c: the device registers no reset of its own.
    pub(super) fn reset(&mut self) {
        (self.waiting, self.interrupt_follows) = (0, false);
    }

    /// Sets bits of the status, and raises the interrupt if any is set.
    fn interrupt(&mut self, bits: u64) -> Option<Work> {
        self.status |= bits;
        (self.status != 0).then_some(Work::Interrupt)
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

impl Board {
    /// Performs the consequence of a store to a register of the function.
    pub(super) fn work(&mut self, function: usize, work: Work) {
        let follows = match work {
            Work::Interrupt => Some(Work::Interrupt),
            Work::Transfer { interrupt } => {
                let waiting = self.carry(function);
                let edu = self.slot_mut(function).and_then(|slot| slot.edu.as_mut());
                edu.and_then(|edu| {
                    (edu.waiting, edu.interrupt_follows) = (waiting, interrupt);
                    let is_over = interrupt && waiting == 0;
                    is_over.then(|| edu.interrupt(Status::TRANSFER.mask())).flatten()
                })
            }
        };
        if let Some(Work::Interrupt) = follows {
            self.raise(function, 0);
        }
    }

    /// Performs the transfer. A read that faults delivers zeros, a write that faults is dropped
    /// (measured on 6.1 and 6.12); the same holds while bus mastering is off. Returns the number of
    /// stalled pieces.
    fn carry(&mut self, function: usize) -> usize {
        let asks = self.asks(function).then_some(function);
        let Some(slot) = self.slot_mut(function) else { return 0 };
        let is_bus_master = slot.registers.is_bus_master();
        let initiator = Initiator { function: Some(function), asks, ..slot.initiator() };
        let Some(edu) = &slot.edu else { return 0 };
        let Some(Transfer { bus, offset, len, direction }) = edu.transfer() else { return 0 };
        let dma = edu.device.dma(bus, offset, len, direction);
        // The device does not see errors on the bus.
        let pieces = match direction {
            Direction::Write => {
                let bytes = edu.device.outgoing(&dma).to_vec();
                is_bus_master.then(|| self.dma_write(initiator, bus, &bytes))
            }
            Direction::Read => {
                let mut bytes = vec![0; len];
                let read = is_bus_master.then(|| self.dma_read(initiator, bus, &mut bytes));
                let came = matches!(read, Some(Ok(_))).then_some(bytes.as_slice());
                if let Some(edu) = self.slot_mut(function).and_then(|slot| slot.edu.as_mut()) {
                    edu.device.incoming(&dma, came);
                }
                read
            }
        };
        let pieces = pieces.and_then(Result::ok).unwrap_or_default();
        self.give_to_engine(initiator.smmu, &pieces, offset)
    }

    /// Stores the bytes of a read that had stalled into the buffer.
    pub(super) fn came_in(&mut self, function: usize, from: Iova, offset: usize, bytes: &[u8]) {
        let Some(edu) = self.slot_mut(function).and_then(|slot| slot.edu.as_mut()) else { return };
        let dma = edu.device.dma(from, offset, bytes.len(), Direction::Read);
        // The buffer has room: this was checked before the transfer began.
        edu.device.incoming(&dma, bytes.get(..dma.len));
    }

    /// Ends a piece that had stalled; the last one ends the transfer.
    pub(super) fn piece_over(&mut self, function: usize) {
        let Some(edu) = self.slot_mut(function).and_then(|slot| slot.edu.as_mut()) else { return };
        edu.waiting = edu.waiting.saturating_sub(1);
        let is_over = edu.waiting == 0 && edu.interrupt_follows;
        let follows = is_over.then(|| edu.interrupt(Status::TRANSFER.mask())).flatten();
        if follows.is_some() {
            self.raise(function, 0);
        }
    }
}

impl System {
    /// The address of a register of the device at `rid`, if that register has a model.
    fn register(&self, rid: Rid, bar: u8, at: u64) -> Option<PhysAddr> {
        let start = self.topology.function(rid)?.bar(bar)?.span.start();
        start.checked_add(at).filter(|_| self.board.knows(rid, bar, at))
    }

    /// A CPU loads a register of the device at `rid`; `None` if the register has no model.
    pub fn load_device(&mut self, rid: Rid, bar: u8, at: u64, width: Width) -> Option<u64> {
        let register = self.register(rid, bar, at)?;
        self.load(register, width).ok()
    }

    /// A CPU stores to a register of the device at `rid`, which acts at once; `None` if the
    /// register has no model.
    pub fn store_device(
        &mut self,
        rid: Rid,
        bar: u8,
        at: u64,
        width: Width,
        value: u64,
    ) -> Option<()> {
        let register = self.register(rid, bar, at)?;
        self.store(register, width, value).ok()
    }
}
