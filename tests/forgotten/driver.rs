//! A driver that is correct, with every choice of commands; and one with a single flaw.
//!
//! Mostly several commands can invalidate what a change makes stale. Each driver has a favourite
//! among them, so that each kind is once the only one used.

use crate::kind::{Flaw, Kind};
use crate::world::{PAGES, REGION, SPANS, STREAMS, SUBSTREAMS, Setup, VMID, World, tag};
use passim_model::pgtable::gather::Gather;

/// One operation of the driver.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// Changes a level-1 descriptor of the Stream table.
    LevelOne { descriptor: usize, array: usize, span: u64 },
    /// Writes an STE, of the table in use or of the other one.
    Ste { stream: usize, array: usize, number: Option<usize> },
    /// Changes a level-1 descriptor of the CD table in use, or of the spare one.
    LevelOneCd { stream: usize, spare: bool, l1: usize, leaf: Option<usize> },
    /// Writes a CD of the table in use, or of the spare one.
    Cd { stream: usize, spare: bool, leaf: usize, n: usize, context: Option<usize> },
    /// Gives a context other tables, under the same ASID or VMID.
    Switch { context: usize, table: usize },
    /// Maps pages; existing mappings stay.
    Map { table: usize, page: u64, pages: u64, target: u64, writable: bool },
    /// Unmaps pages.
    Unmap { table: usize, page: u64, pages: u64 },
    /// Maps one page elsewhere, or with the other permission.
    Remap { table: usize, page: u64, target: u64, writable: bool },
    /// Replaces pages by a block, or removes a block.
    Block { table: usize, target: u64 },
    /// Changes the PARTID that a virtual one maps to.
    Partid { virtual_one: usize, physical: u16 },
}

impl Operation {
    /// The operation that a random number encodes.
    pub(crate) fn from_number(setup: Setup, number: u64) -> Self {
        let mut rest = number >> 5;
        let mut draw = |count: u64| {
            let drawn = rest % count;
            rest /= count;
            drawn
        };
        let contexts = setup.contexts() as u64;
        let (stream, table) = (draw(4) as usize, draw(3) as usize);
        let (one, two) = (draw(2) as usize, draw(2) as usize);
        let page = draw(PAGES);
        let (target, writable) = (draw(32), draw(2) == 1);
        match number & 31 {
            0..=2 => {
                let span = SPANS[[0, 1, 2, 2, 2, 2][draw(6) as usize]];
                Self::LevelOne { descriptor: one, array: two, span }
            }
            3..=5 => {
                let number = (draw(6) != 0).then_some(two);
                Self::Ste { stream, array: one, number }
            }
            6..=9 => {
                let leaf = (draw(8) != 0).then(|| draw(2) as usize);
                Self::LevelOneCd { stream, spare: draw(4) == 0, l1: two, leaf }
            }
            10..=12 => {
                let context = (draw(4) != 0).then(|| draw(contexts) as usize);
                let n = draw(3) as usize;
                Self::Cd { stream, spare: draw(4) == 0, leaf: two, n, context }
            }
            13..=15 => Self::Switch { context: draw(contexts) as usize, table },
            16..=20 => {
                let pages = 1 + draw(PAGES).min(PAGES - 1 - page);
                Self::Map { table, page, pages, target, writable }
            }
            21..=23 => {
                let pages = 1 + draw(PAGES).min(PAGES - 1 - page);
                Self::Unmap { table, page, pages }
            }
            24..=26 => Self::Remap { table, page, target, writable },
            27 | 28 => Self::Block { table, target: target & 3 },
            _ => Self::Partid { virtual_one: draw(4) as usize, physical: 16 + target as u16 },
        }
    }
}

/// What a change makes stale.
#[derive(Clone, Debug)]
enum Stale {
    /// STEs, by index among the streams; `tables`: and the tables above them.
    Stes { streams: Vec<usize>, tables: bool },
    /// CDs of a stream, by index among the substreams; `tables`: and the tables above them.
    Cds { stream: usize, places: Vec<usize>, tables: bool },
    /// Pages of a table; `tables`: and the tables above them.
    Pages { table: usize, page: u64, pages: u64, tables: bool },
    /// Every translation of a context.
    Context { context: usize },
    /// The PARTID_MAP, where it is cached by VMID.
    PartidMap,
}

/// A driver with a favourite command, and its flaw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driver {
    pub(crate) favourite: Kind,
    pub(crate) flaw: Option<Flaw>,
    /// Whether the flaw has had an occasion.
    pub(crate) spoiled: bool,
}

const LEAF: u64 = 1;
const TTL_2: u64 = 2 << 8;
const TG_4K: u64 = 1 << 10;
const TG_64K: u64 = 3 << 10;

impl Driver {
    /// Performs an operation and invalidates what it made stale.
    pub(crate) fn perform(&mut self, world: &mut World, operation: Operation) {
        for stale in change(world, operation) {
            let kind = self.chosen(world.setup, &stale);
            let right = commands(world, kind, &stale);
            self.issue(world, kind, right);
        }
        self.issue(world, Kind::Sync, vec![[Kind::Sync.opcode(), 0]]);
        world.gather.release_tables(&mut world.frames);
        world.gather = Gather::new();
    }

    /// The favourite if it suffices, else the most specific command.
    fn chosen(&self, setup: Setup, stale: &Stale) -> Kind {
        let ways = ways(setup, stale);
        *ways.iter().find(|kind| **kind == self.favourite).unwrap_or(&ways[0])
    }

    fn issue(&mut self, world: &mut World, kind: Kind, right: Vec<[u64; 2]>) {
        let flaw = self.flaw.filter(|_| kind == self.favourite);
        match flaw.and_then(|flaw| spoilt(kind, flaw, &right)) {
            None => right.into_iter().for_each(|words| world.command(words)),
            Some(wrong) => {
                self.spoiled = true;
                wrong.into_iter().for_each(|words| world.command(words));
            }
        }
    }
}

/// The commands that suffice. IHI 0070 G.b 4.3, 4.4.
fn ways(setup: Setup, stale: &Stale) -> &'static [Kind] {
    use Kind::{
        Cd, CdAll, El2All, El2Asid, El2Va, El2Vaa, Everything, NhAll, NhAsid, NhVa, NhVaa, NsnhAll,
        S2Ipa, S12Vmall, Ste, SteRange, VmsPidm,
    };
    match (stale, setup) {
        (Stale::Stes { .. }, _) => &[Ste, SteRange, Everything],
        (Stale::Cds { .. }, _) => &[Cd, CdAll, SteRange, Everything],
        (Stale::PartidMap, _) => &[VmsPidm, Everything],
        (Stale::Pages { .. }, Setup::El1 | Setup::Labelled) => {
            &[NhVa, NhVaa, NhAsid, NhAll, S12Vmall, NsnhAll]
        }
        (Stale::Pages { .. }, Setup::El2) => &[El2Va, El2Vaa, El2All],
        (Stale::Pages { .. }, Setup::El2Host) => &[El2Va, El2Vaa, El2Asid, El2All],
        (Stale::Pages { .. }, Setup::Stage2) => &[S2Ipa, S12Vmall, NsnhAll],
        (Stale::Context { .. }, Setup::El1 | Setup::Labelled) => {
            &[NhAsid, NhAll, S12Vmall, NsnhAll]
        }
        (Stale::Context { .. }, Setup::El2) => &[El2All],
        (Stale::Context { .. }, Setup::El2Host) => &[El2Asid, El2All],
        (Stale::Context { .. }, Setup::Stage2) => &[S12Vmall, NsnhAll],
    }
}

/// The commands of a kind that invalidate what is stale.
fn commands(world: &World, kind: Kind, stale: &Stale) -> Vec<[u64; 2]> {
    let opcode = kind.opcode();
    let named = |stream: usize| u64::from(STREAMS[stream]) << 32 | opcode;
    // One command that covers the tables above is enough; the others name leaves only.
    let leaf = |index: usize, tables: bool| u64::from(!(tables && index == 0)) * LEAF;
    match (kind, stale) {
        (Kind::Everything, _) => vec![[opcode, 31]],
        (Kind::Ste, Stale::Stes { streams, tables }) => {
            let each = streams.iter().enumerate();
            each.map(|(index, stream)| [named(*stream), leaf(index, *tables)]).collect()
        }
        (Kind::SteRange, Stale::Stes { streams, .. }) => {
            let (first, last) = (streams[0], streams[streams.len() - 1]);
            let differ = (STREAMS[first] ^ STREAMS[last]) | 1;
            // The smallest aligned range that contains both: 2^(Range+1) streams.
            vec![[named(last), u64::from(differ.ilog2())]]
        }
        (Kind::SteRange | Kind::CdAll, Stale::Cds { stream, .. }) => vec![[named(*stream), 0]],
        (Kind::Cd, Stale::Cds { stream, places, tables }) => {
            let each = places.iter().enumerate();
            each.map(|(index, place)| {
                let substream = u64::from(SUBSTREAMS[*place]) << 12;
                [named(*stream) | substream, leaf(index, *tables)]
            })
            .collect()
        }
        (Kind::VmsPidm, _) => vec![[VMID << 32 | opcode, 0]],
        (_, Stale::Pages { table, page, pages, tables }) => {
            let walkers = (0..world.contexts.len()).filter(|k| world.contexts[*k] == *table);
            let leaf = if *tables { 0 } else { LEAF };
            let address = (REGION + (page << 12)) | leaf;
            let range = match (kind.is_by_address(), *pages) {
                (false, _) => [0, 0],
                (true, 1) => [0, address],
                (true, pages) => [(pages - 1) << 12, address | TG_4K],
            };
            let mut all: Vec<_> = walkers
                .map(|context| [tags(world.setup, kind, context) | range[0], range[1]])
                .collect();
            all.dedup();
            all
        }
        (_, Stale::Context { context }) => vec![[tags(world.setup, kind, *context), 0]],
        (kind, stale) => unreachable!("{kind:?} does not suffice for {stale:?}"),
    }
}

/// Doubleword 0 of a TLB invalidation: the tags that this kind uses.
fn tags(setup: Setup, kind: Kind, context: usize) -> u64 {
    let opcode = kind.opcode();
    let asid = tag(context) << 48;
    match kind {
        Kind::NhVa | Kind::NhAsid => asid | VMID << 32 | opcode,
        Kind::NhVaa | Kind::NhAll => VMID << 32 | opcode,
        Kind::El2Va | Kind::El2Asid => asid | opcode,
        Kind::S2Ipa | Kind::S12Vmall if setup == Setup::Stage2 => tag(context) << 32 | opcode,
        Kind::S12Vmall => VMID << 32 | opcode,
        _ => opcode,
    }
}

/// Changes memory; returns what is stale afterwards, in order.
fn change(world: &mut World, operation: Operation) -> Vec<Stale> {
    match operation {
        Operation::LevelOne { descriptor, array, span } => {
            let level_one = &mut world.level_one[descriptor];
            (level_one.array, level_one.span) = (array, span);
            world.write_level_one(descriptor);
            vec![Stale::Stes { streams: vec![2 * descriptor, 2 * descriptor + 1], tables: true }]
        }
        Operation::Ste { stream, array, number } => {
            world.stes[stream / 2][array][stream % 2] = number;
            world.write_ste(stream, array);
            // An STE that is not reached is not cached.
            match world.level_one[stream / 2].array == array {
                true => vec![Stale::Stes { streams: vec![stream], tables: false }],
                false => Vec::new(),
            }
        }
        Operation::LevelOneCd { stream, spare, l1, leaf } => {
            let tree = world.reached(stream).unwrap_or(0) ^ usize::from(spare);
            world.trees[stream][tree].level_one[l1] = leaf;
            world.write_level_one_cd(stream, tree, l1);
            let places = (0..SUBSTREAMS.len()).filter(|n| SUBSTREAMS[*n] >> 6 == l1 as u32);
            let places = places.collect();
            cds(world, tree, Stale::Cds { stream, places, tables: true })
        }
        Operation::Cd { stream, spare, leaf, n, context } => {
            let tree = world.reached(stream).unwrap_or(0) ^ usize::from(spare);
            let l1 = (SUBSTREAMS[n] >> 6) as usize;
            world.trees[stream][tree].cds[l1][leaf][n] = context;
            world.write_cd(stream, tree, leaf, n);
            cds(world, tree, Stale::Cds { stream, places: vec![n], tables: false })
        }
        Operation::Switch { context, table } => switch(world, context, table),
        Operation::Map { table, page, pages, target, writable } => {
            for n in 0..pages {
                let there = world.pages[table][(page + n) as usize].is_some();
                if world.blocks[table].is_none() && !there {
                    world.map(table, page + n, target + n, writable);
                }
            }
            // A page that was not mapped is not cached.
            Vec::new()
        }
        Operation::Unmap { table, page, pages } => unmap(world, table, page, pages),
        Operation::Remap { table, page, target, writable } => {
            let stale = unmap(world, table, page, 1);
            if !stale.is_empty() {
                world.map(table, page, target, writable);
            }
            stale
        }
        Operation::Block { table, target } => block(world, table, target),
        Operation::Partid { virtual_one, physical } => {
            world.partid_map[virtual_one] = physical;
            world.write_partid_map();
            match world.setup {
                // IHI 0070 G.b 5.6.2: some state is cached by stream, some by VMID.
                Setup::Labelled => {
                    let streams = (0..STREAMS.len()).collect();
                    vec![Stale::Stes { streams, tables: false }, Stale::PartidMap]
                }
                _ => Vec::new(),
            }
        }
    }
}

/// CDs of a table are stale if the stream's STE points to it: otherwise they are not cached.
fn cds(world: &World, tree: usize, stale: Stale) -> Vec<Stale> {
    match stale {
        Stale::Cds { stream, .. } if world.reached(stream) != Some(tree) => Vec::new(),
        stale => vec![stale],
    }
}

/// Gives a context other tables, in every structure that names it.
fn switch(world: &mut World, context: usize, table: usize) -> Vec<Stale> {
    world.contexts[context] = table;
    let mut stale = Vec::new();
    for stream in 0..STREAMS.len() {
        if world.setup == Setup::Stage2 {
            [0, 1].into_iter().for_each(|array| world.write_ste(stream, array));
            if world.reached(stream) == Some(context) {
                stale.push(Stale::Stes { streams: vec![stream], tables: false });
            }
            continue;
        }
        for (tree, leaf) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            (0..SUBSTREAMS.len()).for_each(|n| world.write_cd(stream, tree, leaf, n));
        }
        let places = (0..SUBSTREAMS.len()).filter(|n| world.context(stream, *n) == Some(context));
        let places: Vec<_> = places.collect();
        if !places.is_empty() {
            stale.push(Stale::Cds { stream, places, tables: false });
        }
    }
    stale.push(Stale::Context { context });
    stale
}

fn unmap(world: &mut World, table: usize, page: u64, pages: u64) -> Vec<Stale> {
    let inside = page as usize..(page + pages) as usize;
    // Only runs without holes are unmapped: every page of them has been accessed.
    if world.pages[table][inside].iter().any(Option::is_none) {
        return Vec::new();
    }
    (page..page + pages).for_each(|page| world.unmap(table, page));
    vec![Stale::Pages { table, page, pages, tables: false }]
}

fn block(world: &mut World, table: usize, target: u64) -> Vec<Stale> {
    if world.blocks[table].is_some() {
        world.unmap_block(table);
        return vec![Stale::Pages { table, page: 0, pages: 1, tables: false }];
    }
    let mut stale = Vec::new();
    for page in 0..PAGES {
        stale.extend(unmap(world, table, page, 1));
    }
    world.map_block(table, target);
    // The table under the block was freed: the caches must drop the walk to it.
    stale.push(Stale::Pages { table, page: 0, pages: 1, tables: true });
    stale
}

/// The commands that a flawed driver issues instead, if the flaw applies to these.
fn spoilt(kind: Kind, flaw: Flaw, right: &[[u64; 2]]) -> Option<Vec<[u64; 2]>> {
    let each = |alter: &dyn Fn([u64; 2]) -> [u64; 2]| {
        let wrong: Vec<_> = right.iter().map(|words| alter(*words)).collect();
        (wrong != right).then_some(wrong)
    };
    match flaw {
        Flaw::Forgets => (!right.is_empty()).then(Vec::new),
        Flaw::Shortens => match kind {
            Kind::SteRange => each(&|[first, range]| [first, range.saturating_sub(1)]),
            _ if right.iter().any(|words| words[0] & NUM != 0 && kind.is_by_address()) => {
                each(&|[first, second]| match first & NUM {
                    // A range of one page is illegal: it becomes a single page.
                    ONE_PAGE => [first - ONE_PAGE, second & !TG_64K],
                    _ => [first - ONE_PAGE, second],
                })
            }
            _ => (right.len() > 1).then(|| right[..right.len() - 1].to_vec()),
        },
        Flaw::WrongStream => each(&|[first, second]| [first ^ 1 << 33, second]),
        Flaw::WrongSubstream => each(&|[first, second]| [first ^ 1 << 14, second]),
        Flaw::WrongAsid => each(&|[first, second]| [first ^ 1 << 55, second]),
        Flaw::WrongVmid => each(&|[first, second]| [first ^ 1 << 39, second]),
        Flaw::LeavesOnly => each(&|[first, second]| [first, second | LEAF]),
        // Only for ranges: a single page names no level or granule that could be wrong.
        Flaw::WrongLevel => each(&|[first, second]| [first, in_range(second, TTL_2)]),
        Flaw::WrongGranule => each(&|[first, second]| [first, in_range(second, TG_64K)]),
        // From 0x20 to 0x10.
        Flaw::WrongRegime => each(&|[first, second]| [first ^ 0x30, second]),
    }
}

/// Adds these bits, if the command names a range.
fn in_range(second: u64, bits: u64) -> u64 {
    if second & TG_4K != 0 { second | bits } else { second }
}

/// NUM, and one page in it. IHI 0070 G.b 4.4.1.1.
const NUM: u64 = 0x1f << 12;
const ONE_PAGE: u64 = 1 << 12;
