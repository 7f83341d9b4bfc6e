//! The physical address map: which part answers at an address.

use crate::{PhysAddr, Span};
use rangemap::RangeInclusiveMap;

/// What answers at a physical address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// RAM.
    Ram,
    /// Registers of the SMMU with this index.
    Smmu(u16),
    /// Configuration space of the PCI functions, 4 KiB each, in the order of requester
    /// identifiers: ECAM. PCI Express 3.0 7.2.2.
    Config,
    /// A base address register of the PCI function with this index.
    Bar {
        /// Index of the function in the topology.
        function: u16,
        /// Number of the BAR.
        bar: u8,
    },
    /// An interrupt controller block with this index.
    Interrupts(u16),
    /// The register of an IOMMU as on x86.
    X86Iommu,
    /// Message registers of the platform device with this index.
    Board(u16),
}

/// Where each part answers. Ranges never overlap.
#[derive(Clone, Default)]
pub struct AddressMap {
    regions: RangeInclusiveMap<u64, (Target, PhysAddr)>,
}

/// Two parts claim the same address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{target:?} at {span} overlaps {other:?}")]
pub struct Overlap {
    /// Where the newcomer wanted to be.
    pub span: Span<PhysAddr>,
    /// The newcomer.
    pub target: Target,
    /// Who is there already.
    pub other: Target,
}

impl AddressMap {
    /// A map on which nothing answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Places `target` at `span`.
    ///
    /// # Errors
    /// [`Overlap`] if another part already answers inside `span`. (The underlying map would
    /// overwrite it.)
    pub fn place(&mut self, span: Span<PhysAddr>, target: Target) -> Result<(), Overlap> {
        let range = span.start().get()..=span.last().get();
        if let Some((_, &(other, _))) = self.regions.overlapping(&range).next() {
            return Err(Overlap { span, target, other });
        }
        self.regions.insert(range, (target, span.start()));
        Ok(())
    }

    /// The part that answers at `at`, and the offset of `at` from where that part starts.
    pub fn find(&self, at: PhysAddr) -> Option<(Target, u64)> {
        let &(target, base) = self.regions.get(&at.get())?;
        Some((target, at.get() - base.get()))
    }

    /// Every region, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Span<PhysAddr>, Target)> + '_ {
        self.regions.iter().filter_map(|(range, &(target, _))| {
            let span = Span::new(PhysAddr::new(*range.start()), PhysAddr::new(*range.end()))?;
            Some((span, target))
        })
    }
}
