//! Single Root I/O Virtualization: the capability of a physical function with virtual ones.
//!
//! PCI Express 5.0 9.3.3. Not here: migration, dependencies between functions, and the addresses
//! where virtual functions answer, which a machine decides.

use super::config::Config;
use crate::Width;

/// Its identifier.
pub(super) const SRIOV: u64 = 0x0010;
/// Bytes of the capability.
pub(super) const BYTES: u32 = 0x40;

/// Offsets in it.
mod at {
    pub(super) const CONTROL: u32 = 0x08;
    pub(super) const INITIAL: u32 = 0x0c;
    pub(super) const TOTAL: u32 = 0x0e;
    pub(super) const NUMBER: u32 = 0x10;
    pub(super) const DEPENDENCY: u32 = 0x12;
    pub(super) const OFFSET: u32 = 0x14;
    pub(super) const STRIDE: u32 = 0x16;
    pub(super) const DEVICE: u32 = 0x1a;
    pub(super) const SUPPORTED_PAGES: u32 = 0x1c;
    pub(super) const PAGES: u32 = 0x20;
    pub(super) const BARS: u32 = 0x24;
}

crate::layout! {
    /// SR-IOV Control.
    struct Control {
        /// VF Enable: the virtual functions exist.
        ENABLE = bit(0);
        /// VF MSE: their memory answers.
        MEMORY = bit(3);
        /// ARI Capable Hierarchy.
        ARI = bit(4);
    }
}

/// Page sizes that every function with virtual ones has: 4K, 8K, 64K, 256K, 1M and 4M.
const PAGE_SIZES: u64 = 0x553;
/// System Page Size after reset: 4K.
const PAGES_4K: u64 = 1;

/// The capability at boot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sriov {
    /// Its offset in configuration space, in bytes, 0x100 or more.
    pub at: u16,
    /// TotalVFs and InitialVFs: how many virtual functions there can be.
    pub total: u16,
    /// NumVFs at boot; VF Enable and VF MSE are set if it is not 0.
    pub enabled: u16,
    /// First VF Offset: from the function's requester ID to that of its first virtual one.
    pub offset: u16,
    /// VF Stride: from the requester ID of a virtual function to that of the next.
    pub stride: u16,
    /// Function Dependency Link: the function itself, where it depends on no other.
    pub dependency: u8,
    /// VF Device ID.
    pub device: u16,
    /// The registers VF BAR0 to VF BAR5, each with the bits that software may store to.
    pub bars: [(u32, u32); 6],
}

impl Config {
    /// Gives the function the capability, behind the existing ones; `None` without room for it.
    pub(super) fn give_virtual(&mut self, facts: &Sriov) -> Option<u32> {
        let start = u32::from(facts.at);
        self.chain(start, SRIOV, BYTES)?;
        let mut set = |at: u32, value: u16| self.set(start + at, Width::W16, value.into());
        set(at::INITIAL, facts.total);
        set(at::TOTAL, facts.total);
        set(at::NUMBER, facts.enabled);
        set(at::DEPENDENCY, facts.dependency.into());
        set(at::OFFSET, facts.offset);
        set(at::STRIDE, facts.stride);
        set(at::DEVICE, facts.device);
        let on = facts.enabled != 0;
        let control = Control::ENABLE.flag(on) | Control::MEMORY.flag(on);
        self.set(start + at::CONTROL, Width::W16, control);
        self.set(start + at::SUPPORTED_PAGES, Width::W32, PAGE_SIZES);
        self.set(start + at::PAGES, Width::W32, PAGES_4K);
        let settings = Control::ENABLE.mask() | Control::MEMORY.mask() | Control::ARI.mask();
        self.allow(start + at::CONTROL, Width::W16, settings);
        self.allow(start + at::NUMBER, Width::W16, 0xffff);
        self.allow(start + at::PAGES, Width::W32, PAGE_SIZES);
        for (bar, (value, writable)) in (start + at::BARS..).step_by(4).zip(facts.bars) {
            self.set(bar, Width::W32, value.into());
            self.allow(bar, Width::W32, writable.into());
        }
        Some(start)
    }

    /// Resets the registers of the capability at `start` whose reset values are not zero.
    pub(super) fn reset_virtual(&mut self, start: u32) {
        self.set(start + at::PAGES, Width::W32, PAGES_4K);
    }

    /// How many virtual functions the capability at `start` enables.
    pub(super) fn virtual_functions(&self, start: u32) -> u16 {
        match Control::ENABLE.is_set(self.u16(start + at::CONTROL)) {
            true => self.u16(start + at::NUMBER).min(self.u16(start + at::TOTAL)) as u16,
            false => 0,
        }
    }
}

#[cfg(test)]
mod tests;
