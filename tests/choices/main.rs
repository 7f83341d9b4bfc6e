//! Every choice of the policy has a scenario that shows its difference.
//!
//! `scenarios/files/choices/NAME.scn` is run under every value of the choice of that name,
//! overriding its `machine` lines; every two outcomes must differ. Choices without such a file, and
//! values that no observation distinguishes, are in lists that may only shrink.

mod records;

use passim::chosen::Chosen;
use passim::input_error::SourceText;
use passim::run::files::run_with;
use passim::script::Script;
use passim_vfio::policy::{ChoiceEntry, choices};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Choices that no scenario shows, and why.
const STILL_WITHOUT: &[(&str, &str)] = &[];

/// Two values of a choice that look alike from outside, and why.
type Alike = (&'static str, [&'static str; 2], &'static str);

const ALIKE: &[Alike] =
    &[("message-safety", ["doorbell-registry", "irq-domains-or-capability"], ONE_CONTROLLER)];

/// The driver that creates a domain registers its doorbell with the domain's flag.
const ONE_CONTROLLER: &str = "all doorbells of a board are as safe as all its MSI domains";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/choices")
}

fn file(choice: &str) -> PathBuf {
    folder().join(format!("{choice}.scn"))
}

/// Values under which a scenario cannot be performed to its end, and the reason that it tells:
/// that there is no more to see is what it shows. Under any other value that is a mistake of the
/// scenario.
const ENDS_EARLY: &[(&str, &str, &str)] =
    &[("smmu2-interrupts", "as-many-as-banks", "the kernel does not boot")];

/// The outcomes under one value.
fn outcome(script: &Script, choice: &str, value: &str) -> Result<Vec<Vec<String>>, String> {
    let set = vec![(choice.to_owned(), value.to_owned())];
    let known = ENDS_EARLY.iter().find(|(name, named, _)| (*name, *named) == (choice, value));
    match (run_with(script, &Chosen { set, ..Chosen::default() }), known) {
        (Ok(report), None) => Ok(report.outcomes()),
        (Ok(_), Some(_)) => Err(format!("{choice}={value} runs to its end: take it off the list")),
        (Err(error), Some((_, _, why))) if error.to_string().contains(why) => {
            Ok(vec![vec![error.to_string()]])
        }
        (Err(error), _) => Err(format!("{choice}={value}: {error}")),
    }
}

/// Pairs of values under which a scenario has the same outcome.
fn same_under(choice: &ChoiceEntry) -> Result<Vec<[&'static str; 2]>, String> {
    let path = file(choice.name);
    let script = SourceText::read(&path).and_then(Script::parse);
    let script = script.map_err(|error| error.to_string())?;
    let values = choice.values.iter().map(|value| value.name);
    let outcomes = values.map(|value| Ok((value, outcome(&script, choice.name, value)?)));
    let outcomes = outcomes.collect::<Result<Vec<_>, String>>()?;
    let mut same = Vec::new();
    for (at, (a, said)) in outcomes.iter().enumerate() {
        let others = outcomes[at + 1..].iter().filter(|(_, other)| other == said);
        same.extend(others.map(|(b, _)| [*a, *b]));
    }
    Ok(same)
}

fn is_named(choice: &str, pair: [&str; 2]) -> bool {
    let [a, b] = pair;
    ALIKE.iter().any(|(name, named, _)| *name == choice && (*named == [a, b] || *named == [b, a]))
}

#[test]
fn every_choice_has_a_scenario_that_it_changes() {
    let without: BTreeSet<_> = STILL_WITHOUT.iter().map(|(name, _)| *name).collect();
    let all = choices();
    let judged = all.iter().filter(|choice| !without.contains(choice.name));
    let mut failures = Vec::new();
    for choice in judged {
        match same_under(choice) {
            Ok(same) => {
                let unnamed = same.into_iter().filter(|pair| !is_named(choice.name, *pair));
                failures.extend(
                    unnamed
                        .map(|[a, b]| format!("{}.scn: the same under {a} and {b}", choice.name)),
                );
            }
            Err(error) => failures.push(error),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn values_that_look_alike_are_told_apart_by_nothing() {
    for (name, [a, b], why) in ALIKE {
        let all = choices();
        let choice = all.iter().find(|choice| choice.name == *name);
        let choice = choice.unwrap_or_else(|| panic!("no choice is called {name}"));
        let same = same_under(choice).unwrap();
        let is_same = same.iter().any(|pair| *pair == [*a, *b] || *pair == [*b, *a]);
        assert!(is_same, "{name}: {a} and {b} are told apart: take them off the list");
        assert!(!why.is_empty());
    }
}

#[test]
fn the_list_of_those_without_only_shrinks() {
    let all: BTreeSet<_> = choices().into_iter().map(|choice| choice.name).collect();
    for (name, why) in STILL_WITHOUT {
        assert!(all.contains(name), "no choice is called {name}: take it off the list");
        assert!(!file(name).exists(), "{name} has a scenario: take it off the list");
        assert!(!why.is_empty());
    }
    for entry in folder().read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let choice = name.strip_suffix(".scn").unwrap_or(&name);
        assert!(all.contains(choice), "{name}: no choice is called {choice}");
    }
}
