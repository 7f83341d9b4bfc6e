//! A red-black tree shaped as the kernel's dma tree is: nodes of 96 bytes with parent links, a
//! descent that branches on every comparison, a search for any overlap, and removal by node.
//!
//! The dma tree is measured against it, so its cost must not change: without branches in the
//! descent, or with more instructions per level, it would be another baseline. Following a link is
//! therefore as cheap as possible without pointers: a node is three rows of 32 bytes, links count
//! rows, and what a descent needs is in the first row.

mod balance;

use core::hint::black_box;

use crate::{Index, Range};

/// A third of a node.
type Row = [u64; 4];

/// Rows to a node.
const ROWS: u64 = 3;
const _: () = assert!(ROWS as usize * size_of::<Row>() == 96);

/// No node, and beyond the end of every arena: the look-up of a node and the end of a descent are
/// one comparison, as where a link is a pointer.
const NIL: u64 = u64::MAX;

/// Positions of the words of a node. The first row is `left, right, start, size`; the third is
/// where the kernel keeps protection, accounting and its bitmap.
mod word {
    pub(super) const LEFT: usize = 0;
    pub(super) const RIGHT: usize = 1;
    /// In the second row.
    pub(super) const PARENT: usize = 0;
    /// In the second row.
    pub(super) const COLOR: usize = 1;
    /// In the second row.
    pub(super) const VALUE: usize = 2;
}

const BLACK: u64 = 0;
const RED: u64 = 1;

/// The kernel-shaped tree. A range may not end at `u64::MAX`, nor can the kernel's.
#[derive(Clone, Debug)]
pub struct KernelRb {
    rows: Vec<Row>,
    free: Vec<u64>,
    root: u64,
}

impl Default for KernelRb {
    fn default() -> Self {
        Self::new()
    }
}

impl KernelRb {
    /// An empty index.
    pub fn new() -> Self {
        Self { rows: Vec::new(), free: Vec::new(), root: NIL }
    }

    /// Any range that overlaps `size` bytes from `start`, or [`NIL`].
    ///
    /// The empty `black_box` in each arm keeps the compiler from joining the arms into a
    /// conditional move.
    #[inline(never)]
    fn any_in(&self, start: u64, size: u64) -> u64 {
        let mut at = self.root;
        while let Some(&[left, right, node_start, node_size]) = self.rows.get(at as usize) {
            if start + size <= node_start {
                black_box(());
                at = left;
            } else if start >= node_start + node_size {
                black_box(());
                at = right;
            } else {
                return at;
            }
        }
        NIL
    }

    /// The first range that ends at or after `point`, or [`NIL`].
    #[inline(never)]
    fn first_from(&self, point: u64) -> u64 {
        let mut at = self.root;
        let mut best = NIL;
        while let Some(&[left, right, start, size]) = self.rows.get(at as usize) {
            if point < start + size {
                black_box(());
                best = at;
                at = left;
            } else {
                black_box(());
                at = right;
            }
        }
        best
    }

    /// The range after this one, or [`NIL`].
    fn after(&self, node: u64) -> u64 {
        if self.right(node) != NIL {
            return self.lowest(self.right(node));
        }
        let mut at = node;
        let mut above = self.parent(at);
        while above != NIL && at == self.right(above) {
            at = above;
            above = self.parent(at);
        }
        above
    }

    fn lowest(&self, mut node: u64) -> u64 {
        while self.left(node) != NIL {
            node = self.left(node);
        }
        node
    }

    fn left(&self, node: u64) -> u64 {
        self.rows[node as usize][word::LEFT]
    }

    fn right(&self, node: u64) -> u64 {
        self.rows[node as usize][word::RIGHT]
    }

    fn parent(&self, node: u64) -> u64 {
        self.rows[node as usize + 1][word::PARENT]
    }

    fn set_left(&mut self, node: u64, child: u64) {
        self.rows[node as usize][word::LEFT] = child;
    }

    fn set_right(&mut self, node: u64, child: u64) {
        self.rows[node as usize][word::RIGHT] = child;
    }

    fn set_parent(&mut self, node: u64, parent: u64) {
        self.rows[node as usize + 1][word::PARENT] = parent;
    }

    fn color(&self, node: u64) -> u64 {
        self.rows[node as usize + 1][word::COLOR]
    }

    fn set_color(&mut self, node: u64, color: u64) {
        self.rows[node as usize + 1][word::COLOR] = color;
    }

    fn value(&self, node: u64) -> u64 {
        self.rows[node as usize + 1][word::VALUE]
    }

    fn take_place(&mut self, range: Range, value: u64, parent: u64) -> u64 {
        let node = [
            [NIL, NIL, range.start, range.last - range.start + 1],
            [parent, RED, value, 0],
            [0; 4],
        ];
        if let Some(place) = self.free.pop() {
            let at = place as usize;
            self.rows[at..at + node.len()].copy_from_slice(&node);
            return place;
        }
        self.rows.extend(node);
        self.rows.len() as u64 - ROWS
    }
}

impl Index for KernelRb {
    type Handle = u64;

    fn insert(&mut self, range: Range, value: u64) -> Option<u64> {
        if self.overlaps(range) {
            return None;
        }
        // A second descent, as the kernel's: the first one searched for overlaps only.
        let mut parent = NIL;
        let mut at = self.root;
        let mut below = false;
        while let Some(&[left, right, start, _]) = self.rows.get(at as usize) {
            parent = at;
            if range.last < start {
                black_box(());
                below = true;
                at = left;
            } else {
                black_box(());
                below = false;
                at = right;
            }
        }
        let place = self.take_place(range, value, parent);
        match (parent, below) {
            (NIL, _) => self.root = place,
            (_, true) => self.set_left(parent, place),
            (_, false) => self.set_right(parent, place),
        }
        self.balance_after_insert(place);
        Some(place)
    }

    fn remove(&mut self, handle: u64) -> u64 {
        let value = self.value(handle);
        self.unlink(handle);
        self.free.push(handle);
        value
    }

    #[inline]
    fn find(&self, point: u64) -> Option<u64> {
        let at = self.any_in(point, 1);
        (at != NIL).then_some(at)
    }

    fn overlaps(&self, range: Range) -> bool {
        self.any_in(range.start, range.last - range.start + 1) != NIL
    }

    fn for_each_in(&self, range: Range, mut visit: impl FnMut(Range, u64)) {
        let mut at = self.first_from(range.start);
        while let Some(&[_, _, start, size]) = self.rows.get(at as usize) {
            if start > range.last {
                return;
            }
            visit(Range { start, last: start + (size - 1) }, self.value(at));
            at = self.after(at);
        }
    }
}
