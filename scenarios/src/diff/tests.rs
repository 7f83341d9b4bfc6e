use super::{Asked, DiffReport, Subject, diff};
use crate::explain::{Nearest, Searched};
use crate::input_error::{InputError, SourceText};
use crate::recording::find;
use crate::script::Script;
use passim_vfio::policy::Profile;
use std::collections::BTreeSet;
use std::path::Path;

const SMALL: &str = "tests/small/small.jsonl";

fn compared(text: &str, a: Profile, b: Profile) -> Result<DiffReport, InputError> {
    let subject = Subject::Scenario(Script::parse(SourceText::new("t.scn", text))?);
    diff(&subject, &Asked { a, b, set: Vec::new(), searched: Searched::default() }, |_| {})
}

fn single(report: &DiffReport, line: u64) -> Vec<&str> {
    let divergence = report.divergences.iter().find(|it| it.line == line).unwrap();
    divergence
        .because
        .0
        .iter()
        .map(|set| {
            assert_eq!(set.len(), 1);
            set[0].choice
        })
        .collect()
}

const UNTOUCHED: &str = "machine virt-its allow_unsafe_interrupts=y\narea U size=16K kind=untouched\nattach dev=00:01.0\n\
    map iova=0x10000 va=U size=16K prot=r\nlocked\n";

#[test]
fn a_kernel_does_not_differ_from_itself() {
    for &profile in Profile::ALL {
        let report = compared(UNTOUCHED, profile, profile).unwrap();
        assert_eq!((report.compared, report.divergences.len()), (5, 0));
    }
}

#[test]
fn what_builds_on_a_refusal_of_both_is_the_same_on_both_sides() {
    let text = "machine plain-v2m\nattach dev=00:01.0\ninfo\n";
    let report = compared(text, Profile::Linux6_1, Profile::Linux6_12).unwrap();
    assert_eq!((report.compared, report.divergences.len()), (3, 0));
    // Without a refusal before it, it is the input that is wrong.
    let error = compared("machine plain-v2m\ninfo\n", Profile::Linux6_1, Profile::Linux6_12);
    assert!(error.is_err());
}

#[test]
fn the_choice_behind_a_divergence_is_found_by_setting_it() {
    let report = compared(UNTOUCHED, Profile::Linux6_1, Profile::Linux6_12).unwrap();
    assert_eq!(report.divergences.len(), 1, "{report:?}");
    let divergence = &report.divergences[0];
    assert_eq!((divergence.line, divergence.call.as_str()), (5, "locked"));
    assert_eq!(divergence.a.said, ["VmLck 0 kB"]);
    assert_eq!(divergence.b.said, ["VmLck 16 kB"]);
    assert_eq!(single(&report, 5), ["zero-page"]);
    assert!(
        divergence
            .render("linux-6.1", "linux-6.12", &mut BTreeSet::new())
            .contains("zero-page: pinned -> unshared")
    );
}

#[test]
fn what_a_scenario_sets_itself_is_the_same_on_both_sides() {
    let text = UNTOUCHED.replace("virt-its", "virt-its set=\"zero-page=pinned\"");
    let report = compared(&text, Profile::Linux6_1, Profile::Linux6_12).unwrap();
    assert!(report.divergences.is_empty(), "{report:?}");
}

#[test]
fn what_one_kernel_cannot_go_on_from_is_an_answer_too() {
    let text = "machine virt-its\nattach dev=00:01.0 type=nesting\nunmap-all\n";
    let report = compared(text, Profile::Linux6_1, Profile::Linux6_12).unwrap();
    let lines: Vec<_> = report.divergences.iter().map(|it| it.line).collect();
    assert_eq!(lines, [2, 3]);
    assert_eq!(single(&report, 2), ["nesting-type"]);
    assert_eq!(single(&report, 3), ["nesting-type"]);
    assert!(report.divergences[0].b.rules[0].name.starts_with("nesting"));
    assert!(report.divergences[1].b.said[0].starts_with("cannot be performed"));
}

#[test]
fn a_refusal_of_one_kernel_is_told_with_what_it_accepts() {
    let text = "machine plain-v2m allow_unsafe_interrupts=y\nattach dev=00:01.0\n\
        enable dev=00:01.0 vectors=1\n";
    let report = compared(text, Profile::MsiV9, Profile::Linux6_12).unwrap();
    let divergence = &report.divergences[0];
    assert_eq!(divergence.line, 3);
    let Some(Nearest::Accepted { lines, .. }) = &divergence.a.nearest else {
        panic!("{divergence:?}")
    };
    assert!(lines[0].starts_with("msi-window") && lines[1] == "enable dev=00:01.0 vectors=1");
    assert!(divergence.b.nearest.is_none());
    let text = divergence.render("msi-v9", "linux-6.12", &mut BTreeSet::new());
    assert!(text.contains("accepts: msi-window iova=0x8000000 size=0x10000; enable"), "{text}");
}

#[test]
fn what_no_kernel_can_perform_is_bad_input() {
    let text = "machine virt-its\nunmap-all\n";
    let error = compared(text, Profile::Linux6_1, Profile::Linux6_12).unwrap_err();
    assert_eq!(error.line(), Some(2));
}

#[test]
fn the_calls_of_a_recording_are_made_whatever_was_answered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SMALL);
    let found = find(&[path]).unwrap().remove(0);
    let subject = Subject::Recording(found);
    let asked = |a, b| Asked { a, b, set: Vec::new(), searched: Searched::default() };
    let mut seen = 0;
    let report = diff(&subject, &asked(Profile::Linux6_12, Profile::Linux6_12), |_| seen += 1);
    let report = report.unwrap();
    assert!(report.divergences.is_empty() && report.compared > 10 && seen > 10, "{report:?}");
    let report = diff(&subject, &asked(Profile::MsiV9, Profile::Linux6_12), |_| {}).unwrap();
    for divergence in &report.divergences {
        assert!(!divergence.a.is_like(&divergence.b));
        assert!(!divergence.because.0.is_empty());
    }
}

/// One choice in many is found by halves, not by trying all.
#[test]
fn a_reason_takes_few_runs() {
    let subject = Subject::Scenario(Script::parse(SourceText::new("t.scn", UNTOUCHED)).unwrap());
    let (a, b) = (Profile::Linux6_1, Profile::Linux6_12);
    let asked = Asked { a, b, set: Vec::new(), searched: Searched(0) };
    let differ = crate::chosen::differing(&a.policy(), &b.policy()).len();
    let mut runs = 0;
    let report = diff(&subject, &asked, |at| runs = runs.max(at.run));
    assert_eq!(single(&report.unwrap(), 5), ["zero-page"]);
    assert!(differ > 16 && runs <= 12, "{runs} runs for {differ} choices");
}
