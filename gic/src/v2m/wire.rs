//! Layouts of GICv2m, from Arm's Server Base System Architecture: positions, no logic.

use passim_model::bits::{Field, bits};
use passim_model::layout;

/// Register offsets.
pub(crate) mod offset {
    pub(crate) const MSI_TYPER: u64 = 0x008;
    pub(crate) const MSI_SETSPI_NS: u64 = 0x040;
    pub(crate) const MSI_IIDR: u64 = 0xfcc;
    /// First of the identification registers.
    pub(crate) const IDENTIFICATION: u64 = 0xfd0;
    /// Past the last of them.
    pub(crate) const END: u64 = 0x1000;
}

/// The number in a message.
pub(crate) const SPI: Field = bits(9, 0);

layout! {
    /// MSI_TYPER.
    pub(crate) struct Typer {
        /// INTID of the first SPI.
        BASE = bits(25, 16);
        /// Number of SPIs.
        NUM = bits(9, 0);
    }
}
