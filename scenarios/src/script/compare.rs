//! The outcome, compared with the scenario's.

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

/// Most lines of a side that are searched for common lines: the time grows with their square.
const MOST_ALIGNED: usize = 1 << 11;

/// Whether both are the same, line by line.
pub fn same(expected: &[String], actual: &[String]) -> bool {
    lines(expected).eq(lines(actual))
}

/// Compares line by line; `None` if both are the same.
pub fn compare(expected: &[String], actual: &[String]) -> Option<Difference> {
    let expected: Vec<String> = lines(expected).collect();
    let actual: Vec<String> = lines(actual).collect();
    if expected == actual {
        return None;
    }
    let head = expected.iter().zip(&actual).take_while(|(a, b)| a == b).count();
    let (both, expected, actual) = (&expected[..head], &expected[head..], &actual[head..]);
    let alike = expected.iter().rev().zip(actual.iter().rev()).take_while(|(a, b)| a == b);
    let tail = alike.count();
    let (expected, rest) = expected.split_at(expected.len() - tail);
    let actual = &actual[..actual.len() - tail];

    let mut drawn: Vec<(Side, String)> = Vec::new();
    drawn.extend(both.iter().map(|line| (Side::Both, line.clone())));
    if expected.len().max(actual.len()) > MOST_ALIGNED {
        drawn.extend(expected.iter().map(|line| (Side::ExpectedOnly, line.clone())));
        drawn.extend(actual.iter().map(|line| (Side::ActualOnly, line.clone())));
    } else {
        drawn.extend(aligned(expected, actual));
    }
    drawn.extend(rest.iter().map(|line| (Side::Both, line.clone())));
    Some(Difference { lines: drawn })
}

/// The lines of both sides, with common lines once.
fn aligned(expected: &[String], actual: &[String]) -> Vec<(Side, String)> {
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
    lines.collect()
}

impl Difference {
    /// The lines of both, each after a mark: `-` expected only, `+` actual only, a space both.
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
