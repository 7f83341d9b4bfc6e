//! The same tables, reached by a transaction: STE and CD encode the shape, and the SMMU's answer is
//! compared with the oracle's.

use crate::behind::{Behind, Reader, leaf};
use crate::suite::{Answer, Format};
use crate::vmsav8::Vmsav8;
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::{Access, DeviceId, Iova, Memory, PhysAddr, Requester, Span, StreamId, Width};
use passim_smmu::SmmuV3;
use passim_smmu::tlb::Geometry;
use passim_smmu::v3::{
    Caches, Description, Detail, Event, EventKind, Implementation, Transaction, Verdict,
};

/// A shape behind an SMMU.
#[derive(Debug)]
pub(crate) struct ThroughSmmu {
    shape: Vmsav8,
    /// The value of IPS or S2PS, which the SMMU limits to its own size.
    said_bits: u32,
}

/// Addresses of STE and CD.
const STREAMS: u64 = 0x1_0000;
const CD: u64 = 0x2_0000;
const STREAM: u32 = 1;

impl ThroughSmmu {
    /// Of these, the shapes that STE and CD can encode.
    pub(crate) fn of(shapes: Vec<Vmsav8>) -> Vec<Behind<Self>> {
        let shapes = shapes.into_iter().filter(Self::is_expressible);
        shapes.flat_map(Self::readers).map(Behind).collect()
    }

    /// The SMMUs that read this shape: one with 52 bits of output, whatever IPS or S2PS encodes,
    /// and for 64K one with 48 although they encode 52. The SMMU's own size decides whether bits 15
    /// to 12 are OA bits 51 to 48, and whether level 1 has blocks.
    fn readers(shape: Vmsav8) -> Vec<Self> {
        let wide = Vmsav8 { implemented_bits: 52, ..shape };
        let mut all = vec![Self { shape: wide, said_bits: shape.output_bits }];
        if shape.granule == Granule::K64 && shape.output_bits == 48 && shape.input_bits <= 48 {
            let narrow = Vmsav8 { implemented_bits: 48, ..shape };
            all.push(Self { shape: narrow, said_bits: 52 });
        }
        all
    }

    fn is_expressible(shape: &Vmsav8) -> bool {
        // IHI 0070 G.b 5.2, 5.4: TxSZ is at most 48, 47 with 64K.
        let least = if shape.granule == Granule::K64 { 17 } else { 16 };
        let level = shape.start_level;
        let stage2 = match shape.granule {
            // DDI 0487, VTCR_EL2.SL0: level 3 of 4K needs small tables, which this SMMU supports.
            Granule::K4 => (-1..=3).contains(&level),
            Granule::K16 => (1..=3).contains(&level) || level == 0 && shape.ds,
            Granule::K64 => (1..=3).contains(&level),
        };
        shape.input_bits >= least && (shape.stage == Stage::One || stage2)
    }

    /// IPS or S2PS.
    fn size_code(&self) -> u64 {
        match self.said_bits {
            40 => 2,
            48 => 5,
            _ => 6,
        }
    }

    /// TG0 or S2TG.
    fn granule_code(&self) -> u64 {
        match self.shape.granule {
            Granule::K4 => 0,
            Granule::K64 => 1,
            Granule::K16 => 2,
        }
    }

    fn size_offset(&self) -> u64 {
        64 - u64::from(self.shape.input_bits)
    }

    /// The STE, and the CD for stage 1.
    fn structures(&self, root: u64) -> ([u64; 4], [u64; 4]) {
        let ds = u64::from(self.shape.ds);
        match self.shape.stage {
            Stage::One => {
                // EPD1, V, AA64, R, A, ASET; DS is bit 58 of the third doubleword.
                let word0 = 0x1_e200_c000_0000 & !(7 << 32)
                    | self.size_code() << 32
                    | self.granule_code() << 6
                    | self.size_offset();
                ([1 | 5 << 1 | CD, 0, 0, 0], [word0, root, ds << 58, 0xff])
            }
            Stage::Two => {
                let (sl0, sl0_2) = self.start_code();
                // AA64 and R.
                let word2 = 1 << 58
                    | 1 << 51
                    | self.size_code() << 48
                    | self.granule_code() << 46
                    | sl0 << 38
                    | self.size_offset() << 32;
                ([1 | 6 << 1, 0, word2, root | ds << 3 | sl0_2 << 2], [0; 4])
            }
        }
    }

    /// S2SL0 and S2SL0_2.
    fn start_code(&self) -> (u64, u64) {
        match (self.shape.granule, self.shape.start_level) {
            (Granule::K4, -1) => (0, 1),
            (Granule::K4, 0) => (2, 0),
            (Granule::K4, 1) => (1, 0),
            (Granule::K4, 2) => (0, 0),
            (Granule::K4, _) => (3, 0),
            (_, 0) => (3, 0),
            (_, 1) => (2, 0),
            (_, 2) => (1, 0),
            _ => (0, 0),
        }
    }

    fn verdict(&self, memory: &Memory, input: u64, access: Access) -> Verdict {
        let everything = Description { stream_bits: 2, ..Description::EVERYTHING };
        let description = match self.shape.implemented_bits {
            // DS and VAX come with 52 bits in these descriptions.
            48 => Description { output_bits: 48, ..everything },
            _ => everything,
        };
        let ids = description.id_registers().expect("a description without contradictions");
        let one = Geometry::new(0, 1);
        // The smallest caches possible: every walk uses an SMMU of its own.
        let mut smmu = SmmuV3::new(Implementation {
            ids,
            caches: Caches { tlb: one, stes: one, cds: one, ..Caches::VIRT },
            ..Implementation::default()
        });
        let mut none = Memory::new();
        smmu.store(0x80, Width::W64, STREAMS, &mut none);
        smmu.store(0x88, Width::W32, 2, &mut none);
        smmu.store(0x20, Width::W32, 1, &mut none);
        let stream = StreamId::new(STREAM);
        let requester = Requester { stream, substream: None, device: DeviceId::new(STREAM) };
        let txn = Transaction { requester, iova: Iova::new(input), access };
        smmu.explain(memory, &txn).verdict
    }
}

fn level_of(event: &Event) -> i8 {
    match event.detail {
        Detail::Level(level) => level,
        other => panic!("{event:?}: {other:?}"),
    }
}

impl Reader for ThroughSmmu {
    type Shape = Vmsav8;

    fn shape(&self) -> &Vmsav8 {
        &self.shape
    }

    fn prepare(&self, memory: &mut Memory, root: u64) {
        let span = Span::from_size(PhysAddr::new(STREAMS), 0x2_0000).expect("a span");
        memory.add_bank(span).expect("a bank of its own");
        let (ste, cd) = self.structures(root);
        for (base, words) in [(STREAMS + 64 * u64::from(STREAM), ste), (CD, cd)] {
            for (at, word) in (base..).step_by(8).zip(words) {
                self.shape.put(memory, at, word);
            }
        }
    }

    fn ask(&self, memory: &Memory, _root: u64, input: u64, access: Access) -> Option<Answer> {
        let event = match self.verdict(memory, input, access) {
            Verdict::Translated(found) => return Some(leaf(&found)),
            Verdict::Event(event) => event,
            other => panic!("{self:x?}: {other:?}"),
        };
        match event.kind {
            EventKind::Permission => None,
            EventKind::Translation => Some(Answer::Translation(level_of(&event))),
            EventKind::AddrSize => Some(Answer::AddressSize(level_of(&event))),
            EventKind::Access => Some(Answer::AccessFlag(level_of(&event))),
            EventKind::WalkEabt => Some(Answer::Abort(event.fetch.expect("an address").get())),
            other => panic!("{self:x?}: {other:?}, {:?}", event.detail),
        }
    }
}
