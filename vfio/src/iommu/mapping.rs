//! Mapping, unmapping, looking up.
//!
//! Ranges are taken as they come: what a process may map, and that no mapping is cut in two, is
//! type1's.

use super::domain::{Body, DomainId};
use super::transition::{Invalidation, Transition, Worklist, superpage_test};
use super::{Driver, Iommu, KNOWN, SAME_DRIVER, rules};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Errno, Frames, Host, Iova, Memory, Perms, PhysAddr, Refusal};

/// What is to be mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapRequest {
    /// First I/O address, a multiple of the domain's smallest page size.
    pub iova: Iova,
    /// Where it leads: a physical address, a multiple of the same.
    pub output: PhysAddr,
    /// Bytes, a multiple of the same.
    pub size: u64,
    /// What devices may do.
    pub perms: Perms,
    /// What lies there.
    pub memory_type: MemoryType,
}

/// Mappings.
impl Iommu {
    /// Maps. Where a block takes the place of a table, the table is in `gather` afterwards, also
    /// after an error: it has to go through [`Iommu::sync`] before the call that mapped returns.
    ///
    /// # Errors
    /// ENODEV for a domain of an SMMUv2 that has had no device, EINVAL if misaligned, empty or
    /// without access, ERANGE outside the aperture, EEXIST where something is mapped, ENOMEM
    /// without a frame for a table. Nothing of it is mapped then.
    pub fn map(
        &mut self,
        domain: DomainId,
        request: &MapRequest,
        gather: &mut Gather,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let domain = self.domains.get_mut(domain.0).expect(KNOWN);
        match (&self.drivers[domain.driver], &mut domain.body) {
            (_, Body::SmmuV3(body)) => body.paging.map(request, gather, frames, host),
            (_, Body::SmmuV2(body)) => match body.paging_mut() {
                Some(paging) => paging.map(request, gather, frames, host),
                None => Err(rules::MAP_UNATTACHED.refuse(Errno::ENODEV)),
            },
            (_, Body::X86(body)) => body.map(request, gather, frames, host),
            (Driver::Flat(driver), Body::Flat(body)) => body.map(driver, request),
            (_, Body::Flat(_)) => unreachable!("{SAME_DRIVER}"),
        }
    }

    /// Unmaps `size` bytes from `iova` on, up to the first hole; returns how many bytes were, which
    /// may be 0. What hardware may still hold is added to `gather`.
    pub fn unmap(
        &mut self,
        domain: DomainId,
        iova: Iova,
        size: u64,
        gather: &mut Gather,
        host: &mut impl Host,
    ) -> u64 {
        match &mut self.domains.get_mut(domain.0).expect(KNOWN).body {
            Body::SmmuV3(body) => body.paging.unmap(iova, size, gather, host),
            Body::SmmuV2(body) => {
                body.paging_mut().map_or(0, |paging| paging.unmap(iova, size, gather, host))
            }
            Body::X86(body) => body.unmap(iova, size, gather, host),
            Body::Flat(body) => body.unmap(iova, size),
        }
    }

    /// Drops the translations that unmapping from `domain` left behind.
    pub fn sync(&mut self, domain: DomainId, gather: Gather) -> Invalidation {
        let domain = self.domain(domain);
        let work = match (&self.drivers[domain.driver], &domain.body) {
            (Driver::SmmuV3(smmu), Body::SmmuV3(body)) => smmu.invalidate(body, &gather).into(),
            (Driver::SmmuV2(smmu), Body::SmmuV2(body)) => smmu.invalidate(body, &gather).into(),
            _ => Worklist::default(),
        };
        Invalidation::new(domain.driver, work, gather)
    }

    /// Where `iova` leads, and for how many bytes it goes on without a break in physical addresses,
    /// at most `max`; `None` where nothing is mapped. Reads the tables in memory; permissions do
    /// not count.
    pub fn iova_run(
        &self,
        domain: DomainId,
        iova: Iova,
        max: u64,
        memory: &Memory,
    ) -> Option<(PhysAddr, u64)> {
        match &self.domain(domain).body {
            Body::SmmuV3(body) => body.paging.run(iova, max, memory),
            Body::SmmuV2(body) => body.paging()?.run(iova, max, memory),
            Body::X86(body) => body.run(iova, max, memory),
            Body::Flat(body) => body.run(iova, max),
        }
    }

    /// The same as the driver finds it: a driver that asks the hardware (SMMUv2's ATS1 operations)
    /// gets the SMMU's answer, cached entries included.
    pub fn iova_to_phys(
        &mut self,
        domain: DomainId,
        iova: Iova,
        max: u64,
        host: &mut impl Host,
    ) -> Option<(PhysAddr, u64)> {
        let body = &self.domains.get(domain.0).expect(KNOWN);
        match (&mut self.drivers[body.driver], &body.body) {
            (Driver::SmmuV2(smmu), Body::SmmuV2(body)) if smmu.asks_for(body) => {
                smmu.ask_run(body, iova, max, host)
            }
            _ => self.iova_run(domain, iova, max, host.memory()),
        }
    }

    /// What VFIO does with a fresh domain to learn whether the IOMMU makes superpages of its own
    /// accord: two pages are mapped at 0 and unmapped one by one, each followed by its own
    /// invalidation (measured on 6.1 and 6.12). Tables stay behind.
    ///
    /// The tables are as the test leaves them when this returns; the invalidations follow by
    /// stepping.
    pub fn superpage_test(
        &mut self,
        domain: DomainId,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Transition {
        Transition::new(superpage_test(domain, self, frames, host))
    }
}
