//! Layouts of GICv2, transcribed from Arm IHI 0048 B.b: positions and offsets, no logic.

use passim_model::layout;

/// Offsets in the distributor. IHI 0048 B.b table 4-1.
pub(crate) mod gicd {
    pub(crate) const CTLR: u64 = 0x000;
    pub(crate) const TYPER: u64 = 0x004;
    pub(crate) const IIDR: u64 = 0x008;
    pub(crate) const IPRIORITYR: u64 = 0x400;
    pub(crate) const ITARGETSR: u64 = 0x800;
    pub(crate) const ICFGR: u64 = 0xc00;
    pub(crate) const IMPLEMENTATION: u64 = 0xd00;
    pub(crate) const SGIR: u64 = 0xf00;
    pub(crate) const CPENDSGIR: u64 = 0xf10;
    pub(crate) const SPENDSGIR: u64 = 0xf20;
    pub(crate) const SPENDSGIR_END: u64 = 0xf30;
    /// First of the identification registers. IHI 0048 B.b 4.3.18.
    pub(crate) const IDENTIFICATION: u64 = 0xfd0;
    pub(crate) const END: u64 = 0x1000;
}

/// Offsets in a CPU interface. IHI 0048 B.b table 4-2.
pub(crate) mod gicc {
    pub(crate) const CTLR: u64 = 0x0000;
    pub(crate) const PMR: u64 = 0x0004;
    pub(crate) const BPR: u64 = 0x0008;
    pub(crate) const IAR: u64 = 0x000c;
    pub(crate) const EOIR: u64 = 0x0010;
    pub(crate) const RPR: u64 = 0x0014;
    pub(crate) const HPPIR: u64 = 0x0018;
    pub(crate) const ABPR: u64 = 0x001c;
    pub(crate) const AIAR: u64 = 0x0020;
    pub(crate) const AEOIR: u64 = 0x0024;
    pub(crate) const AHPPIR: u64 = 0x0028;
    pub(crate) const APR: u64 = 0x00d0;
    pub(crate) const NSAPR: u64 = 0x00e0;
    pub(crate) const IIDR: u64 = 0x00fc;
    pub(crate) const DIR: u64 = 0x1000;
}

layout! {
    /// GICD_CTLR without Security Extensions. IHI 0048 B.b 4.3.1.
    pub(crate) struct DistributorCtlr {
        /// Forward Group 0.
        ENABLE_GRP0 = bit(0);
        /// Forward Group 1.
        ENABLE_GRP1 = bit(1);
    }
}
layout! {
    /// GICD_TYPER. IHI 0048 B.b 4.3.2.
    pub(crate) struct DistributorTyper {
        /// Rows of 32 interrupts, minus one.
        IT_LINES_NUMBER = bits(4, 0);
        /// CPU interfaces, minus one.
        CPU_NUMBER = bits(7, 5);
        /// Security Extensions.
        SECURITY_EXTN = bit(10);
        /// SPIs that can be locked down.
        LSPI = bits(15, 11);
    }
}
layout! {
    /// GICD_SGIR. IHI 0048 B.b 4.3.15.
    pub(crate) struct Sgir {
        /// Target: the list, all others, or the requester.
        TARGET_LIST_FILTER = bits(25, 24);
        /// One bit per CPU interface.
        CPU_TARGET_LIST = bits(23, 16);
        /// Only where the interrupt is in Group 1.
        NSATT = bit(15);
        /// Number of the SGI.
        SGI_INT_ID = bits(3, 0);
    }
}
layout! {
    /// GICC_CTLR without Security Extensions. IHI 0048 B.b 4.4.1.
    pub(crate) struct InterfaceCtlr {
        /// Signal Group 0.
        ENABLE_GRP0 = bit(0);
        /// Signal Group 1.
        ENABLE_GRP1 = bit(1);
        /// GICC_IAR also acknowledges Group 1.
        ACK_CTL = bit(2);
        /// Group 0 is signalled as FIQ.
        FIQ_EN = bit(3);
        /// GICC_BPR applies to both groups.
        CBPR = bit(4);
        /// No FIQ bypass, Group 0.
        FIQ_BYP_DIS_GRP0 = bit(5);
        /// No IRQ bypass, Group 0.
        IRQ_BYP_DIS_GRP0 = bit(6);
        /// No FIQ bypass, Group 1.
        FIQ_BYP_DIS_GRP1 = bit(7);
        /// No IRQ bypass, Group 1.
        IRQ_BYP_DIS_GRP1 = bit(8);
        /// An end of interrupt only drops the priority.
        EOI_MODE = bit(9);
        /// The same for Non-secure accesses, with Security Extensions.
        EOI_MODE_NS = bit(10);
    }
}
layout! {
    /// GICC_CTLR as Non-secure accesses see it. IHI 0048 B.b 4.4.1.
    pub(crate) struct NonSecureCtlr {
        /// Signal Group 1.
        ENABLE_GRP1 = bit(0);
        /// No FIQ bypass, Group 1.
        FIQ_BYP_DIS_GRP1 = bit(5);
        /// No IRQ bypass, Group 1.
        IRQ_BYP_DIS_GRP1 = bit(6);
        /// An end of interrupt only drops the priority.
        EOI_MODE_NS = bit(9);
    }
}
layout! {
    /// GICC_IAR, EOIR, HPPIR, DIR. IHI 0048 B.b 4.4.4.
    pub(crate) struct Acknowledge {
        /// For an SGI: the CPU that requested it.
        CPU_ID = bits(12, 10);
        /// The INTID.
        INTERRUPT_ID = bits(9, 0);
    }
}

/// Values of GICD_SGIR.TargetListFilter.
pub(crate) mod filter {
    pub(crate) const LIST: u64 = 0;
    pub(crate) const ALL_OTHERS: u64 = 1;
    pub(crate) const REQUESTER: u64 = 2;
}

/// The INTID returned when a Group 1 interrupt waits and has to be acknowledged by the other
/// register. IHI 0048 B.b 3.2.5.
pub(crate) const OF_GROUP1: u32 = 1022;
/// The INTID returned when no interrupt waits.
pub(crate) const SPURIOUS: u32 = 1023;
