//! The command as a shell sees it: exit codes, streams, JSON.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn passim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_passim")).args(arguments).output().unwrap()
}

fn ended(output: &Output) -> Option<i32> {
    output.status.code()
}

fn path(relative: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative).display().to_string()
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("passim-command-{}-{name}", std::process::id()))
}

#[test]
fn a_recording_that_agrees_is_exit_0() {
    let output = passim(&["replay", &path("tests/small/small.jsonl")]);
    assert_eq!(ended(&output), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("0 differed") && text.contains("walked 22, agreed 22"), "{text}");
    assert!(output.stderr.is_empty());
}

#[test]
fn a_recording_with_one_answer_changed_is_exit_1_and_names_the_line() {
    let folder = scratch("changed");
    std::fs::create_dir_all(folder.join("dumps")).unwrap();
    for name in ["topo.jsonl", "dumps/smmu_small.json"] {
        std::fs::copy(path(&format!("tests/small/{name}")), folder.join(name)).unwrap();
    }
    let text = std::fs::read_to_string(path("tests/small/small.jsonl")).unwrap();
    let changed = text.replace("\"errno\":17", "\"errno\":22");
    let line = text.lines().position(|line| line.contains("\"errno\":17")).unwrap() + 1;
    std::fs::write(folder.join("small.jsonl"), changed).unwrap();
    let output = passim(&["--json", "replay", &folder.display().to_string()]);
    let text = passim(&["replay", &folder.display().to_string()]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(ended(&output), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let difference = &json["files"][0]["differences"][0];
    assert_eq!(difference["line"], line);
    assert_eq!(difference["rule"]["name"], "map-overlap");
    assert_eq!(ended(&text), Some(1));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&format!("line {line}: map")), "{text}");
}

#[test]
fn bad_input_is_exit_2_with_a_hint() {
    let no_hint: &[&[&str]] = &[&["fly"], &["run"], &["replay", "/nonexistent.jsonl"]];
    for arguments in no_hint {
        let output = passim(arguments);
        assert_eq!(ended(&output), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    let small = path("tests/small/small.jsonl");
    for arguments in [
        &["replay", "--profile", "linux-9", &small] as &[&str],
        &["replay", "--set", "zero-page=maybe", &small],
        &["replay", "--machine", "toaster", &small],
        &["profiles", "linux-9"],
        &["machines", "toaster"],
        &["rules", "map-overlapp"],
    ] {
        let output = passim(arguments);
        assert_eq!(ended(&output), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("help:"), "{text}");
    }
}

#[test]
fn a_corrupt_recording_is_exit_2_with_its_place() {
    let folder = scratch("corrupt");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(path("tests/small/topo.jsonl"), folder.join("topo.jsonl")).unwrap();
    std::fs::write(folder.join("a.jsonl"), "{\"step\":\"start\"\n").unwrap();
    let output = passim(&["--json", "replay", &folder.join("a.jsonl").display().to_string()]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(ended(&output), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["errors"][0]["line"], 1);
}

#[test]
fn scenarios_run_bless_and_report() {
    let (file, xml) = (scratch("a.scn"), scratch("a.xml"));
    std::fs::write(&file, "machine virt-its profile=linux-6.12\n  ok\nlocked\n  VmLck 1 kB\n")
        .unwrap();
    let name = file.display().to_string();
    let output = passim(&["run", &name, "--junit", &xml.display().to_string()]);
    assert_eq!(ended(&output), Some(1));
    assert!(std::fs::read_to_string(&xml).unwrap().contains("VmLck"));
    assert_eq!(ended(&passim(&["run", "--bless", &name])), Some(0));
    assert_eq!(ended(&passim(&["run", &name])), Some(0));
    std::fs::write(&file, "mashine virt-its\n").unwrap();
    let output = passim(&["run", &name]);
    std::fs::remove_file(file).unwrap();
    std::fs::remove_file(xml).unwrap();
    assert_eq!(ended(&output), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean `machine`?"));
}

#[test]
fn lists_are_text_and_json() {
    for what in ["machines", "profiles", "rules"] {
        let output = passim(&[what]);
        assert_eq!(ended(&output), Some(0));
        assert!(output.stdout.len() > 40 && !output.stdout.contains(&0x1b));
        let output = passim(&[what, "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(json.as_array().is_some_and(|list| list.len() > 1), "{what}");
    }
    assert!(String::from_utf8(passim(&["--help"]).stdout).unwrap().contains("Examples:"));
}

#[test]
fn two_profiles_differ_in_choices_that_are_named() {
    let text = String::from_utf8(passim(&["profiles"]).stdout).unwrap();
    assert_eq!(text.lines().count(), 10);
    let output = passim(&["profiles", "--diff", "linux-6.1", "linux-6.12"]);
    assert_eq!(ended(&output), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("zero-page: ") && text.contains("linux-6.12  unshared: "), "{text}");
    let output = passim(&["profiles", "--diff", "linux-6.1", "linux-6.12", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let differ = json["differ"].as_array().unwrap();
    assert!(differ.iter().any(|choice| choice["name"] == "zero-page"), "{json}");
    assert_eq!(ended(&passim(&["profiles", "--diff", "linux-6.1"])), Some(2));
    assert_eq!(ended(&passim(&["profiles", "--diff", "linux-6.1", "linux-9"])), Some(2));
}

#[test]
fn a_comparison_of_kernels_ends_as_diff_does() {
    let (zero, first) = (path("files/memlock/zero-page.scn"), path("files/map/first.scn"));
    let output = passim(&["diff", "--profiles", "linux-6.1,linux-6.12", &first]);
    assert_eq!(ended(&output), Some(0));
    let output = passim(&["diff", "--profiles", "linux-6.1,linux-6.12", &zero]);
    assert_eq!(ended(&output), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("the first in line 11") && text.contains("pinned -> unshared"), "{text}");
    let output = passim(&["diff", "--profiles", "linux-6.1,linux-6.12", &zero, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let divergence = &json["files"][0]["divergences"][0];
    assert_eq!(divergence["because"][0][0]["choice"], "zero-page");
    let set = "zero-page=pinned";
    let same = passim(&["diff", "--profiles", "linux-6.1,linux-6.12", "--set", set, &zero]);
    assert_eq!(ended(&same), Some(0));
    for wrong in ["linux-6.1", "linux-6.1,linux-9"] {
        assert_eq!(ended(&passim(&["diff", "--profiles", wrong, &zero])), Some(2));
    }
}

#[test]
fn an_explanation_holds_a_line_to_put_in_place() {
    let place = format!("{}:12", path("files/map/order-of-checks.scn"));
    let output = passim(&["explain", &place]);
    assert_eq!(ended(&output), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.ends_with(
            "nearest request that is accepted:\n  map iova=0x14000 va=A size=0x1000 prot=r|w\n"
        ),
        "{text}"
    );
    let output = passim(&["explain", &place, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["refusals"][0]["rule"], "map-overlap");
    assert!(json["nearest"]["accepted"]["lines"][0].is_string(), "{json}");
    for wrong in ["nowhere.scn:1", "nowhere.scn", &place.replace(":12", ":1")] {
        assert_eq!(ended(&passim(&["explain", wrong])), Some(2), "{wrong}");
    }
}

#[test]
fn choices_on_the_command_line_are_over_those_of_a_scenario() {
    let zero = path("files/memlock/zero-page.scn");
    assert_eq!(ended(&passim(&["run", &zero])), Some(0));
    assert_eq!(ended(&passim(&["run", "--set", "zero-page=pinned", &zero])), Some(1));
    assert_eq!(ended(&passim(&["run", "--profile", "linux-6.1", &zero])), Some(1));
    let output = passim(&["run", "--set", "zero-pages=pinned", &zero]);
    assert_eq!(ended(&output), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean `zero-page`?"));
    assert_eq!(ended(&passim(&["run", "--bless", "--set", "zero-page=pinned", &zero])), Some(2));
}

/// A dump of the recordings, as text.
fn recorded_dump() -> String {
    let file = path("../tests/recordings/linux-6.12-4k/stage1/dumps/smmu_s1v2_4k.json.zst");
    passim::recording::read::read_whole(Path::new(&file)).unwrap().text().to_owned()
}

#[test]
fn a_dump_ends_as_its_tables_agree() {
    let folder = scratch("walk");
    std::fs::create_dir_all(&folder).unwrap();
    let dump = folder.join("smmu_s1v2_4k.json").display().to_string();
    let recording = path("../tests/recordings/linux-6.12-4k/stage1/dump.jsonl.zst");
    let good = recorded_dump();
    std::fs::write(&dump, &good).unwrap();
    let output = passim(&["walk", "--dump", &dump, "--expect", &recording]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(ended(&output), Some(0), "{text}");
    assert!(text.contains("15 leaves, 15 expectations") && text.contains("0 differ"), "{text}");
    assert!(output.stderr.is_empty());
    // One mapping may be written that was made for reading alone.
    std::fs::write(&dump, good.replace("fc7\"", "f47\"")).unwrap();
    let output = passim(&["walk", "--dump", &dump, "--expect", &recording, "--json"]);
    assert_eq!(ended(&output), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let difference = &json["dumps"][0]["differences"][0];
    assert_eq!(difference["expected"], "F_PERMISSION");
    assert_eq!(difference["line"][1], 36);
    std::fs::write(&dump, good.replace("\"STRTAB_BASE\"", "\"STRTAB_BASIS\"")).unwrap();
    let output = passim(&["walk", "--dump", &dump]);
    assert_eq!(ended(&output), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no register STRTAB_BASE") && text.contains(".json:1:"), "{text}");
    std::fs::write(&dump, &good[..good.len() / 2]).unwrap();
    assert_eq!(ended(&passim(&["walk", "--dump", &dump])), Some(2));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(ended(&passim(&["walk", "--dump", &dump])), Some(2));
    assert_eq!(ended(&passim(&["walk"])), Some(2));
}

#[test]
fn one_translation_of_a_dump_is_told() {
    let dump = path("../tests/recordings/linux-6.12-4k/stage1/dumps/smmu_s1v2_4k.json.zst");
    let output = passim(&["walk", "--dump", &dump, "--sid", "8", "--iova", "0x1000", "--write"]);
    assert_eq!(ended(&output), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["Config=0x5 (stage 1)", "T0SZ=0x10 (48 bits)", "stage 1 level 3: leaf", "AP[2]"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("verdict: 0x1000 -> 0x109cb1000, r|w"), "{text}");
    let arguments = ["walk", "--dump", &dump, "--dev", "00:01.0", "--iova", "0", "--write"];
    let output = passim(&[arguments.as_slice(), &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["event"], &json["section"]),
        (&"F_PERMISSION".into(), &"IHI 0070 G.b 7.3.16".into())
    );
    let output = passim(&["walk", "--dump", &dump, "--dev", "00:09.0", "--iova", "0"]);
    assert_eq!(ended(&output), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("0x8 (00:01.0)"));
}

#[test]
fn one_translation_of_a_scenario_is_told_as_it_stands_after_a_line() {
    let scenario = path("files/map/first.scn");
    let at = |line: &str| {
        let place = format!("{scenario}{line}");
        let output = passim(&["walk", &place, "--dev", "00:01.0", "--iova", "0x10008", "--json"]);
        assert_eq!(ended(&output), Some(0), "{}", String::from_utf8(output.stderr).unwrap());
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let text = std::fs::read_to_string(&scenario).unwrap();
    let line = |verb: &str| text.lines().position(|line| line.starts_with(verb)).unwrap() + 1;
    let mapped = at(&format!(":{}", line("map")));
    assert!(mapped["verdict"].as_str().unwrap().contains("by a walk"), "{mapped}");
    let read = at(&format!(":{}", line("read")));
    assert!(read["verdict"].as_str().unwrap().contains("from the TLB"), "{read}");
    assert_eq!(at("")["event"], "F_TRANSLATION");
    let output = passim(&["walk", &scenario, "--dev", "00:1f.0", "--iova", "0"]);
    assert_eq!(ended(&output), Some(2));
    assert_eq!(ended(&passim(&["walk", &scenario])), Some(2));
}

#[test]
fn a_log_of_an_emulator_is_followed() {
    let log = path("../tests/recordings/linux-6.12-4k/stage2/qemu-trace.log.zst");
    let output = passim(&["walk", "--log", &log, "--json"]);
    assert_eq!(ended(&output), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["translations"].as_u64(), json["faults"].as_u64()), (Some(9), Some(105)));
    assert_eq!(json["deviations"].as_object().unwrap().len(), 4, "{json}");
    let text = String::from_utf8(passim(&["walk", "--log", &log]).stdout).unwrap();
    assert!(text.contains("the emulator deviates 64 times"), "{text}");
    assert_eq!(ended(&passim(&["walk", "--log", &path("files/map/first.scn")])), Some(2));
}

#[test]
fn a_picture_is_a_file_and_nothing_is_said() {
    let file = scratch("drawn.html");
    let out = file.display().to_string();
    let scenario = path("files/map/first.scn:17");
    let output = passim(&["draw", &scenario, "--out", &out]);
    let drawn = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(ended(&output), Some(0));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    assert!(drawn.starts_with("<!DOCTYPE html>") && drawn.contains("The access"));
    let output = passim(&["draw", "no-such-machine", "--out", &out]);
    assert_eq!(ended(&output), Some(2));
    let output = passim(&["draw", &scenario, "--iova", "0x1000", "--out", &out]);
    assert_eq!(ended(&output), Some(2), "whose access?");
    let output = passim(&["draw", "virt-its", "--out", "/nonexistent/drawn.html"]);
    assert_eq!(ended(&output), Some(2));
}

/// A message before a SYNC, which chance lets arrive early or late.
const EARLY: &str = "bare plain-its\nlpis-on cpu=0 config=0x40100000 pending=0x40200000\n\
    its-on queue=0x40300000 devices=0x40310000 collections=0x40320000\n\
    lpi intid=8192 value=0xa1\nits-command MAPD device=1 itt=0x40400000 bits=4\n\
    its-command MAPC icid=0 cpu=0\nits-command SYNC cpu=0\n\
    its-command MAPTI device=1 event=0 intid=8192 icid=0\n";

#[test]
fn seeds_are_tried_up_to_the_first_that_breaks_a_scenario() {
    let (early, file) = (scratch("early.scn"), scratch("synced.scn"));
    std::fs::write(&early, format!("{EARLY}message device=1 event=0\n")).unwrap();
    let synced = format!("{EARLY}its-command SYNC cpu=0\nmessage device=1 event=0\n");
    std::fs::write(&file, synced).unwrap();
    let (early, synced) = (early.display().to_string(), file.display().to_string());
    for name in [&early, &synced] {
        assert_eq!(ended(&passim(&["run", "--bless", name])), Some(0));
    }
    let output = passim(&["run", &early, "--seeds", "0..1000", "--json"]);
    assert_eq!(ended(&output), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let seed = json["files"][0]["seed"].as_u64().unwrap();
    let differences = json["files"][0]["differences"].as_array().unwrap();
    assert!(!differences.is_empty());
    // It is the first, and that one alone does the same.
    let before = format!("0..{seed}");
    if seed > 0 {
        assert_eq!(ended(&passim(&["run", &early, "--seeds", &before])), Some(0));
    }
    let alone = ["run", &early, "--gic", "adversarial", "--seed", &seed.to_string(), "--json"];
    let alone: serde_json::Value = serde_json::from_slice(&passim(&alone).stdout).unwrap();
    assert_eq!(alone["files"][0]["differences"].as_array(), Some(differences));
    let output = passim(&["run", &synced, "--seeds", "0..50"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(ended(&output), Some(0), "{text}");
    assert!(text.contains("as it says under every seed of 0..50"), "{text}");
    for wrong in ["5..5", "7", "1..x"] {
        assert_eq!(ended(&passim(&["run", &synced, "--seeds", wrong])), Some(2), "{wrong}");
    }
    assert_eq!(ended(&passim(&["run", &synced, "--seeds", "0..2", "--gic", "qemu"])), Some(2));
    std::fs::remove_file(early).unwrap();
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_command_that_is_never_lost_is_exit_2_of_an_explanation_too() {
    let file = scratch("lose.scn");
    std::fs::write(&file, format!("{EARLY}message device=1 event=0\n")).unwrap();
    let place = format!("{}:9", file.display());
    assert_eq!(ended(&passim(&["explain", &place, "--lose", "MAPTI:1"])), Some(0));
    let output = passim(&["explain", &place, "--lose", "MAPTI:7"]);
    std::fs::remove_file(file).unwrap();
    assert_eq!(ended(&output), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no ITS was told MAPTI:7: nothing was lost"), "{text}");
}

#[test]
fn rules_are_found_by_what_a_program_was_answered() {
    let found = |names: &[&str]| {
        let output = passim(&[&["rules"], names].concat());
        (ended(&output), String::from_utf8(output.stdout).unwrap())
    };
    for (names, rule) in [
        (&["ERANGE"] as &[&str], "iommu-map-range: "),
        (&["MAP_DMA", "ERANGE"], "iommu-map-range: "),
        (&["EOVERFLOW"], "map-wrap: "),
        (&["map-wrap", "--profile", "linux-7.2"], "errno:     EOVERFLOW"),
        (&["its-event-mapped"], "IHI 0069 H 5.2, 5.3 (MAPTI, SYNC)"),
        (&["F_TRANSLATION"], "IHI 0070 G.b 7.3.13"),
    ] {
        let (code, text) = found(names);
        assert!(code == Some(0) && text.contains(rule), "{names:?}: {text}");
    }
    assert_eq!(found(&["F_TRANSLATION", "EINVAL"]).0, Some(2));
}
