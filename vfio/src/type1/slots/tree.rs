//! The tree of ranges: a B+-tree keyed by the last address of a range, so that one search finds the
//! first range that ends at or after an address, the base of every other query. It stores no
//! values, and its numbers are not typed as IOVAs.

use core::hint::select_unpredictable;

use super::SlotId;
use super::directory::Directory;
use super::node::{Arena, Entry, INNER_CAPACITY, Inner, LEAF_CAPACITY, LEAF_MIN, Leaf, NIL, Row};

/// Most levels above the leaves: with at least five children to a node and fewer than 2^32 leaves
/// there are fewer than fourteen.
const MAX_HEIGHT: usize = 16;

/// The position of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) leaf: u32,
    pub(super) index: u32,
}

/// The path from the root to a leaf: at each level the node, and the index of the child.
pub(super) struct Path {
    steps: [(u32, usize); MAX_HEIGHT],
    len: usize,
}

impl Path {
    pub(super) fn pop(&mut self) -> Option<(u32, usize)> {
        self.len = self.len.checked_sub(1)?;
        Some(self.steps[self.len])
    }
}

/// Ranges that do not overlap, ordered.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) leaves: Arena<Leaf>,
    pub(super) inners: Arena<Inner>,
    /// A leaf if `height` is 0.
    pub(super) root: u32,
    pub(super) height: usize,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) len: usize,
    pub(super) directory: Directory,
    /// Counts changes, so that a stale position is recognised.
    version: u64,
}

impl Tree {
    pub(super) fn new() -> Self {
        let mut leaves = Arena::new();
        let root = leaves.add(Leaf::new(0, &[]));
        Self {
            leaves,
            inners: Arena::new(),
            root,
            height: 0,
            first: root,
            last: root,
            len: 0,
            directory: Directory::new(root),
            version: 1,
        }
    }

    pub(super) fn clear(&mut self) {
        self.leaves.clear();
        self.inners.clear();
        self.root = self.leaves.add(Leaf::new(0, &[]));
        self.height = 0;
        self.first = self.root;
        self.last = self.root;
        self.len = 0;
        self.directory = Directory::new(self.root);
        self.version += 1;
    }

    /// Never 0, and never the same after a change.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    #[inline]
    pub(super) fn entry(&self, at: Position) -> &Entry {
        self.leaves[at.leaf].place(at.index as usize)
    }

    /// The first entry that ends at or after `address`.
    #[inline]
    pub(super) fn seek(&self, address: u64) -> Option<Position> {
        let hint = self.directory.hint(address);
        self.seek_in(hint, address).or_else(|| self.seek_astray(hint, address))
    }

    /// The slot that contains `address`.
    #[inline]
    pub(super) fn containing(&self, address: u64) -> Option<SlotId> {
        let entry = self.entry(self.seek(address)?);
        // Hits are unpredictable here; the caller branches on the result anyway.
        select_unpredictable(entry.start <= address, Some(entry.id), None)
    }

    /// As [`Self::seek`], and corrects a stale hint of the directory.
    fn seek_and_correct(&mut self, address: u64) -> Option<Position> {
        let hint = self.directory.hint(address);
        if let Some(at) = self.seek_in(hint, address) {
            return Some(at);
        }
        match self.seek_beside(hint, address) {
            Beside::Found(at) => at,
            Beside::Elsewhere => {
                let at = self.descend(address);
                let leaf = at.map_or(self.last, |at| at.leaf);
                self.directory.correct(address, leaf);
                at
            }
        }
    }

    /// The result of [`Self::seek`], if it is in this leaf.
    #[inline]
    fn seek_in(&self, hint: u32, address: u64) -> Option<Position> {
        let leaf = self.leaves.get(hint)?;
        let index = leaf.count_below(address);
        let found = leaf.floor <= address && index < leaf.len();
        found.then_some(Position { leaf: hint, index: index as u32 })
    }

    /// The rest of a search that did not end in the hinted leaf.
    #[inline(never)]
    fn seek_astray(&self, hint: u32, address: u64) -> Option<Position> {
        match self.seek_beside(hint, address) {
            Beside::Found(at) => at,
            Beside::Elsewhere => self.descend(address),
        }
    }

    /// Searches the neighbours of a leaf that does not contain `address`: a bucket of the directory
    /// may span a boundary between leaves.
    fn seek_beside(&self, hint: u32, address: u64) -> Beside {
        // Only the leaf of an empty tree and a freed leaf have no entries.
        let Some(leaf) = self.leaves.get(hint).filter(|leaf| leaf.len() > 0) else {
            return Beside::Elsewhere;
        };
        if leaf.floor <= address {
            // All entries up to and including this leaf end below the address.
            let Some(next) = self.leaves.get(leaf.next) else {
                return Beside::Found(None);
            };
            let index = next.count_below(address);
            if index < next.len() {
                return Beside::Found(Some(Position { leaf: leaf.next, index: index as u32 }));
            }
            return Beside::Elsewhere;
        }
        // The floor of the first leaf is 0, so a leaf above the address has a previous one.
        let previous = &self.leaves[leaf.prev];
        if previous.floor > address {
            return Beside::Elsewhere;
        }
        let index = previous.count_below(address);
        Beside::Found(Some(if index < previous.len() {
            Position { leaf: leaf.prev, index: index as u32 }
        } else {
            Position { leaf: hint, index: 0 }
        }))
    }

    /// [`Self::seek`] from the root.
    fn descend(&self, address: u64) -> Option<Position> {
        let mut node = self.root;
        for _ in 0..self.height {
            let inner = &self.inners[node];
            node = inner.child(inner.child_for(address));
        }
        let leaf = &self.leaves[node];
        let index = leaf.count_below(address);
        if index < leaf.len() {
            return Some(Position { leaf: node, index: index as u32 });
        }
        (leaf.next != NIL).then_some(Position { leaf: leaf.next, index: 0 })
    }

    /// The path to the leaf whose part of the address space contains `address`.
    pub(super) fn path_to(&self, address: u64) -> Path {
        let mut path = Path { steps: [(NIL, 0); MAX_HEIGHT], len: self.height };
        let mut node = self.root;
        for step in &mut path.steps[..self.height] {
            let inner = &self.inners[node];
            let child = inner.child_for(address);
            *step = (node, child);
            node = inner.child(child);
        }
        path
    }

    /// The entry after this one.
    #[inline]
    pub(super) fn after(&self, at: Position) -> Option<Position> {
        let leaf = &self.leaves[at.leaf];
        if (at.index as usize) + 1 < leaf.len() {
            return Some(Position { leaf: at.leaf, index: at.index + 1 });
        }
        (leaf.next != NIL).then_some(Position { leaf: leaf.next, index: 0 })
    }

    /// The entry before this one; with `None`, the last entry.
    pub(super) fn before(&self, at: Option<Position>) -> Option<&Entry> {
        match at {
            Some(Position { leaf, index: 0 }) => {
                let previous = self.leaves[leaf].prev;
                (previous != NIL).then(|| self.leaves[previous].entries().last())?
            }
            Some(Position { leaf, index }) => Some(self.leaves[leaf].place(index as usize - 1)),
            None => self.leaves[self.last].entries().last(),
        }
    }

    /// Adds a range.
    ///
    /// # Errors
    /// The slot of the lowest range that overlaps it; the tree is unchanged.
    pub(super) fn insert(&mut self, entry: Entry) -> Result<(), SlotId> {
        let (leaf, index) = match self.seek_and_correct(entry.start) {
            Some(at) => {
                let found = self.entry(at);
                if found.start <= entry.last {
                    return Err(found.id);
                }
                // A range in the gap between two leaves may end on either side of the boundary.
                let leaf = &self.leaves[at.leaf];
                if at.index == 0 && entry.last < leaf.floor {
                    (leaf.prev, self.leaves[leaf.prev].len())
                } else {
                    (at.leaf, at.index as usize)
                }
            }
            None => (self.last, self.leaves[self.last].len()),
        };
        if self.leaves[leaf].len() < LEAF_CAPACITY {
            self.leaves[leaf].insert(index, entry);
        } else {
            self.split(leaf, index, entry);
        }
        self.len += 1;
        self.version += 1;
        if self.directory.outgrown(self.leaves.len()) {
            self.lay_out();
        }
        Ok(())
    }

    /// Removes the range that ends at `last`, which is in the tree.
    pub(super) fn remove(&mut self, last: u64) -> Entry {
        let at = self.seek_and_correct(last).expect("the range is in the tree");
        let leaf = &mut self.leaves[at.leaf];
        let removed = leaf.remove(at.index as usize);
        if leaf.len() < LEAF_MIN && self.height > 0 {
            self.rebalance(at.leaf);
        }
        self.len -= 1;
        self.version += 1;
        if self.directory.outgrown(self.leaves.len()) {
            self.lay_out();
        }
        removed
    }

    /// Adds `entry` to a full leaf by splitting it.
    #[inline(never)]
    fn split(&mut self, leaf: u32, index: usize, entry: Entry) {
        let full = &self.leaves[leaf];
        let (floor, next) = (full.floor, full.next);
        let mut row = Row::new();
        row.extend(&full.entries()[..index]);
        row.extend(&[entry]);
        row.extend(&full.entries()[index..]);
        // Ranges inserted in order all go to one end: leave most entries on the side that gets no
        // more.
        let keep = if next == NIL && index == LEAF_CAPACITY {
            LEAF_CAPACITY + 1 - LEAF_MIN
        } else if full.prev == NIL && index == 0 {
            LEAF_MIN
        } else {
            LEAF_CAPACITY.div_ceil(2)
        };
        let (low, high) = row.entries().split_at(keep);
        let fence = low[keep - 1].last;

        let mut right = Leaf::new(fence + 1, high);
        right.prev = leaf;
        right.next = next;
        let right = self.leaves.add(right);
        self.leaves[leaf].fill(low);
        self.leaves[leaf].next = right;
        match next {
            NIL => self.last = right,
            _ => self.leaves[next].prev = right,
        }
        self.directory.repoint(fence + 1, self.ceiling(right), right);

        let path = self.path_to(floor);
        self.grow(path, leaf, fence, right);
    }

    /// Propagates to the levels above that `child` was split at `fence`, with `right` above it.
    fn grow(&mut self, mut path: Path, mut child: u32, mut fence: u64, mut right: u32) {
        while let Some((node, index)) = path.pop() {
            let inner = &mut self.inners[node];
            if inner.len() < INNER_CAPACITY {
                inner.insert_after(index, fence, right);
                return;
            }
            let mut fences = [0; INNER_CAPACITY];
            fences[..index].copy_from_slice(&inner.fences()[..index]);
            fences[index] = fence;
            fences[index + 1..].copy_from_slice(&inner.fences()[index..]);
            let mut children = [NIL; INNER_CAPACITY + 1];
            children[..=index].copy_from_slice(&inner.children()[..=index]);
            children[index + 1] = right;
            children[index + 2..].copy_from_slice(&inner.children()[index + 1..]);

            let keep = INNER_CAPACITY.div_ceil(2);
            inner.fill(&fences[..keep - 1], &children[..keep]);
            fence = fences[keep - 1];
            right = self.inners.add(Inner::new(&fences[keep..], &children[keep..]));
            child = node;
        }
        self.root = self.inners.add(Inner::new(&[fence], &[child, right]));
        self.height += 1;
    }

    /// The highest address in the part of the address space that belongs to `leaf`.
    pub(super) fn ceiling(&self, leaf: u32) -> u64 {
        match self.leaves[leaf].next {
            NIL => u64::MAX,
            next => self.leaves[next].floor - 1,
        }
    }

    /// Lays the directory out over the present leaves.
    #[inline(never)]
    fn lay_out(&mut self) {
        let leaves = self.leaves.len();
        let (Some(first), Some(last)) =
            (self.leaves[self.first].entries().first(), self.leaves[self.last].entries().last())
        else {
            self.directory = Directory::new(self.root);
            return;
        };
        let (mut base, mut top) = (first.start, last.last);
        if leaves > 2 {
            // One distant range at either end must not stretch the table: let the outer leaves
            // extend no further than four leaves of average width.
            let low = self.ceiling(self.first);
            let high = self.leaves[self.last].floor;
            let reach = (high - low) / (leaves as u64 - 2);
            base = base.max(low.saturating_sub(reach.saturating_mul(4)));
            top = top.min(high.saturating_add(reach.saturating_mul(4)));
        }
        let mut next = self.first;
        let arena = &self.leaves;
        let floors = core::iter::from_fn(|| {
            let leaf = (next != NIL).then(|| &arena[next])?;
            let named = (leaf.floor, next);
            next = leaf.next;
            Some(named)
        });
        self.directory.lay_out(base, top, leaves, floors);
    }
}

/// The result of searching the neighbours of a leaf.
enum Beside {
    Found(Option<Position>),
    Elsewhere,
}
