//! The same tables, reached by a transaction through an SMMUv2: S2CR, CBAR and the registers of a
//! context bank encode the shape.

use crate::aarch32::{Vmsav7l, Vmsav7s};
use crate::behind::{Behind, Reader, leaf};
use crate::suite::{Answer, Format};
use crate::vmsav8::Vmsav8;
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::{Access, DeviceId, Iova, Memory, Requester, StreamId, Width};
use passim_smmu::SmmuV2;
use passim_smmu::tlb::Geometry;
use passim_smmu::v2::{ContextFaultKind, Description, Implementation, Transaction, Verdict};

/// The registers' values beside the address of the first table.
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
    pub(crate) fn of_short(shapes: Vec<Vmsav7s>) -> Vec<Behind<Self>> {
        let through = |shape: Vmsav7s| {
            let registers = Registers {
                stage: Stage::One,
                va64: 0,
                sctlr: if shape.simplified { SCTLR | SIMPLIFIED } else { SCTLR },
                tcr: shape.n,
                tcr2: 0,
                address_bits: shape.output_bits as u8,
            };
            Behind(Self { shape, registers })
        };
        shapes.into_iter().map(through).collect()
    }
}

impl ThroughBank<Vmsav7l> {
    /// Long descriptors of either stage.
    pub(crate) fn of_long(shapes: Vec<Vmsav7l>) -> Vec<Behind<Self>> {
        let through = |shape: Vmsav7l| {
            let tcr = match shape.stage {
                // EAE, EPD1, T0SZ.
                Stage::One => 1 << 31 | 1 << 23 | (32 - shape.input_bits),
                // SL0, signed 4-bit T0SZ.
                Stage::Two => {
                    let sl0 = if shape.start_level == 1 { 1 } else { 0 };
                    sl0 << 6 | 32u32.wrapping_sub(shape.input_bits) & 0xf
                }
            };
            let address_bits = shape.output_bits as u8;
            let (stage, va64, sctlr) = (shape.stage, 0, SCTLR);
            let registers = Registers { stage, va64, sctlr, tcr, tcr2: 0, address_bits };
            Behind(Self { shape, registers })
        };
        shapes.into_iter().map(through).collect()
    }
}

impl ThroughBank<Vmsav8> {
    /// AArch64: the shapes of these that TCR can encode.
    pub(crate) fn of_aarch64(shapes: Vec<Vmsav8>) -> Vec<Behind<Self>> {
        let shapes = shapes.into_iter().filter(Self::is_expressible);
        shapes.map(|shape| Behind(Self::new(shape))).collect()
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
            // EPD1; PASize, and SEP of the upstream bus size.
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

impl<F: Format> Reader for ThroughBank<F> {
    type Shape = F;

    fn shape(&self) -> &F {
        &self.shape
    }

    fn ask(&self, memory: &Memory, root: u64, input: u64, access: Access) -> Option<Answer> {
        let fault = match self.verdict(memory, root, input, access) {
            Verdict::Translated(found) => return Some(leaf(&found)),
            Verdict::Context(fault) => fault,
            other => panic!("{self:x?}: {other:?}"),
        };
        let level = fault.level as i8;
        match fault.kind {
            ContextFaultKind::Permission => None,
            ContextFaultKind::Translation => Some(Answer::Translation(level)),
            ContextFaultKind::AddressSize => Some(Answer::AddressSize(level)),
            ContextFaultKind::AccessFlag => Some(Answer::AccessFlag(level)),
            ContextFaultKind::External => Some(ABORT),
            other => panic!("{self:x?}: {other:?}"),
        }
    }

    fn as_told(answer: Answer) -> Answer {
        match answer {
            Answer::Abort(_) => ABORT,
            answer => answer,
        }
    }
}

/// No register reports which descriptor's fetch failed.
const ABORT: Answer = Answer::Abort(0);
