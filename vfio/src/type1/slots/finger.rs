//! The finger: what the last lookup found, kept by the caller, so that the next address nearby is
//! answered without a search. Lookups themselves change nothing.

use super::SlotId;
use super::tree::{Position, Tree};

/// Where the last lookup ended: the slot it hit, or the gap it fell in.
///
/// Belongs to the one index it is used with. Any change of that index makes it forget.
#[derive(Clone, Debug, Default)]
pub struct Finger {
    /// First and last address that have the same answer.
    low: u64,
    high: u64,
    answer: Option<SlotId>,
    /// The first range that ends at or after `low`.
    at: Option<Position>,
    /// The tree's version at that time; 0 is no tree's.
    version: u64,
}

impl Finger {
    /// The slot that `address` lies in.
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
    /// one pointed at or the one after it.
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
