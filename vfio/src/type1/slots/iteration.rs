//! Walks over the slots in ascending order, along the links between leaves.

use core::iter::FusedIterator;
use core::slice;

use passim_model::{Iova, Span};
use slab::Slab;

use super::node::{Entry, NIL};
use super::tree::{Position, Tree};
use super::{Slot, SlotId, Slots, span_of};

/// Entries from a position on, as long as they start at or below a bound.
#[derive(Clone, Debug)]
struct Walk<'a> {
    tree: &'a Tree,
    entries: slice::Iter<'a, Entry>,
    /// The leaf to continue with.
    next: u32,
    through: u64,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, from: Option<Position>, through: u64) -> Self {
        let Some(at) = from else {
            return Self { tree, entries: [].iter(), next: NIL, through };
        };
        let (entries, next) = enter(tree, at.leaf, through);
        let entries = entries.get(at.index as usize..).unwrap_or_default().iter();
        Self { tree, entries, next, through }
    }

    fn all(tree: &'a Tree) -> Self {
        Self::new(tree, Some(Position { leaf: tree.first, index: 0 }), u64::MAX)
    }
}

/// The entries of a leaf up to the bound, and the leaf to continue with: none beyond the bound.
#[inline]
fn enter(tree: &Tree, leaf: u32, through: u64) -> (&[Entry], u32) {
    let leaf = &tree.leaves[leaf];
    let entries = leaf.entries();
    // Only the leaf with the bound needs a check of each start.
    match entries.last() {
        Some(last) if last.start > through => {
            let inside = entries.iter().take_while(|entry| entry.start <= through).count();
            (&entries[..inside], NIL)
        }
        _ => (entries, leaf.next),
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = &'a Entry;

    #[inline]
    fn next(&mut self) -> Option<&'a Entry> {
        if let Some(entry) = self.entries.next() {
            return Some(entry);
        }
        if self.next == NIL {
            return None;
        }
        let (entries, next) = enter(self.tree, self.next, self.through);
        (self.entries, self.next) = (entries.iter(), next);
        self.entries.next()
    }

    #[inline]
    fn fold<B, F: FnMut(B, &'a Entry) -> B>(self, init: B, mut f: F) -> B {
        let mut total = init;
        let (mut entries, mut next) = (self.entries.as_slice(), self.next);
        loop {
            for entry in entries {
                total = f(total, entry);
            }
            if next == NIL {
                return total;
            }
            (entries, next) = enter(self.tree, next, self.through);
        }
    }
}

/// The slots that overlap a range, ascending. See [`Slots::overlapping`].
#[derive(Clone, Debug)]
pub struct Overlapping<'a> {
    walk: Walk<'a>,
}

impl Iterator for Overlapping<'_> {
    type Item = (SlotId, Span<Iova>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next().map(|entry| (entry.id, span_of(entry)))
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut f: F) -> B {
        self.walk.fold(init, |total, entry| f(total, (entry.id, span_of(entry))))
    }
}

impl FusedIterator for Overlapping<'_> {}

/// All slots with their values, ascending. See [`Slots::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a, T> {
    walk: Walk<'a>,
    slab: &'a Slab<Slot<T>>,
    left: usize,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (SlotId, Span<Iova>, &'a T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.walk.next()?;
        self.left -= 1;
        let slot = &self.slab[entry.id.index as usize];
        Some((entry.id, span_of(entry), &slot.value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
impl<T> FusedIterator for Iter<'_, T> {}

impl<T> Slots<T> {
    /// The slots that overlap `span`, ascending.
    pub fn overlapping(&self, span: Span<Iova>) -> Overlapping<'_> {
        let from = self.tree.seek(span.start().get());
        Overlapping { walk: Walk::new(&self.tree, from, span.last().get()) }
    }

    /// All slots with their values, ascending.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { walk: Walk::all(&self.tree), slab: &self.slab, left: self.len() }
    }

    /// Empties the index and returns all ranges with their values, ascending. Every id returned so
    /// far is stale afterwards.
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (Span<Iova>, T)> + use<T> {
        let order: Vec<u32> = Walk::all(&self.tree).map(|entry| entry.id.index).collect();
        let mut slab = core::mem::take(&mut self.slab);
        self.tree.clear();
        order.into_iter().map(move |index| {
            let slot = slab.remove(index as usize);
            (slot.span, slot.value)
        })
    }
}

impl<'a, T> IntoIterator for &'a Slots<T> {
    type Item = (SlotId, Span<Iova>, &'a T);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
