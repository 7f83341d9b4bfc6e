//! Valid IOVAs: the intersection of all domains' apertures, without every reserved region.
//!
//! Not here: the window for doorbells, which is a slot (`register`).

use crate::iommu::ReservedRegion;
use passim_model::{Iova, Span};
use rangemap::RangeInclusiveSet;

/// The sorted list of valid ranges. Empty before the first domain.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Windows {
    valid: RangeInclusiveSet<u64>,
}

impl Windows {
    /// The valid ranges of these apertures and reserved regions.
    pub(crate) fn of(
        apertures: impl IntoIterator<Item = Span<Iova>>,
        reserved: impl IntoIterator<Item = ReservedRegion>,
    ) -> Self {
        let mut common: Option<Span<Iova>> = None;
        for aperture in apertures {
            common = match common {
                None => Some(aperture),
                Some(so_far) => match so_far.intersection(aperture) {
                    Some(both) => Some(both),
                    None => return Self::default(),
                },
            };
        }
        let mut valid = RangeInclusiveSet::new();
        let Some(common) = common else { return Self { valid } };
        valid.insert(common.start().get()..=common.last().get());
        for region in reserved {
            valid.remove(region.span.start().get()..=region.span.last().get());
        }
        Self { valid }
    }

    /// Whether no address is valid.
    pub(crate) fn is_empty(&self) -> bool {
        self.valid.is_empty()
    }

    /// Every valid range, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Span<Iova>> + '_ {
        self.valid
            .iter()
            .filter_map(|range| Span::new(Iova::new(*range.start()), Iova::new(*range.end())))
    }

    /// Whether `span` lies inside one valid range. If the list is empty, every address is valid.
    pub(crate) fn allow(&self, span: Span<Iova>) -> bool {
        if self.valid.is_empty() {
            return true;
        }
        match self.valid.get(&span.start().get()) {
            Some(range) => *range.end() >= span.last().get(),
            None => false,
        }
    }

    /// The valid range nearest to `span`: the one it starts in, else the next, else the last.
    pub(crate) fn nearest(&self, span: Span<Iova>) -> Option<Span<Iova>> {
        let from_here = self.iter().find(|range| range.last() >= span.start());
        from_here.or_else(|| self.iter().last())
    }
}
