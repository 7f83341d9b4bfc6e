//! Writes what happened into a scenario.

use super::ast::{ItemKind, Script};
use super::parse::INDENT;

impl Script {
    /// The scenario's text with the outcome of its first blocks replaced: `outcomes[n]` becomes
    /// what stands below block `n`. Blocks beyond keep theirs, and nothing but indented lines
    /// changes. An outcome's lines are taken apart at line feeds, and empty ones are left out.
    pub fn bless(&self, outcomes: &[Vec<String>]) -> String {
        let text = self.source.text();
        let mut blessed = String::with_capacity(text.len());
        let mut outcomes = outcomes.iter();
        for item in &self.items {
            let ItemKind::Block(block) = &item.kind else {
                blessed.push_str(&text[item.span.clone()]);
                continue;
            };
            let Some(outcome) = outcomes.next() else {
                blessed.push_str(&text[item.span.clone()]);
                continue;
            };
            blessed.push_str(&text[item.span.start..block.expected_span.start]);
            for line in lines(outcome) {
                // Only a file's last line lacks its line feed.
                if !blessed.ends_with('\n') {
                    blessed.push('\n');
                }
                blessed.push_str(INDENT);
                blessed.push_str(&line);
                blessed.push('\n');
            }
            let had_feed = text[item.span.clone()].ends_with('\n');
            if !had_feed && blessed.ends_with('\n') {
                blessed.pop();
            }
        }
        blessed.push_str(self.rest());
        self.endings.put_back(blessed)
    }
}

/// An outcome as lines that a scenario can hold: no line feed, no other control character, none
/// empty, no spaces at the end.
pub(super) fn lines(outcome: &[String]) -> impl Iterator<Item = String> {
    outcome
        .iter()
        .flat_map(|line| line.lines())
        .map(|line| {
            let printable = |c: char| {
                if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
            };
            line.trim_end().chars().map(printable).collect::<String>()
        })
        .filter(|line| !line.is_empty())
}
