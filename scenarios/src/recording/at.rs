//! One line of JSON with its place in a file: deserializes it, or reports where that failed.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use super::line::Head;
use crate::input_error::{InputError, InputKind};

/// A line and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// The file.
    pub(super) path: &'a Path,
    /// Line number, 1-based.
    pub(super) number: u64,
    /// The line, without its line feed.
    pub(super) text: &'a str,
}

impl<'a> At<'a> {
    /// The line as a `T`.
    pub(super) fn read<T: Deserialize<'a>>(self) -> Result<T, InputError> {
        serde_json::from_str(self.text).map_err(|error| self.malformed(&error))
    }

    /// An error about the line as a whole.
    pub(super) fn error(self, message: impl Into<String>) -> InputError {
        let span = 0..self.text.len();
        InputError::in_line(InputKind::Recording, self.path, self.number, self.text, span, message)
    }

    /// The first key of the object.
    pub(super) fn first_key(self) -> Result<Cow<'a, str>, InputError> {
        Ok(self.read::<Head<'a>>()?.first)
    }

    fn malformed(self, error: &serde_json::Error) -> InputError {
        let span = token_at(self.text, error.column());
        let message = message(error);
        InputError::in_line(InputKind::Recording, self.path, self.number, self.text, span, message)
    }
}

/// The message of `serde_json`, without the position that it appends.
pub(super) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// The token whose last byte is in `column` (1-based, as `serde_json` counts: in bytes).
pub(super) fn token_at(text: &str, column: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let end = column.min(bytes.len());
    let Some(last) = end.checked_sub(1) else { return 0..0 };
    let start = if bytes[last] == b'"' {
        bytes[..last].iter().rposition(|byte| *byte == b'"').unwrap_or(last)
    } else {
        let is_number = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        bytes[..last].iter().rposition(|byte| !is_number(byte)).map_or(0, |before| before + 1)
    };
    if is_word(bytes[last]) { start..end } else { last..end }
}

/// Whether a byte may end a string or a number, so that the token reaches back from it.
fn is_word(byte: u8) -> bool {
    byte == b'"' || byte.is_ascii_alphanumeric()
}
