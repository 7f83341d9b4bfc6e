use crate::v2::testkit::*;
use crate::v2::{Description, Implementation};

const PAR: u64 = 0x50;
const PR: u64 = 0x800;
const UR: u64 = 0x810;
const UW: u64 = 0x818;

/// ATSR of a bank.
fn active(board: &Board, bank: u64) -> u32 {
    board.read_bank(bank, 0x8f0)
}

fn ask(board: &mut Board, register: u64, address: u64) -> u64 {
    board.bank64(BANK, register, address);
    board.read_bank64(BANK, PAR)
}

#[test]
fn an_address_that_leads_somewhere() {
    let mut board = Board::new();
    // Device memory of MAIR index 1, outer shareable as Device is; bit 11 reads as one.
    assert_eq!(ask(&mut board, UR, 0x1_0fff), 0x04 << 56 | 0x4800_0000 | 1 << 11 | 2 << 7);
    assert_eq!(active(&board, BANK), 0);
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x4800_3f4b]);
    assert_eq!(ask(&mut board, PR, 0x2_0000), 0xff << 56 | 0x4800_3000 | 1 << 11 | 3 << 7);
    // A 32-bit store is extended with zeros, its upper half ignored.
    board.bank32(BANK, UR, 0x1_1000);
    board.bank32(BANK, UR + 4, 0xffff);
    assert_eq!(board.read_bank64(BANK, PAR) & 0xffff_ffff_f000, 0x4800_1000);
    // Operations leave no trace in the fault registers.
    assert_eq!(board.told(BANK), (0x400, 0, 0));
}

#[test]
fn an_address_that_faults() {
    let mut board = Board::new();
    // F, TF, format AArch64, PLVL 3.
    assert_eq!(ask(&mut board, UR, 0x1_4000), 3 << 32 | 2 << 8 | 1 << 1 | 1);
    assert_eq!(ask(&mut board, UW, 0x1_1000), 3 << 32 | 2 << 8 | 1 << 3 | 1);
    assert_eq!(ask(&mut board, UR, 0x1_2000), 3 << 32 | 2 << 8 | 1 << 2 | 1);
    // Out of range: no level.
    assert_eq!(ask(&mut board, UR, 1 << 50), 2 << 8 | 1 << 1 | 1);
    board.cbar(BANK, 2 << 16, 1);
    assert_eq!(ask(&mut board, UR, 0x1_0000), 1 << 29 | 1);
    assert_eq!(board.read_bank(BANK, 0x58), 0x400);
}

#[test]
fn short_descriptors_have_a_form_of_their_own() {
    let mut board = Board::new();
    board.stage1_short(BANK);
    // TEX 1, C, B: inner and outer write-back with allocation, shareable, not outer.
    let found = ask(&mut board, UR, 0x1_0000);
    assert_eq!(found, 0x4800_0000 | 1 << 10 | 1 << 7 | 0b101 << 4 | 0b10 << 2);
    // A supersection at 0x12_4800_0000.
    let word = 0x4804_1c0e | 2 << 20 | 1 << 5;
    for n in 0..8 {
        board.put(SHORT + 4 * 0x100 + 8 * n, &[word << 32 | word]);
    }
    let found = ask(&mut board, UR, 0x1000_0000);
    assert_eq!(found & 0xffff_f003, 0x4812_0000 | 2);
    assert_eq!(ask(&mut board, UR, 0x1_3000), 2 << 32 | 1 << 1 | 1);
}

#[test]
fn stage_1_alone_is_asked() {
    let mut board = Board::new();
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x1_0f47, 0x1_4f47]);
    board.nest();
    // The output of stage 1, also where stage 2 maps nothing.
    assert_eq!(ask(&mut board, UR, 0x2_0000) & 0xffff_f000, 0x1_0000);
    assert_eq!(ask(&mut board, UR, 0x2_1000) & 0xffff_f000, 0x1_4000);
    assert_eq!(board.read_bank(SECOND, 0x58), 0x400);
}

#[test]
fn stage_2_faults_of_an_operation() {
    let mut board = Board::new();
    board.nest();
    board.bank64(BANK, 0x20, 0x9000_0000);
    // ATOT; the fault is in the stage-2 bank, with ATOF, S1PTWF and NESTED.
    assert_eq!(ask(&mut board, UR, 0x1_0000), 1 << 31 | 1);
    let fsynr0 = 5 << 16 | 1 << 9 | 1 << 8 | 1 << 3 | 1 << 2 | 1;
    assert_eq!(board.told(SECOND), (0x402, 0x1_0000, fsynr0));
    // While that fault is outstanding, an operation that would succeed is terminated, too.
    board.bank64(BANK, 0x20, STAGE1);
    assert_eq!(ask(&mut board, UR, 0x1_0000), 1 << 31 | 1);
}

#[test]
fn an_operation_that_stalls() {
    let mut board = Board::new();
    board.nest();
    board.bank32(SECOND, 0, SCTLR | 1 << 7);
    board.bank64(BANK, 0x20, 0x9000_0000);
    board.bank64(BANK, UR, 0x1_0000);
    assert_eq!(active(&board, BANK), 1);
    assert_eq!(board.read_bank(SECOND, 0x58), 1 << 30 | 0x402);
    // Mended and retried.
    board.bank64(BANK, 0x20, STAGE1);
    board.clear_fsr(SECOND);
    board.bank32(SECOND, 0x8, 0);
    board.settle();
    assert_eq!(active(&board, BANK), 0);
    assert_eq!(board.read_bank64(BANK, PAR) & 0xffff_f000, 0x4800_0000);
    // Terminated.
    board.bank64(BANK, 0x20, 0x9000_0000);
    board.bank64(BANK, UR, 0x1_0000);
    board.bank32(SECOND, 0x8, 1);
    assert_eq!((active(&board, BANK), board.read_bank64(BANK, PAR)), (0, 1 << 31 | 1));
}

#[test]
fn global_operations() {
    let mut board = Board::new();
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x1_0f47, 0x1_4f47]);
    board.nest();
    let ask = |board: &mut Board, register, operand| {
        board.w64(register, operand);
        board.r64(0x180)
    };
    // GATS1UR, GATS12UR.
    assert_eq!(ask(&mut board, 0x100, 0x2_0000 | BANK) & 0xffff_f000, 0x1_0000);
    assert_eq!(ask(&mut board, 0x120, 0x2_0000 | BANK) & 0xffff_f000, 0x4900_0000);
    // A fault of stage 2: STAGE, and nothing in the banks.
    assert_eq!(ask(&mut board, 0x120, 0x2_1000 | BANK), 1 << 35 | 3 << 32 | 2 << 8 | 2 | 1);
    assert_eq!(board.read_bank(SECOND, 0x58), 0x400);
    // A bank of stage 2, and one that does not exist.
    assert_eq!(ask(&mut board, 0x100, SECOND), 1 << 30 | 1);
    assert_eq!(ask(&mut board, 0x100, 200), 1 << 30 | 1);
    assert_eq!(board.r32(0x188), 0);
}

#[test]
fn an_smmu_without_them() {
    let description = Description { translation_operations: false, ..Description::EVERYTHING };
    let mut board = Board::with(Implementation { ..implementation(description) });
    assert_ne!(board.r32(0x20) & 1 << 26, 0, "ATOSNS");
    assert_eq!(ask(&mut board, UR, 0x1_0000), 0);
    board.w64(0x100, 0x1_0000 | BANK);
    assert_eq!(board.r64(0x180), 0);
}
