//! Cached entries stay until a command names them.

use crate::choice::{Choices, Completion};
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STE_STAGE1, STE_STAGE2, STREAM, event, implementation,
    pa, written,
};
use crate::v3::{Implementation, Outcome};
use passim_model::Access;

const PAGE: u64 = STAGE1 + 0x3000 + 0x10 * 8;

fn board() -> Board {
    let mut board = Board::new();
    board.stage1(CD0);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board
}

#[test]
fn an_unmapped_page_stays_until_it_is_invalidated() {
    let mut board = board();
    board.put(PAGE, &[0]);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000, "stale, and architecture allows it");
    // Another ASID, another address, another level: none of them matches.
    board.command(0x0008_0000_0000_0012, 0x1_0001);
    board.command(0x0007_0000_0000_0012, 0x1_1001);
    board.command(0x0007_0000_0010_0012, 0x1_0601);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board.command(0x0007_0000_0000_0012, 0x1_0001);
    board.command(0x2046, 0);
    assert_eq!(written(board.read(0x10_000)), "F_TRANSLATION");
}

#[test]
fn consumed_is_not_complete_until_a_sync_where_that_is_the_choice() {
    let choices = Choices { completion: Completion::WhenSynchronised, ..Choices::default() };
    let mut board = Board::with(Implementation { choices, ..implementation(BOTH_STAGES) });
    board.stage1_tables();
    board.stage1(CD0);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board.put(PAGE, &[0]);
    board.command(0x0007_0000_0000_0012, 0x1_0001);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000, "consumed, and not complete");
    board.command(0x2046, 0);
    assert_eq!(written(board.read(0x10_000)), "F_TRANSLATION");
    board.command(0x2046, 0);
    // Configuration likewise: CMD_CFGI_STE of a stream that aborts now.
    board.put(PAGE, &[0x4800_0f47]);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board.ste(STREAM, &[1]);
    board.command(u64::from(STREAM) << 32 | 0x3, 1);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board.command(0x2046, 0);
    assert!(matches!(board.read(0x10_000), Outcome::Terminated(_)));
}

#[test]
fn ranges_cover_what_they_say() {
    let mut board = board();
    pa(board.read(0x11_000));
    pa(board.read(0x20_0000));
    // ASID 7, SCALE 3, NUM 0, TG 1, TTL 3: eight 4K pages from 0x9000, so the last is 0x10000.
    board.command(0x7_0000_0030_0012, 0x9701);
    let inputs: Vec<u64> = board.smmu.tlb_entries().iter().map(|(_, e)| e.input).collect();
    assert_eq!(inputs, [0x11000, 0x20_0000]);
    // TTL 2 reaches the block and no page.
    board.command(0x7_0000_00a0_0012, 0x601);
    let inputs: Vec<u64> = board.smmu.tlb_entries().iter().map(|(_, e)| e.input).collect();
    assert_eq!(inputs, [0x11000]);
    // TG 3 was not the granule; TG 1 without a level is.
    board.command(0x7_0000_00a0_0012, 0x1_0c01);
    assert_eq!(board.smmu.tlb_entries().len(), 1);
    board.command(0x7_0000_00a0_0012, 0x1_0401);
    assert_eq!(board.smmu.tlb_entries().len(), 0);
}

#[test]
fn scopes_by_tag() {
    for (w0, stays) in [
        (0x0007_0000_0000_0011, false), // NH_ASID 7
        (0x0008_0000_0000_0011, true),  // NH_ASID 8
        (0x0007_0001_0000_0011, true),  // NH_ASID 7 of VMID 1
        (0x10, false),                  // NH_ALL of VMID 0
        (0x1_0000_0010, true),          // NH_ALL of VMID 1
        (0x28, false),                  // S12_VMALL of VMID 0
        (0x1_0000_0028, true),
        (0x30, false), // NSNH_ALL
        (0x2a, true),  // S2_IPA reaches no stage-1 translation
        (0x13, true),  // NH_VAA of address 0
    ] {
        let mut board = board();
        board.command(w0, 0);
        assert_eq!(!board.smmu.tlb_entries().is_empty(), stays, "{w0:#x}");
    }
}

#[test]
fn global_pages_leave_with_their_address_not_with_an_asid() {
    let mut board = Board::new();
    board.stage1(CD0);
    board.put(PAGE, &[0x4800_0747]);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board.put(PAGE, &[0]);
    board.command(0x0007_0000_0000_0011, 0);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    // Another ASID reaches it by address.
    board.command(0x0009_0000_0000_0012, 0x1_0001);
    assert_eq!(written(board.read(0x10_000)), "F_TRANSLATION");
}

#[test]
fn stage_2_by_ipa_and_by_vmid() {
    for (w0, w1, stays) in [
        (0x3_0000_002a, 0x1_0001, false),
        (0x3_0000_002a, 0x1_1001, true),
        (0x4_0000_002a, 0x1_0001, true),
        (0x3_0000_0028, 0, false),
        (0x3_0000_0010, 0, true),
        (0x30, 0, false),
    ] {
        let mut board = Board::new();
        board.ste(STREAM, &STE_STAGE2);
        pa(board.read(0x10_000));
        board.command(w0, w1);
        assert_eq!(!board.smmu.tlb_entries().is_empty(), stays, "{w0:#x}");
    }
}

#[test]
fn an_ste_stays_until_it_is_invalidated() {
    let mut board = board();
    board.ste(STREAM, &[0]);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    board.command(0x9_0000_0003, 1);
    board.command(0xa_0000_0004, 0);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
    // An aligned range of two streams: 8 and 9.
    board.command(0x9_0000_0004, 0);
    assert_eq!(written(board.read(0x10_000)), "C_BAD_STE");
    // The illegal STE is cached too.
    board.ste(STREAM, &[STE_STAGE1, 0xd6]);
    assert_eq!(written(board.read(0x10_000)), "C_BAD_STE");
    board.command(0x8_0000_0003, 1);
    assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
}

#[test]
fn a_cd_stays_until_it_is_invalidated() {
    for w0 in [0x8_0000_0005, 0x8_0000_0006, 0x8_0000_0003, 0x0000_0004] {
        let mut board = board();
        // ASID 8 from now on, and other tables.
        board.put(CDS, &[CD0 & !(0xffff << 48) | 8 << 48, 0x4700_0000]);
        board.command(0x9_0000_0006, 0);
        board.command(0x8_0000_1005, 1);
        assert_eq!(pa(board.read(0x10_000)), 0x4800_0000);
        board.command(w0, if w0 == 4 { 31 } else { 1 });
        assert_eq!(event(board.read(0x10_000)).0.kind.name(), "F_TRANSLATION", "{w0:#x}");
    }
}

#[test]
fn streams_with_one_asid_share_translations() {
    let mut board = board();
    board.ste(9, &[STE_STAGE1, 0xd6]);
    board.put(PAGE, &[0]);
    assert_eq!(pa(board.ask(9, 0x10_000, Access::READ)), 0x4800_0000);
    // Stage 2 of the same VMID number is another space.
    board.ste(10, &STE_STAGE2);
    assert_eq!(pa(board.ask(10, 0x10_000, Access::READ)), 0x4900_0000);
}

#[test]
fn clearing_is_for_tests_only() {
    let mut board = board();
    board.put(PAGE, &[0]);
    board.smmu.clear_caches();
    assert_eq!(board.smmu.cached_streams().len() + board.smmu.cached_contexts().len(), 0);
    assert_eq!(written(board.read(0x10_000)), "F_TRANSLATION");
}
