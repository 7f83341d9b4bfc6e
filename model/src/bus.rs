//! The physical address map: which part answers at an address.
//!
//! The map finds the part, and the machine performs the access. A device's address is looked up
//! here only after the SMMU has translated it.

use crate::{PhysAddr, Span};

/// The part that answers at a physical address.
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
        /// Number of the BAR, 0 to 5.
        bar: u8,
    },
    /// An interrupt controller block with this index.
    Interrupts(u16),
    /// The register of the x86-like IOMMU.
    X86Iommu,
    /// Message registers of the platform device with this index.
    Board(u16),
}

/// The address ranges of the parts. Ranges never overlap.
// A list, since every access of a device is looked up here, and a board has a few dozen parts.
#[derive(Clone, Default)]
pub struct AddressMap {
    /// Ascending.
    regions: Vec<(Span<PhysAddr>, Target)>,
    /// Indices of the two regions that [`AddressMap::look_up`] found last, the last one first.
    recent: [usize; 2],
}

/// Two parts claim the same physical address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{target:?} at {span} overlaps {other:?}")]
pub struct Overlap {
    /// The range of the new part.
    pub span: Span<PhysAddr>,
    /// The new part.
    pub target: Target,
    /// The part that answers there already.
    pub other: Target,
}

impl AddressMap {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Places `target` at `span`.
    ///
    /// # Errors
    /// [`Overlap`] if another part already answers inside `span`.
    pub fn place(&mut self, span: Span<PhysAddr>, target: Target) -> Result<(), Overlap> {
        let at = self.regions.partition_point(|(other, _)| other.last() < span.start());
        if let Some(&(there, other)) = self.regions.get(at)
            && there.overlaps(span)
        {
            return Err(Overlap { span, target, other });
        }
        self.regions.insert(at, (span, target));
        Ok(())
    }

    /// The part that answers at `at`, and the bytes from where that part starts to `at`; `None`
    /// where nothing answers.
    #[inline]
    pub fn find(&self, at: PhysAddr) -> Option<(Target, u64)> {
        let place = self.regions.partition_point(|(span, _)| span.last() < at);
        self.find_at(place, at)
    }

    /// As [`AddressMap::find`], faster for the two parts that were looked up last: a device writes
    /// to RAM and to a doorbell, a driver to memory and to the SMMU.
    // `look_elsewhere` returns an index: a pair would be returned through memory in pieces and reloaded as
    // one wider word, which stalls for longer than everything else here takes.
    #[inline(always)]
    pub fn look_up(&mut self, at: PhysAddr) -> Option<(Target, u64)> {
        let [last, before] = self.recent;
        let place = if self.holds(last, at) {
            last
        } else if self.holds(before, at) {
            self.recent = [before, last];
            before
        } else {
            self.look_elsewhere(at)
        };
        self.find_at(place, at)
    }

    /// Whether the region with this index holds `at`.
    #[inline(always)]
    fn holds(&self, place: usize, at: PhysAddr) -> bool {
        self.regions.get(place).is_some_and(|(span, _)| span.contains(at))
    }

    /// The index of the region for [`AddressMap::look_up`], where neither of the last two holds `at`.
    #[inline(never)]
    fn look_elsewhere(&mut self, at: PhysAddr) -> usize {
        let place = self.regions.partition_point(|(span, _)| span.last() < at);
        self.recent = [place, self.recent[0]];
        place
    }

    #[inline]
    fn find_at(&self, place: usize, at: PhysAddr) -> Option<(Target, u64)> {
        let &(span, target) = self.regions.get(place)?;
        Some((target, at.get().checked_sub(span.start().get())?))
    }

    /// Every region, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Span<PhysAddr>, Target)> + '_ {
        self.regions.iter().copied()
    }
}

#[cfg(test)]
mod tests;
