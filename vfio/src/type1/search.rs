//! Which slot does a search find: by range, by point, and by kind.
//!
//! Kernels up to 6.12 compute the exclusive end of a range, which is 0 for one that ends at 2^64,
//! and so find nothing for such a range, and never find such a slot. The search by kind is that of
//! patch 2/7 of part 3; `find-dma` says whether as it was meant or as it is coded. Not here: what
//! MAP and UNMAP conclude from what is found.

use super::slots::{SlotId, Slots};
use super::{Slot, SlotKind, Version};
use crate::policy::{FindDma, RangeEnd};
use passim_model::{Iova, Span};

/// A slot and its addresses.
pub(super) type Hit = (SlotId, Span<Iova>);

/// How this kernel searches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    pub(super) end: RangeEnd,
    pub(super) find: FindDma,
}

impl Search {
    /// The range as this kernel searches it; `None` finds nothing.
    ///
    /// measured on 6.1 and 6.12: a MAP that ends at 2^64 over a mapping is refused for leaving the
    /// aperture, not for the overlap.
    pub(super) fn range(self, span: Span<Iova>) -> Option<Span<Iova>> {
        let seen = self.end == RangeEnd::Inclusive || span.last().get() != u64::MAX;
        seen.then_some(span)
    }

    /// Whether a slot is found at all.
    fn sees(self, span: Span<Iova>) -> bool {
        self.range(span).is_some()
    }

    /// The lowest slot of any kind that shares an address with `span`.
    pub(super) fn any(self, slots: &Slots<Slot>, span: Span<Iova>) -> Option<Hit> {
        let span = self.range(span)?;
        slots.overlapping(span).find(|(_, slot)| self.sees(*slot))
    }

    /// Every slot of any kind that shares an address with `span`, ascending.
    pub(super) fn all(self, slots: &Slots<Slot>, span: Span<Iova>) -> Vec<Hit> {
        let Some(span) = self.range(span) else { return Vec::new() };
        slots.overlapping(span).filter(|(_, slot)| self.sees(*slot)).collect()
    }

    /// The slot that holds `iova` somewhere behind its first byte: a search for 0 bytes.
    fn inside(self, slots: &Slots<Slot>, iova: Iova) -> Option<(Hit, SlotKind)> {
        let id = slots.containing(iova)?;
        let span = slots.span(id).filter(|span| span.start() < iova && self.sees(*span))?;
        Some(((id, span), slots.get(id)?.kind))
    }

    /// The user's slot that holds `iova` behind its first byte. As coded, a window does as well:
    /// the point lies inside it, so no other slot is looked for.
    pub(super) fn user_inside(self, slots: &Slots<Slot>, iova: Iova) -> Option<Hit> {
        let (hit, kind) = self.inside(slots, iova)?;
        (kind == SlotKind::User || self.find == FindDma::AsCoded).then_some(hit)
    }

    /// The slots that UNMAP of `span` takes one after the other.
    ///
    /// As coded, the outcome turns on the window that the descent meets: with nothing of `span`
    /// outside it, the window itself is taken; with `span` beginning below it and no user slot left
    /// there, the result of the failed search is dereferenced. Which of the user slots above the
    /// window went before that depends on the shape of the tree; here, none.
    ///
    /// measured on 6.1 and 6.12: on v1 a mapping that starts before the range ends the walk at
    /// once, and one whose start lies inside goes whole.
    pub(super) fn taken(self, slots: &Slots<Slot>, span: Span<Iova>, version: Version) -> Taken {
        let mut taken = self.walk(slots, span);
        let cut = taken.hits.first().is_some_and(|(_, slot)| slot.start() < span.start());
        if version == Version::V1 && cut {
            let left = taken.left + taken.hits.len() - 1;
            taken = Taken { left, ..Taken::default() };
        }
        taken
    }

    fn walk(self, slots: &Slots<Slot>, span: Span<Iova>) -> Taken {
        let kind = |id| slots.get(id).map_or(SlotKind::User, |slot: &Slot| slot.kind);
        let is_user = |&(id, _): &Hit| kind(id) == SlotKind::User;
        let hits = self.all(slots, span);
        if hits.iter().all(is_user) {
            return Taken { hits, null: None, left: 0 };
        }
        let (user, windows): (Vec<Hit>, Vec<Hit>) = hits.into_iter().partition(is_user);
        let (FindDma::AsCoded, Some(&window)) = (self.find, windows.first()) else {
            return Taken { hits: user, null: None, left: 0 };
        };
        if window.1.covers(span) {
            return Taken { hits: vec![window], null: None, left: 0 };
        }
        if span.start() >= window.1.start() {
            return Taken { hits: user, null: None, left: 0 };
        }
        let all = user.len();
        let hits: Vec<_> = user.into_iter().filter(|&(_, slot)| slot < window.1).collect();
        let left = all - hits.len();
        Taken { hits, null: Some(window), left }
    }
}

/// What UNMAP takes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Taken {
    /// The slots, ascending.
    pub(super) hits: Vec<Hit>,
    /// After them the search dereferences a slot it has not found, because of this window.
    pub(super) null: Option<Hit>,
    /// Slots of the range that another shape of the kernel's tree would have let go.
    pub(super) left: usize,
}

#[cfg(test)]
mod tests;
