//! Boot: brings up the IOMMUs and attaches every group to its default domain.
//!
//! Not here: the register stores on the way (each driver's `reset`).

use super::attach::move_device;
use super::facts::{BootError, DeviceFacts, DriverFacts, Firmware};
use super::flat::FlatDriver;
use super::group::{Group, Owner, Translation};
use super::transition::Worklist;
use super::v2::SmmuV2;
use super::v3::{Ids, SmmuV3};
use super::x86::X86;
use super::{
    BOOT_WAITS, Body, Device, DomainId, DomainKind, Driver, Iommu, KNOWN, LeftOut, Master, Purpose,
    msi, rules,
};
use crate::policy::{BlockedState, PciStreams, Policy};
use crate::step::Step;
use passim_model::{Endpoint, Frames, Host, PageSize, StreamId};
use slab::Slab;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Bits of an ASID, at most.
const ASID_BITS: u32 = 16;

impl Iommu {
    /// Brings up every IOMMU, then adds the devices in their order: the first device of each group
    /// allocates its default domain, and each device is attached to it.
    ///
    /// # Errors
    /// See [`BootError`].
    pub fn boot(
        firmware: &Firmware,
        policy: &Policy,
        page: PageSize,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Self, BootError> {
        let mut iommu = Self {
            page,
            blocked: policy.blocked_state,
            nesting: policy.nesting_type,
            pci_streams: policy.pci_streams,
            msi: msi::Choices::of(policy),
            drivers: Vec::with_capacity(firmware.drivers.len()),
            asids: Ids::new(ASID_BITS),
            devices: Vec::with_capacity(firmware.devices.len()),
            groups: BTreeMap::new(),
            group_of: BTreeMap::new(),
            domains: Slab::new(),
            cookies: 0,
            verdicts: Vec::new(),
            left_out: Vec::new(),
        };
        // ASIDs and VMIDs that Cavium's SMMUs have taken so far.
        let mut tags = 0;
        for facts in &firmware.drivers {
            let driver = match *facts {
                DriverFacts::SmmuV3 { base } => {
                    let smmu = SmmuV3::boot(base, policy, page, frames, host)?;
                    iommu.asids.narrow(smmu.asid_bits());
                    Driver::SmmuV3(smmu)
                }
                DriverFacts::SmmuV2(facts) => {
                    let smmu = SmmuV2::boot(&facts, policy, page, tags, host)?;
                    tags = smmu.tags_kept().wrapping_add(tags);
                    Driver::SmmuV2(smmu)
                }
                DriverFacts::Flat { aperture, page_sizes } => {
                    Driver::Flat(FlatDriver { aperture, page_sizes })
                }
                DriverFacts::X86 { base, messages, remaps_interrupts } => {
                    let said = (messages, remaps_interrupts);
                    Driver::X86(X86::boot(base, said, frames, host)?)
                }
            };
            if let Driver::Flat(flat) = &driver
                && flat.page_sizes.smallest().is_none()
            {
                return Err(BootError::NoGranule);
            }
            iommu.drivers.push(driver);
        }
        let mut streams = BTreeSet::new();
        for facts in &firmware.devices {
            match iommu.take_in(facts, &mut streams, frames, host) {
                Err(error) if error.is_of_a_device() => {
                    iommu.leave_out(facts, error);
                }
                taken => taken?,
            }
        }
        Ok(iommu)
    }

    /// Adds a device that is present at boot, unless an earlier one has one of its StreamIDs.
    fn take_in(
        &mut self,
        facts: &DeviceFacts,
        streams: &mut BTreeSet<(usize, StreamId)>,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        let own: BTreeSet<_> = self.streams_of(facts).iter().copied().collect();
        // An SMMUv2's entries may be shared within a group.
        let shares = matches!(self.drivers.get(facts.driver), Some(Driver::SmmuV2(_)));
        for stream in own {
            if !shares && !streams.insert((facts.driver, stream)) {
                return Err(BootError::StreamTaken(stream));
            }
        }
        let before = self.devices.len();
        self.add_device(facts, frames, host).or_else(|error| {
            if self.devices.len() > before && error.is_of_a_device() {
                self.take_out(facts.endpoint, frames, host)?;
            }
            Err(error)
        })
    }

    /// Removes a device that joined its group but could not be attached.
    fn take_out(
        &mut self,
        device: Endpoint,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        let Some(mut work) = self.remove_device(device) else { return Ok(()) };
        for _ in 0..BOOT_WAITS {
            match work.step(self, frames, host) {
                Step::Done(_) => return Ok(()),
                _ => host.relax(),
            }
        }
        Err(BootError::CommandTimeout)
    }

    /// Devices that no driver took, and why, in the order in which they failed.
    pub fn left_out(&self) -> impl Iterator<Item = (Endpoint, BootError)> + '_ {
        self.left_out.iter().map(|it| (it.device, it.error))
    }

    /// Records that a device was not added.
    pub(crate) fn leave_out(&mut self, facts: &DeviceFacts, error: BootError) {
        let (device, driver) = (facts.endpoint, facts.driver);
        self.left_out.push(LeftOut { device, driver, error, told: false });
    }

    /// Adds a device and attaches it to the default domain of its group, which the group's first
    /// device allocates.
    ///
    /// # Errors
    /// See [`BootError`].
    pub(crate) fn add_device(
        &mut self,
        facts: &DeviceFacts,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        let streams = self.streams_of(facts);
        let driver =
            self.drivers.get_mut(facts.driver).ok_or(BootError::NoDriver(facts.endpoint))?;
        let master = match driver {
            Driver::SmmuV3(smmu) => {
                Master::SmmuV3(smmu.add_master(&streams, facts.config, frames, host)?)
            }
            Driver::SmmuV2(smmu) => {
                let (master, work) = smmu.add_master(&streams, facts.group)?;
                smmu.finish(work, host)?;
                Master::SmmuV2(master)
            }
            Driver::X86(x86) => Master::X86(x86.master(&streams)),
            Driver::Flat(_) => Master::Flat,
        };
        let device = self.devices.len();
        self.group_of.entry(facts.endpoint).or_insert(facts.group);
        let (endpoint, coherent) = (facts.endpoint, facts.coherent);
        self.devices.push(Device { endpoint, coherent, master });
        let arrival = self.join(facts, device, frames, host)?;
        let default = self.groups[&facts.group].default;
        self.init_domain(default, facts.group, frames, host).map_err(|refusal| {
            match (refusal.rule == &rules::DOMAIN_NO_MEMORY, streams.first()) {
                (true, _) => BootError::NoFrame,
                (_, Some(stream)) if refusal.rule == &rules::DOMAIN_NO_ENTRY => {
                    BootError::NoStreamEntry(*stream)
                }
                _ => BootError::NoBank(facts.group),
            }
        })?;
        self.settle(facts.driver, device, default, arrival, host)
    }

    /// The StreamIDs that the driver of its SMMU gives a device.
    // Up to 4.8 arm-smmu.c and arm-smmu-v3.c, __arm_smmu_get_pci_sid: the driver goes through all
    // aliases and keeps the last.
    pub(super) fn streams_of<'a>(&self, facts: &'a DeviceFacts) -> Cow<'a, [StreamId]> {
        match (self.pci_streams, facts.requester) {
            (PciStreams::RequesterId, Some(rid)) => vec![StreamId::new(rid.get().into())].into(),
            _ => Cow::Borrowed(&facts.streams),
        }
    }

    /// The group that an arriving device joins because of its StreamIDs alone.
    pub(crate) fn group_by_streams(&self, facts: &DeviceFacts) -> Option<u32> {
        match self.drivers.get(facts.driver)? {
            Driver::SmmuV2(smmu) => smmu.group_of(&self.streams_of(facts)),
            _ => None,
        }
    }

    /// Puts a device into its group.
    fn join(
        &mut self,
        facts: &DeviceFacts,
        device: usize,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Arrival, BootError> {
        if let Some(group) = self.groups.get_mut(&facts.group) {
            if group.driver != facts.driver {
                return Err(BootError::SplitGroup(facts.group));
            }
            group.devices.push(device);
            return Ok(Arrival::Later);
        }
        let default =
            self.domain_of_driver(facts.driver, DomainKind::Paging, Purpose::Kernel, frames, host);
        let default = default.map_err(|refusal| {
            let memory = refusal.rule == &rules::DOMAIN_NO_MEMORY;
            if memory { BootError::NoFrame } else { BootError::NoTag(facts.group) }
        })?;
        let reserved = self.regions_of_driver(facts.driver);
        let group = Group {
            driver: facts.driver,
            devices: vec![device],
            default,
            blocking: None,
            translation: Translation::Domain(default),
            owner: Owner::Kernel,
            reserved,
        };
        self.groups.insert(facts.group, group);
        Ok(Arrival::First)
    }

    /// Attaches an arriving device, and flushes the domain, since firmware's direct mappings might
    /// have changed it.
    // Command queues in dumps: 6.12 flushes, then attaches; 6.1 attaches (twice where a device
    // joins an existing group), then flushes. The core that blocks with an empty domain is the
    // older.
    fn settle(
        &mut self,
        driver: usize,
        device: usize,
        default: DomainId,
        arrival: Arrival,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        match self.blocked {
            BlockedState::Abort => {
                self.flush(driver, default, host)?;
                self.attach_at_boot(driver, device, default, host)
            }
            BlockedState::EmptyDomain | BlockedState::DefaultDomain => {
                self.attach_at_boot(driver, device, default, host)?;
                if arrival == Arrival::Later {
                    self.attach_at_boot(driver, device, default, host)?;
                }
                self.flush(driver, default, host)
            }
        }
    }

    fn attach_at_boot(
        &mut self,
        driver: usize,
        device: usize,
        default: DomainId,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        let master = &mut self.devices[device].master;
        let target = Translation::Domain(default);
        let work = move_device(&mut self.drivers[driver], master, &mut self.domains, target);
        self.finish(driver, work, host)
    }

    fn flush(
        &mut self,
        driver: usize,
        domain: DomainId,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        let body = &self.domains.get(domain.0).expect(KNOWN).body;
        let work = match (&self.drivers[driver], body) {
            (Driver::SmmuV3(smmu), Body::SmmuV3(body)) => smmu.flush(body).into(),
            (Driver::SmmuV2(smmu), Body::SmmuV2(body)) => smmu.flush(body).into(),
            _ => return Ok(()),
        };
        self.finish(driver, work, host)
    }

    fn finish(
        &mut self,
        driver: usize,
        work: Worklist,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        match (&mut self.drivers[driver], work) {
            (Driver::SmmuV3(smmu), Worklist::SmmuV3(work)) => smmu.finish(work, host),
            (Driver::SmmuV2(smmu), Worklist::SmmuV2(work)) => smmu.finish(work, host),
            (Driver::X86(_), Worklist::X86(mut work)) => {
                // This unit has no caches, so the proof of invalidation has no reader.
                let _proof = work.finish(host);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether a device creates its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arrival {
    /// It does.
    First,
    /// The group existed already.
    Later,
}
