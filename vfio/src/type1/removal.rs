//! Removing a mapping: from the tables, from the SMMU, then its pages are unpinned.
//!
//! Between the first and the second step the device may still reach the pages; therefore they stay
//! pinned until the SMMU has answered.

use super::Slot;
use crate::iommu::{DomainId, Invalidation, Synced};
use crate::kernel::Kernel;
use crate::policy::{LockedMemory, UnmapSync};
use crate::step::Step;
use passim_model::pgtable::gather::Gather;
use passim_model::{Host, Iova, PhysAddr, Span};

/// Pages wait for the SMMU in batches of at most this many contiguous runs.
///
/// 6.12 vfio_iommu_type1: it syncs after 512 recorded regions.
const RUNS_PER_SYNC: usize = 512;

/// Mappings being removed. See the [module](self).
#[derive(Debug)]
pub(crate) struct Removal {
    /// The first is the reference domain, which provides physical addresses and is unmapped last.
    domains: Vec<DomainId>,
    slots: std::vec::IntoIter<(Span<Iova>, Slot)>,
    current: Option<Current>,
    pending: Option<Invalidation>,
}

/// The mapping being removed.
#[derive(Debug)]
struct Current {
    slot: Slot,
    /// What the reference domain still maps.
    rest: Option<Span<Iova>>,
    span: Span<Iova>,
    /// Number of other domains that still map it.
    others: usize,
    /// Unmapped, not yet invalidated: first frame and number of pages.
    runs: Vec<(PhysAddr, u64)>,
}

impl Kernel {
    /// The removal of `slots` from `domains`, the reference domain first, for the call that is being
    /// decided.
    pub(crate) fn removal(
        &self,
        domains: Vec<DomainId>,
        mut slots: Vec<(Span<Iova>, Slot)>,
    ) -> Removal {
        if self.policy.locked_memory == LockedMemory::Caller
            && let Some(current) = self.current
        {
            // 4.9 vfio_lock_acct: it is `current->mm` that is charged less.
            for (_, slot) in &mut slots {
                slot.owner = current;
            }
        }
        Removal { domains, slots: slots.into_iter(), current: None, pending: None }
    }
}

impl Removal {
    /// Goes on until it must wait, or is done.
    pub(crate) fn step(&mut self, kernel: &mut Kernel, host: &mut impl Host) -> Step<()> {
        loop {
            if let Some(pending) = &mut self.pending {
                match pending.step(&mut kernel.iommu, &mut kernel.frames, host) {
                    Step::Done(synced) => {
                        self.pending = None;
                        if let Some(current) = &mut self.current {
                            current.unpin(kernel, &synced);
                        }
                    }
                    Step::Waiting(queue) => return Step::Waiting(queue),
                    Step::Unlocked => return Step::Unlocked,
                }
            }
            match self.current.take() {
                Some(current) => self.advance(current, kernel, host),
                None => match self.slots.next() {
                    Some((span, slot)) => {
                        let others = self.domains.len().saturating_sub(1);
                        let rest = Some(span);
                        let runs = Vec::new();
                        self.current = Some(Current { slot, rest, span, others, runs });
                    }
                    None => return Step::Done(()),
                },
            }
        }
    }

    /// Unmaps the next part of the current mapping and leaves its invalidation pending.
    fn advance(&mut self, mut current: Current, kernel: &mut Kernel, host: &mut impl Host) {
        let mut gather = Gather::default();
        if current.others > 0 {
            // Each other domain unmaps the whole mapping at once.
            let domain = self.domains[current.others];
            current.others -= 1;
            let (iova, size) = (current.span.start(), current.span.size().unwrap_or(u64::MAX));
            kernel.iommu.unmap(domain, iova, size, &mut gather, host);
            self.pending = Some(kernel.iommu.sync(domain, gather));
            self.current = Some(current);
            return;
        }
        let Some(&domain) = self.domains.first() else { return };
        if current.rest.is_none() {
            kernel.processes.uncharge(current.slot.owner, current.slot.locked_pages);
            return;
        }
        current.unmap_runs(domain, &mut gather, kernel, host);
        self.pending = Some(kernel.iommu.sync(domain, gather));
        self.current = Some(current);
    }
}

impl Current {
    /// Unmaps physically contiguous runs from the reference domain: up to [`RUNS_PER_SYNC`] of
    /// them, or one, where invalidations are not gathered.
    fn unmap_runs(
        &mut self,
        domain: DomainId,
        gather: &mut Gather,
        kernel: &mut Kernel,
        host: &mut impl Host,
    ) {
        let page = kernel.page;
        // vfio_unmap_unpin of 4.x: unmaps and unpins one run after the other.
        let most = match kernel.policy.unmap_sync {
            UnmapSync::EachBlock => 1,
            UnmapSync::Gathered => RUNS_PER_SYNC,
        };
        while let Some(rest) = self.rest
            && self.runs.len() < most
        {
            let at = rest.start();
            let room = rest.size_minus_one().saturating_add(1);
            let found = kernel.iommu.iova_to_phys(domain, at, room, host);
            let gone = match found {
                Some((frame, len)) => {
                    let gone = kernel.iommu.unmap(domain, at, len, gather, host);
                    if gone == 0 {
                        // The kernel warns and abandons the rest of the mapping.
                        self.rest = None;
                        return;
                    }
                    self.runs.push((frame, gone.min(len) >> page.lg2()));
                    gone
                }
                // A hole: skipped page by page.
                None => page.bytes(),
            };
            self.rest = at.checked_add(gone).and_then(|start| Span::new(start, rest.last()));
        }
    }

    /// Unpins the pages of the runs that are now invalidated. `Synced` is the proof.
    fn unpin(&mut self, kernel: &mut Kernel, _synced: &Synced) {
        for (frame, pages) in self.runs.drain(..) {
            kernel.unpin_pages(frame, pages);
        }
    }
}
