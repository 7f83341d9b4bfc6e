//! The fields of GICv3 registers, under the names that Linux's driver uses for them
//! (`arm-gic-v3.h`).
//!
//! The GIC model defines the same layouts again from the architecture; the two meet only at
//! registers. No algorithms here.

use passim_model::layout;

/// Offsets in the distributor: `GICD_*`.
pub(super) mod dist {
    pub(in crate::irq) const CTLR: u64 = 0x0000;
    pub(in crate::irq) const TYPER: u64 = 0x0004;
    pub(in crate::irq) const IROUTER: u64 = 0x6000;
}

/// Offsets of registers that the distributor has for SPIs, and a redistributor's second frame for
/// private interrupts: `GICD_*`, `GICR_*0`.
pub(super) mod array {
    pub(in crate::irq) const IGROUPR: u64 = 0x0080;
    pub(in crate::irq) const ISENABLER: u64 = 0x0100;
    pub(in crate::irq) const ICENABLER: u64 = 0x0180;
    pub(in crate::irq) const ICACTIVER: u64 = 0x0380;
    pub(in crate::irq) const IPRIORITYR: u64 = 0x0400;
    pub(in crate::irq) const ICFGR: u64 = 0x0c00;
}

/// Offsets in a redistributor: `GICR_*`.
pub(super) mod redist {
    pub(in crate::irq) const TYPER: u64 = 0x0008;
    pub(in crate::irq) const WAKER: u64 = 0x0014;
}

/// `SZ_64K`: offset of a redistributor's second frame, for private interrupts.
pub(super) const SGI_BASE: u64 = 0x1_0000;
/// Distance from a redistributor to the next.
pub(super) const GICR_STRIDE: u64 = 0x2_0000;
/// The same, with virtual LPIs.
pub(super) const GICR_STRIDE_VLPIS: u64 = 0x4_0000;

layout! {
    /// `GICD_CTLR`.
    pub(super) struct DistCtlr {
        /// `GICD_CTLR_ENABLE_G1`.
        ENABLE_G1 = bit(0);
        /// `GICD_CTLR_ENABLE_G1A`.
        ENABLE_G1A = bit(1);
        /// `GICD_CTLR_ARE_NS`.
        ARE_NS = bit(4);
        /// `GICD_CTLR_RWP`.
        RWP = bit(31);
    }
}
layout! {
    /// `GICD_TYPER`.
    pub(super) struct DistTyper {
        /// `GICD_TYPER_IRQS`: rows of 32 interrupts, less one.
        IRQS = bits(4, 0);
        /// `GICD_TYPER_NUM_LPIS`: log2 of the LPIs, less one.
        NUM_LPIS = bits(15, 11);
        /// `GICD_TYPER_ID_BITS`: bits of an INTID, less one.
        ID_BITS = bits(23, 19);
    }
}
layout! {
    /// `GICR_TYPER`.
    pub(super) struct RedistTyper {
        /// `GICR_TYPER_VLPIS`.
        VLPIS = bit(1);
        /// `GICR_TYPER_LAST`.
        LAST = bit(4);
        /// `GICR_TYPER_CPU_NUMBER`.
        CPU_NUMBER = bits(23, 8);
        /// Affinity 3 to 0.
        AFFINITY = bits(63, 32);
    }
}
layout! {
    /// `GICR_WAKER`.
    pub(super) struct Waker {
        /// `GICR_WAKER_ProcessorSleep`.
        PROCESSOR_SLEEP = bit(1);
        /// `GICR_WAKER_ChildrenAsleep`.
        CHILDREN_ASLEEP = bit(2);
    }
}

/// `ICC_SRE_EL1_SRE`.
pub(super) const ICC_SRE_EL1_SRE: u64 = 1;
/// `DEFAULT_PMR_VALUE`.
pub(super) const DEFAULT_PMR_VALUE: u64 = 0xf0;
/// `ICC_CTLR_EL1_EOImode_drop_dir`.
pub(super) const ICC_CTLR_EL1_EOIMODE_DROP_DIR: u64 = 0;
/// `ICC_CTLR_EL1_EOImode_drop`.
pub(super) const ICC_CTLR_EL1_EOIMODE_DROP: u64 = 1 << 1;
/// First shared interrupt.
pub(super) const FIRST_SPI: u32 = 32;
/// First of the four special INTIDs.
pub(super) const FIRST_SPECIAL: u32 = 1020;
/// First LPI.
pub(super) const FIRST_LPI: u32 = 8192;
