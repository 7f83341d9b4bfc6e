//! Reads recordings and dumps, plain or zstd-compressed, in bounded memory.

mod frames;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Stdin};
use std::path::{Path, PathBuf};

use frames::{Corrupt, Frames};

use super::line::Line;
use crate::input_error::{InputError, InputKind, SourceText, is_standard_input, not_utf8};

/// Most bytes a recording may have once decompressed.
pub const MAX_DECOMPRESSED_BYTES: u64 = 1 << 30;

/// Most bytes a file that is read whole (a topology, a dump) may have once decompressed.
pub const MAX_WHOLE_BYTES: u64 = 256 << 20;

/// Longest line of a recording, line feed not counted.
pub const MAX_LINE_BYTES: u64 = 16 << 20;

/// One line of a recording and its number.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// Line number, 1-based.
    pub line: u64,
    /// The contents of the line.
    pub content: Line,
}

/// A recording, read during iteration. An invalid line is an `Err`, after which reading continues;
/// a stream that cannot be read ends with its `Err`.
pub struct Recording<R> {
    lines: Lines<R>,
}

impl Recording<Stream> {
    /// Opens `path`; a name that ends in `.zst` is decompressed.
    ///
    /// # Errors
    /// Unreadable.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        Ok(Self { lines: Lines::open(path)? })
    }
}

impl<R: Read> Recording<R> {
    /// A recording from a stream of text; `path` only names it in errors.
    pub fn from_reader(path: impl Into<PathBuf>, stream: R) -> Self {
        Self { lines: Lines::from_reader(path, stream) }
    }
}

impl<R: Read> Iterator for Recording<R> {
    type Item = Result<Record, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.lines.next()?.and_then(|TextLine { number, text }| {
            let content = Line::parse(&self.lines.path, number, &text)?;
            Ok(Record { line: number, content })
        }))
    }
}

/// A line of text and its number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextLine {
    /// 1-based.
    pub number: u64,
    /// Without the line feed.
    pub text: String,
}

/// The lines of a stream, without those of only white space.
pub struct Lines<R> {
    path: PathBuf,
    stream: BufReader<R>,
    number: u64,
    /// Bytes that may still be read.
    allowance: u64,
    ended: bool,
}

impl Lines<Stream> {
    /// Opens `path`; a name that ends in `.zst` is decompressed.
    ///
    /// # Errors
    /// Unreadable.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        Ok(Self::from_reader(path, Stream::open(path)?))
    }
}

impl<R: Read> Lines<R> {
    /// Lines of a stream; `path` only names it in errors.
    pub fn from_reader(path: impl Into<PathBuf>, stream: R) -> Self {
        Self {
            path: path.into(),
            stream: BufReader::new(stream),
            number: 0,
            allowance: MAX_DECOMPRESSED_BYTES,
            ended: false,
        }
    }

    /// The next line's bytes without its line feed; `None` at the end of the stream.
    fn read_line(&mut self) -> Result<Option<Vec<u8>>, InputError> {
        let mut bytes = Vec::new();
        let limit = MAX_LINE_BYTES + 1;
        let read = (&mut self.stream)
            .take(limit)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| stream_error(&self.path, &error))?;
        self.number += 1;
        self.allowance = self
            .allowance
            .checked_sub(read as u64)
            .ok_or_else(|| too_large(&self.path, MAX_DECOMPRESSED_BYTES))?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        } else if read as u64 == limit {
            let message = format!("line {} is longer than 16 MiB", self.number);
            return Err(InputError::in_file(InputKind::TooLarge, &self.path, message));
        } else if read == 0 {
            return Ok(None);
        }
        Ok(Some(bytes))
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<TextLine, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let bytes = match self.read_line() {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            };
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let number = self.number;
            return Some(String::from_utf8(bytes).map(|text| TextLine { number, text }).map_err(
                |error| {
                    let valid = error.utf8_error().valid_up_to();
                    not_utf8(&self.path, number, error.as_bytes(), valid)
                },
            ));
        }
        self.ended = true;
        None
    }
}

/// Reads a whole file, decompressed if its name ends in `.zst`; `-` is standard input.
///
/// # Errors
/// Unreadable, corrupt, larger than [`MAX_WHOLE_BYTES`], or not UTF-8.
pub fn read_whole(path: &Path) -> Result<SourceText, InputError> {
    let mut bytes = Vec::new();
    Stream::open(path)?
        .take(MAX_WHOLE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| stream_error(path, &error))?;
    if bytes.len() as u64 > MAX_WHOLE_BYTES {
        return Err(too_large(path, MAX_WHOLE_BYTES));
    }
    SourceText::from_bytes(path, bytes)
}

/// The bytes of a file, decompressed if its name ends in `.zst`.
pub struct Stream(Form);

enum Form {
    Standard(Stdin),
    Plain(File),
    Zstd(Box<Frames<BufReader<File>>>),
}

impl Stream {
    fn open(path: &Path) -> Result<Self, InputError> {
        if is_standard_input(path) {
            return Ok(Self(Form::Standard(io::stdin())));
        }
        let file = File::open(path).map_err(|error| InputError::unreadable(path, &error))?;
        let compressed = path.extension().is_some_and(|extension| extension == "zst");
        Ok(Self(if compressed {
            Form::Zstd(Box::new(Frames::new(BufReader::new(file))))
        } else {
            Form::Plain(file)
        }))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Form::Standard(input) => input.read(buffer),
            Form::Plain(file) => file.read(buffer),
            Form::Zstd(frames) => frames.read(buffer),
        }
    }
}

fn too_large(path: &Path, limit: u64) -> InputError {
    let message = format!("more than {} MiB of text", limit >> 20);
    InputError::in_file(InputKind::TooLarge, path, message)
}

fn stream_error(path: &Path, error: &io::Error) -> InputError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Corrupt>()) {
        Some(corrupt) => InputError::in_file(InputKind::Compression, path, corrupt.to_string()),
        None => InputError::unreadable(path, error),
    }
}

#[cfg(test)]
mod tests;
