//! What each switch does, and that it is off by default.

use super::Errata;
use crate::v2::testkit::{BANK, Board, SCTLR, STAGE1, implementation, kind};
use crate::v2::{ContextFaultKind, Description, Implementation};

fn with(errata: Errata) -> Implementation {
    Implementation { errata, ..implementation(Description::MMU_500) }
}

#[test]
fn wide_accesses_do_not_arrive() {
    let mut board = Board::cold(with(Errata { no_wide_accesses: true, ..Errata::default() }));
    board.bank64(BANK, 0x20, 0x1234_5000);
    assert_eq!(board.read_bank(BANK, 0x20), 0);
    board.bank32(BANK, 0x20, 0x1234_5000);
    assert_eq!((board.read_bank(BANK, 0x20), board.read_bank64(BANK, 0x20)), (0x1234_5000, 0));
}

#[test]
fn firmware_changes_the_type_of_s2cr() {
    let mut board = Board::cold(with(Errata { bypass_becomes_fault: true, ..Errata::default() }));
    board.w32(0xc00, 1 << 16);
    assert_eq!(board.r32(0xc00) >> 16 & 3, 2);
    board.w32(0xc04, 2 << 16 | 5);
    assert_eq!(board.r32(0xc04), 0);
}

#[test]
fn secure_accesses_find_the_non_secure_registers_further_on() {
    let mut board = Board::with(with(Errata { secure_accesses: true, ..Errata::default() }));
    // CR0, as the board wrote it, is the Secure state's; CLIENTPD of the other is still 1.
    assert_eq!((board.r32(0), board.r32(0x400)), (0, 1));
    assert_eq!(board.pa(0x1_0000), 0x1_0000);
    board.w32(0x400, 1 << 2 | 1 << 1);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    // Registers that the states share keep their offsets.
    assert_eq!((board.r32(0x800), board.r32(0xc00)), (1 << 31 | 8, BANK as u32));
    assert_ne!(board.r32(0x24), 0);
    assert_eq!(board.r32(0x424), 0);
    // GFSR and its syndrome.
    board.access_as(77, 0x1000, passim_model::access::Access::READ);
    board.w32(0x400, 1 << 10 | 1 << 2 | 1 << 1);
    board.access_as(77, 0x1000, passim_model::access::Access::READ);
    assert_eq!((board.r32(0x48), board.r32(0x448), board.r32(0x454)), (0, 2, 77));
}

/// Two SMMUs whose tables lead 0x1_0000 to different places, with this ASID in the second.
fn two(asid: u64) -> [Board; 2] {
    let shared = with(Errata { shared_tags: true, ..Errata::default() });
    let [first, mut second] = [shared.clone(), shared].map(Board::with);
    second.put(STAGE1 + 0x3000 + 0x10 * 8, &[0x4900_0f47]);
    second.bank64(BANK, 0x20, asid << 48 | STAGE1);
    [first, second]
}

#[test]
fn one_address_space_in_two_smmus() {
    let [mut first, mut second] = two(7);
    assert_eq!(first.pa(0x1_0000), 0x4800_0000);
    first.smmu.hand_tlb_to(&mut second.smmu);
    assert_eq!(second.pa(0x1_0000), 0x4800_0000, "the other's translation");
    // An invalidation by one SMMU applies to both.
    second.bank64(BANK, 0x600, 7 << 48 | 0x10);
    assert_eq!(second.pa(0x1_0000), 0x4900_0000);
    second.smmu.hand_tlb_to(&mut first.smmu);
    assert_eq!(first.pa(0x1_0000), 0x4900_0000);
    // ASIDs that differ keep them apart.
    let [mut first, mut second] = two(8);
    assert_eq!(first.pa(0x1_0000), 0x4800_0000);
    first.smmu.hand_tlb_to(&mut second.smmu);
    assert_eq!(second.pa(0x1_0000), 0x4900_0000);
}

/// The device reads a page; the next is unmapped and invalidated; the device reads that.
fn unmapped_behind_a_prefetch(errata: Errata, prefetches: bool) -> Board {
    let mut board = Board::with(with(errata));
    board.w32(0x10, 0);
    board.bank32(BANK, 4, if prefetches { 2 } else { 0 });
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    board.put(STAGE1 + 0x3000 + 0x11 * 8, &[0]);
    board.bank64(BANK, 0x600, 7 << 48 | 0x11);
    board.bank32(BANK, 0x7f0, 0);
    assert_eq!(board.read_bank(BANK, 0x7f4), 0, "the synchronisation is complete");
    board
}

#[test]
fn a_prefetch_survives_an_invalidation() {
    let errata = Errata { stale_prefetch: true, ..Errata::default() };
    let mut board = unmapped_behind_a_prefetch(errata, true);
    assert_eq!(board.pa(0x1_1000), 0x4800_1000, "what is no longer mapped");
    // Once in the TLB, it is invalidated like any entry.
    board.bank64(BANK, 0x600, 7 << 48 | 0x11);
    assert_eq!(kind(board.fault(0x1_1000)), (ContextFaultKind::Translation, 3));
    // Without the prefetcher, and without the erratum, nothing survives.
    for (errata, prefetches) in [(errata, false), (Errata::default(), true)] {
        let mut board = unmapped_behind_a_prefetch(errata, prefetches);
        assert_eq!(kind(board.fault(0x1_1000)), (ContextFaultKind::Translation, 3));
    }
}

/// The front cache, which answers without a walk, does not keep a prefetch from entering the TLB.
#[test]
fn any_transaction_ends_a_prefetch() {
    let errata = Errata { stale_prefetch: true, ..Errata::default() };
    let mut board = Board::with(with(errata));
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    assert_eq!(board.pa(0x1_0008), 0x4800_0008);
    board.put(STAGE1 + 0x3000 + 0x11 * 8, &[0]);
    board.bank64(BANK, 0x600, 7 << 48 | 0x11);
    assert_eq!(kind(board.fault(0x1_1000)), (ContextFaultKind::Translation, 3));
}

#[test]
fn a_bank_that_is_reset_forgets_what_was_under_way() {
    let errata = Errata { stale_prefetch: true, ..Errata::default() };
    let mut board = Board::with(with(errata));
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    board.smmu.reset();
    assert_eq!(board.smmu.tlb_entries(), []);
    board.bank32(BANK, 0, SCTLR);
    assert_eq!(board.pa(0x1_1000), 0x1_1000, "CLIENTPD");
}
