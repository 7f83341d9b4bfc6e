//! `rules.md`: every check that can refuse a request.

use passim_model::Rule;

use super::{NOTICE, table};

const INTRODUCTION: &str = "
# Rules

A kernel says `EINVAL`; these are the checks behind it. Every refusal of the model names one of them,
and `passim rules NAME` prints it. Where no errno stands, it depends on who asks, or the rule names
something that is no refusal.

";

pub(super) fn page() -> String {
    let mut rules: Vec<&Rule> = passim_vfio::rules::all().collect();
    rules.sort_by_key(|rule| rule.name);
    let rows = rules.into_iter().map(|rule| {
        let Rule { name, sentence, source, .. } = *rule;
        vec![format!("`{name}`"), errnos(rule), sentence.to_owned(), source.to_owned()]
    });
    let head = ["rule", "errno", "demands", "source"];
    format!("{NOTICE}{INTRODUCTION}{}", table(&head, rows))
}

/// The errnos that the declaration of a rule names.
pub(super) fn errnos(rule: &Rule) -> String {
    crate::rulebook::errnos(rule).join(", ")
}
