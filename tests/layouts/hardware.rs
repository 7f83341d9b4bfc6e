//! The SMMU, given memory and registers as kernels left them.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `commands` | what does each recorded command invalidate? |
//! | `events` | does the SMMU write the recorded event records? |

use crate::literals::registers::{
    AIDR, CMDQ_BASE, CR2, EVENTQ_BASE, GBPA, IDR, IDR0_STAGE2, PLAIN, STRTAB_BASE,
};
use crate::literals::{L1STD, STE_AT, STREAM, stage1, stage2};
use passim_model::{
    Access, DeviceId, IntId, Iova, Memory, Perms, PhysAddr, Requester, Span, StreamId, Width,
};
use passim_smmu::SmmuV3;
use passim_smmu::tlb::{Space, Translation};
use passim_smmu::v3::{
    Cause, IdRegisters, Implementation, Outcome, Path, Progress, Record, Transaction, Wires,
};

mod commands;
mod events;

/// An SMMU and memory, set up with the words of one dump.
struct Board {
    smmu: SmmuV3,
    memory: Memory,
    prod: u32,
}

impl Board {
    fn new(idr0: u32) -> Self {
        let mut memory = Memory::new();
        let ram = Span::from_size(PhysAddr::new(0x4000_0000), 4 << 30).expect("4 GiB from 1 GiB");
        memory.add_bank(ram).expect("the one bank");
        let mut idr = IDR;
        idr[0] = idr0;
        let smmu = SmmuV3::new(Implementation {
            ids: IdRegisters { idr, iidr: 0, aidr: AIDR, mpamidr: 0 },
            wires: Wires { event_queue: Some(IntId::new(106)), ..Wires::default() },
            gbpa: GBPA,
            ..Implementation::default()
        });
        let mut board = Self { smmu, memory, prod: 0 };
        board.put(STRTAB_BASE & 0xf_ffff_ffff_f000, &[L1STD]);
        board
    }

    /// The tables and STE of the stage 1 container, then the registers.
    fn stage1() -> Self {
        let mut board = Self::new(IDR[0]);
        board.put(STE_AT, &stage1::STE);
        board.put(stage1::CD_AT, &stage1::CD);
        board.descriptors(&stage1::TABLES);
        board.switch_on();
        board
    }

    /// The same for stage 2.
    fn stage2() -> Self {
        let mut board = Self::new(IDR0_STAGE2);
        board.put(STE_AT, &stage2::STE);
        board.descriptors(&stage2::TABLES);
        board.switch_on();
        board
    }

    fn switch_on(&mut self) {
        self.w32(0x28, 0xd75);
        self.w32(0x2c, CR2);
        self.w64(0x80, STRTAB_BASE);
        self.w32(0x88, 0x1_0210);
        self.w64(0x90, CMDQ_BASE);
        self.w64(0xa0, EVENTQ_BASE);
        self.w32(0x50, 5);
        self.w32(0x20, 0xd);
        self.settle();
    }

    fn settle(&mut self) {
        while self.smmu.step(&mut self.memory) == Progress::Worked {}
    }

    fn w32(&mut self, offset: u64, value: u32) {
        self.smmu.store(offset, Width::W32, value.into(), &mut self.memory);
    }

    fn w64(&mut self, offset: u64, value: u64) {
        self.smmu.store(offset, Width::W64, value, &mut self.memory);
    }

    fn r32(&self, offset: u64) -> u32 {
        self.smmu.load(offset, Width::W32) as u32
    }

    fn put(&mut self, at: u64, words: &[u64]) {
        for (place, word) in (at..).step_by(8).zip(words) {
            self.memory.store_u64(PhysAddr::new(place), *word).expect("RAM");
        }
    }

    fn get(&self, at: u64) -> u64 {
        self.memory.load_u64(PhysAddr::new(at)).expect("RAM")
    }

    fn descriptors(&mut self, tables: &[(u64, u64)]) {
        for &(at, descriptor) in tables {
            self.put(at, &[descriptor]);
        }
    }

    /// Writes a command where the kernel would, and stores CMDQ_PROD.
    fn command(&mut self, words: [u64; 2]) {
        let base = CMDQ_BASE & 0xf_ffff_ffff_ffe0;
        self.put(base + 16 * u64::from(self.prod), &words);
        self.prod += 1;
        self.w32(0x98, self.prod);
        self.settle();
        assert_eq!(self.r32(0x9c), self.prod, "{words:x?} is consumed");
    }

    fn ask(&mut self, iova: u64, access: Access) -> Outcome {
        let stream = StreamId::new(STREAM);
        let requester = Requester { stream, substream: None, device: DeviceId::new(STREAM) };
        let transaction = Transaction { requester, iova: Iova::new(iova), access };
        self.smmu.translate(&mut self.memory, &transaction)
    }

    fn reaches(&mut self, iova: u64, access: Access) -> Option<u64> {
        match self.ask(iova, access) {
            Outcome::Translated(translated) => Some(translated.pa.get()),
            Outcome::Terminated(_) | Outcome::Stalled(_) => None,
        }
    }

    /// Walks to every address of the list, and then finds it in the TLB.
    fn agrees_with(&mut self, reached: &[(u64, u64, u64, bool, bool)]) {
        for &(iova, pa, size, readable, writable) in reached {
            for offset in [0, size - 8] {
                let there = |allowed: bool| allowed.then_some(pa + offset);
                for _ in 0..2 {
                    let read = self.reaches(iova + offset, Access::READ);
                    assert_eq!(read, there(readable), "read {:#x}", iova + offset);
                    let write = self.reaches(iova + offset, Access::WRITE);
                    assert_eq!(write, there(writable), "write {:#x}", iova + offset);
                }
            }
        }
    }

    fn entries(&self) -> Vec<(Space, Translation)> {
        self.smmu.tlb_entries()
    }
}

#[test]
fn registers_read_as_the_dump_holds_them() {
    let board = Board::stage1();
    for (index, idr) in IDR.into_iter().enumerate() {
        assert_eq!(board.r32(4 * index as u64), idr, "IDR{index}");
    }
    assert_eq!(board.r32(0x1c), AIDR);
    for (name, offset, value) in PLAIN {
        assert_eq!(board.r32(offset), value, "{name}");
    }
    // Linux stores 6 and the emulator keeps it. IHI 0070 G.b 6.3.12: PTM, bit 2, is RES0 where
    // IDR0.BTM is 0, and this SMMU's reads as zero.
    assert_eq!(board.r32(0x2c), CR2 & 0b011);
    assert_eq!(board.r32(0x44), GBPA);
    for (offset, base) in [(0x80, STRTAB_BASE), (0x90, CMDQ_BASE), (0xa0, EVENTQ_BASE)] {
        assert_eq!(board.smmu.load(offset, Width::W64), base, "{offset:#x}");
    }
    assert!(board.smmu.implementation().ids.unmodelled().is_empty());
}

#[test]
fn stage_1_translates_as_the_leaves_say() {
    let mut board = Board::stage1();
    board.agrees_with(&stage1::REACHED);
    assert_eq!(board.smmu.counters().ste_fetches, 1);
    assert_eq!(board.smmu.counters().cd_fetches, 1);
    assert_eq!(board.smmu.cached_contexts(), [(StreamId::new(STREAM), 0)]);
}

#[test]
fn stage_2_translates_as_the_leaves_say() {
    let mut board = Board::stage2();
    board.agrees_with(&stage2::REACHED);
    assert_eq!(board.smmu.counters().cd_fetches, 0);
}

#[test]
fn a_nesting_containers_ste_translates_as_stage_2() {
    // 6.1 sets SHCFG in an STE of stage 2; it does not affect translation.
    let mut board = Board::new(IDR[0]);
    let mut ste = stage2::STE;
    ste[1] = stage2::STE1_6_1;
    board.put(STE_AT, &ste);
    board.descriptors(&stage2::TABLES);
    board.switch_on();
    board.agrees_with(&stage2::REACHED);
}

#[test]
fn translations_are_tagged_with_the_recorded_asid_and_vmid() {
    for (cd0, asid) in [(stage1::CD[0], 7), (stage1::CD0_6_1, 8)] {
        let mut board = Board::stage1();
        board.put(stage1::CD_AT, &[cd0]);
        board.reaches(0x5000, Access::READ);
        let entries = board.entries();
        let [(Space::Stage1 { asid: found, .. }, entry)] = entries[..] else {
            panic!("{entries:?}")
        };
        assert_eq!(found.get(), asid);
        assert_eq!((entry.input, entry.output), (0x5000, 0x1_09cb_2000));
        assert_eq!((entry.lg2, entry.level), (12, 3));
    }
    let mut board = Board::stage2();
    board.reaches(0x5000, Access::READ);
    let entries = board.entries();
    let [(Space::Stage2 { vmid }, entry)] = entries[..] else { panic!("{entries:?}") };
    assert_eq!(vmid.get(), 7);
    assert_eq!((entry.output, entry.lg2), (0x1_0a23_f000, 12));
}

#[test]
fn streams_beside_it_have_no_configuration() {
    // Span 9 of the L1STD is 2^8 STEs; stream 256 uses another L1STD, which is zero.
    let mut board = Board::stage1();
    for stream in [9, 0xff, 0x100, 0xffff] {
        let stream = StreamId::new(stream);
        let requester = Requester { stream, substream: None, device: DeviceId::new(0) };
        let access = Access::READ;
        let transaction = Transaction { requester, iova: Iova::new(0), access };
        let outcome = board.smmu.translate(&mut board.memory, &transaction);
        let Outcome::Terminated(ended) = outcome else { panic!("{outcome:?}") };
        let Cause::Event(event, _) = ended.cause else { panic!("{ended:?}") };
        let expected = if stream.get() < 0x100 { "C_BAD_STE" } else { "C_BAD_STREAMID" };
        assert_eq!(event.kind.name(), expected, "{stream}");
    }
}

#[test]
fn tables_end_with_the_input_size() {
    let mut board = Board::stage1();
    // T0SZ 16 and EPD1: 48 bits, and nothing at the top of the address space.
    for iova in [1 << 48, 0xffff_ffff_ffff_fff8] {
        assert_eq!(board.reaches(iova, Access::READ), None, "{iova:#x}");
    }
    // S2T0SZ 20: 44 bits. The last entry of the first table has index 31.
    let mut board = Board::stage2();
    board.put(0x1_0a44_d000 + 31 * 8, &[0x1_0a44_e003]);
    assert_eq!(board.reaches((31 << 39) + 0x5000, Access::READ), Some(0x1_0a23_f000));
    board.put(0x1_0a44_d000 + 32 * 8, &[0x1_0a44_e003]);
    assert_eq!(board.reaches((32 << 39) + 0x5000, Access::READ), None);
}

/// The granted accesses, in letters: checks that both reads and writes were tried.
#[test]
fn permissions_are_those_of_the_descriptors() {
    let cases = [(0, "r|x"), (0x1000, "r|w|x"), (0x800_0000, "r|w")];
    for (iova, letters) in cases {
        let mut board = Board::stage1();
        let outcome = board.ask(iova, Access::READ);
        let Outcome::Translated(translated) = outcome else { panic!("{outcome:?}") };
        assert_eq!(translated.path, Path::Walk);
        assert_eq!(translated.perms.to_string(), letters, "{iova:#x}");
        assert!(translated.perms.contains(Perms::READ));
    }
}
