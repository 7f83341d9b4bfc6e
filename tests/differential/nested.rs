//! Both stages: an SMMUv2 with two nested banks, and an SMMUv3 with a CD and its STE's own tables.
//! No driver here uses nesting, so the tables and registers are written by hand.
//!
//! Tables have two levels, from level 2 on, of every granule. Every descriptor is random: of stage
//! 1, and of the stage 2 that translates its tables and pages. Compared are the class of the fault,
//! its stage, whether it occurred on a descriptor fetch of stage 1, and the page that stage 2
//! translated.

use super::runner;
use passim_model::{Access, DeviceId, Iova, Memory, PhysAddr, Requester, Span, StreamId, Width};
use passim_smmu::v2::{self, ContextFaultKind};
use passim_smmu::v3::{self, Class, EventKind, Transaction};
use passim_smmu::{SmmuV2, SmmuV3};
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof};
use proptest::test_runner::TestCaseResult;

/// Memory, the lowest part of it as stage 1 addresses it.
const RAM: u64 = 0x1000_0000;
/// Number of parts of intermediate addresses in use, each of the largest page.
const PARTS: u64 = 16;
const PART: u64 = 0x1_0000;
/// The output of stage 2 for all parts but the last.
const BEHIND: u64 = 0x1200_0000;
/// The last part, which is identity mapped: the CD is there.
const CD: u64 = RAM + (PARTS - 1) * PART;
/// The tables of stage 2, and the Stream table.
const ROOT2: u64 = 0x1400_0000;
const LAST2: u64 = 0x1401_0000;
const STREAMS: u64 = 0x1500_0000;
const STREAM: u32 = 8;
/// The banks of the SMMUv2.
const FIRST: u64 = 5;
const SECOND: u64 = 1;

/// A granule, by its log2.
#[derive(Clone, Copy, Debug)]
struct Granule(u32);

impl Granule {
    fn bits(self) -> u32 {
        self.0 - 3
    }

    /// Input bits that two levels translate.
    fn input_bits(self) -> u32 {
        self.0 + 2 * self.bits()
    }

    fn t0sz(self) -> u64 {
        u64::from(64 - self.input_bits())
    }

    /// TG0: the same code on both sides.
    fn code(self) -> u64 {
        match self.0 {
            12 => 0,
            16 => 1,
            _ => 2,
        }
    }

    /// SL0 of level 2.
    fn sl0(self) -> u64 {
        if self.0 == 12 { 0 } else { 1 }
    }

    /// Offsets of the entry for an address in a table of level 2, and of level 3.
    fn entries(self, address: u64) -> [u64; 2] {
        let mask = (1 << self.bits()) - 1;
        [self.0 + self.bits(), self.0].map(|shift| (address >> shift & mask) * 8)
    }
}

/// The kind of a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    All,
    ReadOnly,
    /// Stage 1: privileged only. Stage 2: write only.
    Other,
    /// Stage 1: privileged and read-only. Stage 2: no access.
    Closed,
    /// The access flag is clear.
    Old,
    Invalid,
    /// A type that is reserved at this level.
    Reserved,
    /// Output address bit 45, of 40.
    TooFar,
    /// Output address bit 38: beyond the input of stage 2, or unmapped there.
    Far,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        8 => Just(Kind::All),
        2 => Just(Kind::ReadOnly),
        1 => Just(Kind::Other),
        1 => Just(Kind::Closed),
        1 => Just(Kind::Old),
        1 => Just(Kind::Invalid),
        1 => Just(Kind::Reserved),
        1 => Just(Kind::TooFar),
        1 => Just(Kind::Far),
    ]
}

/// A page or block descriptor: DDI 0487, VMSAv8-64. `access` is AP or S2AP in place.
fn leaf(kind: Kind, output: u64, access: u64, low: u64) -> u64 {
    let flag = if kind == Kind::Old { 0 } else { 1 << 10 };
    let far = match kind {
        Kind::TooFar => 1 << 45,
        Kind::Far => 1 << 38,
        _ => 0,
    };
    let low = match kind {
        Kind::Invalid => 0,
        // At level 3, and for a block that this level does not have; elsewhere a valid block.
        Kind::Reserved => low & !2,
        _ => low,
    };
    output | far | flag | 3 << 8 | access | low
}

fn stage1(kind: Kind, output: u64, low: u64) -> u64 {
    let access = match kind {
        Kind::ReadOnly => 3,
        Kind::Other => 0,
        Kind::Closed => 2,
        _ => 1,
    };
    leaf(kind, output, access << 6, low)
}

fn stage2(kind: Kind, output: u64) -> u64 {
    let access = match kind {
        Kind::ReadOnly => 1,
        Kind::Other => 2,
        Kind::Closed => 0,
        _ => 3,
    };
    leaf(kind, output, access << 6 | 0xf << 2, 3)
}

/// The random part of a case.
#[derive(Clone, Debug)]
struct World {
    granule: Granule,
    /// The pages of stage 1, with the part that each maps to.
    pages: Vec<(Kind, u64)>,
    /// The block of stage 1.
    block: Kind,
    /// The parts of stage 2.
    parts: Vec<Kind>,
    /// Kinds of the stage 1 tables.
    tables: [Kind; 2],
}

fn world() -> impl Strategy<Value = World> {
    let granule = prop_oneof![Just(12u32), Just(14), Just(16)];
    let page = (kind(), 0..PARTS);
    let parts = proptest::collection::vec(kind(), PARTS as usize - 1);
    let pages = proptest::collection::vec(page, 12);
    (granule, pages, kind(), parts, [kind(), kind()], any::<bool>()).prop_map(
        |(granule, pages, block, mut parts, tables, open)| {
            // In half of the cases the tables of stage 1 are reachable.
            if open {
                parts[..3].fill(Kind::All);
            }
            World { granule: Granule(granule), pages, block, parts, tables }
        },
    )
}

fn put(memory: &mut Memory, at: u64, word: u64) {
    memory.write(PhysAddr::new(at), &word.to_le_bytes()).expect("it is in RAM");
}

impl World {
    /// The output of stage 2 for a part.
    fn behind(part: u64) -> u64 {
        if part == PARTS - 1 { CD } else { BEHIND + part * PART }
    }

    fn memory(&self) -> Memory {
        let mut memory = Memory::new();
        let ram = Span::from_size(PhysAddr::new(RAM), 0x1000_0000).expect("a span");
        memory.add_bank(ram).expect("the only bank");
        // Stage 1: the root is in part 0; tables are in parts 1 and 2; a block.
        let block = 1u64 << (self.granule.0 + self.granule.bits());
        let root = Self::behind(0);
        for (entry, (kind, part)) in self.tables.iter().zip([1, 2]).enumerate() {
            let low = match kind {
                Kind::Invalid => 0,
                _ => 3,
            };
            let far = if *kind == Kind::TooFar { 1 << 45 } else { 0 };
            put(&mut memory, root + 8 * entry as u64, (RAM + part * PART) | far | low);
        }
        put(&mut memory, root + 16, stage1(self.block, RAM & !(block - 1), 1));
        for (n, (kind, part)) in (0..).zip(&self.pages) {
            // The first page of a part, with any granule.
            let word = stage1(*kind, RAM + part * PART, 3);
            for table in [1, 2] {
                put(&mut memory, Self::behind(table) + 8 * n, word);
            }
        }
        self.stage2(&mut memory);
        memory
    }

    fn stage2(&self, memory: &mut Memory) {
        let size = 1u64 << self.granule.0;
        put(memory, ROOT2 + self.granule.entries(RAM)[0], LAST2 | 3);
        let kinds = self.parts.iter().copied().chain([Kind::All]);
        for (part, kind) in (0..).zip(kinds) {
            for offset in (0..PART).step_by(size as usize) {
                let ipa = RAM + part * PART + offset;
                let word = stage2(kind, Self::behind(part) + offset);
                put(memory, LAST2 + self.granule.entries(ipa)[1], word);
            }
        }
    }

    /// Addresses of every mapped page, of unmapped pages, of the block, and without a table.
    fn addresses(&self) -> Vec<u64> {
        let (page, block) = (self.granule.0, self.granule.0 + self.granule.bits());
        let pages = (0..2).flat_map(|table| (0..14u64).map(move |n| table << block | n << page));
        let in_block = (0..PARTS).map(|part| 2 << block | (RAM + part * PART) & ((1 << block) - 1));
        let others = [3 << block, 1 << self.granule.input_bits(), 1 << 47];
        pages.chain(in_block).chain(others).map(|address| address | 0x18).collect()
    }
}

/// The result of an access: its output, or class, stage, whether on a descriptor fetch of stage 1,
/// and the page that stage 2 translated.
type Answer = Result<u64, (&'static str, u8, bool, Option<u64>)>;

/// The output of stage 2 for a stage-1 table is outside memory. The two architectures attribute
/// that fault differently.
const ABORTED: Answer = Err(("external abort", 3, true, None));

fn transaction(iova: u64, access: Access) -> Transaction {
    let stream = StreamId::new(STREAM);
    let requester = Requester { stream, substream: None, device: DeviceId::new(STREAM) };
    Transaction { requester, iova: Iova::new(iova), access }
}

fn second(world: &World, memory: &mut Memory) -> SmmuV2 {
    let mut smmu = SmmuV2::new(v2::Implementation::new(v2::Description::EVERYTHING));
    let granule = world.granule;
    let mut store = |at, value| smmu.store(at, Width::W32, value, memory);
    let bank = |number: u64, register: u64| 0x8_0000 + (number << 12) + register;
    store(0xc00, FIRST);
    store(0x800, 1 << 31 | u64::from(STREAM));
    // CBA2R.VA64; CBAR: TYPE 3, and TYPE 0, with one VMID.
    for (number, cbar) in [(FIRST, 3 << 16 | SECOND << 8 | 3), (SECOND, 3)] {
        store(0x1800 + 4 * number, 1);
        store(0x1000 + 4 * number, cbar);
    }
    // Output 40 bits; TG0, T0SZ, EPD1; SL0 and output 40 bits.
    store(bank(FIRST, 0x10), 2 | 7 << 15);
    store(bank(FIRST, 0x30), 1 << 23 | granule.code() << 14 | granule.t0sz());
    store(bank(FIRST, 0x20), RAM);
    store(bank(FIRST, 0x38), 0xff);
    let control = 1 << 31 | 2 << 16 | granule.code() << 14 | granule.sl0() << 6;
    store(bank(SECOND, 0x30), control | granule.t0sz());
    store(bank(SECOND, 0x20), ROOT2);
    // M, TRE, AFE, CFRE, CFIE.
    store(bank(FIRST, 0), 0x67);
    store(bank(SECOND, 0), 0x67);
    store(0, 1 << 21 | 1 << 10 | 1 << 2 | 1 << 1);
    smmu
}

fn answer_of_second(smmu: &SmmuV2, memory: &Memory, txn: &Transaction) -> Answer {
    match smmu.explain(memory, txn).verdict {
        v2::Verdict::Translated(found) => Ok(found.pa.get()),
        v2::Verdict::Context(fault) => {
            let kind = match fault.kind {
                ContextFaultKind::Translation => "translation",
                ContextFaultKind::Permission => "permission",
                ContextFaultKind::AddressSize => "address size",
                ContextFaultKind::AccessFlag => "access flag",
                ContextFaultKind::External => return ABORTED,
                other => panic!("{txn:x?}: {other:?}"),
            };
            let stage = if u64::from(fault.bank) == SECOND { 2 } else { 1 };
            let asked = fault.ipa.filter(|_| stage == 2).map(|ipa| ipa.get() >> 12);
            Err((kind, stage, fault.on_stage1_walk, asked))
        }
        other => panic!("{txn:x?}: {other:?}"),
    }
}

fn third(world: &World, memory: &mut Memory) -> SmmuV3 {
    let granule = world.granule;
    // V, EPD1, AA64, R, A, ASET; output 40 bits.
    let cd = 0x1_e200_c000_0000 & !(7 << 32) | 2 << 32 | granule.code() << 6 | granule.t0sz();
    for (n, word) in (0..).zip([cd, RAM, 0, 0xff]) {
        put(memory, CD + 8 * n, word);
    }
    // Both stages. VMID 3, S2AA64, S2R, output 40 bits.
    let control = 3
        | granule.t0sz() << 32
        | granule.sl0() << 38
        | granule.code() << 46
        | 2 << 48
        | 1 << 51
        | 1 << 58;
    for (n, word) in (0..).zip([1 | 7 << 1 | CD, 0, control, ROOT2]) {
        put(memory, STREAMS + 64 * u64::from(STREAM) + 8 * n, word);
    }
    let description = v3::Description { stream_bits: 4, ..v3::Description::EVERYTHING };
    let ids = description.id_registers().expect("a description without contradictions");
    let mut smmu = SmmuV3::new(v3::Implementation { ids, ..v3::Implementation::default() });
    smmu.store(0x80, Width::W64, STREAMS, memory);
    smmu.store(0x88, Width::W32, 4, memory);
    smmu.store(0x20, Width::W32, 1, memory);
    smmu
}

fn answer_of_third(smmu: &SmmuV3, memory: &Memory, txn: &Transaction) -> Answer {
    match smmu.explain(memory, txn).verdict {
        v3::Verdict::Translated(found) => Ok(found.pa.get()),
        v3::Verdict::Event(event) => {
            let kind = match event.kind {
                EventKind::Translation => "translation",
                EventKind::Permission => "permission",
                EventKind::AddrSize => "address size",
                EventKind::Access => "access flag",
                EventKind::WalkEabt => return ABORTED,
                other => panic!("{txn:x?}: {other:?}"),
            };
            let stage = match event.stage {
                passim_model::pgtable::vmsav8::Stage::One => 1,
                passim_model::pgtable::vmsav8::Stage::Two => 2,
            };
            let asked = event.ipa.filter(|_| stage == 2).map(|ipa| ipa.get() >> 12);
            Err((kind, stage, stage == 2 && event.class == Class::Tt, asked))
        }
        other => panic!("{txn:x?}: {other:?}"),
    }
}

fn holds(world: &World, seen: &mut [u32; 4]) -> TestCaseResult {
    let mut memory = world.memory();
    let second = second(world, &mut memory);
    let third = third(world, &mut memory);
    for iova in world.addresses() {
        for access in [Access::READ, Access::WRITE] {
            let txn = transaction(iova, access);
            let answer = answer_of_second(&second, &memory, &txn);
            let other = answer_of_third(&third, &memory, &txn);
            prop_assert_eq!(answer, other, "{:#x} {:?}", iova, access);
            seen[answer.map_or_else(|(_, stage, ..)| usize::from(stage), |_| 0)] += 1;
        }
    }
    Ok(())
}

#[test]
fn both_stages_answer_alike() {
    let seen = core::cell::RefCell::new([0u32; 4]);
    let outcome = runner(1500, 12).run(&world(), |world| holds(&world, &mut seen.borrow_mut()));
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // The cases are not trivial: many accesses succeed, and many fault at either stage or in
    // memory.
    assert!(seen.borrow().iter().all(|times| *times > 500), "{seen:?}");
}
