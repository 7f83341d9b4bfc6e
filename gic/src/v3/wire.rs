//! Layouts of GICv3, transcribed from Arm IHI 0069 H chapter 12: positions and offsets, no logic.

use passim_model::layout;

/// Offsets in the distributor. IHI 0069 H 12.8.
pub(crate) mod gicd {
    pub(crate) const CTLR: u64 = 0x0000;
    pub(crate) const TYPER: u64 = 0x0004;
    pub(crate) const IIDR: u64 = 0x0008;
    pub(crate) const STATUSR: u64 = 0x0010;
    pub(crate) const SETSPI_NSR: u64 = 0x0040;
    pub(crate) const CLRSPI_NSR: u64 = 0x0048;
    pub(crate) const IPRIORITYR: u64 = 0x0400;
    pub(crate) const ITARGETSR: u64 = 0x0800;
    pub(crate) const ICFGR: u64 = 0x0c00;
    pub(crate) const IGRPMODR: u64 = 0x0d00;
    pub(crate) const IROUTER: u64 = 0x6000;
    pub(crate) const IROUTER_END: u64 = 0x8000;
    /// First of the identification registers.
    pub(crate) const IDENTIFICATION: u64 = 0xffd0;
    pub(crate) const END: u64 = 0x1_0000;
}

/// Offsets in a redistributor; the second 64 KiB are for SGIs and PPIs. IHI 0069 H 12.10.
pub(crate) mod gicr {
    pub(crate) const CTLR: u64 = 0x0000;
    pub(crate) const IIDR: u64 = 0x0004;
    pub(crate) const TYPER: u64 = 0x0008;
    pub(crate) const TYPER_END: u64 = 0x0010;
    pub(crate) const WAKER: u64 = 0x0014;
    pub(crate) const SETLPIR: u64 = 0x0040;
    pub(crate) const CLRLPIR: u64 = 0x0048;
    pub(crate) const PROPBASER: u64 = 0x0070;
    pub(crate) const PROPBASER_END: u64 = 0x0078;
    pub(crate) const PENDBASER: u64 = 0x0078;
    pub(crate) const PENDBASER_END: u64 = 0x0080;
    pub(crate) const INVLPIR: u64 = 0x00a0;
    pub(crate) const INVALLR: u64 = 0x00b0;
    pub(crate) const SYNCR: u64 = 0x00c0;
    /// First of the identification registers.
    pub(crate) const IDENTIFICATION: u64 = 0xffd0;
    pub(crate) const SGI_BASE: u64 = 0x1_0000;
    pub(crate) const IPRIORITYR: u64 = 0x0400;
    pub(crate) const IPRIORITYR_END: u64 = 0x0420;
    pub(crate) const ICFGR0: u64 = 0x0c00;
    pub(crate) const ICFGR1: u64 = 0x0c04;
    pub(crate) const END: u64 = 0x2_0000;
}

layout! {
    /// GICD_CTLR with one security state.
    pub(crate) struct DistributorCtlr {
        /// Forward Group 0.
        ENABLE_GRP0 = bit(0);
        /// Forward Group 1.
        ENABLE_GRP1 = bit(1);
        /// Affinity routing.
        ARE = bit(4);
        /// One security state.
        DS = bit(6);
        /// A write has not taken effect everywhere.
        RWP = bit(31);
    }
}
layout! {
    /// GICD_TYPER.
    pub(crate) struct DistributorTyper {
        /// Rows of 32 interrupts, minus one.
        IT_LINES_NUMBER = bits(4, 0);
        /// CPUs without affinity routing, minus one.
        CPU_NUMBER = bits(7, 5);
        /// Extended SPIs.
        ESPI = bit(8);
        /// Two security states.
        SECURITY_EXTN = bit(10);
        /// log2 of the number of LPIs, minus one; 0 if IDbits gives it.
        NUM_LPIS = bits(15, 11);
        /// SPIs can be raised by message.
        MBIS = bit(16);
        /// LPIs.
        LPIS = bit(17);
        /// Virtual LPIs injected directly.
        DVIS = bit(18);
        /// Bits of an INTID, minus one.
        ID_BITS = bits(23, 19);
        /// Affinity 3 may be other than zero.
        A3V = bit(24);
        /// No routing to any one of several CPUs.
        NO_1_N = bit(25);
        /// SGIs for affinities 0 of 16 and more.
        RSS = bit(26);
    }
}
layout! {
    /// GICD_SETSPI_NSR and its siblings.
    pub(crate) struct MessageSpi {
        /// INTID of the SPI.
        INTID = bits(12, 0);
    }
}
layout! {
    /// GICD_IROUTER.
    pub(crate) struct Irouter {
        /// Affinity 0 to 2.
        AFF_LOW = bits(23, 0);
        /// To any CPU that takes part.
        MODE = bit(31);
        /// Affinity 3.
        AFF3 = bits(39, 32);
    }
}
layout! {
    /// GICR_CTLR.
    pub(crate) struct RedistributorCtlr {
        /// LPIs on.
        ENABLE_LPIS = bit(0);
        /// EnableLPIs can be cleared.
        CES = bit(1);
        /// INVLPIR, INVALLR and SYNCR exist.
        IR = bit(2);
        /// A write has not taken effect everywhere.
        RWP = bit(3);
        /// The CPU takes no 1 of N SPI of Group 0.
        DPG0 = bit(24);
        /// The CPU takes no 1 of N SPI of Non-secure Group 1.
        DPG1NS = bit(25);
        /// A requested SGI has not taken effect everywhere.
        UWP = bit(31);
    }
}
layout! {
    /// GICR_TYPER.
    pub(crate) struct RedistributorTyper {
        /// Physical LPIs.
        PLPIS = bit(0);
        /// Virtual LPIs.
        VLPIS = bit(1);
        /// GICR_VPENDBASER.Dirty.
        DIRTY = bit(2);
        /// LPIs by register.
        DIRECT_LPI = bit(3);
        /// The last redistributor of the region.
        LAST = bit(4);
        /// DPG bits.
        DPGS = bit(5);
        /// The CPU's number in commands.
        PROCESSOR_NUMBER = bits(23, 8);
        /// Which redistributors share a configuration table.
        COMMON_LPI_AFF = bits(25, 24);
        /// Affinity 3 to 0.
        AFFINITY = bits(63, 32);
    }
}
layout! {
    /// GICR_WAKER.
    pub(crate) struct Waker {
        /// The CPU sleeps: nothing is forwarded.
        PROCESSOR_SLEEP = bit(1);
        /// The interface sleeps.
        CHILDREN_ASLEEP = bit(2);
    }
}
layout! {
    /// GICR_PROPBASER.
    pub(crate) struct Propbaser {
        /// Bits of an INTID, minus one.
        ID_BITS = bits(4, 0);
        /// Inner cacheability.
        INNER_CACHE = bits(9, 7);
        /// Shareability.
        SHAREABILITY = bits(11, 10);
        /// Address of the table.
        PHYSICAL_ADDRESS = bits(51, 12);
        /// Outer cacheability.
        OUTER_CACHE = bits(58, 56);
    }
}
layout! {
    /// GICR_PENDBASER.
    pub(crate) struct Pendbaser {
        /// Inner cacheability.
        INNER_CACHE = bits(9, 7);
        /// Shareability.
        SHAREABILITY = bits(11, 10);
        /// Address of the table.
        PHYSICAL_ADDRESS = bits(51, 16);
        /// Outer cacheability.
        OUTER_CACHE = bits(58, 56);
        /// The table is zero.
        PTZ = bit(62);
    }
}
layout! {
    /// GICR_SETLPIR, CLRLPIR, INVLPIR.
    pub(crate) struct LpiRegister {
        /// INTID of the LPI.
        INTID = bits(31, 0);
    }
}
layout! {
    /// GICR_SYNCR.
    pub(crate) struct Syncr {
        /// Register operations on LPIs are not complete.
        BUSY = bit(0);
    }
}
layout! {
    /// A byte of the LPI configuration table. IHI 0069 H 5.1.1.
    pub(crate) struct LpiConfiguration {
        /// The LPI is enabled.
        ENABLE = bit(0);
        /// Its priority, not shifted.
        PRIORITY = bits(7, 2);
    }
}
layout! {
    /// ICC_CTLR_EL1.
    pub(crate) struct IccCtlr {
        /// ICC_BPR0_EL1 applies to both groups.
        CBPR = bit(0);
        /// An end of interrupt only drops the priority.
        EOI_MODE = bit(1);
        /// Bits of a priority, minus one.
        PRI_BITS = bits(10, 8);
        /// Bits of an INTID: 0 for 16, 1 for 24.
        ID_BITS = bits(13, 11);
        /// Affinity 3 in SGIs.
        A3V = bit(15);
        /// SGIs for affinities 0 of 16 and more.
        RSS = bit(18);
    }
}
layout! {
    /// ICC_SGI1R_EL1.
    pub(crate) struct SgiRequest {
        /// One bit per CPU of the range.
        TARGET_LIST = bits(15, 0);
        /// Affinity 1 of the cluster.
        AFF1 = bits(23, 16);
        /// Number of the SGI.
        INTID = bits(27, 24);
        /// Affinity 2 of the cluster.
        AFF2 = bits(39, 32);
        /// All but the requester.
        IRM = bit(40);
        /// Which range of sixteen CPUs of the cluster.
        RS = bits(47, 44);
        /// Affinity 3 of the cluster.
        AFF3 = bits(55, 48);
    }
}

/// The first LPI.
pub(crate) const FIRST_LPI: u32 = 8192;
/// The INTID returned when no interrupt waits.
pub(crate) const SPURIOUS: u32 = 1023;
