//! The plain way against the general one: two SMMUs that are asked the same.

use crate::tlb::{Geometry, Victim};
use crate::v3::Implementation;
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, STAGE1, STE_STAGE1, STE_STAGE2, STREAM, implementation,
};
use passim_model::access::{Access, Direction, Privilege};
use proptest::prelude::*;

/// The table of level 3: not where those above it are, so that a store there is none to them.
const LAST_TABLE: u64 = STAGE1 + 0x1_3000;

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
/// flag, execute-never, other attributes, with bits that mean nothing here, none.
const PAGES: [u64; 10] = [
    0x4800_0f47,
    0x4800_1fc7,
    0x4800_2747,
    0x4800_3f07,
    0x4800_4b47,
    0x0060_0000_4800_5f47,
    0x4800_6f4b,
    0x0588_0000_4800_7f47,
    0x0010_0000_4800_8f47,
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

/// Commands: by address, with and without leaf; by ASID; all; CFGI_STE, CFGI_CD.
const COMMANDS: [(u64, u64); 6] = [
    (0x0007_0000_0000_0012, 0x1_0001),
    (0x0007_0000_0000_0012, 0x1_1000),
    (0x0007_0000_0000_0011, 0),
    (0x30, 0),
    ((STREAM as u64) << 32 | 3, 1),
    ((STREAM as u64) << 32 | 5, 1),
];

#[derive(Clone, Copy, Debug)]
enum Happening {
    Look {
        input: usize,
        write: bool,
        instruction: bool,
        privileged: bool,
    },
    Page {
        place: u64,
        descriptor: usize,
    },
    Limit(usize),
    Cd(usize),
    /// STE.Config is bypass, stage 1, or both stages.
    Ste(usize),
    Command(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    prop_oneof![
        12 => (0..INPUTS.len(), flags).prop_map(|(input, (write, instruction, privileged))| {
            Happening::Look { input, write, instruction, privileged }
        }),
        3 => (0..4u64, 0..PAGES.len())
            .prop_map(|(place, descriptor)| Happening::Page { place, descriptor }),
        1 => (0..LIMITS.len()).prop_map(Happening::Limit),
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

fn board(sets_lg2: u8, ways: u8) -> Board {
    let tlb = Geometry { sets_lg2, ways, victim: Victim::RoundRobin };
    let mut board = Board::with(Implementation { tlb, ..implementation(BOTH_STAGES) });
    board.stage1_tables();
    board.stage2_tables();
    board.put(STAGE1 + 0x2000, &[LAST_TABLE + 3]);
    board.put(LAST_TABLE + 0x10 * 8, &[PAGES[0], PAGES[1]]);
    board.stage1(CD0);
    board
}

proptest! {
    #[test]
    fn both_ways_come_to_the_same(
        happenings in prop::collection::vec(happening(), 1..80),
        sets_lg2 in 0..6u8,
        ways in 1..3u8,
    ) {
        let (mut plain, mut general) = (board(sets_lg2, ways), board(sets_lg2, ways));
        for happening in happenings {
            apply(&mut plain, happening);
            apply(&mut general, happening);
            if let Happening::Look { input, write, instruction, privileged } = happening {
                let direction = if write { Direction::Write } else { Direction::Read };
                let privilege = match privileged {
                    true => Privilege::Privileged,
                    false => Privilege::Unprivileged,
                };
                let instruction = instruction && !write;
                let access = Access { direction, privilege, instruction };
                plain.smmu.front.clear();
                general.smmu.front.clear();
                general.smmu.streams.clear();
                let [one, other] = [&mut plain, &mut general].map(|board| {
                    board.ask(STREAM, INPUTS[input], access)
                });
                prop_assert_eq!(one, other);
            }
            prop_assert_eq!(plain.smmu.counters(), general.smmu.counters());
            prop_assert_eq!(plain.smmu.tlb_entries(), general.smmu.tlb_entries());
        }
    }
}

/// The ways are gone, not only general: a page, the next with the way learnt, a third by the
/// shortcut it found, and the first again.
#[test]
fn the_third_page_of_a_stream_takes_a_shortcut() {
    let mut board = board(4, 1);
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
