use passim_vfio::policy::Profile;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Choices, FileReport, Replayer, Verdict, listen, look_ahead, replay, select};
use crate::chosen::{Chosen, profile_named};
use crate::explain::Nearest;
use crate::input_error::InputKind;
use crate::recording::{Found, Recording};

/// A small recording with files, ioctls, maps, a random trace, a dump. It is composed of answers
/// measured on 6.12.
fn small() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/small")
}

fn lines() -> Vec<String> {
    let text = fs::read_to_string(small().join("small.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Replays these lines in place of the recording's.
fn replayed(name: &str, lines: &[String], choices: &Choices) -> FileReport {
    let folder = std::env::temp_dir().join(format!("passim-replay-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let recording = folder.join(format!("{name}.jsonl"));
    fs::write(&recording, lines.join("\n") + "\n").unwrap();
    let topology = small().join("topo.jsonl");
    let found = Found { recording: recording.clone(), topology, dumps: small().join("dumps") };
    let report = replay(&found, choices, |_| {}).unwrap();
    fs::remove_file(recording).unwrap();
    report
}

fn first_difference(report: &FileReport) -> Option<u64> {
    report.differences.first().map(|difference| difference.line)
}

#[test]
fn the_recording_itself_agrees_and_is_walked() {
    let report = replayed("itself", &lines(), &Choices::default());
    assert_eq!(report.differences, []);
    assert_eq!(report.verdict(), Verdict::Agreed);
    // Eight pages of the window twice, the count of leaves, and five leaves of the dump.
    assert_eq!((report.walked, report.walk_agreed), (8 * 2 + 1 + 5, 8 * 2 + 1 + 5));
    assert_eq!(report.misplaced, 0);
}

/// A topology of another kernel is replayed with the last profile before it, and the report says
/// so.
#[test]
fn a_kernel_without_a_profile_is_stood_for() {
    let folder = std::env::temp_dir().join(format!("passim-kernels-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let text = fs::read_to_string(small().join("topo.jsonl")).unwrap();
    let (board, rest) = text.split_once('\n').unwrap();
    let topology = folder.join("topo.jsonl");
    let recording = small().join("small.jsonl");
    let found = Found { recording, topology: topology.clone(), dumps: small().join("dumps") };
    let replayed = |kernel: &str| {
        let mut board: Value = serde_json::from_str(board).unwrap();
        board["board"]["kernel"] = json!(kernel);
        fs::write(&topology, format!("{board}\n{rest}")).unwrap();
        replay(&found, &Choices::default(), |_| {})
    };
    let newer = replayed("6.18.3-rc1").unwrap();
    assert_eq!(newer.profile, "linux-6.12");
    assert!(newer.to_string().contains("(linux-6.12, the last profile before 6.18.3): "));
    let own = replayed("6.12.107+deb13-arm64-16k").unwrap();
    assert_eq!((own.profile.as_str(), own.stands_for), ("linux-6.12", None));
    fs::remove_dir_all(folder).unwrap();
}

/// Another value for the same answer.
fn other(key: &str, value: &Value) -> Option<Value> {
    match (key, value) {
        ("ret" | "fd" | "size_out" | "iova_out" | "flags_out" | "argsz_out" | "got", value) => {
            Some(match value.as_str() {
                Some("0x1000") => json!("0x2000"),
                Some(_) => json!("0x1000"),
                None => json!(value.as_i64()? + 7),
            })
        }
        ("errno", value) => Some(json!(if value == 1 { 5 } else { 1 })),
        ("out" | "hex", Value::String(hex)) if !hex.is_empty() => {
            let last = if hex.ends_with('5') { "6" } else { "5" };
            Some(json!(format!("{}{last}", &hex[..hex.len() - 1])))
        }
        ("status", Value::String(text)) => Some(json!(text.replace(" kB", "4 kB"))),
        _ => None,
    }
}

/// Every way to change one answer of a line. The text is edited in place: the order of keys decides
/// the kind of a line.
fn changed(line: &str) -> Vec<String> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
    let is_open = object.get("step").is_some_and(|step| step == "open");
    let is_input = |key: &str| key == "fd" && !is_open;
    let mut changed = Vec::new();
    for (key, value) in &object {
        if let Some(other) = other(key, value).filter(|_| !is_input(key)) {
            let mutant =
                line.replacen(&format!("\"{key}\":{value}"), &format!("\"{key}\":{other}"), 1);
            assert_ne!(mutant, line);
            changed.push(mutant);
        }
    }
    changed
}

#[test]
fn a_changed_answer_is_reported_at_its_line() {
    let lines = lines();
    let mut mutants = 0;
    for at in 0..lines.len() {
        for (which, mutant) in changed(&lines[at]).into_iter().enumerate() {
            let mut lines = lines.clone();
            lines[at] = mutant;
            let report = replayed(&format!("changed-{at}-{which}"), &lines, &Choices::default());
            assert_eq!(report.verdict(), Verdict::Differed, "{}", lines[at]);
            assert_eq!(first_difference(&report), Some(at as u64 + 1), "{}", lines[at]);
            mutants += 1;
        }
    }
    assert!(mutants > 30, "{mutants}");
}

/// The report explains in full a refusal of the model that the kernel did not make.
#[test]
fn a_difference_tells_rule_conflict_and_what_would_be_accepted() {
    let mut lines = lines();
    let refused = "\"iova\":\"0x11000\",\"vaddr\":\"0x100000000000\",\"vsym\":\"\",\"size\":\"0x1000\",\"ret\":-1,\"errno\":17";
    let at = lines.iter().position(|line| line.contains(refused)).unwrap();
    lines[at] = lines[at].replacen(
        "\"ret\":-1,\"errno\":17,\"e\":\"EEXIST\"",
        "\"ret\":0,\"errno\":0,\"e\":\"OK\"",
        1,
    );
    let report = replayed("explained", &lines, &Choices::default());
    let difference = &report.differences[0];
    assert_eq!(difference.line, at as u64 + 1);
    let rule = difference.rule.as_ref().unwrap();
    assert_eq!((rule.name, rule.conflict.as_str()), ("map-overlap", "mapping [0x10000, 0x11fff]"));
    let Some(Nearest::Accepted { lines, .. }) = difference.nearest.as_deref() else {
        panic!("{difference}")
    };
    assert_eq!(lines, &["map iova=0x12000 va=0x100000000000 size=0x1000 prot=r|w fd=3"]);
    assert!(difference.to_string().contains("accepts: map iova=0x12000"), "{difference}");
}

#[test]
fn calls_are_heard_in_the_words_of_scenarios() {
    let topology = small().join("topo.jsonl");
    let recording = small().join("small.jsonl");
    let found = Found { recording, topology, dumps: small().join("dumps") };
    let mut heard = Vec::new();
    listen(&found, &Choices::default(), |said, _| {
        heard.extend(said);
        true
    })
    .unwrap();
    let said = |call: &str| {
        let of = heard.iter().find(|heard| heard.call == call);
        of.unwrap_or_else(|| panic!("{call} in {heard:#?}")).said.clone()
    };
    let map = "map iova=0x10000 va=0x100000000000 size=0x2000 prot=r|w fd=3";
    assert_eq!(said(map), ["returned 0"]);
    assert_eq!(said("unmap iova=0x10000 size=0x2000 fd=3"), ["unmapped 0x2000"]);
    assert_eq!(said("unmap iova=0x10000 size=0x1000 fd=3"), ["refused with EINVAL"]);
}

#[test]
fn a_missing_step_is_reported_where_it_is_missed() {
    let lines = lines();
    for at in 0..lines.len() {
        let line: Value = serde_json::from_str(&lines[at]).unwrap();
        // Lines that only query, or repeat others, do not affect later lines. Neither do named
        // calls that query or are refused, but they are numbered.
        let asks = ["peek", "dump"].iter().any(|step| line["step"] == *step);
        let repeats = line.get("status").is_some();
        // No later open would have got this number.
        let unmissed = line["step"] == "close" && line["fd"] == 6;
        if asks || repeats || unmissed {
            continue;
        }
        let mut lines = lines.clone();
        lines.remove(at);
        let report = replayed(&format!("removed-{at}"), &lines, &Choices::default());
        assert_eq!(report.verdict(), Verdict::Differed, "{at} removed: {line}");
        // Without the addresses of its pages a random trace cannot be walked, and so does not
        // count.
        if line.get("arena_pfn").is_none() {
            assert!(first_difference(&report) > Some(at as u64), "{at} removed: {line}");
        }
    }
}

#[test]
fn a_file_without_a_step_or_an_answer_is_no_recording() {
    let folder = std::env::temp_dir().join(format!("passim-nothing-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (topology, dumps) = (small().join("topo.jsonl"), small().join("dumps"));
    let recording = folder.join("nothing.jsonl");
    let found = Found { recording, topology, dumps };
    for text in ["", "{}\n", "{\"weather\":\"fine\"}\n"] {
        fs::write(&found.recording, text).unwrap();
        let error = replay(&found, &Choices::default(), |_| {}).unwrap_err();
        assert_eq!(error.kind(), InputKind::Recording, "{text}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_leaf_that_is_not_there_is_reported() {
    let folder = std::env::temp_dir().join(format!("passim-dump-{}", std::process::id()));
    let dumps = folder.join("dumps");
    fs::create_dir_all(&dumps).unwrap();
    let dump = fs::read_to_string(small().join("dumps/smmu_small.json")).unwrap();
    fs::write(dumps.join("smmu_small.json"), dump.replace("0x50001f47", "0x50001fc7")).unwrap();
    let (recording, topology) = (small().join("small.jsonl"), small().join("topo.jsonl"));
    let found = Found { recording, topology, dumps };
    let report = replay(&found, &Choices::default(), |_| {}).unwrap();
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(report.walked - report.walk_agreed, 1);
    assert!(report.differences[0].kernel.contains("0x50001fc7"), "{}", report.differences[0]);
    assert_eq!(report.verdict(), Verdict::Differed);
}

#[test]
fn choices_are_taken_or_refused() {
    let choices = |profile: Option<Profile>, set: &[(&str, &str)]| Choices {
        chosen: Chosen {
            profile,
            set: set.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            ..Chosen::default()
        },
        ..Choices::default()
    };
    let report = replayed("other-kernel", &lines(), &choices(Some(Profile::Linux6_1), &[]));
    assert_eq!(report.verdict(), Verdict::Agreed);
    let found = Found {
        recording: small().join("small.jsonl"),
        topology: small().join("topo.jsonl"),
        dumps: small().join("dumps"),
    };
    for wrong in [
        choices(None, &[("zero-page", "maybe")]),
        choices(None, &[("no-such", "x")]),
        Choices { machine: Some("toaster".to_owned()), ..Choices::default() },
    ] {
        let error = replay(&found, &wrong, |_| {}).unwrap_err();
        assert_eq!(error.kind(), InputKind::Argument);
        let hints = ["lists", "it takes", "built in"];
        assert!(hints.iter().any(|hint| error.hint().contains(hint)), "{error}: {}", error.hint());
    }
    assert!(profile_named("linux-9").is_err());
}

#[test]
fn a_kernel_without_a_profile_is_no_guess() {
    let folder = std::env::temp_dir().join(format!("passim-kernel-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let topology = folder.join("topo.jsonl");
    let text = fs::read_to_string(small().join("topo.jsonl")).unwrap();
    fs::write(&topology, text.replace("6.12.95", "5.10.1")).unwrap();
    let (recording, dumps) = (small().join("small.jsonl"), small().join("dumps"));
    let found = Found { recording, topology, dumps };
    let error = replay(&found, &Choices::default(), |_| {}).unwrap_err();
    let profile = Some(Profile::Linux6_12);
    let chosen = Chosen { profile, ..Chosen::default() };
    let chosen = Choices { chosen, ..Choices::default() };
    let report = replay(&found, &chosen, |_| {}).unwrap();
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(error.line(), Some(1));
    assert!(error.hint().contains("--profile"), "{error}");
    assert_eq!(report.verdict(), Verdict::Agreed);
}

#[test]
fn a_page_that_is_reached_elsewhere_is_reported_by_the_walk() {
    let found = Found {
        recording: small().join("small.jsonl"),
        topology: small().join("topo.jsonl"),
        dumps: small().join("dumps"),
    };
    let selected = select(&found, &Choices::default()).unwrap();
    let mut placements = look_ahead(&found, &selected.machine).unwrap();
    // The oracle gets another frame than the model: the page of IOVA 0x40001000.
    *placements.arena.get_mut(&0x1000_0000_1000).unwrap() += 1;
    let mut replayer = Replayer::new(&found, selected, placements).unwrap();
    for record in Recording::open(&found.recording).unwrap() {
        assert!(!replayer.take(&record.unwrap()).unwrap());
    }
    let report = replayer.finish();
    // The page, once with the TLB kept and once with it emptied, and the leaves.
    assert_eq!(report.walked - report.walk_agreed, 3);
    assert_eq!(report.verdict(), Verdict::Differed);
    assert!(report.differences[0].model.contains("0x40001000"), "{}", report.differences[0]);
}

/// An unknown step is a difference: the kernel performed it and the model did not.
#[test]
fn a_step_nobody_knows_is_a_difference() {
    let mut lines = lines();
    lines.insert(3, r#"{"step":"dance"}"#.to_owned());
    let report = replayed("dance", &lines, &Choices::default());
    assert_eq!(first_difference(&report), Some(4));
    assert_eq!(report.verdict(), Verdict::Differed);
}
