//! The finger: the result of the last lookup, kept by the caller, so that a nearby address needs no
//! search. Lookups themselves change nothing.

use super::SlotId;
use super::tree::{Position, Tree};

/// Where the last lookup ended: the slot it hit, or the gap it fell in.
///
/// A finger belongs to one index. Any change of that index invalidates it.
#[derive(Clone, Debug, Default)]
pub struct Finger {
    /// First and last address that have the same answer.
    low: u64,
    high: u64,
    answer: Option<SlotId>,
    /// The first range that ends at or after `low`.
    at: Option<Position>,
    /// The tree's version at that time; no tree has version 0.
    version: u64,
}

impl Finger {
    /// The slot that contains `address`.
    #[inline]
    pub(super) fn look(&mut self, tree: &Tree, address: u64) -> Option<SlotId> {
        let current = self.version == tree.version();
        if current && self.low <= address && address <= self.high {
            return self.answer;
        }
        self.move_to(tree, address, current)
    }

    fn move_to(&mut self, tree: &Tree, address: u64, current: bool) -> Option<SlotId> {
        let next = if current && address > self.high { self.next(tree, address) } else { None };
        self.at = next.or_else(|| tree.seek(address));
        self.version = tree.version();
        self.settle(tree, address);
        self.answer
    }

    /// The first range that ends at or after `address`, which lies above the finger, if it is the
    /// finger's range or the one after it.
    fn next(&self, tree: &Tree, address: u64) -> Option<Position> {
        let at = self.at?;
        if address <= tree.entry(at).last {
            return Some(at);
        }
        tree.after(at).filter(|next| address <= tree.entry(*next).last)
    }

    fn settle(&mut self, tree: &Tree, address: u64) {
        let above = match self.at {
            Some(at) => {
                let entry = tree.entry(at);
                if entry.start <= address {
                    (self.low, self.high) = (entry.start, entry.last);
                    self.answer = Some(entry.id);
                    return;
                }
                entry.start - 1
            }
            None => u64::MAX,
        };
        self.answer = None;
        self.high = above;
        self.low = tree.before(self.at).map_or(0, |entry| entry.last + 1);
    }
}
