use super::*;
use crate::input_error::SourceText;
use crate::op::Op;
use crate::recording::find;
use crate::replay::{Choices, listen};
use crate::run::Runner;
use crate::run::files;
use crate::script::Script;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rules() -> BTreeSet<&'static str> {
    passim_vfio::rules::all().map(|rule| rule.name).collect()
}

#[test]
fn what_is_named_exists_and_every_rule_has_a_call() {
    let rules = rules();
    let mut unnamed = rules.clone();
    for call in CALLS {
        for rule in call.rules() {
            assert!(rules.contains(rule), "{}: {rule}", call.name);
            unnamed.remove(rule);
        }
        for verb in call.verbs {
            assert!(Op::verbs().iter().any(|known| known.name == *verb), "{}: {verb}", call.name);
        }
    }
    unnamed.remove("no-process");
    assert!(unnamed.is_empty(), "{unnamed:?}");
    let choices: BTreeSet<_> = choices().iter().map(|choice| choice.name).collect();
    for (rule, decided) in DECIDED {
        assert!(rules.contains(rule), "{rule}");
        assert!(decided.iter().all(|choice| choices.contains(choice)), "{rule}: {decided:?}");
    }
}

#[test]
fn calls_are_found_by_every_name_they_have() {
    for name in ["map", "MAP_DMA", "map_dma", "VFIO_IOMMU_MAP_DMA", "msi-window"] {
        assert_eq!(call_named(name).unwrap().name, "MAP_DMA", "{name}");
    }
    assert_eq!(call_named("VFIO_GROUP_SET_CONTAINER").unwrap().name, "GROUP_SET_CONTAINER");
    assert!(call_named("map-overlap").is_none() && call_named("EEXIST").is_none());
}

/// Every refusal of the scenarios is by a rule that the call is said to ask for.
#[test]
fn calls_ask_for_what_scenarios_are_refused_by() {
    let mut wrong = BTreeSet::new();
    for path in files::find(&[root().join("scenarios/files")]).unwrap() {
        let script = Script::parse(SourceText::read(&path).unwrap()).unwrap();
        let mut runner = Runner::new();
        for block in script.blocks() {
            let op = Op::read(script.source(), &block.invocation).unwrap();
            let _ = runner.perform(&op);
            let verb = op.invocation().verb.text;
            if let Some(refusal) = runner.account().refusal() {
                let rule = refusal.rule.name;
                if !errnos(refusal.rule).contains(&refusal.errno.name()) {
                    wrong.insert(format!("{rule} is declared without {}", refusal.errno));
                }
                let mut calls = CALLS.iter().filter(|call| call.verbs.contains(&verb.as_str()));
                if verb != "ioctl" && verb != "try-domain" && !calls.any(|it| it.asks_for(rule)) {
                    wrong.insert(format!("{verb}: {rule}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn recordings_have_the_lines_that_are_named() {
    let folder = root().join("tests/recordings");
    let mut first: BTreeMap<(&str, String), (String, u64)> = BTreeMap::new();
    for found in find(std::slice::from_ref(&folder)).unwrap() {
        let name = found.recording.strip_prefix(&folder).unwrap().display().to_string();
        // Those of other pages say the same, and are long.
        let is_first = ["linux-6.1-4k/", "linux-6.12-4k/"].iter().any(|it| name.starts_with(it));
        if !is_first || name.contains("/random/") || name.contains("/stage") {
            continue;
        }
        let kernel = name.split('/').next().unwrap().rsplit_once('-').unwrap().0.to_owned();
        listen(&found, &Choices::default(), |heard, progress| {
            for rule in heard.iter().filter_map(|heard| heard.rule.as_ref()) {
                let key = (rule.name, kernel.clone());
                first.entry(key).or_insert_with(|| (name.clone(), progress.line));
            }
            true
        })
        .unwrap();
    }
    let found: Vec<_> =
        first.into_iter().map(|((rule, _), (recording, line))| (rule, recording, line)).collect();
    let told: Vec<_> =
        RECORDED.iter().map(|it| (it.rule, it.recording.to_owned(), it.line)).collect();
    let lines = found.iter().map(|(rule, at, line)| format!("    at({rule:?}, {at:?}, {line}),\n"));
    assert!(found == told, "write instead:\n{}", lines.collect::<String>());
}

#[test]
fn a_rule_is_known_of_the_kernel_that_is_asked_about() {
    let known = |rule: &str, profile: Profile| {
        let rule = passim_vfio::rules::all().find(|it| it.name == rule).unwrap();
        Known::of_rule(rule, profile, &profile.policy())
    };
    let overlap = known("map-overlap", Profile::Linux6_12);
    assert_eq!(overlap.certainty, "measured");
    assert!(overlap.from.contains(".jsonl.zst, line "), "{overlap:?}");
    let place = "drivers/vfio/vfio_iommu_type1.c, vfio_dma_do_map";
    assert_eq!(overlap.place.as_deref(), Some(place));
    let early = known("map-overlap", Profile::Linux4_11);
    assert_eq!(early.certainty, "nearest");
    assert!(early.from.contains("not known of linux-4.11"), "{early:?}");
    // Measured is another errno, of another kernel.
    let wrap = known("map-wrap", Profile::Linux7_2);
    assert_eq!((wrap.decided_by[0].choice, wrap.decided_by[0].value), ("wrap-errno", "eoverflow"));
    assert_eq!(wrap.certainty, "read");
    assert_eq!(errnos_decided(&passim_vfio::rules::MAP_WRAP, &wrap.decided_by), ["EOVERFLOW"]);
    let range = known("iommu-map-range", Profile::Linux6_12);
    assert_eq!(range.decided_by[0].choice, "beyond-input");
}

/// What is asked by another file than the one that serves the call, and what no kernel asks.
#[test]
fn a_place_is_that_of_the_check() {
    let place = |rule: &str| place_of(rule).unwrap_or_default();
    assert!(place("iommu-attach-busy").starts_with("drivers/iommu/iommu.c"));
    assert!(place("iommu-domain-no-bank").starts_with("drivers/iommu/arm/arm-smmu/arm-smmu.c"));
    assert!(place("wire-block").starts_with("drivers/vfio/platform/vfio_platform_irq.c"));
    assert_eq!((place("no-free-frame"), place("lock-never-free")), (String::new(), String::new()));
    assert!(!dated(&place("msi-window-full")).contains("6.12"));
    assert!(dated(&place("map-overlap")).ends_with("(6.12)"));
}
