//! `passim profiles`, `passim rules`.

use std::path::Path;

use passim_model::Rule;
use passim_vfio::policy::{Profile, Row};
use serde::Serialize;

use super::Ended;
use super::output::Output;
use crate::input_error::{InputError, InputKind};
use crate::replay::profile_named;

/// Which profiles.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  passim profiles              the kernels
  passim profiles linux-6.1    every choice that makes it up, and how it is known")]
pub(super) struct Profiles {
    /// A profile
    name: Option<String>,
}

/// Which rules.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  passim rules                 every rule
  passim rules map-overlap     what it demands, and where it is known from
  passim --json rules          the same for programs")]
pub(super) struct Rules {
    /// A rule
    name: Option<String>,
}

/// A profile, for programs.
#[derive(Serialize)]
struct ProfileEntry {
    name: &'static str,
    about: &'static str,
    choices: Vec<ChoiceEntry>,
}

/// One choice of a profile, for programs.
#[derive(Serialize)]
struct ChoiceEntry {
    name: &'static str,
    value: &'static str,
    decides: &'static str,
    source: &'static str,
}

impl From<Row> for ChoiceEntry {
    fn from(Row { name, value, decides, source }: Row) -> Self {
        Self { name, value, decides, source }
    }
}

pub(super) fn profiles(arguments: &Profiles, output: &mut Output) -> Ended {
    let profiles = match &arguments.name {
        None => Profile::ALL.to_vec(),
        Some(name) => match profile_named(name) {
            Ok(profile) => vec![profile],
            Err(error) => return refused(&error, output),
        },
    };
    let mut entries = Vec::new();
    for profile in profiles {
        output.text(&format!("{profile}: {}", profile.about()));
        let rows = profile.policy().rows();
        if arguments.name.is_some() {
            for Row { name, value, decides, source } in &rows {
                output.text(&format!("  {name} = {value}\n      {decides}\n      {source}"));
            }
        }
        entries.push(ProfileEntry {
            name: profile.name(),
            about: profile.about(),
            choices: rows.into_iter().map(ChoiceEntry::from).collect(),
        });
    }
    output.json(&entries);
    Ended::Agreed
}

/// A rule, for programs.
#[derive(Serialize)]
struct RuleEntry {
    name: &'static str,
    sentence: &'static str,
    source: &'static str,
}

impl From<&'static Rule> for RuleEntry {
    fn from(rule: &'static Rule) -> Self {
        Self { name: rule.name, sentence: rule.sentence, source: rule.source }
    }
}

pub(super) fn rules(arguments: &Rules, output: &mut Output) -> Ended {
    let mut rules: Vec<&'static Rule> = passim_vfio::rules::all().collect();
    rules.sort_by_key(|rule| rule.name);
    if let Some(name) = &arguments.name {
        let names: Vec<_> = rules.iter().map(|rule| rule.name).collect();
        rules.retain(|rule| rule.name == name);
        if rules.is_empty() {
            let message = format!("no rule is called `{name}`");
            let error = InputError::in_file(InputKind::Argument, Path::new(name), message);
            let close = similar::get_close_matches(name.as_str(), &names, 1, 0.6);
            let hint = close.first().map_or_else(
                || "`passim rules` lists them".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            return refused(&error.with_hint(hint), output);
        }
    }
    for rule in &rules {
        output.text(&format!("{}: {}\n    {}", rule.name, rule.sentence, rule.source));
    }
    let entries: Vec<RuleEntry> = rules.into_iter().map(RuleEntry::from).collect();
    output.json(&entries);
    Ended::Agreed
}

pub(super) fn refused(error: &InputError, output: &mut Output) -> Ended {
    output.error(error);
    Ended::BadInput
}
