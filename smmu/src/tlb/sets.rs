//! A set-associative store of translations.
//!
//! Each space has a tag that is never used twice, and its entries carry the tag that was current
//! when they were cached; a new tag therefore drops the whole space. An invalidation by address
//! visits only the sets that can hold an entry: each space records the page sizes it has cached.

use super::packed::{Between, Packed};
use super::{Geometry, Hint, SpaceId, Translation, page};
use crate::cache::Replacement;

/// The tag of an empty slot; no space has it.
const DEAD: u64 = 0;

/// Position of the space's number in a tag; the bits below number the space's tags, from 1 on.
const TAG_SPACE: u32 = 32;

/// A slot of the store.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    tag: u64,
    page: Packed,
}

impl Slot {
    /// The page of `input` in a lane, if this slot holds it.
    #[inline(always)]
    pub(crate) fn page(&self, lane: &Lane, input: u64) -> Option<&Packed> {
        let is_it = self.tag == lane.tag && self.page.is_named(Packed::name_of(input, LANE_LG2));
        is_it.then_some(&self.page)
    }
}

/// log2 of the page size of a lane.
pub(crate) const LANE_LG2: u32 = 12;

/// Direct access to the 4K pages of a space in a direct-mapped store; the space has no smaller
/// pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    tag: u64,
    spread: u64,
    /// Whether a miss here is a miss in the TLB: the space has no larger pages, and the other space
    /// has none at all.
    pub(crate) alone: bool,
}

impl Lane {
    /// A lane without pages.
    pub(crate) const NONE: Self = Self { tag: DEAD, spread: 0, alone: false };
}

const EMPTY: Slot = Slot { tag: DEAD, page: Packed::NONE };

#[derive(Clone, Copy)]
struct SpaceState {
    tag: u64,
    /// Bit n: pages of 2^n bytes were cached since the tag was assigned.
    sizes: u64,
    /// Bit n: some of them are pieces of a leaf of 2^n bytes.
    pieces_of: u64,
    /// Which set its page 0 falls into.
    spread: u64,
}

/// The store. See the [module](self).
#[derive(Clone)]
pub(super) struct Sets {
    ways: usize,
    /// Number of sets, less 1.
    set_mask: u64,
    slots: Box<[Slot]>,
    replacement: Replacement,
    /// By slot, the intermediate addresses that do not fit into slots; empty until there is one.
    elsewhere: Vec<u64>,
    spaces: Vec<SpaceState>,
    /// Advances with every new tag, and with every page size that is new to a space.
    arrangement: u64,
}

impl Sets {
    /// An empty store of a geometry that is inside the limits.
    pub(super) fn new(geometry: Geometry) -> Self {
        Self {
            ways: geometry.ways.into(),
            set_mask: (1 << geometry.sets_lg2) - 1,
            slots: vec![EMPTY; geometry.entries()].into_boxed_slice(),
            replacement: Replacement::new(geometry),
            elsewhere: Vec::new(),
            spaces: Vec::new(),
            arrangement: 0,
        }
    }

    pub(super) fn add_space(&mut self) {
        let number = self.spaces.len() as u64;
        // Pages in a row fall into sets in a row; spaces start at different sets.
        let spread = number.wrapping_mul(0x9e37_79b1);
        let tag = number << TAG_SPACE | 1;
        self.spaces.push(SpaceState { tag, sizes: 0, pieces_of: 0, spread });
    }

    #[inline(always)]
    pub(super) fn lookup(&mut self, space: SpaceId, input: u64) -> Option<Translation> {
        let at = self.position(space, input)?;
        self.replacement.touch(at);
        Some(self.translation(at))
    }

    /// Unpacks a slot.
    #[inline(always)]
    fn translation(&self, at: usize) -> Translation {
        let page = self.slots[at].page;
        let elsewhere = match page.between() {
            Between::Elsewhere => self.elsewhere.get(at).copied().unwrap_or(0),
            Between::Input | Between::Output => 0,
        };
        page.translation(elsewhere)
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
        let name = Packed::name_of(input, lg2);
        let is_it = |slot: &Slot| slot.tag == state.tag && slot.page.is_named(name);
        let set = self.set_of(state.spread, input, lg2);
        if self.ways == 1 {
            return is_it(&self.slots[set]).then_some(set);
        }
        let ways = &self.slots[set..set + self.ways];
        ways.iter().position(is_it).map(|way| set + way)
    }

    /// The lane of a space, if the store is direct mapped and holds no smaller pages of the space.
    pub(super) fn lane(&mut self, space: SpaceId, other: SpaceId) -> Option<Lane> {
        const SIZE: u64 = 1 << LANE_LG2;
        let rest = if space == other { 0 } else { self.spaces.get(other.0 as usize)?.sizes };
        let state = self.spaces.get_mut(space.0 as usize)?;
        if state.sizes & (SIZE - 1) != 0 || self.ways != 1 {
            return None;
        }
        let alone = state.sizes & !SIZE == 0 && rest == 0;
        // From here on `fill` may add pages of this size.
        self.arrangement += u64::from(state.sizes & SIZE == 0);
        state.sizes |= SIZE;
        Some(Lane { tag: state.tag, spread: state.spread, alone })
    }

    #[inline(always)]
    pub(super) fn arrangement(&self) -> u64 {
        self.arrangement
    }

    #[inline(always)]
    fn index_of(&self, lane: &Lane, input: u64) -> usize {
        // Direct mapped: there are as many slots as sets.
        (input >> LANE_LG2).wrapping_add(lane.spread) as usize & (self.slots.len() - 1)
    }

    /// The slot of a lane for `input`, whatever is there.
    #[inline(always)]
    pub(super) fn place(&self, lane: &Lane, input: u64) -> Option<&Slot> {
        self.slots.get(self.index_of(lane, input))
    }

    /// Caches a page of a lane in its slot. Returns whether another entry may have been replaced.
    #[inline(always)]
    pub(super) fn fill(&mut self, lane: &Lane, page: Packed) -> bool {
        let at = self.index_of(lane, page.input());
        let Some(slot) = self.slots.get_mut(at) else {
            return false;
        };
        let replaces = slot.tag != DEAD;
        *slot = Slot { tag: lane.tag, page };
        replaces
    }

    /// How many entries of a space translate `input`.
    pub(super) fn matches(&self, space: SpaceId, input: u64) -> usize {
        let state = &self.spaces[space.0 as usize];
        let sizes = (0..64).filter(|lg2| state.sizes >> lg2 & 1 != 0);
        sizes.filter(|&lg2| self.position_of(state, input, lg2).is_some()).count()
    }

    /// Caches a translation. Returns whether another was replaced.
    pub(super) fn insert(&mut self, space: SpaceId, translation: &Translation) -> bool {
        let page = Packed::of(translation);
        let elsewhere = page.between() == Between::Elsewhere;
        self.insert_page(space, page, elsewhere.then_some(translation.intermediate))
    }

    /// Caches a page; `elsewhere` is its intermediate address, if that does not fit into the slot.
    /// Returns whether another page was replaced.
    #[inline]
    pub(super) fn insert_page(
        &mut self,
        space: SpaceId,
        page: Packed,
        elsewhere: Option<u64>,
    ) -> bool {
        let state = &mut self.spaces[space.0 as usize];
        self.arrangement += u64::from(state.sizes >> page.lg2() & 1 == 0);
        state.sizes |= 1 << page.lg2();
        if page.leaf_lg2() != page.lg2() {
            state.pieces_of |= 1 << page.leaf_lg2();
        }
        let (tag, spread) = (state.tag, state.spread);
        let (at, replaces) =
            self.place_of(self.set_of(spread, page.input(), page.lg2()), tag, page);
        self.slots[at] = Slot { tag, page };
        self.replacement.touch(at);
        if let Some(intermediate) = elsewhere {
            self.elsewhere.resize(self.slots.len(), 0);
            self.elsewhere[at] = intermediate;
        }
        replaces
    }

    /// Whether a slot holds a valid translation.
    #[inline(always)]
    fn is_live(&self, slot: &Slot) -> bool {
        let space = self.spaces.get((slot.tag >> TAG_SPACE) as usize);
        space.is_some_and(|state| state.tag == slot.tag)
    }

    /// The slot of a set for a page, and whether it replaces another page.
    fn place_of(&mut self, set: usize, tag: u64, page: Packed) -> (usize, bool) {
        let ways = &self.slots[set..set + self.ways];
        let same = |slot: &Slot| slot.tag == tag && slot.page.shares_name(page);
        let free = |slot: &Slot| !self.is_live(slot);
        let found = ways.iter().position(same).or_else(|| ways.iter().position(free));
        match found {
            Some(way) => (set + way, false),
            None => (self.replacement.give_way(set), true),
        }
    }

    pub(super) fn drop_space(&mut self, id: SpaceId) {
        let state = &mut self.spaces[id.0 as usize];
        let (space, last) = (state.tag >> TAG_SPACE, state.tag as u32);
        self.arrangement += 1;
        let next = last.wrapping_add(1).max(1);
        (state.tag, state.sizes, state.pieces_of) = (space << TAG_SPACE | u64::from(next), 0, 0);
        if next <= last {
            // The numbering of its tags wrapped: entries with older tags must be cleared.
            for slot in self.slots.iter_mut().filter(|slot| slot.tag >> TAG_SPACE == space) {
                slot.tag = DEAD;
            }
        }
    }

    pub(super) fn drop_addresses(&mut self, id: SpaceId, first: u64, last: u64, hint: Hint) {
        self.drop_pages(id, first, last, |page| hint.admits(page.granule(), page.level()));
        let mut leaves = self.spaces[id.0 as usize].pieces_of;
        while leaves != 0 {
            let leaf = leaves.trailing_zeros();
            leaves &= leaves - 1;
            let last = page(last, leaf) | ((1 << leaf) - 1);
            self.drop_pages(id, page(first, leaf), last, |page| {
                page.leaf_lg2() == leaf && hint.admits(page.granule(), page.level())
            });
        }
    }

    pub(super) fn clear(&mut self) {
        for space in 0..self.spaces.len() as u32 {
            self.drop_space(SpaceId(space));
        }
    }

    /// The translations of a space, in no particular order.
    pub(super) fn of(&self, id: SpaceId) -> impl Iterator<Item = Translation> + '_ {
        let tag = self.spaces[id.0 as usize].tag;
        let live = (0..self.slots.len()).filter(move |&at| self.slots[at].tag == tag);
        live.map(|at| self.translation(at))
    }

    /// Index of the first slot of the set that the page of this size at `input` can be in.
    #[inline(always)]
    fn set_of(&self, spread: u64, input: u64, lg2: u32) -> usize {
        ((input >> lg2).wrapping_add(spread) & self.set_mask) as usize * self.ways
    }

    /// Drops entries of one space that overlap `first..=last`, those that `admits` accepts.
    fn drop_pages(&mut self, id: SpaceId, first: u64, last: u64, admits: impl Fn(Packed) -> bool) {
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
                    let input = slot.page.input();
                    let inside = page(first, lg2) <= input && input <= last;
                    let here = slot.tag == state.tag && slot.page.lg2() == lg2 && inside;
                    if here && admits(slot.page) {
                        slot.tag = DEAD;
                    }
                }
            }
        }
    }
}
