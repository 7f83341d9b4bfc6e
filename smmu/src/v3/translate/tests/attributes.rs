//! Memory attributes of translated transactions. IHI 0070 G.b chapter 13.

use crate::attributes::{Attributes, Shareability};
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, STAGE1, STE_STAGE1, STE_STAGE2, STREAM, implementation, pa, went_on,
    written,
};
use crate::v3::{IdRegisters, Path};
use passim_model::Access;

fn ids() -> IdRegisters {
    let mut ids = BOTH_STAGES;
    // ATTR_TYPES_OVR, FWB.
    ids.idr[1] |= 1 << 27;
    ids.idr[3] |= 1 << 8;
    ids
}

fn board() -> Board {
    let mut board = Board::with(implementation(ids()));
    board.stage1_tables();
    board.stage2_tables();
    board.stage1(CD0);
    board
}

const WB: Attributes = Attributes { memory: 0xff, shareability: Shareability::Inner };
const DEVICE: Attributes = Attributes { memory: 0x04, shareability: Shareability::Outer };
const NC: Attributes = Attributes { memory: 0x44, shareability: Shareability::Outer };

#[test]
fn stage_1_names_them_by_index() {
    let mut board = board();
    // MAIR 0xff44_04ff... of the testkit: index 0 NC, 1 WB, 2 Device, 3 iNC-oWB.
    let page = STAGE1 + 0x3000 + 0x12 * 8;
    board.put(page, &[0x4800_2f43, 0x4800_3f47, 0x4800_4f4b]);
    for (iova, expected) in [(0x12_000, NC), (0x13_000, WB), (0x14_000, DEVICE)] {
        for path in [Path::Walk, Path::Hit] {
            let found = went_on(board.read(iova));
            assert_eq!((found.attributes, found.path), (expected, path), "{iova:#x}");
        }
    }
}

#[test]
fn stage_2_makes_them_stronger() {
    let mut board = board();
    // STE_STAGE2's pages have MemAttr 0xf, inner shareable.
    board.ste(STREAM, &STE_STAGE2);
    assert_eq!(went_on(board.read(0x10_000)).attributes, WB);
    let [_, _, s2, ttb] = STE_STAGE2;
    board.ste(9, &[STE_STAGE1 | 0x4, 0xd6, s2, ttb]);
    board.put(STAGE1 + 0x3000 + 0x12 * 8, &[0x1_0f4b]);
    let nested = went_on(board.ask(9, 0x12_000, passim_model::Access::READ));
    assert_eq!(nested.attributes, DEVICE);
}

#[test]
fn configuration_replaces_what_comes_in() {
    let mut board = board();
    // Bypass: MTCFG with MemAttr 1 (Device-nGnRE); then SHCFG 2 alone.
    board.ste(1, &[0x9, 1 << 36 | 1 << 32 | 1 << 44]);
    board.ste(2, &[0x9, 2 << 44]);
    board.ste(3, &[0x9, 1 << 44]);
    let read = |board: &mut Board, stream| {
        went_on(board.ask(stream, 0x1000, passim_model::Access::READ)).attributes
    };
    assert_eq!(read(&mut board, 1), DEVICE);
    assert_eq!(read(&mut board, 2), Attributes { shareability: Shareability::Outer, ..WB });
    assert_eq!(read(&mut board, 3), WB);
    // Stage 1 replaces them again; stage 2 alone combines with them.
    board.ste(4, &[STE_STAGE1, 0xd6 | 1 << 36 | 1 << 32]);
    let first = went_on(board.ask(4, 0x10_000, passim_model::Access::READ));
    assert_eq!(first.attributes, WB);
    let mut ste = STE_STAGE2;
    ste[1] = 1 << 36 | 1 << 32;
    board.ste(5, &ste);
    let second = went_on(board.ask(5, 0x10_000, passim_model::Access::READ));
    assert_eq!(second.attributes, DEVICE);
    // Disabled: GBPA.
    board.w32(0x20, 0xc);
    board.w32(0x44, 1 << 31 | 1 << 12 | 1 << 4 | 5);
    assert_eq!(read(&mut board, 1), NC);
}

#[test]
fn s2fwb_forces_write_back() {
    let mut board = board();
    let [_, _, s2, ttb] = STE_STAGE2;
    board.ste(STREAM, &[STE_STAGE1 | 0x4, 0xd6 | 1 << 25, s2, ttb]);
    board.put(STAGE1 + 0x3000 + 0x12 * 8, &[0x1_0f4b]);
    let page = crate::v3::testkit::STAGE2 + 0x3000 + 0x10 * 8;
    board.put(page, &[0x4900_07db]);
    // Stage 1 is Device, and therefore outer shareable.
    let forced = went_on(board.read(0x12_000)).attributes;
    assert_eq!(forced, Attributes { shareability: Shareability::Outer, ..WB });
}

#[test]
fn protected_tables_must_not_lie_in_device_memory() {
    let mut board = board();
    let [_, _, s2, ttb] = STE_STAGE2;
    // Stage 2 maps the first gigabyte, and with it CDs and tables, as Device.
    board.put(crate::v3::testkit::STAGE2 + 0x1000 + 8, &[0x4000_07c1]);
    board.ste(STREAM, &[STE_STAGE1 | 0x4, 0xd6, s2, ttb]);
    board.put(STAGE1 + 0x3000 + 0x12 * 8, &[0x1_0f47]);
    assert_eq!(pa(board.read(0x12_000)), 0x4900_0000);
    board.ste(STREAM, &[STE_STAGE1 | 0x4, 0xd6, s2 | 1 << 54, ttb]);
    board.command(0x8_0000_0003, 1);
    assert_eq!(written(board.read(0x12_000)), "F_PERMISSION");
    // S2, CLASS = CD: the CD is read first.
    assert_eq!(board.last_record()[1], 0x88_0000_0000);
}

/// IHI 0070 G.b 3.23.1. Without MTEPERM the type is one that VMSAv8-64 leaves open.
#[test]
fn no_tag_access_is_write_back() {
    for (permissions, memory) in [(false, 0x00), (true, 0xff)] {
        let mut ids = ids();
        ids.idr[3] |= u32::from(permissions) << 22;
        let mut board = Board::with(implementation(ids));
        board.stage2_tables();
        // S2AP 3, AF, inner shareable, MemAttr 4.
        board.put(crate::v3::testkit::STAGE2 + 0x3000 + 0x10 * 8, &[0x4900_07d3]);
        board.ste(STREAM, &STE_STAGE2);
        assert_eq!(went_on(board.read(0x10_000)).attributes.memory, memory);
    }
}

/// IHI 0070 G.b 13.4.2: hints by which ALLOCCFG overrides incoming ones are combined with those of
/// the leaf, walked and from the TLB; a stream without ALLOCCFG is not affected.
#[test]
fn hints_before_stage_1_are_not_discarded() {
    let mut board = board();
    let memory = |outcome| went_on(outcome).attributes.memory;
    // ALLOCCFG = 8: neither reads nor writes allocate.
    board.ste(STREAM, &[STE_STAGE1, 0xd6 | 8 << 37]);
    assert_eq!([memory(board.read(0x10_000)), memory(board.read(0x10_000))], [0xcc, 0xcc]);
    board.ste(STREAM + 1, &[STE_STAGE1, 0xd6]);
    assert_eq!(memory(board.ask(STREAM + 1, 0x10_000, Access::READ)), 0xff);
}
