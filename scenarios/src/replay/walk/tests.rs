//! Skipped pages and dumps are counted.

use std::fs;
use std::path::{Path, PathBuf};

use super::pages;
use crate::recording::Found;
use crate::replay::{Choices, FileReport, replay};

#[test]
fn pages_beyond_the_first_are_counted() {
    assert_eq!(pages(0x1000, 0x1fff, 12), (1, 0));
    assert_eq!(pages(0, (1 << 28) - 1, 12), (1 << 16, 0));
    assert_eq!(pages(0, (1 << 28) + 0x1000, 12), (1 << 16, 2));
    assert_eq!(pages(0, u64::MAX, 12), (1 << 16, (1 << 52) - (1 << 16)));
}

/// The small recording, with the text of its dumps changed.
fn replayed(name: &str, change: impl Fn(String) -> String) -> FileReport {
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/small");
    let folder: PathBuf =
        std::env::temp_dir().join(format!("passim-left-out-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(small.join("dumps")).unwrap() {
        let path = entry.unwrap().path();
        let text = change(fs::read_to_string(&path).unwrap());
        fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
    }
    let recording = small.join("small.jsonl");
    let found = Found { recording, topology: small.join("topo.jsonl"), dumps: folder.clone() };
    let report = replay(&found, &Choices::default(), |_| {}).unwrap();
    fs::remove_dir_all(folder).unwrap();
    report
}

#[test]
fn a_dump_without_its_queue_is_counted() {
    let queued = |text: String| {
        let registers = "\"regs\":{\"CMDQ_BASE\": \"0x4\", \"CMDQ_PROD\": \"0x0\", ";
        assert!(text.contains("\"regs\":{"));
        text.replacen("\"regs\":{", registers, 1)
    };
    let whole = replayed("whole", queued);
    assert_eq!(whole.not_compared.get("commands of a dump"), None, "{whole}");
    for name in ["CMDQ_BASE", "CMDQ_PROD"] {
        let change = |text| queued(text).replace(&format!("\"{name}\""), "\"NONE\"");
        let report = replayed(name, change);
        assert_eq!(report.not_compared["commands of a dump"].lines, 1, "{report}");
        assert_eq!(report.commands, 0);
    }
}
