//! The one door between the Linux side and the hardware.

use crate::{Abort, Memory, PhysAddr};

/// Width of a register access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// 8 bits.
    W8,
    /// 16 bits.
    W16,
    /// 32 bits.
    W32,
    /// 64 bits.
    W64,
}

impl Width {
    /// Bytes of the access: 1, 2, 4 or 8.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::W8 => 1,
            Self::W16 => 2,
            Self::W32 => 4,
            Self::W64 => 8,
        }
    }
}

/// What a CPU running the kernel can do to hardware: use memory, load and store registers.
///
/// Drivers know no other way to a device. They write structures into memory and ring registers,
/// and learn what happened by reading memory and registers again.
pub trait Host {
    /// RAM, for reading.
    fn memory(&self) -> &Memory;

    /// RAM, for writing.
    fn memory_mut(&mut self) -> &mut Memory;

    /// Loads a device register at physical address `at`.
    ///
    /// # Errors
    /// [`Abort`] where no register answers.
    fn load(&mut self, at: PhysAddr, width: Width) -> Result<u64, Abort>;

    /// Stores to a device register at physical address `at`.
    ///
    /// # Errors
    /// [`Abort`] where no register answers.
    fn store(&mut self, at: PhysAddr, width: Width, value: u64) -> Result<(), Abort>;

    /// The kernel runs on the CPU with this number from now on: banked registers are that CPU's.
    /// Where nothing is banked, nothing happens.
    fn run_on(&mut self, cpu: u16) {
        let _ = cpu;
    }

    /// The CPU has nothing to do but wait: hardware gets time.
    fn relax(&mut self);
}
