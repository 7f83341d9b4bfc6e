use crate::v2::testkit::*;
use crate::v2::{ContextFaultKind, Description, Outcome};
use passim_model::access::{Access, Privilege};

#[test]
fn vmids_of_16_bits() {
    let mut board = Board::new();
    board.pa(0x1_0000);
    // VMID16EN: CBA2R holds the VMID, and CBAR's is ignored.
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

/// CBAR of a stage-1 bank with bit 10: HYPC, or E2HC while CR0.HYPMODE is set.
const HYPERVISOR: u32 = 1 << 16 | 0xf << 12 | 1 << 10 | 3 << 8 | 3;
/// CR0 with HYPMODE, and otherwise as [`Board::on`] has it.
const HYPMODE: u32 = 1 << 30 | 1 << 21 | 1 << 10 | 1 << 2 | 1 << 1;

fn fetch(board: &mut Board, iova: u64) -> Outcome {
    let privilege = Privilege::Privileged;
    board.access_as(STREAM, iova, Access { instruction: true, privilege, ..Access::READ })
}

/// IHI 0062 2.10: except for invalidation, E2HC acts as EL1 and EL0, and the rules of HYPC do not
/// apply to it.
#[test]
fn of_hypervisors_only_hypc_knows_no_unprivileged_accesses() {
    let mut board = Board::new();
    // A page for privileged accesses only.
    board.put(STAGE1 + 0x3000 + 0x13 * 8, &[0x4800_3f07]);
    board.cbar(BANK, HYPERVISOR, 1);
    assert_eq!(board.pa(0x1_3000), 0x4800_3000);
    board.w32(0, HYPMODE);
    assert_eq!(kind(board.fault(0x1_3000)), (ContextFaultKind::Permission, 3));
    board.clear_fsr(BANK);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
}

/// IHI 0062 2.8.1.
#[test]
fn uwxn_is_not_for_hypc() {
    let mut board = Board::new();
    board.bank32(BANK, 0, SCTLR | 1 << 10);
    assert_eq!(kind(faulted(fetch(&mut board, 0x1_0000)).0), (ContextFaultKind::Permission, 3));
    board.clear_fsr(BANK);
    board.cbar(BANK, HYPERVISOR, 1);
    assert_eq!(translated(fetch(&mut board, 0x1_0000)).pa.get(), 0x4800_0000);
}

/// IHI 0062 1.5.2.
#[test]
fn hypc_heeds_epd0() {
    let mut board = Board::new();
    board.cbar(BANK, HYPERVISOR, 1);
    board.bank32(BANK, 0x30, TCR64 | 1 << 7);
    assert_eq!(kind(board.fault(0x1_0000)), (ContextFaultKind::Translation, 0));
    board.clear_fsr(BANK);
    board.stage1_long(BANK);
    board.cbar(BANK, HYPERVISOR, 0);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    board.bank32(BANK, 0x30, 1 << 31 | 1 << 7);
    board.w32(0x6c, 0);
    assert_eq!(kind(board.fault(0x1_0000)), (ContextFaultKind::Translation, 1));
}

/// IHI 0062 3.8.1, 3.5.1: the global fault of a missing interrupt records whether the context fault
/// is nested; the syndrome that an SMMUv1 keeps of the context fault does not.
#[test]
fn a_fault_of_stage_2_behind_stage_1_without_an_interrupt() {
    let mut board = Board::with(implementation(Description::SMMU_V1));
    board.stage1_long(BANK);
    board.cbar(SECOND, 200 << 24 | 3, 0);
    board.bank32(SECOND, 0x30, 1 << 6 | 8);
    board.bank64(SECOND, 0x20, STAGE2 + 0x8000);
    board.bank32(SECOND, 0, SCTLR);
    board.cbar(BANK, 3 << 16 | (SECOND as u32) << 8 | 3, 0);
    let fault = board.fault(0x1_0000);
    assert_eq!((fault.bank, fault.nested_in), (SECOND as u8, Some(BANK as u8)));
    assert_eq!(board.read_bank(SECOND, 0x58), 1 << 1);
    assert_eq!(board.read_bank(SECOND, 0x68), (BANK as u32) << 16 | 1 << 8 | 1 << 3 | 1);
    assert_eq!((board.r32(0x48), board.r32(0x50)), (1 << 4, 1));
}
