mod bare;
mod its;

use std::path::{Path, PathBuf};

use super::files::{find, run, run_as_far, run_file};
use super::junit;
use crate::chosen::Chosen;
use crate::input_error::{InputError, InputKind, SourceText};
use crate::script::Script;

fn script(text: &str) -> Script {
    Script::parse(SourceText::new("test.scn", text)).unwrap()
}

fn outcomes(text: &str) -> Result<Vec<Vec<String>>, InputError> {
    run(&script(text)).map(|report| report.outcomes())
}

const MACHINE: &str = "machine virt-its profile=linux-6.12\n";

#[test]
fn the_scenarios_of_the_project_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
    for path in find(&[folder]).unwrap() {
        let report = run_file(&path).unwrap();
        assert!(report.differences.is_empty(), "{}: {:?}", report.file, report.differences);
        assert!(report.operations > 0);
    }
}

#[test]
fn pace_changes_no_outcome() {
    let text = "area A size=16K\nattach dev=00:01.0\nmap iova=0x10000 va=A size=16K prot=r|w\n\
                unmap iova=0x10000 size=16K\nread dev=00:01.0 iova=0x10000\n";
    let eager = outcomes(&format!("{MACHINE}{text}")).unwrap();
    let stepped = "machine virt-its profile=linux-6.12 pace=stepped\n";
    assert_eq!(outcomes(&format!("{stepped}{text}")).unwrap(), eager);
}

/// Nought to nought is no range, and nobody reads the names of our types.
#[test]
fn what_is_shown_is_said_in_words() {
    for profile in ["msi-v9", "msi-v10"] {
        let text = format!(
            "machine plain-v2m profile={profile} allow_unsafe_interrupts=y \
             set=\"window-provider=nobody\"\nattach dev=00:01.0\ninfo\n"
        );
        let said = outcomes(&text).unwrap();
        assert_eq!(said[2].last().unwrap(), "MSI geometry: reserved, without saying where");
    }
    // A device whose addresses the kernel lets pass, and where it should not read.
    let start = "machine plain-v2m profile=msi-v9\n";
    for (at, what) in [
        ("0xf200000", "GICv2m frame 0"),
        ("0x8000000", "the distributor"),
        ("0x10010000", "BAR 0 of 00:02.0"),
    ] {
        let text = format!("{start}read dev=00:01.0 iova={at} size=4\n");
        let said = outcomes(&text).unwrap();
        assert_eq!(said[1], [format!("{at} -> {at}: {what}")]);
    }
}

#[test]
fn processes_share_a_container_and_not_their_counts() {
    let text = "area A size=16K\nattach dev=00:01.0\nfork\nin 2\nmap iova=0x0 va=A size=8K prot=r\n\
                locked\nexit\nin 1\nlocked\nunmap-all\nlocked\n";
    let outcomes = outcomes(&format!("{MACHINE}{text}")).unwrap();
    let lines: Vec<_> = outcomes.iter().map(|lines| lines.join(" ")).collect();
    assert_eq!(lines[3], "process 2");
    assert_eq!(lines[6], "VmLck 8 kB");
    assert_eq!(lines[9], "VmLck 0 kB");
    assert_eq!(lines[10], "unmapped 0x2000");
}

#[test]
fn a_scenario_that_cannot_be_performed_is_bad_input() {
    for (text, line) in [
        ("touch va=0x0 size=4K\n", 1),
        ("machine toaster\n", 1),
        ("machine virt-its profile=linux-2.4\n", 1),
        ("machine virt-its profile=linux-6.12 set=\"zero-page=maybe\"\n", 1),
        ("machine virt-its profile=linux-6.12\nin 7\n", 2),
        ("machine virt-its profile=linux-6.12\ntouch va=B size=4K\n", 2),
        ("machine virt-its profile=linux-6.12\nattach dev=00:1e.0\n", 2),
        ("machine virt-its profile=linux-6.12\nexit\nlocked\n", 3),
        ("machine virt-its profile=linux-6.12\narea A size=1T kind=untouched\n", 2),
        ("machine virt-its profile=linux-6.12\ninfo\n", 2),
        ("machine virt-its profile=linux-6.12\nfly\n", 2),
    ] {
        let error = outcomes(text).unwrap_err();
        assert_eq!(error.kind(), InputKind::Scenario, "{text}");
        assert_eq!(error.line(), Some(line), "{text}");
    }
}

#[test]
fn awkward_numbers_are_answered_and_not_fatal() {
    let text = "area A size=16K\nattach dev=00:01.0\n\
                map iova=0xffffffffffffffff va=0xffffffffffffffff size=0xffffffffffffffff prot=r|w\n\
                unmap iova=0xffffffffffffffff size=0xffffffffffffffff\n\
                touch va=0xffffffffffffffff size=0xffffffffffffffff\n\
                munmap va=0xfffffffffffff000 size=0xffffffffffffffff\n\
                mprotect va=A size=0xffffffffffffffff prot=r\n\
                mlock va=A+0xffffffffffffffff size=1\n\
                peek va=0xffffffffffffffff size=1M\n\
                area B size=0\n\
                area C size=0x7fffffffffff kind=untouched\n\
                ioctl fd=-1 nr=0 arg=-1\n\
                ioctl fd=3 nr=0xffffffff bytes=\"\"\n\
                ioctl fd=3 nr=0x3b71 bytes=20\n\
                read dev=00:01.0 iova=0xffffffffffffffff size=1\n\
                dirty get iova=0xffffffffffffffff size=1\n\
                close fd=-1\n\
                load at=0xffffffffffffffff size=8\n\
                poke-phys at=0xffffffffffffffff value=1\n";
    for line in text.lines() {
        // Each on its own: some of them cannot be performed at all, which is an answer too.
        let setting = "area A size=16K\nattach dev=00:01.0\n";
        let _ = outcomes(&format!("{MACHINE}{setting}{line}\n"));
    }
}

#[test]
fn a_wrong_outcome_is_shown_and_blessed() {
    let script = script(&format!("{MACHINE}  ok\nlocked\n  VmLck 3 kB\n"));
    let report = run(&script).unwrap();
    assert_eq!(report.differences.len(), 1);
    assert_eq!(report.differences[0].line, 3);
    assert_eq!(script.bless(&report.outcomes()), format!("{MACHINE}  ok\nlocked\n  VmLck 0 kB\n"));
    let xml = junit::xml(&[
        Ok(report),
        Err(InputError::in_file(InputKind::Scenario, Path::new("b.scn"), "no")),
    ]);
    assert!(xml.contains("failures=\"1\"") && xml.contains("errors=\"1\""), "{xml}");
    assert!(xml.contains("1 operation differs"), "{xml}");
}

#[test]
fn what_differed_before_an_error_is_reported_as_well() {
    let script = script(&format!("{MACHINE}  ok\nlocked\n  VmLck 3 kB\nin process=7\n"));
    let report = run_as_far(&script, &Chosen::default());
    assert!(report.error.is_some() && report.differences.len() == 1);
    let xml = junit::xml(&[Ok(report)]);
    assert!(xml.contains("errors=\"1\"") && xml.contains("VmLck 3 kB"), "{xml}");
}

#[test]
fn folders_without_scenarios_are_an_error() {
    let error = find(&[PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/run")]).unwrap_err();
    assert!(error.hint().contains(".scn"));
    assert!(run_file(Path::new("/nonexistent.scn")).is_err());
}
