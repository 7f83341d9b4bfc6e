//! Shortcuts: tables of the last level that earlier walks reached.
//!
//! A walk that passes the same tables as an earlier one, none of which was written to since,
//! reaches the same table of the last level, and only the leaf's descriptor has to be read.
//! [`Memory::watch`] detects writes to the tables above, so that a shortcut always gives the result
//! of the whole walk. A shortcut is no cache of the architecture: no command invalidates it, and
//! none has to.

use crate::tlb::{LANE_LG2, Packed};
use passim_model::pgtable::vmsav8::{Address4K, Granule, LAST_LEVEL, Stage1Leaf};
use passim_model::pgtable::walk::{Below, Config, Fetch, Format};
use passim_model::{Abort, Memory, PhysAddr};

/// How many shortcuts are known at most: enough for 512M of input.
const COUNT: usize = 256;

/// Most levels a walk passes before the last.
const ABOVE: usize = 4;

/// log2 of what a table of the last level translates.
const REGION_LG2: u32 = Granule::K4.level_lg2(LAST_LEVEL - 1);

/// The bits of an input address that such a table resolves, where they are an offset in it.
const OFFSET: u64 = 8 * ((1 << (REGION_LG2 - LANE_LG2)) - 1);

/// What leaves of a table say that differ in nothing but their address.
#[derive(Clone, Copy)]
struct Kind {
    /// Their descriptors, without the address.
    descriptor: u64,
    /// [`Packed::details`] of their pages.
    details: u64,
}

impl Kind {
    /// No descriptor is of this kind.
    const NONE: Self = Self { descriptor: u64::MAX, details: 0 };
}

/// A table of the last level.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Table {
    /// What the table translates: the input address, without the bits the table resolves.
    region: u64,
    /// [`Memory::stamp`] when the walk was done.
    stamp: u64,
    at: u64,
    /// The kinds last met: of leaves that may be written, and of those that may not.
    kinds: [Kind; 2],
}

impl Table {
    /// No memory has this stamp.
    const NONE: Self = Self { region: 0, stamp: 0, at: 0, kinds: [Kind::NONE; 2] };
}

/// The shortcuts of one set of tables, which have the 4K granule. See the [module](self).
#[derive(Clone)]
pub(super) struct Shortcuts {
    /// By the low bits of their region.
    tables: Box<[Table; COUNT]>,
    /// The bits of a descriptor that are the same in all leaves of one kind: all but the address,
    /// and what an address must not have.
    same: u64,
    possible: bool,
}

impl Shortcuts {
    /// None yet, for walks like this one.
    pub(super) fn of(walk: &Config) -> Self {
        let short = matches!(walk.format, Format::Short { .. });
        let possible = walk.granule == Granule::K4 && !walk.ds && !short;
        let same = !Address4K::OA.mask() | u64::MAX << walk.output_bits.min(u64::BITS - 1);
        Self { tables: Box::new([Table::NONE; COUNT]), same, possible }
    }

    /// Which of the kinds a leaf would be.
    #[inline(always)]
    const fn kind_of(descriptor: u64) -> usize {
        Stage1Leaf::AP_READ_ONLY.is_set(descriptor) as usize
    }

    /// The page of `input`, if a shortcut leads to its descriptor and that is of a known kind.
    #[inline(always)]
    pub(super) fn page(&self, memory: &Memory, input: u64) -> Option<Packed> {
        let region = input >> REGION_LG2;
        let table = &self.tables[region as usize % COUNT];
        if table.region != region || table.stamp != memory.stamp() {
            return None;
        }
        let at = table.at + (input >> (LANE_LG2 - 3) & OFFSET);
        let descriptor = memory.load_u64(PhysAddr::new(at)).ok()?;
        // One after the other: where to look next must not wait for the descriptor.
        let is_it = |kind: &&Kind| kind.descriptor == descriptor & self.same;
        let kind = table.kinds.iter().find(is_it)?;
        let (name, output) = (Packed::name_of(input, LANE_LG2), Address4K::OA.in_place(descriptor));
        Some(Packed::with(name, output, kind.details))
    }

    /// Remembers where a walk for `input` passed, and what its leaf, which is of the last level,
    /// comes to.
    pub(super) fn learn(
        &mut self,
        memory: &mut Memory,
        input: u64,
        passed: Passed,
        descriptor: u64,
        page: Packed,
    ) {
        let Some(below) = passed.below.filter(|_| self.possible) else {
            return;
        };
        for at in &passed.descriptors[..passed.count] {
            memory.watch(PhysAddr::new(*at));
        }
        let region = input >> REGION_LG2;
        let table = &mut self.tables[region as usize % COUNT];
        let (stamp, at) = (memory.stamp(), below.table);
        if (table.region, table.stamp) != (region, stamp) {
            *table = Table { region, stamp, at, kinds: [Kind::NONE; 2] };
        }
        let descriptor = descriptor & self.same;
        table.kinds[Self::kind_of(descriptor)] = Kind { descriptor, details: page.details() };
    }
}

/// What a walk passed on its way down.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    /// Where the descriptors of tables lie.
    descriptors: [u64; ABOVE],
    count: usize,
    /// The last table, of the last level if the leaf is.
    below: Option<Below>,
}

/// Little-endian descriptors from physical memory, of which nothing is updated; it remembers what
/// it passed.
pub(super) struct Trail<'a> {
    memory: &'a Memory,
    passed: Passed,
}

impl<'a> Trail<'a> {
    pub(super) fn new(memory: &'a Memory) -> Self {
        Self { memory, passed: Passed { descriptors: [0; ABOVE], count: 0, below: None } }
    }

    pub(super) fn end(self) -> Passed {
        self.passed
    }
}

impl Fetch for Trail<'_> {
    type Fault = Abort;

    #[inline(always)]
    fn fetch(&mut self, at: u64, _level: i8) -> Result<u64, Abort> {
        self.memory.load_u64(PhysAddr::new(at))
    }

    #[inline(always)]
    fn descend(&mut self, at: u64, below: Below) -> Result<(), Abort> {
        let Passed { descriptors, count, below: last } = &mut self.passed;
        if let Some(place) = descriptors.get_mut(*count) {
            *place = at;
            *count += 1;
        }
        *last = Some(below);
        Ok(())
    }
}
