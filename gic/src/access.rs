//! Accesses to an interrupt controller (size and CPU), and changes of an interrupt's wire.

use core::fmt;
use passim_model::Width;

/// Size of a register access. [`Width`] names the same sizes for the rest of the model.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Size {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Half,
    /// 32 bits.
    Word,
    /// 64 bits.
    Double,
}

impl Size {
    /// Bytes of the access.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }

    /// `value` cut to the size of the access.
    pub const fn cut(self, value: u64) -> u64 {
        match self {
            Self::Byte => value & 0xff,
            Self::Half => value & 0xffff,
            Self::Word => value & 0xffff_ffff,
            Self::Double => value,
        }
    }

    /// The part of a 64-bit register that an access at `offset` reads; the register starts at a
    /// multiple of 8.
    pub(crate) const fn part(self, register: u64, offset: u64) -> u64 {
        self.cut(register >> (offset % 8 * 8))
    }

    /// The 64-bit register after a store of `value` at `offset`.
    pub(crate) const fn merge(self, register: u64, offset: u64, value: u64) -> u64 {
        let shift = offset % 8 * 8;
        let mask = self.cut(u64::MAX) << shift;
        register & !mask | self.cut(value) << shift
    }

    /// Whether `offset` is a multiple of the size.
    pub const fn aligns(self, offset: u64) -> bool {
        offset.is_multiple_of(self.bytes())
    }
}

impl From<Width> for Size {
    fn from(width: Width) -> Self {
        match width {
            Width::W8 => Self::Byte,
            Width::W16 => Self::Half,
            Width::W32 => Self::Word,
            Width::W64 => Self::Double,
        }
    }
}

/// A CPU by its index in the machine: the number of its interface or redistributor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cpu(u16);

impl Cpu {
    /// The CPU with this index.
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// The index.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The index, for a slice with one element per CPU.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cpu({})", self.0)
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A change of an interrupt's wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    /// It rises.
    High,
    /// It falls.
    Low,
    /// It rises and falls again. An edge-triggered interrupt stays pending; a level-sensitive one
    /// is pending only while the wire is high, so it does not.
    Pulse,
}

/// Whether a step changed anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Progress {
    /// One action was performed; more may be possible.
    Worked,
    /// Nothing can be performed now.
    Idle,
}
