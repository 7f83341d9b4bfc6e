//! Which slot a search finds: by range, by point, and by kind.
//!
//! Kernels up to 6.12 compute the exclusive end of a range, which is 0 for one that ends at 2^64;
//! so a search for such a range finds nothing, and such a slot is never found. The search by kind
//! is that of patch 2/7 of part 3; `find-dma` selects it as intended or as coded. Not here: what
//! MAP and UNMAP do with the result.

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

    /// Whether a search can find a slot at all.
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

    /// The slot that contains `iova` after its first byte: a search for 0 bytes.
    fn inside(self, slots: &Slots<Slot>, iova: Iova) -> Option<(Hit, SlotKind)> {
        let id = slots.containing(iova)?;
        let span = slots.span(id).filter(|span| span.start() < iova && self.sees(*span))?;
        Some(((id, span), slots.get(id)?.kind))
    }

    /// The user's slot that contains `iova` after its first byte. As coded, a window counts too:
    /// the point lies inside it, so the search ends there.
    pub(super) fn user_inside(self, slots: &Slots<Slot>, iova: Iova) -> Option<Hit> {
        let (hit, kind) = self.inside(slots, iova)?;
        (kind == SlotKind::User || self.find == FindDma::AsCoded).then_some(hit)
    }

    /// The slots that UNMAP of `span` removes one after the other.
    ///
    /// As coded, the outcome depends on the window that the descent meets: if nothing of `span`
    /// lies outside it, the window itself is removed; if `span` begins below it and no user slot is
    /// left there, the kernel dereferences the NULL result of the failed search. Which of the user
    /// slots above the window were removed before that depends on the shape of the tree; here,
    /// none.
    ///
    /// measured on 6.1 and 6.12: on v1 a mapping that starts before the range ends the walk at
    /// once, and one that starts inside it is removed whole.
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

/// The slots that UNMAP removes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Taken {
    /// The slots, ascending.
    pub(super) hits: Vec<Hit>,
    /// After them the search dereferences NULL, because of this window.
    pub(super) null: Option<Hit>,
    /// Slots of the range that another shape of the kernel's tree would have removed.
    pub(super) left: usize,
}

#[cfg(test)]
mod tests;
