//! After a removal: nodes with too few entries merge with a neighbour, or take entries from it.

use super::node::{INNER_MERGE, INNER_MIN, LEAF_MERGE, NIL, Row};
use super::tree::{Path, Tree};

impl Tree {
    /// Restores the occupancy of `leaf`, which has too few entries and is not the root.
    #[inline(never)]
    pub(super) fn rebalance(&mut self, leaf: u32) {
        let mut path = self.path_to(self.leaves[leaf].floor);
        let (parent, index) = path.pop().expect("a leaf that is not the root has a parent");
        let siblings = self.inners[parent].children();
        let index = index.min(siblings.len() - 2);
        let (left, right) = (siblings[index], siblings[index + 1]);

        let mut row = Row::new();
        row.extend(self.leaves[left].entries());
        row.extend(self.leaves[right].entries());
        let all = row.entries();
        let boundary = self.leaves[right].floor;
        if all.len() <= LEAF_MERGE {
            self.directory.repoint(boundary, self.ceiling(right), left);
            self.leaves[left].fill(all);
            let next = self.leaves[right].next;
            self.leaves[left].next = next;
            match next {
                NIL => self.last = left,
                _ => self.leaves[next].prev = left,
            }
            self.leaves.give_up(right);
            self.inners[parent].remove_after(index);
            if self.inners[parent].len() < INNER_MIN {
                self.rebalance_inner(parent, path);
            }
            return;
        }
        let (low, high) = all.split_at(all.len().div_ceil(2));
        let fence = low[low.len() - 1].last;
        let (one, other) = self.leaves.pair(left, right);
        one.fill(low);
        other.fill(high);
        other.floor = fence + 1;
        self.inners[parent].set_fence(index, fence);
        if fence < boundary {
            self.directory.repoint(fence + 1, boundary - 1, right);
        } else {
            self.directory.repoint(boundary, fence, left);
        }
    }

    /// Restores the occupancy of an inner node, and of those above it. `path` ends at its parent.
    fn rebalance_inner(&mut self, mut node: u32, mut path: Path) {
        while let Some((parent, index)) = path.pop() {
            let siblings = self.inners[parent].children();
            let index = index.min(siblings.len() - 2);
            let (left, right) = (siblings[index], siblings[index + 1]);
            let boundary = self.inners[parent].fences()[index];

            let (one, other) = self.inners.pair(left, right);
            let mut fences = one.fences().to_vec();
            fences.push(boundary);
            fences.extend_from_slice(other.fences());
            let mut children = one.children().to_vec();
            children.extend_from_slice(other.children());

            if children.len() > INNER_MERGE {
                let keep = children.len().div_ceil(2);
                one.fill(&fences[..keep - 1], &children[..keep]);
                other.fill(&fences[keep..], &children[keep..]);
                self.inners[parent].set_fence(index, fences[keep - 1]);
                return;
            }
            one.fill(&fences, &children);
            self.inners.give_up(right);
            self.inners[parent].remove_after(index);
            if self.inners[parent].len() >= INNER_MIN {
                return;
            }
            node = parent;
        }
        // The root may have few children, but more than one.
        if self.inners[node].len() == 1 {
            self.root = self.inners[node].child(0);
            self.inners.give_up(node);
            self.height -= 1;
        }
    }
}
