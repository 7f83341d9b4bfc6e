//! A machine for tests: a GICv3, memory, and the raw words that a driver would write.
//!
//! Everything is written in numbers. Nothing here uses the layouts under test.

use super::{Block, GicV3, Implementation, Packet, SystemRegister};
use crate::choice::Preset;
use crate::{Cpu, Progress, Size};
use passim_model::{IntId, Memory, PhysAddr, Span};

/// The LPI configuration table: the byte of LPI n is at this address plus n - 8192.
pub(crate) const CONFIGURATION: u64 = 0x4100_0000;
/// The pending table of CPU n is at this address plus n times 64 KiB.
pub(crate) const PENDING: u64 = 0x4200_0000;

pub(crate) fn cpu(n: u16) -> Cpu {
    Cpu::new(n)
}

/// Memory of the test machines.
pub(crate) fn memory() -> Memory {
    let mut memory = Memory::new();
    let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x1000_0000).unwrap();
    memory.add_bank(ram).unwrap();
    memory
}

pub(crate) struct Board {
    pub(crate) gic: GicV3,
    pub(crate) memory: Memory,
}

impl Board {
    pub(crate) fn cold(implementation: Implementation) -> Self {
        Self { gic: GicV3::new(implementation), memory: memory() }
    }

    /// A GIC set up as Linux does: four CPUs, 64 SPIs, LPIs on.
    pub(crate) fn new(preset: Preset) -> Self {
        let mut board = Self::cold(Implementation::of(preset, 4, 64));
        board.boot();
        board
    }

    /// Enables distributor, redistributors and interfaces; everything in Group 1.
    pub(crate) fn boot(&mut self) {
        self.w32(Block::Distributor, 0x000, 0b11);
        for at in [0x84, 0x88] {
            self.w32(Block::Distributor, at, u32::MAX);
        }
        for cpu in self.gic.cpus() {
            let redistributor = Block::Redistributor(cpu);
            self.w32(redistributor, 0x14, 0);
            self.w32(redistributor, 0x1_0080, u32::MAX);
            self.w64(redistributor, 0x70, CONFIGURATION | 15);
            self.w64(redistributor, 0x78, PENDING + 0x1_0000 * u64::from(cpu.get()));
            self.w32(redistributor, 0x00, 1);
            self.gic.write(cpu, SystemRegister::Pmr, 0xf0);
            self.gic.write(cpu, SystemRegister::Igrpen1, 1);
        }
    }

    pub(crate) fn w32(&mut self, block: Block, at: u64, value: u32) {
        self.gic.store(block, at, Size::Word, u64::from(value), &mut self.memory);
    }

    pub(crate) fn w64(&mut self, block: Block, at: u64, value: u64) {
        self.gic.store(block, at, Size::Double, value, &mut self.memory);
    }

    pub(crate) fn r32(&mut self, block: Block, at: u64) -> u32 {
        self.gic.load(block, at, Size::Word) as u32
    }

    pub(crate) fn r64(&mut self, block: Block, at: u64) -> u64 {
        self.gic.load(block, at, Size::Double)
    }

    /// Writes the configuration byte of an LPI; nothing else.
    pub(crate) fn configure(&mut self, lpi: u32, byte: u8) {
        let at = PhysAddr::new(CONFIGURATION + u64::from(lpi - 8192));
        self.memory.write(at, &[byte]).unwrap();
    }

    /// The bit of an LPI in the pending table in memory.
    pub(crate) fn pending_bit(&self, n: u16, lpi: u32) -> bool {
        let mut byte = [0];
        let at = PENDING + 0x1_0000 * u64::from(n) + u64::from(lpi / 8);
        self.memory.read(PhysAddr::new(at), &mut byte).unwrap();
        byte[0] >> (lpi % 8) & 1 != 0
    }

    /// Sets the bit of an LPI in the pending table in memory.
    pub(crate) fn preset_pending(&mut self, n: u16, lpi: u32) {
        let at = PhysAddr::new(PENDING + 0x1_0000 * u64::from(n) + u64::from(lpi / 8));
        let mut byte = [0];
        self.memory.read(at, &mut byte).unwrap();
        self.memory.write(at, &[byte[0] | 1 << (lpi % 8)]).unwrap();
    }

    /// Clears the bit of an LPI in the pending table in memory.
    pub(crate) fn clear_pending(&mut self, n: u16, lpi: u32) {
        let at = PhysAddr::new(PENDING + 0x1_0000 * u64::from(n) + u64::from(lpi / 8));
        let mut byte = [0];
        self.memory.read(at, &mut byte).unwrap();
        self.memory.write(at, &[byte[0] & !(1 << (lpi % 8))]).unwrap();
    }

    /// An LPI becomes pending at a CPU, as an ITS would make it.
    pub(crate) fn pend(&mut self, n: u16, lpi: u32) -> bool {
        self.deliver(n, Packet::SetPending(IntId::new(lpi)))
    }

    /// A packet arrives at a CPU's redistributor.
    pub(crate) fn deliver(&mut self, n: u16, packet: Packet) -> bool {
        self.gic.deliver(cpu(n), packet, &mut self.memory)
    }

    /// The INTID that a CPU acknowledges.
    pub(crate) fn iar(&mut self, n: u16) -> u32 {
        self.gic.read(cpu(n), SystemRegister::Iar1, &mut self.memory) as u32
    }

    /// A CPU ends an interrupt.
    pub(crate) fn eoi(&mut self, n: u16, intid: u32) {
        self.gic.write(cpu(n), SystemRegister::Eoir1, u64::from(intid));
    }

    /// Acknowledges and ends every interrupt that waits for a CPU, in order.
    pub(crate) fn drain(&mut self, n: u16) -> Vec<u32> {
        let mut taken = Vec::new();
        loop {
            match self.iar(n) {
                1023 => return taken,
                intid => {
                    assert!(taken.len() < 1 << 17, "there is an end");
                    taken.push(intid);
                    self.eoi(n, intid);
                }
            }
        }
    }

    pub(crate) fn waiting(&self, n: u16) -> Option<u32> {
        self.gic.highest_pending(cpu(n)).map(|waiting| waiting.intid.get())
    }

    pub(crate) fn pending_lpis(&self, n: u16) -> Vec<u32> {
        self.gic.pending_lpis(cpu(n)).into_iter().map(IntId::get).collect()
    }

    /// Steps until the GIC is idle; returns the number of steps that worked.
    pub(crate) fn run(&mut self) -> u32 {
        let mut worked = 0;
        while self.gic.step(&mut self.memory) == Progress::Worked {
            worked += 1;
            assert!(worked < 1 << 20, "there is an end");
        }
        worked
    }
}
