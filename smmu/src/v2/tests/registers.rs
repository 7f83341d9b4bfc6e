//! Compares every word of the register window with the manual.

use super::manual::{Kind, Manual, Page, Word, word};
use super::*;

/// The descriptions that differ in what registers have.
fn descriptions() -> Vec<Description> {
    let all = Description::EVERYTHING;
    vec![
        all,
        Description::MMU_400,
        Description::MMU_401,
        Description::MMU_500,
        Description { auxiliary: Auxiliary::Mmu500 { locked: false }, ..Description::MMU_500 },
        Description::SMMU_V1,
        Description { aarch32: Aarch32::Long, ..Description::SMMU_V1 },
        Description { nested: false, translation_operations: false, ..all },
        Description { stage1: false, nested: false, upstream_bits: 49, ..all },
        Description { stage2: false, nested: false, stage2_banks: 0, ..all },
        Description { aarch32: Aarch32::Absent, flag_updates: FlagUpdates::Access, ..all },
        Description { granules: [false; 3], upstream_bits: 40, ipa_bits: 40, ..all },
        Description { ipa_bits: 36, output_bits: 40, upstream_bits: 32, ..all },
        Description { stream_matching: false, stream_bits: 2, ..all },
        Description { extended_ids: false, vmid16: false, e2h: false, ..all },
        Description { stream_bits: 9, extended_ids: false, stall: false, ..all },
        Description { hierarchical_disable: false, global_stall: false, ..all },
    ]
}

/// Four banks of which one has stage 2 alone, if that can be, and four stream mapping entries.
fn small(description: Description, large_pages: bool) -> Description {
    Description {
        banks: 4,
        stage2_banks: description.stage2_banks.min(1),
        stream_entries: 4,
        large_pages,
        pages_lg2: 2,
        ..description
    }
}

/// An SMMU, and its content by the manual.
struct Pair {
    board: Board,
    manual: Manual,
    built: Description,
}

impl Pair {
    fn new(implementation: Implementation) -> Self {
        let built = implementation.description;
        Self { board: Board::cold(implementation), manual: Manual::reset(built), built }
    }

    /// A store of either width; misaligned ones arrive nowhere.
    fn store(&mut self, offset: u64, wide: bool, value: u64) {
        let width = if wide { Width::W64 } else { Width::W32 };
        self.board.smmu.store(offset, width, value, &mut self.board.memory);
        if !offset.is_multiple_of(width.bytes()) || offset >= self.board.smmu.window() {
            return;
        }
        let mut words = vec![(offset, value as u32)];
        if wide {
            words.push((offset + 4, (value >> 32) as u32));
        }
        for (offset, value) in words {
            let word = word(&self.built, offset);
            if self.manual.store(word, value) {
                self.learn_answer(word);
            }
        }
        self.learn_faults();
    }

    fn offset(&self, (page, at): Word) -> u64 {
        let size = if self.built.large_pages { 0x1_0000 } else { 0x1000 };
        match page {
            Page::Global0 => at,
            Page::Global1 => size + at,
            Page::Bank(bank) => self.board.of_bank(bank, at),
            Page::Hole => unreachable!("nothing is there"),
        }
    }

    fn loaded(&self, word: Word) -> u32 {
        self.board.r32(self.offset(word))
    }

    fn learn(&mut self, word: Word) {
        let value = self.loaded(word);
        self.manual.learn(word, value);
    }

    /// Takes over what an address translation operation may have written to PAR or GPAR.
    fn learn_answer(&mut self, (page, at): Word) {
        let par = match page {
            Page::Global0 if (0x100..0x140).contains(&at) => 0x180,
            Page::Bank(_) if (0x800..0x820).contains(&at) => 0x50,
            _ => return,
        };
        self.learn((page, par));
        self.learn((page, par + 4));
    }

    /// Takes over what faults may have written: the first one status and syndrome, a later one
    /// MULTI; SS changes with stalled transactions. IHI 0062 D.c 3.7.3, 3.8.1.
    fn learn_faults(&mut self) {
        self.learn_fault(Page::Global0, 0x48, &[0x40, 0x44, 0x50, 0x54], None);
        for bank in 0..u64::from(self.built.banks) {
            let stream = (Page::Global1, 0x400 + 4 * bank);
            let syndrome = [0x60, 0x64, 0x68, 0x70, 0x74];
            self.learn_fault(Page::Bank(bank), 0x58, &syndrome, Some(stream));
        }
    }

    fn learn_fault(&mut self, page: Page, status: u64, syndrome: &[u64], stream: Option<Word>) {
        const MULTI: u32 = 1 << 31;
        const SS: u32 = 1 << 30;
        let status = (page, status);
        let known = self.manual.load(status);
        let found = self.loaded(status);
        if known == found {
            return;
        }
        let faults = 0x1ff | MULTI;
        if known & faults == 0 && known & SS == 0 && found & faults != 0 {
            for &at in syndrome {
                self.learn((page, at));
            }
            stream.into_iter().for_each(|stream| self.learn(stream));
        } else {
            assert_eq!((known ^ found) & !(MULTI | SS), 0, "{page:?}: {known:#x} to {found:#x}");
        }
        self.learn(status);
    }

    /// Checks that every load returns what the manual says, by words and by doublewords.
    fn check(&self, offsets: impl Iterator<Item = u64>) {
        for offset in offsets {
            let word = word(&self.built, offset);
            let expected = self.manual.load(word);
            let (name, kind) = self.manual.row(word);
            let found = self.board.r32(offset);
            if kind == Kind::Status {
                assert_eq!(found & !1, 0, "{name} of {word:x?}");
                continue;
            }
            assert_eq!(found, expected, "{name} {word:x?}, {kind:x?}: {:?}", self.built);
        }
    }

    /// The first 4K of every page, and the last words of it.
    fn near(&self) -> Vec<u64> {
        let size = if self.built.large_pages { 0x1_0000 } else { 0x1000 };
        let inside: Vec<u64> = (0..0x1000).step_by(4).chain([size - 0x1000, size - 4]).collect();
        let pages = 0..self.board.smmu.window() / size;
        pages.flat_map(|page| inside.iter().map(move |at| page * size + at)).collect()
    }
}

/// Everything the window has: all ones, then all zeros, in every TYPE of the banks, with both
/// widths of access.
#[test]
fn all_ones_and_all_zeros_everywhere() {
    for description in descriptions() {
        for kind in 0..4u64 {
            for va64 in [0, 1] {
                let mut pair = Pair::new(implementation(small(description, false)));
                for bank in 0..4 {
                    pair.store(0x1000 + 4 * bank, false, kind << 16);
                    pair.store(0x1800 + 4 * bank, false, va64);
                }
                let window = pair.board.smmu.window();
                // The banks first: the registers before them decide which fields they have.
                for value in [u64::MAX, 0] {
                    for offset in (0..window).rev().step_by(8).map(|last| last - 7) {
                        pair.store(offset, value == u64::MAX, value);
                        pair.store(offset + 4, false, value);
                    }
                    pair.check((0..window).step_by(4));
                }
            }
        }
    }
}

/// The window of large pages, whole: what is behind the first 4K of a page is a hole.
#[test]
fn large_pages_are_holes_behind_their_registers() {
    let mut pair = Pair::new(implementation(small(Description::EVERYTHING, true)));
    let window = pair.board.smmu.window();
    assert_eq!(window, 0x8_0000);
    for offset in (0..window).step_by(4) {
        let (page, at) = word(&pair.built, offset);
        if at >= 0x1000 || page == Page::Hole {
            pair.store(offset, false, u64::MAX);
            assert_eq!(pair.board.r32(offset), 0, "{offset:#x}");
        }
    }
    pair.check((0..window).step_by(4));
}

proptest! {
    /// For stores in any order and width, and any device accesses in between, a load returns what
    /// the manual says. After reset it returns the manual's reset values.
    #[test]
    fn every_load_is_as_the_manual_says(
        description in prop::sample::select(descriptions()),
        large_pages in any::<bool>(),
        ready in any::<bool>(),
        steps in prop::collection::vec(any_step(), 1..100),
    ) {
        let implementation = implementation(small(description, large_pages));
        let mut pair = Pair::new(implementation.clone());
        if ready {
            for bank in 1..4u64 {
                pair.stage1(bank);
            }
            pair.store(0, false, 1 << 21 | 1 << 10 | 1 << 2 | 1 << 1);
        }
        for step in &steps {
            pair.apply(step);
        }
        pair.check(pair.near().into_iter());
        pair.board.smmu.reset();
        pair.manual = Manual::reset(implementation.description);
        pair.check(pair.near().into_iter());
    }
}

impl Pair {
    /// Stream n-1 to bank n, which translates stage 1 and stalls if it can.
    fn stage1(&mut self, bank: u64) {
        self.put((Page::Global0, 0xc00 + 4 * (bank - 1)), bank);
        self.put((Page::Global0, 0x800 + 4 * (bank - 1)), 1 << 31 | (bank - 1));
        self.put((Page::Global1, 4 * bank), 1 << 16);
        self.put((Page::Global1, 0x800 + 4 * bank), 1);
        self.put((Page::Bank(bank), 0x10), 5 | 7 << 15);
        self.put((Page::Bank(bank), 0x30), u64::from(TCR64));
        self.put((Page::Bank(bank), 0x20), STAGE1);
        self.put((Page::Bank(bank), 0), u64::from(SCTLR) | (bank & 1) << 7 | (bank & 2) << 7);
    }

    fn put(&mut self, word: Word, value: u64) {
        self.store(self.offset(word), false, value);
    }

    fn apply(&mut self, step: &Step) {
        if let Step::Store { offset, wide, value } = *step {
            // Offsets are drawn for pages of 4K.
            let page = if self.built.large_pages { offset >> 12 << 16 } else { offset & !0xfff };
            self.store(page | offset & 0xfff, wide, value);
        } else {
            super::apply(&mut self.board, step);
            self.learn_faults();
            self.learn_late_answers();
        }
    }

    /// PAR of an operation that stalled and was resumed.
    fn learn_late_answers(&mut self) {
        for bank in 0..u64::from(self.built.banks) {
            for at in [0x50, 0x54] {
                self.learn((Page::Bank(bank), at));
            }
        }
    }
}
