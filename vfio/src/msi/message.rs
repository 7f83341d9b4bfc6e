//! A message: what a device writes where to interrupt.
//!
//! The driver's own words: a message of the model's hardware is [`passim_model::pci::Message`].

use passim_model::PhysAddr;

/// `struct msi_msg`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Message {
    /// Where the device writes, on the bus. What that address means is up to whoever translates for
    /// it.
    pub address: u64,
    /// What it writes: 32 bits.
    pub data: u32,
}

impl Message {
    /// The message that is nowhere delivered: every word all ones.
    pub const LOST: Self = Self { address: u64::MAX, data: u32::MAX };

    /// The message that writes `data` to a doorbell as it is.
    pub const fn to(doorbell: PhysAddr, data: u32) -> Self {
        Self { address: doorbell.get(), data }
    }
}
