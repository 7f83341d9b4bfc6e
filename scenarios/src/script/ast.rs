//! A scenario, taken apart without losing a byte.

use std::fmt;
use std::ops::Range;

use crate::input_error::{InputError, InputKind, SourceText};

/// A scenario file. Its items cover the text without gap or overlap, so printing them gives the
/// text back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    pub(super) source: SourceText,
    pub(super) items: Vec<Item>,
    pub(super) endings: Endings,
    /// Where it was read no further, and why; the items cover the text up to there.
    pub(super) unread: Option<(usize, InputError)>,
}

/// What an editor puts around lines and a scenario does not have; it is written back.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Endings {
    /// The file begins with a byte order mark.
    pub(super) mark: bool,
    /// Lines end with a carriage return and a line feed.
    pub(super) carriage_return: bool,
}

/// One or more lines of a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Its bytes, line feeds included.
    pub span: Range<usize>,
    /// What it is.
    pub kind: ItemKind,
}

/// What lines of a scenario can be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ItemKind {
    /// An empty line.
    Blank,
    /// A line that begins with `#`.
    Comment,
    /// An operation and what happened.
    Block(Block),
}

/// An operation and the lines below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// The operation.
    pub invocation: Invocation,
    /// Its line, 1-based.
    pub line: u64,
    /// What happened, a line each, without indentation and line feed.
    pub expected: Vec<String>,
    /// Bytes of the indented lines; empty, at the end of the operation's line, without any.
    pub expected_span: Range<usize>,
}

/// `verb word key=value`: a verb and its arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invocation {
    /// The verb.
    pub verb: Word,
    /// The arguments, in the order in which they are written.
    pub args: Vec<Arg>,
}

/// A word and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// The word as written, quotation marks included.
    pub text: String,
    /// Its bytes.
    pub span: Range<usize>,
}

/// An argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arg {
    /// The key; `None` for a word on its own.
    pub key: Option<Word>,
    /// The value.
    pub value: Word,
}

impl Script {
    /// That the scenario has such a line.
    ///
    /// # Errors
    /// It ends before.
    pub fn reaches(&self, line: u64) -> Result<(), InputError> {
        let lines = self.source.text().lines().count() as u64;
        if (1..=lines).contains(&line) {
            return Ok(());
        }
        let message = format!("there is no line {line}");
        Err(InputError::in_file(InputKind::Scenario, self.source.path(), message)
            .with_hint(format!("the scenario has {lines}")))
    }

    /// Blocks, in order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Block(block) => Some(block),
            ItemKind::Blank | ItemKind::Comment => None,
        })
    }

    /// Line of a block's operation, 1-based.
    pub fn line_of(&self, block: &Block) -> u64 {
        block.line
    }

    /// Everything in the file, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Why it was read no further, if it was not.
    pub fn unread(&self) -> Option<&InputError> {
        self.unread.as_ref().map(|(_, error)| error)
    }

    /// The text that was not read.
    pub(super) fn rest(&self) -> &str {
        self.unread.as_ref().map_or("", |(start, _)| &self.source.text()[*start..])
    }

    /// The text it was read from.
    pub fn source(&self) -> &SourceText {
        &self.source
    }

    /// An error at a byte range of the scenario.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> InputError {
        self.source.error(InputKind::Scenario, span, message)
    }
}

/// The file, to the byte.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.items.iter().map(|item| &self.source.text()[item.span.clone()]);
        let text = text.chain([self.rest()]);
        f.write_str(&self.endings.put_back(text.collect()))
    }
}

impl Invocation {
    /// A verb without arguments, not from any file.
    pub fn new(verb: impl Into<String>) -> Self {
        Self { verb: Word::new(verb), args: Vec::new() }
    }

    /// The same with one more word. The word is printed as it is: it must have the form of a value.
    #[must_use]
    pub fn word(mut self, value: impl fmt::Display) -> Self {
        self.args.push(Arg { key: None, value: Word::new(value.to_string()) });
        self
    }

    /// The same with one more `key=value`. The value is printed as it is: it must have the form
    /// of a value.
    #[must_use]
    pub fn key(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.args.push(Arg { key: Some(Word::new(key)), value: Word::new(value.to_string()) });
        self
    }

    /// Whether both say the same, wherever they stand.
    pub fn same_words(&self, other: &Self) -> bool {
        let words = |invocation: &Self| {
            let args = invocation.args.iter();
            let args = args.flat_map(|arg| [arg.key.clone(), Some(arg.value.clone())]);
            let words = std::iter::once(Some(invocation.verb.clone())).chain(args);
            words.map(|word| word.map(|word| word.text)).collect::<Vec<_>>()
        };
        words(self) == words(other)
    }

    /// Bytes from the verb to the end of the last argument.
    pub fn span(&self) -> Range<usize> {
        let end = self.args.last().map_or(self.verb.span.end, |arg| arg.value.span.end);
        self.verb.span.start..end
    }
}

/// One line, with one space between words.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verb.text)?;
        for arg in &self.args {
            write!(f, " {arg}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{}=", key.text)?;
        }
        f.write_str(&self.value.text)
    }
}

impl Word {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), span: 0..0 }
    }
}

impl Arg {
    /// Bytes of key and value.
    pub fn span(&self) -> Range<usize> {
        let start = self.key.as_ref().map_or(self.value.span.start, |key| key.span.start);
        start..self.value.span.end
    }
}
