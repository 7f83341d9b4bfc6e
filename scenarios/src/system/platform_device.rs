//! Interrupts of platform devices: the registers that hold a device's messages.

use passim_model::pci::Message;
use passim_model::topology::Platform;
use passim_model::{Iova, Requester, Width};

/// Bytes of the registers of one message.
pub(super) const MESSAGE_BYTES: u64 = 16;

/// Address and data of one message; all zero until software writes them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Entry {
    address: u64,
    data: u32,
}

/// A platform device.
pub struct PlatformDevice {
    requester: Requester,
    /// Which SMMU its DMA passes; `None` if it passes none.
    pub(super) smmu: Option<usize>,
    entries: Vec<Entry>,
}

impl PlatformDevice {
    /// The device after reset.
    pub(super) fn new(facts: &Platform, smmu: Option<usize>) -> Self {
        let count = facts.message_table.map_or(0, |_| facts.messages as usize);
        Self { requester: facts.requester(), smmu, entries: vec![Entry::default(); count] }
    }

    /// Loads a message register; other offsets, and parts of a register, read as zero.
    pub(super) fn load(&self, offset: u64, width: Width) -> u64 {
        let entry = usize::try_from(offset / MESSAGE_BYTES).ok();
        let Some(entry) = entry.and_then(|at| self.entries.get(at)) else { return 0 };
        match (offset % MESSAGE_BYTES, width) {
            (0, Width::W32) => entry.address & u64::from(u32::MAX),
            (4, Width::W32) => entry.address >> 32,
            (8, Width::W32) => u64::from(entry.data),
            _ => 0,
        }
    }

    /// Stores to a message register. Other stores are dropped.
    pub(super) fn store(&mut self, offset: u64, width: Width, value: u64) {
        let entry = usize::try_from(offset / MESSAGE_BYTES).ok();
        let Some(entry) = entry.and_then(|at| self.entries.get_mut(at)) else { return };
        let word = value & u64::from(u32::MAX);
        match (offset % MESSAGE_BYTES, width) {
            (0, Width::W32) => entry.address = entry.address >> 32 << 32 | word,
            (4, Width::W32) => entry.address = entry.address & u64::from(u32::MAX) | word << 32,
            (8, Width::W32) => entry.data = word as u32,
            _ => {}
        }
    }

    /// The message of a vector; `None` if software has not written it.
    pub(super) fn message(&self, vector: u16) -> Option<Message> {
        let entry = self.entries.get(usize::from(vector))?;
        let learnt = *entry != Entry::default();
        learnt.then_some(Message {
            requester: self.requester,
            at: Iova::new(entry.address),
            data: entry.data,
        })
    }
}
