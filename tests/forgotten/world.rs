//! Memory with two-level Stream and CD tables, an SMMU that evicts nothing, and devices that access
//! every page. Configuration and mappings are recorded twice: as bytes in memory, and as plain
//! values that define where an access must end.

use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::Table;
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{
    Access, DeviceId, Frames, Iova, Memory, Requester, StreamId, SubstreamId, Width,
};
use passim_smmu::SmmuV3;
use passim_smmu::cache::Retention;
use passim_smmu::choice::{Choices, Completion};
use passim_smmu::v3::{Caches, Implementation, Label, Outcome, Transaction};
use passim_tests::bare::{self, Commands, DESCRIPTION, empty_table, normal, put};

/// The translation under test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Setup {
    /// Stage 1, stream world EL1: ASIDs under one VMID.
    El1,
    /// Stage 1, stream world EL2: one address space.
    El2,
    /// Stage 1, stream world EL2-E2H: ASIDs alone.
    El2Host,
    /// Stage 2: VMIDs.
    Stage2,
    /// Both stages, and labels through a virtual machine structure.
    Labelled,
}

impl Setup {
    pub(crate) const ALL: [Self; 5] =
        [Self::El1, Self::El2, Self::El2Host, Self::Stage2, Self::Labelled];

    pub(crate) fn is_el2(self) -> bool {
        matches!(self, Self::El2 | Self::El2Host)
    }

    /// Number of address spaces with different tags.
    pub(crate) fn contexts(self) -> usize {
        match self {
            Self::El2 => 1,
            Self::Stage2 => 2,
            Self::El1 | Self::El2Host | Self::Labelled => 4,
        }
    }
}

/// log2 of the STEs of a level-1 descriptor.
const SPLIT: u32 = 6;
/// Two streams of each of two level-1 descriptors. A Span of 4 (eight STEs) does not reach the last
/// one.
pub(crate) const STREAMS: [u32; 4] = [0x03, 0x05, 0x43, 0x49];
/// Two substreams of the first level-1 descriptor of a CD table, one of the second.
pub(crate) const SUBSTREAMS: [u32; 3] = [1, 2, 65];
/// STEs of a level-1 descriptor: none, eight, 64.
pub(crate) const SPANS: [u64; 3] = [0, 4, 7];

const LEVEL_ONE: u64 = 0x4000_0000;
const COMMANDS: u64 = 0x4001_0000;
const QUEUE_LG2: u64 = 8;
const VMS: u64 = 0x4002_0000;
const STES: u64 = 0x4010_0000;
const CD_TABLES: u64 = 0x4020_0000;
const PHYSICAL: u64 = 0x9000_0000;
const BLOCK: u64 = 2 << 20;

/// First address that devices access, and number of pages.
pub(crate) const REGION: u64 = 0x1000_0000;
pub(crate) const PAGES: u64 = 6;
pub(crate) const VMID: u64 = 5;

/// A level-1 descriptor of the Stream table: which of two tables of STEs it names, and its Span.
#[derive(Clone, Copy)]
pub(crate) struct LevelOne {
    pub(crate) array: usize,
    pub(crate) span: u64,
}

/// A two-level CD table: which of two leaf tables each level-1 descriptor names, and the contexts
/// of the CDs in them.
#[derive(Clone, Copy)]
pub(crate) struct CdTree {
    pub(crate) level_one: [Option<usize>; 2],
    /// By level-1 descriptor, leaf table, and index in [`SUBSTREAMS`].
    pub(crate) cds: [[[Option<usize>; 3]; 2]; 2],
}

/// See the [module](self).
pub(crate) struct World {
    pub(crate) setup: Setup,
    smmu: SmmuV3,
    pub(crate) memory: Memory,
    pub(crate) frames: Frames,
    pub(crate) gather: Gather,
    pub(crate) level_one: [LevelOne; 2],
    /// By level-1 descriptor, table of STEs, and one of its two streams: the CD table (at stage 2
    /// the context), or abort.
    pub(crate) stes: [[[Option<usize>; 2]; 2]; 2],
    /// Two CD tables of each stream.
    pub(crate) trees: [[CdTree; 2]; 4],
    /// The tables that each context walks.
    pub(crate) contexts: Vec<usize>,
    pub(crate) tables: Vec<Table>,
    /// Of each table: output and whether it is writable.
    pub(crate) pages: Vec<[Option<(u64, bool)>; PAGES as usize]>,
    /// Of each table: the output of a block over the whole region.
    pub(crate) blocks: Vec<Option<u64>>,
    second: Option<Table>,
    pub(crate) partid_map: [u16; 4],
    commands: Commands,
}

/// ASID of a context; VMID where translation is stage 2's.
pub(crate) fn tag(context: usize) -> u64 {
    11 + context as u64
}

impl World {
    pub(crate) fn new(setup: Setup, completion: Completion) -> Self {
        let mut memory = bare::memory();
        let mut frames = bare::frames();
        let stage = if setup == Setup::Stage2 { Stage::Two } else { Stage::One };
        let tables = (0..3).map(|_| empty_table(stage, &mut memory, &mut frames)).collect();
        let second =
            (setup == Setup::Labelled).then(|| empty_table(Stage::Two, &mut memory, &mut frames));
        let smmu = SmmuV3::new(Implementation {
            ids: DESCRIPTION.id_registers().expect("a description without contradictions"),
            retention: Retention::Everything,
            caches: Caches::EVERYTHING,
            choices: Choices { completion, ..Choices::default() },
            ..Implementation::default()
        });
        let count = setup.contexts();
        let tree = |number: usize| CdTree {
            level_one: [Some(number), Some(0)],
            // One of them names no context.
            cds: [0, 1].map(|l1| {
                let named = |leaf: usize, n: usize| (number + l1 + 2 * leaf + n) % (count + 1);
                let cd = |leaf: usize, n: usize| Some(named(leaf, n)).filter(|k| *k < count);
                [0, 1].map(|leaf| [0, 1, 2].map(|n| cd(leaf, n)))
            }),
        };
        let mut world = Self {
            setup,
            smmu,
            memory,
            frames,
            gather: Gather::new(),
            level_one: [LevelOne { array: 0, span: 7 }; 2],
            stes: [[[Some(0), Some(1)], [Some(1), None]]; 2],
            trees: [[tree(0), tree(1)]; 4],
            // Two of them walk the same tables.
            contexts: [0, 0, 1, 2][..count].to_vec(),
            tables,
            pages: vec![[None; PAGES as usize]; 3],
            blocks: vec![None; 3],
            second,
            partid_map: [9, 8, 7, 6],
            commands: Commands::new(COMMANDS, QUEUE_LG2),
        };
        world.boot();
        world
    }

    fn boot(&mut self) {
        if self.second.is_some() {
            // Everything that stage 1 points to, and all that is read through stage 2, identity
            // mapped.
            for (start, blocks) in [(0x4000_0000, 64), (PHYSICAL, 16)] {
                (0..blocks).for_each(|n| self.map_second(start + n * BLOCK));
            }
        }
        for stream in 0..STREAMS.len() {
            for array in [0, 1] {
                self.write_ste(stream, array);
            }
            for (tree, l1) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                self.write_level_one_cd(stream, tree, l1);
            }
            for (tree, leaf) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                (0..SUBSTREAMS.len()).for_each(|n| self.write_cd(stream, tree, leaf, n));
            }
        }
        (0..2).for_each(|descriptor| self.write_level_one(descriptor));
        self.write_partid_map();
        let host = u64::from(self.setup == Setup::El2Host);
        for (offset, width, value) in [
            (0x2c, Width::W32, host),
            (0x80, Width::W64, LEVEL_ONE),
            // FMT 1, SPLIT 6, LOG2SIZE 8.
            (0x88, Width::W32, 1 << 16 | u64::from(SPLIT) << 6 | 8),
            (0x90, Width::W64, self.commands.base()),
            (0x20, Width::W32, 0x9),
        ] {
            self.smmu.store(offset, width, value, &mut self.memory);
        }
    }

    fn map_second(&mut self, at: u64) {
        let second = self.second.as_mut().expect("there is a stage 2");
        let mapping = normal(at, at, BLOCK, true);
        let done = second.map(&mut self.memory, &mut self.frames, &mapping, &mut self.gather);
        assert_eq!(done, Ok(()));
    }

    fn put(&mut self, at: u64, words: &[u64]) {
        put(&mut self.memory, at, words);
    }

    pub(crate) fn write_level_one(&mut self, descriptor: usize) {
        let LevelOne { array, span } = self.level_one[descriptor];
        self.put(LEVEL_ONE + 8 * descriptor as u64, &[array_at(descriptor, array) | span]);
    }

    /// Writes the STE of a stream in one of its two tables.
    pub(crate) fn write_ste(&mut self, stream: usize, array: usize) {
        let (descriptor, which) = (stream / 2, stream % 2);
        let index = u64::from(STREAMS[stream]) & ((1 << SPLIT) - 1);
        let at = array_at(descriptor, array) + 64 * index;
        let Some(number) = self.stes[descriptor][array][which] else {
            return self.put(at, &[1, 0, 0, 0]);
        };
        // S1Fmt 1 (4K leaves), S1CDMax 7: 128 CDs.
        let cds = tree_at(stream, number) | 1 << 4 | 7 << 59;
        let words = match self.setup {
            Setup::El1 => [cds | 0xb, 0, VMID, 0, 0, 0],
            Setup::El2 | Setup::El2Host => [cds | 0xb, 2 << 30, 0, 0, 0, 0],
            Setup::Stage2 => {
                let root = self.tables[self.contexts[number]].root().get();
                [0xd, 0, 0x040c_3594_0000_0000 | tag(number), root, 0, 0]
            }
            Setup::Labelled => {
                let root = self.second.as_ref().expect("a stage 2").root().get();
                // S1MPAM; S2T0SZ 20, SL0 2, 4K, PS 44, AA64, R.
                [cds | 0xf, 1 << 26, 0x040c_3594_0000_0000 | VMID, root, 0, VMS]
            }
        };
        self.put(at, &words);
    }

    pub(crate) fn write_level_one_cd(&mut self, stream: usize, tree: usize, l1: usize) {
        let leaf = self.trees[stream][tree].level_one[l1];
        let word = leaf.map_or(0, |leaf| leaf_at(stream, tree, l1, leaf) | 1);
        self.put(tree_at(stream, tree) + 8 * l1 as u64, &[word]);
    }

    pub(crate) fn write_cd(&mut self, stream: usize, tree: usize, leaf: usize, n: usize) {
        let l1 = (SUBSTREAMS[n] >> 6) as usize;
        let at = leaf_at(stream, tree, l1, leaf) + 64 * u64::from(SUBSTREAMS[n] & 63);
        let Some(context) = self.trees[stream][tree].cds[l1][leaf][n] else {
            return self.put(at, &[0]);
        };
        // T0SZ 25 (39 bits), EPD1, V, IPS 44, AA64, R, A, ASET; PARTID and PMG by context.
        let word0 = tag(context) << 48 | 0xe204_c000_3519;
        let root = self.tables[self.contexts[context]].root().get();
        let label = (context as u64) << 32 | (context as u64) << 48;
        self.put(at, &[word0, root, 0, 0xffff_ffff_f404_ff44, 0, label]);
    }

    pub(crate) fn write_partid_map(&mut self) {
        let [a, b, c, d] = self.partid_map.map(u64::from);
        self.put(VMS, &[a | b << 16 | c << 32 | d << 48]);
    }

    /// Gives the SMMU a command and time to consume it.
    pub(crate) fn command(&mut self, words: [u64; 2]) {
        self.commands.give(words, &mut self.smmu, &mut self.memory);
    }

    pub(crate) fn map(&mut self, table: usize, page: u64, target: u64, writable: bool) {
        let (input, output) = (REGION + (page << 12), PHYSICAL + (target << 12));
        self.map_leaf(table, input, output, 0x1000, writable);
        self.pages[table][page as usize] = Some((output, writable));
    }

    pub(crate) fn map_block(&mut self, table: usize, target: u64) {
        let output = PHYSICAL + target * BLOCK;
        self.map_leaf(table, REGION, output, BLOCK, true);
        self.blocks[table] = Some(output);
    }

    fn map_leaf(&mut self, table: usize, input: u64, output: u64, size: u64, writable: bool) {
        let mapping = normal(input, output, size, writable);
        let (memory, frames) = (&mut self.memory, &mut self.frames);
        let done = self.tables[table].map(memory, frames, &mapping, &mut self.gather);
        assert_eq!(done, Ok(()), "nothing is in the way");
    }

    pub(crate) fn unmap(&mut self, table: usize, page: u64) {
        let input = REGION + (page << 12);
        self.tables[table].unmap(&mut self.memory, input, 0x1000, &mut self.gather);
        self.pages[table][page as usize] = None;
    }

    pub(crate) fn unmap_block(&mut self, table: usize) {
        self.tables[table].unmap(&mut self.memory, REGION, BLOCK, &mut self.gather);
        self.blocks[table] = None;
    }

    /// The CD table (at stage 2 the context) of a stream, if its STE is reachable.
    pub(crate) fn reached(&self, stream: usize) -> Option<usize> {
        let LevelOne { array, span } = self.level_one[stream / 2];
        let index = u64::from(STREAMS[stream]) & ((1 << SPLIT) - 1);
        let inside = span != 0 && index >> (span - 1) == 0;
        self.stes[stream / 2][array][stream % 2].filter(|_| inside)
    }

    /// The context of a substream, if its CD is reachable.
    pub(crate) fn context(&self, stream: usize, n: usize) -> Option<usize> {
        let number = self.reached(stream)?;
        if self.setup == Setup::Stage2 {
            return Some(number);
        }
        let tree = &self.trees[stream][number];
        let l1 = (SUBSTREAMS[n] >> 6) as usize;
        tree.cds[l1][tree.level_one[l1]?][n]
    }

    /// Where an access must end, and with which label.
    fn expected(&self, stream: usize, n: usize, page: u64, write: bool) -> Option<End> {
        let context = self.context(stream, n)?;
        let table = self.contexts[context];
        let label = (self.setup == Setup::Labelled && !write)
            .then(|| Label { partid: Some(self.partid_map[context]), pmg: Some(context as u8) });
        if let Some(target) = self.blocks[table] {
            return Some((target + (page << 12) + 8, label));
        }
        let (target, writable) = self.pages[table][page as usize]?;
        (writable || !write).then_some((target + 8, label))
    }

    /// Where an access ends.
    fn found(&mut self, stream: usize, n: usize, page: u64, write: bool) -> Option<End> {
        let with = self.setup != Setup::Stage2;
        let substream = with.then(|| SubstreamId::new(SUBSTREAMS[n]));
        let (device, stream) = (DeviceId::new(0), StreamId::new(STREAMS[stream]));
        let requester = Requester { stream, substream, device };
        let access = if write { Access::WRITE } else { Access::READ };
        let iova = Iova::new(REGION + (page << 12) + 8);
        let txn = Transaction { requester, iova, access };
        let Outcome::Translated(translated) = self.smmu.translate(&mut self.memory, &txn) else {
            return None;
        };
        // Only for reads: a write has the same label, and explaining takes time.
        let labelled = self.setup == Setup::Labelled && !write;
        let label = labelled.then(|| self.smmu.explain(&self.memory, &txn).label);
        Some((translated.pa.get(), label.flatten()))
    }

    /// An access that does not end where it should, in words.
    pub(crate) fn difference(&mut self) -> Option<String> {
        let substreams = if self.setup == Setup::Stage2 { 1 } else { SUBSTREAMS.len() };
        for (stream, sid) in STREAMS.into_iter().enumerate() {
            for (n, ssid) in SUBSTREAMS.into_iter().enumerate().take(substreams) {
                for (page, write) in (0..PAGES).flat_map(|page| [(page, false), (page, true)]) {
                    let expected = self.expected(stream, n, page, write);
                    let found = self.found(stream, n, page, write);
                    if found != expected {
                        return Some(format!(
                            "stream {sid:#x}, substream {ssid}, page {page}, write {write}: \
                             {found:x?}, configured is {expected:x?}"
                        ));
                    }
                }
            }
        }
        None
    }
}

/// The address at which an access ends, and its label if there are labels.
type End = (u64, Option<Label>);

/// A table of 64 STEs.
fn array_at(descriptor: usize, array: usize) -> u64 {
    STES + ((2 * descriptor + array) as u64) * 0x1000
}

fn tree_at(stream: usize, tree: usize) -> u64 {
    CD_TABLES + ((2 * stream + tree) as u64) * 0x1_0000
}

fn leaf_at(stream: usize, tree: usize, l1: usize, leaf: usize) -> u64 {
    tree_at(stream, tree) + 0x1000 * (1 + 2 * l1 + leaf) as u64
}
