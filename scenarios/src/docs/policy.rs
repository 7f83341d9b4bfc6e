//! `policy.md`: every choice, and its value in each kernel.

use std::collections::BTreeSet;

use passim_vfio::policy::{Certainty, ChoiceEntry, Profile, choices};

use super::{NOTICE, table};

const INTRODUCTION: &str = "
# Choices

What changed between kernels, and between revisions of the series, are named choices. A profile
gives each of them a value; a machine file (`[policy]`), `set=` of a scenario's `machine` line and
`--set` on the command line set single ones over it.

How a value is known: **measured** (a kernel was recorded doing it), **read** (in the code or the
posted text of that revision), **inferred** (follows from something that was read), **remembered**
(and not found again), **nearest** (not known: the value of the nearest kernel that is).

`passim profiles NAME` prints what one kernel chooses, `passim profiles --diff A B` in what two
differ, and `passim diff --profiles A,B FILE` what a program sees of that.
";

pub(super) fn page(files: &BTreeSet<String>) -> String {
    let choices = choices();
    let default = Profile::default();
    let mut page = format!("{NOTICE}{INTRODUCTION}\n## Profiles\n\n");
    let profiles = Profile::ALL.iter().map(|profile| {
        let mark = if *profile == default { " (the default)" } else { "" };
        vec![format!("`{profile}`"), format!("{}{mark}", profile.about())]
    });
    page.push_str(&table(&["profile", "stands for"], profiles));
    page.push_str("\n## What each kernel chooses\n\n");
    let head =
        ["choice", "decides", &format!("default (`{default}`)"), "by kernel", "source", "scenario"];
    page.push_str(&table(&head, choices.iter().map(|choice| row(choice, files))));
    page.push_str("\n## What the values mean\n");
    for choice in &choices {
        page.push_str(&format!("\n### {}\n\n{}\n\n", choice.name, choice.decides));
        for value in &choice.values {
            page.push_str(&format!("- `{}`: {}\n", value.name, value.means));
        }
    }
    page
}

fn row(choice: &ChoiceEntry, files: &BTreeSet<String>) -> Vec<String> {
    let name = choice.name;
    let default = choice.of(Profile::default());
    let file = if files.contains(name) {
        format!("[{name}.scn](../scenarios/files/choices/{name}.scn)")
    } else {
        String::new()
    };
    vec![
        format!("[`{name}`](#{name})"),
        choice.decides.to_owned(),
        format!("`{}` ({})", default.value, default.certainty.name()),
        by_kernel(choice),
        choice.source.to_owned(),
        file,
    ]
}

/// Groups neighbouring kernels that have the same value, known with the same certainty.
fn by_kernel(choice: &ChoiceEntry) -> String {
    let mut runs: Vec<(Profile, Profile, &str, Certainty)> = Vec::new();
    for &profile in Profile::ALL {
        let step = choice.of(profile);
        match runs.last_mut() {
            Some((_, last, value, certainty))
                if (*value, *certainty) == (step.value, step.certainty) =>
            {
                *last = profile;
            }
            _ => runs.push((profile, profile, step.value, step.certainty)),
        }
    }
    let told = runs.into_iter().map(|(first, last, value, certainty)| {
        let kernels = if first == last { first.to_string() } else { format!("{first} to {last}") };
        format!("{kernels}: `{value}` ({})", certainty.name())
    });
    told.collect::<Vec<_>>().join("<br>")
}
