//! The TLB: a cache of complete translations, and of the tables on the way to them.
//!
//! An entry belongs to a *space*: one ASID of a regime, its global pages, or one VMID's stage 2.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `sets`, `packed` | what does a TLB of limited size hold? |
//! | `everything` | what does a TLB that never replaces anything hold? |
//! | `tables` | which intermediate tables of walks are cached? |
//!
//! An invalidation removes only what its caller names: one that is missing or too small leaves a
//! stale translation behind, and the next lookup finds it.

mod everything;
mod packed;
mod sets;
mod tables;

pub use crate::cache::{Geometry, Retention, Victim};

use crate::attributes::Attributes;
use crate::regime::{LeafAttributes, World};
use core::ops::RangeInclusive;
use everything::Everything;
pub(crate) use packed::Packed;
use passim_model::access::Perms;
use passim_model::pgtable::vmsav8::Granule;
use passim_model::{Asid, Vmid};
use sets::Sets;
pub(crate) use sets::{LANE_LG2, Lane, Slot};
use std::collections::BTreeMap;
use tables::Tables;
pub use tables::{Behind, Table};

/// The address space that translations belong to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Space {
    /// One address space of stage 1.
    Stage1 {
        /// Regime.
        world: World,
        /// VMID; 0 where the regime has none.
        vmid: Vmid,
        /// ASID; 0 where the regime has none.
        asid: Asid,
    },
    /// The global pages of stage 1. IHI 0070 G.b 5.4: ASET bounds where they match.
    Global {
        /// Regime.
        world: World,
        /// VMID; 0 where the regime has none.
        vmid: Vmid,
        /// ASET of the CD they were made through.
        aset: u8,
    },
    /// Stage 2 alone.
    Stage2 {
        /// VMID.
        vmid: Vmid,
    },
}

/// The number of a space in this TLB, looked up once and stored with the regime.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpaceId(u32);

impl SpaceId {
    /// A placeholder where no space is looked up.
    pub(crate) const NONE: Self = Self(0);
}

/// One translation, through all stages that its stream uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Translation {
    /// First input address of the page, in the input space of the first stage that translates.
    pub input: u64,
    /// First output address of the page: physical, or intermediate where stage 1 is cached alone.
    pub output: u64,
    /// First intermediate address of the page: the input where stage 1 is absent, the output where
    /// stage 2 is.
    pub intermediate: u64,
    /// log2 of the page's size: the smaller of the two stages' leaves.
    pub lg2: u8,
    /// log2 of the leaf of the first stage.
    pub leaf_lg2: u8,
    /// Level of the leaf of the first stage, 0 to 3.
    pub level: u8,
    /// Granule of the first stage.
    pub granule: Granule,
    /// Stage 1: what unprivileged and privileged accesses may do.
    pub stage1: [Perms; 2],
    /// Stage 2: the same.
    pub stage2: [Perms; 2],
    /// A write has to walk again, because it may have to mark a descriptor (dirty state).
    pub clean: bool,
    /// Memory attributes: of all stages, or of stage 1 where stage 2 is absent.
    pub attributes: Attributes,
    /// The attribute fields and the level of the stage-2 leaf.
    pub leaf: LeafAttributes,
}

/// What restricts an invalidation by address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Hint {
    /// Only entries of this granule.
    pub granule: Option<Granule>,
    /// Only entries whose leaf is at this level, and tables above it.
    pub level: Option<u8>,
    /// Only leaves, no tables.
    pub leaves_only: bool,
}

impl Hint {
    fn admits(self, granule: Granule, level: u8) -> bool {
        self.granule.is_none_or(|named| named == granule)
            && self.level.is_none_or(|named| named == level)
    }
}

/// The TLB. See the [module](self).
#[derive(Clone)]
pub struct Tlb {
    sets: Sets,
    /// The store used instead of `sets`, if nothing is ever replaced.
    everything: Option<Everything>,
    tables: Tables,
    ids: BTreeMap<Space, SpaceId>,
    losses: u64,
}

/// Several entries that differ translate one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conflict;

impl Tlb {
    /// An empty TLB, with an empty walk cache if `tables` is given. Sizes are clamped to the limits
    /// of [`Geometry`]; [`Retention::Everything`] ignores them.
    pub fn new(geometry: Geometry, tables: Option<Geometry>, retention: Retention) -> Self {
        let (sets, everything) = match retention {
            Retention::Sized => (Sets::new(geometry.bounded()), None),
            Retention::Everything => (Sets::new(Geometry::new(0, 1)), Some(Everything::default())),
        };
        let tables = Tables::new(tables, retention);
        Self { sets, everything, tables, ids: BTreeMap::new(), losses: 0 }
    }

    /// The number of this space, assigned at the first call.
    pub fn space(&mut self, space: Space) -> SpaceId {
        if let Some(&id) = self.ids.get(&space) {
            return id;
        }
        let id = SpaceId(self.ids.len() as u32);
        self.sets.add_space();
        self.ids.insert(space, id);
        id
    }

    /// Counts what may have removed an entry: while this is unchanged, everything that was cached
    /// still is.
    #[inline]
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// The cached translation of `input` in a space: that of the smallest page, if there are
    /// several.
    #[inline(always)]
    pub fn lookup(&mut self, space: SpaceId, input: u64) -> Option<Translation> {
        match &self.everything {
            None => self.sets.lookup(space, input),
            Some(all) => all.lookup(space, input),
        }
    }

    /// Direct access to the 4K pages of `space`, if its place in the store allows it; `other` is
    /// the space looked up after it. Valid while [`Self::arrangement`] is unchanged.
    pub(crate) fn lane(&mut self, space: SpaceId, other: SpaceId) -> Option<Lane> {
        match self.everything {
            None => self.sets.lane(space, other),
            Some(_) => None,
        }
    }

    /// A number that changes whenever a [`Lane`] may become invalid.
    #[inline(always)]
    pub(crate) fn arrangement(&self) -> u64 {
        self.sets.arrangement()
    }

    /// The slot for the page of `input` in a lane, whatever it holds.
    #[inline(always)]
    pub(crate) fn place(&self, lane: &Lane, input: u64) -> Option<&Slot> {
        self.sets.place(lane, input)
    }

    /// Caches a page of a lane in its slot.
    #[inline(always)]
    pub(crate) fn fill(&mut self, lane: &Lane, page: Packed) {
        self.losses += u64::from(self.sets.fill(lane, page));
    }

    /// Whether several entries of these spaces translate `input`. IHI 0070 G.b 3.20.1.
    ///
    /// # Errors
    /// [`Conflict`] if so.
    pub fn check(&self, spaces: &[SpaceId], input: u64) -> Result<(), Conflict> {
        let mut matches = 0;
        for &space in spaces {
            matches += match &self.everything {
                None => self.sets.matches(space, input),
                Some(all) => all.matches(space, input),
            };
        }
        if matches > 1 { Err(Conflict) } else { Ok(()) }
    }

    /// Caches a translation, replacing one of its set if there is no room.
    #[inline]
    pub fn insert(&mut self, space: SpaceId, translation: &Translation) {
        debug_assert_eq!(
            translation.input,
            page(translation.input, translation.lg2.into()),
            "an entry starts where its page does"
        );
        match &mut self.everything {
            None => self.losses += u64::from(self.sets.insert(space, translation)),
            Some(all) => all.insert(space, *translation),
        }
    }

    /// Caches a page, as [`Self::insert`] does.
    #[inline]
    pub(crate) fn insert_page(&mut self, space: SpaceId, page: Packed) {
        match &mut self.everything {
            None => self.losses += u64::from(self.sets.insert_page(space, page, None)),
            Some(all) => all.insert(space, page.translation(0)),
        }
    }

    /// The cached table nearest to the leaf that a walk for `input` can start from.
    #[inline]
    pub fn table(&mut self, space: SpaceId, input: u64) -> Option<Table> {
        self.tables.nearest(space, input)
    }

    /// Whether tables are cached at all.
    #[inline]
    pub fn keeps_tables(&self) -> bool {
        self.tables.are_kept()
    }

    /// Caches a table that a walk for `input` reached, if tables are cached.
    pub fn insert_table(&mut self, space: SpaceId, input: u64, table: Table) {
        self.tables.insert(space, input, table);
    }

    /// Drops every entry of the spaces in `range`.
    pub fn invalidate_spaces(&mut self, range: RangeInclusive<Space>) {
        self.losses += 1;
        for (_, &id) in self.ids.range(range) {
            match &mut self.everything {
                None => self.sets.drop_space(id),
                Some(all) => all.drop_space(id),
            }
            self.tables.drop_space(id);
        }
    }

    /// Drops the entries of the spaces in `range` that translate an address of `first..=last`, in
    /// the input space of the first stage, and that the hint admits.
    ///
    /// Where pieces of a first-stage leaf are cached, all of them are dropped together.
    pub fn invalidate(&mut self, range: RangeInclusive<Space>, first: u64, last: u64, hint: Hint) {
        self.losses += 1;
        for (_, &id) in self.ids.range(range) {
            match &mut self.everything {
                None => self.sets.drop_addresses(id, first, last, hint),
                Some(all) => all.drop_addresses(id, first, last, hint),
            }
            if !hint.leaves_only {
                self.tables.drop_addresses(id, first, last, hint);
            }
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.losses += 1;
        match &mut self.everything {
            None => self.sets.clear(),
            Some(all) => *all = Everything::default(),
        }
        self.tables.clear();
    }

    /// All entries, by space and then by input address.
    pub fn entries(&self) -> Vec<(Space, Translation)> {
        let mut found: Vec<(Space, Translation)> = Vec::new();
        for (&space, &id) in &self.ids {
            let from = found.len();
            match &self.everything {
                None => found.extend(self.sets.of(id).map(|entry| (space, entry))),
                Some(all) => found.extend(all.of(id).map(|entry| (space, *entry))),
            }
            found[from..].sort_by_key(|(_, entry)| (entry.input, entry.lg2));
        }
        found
    }
}

/// First address of the page of `1 << lg2` bytes that holds `input`.
#[inline]
const fn page(input: u64, lg2: u32) -> u64 {
    input >> lg2 << lg2
}

#[cfg(test)]
mod tests;
