//! `passim profiles`.

use std::fmt;

use passim_vfio::policy::{ChoiceEntry, Profile, ValueEntry, choices};
use serde::Serialize;

use super::Ended;
use super::output::Output;
use crate::chosen::profile_named;

/// Which profiles.
#[derive(clap::Args)]
#[command(after_help = "\
A choice's value is measured (a kernel was recorded), read (in its code or text), inferred,
remembered, or that of the nearest kernel that is known.

Examples:
  passim profiles                              the kernels
  passim profiles linux-6.1                    every choice that makes it up
  passim profiles --diff msi-v9 linux-6.12     what changed from one to the other
  passim profiles --diff linux-6.1 linux-6.12 --json")]
pub(super) struct Arguments {
    /// A profile
    name: Option<String>,
    /// The choices in which two profiles differ
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "name")]
    diff: Option<Vec<String>>,
}

/// A profile in JSON.
#[derive(Serialize)]
struct ProfileDocument {
    name: &'static str,
    about: &'static str,
    /// Whether a machine that names no profile gets this one.
    default: bool,
    choices: Vec<ChoiceDocument>,
}

/// One choice of a profile in JSON.
#[derive(Serialize)]
struct ChoiceDocument {
    name: &'static str,
    decides: &'static str,
    #[serde(flatten)]
    chosen: Chosen,
    values: Vec<ValueDocument>,
    source: &'static str,
}

/// A possible value of a choice in JSON.
#[derive(Serialize)]
struct ValueDocument {
    name: &'static str,
    means: &'static str,
}

/// The value that a profile has, in JSON.
#[derive(Serialize)]
struct Chosen {
    value: &'static str,
    means: &'static str,
    certainty: &'static str,
}

/// The differences of two profiles in JSON.
#[derive(Serialize)]
struct DiffDocument {
    a: &'static str,
    b: &'static str,
    /// Number of all choices.
    choices: usize,
    differ: Vec<DifferingChoice>,
}

/// A choice in which two profiles differ, in JSON.
#[derive(Serialize)]
struct DifferingChoice {
    name: &'static str,
    decides: &'static str,
    a: Chosen,
    b: Chosen,
    source: &'static str,
}

pub(super) fn profiles(arguments: &Arguments, output: &mut Output) -> Ended {
    if let Some(names) = &arguments.diff {
        return diff(&names[0], &names[1], output);
    }
    let profiles = match &arguments.name {
        None => Profile::ALL.to_vec(),
        Some(name) => match profile_named(name) {
            Ok(profile) => vec![profile],
            Err(error) => return output.refused(&error),
        },
    };
    let choices = choices();
    for &profile in &profiles {
        let default = if profile == Profile::default() { " (the default)" } else { "" };
        output.text(&format!("{profile}: {}{default}", profile.about()));
        if arguments.name.is_some() {
            for choice in &choices {
                output.text(&Shown(choice, profile).to_string());
            }
        }
    }
    let documents = profiles.into_iter().map(|profile| ProfileDocument {
        name: profile.name(),
        about: profile.about(),
        default: profile == Profile::default(),
        choices: choices.iter().map(|choice| document(choice, profile)).collect(),
    });
    output.json(&documents.collect::<Vec<_>>());
    Ended::Agreed
}

/// A choice with all its values, for people.
struct Shown<'a>(&'a ChoiceEntry, Profile);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(choice, profile) = self;
        let step = choice.of(*profile);
        writeln!(f, "\n{} = {}  ({})", choice.name, step.value, step.certainty.name())?;
        writeln!(f, "    {}", choice.decides)?;
        let widest = choice.values.iter().map(|value| value.name.len()).max().unwrap_or(0);
        for ValueEntry { name, means } in &choice.values {
            let mark = if *name == step.value { '*' } else { ' ' };
            writeln!(f, "    {mark} {name:widest$}  {means}")?;
        }
        write!(f, "    source: {}", choice.source)
    }
}

fn document(choice: &ChoiceEntry, profile: Profile) -> ChoiceDocument {
    let value = |value: &ValueEntry| ValueDocument { name: value.name, means: value.means };
    ChoiceDocument {
        name: choice.name,
        decides: choice.decides,
        chosen: chosen(choice, profile),
        values: choice.values.iter().map(value).collect(),
        source: choice.source,
    }
}

fn chosen(choice: &ChoiceEntry, profile: Profile) -> Chosen {
    let step = choice.of(profile);
    let means = choice.value(step.value).map_or("", |value| value.means);
    Chosen { value: step.value, means, certainty: step.certainty.name() }
}

/// Prints the choices in which two profiles differ.
fn diff(a: &str, b: &str, output: &mut Output) -> Ended {
    let (a, b) = match (profile_named(a), profile_named(b)) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(error), _) | (_, Err(error)) => return output.refused(&error),
    };
    let choices = choices();
    let differ = choices.iter().filter(|choice| choice.of(a).value != choice.of(b).value);
    let differ: Vec<_> = differ
        .map(|choice| DifferingChoice {
            name: choice.name,
            decides: choice.decides,
            a: chosen(choice, a),
            b: chosen(choice, b),
            source: choice.source,
        })
        .collect();
    output.text(&format!("{a}, {b}: {} of {} choices differ", differ.len(), choices.len()));
    let width = a.name().len().max(b.name().len());
    for choice in &differ {
        output.text(&format!("\n{}: {}", choice.name, choice.decides));
        for (profile, Chosen { value, means, certainty }) in [(a, &choice.a), (b, &choice.b)] {
            let profile = profile.name();
            output.text(&format!("    {profile:width$}  {value}: {means} ({certainty})"));
        }
        output.text(&format!("    source: {}", choice.source));
    }
    let (a, b) = (a.name(), b.name());
    output.json(&DiffDocument { a, b, choices: choices.len(), differ });
    Ended::Agreed
}
