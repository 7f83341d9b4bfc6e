//! Loads and stores of one SMMU's registers.
//!
//! Offsets are bytes from the start of the SMMU's registers. Not here: the registers (each driver's
//! `wire`).

use passim_model::{Abort, Host, PhysAddr, Width};

/// One SMMU's register pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    base: PhysAddr,
}

impl Registers {
    /// The registers at `base`.
    pub(super) const fn new(base: PhysAddr) -> Self {
        Self { base }
    }

    fn at(self, offset: u64) -> Result<PhysAddr, Abort> {
        self.base.checked_add(offset).ok_or(Abort(self.base))
    }

    /// Loads 32 bits at `offset`.
    pub(super) fn load(self, offset: u64, host: &mut impl Host) -> Result<u64, Abort> {
        Ok(host.load(self.at(offset)?, Width::W32)? & u64::from(u32::MAX))
    }

    /// Stores 32 bits at `offset`.
    pub(super) fn store(self, offset: u64, value: u64, host: &mut impl Host) -> Result<(), Abort> {
        host.store(self.at(offset)?, Width::W32, value & u64::from(u32::MAX))
    }

    /// Loads 64 bits at `offset`.
    pub(super) fn load_wide(self, offset: u64, host: &mut impl Host) -> Result<u64, Abort> {
        host.load(self.at(offset)?, Width::W64)
    }

    /// Stores 64 bits at `offset`.
    pub(super) fn store_wide(
        self,
        offset: u64,
        value: u64,
        host: &mut impl Host,
    ) -> Result<(), Abort> {
        host.store(self.at(offset)?, Width::W64, value)
    }
}
