//! Explains translations, and checks that this changes nothing.

use super::{Step, Verdict};
use crate::v3::testkit::{
    BOTH_STAGES, Board, CD0, CDS, STAGE1, STE_STAGE1, STE_STAGE2, STREAM, STREAM_TABLE,
    implementation, pa,
};
use crate::v3::{Explanation, Path, Transaction};
use passim_model::pgtable::vmsav8::{Entry, Stage};
use passim_model::{Access, DeviceId, Iova, PhysAddr, Requester, StreamId};

fn explain(board: &Board, iova: u64) -> Explanation {
    let stream = StreamId::new(STREAM);
    let requester = Requester { stream, substream: None, device: DeviceId::new(STREAM) };
    let txn = Transaction { requester, iova: Iova::new(iova), access: Access::READ };
    board.smmu.explain(&board.memory, &txn)
}

fn levels(explanation: &Explanation) -> Vec<(Stage, i8, u64)> {
    let steps = explanation.steps.iter();
    steps
        .filter_map(|step| match *step {
            Step::Descriptor { stage, level, at, .. } => Some((stage, level, at.get())),
            _ => None,
        })
        .collect()
}

#[test]
fn every_step_of_a_walk_is_told() {
    let mut board = Board::new();
    board.stage1(CD0);
    let told = explain(&board, 0x10_018);
    let ste_at = PhysAddr::new(STREAM_TABLE + 0x200);
    assert!(matches!(told.steps[0], Step::Ste { at, words } if at == ste_at && words[1] == 0xd6));
    let cd_at = PhysAddr::new(CDS);
    assert!(matches!(told.steps[1], Step::Cd { at, words } if at == cd_at && words[0] == CD0));
    let one = |level, at| (Stage::One, level, STAGE1 + at);
    assert_eq!(levels(&told), [one(0, 0), one(1, 0x1000), one(2, 0x2000), one(3, 0x3080)]);
    let Some(Step::Leaf { leaf, .. }) = told.steps.last() else { panic!("{told:x?}") };
    assert_eq!((leaf.output, leaf.level), (0x4800_0000, 3));
    let Verdict::Translated(answer) = told.verdict else { panic!("{told:x?}") };
    assert_eq!((answer.pa.get(), answer.path), (0x4800_0018, Path::Walk));
    // Nothing was cached, counted or recorded.
    assert_eq!((board.smmu.cached_streams().len(), board.smmu.tlb_entries().len()), (0, 0));
    assert_eq!(board.smmu.counters().walks, 0);
    // After a real access everything is cached.
    pa(board.read(0x10_000));
    let told = explain(&board, 0x10_018);
    assert_eq!(told.steps[..2], [Step::CachedSte, Step::CachedCd]);
    assert!(matches!(told.steps[2], Step::Hit { stage: Stage::One, .. }));
}

#[test]
fn faults_name_their_section() {
    let mut board = Board::new();
    board.stage1(CD0);
    let sections = |board: &Board, iova| explain(board, iova).verdict.section();
    assert_eq!(sections(&board, 0x12_000), "7.3.13");
    assert_eq!(levels(&explain(&board, 0x12_000)).len(), 4);
    assert_eq!(board.drain_events(), 0);
    board.put(CDS, &[0]);
    assert_eq!(sections(&board, 0), "5.4.2");
    board.ste(STREAM, &[0]);
    assert_eq!(sections(&board, 0), "5.2.2");
    board.ste(STREAM, &[1]);
    assert_eq!(explain(&board, 0).verdict, Verdict::StreamAborts);
    board.w32(0x20, 0xc);
    assert_eq!(explain(&board, 0).verdict, Verdict::Disabled);
}

#[test]
fn a_nested_walk_tells_both_stages() {
    let mut board = Board::new();
    board.stage1(CD0);
    let [_, _, s2, ttb] = STE_STAGE2;
    board.ste(STREAM, &[STE_STAGE1 | 0x4, 0xd6, s2, ttb]);
    board.put(STAGE1 + 0x3000 + 0x12 * 8, &[0x1_0f47]);
    let told = explain(&board, 0x12_345);
    let of_stage1: Vec<_> = told
        .steps
        .iter()
        .filter_map(|step| match *step {
            Step::Descriptor { stage: Stage::One, ipa, at, .. } => Some((ipa, at.get())),
            _ => None,
        })
        .collect();
    // The first gigabyte of RAM is mapped onto itself.
    let expected: Vec<_> =
        [0, 0x1000, 0x2000, 0x3090].map(|offset| (Some(STAGE1 + offset), STAGE1 + offset)).to_vec();
    assert_eq!(of_stage1, expected);
    let second = levels(&told).iter().filter(|step| step.0 == Stage::Two).count();
    assert_eq!(second, 2 + 4, "the block once for CD and tables, the page");
    assert!(matches!(told.verdict, Verdict::Translated(answer) if answer.pa.get() == 0x4900_0345));
}

#[test]
fn a_remembered_table_is_told() {
    let retention = crate::tlb::Retention::Everything;
    let built = crate::v3::Implementation { retention, ..implementation(BOTH_STAGES) };
    let mut board = Board::with(built);
    board.stage1_tables();
    board.stage1(CD0);
    pa(board.read(0x10_000));
    let told = explain(&board, 0x11_000);
    let table = STAGE1 + 0x3000;
    let cached = Step::CachedTable { stage: Stage::One, level: 3, table, behind: None };
    assert!(told.steps.contains(&cached), "{told:x?}");
    assert_eq!(levels(&told), [(Stage::One, 3, STAGE1 + 0x3088)]);
}

#[test]
fn words_are_told_field_by_field() {
    let mut board = Board::new();
    board.stage1(CD0);
    let told = explain(&board, 0x10_018);
    let text = |step: &Step| -> Vec<String> {
        let fields = step.fields().into_iter();
        fields.map(|it| format!("{}={:#x}", it.name, it.value)).collect()
    };
    let ste = text(&told.steps[0]);
    assert_eq!(ste[..3], ["V=0x1", "Config=0x5", &format!("S1ContextPtr={CDS:#x}")]);
    assert!(ste.contains(&"S1DSS=0x2".to_owned()), "{ste:?}");
    let cd = text(&told.steps[1]);
    assert!(cd.contains(&"T0SZ=0x10".to_owned()), "{cd:?}");
    assert!(cd.contains(&format!("TTB0={STAGE1:#x}")), "{cd:?}");
    let page = told.steps.iter().rev().find(|step| matches!(step, Step::Descriptor { .. }));
    let Some(page @ Step::Descriptor { entry, .. }) = page else { panic!("{told:x?}") };
    assert_eq!(*entry, Some(Entry::Leaf(0x4800_0000)));
    assert!(text(page).contains(&"AF=0x1".to_owned()), "{page:x?}");
    let tables = told
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Descriptor { entry: Some(Entry::Table(_)), .. }));
    assert_eq!(tables.count(), 3);
    assert!(told.steps.iter().all(|step| step.section().contains(' ')));
}

#[test]
fn a_broken_rule_is_named() {
    let mut board = Board::new();
    board.stage1(CD0);
    board.put(CDS, &[0]);
    assert_eq!(explain(&board, 0).verdict.flaw(), Some("CD.V is 0"));
    board.ste(STREAM, &[0]);
    assert_eq!(explain(&board, 0).verdict.flaw(), Some("STE.V is 0"));
    board.ste(STREAM, &[1]);
    assert_eq!(explain(&board, 0).verdict.flaw(), None);
}

#[test]
fn each_cache_is_named_where_it_answers() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 19;
    ids.idr[1] |= 10 << 6;
    let caches = crate::v3::Caches::EVERYTHING;
    let mut board = Board::with(crate::v3::Implementation { caches, ..implementation(ids) });
    board.stage1_tables();
    board.reprogram(|board| {
        board.w32(0x2c, 2);
        board.w32(0x88, 1 << 16 | 8 << 6 | 16);
        board.w64(0x80, 0x4110_0000);
    });
    let (l1std, l1cd) = (STREAM_TABLE | 9, 0x4399_0001);
    board.put(0x4110_0000, &[l1std]);
    // S1CDMax 10, S1Fmt 1; without a SubstreamID, substream 0 is meant.
    board.ste(STREAM, &[10 << 59 | STE_STAGE1 | 1 << 4, 2]);
    board.put(CDS, &[l1cd]);
    board.put(0x4399_0000, &[CD0, STAGE1]);
    pa(board.read(0x10_000));
    let told = |board: &Board, page| {
        let steps = explain(board, page).steps.into_iter();
        steps.map(|step| format!("{step:?}").split([' ', '(']).next().unwrap().to_owned())
    };
    let all = |board: &Board, page| told(board, page).collect::<Vec<_>>();
    assert_eq!(all(&board, 0x10_000), ["CachedSte", "CachedCd", "Hit"]);
    assert_eq!(
        all(&board, 0x11_000),
        ["CachedSte", "CachedCd", "CachedTable", "Descriptor", "Leaf"]
    );
    board.command(0x8_0000_0005, 1);
    let names = ["CachedSte", "CachedLevelOneCd", "Cd", "Hit"];
    assert_eq!(all(&board, 0x10_000), names, "CFGI_CD, Leaf = 1");
    board.command(0x8_0000_0005, 0);
    assert_eq!(all(&board, 0x10_000), ["CachedSte", "LevelOneCd", "Cd", "Hit"]);
    board.command(0x8_0000_0003, 1);
    let names = ["CachedLevelOneStream", "Ste", "LevelOneCd", "Cd", "Hit"];
    assert_eq!(all(&board, 0x10_000), names, "CFGI_STE, Leaf = 1");
    board.command(0x8_0000_0003, 0);
    assert_eq!(all(&board, 0x10_000), ["LevelOneStream", "Ste", "LevelOneCd", "Cd", "Hit"]);
    let step = Step::CachedLevelOneStream { word: l1std };
    assert!(!step.fields().is_empty() && step.section().ends_with("3.21.3"));
}

/// The ID registers with MPAM: PARTIDs up to 31, PMGs up to 3.
fn with_labels() -> crate::v3::IdRegisters {
    let mut ids = BOTH_STAGES;
    ids.idr[3] |= 1 << 7;
    ids.mpamidr = 3 << 16 | 31;
    ids
}

#[test]
fn a_label_is_told_and_where_it_comes_from() {
    use crate::v3::Label;
    let label = |partid, pmg| Some(Label { partid, pmg });
    let mut board = Board::with(implementation(with_labels()));
    // GBPMPAM while the SMMU is off.
    board.w32(0x13c, 1 << 31 | 2 << 16 | 7);
    board.w32(0x20, 0);
    assert_eq!(explain(&board, 0).label, label(Some(7), Some(2)));
    board.boot();
    // STE.PARTID and STE.PMG: bypass, and stage 1 without S1MPAM.
    board.ste(STREAM, &[1 | 4 << 1, 0, 0, 0, 5 << 16, 1]);
    assert_eq!(explain(&board, 0).label, label(Some(5), Some(1)));
    board.stage1_tables();
    board.stage1(CD0);
    board.put(CDS + 40, &[9 << 32 | 3 << 48]);
    board.ste(STREAM, &[STE_STAGE1, 2, 0, 0, 5 << 16, 1]);
    assert_eq!(explain(&board, 0x10_000).label, label(Some(5), Some(1)));
    // CD.PARTID and CD.PMG; above the largest they are UNKNOWN.
    board.ste(STREAM, &[STE_STAGE1, 1 << 26 | 2, 0, 0, 5 << 16, 1]);
    assert_eq!(explain(&board, 0x10_000).label, label(Some(9), Some(3)));
    board.put(CDS + 40, &[32 << 32 | 4 << 48]);
    assert_eq!(explain(&board, 0x10_000).label, label(None, None));
    // A transaction that is terminated has no label.
    assert_eq!(explain(&board, 0xf_0000_0000).label, None);
}

#[test]
fn a_virtual_partid_is_mapped() {
    use crate::v3::Label;
    let mut board = Board::with(implementation(with_labels()));
    board.stage1_tables();
    board.stage2_tables();
    board.stage1(CD0);
    // Five bits of a virtual PARTID are used: 0x27 is 7, the last of the second doubleword.
    board.put(CDS + 40, &[0x27 << 32 | 3 << 48]);
    let vms = 0x4800_0000;
    board.put(vms, &[0, 0x0011_0000_0000_0000]);
    let [w0, _, w2, w3] = STE_STAGE2;
    let ste = [STE_STAGE1 | w0 & 0xe, 1 << 26 | 2, w2, w3, 5 << 16, vms];
    board.ste(STREAM, &ste);
    let told = explain(&board, 0x10_000);
    let read = told.steps.iter().find(|step| matches!(step, Step::PartidMap { .. }));
    assert!(matches!(read, Some(Step::PartidMap { at, .. }) if at.get() == vms), "{told:x?}");
    assert_eq!(told.label, Some(Label { partid: Some(0x11), pmg: Some(3) }));
}
