//! Tables remembered half-way down a walk: the walk cache.
//!
//! Kept by space and by what the descriptor that led to the table covers. IHI 0070 G.b 3.21.1: it
//! is invalidated as a PE's is; 4.4.1.1: by address, unless only leaves are named.

use super::{Hint, SpaceId, page};
use passim_model::pgtable::vmsav8::Granule;
use passim_model::pgtable::walk::Below;
use std::collections::BTreeMap;

#[derive(Clone, Copy)]
struct Table {
    granule: Granule,
    below: Below,
}

/// The walk cache. See the [module](self).
#[derive(Clone, Default)]
pub(super) struct Tables {
    /// By space, log2 of the bytes covered, first input address covered.
    tables: BTreeMap<(u32, u8, u64), Table>,
}

/// log2 of the bytes a table of `level` translates.
fn covered_lg2(granule: Granule, level: u8) -> u8 {
    (granule.level_lg2(level) + granule.index_bits()) as u8
}

impl Tables {
    /// The table nearest to the leaf.
    pub(super) fn nearest(&self, space: SpaceId, input: u64) -> Option<Below> {
        // No table covers less than 4K of pages of 4K, and none more than 2^52 bytes.
        (21..=52).find_map(|lg2: u8| {
            let key = (space.0, lg2, page(input, u32::from(lg2)));
            self.tables.get(&key).map(|table| table.below)
        })
    }

    pub(super) fn insert(&mut self, space: SpaceId, input: u64, granule: Granule, below: Below) {
        let lg2 = covered_lg2(granule, below.level);
        let key = (space.0, lg2, page(input, u32::from(lg2)));
        self.tables.insert(key, Table { granule, below });
    }

    pub(super) fn drop_space(&mut self, space: SpaceId) {
        self.tables.retain(|key, _| key.0 != space.0);
    }

    /// Drops the tables on the way to addresses of `first..=last`. With a level, those above the
    /// leaf's level only: the descriptor that led to a table is one level above the table.
    pub(super) fn drop_addresses(&mut self, space: SpaceId, first: u64, last: u64, hint: Hint) {
        self.tables.retain(|&(owner, lg2, start), table| {
            let end = start | ((1 << lg2) - 1);
            let named = owner == space.0 && start <= last && first <= end;
            let admitted = hint.granule.is_none_or(|granule| granule == table.granule)
                && hint.level.is_none_or(|level| table.below.level <= level);
            !(named && admitted)
        });
    }
}
