//! The fields of GICv2m and ITS registers, under the names that Linux's drivers use for them.

use passim_model::layout;

/// Offset of the frame's register that reports its SPIs.
pub(super) const V2M_MSI_TYPER: u64 = 0x008;
/// Offset of the doorbell.
pub(super) const V2M_MSI_SETSPI_NS: u64 = 0x040;
/// Offset of the frame's identity.
pub(super) const V2M_MSI_IIDR: u64 = 0xfcc;

layout! {
    /// `V2M_MSI_TYPER`.
    pub(super) struct MsiTyper {
        /// `V2M_MSI_TYPER_BASE_MASK`.
        BASE_SPI = bits(25, 16);
        /// `V2M_MSI_TYPER_NUM_MASK`.
        NUM_SPI = bits(9, 0);
    }
}

/// Values of `V2M_MSI_IIDR` whose frames expect other data.
pub(super) mod iidr {
    pub(in crate::msi) const XGENE_GICV2M: u64 = 0x0600_0170;
    pub(in crate::msi) const BCM_NS2_GICV2M: u64 = 0x0000_013f;
}

/// `GITS_TRANSLATER`, from the ITS's base.
pub(super) const GITS_TRANSLATER: u64 = 0x1_0040;
