//! An SMMUv3 with both stages set up, then stores to its registers, words of its tables and queues,
//! transactions and translation requests: no panic; in as many steps as a queue holds commands it
//! stands; what is explained is what a transaction meets; and a reset clears everything.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use passim_model::ats::{InvalidationEnd, PageRequest, TranslationRequest};
use passim_model::{
    Access, DeviceId, Iova, Memory, Perms, PhysAddr, Requester, Span, StreamId, SubstreamId, Width,
};
use passim_smmu::SmmuV3;
use passim_smmu::cache::{Geometry, Retention, Victim};
use passim_smmu::choice::{Acknowledge, Choices, Completion, ContiguousStes, Overlap, Prefetch};
use passim_smmu::v3::{
    Caches, IdRegisters, Implementation, Outcome, Progress, Transaction, Verdict,
};

const RAM_BYTES: u64 = 0x10_0000;
/// A stream table of 256 entries, the queues, and tables of both stages, below [`RAM_BYTES`].
const STREAM_TABLE: u64 = 0x1_0000;
const COMMANDS: u64 = 0x2_0000;
const EVENTS: u64 = 0x3_0000;
const PAGES: u64 = 0x3_8000;
const CDS: u64 = 0x4_0000;
const STAGE1: u64 = 0x5_0000;
const STAGE2: u64 = 0x6_0000;
/// The stream whose entry is valid at first.
const STREAM: u64 = 8;
/// Steps after each action.
const STEPS: usize = 64;
/// Commands of the largest queue that SMMU_IDR1 can encode, and what else can be pending.
const MOST_STEPS: u32 = (1 << 19) + 64;
const IDS: [u32; 4] = [0xd44_101b, 0xd44_1019, 0xd4c_321b, 0xd4c_b21b];

#[derive(Arbitrary, Debug)]
struct Start {
    ids: u8,
    /// SMMU_IDR0 and SMMU_IDR5 differ in these bits.
    flips: Option<(u8, u8)>,
    late: bool,
    choices: [bool; 3],
    contiguous: u8,
    caches: u8,
    everything: bool,
    both_stages: bool,
    /// The table of CDs has two levels.
    two_levels: bool,
}

#[derive(Arbitrary, Debug)]
enum Action {
    Store { offset: u32, wide: bool, value: u64 },
    Known { register: u8, value: u32 },
    Command { opcode: u8, number: u8, words: [u64; 2] },
    Word { at: u32, value: u64 },
    Flip { table: u8, word: u8, bit: u8 },
    Translate { stream: u8, substream: Option<u8>, iova: u64, write: bool },
    Page { stream: u8, substream: Option<u8>, page: u8, write: bool },
    Request { stream: u8, page: u8, write: bool, last: bool },
    Ended { tag: u8, late: bool },
    Lost(u8),
    Forget,
}

struct Board {
    smmu: SmmuV3,
    memory: Memory,
}

fn implementation(start: &Start) -> Implementation {
    let which = usize::from(start.ids) % IDS.len();
    // From the third on, eight bits of SubstreamID.
    let idr1 = if which < 2 { 0x273_0010 } else { 0x273_0210 };
    let mut idr = [IDS[which], idr1, 0, 0x1414, 0, 0x74];
    if let Some((first, fifth)) = start.flips {
        idr[0] ^= 1 << (first % 32);
        idr[5] ^= 1 << (fifth % 32);
    }
    let [steps, prefetch, overlap] = start.choices;
    let choices = Choices {
        acknowledge: if steps { Acknowledge::OnStep } else { Acknowledge::AtOnce },
        completion: if start.late { Completion::WhenSynchronised } else { Completion::AtOnce },
        prefetch: if prefetch { Prefetch::Configuration } else { Prefetch::Ignored },
        overlap: if overlap { Overlap::Detected } else { Overlap::SmallestWins },
        contiguous_stes: [ContiguousStes::Apart, ContiguousStes::Shared, ContiguousStes::Detected]
            [usize::from(start.contiguous % 3)],
        ..Choices::default()
    };
    let small = |victim| Geometry { sets_lg2: 1, ways: 2, victim };
    let caches = match start.caches % 4 {
        0 => Caches::VIRT,
        1 => Caches::EVERYTHING,
        2 => all_of(small(Victim::LeastRecentlyUsed)),
        _ => all_of(small(Victim::Random { seed: u32::from(start.caches) })),
    };
    let retention = if start.everything { Retention::Everything } else { Retention::Sized };
    let ids = IdRegisters { idr, iidr: 0, aidr: 1, mpamidr: 0 };
    Implementation { ids, choices, caches, retention, ..Implementation::default() }
}

/// Every kind of cache, of one size.
fn all_of(size: Geometry) -> Caches {
    Caches {
        tlb: size,
        tables: Some(size),
        stes: size,
        cds: size,
        level_one_stes: Some(size),
        level_one_cds: Some(size),
    }
}

/// Three quarters of all accesses are of the stream whose entry is valid at first.
fn requester(stream: u8, substream: Option<u8>) -> Requester {
    let stream = if stream < 0xc0 { STREAM as u32 } else { u32::from(stream - 0xc0) };
    let substream = substream.map(|id| SubstreamId::new(u32::from(id)));
    Requester { stream: StreamId::new(stream), substream, device: DeviceId::new(stream) }
}

/// Pages that are mapped, and their neighbours.
fn page(n: u8) -> Iova {
    Iova::new(0x1_0000 + (u64::from(n) << 12))
}

impl Board {
    fn new(start: &Start) -> Self {
        let mut memory = Memory::new();
        let ram = Span::from_size(PhysAddr::new(0), RAM_BYTES).expect("a megabyte");
        memory.add_bank(ram).expect("an empty memory takes it");
        let mut board = Self { smmu: SmmuV3::new(implementation(start)), memory };
        board.boot(start);
        if start.flips.is_none() && (start.ids % 4 == 0 && !start.two_levels || start.ids % 4 > 1) {
            let (iova, access) = (page(0), Access::READ);
            let txn = Transaction { requester: requester(0, None), iova, access };
            let met = board.smmu.translate(&mut board.memory, &txn);
            assert!(matches!(met, Outcome::Translated(_)), "{met:?}");
        }
        board
    }

    fn put(&mut self, at: u64, words: &[u64]) {
        for (n, word) in (0..).zip(words) {
            let at = PhysAddr::new((at + 8 * n) % RAM_BYTES);
            self.memory.store_u64(at, *word).expect("inside the bank");
        }
    }

    fn store(&mut self, offset: u64, width: Width, value: u64) {
        self.smmu.store(offset, width, value, &mut self.memory);
    }

    fn boot(&mut self, start: &Start) {
        let (config, of_stage2) =
            if start.both_stages { (4, 0x040c_3594_0000_0003) } else { (0, 0) };
        // S1Fmt 1 and S1CDMax 8: level 1 names pages of 64 CDs.
        let format = if start.two_levels { 8 << 59 | 1 << 4 } else { 0 };
        let ste = [format | CDS | 0xb | config, 0xd6, of_stage2, STAGE2];
        self.put(STREAM_TABLE + 64 * STREAM, &ste);
        let first = if start.two_levels { CDS + 0x1000 } else { CDS };
        if start.two_levels {
            self.put(CDS, &[first | 1, first | 1]);
        }
        self.put(first, &[0x7_e204_c000_3510, STAGE1, 0, 0xffff_ffff_f404_ff44]);
        for (root, leaf) in [(STAGE1, 0x8_0f47), (STAGE2, 0x8_07ff)] {
            self.put(root, &[root + 0x1003]);
            self.put(root + 0x1000, &[root + 0x2003, 0x07fd]);
            self.put(root + 0x2000, &[root + 0x3003, 0x0f45]);
            for n in 0..256 {
                self.put(root + 0x3000 + 8 * n, &[leaf & 0xfff | n << 12]);
            }
        }
        let wide =
            [(0x80, STREAM_TABLE), (0x90, COMMANDS | 8), (0xa0, EVENTS | 2), (0xc0, PAGES | 2)];
        for (offset, value) in wide {
            self.store(offset, Width::W64, value);
        }
        for (offset, value) in [(0x88, 8), (0x50, 0b101), (0x20, 8), (0x20, 0xc), (0x20, 0xf)] {
            self.store(offset, Width::W32, value);
            self.run(STEPS as u32);
        }
    }

    /// Steps until nothing is left to do, or for so many steps. Returns whether nothing is left.
    fn run(&mut self, most: u32) -> bool {
        (0..most).any(|_| self.smmu.step(&mut self.memory) == Progress::Idle)
    }

    fn command(&mut self, words: [u64; 2]) {
        let write = self.smmu.load(0x98, Width::W32);
        self.put(COMMANDS + 16 * (write & 0xff), &words);
        self.store(0x98, Width::W32, (write + 1) & 0x1ff);
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Store { offset, wide, value } => {
                let width = if wide { Width::W64 } else { Width::W32 };
                self.store(u64::from(offset % 0x2_0000), width, value);
            }
            Action::Known { register, value } => {
                let known = [
                    0x20, 0x28, 0x2c, 0x44, 0x50, 0x64, 0x68, 0x80, 0x84, 0x88, 0x90, 0x94, 0x98,
                    0x9c, 0xa0, 0xa4, 0xb0, 0xc0, 0xd0, 0xdc, 0x1_00a8, 0x1_00ac, 0x1_00c8,
                    0x1_00cc,
                ];
                let offset = known[usize::from(register) % known.len()];
                self.store(offset, Width::W32, u64::from(value));
            }
            Action::Command { opcode, number, words } => {
                let opcodes = [
                    0x01, 0x02, 0x03, 0x04, 0x10, 0x11, 0x12, 0x13, 0x18, 0x1a, 0x20, 0x21, 0x22,
                    0x28, 0x2a, 0x30, 0x40, 0x41, 0x44, 0x46,
                ];
                let opcode = opcodes[usize::from(opcode) % opcodes.len()];
                self.command([u64::from(number) << 32 | words[0] & !0xff | opcode, words[1]]);
            }
            Action::Word { at, value } => self.put(u64::from(at) * 8 % RAM_BYTES, &[value]),
            Action::Flip { table, word, bit } => self.flip(table, word, bit),
            Action::Translate { stream, substream, iova, write } => {
                self.translate(requester(stream, substream), Iova::new(iova), write);
            }
            Action::Page { stream, substream, page: n, write } => {
                self.translate(requester(stream, substream), page(n), write);
            }
            Action::Request { stream, page: n, write, last } => {
                self.request(requester(stream, None), page(n), write, last);
            }
            Action::Ended { tag, late } => {
                let end = if late { InvalidationEnd::TimedOut } else { InvalidationEnd::Completed };
                self.smmu.invalidation_ended(u32::from(tag), end);
            }
            Action::Lost(tag) => self.smmu.message_aborted(u32::from(tag)),
            Action::Forget => self.smmu.clear_caches(),
        }
        self.run(STEPS as u32);
        self.smmu.take_resolved();
        self.smmu.take_effects();
    }

    /// A bit of a table that is in use.
    fn flip(&mut self, table: u8, word: u8, bit: u8) {
        let tables = [STREAM_TABLE + 64 * STREAM, CDS, CDS + 0x1000, COMMANDS];
        let trees =
            [STAGE1, STAGE2].into_iter().flat_map(|root| (0..4).map(move |n| root + n * 0x1000));
        let tables: Vec<u64> = tables.into_iter().chain(trees).collect();
        let at = PhysAddr::new(tables[usize::from(table) % tables.len()] + 8 * u64::from(word));
        let before = self.memory.load_u64(at).expect("inside the bank");
        self.memory.store_u64(at, before ^ 1 << (bit % 64)).expect("inside the bank");
    }

    fn translate(&mut self, requester: Requester, iova: Iova, write: bool) {
        let access = if write { Access::WRITE } else { Access::READ };
        let txn = Transaction { requester, iova, access };
        let told = self.smmu.explain(&self.memory, &txn).verdict;
        let met = self.smmu.translate(&mut self.memory, &txn);
        let agree = match (&told, &met) {
            (Verdict::Disabled, _) => true,
            (Verdict::Translated(told), Outcome::Translated(met)) => {
                (told.pa, told.perms) == (met.pa, met.perms)
            }
            (Verdict::StreamAborts, Outcome::Terminated(_)) => true,
            (Verdict::Event(_), Outcome::Terminated(_) | Outcome::Stalled(_)) => true,
            _ => false,
        };
        assert!(agree, "{told:?}, {met:?}");
    }

    fn request(&mut self, requester: Requester, page: Iova, write: bool, last: bool) {
        let (no_write, execute, privileged) = (!write, false, false);
        let request = TranslationRequest { requester, iova: page, no_write, execute, privileged };
        self.smmu.translation_request(&mut self.memory, &request);
        let txn = Transaction { requester, iova: page, access: Access::READ };
        self.smmu.translated(&mut self.memory, &txn);
        let (perms, group) = (Perms::READ, 0);
        let request = PageRequest { requester, page, perms, privileged, last, group };
        self.smmu.page_request(&mut self.memory, &request);
    }
}

fuzz_target!(|input: (Start, Vec<Action>)| {
    let (start, actions) = input;
    let mut board = Board::new(&start);
    for action in &actions {
        board.act(action);
    }
    assert!(board.run(MOST_STEPS), "the queue stands, or is empty");
    board.smmu.tlb_entries();
    board.smmu.reset();
    let fresh = SmmuV3::new(implementation(&start));
    for offset in (0..0x100).chain(0x1_00a0..0x1_00d0).step_by(4) {
        let loaded = |smmu: &SmmuV3| smmu.load(offset, Width::W32);
        assert_eq!(loaded(&board.smmu), loaded(&fresh), "{offset:#x}");
    }
});
