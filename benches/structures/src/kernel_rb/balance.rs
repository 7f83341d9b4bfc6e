//! The rules of a red-black tree, kept on insertion and removal: the root is black, a red node
//! has no red child, and every way down meets as many black nodes.

use super::{BLACK, KernelRb, NIL, RED};

/// The side of a child.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

impl KernelRb {
    fn child(&self, node: u64, side: Side) -> u64 {
        match side {
            Side::Left => self.left(node),
            Side::Right => self.right(node),
        }
    }

    fn set_child(&mut self, node: u64, side: Side, child: u64) {
        match side {
            Side::Left => self.set_left(node, child),
            Side::Right => self.set_right(node, child),
        }
    }

    fn side_of(&self, node: u64, parent: u64) -> Side {
        if self.left(parent) == node { Side::Left } else { Side::Right }
    }

    /// Whether `node` is red. A missing node is black.
    fn is_red(&self, node: u64) -> bool {
        node != NIL && self.color(node) == RED
    }

    /// Puts `new`, which may be [`NIL`], where `old` hangs.
    fn replace(&mut self, old: u64, new: u64) {
        let parent = self.parent(old);
        if parent == NIL {
            self.root = new;
        } else {
            let side = self.side_of(old, parent);
            self.set_child(parent, side, new);
        }
        if new != NIL {
            self.set_parent(new, parent);
        }
    }

    /// Turns `node` down to `side`; its child on the other side takes its place.
    fn rotate(&mut self, node: u64, side: Side) {
        let riser = self.child(node, side.other());
        let between = self.child(riser, side);
        self.set_child(node, side.other(), between);
        if between != NIL {
            self.set_parent(between, node);
        }
        self.replace(node, riser);
        self.set_child(riser, side, node);
        self.set_parent(node, riser);
    }

    pub(super) fn balance_after_insert(&mut self, mut node: u64) {
        loop {
            let parent = self.parent(node);
            if !self.is_red(parent) {
                break;
            }
            let above = self.parent(parent);
            let side = self.side_of(parent, above);
            let uncle = self.child(above, side.other());
            if self.is_red(uncle) {
                self.set_color(parent, BLACK);
                self.set_color(uncle, BLACK);
                self.set_color(above, RED);
                node = above;
                continue;
            }
            let mut top = parent;
            if self.child(parent, side.other()) == node {
                self.rotate(parent, side);
                top = node;
            }
            self.set_color(top, BLACK);
            self.set_color(above, RED);
            self.rotate(above, side.other());
            break;
        }
        let root = self.root;
        self.set_color(root, BLACK);
    }

    /// Takes `node` out of the tree.
    pub(super) fn unlink(&mut self, node: u64) {
        let (left, right) = (self.left(node), self.right(node));
        let (parent, color) = (self.parent(node), self.color(node));
        // The node that fills the hole, its parent, and the color that the path to it lost.
        let (hole, above, lost) = if left == NIL {
            self.replace(node, right);
            (right, parent, color)
        } else if right == NIL {
            self.replace(node, left);
            (left, parent, color)
        } else {
            let heir = self.lowest(right);
            let lost = self.color(heir);
            let hole = self.right(heir);
            let mut above = heir;
            if heir != right {
                above = self.parent(heir);
                self.replace(heir, hole);
                self.set_right(heir, right);
                self.set_parent(right, heir);
            }
            self.replace(node, heir);
            self.set_left(heir, left);
            self.set_parent(left, heir);
            self.set_color(heir, color);
            (hole, above, lost)
        };
        if lost == BLACK {
            self.balance_after_unlink(hole, above);
        }
    }

    /// Rebalances where the path down to `node`, below `parent`, has one black node too few.
    fn balance_after_unlink(&mut self, mut node: u64, mut parent: u64) {
        while parent != NIL && !self.is_red(node) {
            let side = self.side_of(node, parent);
            let mut sibling = self.child(parent, side.other());
            if self.is_red(sibling) {
                self.set_color(sibling, BLACK);
                self.set_color(parent, RED);
                self.rotate(parent, side);
                sibling = self.child(parent, side.other());
            }
            let near = self.child(sibling, side);
            let mut far = self.child(sibling, side.other());
            if !self.is_red(near) && !self.is_red(far) {
                self.set_color(sibling, RED);
                node = parent;
                parent = self.parent(node);
                continue;
            }
            if !self.is_red(far) {
                self.set_color(near, BLACK);
                self.set_color(sibling, RED);
                self.rotate(sibling, side.other());
                (sibling, far) = (near, sibling);
            }
            self.set_color(sibling, self.color(parent));
            self.set_color(parent, BLACK);
            self.set_color(far, BLACK);
            self.rotate(parent, side);
            return;
        }
        if node != NIL {
            self.set_color(node, BLACK);
        }
    }
}
