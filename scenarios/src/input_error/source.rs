//! A whole text file in memory, with errors at byte ranges of it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{InputError, InputKind};

/// Largest text file read whole: machine files, scenarios, topologies.
pub const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Whether a file's name stands for standard input.
pub fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A text file: its name and its contents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceText {
    path: PathBuf,
    text: String,
}

impl SourceText {
    /// A text that is already in memory; `path` only names it in errors.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// A text from bytes already in memory.
    ///
    /// # Errors
    /// Not UTF-8.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self, InputError> {
        let path = path.into();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { path, text }),
            Err(error) => {
                Err(not_utf8(&path, 1, error.as_bytes(), error.utf8_error().valid_up_to()))
            }
        }
    }

    /// Reads a file, or standard input if it is called `-`.
    ///
    /// # Errors
    /// Unreadable, larger than [`MAX_TEXT_BYTES`], or not UTF-8.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let unreadable = |error| InputError::unreadable(path, &error);
        let mut bytes = Vec::new();
        let limit = MAX_TEXT_BYTES + 1;
        let read = match is_standard_input(path) {
            true => io::stdin().lock().take(limit).read_to_end(&mut bytes),
            false => File::open(path).and_then(|it| it.take(limit).read_to_end(&mut bytes)),
        };
        read.map_err(unreadable)?;
        if bytes.len() as u64 > MAX_TEXT_BYTES {
            let message = format!("larger than {} MiB", MAX_TEXT_BYTES >> 20);
            return Err(InputError::in_file(InputKind::TooLarge, path, message));
        }
        Self::from_bytes(path, bytes)
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The contents.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// An error at a byte range of the text. Only the line on which it begins is shown.
    pub fn error(
        &self,
        kind: InputKind,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> InputError {
        let start = super::floor_boundary(&self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |feed| feed + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |feed| start + feed);
        let number = self.text[..line_start].bytes().filter(|byte| *byte == b'\n').count() as u64;
        let line = &self.text[line_start..line_end];
        let line = line.strip_suffix('\r').unwrap_or(line);
        let span = start - line_start..span.end.max(start) - line_start;
        InputError::in_line(kind, &self.path, number + 1, line, span, message)
    }

    /// An error about one line, 1-based; the whole line is marked.
    pub fn error_in_line(
        &self,
        kind: InputKind,
        number: u64,
        message: impl Into<String>,
    ) -> InputError {
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let line = self.text.lines().nth(index).unwrap_or_default();
        InputError::in_line(kind, &self.path, number, line, 0..line.len(), message)
    }
}

/// An error at the first byte that is not UTF-8 of `bytes`, which begin on line `first_line`.
pub(crate) fn not_utf8(path: &Path, first_line: u64, bytes: &[u8], valid: usize) -> InputError {
    let message = match bytes.get(valid) {
        Some(byte) => format!("not UTF-8: byte {byte:#04x}"),
        None => "not UTF-8".to_owned(),
    };
    let before = &bytes[..valid.min(bytes.len())];
    let feeds = before.iter().filter(|byte| **byte == b'\n').count() as u64;
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
    let shown = String::from_utf8_lossy(&before[line_start..]);
    let text = format!("{shown}{}", char::REPLACEMENT_CHARACTER);
    let span = shown.len()..text.len();
    InputError::in_line(InputKind::Encoding, path, first_line + feeds, &text, span, message)
}
