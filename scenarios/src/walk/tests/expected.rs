//! Expectations of recordings, of one stage and of two.

use passim_model::{Iova, PhysAddr, Rid};

use super::{looked, nested, of_16k, of_64k, stand};
use crate::recording::line::Expect;
use crate::walk::expected::Expectation;
use crate::walk::{DumpReport, Expectations, look};

/// No line differs.
const NONE: [u64; 0] = [];

/// VFIO_DMA_MAP_FLAG_READ, and both.
const READ: u32 = 1;
const BOTH: u32 = 3;

fn expecting(dump: &serde_json::Value, lines: &[(u64, u64, u64, u32)]) -> DumpReport {
    let line = |(&(iova, pa, size, flags), line)| {
        let (iova, pa) = (Iova::new(iova), PhysAddr::new(pa));
        let dev = Rid::from_bdf(0, 1, 0).unwrap();
        let expect = Expect { dump: "made".to_owned(), dev, iova, pa, size, flags };
        Expectation { file: "made.jsonl".to_owned(), line, expect }
    };
    let lines = lines.iter().zip(1..).map(line).collect();
    let mut stand = stand(dump).unwrap();
    look(&mut stand, &Expectations(lines), "smmu_made.json".to_owned(), |_| {})
}

fn differing(report: &DumpReport) -> Vec<u64> {
    assert_eq!(report.not_compared.len(), 0, "{report}");
    let mut lines: Vec<_> =
        report.differences.iter().map(|it| it.line.as_ref().unwrap().1).collect();
    lines.dedup();
    lines
}

#[test]
fn one_stage() {
    let page = (7 << 14, 0x8000_4000, 1 << 14);
    let lines = [(page.0, page.1, page.2, READ), (page.0, page.1, page.2, BOTH)];
    // The page is read-only.
    assert_eq!(differing(&expecting(&of_16k(), &lines)), [2]);
    // The next page is write-only.
    let page = ((3 << 42) + 0x1_0000, 0x8123_0000, 1 << 16);
    let lines = [(page.0, page.1, page.2, 2), (page.0, page.1, page.2, READ)];
    assert_eq!(differing(&expecting(&of_64k(), &lines)), [2]);
    assert_eq!(differing(&looked(&of_64k())), NONE);
}

#[test]
fn two_stages() {
    let page = |flags| (0x1000, 0x8_0000, 0x1000, flags);
    // From 512M on, stage 2 is read-only.
    let high = |flags| (9 << 21, 0x2000_0000, 0x1000, flags);
    let elsewhere = (0x1000, 0x9_0000, 0x1000, BOTH);
    let lines = [page(BOTH), page(READ), high(READ), high(BOTH), elsewhere];
    assert_eq!(differing(&expecting(&nested(), &lines)), [2, 4, 5]);
    // A line of stage 2 cannot allow what stage 1 forbids.
    let mut read_only = nested();
    let word = super::hex(0x8_0000 | 0xfc7);
    read_only["streams"][0]["tables"][2]["ent"]["1"] = word.clone();
    read_only["streams"][0]["leaves"][0][3] = word;
    assert_eq!(differing(&expecting(&read_only, &[page(BOTH)])), NONE);
}

/// An SMMU that is disabled passes addresses unchanged, or none; neither is a page of a mapping.
#[test]
fn an_smmu_that_is_off_answers_no_line() {
    let mut off = of_16k();
    off["regs"]["CR0"] = serde_json::json!("0xc");
    let mapped = (7 << 14, 0x8000_4000, 1 << 14, READ);
    let itself = (7 << 14, 7 << 14, 1 << 14, BOTH);
    let lines = |report: &DumpReport| {
        let mut lines: Vec<_> =
            report.differences.iter().map(|it| it.line.as_ref().unwrap().1).collect();
        lines.dedup();
        lines
    };
    let report = expecting(&off, &[mapped, itself]);
    assert_eq!((lines(&report), report.expectations), (vec![1], 2), "{report}");
    assert_eq!((report.streams, report.times_not_compared()), (1, 1));
    off["regs"]["GBPA"] = super::hex(1 << 20);
    assert_eq!(lines(&expecting(&off, &[itself])), [1]);
    assert_eq!(looked(&off).differences, []);
}

/// A line that was compared with nothing does not agree.
#[test]
fn a_line_that_cannot_be_compared_differs() {
    let unread = super::pointers::cut(of_16k());
    let report = expecting(&unread, &[(7 << 14, 0x8000_4000, 1 << 14, READ)]);
    let found: Vec<_> = report.differences.iter().map(|it| it.found.as_str()).collect();
    assert!(
        matches!(found[..], [text] if text.contains("could not be compared: STE.S1ContextPtr"))
    );
    // A line whose size exceeds the address space.
    let report = expecting(&of_16k(), &[(u64::MAX - 0xfff, 0, u64::MAX, BOTH)]);
    assert!(report.differences.iter().any(|it| it.found.contains("could not be compared")));
}
