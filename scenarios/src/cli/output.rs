//! The output streams: text or JSON, colours, and errors.
//!
//! Not here: the content.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;

use super::{ColourChoice, Ended};
use crate::input_error::{Colour, InputError, InputKind};

/// The form of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Text, for people.
    Text,
    /// JSON, for programs.
    Json,
}

/// `1 scenario`, `2 scenarios`.
pub(super) fn counted(count: impl Into<u64>, what: &str) -> String {
    let count = count.into();
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// `; 1 could not be used`: the part of a summary about files that could not be used, if any.
pub(super) fn unused(count: usize) -> String {
    if count == 0 { String::new() } else { format!("; {count} could not be used") }
}

/// The two streams of the process.
pub(super) struct Output {
    form: Form,
    out: Colour,
    err: Colour,
    /// The error after which nothing more is written to standard output.
    failed: Option<io::Error>,
    verbose: bool,
}

impl Output {
    pub(super) fn new(json: bool, choice: ColourChoice, verbose: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal_draws = !is_dumb && std::env::var_os("NO_COLOR").is_none();
        let colour = |is_terminal: bool| match choice {
            ColourChoice::Always => Colour::Ansi,
            ColourChoice::Auto if is_terminal && terminal_draws => Colour::Ansi,
            ColourChoice::Auto | ColourChoice::Never => Colour::Plain,
        };
        Self {
            form: if json { Form::Json } else { Form::Text },
            out: colour(io::stdout().is_terminal()),
            err: colour(io::stderr().is_terminal()),
            failed: None,
            verbose,
        }
    }

    /// Whether standard output takes colours.
    pub(super) fn colour(&self) -> Colour {
        self.out
    }

    /// Whether results that agree are printed too.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Whether standard error takes colours.
    pub(super) fn error_colour(&self) -> Colour {
        self.err
    }

    /// Prints a line of text; nothing where the form is JSON.
    pub(super) fn text(&mut self, line: &str) {
        if self.form == Form::Text {
            self.print(line);
        }
    }

    /// Prints the contents of a file to standard output, in either form.
    pub(super) fn raw(&mut self, text: &str) {
        self.print(text.trim_end());
    }

    /// Prints one JSON document; nothing where the form is text.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        if self.form == Form::Json {
            let text = serde_json::to_string_pretty(value);
            self.print(&text.expect("strings, numbers and lists always serialize"));
        }
    }

    /// Prints an error about input, which ends the command.
    pub(super) fn refused(&mut self, error: &InputError) -> Ended {
        self.error(error);
        Ended::BadInput
    }

    /// Prints an error about input to standard error.
    pub(super) fn error(&mut self, error: &InputError) {
        let text = match self.form {
            Form::Text => error.render(self.err),
            Form::Json => error.to_json(),
        };
        // A reader that went away is no reason to fail.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Flushes standard output. Returns `ended`, or bad input if writing failed.
    pub(super) fn finish(mut self, ended: Ended) -> Ended {
        if let Err(error) = io::stdout().flush() {
            self.failed.get_or_insert(error);
        }
        // A reader that went away is no reason to fail: `passim ... | head` ends quietly.
        match self.failed.take().filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            None => ended,
            Some(error) => {
                let message = format!("cannot write: {error}");
                let path = Path::new("standard output");
                self.refused(&InputError::in_file(InputKind::Unwritable, path, message))
            }
        }
    }

    fn print(&mut self, line: &str) {
        if self.failed.is_none() {
            self.failed = writeln!(io::stdout(), "{line}").err();
        }
    }
}
