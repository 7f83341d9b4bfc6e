//! What firmware tells the kernel of interrupts before it starts.
//!
//! As in [`iommu::facts`](crate::iommu::facts): facts only, no tables of firmware.

use passim_model::{DeviceId, Endpoint, IntId, PhysAddr};
use std::collections::BTreeMap;

/// A GICv2m frame as firmware describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameFacts {
    /// Physical address at which its 4 KiB of registers begin.
    pub base: PhysAddr,
    /// First SPI (an INTID) and number of SPIs, in place of what MSI_TYPER says: the properties
    /// `arm,msi-base-spi` and `arm,msi-num-spis`.
    pub spis: Option<(IntId, u32)>,
    /// ACPI's tables are Amazon's (OEM ID `AMAZON`): the frame is Graviton's, though nothing in it
    /// says so.
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
        /// The frames, in the order in which the kernel meets them.
        frames: Vec<FrameFacts>,
    },
    /// A GICv3 with ITSs.
    V3 {
        /// Physical address of GICD.
        distributor: PhysAddr,
        /// Physical address of the first GICR; those of the other CPUs follow.
        redistributors: PhysAddr,
        /// Physical address of GITS of each, in the order in which the kernel meets them.
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
    /// Who asked for it, as `/proc/interrupts` has it.
    pub name: String,
}

/// The wired interrupts of an SMMU, as INTIDs; `None` where a wire is not connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmmuWireFacts {
    /// Which SMMU: its index among the machine's IOMMUs.
    pub smmu: usize,
    /// Its event queue has something.
    pub event_queue: Option<IntId>,
    /// A global error.
    pub global_error: Option<IntId>,
    /// SMMUv2: faults, global and of context banks; those that share a wire are one.
    pub faults: Vec<IntId>,
}

/// All of it.
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
    /// Devices whose messages go to another ITS than the first, and the place of theirs in the
    /// list: `msi-map` or `msi-parent`.
    pub msi_parents: BTreeMap<Endpoint, usize>,
    /// Functions that have another place in `msi-map` by the last identifier that they may send
    /// under, and which ITS and DeviceID that is.
    pub last_aliases: BTreeMap<Endpoint, (usize, DeviceId)>,
    /// Messages held at boot.
    pub held: Vec<HeldFacts>,
    /// Linux interrupt numbers in use besides, ascending. Those of the SMMUs are among them.
    pub irqs_allocated: Vec<u32>,
    /// Interrupts of the SMMUs.
    pub smmus: Vec<SmmuWireFacts>,
    /// Doorbells of a controller that has one for every CPU: the physical address CPU n's messages
    /// go to takes the place of that of the GICv2m frame. Empty for every controller that exists.
    pub doorbells_per_cpu: Vec<PhysAddr>,
}
