//! The nodes of the slot tree, and their arenas. Not here: relations between nodes (`tree`).

use core::ops::{Index, IndexMut};

use super::SlotId;

/// Entries in a full leaf: with the head of a leaf they fill six cache lines of 64 bytes.
pub(super) const LEAF_CAPACITY: usize = 15;
/// Fewest entries in a leaf that is not the root.
pub(super) const LEAF_MIN: usize = 5;
/// Two neighbouring leaves with at most this many entries are merged. Less than a full leaf, so
/// that the next insertion does not split it again; at least `2 * LEAF_MIN - 1`, so that
/// redistributing entries instead leaves both sides with enough.
pub(super) const LEAF_MERGE: usize = 11;

/// Children of a full inner node.
pub(super) const INNER_CAPACITY: usize = 16;
/// Fewest children of an inner node that is not the root.
pub(super) const INNER_MIN: usize = 5;
/// Two neighbouring inner nodes with at most this many children are merged.
pub(super) const INNER_MERGE: usize = 12;

const _: () = assert!(LEAF_MERGE < LEAF_CAPACITY && LEAF_MERGE + 1 >= 2 * LEAF_MIN);
const _: () = assert!(INNER_MERGE < INNER_CAPACITY && INNER_MERGE + 1 >= 2 * INNER_MIN);
const _: () = assert!(size_of::<Leaf>() == 6 * 64);

/// Keys in a full node of either kind, the number that [`count`] searches.
const KEYS: usize = 15;

const _: () = assert!(LEAF_CAPACITY == KEYS && INNER_CAPACITY - 1 == KEYS);

/// The number of keys, among [`KEYS`] ascending ones, for which `before` holds. It holds for none
/// after the first for which it does not hold.
///
/// Four keys select a block of three, which three more count: no branch to mispredict, and no wide
/// compares. In a leaf, the first four keys and the head are read together and lie in all its cache
/// lines but one: one memory latency, not two.
#[inline]
fn count(before: impl Fn(usize) -> bool) -> usize {
    let one = |index| usize::from(before(index));
    let block = 3 * (one(2) + one(5) + one(8) + one(11));
    block + one(block) + one(block + 1) + one(block + 2)
}

/// No node.
pub(super) const NIL: u32 = u32::MAX;

/// One range and the slot it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) last: u64,
    pub(super) start: u64,
    pub(super) id: SlotId,
}

/// The contents of unused places of a leaf. Its last address is never below any address, so a
/// search may count over all places, used or not.
const UNUSED: Entry = Entry { last: u64::MAX, start: u64::MAX, id: SlotId::NEVER };

/// The lowest level: entries in ascending order, linked to both neighbours.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Leaf {
    /// Every entry in the leaves before this one ends below `floor`, every entry from here on
    /// ends at or above it. 0 in the first leaf.
    pub(super) floor: u64,
    pub(super) next: u32,
    pub(super) prev: u32,
    len: u32,
    places: [Entry; LEAF_CAPACITY],
}

impl Leaf {
    /// Creates a leaf with these entries, at most [`LEAF_CAPACITY`].
    pub(super) fn new(floor: u64, entries: &[Entry]) -> Self {
        let mut places = [UNUSED; LEAF_CAPACITY];
        places[..entries.len()].copy_from_slice(entries);
        Self { floor, next: NIL, prev: NIL, len: entries.len() as u32, places }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// The entries, ascending.
    #[inline]
    pub(super) fn entries(&self) -> &[Entry] {
        &self.places[..self.len()]
    }

    /// The entry at `index`, or the unused place there.
    #[inline]
    pub(super) fn place(&self, index: usize) -> &Entry {
        &self.places[index]
    }

    /// How many entries end below `address`: the index of the first that does not.
    #[inline]
    pub(super) fn count_below(&self, address: u64) -> usize {
        count(|index| self.places[index].last < address)
    }

    /// Inserts `entry` at `index`. The leaf must not be full.
    pub(super) fn insert(&mut self, index: usize, entry: Entry) {
        let len = self.len();
        self.places.copy_within(index..len, index + 1);
        self.places[index] = entry;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, index: usize) -> Entry {
        let len = self.len();
        let removed = self.places[index];
        self.places.copy_within(index + 1..len, index);
        self.places[len - 1] = UNUSED;
        self.len -= 1;
        removed
    }

    /// Replaces all entries; links and floor stay.
    pub(super) fn fill(&mut self, entries: &[Entry]) {
        self.places = [UNUSED; LEAF_CAPACITY];
        self.places[..entries.len()].copy_from_slice(entries);
        self.len = entries.len() as u32;
    }
}

/// A level above the leaves. `fences[i]` is the highest last address in child `i`; the last child
/// has no fence, and unused places contain `u64::MAX`.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Inner {
    fences: [u64; KEYS],
    children: [u32; INNER_CAPACITY],
    len: u32,
}

impl Inner {
    /// Creates a node with these children and one fence fewer.
    pub(super) fn new(fences: &[u64], children: &[u32]) -> Self {
        let mut inner = Self { fences: [u64::MAX; KEYS], children: [NIL; INNER_CAPACITY], len: 0 };
        inner.fill(fences, children);
        inner
    }

    pub(super) fn fill(&mut self, fences: &[u64], children: &[u32]) {
        assert_eq!(fences.len() + 1, children.len(), "a fence stands between two children");
        self.fences = [u64::MAX; KEYS];
        self.fences[..fences.len()].copy_from_slice(fences);
        self.children = [NIL; INNER_CAPACITY];
        self.children[..children.len()].copy_from_slice(children);
        self.len = children.len() as u32;
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn children(&self) -> &[u32] {
        &self.children[..self.len()]
    }

    /// The fences between the children: one fewer than children.
    pub(super) fn fences(&self) -> &[u64] {
        &self.fences[..self.len() - 1]
    }

    #[inline]
    pub(super) fn child(&self, index: usize) -> u32 {
        self.children[index]
    }

    /// The index of the child whose part of the address space contains `address`.
    #[inline]
    pub(super) fn child_for(&self, address: u64) -> usize {
        count(|index| self.fences[index] < address)
    }

    pub(super) fn set_fence(&mut self, index: usize, fence: u64) {
        self.fences[index] = fence;
    }

    /// Splits child `index` at `fence`: `child` gets the part above it. The node must not be full.
    pub(super) fn insert_after(&mut self, index: usize, fence: u64, child: u32) {
        let len = self.len();
        self.fences.copy_within(index..len - 1, index + 1);
        self.fences[index] = fence;
        self.children.copy_within(index + 1..len, index + 2);
        self.children[index + 1] = child;
        self.len += 1;
    }

    /// Removes the child after `index`; child `index` gets its part of the address space.
    pub(super) fn remove_after(&mut self, index: usize) {
        let len = self.len();
        self.fences.copy_within(index + 1..len - 1, index);
        self.fences[len - 2] = u64::MAX;
        self.children.copy_within(index + 2..len, index + 1);
        self.children[len - 1] = NIL;
        self.len -= 1;
    }
}

/// A node whose place in an arena can be freed.
pub(super) trait Vacate {
    /// The contents of a freed place.
    fn vacant() -> Self;
}

impl Vacate for Leaf {
    /// No entries, and a floor above nearly every address: a stale hint to this place is
    /// recognised.
    fn vacant() -> Self {
        Self::new(u64::MAX, &[])
    }
}

impl Vacate for Inner {
    fn vacant() -> Self {
        Self { fences: [u64::MAX; KEYS], children: [NIL; INNER_CAPACITY], len: 0 }
    }
}

/// Nodes of one kind, by index. Freed places are reused first.
#[derive(Clone, Debug)]
pub(super) struct Arena<N> {
    nodes: Vec<N>,
    free: Vec<u32>,
}

impl<N: Vacate> Arena<N> {
    pub(super) const fn new() -> Self {
        Self { nodes: Vec::new(), free: Vec::new() }
    }

    pub(super) fn add(&mut self, node: N) -> u32 {
        if let Some(index) = self.free.pop() {
            self.nodes[index as usize] = node;
            return index;
        }
        let index = u32::try_from(self.nodes.len()).expect("nodes are fewer than slots");
        self.nodes.push(node);
        index
    }

    pub(super) fn give_up(&mut self, index: u32) {
        self.nodes[index as usize] = N::vacant();
        self.free.push(index);
    }

    /// Frees all nodes and keeps their memory.
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.free.clear();
    }

    /// Nodes in use.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Nodes in use and freed places.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.nodes.len()
    }

    /// Two different nodes at once.
    pub(super) fn pair(&mut self, one: u32, other: u32) -> (&mut N, &mut N) {
        let [one, other] = self
            .nodes
            .get_disjoint_mut([one as usize, other as usize])
            .expect("neighbours are two nodes of this arena");
        (one, other)
    }
}

impl<N> Arena<N> {
    /// The node at `index`, unless that is [`NIL`].
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&N> {
        self.nodes.get(index as usize)
    }
}

impl<N> Index<u32> for Arena<N> {
    type Output = N;

    #[inline]
    fn index(&self, index: u32) -> &N {
        &self.nodes[index as usize]
    }
}

impl<N> IndexMut<u32> for Arena<N> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut N {
        &mut self.nodes[index as usize]
    }
}

/// The entries of one or two leaves, and one more, in one array, for redistribution.
pub(super) struct Row {
    entries: [Entry; 2 * LEAF_CAPACITY],
    len: usize,
}

impl Row {
    pub(super) fn new() -> Self {
        Self { entries: [UNUSED; 2 * LEAF_CAPACITY], len: 0 }
    }

    pub(super) fn extend(&mut self, entries: &[Entry]) {
        self.entries[self.len..self.len + entries.len()].copy_from_slice(entries);
        self.len += entries.len();
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries[..self.len]
    }
}
