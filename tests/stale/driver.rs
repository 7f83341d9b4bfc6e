//! A driver small enough to be obviously correct, and its possible flaws.

use crate::rig::{ASID, BLOCK, DATA, PAGES, PHYSICAL, REGIONS, Rig, Setup, VMID};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::walk::{PlainFetch, walk};
use passim_tests::bare::normal;

/// One operation of the driver.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// Maps pages that are not mapped; existing mappings stay.
    Map { region: u64, page: u64, pages: u64, target: u64, writable: bool },
    /// Unmaps pages.
    Unmap { region: u64, page: u64, pages: u64 },
    /// Unmaps a region and maps a block over it.
    Block { region: u64, target: u64 },
    /// Changes to the other set of tables under the same ASID or VMID.
    Switch,
    /// Detaches the stream, or attaches it again.
    Attach,
    /// Moves a page of data (nested only): stage 2 changes.
    Move { page: u64, target: u64 },
}

impl Operation {
    /// The operation that a random number encodes.
    pub(crate) fn from_number(number: u32) -> Self {
        let number = u64::from(number);
        let region = REGIONS[(number >> 8 & 1) as usize];
        let page = number >> 9 & 15;
        let pages = 1 + (number >> 13 & 7).min(PAGES - 1 - page);
        let target = number >> 16 & 63;
        match number & 15 {
            0..=4 => {
                let writable = number >> 22 & 1 != 0;
                Self::Map { region, page, pages, target, writable }
            }
            5..=8 => Self::Unmap { region, page, pages },
            9 | 10 => Self::Block { region, target },
            11 | 12 => Self::Switch,
            13 => Self::Attach,
            _ => Self::Move { page: target & 7, target: number >> 22 & 63 },
        }
    }
}

/// A driver's flaw, made once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// Leaves out the invalidation of pages.
    ForgetsPages,
    /// Invalidates one page less than it unmapped.
    ShortensPages,
    /// Names another ASID.
    WrongAsid,
    /// Names another VMID.
    WrongVmid,
    /// Names level 2 for pages.
    WrongLevel,
    /// Names another granule.
    WrongGranule,
    /// Invalidates leaves only, where a table was removed.
    LeavesOnly,
    /// Leaves out CFGI_CD.
    ForgetsCd,
    /// Leaves out CFGI_STE.
    ForgetsSte,
    /// Leaves out the invalidation by ASID or VMID after a change of tables.
    ForgetsTables,
    /// Invalidates by IPA, and omits the combined entries of both stages.
    ForgetsCombined,
    /// Invalidates the combined entries of both stages, and omits the IPA.
    ForgetsIpa,
}

impl Flaw {
    pub(crate) const ALL: [Self; 12] = [
        Self::ForgetsPages,
        Self::ShortensPages,
        Self::WrongAsid,
        Self::WrongVmid,
        Self::WrongLevel,
        Self::WrongGranule,
        Self::LeavesOnly,
        Self::ForgetsCd,
        Self::ForgetsSte,
        Self::ForgetsTables,
        Self::ForgetsCombined,
        Self::ForgetsIpa,
    ];

    /// Whether a driver of this setup can have it.
    pub(crate) fn concerns(self, setup: Setup) -> bool {
        match self {
            Self::WrongAsid | Self::ForgetsCd => setup != Setup::Stage2,
            Self::ForgetsCombined | Self::ForgetsIpa => setup == Setup::Nested,
            Self::LeavesOnly => setup != Setup::Nested,
            // With a single stage 1 the VMID is still 5: it tags every entry.
            Self::WrongVmid
            | Self::ForgetsPages
            | Self::ShortensPages
            | Self::WrongLevel
            | Self::WrongGranule
            | Self::ForgetsSte
            | Self::ForgetsTables => true,
        }
    }
}

/// An invalidation, before it becomes a command.
#[derive(Clone, Copy, Debug)]
enum Invalidation {
    /// Pages of the first stage; `tables`: and the tables above them.
    Pages {
        first: u64,
        pages: u64,
        tables: bool,
    },
    /// One leaf or page of any size, and the walk to it.
    At {
        address: u64,
        tables: bool,
    },
    /// Everything with the ASID, or with the VMID where there is none.
    All,
    Cd,
    Ste,
    /// A page of stage 2.
    Ipa {
        address: u64,
    },
    /// Everything of stage 1 with the VMID.
    Combined,
}

const SYNC: [u64; 2] = [0x2046, 0];
const LEAF: u64 = 1;
const TG_4K: u64 = 1 << 10;
const TG_64K: u64 = 3 << 10;
const TTL_2: u64 = 2 << 8;

/// Encodes an invalidation, with the `asid` and `vmid` that the driver assumes.
fn words(setup: Setup, invalidation: Invalidation, asid: u64, vmid: u64) -> [u64; 2] {
    let stream = 3 << 32;
    let by_address = match setup {
        Setup::Stage2 => vmid << 32 | 0x2a,
        Setup::Stage1 | Setup::Nested => asid << 48 | vmid << 32 | 0x12,
    };
    let leaf = |tables: bool| if tables { 0 } else { LEAF };
    match invalidation {
        Invalidation::Pages { first, pages: 1, tables } => [by_address, first | leaf(tables)],
        Invalidation::Pages { first, pages, tables } => {
            [by_address | (pages - 1) << 12, first | TG_4K | leaf(tables)]
        }
        Invalidation::At { address, tables } => [by_address, address | leaf(tables)],
        Invalidation::All => match setup {
            Setup::Stage2 => [vmid << 32 | 0x28, 0],
            Setup::Stage1 | Setup::Nested => [asid << 48 | vmid << 32 | 0x11, 0],
        },
        Invalidation::Cd => [stream | 0x5, 1],
        Invalidation::Ste => [stream | 0x3, 1],
        Invalidation::Ipa { address } => [vmid << 32 | 0x2a, address],
        Invalidation::Combined => [vmid << 32 | 0x10, 0],
    }
}

impl Rig {
    /// Performs an operation and its invalidations, one of them with this flaw if there is an
    /// occasion; returns whether there was.
    pub(crate) fn perform(&mut self, operation: Operation, flaw: Option<Flaw>) -> bool {
        let armed = flaw.is_some();
        let mut flaw = flaw;
        for invalidation in self.change(operation) {
            self.issue(invalidation, &mut flaw);
        }
        self.command(SYNC);
        self.gather.release_tables(&mut self.frames);
        self.gather = Gather::new();
        armed && flaw.is_none()
    }

    /// Issues the command of an invalidation, or the flawed one; clears a flaw that had its
    /// occasion.
    fn issue(&mut self, invalidation: Invalidation, flaw: &mut Option<Flaw>) {
        let setup = self.setup;
        let right = words(setup, invalidation, ASID, VMID);
        let spoiled = flaw.and_then(|flaw| spoil(setup, invalidation, flaw, right));
        match spoiled {
            None => self.command(right),
            Some(wrong) => {
                // Cleared: the caller passed a flaw and sees that it was used.
                *flaw = None;
                wrong.into_iter().for_each(|words| self.command(words));
            }
        }
    }

    /// Changes tables or structures; returns the invalidations that it requires, in order.
    fn change(&mut self, operation: Operation) -> Vec<Invalidation> {
        match operation {
            Operation::Map { region, page, pages, target, writable } => {
                (0..pages)
                    .for_each(|n| self.map(region + ((page + n) << 12), target + n, writable));
                // A page that was not mapped is not cached.
                Vec::new()
            }
            Operation::Unmap { region, page, pages } => self.unmap(region, page, pages),
            Operation::Block { region, target } => self.block(region, target),
            Operation::Switch => {
                self.current ^= 1;
                match self.setup {
                    Setup::Stage2 => {
                        self.write_ste();
                        vec![Invalidation::Ste, Invalidation::All]
                    }
                    Setup::Stage1 | Setup::Nested => {
                        self.write_cd();
                        vec![Invalidation::Cd, Invalidation::All]
                    }
                }
            }
            Operation::Attach => {
                self.attached = !self.attached;
                self.write_ste();
                vec![Invalidation::Ste]
            }
            Operation::Move { page, target } => self.move_data(page, target),
        }
    }

    /// The output of a page of the first stage.
    fn output(&self, target: u64) -> u64 {
        match self.setup {
            // Few targets, so that stage 2 moves pages in use.
            Setup::Nested => DATA + ((target & 7) << 12),
            Setup::Stage1 | Setup::Stage2 => PHYSICAL + (target << 12),
        }
    }

    fn map(&mut self, input: u64, target: u64, writable: bool) {
        let mapping = normal(input, self.output(target), 0x1000, writable);
        let table = &mut self.first[self.current];
        // Existing mappings stay: the driver would have had to unmap them.
        let _ = table.map(&mut self.memory, &mut self.frames, &mapping, &mut self.gather);
    }

    /// Whether a region is mapped as a block.
    fn is_block(&self, region: u64) -> bool {
        let config = self.first[self.current].config();
        let leaf = walk(&config, region, &mut PlainFetch(&self.memory));
        leaf.is_ok_and(|leaf| leaf.lg2 == 21)
    }

    fn unmap(&mut self, region: u64, page: u64, pages: u64) -> Vec<Invalidation> {
        let block = self.is_block(region);
        let table = &mut self.first[self.current];
        let (memory, gather) = (&mut self.memory, &mut self.gather);
        if block {
            table.unmap(memory, region, BLOCK, gather);
            return vec![Invalidation::At { address: region, tables: false }];
        }
        let first = region + (page << 12);
        let mapped = |n: u64| table.lookup(memory, first + (n << 12)).is_some();
        if !(0..pages).all(mapped) {
            // Only runs without holes are unmapped: every page of them has been accessed.
            return Vec::new();
        }
        table.unmap(memory, first, pages << 12, gather);
        vec![Invalidation::Pages { first, pages, tables: false }]
    }

    fn block(&mut self, region: u64, target: u64) -> Vec<Invalidation> {
        if self.setup == Setup::Nested {
            // A block of stage 1 would extend beyond the data that stage 2 maps.
            return Vec::new();
        }
        let block = self.is_block(region);
        let table = &mut self.first[self.current];
        let (memory, gather) = (&mut self.memory, &mut self.gather);
        let mut invalidations = Vec::new();
        if block {
            table.unmap(memory, region, BLOCK, gather);
            invalidations.push(Invalidation::At { address: region, tables: false });
        }
        for first in (0..PAGES).map(|n| region + (n << 12)) {
            if table.lookup(memory, first).is_some() {
                table.unmap(memory, first, 0x1000, gather);
                invalidations.push(Invalidation::Pages { first, pages: 1, tables: false });
            }
        }
        let mapping = normal(region, PHYSICAL + (target & 7) * BLOCK, BLOCK, true);
        let done = table.map(memory, &mut self.frames, &mapping, gather);
        assert_eq!(done, Ok(()), "nothing is in the way");
        if !block {
            // The table under the block was freed: the caches must drop the walk to it.
            invalidations.push(Invalidation::At { address: region, tables: true });
        }
        invalidations
    }

    fn move_data(&mut self, page: u64, target: u64) -> Vec<Invalidation> {
        let ipa = DATA + (page << 12);
        let Some(second) = &mut self.second else {
            return Vec::new();
        };
        second.unmap(&mut self.memory, ipa, 0x1000, &mut self.gather);
        self.map_second(ipa, PHYSICAL + ((64 + target) << 12), 0x1000);
        vec![Invalidation::Ipa { address: ipa }, Invalidation::Combined]
    }
}

/// The commands that a flawed driver issues instead, if the flaw applies to the invalidation.
fn spoil(
    setup: Setup,
    invalidation: Invalidation,
    flaw: Flaw,
    right: [u64; 2],
) -> Option<Vec<[u64; 2]>> {
    use Invalidation as I;
    let with = |asid, vmid| Some(vec![words(setup, invalidation, asid, vmid)]);
    match (flaw, invalidation) {
        (Flaw::ForgetsPages, I::Pages { .. } | I::At { tables: false, .. }) => Some(Vec::new()),
        (Flaw::ShortensPages, I::Pages { first, pages, tables }) if pages > 1 => {
            let shorter = I::Pages { first, pages: pages - 1, tables };
            Some(vec![words(setup, shorter, ASID, VMID)])
        }
        (Flaw::WrongAsid, I::Pages { .. } | I::At { tables: false, .. } | I::All) => {
            with(ASID + 1, VMID)
        }
        (Flaw::WrongVmid, I::Pages { .. } | I::At { tables: false, .. } | I::All) => {
            with(ASID, VMID + 1)
        }
        (Flaw::WrongLevel, I::Pages { pages, .. }) if pages > 1 => {
            Some(vec![[right[0], right[1] | TTL_2]])
        }
        (Flaw::WrongGranule, I::Pages { pages, .. }) if pages > 1 => {
            Some(vec![[right[0], right[1] | TG_64K]])
        }
        (Flaw::LeavesOnly, I::At { address, tables: true }) => {
            Some(vec![words(setup, I::At { address, tables: false }, ASID, VMID)])
        }
        (Flaw::ForgetsCd, I::Cd) | (Flaw::ForgetsSte, I::Ste) => Some(Vec::new()),
        (Flaw::ForgetsTables, I::All) => Some(Vec::new()),
        (Flaw::ForgetsCombined, I::Combined) | (Flaw::ForgetsIpa, I::Ipa { .. }) => {
            Some(Vec::new())
        }
        _ => None,
    }
}
