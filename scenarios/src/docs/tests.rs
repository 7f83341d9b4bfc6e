use std::collections::BTreeSet;
use std::path::Path;

use super::bugs::BUGS;
use super::rules::errnos;
use passim_vfio::policy::Profile;

use super::{PATCHES, between_marks, pages, table};
use passim_vfio::policy::choices;

#[test]
fn the_documentation_is_what_would_be_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs");
    for page in pages(&folder).unwrap() {
        assert!(page.is_current, "stale: {}: run `passim docs --write`", page.path.display());
    }
}

#[test]
fn patches_name_choices_that_exist() {
    let known: BTreeSet<_> = choices().into_iter().map(|choice| choice.name).collect();
    for patch in PATCHES {
        for choice in patch.choices {
            assert!(known.contains(choice), "{} {}: {choice}", patch.part, patch.number);
        }
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
        for file in patch.scenarios {
            assert!(files.join(file).is_file(), "{file}");
        }
    }
    let part3 = PATCHES.iter().filter(|patch| patch.part == 3);
    assert_eq!(part3.count(), 7);
}

/// Every check of the series must be listed by a patch, or the table would lack it.
#[test]
fn patches_list_every_rule_of_the_series() {
    let listed: BTreeSet<_> =
        PATCHES.iter().flat_map(|patch| patch.rules()).map(|rule| rule.name).collect();
    let known: BTreeSet<_> = passim_vfio::rules::all().map(|rule| rule.name).collect();
    for patch in PATCHES {
        for name in patch.also {
            assert!(known.contains(name), "{}: no rule is called {name}", patch.named);
        }
    }
    for rule in passim_vfio::rules::all() {
        let is_of_series = ["of part 1", "of part 2", "of part 3", "part 1 of the series"];
        if is_of_series.iter().any(|part| rule.source.contains(part)) {
            assert!(listed.contains(rule.name), "no patch lists {}", rule.name);
        }
    }
}

#[test]
fn only_what_stands_between_marks_is_replaced() {
    let text = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n";
    let new = between_marks(text, &[("x", "new\n".to_owned())]).unwrap();
    assert_eq!(new, "a\n<!-- generated: x -->\n\nnew\n\n<!-- end -->\nb\n");
    assert_eq!(between_marks(&new, &[("x", "new\n".to_owned())]), Some(new));
    assert_eq!(between_marks(text, &[("y", String::new())]), None);
    assert_eq!(table(&["a"], [vec!["r|w".to_owned()]]), "| a |\n| --- |\n| r\\|w |\n");
}

#[test]
fn errnos_are_those_a_declaration_names() {
    assert_eq!(errnos(&passim_vfio::rules::MAP_OVERLAP), "EEXIST");
    assert_eq!(errnos(&passim_vfio::rules::CONTAINER_FD_OTHER), "EBADFD, EINVAL");
}

#[test]
fn bugs_name_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    assert!(BUGS.iter().map(|bug| bug.number).eq(1..=32));
    for bug in BUGS {
        assert_ne!(bug.tests.is_empty(), bug.why_not.is_empty(), "{}", bug.number);
        for (file, name) in bug.tests {
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            assert!(text.contains(&format!("fn {name}(")), "{file}: {name}");
        }
    }
}

#[test]
fn every_revision_of_the_history_has_scenarios_that_exist_and_name_it() {
    let files = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
    for profile in Profile::ALL.iter().filter(|profile| **profile <= Profile::Linux4_11) {
        let shown = super::series::shown(*profile);
        assert!(!shown.is_empty(), "{profile}");
        for file in shown {
            let text = std::fs::read_to_string(files.join(file)).unwrap();
            assert!(text.contains(&format!("profile={profile}")), "{file}: {profile}");
        }
    }
}

/// What a program may meet is on the page that tells it.
#[test]
fn every_certainty_is_on_the_page_for_programs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs");
    let page = std::fs::read_to_string(folder.join("json.md")).unwrap();
    let met = Profile::ALL
        .iter()
        .flat_map(|profile| choices().into_iter().map(|choice| choice.of(*profile).certainty));
    let met: BTreeSet<&str> = met.map(|certainty| certainty.name()).collect();
    assert!(met.len() > 3);
    for line in page.lines().filter(|line| line.contains("`certainty`") && line.contains("(`meas"))
    {
        for name in &met {
            assert!(line.contains(&format!("`{name}`")), "{name}: {line}");
        }
    }
}

/// The page of rules lists those that hardware goes by, and every error of an ITS's command.
#[test]
fn the_page_of_rules_has_those_of_hardware() {
    let page = super::rules::page();
    for rule in crate::explain::hardware_rules() {
        assert!(page.contains(&format!("| `{}` | {} |", rule.rule, rule.by)), "{}", rule.rule);
    }
    assert!(!page.contains("E_PAGE_REQUEST"));
    assert!(page.contains("| 0x04 | the device is not mapped | `its-device-mapped` |"));
}
