//! Registers of the ITS and of redistributors, by base and offset.

use passim_model::{Host, PhysAddr, Width};

/// The registers from an address on. `None` where nothing answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Registers(pub(super) PhysAddr);

impl Registers {
    pub(super) fn load32(self, offset: u64, host: &mut impl Host) -> Option<u64> {
        let value = host.load(self.0.checked_add(offset)?, Width::W32).ok()?;
        Some(value & u64::from(u32::MAX))
    }

    pub(super) fn store32(self, offset: u64, value: u64, host: &mut impl Host) -> Option<()> {
        host.store(self.0.checked_add(offset)?, Width::W32, value).ok()
    }

    pub(super) fn load64(self, offset: u64, host: &mut impl Host) -> Option<u64> {
        host.load(self.0.checked_add(offset)?, Width::W64).ok()
    }

    pub(super) fn store64(self, offset: u64, value: u64, host: &mut impl Host) -> Option<()> {
        host.store(self.0.checked_add(offset)?, Width::W64, value).ok()
    }
}
