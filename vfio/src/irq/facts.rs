//! What firmware reports about interrupts at boot.
//!
//! As in [`iommu::facts`](crate::iommu::facts): facts only, no firmware tables.

use passim_model::{DeviceId, Endpoint, IntId, PhysAddr};
use std::collections::BTreeMap;

/// A GICv2m frame as firmware describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameFacts {
    /// Physical address at which its 4 KiB of registers begin.
    pub base: PhysAddr,
    /// First SPI (an INTID) and number of SPIs, which override MSI_TYPER: the properties
    /// `arm,msi-base-spi` and `arm,msi-num-spis`.
    pub spis: Option<(IntId, u32)>,
    /// The ACPI tables are Amazon's (OEM ID `AMAZON`): the frame is Graviton's, which no register
    /// reports.
    pub amazon: bool,
}

/// The interrupt controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GicFacts {
    /// A GICv2 with GICv2m frames.
    V2 {
        /// Physical address of GICD.
        distributor: PhysAddr,
        /// Physical address of GICC.
        cpu_interface: PhysAddr,
        /// The frames, in the order in which the kernel probes them.
        frames: Vec<FrameFacts>,
    },
    /// A GICv3 with ITSs.
    V3 {
        /// Physical address of GICD.
        distributor: PhysAddr,
        /// Physical address of the first GICR; those of the other CPUs follow.
        redistributors: PhysAddr,
        /// Physical address of GITS of each, in the order in which the kernel probes them.
        its: Vec<PhysAddr>,
    },
}

/// A message that a driver of the kernel holds from boot on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldFacts {
    /// The device that sends it.
    pub holder: Endpoint,
    /// Linux interrupt number; `None` for the lowest free one.
    pub irq: Option<u32>,
    /// Vector of the device, counted from 0.
    pub vector: u16,
    /// Name of its user, as in `/proc/interrupts`.
    pub name: String,
}

/// The wired interrupts of an SMMU, as INTIDs; `None` where a wire is not connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmmuWireFacts {
    /// Which SMMU: its index among the machine's IOMMUs.
    pub smmu: usize,
    /// The event queue interrupt.
    pub event_queue: Option<IntId>,
    /// The global error interrupt.
    pub global_error: Option<IntId>,
    /// SMMUv2: fault interrupts, global and of context banks; a shared wire is listed once.
    pub faults: Vec<IntId>,
}

/// Everything that firmware reports about interrupts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterruptFacts {
    /// The interrupt controller.
    pub gic: GicFacts,
    /// Number of CPUs, at least 1.
    pub cpus: u32,
    /// The kernel is started in EL2, where it may be a hypervisor: Linux's `is_hyp_mode_available`.
    pub in_el2: bool,
    /// Physical address at which configuration space is mapped: the register at `offset` of the
    /// function at `rid` is at `ecam + (rid << 12) + offset`.
    pub ecam: PhysAddr,
    /// Devices whose messages do not go to the first ITS: the index of theirs in the list, by
    /// `msi-map` or `msi-parent`, or `None` where neither names one.
    pub msi_parents: BTreeMap<Endpoint, Option<usize>>,
    /// Functions whose last requester ID has another entry in `msi-map` than their own,
    /// with that entry's ITS and DeviceID.
    pub last_aliases: BTreeMap<Endpoint, (Option<usize>, DeviceId)>,
    /// Messages held at boot.
    pub held: Vec<HeldFacts>,
    /// Other Linux interrupt numbers in use, ascending. They include those of the SMMUs.
    pub irqs_allocated: Vec<u32>,
    /// Interrupts of the SMMUs.
    pub smmus: Vec<SmmuWireFacts>,
    /// Doorbells of a controller that has one per CPU: messages for CPU n go to the physical
    /// address at index n in place of the GICv2m frame's. Empty for every controller that exists.
    pub doorbells_per_cpu: Vec<PhysAddr>,
}
