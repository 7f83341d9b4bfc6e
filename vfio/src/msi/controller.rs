//! The driver behind the MSI domains, for every interrupt controller.
//!
//! Not here: interrupts after their arrival ([`irq`](crate::irq)).

use super::flags::{self, Bus, MsiFlags};
use super::its::{Event, Its, Lacking};
use super::message::Message;
use super::v2m::V2m;
use super::view::MessageSupply;
use crate::irq::{GicFacts, InterruptFacts};
use crate::policy::{ItsDoorbellInfo, Policy};
use passim_model::{DeviceId, Frames, Host, IntId, PhysAddr};

/// A doorbell description: `struct msi_doorbell_info`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DoorbellInfo {
    /// Physical address of one doorbell per possible CPU, or of one for all of them.
    pub at: Vec<PhysAddr>,
    /// Bytes of one.
    pub size: u64,
}

/// The driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Controller {
    /// There is none: no device has an MSI domain.
    Absent,
    V2m(V2m),
    Its(Its),
}

/// An interrupt of a controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Source {
    pub(super) intid: IntId,
    /// With an ITS: its index, and the event that raises the interrupt there.
    event: Option<(usize, Event)>,
}

impl Controller {
    /// Boots the controller that firmware describes; `Err` with the address of an invalid frame.
    pub(super) fn boot(
        facts: &InterruptFacts,
        policy: &Policy,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Self, PhysAddr> {
        match &facts.gic {
            GicFacts::V2 { frames: v2m_frames, .. } => {
                let v2m = V2m::boot(v2m_frames, &facts.doorbells_per_cpu, policy, host)?;
                Ok(if v2m.is_empty() { Self::Absent } else { Self::V2m(v2m) })
            }
            GicFacts::V3 { its, redistributors, distributor } => {
                let mut driver = Its::new(its, policy);
                let gic = (*distributor, *redistributors);
                driver.boot(gic, facts.cpus, policy, frames, host);
                Ok(Self::Its(driver))
            }
        }
    }

    /// The flags of the MSI domain for a bus; `None` where there is no domain.
    pub(super) fn flags(&self, bus: Bus) -> Option<MsiFlags> {
        match self {
            Self::Absent => None,
            Self::V2m(v2m) => Some(flags::of_v2m(bus, v2m.blocks())),
            Self::Its(_) => Some(flags::of_its(bus)),
        }
    }

    /// The name of the chip in `/proc/interrupts`: that of one domain for all devices, and the
    /// prefix of those of per-device domains.
    // irq-gic-v2m.c, irq-gic-v3-its-pci-msi.c and -platform-msi.c name their shared domains.
    pub(super) fn chip(&self, bus: Bus) -> (&'static str, &'static str) {
        match (self, bus) {
            (Self::Absent, _) => ("", ""),
            (Self::V2m(_), Bus::Pci) => ("MSI", "GICv2m"),
            (Self::V2m(_), Bus::Platform) => ("pMSI", "GICv2m"),
            (Self::Its(_), Bus::Pci) => ("ITS-MSI", "ITS"),
            (Self::Its(_), Bus::Platform) => ("ITS-pMSI", "ITS"),
        }
    }

    /// Prepares a device, by its ITS and DeviceID, for `wanted` messages; the flag tells whether a
    /// bridge may answer for it.
    pub(super) fn prepare(
        &mut self,
        id: (usize, DeviceId),
        wanted: (u32, bool),
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Lacking> {
        match self {
            Self::Its(its) => its.prepare(id, wanted, frames, host),
            Self::Absent | Self::V2m(_) => Ok(()),
        }
    }

    /// Releases a device that was [prepared](Controller::prepare) for messages. Returns whether an
    /// event of it is in use, so that it stays.
    pub(super) fn release(
        &mut self,
        id: (usize, DeviceId),
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> bool {
        match self {
            Self::Its(its) => its.release(id, frames, host),
            Self::Absent | Self::V2m(_) => false,
        }
    }

    /// Allocates interrupts for `count` messages of one descriptor; `None` if no SPI or event is
    /// left.
    pub(super) fn alloc(&mut self, id: (usize, DeviceId), count: usize) -> Option<Vec<Source>> {
        match self {
            Self::Absent => None,
            Self::V2m(v2m) => {
                let spis = v2m.alloc(count)?;
                Some(spis.into_iter().map(|intid| Source { intid, event: None }).collect())
            }
            Self::Its(its) => {
                let events = its.alloc(id, count)?;
                let source = |(event, intid)| Source { intid, event: Some((id.0, event)) };
                Some(events.into_iter().map(source).collect())
            }
        }
    }

    /// Frees the interrupts of one descriptor. Returns how many that were taken with them stay
    /// taken.
    pub(super) fn free(
        &mut self,
        sources: &[Source],
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> usize {
        let Some(first) = sources.first() else { return 0 };
        match self {
            Self::Absent => 0,
            Self::V2m(v2m) => v2m.free(first.intid, sources.len()),
            Self::Its(its) => {
                let Some((at, _)) = first.event else { return 0 };
                let events = sources.iter().filter_map(|source| source.event);
                let events: Vec<_> = events.map(|(_, event)| event).collect();
                its.free(at, &events, frames, host)
            }
        }
    }

    /// Activates an interrupt: messages raise it from now on. Returns the CPU that an ITS routes it
    /// to.
    pub(super) fn activate(&mut self, source: Source, host: &mut impl Host) -> Option<u16> {
        match (self, source.event) {
            (Self::Its(its), Some(event)) => its.activate(event, source.intid, host),
            _ => None,
        }
    }

    /// Deactivates an interrupt: messages no longer raise it.
    pub(super) fn deactivate(&mut self, source: Source, host: &mut impl Host) {
        if let (Self::Its(its), Some(event)) = (self, source.event) {
            its.deactivate(event, host);
        }
    }

    /// Masks or unmasks an LPI. For SPIs the distributor's driver does that.
    pub(super) fn set_masked(&mut self, source: Source, masked: bool, host: &mut impl Host) {
        if let (Self::Its(its), Some(event)) = (self, source.event) {
            its.set_masked(event, source.intid, masked, host);
        }
    }

    /// Makes an ITS route an LPI to the CPU that a user has set, or to another. Returns the CPU.
    pub(super) fn set_affinity(
        &mut self,
        source: Source,
        pinned: Option<u16>,
        host: &mut impl Host,
    ) -> Option<u16> {
        match (self, source.event) {
            (Self::Its(its), Some(event)) => its.set_affinity(event, pinned, host),
            _ => None,
        }
    }

    /// The same for an LPI whose event is not mapped: the ITS gets the command nevertheless.
    pub(super) fn move_inactive(
        &mut self,
        source: Source,
        pinned: Option<u16>,
        host: &mut impl Host,
    ) -> Option<u16> {
        match (self, source.event) {
            (Self::Its(its), Some(event)) => its.move_unmapped(event, pinned, host),
            _ => None,
        }
    }

    /// Number of interrupts in use.
    pub(super) fn in_use(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::V2m(v2m) => v2m.in_use(),
            Self::Its(its) => its.in_use(),
        }
    }

    /// Interrupts in total, and those left.
    pub(super) fn supply(&self) -> Option<MessageSupply> {
        match self {
            Self::Absent => None,
            Self::V2m(v2m) => Some(v2m.supply()),
            Self::Its(its) => Some(its.supply()),
        }
    }

    /// The message that raises an interrupt at a CPU, with a physical address.
    pub(super) fn message(&self, source: Source, cpu: u16) -> Message {
        match (self, source.event) {
            (Self::V2m(v2m), _) => v2m.message(source.intid, cpu),
            (Self::Its(its), Some(event)) => its.message(event),
            (Self::Absent, _) | (Self::Its(_), None) => Message::LOST,
        }
    }

    /// The chip's description of the doorbells of an interrupt; `None` if it has none.
    // 4.6 with the series: a GICv2m frame describes its base, 4 bytes; an ITS nothing up to v9.
    pub(super) fn doorbell_info(
        &self,
        source: Source,
        its: ItsDoorbellInfo,
    ) -> Option<DoorbellInfo> {
        /// A doorbell is one register.
        const SIZE: u64 = 4;
        match self {
            Self::Absent => None,
            Self::V2m(v2m) => Some(DoorbellInfo { at: v2m.doorbells(source.intid), size: SIZE }),
            Self::Its(_) if its == ItsDoorbellInfo::Off => None,
            Self::Its(its) => {
                let doorbell = source.event.and_then(|(at, _)| its.doorbell(at));
                Some(DoorbellInfo { at: doorbell.into_iter().collect(), size: SIZE })
            }
        }
    }

    /// Whether the controller itself moves an interrupt to another CPU, so that its message does
    /// not change.
    pub(super) fn moves_events(&self) -> bool {
        matches!(self, Self::Its(_))
    }
}
