//! A board for tests: an SMMU, memory, and the raw words a driver would write.
//!
//! Everything is written as numbers. Nothing here uses the layouts under test.

use crate::cache::{Geometry, Victim};
use crate::v3::{
    Caches, Cause, Event, IdRegisters, Implementation, Outcome, Progress, Record, SmmuV3,
    Transaction, Translated, Wires,
};
use passim_model::access::Access;
use passim_model::{
    DeviceId, Effect, IntId, Iova, Memory, PhysAddr, Requester, Span, StreamId, SubstreamId, Width,
};
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// Linear Stream table of 256 STEs.
pub(crate) const STREAM_TABLE: u64 = 0x4100_0000;
/// Command queue of 8 commands.
pub(crate) const COMMANDS: u64 = 0x4200_0000;
/// Event queue of 4 records.
pub(crate) const EVENTS: u64 = 0x4300_0000;
/// CD tables.
pub(crate) const CDS: u64 = 0x4398_7000;
/// Stage-1 tables: four pages, levels 0 to 3.
pub(crate) const STAGE1: u64 = 0x4500_0000;
/// Stage-2 tables: level 0 of 32 entries, then levels 1 to 3.
pub(crate) const STAGE2: u64 = 0x4600_0000;
/// The stream most tests use.
pub(crate) const STREAM: u32 = 8;

/// Dword 0 of an STE for stage 1, one CD at [`CDS`].
pub(crate) const STE_STAGE1: u64 = 0x4398_700b;
/// The doublewords of an STE for stage 2 at [`STAGE2`]: VMID 3, 44 bits, SL0 2, 4K, PS 44, AA64, R.
pub(crate) const STE_STAGE2: [u64; 4] = [0xd, 0, 0x040c_3594_0000_0003, STAGE2];
/// Dword 0 of a CD: T0SZ 16, EPD1, V, IPS 44, AA64, R, A, ASET, ASID 7.
pub(crate) const CD0: u64 = 0x7_e204_c000_3510;

/// The ID registers of an emulated board with both stages.
pub(crate) const BOTH_STAGES: IdRegisters =
    IdRegisters { idr: [0xd44_101b, 0x273_0010, 0, 0x1414, 0, 0x74], iidr: 0, aidr: 1, mpamidr: 0 };

pub(crate) struct Board {
    pub(crate) smmu: SmmuV3,
    pub(crate) memory: Memory,
    prod: u32,
}

/// An SMMU with these ID registers and every wire.
pub(crate) fn implementation(ids: IdRegisters) -> Implementation {
    let wires = Wires {
        event_queue: Some(IntId::new(106)),
        pri_queue: Some(IntId::new(107)),
        command_sync: Some(IntId::new(108)),
        global_error: Some(IntId::new(109)),
    };
    Implementation { ids, wires, ..Implementation::default() }
}

/// Caches of every kind of replacement, so small that entries are replaced.
pub(crate) fn small_caches() -> impl Strategy<Value = Caches> {
    let victim = prop_oneof![
        Just(Victim::RoundRobin),
        Just(Victim::LeastRecentlyUsed),
        any::<u32>().prop_map(|seed| Victim::Random { seed }),
    ];
    let small = (0..4u8, 1..5u8, victim);
    let small = small.prop_map(|(sets_lg2, ways, victim)| Geometry { sets_lg2, ways, victim });
    let maybe = proptest::option::of(small.clone());
    let all = (small.clone(), maybe.clone(), small.clone(), small, maybe.clone(), maybe);
    all.prop_map(|(tlb, tables, stes, cds, level_one_stes, level_one_cds)| Caches {
        tlb,
        tables,
        stes,
        cds,
        level_one_stes,
        level_one_cds,
    })
}

impl Board {
    /// Memory and an SMMU after reset.
    pub(crate) fn cold(implementation: Implementation) -> Self {
        let mut memory = Memory::new();
        let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x1000_0000).unwrap();
        memory.add_bank(ram).unwrap();
        Self { smmu: SmmuV3::new(implementation), memory, prod: 0 }
    }

    /// A board whose queues and Stream table are set up and on.
    pub(crate) fn with(implementation: Implementation) -> Self {
        let mut board = Self::cold(implementation);
        board.boot();
        board
    }

    /// The usual board: both stages, and an identity-free set of tables for each.
    pub(crate) fn new() -> Self {
        let mut board = Self::with(implementation(BOTH_STAGES));
        board.stage1_tables();
        board.stage2_tables();
        board
    }

    pub(crate) fn boot(&mut self) {
        self.w64(0x80, 1 << 62 | STREAM_TABLE);
        self.w32(0x88, 8);
        self.w64(0x90, COMMANDS | 3);
        self.w64(0xa0, EVENTS | 2);
        self.w32(0x50, 0b101);
        self.w32(0x20, 0b1000);
        self.w32(0x20, 0b1100);
        self.w32(0x20, 0b1101);
    }

    /// Switches SMMUEN off, applies `change`, and switches it on again.
    pub(crate) fn reprogram(&mut self, change: impl FnOnce(&mut Self)) {
        self.w32(0x20, 0b1100);
        change(self);
        self.w32(0x20, 0b1101);
    }

    /// Stage 1: 0x10000 -> 0x4800_0000 writable, 0x11000 -> 0x4800_1000 read-only,
    /// 0x20_0000 -> 2M block at 0x4820_0000.
    pub(crate) fn stage1_tables(&mut self) {
        self.put(STAGE1, &[STAGE1 + 0x1003]);
        self.put(STAGE1 + 0x1000, &[STAGE1 + 0x2003]);
        self.put(STAGE1 + 0x2000, &[STAGE1 + 0x3003, 0x4820_0f45]);
        self.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f47, 0x4800_1fc7]);
    }

    /// Stage 2: 0x10000 -> 0x4900_0000 writable, 0x11000 -> 0x4900_1000 read-only, and the first
    /// gigabyte of RAM onto itself.
    pub(crate) fn stage2_tables(&mut self) {
        self.put(STAGE2, &[STAGE2 + 0x1003]);
        self.put(STAGE2 + 0x1000, &[STAGE2 + 0x2003, 0x4000_07fd]);
        self.put(STAGE2 + 0x2000, &[STAGE2 + 0x3003]);
        self.put(STAGE2 + 0x3000 + 0x10 * 8, &[0x4900_07ff, 0x4900_177f]);
    }

    /// Writes doublewords to memory.
    pub(crate) fn put(&mut self, at: u64, words: &[u64]) {
        for (i, &word) in words.iter().enumerate() {
            self.memory.store_u64(PhysAddr::new(at + 8 * i as u64), word).unwrap();
        }
    }

    pub(crate) fn get(&self, at: u64) -> u64 {
        self.memory.load_u64(PhysAddr::new(at)).unwrap()
    }

    /// Writes the STE of a stream.
    pub(crate) fn ste(&mut self, stream: u32, words: &[u64]) {
        let at = STREAM_TABLE + 64 * u64::from(stream);
        self.put(at, &[0; 8]);
        self.put(at, words);
    }

    /// Writes the STE of [`STREAM`] for stage 1 and a CD with this dword 0.
    pub(crate) fn stage1(&mut self, cd0: u64) {
        self.ste(STREAM, &[STE_STAGE1, 0xd6]);
        self.put(CDS, &[cd0, STAGE1, 0, 0xffff_ffff_f404_ff44, 0, 0, 0, 0]);
    }

    pub(crate) fn w32(&mut self, offset: u64, value: u32) {
        self.smmu.store(offset, Width::W32, u64::from(value), &mut self.memory);
    }

    pub(crate) fn w64(&mut self, offset: u64, value: u64) {
        self.smmu.store(offset, Width::W64, value, &mut self.memory);
    }

    pub(crate) fn r32(&self, offset: u64) -> u32 {
        self.smmu.load(offset, Width::W32) as u32
    }

    pub(crate) fn r64(&self, offset: u64) -> u64 {
        self.smmu.load(offset, Width::W64)
    }

    /// Puts a command into the queue of 8 and rings.
    pub(crate) fn submit(&mut self, w0: u64, w1: u64) {
        self.put(COMMANDS + 16 * u64::from(self.prod & 7), &[w0, w1]);
        self.prod = (self.prod + 1) & 15;
        self.w32(0x98, self.prod);
    }

    /// Puts a command into the queue, and lets the SMMU work until it is idle.
    pub(crate) fn command(&mut self, w0: u64, w1: u64) {
        self.submit(w0, w1);
        self.run();
    }

    /// Steps until there is nothing to do. Returns how many steps worked.
    pub(crate) fn run(&mut self) -> u32 {
        let mut worked = 0;
        while self.smmu.step(&mut self.memory) == Progress::Worked {
            worked += 1;
            assert!(worked < 1 << 21, "a queue has an end");
        }
        worked
    }

    pub(crate) fn ask(&mut self, stream: u32, iova: u64, access: Access) -> Outcome {
        self.ask_as(stream, None, iova, access)
    }

    /// The address that the fast path gives for a transaction.
    pub(crate) fn glance(&mut self, stream: u32, iova: u64, access: Access) -> Option<u64> {
        let (stream, device) = (StreamId::new(stream), DeviceId::new(stream));
        let requester = Requester { stream, substream: None, device };
        let txn = Transaction { requester, iova: Iova::new(iova), access };
        self.smmu.glance(&txn).map(PhysAddr::get)
    }

    pub(crate) fn ask_as(
        &mut self,
        stream: u32,
        substream: Option<u32>,
        iova: u64,
        access: Access,
    ) -> Outcome {
        let requester = Requester {
            stream: StreamId::new(stream),
            substream: substream.map(SubstreamId::new),
            device: DeviceId::new(stream),
        };
        let txn = Transaction { requester, iova: Iova::new(iova), access };
        self.smmu.translate(&mut self.memory, &txn)
    }

    /// The outcome of a read of [`STREAM`].
    pub(crate) fn read(&mut self, iova: u64) -> Outcome {
        self.ask(STREAM, iova, Access::READ)
    }

    /// The outcome of a write of [`STREAM`].
    pub(crate) fn write(&mut self, iova: u64) -> Outcome {
        self.ask(STREAM, iova, Access::WRITE)
    }

    /// The record last written.
    pub(crate) fn last_record(&self) -> [u64; 4] {
        let slot = self.r32(0x100a8).wrapping_sub(1) & 3;
        core::array::from_fn(|i| self.get(EVENTS + 32 * u64::from(slot) + 8 * i as u64))
    }

    /// Empties the queue. Returns how many records it held.
    pub(crate) fn drain_events(&mut self) -> u32 {
        let prod = self.r32(0x100a8);
        let waiting = (prod & 7).wrapping_sub(self.r32(0x100ac) & 7) & 7;
        self.w32(0x100ac, prod);
        waiting
    }

    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        self.smmu.take_effects()
    }
}

/// The answer of a transaction that proceeds.
#[track_caller]
pub(crate) fn went_on(outcome: Outcome) -> Translated {
    match outcome {
        Outcome::Translated(translated) => translated,
        Outcome::Terminated(ended) => panic!("terminated: {ended:x?}"),
        Outcome::Stalled(stalled) => panic!("stalled: {stalled:x?}"),
    }
}

/// The physical address of a transaction that proceeds.
#[track_caller]
pub(crate) fn pa(outcome: Outcome) -> u64 {
    went_on(outcome).pa.get()
}

/// The event of a transaction that ends with one.
#[track_caller]
pub(crate) fn event(outcome: Outcome) -> (Event, Record) {
    match outcome {
        Outcome::Terminated(ended) => match ended.cause {
            Cause::Event(event, record) => (event, record),
            other => panic!("terminated silently: {other:?}"),
        },
        Outcome::Translated(translated) => panic!("translated: {translated:x?}"),
        Outcome::Stalled(stalled) => panic!("stalled: {stalled:x?}"),
    }
}

/// The name of the event, which must have been written.
#[track_caller]
pub(crate) fn written(outcome: Outcome) -> &'static str {
    let (event, record) = event(outcome);
    assert_eq!(record, Record::Written);
    event.kind.name()
}
