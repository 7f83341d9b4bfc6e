//! The fields of GICv2 and GICv2m registers, under the names that Linux's drivers use for them.
//!
//! The GIC model defines the same layouts again from the architecture; the two meet only at
//! registers. No algorithms here.

use passim_model::layout;

/// Offsets in the distributor: `GIC_DIST_*`.
pub(super) mod dist {
    pub(in crate::irq) const CTRL: u64 = 0x000;
    pub(in crate::irq) const CTR: u64 = 0x004;
    pub(in crate::irq) const ENABLE_SET: u64 = 0x100;
    pub(in crate::irq) const ENABLE_CLEAR: u64 = 0x180;
    pub(in crate::irq) const ACTIVE_CLEAR: u64 = 0x380;
    pub(in crate::irq) const PRI: u64 = 0x400;
    pub(in crate::irq) const TARGET: u64 = 0x800;
    pub(in crate::irq) const CONFIG: u64 = 0xc00;
}

/// Offsets in a CPU interface: `GIC_CPU_*`.
pub(super) mod cpu {
    pub(in crate::irq) const CTRL: u64 = 0x00;
    pub(in crate::irq) const PRIMASK: u64 = 0x04;
    pub(in crate::irq) const INTACK: u64 = 0x0c;
    pub(in crate::irq) const EOI: u64 = 0x10;
    pub(in crate::irq) const DEACTIVATE: u64 = 0x1000;
}

layout! {
    /// `GIC_DIST_CTR`.
    pub(super) struct DistCtr {
        /// Rows of 32 interrupts, less one.
        GIC_IRQS = bits(4, 0);
    }
}
layout! {
    /// `GIC_CPU_CTRL`.
    pub(super) struct CpuCtrl {
        /// `GICC_ENABLE`.
        ENABLE = bit(0);
        /// `GICC_DIS_BYPASS_MASK`.
        DIS_BYPASS = bits(8, 5);
        /// `GIC_CPU_CTRL_EOImodeNS`.
        EOI_MODE_NS = bit(9);
    }
}
layout! {
    /// `GIC_CPU_INTACK`.
    pub(super) struct IntAck {
        /// `GICC_IAR_INT_ID_MASK`.
        INT_ID = bits(9, 0);
    }
}

/// `GICD_ENABLE`.
pub(super) const GICD_ENABLE: u64 = 1;
/// `GICD_DISABLE`.
pub(super) const GICD_DISABLE: u64 = 0;
/// `GICD_INT_DEF_PRI_X4`: 0xa0 for each of four.
pub(super) const GICD_INT_DEF_PRI_X4: u64 = 0xa0a0_a0a0;
/// `GICD_INT_EN_CLR_X32`.
pub(super) const GICD_INT_EN_CLR_X32: u64 = 0xffff_ffff;
/// `GICD_INT_EN_CLR_PPI`.
pub(super) const GICD_INT_EN_CLR_PPI: u64 = 0xffff_0000;
/// `GICD_INT_EN_SET_SGI`.
pub(super) const GICD_INT_EN_SET_SGI: u64 = 0x0000_ffff;
/// `GICD_INT_ACTLOW_LVLTRIG`.
pub(super) const GICD_INT_ACTLOW_LVLTRIG: u64 = 0;
/// `GICC_INT_PRI_THRESHOLD`.
pub(super) const GICC_INT_PRI_THRESHOLD: u64 = 0xf0;
/// First of the special INTIDs, which belong to no device.
pub(super) const FIRST_SPECIAL: u64 = 1020;
/// First shared interrupt.
pub(super) const FIRST_SPI: u32 = 32;
