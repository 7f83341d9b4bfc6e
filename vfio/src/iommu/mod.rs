//! The IOMMU core and its drivers: which domain translates for which group, and how SMMUs are
//! programmed for that.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`facts`] | what does firmware report about IOMMUs and devices? |
//! | `attach` | which domain translates for a group, and how does that change? |
//! | `boot` | how do groups get their default domains? |
//! | `x86` | what does the driver of an IOMMU as on x86 write into memory? |
//! | [`group`], [`domain`] | what is a group, what is a domain? |
//! | [`mapping`] | what is mapped where, and what must be invalidated? |
//! | `paging` | how are tables written and looked up? |
//! | [`msi`] | where are doorbells mapped, and for which devices? |
//! | [`iova`] | which addresses of a window are free? |
//! | [`reserved`] | which addresses must mappings leave alone? |
//! | `removal` | what happens when a device is removed? |
//! | [`transition`] | how does a change reach hardware? |
//! | [`synced`] | when may pages be unpinned? |
//! | [`finding`] | what went wrong with the SMMU? |
//! | `v3` | what does arm-smmu-v3 write? |
//! | `v2` | what does arm-smmu write? |
//! | `progress` | how far has a list of acts come, and what if hardware hangs? |
//! | `registers` | how are registers loaded and stored? |
//! | `flat` | what if there is no hardware? |
//! | [`rules`] | which check refused? |
//!
//! Not here: who may map what, and who may set an MSI window (type1). An IOVA is looked up only in
//! the tables that the hardware walks, or by the hardware itself.

mod attach;
mod boot;
pub mod domain;
pub mod facts;
pub mod finding;
mod flat;
pub mod group;
pub mod iova;
pub mod mapping;
pub mod msi;
mod paging;
mod progress;
mod registers;
mod removal;
pub mod reserved;
pub mod rules;
pub mod synced;
pub mod transition;
mod v2;
mod v3;
mod x86;

pub use domain::{DomainId, DomainKind};
pub use facts::{
    BootError, DeviceFacts, DriverFacts, Firmware, SmmuModel, SmmuV2Facts, SmmuVersion,
};
pub use finding::{CommandError, Finding};
pub use group::{Owner, Translation};
pub use mapping::MapRequest;
pub use msi::{DoorbellGet, DoorbellView, MsiGeometry};
pub use reserved::{ReservedKind, ReservedRegion};
pub use synced::Synced;
pub use transition::{Invalidation, Transition};

use crate::policy::{BlockedState, NestingType, PciStreams};
use crate::verdict::Verdict;
use domain::{Body, Domain, Purpose};
use flat::{FlatDomain, FlatDriver};
use group::Group;
use paging::Shape;
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{
    Conflict, Endpoint, Errno, Frames, Host, Iova, PageSize, PageSizes, Refusal, Span,
};
use slab::Slab;
use std::collections::BTreeMap;
use transition::{Part, Worklist};
use v2::SmmuV2;
use v3::{Ids, SmmuV3};
use x86::X86;

/// How often hardware is run at boot before the driver gives up waiting.
const BOOT_WAITS: usize = 1 << 16;

#[derive(Debug)]
enum Driver {
    SmmuV3(SmmuV3),
    SmmuV2(SmmuV2),
    X86(X86),
    Flat(FlatDriver),
}

impl Driver {
    /// Whether it drives an SMMU.
    fn is_smmu(&self) -> bool {
        matches!(self, Self::SmmuV3(_) | Self::SmmuV2(_))
    }
}

/// A driver's state of a device.
#[derive(Debug)]
enum Master {
    SmmuV3(v3::Master),
    SmmuV2(v2::Master),
    X86(x86::Master),
    Flat,
}

#[derive(Debug)]
struct Device {
    endpoint: Endpoint,
    /// Whether its accesses are coherent with the CPUs' caches.
    coherent: bool,
    master: Master,
}

/// The IOMMU core with its drivers. See the [module](self).
#[derive(Debug)]
pub struct Iommu {
    page: PageSize,
    blocked: BlockedState,
    nesting: NestingType,
    pci_streams: PciStreams,
    msi: msi::Choices,
    drivers: Vec<Driver>,
    /// ASIDs of all SMMUs come from one allocator.
    asids: Ids,
    devices: Vec<Device>,
    groups: BTreeMap<u32, Group>,
    /// The group of each device.
    group_of: BTreeMap<Endpoint, u32>,
    domains: Slab<Domain>,
    /// Number of cookies created so far.
    cookies: u64,
    verdicts: Vec<Verdict>,
    left_out: Vec<LeftOut>,
}

/// A device that a driver did not take.
#[derive(Debug)]
struct LeftOut {
    device: Endpoint,
    driver: usize,
    error: BootError,
    /// Whether it has been reported.
    told: bool,
}

/// Queries about groups.
impl Iommu {
    /// Every group, ascending.
    pub fn groups(&self) -> impl Iterator<Item = u32> + '_ {
        self.groups.keys().copied()
    }

    /// The devices of a group in the order in which they joined it; none if there is no such group.
    pub fn group_devices(&self, group: u32) -> impl Iterator<Item = Endpoint> + '_ {
        let devices = self.groups.get(&group).map_or(&[][..], |group| &group.devices);
        devices.iter().map(|device| self.devices[*device].endpoint)
    }

    /// The group of a device.
    pub fn group_of(&self, device: impl Into<Endpoint>) -> Option<u32> {
        self.group_of.get(&device.into()).copied()
    }

    /// Addresses of a group that mappings must not use, ascending.
    pub fn reserved_regions(&self, group: u32) -> &[ReservedRegion] {
        self.groups.get(&group).map_or(&[], |group| &group.reserved)
    }

    /// Index of the IOMMU a group is behind, in the order firmware lists them.
    pub fn driver_of(&self, group: u32) -> Option<usize> {
        self.groups.get(&group).map(|group| group.driver)
    }

    /// The translation of a group.
    pub fn translation(&self, group: u32) -> Option<Translation> {
        self.groups.get(&group).map(|group| group.translation)
    }

    /// The owner of a group.
    pub fn owner(&self, group: u32) -> Option<Owner> {
        self.groups.get(&group).map(|group| group.owner)
    }

    /// Whether accesses of a device with a group can be coherent with the CPUs' caches:
    /// IOMMU_CAP_CACHE_COHERENCY.
    // 6.12 arm-smmu.c, arm_smmu_capable: coherent walks imply coherent accesses, and so does a
    // coherent device. arm-smmu-v3.c checks the walks only.
    pub(crate) fn keeps_coherent(&self, device: impl Into<Endpoint>) -> bool {
        let endpoint = device.into();
        let driver = self.group_of(endpoint).and_then(|group| self.driver_of(group));
        let mut devices = self.devices.iter().rev();
        let coherent =
            devices.find(|device| device.endpoint == endpoint).is_some_and(|it| it.coherent);
        match driver.and_then(|driver| self.drivers.get(driver)) {
            Some(Driver::SmmuV3(smmu)) => smmu.walks_are_coherent(),
            Some(Driver::SmmuV2(smmu)) => smmu.walks_are_coherent() || coherent,
            _ => true,
        }
    }

    /// The domain the kernel's own drivers use for a group.
    pub fn default_domain(&self, group: u32) -> Option<DomainId> {
        self.groups.get(&group).map(|group| group.default)
    }

    fn group(&self, number: u32) -> Result<&Group, Refusal> {
        let unknown = || rules::GROUP_UNKNOWN.refuse_for(Errno::ENODEV, Conflict::Group(number));
        self.groups.get(&number).ok_or_else(unknown)
    }
}

/// Domains.
impl Iommu {
    /// Allocates an empty domain behind the IOMMU of `group`.
    ///
    /// # Errors
    /// ENODEV without such a group, EPERM where the kernel refuses nesting, ENOMEM, EBUSY without a
    /// free ASID and ENOSPC without a free VMID.
    pub fn alloc_domain(
        &mut self,
        group: u32,
        kind: DomainKind,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<DomainId, Refusal> {
        let driver = self.group(group)?.driver;
        if kind == DomainKind::Nested && self.refuses_nesting(group) {
            return Err(rules::DOMAIN_NESTING_REFUSED.refuse(Errno::EPERM));
        }
        self.domain_of_driver(driver, kind, Purpose::User, frames, host)
    }

    /// Whether allocating a domain for nesting behind a group's IOMMU fails.
    // 6.12: a domain that belongs to an SMMU answers EPERM. arm-smmu-v3.c finalises it on
    // allocation, arm-smmu.c when its first device attaches.
    pub(crate) fn refuses_nesting(&self, group: u32) -> bool {
        let driver = self.driver_of(group).and_then(|driver| self.drivers.get(driver));
        self.nesting == NestingType::Refused && !matches!(driver, Some(Driver::SmmuV2(_)))
    }

    fn domain_of_driver(
        &mut self,
        driver: usize,
        kind: DomainKind,
        purpose: Purpose,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<DomainId, Refusal> {
        let (body, granule) = match &mut self.drivers[driver] {
            Driver::SmmuV3(smmu) => {
                let body = smmu.alloc_domain(kind, &mut self.asids, frames, host)?;
                let granule = body.geometry().granule.page();
                (Body::SmmuV3(body), granule)
            }
            Driver::SmmuV2(smmu) => {
                let body = smmu.alloc_domain(kind)?;
                let granule = body.shape().smallest();
                (Body::SmmuV2(body), granule)
            }
            Driver::X86(x86) => (Body::X86(x86.alloc_domain(frames, host)?), self.page),
            Driver::Flat(_) => (Body::Flat(FlatDomain::default()), self.page),
        };
        let cookie = self.first_cookie(driver, purpose, granule);
        let bypasses = purpose == Purpose::Kernel && self.msi.default_bypasses();
        Ok(DomainId(self.domains.insert(Domain { driver, purpose, body, bypasses, cookie })))
    }

    /// Frees a domain that no group is attached to: first its translations are invalidated, then
    /// its tables freed.
    ///
    /// # Panics
    /// If the domain was freed before, or a group is attached to it.
    pub fn free_domain(&mut self, domain: DomainId) -> Transition {
        let attached = Translation::Domain(domain);
        let used = self.groups.values().any(|group| group.translation == attached);
        assert!(!used, "a domain is detached from every group before it is freed");
        let domain = self.domains.try_remove(domain.0).expect(KNOWN);
        if let Some(cookie) = &domain.cookie {
            self.put_cookie(cookie);
        }
        let driver = domain.driver;
        let work = match (&self.drivers[driver], &domain.body) {
            (Driver::SmmuV3(smmu), Body::SmmuV3(body)) => smmu.retire(body).into(),
            (Driver::SmmuV2(smmu), Body::SmmuV2(body)) => smmu.retire(body).into(),
            _ => Worklist::default(),
        };
        Transition::new([Part::Acts(driver, work), Part::Dismantle(driver, Box::new(domain))])
    }

    fn dismantle(&mut self, driver: usize, domain: Domain, frames: &mut Frames) {
        match (&mut self.drivers[driver], domain.body) {
            (Driver::SmmuV3(smmu), Body::SmmuV3(body)) => {
                smmu.free_domain(body, &mut self.asids, frames);
            }
            (Driver::SmmuV2(smmu), Body::SmmuV2(body)) => smmu.free_domain(body, frames),
            (_, Body::X86(body)) => body.free(frames),
            _ => {}
        }
    }

    /// Page sizes of the domain's mappings: Linux's `pgsize_bitmap`.
    pub fn domain_page_sizes(&self, domain: DomainId) -> PageSizes {
        match self.shape(domain) {
            Ok(shape) => shape.page_sizes(),
            Err(driver) => driver.page_sizes,
        }
    }

    /// Addresses that can be mapped: from 0 to the last input address of the tables, both inside;
    /// firmware's aperture, where there are no tables.
    pub fn aperture(&self, domain: DomainId) -> Span<Iova> {
        match self.shape(domain) {
            Ok(shape) => {
                let last = Iova::new(shape.last_input());
                Span::new(Iova::new(0), last).expect("it starts at 0")
            }
            Err(driver) => driver.aperture,
        }
    }

    /// Whether stage 2 of an SMMU translates.
    pub fn uses_stage2(&self, domain: DomainId) -> bool {
        let is_smmu = self.drivers[self.domain(domain).driver].is_smmu();
        is_smmu && self.shape(domain).is_ok_and(|shape| shape.stage() == Stage::Two)
    }

    /// The shape of a domain's tables, or the driver that has no tables.
    fn shape(&self, domain: DomainId) -> Result<Shape, &FlatDriver> {
        let domain = self.domain(domain);
        match (&domain.body, &self.drivers[domain.driver]) {
            (Body::SmmuV3(body), _) => Ok(Shape::Long(body.geometry())),
            (Body::SmmuV2(body), _) => Ok(body.shape()),
            (Body::X86(body), _) => Ok(Shape::Long(body.geometry())),
            (Body::Flat(_), Driver::Flat(driver)) => Err(driver),
            (Body::Flat(_), _) => unreachable!("{SAME_DRIVER}"),
        }
    }

    /// Whether `group` is behind the IOMMU that `domain` was allocated for, so that it could
    /// attach.
    pub fn same_driver(&self, domain: DomainId, group: u32) -> bool {
        self.driver_of(group) == Some(self.domain(domain).driver)
    }

    fn domain(&self, domain: DomainId) -> &Domain {
        self.domains.get(domain.0).expect(KNOWN)
    }

    fn domain_mut(&mut self, domain: DomainId) -> &mut Domain {
        self.domains.get_mut(domain.0).expect(KNOWN)
    }
}

/// Interrupts of the SMMUs, and their reports.
impl Iommu {
    /// Handles the global error interrupt of the IOMMU with index `driver`. Does nothing where
    /// there is none, or no error is active.
    pub fn error_interrupt(&mut self, driver: usize, host: &mut impl Host) {
        if let Some(Driver::SmmuV3(smmu)) = self.drivers.get_mut(driver) {
            smmu.error_interrupt(host);
        }
    }

    /// Handles the event queue interrupt of the IOMMU with index `driver`: takes all events out of
    /// the queue and returns them, oldest first, each as the four doublewords of its record (IHI
    /// 0070 7.3); empty where there is no such queue.
    ///
    /// What Linux logs of each becomes a [finding](Self::take_findings).
    pub fn event_interrupt(&mut self, driver: usize, host: &mut impl Host) -> Vec<[u64; 4]> {
        let Self { drivers, devices, groups, group_of, .. } = self;
        let device = |stream| {
            let of_this = |it: &&Device| {
                let group = group_of.get(&it.endpoint).and_then(|group| groups.get(group));
                group.is_some_and(|group| group.driver == driver)
            };
            let has = |it: &&Device| match &it.master {
                Master::SmmuV3(master) => v3::SmmuV3::has_stream(master, stream),
                _ => false,
            };
            devices.iter().filter(of_this).find(has).map(|it| it.endpoint)
        };
        match drivers.get_mut(driver) {
            Some(Driver::SmmuV3(smmu)) => smmu.event_interrupt(device, host),
            _ => Vec::new(),
        }
    }

    /// Handles a fault interrupt of the SMMUv2 with index `driver`, global or of a context bank:
    /// its reports become [findings](Self::take_findings). Does nothing for another IOMMU.
    pub fn fault_interrupt(&mut self, driver: usize, host: &mut impl Host) {
        if let Some(Driver::SmmuV2(smmu)) = self.drivers.get_mut(driver) {
            smmu.fault_interrupt(host);
        }
    }

    /// Takes the findings of the IOMMU with index `driver`, oldest first.
    pub fn take_findings(&mut self, driver: usize) -> Vec<Finding> {
        let untold = self.left_out.iter_mut().filter(|it| it.driver == driver && !it.told);
        let mut findings: Vec<_> = untold
            .map(|it| {
                it.told = true;
                Finding::LeftOut(it.device, it.error)
            })
            .collect();
        findings.extend(match self.drivers.get_mut(driver) {
            Some(Driver::SmmuV3(smmu)) => smmu.take_findings(),
            Some(Driver::SmmuV2(smmu)) => smmu.take_findings(),
            _ => Vec::new(),
        });
        findings
    }
}

const KNOWN: &str = "a domain is used only until it is freed";
const SAME_DRIVER: &str = "a domain has the shape of its driver";

#[cfg(test)]
mod tests;
