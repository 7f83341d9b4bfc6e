//! Attaching a group to a container's domains, and detaching it.
//!
//! Not here: whether the group may be used at all (`group`), and the mappings of a new domain
//! (`replay`).

use super::{DomainEntry, SlotKind, at_least_a_page, windows::Windows};
use crate::iommu::{DomainId, DomainKind, ReservedKind};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{DomainAllocError, MessageSafety, SuperpageTest, ValidRanges, WindowProvider};
use crate::rules;
use passim_model::{Conflict, Errno, Host, PageSizes, Refusal};

impl Kernel {
    /// Attaches `group` to the container: to one of its domains where hardware allows, else to a
    /// new one, into which every mapping is replayed.
    pub(crate) fn attach_group(
        &mut self,
        container: usize,
        group: u32,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let backend = self.containers[container].type1_mut();
        if backend.invalid_vaddrs > 0 {
            // measured on 6.1 and 6.12: refused at once, the call does not wait.
            return Err(rules::ATTACH_VADDR_INVALID.refuse_for(
                Errno::EBUSY,
                Conflict::Limit { limit: 0, wanted: backend.invalid_vaddrs as u64 },
            ));
        }
        let kind = if backend.nesting { DomainKind::Nested } else { DomainKind::Paging };
        let domain = self
            .iommu
            .alloc_domain(group, kind, &mut self.frames, host)
            .map_err(|refusal| self.domain_error(group, refusal))?;
        let attach =
            self.iommu.attach(domain, group, &mut self.frames, host).inspect_err(|_| {
                tasks.push(Task::FreeDomain { domain });
            })?;
        tasks.push(Task::Play(attach));
        let kept = self
            .judge_attach(container, group, domain)
            .and_then(|()| self.keep_domain(container, group, domain, tasks, host));
        if let Err(refusal) = kept {
            tasks.push(Task::Play(self.iommu.detach_to_blocked(group)));
            tasks.push(Task::FreeDomain { domain });
            return Err(refusal);
        }
        self.recompute(container);
        Ok(())
    }

    /// The refusal of an attach that could allocate no domain.
    fn domain_error(&self, group: u32, refusal: Refusal) -> Refusal {
        match self.policy.domain_alloc_error {
            DomainAllocError::Eio => {
                rules::ATTACH_NO_DOMAIN.refuse_for(Errno::EIO, Conflict::Group(group))
            }
            DomainAllocError::Passed => refusal,
        }
    }

    /// Moves the group from its fresh domain to one of the container's that its IOMMU serves, or
    /// makes the fresh domain the container's.
    fn keep_domain(
        &mut self,
        container: usize,
        group: u32,
        domain: DomainId,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let shared = self.containers[container].backend.as_ref().and_then(|backend| {
            let mut domains = backend.domains.iter();
            domains.position(|entry| self.iommu.same_driver(entry.domain, group))
        });
        if let Some(at) = shared {
            // Seen in the command queue of both kernels: attach to the new domain, detach, attach
            // to the old one; the new domain is freed without ever having mapped anything.
            tasks.push(Task::Play(self.iommu.detach_to_blocked(group)));
            let backend = self.containers[container].type1_mut();
            let old = backend.domains[at].domain;
            backend.domains[at].groups.push(group);
            tasks.push(Task::Play(self.iommu.attach(old, group, &mut self.frames, host)?));
            tasks.push(Task::FreeDomain { domain });
            return Ok(());
        }
        if self.policy.superpage_test == SuperpageTest::Made {
            let test = self.iommu.superpage_test(domain, &mut self.frames, host);
            tasks.push(Task::Play(test));
        }
        let backend = self.containers[container].type1_mut();
        // Without a domain before it there is nothing to replay: such a container has no slots.
        if let Some(reference) = backend.reference_domain().filter(|_| !backend.slots.is_empty()) {
            self.replay(container, reference, domain, tasks, host)?;
        }
        self.give_window(group, domain)?;
        let entry = DomainEntry { domain, groups: vec![group] };
        self.containers[container].type1_mut().domains.insert(0, entry);
        Ok(())
    }

    /// Sets the window that the group's IOMMU driver reserves for doorbells as the domain's.
    fn give_window(&mut self, group: u32, domain: DomainId) -> Result<(), Refusal> {
        if self.policy.window_provider != WindowProvider::Driver {
            return Ok(());
        }
        let regions = self.iommu.reserved_regions(group);
        // 6.12 vfio_iommu_type1: where hardware accepts messages itself, no window is needed.
        if regions.iter().any(|region| region.kind == ReservedKind::Msi) {
            return Ok(());
        }
        let window = regions.iter().find(|region| region.kind == ReservedKind::SwMsi);
        let Some(base) = window.map(|region| region.span.start()) else { return Ok(()) };
        match self.iommu.set_msi_base(domain, base) {
            Err(refusal) if refusal.errno == Errno::ENODEV => Ok(()),
            outcome => outcome,
        }
    }

    /// The checks of an attach that follow the attachment in hardware.
    fn judge_attach(&self, container: usize, group: u32, domain: DomainId) -> Result<(), Refusal> {
        if self.policy.valid_ranges == ValidRanges::Checked {
            self.judge_ranges(container, group, domain)?;
        }
        if !self.params.allow_unsafe_interrupts && !self.messages_are_safe(container, group) {
            return Err(rules::INTERRUPTS_UNSAFE.refuse_for(Errno::EPERM, Conflict::Group(group)));
        }
        Ok(())
    }

    /// Whether every mapping of the container may be made in the domain too.
    fn judge_ranges(&self, container: usize, group: u32, domain: DomainId) -> Result<(), Refusal> {
        let backend = self.containers[container].type1();
        let aperture = self.iommu.aperture(domain);
        for (_, slot, _) in &backend.slots {
            if !aperture.covers(slot) {
                return Err(rules::ATTACH_APERTURE.refuse_for(Errno::EINVAL, Conflict::Slot(slot)));
            }
        }
        let apertures = backend.domains.iter().map(|entry| self.iommu.aperture(entry.domain));
        let reserved = self.iommu.reserved_regions(group).iter().copied();
        if Windows::of(apertures.chain([aperture]), reserved).is_empty() {
            let conflict = Conflict::Aperture(aperture);
            return Err(rules::ATTACH_APERTURE.refuse_for(Errno::EINVAL, conflict));
        }
        for region in self.iommu.reserved_regions(group) {
            if let Some(id) = backend.slots.first_overlapping(region.span) {
                let slot = backend.slots.span(id).unwrap_or(region.span);
                return Err(rules::ATTACH_RESERVED.refuse_for(Errno::EINVAL, Conflict::Slot(slot)));
            }
        }
        Ok(())
    }

    /// Whether the group's devices can raise only their own interrupts, by this kernel's rule.
    fn messages_are_safe(&self, container: usize, group: u32) -> bool {
        let capable = self.iommu.claims_intr_remap(group);
        let backend = self.containers[container].type1();
        let window = |entry: &DomainEntry| self.iommu.msi_geometry(entry.domain).supported;
        match self.policy.message_safety {
            MessageSafety::IommuCapability => capable,
            MessageSafety::MsiDomains => capable || self.msi_domains_remap(group),
            MessageSafety::DoorbellRegistry => capable || self.doorbells_are_safe(),
            MessageSafety::RegistryOfAttached => {
                capable || backend.domains.iter().any(window) && self.doorbells_are_safe()
            }
            MessageSafety::IrqDomains => {
                let regions = self.iommu.reserved_regions(group);
                match regions.iter().any(|region| region.kind == ReservedKind::SwMsi) {
                    true => self.every_msi_domain_remaps(),
                    false => capable,
                }
            }
            MessageSafety::IrqDomainsOrCapability => capable || self.every_msi_domain_remaps(),
            MessageSafety::IsolatedGroup => capable || self.group_has_isolated_msi(group),
        }
    }

    /// Detaches `group`; the last group of the last domain removes every mapping.
    pub(crate) fn detach_group(&mut self, container: usize, group: u32, tasks: &mut Vec<Task>) {
        let backend = self.containers[container].type1_mut();
        let mut domains = backend.domains.iter();
        let Some(at) = domains.position(|entry| entry.groups.contains(&group)) else { return };
        tasks.push(Task::Play(self.iommu.detach_to_blocked(group)));
        let backend = self.containers[container].type1_mut();
        let entry = &mut backend.domains[at];
        entry.groups.retain(|&member| member != group);
        if !entry.groups.is_empty() {
            return;
        }
        let domain = entry.domain;
        if backend.domains.len() == 1 {
            let domains = backend.domain_ids();
            let slots = backend.slots.drain();
            // Windows are dropped with the slots; type1 maps nothing in them.
            let slots: Vec<_> = slots.filter(|(_, slot)| slot.kind == SlotKind::User).collect();
            backend.invalid_vaddrs = 0;
            if !slots.is_empty() {
                tasks.push(Task::Remove(self.removal(domains, slots)));
            }
        }
        self.containers[container].type1_mut().domains.remove(at);
        tasks.push(Task::FreeDomain { domain });
        self.recompute(container);
    }

    /// Recomputes what depends on the set of domains and groups: page sizes and valid ranges.
    fn recompute(&mut self, container: usize) {
        let backend = self.containers[container].type1();
        let entries = || backend.domains.iter();
        let apertures = entries().map(|entry| self.iommu.aperture(entry.domain));
        let groups = entries().flat_map(|entry| entry.groups.iter());
        let reserved = groups.flat_map(|&group| self.iommu.reserved_regions(group)).copied();
        let windows = Windows::of(apertures, reserved);
        let sizes = entries()
            .map(|entry| self.iommu.domain_page_sizes(entry.domain))
            .fold(PageSizes::from_bits(u64::MAX), PageSizes::intersection);
        let page = self.page;
        let backend = self.containers[container].type1_mut();
        backend.windows = windows;
        backend.page_sizes = at_least_a_page(sizes, page);
    }
}
