//! The tables of `series.md`: what each patch changed.

use std::collections::BTreeSet;

use passim_vfio::policy::{Profile, choices};

use super::patches::{PATCHES, Patch};
use super::table;

/// Every table, with the name in its marks.
pub(super) fn tables(files: &BTreeSet<String>) -> Vec<(&'static str, String)> {
    let part = |number| {
        let patches = PATCHES.iter().filter(|patch| patch.part == number);
        let head = ["patch", "what it changed", "choices", "rules", "scenarios"];
        table(&head, patches.map(|patch| row(patch, files)))
    };
    vec![("part 1", part(1)), ("part 2", part(2)), ("part 3", part(3)), ("history", history())]
}

fn row(patch: &Patch, files: &BTreeSet<String>) -> Vec<String> {
    let scenarios = patch.choices.iter().filter(|choice| files.contains(**choice));
    let scenarios = scenarios.map(|choice| format!("choices/{choice}.scn"));
    let own = patch.scenarios.iter().map(|file| (*file).to_owned());
    let scenarios = own.chain(scenarios).map(|file| link(&file));
    vec![
        format!("{}: {}", patch.number, patch.title),
        patch.changed.to_owned(),
        quoted(patch.choices.iter().copied()),
        match patch.rules() {
            rules if rules.is_empty() => "none".to_owned(),
            rules => quoted(rules.iter().map(|rule| rule.name)),
        },
        scenarios.collect::<Vec<_>>().join("<br>"),
    ]
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join("<br>")
}

/// The choices that change from one kernel to the next, from the last before the series to the one
/// that merged another design.
fn history() -> String {
    let choices = choices();
    let told = Profile::ALL.windows(2).filter(|pair| pair[1] <= Profile::Linux4_11);
    let rows = told.map(|pair| {
        let changed = choices.iter().filter_map(|choice| {
            let (from, to) = (choice.of(pair[0]), choice.of(pair[1]));
            let name = choice.name;
            (from.value != to.value).then(|| {
                format!("`{name}`: {} -> {} ({})", from.value, to.value, to.certainty.name())
            })
        });
        vec![
            format!("`{}`", pair[1]),
            pair[1].about().to_owned(),
            changed.collect::<Vec<_>>().join("<br>"),
            shown(pair[1]).iter().map(|file| link(file)).collect::<Vec<_>>().join("<br>"),
        ]
    });
    table(&["profile", "stands for", "what changed from the one before", "scenarios"], rows)
}

/// Scenarios that show what a revision changed.
pub(super) fn shown(profile: Profile) -> &'static [&'static str] {
    match profile {
        Profile::MsiV8 => &["series/history.scn", "series/02-one-window-a-container.scn"],
        Profile::MsiV9 => &["series/history.scn", "series/story/msi-v9.scn"],
        Profile::MsiV10 | Profile::MsiV12 | Profile::MsiV14 | Profile::Linux4_11 => {
            &["series/history.scn"]
        }
        Profile::Linux4_6 => &["series/story/linux-4.6.scn"],
        Profile::Linux6_1 | Profile::Linux6_12 | Profile::Linux7_2 => &[],
    }
}

fn link(file: &str) -> String {
    format!("[{file}](../scenarios/files/{file})")
}
