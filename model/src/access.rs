//! Accesses that devices request, and permissions that translations grant.
//!
//! Types only: the page tables ([`pgtable`](crate::pgtable)) derive permissions from descriptors,
//! and the SMMU turns refused accesses into faults.

use core::fmt;

bitflags::bitflags! {
    /// The accesses that a translation or a mapping permits.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
    pub struct Perms: u8 {
        /// May be read.
        const READ = 1 << 0;
        /// May be written.
        const WRITE = 1 << 1;
        /// May be executed.
        const EXEC = 1 << 2;
    }
}

impl fmt::Display for Perms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        let letters = [(Self::READ, "r"), (Self::WRITE, "w"), (Self::EXEC, "x")];
        let mut separator = "";
        for (flag, letter) in letters {
            if self.contains(flag) {
                write!(f, "{separator}{letter}")?;
                separator = "|";
            }
        }
        Ok(())
    }
}

/// Which way the data goes, from the device's point of view.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// Memory to device.
    Read,
    /// Device to memory.
    Write,
}

/// Privilege a transaction claims: PnU, by IHI 0070's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Privilege {
    /// PCIe traffic without a PASID prefix is always unprivileged.
    Unprivileged,
    /// Claimed with a PASID prefix, or by a platform device.
    Privileged,
}

/// An access to be translated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Access {
    /// Read or write.
    pub direction: Direction,
    /// Privileged or not.
    pub privilege: Privilege,
    /// Instruction fetch (only ever with `Read`).
    pub instruction: bool,
}

impl Access {
    /// An unprivileged data read.
    pub const READ: Self =
        Self { direction: Direction::Read, privilege: Privilege::Unprivileged, instruction: false };
    /// An unprivileged data write.
    pub const WRITE: Self = Self { direction: Direction::Write, ..Self::READ };

    /// The permission this access needs: EXEC of a fetch, READ or WRITE of data.
    pub const fn needs(self) -> Perms {
        match (self.direction, self.instruction) {
            (Direction::Write, _) => Perms::WRITE,
            (Direction::Read, false) => Perms::READ,
            (Direction::Read, true) => Perms::EXEC,
        }
    }

    /// Whether data goes from the device to memory.
    pub const fn is_write(self) -> bool {
        matches!(self.direction, Direction::Write)
    }
}
