//! A domain of an SMMUv3: tables, the tag of their translations, and, in some kernels, a CD.

use super::SmmuV3;
use super::entry::Words;
use super::ids::Ids;
use super::probe::{BATCH, Features};
use super::queue::Ending;
use super::tlbi::{Tag, commands};
use super::work::{Work, Worklist};
use crate::iommu::DomainKind;
use crate::iommu::paging::Paging;
use crate::iommu::rules::{DOMAIN_NO_ASID, DOMAIN_NO_MEMORY, DOMAIN_NO_SHAPE, DOMAIN_NO_VMID};
use crate::policy::{ContextDescriptors, UnmapSync};
use passim_model::pgtable::gather::{Gather, Invalidation};
use passim_model::pgtable::table::{Geometry, Table};
use passim_model::pgtable::vmsav8;
use passim_model::{Asid, Errno, Frames, Host, PageSize, PhysAddr, Refusal, Span, StreamId, Vmid};

/// Input bits of stage 1.
// Dumps of 6.1 and 6.12: T0SZ 16. 52 bits need IDR5.VAX and a kernel with 52-bit addresses.
const STAGE1_INPUT_BITS: u32 = 48;

/// Which stage translates, and the tag of its translations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Stage 1.
    One(Asid),
    /// Stage 2.
    Two(Vmid),
}

impl Stage {
    fn tag(self, features: &Features) -> Tag {
        match self {
            Self::One(asid) if features.e2h => Tag::El2(asid),
            Self::One(asid) => Tag::Asid(asid),
            Self::Two(vmid) => Tag::Vmid(vmid),
        }
    }
}

/// A domain.
#[derive(Debug)]
pub(in crate::iommu) struct Domain {
    pub(in crate::iommu) paging: Paging,
    pub(super) stage: Stage,
    /// The domain's own CD, where devices have none.
    pub(super) cd: Option<PhysAddr>,
    /// Whether the SMMU may have cached it.
    pub(super) live: bool,
    /// Streams of each device that caches its translations, the last to attach first.
    pub(super) asking: Vec<Vec<StreamId>>,
}

/// The shape of a domain's tables.
pub(super) fn geometry(features: &Features, kind: DomainKind) -> Option<Geometry> {
    let stage2 = features.stage2 && (kind == DomainKind::Nested || !features.stage1);
    let (stage, input, output) = if stage2 {
        (vmsav8::Stage::Two, features.ias, features.oas)
    } else {
        (vmsav8::Stage::One, STAGE1_INPUT_BITS, features.ias)
    };
    // Sizes that 4K and 16K descriptors cannot express are not offered.
    let fit = |bits| features.granule.expressible_output_bits(bits);
    Geometry::of_linux(stage, features.granule, fit(input), fit(output), features.roots.rule())
}

impl SmmuV3 {
    /// Allocates an empty domain.
    pub(in crate::iommu) fn alloc_domain(
        &mut self,
        kind: DomainKind,
        asids: &mut Ids,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Domain, Refusal> {
        let no_memory = || DOMAIN_NO_MEMORY.refuse(Errno::ENOMEM);
        let geometry = self.geometry(kind)?;
        let stage = match geometry.stage {
            vmsav8::Stage::One => {
                let (asids, none) = match &mut self.asids {
                    Some(own) => (own, Errno::ENOSPC),
                    None => (&mut *asids, Errno::EBUSY),
                };
                let asid = asids.alloc().ok_or(DOMAIN_NO_ASID.refuse(none))?;
                Stage::One(Asid::new(asid))
            }
            vmsav8::Stage::Two => {
                let vmid = self.vmids.alloc().ok_or(DOMAIN_NO_VMID.refuse(Errno::ENOSPC))?;
                Stage::Two(Vmid::new(vmid))
            }
        };
        let own_cd = self.descriptors == ContextDescriptors::PerDomain
            && geometry.stage == vmsav8::Stage::One;
        let cd = match own_cd.then(|| cd_frame(frames, host)) {
            None => None,
            Some(Some(cd)) => Some(cd),
            Some(None) => {
                self.free_tag(stage, asids);
                return Err(no_memory());
            }
        };
        match Table::new(geometry, host.memory_mut(), frames) {
            // A domain that owns no CD is live from the start, and so invalidated when it is freed:
            // those kernels finalise a domain when they allocate it.
            Ok(table) => {
                let live = self.descriptors == ContextDescriptors::PerDevice;
                let paging = Paging::new(table, self.beyond);
                Ok(Domain { paging, stage, cd, live, asking: Vec::new() })
            }
            Err(_) => {
                if let Some(cd) = cd {
                    frames.free(cd, cd_size());
                }
                self.free_tag(stage, asids);
                Err(no_memory())
            }
        }
    }

    fn free_tag(&mut self, stage: Stage, asids: &mut Ids) {
        match stage {
            Stage::One(asid) => self.asids.as_mut().unwrap_or(asids).free(asid.get()),
            Stage::Two(vmid) => self.vmids.free(vmid.get()),
        }
    }

    /// The shape of tables for domains of `kind`.
    ///
    /// # Errors
    /// ENOMEM where no tables fit the sizes.
    fn geometry(&self, kind: DomainKind) -> Result<Geometry, Refusal> {
        geometry(&self.features, kind).ok_or_else(|| DOMAIN_NO_SHAPE.refuse(Errno::ENOMEM))
    }

    /// Invalidates every translation of the domain.
    pub(in crate::iommu) fn flush(&self, domain: &Domain) -> Worklist {
        let commands = vec![domain.stage.tag(&self.features).all()];
        let tlb = Work::Submit { commands, ending: Ending::Sync };
        Worklist::new([tlb].into_iter().chain(self.forget_in_devices(domain, None)))
    }

    /// The acts before a domain without devices can be freed.
    pub(in crate::iommu) fn retire(&self, domain: &Domain) -> Worklist {
        if domain.live { self.flush(domain) } else { Worklist::default() }
    }

    /// Frees a retired domain.
    pub(in crate::iommu) fn free_domain(
        &mut self,
        domain: Domain,
        asids: &mut Ids,
        frames: &mut Frames,
    ) {
        domain.paging.free(frames);
        if let Some(cd) = domain.cd {
            frames.free(cd, cd_size());
        }
        self.free_tag(domain.stage, asids);
    }

    /// The invalidations after an unmap.
    pub(in crate::iommu) fn invalidate(&self, domain: &Domain, gather: &Gather) -> Worklist {
        let mut acts = Worklist::default();
        for invalidation in gather.invalidations() {
            match (self.features.unmap_sync, invalidation) {
                (UnmapSync::Gathered, _) => self.forget(domain, invalidation, &mut acts),
                (UnmapSync::EachBlock, Invalidation::Leaves(stale)) => {
                    for block in stale.each_block() {
                        self.forget(domain, Invalidation::Leaves(block), &mut acts);
                    }
                }
                // io-pgtable-arm.c of 4.x: __arm_lpae_unmap waits before it frees the table, and
                // arm_lpae_unmap waits again at its end, as it always does.
                (UnmapSync::EachBlock, Invalidation::Walk(_)) => {
                    self.forget(domain, invalidation, &mut acts);
                    acts.push(Work::Submit { commands: Vec::new(), ending: Ending::Sync });
                }
            }
        }
        acts
    }

    /// The acts of one invalidation, with the SYNC after it.
    fn forget(&self, domain: &Domain, invalidation: Invalidation, acts: &mut Worklist) {
        let granule = domain.paging.geometry().granule;
        let mut commands = commands(
            domain.stage.tag(&self.features),
            granule,
            self.features.spelling,
            invalidation,
        );
        while commands.len() > BATCH {
            let rest = commands.split_off(BATCH);
            acts.push(Work::Submit { commands, ending: Ending::Open });
            commands = rest;
        }
        if !commands.is_empty() {
            acts.push(Work::Submit { commands, ending: Ending::Sync });
        }
        let (Invalidation::Leaves(stale) | Invalidation::Walk(stale)) = invalidation;
        if let Some(act) = self.forget_in_devices(domain, Some((stale.start, stale.size()))) {
            acts.push(act);
        }
    }
}

impl Domain {
    /// The shape of its tables.
    pub(in crate::iommu) fn geometry(&self) -> Geometry {
        self.paging.geometry()
    }
}

/// Allocates a table of one CD.
pub(super) fn cd_frame(frames: &mut Frames, host: &mut impl Host) -> Option<PhysAddr> {
    let at = frames.alloc(cd_size())?;
    let span = Span::from_size(at, size_of::<Words>() as u64)?;
    host.memory_mut().zero(span).ok()?;
    Some(at)
}

/// The size of that allocation.
fn cd_size() -> PageSize {
    PageSize::K4
}
