//! The walk cache: intermediate tables of walks.
//!
//! Entries are keyed by space and by the input range that the table covers. IHI 0070 G.b 3.21.1:
//! the cache is invalidated as a PE's is; 4.4.1.1: by address, unless only leaves are named.
//!
//! A stage-1 table behind stage 2 is cached with its physical address, so that a walk resumes from
//! it without stage 2. Such an entry combines both stages: a TLBI by IPA need not invalidate it
//! (4.4.3.1), a stage-1 TLBI does.

use super::{Geometry, Hint, Retention, SpaceId, page};
use crate::cache::{Cache, Key};
use passim_model::PhysAddr;
use passim_model::pgtable::vmsav8::Granule;
use passim_model::pgtable::walk::Below;

/// A table that a walk reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Table {
    /// The granule of the walk.
    pub granule: Granule,
    /// The table.
    pub below: Below,
    /// The stage-2 translation of the descriptors that a walk read from it, if it lies behind stage
    /// 2.
    pub behind: Option<Behind>,
}

/// A page of a table behind stage 2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Behind {
    /// An intermediate address in the page.
    pub ipa: u64,
    /// The physical address that stage 2 translates it to.
    pub at: PhysAddr,
    /// log2 of the stage-2 page, in bytes.
    pub lg2: u8,
}

impl Behind {
    /// The physical address of a descriptor at this intermediate one, if it is in this page.
    pub fn physical(&self, ipa: u64) -> Option<PhysAddr> {
        let inside = (1 << self.lg2) - 1;
        let same = (self.ipa ^ ipa) & !inside == 0;
        same.then(|| PhysAddr::new(self.at.get() & !inside | ipa & inside))
    }
}

/// The key of a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    space: u32,
    /// log2 of the bytes covered.
    lg2: u8,
    /// First input address covered.
    first: u64,
}

impl Name {
    fn of(space: SpaceId, lg2: u8, input: u64) -> Self {
        Self { space: space.0, lg2, first: page(input, u32::from(lg2)) }
    }
}

impl Key for Name {
    /// Consecutive ranges lie in consecutive sets; levels and spaces start at different sets.
    #[inline]
    fn spread(self) -> u64 {
        let start = u64::from(self.space).wrapping_mul(0x9e37_79b1) + 5 * u64::from(self.lg2);
        (self.first >> self.lg2).wrapping_add(start)
    }
}

/// The walk cache. See the [module](self).
#[derive(Clone)]
pub(super) struct Tables {
    tables: Cache<Name, Table>,
    /// By space. Bit n: tables that cover 2^n bytes were cached.
    sizes: Vec<u64>,
}

/// log2 of the bytes a table of `level` translates.
fn covered_lg2(granule: Granule, level: u8) -> u8 {
    (granule.level_lg2(level) + granule.index_bits()) as u8
}

impl Tables {
    /// An empty walk cache of this size; absent without a size, unless everything is kept.
    pub(super) fn new(geometry: Option<Geometry>, retention: Retention) -> Self {
        Self { tables: Cache::new(geometry, retention), sizes: Vec::new() }
    }

    #[inline]
    pub(super) fn are_kept(&self) -> bool {
        self.tables.is_present()
    }

    fn sizes(&self, space: SpaceId) -> impl Iterator<Item = u8> + use<> {
        sizes_of(self.sizes.get(space.0 as usize).copied().unwrap_or(0))
    }

    /// The table nearest to the leaf.
    #[inline]
    pub(super) fn nearest(&mut self, space: SpaceId, input: u64) -> Option<Table> {
        let name = self
            .sizes(space)
            .map(|lg2| Name::of(space, lg2, input))
            .find(|name| self.tables.get(*name).is_some())?;
        self.tables.touch(name);
        self.tables.get(name).copied()
    }

    pub(super) fn insert(&mut self, space: SpaceId, input: u64, table: Table) {
        if self.are_kept() {
            let lg2 = covered_lg2(table.granule, table.below.level);
            let at = space.0 as usize;
            self.sizes.resize(self.sizes.len().max(at + 1), 0);
            self.sizes[at] |= 1 << lg2;
            self.tables.insert(Name::of(space, lg2, input), table);
        }
    }

    pub(super) fn drop_space(&mut self, space: SpaceId) {
        let sizes = self.sizes.get_mut(space.0 as usize);
        if sizes.is_some_and(|sizes| core::mem::take(sizes) != 0) {
            self.tables.drop_where(|name, _| name.space == space.0);
        }
    }

    /// Drops the tables on the way to addresses of `first..=last`. With a level, those above the
    /// leaf's level only: the descriptor that led to a table is one level above the table.
    pub(super) fn drop_addresses(&mut self, space: SpaceId, first: u64, last: u64, hint: Hint) {
        let admits = |table: &Table| {
            hint.granule.is_none_or(|granule| granule == table.granule)
                && hint.level.is_none_or(|level| table.below.level <= level)
        };
        for lg2 in self.sizes(space) {
            let (start, end) = (first >> lg2, last >> lg2);
            // A range of fewer tables than slots is searched by key, a larger one by visiting every
            // entry.
            if self.tables.slots().is_some_and(|slots| end - start < slots as u64) {
                for region in start..=end {
                    let name = Name::of(space, lg2, region << lg2);
                    if self.tables.get(name).is_some_and(admits) {
                        self.tables.remove(name);
                    }
                }
            } else {
                self.tables.drop_where(|name, table| {
                    let covers = (start..=end).contains(&(name.first >> lg2));
                    name.space == space.0 && name.lg2 == lg2 && covers && admits(table)
                });
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.tables.drop_where(|_, _| true);
        self.sizes.fill(0);
    }
}

/// The positions of the bits that are set, ascending.
fn sizes_of(mut bits: u64) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let lg2 = bits.trailing_zeros() as u8;
        let found = (bits != 0).then_some(lg2);
        bits &= bits.wrapping_sub(1);
        found
    })
}

#[cfg(test)]
mod tests;
