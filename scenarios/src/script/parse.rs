//! Reads a scenario.
//!
//! The grammar of an operation's line, in words: a verb, then arguments, one or more spaces before
//! each; an argument is a value, or a key, `=` and a value; a value is printable characters other
//! than spaces and quotation marks, or anything between quotation marks, where `\"` and `\\` stand
//! for what follows the backslash.

use std::ops::Range;

use winnow::LocatingSlice;
use winnow::combinator::{alt, cut_err, delimited, opt, repeat, seq, terminated};
use winnow::error::{ContextError, StrContext, StrContextValue};
use winnow::token::{one_of, take_while};
use winnow::{ModalResult, Parser};

use super::ast::{Arg, Block, Endings, Invocation, Item, ItemKind, Script, Word};
use crate::input_error::{InputError, InputKind, SourceText};

/// Longest line of a scenario, line feed not counted.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// What an outcome line begins with.
pub(super) const INDENT: &str = "  ";

impl Script {
    /// Reads a scenario.
    ///
    /// # Errors
    /// The first line that is none of the four kinds.
    pub fn parse(source: SourceText) -> Result<Self, InputError> {
        let mut script = Self::parse_as_far(source);
        script.unread.take().map_or(Ok(script), |(_, error)| Err(error))
    }

    /// Reads a scenario up to the first line that is none of the four kinds; of that [`Self::unread`]
    /// tells.
    pub fn parse_as_far(source: SourceText) -> Self {
        let (source, endings) = Endings::taken_from(source);
        let mut script = Self { source, items: Vec::new(), endings, unread: None };
        let mut start = 0;
        for (number, line) in (1..).zip(script.source.text().split_inclusive('\n')) {
            let span = start..start + line.len();
            if let Err(complaint) = take_line(&mut script.items, number, line, span.clone()) {
                let at = span.start + complaint.span.start..span.start + complaint.span.end;
                let error = script.source.error(InputKind::Scenario, at, complaint.message);
                let error = match complaint.hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                };
                script.unread = Some((span.start, error));
                break;
            }
            start = span.end;
        }
        script
    }
}

/// Takes a line, with its line feed if it has one, to the items before it.
fn take_line(
    items: &mut Vec<Item>,
    number: u64,
    line: &str,
    span: Range<usize>,
) -> Result<(), Complaint> {
    let text = line.strip_suffix('\n').unwrap_or(line);
    form(text)?;
    if let Some(outcome) = text.strip_prefix(INDENT) {
        let block = items.last_mut().and_then(|item| item.as_block_mut());
        let (whole, block) = block.ok_or_else(|| no_operation(text))?;
        whole.end = span.end;
        block.expected_span.end = span.end;
        block.expected.push(outcome.to_owned());
        return Ok(());
    }
    let kind = if text.is_empty() {
        ItemKind::Blank
    } else if text.starts_with('#') {
        ItemKind::Comment
    } else {
        let invocation = line_of_words(text, span.start)?;
        let expected_span = span.end..span.end;
        ItemKind::Block(Block { invocation, line: number, expected: Vec::new(), expected_span })
    };
    items.push(Item { span, kind });
    Ok(())
}

/// What some editors put at the start of a text in UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

impl Endings {
    /// The text without what some editors put around its lines. Where not every line ends with a
    /// carriage return, those that do are left to be refused.
    fn taken_from(source: SourceText) -> (SourceText, Self) {
        let text = source.text();
        let mark = text.starts_with(BYTE_ORDER_MARK);
        let feeds = text.matches('\n').count();
        let carriage_return = feeds > 0 && text.matches("\r\n").count() == feeds;
        if !mark && !carriage_return {
            return (source, Self::default());
        }
        let bare = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let bare = if carriage_return { bare.replace("\r\n", "\n") } else { bare.to_owned() };
        (SourceText::new(source.path(), bare), Self { mark, carriage_return })
    }

    /// A text with that around its lines again.
    pub(super) fn put_back(self, text: String) -> String {
        let text = if self.carriage_return { text.replace('\n', "\r\n") } else { text };
        if self.mark { format!("{BYTE_ORDER_MARK}{text}") } else { text }
    }
}

impl Item {
    fn as_block_mut(&mut self) -> Option<(&mut Range<usize>, &mut Block)> {
        match &mut self.kind {
            ItemKind::Block(block) => Some((&mut self.span, block)),
            ItemKind::Blank | ItemKind::Comment => None,
        }
    }
}

/// Reads one operation that is not in a file.
///
/// # Errors
/// Not one line, or not an operation; `path` names the source in the error.
pub fn invocation(path: &str, line: &str) -> Result<Invocation, InputError> {
    let refuse = |complaint: Complaint| {
        let source = SourceText::new(path, line);
        source.error(InputKind::Scenario, complaint.span, complaint.message)
    };
    if let Some(feed) = line.find('\n') {
        let message = "an operation is one line".to_owned();
        return Err(refuse(Complaint { span: feed..feed + 1, message, hint: None }));
    }
    form(line).map_err(refuse)?;
    line_of_words(line, 0).map_err(refuse)
}

/// What is wrong with a line, and where in it.
struct Complaint {
    span: Range<usize>,
    message: String,
    hint: Option<&'static str>,
}

impl Complaint {
    fn new(span: Range<usize>, message: &str, hint: &'static str) -> Self {
        Self { span, message: message.to_owned(), hint: Some(hint) }
    }
}

/// Checks what every line must be.
fn form(text: &str) -> Result<(), Complaint> {
    if text.len() > MAX_LINE_BYTES {
        let hint = "no line is longer than 64 KiB";
        return Err(Complaint::new(0..1, "the line is too long", hint));
    }
    if let Some((at, control)) = text.char_indices().find(|(_, c)| c.is_control()) {
        let hint = match control {
            '\r' => "either all lines end with a carriage return and a line feed, or none",
            '\t' => "use spaces",
            _ => "use printable characters",
        };
        let message = format!("control character {control:?}");
        return Err(Complaint { span: at..at + control.len_utf8(), message, hint: Some(hint) });
    }
    let words = text.trim_start_matches(' ');
    let indent = text.len() - words.len();
    if indent > 0 && words.is_empty() {
        let hint = "remove the spaces";
        return Err(Complaint::new(0..text.len(), "a line of spaces alone", hint));
    }
    if indent == 1 {
        let hint = "indent what happened by two spaces, an operation by none";
        return Err(Complaint::new(0..1, "indented by one space", hint));
    }
    Ok(())
}

fn no_operation(text: &str) -> Complaint {
    let hint = "what happened stands directly below its operation";
    Complaint::new(0..text.len(), "no operation stands above this line", hint)
}

/// Reads an operation; `start` is where its line begins in the file.
fn line_of_words(text: &str, start: usize) -> Result<Invocation, Complaint> {
    let mut parsed = words.parse(LocatingSlice::new(text)).map_err(|error| {
        let at = error.char_span();
        let context: &ContextError = error.inner();
        let expected = context.context().find_map(|context| match context {
            StrContext::Expected(StrContextValue::Description(expected)) => Some(*expected),
            _ => None,
        });
        let message = match expected {
            Some(expected) => format!("expected {expected}"),
            None => "expected a space and a value, or `key=value`".to_owned(),
        };
        let hint = match text[at.start..].chars().next() {
            Some(' ') => Some("remove the spaces at the end"),
            Some('=') => Some("a key is lower-case; a value that holds `=` is put in `\"`"),
            _ => None,
        };
        Complaint { span: at, message, hint }
    })?;
    let shift = |span: &mut Range<usize>| *span = span.start + start..span.end + start;
    shift(&mut parsed.verb.span);
    for arg in &mut parsed.args {
        arg.key.iter_mut().for_each(|key| shift(&mut key.span));
        shift(&mut arg.value.span);
    }
    Ok(parsed)
}

type Input<'a> = LocatingSlice<&'a str>;

fn words(input: &mut Input<'_>) -> ModalResult<Invocation> {
    let expected = |what| StrContext::Expected(StrContextValue::Description(what));
    seq!(Invocation {
        verb: name.context(expected("a verb: lower-case letters, digits and hyphens")),
        args: repeat(0.., arg),
    })
    .parse_next(input)
}

fn arg(input: &mut Input<'_>) -> ModalResult<Arg> {
    let expected = |what| StrContext::Expected(StrContextValue::Description(what));
    take_while(1.., ' ').void().parse_next(input)?;
    let key = opt(terminated(name, '=')).parse_next(input)?;
    let value = match &key {
        // After `=` nothing else may come, so the error can say what is missing.
        Some(_) => cut_err(value).context(expected("a value after `=`")).parse_next(input)?,
        None => value.parse_next(input)?,
    };
    Ok(Arg { key, value })
}

/// A verb or a key.
fn name(input: &mut Input<'_>) -> ModalResult<Word> {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (one_of('a'..='z'), take_while(0.., rest)).take().with_span().map(word).parse_next(input)
}

fn value(input: &mut Input<'_>) -> ModalResult<Word> {
    let bare = take_while(1.., |c: char| c != ' ' && c != '"' && c != '=');
    let character = alt((
        take_while(1.., |c: char| c != '"' && c != '\\').void(),
        ('\\', one_of(['"', '\\'])).void(),
    ));
    let closing = cut_err('"').context(StrContext::Expected(StrContextValue::Description(
        "a closing `\"`; inside, `\\\"` and `\\\\` stand for `\"` and `\\`",
    )));
    let quoted = delimited('"', repeat::<_, _, (), _, _>(0.., character), closing).take();
    alt((bare, quoted)).with_span().map(word).parse_next(input)
}

fn word((text, span): (&str, Range<usize>)) -> Word {
    Word { text: text.to_owned(), span }
}
