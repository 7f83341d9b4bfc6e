//! A board for tests: an SMMU, memory, and the raw words a driver would write.
//!
//! Everything is written as numbers. Nothing here uses the layouts under test.

use crate::v2::{
    Cause, ContextFault, ContextFaultKind, Description, GlobalFaultKind, Implementation, Outcome,
    Progress, Record, SmmuV2, Terminated, Transaction, Translated, Wires,
};
use passim_model::access::Access;
use passim_model::{
    DeviceId, Effect, IntId, Iova, Memory, PhysAddr, Requester, Span, StreamId, Width,
};

/// AArch64 stage-1 tables: four pages, levels 0 to 3.
pub(crate) const STAGE1: u64 = 0x4500_0000;
/// AArch64 stage-2 tables: four pages, levels 0 to 3.
pub(crate) const STAGE2: u64 = 0x4600_0000;
/// Long-descriptor tables: three pages, levels 1 to 3.
pub(crate) const LONG: u64 = 0x4700_0000;
/// Short-descriptor tables: 16K and then 1K.
pub(crate) const SHORT: u64 = 0x4400_0000;
/// The stream most tests use.
pub(crate) const STREAM: u32 = 8;
/// The stage-1 bank most tests use: the first that has the format in all presets.
pub(crate) const BANK: u64 = 5;
/// The stage-2 bank most tests use.
pub(crate) const SECOND: u64 = 1;

/// SCTLR of stage 1: M, TRE, AFE, CFRE, CFIE.
pub(crate) const SCTLR: u32 = 0x67;
/// TCR of AArch64 stage 1: T0SZ 16, 4K, EPD1, and TG1 4K with T1SZ 16.
pub(crate) const TCR64: u32 = 0x8090_0010;
/// TCR of AArch64 stage 2: T0SZ 16, SL0 2, 4K, 48 bits.
pub(crate) const TCR64_STAGE2: u32 = 5 << 16 | 2 << 6 | 16;

pub(crate) struct Board {
    pub(crate) smmu: SmmuV2,
    pub(crate) memory: Memory,
    page: u64,
    pages: u64,
}

/// An SMMU of this description with every line wired: 10 global, 20 and up the contexts.
pub(crate) fn implementation(description: Description) -> Implementation {
    let contexts = (20..148).map(IntId::new).collect();
    let wires = Wires { global: Some(IntId::new(10)), contexts };
    Implementation { wires, ..Implementation::new(description) }
}

impl Board {
    /// Memory with all tables, and an SMMU after reset.
    pub(crate) fn cold(implementation: Implementation) -> Self {
        let mut memory = Memory::new();
        let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x1000_0000).unwrap();
        memory.add_bank(ram).unwrap();
        let description = implementation.description;
        let page = if description.large_pages { 0x1_0000 } else { 0x1000 };
        let pages = 1 << description.pages_lg2;
        let mut board = Self { smmu: SmmuV2::new(implementation), memory, page, pages };
        board.tables();
        board
    }

    /// A board that translates [`STREAM`] through [`BANK`]: AArch64, stage 1.
    pub(crate) fn new() -> Self {
        Self::with(implementation(Description::EVERYTHING))
    }

    pub(crate) fn with(implementation: Implementation) -> Self {
        let mut board = Self::cold(implementation);
        board.stream_to(0, STREAM, BANK);
        board.stage1_64(BANK);
        board.on();
        board
    }

    /// CR0: translation on, unmatched streams fault, conflicts fault, faults are reported.
    pub(crate) fn on(&mut self) {
        self.w32(0, 1 << 21 | 1 << 10 | 1 << 2 | 1 << 1);
    }

    /// Entry `entry` sends a stream to a bank.
    pub(crate) fn stream_to(&mut self, entry: u64, stream: u32, bank: u64) {
        self.w32(0xc00 + 4 * entry, bank as u32);
        self.w32(0x800 + 4 * entry, 1 << 31 | stream);
    }

    /// CBAR TYPE 1, VMID 3; CBA2R VA64; the bank's registers.
    pub(crate) fn stage1_64(&mut self, bank: u64) {
        self.cbar(bank, 1 << 16 | 0xf << 12 | 3 << 8 | 3, 1);
        self.bank32(bank, 0x10, 5 | 7 << 15);
        self.bank32(bank, 0x30, TCR64);
        self.bank64(bank, 0x20, 7 << 48 | STAGE1);
        self.bank64(bank, 0x28, 7 << 48);
        self.bank32(bank, 0x38, 0x00ff_0444);
        self.bank32(bank, 0x0, SCTLR);
    }

    /// CBAR TYPE 0, VMID 3; the registers of an AArch64 stage-2 bank.
    pub(crate) fn stage2_64(&mut self, bank: u64) {
        self.cbar(bank, 3, 1);
        self.bank32(bank, 0x30, TCR64_STAGE2);
        self.bank64(bank, 0x20, STAGE2);
        self.bank32(bank, 0x0, SCTLR);
    }

    /// [`BANK`] before [`SECOND`].
    pub(crate) fn nest(&mut self) {
        self.stage2_64(SECOND);
        self.cbar(BANK, 3 << 16 | (SECOND as u32) << 8 | 3, 1);
    }

    /// The bank with long descriptors: EAE, T0SZ 0, EPD1.
    pub(crate) fn stage1_long(&mut self, bank: u64) {
        self.stage1_64(bank);
        self.cbar(bank, 1 << 16 | 0xf << 12 | 3 << 8 | 3, 0);
        self.bank32(bank, 0x30, 1 << 31 | 1 << 23);
        self.bank64(bank, 0x20, 7 << 48 | LONG);
    }

    /// The bank with short descriptors; MAIR becomes PRRR and NMRR as Linux writes them.
    pub(crate) fn stage1_short(&mut self, bank: u64) {
        self.stage1_64(bank);
        self.cbar(bank, 1 << 16 | 0xf << 12 | 3 << 8 | 3, 0);
        self.bank32(bank, 0x30, 0);
        self.bank64(bank, 0x20, SHORT);
        self.bank32(bank, 0x34, 7);
        self.bank32(bank, 0x38, 0x800b_8204);
        self.bank32(bank, 0x3c, 0x4000_4000);
    }

    /// In every format: 0x10000 -> 0x4800_0000 writable, 0x11000 -> 0x4800_1000 read-only, and
    /// 0x12000 without access flag; 0x20_0000 (short: 0x10_0000) a block at 0x4820_0000. Stage 2
    /// maps the first two to 0x4900_0000, and the first gigabyte of RAM onto itself.
    fn tables(&mut self) {
        self.put(STAGE1, &[STAGE1 + 0x1003]);
        self.put(STAGE1 + 0x1000, &[STAGE1 + 0x2003]);
        self.put(STAGE1 + 0x2000, &[STAGE1 + 0x3003, 0x4820_0f45]);
        self.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f47, 0x4800_1fc7, 0x4800_2b47]);
        self.put(STAGE2, &[STAGE2 + 0x1003]);
        self.put(STAGE2 + 0x1000, &[STAGE2 + 0x2003, 0x4000_07fd]);
        self.put(STAGE2 + 0x2000, &[STAGE2 + 0x3003]);
        self.put(STAGE2 + 0x3000 + 0x10 * 8, &[0x4900_07ff, 0x4900_177f, 0x4900_23ff]);
        self.put(LONG, &[LONG + 0x1003]);
        self.put(LONG + 0x1000, &[LONG + 0x2003, 0x4820_0f45]);
        self.put(LONG + 0x2000 + 0x10 * 8, &[0x4800_0f47, 0x4800_1fc7, 0x4800_2b47]);
        // Table at SHORT + 0x4000, section at 0x10_0000.
        self.put(SHORT, &[0x4823_1c0e_0000_0001 | (SHORT + 0x4000)]);
        // Small pages: 0x10, 0x11 read-only, 0x12 without access flag, 0x13 absent.
        self.put(SHORT + 0x4000 + 0x40, &[0x4800_1e7e_4800_0c7e, 0x4800_2c6e]);
    }

    pub(crate) fn put(&mut self, at: u64, words: &[u64]) {
        for (i, &word) in words.iter().enumerate() {
            self.memory.store_u64(PhysAddr::new(at + 8 * i as u64), word).unwrap();
        }
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

    /// Offset of a register of a bank.
    pub(crate) fn of_bank(&self, bank: u64, register: u64) -> u64 {
        (self.pages + bank) * self.page + register
    }

    pub(crate) fn bank32(&mut self, bank: u64, register: u64, value: u32) {
        self.w32(self.of_bank(bank, register), value);
    }

    pub(crate) fn bank64(&mut self, bank: u64, register: u64, value: u64) {
        self.w64(self.of_bank(bank, register), value);
    }

    pub(crate) fn read_bank(&self, bank: u64, register: u64) -> u32 {
        self.r32(self.of_bank(bank, register))
    }

    pub(crate) fn read_bank64(&self, bank: u64, register: u64) -> u64 {
        self.r64(self.of_bank(bank, register))
    }

    pub(crate) fn cbar(&mut self, bank: u64, cbar: u32, cba2r: u32) {
        let page = self.page;
        self.w32(page + 4 * bank, cbar);
        self.w32(page + 0x800 + 4 * bank, cba2r);
    }

    /// CBFRSYNRA of a bank.
    pub(crate) fn frsynra(&self, bank: u64) -> u32 {
        self.r32(self.page + 0x400 + 4 * bank)
    }

    pub(crate) fn access_as(&mut self, stream: u32, iova: u64, access: Access) -> Outcome {
        let requester = Requester {
            stream: StreamId::new(stream),
            substream: None,
            device: DeviceId::new(stream),
        };
        let txn = Transaction { requester, iova: Iova::new(iova), access };
        self.smmu.translate(&mut self.memory, &txn)
    }

    pub(crate) fn read(&mut self, iova: u64) -> Outcome {
        self.access_as(STREAM, iova, Access::READ)
    }

    pub(crate) fn write(&mut self, iova: u64) -> Outcome {
        self.access_as(STREAM, iova, Access::WRITE)
    }

    /// The physical address of a read that is translated.
    pub(crate) fn pa(&mut self, iova: u64) -> u64 {
        translated(self.read(iova)).pa.get()
    }

    /// The context fault a read ends with.
    pub(crate) fn fault(&mut self, iova: u64) -> ContextFault {
        faulted(self.read(iova)).0
    }

    /// FSR, FAR, FSYNR0 of a bank.
    pub(crate) fn told(&self, bank: u64) -> (u32, u64, u32) {
        (self.read_bank(bank, 0x58), self.read_bank64(bank, 0x60), self.read_bank(bank, 0x68))
    }

    pub(crate) fn clear_fsr(&mut self, bank: u64) {
        self.bank32(bank, 0x58, u32::MAX);
    }

    /// Steps until nothing is left to do. Returns how many steps did something.
    pub(crate) fn settle(&mut self) -> usize {
        let mut steps = 0;
        while self.smmu.step(&mut self.memory) == Progress::Worked {
            steps += 1;
        }
        steps
    }

    /// The interrupts that rose since the last call.
    pub(crate) fn wires(&mut self) -> Vec<u32> {
        let effects = self.smmu.take_effects().into_iter();
        let wires = effects.filter_map(|effect| match effect {
            Effect::Wire(intid) => Some(intid.get()),
            _ => None,
        });
        wires.collect()
    }
}

pub(crate) fn translated(outcome: Outcome) -> Translated {
    match outcome {
        Outcome::Translated(translated) => translated,
        other => panic!("not translated: {other:?}"),
    }
}

pub(crate) fn terminated(outcome: Outcome) -> Terminated {
    match outcome {
        Outcome::Terminated(terminated) => terminated,
        other => panic!("not terminated: {other:?}"),
    }
}

pub(crate) fn faulted(outcome: Outcome) -> (ContextFault, Record) {
    match terminated(outcome).cause {
        Cause::Context(fault, record) => (fault, record),
        other => panic!("not a context fault: {other:?}"),
    }
}

pub(crate) fn global(outcome: Outcome) -> GlobalFaultKind {
    match terminated(outcome).cause {
        Cause::Global(fault, _) => fault.kind,
        other => panic!("not a global fault: {other:?}"),
    }
}

/// Kind and level of a context fault.
pub(crate) fn kind(fault: ContextFault) -> (ContextFaultKind, u8) {
    (fault.kind, fault.level)
}
