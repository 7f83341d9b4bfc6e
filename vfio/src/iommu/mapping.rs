//! Mapping, unmapping and looking up I/O addresses.
//!
//! Not here: what a process may map, and that no mapping is split (type1).

use super::domain::{Body, DomainId};
use super::transition::{Invalidation, Transition, Worklist, superpage_test};
use super::{Driver, Iommu, KNOWN, SAME_DRIVER, rules};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Errno, Frames, Host, Iova, Memory, Perms, PhysAddr, Refusal};

/// A mapping to make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapRequest {
    /// First I/O address, a multiple of the domain's smallest page size.
    pub iova: Iova,
    /// Physical address, a multiple of the same.
    pub output: PhysAddr,
    /// Bytes, a multiple of the same.
    pub size: u64,
    /// The accesses that devices may make.
    pub perms: Perms,
    /// The memory type of the target.
    pub memory_type: MemoryType,
}

/// Mappings.
impl Iommu {
    /// Maps a range. Where a block replaces a table, the table is added to `gather`, also on an
    /// error: the caller has to pass it to [`Iommu::sync`] before it returns.
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

    /// Unmaps `size` bytes from `iova` on, up to the first hole; returns the number of bytes
    /// unmapped, which may be 0. Adds what hardware may still cache to `gather`.
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

    /// Invalidates the translations that unmapping from `domain` left behind.
    pub fn sync(&mut self, domain: DomainId, gather: Gather) -> Invalidation {
        let domain = self.domain(domain);
        let work = match (&self.drivers[domain.driver], &domain.body) {
            (Driver::SmmuV3(smmu), Body::SmmuV3(body)) => smmu.invalidate(body, &gather).into(),
            (Driver::SmmuV2(smmu), Body::SmmuV2(body)) => smmu.invalidate(body, &gather).into(),
            _ => Worklist::default(),
        };
        Invalidation::new(domain.driver, work, gather)
    }

    /// The physical address of `iova`, and how many bytes stay physically contiguous from there, at
    /// most `max`; `None` where nothing is mapped. Reads the tables in memory, whatever the
    /// permissions.
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

    /// As [`Self::iova_run`], but through the driver: one that asks the hardware (SMMUv2's ATS1
    /// operations) gets the SMMU's answer, cached entries included.
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

    /// The test that VFIO runs on a fresh domain to learn whether the IOMMU combines contiguous
    /// pages into superpages by itself: it maps two pages at 0 and unmaps them one by one, each
    /// with its own invalidation (measured on 6.1 and 6.12). Tables stay behind.
    ///
    /// When this returns the tables are in their final state; the caller steps the invalidations.
    pub fn superpage_test(
        &mut self,
        domain: DomainId,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Transition {
        Transition::new(superpage_test(domain, self, frames, host))
    }
}
