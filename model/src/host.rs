//! The only interface between the Linux side and the hardware: memory and registers.
//!
//! Drivers use [`Host`], and the machine implements it. The address map
//! ([`AddressMap`](crate::AddressMap)) decides what answers at an address.

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

/// A system register of the CPU interface of a GICv3, which is reached by no address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IccRegister {
    /// ICC_SRE_EL1: enables access by system registers.
    Sre,
    /// ICC_PMR_EL1: the priority mask.
    Pmr,
    /// ICC_BPR0_EL1: the binary point of Group 0.
    Bpr0,
    /// ICC_BPR1_EL1: the binary point of Group 1.
    Bpr1,
    /// ICC_CTLR_EL1.
    Ctlr,
    /// ICC_IGRPEN0_EL1: enables interrupts of Group 0.
    Igrpen0,
    /// ICC_IGRPEN1_EL1: enables interrupts of Group 1.
    Igrpen1,
    /// ICC_IAR0_EL1: a read acknowledges an interrupt of Group 0.
    Iar0,
    /// ICC_IAR1_EL1: a read acknowledges an interrupt of Group 1.
    Iar1,
    /// ICC_EOIR0_EL1: a write ends an interrupt of Group 0.
    Eoir0,
    /// ICC_EOIR1_EL1: a write ends an interrupt of Group 1.
    Eoir1,
    /// ICC_HPPIR0_EL1: the highest priority pending interrupt of Group 0.
    Hppir0,
    /// ICC_HPPIR1_EL1: the highest priority pending interrupt of Group 1.
    Hppir1,
    /// ICC_DIR_EL1: a write deactivates an interrupt, where its end does not.
    Dir,
    /// ICC_RPR_EL1: the running priority.
    Rpr,
    /// ICC_AP0R0_EL1: the active priorities of Group 0.
    Ap0r0,
    /// ICC_AP1R0_EL1: the active priorities of Group 1.
    Ap1r0,
    /// ICC_SGI0R_EL1: a write requests an SGI of Group 0.
    Sgi0r,
    /// ICC_SGI1R_EL1: a write requests an SGI.
    Sgi1r,
    /// ICC_ASGI1R_EL1: a write requests an SGI of the other Security state.
    Asgi1r,
}

impl IccRegister {
    /// Its value where there is no such interface: no pending interrupt, or zero.
    pub const fn without_interface(self) -> u64 {
        match self {
            Self::Iar0 | Self::Iar1 | Self::Hppir0 | Self::Hppir1 => ICC_SPURIOUS,
            _ => 0,
        }
    }
}

/// The INTID that ICC_IAR1_EL1 reads as without a pending interrupt. IHI 0069 H 2.2.1.
pub const ICC_SPURIOUS: u64 = 1023;

/// What a CPU running the kernel can do to hardware: use memory, load and store registers.
///
/// Drivers reach devices in no other way: they write structures into memory, store to registers,
/// and read memory and registers to find the results.
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
    /// Without banked registers, this does nothing.
    fn run_on(&mut self, cpu: u16) {
        let _ = cpu;
    }

    /// Reads a system register of the CPU's interface to a GICv3. Without one, no interrupt is
    /// pending and all else is zero.
    fn read_icc(&mut self, register: IccRegister) -> u64 {
        register.without_interface()
    }

    /// Writes a system register of the CPU's interface to a GICv3. Without one, this does nothing.
    fn write_icc(&mut self, register: IccRegister, value: u64) {
        let _ = (register, value);
    }

    /// The CPU waits, and hardware makes progress.
    fn relax(&mut self);
}
