//! `rules.md`: every check that can refuse a request, of the kernel and of hardware.

use passim_gic::its::Reason;
use passim_model::Rule;

use super::{NOTICE, table};
use crate::explain::{Hardware, command_rules, hardware_rules};

const INTRODUCTION: &str = "
# Rules

A kernel says `EINVAL`; these are the checks behind it. Every refusal of the model names one of them,
and `passim rules NAME` prints it. Where no errno stands, it depends on who asks, or the rule names
something that is no refusal.

[What hardware refuses](#of-hardware) has rules of its own.

";

const OF_HARDWARE: &str = "
## Of hardware

What an ITS, a frame, or an SMMU demands of messages, commands and transactions: `passim explain` names
one of these for what hardware does not do. A rule stands here several times where what it demands
depends on who asks.

";

const OF_COMMANDS: &str = "
## Commands that an ITS does not perform

The syndrome of a command's error ends in this byte, after the number of the command: MAPTI is 0x0a, and a
MAPTI of a device that is not mapped is 0x010a04. IHI 0069 H 5.5.

";

pub(super) fn page() -> String {
    let mut rules: Vec<&Rule> = passim_vfio::rules::all().collect();
    rules.sort_by_key(|rule| rule.name);
    let rows = rules.into_iter().map(|rule| {
        let Rule { name, sentence, source, .. } = *rule;
        vec![format!("`{name}`"), errnos(rule), sentence.to_owned(), source.to_owned()]
    });
    let head = ["rule", "errno", "demands", "source"];
    let of_kernel = table(&head, rows);
    let of_hardware = table(&["rule", "by", "demands", "source"], hardware());
    let of_commands = table(&["ends in", "because", "rule"], commands());
    format!("{NOTICE}{INTRODUCTION}{of_kernel}{OF_HARDWARE}{of_hardware}{OF_COMMANDS}{of_commands}")
}

fn hardware() -> Vec<Vec<String>> {
    let row = |Hardware { by, rule, sentence, source, .. }: Hardware| {
        vec![format!("`{rule}`"), by.to_owned(), sentence, source]
    };
    hardware_rules().into_iter().map(row).collect()
}

fn commands() -> Vec<Vec<String>> {
    let mut reasons = command_rules();
    reasons.sort_by_key(|(reason, _)| reason.byte());
    let row = |(reason, rule): (Reason, Hardware)| {
        vec![
            format!("0x{:02x}", reason.byte()),
            reason.text().to_owned(),
            format!("`{}`", rule.rule),
        ]
    };
    reasons.into_iter().map(row).collect()
}

/// The errnos that the declaration of a rule names.
pub(super) fn errnos(rule: &Rule) -> String {
    crate::rulebook::errnos(rule).join(", ")
}
