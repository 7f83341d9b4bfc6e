//! A domain of an SMMUv3: tables, the tag of their translations, and perhaps a CD.

use super::SmmuV3;
use super::entry::Words;
use super::ids::Ids;
use super::probe::Features;
use super::queue::Ending;
use super::run::run;
use super::tlbi::{Tag, commands};
use super::work::{Work, Worklist};
use crate::iommu::rules::{
    DOMAIN_NO_ASID, DOMAIN_NO_MEMORY, DOMAIN_NO_VMID, MAP_ALIGNMENT, MAP_EXISTS, MAP_NO_TABLE,
    MAP_RANGE, MAP_WITHOUT_ACCESS,
};
use crate::iommu::{DomainKind, MapRequest};
use crate::policy::{BeyondInput, ContextDescriptors};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::{Geometry, MapError, Mapping, Table};
use passim_model::pgtable::vmsav8;
use passim_model::{
    Asid, Conflict, Errno, Frames, Host, Iova, Memory, PageSize, Perms, PhysAddr, Refusal, Span,
    Vmid,
};

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
    fn tag(self) -> Tag {
        match self {
            Self::One(asid) => Tag::Asid(asid),
            Self::Two(vmid) => Tag::Vmid(vmid),
        }
    }
}

/// A domain.
#[derive(Debug)]
pub(in crate::iommu) struct Domain {
    pub(super) table: Table,
    pub(super) stage: Stage,
    /// The domain's own CD, where devices do not have theirs.
    pub(super) cd: Option<PhysAddr>,
    /// Whether the SMMU may have seen it.
    pub(super) live: bool,
    /// What becomes of addresses beyond the input size.
    beyond: BeyondInput,
}

/// The shape of a domain's tables.
pub(super) fn geometry(features: &Features, kind: DomainKind) -> Option<Geometry> {
    let stage2 = features.stage2 && (kind == DomainKind::Nested || !features.stage1);
    let (stage, input, output) = if stage2 {
        (vmsav8::Stage::Two, features.ias, features.oas)
    } else {
        (vmsav8::Stage::One, STAGE1_INPUT_BITS, features.ias)
    };
    // What 4K and 16K descriptors cannot express is not offered.
    let fit = |bits| features.granule.expressible_output_bits(bits);
    Geometry::linux(stage, features.granule, fit(input), fit(output))
}

impl SmmuV3 {
    /// An empty domain.
    pub(in crate::iommu) fn alloc_domain(
        &mut self,
        kind: DomainKind,
        asids: &mut Ids,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Domain, Refusal> {
        let no_memory = || DOMAIN_NO_MEMORY.refuse(Errno::ENOMEM);
        let geometry = self.geometry(kind);
        let stage = match geometry.stage {
            vmsav8::Stage::One => {
                let asid = asids.alloc().ok_or(DOMAIN_NO_ASID.refuse(Errno::EBUSY))?;
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
            // A domain that owns no CD is complete, and to be invalidated when it goes, from the
            // start: those kernels finish a domain when they make it.
            Ok(table) => {
                let live = self.descriptors == ContextDescriptors::PerDevice;
                Ok(Domain { table, stage, cd, live, beyond: self.beyond })
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
            Stage::One(asid) => asids.free(asid.get()),
            Stage::Two(vmid) => self.vmids.free(vmid.get()),
        }
    }

    /// The shape of tables of `kind`; [`SmmuV3::boot`] has seen that there is one.
    pub(in crate::iommu) fn geometry(&self, kind: DomainKind) -> Geometry {
        geometry(&self.features, kind).expect("the geometries were tried at boot")
    }

    /// Forgets every translation of the domain.
    pub(in crate::iommu) fn flush(&self, domain: &Domain) -> Worklist {
        let commands = vec![domain.stage.tag().all()];
        Worklist::new([Work::Submit { commands, ending: Ending::Sync }])
    }

    /// The acts before a domain without devices can be taken apart.
    pub(in crate::iommu) fn retire(&self, domain: &Domain) -> Worklist {
        if domain.live { self.flush(domain) } else { Worklist::default() }
    }

    /// Takes a retired domain apart.
    pub(in crate::iommu) fn free_domain(
        &mut self,
        domain: Domain,
        asids: &mut Ids,
        frames: &mut Frames,
    ) {
        domain.table.free(frames);
        if let Some(cd) = domain.cd {
            frames.free(cd, cd_size());
        }
        self.free_tag(domain.stage, asids);
    }

    /// The commands for what an unmap left.
    pub(in crate::iommu) fn invalidate(&self, domain: &Domain, gather: &Gather) -> Worklist {
        let mut acts = Vec::new();
        let granule = domain.table.geometry().granule;
        let ranges = self.features.range_invalidation;
        for invalidation in gather.invalidations() {
            let commands = commands(domain.stage.tag(), granule, ranges, invalidation);
            let batches = commands.len().div_ceil(super::probe::BATCH);
            for (n, batch) in commands.chunks(super::probe::BATCH).enumerate() {
                let ending = if n + 1 == batches { Ending::Sync } else { Ending::Open };
                acts.push(Work::Submit { commands: batch.to_vec(), ending });
            }
        }
        Worklist::new(acts)
    }
}

impl Domain {
    /// The shape of its tables.
    pub(in crate::iommu) fn geometry(&self) -> Geometry {
        self.table.geometry()
    }

    /// Maps.
    pub(in crate::iommu) fn map(
        &mut self,
        request: &MapRequest,
        gather: &mut Gather,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let mut done = 0;
        loop {
            let (input, size) = self.piece(request.iova, done, request.size);
            let mapping = Mapping {
                input,
                output: PhysAddr::new(request.output.get().wrapping_add(done)),
                size,
                perms: request.perms,
                memory_type: request.memory_type,
            };
            if let Err(error) = self.table.map(host.memory_mut(), frames, &mapping, gather) {
                self.unmap(request.iova, done, gather, host);
                return Err(self.refusal(request, error));
            }
            done += size;
            if done == request.size {
                return Ok(());
            }
        }
    }

    /// Where in the tables the rest of a range from `iova` on lies when `done` of its `size` bytes
    /// are dealt with, and how many bytes of it lie there side by side: all, unless addresses
    /// beyond the input size begin again at 0.
    fn piece(&self, iova: Iova, done: u64, size: u64) -> (u64, u64) {
        let (at, rest) = (iova.get().wrapping_add(done), size - done);
        match self.beyond {
            BeyondInput::Erange => (at, rest),
            BeyondInput::Alias => {
                let last = self.table.geometry().last_input();
                let input = at & last;
                (input, rest.min((last - input).saturating_add(1)))
            }
        }
    }

    fn refusal(&self, request: &MapRequest, error: MapError) -> Refusal {
        match error {
            MapError::Misaligned => {
                if !request.perms.intersects(Perms::READ | Perms::WRITE) {
                    return MAP_WITHOUT_ACCESS.refuse(Errno::EINVAL);
                }
                let value = request.iova.get() | request.output.get() | request.size;
                let size = self.table.geometry().granule.page();
                MAP_ALIGNMENT.refuse_for(Errno::EINVAL, Conflict::Misaligned { value, size })
            }
            MapError::OutOfRange => {
                let last = Iova::new(self.table.geometry().last_input());
                let conflict = Span::new(Iova::new(0), last).map(Conflict::Aperture);
                MAP_RANGE.refuse_for(Errno::ERANGE, conflict.unwrap_or(Conflict::Request))
            }
            MapError::Exists { at } => {
                let there = Span::from_size(Iova::new(at), 1).map(Conflict::Slot);
                MAP_EXISTS.refuse_for(Errno::EEXIST, there.unwrap_or(Conflict::Request))
            }
            MapError::NoFrame => MAP_NO_TABLE.refuse(Errno::ENOMEM),
        }
    }

    /// Unmaps up to the first hole; returns the bytes.
    pub(in crate::iommu) fn unmap(
        &mut self,
        iova: Iova,
        size: u64,
        gather: &mut Gather,
        host: &mut impl Host,
    ) -> u64 {
        let mut done = 0;
        while done < size {
            let (input, piece) = self.piece(iova, done, size);
            let unmapped = self.table.unmap(host.memory_mut(), input, piece, gather);
            done += unmapped;
            if unmapped != piece {
                break;
            }
        }
        done
    }

    /// Where `iova` leads, and how far that goes on over physically contiguous leaves, at most
    /// `max` bytes.
    pub(in crate::iommu) fn run(
        &self,
        iova: Iova,
        max: u64,
        memory: &Memory,
    ) -> Option<(PhysAddr, u64)> {
        let (input, max) = self.piece(iova, 0, max);
        run(&self.table, memory, input, max)
    }
}

/// Frame of a CD table of one CD.
pub(super) fn cd_frame(frames: &mut Frames, host: &mut impl Host) -> Option<PhysAddr> {
    let at = frames.alloc(cd_size())?;
    let span = Span::from_size(at, size_of::<Words>() as u64)?;
    host.memory_mut().zero(span).ok()?;
    Some(at)
}

/// What a CD table is allocated as.
fn cd_size() -> PageSize {
    PageSize::K4
}
