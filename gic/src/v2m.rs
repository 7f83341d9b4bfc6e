//! GICv2m: a frame of registers that turns message writes into SPIs.
//!
//! A frame is 4 KiB (Graviton's 8 KiB) and owns a range of SPIs. A store of one of their numbers to
//! MSI_SETSPI_NS raises that SPI for an instant. A frame does not check who writes: any requester
//! whose write arrives can raise any SPI of the range, which is why this chip does not isolate
//! devices.
//!
//! Arm Server Base System Architecture, appendix "GICv2m". Left to the implementation there and
//! fixed here: an access of another size than the register allows, or at any other offset, reads as
//! zero and is ignored (as in QEMU 10.2, `hw/intc/arm_gicv2m.c`).

mod wire;

use crate::Size;
use passim_model::IntId;
use wire::{Typer, offset};

/// The meaning of a message's data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Meaning {
    /// The number of the SPI, as GICv2m specifies.
    #[default]
    IntId,
    /// The number of the SPI minus the frame's first one. X-Gene.
    FromBase,
    /// The number of the SPI minus 32. Broadcom NS2.
    FromFirstSpi,
    /// None: the offset of the store is the number of the SPI minus 32, times 8. Graviton.
    InOffset,
}

/// The parameters of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Implementation {
    /// The first SPI, an INTID: MSI_TYPER's base.
    pub base: IntId,
    /// Number of SPIs.
    pub count: u16,
    /// MSI_IIDR.
    pub iidr: u32,
    /// The identification registers at 0xFD0 to 0xFFC.
    pub identification: [u32; 12],
    /// The meaning of a message's data.
    pub meaning: Meaning,
}

/// MSI_IIDR of the X-Gene's frames (Linux `irq-gic-v2m.c`, `XGENE_GICV2M_MSI_IIDR`).
pub const IIDR_XGENE: u32 = 0x0600_0170;
/// MSI_IIDR of the NS2's frames (Linux `irq-gic-v2m.c`, `BCM_NS2_GICV2M_MSI_IIDR`).
pub const IIDR_NS2: u32 = 0x0000_013f;
/// MSI_IIDR of QEMU's frame (`hw/intc/arm_gicv2m.c`).
pub const IIDR_QEMU: u32 = 0x51 << 20;

impl Implementation {
    /// A frame as GICv2m specifies it, with `count` SPIs from `base` on.
    pub const fn new(base: IntId, count: u16) -> Self {
        Self { base, count, iidr: IIDR_QEMU, identification: [0; 12], meaning: Meaning::IntId }
    }

    /// A frame of the X-Gene.
    pub const fn xgene(base: IntId, count: u16) -> Self {
        Self { iidr: IIDR_XGENE, meaning: Meaning::FromBase, ..Self::new(base, count) }
    }

    /// A frame of the NS2.
    pub const fn ns2(base: IntId, count: u16) -> Self {
        Self { iidr: IIDR_NS2, meaning: Meaning::FromFirstSpi, ..Self::new(base, count) }
    }

    /// A frame of Graviton.
    pub const fn graviton(base: IntId, count: u16) -> Self {
        Self { meaning: Meaning::InOffset, ..Self::new(base, count) }
    }
}

/// A frame. It has no state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    implementation: Implementation,
}

impl Frame {
    /// Bytes of a frame, except Graviton's: [`Frame::bytes`].
    pub const BYTES: u64 = 0x1000;
    /// Offset of MSI_SETSPI_NS, where messages are written to.
    pub const SETSPI_NS: u64 = offset::MSI_SETSPI_NS;

    /// Bytes of a frame, by the meaning of its messages. Graviton's has room for every SPI (8 KiB
    /// in Linux's `irq-gic-v2m.c`, acpi_parse_madt_msi).
    pub const fn bytes(meaning: Meaning) -> u64 {
        match meaning {
            Meaning::InOffset => 2 * Self::BYTES,
            Meaning::IntId | Meaning::FromBase | Meaning::FromFirstSpi => Self::BYTES,
        }
    }

    /// A frame with these parameters.
    pub const fn new(implementation: Implementation) -> Self {
        Self { implementation }
    }

    /// The frame's parameters.
    pub const fn implementation(&self) -> &Implementation {
        &self.implementation
    }

    /// Whether the frame can raise this SPI.
    pub fn has(&self, spi: IntId) -> bool {
        let from_base = spi.get().checked_sub(self.implementation.base.get());
        from_base.is_some_and(|n| n < u32::from(self.implementation.count))
    }

    /// Loads a register, at an offset in bytes from the frame's start. Registers are 32 bits wide;
    /// only whole words can be read.
    pub fn load(&self, at: u64, size: Size) -> u64 {
        if size != Size::Word || !size.aligns(at) {
            return 0;
        }
        let spec = &self.implementation;
        match at {
            offset::MSI_TYPER => {
                let base = Typer::BASE.of(u64::from(spec.base.get()));
                base | Typer::NUM.of(u64::from(spec.count))
            }
            offset::MSI_IIDR => u64::from(spec.iidr),
            offset::IDENTIFICATION..offset::END => {
                u64::from(spec.identification[(at - offset::IDENTIFICATION) as usize / 4])
            }
            _ => 0,
        }
    }

    /// Stores to a register. Returns the SPI that rises and falls, if the store names one.
    ///
    /// MSI_SETSPI_NS takes 32 bits, or 16 with an upper half of zero; only the low ten bits of the
    /// data are used. A number outside the frame's range is ignored.
    pub fn store(&self, at: u64, size: Size, value: u64) -> Option<IntId> {
        let beyond = at >= Self::bytes(self.implementation.meaning);
        if !matches!(size, Size::Half | Size::Word) || !size.aligns(at) || beyond {
            return None;
        }
        let data = wire::SPI.get(size.cut(value)) as u32;
        let spi = match self.implementation.meaning {
            Meaning::InOffset => FIRST_SPI + u32::try_from(at >> 3).ok()?,
            _ if at != offset::MSI_SETSPI_NS => return None,
            Meaning::IntId => data,
            Meaning::FromBase => data.checked_add(self.implementation.base.get())?,
            Meaning::FromFirstSpi => data + FIRST_SPI,
        };
        let spi = IntId::new(spi);
        self.has(spi).then_some(spi)
    }
}

/// The first SPI of any GIC.
const FIRST_SPI: u32 = 32;

#[cfg(test)]
mod tests;
