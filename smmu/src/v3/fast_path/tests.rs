//! Compares the fast path with the general path: two SMMUs that get the same transactions.

use crate::cache::{Geometry, Victim};
use crate::v3::testkit::{
    self, BOTH_STAGES, Board, CD0, STAGE1, STE_STAGE1, STE_STAGE2, STREAM, implementation, pa,
};
use crate::v3::{Caches, Implementation};
use passim_model::access::{Access, Direction, Privilege};
use proptest::prelude::*;

/// The table of level 3: not where those above it are, so that a store there is none to them.
const LAST_TABLE: u64 = STAGE1 + 0x1_3000;

/// Another one, to which the table of level 2 may lead instead.
const OTHER_TABLE: u64 = STAGE1 + 0x2_3000;

/// Streams beside [`STREAM`], of one CD: one that is at hand next to it, one that is in its place.
const OTHERS: [u32; 2] = [STREAM + 1, STREAM + 16];

/// The CD of the others.
const OTHER_CD: u64 = testkit::CDS + 0x1000;

/// Tables of the others, levels 0 to 3: where [`STREAM`] has its upper ones.
const OTHER_TABLES: u64 = STAGE1 + 0x4000;

/// The last of them.
const OTHER_LAST_TABLE: u64 = OTHER_TABLES + 0x3000;

/// Descriptors that updates of flags change, the first of four each.
const WRITTEN: [u64; 5] =
    [STAGE1, STAGE1 + 0x1000, STAGE1 + 0x2000, LAST_TABLE + 0x80, OTHER_LAST_TABLE + 0x80];

/// What is looked at: pages, a block, nothing, beyond the input size, the other half, a top byte.
const INPUTS: [u64; 9] = [
    0x1_0000,
    0x1_1008,
    0x1_2010,
    0x1_3ff8,
    0x20_0000,
    0x2f_f000,
    0x1_0000_0000_0000,
    0xffff_0000_0001_0000,
    0x5500_0000_0001_0000,
];

/// Descriptors of level 3: as the testkit has it, read-only, global, privileged, without access
/// flag, execute-never, other attributes, with bits that mean nothing here, writable but clean for
/// who updates flags, none.
const PAGES: [u64; 11] = [
    0x4800_0f47,
    0x4800_1fc7,
    0x4800_2747,
    0x4800_3f07,
    0x4800_4b47,
    0x0060_0000_4800_5f47,
    0x4800_6f4b,
    0x0588_0000_4800_7f47,
    0x0010_0000_4800_8f47,
    0x0008_0000_4800_9bc7,
    0,
];

/// Limits in the descriptor of level 2: none, read-only, privileged, execute-never.
const LIMITS: [u64; 4] = [0, 1 << 62, 1 << 61, 1 << 60 | 1 << 59];

/// Doubleword 0 of CDs: as the testkit has it, with WXN, with TBI0, with PAN, with AFFD, with
/// another ASID, without R.
const CDS: [u64; 7] = [
    CD0,
    CD0 | 1 << 36,
    CD0 | 1 << 38,
    CD0 | 1 << 40,
    CD0 | 1 << 35,
    CD0 ^ 1 << 48,
    CD0 & !(1 << 45),
];

/// Doubleword 0 of the CD of the others, which has an ASID of its own, and the flags in
/// doubleword 1: as it is, with HA, with HA and HD, with HAFT as well.
const OTHER_CDS: [(u64, u64); 4] = [
    (CD0 ^ 1 << 48, 0),
    (CD0 ^ 1 << 48 | 1 << 43, 0),
    (CD0 ^ 1 << 48 | 3 << 42, 0),
    (CD0 ^ 1 << 48 | 3 << 42, 1 << 3),
];

/// Commands: by address, with and without leaf; by ASID; all; CFGI_STE, CFGI_CD; the ASID of the
/// others, CFGI_CD for each of them.
const COMMANDS: [(u64, u64); 9] = [
    (0x0007_0000_0000_0012, 0x1_0001),
    (0x0007_0000_0000_0012, 0x1_1000),
    (0x0007_0000_0000_0011, 0),
    (0x30, 0),
    ((STREAM as u64) << 32 | 3, 1),
    ((STREAM as u64) << 32 | 5, 1),
    (0x0006_0000_0000_0011, 0),
    ((OTHERS[0] as u64) << 32 | 5, 1),
    ((OTHERS[1] as u64) << 32 | 5, 1),
];

#[derive(Clone, Copy, Debug)]
enum Happening {
    Look {
        /// [`STREAM`], or one of the [`OTHERS`].
        other: Option<usize>,
        input: usize,
        write: bool,
        instruction: bool,
        privileged: bool,
    },
    Page {
        place: u64,
        descriptor: usize,
    },
    /// The same in the other table, or in that of the others.
    OtherPage {
        table: u64,
        place: u64,
        descriptor: usize,
    },
    Limit(usize),
    /// The table of level 2 leads to the other one, or back.
    Lead(u64),
    /// The table of level 1 leads nowhere, or to that of level 2 again.
    Cut(bool),
    /// A word where tables lie that is none of them.
    Beside(u64),
    /// The CD of the others, and whether they walk the tables of [`STREAM`].
    OtherCd {
        cd: usize,
        shared: bool,
    },
    Cd(usize),
    /// STE.Config is bypass, stage 1, or both stages.
    Ste(usize),
    Command(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let other_table = prop::sample::select(vec![OTHER_TABLE, OTHER_LAST_TABLE]);
    prop_oneof![
        16 => (prop::option::weighted(0.4, 0..2usize), 0..INPUTS.len(), flags).prop_map(
            |(other, input, (write, instruction, privileged))| {
                Happening::Look { other, input, write, instruction, privileged }
            }
        ),
        3 => (0..4u64, 0..PAGES.len())
            .prop_map(|(place, descriptor)| Happening::Page { place, descriptor }),
        2 => (other_table, 0..4u64, 0..PAGES.len()).prop_map(|(table, place, descriptor)| {
            Happening::OtherPage { table, place, descriptor }
        }),
        1 => (0..LIMITS.len()).prop_map(Happening::Limit),
        1 => prop::sample::select(vec![LAST_TABLE, OTHER_TABLE]).prop_map(Happening::Lead),
        1 => any::<bool>().prop_map(Happening::Cut),
        1 => any::<u64>().prop_map(Happening::Beside),
        1 => (0..OTHER_CDS.len(), any::<bool>())
            .prop_map(|(cd, shared)| Happening::OtherCd { cd, shared }),
        1 => (0..CDS.len()).prop_map(Happening::Cd),
        1 => (0..3usize).prop_map(Happening::Ste),
        3 => (0..COMMANDS.len()).prop_map(Happening::Command),
    ]
}

fn apply(board: &mut Board, happening: Happening) {
    match happening {
        Happening::Look { .. } => {}
        Happening::Page { place, descriptor } => {
            board.put(LAST_TABLE + (0x10 + place) * 8, &[PAGES[descriptor]]);
        }
        Happening::OtherPage { table, place, descriptor } => {
            board.put(table + (0x10 + place) * 8, &[PAGES[descriptor]]);
        }
        Happening::Lead(table) => board.put(STAGE1 + 0x2000, &[table + 3]),
        Happening::Cut(cut) => {
            board.put(STAGE1 + 0x1000, &[if cut { 0 } else { STAGE1 + 0x2003 }]);
        }
        Happening::Beside(word) => board.put(STAGE1 + 0x8000, &[word]),
        Happening::OtherCd { cd, shared } => other_cd(board, cd, shared),
        Happening::Limit(limits) => {
            board.put(STAGE1 + 0x2000, &[(LAST_TABLE + 3) | LIMITS[limits]])
        }
        Happening::Cd(cd) => board.stage1(CDS[cd]),
        Happening::Ste(config) => {
            let [_, _, vmid, tables] = STE_STAGE2;
            let word = [0x9, STE_STAGE1, STE_STAGE1 | 0x4][config];
            board.ste(STREAM, &[word, 0xd6, vmid, tables]);
        }
        Happening::Command(command) => {
            let (w0, w1) = COMMANDS[command];
            board.command(w0, w1);
        }
    }
}

fn other_cd(board: &mut Board, cd: usize, shared: bool) {
    let tables = if shared { STAGE1 } else { OTHER_TABLES };
    let (cd0, flags) = OTHER_CDS[cd];
    let words = [cd0, tables | flags, 0, 0xffff_ffff_f404_ff44, 0, 0, 0, 0];
    board.put(OTHER_CD, &words);
}

/// A board whose SMMU updates flags, of table descriptors too.
fn board(tlb: Geometry, tables: Option<Geometry>) -> Board {
    let caches = Caches { tlb, tables, ..Caches::VIRT };
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 3 << 6;
    let mut board = Board::with(Implementation { caches, ..implementation(ids) });
    board.stage1_tables();
    board.stage2_tables();
    board.put(STAGE1 + 0x2000, &[LAST_TABLE + 3]);
    board.put(LAST_TABLE + 0x10 * 8, &[PAGES[0], PAGES[1]]);
    board.stage1(CD0);
    for below in [0x1000, 0x2000, 0x3000] {
        board.put(OTHER_TABLES + below - 0x1000, &[OTHER_TABLES + below + 3]);
    }
    board.put(OTHER_LAST_TABLE + 0x10 * 8, &[PAGES[0], PAGES[4], PAGES[9], PAGES[1]]);
    other_cd(&mut board, 2, false);
    for stream in OTHERS {
        board.ste(stream, &[OTHER_CD | STE_STAGE1 & 0x3f, 0xd6]);
    }
    board
}

proptest! {
    #[test]
    fn both_ways_come_to_the_same(
        happenings in prop::collection::vec(happening(), 1..80),
        sets_lg2 in 0..6u8,
        ways in 1..3u8,
        used in any::<bool>(),
        tables in prop::option::of((0..3u8, 1..3u8)),
        (front, glances) in any::<(bool, bool)>(),
    ) {
        let victim = if used { Victim::LeastRecentlyUsed } else { Victim::RoundRobin };
        let tables = tables.map(|(sets_lg2, ways)| Geometry::new(sets_lg2, ways));
        let [mut plain, mut general] = [(); 2].map(|()| {
            board(Geometry { sets_lg2, ways, victim }, tables)
        });
        for happening in happenings {
            apply(&mut plain, happening);
            apply(&mut general, happening);
            if let Happening::Look { other, input, write, instruction, privileged } = happening {
                let stream = other.map_or(STREAM, |other| OTHERS[other]);
                let direction = if write { Direction::Write } else { Direction::Read };
                let privilege = match privileged {
                    true => Privilege::Privileged,
                    false => Privilege::Unprivileged,
                };
                let instruction = instruction && !write;
                let access = Access { direction, privilege, instruction };
                if !front {
                    plain.smmu.front.clear();
                }
                general.smmu.front.clear();
                general.smmu.streams.clear();
                let other = general.ask(stream, INPUTS[input], access);
                let glance = glances.then(|| plain.glance(stream, INPUTS[input], access));
                match glance.flatten() {
                    Some(at) => prop_assert_eq!(at, pa(other)),
                    None => prop_assert_eq!(plain.ask(stream, INPUTS[input], access), other),
                }
            }
            prop_assert_eq!(plain.smmu.counters(), general.smmu.counters());
            prop_assert_eq!(plain.smmu.tlb_entries(), general.smmu.tlb_entries());
            for table in WRITTEN {
                let [one, other] = [&plain, &general].map(|board| {
                    [0, 8, 16, 24].map(|place| board.get(table + place))
                });
                prop_assert_eq!(one, other);
            }
        }
    }
}

/// The ways are gone, not only general: a page, the next with the way learnt, a third by the
/// shortcut it found, and the first again.
#[test]
fn the_third_page_of_a_stream_takes_a_shortcut() {
    let mut board = board(Geometry::new(4, 1), None);
    board.ask(STREAM, 0x1_0000, Access::READ);
    board.ask(STREAM, 0x1_1000, Access::READ);
    assert_eq!((board.smmu.shortcuts_taken, board.smmu.glances), (0, 0));
    board.put(LAST_TABLE + 0x12 * 8, &[PAGES[1]]);
    board.ask(STREAM, 0x1_2000, Access::READ);
    assert_eq!(board.smmu.shortcuts_taken, 1);
    assert_eq!(board.smmu.counters().tlb_misses, 3);
    board.ask(STREAM, 0x1_1000, Access::READ);
    assert_eq!((board.smmu.shortcuts_taken, board.smmu.glances), (1, 1));
    assert_eq!(board.smmu.counters().transactions, 4);
}

/// What the front answers is at a glance the next time, and no longer when it was taken out.
#[test]
fn what_is_answered_twice_is_seen_at_a_glance() {
    let mut board = board(Geometry::new(4, 1), None);
    for _ in 0..2 {
        assert_eq!(board.glance(STREAM, 0x1_0000, Access::READ), None);
        board.ask(STREAM, 0x1_0000, Access::READ);
    }
    assert_eq!(board.smmu.counters().walks, 1);
    assert_eq!(board.glance(STREAM, 0x1_0008, Access::READ), Some(0x4800_0008));
    assert_eq!(board.smmu.counters().tlb_hits, 2);
    assert_eq!(board.glance(STREAM, 0x1_1000, Access::READ), None);
    let (w0, w1) = COMMANDS[2];
    board.command(w0, w1);
    assert_eq!(board.glance(STREAM, 0x1_0000, Access::READ), None);
}

/// What leads to the last table is written without a command, by software and by the update of a
/// flag for another stream; the shortcut is not taken.
#[test]
fn a_store_where_tables_lie_ends_the_shortcuts() {
    let warm = || {
        let mut board = board(Geometry::new(4, 1), None);
        board.put(LAST_TABLE + 0x12 * 8, &[PAGES[1]]);
        board.put(OTHER_TABLE + 0x12 * 8, &[PAGES[1] + 0x10_0000]);
        board.ask(STREAM, 0x1_0000, Access::READ);
        board.ask(STREAM, 0x1_1000, Access::READ);
        board
    };
    let mut undisturbed = warm();
    assert_eq!(pa(undisturbed.ask(STREAM, 0x1_2000, Access::READ)), 0x4800_1000);
    assert_eq!(undisturbed.smmu.shortcuts_taken, 1);
    let mut led = warm();
    led.put(STAGE1 + 0x2000, &[OTHER_TABLE + 3]);
    assert_eq!(pa(led.ask(STREAM, 0x1_2000, Access::READ)), 0x4810_1000);
    assert_eq!(led.smmu.shortcuts_taken, 0);
    let mut flagged = warm();
    pa(flagged.ask(OTHERS[0], 0x1_1000, Access::READ));
    assert_eq!(flagged.smmu.counters().flag_updates, 1);
    assert_eq!(pa(flagged.ask(STREAM, 0x1_2000, Access::READ)), 0x4800_1000);
    assert_eq!(flagged.smmu.shortcuts_taken, 0);
}
