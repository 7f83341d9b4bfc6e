use super::*;
use crate::v2::testkit::*;
use crate::v2::{Choices, Description, Implementation};

fn with(completion: Completion) -> Board {
    let choices = Choices { completion, ..Choices::default() };
    Board::with(Implementation { choices, ..implementation(Description::EVERYTHING) })
}

/// Moves the page at 0x10000 to 0x4801_0000, and makes sure the old place is cached.
fn move_page(board: &mut Board) {
    board.pa(0x1_0000);
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4801_0f47]);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000, "stale");
}

const NEW: u64 = 0x4801_0000;
const OLD: u64 = 0x4800_0000;

#[test]
fn each_operation_reaches_the_page() {
    // (register, operand, does it reach a page of ASID 7 at 0x10000)
    let cases = [
        (0x600, 7 << 48 | 0x10, true),
        (0x600, 8 << 48 | 0x10, false),
        (0x600, 7 << 48 | 0x11, false),
        (0x620, 7 << 48 | 0x10, true),
        (0x608, 0x10, true),
        (0x608, 8 << 48 | 0x10, true),
        (0x608, 0x20, false),
        (0x628, 0x10, true),
        (0x610, 7, true),
        (0x610, 8, false),
        (0x618, 0, true),
    ];
    for (register, operand, reaches) in cases {
        let mut board = with(Completion::AtOnce);
        // nG, so that the ASID matters.
        board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f47]);
        move_page(&mut board);
        board.bank64(BANK, register, operand);
        let expected = if reaches { NEW } else { OLD };
        assert_eq!(board.pa(0x1_0000), expected, "{register:#x} {operand:#x}");
    }
}

#[test]
fn global_operations_by_vmid() {
    for (register, operand, reaches) in [
        (0x64, 3, true),
        (0x64, 4, false),
        (0xb8, 3, true),
        (0xb8, 4, false),
        (0x68, 0, true),
        (0x6c, 0, false),
        (0x78, 0x1_0000, false),
    ] {
        let mut board = with(Completion::AtOnce);
        move_page(&mut board);
        board.w32(register, operand);
        let expected = if reaches { NEW } else { OLD };
        assert_eq!(board.pa(0x1_0000), expected, "{register:#x} {operand:#x}");
    }
}

#[test]
fn global_pages_ignore_the_asid_but_not_its_operation() {
    let mut board = with(Completion::AtOnce);
    // Without nG.
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x4800_0747]);
    board.pa(0x2_0000);
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x4801_0747]);
    board.bank32(BANK, 0x610, 7);
    assert_eq!(board.pa(0x2_0000), OLD);
    board.bank64(BANK, 0x600, 9 << 48 | 0x20);
    assert_eq!(board.pa(0x2_0000), NEW);
}

#[test]
fn hypervisor_contexts_have_operations_of_their_own() {
    let mut board = with(Completion::AtOnce);
    board.cbar(BANK, 1 << 16 | 1 << 10 | 0xf << 12 | 3 << 8 | 3, 1);
    for (register, operand, reaches) in
        [(0x68, 0u64, false), (0x64, 3, false), (0x6c, 0, true), (0xc0, 0x10, true)]
    {
        board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f47]);
        board.w32(0x6c, 0);
        move_page(&mut board);
        if register == 0xc0 {
            board.w64(register, operand);
        } else {
            board.w32(register, operand as u32);
        }
        let expected = if reaches { NEW } else { OLD };
        assert_eq!(board.pa(0x1_0000), expected, "{register:#x}");
    }
}

/// IHI 0062 9.6.33: for a hypervisor of AArch32, bits 55:32 act as zero.
#[test]
fn wide_operands_of_a_narrow_hypervisor() {
    for (register, operand, reaches) in
        [(0xc0, 0x10_0010u64, true), (0xb0, 0x10_0010, true), (0xc0, 0x10_0011, false)]
    {
        let mut board = with(Completion::AtOnce);
        board.stage1_long(BANK);
        board.cbar(BANK, 1 << 16 | 1 << 10 | 0xf << 12 | 3 << 8 | 3, 0);
        board.pa(0x1_0000);
        board.put(LONG + 0x2000 + 0x10 * 8, &[0x4801_0f47]);
        board.w64(register, operand);
        let expected = if reaches { NEW } else { OLD };
        assert_eq!(board.pa(0x1_0000), expected, "{register:#x} {operand:#x}");
    }
}

#[test]
fn stage_2_by_ipa() {
    let mut board = with(Completion::AtOnce);
    board.stage2_64(SECOND);
    board.stream_to(0, STREAM, SECOND);
    for (register, operand, reaches) in
        [(0x630, 0x10u64, true), (0x638, 0x10, true), (0x630, 0x11, false), (0x600, 0x10, false)]
    {
        board.put(STAGE2 + 0x3000 + 0x10 * 8, &[0x4900_07ff]);
        board.w32(0x64, 3);
        board.pa(0x1_0000);
        board.put(STAGE2 + 0x3000 + 0x10 * 8, &[0x4901_07ff]);
        board.bank64(SECOND, register, operand);
        let expected = if reaches { 0x4901_0000 } else { 0x4900_0000 };
        assert_eq!(board.pa(0x1_0000), expected, "{register:#x} {operand:#x}");
    }
}

#[test]
fn operands_of_aarch32() {
    let mut board = with(Completion::AtOnce);
    board.stage1_short(BANK);
    board.pa(0x1_0000);
    board.put(SHORT + 0x4000 + 0x40, &[0x4800_1e7e_4801_0c7e]);
    board.bank32(BANK, 0x600, 0x1_0000 | 8);
    assert_eq!(board.pa(0x1_0000), OLD, "another ASID");
    board.bank32(BANK, 0x600, 0x1_0000 | 7);
    assert_eq!(board.pa(0x1_0000), NEW);
}

#[test]
fn an_operation_is_seen_before_it_is_complete() {
    let mut board = with(Completion::OnStep);
    move_page(&mut board);
    board.bank64(BANK, 0x600, 7 << 48 | 0x10);
    assert_eq!(board.pa(0x1_0000), OLD);
    // Without a SYNC, the status registers read 0.
    assert_eq!(board.read_bank(BANK, 0x7f4), 0);
    board.bank32(BANK, 0x7f0, 0);
    assert_eq!(board.read_bank(BANK, 0x7f4), 1);
    assert_eq!(board.settle(), 1);
    assert_eq!((board.read_bank(BANK, 0x7f4), board.pa(0x1_0000)), (0, NEW));
}

#[test]
fn what_is_not_synchronised_may_never_happen() {
    let mut board = with(Completion::WhenSynchronised);
    move_page(&mut board);
    board.bank64(BANK, 0x600, 7 << 48 | 0x10);
    assert_eq!(board.settle(), 0);
    assert_eq!(board.pa(0x1_0000), OLD);
    // A SYNC of another bank does not affect this bank's status.
    board.bank32(6, 0x7f0, 0);
    assert_eq!((board.settle(), board.pa(0x1_0000)), (0, OLD));
    board.bank32(BANK, 0x7f0, 0);
    assert_eq!(board.read_bank(BANK, 0x7f4), 1);
    assert_eq!(board.settle(), 1);
    assert_eq!((board.read_bank(BANK, 0x7f4), board.pa(0x1_0000)), (0, NEW));
}

#[test]
fn the_global_sync_waits_for_everything_before_it() {
    let mut board = with(Completion::WhenSynchronised);
    move_page(&mut board);
    board.bank64(BANK, 0x600, 7 << 48 | 0x10);
    board.w32(0x64, 3);
    board.w32(0x70, 0);
    // The SYNC does not wait for later operations.
    board.w32(0x64, 4);
    assert_eq!(board.r32(0x74), 1);
    assert_eq!(board.read_bank(BANK, 0x7f4), 0, "nobody asked the bank");
    assert_eq!(board.settle(), 2);
    assert_eq!((board.r32(0x74), board.pa(0x1_0000)), (0, NEW));
}

#[test]
fn smmu_v1_lacks_what_came_later() {
    let mut board = Board::with(implementation(Description::SMMU_V1));
    board.stage1_long(BANK);
    board.pa(0x1_0000);
    board.put(LONG + 0x2000 + 0x10 * 8, &[0x4801_0f47]);
    board.w32(0xb8, 3);
    assert_eq!(board.pa(0x1_0000), OLD);
    board.bank32(BANK, 0x608, 0x1_0000);
    assert_eq!(board.pa(0x1_0000), NEW);
}

/// IHI 0062 D.c 16.1: a register that is not limited to one version exists in all.
#[test]
fn smmu_v1_has_the_operations_of_the_last_level() {
    for register in [0x620, 0x628] {
        let mut board = Board::with(implementation(Description::SMMU_V1));
        board.stage1_long(BANK);
        board.pa(0x1_0000);
        board.put(LONG + 0x2000 + 0x10 * 8, &[0x4801_0f47]);
        assert_eq!(board.pa(0x1_0000), OLD, "it is cached");
        board.bank32(BANK, register, 0x1_0000 | 7);
        assert_eq!(board.pa(0x1_0000), NEW);
    }
}

#[test]
fn a_hypervisor_with_two_halves_is_tagged_by_asid() {
    let mut board = with(Completion::AtOnce);
    // HYPMODE, and bit 10 of CBAR as E2HC.
    board.w32(0, board.r32(0) | 1 << 30);
    board.cbar(BANK, 1 << 16 | 1 << 10 | 0xf << 12 | 3 << 8 | 3, 1);
    for (register, operand, reaches) in [
        (0x64, 3, false),
        (0xb8, 3, false),
        (0x6c, 0, true),
        // IHI 0062 2.10: TLBIALLNSNH drops E2H entries, too.
        (0x68, 0, true),
    ] {
        board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f47]);
        board.w32(0x6c, 0);
        move_page(&mut board);
        board.w32(register, operand);
        let expected = if reaches { NEW } else { OLD };
        assert_eq!(board.pa(0x1_0000), expected, "{register:#x}");
    }
    board.w32(0x6c, 0);
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4800_0f47]);
    move_page(&mut board);
    board.bank32(BANK, 0x610, 8);
    assert_eq!(board.pa(0x1_0000), OLD, "another ASID");
    board.bank32(BANK, 0x610, 7);
    assert_eq!(board.pa(0x1_0000), NEW);
}

#[test]
fn a_stage_2_bank_of_smmu_v1_has_no_sync() {
    let choices = Choices { completion: Completion::WhenSynchronised, ..Choices::default() };
    let built = Implementation { choices, ..implementation(Description::SMMU_V1) };
    let mut board = Board::with(built);
    board.w32(0x64, 3);
    board.bank32(0, 0x7f0, 0);
    assert_eq!((board.read_bank(0, 0x7f4), board.settle()), (0, 0));
    board.w32(0x70, 0);
    assert_eq!((board.r32(0x74), board.settle(), board.r32(0x74)), (1, 1, 0));
}

#[test]
fn a_walk_cache_of_a_size_keeps_tables_where_only_leaves_are_named() {
    for (register, table) in [(0x620, 0x4800_1000), (0x600, 0x4900_1000), (0x618, 0x4900_1000)] {
        let tables = Some(crate::cache::Geometry::new(1, 2));
        let mut board =
            Board::with(Implementation { tables, ..implementation(Description::EVERYTHING) });
        board.pa(0x1_0000);
        // Another table of level 3.
        board.put(STAGE1 + 0x8000 + 0x11 * 8, &[0x4900_1f47]);
        board.put(STAGE1 + 0x2000, &[STAGE1 + 0x8003]);
        board.bank64(BANK, register, 7 << 48 | 0x11);
        assert_eq!(board.pa(0x1_1000), table, "{register:#x}");
    }
}

/// A step does not search the unsynchronised operations, however many there are.
#[test]
fn very_many_that_nobody_waits_for() {
    const MANY: usize = 100_000;
    let mut board = with(Completion::WhenSynchronised);
    for _ in 0..MANY {
        board.bank64(BANK, 0x600, 7 << 48 | 0x10);
        assert_eq!(board.settle(), 0);
    }
    board.bank32(BANK, 0x7f0, 0);
    assert_eq!(board.read_bank(BANK, 0x7f4), 1);
    assert_eq!(board.settle(), MANY);
    assert_eq!(board.read_bank(BANK, 0x7f4), 0);
}
