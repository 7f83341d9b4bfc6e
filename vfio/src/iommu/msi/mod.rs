//! Messages through an IOMMU: the window for doorbells, and the doorbells mapped in it.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`geometry`] | how does a domain treat messages? |
//! | `cookie` | what is a domain's MSI cookie? |
//! | `records` | which mapping holds a doorbell? |
//! | [`doorbell`] | how is a doorbell mapped, shared, unmapped? |
//! | [`rules`] | which check refused? |
//!
//! Here: cookies, windows, and which domain translates the messages of a device. One implementation
//! serves three designs: msi-iommu of the series, which counts references to a doorbell; the DMA
//! layer since 4.11, which keeps it until the domain is freed; and none. Not here: when a doorbell
//! is mapped and what is written into a device (interrupts), and who may set a window (type1).

mod cookie;
pub mod doorbell;
pub mod geometry;
mod records;
pub mod rules;

pub(super) use cookie::Cookie;
pub use doorbell::{DoorbellGet, DoorbellView};
pub use geometry::MsiGeometry;

use super::domain::Purpose;
use super::iova::{Anchored, Bump, IovaSpace, TopDown};
use super::reserved::{ReservedKind, ReservedRegion};
use super::{DomainId, Driver, Iommu, Translation};
use crate::policy::{
    DefaultDomain, IovaAllocator, MsiMapping, Policy, SecondWindow, SmmuIntrRemap, WindowProvider,
};
use crate::verdict::{Severity, Verdict};
use cookie::Keeping;
use passim_model::{Conflict, Endpoint, Errno, Iova, PageSize, Refusal, Span};
use records::Records;

/// The policy choices that concern messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choices {
    provider: WindowProvider,
    mapping: MsiMapping,
    allocator: IovaAllocator,
    second: SecondWindow,
    default_domain: DefaultDomain,
    intr_remap: SmmuIntrRemap,
}

impl Choices {
    pub(super) fn of(policy: &Policy) -> Self {
        Self {
            provider: policy.window_provider,
            mapping: policy.msi_mapping,
            allocator: policy.iova_allocator,
            second: policy.second_window,
            default_domain: policy.default_domain,
            intr_remap: policy.smmu_intr_remap,
        }
    }

    /// Whether doorbells are mapped at all.
    pub(super) fn maps(self) -> bool {
        self.provider != WindowProvider::Nobody && self.mapping != MsiMapping::Never
    }

    /// Whether the kernel's own domains bypass translation.
    pub(super) fn default_bypasses(self) -> bool {
        self.default_domain == DefaultDomain::Bypass
    }

    fn keeping(self) -> Keeping {
        match self.mapping {
            MsiMapping::Never | MsiMapping::AllocCounted => Keeping::Counted,
            MsiMapping::Compose | MsiMapping::Prepare => Keeping::ForGood,
        }
    }

    /// The allocator of the window from page `first` to page `last`.
    fn space(self, page: PageSize, first: u64, last: u64) -> IovaSpace {
        match self.allocator {
            IovaAllocator::TopDown => IovaSpace::top_down(page, TopDown::new(first, last)),
            // The DMA layer passes its limit plus one.
            IovaAllocator::Anchored => {
                IovaSpace::anchored(page, Anchored::new(first, last.saturating_add(1)))
            }
            IovaAllocator::Bump => IovaSpace::bump(page, Bump::new(first << page.lg2())),
        }
    }
}

/// Cookies.
impl Iommu {
    /// The cookie that a domain is created with.
    ///
    /// Part 1 of the series gives one to every domain of a user behind an SMMU; without memory for
    /// it, allocating the domain would fail. The DMA layer gives one to every domain of the kernel
    /// that translates.
    pub(super) fn first_cookie(
        &mut self,
        driver: usize,
        purpose: Purpose,
        granule: PageSize,
    ) -> Option<Cookie> {
        let smmu = self.drivers[driver].is_smmu();
        if !smmu || !self.msi.maps() {
            return None;
        }
        let keeping = self.msi.keeping();
        let space = match (purpose, self.msi.provider) {
            (Purpose::User, WindowProvider::User) => None,
            (Purpose::Kernel, _) if keeping == Keeping::ForGood && !self.msi.default_bypasses() => {
                // iova.c allocates for PCI devices below 4 GiB while there is room.
                let limit = (1u64 << 32) >> granule.lg2();
                Some(IovaSpace::anchored(granule, Anchored::new(1, limit)))
            }
            _ => return None,
        };
        Some(self.cookie(keeping, granule, space))
    }

    fn cookie(&mut self, keeping: Keeping, granule: PageSize, space: Option<IovaSpace>) -> Cookie {
        self.cookies += 1;
        let serial = self.cookies;
        Cookie { serial, keeping, granule, space, aperture: None, records: Records::default() }
    }

    /// Frees a domain's cookie. Kernels warn if doorbells still have references, and lose their
    /// records.
    pub(super) fn put_cookie(&mut self, cookie: &Cookie) {
        let held = cookie.records.iter().find(|_| cookie.keeping == Keeping::Counted);
        let span = held.and_then(|record| Span::from_size(record.iova, record.size));
        if let Some(span) = span {
            self.verdicts.push(Verdict {
                severity: Severity::Warning,
                rule: &rules::MSI_MAPPINGS_REMAIN,
                conflict: Conflict::Slot(span),
            });
        }
    }

    /// Takes the warnings that kernels would have logged.
    pub fn take_verdicts(&mut self) -> Vec<Verdict> {
        core::mem::take(&mut self.verdicts)
    }
}

/// Windows.
impl Iommu {
    /// How a domain treats messages.
    pub fn msi_geometry(&self, domain: DomainId) -> MsiGeometry {
        let domain = self.domain(domain);
        match &self.drivers[domain.driver] {
            Driver::SmmuV3(_) | Driver::SmmuV2(_) => MsiGeometry {
                aperture: domain.cookie.as_ref().and_then(|cookie| cookie.aperture),
                supported: self.msi.provider != WindowProvider::Nobody,
            },
            Driver::X86(x86) => MsiGeometry { aperture: Some(x86.messages), supported: false },
            Driver::Flat(_) => MsiGeometry { aperture: None, supported: false },
        }
    }

    /// Sets the window in which the doorbells of a domain are mapped.
    ///
    /// # Errors
    /// ENOENT if this kernel takes no window from its user, ENODEV without a cookie, EINVAL or
    /// EFAULT, by policy, for a second window, EFAULT outside of the aperture that the domain's
    /// driver enforces, and EINVAL, where kernels die, if the domain's pages are larger than the
    /// CPU's.
    pub fn set_msi_aperture(
        &mut self,
        domain: DomainId,
        window: Span<Iova>,
    ) -> Result<(), Refusal> {
        let choices = self.msi;
        if choices.provider != WindowProvider::User || !choices.maps() {
            return Err(rules::MSI_NO_SUPPORT.refuse(Errno::ENOENT));
        }
        let (geometry, page) = (self.msi_geometry(domain), self.page);
        let enforced = self.enforced_aperture(domain);
        let no_cookie = || rules::MSI_NO_COOKIE.refuse(Errno::ENODEV);
        let cookie = self.domain_mut(domain).cookie.as_mut().ok_or_else(no_cookie)?;
        let there = cookie.aperture.map_or(Conflict::Request, Conflict::Window);
        if geometry.is_valid() && choices.second == SecondWindow::Einval {
            return Err(rules::MSI_SECOND_APERTURE.refuse_for(Errno::EINVAL, there));
        }
        let granule = cookie.granule;
        if granule > page {
            let conflict = Conflict::Limit { limit: page.bytes(), wanted: granule.bytes() };
            let rule = &rules::MSI_GRANULE;
            self.verdicts.push(Verdict { severity: Severity::Oops, rule, conflict });
            return Err(rule.refuse_for(Errno::EINVAL, conflict));
        }
        let pfn = |iova: Iova| iova.get() >> granule.lg2();
        let (mut first, mut last) = (pfn(window.start()).max(1), pfn(window.last()));
        if let Some(enforced) = enforced {
            if !enforced.overlaps(window) {
                let conflict = Conflict::Aperture(enforced);
                return Err(rules::MSI_OUTSIDE_APERTURE.refuse_for(Errno::EFAULT, conflict));
            }
            first = first.max(pfn(enforced.start()));
            last = last.min(pfn(enforced.last()));
        }
        let taken = match &mut cookie.space {
            None => {
                cookie.space = Some(choices.space(granule, first, last));
                true
            }
            Some(space) => space.page() == granule && space.enlarge(first, last),
        };
        if !taken {
            return Err(rules::MSI_OTHER_RANGE.refuse_for(Errno::EFAULT, there));
        }
        cookie.aperture = Some(window);
        Ok(())
    }

    /// The aperture that a domain's driver enforces when its allocator is initialised.
    // SMMU drivers set force_aperture since 4.8, when the DMA layer replaced msi-iommu; older ones
    // do not.
    fn enforced_aperture(&self, domain: DomainId) -> Option<Span<Iova>> {
        (self.msi.keeping() == Keeping::ForGood).then(|| self.aperture(domain))
    }

    /// Removes a window, as v14 does with windows set before one that failed. Existing mappings in
    /// it stay. Does nothing without a cookie.
    pub fn clear_msi_aperture(&mut self, domain: DomainId) {
        let Some(old) = self.domain_mut(domain).cookie.take() else { return };
        self.put_cookie(&old);
        let fresh = self.cookie(old.keeping, old.granule, None);
        self.domain_mut(domain).cookie = Some(fresh);
    }

    /// Gives a domain an MSI-only cookie: doorbells are mapped from `base` upwards. 4.11
    /// dma-iommu.c, `iommu_get_msi_cookie`.
    ///
    /// # Errors
    /// ENODEV if the driver of this kernel's SMMU reserves no window, EINVAL for a domain of the
    /// kernel's own, EEXIST if the domain has a cookie.
    pub fn set_msi_base(&mut self, domain: DomainId, base: Iova) -> Result<(), Refusal> {
        let choices = self.msi;
        if choices.provider != WindowProvider::Driver || !choices.maps() {
            return Err(rules::MSI_NO_SUPPORT.refuse(Errno::ENODEV));
        }
        let known = self.domain(domain);
        if known.purpose != Purpose::User {
            return Err(rules::MSI_BASE_KIND.refuse(Errno::EINVAL));
        }
        if known.cookie.is_some() {
            return Err(rules::MSI_BASE_EXISTS.refuse(Errno::EEXIST));
        }
        // 4.11 dma-iommu: the granule of such a cookie is the CPU's page.
        let page = self.page;
        let reserved = ReservedRegion::smmu_doorbells().span.size_minus_one();
        let last = base.get().saturating_add(reserved);
        let space = match choices.allocator {
            IovaAllocator::Bump => IovaSpace::bump(page, Bump::new(base.get())),
            _ => choices.space(page, base.get() >> page.lg2(), last >> page.lg2()),
        };
        let cookie = self.cookie(choices.keeping(), page, Some(space));
        self.domain_mut(domain).cookie = Some(cookie);
        Ok(())
    }
}

/// Messages of a device or group.
impl Iommu {
    /// The domain that translates the messages of a device, in which its doorbells have to be
    /// mapped; `None` if its messages carry physical addresses.
    pub fn msi_domain_of(&self, device: impl Into<Endpoint>) -> Option<DomainId> {
        let group = self.group_of(device)?;
        let Some(Translation::Domain(id)) = self.translation(group) else { return None };
        let domain = self.domain(id);
        let translates = match self.msi.mapping {
            MsiMapping::Never => false,
            // Part 1 of the series checks type and geometry, but not whether there is a cookie.
            MsiMapping::AllocCounted => {
                domain.purpose != Purpose::Kernel && self.msi_geometry(id).supported
            }
            MsiMapping::Compose | MsiMapping::Prepare => {
                domain.cookie.as_ref().is_some_and(Cookie::is_ready)
            }
        };
        translates.then_some(id)
    }

    /// Whether the driver of a group's IOMMU claims IOMMU_CAP_INTR_REMAP.
    pub fn claims_intr_remap(&self, group: u32) -> bool {
        match self.driver_of(group).map(|driver| &self.drivers[driver]) {
            Some(Driver::SmmuV3(_) | Driver::SmmuV2(_)) => {
                self.msi.intr_remap == SmmuIntrRemap::Claimed
            }
            Some(Driver::X86(x86)) => x86.remaps_interrupts,
            Some(Driver::Flat(_)) | None => false,
        }
    }

    /// The regions that the driver with this index reserves for a device.
    pub(super) fn regions_of_driver(&self, driver: usize) -> Vec<ReservedRegion> {
        // Reserved regions are younger than every revision of the series.
        if self.msi.provider != WindowProvider::Driver {
            return Vec::new();
        }
        match &self.drivers[driver] {
            Driver::SmmuV3(_) | Driver::SmmuV2(_) => vec![ReservedRegion::smmu_doorbells()],
            Driver::X86(x86) => {
                vec![ReservedRegion { span: x86.messages, kind: ReservedKind::Msi }]
            }
            Driver::Flat(_) => Vec::new(),
        }
    }
}
