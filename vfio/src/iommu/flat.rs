//! The null driver: mappings without tables, registers or devices.
//!
//! It serves work on the layers above an IOMMU. No device translates through it, so nothing can be
//! stale and every invalidation is complete at once.

use super::MapRequest;
use super::rules::{MAP_ALIGNMENT, MAP_EXISTS, MAP_RANGE, MAP_WITHOUT_ACCESS};
use passim_model::{Conflict, Errno, Iova, PageSizes, Perms, PhysAddr, Refusal, Span};
use rangemap::RangeInclusiveMap;

/// The parameters of a flat IOMMU.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlatDriver {
    pub(super) aperture: Span<Iova>,
    pub(super) page_sizes: PageSizes,
}

/// The mappings: each range with the distance from I/O to physical address, so that ranges
/// contiguous on both sides merge.
#[derive(Debug, Default)]
pub(super) struct FlatDomain {
    ranges: RangeInclusiveMap<u64, u64>,
}

impl FlatDomain {
    /// Maps a range.
    pub(super) fn map(&mut self, driver: &FlatDriver, request: &MapRequest) -> Result<(), Refusal> {
        if !request.perms.intersects(Perms::READ | Perms::WRITE) {
            return Err(MAP_WITHOUT_ACCESS.refuse(Errno::EINVAL));
        }
        let (iova, output) = (request.iova.get(), request.output.get());
        let smallest = driver.page_sizes.smallest();
        let value = iova | output | request.size;
        if let Some(size) = smallest.filter(|smallest| !smallest.divides(value)) {
            let conflict = Conflict::Misaligned { value, size };
            return Err(MAP_ALIGNMENT.refuse_for(Errno::EINVAL, conflict));
        }
        let Some(span) = Span::from_size(request.iova, request.size) else {
            return Err(MAP_ALIGNMENT.refuse(Errno::EINVAL));
        };
        let wraps = Span::from_size(request.output, request.size).is_none();
        if wraps || !driver.aperture.covers(span) {
            let conflict = Conflict::Aperture(driver.aperture);
            return Err(MAP_RANGE.refuse_for(Errno::ERANGE, conflict));
        }
        let range = iova..=span.last().get();
        if let Some((there, _)) = self.ranges.overlapping(&range).next() {
            let there = Span::new(Iova::new(*there.start()), Iova::new(*there.end()));
            let conflict = there.map_or(Conflict::Request, Conflict::Slot);
            return Err(MAP_EXISTS.refuse_for(Errno::EEXIST, conflict));
        }
        self.ranges.insert(range, output.wrapping_sub(iova));
        Ok(())
    }

    /// Unmaps up to the first hole; returns the number of bytes unmapped.
    pub(super) fn unmap(&mut self, iova: Iova, size: u64) -> u64 {
        let Some(wanted) = Span::from_size(iova, size) else { return 0 };
        let mut last = None;
        let mut at = iova.get();
        while let Some(range) = self.ranges.get_key_value(&at).map(|(range, _)| range.clone()) {
            let end = (*range.end()).min(wanted.last().get());
            last = Some(end);
            match end.checked_add(1) {
                Some(next) if next <= wanted.last().get() => at = next,
                _ => break,
            }
        }
        let Some(last) = last else { return 0 };
        self.ranges.remove(iova.get()..=last);
        last - iova.get() + 1
    }

    /// The physical address of `iova`, and how many bytes stay contiguous from there, at most
    /// `max`.
    pub(super) fn run(&self, iova: Iova, max: u64) -> Option<(PhysAddr, u64)> {
        let at = iova.get();
        let (range, distance) = self.ranges.get_key_value(&at)?;
        let output = PhysAddr::new(at.wrapping_add(*distance));
        Some((output, (range.end() - at).saturating_add(1).min(max)))
    }
}
