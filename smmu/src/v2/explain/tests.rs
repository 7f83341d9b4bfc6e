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
    assert!(told.steps.contains(&Step::Bank(BANK as u8)));
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
    assert!(told.steps.contains(&Step::SecondBank(SECOND as u8)));
    assert_eq!((board.smmu.counters(), board.told(BANK), board.told(SECOND)), before);
    assert!(board.smmu.tlb_entries().is_empty());
    let told = explain(&board, 9, 0, Access::READ);
    let Verdict::Global(fault) = told.verdict else { panic!("{:?}", told.verdict) };
    assert_eq!(fault.kind, GlobalFaultKind::UnidentifiedStream);
    assert_eq!(registers(&told), ["CR0 at 0x0"]);
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

/// The registers that were looked at, and where they are.
fn registers(explanation: &Explanation) -> Vec<String> {
    let steps = explanation.steps.iter();
    let found = steps.filter_map(|step| match step {
        Step::Register(Register { name, index: None, offset, .. }) => {
            Some(format!("{name} at {offset:#x}"))
        }
        Step::Register(Register { name, index: Some(index), offset, .. }) => {
            Some(format!("{name}{index} at {offset:#x}"))
        }
        _ => None,
    });
    found.collect()
}

/// Name, value and meaning of every field of the register with this name.
fn fields_of(explanation: &Explanation, wanted: &str) -> Vec<String> {
    let steps = explanation.steps.iter();
    let found = steps.filter(|step| matches!(step, Step::Register(it) if it.name == wanted));
    let fields = found.flat_map(Step::fields);
    fields
        .map(|field| match field.meaning {
            Some(meaning) => format!("{}={:#x} ({meaning})", field.name, field.value),
            None => format!("{}={:#x}", field.name, field.value),
        })
        .collect()
}

#[test]
fn every_register_that_decides_is_told() {
    let mut board = Board::new();
    board.nest();
    let told = explain(&board, STREAM, 0x1_0000, Access::READ);
    // Register pages of 4K.
    let (first, second) = (board.of_bank(BANK, 0), board.of_bank(SECOND, 0));
    let mut expected =
        vec!["CR0 at 0x0".to_owned(), "SMR0 at 0x800".to_owned(), "S2CR0 at 0xc00".to_owned()];
    let page = 0x1000;
    for (bank, base) in [(BANK, first), (SECOND, second)] {
        expected.push(format!("CBAR{bank} at {:#x}", page + 4 * bank));
        expected.push(format!("CBA2R{bank} at {:#x}", page + 0x800 + 4 * bank));
        expected.push(format!("SCTLR{bank} at {base:#x}"));
        expected.push(format!("TCR{bank} at {:#x}", base + 0x30));
        if bank == BANK {
            expected.push(format!("TCR2{bank} at {:#x}", base + 0x10));
        }
        expected.push(format!("TTBR0{bank} at {:#x}", base + 0x20));
        if bank == BANK {
            expected.push(format!("TTBR1{bank} at {:#x}", base + 0x28));
        }
    }
    assert_eq!(registers(&told), expected);
    assert_eq!(fields_of(&told, "S2CR"), ["CBNDX=0x5", "TYPE=0x0 (translate)"]);
    assert_eq!(
        fields_of(&told, "CBAR"),
        [
            "VMID=0x3",
            "TYPE=0x3 (stage 1, then stage 2)",
            "CBNDX=0x1",
            "VMID=0x3",
            "TYPE=0x0 (stage 2)"
        ]
    );
    let ttbr = [format!("ADDRESS={STAGE1:#x}"), "ASID=0x7".to_owned()];
    assert_eq!(fields_of(&told, "TTBR0")[..2], ttbr);
}

#[test]
fn entries_that_contradict_are_all_told() {
    let mut board = Board::new();
    board.stream_to(3, STREAM, BANK);
    let told = explain(&board, STREAM, 0x1_0000, Access::READ);
    let expected =
        ["CR0 at 0x0", "SMR0 at 0x800", "S2CR0 at 0xc00", "SMR3 at 0x80c", "S2CR3 at 0xc0c"];
    assert_eq!(registers(&told), expected);
    let Verdict::Global(fault) = told.verdict else { panic!("{:?}", told.verdict) };
    assert_eq!(fault.kind, GlobalFaultKind::StreamMatchConflict);
}

#[test]
fn short_descriptors_have_fields_of_their_own() {
    let mut board = Board::new();
    board.stage1_short(BANK);
    let told = explain(&board, STREAM, 0x1_1000, Access::READ);
    let last = told.steps.iter().rev().find(|step| matches!(step, Step::Descriptor { .. }));
    let last = last.expect("the page");
    let fields: Vec<_> = last.fields().into_iter().map(|field| (field.name, field.value)).collect();
    // 0x4800_1e7e: nG, S, AP[2] and AP[1:0], TEX 1, C and B.
    let expected =
        [("B", 1), ("C", 1), ("AP[1:0]", 3), ("TEX", 1), ("AP[2]", 1), ("S", 1), ("nG", 1)];
    assert_eq!((fields.as_slice(), last.section().as_str()), (&expected[..], "DDI 0406 B3.5.1"));
    assert_eq!(fields_of(&told, "CONTEXTIDR"), ["ASID=0x7"]);
}
