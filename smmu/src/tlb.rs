//! The TLB: a set-associative cache of complete translations.
//!
//! An entry belongs to a *space*: one ASID of a regime, its global pages, or one VMID's stage 2.
//! A space carries a tag that is never used twice, and its entries carry the tag they were made
//! under; so a whole space is dropped by giving it a new tag. By address, only the sets an entry
//! could be in are visited: a space knows which page sizes it holds.
//!
//! Nothing is removed that the caller did not name: an invalidation that is missing or too small
//! leaves a stale translation behind, and the next lookup finds it.

use crate::regime::World;
use core::ops::RangeInclusive;
use passim_model::access::Perms;
use passim_model::pgtable::vmsav8::Granule;
use passim_model::{Asid, Vmid};
use std::collections::BTreeMap;

/// What a set of translations belongs to.
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

/// A space of this TLB, found once and kept with the regime.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpaceId(u32);

/// One translation, as complete as its stream asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Translation {
    /// First input address of the page.
    pub input: u64,
    /// First output address of the page.
    pub output: u64,
    /// What lies between the stages: first intermediate address of the page. The input where
    /// stage 1 is absent, the output where stage 2 is.
    pub intermediate: u64,
    /// log2 of the page's size: the smaller of the two stages' leaves.
    pub lg2: u8,
    /// log2 of the leaf of the first stage.
    pub leaf_lg2: u8,
    /// Level of the leaf of the first stage.
    pub level: u8,
    /// Granule of the first stage.
    pub granule: Granule,
    /// Stage 1: what unprivileged and privileged accesses may do.
    pub stage1: [Perms; 2],
    /// Stage 2: the same.
    pub stage2: [Perms; 2],
}

/// How large the TLB is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Geometry {
    /// log2 of the number of sets; at most 20.
    pub sets_lg2: u8,
    /// Entries a set; at least 1, at most 16.
    pub ways: u8,
}

impl Default for Geometry {
    /// 4096 entries, direct mapped.
    fn default() -> Self {
        Self { sets_lg2: 12, ways: 1 }
    }
}

/// What an invalidation by address names beside the address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Hint {
    /// Only entries of this granule.
    pub granule: Option<Granule>,
    /// Only entries whose leaf is at this level.
    pub level: Option<u8>,
}

impl Hint {
    fn admits(self, entry: &Translation) -> bool {
        self.granule.is_none_or(|granule| granule == entry.granule)
            && self.level.is_none_or(|level| level == entry.level)
    }
}

/// A tag no entry carries.
const DEAD: u64 = 0;

#[derive(Clone, Copy)]
struct Slot {
    tag: u64,
    space: SpaceId,
    translation: Translation,
}

#[derive(Clone, Copy)]
struct SpaceState {
    tag: u64,
    /// Bit n: pages of 2^n bytes were cached since the tag was given.
    sizes: u64,
    /// Bit n: some of them are pieces of a leaf of 2^n bytes.
    pieces_of: u64,
}

/// The TLB. See the [module](self).
pub struct Tlb {
    geometry: Geometry,
    slots: Box<[Slot]>,
    spaces: Vec<SpaceState>,
    ids: BTreeMap<Space, SpaceId>,
    next_tag: u64,
    next_victim: usize,
    losses: u64,
}

impl Tlb {
    /// An empty TLB. Sizes beyond the limits of [`Geometry`] are brought inside them.
    pub fn new(geometry: Geometry) -> Self {
        let geometry =
            Geometry { sets_lg2: geometry.sets_lg2.min(20), ways: geometry.ways.clamp(1, 16) };
        let empty = Slot {
            tag: DEAD,
            space: SpaceId(0),
            translation: Translation {
                input: 0,
                output: 0,
                intermediate: 0,
                lg2: 12,
                leaf_lg2: 12,
                level: 3,
                granule: Granule::K4,
                stage1: [Perms::empty(); 2],
                stage2: [Perms::empty(); 2],
            },
        };
        let count = usize::from(geometry.ways) << geometry.sets_lg2;
        Self {
            geometry,
            slots: vec![empty; count].into_boxed_slice(),
            spaces: Vec::new(),
            ids: BTreeMap::new(),
            next_tag: DEAD + 1,
            next_victim: 0,
            losses: 0,
        }
    }

    /// The space with this name, made if it was never asked for.
    pub fn space(&mut self, space: Space) -> SpaceId {
        if let Some(&id) = self.ids.get(&space) {
            return id;
        }
        let id = SpaceId(self.spaces.len() as u32);
        let tag = self.fresh_tag();
        self.spaces.push(SpaceState { tag, sizes: 0, pieces_of: 0 });
        self.ids.insert(space, id);
        id
    }

    /// How often anything may have been taken out.
    #[inline]
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// The cached translation of `input` in a space.
    #[inline]
    pub fn lookup(&self, space: SpaceId, input: u64) -> Option<&Translation> {
        let state = &self.spaces[space.0 as usize];
        let mut sizes = state.sizes;
        while sizes != 0 {
            let lg2 = sizes.trailing_zeros();
            sizes &= sizes - 1;
            let first = page(input, lg2);
            let set = self.set_of(space, first, lg2);
            for slot in &self.slots[set..set + usize::from(self.geometry.ways)] {
                let found = &slot.translation;
                if slot.tag == state.tag && found.input == first && u32::from(found.lg2) == lg2 {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Caches a translation, replacing one of its set if there is no room.
    pub fn insert(&mut self, space: SpaceId, translation: Translation) {
        let lg2 = u32::from(translation.lg2);
        let translation = Translation { input: page(translation.input, lg2), ..translation };
        let set = self.set_of(space, translation.input, lg2);
        let ways = usize::from(self.geometry.ways);
        let state = &mut self.spaces[space.0 as usize];
        state.sizes |= 1 << lg2;
        if translation.leaf_lg2 != translation.lg2 {
            state.pieces_of |= 1 << translation.leaf_lg2;
        }
        let tag = state.tag;
        let spaces = &self.spaces;
        let same = |slot: &Slot| {
            slot.tag == tag
                && slot.translation.input == translation.input
                && slot.translation.lg2 == translation.lg2
        };
        let free = |slot: &Slot| slot.tag != spaces[slot.space.0 as usize].tag;
        let set_slots = &self.slots[set..set + ways];
        let way = set_slots
            .iter()
            .position(same)
            .or_else(|| set_slots.iter().position(|slot| slot.tag == DEAD || free(slot)));
        let way = way.unwrap_or_else(|| {
            self.losses += 1;
            self.next_victim = self.next_victim.wrapping_add(1);
            self.next_victim % ways
        });
        self.slots[set + way] = Slot { tag, space, translation };
    }

    /// Drops every entry of the spaces in `range`.
    pub fn invalidate_spaces(&mut self, range: RangeInclusive<Space>) {
        self.losses += 1;
        let mut next_tag = self.next_tag;
        for (_, &id) in self.ids.range(range) {
            self.spaces[id.0 as usize] = SpaceState { tag: next_tag, sizes: 0, pieces_of: 0 };
            next_tag += 1;
        }
        self.next_tag = next_tag;
    }

    /// Drops the entries of the spaces in `range` that translate an address of `first..=last`
    /// and that the hint admits.
    ///
    /// A leaf of the first stage of which pieces are cached goes as a whole.
    pub fn invalidate(&mut self, range: RangeInclusive<Space>, first: u64, last: u64, hint: Hint) {
        self.losses += 1;
        let ids: Vec<SpaceId> = self.ids.range(range).map(|(_, &id)| id).collect();
        for id in ids {
            self.drop_pages(id, first, last, |entry| hint.admits(entry));
            let mut leaves = self.spaces[id.0 as usize].pieces_of;
            while leaves != 0 {
                let leaf = leaves.trailing_zeros();
                leaves &= leaves - 1;
                let last = page(last, leaf) | ((1 << leaf) - 1);
                self.drop_pages(id, page(first, leaf), last, |entry| {
                    u32::from(entry.leaf_lg2) == leaf && hint.admits(entry)
                });
            }
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.losses += 1;
        for slot in &mut self.slots {
            slot.tag = DEAD;
        }
        for state in &mut self.spaces {
            state.sizes = 0;
            state.pieces_of = 0;
        }
    }

    /// What is cached, space by space in their order and by input address.
    pub fn entries(&self) -> Vec<(Space, Translation)> {
        let mut found: Vec<(Space, Translation)> = Vec::new();
        for (&space, &id) in &self.ids {
            let tag = self.spaces[id.0 as usize].tag;
            let from = found.len();
            let live = self.slots.iter().filter(|slot| slot.tag == tag);
            found.extend(live.map(|slot| (space, slot.translation)));
            found[from..].sort_by_key(|(_, entry)| (entry.input, entry.lg2));
        }
        found
    }

    fn fresh_tag(&mut self) -> u64 {
        let tag = self.next_tag;
        self.next_tag += 1;
        tag
    }

    /// Index of the first slot of the set that `page` of this size can be in.
    #[inline]
    fn set_of(&self, space: SpaceId, page: u64, lg2: u32) -> usize {
        // Pages in a row fall into sets in a row; spaces start at different sets.
        let spread = u64::from(space.0).wrapping_mul(0x9e37_79b1);
        let set = (page >> lg2).wrapping_add(spread) & ((1 << self.geometry.sets_lg2) - 1);
        set as usize * usize::from(self.geometry.ways)
    }

    /// Drops entries of one space that overlap `first..=last`, if `admits` says so.
    fn drop_pages(
        &mut self,
        id: SpaceId,
        first: u64,
        last: u64,
        admits: impl Fn(&Translation) -> bool,
    ) {
        let state = self.spaces[id.0 as usize];
        let ways = usize::from(self.geometry.ways);
        let sets = 1u64 << self.geometry.sets_lg2;
        let mut sizes = state.sizes;
        while sizes != 0 {
            let lg2 = sizes.trailing_zeros();
            sizes &= sizes - 1;
            // Where the range has more pages than the TLB has sets, every set is visited once.
            let pages_less_one = (last >> lg2) - (first >> lg2);
            for step in 0..=pages_less_one.min(sets - 1) {
                let set = self.set_of(id, ((first >> lg2) + step) << lg2, lg2);
                for slot in &mut self.slots[set..set + ways] {
                    let entry = &slot.translation;
                    let inside = page(first, lg2) <= entry.input && entry.input <= last;
                    let here = slot.tag == state.tag && u32::from(entry.lg2) == lg2 && inside;
                    if here && admits(entry) {
                        slot.tag = DEAD;
                    }
                }
            }
        }
    }
}

/// First address of the page of `1 << lg2` bytes that holds `input`.
#[inline]
fn page(input: u64, lg2: u32) -> u64 {
    input >> lg2 << lg2
}

#[cfg(test)]
mod tests;
