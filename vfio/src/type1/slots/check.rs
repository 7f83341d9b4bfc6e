//! The invariants of the tree, checked independently of the algorithms that maintain them.

use super::Slots;
use super::node::{Entry, INNER_CAPACITY, INNER_MIN, LEAF_CAPACITY, LEAF_MIN, NIL};
use super::tree::Tree;

impl<T> Slots<T> {
    /// Panics if tree and slab disagree, or the tree is out of order.
    pub(super) fn check(&self) {
        let entries = self.tree.check();
        assert_eq!(entries.len(), self.slab.len());
        for entry in entries {
            let slot = &self.slab[entry.id.index as usize];
            assert_eq!(slot.generation, entry.id.generation);
            assert_eq!(slot.span.start().get(), entry.start);
            assert_eq!(slot.span.last().get(), entry.last);
        }
    }

    /// Nodes in use: leaves and inner nodes.
    pub(super) fn nodes(&self) -> (usize, usize) {
        (self.tree.leaves.len(), self.tree.inners.len())
    }

    /// Number of slots found, by their last address, in the leaf that the directory names.
    pub(super) fn led_right(&self) -> usize {
        let led_right = |entry: &&Entry| {
            let leaf = self.tree.directory.hint(entry.last);
            self.tree.leaves.get(leaf).is_some_and(|leaf| leaf.entries().contains(entry))
        };
        self.tree.check().iter().filter(led_right).count()
    }

    pub(super) fn height(&self) -> usize {
        self.tree.height
    }
}

impl Tree {
    /// All entries, ascending, after checking every invariant.
    fn check(&self) -> Vec<Entry> {
        let mut leaves = Vec::new();
        let mut inners = 0;
        self.check_node(self.root, self.height, (0, u64::MAX), &mut leaves, &mut inners);
        assert_eq!(leaves.len(), self.leaves.len(), "leaves in the tree and in the arena");
        assert_eq!(inners, self.inners.len(), "inner nodes in the tree and in the arena");
        assert_eq!(self.first, leaves[0]);
        assert_eq!(self.last, *leaves.last().unwrap());

        let mut entries: Vec<Entry> = Vec::new();
        let mut previous = NIL;
        for (place, &name) in leaves.iter().enumerate() {
            let leaf = &self.leaves[name];
            assert_eq!(leaf.prev, previous, "link to the leaf before");
            assert_eq!(leaf.next, leaves.get(place + 1).copied().unwrap_or(NIL), "link onward");
            previous = name;
            for index in leaf.len()..LEAF_CAPACITY {
                assert_eq!(leaf.place(index).last, u64::MAX, "unused places end searches");
            }
            entries.extend_from_slice(leaf.entries());
        }
        assert!(entries.iter().all(|entry| entry.start <= entry.last));
        assert!(entries.windows(2).all(|pair| pair[0].last < pair[1].start), "in order, apart");
        assert_eq!(entries.len(), self.len);

        entries
    }

    fn check_node(
        &self,
        node: u32,
        level: usize,
        (low, high): (u64, u64),
        leaves: &mut Vec<u32>,
        inners: &mut usize,
    ) {
        let is_root = level == self.height;
        if level == 0 {
            let leaf = &self.leaves[node];
            assert!(is_root || leaf.len() >= LEAF_MIN, "a leaf with too few entries");
            assert_eq!(leaf.floor, low, "the floor of a leaf is its lower fence");
            assert!(leaf.entries().iter().all(|entry| low <= entry.last && entry.last <= high));
            leaves.push(node);
            return;
        }
        *inners += 1;
        let inner = &self.inners[node];
        let least = if is_root { 2 } else { INNER_MIN };
        assert!((least..=INNER_CAPACITY).contains(&inner.len()), "occupancy of an inner node");
        let mut floor = low;
        for (index, &child) in inner.children().iter().enumerate() {
            let ceiling = inner.fences().get(index).copied().unwrap_or(high);
            assert!(floor <= ceiling && ceiling <= high, "fences in order");
            assert_eq!(inner.child_for(floor), index);
            assert_eq!(inner.child_for(ceiling), index);
            self.check_node(child, level - 1, (floor, ceiling), leaves, inners);
            floor = ceiling.wrapping_add(1);
        }
    }
}
