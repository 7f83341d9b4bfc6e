//! A group joins a container's domains, or leaves them.

use super::{DomainEntry, Type1, at_least_a_page, removal::Removal, windows::Windows};
use crate::iommu::{DomainId, DomainKind, Invalidation, MapRequest};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::rules;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Conflict, Errno, Host, PageSizes, Refusal, Span, event};

impl Kernel {
    fn backend(&mut self, container: usize) -> &mut Type1 {
        self.containers[container].backend.as_mut().expect("only called on a typed container")
    }

    /// Attaches `group` to the container: to one of its domains where hardware allows, else to a
    /// new one, into which every mapping is replayed.
    pub(crate) fn attach_group(
        &mut self,
        container: usize,
        group: u32,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let backend = self.backend(container);
        if backend.invalid_vaddrs > 0 {
            // measured on 6.1 and 6.12: refused at once, the call does not wait.
            return Err(rules::ATTACH_VADDR_INVALID.refuse_for(
                Errno::EBUSY,
                Conflict::Limit { limit: 0, wanted: backend.invalid_vaddrs as u64 },
            ));
        }
        let kind = if backend.nesting { DomainKind::Nested } else { DomainKind::Paging };
        let domain = self.iommu.alloc_domain(group, kind, &mut self.frames, host)?;
        tasks.push(Task::Play(self.iommu.attach(domain, group)?));
        if let Err(refusal) = self.judge_attach(container, group, domain) {
            tasks.push(Task::Play(self.iommu.detach_to_blocked(group)));
            tasks.push(Task::FreeDomain { domain });
            return Err(refusal);
        }
        let shared = self.containers[container].backend.as_ref().and_then(|backend| {
            let mut domains = backend.domains.iter();
            domains.position(|entry| self.iommu.same_driver(entry.domain, group))
        });
        let backend = self.backend(container);
        if let Some(at) = shared {
            // Seen in the command queue of both kernels: attach to the new domain, detach, attach
            // to the old one; the new domain is freed without ever having mapped anything.
            let old = backend.domains[at].domain;
            backend.domains[at].groups.push(group);
            tasks.push(Task::Play(self.iommu.detach_to_blocked(group)));
            tasks.push(Task::Play(self.iommu.attach(old, group)?));
            tasks.push(Task::FreeDomain { domain });
        } else {
            let reference = backend.reference_domain();
            let has_slots = !backend.slots.is_empty();
            backend.domains.insert(0, DomainEntry { domain, groups: vec![group] });
            tasks.push(Task::Play(self.iommu.superpage_test(domain)));
            // Without mappings there is nothing to replay; a container that gets its type has none.
            if let Some(reference) = reference.filter(|_| has_slots) {
                tasks.push(Task::Replay { container, reference, domain });
            }
        }
        self.recompute(container);
        Ok(())
    }

    /// Every check of an attach that comes after the hardware took the group.
    fn judge_attach(&self, container: usize, group: u32, domain: DomainId) -> Result<(), Refusal> {
        let backend = self.containers[container].backend.as_ref().expect("a typed container");
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
        if !self.params.allow_unsafe_interrupts && !self.iommu.isolated_msi(group) {
            return Err(rules::INTERRUPTS_UNSAFE.refuse_for(Errno::EPERM, Conflict::Group(group)));
        }
        Ok(())
    }

    /// Detaches `group`; the last group of the last domain takes every mapping with it.
    pub(crate) fn detach_group(&mut self, container: usize, group: u32, tasks: &mut Vec<Task>) {
        let backend = self.backend(container);
        let mut domains = backend.domains.iter();
        let Some(at) = domains.position(|entry| entry.groups.contains(&group)) else { return };
        tasks.push(Task::Play(self.iommu.detach_to_blocked(group)));
        let backend = self.backend(container);
        let entry = &mut backend.domains[at];
        entry.groups.retain(|&member| member != group);
        if !entry.groups.is_empty() {
            return;
        }
        let domain = entry.domain;
        if backend.domains.len() == 1 {
            let domains = backend.domain_ids();
            let slots: Vec<_> = backend.slots.drain().collect();
            backend.invalid_vaddrs = 0;
            if !slots.is_empty() {
                tasks.push(Task::Remove(Removal::new(domains, slots)));
            }
        }
        backend.domains.remove(at);
        tasks.push(Task::FreeDomain { domain });
        self.recompute(container);
    }

    /// Recomputes what depends on the set of domains and groups: page sizes and valid ranges.
    fn recompute(&mut self, container: usize) {
        let backend = self.containers[container].backend.as_ref().expect("a typed container");
        let entries = || backend.domains.iter();
        let apertures = entries().map(|entry| self.iommu.aperture(entry.domain));
        let groups = entries().flat_map(|entry| entry.groups.iter());
        let reserved = groups.flat_map(|&group| self.iommu.reserved_regions(group)).copied();
        let windows = Windows::of(apertures, reserved);
        let sizes = entries()
            .map(|entry| self.iommu.domain_page_sizes(entry.domain))
            .fold(PageSizes::from_bits(u64::MAX), PageSizes::intersection);
        let page = self.page;
        let backend = self.backend(container);
        backend.windows = windows;
        backend.page_sizes = at_least_a_page(sizes, page);
    }

    /// Maps into `domain` everything that `reference` maps. What a mapping replaces in the tables
    /// has to be dropped afterwards.
    pub(crate) fn replay(
        &mut self,
        container: usize,
        reference: DomainId,
        domain: DomainId,
        host: &mut impl Host,
    ) -> Invalidation {
        let mut gather = Gather::default();
        let backend = self.containers[container].backend.as_ref().expect("a typed container");
        let page = backend.smallest_page();
        let slots: Vec<_> =
            backend.slots.iter().map(|(_, span, slot)| (span, slot.perms)).collect();
        for (span, perms) in slots {
            let mut next = Some(span);
            while let Some(rest) = next {
                let iova = rest.start();
                let room = rest.size_minus_one().saturating_add(1);
                let run = self.iommu.iova_run(reference, iova, room, host.memory());
                // A hole in the reference is stepped over page by page, as the kernel does.
                let size = run.map_or(page.bytes(), |(_, size)| size);
                if let Some((output, size)) = run {
                    let memory_type = MemoryType::Normal;
                    let request = MapRequest { iova, output, size, perms, memory_type };
                    let frames = &mut self.frames;
                    let mapped = self.iommu.map(domain, &request, &mut gather, frames, host);
                    if let Err(refusal) = mapped {
                        tracing::warn!(target: event::VFIO, %refusal, %iova, "replay left a hole");
                    }
                }
                next = iova.checked_add(size).and_then(|start| Span::new(start, rest.last()));
            }
        }
        self.iommu.sync(domain, gather)
    }
}
