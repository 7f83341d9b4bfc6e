//! The MSI capability: one address, one word of data, up to 32 vectors. PCI 3.0 6.8.1.
//!
//! Its registers are in configuration space; this room decodes them.

use super::config::{Config, MOST_MSI_LG2};
use super::wire::{MsiControl, msi};
use super::{Lost, Message, Raised};
use crate::{Iova, Requester, Width};

/// The position and the form of the capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Msi {
    at: u32,
    wide: bool,
    masking: bool,
}

/// Address and data as the registers hold them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Programmed {
    /// Message address, on the bus; its upper half is 0 where the capability has none.
    pub address: Iova,
    /// Message data; in a message, the vector replaces the low bits that software allotted (PCI 3.0
    /// 6.8.1.6).
    pub data: u16,
}

impl Msi {
    pub(super) fn new(config: &Config, at: u32) -> Self {
        let control = config.u16(at + msi::CONTROL);
        let (wide, masking) =
            (MsiControl::WIDE.is_set(control), MsiControl::MASKING.is_set(control));
        Self { at, wide, masking }
    }

    fn control(&self, config: &Config) -> u64 {
        config.u16(self.at + msi::CONTROL)
    }

    /// The offset of a register behind the address: larger where the address has 64 bits.
    fn behind_address(&self, offset: u32) -> u32 {
        self.at + offset + if self.wide { msi::WIDER } else { 0 }
    }

    pub(super) fn is_enabled(&self, config: &Config) -> bool {
        MsiControl::ENABLE.is_set(self.control(config))
    }

    /// What the address and data registers hold.
    pub fn programmed(&self, config: &Config) -> Programmed {
        let low = config.u32(self.at + msi::ADDRESS);
        let upper = if self.wide { config.u32(self.at + msi::ADDRESS_UPPER) } else { 0 };
        let data = config.u16(self.behind_address(msi::DATA)) as u16;
        Programmed { address: Iova::new(upper << 32 | low), data }
    }

    /// log2 of the vectors software allotted; never more than there are.
    fn vectors_lg2(&self, config: &Config) -> u64 {
        let control = self.control(config);
        let most = MsiControl::CAPABLE.get(control).min(MOST_MSI_LG2);
        MsiControl::ENABLED.get(control).min(most)
    }

    fn pending(&self, config: &Config) -> u64 {
        if self.masking { config.u32(self.behind_address(msi::PENDING)) } else { 0 }
    }

    fn set_pending(&self, config: &mut Config, pending: u64) {
        if self.masking {
            config.set(self.behind_address(msi::PENDING), Width::W32, pending);
        }
    }

    fn masked(&self, config: &Config) -> u64 {
        if self.masking { config.u32(self.behind_address(msi::MASK)) } else { 0 }
    }

    fn message(&self, config: &Config, requester: Requester, vector: u16) -> Message {
        let Programmed { address, data } = self.programmed(config);
        // PCI 3.0 6.8.1.6: the function puts the vector into the low bits it was allotted, and
        // writes 32 bits of which the upper 16 are zero.
        let own = (1u32 << self.vectors_lg2(config)) - 1;
        Message { requester, at: address, data: u32::from(data) & !own | u32::from(vector) & own }
    }

    pub(super) fn raise(
        &self,
        config: &mut Config,
        requester: Requester,
        vector: u16,
        is_bus_master: bool,
    ) -> Raised {
        if u64::from(vector) >= 1 << self.vectors_lg2(config) {
            return Raised::Lost(Lost::NoVector);
        }
        if self.masked(config) >> vector & 1 != 0 {
            let pending = self.pending(config) | 1 << vector;
            self.set_pending(config, pending);
            return Raised::Pending;
        }
        if !is_bus_master {
            return Raised::Lost(Lost::NoBusMaster);
        }
        Raised::Sent(self.message(config, requester, vector))
    }

    /// Messages of vectors that are pending and masked no longer, ascending.
    pub(super) fn release(&self, config: &mut Config, requester: Requester) -> Vec<Message> {
        let pending = self.pending(config);
        let due = pending & !self.masked(config);
        self.set_pending(config, pending & !due);
        let vectors = (0..32).filter(|vector| due >> vector & 1 != 0);
        vectors.map(|vector| self.message(config, requester, vector)).collect()
    }

    /// Clears everything pending.
    pub(super) fn reset(&self, config: &mut Config) {
        self.set_pending(config, 0);
    }
}
