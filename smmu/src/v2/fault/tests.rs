use crate::regime::Response;
use crate::v2::testkit::*;
use crate::v2::{Cause, ContextFaultKind, Description, GlobalFaultKind, Record};
use passim_model::access::{Access, Privilege};

/// TF of AArch64 as FSR reads.
const TF: u32 = 0x402;

#[test]
fn the_first_fault_is_told_in_full() {
    let mut board = Board::new();
    let privileged = Access { privilege: Privilege::Privileged, ..Access::WRITE };
    let (_, record) = faulted(board.access_as(STREAM, 0x1_4123, privileged));
    assert_eq!(record, Record::Written);
    // PLVL 3, WNR, PNU.
    assert_eq!(board.told(BANK), (TF, 0x1_4123, 0x33));
    assert_eq!(board.frsynra(BANK), STREAM);
}

#[test]
fn later_faults_are_counted_or_not_told() {
    for (hupcf, record, fsr) in
        [(1 << 8, Record::Multiple, 1 << 31 | TF), (0, Record::Suppressed, TF)]
    {
        let mut board = Board::new();
        board.bank32(BANK, 0, SCTLR | hupcf);
        board.fault(0x1_4000);
        let before = board.told(BANK);
        let outcome = terminated(board.write(0x1_1000));
        match outcome.cause {
            Cause::Context(fault, found) => {
                assert_eq!((fault.kind, found), (ContextFaultKind::Permission, record));
            }
            // HUPCF = 0: the bank terminates the access before translation.
            Cause::Outstanding { bank } => {
                assert_eq!((u64::from(bank), record), (BANK, Record::Suppressed));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(board.told(BANK), (fsr, before.1, before.2));
    }
}

#[test]
fn an_outstanding_fault_ends_hits_too() {
    let mut board = Board::new();
    board.pa(0x1_0000);
    board.pa(0x1_0000);
    board.fault(0x1_4000);
    let refused = terminated(board.read(0x1_0000));
    assert_eq!(refused.cause, Cause::Outstanding { bank: BANK as u8 });
    // Until software clears it.
    board.clear_fsr(BANK);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    // HUPCF = 1: hits and misses go on.
    board.bank32(BANK, 0, SCTLR | 1 << 8);
    board.fault(0x1_4000);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    assert_eq!(board.pa(0x20_0000), 0x4820_0000);
}

#[test]
fn an_outstanding_fault_of_stage_2_ends_everything_before_it() {
    let mut board = Board::new();
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x1_0f47, 0x1_4f47]);
    board.nest();
    board.pa(0x2_0000);
    board.fault(0x2_1000);
    let refused = terminated(board.read(0x2_0000));
    assert_eq!(refused.cause, Cause::Outstanding { bank: SECOND as u8 });
}

#[test]
fn cfre_decides_what_the_device_sees() {
    let mut board = Board::new();
    assert_eq!(terminated(board.read(0x1_4000)).response, Response::Abort);
    board.bank32(BANK, 0, SCTLR & !(1 << 5));
    assert_eq!(terminated(board.read(0x1_4000)).response, Response::RazWi);
    board.clear_fsr(BANK);
    assert_eq!(terminated(board.read(0x1_4000)).response, Response::RazWi);
}

#[test]
fn fsr_is_cleared_by_ones_and_restored() {
    let mut board = Board::new();
    board.bank32(BANK, 0, SCTLR | 1 << 8);
    board.fault(0x1_4000);
    board.write(0x1_1000);
    board.bank32(BANK, 0x58, 2);
    assert_eq!(board.read_bank(BANK, 0x58), 1 << 31 | 0x400);
    board.bank32(BANK, 0x58, 1 << 31);
    assert_eq!(board.read_bank(BANK, 0x58), 0x400);
    // FSRRESTORE overwrites; SS, Format and reserved bits are not stored.
    board.bank32(BANK, 0x5c, u32::MAX);
    assert_eq!(board.read_bank(BANK, 0x58), 0x8000_01fe | 0x400);
    board.bank32(BANK, 0x5c, 0);
    assert_eq!(board.read_bank(BANK, 0x58), 0x400);
}

#[test]
fn format_is_that_of_the_bank_now() {
    let mut board = Board::new();
    assert_eq!(board.read_bank(BANK, 0x58), 2 << 9);
    board.stage1_long(BANK);
    assert_eq!(board.read_bank(BANK, 0x58), 1 << 9);
    board.stage1_short(BANK);
    assert_eq!(board.read_bank(BANK, 0x58), 0);
    board.cbar(BANK, 0, 0);
    assert_eq!(board.read_bank(BANK, 0x58), 1 << 9, "stage 2 has no short descriptors");
}

#[test]
fn lines_rise_once_and_stay_until_cleared() {
    let mut board = Board::new();
    board.fault(0x1_4000);
    assert_eq!(board.wires(), [20 + BANK as u32]);
    let asserted = |board: &Board| board.smmu.asserted().map(|id| id.get()).collect::<Vec<_>>();
    assert_eq!(asserted(&board), [25]);
    board.read(0x1_4000);
    assert_eq!(board.wires(), [0u32; 0], "it is up already");
    board.clear_fsr(BANK);
    assert_eq!(asserted(&board), [0u32; 0]);
    board.fault(0x1_4000);
    assert_eq!(board.wires(), [25]);
    // CFIE off, and on again; FSRRESTORE raises it as a fault does.
    board.bank32(BANK, 0, SCTLR & !(1 << 6));
    assert_eq!(asserted(&board), [0u32; 0]);
    board.clear_fsr(BANK);
    board.bank32(BANK, 0, SCTLR);
    assert_eq!(board.wires(), [0u32; 0]);
    board.bank32(BANK, 0x5c, 8);
    assert_eq!(board.wires(), [25]);
}

#[test]
fn global_faults_are_told() {
    let mut board = Board::new();
    board.access_as(9, 0xabcd, Access::WRITE);
    assert_eq!((board.r32(0x48), board.r64(0x40)), (2, 0xabcd));
    assert_eq!((board.r32(0x50), board.r32(0x54)), (2, 9));
    assert_eq!(board.wires(), [10]);
    // The second only sets MULTI.
    board.stream_to(3, STREAM, BANK);
    assert_eq!(global(board.read(0x1_0000)), GlobalFaultKind::StreamMatchConflict);
    assert_eq!((board.r32(0x48), board.r64(0x40)), (1 << 31 | 2, 0xabcd));
    board.w32(0x48, u32::MAX);
    board.read(0x1_0000);
    assert_eq!((board.r32(0x48), board.r64(0x40)), (4, 0x1_0000));
    // GFIE off.
    board.w32(0, 1 << 21 | 1 << 10);
    assert_eq!(board.smmu.asserted().count(), 0);
    // GFSRRESTORE.
    board.w32(0x4c, 1);
    assert_eq!(board.r32(0x48), 1);
}

#[test]
fn interrupts_by_index_in_smmu_v1() {
    let mut board = Board::with(implementation(Description::SMMU_V1));
    board.stage1_long(BANK);
    board.cbar(BANK, 3 << 24 | 1 << 16 | 3, 0);
    assert_eq!(kind(board.fault(0x1_4000)), (ContextFaultKind::Translation, 3));
    assert_eq!(board.wires(), [23]);
    board.clear_fsr(BANK);
    // IHI 0062 3.6.2: an index beyond NUMIRPT is a global fault besides.
    board.cbar(BANK, 8 << 24 | 1 << 16 | 3, 0);
    board.fault(0x1_4000);
    assert_eq!((board.r32(0x48), board.wires()), (1 << 4, vec![10]));
}

#[test]
fn smmu_v1_knows_no_address_size_fault() {
    let mut board = Board::with(implementation(Description::SMMU_V1));
    board.stage1_long(BANK);
    // A page descriptor cannot express an output of 2^40; a table descriptor can express it.
    board.put(LONG, &[0x0000_0100_0000_0003]);
    assert_eq!(kind(board.fault(0)), (ContextFaultKind::Translation, 1));
    let mut board = Board::new();
    board.stage1_long(BANK);
    board.put(LONG, &[0x0000_0100_0000_0003]);
    assert_eq!(kind(board.fault(0)), (ContextFaultKind::AddressSize, 1));
}
