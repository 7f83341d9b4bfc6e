//! A set-associative store of translations.
//!
//! A space carries a tag that is never used twice, and its entries carry the tag they were made
//! under; so a whole space is dropped by giving it a new tag. By address, only the sets an entry
//! could be in are visited: a space knows which page sizes it holds.

use super::{Geometry, Hint, SpaceId, Translation, Victim, page};
use crate::attributes::Attributes;
use crate::regime::LeafAttributes;
use passim_model::access::Perms;
use passim_model::pgtable::vmsav8::Granule;

/// A tag no entry carries.
const DEAD: u64 = 0;

#[derive(Clone, Copy)]
struct Slot {
    tag: u64,
    space: SpaceId,
    /// When it was last used, where that decides anything.
    used: u64,
    translation: Translation,
}

const EMPTY: Slot = Slot {
    tag: DEAD,
    space: SpaceId(0),
    used: 0,
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
        clean: false,
        attributes: Attributes::INCOMING,
        leaf: LeafAttributes::NONE,
    },
};

#[derive(Clone, Copy)]
struct SpaceState {
    tag: u64,
    /// Bit n: pages of 2^n bytes were cached since the tag was given.
    sizes: u64,
    /// Bit n: some of them are pieces of a leaf of 2^n bytes.
    pieces_of: u64,
    /// Which set its page 0 falls into.
    spread: u64,
}

/// The store. See the [module](self).
#[derive(Clone)]
pub(super) struct Sets {
    victim: Victim,
    ways: usize,
    /// Number of sets, less 1.
    set_mask: u64,
    slots: Box<[Slot]>,
    spaces: Vec<SpaceState>,
    next_tag: u64,
    /// Advances with every replacement or, where use decides, with every use.
    clock: u64,
}

impl Sets {
    pub(super) fn new(geometry: Geometry) -> Self {
        let sets_lg2 = geometry.sets_lg2.min(20);
        let ways = usize::from(geometry.ways.clamp(1, 16));
        Self {
            victim: geometry.victim,
            ways,
            set_mask: (1 << sets_lg2) - 1,
            slots: vec![EMPTY; ways << sets_lg2].into_boxed_slice(),
            spaces: Vec::new(),
            next_tag: DEAD + 1,
            clock: 0,
        }
    }

    pub(super) fn add_space(&mut self) {
        let tag = self.fresh_tag();
        // Pages in a row fall into sets in a row; spaces start at different sets.
        let spread = (self.spaces.len() as u64).wrapping_mul(0x9e37_79b1);
        self.spaces.push(SpaceState { tag, sizes: 0, pieces_of: 0, spread });
    }

    #[inline(always)]
    pub(super) fn lookup(&mut self, space: SpaceId, input: u64) -> Option<&Translation> {
        let at = self.position(space, input)?;
        if self.victim == Victim::LeastRecentlyUsed {
            self.clock += 1;
            self.slots[at].used = self.clock;
        }
        Some(&self.slots[at].translation)
    }

    #[inline(always)]
    fn position(&self, space: SpaceId, input: u64) -> Option<usize> {
        let state = &self.spaces[space.0 as usize];
        let mut sizes = state.sizes;
        while sizes != 0 {
            let lg2 = sizes.trailing_zeros();
            sizes &= sizes - 1;
            if let Some(at) = self.position_of(state, input, lg2) {
                return Some(at);
            }
        }
        None
    }

    #[inline(always)]
    fn position_of(&self, state: &SpaceState, input: u64, lg2: u32) -> Option<usize> {
        let first = page(input, lg2);
        let is_it = |slot: &Slot| {
            let found = &slot.translation;
            slot.tag == state.tag && found.input == first && u32::from(found.lg2) == lg2
        };
        let set = self.set_of(state.spread, first, lg2);
        if self.ways == 1 {
            return is_it(&self.slots[set]).then_some(set);
        }
        let ways = &self.slots[set..set + self.ways];
        ways.iter().position(is_it).map(|way| set + way)
    }

    /// How many entries of a space translate `input`.
    pub(super) fn matches(&self, space: SpaceId, input: u64) -> usize {
        let state = &self.spaces[space.0 as usize];
        let sizes = (0..64).filter(|lg2| state.sizes >> lg2 & 1 != 0);
        sizes.filter(|&lg2| self.position_of(state, input, lg2).is_some()).count()
    }

    /// Caches a translation; whether another gave way.
    #[inline(always)]
    pub(super) fn insert(&mut self, space: SpaceId, translation: &Translation) -> bool {
        let lg2 = u32::from(translation.lg2);
        let state = &mut self.spaces[space.0 as usize];
        state.sizes |= 1 << lg2;
        if translation.leaf_lg2 != translation.lg2 {
            state.pieces_of |= 1 << translation.leaf_lg2;
        }
        let tag = state.tag;
        let set = self.set_of(self.spaces[space.0 as usize].spread, translation.input, lg2);
        let (at, replaces) = match self.ways {
            // Direct mapped: there is nothing to choose.
            1 => (set, self.is_other(&self.slots[set], tag, translation)),
            _ => self.place(set, tag, translation),
        };
        self.clock += 1;
        let slot = &mut self.slots[at];
        slot.translation = *translation;
        (slot.tag, slot.space, slot.used) = (tag, space, self.clock);
        replaces
    }

    /// Whether a slot holds a translation that counts, and another one.
    #[inline(always)]
    fn is_other(&self, slot: &Slot, tag: u64, translation: &Translation) -> bool {
        let same = slot.tag == tag
            && slot.translation.input == translation.input
            && slot.translation.lg2 == translation.lg2;
        slot.tag != DEAD && !same && slot.tag == self.spaces[slot.space.0 as usize].tag
    }

    /// Where in a set of several ways a translation goes, and whether another gives way.
    #[inline(never)]
    fn place(&self, set: usize, tag: u64, translation: &Translation) -> (usize, bool) {
        let ways = &self.slots[set..set + self.ways];
        let same = |slot: &Slot| {
            slot.tag == tag
                && slot.translation.input == translation.input
                && slot.translation.lg2 == translation.lg2
        };
        let free = |slot: &Slot| !self.is_other(slot, tag, translation);
        let found = ways.iter().position(same).or_else(|| ways.iter().position(free));
        (set + found.unwrap_or_else(|| self.victim(set)), found.is_none())
    }

    /// The way of a full set that gives way.
    #[cold]
    fn victim(&self, set: usize) -> usize {
        let ways = self.ways;
        match self.victim {
            Victim::RoundRobin => self.clock as usize % ways,
            Victim::LeastRecentlyUsed => {
                let ages = self.slots[set..set + ways].iter().map(|slot| slot.used).enumerate();
                ages.min_by_key(|&(_, used)| used).map_or(0, |(way, _)| way)
            }
            // A multiplicative step: every run sees the same sequence.
            Victim::Random => {
                let mixed = self.clock.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                (mixed >> 33) as usize % ways
            }
        }
    }

    pub(super) fn drop_space(&mut self, id: SpaceId) {
        let tag = self.fresh_tag();
        let state = &mut self.spaces[id.0 as usize];
        (state.tag, state.sizes, state.pieces_of) = (tag, 0, 0);
    }

    pub(super) fn drop_addresses(&mut self, id: SpaceId, first: u64, last: u64, hint: Hint) {
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

    pub(super) fn clear(&mut self) {
        for slot in &mut self.slots {
            slot.tag = DEAD;
        }
        for state in &mut self.spaces {
            state.sizes = 0;
            state.pieces_of = 0;
        }
    }

    /// The translations of a space, in no order that means anything.
    pub(super) fn of(&self, id: SpaceId) -> impl Iterator<Item = &Translation> + '_ {
        let tag = self.spaces[id.0 as usize].tag;
        let live = self.slots.iter().filter(move |slot| slot.tag == tag);
        live.map(|slot| &slot.translation)
    }

    fn fresh_tag(&mut self) -> u64 {
        let tag = self.next_tag;
        self.next_tag += 1;
        tag
    }

    /// Index of the first slot of the set that `page` of this size can be in.
    #[inline(always)]
    fn set_of(&self, spread: u64, page: u64, lg2: u32) -> usize {
        ((page >> lg2).wrapping_add(spread) & self.set_mask) as usize * self.ways
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
        let ways = self.ways;
        let mut sizes = state.sizes;
        while sizes != 0 {
            let lg2 = sizes.trailing_zeros();
            sizes &= sizes - 1;
            // Where the range has more pages than the TLB has sets, every set is visited once.
            let pages_less_one = (last >> lg2) - (first >> lg2);
            for step in 0..=pages_less_one.min(self.set_mask) {
                let set = self.set_of(state.spread, ((first >> lg2) + step) << lg2, lg2);
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
