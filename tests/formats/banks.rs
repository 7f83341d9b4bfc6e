//! The same tables, reached as a transaction reaches them through an SMMUv2: S2CR, CBAR and the
//! registers of a context bank say the shape in their own words.

use crate::aarch32::{Vmsav7l, Vmsav7s};
use crate::suite::{Answer, Format};
use crate::vmsav8::Vmsav8;
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::{Access, DeviceId, Iova, Memory, Perms, Requester, StreamId, Width};
use passim_smmu::SmmuV2;
use passim_smmu::tlb::Geometry;
use passim_smmu::v2::{ContextFaultKind, Description, Implementation, Transaction, Verdict};

/// What the registers hold beside the address of the first table.
#[derive(Clone, Copy, Debug)]
struct Registers {
    stage: Stage,
    va64: u32,
    sctlr: u32,
    tcr: u32,
    tcr2: u32,
    /// IAS and OAS.
    address_bits: u8,
}

/// A shape behind a context bank.
#[derive(Debug)]
pub(crate) struct ThroughBank<F> {
    shape: F,
    registers: Registers,
}

/// M, TRE, CFRE, HUPCF.
const SCTLR: u32 = 0x123;
/// AFE.
const SIMPLIFIED: u32 = 1 << 2;

impl ThroughBank<Vmsav7s> {
    /// Short descriptors.
    pub(crate) fn of_short(shapes: Vec<Vmsav7s>) -> Vec<Self> {
        let through = |shape: Vmsav7s| {
            let registers = Registers {
                stage: Stage::One,
                va64: 0,
                sctlr: if shape.simplified { SCTLR | SIMPLIFIED } else { SCTLR },
                tcr: shape.n,
                tcr2: 0,
                address_bits: shape.output_bits as u8,
            };
            Self { shape, registers }
        };
        shapes.into_iter().map(through).collect()
    }
}

impl ThroughBank<Vmsav7l> {
    /// Long descriptors of either stage.
    pub(crate) fn of_long(shapes: Vec<Vmsav7l>) -> Vec<Self> {
        let through = |shape: Vmsav7l| {
            let tcr = match shape.stage {
                // EAE, EPD1, T0SZ.
                Stage::One => 1 << 31 | 1 << 23 | (32 - shape.input_bits),
                // SL0, T0SZ of four bits with a sign.
                Stage::Two => {
                    let sl0 = if shape.start_level == 1 { 1 } else { 0 };
                    sl0 << 6 | 32u32.wrapping_sub(shape.input_bits) & 0xf
                }
            };
            let address_bits = shape.output_bits as u8;
            let (stage, va64, sctlr) = (shape.stage, 0, SCTLR);
            let registers = Registers { stage, va64, sctlr, tcr, tcr2: 0, address_bits };
            Self { shape, registers }
        };
        shapes.into_iter().map(through).collect()
    }
}

impl ThroughBank<Vmsav8> {
    /// AArch64: what TCR can express of these.
    pub(crate) fn of_aarch64(shapes: Vec<Vmsav8>) -> Vec<Self> {
        shapes.into_iter().filter(Self::is_expressible).map(Self::new).collect()
    }

    fn is_expressible(shape: &Vmsav8) -> bool {
        let sizes = (25..=48).contains(&shape.input_bits) && shape.implemented_bits <= 48;
        sizes && (shape.stage == Stage::One || Self::sl0(shape).is_some())
    }

    fn sl0(shape: &Vmsav8) -> Option<u32> {
        let last = if shape.granule == Granule::K4 { 2 } else { 3 };
        u32::try_from(last - shape.start_level).ok().filter(|sl0| *sl0 <= 2)
    }

    fn new(shape: Vmsav8) -> Self {
        let granule = match shape.granule {
            Granule::K4 => 0,
            Granule::K64 => 1,
            Granule::K16 => 2,
        };
        let size = if shape.output_bits == 40 { 2 } else { 5 };
        let common = granule << 14 | (64 - shape.input_bits);
        let (tcr, tcr2) = match shape.stage {
            // EPD1; PASize, and SEP of the whole bus.
            Stage::One => (1 << 23 | common, 7 << 15 | size),
            Stage::Two => (size << 16 | Self::sl0(&shape).unwrap_or(3) << 6 | common, 0),
        };
        let (stage, va64, address_bits) = (shape.stage, 1, 48);
        let registers = Registers { stage, va64, sctlr: SCTLR, tcr, tcr2, address_bits };
        Self { shape, registers }
    }
}

/// Offset of bank 0 with 2 pages of 4K in each half of the window.
const BANK: u64 = 0x2000;
const STREAM: u32 = 3;

impl<F: Format> ThroughBank<F> {
    fn verdict(&self, memory: &Memory, root: u64, input: u64, access: Access) -> Verdict {
        let r = &self.registers;
        let description = Description {
            banks: 1,
            stage2_banks: 0,
            stream_entries: 1,
            pages_lg2: 1,
            ipa_bits: r.address_bits,
            output_bits: r.address_bits,
            ..Description::EVERYTHING
        };
        assert_eq!(description.check(), Ok(()));
        let tlb = Geometry { sets_lg2: 0, ..Geometry::default() };
        let mut smmu = SmmuV2::new(Implementation { tlb, ..Implementation::new(description) });
        let mut none = Memory::new();
        let mut store = |at, value: u32| smmu.store(at, Width::W32, u64::from(value), &mut none);
        store(0x800, 1 << 31 | STREAM);
        store(0x1000, if r.stage == Stage::One { 1 << 16 } else { 0 });
        store(0x1800, r.va64);
        store(BANK + 0x10, r.tcr2);
        store(BANK + 0x20, root as u32);
        store(BANK + 0x30, r.tcr);
        store(BANK + 0x38, 0xff);
        store(BANK, r.sctlr);
        store(0, 0);
        let stream = StreamId::new(STREAM);
        let requester = Requester { stream, substream: None, device: DeviceId::new(STREAM) };
        smmu.explain(memory, &Transaction { requester, iova: Iova::new(input), access }).verdict
    }
}

/// A fetch of an instruction.
const FETCH: Access = Access { instruction: true, ..Access::READ };

/// What a leaf that permits nothing says: the SMMU does not tell where it leads.
const CLOSED: Answer = Answer::Leaf { output: 0, size: 0, perms: Perms::empty() };

impl<F: Format> Format for ThroughBank<F> {
    fn levels(&self) -> (i8, i8) {
        self.shape.levels()
    }

    fn input_bits(&self) -> u32 {
        self.shape.input_bits()
    }

    fn entry_lg2(&self, level: i8) -> u32 {
        self.shape.entry_lg2(level)
    }

    fn word_lg2(&self) -> u32 {
        self.shape.word_lg2()
    }

    fn table_lg2(&self) -> u32 {
        self.shape.table_lg2()
    }

    fn table(&self, level: i8, at: u64) -> u64 {
        self.shape.table(level, at)
    }

    fn kinds(&self, level: i8, seed: u64) -> Vec<u64> {
        self.shape.kinds(level, seed)
    }

    fn put(&self, memory: &mut Memory, at: u64, entry: u64) {
        self.shape.put(memory, at, entry);
    }

    fn every(&self) -> u64 {
        29
    }

    fn hardware(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        for access in [Access::READ, Access::WRITE, FETCH] {
            match self.verdict(memory, root, input, access) {
                Verdict::Translated(found) => {
                    return Answer::Leaf {
                        output: found.pa.get(),
                        size: 1 << found.lg2,
                        perms: found.perms,
                    };
                }
                Verdict::Context(fault) => {
                    let level = fault.level as i8;
                    match fault.kind {
                        ContextFaultKind::Permission => {}
                        ContextFaultKind::Translation => return Answer::Translation(level),
                        ContextFaultKind::AddressSize => return Answer::AddressSize(level),
                        ContextFaultKind::AccessFlag => return Answer::AccessFlag(level),
                        // No register says which descriptor it was.
                        ContextFaultKind::External => return Answer::Abort(0),
                        other => panic!("{self:x?}: {other:?}"),
                    }
                }
                other => panic!("{self:x?}: {other:?}"),
            }
        }
        CLOSED
    }

    fn oracle(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        match self.shape.oracle(memory, root, input) {
            Answer::Leaf { perms, .. } if perms.is_empty() => CLOSED,
            Answer::Abort(_) => Answer::Abort(0),
            answer => answer,
        }
    }
}
