//! The one door between the Linux side and the hardware.

use crate::{Abort, Memory, PhysAddr};

/// Width of a register access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// 32 bits.
    W32,
    /// 64 bits.
    W64,
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

    /// The CPU has nothing to do but wait: hardware gets time.
    fn relax(&mut self);
}
