use crate::v2::Description;
use crate::v2::testkit::*;

#[test]
fn vmids_of_16_bits() {
    let mut board = Board::new();
    board.pa(0x1_0000);
    // VMID16EN: CBA2R holds the VMID, and CBAR's does not count.
    board.w32(0, board.r32(0) | 1 << 31);
    board.cbar(BANK, 1 << 16 | 0xf << 12 | 3 << 8 | 3, 0x1234 << 16 | 1);
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4801_0f47]);
    assert_eq!(board.pa(0x1_0000), 0x4801_0000, "another VMID");
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4802_0f47]);
    board.w32(0x64, 0x34);
    assert_eq!(board.pa(0x1_0000), 0x4801_0000);
    board.w32(0x64, 0x1234);
    assert_eq!(board.pa(0x1_0000), 0x4802_0000);
}

#[test]
fn asids_of_8_and_16_bits() {
    let mut board = Board::new();
    board.bank64(BANK, 0x20, 0x0107 << 48 | STAGE1);
    board.pa(0x1_0000);
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4801_0f47]);
    // AS = 0: the upper half of the ASID is not there.
    board.bank32(BANK, 0x610, 0x0207);
    assert_eq!(board.pa(0x1_0000), 0x4801_0000);
    // AS = 1.
    board.bank32(BANK, 0x10, 5 | 7 << 15 | 1 << 4);
    board.pa(0x1_0000);
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4802_0f47]);
    board.bank32(BANK, 0x610, 0x0207);
    assert_eq!(board.pa(0x1_0000), 0x4801_0000);
    board.bank32(BANK, 0x610, 0x0107);
    assert_eq!(board.pa(0x1_0000), 0x4802_0000);
    // A1: the ASID of TTBR1.
    board.bank32(BANK, 0x30, TCR64 | 1 << 22);
    board.bank64(BANK, 0x28, 0x55 << 48);
    board.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4803_0f47]);
    assert_eq!(board.pa(0x1_0000), 0x4803_0000);
}

#[test]
fn registers_of_the_other_format_read_as_zero() {
    let mut board = Board::new();
    for register in [0x10, 0x28, 0x34, 0x38, 0x3c] {
        board.bank32(BANK, register, 0x1_0021);
        assert_ne!(board.read_bank(BANK, register), 0, "{register:#x}");
    }
    board.cbar(BANK, 0, 1);
    for register in [0x10, 0x28, 0x34, 0x38, 0x3c, 0x50, 0x8f0] {
        assert_eq!(board.read_bank(BANK, register), 0, "{register:#x}");
        board.bank32(BANK, register, u32::MAX);
    }
    // IPAFAR is stage 2's.
    board.bank32(BANK, 0x70, 0x5000);
    assert_eq!(board.read_bank(BANK, 0x70), 0x5000);
    board.cbar(BANK, 1 << 16, 1);
    assert_eq!(board.read_bank(BANK, 0x70), 0);
    assert_eq!(board.read_bank(BANK, 0x28), 0x1_0021, "what was there before");
}

#[test]
fn ipafar_without_nesting_is_far() {
    let description = Description { nested: false, ..Description::MMU_500 };
    let mut board = Board::with(implementation(description));
    board.stage2_64(BANK);
    board.fault(0x1_4000);
    assert_eq!(board.read_bank64(BANK, 0x70), 0x1_4000);
    board.bank64(BANK, 0x70, 0);
    assert_eq!(board.read_bank64(BANK, 0x70), 0x1_4000);
}

#[test]
fn granules_that_are_not_there() {
    // The MMU-500 has 4K and 64K: 16K is taken as 4K.
    let mut board = Board::with(implementation(Description::MMU_500));
    board.bank32(BANK, 0x30, TCR64 | 2 << 14);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
}

#[test]
fn stage_2_start_levels_that_do_not_fit() {
    let mut board = Board::new();
    board.stage2_64(SECOND);
    board.stream_to(0, STREAM, SECOND);
    // SL0 0 starts at level 2: 48 bits would need 2^14 tables.
    for sl0 in [0u32, 3] {
        board.bank32(SECOND, 0x30, 5 << 16 | sl0 << 6 | 16);
        assert_eq!(board.fault(0x1_0000).kind, crate::v2::ContextFaultKind::Translation);
        board.clear_fsr(SECOND);
    }
}

#[test]
fn cache_lock_of_an_mmu_500() {
    let mut board = Board::cold(implementation(Description::MMU_500));
    // CPRE is on after reset, and stays on while the lock is.
    assert_eq!((board.read_bank(BANK, 4), board.r32(0x10)), (2, 1 << 26));
    board.bank32(BANK, 4, 0);
    assert_eq!(board.read_bank(BANK, 4), 2);
    board.w32(0x10, 1 << 8);
    board.bank32(BANK, 4, 0);
    assert_eq!((board.read_bank(BANK, 4), board.r32(0x10)), (0, 1 << 8));
}
