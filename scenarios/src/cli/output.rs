//! Where text goes, and in which dress.
//!
//! Not here: what is said.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::{ColourChoice, Ended};
use crate::input_error::{Colour, InputError};

/// For whom output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// People.
    Text,
    /// Programs.
    Json,
}

/// `1 scenario`, `2 scenarios`.
pub(super) fn counted(count: impl Into<u64>, what: &str) -> String {
    let count = count.into();
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The two streams of the process.
pub(super) struct Output {
    form: Form,
    out: Colour,
    err: Colour,
}

impl Output {
    pub(super) fn new(json: bool, choice: ColourChoice) -> Self {
        let colour = |is_terminal: bool| match choice {
            ColourChoice::Always => Colour::Ansi,
            ColourChoice::Auto if is_terminal && std::env::var_os("NO_COLOR").is_none() => {
                Colour::Ansi
            }
            ColourChoice::Auto | ColourChoice::Never => Colour::Plain,
        };
        Self {
            form: if json { Form::Json } else { Form::Text },
            out: colour(io::stdout().is_terminal()),
            err: colour(io::stderr().is_terminal()),
        }
    }

    /// Whether standard output takes colours.
    pub(super) fn colour(&self) -> Colour {
        self.out
    }

    /// Whether standard error takes colours.
    pub(super) fn error_colour(&self) -> Colour {
        self.err
    }

    /// A line for people; nothing for programs.
    pub(super) fn text(&mut self, line: &str) {
        if self.form == Form::Text {
            print(line);
        }
    }

    /// One JSON document for programs; nothing for people.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        if self.form == Form::Json {
            let text = serde_json::to_string_pretty(value);
            print(&text.expect("strings, numbers and lists always serialize"));
        }
    }

    /// An error about input that ends the command.
    pub(super) fn refused(&mut self, error: &InputError) -> Ended {
        self.error(error);
        Ended::BadInput
    }

    /// An error about input, on standard error.
    pub(super) fn error(&mut self, error: &InputError) {
        let text = match self.form {
            Form::Text => error.render(self.err),
            Form::Json => error.to_json(),
        };
        // A reader that went away is no reason to fail.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

fn print(line: &str) {
    // As above: `passim ... | head` ends quietly.
    let _ = writeln!(io::stdout(), "{line}");
}
