//! What happened, against what a scenario says happened.

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use super::bless::lines;
use crate::input_error::Colour;

/// How an outcome differs from the expected one; there is at least one difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    lines: Vec<(Side, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Both,
    ExpectedOnly,
    ActualOnly,
}

/// Compares line by line; `None` if both are the same.
pub fn compare(expected: &[String], actual: &[String]) -> Option<Difference> {
    let expected: Vec<String> = lines(expected).collect();
    let actual: Vec<String> = lines(actual).collect();
    if expected == actual {
        return None;
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let actual: Vec<&str> = actual.iter().map(String::as_str).collect();
    let diff = TextDiff::from_slices(&expected, &actual);
    let lines = diff.iter_all_changes().map(|change| {
        let side = match change.tag() {
            ChangeTag::Equal => Side::Both,
            ChangeTag::Delete => Side::ExpectedOnly,
            ChangeTag::Insert => Side::ActualOnly,
        };
        (side, change.value().to_owned())
    });
    Some(Difference { lines: lines.collect() })
}

impl Difference {
    /// The lines of both, each after a mark: `-` expected only, `+` happened only, a space both.
    /// Every line ends with a line feed.
    pub fn render(&self, colour: Colour) -> String {
        let mut text = String::new();
        for (side, line) in &self.lines {
            let (mark, style) = match side {
                Side::Both => (' ', Style::new()),
                Side::ExpectedOnly => ('-', AnsiColor::Red.on_default()),
                Side::ActualOnly => ('+', AnsiColor::Green.on_default()),
            };
            let line = match colour {
                Colour::Plain => format!("{mark} {line}\n"),
                Colour::Ansi => format!("{style}{mark} {line}{style:#}\n"),
            };
            text.push_str(&line);
        }
        text
    }
}
