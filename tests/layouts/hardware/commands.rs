//! Commands as kernels encoded them, and what the SMMU invalidates.

use super::Board;
use crate::literals::{STREAM, command, stage1, stage2};
use passim_model::{Access, StreamId};

/// A leaf descriptor of stage 1, by the log2 of its size.
fn leaf(pa: u64, size: u64) -> u64 {
    if size == 0x1000 { pa | 0xf47 } else { pa | 0xf45 }
}

/// Maps one leaf at `iova` in separate tables, far from those of the dump.
fn map(board: &mut Board, iova: u64, size: u64) {
    let (mut table, mut fresh) = (0x1_08e4_2000, 0x5000_0000 + (iova >> 12 & 0xff) * 0x1_0000);
    for (low, block) in [(39, 0), (30, 0x4000_0000), (21, 0x20_0000), (12, 0x1000)] {
        let at = table + 8 * (iova >> low & 511);
        if block == size {
            return board.put(at, &[leaf(0x8000_0000, size)]);
        }
        if board.get(at) & 3 != 3 {
            board.put(at, &[fresh | 3]);
            fresh += 0x1000;
        }
        table = board.get(at) & 0xffff_ffff_f000;
    }
}

/// First addresses of the cached translations, except that of a page outside every range.
fn held(board: &Board) -> Vec<u64> {
    board.entries().into_iter().map(|(_, entry)| entry.input).filter(|at| *at != 0x5000).collect()
}

#[test]
fn a_range_covers_what_was_unmapped_and_nothing_beside_it() {
    for (words, start, size, block) in command::RANGES {
        let mut board = Board::stage1();
        let below = start.checked_sub(block);
        let above = Some(start + size).filter(|at| at >> 48 == 0);
        let inside = [start, start + (size - block)];
        for at in below.into_iter().chain(inside).chain(above) {
            map(&mut board, at, block);
            assert!(board.reaches(at, Access::READ).is_some(), "{at:#x}");
        }
        assert!(board.reaches(0x5000, Access::READ).is_some());
        board.command(words);
        let kept: Vec<_> = below.into_iter().chain(above).collect();
        assert_eq!(held(&board), kept, "{words:x?}");
        assert!(board.entries().iter().any(|(_, entry)| entry.input == 0x5000));
    }
}

#[test]
fn a_range_of_another_asid_covers_nothing() {
    let mut board = Board::stage1();
    board.reaches(0x1000, Access::READ);
    board.command([0x8_0000_0000_0012, 0x1701]);
    assert_eq!(held(&board), [0x1000]);
    board.command(command::SUPERPAGE_TEST[1]);
    assert_eq!(held(&board), [0; 0]);
}

#[test]
fn the_superpage_test_covers_the_first_two_pages() {
    let mut board = Board::stage1();
    for iova in [0, 0x1000, 0x5000] {
        board.reaches(iova, Access::READ);
    }
    for words in command::SUPERPAGE_TEST {
        board.command(words);
        board.command(command::SYNC);
    }
    let left: Vec<_> = board.entries().into_iter().map(|(_, entry)| entry.input).collect();
    assert_eq!(left, [0x5000]);

    let mut board = Board::stage2();
    for iova in [0, 0x1000, 0x5000] {
        board.reaches(iova, Access::WRITE);
    }
    for words in command::SUPERPAGE_TEST_STAGE2 {
        board.command(words);
    }
    let left: Vec<_> = board.entries().into_iter().map(|(_, entry)| entry.input).collect();
    assert_eq!(left, [0x5000]);
}

#[test]
fn whole_spaces_go() {
    for words in [command::TLBI_NH_ASID, command::TLBI_NSNH_ALL] {
        let mut board = Board::stage1();
        board.agrees_with(&stage1::REACHED);
        assert!(!board.entries().is_empty());
        board.command(words);
        assert!(board.entries().is_empty(), "{words:x?}");
    }
    for words in [command::TLBI_S12_VMALL, command::TLBI_NSNH_ALL] {
        let mut board = Board::stage2();
        board.agrees_with(&stage2::REACHED);
        board.command(words);
        assert!(board.entries().is_empty(), "{words:x?}");
    }
    // Another ASID, another VMID.
    let mut board = Board::stage1();
    board.reaches(0x5000, Access::READ);
    board.command([0x6_0000_0000_0011, 0]);
    assert_eq!(board.entries().len(), 1);
    let mut board = Board::stage2();
    board.reaches(0x5000, Access::READ);
    board.command([0x6_0000_0028, 0]);
    assert_eq!(board.entries().len(), 1);
}

#[test]
fn configuration_goes_as_each_command_says() {
    let stream = StreamId::new(STREAM);
    let cases = [
        (command::CFGI_STE, false, false),
        (command::CFGI_ALL, false, false),
        (command::CFGI_CD, true, false),
        (command::PREFETCH, true, true),
        (command::SYNC, true, true),
        // Stream 0x10.
        ([0x10_0000_0003, 1], true, true),
        ([0x10_0000_0005, 1], true, true),
    ];
    for (words, ste_stays, cd_stays) in cases {
        let mut board = Board::stage1();
        board.reaches(0x5000, Access::READ);
        board.command(words);
        let ste = board.smmu.cached_streams() == [stream];
        let cd = board.smmu.cached_contexts() == [(stream, 0)];
        assert_eq!((ste, cd), (ste_stays, cd_stays), "{words:x?}");
        // Configuration commands do not affect the TLB.
        assert_eq!(board.entries().len(), 1);
    }
}

#[test]
fn sync_completes_without_a_word() {
    // CS is 2, an event to the CPUs, which this SMMU does not support: IDR0.SEV is 0. The driver
    // polls CMDQ_CONS.
    let mut board = Board::stage1();
    board.command(command::SYNC);
    assert_eq!(board.smmu.counters().cpu_events, 0);
    assert!(board.smmu.take_effects().is_empty());
}
