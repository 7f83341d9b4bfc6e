use super::*;
use crate::v2::testkit::*;
use crate::v2::{GlobalFaultKind, Path};
use passim_model::access::Access;

/// Width of StreamIDs, and how many entries.
const BITS: u32 = 2;
const ENTRIES: usize = 3;

/// One entry as software means it: valid, id, mask.
type Meant = (bool, u32, u32);

/// The definition: the entries that are valid and whose id agrees outside the mask.
fn matching(entries: &[Meant], stream: u32) -> Vec<usize> {
    let agree = |&(_, id, mask): &Meant| {
        (0..BITS).all(|bit| mask >> bit & 1 == 1 || id >> bit & 1 == stream >> bit & 1)
    };
    let numbered = entries.iter().enumerate();
    numbered.filter(|(_, entry)| entry.0 && agree(entry)).map(|(n, _)| n).collect()
}

fn every_entry() -> Vec<Meant> {
    let values = || 0..1u32 << BITS;
    let ids = values().flat_map(|id| values().map(move |mask| (id, mask)));
    ids.flat_map(|(id, mask)| [false, true].map(|valid| (valid, id, mask))).collect()
}

fn small() -> Description {
    let stream_bits = BITS as u8;
    let stream_entries = ENTRIES as u8;
    Description {
        stream_bits,
        stream_entries,
        conflict_detection: false,
        extended_ids: false,
        ..Description::EVERYTHING
    }
}

/// Compares the entry found under each choice with the entries that match by the definition.
fn agrees(globals: &Globals, description: &Description, expected: &[usize], stream: u32) {
    let found = |choice| find(globals, description, choice, stream);
    match *expected {
        [] => assert_eq!(found(Conflict::Detected), Matched::None),
        [only] => {
            for choice in [Conflict::Detected, Conflict::First, Conflict::Last] {
                assert_eq!(found(choice), Matched::Entry(only));
            }
        }
        [first, .., last] => {
            assert_eq!(found(Conflict::Detected), Matched::Conflict);
            assert_eq!(found(Conflict::First), Matched::Entry(first));
            assert_eq!(found(Conflict::Last), Matched::Entry(last));
        }
    }
    // IHI 0062 9.6.1: where detection is promised, no choice hides it.
    let promised = Description { conflict_detection: true, ..*description };
    let noticed = find(globals, &promised, Conflict::First, stream);
    assert_eq!(noticed == Matched::Conflict, expected.len() > 1);
}

/// Every combination of three entries and stream, through the registers, against the definition.
#[test]
fn every_combination_at_small_width() {
    let description = small();
    let mut board = Board::cold(implementation(description));
    let every = every_entry();
    // How often each number of entries matched, all of them included.
    let mut matched = [0u32; ENTRIES + 1];
    let write = |board: &mut Board, n: u64, (valid, id, mask): Meant| {
        board.w32(0x800 + 4 * n, u32::from(valid) << 31 | mask << 16 | id);
    };
    for &first in &every {
        write(&mut board, 0, first);
        for &second in &every {
            write(&mut board, 1, second);
            for &third in &every {
                write(&mut board, 2, third);
                for stream in 0..1 << BITS {
                    let expected = matching(&[first, second, third], stream);
                    matched[expected.len()] += 1;
                    agrees(board.smmu.globals_for_tests(), &description, &expected, stream);
                }
            }
        }
    }
    assert!(matched.iter().all(|times| *times > 0), "{matched:?}");
}

/// The same with extended StreamIDs, where validity is in S2CR and bit 15 of the mask is a mask.
#[test]
fn every_combination_of_extended_ids() {
    let (stream_entries, conflict_detection) = (ENTRIES as u8, false);
    let description = Description { stream_entries, conflict_detection, ..Description::EVERYTHING };
    let mut board = Board::cold(implementation(description));
    board.w32(0, 1 << 3 | 1);
    // The two bits at the top of a 16-bit StreamID.
    let shift = 14;
    let every = every_entry();
    let write = |board: &mut Board, n: u64, (valid, id, mask): Meant| {
        board.w32(0x800 + 4 * n, mask << (16 + shift) | id << shift);
        board.w32(0xc00 + 4 * n, u32::from(valid) << 10);
    };
    for &first in &every {
        write(&mut board, 0, first);
        for &second in &every {
            write(&mut board, 1, second);
            for &third in &every {
                write(&mut board, 2, third);
                for stream in 0..1u32 << BITS {
                    let expected = matching(&[first, second, third], stream);
                    let globals = board.smmu.globals_for_tests();
                    agrees(globals, &description, &expected, stream << shift);
                }
            }
        }
    }
}

#[test]
fn only_implemented_bits_are_stored() {
    let mut board = Board::cold(implementation(small()));
    board.w32(0x800, u32::MAX);
    assert_eq!(board.r32(0x800), 1 << 31 | 3 << 16 | 3);
    board.w32(0x80c, u32::MAX);
    assert_eq!(board.r32(0x80c), 0, "there is no fourth entry");
    // IHI 0062 9.6.25: with EXIDENABLE all bits are EXID and EXMASK; 9.5: a bit that only one
    // format has is stored in both.
    let mut board = Board::cold(implementation(Description::EVERYTHING));
    for cr0 in [0, 1 << 3, 0] {
        board.w32(0, cr0);
        board.w32(0x800, 0);
        board.w32(0x800, u32::MAX);
        assert_eq!(board.r32(0x800), u32::MAX);
    }
}

#[test]
fn what_becomes_of_streams_without_an_entry() {
    let mut board = Board::new();
    let other = |board: &mut Board| board.access_as(9, 0x1234, Access::READ);
    assert_eq!(global(other(&mut board)), GlobalFaultKind::UnidentifiedStream);
    assert_eq!((board.r32(0x48), board.r32(0x54)), (2, 9));
    board.w32(0, 0);
    assert_eq!(translated(other(&mut board)).path, Path::Bypass);
}

#[test]
fn what_becomes_of_streams_with_several() {
    let mut board = Board::new();
    board.stream_to(3, STREAM, BANK);
    assert_eq!(global(board.read(0x1_0000)), GlobalFaultKind::StreamMatchConflict);
    // SMCFCFG = 0: it bypasses.
    board.w32(0, 1 << 10);
    let found = translated(board.read(0x1_0000));
    assert_eq!((found.pa.get(), found.path), (0x1_0000, Path::Bypass));
}

#[test]
fn indexing() {
    let description = Description {
        stream_matching: false,
        stream_bits: 4,
        stream_entries: 12,
        extended_ids: false,
        ..Description::EVERYTHING
    };
    let mut board = Board::with(implementation(description));
    // There are no SMRs.
    assert_eq!(board.r32(0x800), 0);
    board.w32(0xc00 + 4 * u64::from(STREAM), BANK as u32);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    // 16 wires, 12 entries.
    let beyond = board.access_as(13, 0, Access::READ);
    assert_eq!(global(beyond), GlobalFaultKind::UnidentifiedStream);
}
