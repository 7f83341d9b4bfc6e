//! A message: the address and data that a device writes to interrupt.
//!
//! This is the driver's form: a message of the model's hardware is [`passim_model::pci::Message`].

use passim_model::PhysAddr;

/// `struct msi_msg`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Message {
    /// Bus address of the write, which the device's IOMMU translates.
    pub address: u64,
    /// The data: 32 bits.
    pub data: u32,
}

impl Message {
    /// A message that is delivered nowhere: every word all ones.
    pub const LOST: Self = Self { address: u64::MAX, data: u32::MAX };

    /// The message that writes `data` to the untranslated address of a doorbell.
    pub const fn to(doorbell: PhysAddr, data: u32) -> Self {
        Self { address: doorbell.get(), data }
    }
}
