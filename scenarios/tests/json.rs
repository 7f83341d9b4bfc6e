//! `docs/json.md` against the program: every key that it prints stands in the section of its command.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn path(relative: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative).display().to_string()
}

/// Keys under which names are listed that are no keys of the page: kinds and reasons.
const BY_NAME: [&str; 4] = ["repeats", "unknown", "not_compared", "deviations"];

/// The keys of a document. Under those `BY_NAME` they are names, and what is below them counts.
fn keys(value: &Value, are_names: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if !are_names {
                    found.insert(key.clone());
                }
                keys(value, !are_names && BY_NAME.contains(&key.as_str()), found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, false, found)),
        _ => {}
    }
}

/// The text of a section, up to the next.
fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let (_, rest) = page.split_once(title).unwrap_or_else(|| panic!("no section {title}"));
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// Words in backticks, and the last part of `a[].b`.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split('`').skip(1).step_by(2);
    words.flat_map(|word| [word, word.rsplit('.').next().unwrap_or(word)]).collect()
}

/// Runs a command, and looks for its keys in its section and in those that it leads to.
fn told(arguments: &[&str], code: i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_passim"))
        .args(arguments)
        .arg("--json")
        .current_dir(path(".."))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    let page = std::fs::read_to_string(path("../docs/json.md")).unwrap();
    let own = section(&page, &format!("\n## `passim {}`", arguments[0]));
    let shared = ["\n## An error", "\n### The nearest request", "\n## `passim explain`"];
    let mut known = named(own);
    for title in shared {
        let link = title.trim_start_matches(['\n', '#', ' ']).to_lowercase().replace(' ', "-");
        if own.contains(&format!("(#{link})")) || own.contains("as in `passim explain`") {
            known.extend(named(section(&page, title)));
        }
    }
    if own.contains("as in `passim run`") {
        known.extend(named(section(&page, "\n## An error")));
    }
    let mut found = BTreeSet::new();
    let document = serde_json::from_slice(&output.stdout).unwrap();
    keys(&document, false, &mut found);
    assert!(!found.is_empty());
    let missing: Vec<_> = found.iter().filter(|key| !known.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "`{}` prints {missing:?}, of which the page says nothing", {
        arguments.join(" ")
    });
}

const DUMP: &str = "tests/recordings/linux-6.12-4k/stage1/dumps/smmu_s1v2_4k.json.zst";
const ITS: &str = "tests/recordings/linux-6.12-4k/its/dumps/its_unsafe_1.json.zst";

#[test]
fn scenarios_and_recordings() {
    told(&["run", "scenarios/files/map/first.scn", "nowhere.scn"], 2);
    let zero = "scenarios/files/memlock/zero-page.scn";
    told(&["run", zero, "--set", "zero-page=pinned"], 1);
    told(&["run", "scenarios/files/its/freed-table.scn", "--seeds", "0..3"], 1);
    told(&["diff", "--profiles", "linux-6.1,linux-6.12", zero, "nowhere.scn"], 2);
    told(&["replay", "scenarios/tests/small/small.jsonl"], 0);
    let map = "tests/recordings/linux-6.12-4k/ioctls/map.jsonl.zst";
    told(&["replay", map, "--profile", "linux-4.6"], 1);
}

#[test]
fn explanations() {
    for line in ["map/order-of-checks.scn:12", "map/first.scn:12", "its/errors-reported.scn:24"] {
        told(&["explain", &format!("scenarios/files/{line}")], 0);
    }
}

#[test]
fn dumps_and_translations() {
    told(&["walk", "--dump", DUMP, "--dump", ITS, "--list"], 0);
    told(&["walk", "--dump", DUMP, "--sid", "8", "--iova", "0x1000"], 0);
    told(&["walk", "scenarios/files/map/first.scn", "--dev", "00:01.0", "--iova", "0x10000"], 0);
    told(&["walk", "--log", "tests/recordings/linux-6.12-4k/stage2/qemu-trace.log.zst"], 0);
}

#[test]
fn lists() {
    told(&["machines"], 0);
    told(&["profiles"], 0);
    told(&["profiles", "--diff", "linux-6.1", "linux-6.12"], 0);
    told(&["rules"], 0);
    told(&["rules", "map-wrap", "--profile", "linux-7.2"], 0);
    told(&["docs"], 0);
}
