//! Stage 2 alone.

use crate::v3::testkit::{
    BOTH_STAGES, Board, STAGE2, STE_STAGE2, STREAM, event, implementation, pa, went_on, written,
};
use crate::v3::{Detail, IdRegisters, Path, Record, SteFlaw};

fn board_with(ids: IdRegisters, edit: impl FnOnce(&mut [u64; 4])) -> Board {
    let mut board = Board::with(implementation(ids));
    board.stage2_tables();
    let mut ste = STE_STAGE2;
    edit(&mut ste);
    board.ste(STREAM, &ste);
    board
}

fn board() -> Board {
    board_with(BOTH_STAGES, |_| {})
}

/// The rule that makes an edited STE illegal.
#[track_caller]
fn flaw(edit: impl FnOnce(&mut [u64; 4])) -> Detail {
    let (event, record) = event(board_with(BOTH_STAGES, edit).read(0x10_000));
    assert_eq!((event.kind.number(), record), (0x04, Record::Written));
    event.detail
}

#[test]
fn pages_and_blocks_translate() {
    let mut board = board();
    assert_eq!(pa(board.write(0x10_123)), 0x4900_0123);
    assert_eq!(went_on(board.read(0x10_456)).path, Path::Hit);
    let block = went_on(board.write(0x4765_4321));
    assert_eq!((block.pa.get(), block.lg2), (0x4765_4321, 30));
    // A stage-2-only SMMU does the same.
    let mut ids = BOTH_STAGES;
    ids.idr[0] = 0xd44_1019;
    assert_eq!(pa(board_with(ids, |_| {}).write(0x10_123)), 0x4900_0123);
}

#[test]
fn a_write_to_a_read_only_page_is_recorded_t27() {
    let mut board = board();
    assert_eq!(pa(board.read(0x11_000)), 0x4900_1000);
    assert_eq!(written(board.write(0x11_040)), "F_PERMISSION");
    // S2 is bit 39, CLASS = IN; dword 3 is the IPA's page.
    assert_eq!(board.last_record(), [0x8_0000_0013, 0x280_0000_0000, 0x11040, 0x11000]);
}

#[test]
fn beyond_s2t0sz_is_recorded_t28() {
    // 40 bits of input: T0SZ 24, start level 1 with two tables.
    let forty = |ste: &mut [u64; 4]| {
        ste[2] = ste[2] & !(0x3f << 32) & !(3 << 38) | 24 << 32 | 1 << 38;
    };
    let mut board = board_with(BOTH_STAGES, forty);
    assert_eq!(written(board.read(1 << 41)), "F_TRANSLATION");
    assert_eq!(board.last_record(), [0x8_0000_0010, 0x288_0000_0000, 1 << 41, 1 << 41]);
    // Beyond the intermediate size, the bypassed stage 1 faults, whatever S2R is.
    let mut board = board_with(BOTH_STAGES, |ste| ste[2] &= !(1 << 58));
    assert_eq!(written(board.read(1 << 52)), "F_ADDR_SIZE");
    assert_eq!(board.last_record(), [0x8_0000_0011, 0x208_0000_0000, 1 << 52, 0]);
    assert_eq!(event(board.read(0x12_000)).1, Record::Suppressed);
}

#[test]
fn a_substream_without_stage_1_is_an_error() {
    let mut board = board();
    let outcome = board.ask_as(STREAM, Some(5), 0x10_000, passim_model::Access::READ);
    assert_eq!(written(outcome), "C_BAD_SUBSTREAMID");
    // The SubstreamID, and no SSV.
    assert_eq!(board.last_record(), [0x8_0000_5008, 0, 0, 0]);
}

#[test]
fn aarch32_tables_are_illegal_where_ttf_has_none_t4() {
    assert_eq!(flaw(|ste| ste[2] &= !(1 << 51)), Detail::Ste(SteFlaw::S2Aa64));
}

#[test]
fn every_stage_2_rule_is_checked() {
    let with = |field: fn(&mut [u64; 4])| flaw(field);
    assert_eq!(with(|ste| ste[2] |= 1 << 57), Detail::Ste(SteFlaw::S2S));
    assert_eq!(with(|ste| ste[2] |= 1 << 56), Detail::Ste(SteFlaw::S2FlagUpdate));
    assert_eq!(with(|ste| ste[2] |= 1 << 55), Detail::Ste(SteFlaw::S2FlagUpdate));
    assert_eq!(with(|ste| ste[2] |= 3 << 46), Detail::Ste(SteFlaw::S2Tg));
    assert_eq!(with(|ste| ste[2] |= 1 << 52), Detail::Ste(SteFlaw::S2Endi));
    assert_eq!(with(|ste| ste[3] = 1 << 44), Detail::Ste(SteFlaw::S2Ttb));
    // OAS 44: T0SZ is at least 20, at most 39.
    let t0sz = |value: u64| {
        move |ste: &mut [u64; 4]| {
            ste[2] = ste[2] & !(0x3f << 32) | value << 32;
        }
    };
    assert_eq!(flaw(t0sz(19)), Detail::Ste(SteFlaw::S2T0Sz));
    assert_eq!(flaw(t0sz(40)), Detail::Ste(SteFlaw::S2T0Sz));
    // 39 bits do not reach level 0.
    assert_eq!(flaw(t0sz(25)), Detail::Ste(SteFlaw::S2Sl0));
    assert_eq!(with(|ste| ste[2] |= 3 << 38), Detail::Ste(SteFlaw::S2Sl0));
    // S2PS below S2TTB: 32 bits.
    assert_eq!(
        with(|ste| {
            ste[2] &= !(7 << 48);
            ste[3] = 1 << 32;
        }),
        Detail::Ste(SteFlaw::S2Ttb)
    );
}

#[test]
fn vmid_above_eight_bits_needs_vmid16() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] &= !(1 << 18);
    let mut board = board_with(ids, |ste| ste[2] |= 0x100);
    assert_eq!(event(board.read(0x10_000)).0.detail, Detail::Ste(SteFlaw::S2Vmid));
    assert_eq!(pa(board_with(BOTH_STAGES, |ste| ste[2] |= 0x100).read(0x10_000)), 0x4900_0000);
}

#[test]
fn walk_faults_carry_stage_2() {
    let mut board = board();
    board.put(STAGE2 + 0x2000, &[0x1_0000_0003]);
    assert_eq!(written(board.read(0x10_000)), "F_WALK_EABT");
    assert_eq!(board.last_record(), [0x8_0000_000b, 0x288_0000_0000, 0x10000, 0x1_0000_0080]);
    board.put(STAGE2 + 0x2000, &[1 << 44 | 3]);
    assert_eq!(written(board.read(0x10_000)), "F_ADDR_SIZE");
    assert_eq!(board.last_record()[3], 0x10000);
}

#[test]
fn concatenated_tables_are_one_table() {
    // 42 bits at level 1: eight tables side by side.
    let mut board = board_with(BOTH_STAGES, |ste| {
        ste[2] = ste[2] & !(0x3f << 32) & !(3 << 38) | 22 << 32 | 1 << 38;
        // Low address bits below the alignment of the eight tables are ignored.
        ste[3] = STAGE2 + 0x1_0000 + 0x7ff0;
    });
    let top = (1u64 << 42) - (1 << 30);
    board.put(STAGE2 + 0x1_0000 + 8 * (top >> 30), &[0x4000_07fd]);
    assert_eq!(pa(board.read((1 << 42) - 8)), 0x7fff_fff8);
}
