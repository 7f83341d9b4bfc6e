//! A store of translations that never replaces anything.

use super::{Hint, SpaceId, Translation, page};
use std::collections::BTreeMap;

/// The key of a translation: space, log2 of its size, first input address.
type Key = (u32, u8, u64);

/// The store. See the [module](self).
#[derive(Clone, Default)]
pub(super) struct Everything {
    entries: BTreeMap<Key, Translation>,
    /// Bit n of a space: pages of 2^n bytes were cached.
    sizes: BTreeMap<u32, u64>,
}

impl Everything {
    pub(super) fn lookup(&self, space: SpaceId, input: u64) -> Option<Translation> {
        self.sizes(space).find_map(|lg2| self.entries.get(&key(space, lg2, input)).copied())
    }

    /// How many translations of `input` a space has. A page and a contiguous run that differ only
    /// in the hint count once. IHI 0070 G.b 3.21.1.2.
    pub(super) fn matches(&self, space: SpaceId, input: u64) -> usize {
        let found = |lg2| self.entries.get(&key(space, lg2, input));
        let mut seen: Vec<Translation> = Vec::new();
        for entry in self.sizes(space).filter_map(found) {
            if !seen.iter().any(|other| differ_in_hint(other, entry)) {
                seen.push(*entry);
            }
        }
        seen.len()
    }

    pub(super) fn insert(&mut self, space: SpaceId, translation: Translation) {
        *self.sizes.entry(space.0).or_default() |= 1 << translation.lg2;
        self.entries.insert(key(space, translation.lg2, translation.input), translation);
    }

    pub(super) fn drop_space(&mut self, space: SpaceId) {
        self.sizes.remove(&space.0);
        self.entries.retain(|key, _| key.0 != space.0);
    }

    pub(super) fn drop_addresses(&mut self, space: SpaceId, first: u64, last: u64, hint: Hint) {
        self.entries.retain(|key, entry| {
            // All pieces of a leaf are dropped together.
            let lg2 = u32::from(entry.lg2.max(entry.leaf_lg2));
            let start = page(entry.input, lg2);
            let end = start | ((1 << lg2) - 1);
            let named = key.0 == space.0 && start <= last && first <= end;
            !(named && hint.admits(entry.granule, entry.level))
        });
    }

    /// The translations of a space.
    pub(super) fn of(&self, space: SpaceId) -> impl Iterator<Item = &Translation> + '_ {
        let all = (space.0, 0, 0)..=(space.0, u8::MAX, u64::MAX);
        self.entries.range(all).map(|(_, entry)| entry)
    }

    /// The sizes cached in a space, ascending.
    fn sizes(&self, space: SpaceId) -> impl Iterator<Item = u8> + use<> {
        let sizes = self.sizes.get(&space.0).copied().unwrap_or(0);
        (0..64).filter(move |lg2| sizes >> lg2 & 1 != 0)
    }
}

/// Whether a leaf, and the contiguous run around it, differ only in the hint.
fn differ_in_hint(leaf: &Translation, run: &Translation) -> bool {
    let inside = run.input ^ leaf.input;
    let shrunk = Translation {
        input: leaf.input,
        output: run.output | inside,
        intermediate: run.intermediate | inside,
        lg2: leaf.lg2,
        leaf_lg2: leaf.leaf_lg2,
        ..*run
    };
    shrunk == *leaf
}

fn key(space: SpaceId, lg2: u8, input: u64) -> Key {
    (space.0, lg2, page(input, u32::from(lg2)))
}
