//! The formats of AArch32: short descriptors, and long ones of both stages.

use crate::suite::{Answer, Format};
use passim_model::pgtable::vmsav7l;
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk::{self, Config, Fault, PlainFetch};
use passim_model::{Abort, Memory, Perms, PhysAddr};
use passim_oracle::aarch32::{Long, Mapped, Short, Stop};

/// Short descriptors: the size of the first table, and the model of AP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vmsav7s {
    pub(crate) n: u32,
    pub(crate) simplified: bool,
    pub(crate) output_bits: u32,
}

/// Long descriptors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vmsav7l {
    pub(crate) stage: Stage,
    pub(crate) input_bits: u32,
    pub(crate) start_level: i8,
    pub(crate) output_bits: u32,
}

fn config(format: walk::Format, stage: Stage, bits: (u32, u32), level: i8, root: u64) -> Config {
    Config {
        format,
        stage,
        granule: Granule::K4,
        input_bits: bits.0,
        start_level: level,
        root,
        output_bits: bits.1,
        implemented_bits: bits.1,
        ds: false,
        hierarchical: true,
        access_flag_faults: true,
        dirty_state: false,
    }
}

fn hardware(config: &Config, memory: &Memory, input: u64) -> Answer {
    match walk::walk(config, input, &mut PlainFetch(memory)) {
        Ok(leaf) => Answer::Leaf {
            output: leaf.translate(input),
            size: 1 << leaf.lg2,
            perms: leaf.unprivileged,
        },
        Err(Fault::Translation { level }) => Answer::Translation(level),
        Err(Fault::AddressSize { level }) => Answer::AddressSize(level),
        Err(Fault::AccessFlag { level }) => Answer::AccessFlag(level),
        // The fetch of the doubleword with a short descriptor does not answer.
        Err(Fault::Fetch { cause: Abort(at), .. }) => Answer::Abort(at.get() & !7),
    }
}

fn told(found: Result<Mapped, Stop>) -> Answer {
    match found {
        Ok(Mapped { pa, size, user, .. }) => {
            let letters =
                [(user.read, Perms::READ), (user.write, Perms::WRITE), (user.fetch, Perms::EXEC)];
            let perms = letters.into_iter().filter(|(is, _)| *is).map(|(_, perms)| perms);
            Answer::Leaf { output: pa, size, perms: perms.collect() }
        }
        Err(Stop::Translation(level)) => Answer::Translation(level as i8),
        Err(Stop::AddressSize(level)) => Answer::AddressSize(level as i8),
        Err(Stop::AccessFlag(level)) => Answer::AccessFlag(level as i8),
        Err(Stop::Abort(at)) => Answer::Abort(at & !7),
    }
}

impl Vmsav7s {
    /// Every TTBCR.N, both models of AP, with and without room for supersections.
    pub(crate) fn shapes() -> Vec<Self> {
        let sizes = (0..8).flat_map(|n| [32, 36, 40].map(|output_bits| (n, output_bits)));
        sizes
            .flat_map(|(n, output_bits)| {
                [false, true].map(|simplified| Self { n, simplified, output_bits })
            })
            .collect()
    }
}

impl Format for Vmsav7s {
    fn levels(&self) -> (i8, i8) {
        (1, 2)
    }

    fn input_bits(&self) -> u32 {
        32 - self.n
    }

    fn entry_lg2(&self, level: i8) -> u32 {
        if level == 1 { 20 } else { 12 }
    }

    fn word_lg2(&self) -> u32 {
        2
    }

    fn table_lg2(&self) -> u32 {
        10
    }

    fn table(&self, _level: i8, at: u64) -> u64 {
        // Every other table forbids privileged execution; the domain is arbitrary.
        at | 1 | (at >> 10 & 1) << 2 | 0xa << 5
    }

    fn kinds(&self, level: i8, seed: u64) -> Vec<u64> {
        let output = seed * 0x35 + 0x7;
        let mut kinds = vec![0, 0xffff_fffc];
        if level == 1 {
            let (section, supersection) = (output << 20 & 0xfff0_0000, output << 24 & 0xff00_0000);
            for ap in 0..8u64 {
                let bits = (ap & 3) << 10 | (ap >> 2) << 15;
                kinds.push(section | bits | 2);
                kinds.push(section | bits | 3 | 1 << 4);
                kinds.push(supersection | bits | 2 | 1 << 18);
                kinds
                    .push(supersection | bits | 2 | 1 << 18 | (seed & 0xf) << 20 | (seed & 3) << 5);
            }
        } else {
            let (small, large) = (output << 12 & 0xffff_f000, output << 16 & 0xffff_0000);
            for ap in 0..8u64 {
                let bits = (ap & 3) << 4 | (ap >> 2) << 9;
                kinds.push(small | bits | 2);
                kinds.push(small | bits | 3 | 1 << 11);
                kinds.push(large | bits | 1);
                kinds.push(large | bits | 1 | 0xf << 12);
            }
        }
        kinds.push(0xffff_ffff);
        kinds
    }

    fn put(&self, memory: &mut Memory, at: u64, entry: u64) {
        memory.write(PhysAddr::new(at), &(entry as u32).to_le_bytes()).expect("tables lie in RAM");
    }

    fn hardware(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        let format = walk::Format::Short { simplified: self.simplified };
        let bits = (self.input_bits(), self.output_bits);
        hardware(&config(format, Stage::One, bits, 1, root), memory, input)
    }

    fn oracle(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        let Self { n, simplified: afe, output_bits } = *self;
        let short = Short { ttbr: root, n, afe, flag_faults: true, output_bits };
        let word = |at| {
            let mut bytes = [0; 4];
            memory.read(PhysAddr::new(at), &mut bytes).ok()?;
            Some(u32::from_le_bytes(bytes))
        };
        told(short.walk(word, input))
    }

    fn every(&self) -> u64 {
        3
    }
}

impl Vmsav7l {
    /// Every T0SZ.
    pub(crate) fn stage1() -> Vec<Self> {
        let sizes = (0..8).flat_map(|t0sz| [36, 40].map(|output_bits| (32 - t0sz, output_bits)));
        let shape = |(input_bits, output_bits)| Self {
            stage: Stage::One,
            input_bits,
            start_level: vmsav7l::stage1_start_level(input_bits) as i8,
            output_bits,
        };
        sizes.map(shape).collect()
    }

    /// Every T0SZ, with the SL0 values valid for it.
    pub(crate) fn stage2() -> Vec<Self> {
        let from_2 = (25..=34).map(|input_bits| (input_bits, 2));
        let from_1 = (31..=40).map(|input_bits| (input_bits, 1));
        let shape = |(input_bits, start_level)| Self {
            stage: Stage::Two,
            input_bits,
            start_level,
            output_bits: 40,
        };
        from_2.chain(from_1).map(shape).collect()
    }

    fn long(&self, root: u64) -> Long {
        Long {
            base: root,
            input_bits: self.input_bits,
            start_level: self.start_level as u8,
            second_stage: self.stage == Stage::Two,
            flag_faults: true,
            output_bits: self.output_bits,
        }
    }
}

impl Format for Vmsav7l {
    fn levels(&self) -> (i8, i8) {
        (self.start_level, 3)
    }

    fn input_bits(&self) -> u32 {
        self.input_bits
    }

    fn entry_lg2(&self, level: i8) -> u32 {
        12 + 9 * (3 - level) as u32
    }

    fn word_lg2(&self) -> u32 {
        3
    }

    fn table_lg2(&self) -> u32 {
        12
    }

    fn table(&self, level: i8, at: u64) -> u64 {
        let limits = if self.stage == Stage::One { at >> 12 & 0xf } else { 0 };
        at | 3 | limits << (59 + (level & 1) as u64) & !(1 << 63)
    }

    fn kinds(&self, level: i8, seed: u64) -> Vec<u64> {
        let size = 1u64 << self.entry_lg2(level);
        let output = (seed * 5 + 3).wrapping_mul(size) & ((1 << self.output_bits) - 1);
        let last = level == 3;
        let leaf = if last { 3 } else { 1 };
        let mut kinds = vec![0, !1, output | 0x4c1 & !2 | u64::from(!last) << 1 | 1];
        for ap in 0..4 {
            kinds.push(output | ap << 6 | leaf);
            kinds.push(output | 0x400 | ap << 6 | leaf);
            kinds.push(output | 0x400 | ap << 6 | leaf | 3 << 53);
        }
        // Beyond 40 bits.
        kinds.push(1 << 40 | 0x440 | leaf);
        kinds.push(1 << 37 | 0x440 | leaf);
        kinds.push(u64::MAX);
        kinds
    }

    fn put(&self, memory: &mut Memory, at: u64, entry: u64) {
        memory.store_u64(PhysAddr::new(at), entry).expect("tables lie in RAM");
    }

    fn hardware(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        let bits = (self.input_bits, self.output_bits);
        let config = config(walk::Format::Long, self.stage, bits, self.start_level, root);
        hardware(&config, memory, input)
    }

    fn oracle(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        let word = |at| memory.load_u64(PhysAddr::new(at)).ok();
        told(self.long(root).walk(word, input))
    }
}
