//! Every choice of the policy makes a difference that a scenario shows.
//!
//! `scenarios/files/choices/NAME.scn` is run under every value of the choice of that name, over
//! what its `machine` lines say; at least two outcomes must differ. Choices without such a file
//! stand in a list that may only shrink.

use passim::chosen::Chosen;
use passim::input_error::SourceText;
use passim::run::files::run_with;
use passim::script::Script;
use passim_vfio::policy::{ChoiceEntry, choices};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Choices that no scenario shows, and why.
const STILL_WITHOUT: &[(&str, &str)] = &[];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/choices")
}

fn file(choice: &str) -> PathBuf {
    folder().join(format!("{choice}.scn"))
}

/// What happens under one value: the outcomes, or why it cannot go on.
fn outcome(script: &Script, choice: &str, value: &str) -> Vec<Vec<String>> {
    let set = vec![(choice.to_owned(), value.to_owned())];
    match run_with(script, &Chosen { set, ..Chosen::default() }) {
        Ok(report) => report.outcomes,
        Err(error) => vec![vec![error.to_string()]],
    }
}

fn shows(choice: &ChoiceEntry) -> Result<(), String> {
    let path = file(choice.name);
    let script = SourceText::read(&path).and_then(Script::parse);
    let script = script.map_err(|error| error.to_string())?;
    let values = choice.values.iter().map(|value| value.name);
    let outcomes: BTreeSet<_> = values.map(|value| outcome(&script, choice.name, value)).collect();
    if outcomes.len() < 2 {
        return Err(format!("{}.scn: the same under every value", choice.name));
    }
    Ok(())
}

#[test]
fn every_choice_has_a_scenario_that_it_changes() {
    let without: BTreeSet<_> = STILL_WITHOUT.iter().map(|(name, _)| *name).collect();
    let all = choices();
    let judged = all.iter().filter(|choice| !without.contains(choice.name));
    let failures: Vec<_> = judged.filter_map(|choice| shows(choice).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
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
