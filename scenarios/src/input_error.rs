//! Errors about input files: the place, the mistake, and the remedy.
//!
//! Recordings, machine files and scenarios all fail with [`InputError`]. It does not describe what
//! the model answers: an architectural fault is a value, a kernel's refusal is a `Refusal`.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `render` | how is an error drawn with its source line? |
//! | `source` | how is a text file read, and where in it is an error? |

mod render;
mod source;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;

use serde::Serialize;

pub(crate) use source::not_utf8;
pub use source::{MAX_TEXT_BYTES, SourceText, is_standard_input};

/// Whether rendered text carries ANSI colours. Only the caller knows whether it writes to a
/// terminal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Colour {
    /// Characters only.
    Plain,
    /// With ANSI escape sequences.
    Ansi,
}

/// The kind of input that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// The operating system could not read the file.
    Unreadable,
    /// The operating system could not write the file.
    Unwritable,
    /// Larger than the limit for its kind of file.
    TooLarge,
    /// Text that is not UTF-8.
    Encoding,
    /// Not a zstd stream, although its name says so.
    Compression,
    /// Not JSON, or JSON without the structure of a recording.
    Recording,
    /// Not TOML, or not a machine.
    Machine,
    /// Not a scenario.
    Scenario,
    /// A name on the command line that does not exist.
    Argument,
}

impl InputKind {
    /// The default advice.
    fn advice(self) -> &'static str {
        match self {
            Self::Unreadable => "name a file or a folder that exists and may be read",
            Self::Unwritable => "name a file that may be written, in a folder that exists",
            Self::TooLarge => "split it, or leave out what is not needed",
            Self::Encoding => "save the file as UTF-8",
            Self::Compression => "the file is damaged or cut short: copy or record it again",
            Self::Recording => "a recording has one JSON object a line, as the recorder wrote it",
            Self::Machine => "scenarios/machines/virt-its.toml shows every part of a machine file",
            Self::Scenario => "`passim run --help` lists the operations and what they take",
            Self::Argument => "`passim --help` has examples",
        }
    }
}

/// An input file that cannot be used. Its `Display` is one line, `path:line:column: message`;
/// [`InputError::render`] draws the source line. Serializes as one flat JSON object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InputError(Box<Report>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Report {
    kind: InputKind,
    path: String,
    place: Option<Place>,
    message: String,
    hint: Cow<'static, str>,
}

/// A place in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    /// 1-based.
    line: u64,
    /// 1-based, in characters.
    column: u64,
    /// The source line, or the part of it around the span.
    excerpt: String,
    /// Byte range of the offending part within `excerpt`, on character boundaries.
    span: Range<usize>,
}

/// Longest part of a source line that an error keeps, in bytes either side of the span's start.
const EXCERPT_REACH: usize = 200;

impl InputError {
    /// A file that the operating system could not read.
    pub fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::in_file(InputKind::Unreadable, path, format!("cannot read: {error}"))
    }

    /// An error about the file as a whole.
    pub fn in_file(kind: InputKind, path: &Path, message: impl Into<String>) -> Self {
        let path = path.display().to_string();
        let message = printable(message.into());
        Self(Box::new(Report { kind, path, place: None, message, hint: kind.advice().into() }))
    }

    /// An error in one line: `number` is 1-based, `span` is a byte range of `text`, the line
    /// without its line feed. A span is clipped to the text.
    pub fn in_line(
        kind: InputKind,
        path: &Path,
        number: u64,
        text: &str,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        let mut error = Self::in_file(kind, path, message);
        error.0.place = Some(Place::new(number, text, span));
        error
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = printable(hint.into()).into();
        self
    }

    /// The kind of input that was refused.
    pub fn kind(&self) -> InputKind {
        self.0.kind
    }

    /// The file, as the caller named it.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Line, 1-based; `None` when the error concerns the whole file.
    pub fn line(&self) -> Option<u64> {
        self.0.place.as_ref().map(|place| place.line)
    }

    /// Column in characters, 1-based; `None` when the error concerns the whole file.
    pub fn column(&self) -> Option<u64> {
        self.0.place.as_ref().map(|place| place.column)
    }

    /// What is wrong, one sentence without a final stop.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        &self.0.hint
    }

    /// The error as several lines with the source line drawn below the message; no final newline.
    pub fn render(&self, colour: Colour) -> String {
        render::draw(&self.0, colour)
    }

    /// The error as one JSON object on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always serialize")
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.path)?;
        if let Some(place) = &self.0.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": {}", self.0.message)
    }
}

impl std::error::Error for InputError {}

impl Serialize for InputError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// The flat form: names are part of the machine-readable interface.
        #[derive(Serialize)]
        struct Flat<'a> {
            kind: InputKind,
            file: &'a str,
            line: Option<u64>,
            column: Option<u64>,
            /// Characters covered from `column` on.
            width: Option<usize>,
            message: &'a str,
            hint: &'a str,
            source: Option<&'a str>,
        }
        let place = self.0.place.as_ref();
        Flat {
            kind: self.0.kind,
            file: &self.0.path,
            line: self.line(),
            column: self.column(),
            width: place.map(|place| place.excerpt[place.span.clone()].chars().count()),
            message: &self.0.message,
            hint: self.hint(),
            source: place.map(|place| place.excerpt.as_str()),
        }
        .serialize(serializer)
    }
}

impl Place {
    fn new(line: u64, text: &str, span: Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end.max(start));
        let column = text[..start].chars().count() as u64 + 1;
        let first = floor_boundary(text, start.saturating_sub(EXCERPT_REACH));
        let last = floor_boundary(text, start.saturating_add(EXCERPT_REACH));
        let span = start - first..end.min(last) - first;
        Self { line, column, excerpt: text[first..last].to_owned(), span }
    }

    /// Whether the excerpt begins where the line begins.
    fn shows_line_start(&self) -> bool {
        self.excerpt[..self.span.start].chars().count() as u64 + 1 == self.column
    }
}

/// The text with control characters escaped: a message may quote a file, whose control characters a
/// terminal would obey.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let spelt = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(spelt).collect()
}

/// How similar two words must be for one to count as a misspelling of the other, from 0 to 1.
const ALIKE: f32 = 0.6;

/// The one of `known` that `word` most resembles, if any is similar enough.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    similar::get_close_matches(word, known, 1, ALIKE).first().copied()
}

/// The largest character boundary of `text` at or below `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests;
