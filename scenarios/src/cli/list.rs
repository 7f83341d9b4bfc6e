//! `passim rules`.

use std::path::Path;

use passim_model::Rule;
use serde::Serialize;

use super::Ended;
use super::output::Output;
use crate::input_error::{InputError, InputKind, nearest};

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
            let hint = nearest(name, &names).map_or_else(
                || "`passim rules` lists them".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            return output.refused(&error.with_hint(hint));
        }
    }
    for rule in &rules {
        output.text(&format!("{}: {}\n    {}", rule.name, rule.sentence, rule.source));
    }
    let entries: Vec<RuleEntry> = rules.into_iter().map(RuleEntry::from).collect();
    output.json(&entries);
    Ended::Agreed
}
