//! The contents of a function's configuration space: messages, location, kind.
//!
//! For the bytes that a machine lists. Not here: the effect of reads and writes on a running
//! device.

use super::Function;

/// Offsets of registers, in bytes from the capability's own offset, or in the header of a bridge.
/// PCI Local Bus Specification 3.0, 6.8.1 and 6.8.2; PCI-to-PCI Bridge Architecture Specification
/// 1.2, 3.2; PCI Express Base Specification, 7.5.3.
mod offset {
    /// Message control of MSI and of MSI-X; PCI Express capabilities register.
    pub(super) const FLAGS: usize = 2;
    /// MSI-X table offset and BAR.
    pub(super) const MSIX_TABLE: usize = 4;
    /// MSI-X pending bit array offset and BAR.
    pub(super) const MSIX_PBA: usize = 8;
    /// Header type.
    pub(super) const HEADER_TYPE: usize = 0x0e;
    /// Secondary bus number of a bridge.
    pub(super) const SECONDARY_BUS: usize = 0x19;
}

/// A place in one of a function's BARs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarOffset {
    /// BAR index, 0 to 7 as written; only 0 to 5 exist.
    pub bar: u8,
    /// Bytes from its start.
    pub offset: u32,
}

impl Function {
    /// Vectors the MSI capability offers: 1 to 32; `None` without the capability.
    pub fn msi_vectors(&self) -> Option<u32> {
        let flags = self.half(usize::from(self.msi?) + offset::FLAGS)?;
        // 6.8.1.3: multiple message capable, 3..1, is a logarithm; 6 and 7 are reserved.
        Some(1 << (flags >> 1 & 7).min(5))
    }

    /// Entries of the MSI-X table: 1 to 2048; `None` without the capability.
    pub fn msix_vectors(&self) -> Option<u32> {
        let flags = self.half(usize::from(self.msix?) + offset::FLAGS)?;
        // 6.8.2.3: the table size field, 10..0, is one less than the size.
        Some(u32::from(flags & 0x7ff) + 1)
    }

    /// The place of the MSI-X table; `None` without the capability.
    pub fn msix_table(&self) -> Option<BarOffset> {
        self.bar_offset(usize::from(self.msix?) + offset::MSIX_TABLE)
    }

    /// The place of the MSI-X pending bits; `None` without the capability.
    pub fn msix_pba(&self) -> Option<BarOffset> {
        self.bar_offset(usize::from(self.msix?) + offset::MSIX_PBA)
    }

    /// The secondary bus of a bridge; `None` for other functions.
    pub fn secondary_bus(&self) -> Option<u8> {
        let config = self.config.as_ref()?;
        // Header type 1 is a PCI-to-PCI bridge; bit 7 marks a multi-function device.
        (config[offset::HEADER_TYPE] & 0x7f == 1).then_some(config[offset::SECONDARY_BUS])
    }

    /// Whether its header marks a multi-function device; `None` if its header is not listed.
    pub fn is_multifunction(&self) -> Option<bool> {
        let config = self.config.as_ref()?;
        Some(config[offset::HEADER_TYPE] & 0x80 != 0)
    }

    /// Device/port type of a PCI Express function, 4 bits; `None` for a conventional one.
    pub fn pcie_type(&self) -> Option<u8> {
        let flags = self.half(usize::from(self.pcie?) + offset::FLAGS)?;
        Some((flags >> 4 & 0xf) as u8)
    }

    fn half(&self, at: usize) -> Option<u16> {
        let bytes = self.config.as_ref()?.get(at..at + 2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn bar_offset(&self, at: usize) -> Option<BarOffset> {
        let word = u32::from(self.half(at)?) | u32::from(self.half(at + 2)?) << 16;
        // 6.8.2.4: the BAR indicator is 2..0, the offset the rest.
        Some(BarOffset { bar: (word & 7) as u8, offset: word & !7 })
    }
}
