//! Configuration space: bytes, and which of their bits take a store.
//!
//! This room has what every function has: the header, and the masks of the capabilities that the
//! model uses. [`registers`](super::registers) performs what follows from a store.

use super::wire::{
    BaseAddress, Command, DeviceCapabilities, DeviceControl, DeviceStatus, IoAddress,
    MemoryAddress, MessageAddress, MsiControl, MsixControl, PowerCapabilities, PowerControl,
    RomAddress, Status, capability, express, header, msi, msix, power,
};
use crate::Width;
use crate::topology::{BarKind, Function};

/// Configuration space of a function. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    bytes: Vec<u8>,
    /// Writable bits.
    writable: Vec<u8>,
    /// Bits that storing a one clears.
    cleared: Vec<u8>,
}

/// Most capabilities a list has: each takes four of the 192 bytes behind the header. A longer list
/// is circular.
const MOST_CAPABILITIES: usize = 48;

impl Config {
    /// Configuration space of `function` as the machine describes it: bytes that are not given read
    /// zero. Without any, the header is derived from the function's identity and BARs.
    pub fn new(function: &Function) -> Self {
        let size = function.config_size as usize;
        let mut bytes = function.config.clone();
        bytes.resize(size, 0);
        let mut config = Self { bytes, writable: vec![0; size], cleared: vec![0; size] };
        if function.config.is_empty() {
            config.identify(function);
        }
        config.header_masks(function);
        config.capability_masks(function);
        config
    }

    /// Bytes of it: 256 or 4096, by [`Function::config_size`].
    pub fn size(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// Loads a register, `at` bytes from the start. Bytes beyond the end read as all ones.
    pub fn load(&self, at: u32, width: Width) -> u64 {
        let byte = |n: u64| {
            let at = u64::from(at) + n;
            u64::from(self.bytes.get(at as usize).copied().unwrap_or(0xff)) << (8 * n)
        };
        (0..width.bytes()).map(byte).sum()
    }

    /// Stores to a register, `at` bytes from the start: bits that are read-only keep their value,
    /// and bytes beyond the end are lost.
    pub fn store(&mut self, at: u32, width: Width, value: u64) {
        for n in 0..width.bytes() as usize {
            let (at, new) = (at as usize + n, (value >> (8 * n)) as u8);
            let Some(byte) = self.bytes.get_mut(at) else { return };
            let (writable, cleared) = (self.writable[at], self.cleared[at]);
            *byte = (*byte & !writable | new & writable) & !(new & cleared);
        }
    }

    /// Sixteen bits from `at` on.
    pub(super) fn u16(&self, at: u32) -> u64 {
        self.load(at, Width::W16)
    }

    /// Thirty-two bits from `at` on.
    pub(super) fn u32(&self, at: u32) -> u64 {
        self.load(at, Width::W32)
    }

    /// Changes a register as the hardware itself does, read-only bits included.
    pub(super) fn set(&mut self, at: u32, width: Width, value: u64) {
        for n in 0..width.bytes() as usize {
            if let Some(byte) = self.bytes.get_mut(at as usize + n) {
                *byte = (value >> (8 * n)) as u8;
            }
        }
    }

    /// Clears every bit that software may change.
    pub(super) fn reset(&mut self) {
        let masks = self.writable.iter().zip(&self.cleared);
        for (byte, (writable, cleared)) in self.bytes.iter_mut().zip(masks) {
            *byte &= !(writable | cleared);
        }
    }

    /// The capability with this identifier, in the list.
    pub(super) fn capability(&self, identifier: u8) -> Option<u32> {
        if !Status::CAPABILITIES.is_set(self.u16(header::STATUS)) {
            return None;
        }
        let mut at = self.byte(header::CAPABILITIES);
        for _ in 0..MOST_CAPABILITIES {
            // PCI 3.0 6.7: the low two bits of a pointer are reserved.
            let here = u32::from(at & !3);
            if here < u32::from(capability::FIRST) {
                return None;
            }
            if self.byte(here) == identifier {
                return Some(here);
            }
            at = self.byte(here + 1);
        }
        None
    }

    /// Whether the header is a bridge's.
    fn is_bridge(&self) -> bool {
        self.byte(header::TYPE) & 0x7f == 1
    }

    /// The register of a BAR, or of the ROM with number 6.
    pub(super) fn bar_register(&self, index: u8) -> Option<u32> {
        let bars = if self.is_bridge() { 2 } else { 6 };
        match index {
            6 if self.is_bridge() => Some(header::BRIDGE_ROM),
            6 => Some(header::ROM),
            _ if index < bars => Some(header::BARS + 4 * u32::from(index)),
            _ => None,
        }
    }

    /// The address in the BAR's register, upper half included.
    pub(super) fn bar_address(&self, register: u32) -> u64 {
        let low = self.u32(register);
        if BaseAddress::IO.is_set(low) {
            return IoAddress::ADDRESS.in_place(low);
        }
        let upper = if is_wide(low) { self.u32(register + 4) << 32 } else { 0 };
        upper | MemoryAddress::ADDRESS.in_place(low)
    }

    fn byte(&self, at: u32) -> u8 {
        self.bytes.get(at as usize).copied().unwrap_or(0)
    }

    pub(super) fn allow(&mut self, at: u32, width: Width, mask: u64) {
        or_into(&mut self.writable, at, width, mask);
    }

    fn allow_clearing(&mut self, at: u32, width: Width, mask: u64) {
        or_into(&mut self.cleared, at, width, mask);
    }

    /// Builds a header from the description of the function.
    fn identify(&mut self, function: &Function) {
        self.set(header::VENDOR, Width::W16, function.vendor.into());
        self.set(header::DEVICE, Width::W16, function.device.into());
        let class = u64::from(function.class);
        self.set(header::CLASS, Width::W16, class & 0xffff);
        self.set(header::CLASS + 2, Width::W8, class >> 16);
        for bar in &function.bars {
            let Some(register) = self.bar_register(bar.index).filter(|_| bar.index < 6) else {
                continue;
            };
            let start = bar.span.start().get();
            let wide = bar.span.last().get() >> 32 != 0;
            let kind = match bar.kind {
                BarKind::Io => BaseAddress::IO.flag(true),
                BarKind::Memory => BaseAddress::TYPE.of(if wide { WIDE } else { 0 }),
            };
            self.set(register, Width::W32, start & 0xffff_ffff | kind);
            if wide {
                self.set(register + 4, Width::W32, start >> 32);
            }
        }
    }

    fn header_masks(&mut self, function: &Function) {
        let command = [
            Command::IO,
            Command::MEMORY,
            Command::BUS_MASTER,
            Command::PARITY,
            Command::SERR,
            Command::INTERRUPT_DISABLE,
        ];
        let errors = Status::MASTER_PARITY.mask() | Status::ERRORS.mask();
        self.allow(header::COMMAND, Width::W16, command.iter().map(|field| field.mask()).sum());
        self.allow_clearing(header::STATUS, Width::W16, errors);
        self.allow(header::CACHE_LINE, Width::W8, 0xff);
        self.allow(header::INTERRUPT_LINE, Width::W8, 0xff);
        for bar in &function.bars {
            let Some(register) = self.bar_register(bar.index) else { continue };
            let address = !bar.span.size_minus_one();
            if bar.index == 6 {
                let address = address & RomAddress::ADDRESS.mask();
                self.allow(register, Width::W32, address | RomAddress::ENABLE.mask());
                continue;
            }
            let low = self.u32(register);
            let field = match bar.kind {
                BarKind::Io => IoAddress::ADDRESS,
                BarKind::Memory => MemoryAddress::ADDRESS,
            };
            self.allow(register, Width::W32, field.in_place(address));
            if bar.kind == BarKind::Memory && is_wide(low) {
                self.allow(register + 4, Width::W32, address >> 32);
            }
        }
        if self.is_bridge() {
            self.bridge_masks(errors);
        }
    }

    /// PCI-to-PCI Bridge 1.2 3.2.5: numbers of buses, windows, control.
    fn bridge_masks(&mut self, errors: u64) {
        /// Low bits of a base: the window has upper address registers.
        const REACHES_FURTHER: u64 = 1;
        self.allow(header::BUSES, Width::W32, 0xffff_ffff);
        self.allow(header::IO_BASE_LIMIT, Width::W16, 0xf0f0);
        self.allow_clearing(header::SECONDARY_STATUS, Width::W16, errors);
        self.allow(header::MEMORY_BASE_LIMIT, Width::W32, 0xfff0_fff0);
        self.allow(header::PREFETCHABLE_BASE_LIMIT, Width::W32, 0xfff0_fff0);
        if self.u16(header::PREFETCHABLE_BASE_LIMIT) & REACHES_FURTHER != 0 {
            self.allow(header::PREFETCHABLE_UPPER, Width::W64, u64::MAX);
        }
        if self.u16(header::IO_BASE_LIMIT) & REACHES_FURTHER != 0 {
            self.allow(header::IO_UPPER, Width::W32, 0xffff_ffff);
        }
        self.allow(header::BRIDGE_CONTROL, Width::W16, 0x0b7f);
        self.allow_clearing(header::BRIDGE_CONTROL, Width::W16, 0x0400);
    }

    fn capability_masks(&mut self, function: &Function) {
        if let Some(at) = self.capability(capability::POWER_MANAGEMENT) {
            let can_signal = PowerCapabilities::PME.get(self.u16(at + power::CAPABILITIES)) != 0;
            self.allow(at + power::CONTROL, Width::W16, PowerControl::STATE.mask());
            if can_signal {
                let (enable, status) = (PowerControl::PME_ENABLE, PowerControl::PME_STATUS);
                self.allow(at + power::CONTROL, Width::W16, enable.mask());
                self.allow_clearing(at + power::CONTROL, Width::W16, status.mask());
            }
        }
        if let Some(at) = function.msi.map(u32::from) {
            self.msi_masks(at);
        }
        if let Some(at) = function.msix.map(u32::from) {
            let control = MsixControl::ENABLE.mask() | MsixControl::FUNCTION_MASK.mask();
            self.allow(at + msix::CONTROL, Width::W16, control);
        }
        if let Some(at) = function.pcie.map(u32::from) {
            let settings = DeviceControl::SETTINGS.mask();
            self.allow(at + express::DEVICE_CONTROL, Width::W16, settings);
            let errors = DeviceStatus::ERRORS.mask();
            self.allow_clearing(at + express::DEVICE_STATUS, Width::W16, errors);
        }
    }

    fn msi_masks(&mut self, at: u32) {
        let control = self.u16(at + msi::CONTROL);
        let further = if MsiControl::WIDE.is_set(control) { msi::WIDER } else { 0 };
        let vectors = 1u64 << MsiControl::CAPABLE.get(control).min(MOST_MSI_LG2);
        let settings = MsiControl::ENABLE.mask() | MsiControl::ENABLED.mask();
        self.allow(at + msi::CONTROL, Width::W16, settings);
        self.allow(at + msi::ADDRESS, Width::W32, MessageAddress::WORD.mask());
        if further != 0 {
            self.allow(at + msi::ADDRESS_UPPER, Width::W32, 0xffff_ffff);
        }
        self.allow(at + msi::DATA + further, Width::W16, 0xffff);
        if MsiControl::MASKING.is_set(control) {
            self.allow(at + msi::MASK + further, Width::W32, (1 << vectors) - 1);
        }
    }

    /// Whether the function can be reset alone, by its PCI Express capability at `at`.
    pub(super) fn can_reset(&self, at: u32) -> bool {
        DeviceCapabilities::FUNCTION_RESET.is_set(self.u32(at + express::DEVICE_CAPABILITIES))
    }
}

/// PCI 3.0 6.8.1.3: 32 vectors; larger logarithms are reserved.
pub(super) const MOST_MSI_LG2: u64 = 5;

/// The type of a BAR with 64 bits. PCI 3.0 6.2.5.1.
const WIDE: u64 = 2;

fn is_wide(low: u64) -> bool {
    !BaseAddress::IO.is_set(low) && BaseAddress::TYPE.get(low) == WIDE
}

fn or_into(masks: &mut [u8], at: u32, width: Width, mask: u64) {
    for n in 0..width.bytes() as usize {
        if let Some(byte) = masks.get_mut(at as usize + n) {
            *byte |= (mask >> (8 * n)) as u8;
        }
    }
}
