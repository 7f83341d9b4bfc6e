//! Memory, an SMMU, tables, and a device that accesses every page.

use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::Table;
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{Access, DeviceId, Frames, Iova, Memory, PhysAddr, Requester, StreamId, Width};
use passim_oracle as oracle;
use passim_smmu::SmmuV3;
use passim_smmu::cache::Retention;
use passim_smmu::v3::{Caches, Implementation, Outcome, Transaction};
use passim_tests::bare::{
    self, Commands, DESCRIPTION, TABLE_BYTES, TABLES, empty_table, normal, put,
};

/// The stages that translate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Setup {
    Stage1,
    Stage2,
    Nested,
}

impl Setup {
    pub(crate) const ALL: [Self; 3] = [Self::Stage1, Self::Stage2, Self::Nested];
}

const STREAM: u32 = 3;
const STREAMS: u64 = 0x4000_0000;
const COMMANDS: u64 = 0x4001_0000;
const CD: u64 = 0x4002_0000;
/// log2 of the Command queue's entries.
const QUEUE_LG2: u64 = 8;
/// Outputs of stage 1 where there is a stage 2: IPAs of 64 pages.
pub(crate) const DATA: u64 = 0x8000_0000;
/// Final address of the data.
pub(crate) const PHYSICAL: u64 = 0x9000_0000;

/// Two regions of 2M; in each, the first sixteen pages and the last are accessed.
pub(crate) const REGIONS: [u64; 2] = [0x1000_0000, 0x1020_0000];
pub(crate) const BLOCK: u64 = 2 << 20;
pub(crate) const PAGES: u64 = 16;

pub(crate) const ASID: u64 = 7;
pub(crate) const VMID: u64 = 5;

/// See the [module](self).
pub(crate) struct Rig {
    pub(crate) setup: Setup,
    smmu: SmmuV3,
    pub(crate) memory: Memory,
    pub(crate) frames: Frames,
    /// Tables of the first stage, and which of them the CD (or STE) points to.
    pub(crate) first: [Table; 2],
    pub(crate) current: usize,
    /// Stage 2 tables, where it is the second stage.
    pub(crate) second: Option<Table>,
    pub(crate) gather: Gather,
    /// Whether the STE translates, rather than aborts.
    pub(crate) attached: bool,
    commands: Commands,
}

impl Rig {
    /// Creates a rig whose SMMU evicts nothing.
    pub(crate) fn new(setup: Setup) -> Self {
        Self::with(setup, Retention::Everything, Caches::EVERYTHING)
    }

    /// Creates a rig whose SMMU has these caches.
    pub(crate) fn sized(setup: Setup, caches: Caches) -> Self {
        Self::with(setup, Retention::Sized, caches)
    }

    fn with(setup: Setup, retention: Retention, caches: Caches) -> Self {
        let mut memory = bare::memory();
        let mut frames = bare::frames();
        let stage = if setup == Setup::Stage2 { Stage::Two } else { Stage::One };
        let first = [0; 2].map(|_| empty_table(stage, &mut memory, &mut frames));
        let second =
            (setup == Setup::Nested).then(|| empty_table(Stage::Two, &mut memory, &mut frames));
        let ids = DESCRIPTION.id_registers().expect("a description without contradictions");
        let built = Implementation { ids, retention, caches, ..Implementation::default() };
        let smmu = SmmuV3::new(built);
        let gather = Gather::new();
        let mut rig = Self {
            setup,
            smmu,
            memory,
            frames,
            first,
            current: 0,
            second,
            gather,
            attached: true,
            commands: Commands::new(COMMANDS, QUEUE_LG2),
        };
        rig.boot();
        rig
    }

    fn boot(&mut self) {
        if self.second.is_some() {
            // Tables and the CD identity mapped, data to its final address.
            self.map_second(CD & !(BLOCK - 1), CD & !(BLOCK - 1), BLOCK);
            self.map_second(TABLES, TABLES, TABLE_BYTES);
            for page in 0..64 {
                self.map_second(DATA + (page << 12), PHYSICAL + (page << 12), 0x1000);
            }
        }
        self.write_cd();
        self.write_ste();
        for (offset, width, value) in [
            (0x80, Width::W64, STREAMS),
            (0x88, Width::W32, 4),
            (0x90, Width::W64, self.commands.base()),
            (0x20, Width::W32, 0x9),
        ] {
            self.smmu.store(offset, width, value, &mut self.memory);
        }
    }

    pub(crate) fn map_second(&mut self, input: u64, output: u64, size: u64) {
        let second = self.second.as_mut().expect("there is a stage 2");
        let mapping = normal(input, output, size, true);
        let done = second.map(&mut self.memory, &mut self.frames, &mapping, &mut self.gather);
        assert_eq!(done, Ok(()));
    }

    fn put(&mut self, at: u64, words: &[u64]) {
        put(&mut self.memory, at, words);
    }

    /// Writes the CD: T0SZ 25 (39 bits), EPD1, V, IPS 44, AA64, R, A, ASET, ASID.
    pub(crate) fn write_cd(&mut self) {
        let word0 = ASID << 48 | 0xe204_c000_3519;
        let root = self.first[self.current].root().get();
        self.put(CD, &[word0, root, 0, 0xffff_ffff_f404_ff44]);
    }

    /// Writes the STE: Config by setup, or 0b000.
    pub(crate) fn write_ste(&mut self) {
        let root = match &self.second {
            Some(second) => second.root().get(),
            None => self.first[self.current].root().get(),
        };
        let config = match (self.attached, self.setup) {
            (false, _) => 0,
            (true, Setup::Stage1) => 0b101,
            (true, Setup::Stage2) => 0b110,
            (true, Setup::Nested) => 0b111,
        };
        // S2T0SZ 20 (44 bits), SL0 2, 4K, PS 44, AA64, R.
        let word2 = 0x040c_3594_0000_0000 | VMID;
        let at = STREAMS + 64 * u64::from(STREAM);
        self.put(at, &[1 | config << 1 | CD, 0xd6, word2, root]);
    }

    /// Submits a command to the SMMU and runs it until it is consumed.
    pub(crate) fn command(&mut self, words: [u64; 2]) {
        self.commands.give(words, &mut self.smmu, &mut self.memory);
    }

    /// The address that the device's access reaches.
    fn reaches(&mut self, iova: u64, access: Access) -> Option<u64> {
        let stream = StreamId::new(STREAM);
        let requester = Requester { stream, substream: None, device: DeviceId::new(STREAM) };
        let txn = Transaction { requester, iova: Iova::new(iova), access };
        match self.smmu.translate(&mut self.memory, &txn) {
            Outcome::Translated(translated) => Some(translated.pa.get()),
            Outcome::Terminated(_) | Outcome::Stalled(_) => None,
        }
    }

    /// The address that it must reach by the tables in memory.
    fn expected(&self, iova: u64, access: Access) -> Option<u64> {
        if !self.attached {
            return None;
        }
        let word = |at| self.memory.load_u64(PhysAddr::new(at)).ok();
        let leaf = |table: &Table, input| {
            let geometry = table.geometry();
            let (granule, root) = (oracle::Granule::Size4K, table.root().get());
            let bits = geometry.input_bits as u8;
            let config = match geometry.stage {
                Stage::One => oracle::walk::Config::stage1(granule, root, bits, 44),
                Stage::Two => {
                    let level = geometry.start_level;
                    oracle::walk::Config::stage2(granule, root, bits, level, 44)
                }
            };
            let leaf = oracle::walk::translate(&config, input, word).ok()?;
            let permitted = if access.is_write() { leaf.writable } else { leaf.readable };
            permitted.then_some(leaf.pa)
        };
        let first = leaf(&self.first[self.current], iova)?;
        match &self.second {
            None => Some(first),
            Some(second) => leaf(second, first),
        }
    }

    /// The address that each access reaches; `empty`: with empty caches.
    pub(crate) fn answers(&mut self, empty: bool) -> Vec<Option<u64>> {
        let pages = REGIONS.iter().flat_map(|region| (0..PAGES).map(move |page| (region, page)));
        let accesses = pages.flat_map(|(region, page)| {
            let iova = region + (page << 12) + 8;
            [(iova, Access::READ), (iova, Access::WRITE)]
        });
        let all: Vec<_> = accesses.collect();
        let ends = all.into_iter().map(|(iova, access)| {
            if empty {
                self.smmu.clear_caches();
            }
            self.reaches(iova, access)
        });
        ends.collect()
    }

    /// An access that does not end where it should, in words.
    pub(crate) fn difference(&mut self) -> Option<String> {
        for region in REGIONS {
            for page in (0..PAGES).chain([511]) {
                let iova = region + (page << 12) + 8;
                for access in [Access::READ, Access::WRITE] {
                    let expected = self.expected(iova, access);
                    let found = self.reaches(iova, access);
                    if found != expected {
                        return Some(format!(
                            "{iova:#x} {access:?}: {found:x?}, tables say {expected:x?}"
                        ));
                    }
                }
            }
        }
        None
    }
}
