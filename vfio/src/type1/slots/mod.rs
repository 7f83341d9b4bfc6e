//! The slots of a container: which IOVA ranges are mapped, and the value of each.
//!
//! [`Slots`] stores inclusive ranges that never overlap, in order, each with a value and an id
//! ([`SlotId`]) that becomes stale when the slot is removed. A slot is never split and never merged
//! with its neighbour: unmapping by range returns the slots that were mapped. Not here: what may be
//! mapped, at which alignment, and what unmapping half a slot means.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `node` | what do leaves, inner nodes and their arenas contain? |
//! | `tree` | how does a B+-tree keyed by last address search and insert? |
//! | `rebalance` | how are nodes merged after a removal? |
//! | `directory` | which leaf is probably right for the high bits of an address? |
//! | `finger` | how does a caller that goes page by page reuse the last answer? |
//! | `iteration` | how are slots walked in ascending order? |

mod directory;
mod finger;
mod iteration;
mod node;
mod rebalance;
mod tree;

#[cfg(test)]
mod check;
#[cfg(test)]
mod tests;

use core::num::NonZeroU32;

use passim_model::{Iova, Span};
use slab::Slab;

pub use finger::Finger;
pub use iteration::{Iter, Overlapping};
use node::Entry;
use tree::Tree;

/// The id of a slot. It becomes stale when the slot is removed, even if its place is reused.
///
/// The order of ids means nothing to a user: never sort by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId {
    index: u32,
    /// The number of the insertion that created the slot, modulo 2^32 - 1: an id would have to
    /// outlive four thousand million insertions to be confused with another.
    generation: NonZeroU32,
}

impl SlotId {
    /// An id that no slot has.
    const NEVER: Self = Self { index: u32::MAX, generation: NonZeroU32::MIN };
}

/// A value and its range.
#[derive(Clone, Debug)]
struct Slot<T> {
    generation: NonZeroU32,
    span: Span<Iova>,
    value: T,
}

/// Values by IOVA range. Ranges do not overlap.
#[derive(Clone, Debug)]
pub struct Slots<T> {
    slab: Slab<Slot<T>>,
    tree: Tree,
    generation: NonZeroU32,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slots<T> {
    /// Creates an index without slots.
    pub fn new() -> Self {
        Self { slab: Slab::new(), tree: Tree::new(), generation: NonZeroU32::MIN }
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.tree.len
    }

    /// Whether there are no slots.
    pub fn is_empty(&self) -> bool {
        self.tree.len == 0
    }

    /// Inserts a slot of `span` with `value`.
    ///
    /// # Errors
    /// The lowest slot that overlaps `span`; the value is dropped and the index unchanged.
    pub fn insert(&mut self, span: Span<Iova>, value: T) -> Result<SlotId, SlotId> {
        let vacant = self.slab.vacant_entry();
        let index = u32::try_from(vacant.key()).expect("slots are fewer than 2^32");
        let id = SlotId { index, generation: self.generation };
        self.tree.insert(Entry { last: span.last().get(), start: span.start().get(), id })?;
        vacant.insert(Slot { generation: self.generation, span, value });
        self.generation = self.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        Ok(id)
    }

    /// Removes a slot and returns its value; `None` if `id` is stale.
    pub fn remove(&mut self, id: SlotId) -> Option<T> {
        let last = self.slot(id)?.span.last().get();
        let removed = self.tree.remove(last);
        assert_eq!(removed.id, id, "tree and slab name the same slot");
        Some(self.slab.remove(id.index as usize).value)
    }

    /// Removes all slots. Every id returned so far is stale afterwards.
    pub fn clear(&mut self) {
        self.slab.clear();
        self.tree.clear();
    }

    #[inline]
    fn slot(&self, id: SlotId) -> Option<&Slot<T>> {
        self.slab.get(id.index as usize).filter(|slot| slot.generation == id.generation)
    }

    /// The value of a slot; `None` if `id` is stale.
    #[inline]
    pub fn get(&self, id: SlotId) -> Option<&T> {
        self.slot(id).map(|slot| &slot.value)
    }

    /// The value of a slot, mutable; `None` if `id` is stale.
    #[inline]
    pub fn get_mut(&mut self, id: SlotId) -> Option<&mut T> {
        let slot = self.slab.get_mut(id.index as usize)?;
        (slot.generation == id.generation).then_some(&mut slot.value)
    }

    /// The range of a slot; `None` if `id` is stale.
    #[inline]
    pub fn span(&self, id: SlotId) -> Option<Span<Iova>> {
        self.slot(id).map(|slot| slot.span)
    }

    /// The slot that contains `iova`.
    #[inline]
    pub fn containing(&self, iova: Iova) -> Option<SlotId> {
        self.tree.containing(iova.get())
    }

    /// As [`Self::containing`], faster for consecutive lookups of nearby addresses. Use a `finger`
    /// with one index only.
    #[inline]
    pub fn lookup_with(&self, finger: &mut Finger, iova: Iova) -> Option<SlotId> {
        finger.look(&self.tree, iova.get())
    }

    /// The lowest slot that shares an address with `span`.
    #[inline]
    pub fn first_overlapping(&self, span: Span<Iova>) -> Option<SlotId> {
        let entry = self.tree.entry(self.tree.seek(span.start().get())?);
        (entry.start <= span.last().get()).then_some(entry.id)
    }

    /// The lowest slot whose last address is `iova` or above.
    #[inline]
    pub fn first_ending_at_or_after(&self, iova: Iova) -> Option<SlotId> {
        self.tree.seek(iova.get()).map(|at| self.tree.entry(at).id)
    }

    /// The widest range around `iova` that no slot overlaps; `None` if a slot contains `iova`.
    pub fn gap_containing(&self, iova: Iova) -> Option<Span<Iova>> {
        let above = self.tree.seek(iova.get());
        let last = match above.map(|at| self.tree.entry(at).start) {
            Some(start) if start <= iova.get() => return None,
            Some(start) => start - 1,
            None => u64::MAX,
        };
        // A range that ends at the top of the address space has no address above it.
        let start = self.tree.before(above).map_or(0, |entry| entry.last + 1);
        Span::new(Iova::new(start), Iova::new(last))
    }
}

/// The typed range of an entry.
#[inline]
fn span_of(entry: &Entry) -> Span<Iova> {
    Span::new(Iova::new(entry.start), Iova::new(entry.last))
        .expect("entries come from spans, and those are not empty")
}
