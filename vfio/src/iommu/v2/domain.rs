//! A domain of an SMMUv2: from its first device on it has tables and a context bank.

use super::SmmuV2;
use super::probe::{Features, Format};
use super::tlbi::{Tagged, acts};
use super::work::{Work, Worklist};
use crate::iommu::DomainKind;
use crate::iommu::facts::SmmuVersion;
use crate::iommu::paging::{EitherTable, Paging, Shape};
use crate::iommu::rules::{DOMAIN_NO_BANK, DOMAIN_NO_MEMORY, DOMAIN_NO_SHAPE};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::Geometry;
use passim_model::pgtable::vmsav7s::table::ALL_SIZES;
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::{Conflict, Errno, Frames, Host, PageSize, PageSizes, Refusal};

/// A domain.
#[derive(Debug)]
pub(in crate::iommu) struct Domain {
    shape: Shape,
    /// Its tables and bank, once a device has attached.
    pub(super) live: Option<Live>,
}

/// Tables, and the context bank that points to them.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) bank: u8,
    /// SMMUv1: index of the context interrupt.
    pub(super) interrupt: u32,
    pub(super) paging: Paging<EitherTable>,
    /// Whether the bank is written.
    pub(super) written: bool,
}

/// The shape of a domain's tables.
// 6.12 arm-smmu.c, arm_smmu_init_domain_context: stage 1 where there is one, stage 2 for nesting.
pub(super) fn shape(features: &Features, kind: DomainKind, page: PageSize) -> Option<Shape> {
    let stage2 = features.stage2 && (kind == DomainKind::Nested || !features.stage1);
    let (stage, mut input, mut output) = if stage2 {
        (Stage::Two, features.ipa_bits, features.pa_bits)
    } else {
        (Stage::One, features.va_bits, features.ipa_bits)
    };
    let granule = match features.format(stage) {
        Format::Aarch64 => granule(features.page_sizes, page)?,
        Format::Aarch32Long => {
            input = input.min(if stage2 { 40 } else { 32 });
            output = output.min(40);
            Granule::K4
        }
        Format::Aarch32Short => {
            let sizes = features.page_sizes.bits() & ALL_SIZES.bits();
            return Some(Shape::Short(PageSizes::from_bits(sizes)));
        }
    };
    Geometry::of_linux(stage, granule, input, output, features.roots.rule()).map(Shape::Long)
}

/// The CPU's page, or the largest smaller size, or the smallest larger one, if that is a granule.
// 6.12 io-pgtable-arm.c, arm_lpae_restrict_pgsizes.
fn granule(sizes: PageSizes, page: PageSize) -> Option<Granule> {
    let below = sizes.bits() & (page.bytes() | (page.bytes() - 1));
    let bits = match below {
        0 => sizes.bits().trailing_zeros(),
        below => 63 - below.leading_zeros(),
    };
    Granule::ALL.into_iter().find(|granule| granule.lg2() == bits)
}

impl SmmuV2 {
    /// Allocates a domain without devices, tables and bank.
    ///
    /// # Errors
    /// ENOMEM where no tables fit the sizes, which Linux finds when the first device attaches.
    pub(in crate::iommu) fn alloc_domain(&self, kind: DomainKind) -> Result<Domain, Refusal> {
        let shape = shape(&self.features, kind, self.page);
        let shape = shape.ok_or_else(|| DOMAIN_NO_SHAPE.refuse(Errno::ENOMEM))?;
        Ok(Domain { shape, live: None })
    }

    /// Allocates a domain's bank and tables, if it has none yet.
    ///
    /// # Errors
    /// ENOSPC without a bank, ENOMEM without a frame for the first table.
    // arm_smmu_init_domain_context: stage 1 takes no bank with stage 2 only.
    pub(in crate::iommu) fn init_domain(
        &mut self,
        domain: &mut Domain,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        if domain.live.is_some() {
            return Ok(());
        }
        let first = match domain.shape.stage() {
            Stage::One => self.features.stage2_banks,
            Stage::Two => 0,
        };
        let free = self.banks.iter().enumerate().skip(first).find(|(_, taken)| !**taken);
        let no_bank = || {
            let limit = (self.features.banks - first) as u64;
            let conflict = Conflict::Limit { limit, wanted: limit + 1 };
            DOMAIN_NO_BANK.refuse_for(Errno::ENOSPC, conflict)
        };
        let bank = free.map(|(bank, _)| bank).ok_or_else(no_bank)?;
        let table = EitherTable::new(domain.shape, host.memory_mut(), frames)
            .map_err(|_| DOMAIN_NO_MEMORY.refuse(Errno::ENOMEM))?;
        self.banks[bank] = true;
        let interrupt = match self.features.version {
            SmmuVersion::V2 => 0,
            SmmuVersion::V1 | SmmuVersion::V1With64K => {
                self.interrupts_given = self.interrupts_given.wrapping_add(1);
                self.interrupts_given % self.context_interrupts
            }
        };
        let paging = Paging::new(table, self.beyond);
        let bank = bank as u8;
        domain.live = Some(Live { bank, interrupt, paging, written: false });
        Ok(())
    }

    /// Invalidates every translation of the domain; there are none before its bank is written.
    pub(in crate::iommu) fn flush(&self, domain: &Domain) -> Worklist {
        let written = domain.live.as_ref().is_some_and(|live| live.written);
        let tagged = self.tagged(domain).filter(|_| written);
        Worklist::new(tagged.map(|tagged| tagged.all(&self.features)).into_iter().flatten())
    }

    /// The acts before a domain without devices can be freed.
    // arm_smmu_destroy_domain_context: the bank is turned off, then freeing the tables invalidates
    // it.
    pub(in crate::iommu) fn retire(&self, domain: &Domain) -> Worklist {
        let Some(tagged) = self.tagged(domain) else { return Worklist::default() };
        let off =
            Work::Store { at: self.features.cb(tagged.bank, super::wire::cb::SCTLR), value: 0 };
        Worklist::new([off].into_iter().chain(tagged.all(&self.features)))
    }

    /// Frees a retired domain.
    pub(in crate::iommu) fn free_domain(&mut self, domain: Domain, frames: &mut Frames) {
        if let Some(live) = domain.live {
            live.paging.free(frames);
            self.banks[usize::from(live.bank)] = false;
        }
    }

    /// The invalidations after an unmap.
    pub(in crate::iommu) fn invalidate(&self, domain: &Domain, gather: &Gather) -> Worklist {
        match self.tagged(domain) {
            Some(tagged) => Worklist::new(acts(tagged, &self.features, gather.invalidations())),
            None => Worklist::default(),
        }
    }

    fn tagged(&self, domain: &Domain) -> Option<Tagged> {
        let live = domain.live.as_ref()?;
        Some(self.features.tagged(domain.shape.stage(), live.bank.into()))
    }
}

impl Domain {
    /// The shape of its tables.
    pub(in crate::iommu) fn shape(&self) -> Shape {
        self.shape
    }

    /// Its tables, once a device has attached.
    pub(in crate::iommu) fn paging(&self) -> Option<&Paging<EitherTable>> {
        self.live.as_ref().map(|live| &live.paging)
    }

    /// Its tables, mutable.
    pub(in crate::iommu) fn paging_mut(&mut self) -> Option<&mut Paging<EitherTable>> {
        self.live.as_mut().map(|live| &mut live.paging)
    }
}
