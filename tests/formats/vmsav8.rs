//! VMSAv8-64: both stages, the three granules, every input size; with DS too.

use crate::suite::{Answer, Format};
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk::{self, Config, Fault, PlainFetch};
use passim_model::{Abort, Memory, Perms, PhysAddr};
use passim_oracle as oracle;
use passim_oracle::rights::Rules;
use passim_oracle::walk::{HighAddress, Privilege, TablePermissions};

/// One shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vmsav8 {
    pub(crate) stage: Stage,
    pub(crate) granule: Granule,
    pub(crate) input_bits: u32,
    pub(crate) start_level: i8,
    pub(crate) output_bits: u32,
    /// At least `output_bits`; it decides the format of descriptors of the 64K granule.
    pub(crate) implemented_bits: u32,
    pub(crate) ds: bool,
}

const GRANULES: [Granule; 3] = [Granule::K4, Granule::K16, Granule::K64];

/// log2 of the bytes that an entry translates; the 4K granule has a level -1.
fn entry_lg2(granule: Granule, level: i8) -> u32 {
    granule.lg2() + (3 - level) as u32 * granule.index_bits()
}

impl Vmsav8 {
    /// Stage 1: the input size decides the start level.
    pub(crate) fn stage1() -> Vec<Self> {
        let mut shapes = Vec::new();
        for granule in GRANULES {
            let most = if granule == Granule::K64 { 52 } else { 48 };
            for input_bits in granule.lg2() + 1..=most {
                for output_bits in [40, 48, 52] {
                    let level = Config::start_level_for(granule, input_bits) as i8;
                    let shape = Self::new(Stage::One, granule, input_bits, level, output_bits);
                    shapes.push(shape);
                    if granule == Granule::K64 && output_bits < 52 {
                        shapes.push(Self { implemented_bits: 52, ..shape });
                    }
                }
            }
        }
        shapes
    }

    /// Stage 2: every start level with at most sixteen concatenated tables.
    pub(crate) fn stage2() -> Vec<Self> {
        let mut shapes = Vec::new();
        for granule in GRANULES {
            let most = if granule == Granule::K64 { 52 } else { 48 };
            for input_bits in granule.lg2() + 1..=most {
                for level in 0..=3 {
                    let shape = Self::new(Stage::Two, granule, input_bits, level, 48);
                    if !shape.is_possible(4) {
                        continue;
                    }
                    shapes.push(shape);
                    if granule == Granule::K64 {
                        shapes.push(Self { implemented_bits: 52, ..shape });
                        shapes.push(Self { implemented_bits: 52, output_bits: 40, ..shape });
                        shapes.push(Self { implemented_bits: 52, output_bits: 52, ..shape });
                    }
                }
            }
        }
        shapes
    }

    /// DS: the small granules up to 52 bits, both stages.
    pub(crate) fn wide() -> Vec<Self> {
        let mut shapes = Vec::new();
        for (stage, most) in [(Stage::One, 0), (Stage::Two, 4)] {
            for granule in [Granule::K4, Granule::K16] {
                let first = if granule == Granule::K4 { -1 } else { 0 };
                for input_bits in granule.lg2() + 1..=52 {
                    for (level, output_bits) in (first..=3).flat_map(|l| [(l, 48), (l, 52)]) {
                        let shape = Self::new(stage, granule, input_bits, level, output_bits);
                        if shape.is_possible(most) {
                            shapes.push(Self { ds: true, ..shape });
                        }
                    }
                }
            }
        }
        shapes
    }

    fn new(
        stage: Stage,
        granule: Granule,
        input_bits: u32,
        start_level: i8,
        output_bits: u32,
    ) -> Self {
        let implemented_bits = output_bits;
        Self { stage, granule, input_bits, start_level, output_bits, implemented_bits, ds: false }
    }

    /// Whether the start level exists, resolves at least one bit, and needs at most `1 << most`
    /// tables.
    fn is_possible(&self, most: u32) -> bool {
        let lg2 = entry_lg2(self.granule, self.start_level);
        let exists = self.granule != Granule::K64 || self.start_level >= 1;
        let widest = lg2 + self.granule.index_bits() + most;
        exists && lg2 < self.input_bits && self.input_bits <= widest
    }

    fn config(&self, root: u64) -> Config {
        Config {
            format: walk::Format::Aarch64,
            stage: self.stage,
            granule: self.granule,
            input_bits: self.input_bits,
            start_level: self.start_level,
            root,
            output_bits: self.output_bits,
            implemented_bits: self.implemented_bits,
            ds: self.ds,
            hierarchical: true,
            access_flag_faults: true,
            dirty_state: false,
        }
    }

    fn oracle_granule(&self) -> oracle::Granule {
        match self.granule {
            Granule::K4 => oracle::Granule::Size4K,
            Granule::K16 => oracle::Granule::Size16K,
            Granule::K64 => oracle::Granule::Size64K,
        }
    }

    fn oracle_stage(&self) -> oracle::Stage {
        match self.stage {
            Stage::One => oracle::Stage::One,
            Stage::Two => oracle::Stage::Two,
        }
    }

    fn narrow(&self, root: u64) -> oracle::walk::Config {
        // Only 64K descriptors can encode output addresses of 52 bits.
        let output = match self.granule {
            Granule::K64 => self.output_bits,
            Granule::K4 | Granule::K16 => self.output_bits.min(48),
        } as u8;
        let (granule, bits) = (self.oracle_granule(), self.input_bits as u8);
        let config = match self.stage {
            Stage::One => oracle::walk::Config::stage1(granule, root, bits, output),
            Stage::Two => {
                let level = self.start_level as u8;
                oracle::walk::Config::stage2(granule, root, bits, level, output)
            }
        };
        let high_address = match self.implemented_bits {
            52 => HighAddress::Present,
            _ => HighAddress::Reserved,
        };
        oracle::walk::Config { high_address, ..config }
    }

    fn wide_answer(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        use oracle::wide::{Config, Fault, translate};
        let config = Config {
            granule: self.oracle_granule(),
            stage: self.oracle_stage(),
            base: root,
            input_bits: self.input_bits as u8,
            start_level: self.start_level,
            output_bits: self.output_bits as u8,
            privilege: Privilege::Unprivileged,
            table_permissions: TablePermissions::Honoured,
            rules: Rules { xnx: true, ..Rules::default() },
        };
        match translate(&config, input, |at| word(memory, at)) {
            Ok(leaf) => of_leaf(&leaf),
            Err(Fault::Translation(level)) => Answer::Translation(level),
            Err(Fault::AddressSize(level)) => Answer::AddressSize(level),
            Err(Fault::Access(level)) => Answer::AccessFlag(level),
            Err(Fault::Abort(at)) => Answer::Abort(at),
        }
    }
}

fn word(memory: &Memory, at: u64) -> Option<u64> {
    memory.load_u64(PhysAddr::new(at)).ok()
}

fn of_leaf(leaf: &oracle::walk::Leaf) -> Answer {
    let oracle::walk::Leaf { pa, block_size, readable, writable, executable } = *leaf;
    let letters = [(readable, Perms::READ), (writable, Perms::WRITE), (executable, Perms::EXEC)];
    let perms = letters.into_iter().filter(|(is, _)| *is).map(|(_, perms)| perms).collect();
    Answer::Leaf { output: pa, size: block_size, perms }
}

impl Format for Vmsav8 {
    fn levels(&self) -> (i8, i8) {
        (self.start_level, 3)
    }

    fn input_bits(&self) -> u32 {
        self.input_bits
    }

    fn entry_lg2(&self, level: i8) -> u32 {
        entry_lg2(self.granule, level)
    }

    fn word_lg2(&self) -> u32 {
        3
    }

    fn table_lg2(&self) -> u32 {
        self.granule.lg2()
    }

    fn table(&self, level: i8, at: u64) -> u64 {
        // Every other table limits permissions: APTable[1] or APTable[0], and half of those XNTable
        // too.
        let limits = self.stage == Stage::One && at & 0x1_0000 != 0;
        let bit = |is: bool, at: u32| u64::from(is) << at;
        let xn = limits && at & 0x2_0000 != 0;
        at | 3 | bit(limits, if level & 1 == 0 { 61 } else { 62 }) | bit(xn, 60)
    }

    fn kinds(&self, level: i8, seed: u64) -> Vec<u64> {
        let size = 1u64 << self.entry_lg2(level);
        let inside = (1u64 << self.output_bits.min(44)) - 1;
        let output = (seed * 5 + 3).wrapping_mul(size) & inside & !(size - 1);
        // Where descriptors encode addresses of 52 bits, a high part as well.
        let high = match (self.ds, self.granule) {
            (true, _) => (seed & 3) << 48 | (seed >> 2 & 3) << 8,
            (false, Granule::K64) => (seed & 0xf) << 12,
            (false, _) => 0,
        };
        let last = level == 3;
        let leaf = if last { 3 } else { 1 };
        let mut kinds = vec![
            0,
            // All bits set except the valid bit.
            !1,
            // The type that this level does not have.
            output | 0x4c1 & !2 | u64::from(!last) << 1 | 1,
            // No access flag.
            output | 0x0c0 | leaf,
            output | high | 0x440 | leaf,
        ];
        for ap in 0..4 {
            kinds.push(output | 0x400 | ap << 6 | leaf);
            for xn in 1..4 {
                kinds.push(output | high | 0x400 | ap << 6 | leaf | xn << 53);
            }
        }
        // Beyond the output size, if it leaves such a bit.
        kinds.push(1 << 47 | 0x440 | leaf);
        kinds.push(1 << 45 | 0x440 | leaf);
        // Every bit set.
        kinds.push(!2 | leaf);
        kinds.push(u64::MAX);
        kinds
    }

    fn put(&self, memory: &mut Memory, at: u64, entry: u64) {
        memory.store_u64(PhysAddr::new(at), entry).expect("tables lie in RAM");
    }

    fn hardware(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        match walk::walk(&self.config(root), input, &mut PlainFetch(memory)) {
            Ok(leaf) => Answer::Leaf {
                output: leaf.translate(input),
                size: 1 << leaf.lg2,
                perms: leaf.unprivileged,
            },
            Err(Fault::Translation { level }) => Answer::Translation(level),
            Err(Fault::AddressSize { level }) => Answer::AddressSize(level),
            Err(Fault::AccessFlag { level }) => Answer::AccessFlag(level),
            Err(Fault::Fetch { cause: Abort(at), .. }) => Answer::Abort(at.get()),
        }
    }

    fn oracle(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        use oracle::walk::{Fault, translate};
        if self.ds {
            return self.wide_answer(memory, root, input);
        }
        match translate(&self.narrow(root), input, |at| word(memory, at)) {
            Ok(leaf) => of_leaf(&leaf),
            Err(Fault::Translation { level }) => Answer::Translation(level as i8),
            Err(Fault::AddressSize { level }) => Answer::AddressSize(level as i8),
            Err(Fault::Access { level }) => Answer::AccessFlag(level as i8),
            Err(Fault::Abort { pa }) => Answer::Abort(pa),
        }
    }
}
