use super::*;
use crate::v2::GlobalFaultKind;
use crate::v2::testkit::*;
use passim_model::access::Access;
use passim_model::{DeviceId, Iova, Requester, StreamId};

fn explain(board: &Board, stream: u32, iova: u64, access: Access) -> Explanation {
    let stream = StreamId::new(stream);
    let requester = Requester { stream, substream: None, device: DeviceId::new(0) };
    board.smmu.explain(&board.memory, &Transaction { requester, iova: Iova::new(iova), access })
}

fn descriptors(explanation: &Explanation) -> Vec<(i8, u64, u64)> {
    let steps = explanation.steps.iter();
    let found = steps.filter_map(|step| match *step {
        Step::Descriptor { level, at, word, .. } => Some((level, at.get(), word)),
        _ => None,
    });
    found.collect()
}

#[test]
fn a_walk_is_told_descriptor_by_descriptor() {
    let board = Board::new();
    let told = explain(&board, STREAM, 0x1_0123, Access::READ);
    assert_eq!(told.steps[0], Step::Bank(BANK as u8));
    let expected = [
        (0, STAGE1, STAGE1 + 0x1003),
        (1, STAGE1 + 0x1000, STAGE1 + 0x2003),
        (2, STAGE1 + 0x2000, STAGE1 + 0x3003),
        (3, STAGE1 + 0x3080, 0x4800_0f47),
    ];
    assert_eq!(descriptors(&told), expected);
    assert!(matches!(told.steps.last(), Some(Step::Leaf { stage: Stage::One, .. })));
    let Verdict::Translated(found) = told.verdict else { panic!("{:?}", told.verdict) };
    assert_eq!((found.pa.get(), told.verdict.section()), (0x4800_0123, "2.7"));
}

#[test]
fn short_descriptors_are_told_as_they_are() {
    let mut board = Board::new();
    board.stage1_short(BANK);
    let told = explain(&board, STREAM, 0x1_1000, Access::READ);
    let expected = [(1, SHORT, SHORT + 0x4001), (2, SHORT + 0x4044, 0x4800_1e7e)];
    assert_eq!(descriptors(&told), expected);
}

#[test]
fn nothing_changes_by_it() {
    let mut board = Board::new();
    board.nest();
    let before = (board.smmu.counters(), board.told(BANK), board.told(SECOND));
    let told = explain(&board, STREAM, 0x1_4000, Access::READ);
    assert!(matches!(told.verdict, Verdict::Context(_)));
    assert_eq!(told.steps[1], Step::SecondBank(SECOND as u8));
    assert_eq!((board.smmu.counters(), board.told(BANK), board.told(SECOND)), before);
    assert!(board.smmu.tlb_entries().is_empty());
    let told = explain(&board, 9, 0, Access::READ);
    let Verdict::Global(fault) = told.verdict else { panic!("{:?}", told.verdict) };
    assert_eq!((fault.kind, told.steps.len()), (GlobalFaultKind::UnidentifiedStream, 0));
}

#[test]
fn earlier_faults_are_why() {
    let mut board = Board::new();
    board.fault(0x1_4000);
    let told = explain(&board, STREAM, 0x1_0000, Access::READ);
    assert_eq!((told.verdict, told.verdict.section()), (Verdict::Outstanding(BANK as u8), "3.7.3"));
    board.clear_fsr(BANK);
    board.bank32(BANK, 0, SCTLR | 1 << 7);
    board.read(0x1_4000);
    let told = explain(&board, STREAM, 0x1_0000, Access::READ);
    assert_eq!(told.verdict, Verdict::Waits(BANK as u8));
}
