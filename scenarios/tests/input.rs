//! What the command makes of input that is not quite as it should be, as a shell sees it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn passim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_passim")).args(arguments).output().unwrap()
}

fn fed(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_passim"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("passim-input-{}-{name}", std::process::id()))
}

/// What a run says on both streams, and how it ends.
fn said(output: &Output) -> (Option<i32>, String) {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code(), String::from_utf8(both).unwrap())
}

const SCENARIO: &str = "machine virt-its profile=linux-6.12\n  ok\nlocked\n  VmLck 0 kB\n";

fn run(text: &str) -> (Option<i32>, String) {
    said(&fed(&["run", "-"], text))
}

#[test]
fn a_key_that_is_missing_is_named_though_another_is_spelled_alike() {
    let head = "machine virt-its\n  ok\narea A size=16K\n  ok\n";
    let (code, text) = run(&format!("{head}map va=A size=4K prot=r\n"));
    assert_eq!(code, Some(2));
    assert!(text.contains("`map` needs `iova=`"), "{text}");
    let (_, text) = run(&format!("{head}map iov=0x1000 va=A size=4K prot=r\n"));
    assert!(text.contains("did you mean `iova`?"), "{text}");
}

#[test]
fn lines_may_end_as_editors_end_them() {
    assert_eq!(run(SCENARIO).0, Some(0));
    let other = SCENARIO.replace('\n', "\r\n");
    assert_eq!(run(&other), run(SCENARIO));
    assert_eq!(run(&format!("\u{feff}{SCENARIO}")), run(SCENARIO));
    // What is written back is as it was.
    let file = scratch("endings.scn");
    let name = file.display().to_string();
    std::fs::write(&file, format!("\u{feff}{}", other.replace("0 kB", "1 kB"))).unwrap();
    assert_eq!(passim(&["run", "--bless", &name]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("\u{feff}{other}"));
    std::fs::write(&file, SCENARIO.replacen('\n', "\r\n", 1)).unwrap();
    let (code, text) = said(&passim(&["run", &name]));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code, Some(2), "some lines, and not all: {text}");
}

#[test]
fn standard_input_is_a_file() {
    let (code, text) = run(SCENARIO);
    assert!(code == Some(0) && text.contains("1 scenario, 2 operations, 0 differ"), "{text}");
    assert_eq!(fed(&["explain", "--", "-:3"], SCENARIO).status.code(), Some(0));
    let drawn = fed(&["draw", "-", "--out", "-"], SCENARIO);
    assert!(drawn.stdout.starts_with(b"<!DOCTYPE html>"));
    let (code, text) = said(&fed(&["run", "--bless", "-"], SCENARIO));
    assert!(code == Some(2) && text.contains("standard input"), "{text}");
    let (code, text) = said(&fed(&["replay", "-"], ""));
    assert!(code == Some(2) && text.contains("topo.jsonl"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_nobody_takes_is_an_error() {
    for arguments in [&["machines", "--json"] as &[&str], &["rules"], &["profiles"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_passim"));
        let output = command.args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("cannot write"));
    }
}

#[test]
fn a_picture_has_the_name_of_one() {
    for name in ["x.png", "x"] {
        let file = scratch(name);
        let (code, text) =
            said(&passim(&["draw", "virt-its", "--out", &file.display().to_string()]));
        assert!(code == Some(2) && text.contains(".svg"), "{text}");
        assert!(!file.exists());
    }
}

#[test]
fn a_line_that_is_not_there_is_an_error() {
    let draw = &["draw", "--out", "-", "--", "-:999"] as &[&str];
    let walk = &["walk", "--dev", "00:01.0", "--iova", "0x1000", "--", "-:999"];
    for arguments in [draw, walk] {
        let (code, text) = said(&fed(arguments, SCENARIO));
        assert!(code == Some(2) && text.contains("there is no line 999"), "{text}");
    }
}

#[test]
fn what_was_not_run_is_not_counted() {
    let (code, text) = said(&passim(&["run", "/nonexistent.scn"]));
    assert_eq!(code, Some(2));
    let summary = "0 scenarios, 0 operations, 0 differ; 1 could not be used";
    assert!(text.contains(summary), "{text}");
}

#[test]
fn a_command_that_never_comes_is_not_lost_in_silence() {
    let (code, text) = said(&fed(&["run", "--lose", "SYNC:5@7", "-"], SCENARIO));
    assert!(code == Some(2) && text.contains("nothing was lost"), "{text}");
    let (_, text) = said(&fed(&["run", "--lose", "SYNC:1", "-"], SCENARIO));
    assert!(!text.contains("nothing was lost"), "{text}");
}

#[test]
fn a_command_is_looked_for_in_the_queue_alone() {
    let beyond = "bare plain-its gic=qemu\n\
                  its-on queue=0x43000000 devices=0x44000000 collections=0x45000000\n\
                  gic-store register=GITS_CWRITER value=0xfffe0\n";
    let (code, text) = said(&fed(&["run", "--lose", "SYNC:5", "-"], beyond));
    assert!(code == Some(2) && text.contains("nothing was lost"), "{text}");
}

#[test]
fn slips_are_named() {
    let (_, text) = said(&passim(&["rnu", "x.scn"]));
    assert!(text.contains("'run'"), "{text}");
    let (_, text) = said(&passim(&["machines", "armada-704"]));
    assert!(text.contains("did you mean `armada-7040`?"), "{text}");
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/small");
    let (code, text) = said(&passim(&["replay", "--machine", "toaster", small, small]));
    assert!(code == Some(2) && text.matches("no machine of this name").count() == 1, "{text}");
}

#[test]
fn the_manual_says_what_values_are() {
    let (_, text) = said(&passim(&["run", "--help"]));
    for part in
        ["permissions such as r|w, or - for none", "Registers of an SMMUv3: IDR0", "s1contextptr"]
    {
        assert!(text.contains(part), "{part}");
    }
}

/// What follows from the first line in which kernel and model part is not told as news.
#[test]
fn what_follows_from_a_difference_says_so() {
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/small");
    let folder = scratch("follows");
    std::fs::create_dir_all(folder.join("dumps")).unwrap();
    for name in ["topo.jsonl", "dumps/smmu_small.json"] {
        std::fs::copy(format!("{small}/{name}"), folder.join(name)).unwrap();
    }
    let text = std::fs::read_to_string(format!("{small}/small.jsonl")).unwrap();
    // The first mapping, which the kernel is said to have refused.
    let first = text.lines().position(|line| line.contains("\"op\":\"map\"")).unwrap();
    let changed: Vec<_> = text
        .lines()
        .enumerate()
        .map(|(at, line)| match at == first {
            true => line.replace("\"ret\":0,\"errno\":0", "\"ret\":-1,\"errno\":12"),
            false => line.to_owned(),
        })
        .collect();
    std::fs::write(folder.join("small.jsonl"), changed.join("\n")).unwrap();
    let name = folder.display().to_string();
    let (text, json) = (said(&passim(&["replay", &name])), passim(&["replay", "--json", &name]));
    let unknown = text_of_unknown(&folder, &changed, first);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(text.0, Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let file = &json["files"][0];
    assert_eq!(file["parted"], first + 1);
    let differences = file["differences"].as_array().unwrap();
    assert!(differences[0].get("follows").is_none());
    for after in &differences[1..] {
        assert_eq!(after["follows"], first + 1);
        assert_eq!(after["hint"], format!("this may follow from line {}", first + 1));
    }
    assert_eq!(text.1.matches("kernel:").count(), 1, "{}", text.1);
    // A name that is no operation: what was meant, and no line is missing.
    assert!(unknown.contains("did you mean `map`?"), "{unknown}");
    assert!(!unknown.contains("is missing"), "{unknown}");
}

fn text_of_unknown(folder: &std::path::Path, lines: &[String], first: usize) -> String {
    let mut lines = lines.to_vec();
    lines[first] = lines[first].replace("\"op\":\"map\"", "\"op\":\"mao\"");
    std::fs::write(folder.join("small.jsonl"), lines.join("\n")).unwrap();
    said(&passim(&["replay", &folder.display().to_string()])).1
}

#[test]
fn a_comparison_tells_each_cause_once() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/files/map");
    let profiles = ["diff", "--profiles", "linux-6.1,linux-6.12"];
    let quiet = said(&passim(&[&profiles[..], &[folder]].concat())).1;
    assert!(!quiet.contains("all the same"), "{quiet}");
    let (_, verbose) = said(&passim(&[&profiles[..], &["-v", folder]].concat()));
    assert!(verbose.contains("all the same"), "{verbose}");
    let last = quiet.lines().rev().take_while(|line| line.starts_with("  "));
    assert!(last.count() > 0 || !quiet.contains("because"), "{quiet}");
}

#[test]
fn what_happened_before_an_error_is_told_and_written_down() {
    let before = "machine virt-its\nlocked\n";
    // An operation that cannot be performed, one that is none, a line that is no line.
    for (wrong, message) in [
        ("enable dev=00:01.0 vectors=1\n", "has not attached 00:01.0"),
        ("lockd\n", "did you mean `locked`?"),
        ("locked  \n", "remove the spaces at the end"),
    ] {
        let (code, text) = run(&format!("{before}{wrong}locked\n"));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("line 2: locked\n+ VmLck 0 kB") && text.contains(message), "{text}");
        assert!(
            text.contains("1 scenario, 2 operations, 2 differ; 1 not run to the end"),
            "{text}"
        );
    }
    let text = format!("{before}lockd\nlocked\n");
    let output = fed(&["run", "-", "--json"], &text);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let file = &json["files"][0];
    assert_eq!(file["answers"][1]["outcome"][0], "VmLck 0 kB");
    assert_eq!((&file["error"]["line"], json["errors"].as_array().unwrap().len()), (&3.into(), 0));
    let path = scratch("half.scn");
    std::fs::write(&path, text).unwrap();
    let (code, said) = said(&passim(&["run", "--bless", &path.display().to_string()]));
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(code == Some(2) && said.contains("blessed up to line 2"), "{said}");
    assert_eq!(written, "machine virt-its\n  ok\nlocked\n  VmLck 0 kB\nlockd\nlocked\n");
}

/// The machine file of QEMU's board with one line in place of another.
fn machine(from: &str, to: &str) -> (Option<i32>, String) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("machines/virt-its.toml")).unwrap();
    assert!(text.contains(from));
    said(&fed(&["machines", "-"], &text.replace(from, to)))
}

#[test]
fn a_machine_that_cannot_be_built_is_refused_with_the_line() {
    let (code, text) = machine("cpus = 2 ", "cpus = 2 ");
    assert!(code == Some(0) && text.contains("00:01.0"), "{text}");
    for (from, to, place, message) in [
        ("cpus = 2 ", "cpus = 1000000000 ", ":8:8", "a GICv3 serves at most 512 CPUs here"),
        ("cpus = 2 ", "cpus = 200 ", ":31:18", "the redistributor of CPU 125"),
        ("base = 0x0905_0000", "base = 0x4000_0000", ":22:8", "SMMU 0 at [0x40000000"),
        (
            "base = 0x0905_0000",
            "base = \"0xffffffffffff0000\"",
            ":22:8",
            "leaves the address space",
        ),
        ("its = 0x0808_0000", "its = 0x4000_0000", ":32:7", "ITS 0 at [0x40000000"),
        ("size = \"2G\"", "size = \"1T\"", ":18:8", "configuration space at [0x4010000000"),
    ] {
        let (code, text) = machine(from, to);
        assert_eq!(code, Some(2), "{to}: {text}");
        assert!(text.contains(place) && text.contains(message), "{to}: {text}");
        assert!(text.contains("help: ") && !text.contains("Interrupts("), "{to}: {text}");
    }
    // Nothing is wrong with a board on which no kernel boots: it is there for `bare`.
    let (code, text) = machine("idr = [0x0d44_101b,", "idr = [0,");
    assert!(code == Some(0) && text.contains("no kernel boots on it"), "{text}");
}

/// A file that was cut off would else pass wherever scenarios are tests.
#[test]
fn a_file_without_an_operation_is_no_scenario() {
    for text in ["", "# Nothing but words.\n\n"] {
        let (code, told) = run(text);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("no operation stands in this file"), "{told}");
    }
    let (code, told) = said(&fed(&["run", "--junit", "-", "-"], SCENARIO));
    assert!(code == Some(2) && told.contains("a file of its own"), "{told}");
    assert!(!std::path::Path::new("-").exists());
}

#[test]
fn a_machine_is_told_with_what_it_has_and_no_more() {
    let told = |name: &str| said(&passim(&["machines", name])).1;
    for name in ["x86-like", "plain-its"] {
        assert!(!told(name).contains("SMMU 0"), "{}", told(name));
        let json = said(&passim(&["machines", name, "--json"])).1;
        assert!(!json.contains("\"smmu\": 0") && !json.contains("\"smmu\":0"), "{json}");
    }
    let two = told("two-its");
    assert!(two.contains("GICv3 with 2 ITSs") && two.contains("of ITS 1"), "{two}");
    let frames = told("armada-7040");
    assert!(!frames.contains("DeviceID"), "{frames}");
    assert!(frames.contains("virtual function of 01:00.0: there as far as"), "{frames}");
    assert!(told("virt-its").contains("virt-its: linux-6.12, pages"), "{}", told("virt-its"));
}

#[test]
fn a_setting_is_not_explained_by_choices_of_another_kind() {
    let (_, text) = run("machine virt-its built=targets\n");
    assert!(text.contains("NAME=VALUE") && !text.contains("zero-page"), "{text}");
    let (_, text) = said(&passim(&["run", "--built", "targets", "x.scn"]));
    assert!(text.contains("NAME=VALUE") && !text.contains("zero-page"), "{text}");
}

#[test]
fn a_device_that_no_machine_has_is_looked_for_among_machines() {
    let (code, text) = run("machine virt-its\nraise dev=00:09.0\n");
    assert!(code == Some(2) && text.contains("passim machines"), "{text}");
}

#[test]
fn rules_are_asked_for_by_part_and_by_the_error_of_a_command() {
    let (code, text) = said(&passim(&["rules", "its"]));
    assert!(code == Some(0) && text.contains("its-event-mapped"), "{text}");
    assert!(!text.contains("F_TRANSLATION") && !text.contains("map-overlap"), "{text}");
    let (code, text) = said(&passim(&["rules", "0x010a04"]));
    assert!(code == Some(0) && text.contains("its-device-mapped"), "{text}");
    assert_eq!(passim(&["rules", "0x010a99"]).status.code(), Some(2));
}
