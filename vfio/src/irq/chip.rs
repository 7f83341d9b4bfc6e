//! The interrupt controller's driver, of either version, as the rest of the kernel calls it.

use super::facts::{GicFacts, InterruptFacts};
use super::gicv2::GicV2;
use super::gicv3::GicV3;
use crate::policy::GicV3Priority;
use passim_model::{Abort, Host, IntId};

/// A controller that answered when it was brought up.
#[derive(Debug)]
pub(super) enum Chip {
    V2(GicV2),
    V3(GicV3),
}

/// An interrupt that a CPU acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Its INTID.
    pub(super) intid: IntId,
    /// The value to write when it has been served.
    pub(super) acknowledge: u64,
}

impl Chip {
    /// Brings up the controller that firmware describes, and the interface of each CPU.
    ///
    /// # Errors
    /// [`Abort`] where no register answers.
    pub(super) fn boot(
        facts: &InterruptFacts,
        priority: GicV3Priority,
        cpus: u16,
        host: &mut impl Host,
    ) -> Result<Self, Abort> {
        match &facts.gic {
            GicFacts::V2 { distributor, cpu_interface, .. } => {
                let at = (*distributor, *cpu_interface);
                GicV2::boot(at, cpus, facts.in_el2, host).map(Self::V2)
            }
            GicFacts::V3 { distributor, redistributors, .. } => {
                let at = (*distributor, *redistributors);
                GicV3::boot(at, cpus, priority, facts.in_el2, host).map(Self::V3)
            }
        }
    }

    /// Its name in `/proc/interrupts`.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::V2(_) => "GICv2",
            Self::V3(_) => "GICv3",
        }
    }

    /// Whether the distributor has this SPI.
    pub(super) fn has(&self, spi: IntId) -> bool {
        match self {
            Self::V2(gic) => gic.has(spi),
            Self::V3(gic) => gic.has(spi),
        }
    }

    /// Whether the number can be an interrupt's here: an SPI of the distributor, or any LPI, which
    /// the ITS driver checks.
    pub(super) fn knows(&self, intid: IntId) -> bool {
        match self {
            Self::V2(gic) => gic.has(intid),
            Self::V3(gic) => gic.has(intid) || gic.is_lpi(intid),
        }
    }

    /// Unmasks an SPI.
    pub(super) fn unmask(&self, spi: IntId, host: &mut impl Host) -> Result<(), Abort> {
        match self {
            Self::V2(gic) => gic.unmask(spi, host),
            Self::V3(gic) => gic.unmask(spi, host),
        }
    }

    /// Masks an SPI.
    pub(super) fn mask(&self, spi: IntId, host: &mut impl Host) -> Result<(), Abort> {
        match self {
            Self::V2(gic) => gic.mask(spi, host),
            Self::V3(gic) => gic.mask(spi, host),
        }
    }

    /// Makes an SPI edge-triggered.
    pub(super) fn set_edge(&self, spi: IntId, host: &mut impl Host) -> Result<(), Abort> {
        match self {
            Self::V2(gic) => gic.set_edge(spi, host),
            Self::V3(gic) => gic.set_edge(spi, host),
        }
    }

    /// Routes an SPI to one CPU. Returns `false` if there is no such CPU.
    pub(super) fn route(&self, spi: IntId, cpu: u16, host: &mut impl Host) -> Result<bool, Abort> {
        match self {
            Self::V2(gic) => gic.route(spi, cpu, host),
            Self::V3(gic) => gic.route(spi, cpu, host),
        }
    }

    /// Acknowledges the highest pending interrupt of the CPU this runs on; `None` if none is
    /// pending. In EL2 this also drops the priority.
    pub(super) fn acknowledge(&self, host: &mut impl Host) -> Result<Option<Taken>, Abort> {
        match self {
            Self::V2(gic) => gic.acknowledge(host),
            Self::V3(gic) => Ok(gic.acknowledge(host)),
        }
    }

    /// Ends an interrupt that has been served.
    pub(super) fn end(&self, taken: Taken, host: &mut impl Host) -> Result<(), Abort> {
        match self {
            Self::V2(gic) => gic.end(taken, host),
            Self::V3(gic) => {
                gic.end(taken, host);
                Ok(())
            }
        }
    }
}
