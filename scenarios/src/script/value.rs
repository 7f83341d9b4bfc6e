//! Arguments of an operation, by name and type.

use std::fmt;

use passim_model::{Iova, PageSize, Perms, PhysAddr, Rid, UserAddr};

use super::ast::{Arg, Invocation, Word};
use super::number::number;
use crate::input_error::{InputError, InputKind, SourceText, nearest};

/// What the value of an argument may be.
pub trait FromValue: Sized {
    /// The form, for error messages: `a number such as ...`.
    const FORM: &'static str;

    /// Reads a value as it is written; `None` if it has another form.
    fn from_value(text: &str) -> Option<Self>;
}

/// The arguments of one operation while they are being taken. What was asked for is what is known:
/// [`Args::finish`] complains about the rest.
#[derive(Debug)]
pub struct Args<'a> {
    source: &'a SourceText,
    invocation: &'a Invocation,
    taken: Vec<bool>,
    known: Vec<&'static str>,
    /// The keys that will be asked for.
    own: Vec<&'static str>,
}

impl<'a> Args<'a> {
    /// The arguments of `invocation`, which was read from `source`.
    ///
    /// # Errors
    /// A key stands there twice.
    pub fn new(source: &'a SourceText, invocation: &'a Invocation) -> Result<Self, InputError> {
        let args = &invocation.args;
        let keys = args.iter().enumerate().filter_map(|(at, arg)| Some((at, arg.key.as_ref()?)));
        for (at, key) in keys {
            let before = args[..at].iter().filter_map(|arg| arg.key.as_ref());
            if before.clone().any(|before| before.text == key.text) {
                let message = format!("`{}` is given twice", key.text);
                return Err(source.error(InputKind::Scenario, key.span.clone(), message));
            }
        }
        let taken = vec![false; args.len()];
        Ok(Self { source, invocation, taken, known: Vec::new(), own: Vec::new() })
    }

    /// The same where these keys will be asked for: none of them stands for another.
    #[must_use]
    pub fn with_keys(self, own: impl IntoIterator<Item = &'static str>) -> Self {
        Self { own: own.into_iter().collect(), ..self }
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// Missing, or of another form.
    pub fn required<T: FromValue>(&mut self, key: &'static str) -> Result<T, InputError> {
        match self.optional(key)? {
            Some(value) => Ok(value),
            None => {
                Err(self.slip(key).unwrap_or_else(|| self.missing(&format!("`{key}=`"), T::FORM)))
            }
        }
    }

    /// The value of `key`, if given.
    ///
    /// # Errors
    /// Of another form.
    pub fn optional<T: FromValue>(&mut self, key: &'static str) -> Result<Option<T>, InputError> {
        self.known.push(key);
        let has_key = |arg: &Arg| arg.key.as_ref().is_some_and(|found| found.text == key);
        let Some(at) = self.invocation.args.iter().position(has_key) else { return Ok(None) };
        self.taken[at] = true;
        self.read(&self.invocation.args[at].value).map(Some)
    }

    /// The next word without a key; `name` says what it is, for the error.
    ///
    /// # Errors
    /// Missing, or of another form.
    pub fn word<T: FromValue>(&mut self, name: &str) -> Result<T, InputError> {
        match self.optional_word()? {
            Some(value) => Ok(value),
            None => Err(self.missing(name, T::FORM)),
        }
    }

    /// The next word without a key, if there is one.
    ///
    /// # Errors
    /// Of another form.
    pub fn optional_word<T: FromValue>(&mut self) -> Result<Option<T>, InputError> {
        let args = self.invocation.args.iter().zip(&self.taken);
        let mut words = args.enumerate().filter(|(_, (arg, taken))| arg.key.is_none() && !**taken);
        let Some((at, (arg, _))) = words.next() else { return Ok(None) };
        let value = self.read(&arg.value)?;
        self.taken[at] = true;
        Ok(Some(value))
    }

    /// Everything given as `key=number` that nobody has asked for: fields, by whatever name.
    ///
    /// # Errors
    /// Not a number.
    pub fn fields(&mut self) -> Result<FieldValues, InputError> {
        let mut fields = Vec::new();
        for (at, arg) in self.invocation.args.iter().enumerate() {
            if let (Some(key), false) = (&arg.key, self.taken[at]) {
                fields.push((key.text.clone(), self.read(&arg.value)?));
                self.taken[at] = true;
            }
        }
        Ok(FieldValues(fields))
    }

    /// All has been asked for.
    ///
    /// # Errors
    /// An argument is left that nobody asked for.
    pub fn finish(self) -> Result<(), InputError> {
        let args = self.invocation.args.iter().zip(&self.taken);
        let Some((arg, _)) = args.into_iter().find(|(_, taken)| !**taken) else { return Ok(()) };
        let verb = &self.invocation.verb.text;
        let Some(key) = &arg.key else {
            let message = format!("`{verb}` takes no further word");
            return Err(self.source.error(InputKind::Scenario, arg.value.span.clone(), message));
        };
        let message = format!("`{verb}` takes no `{}=`", key.text);
        let error = self.source.error(InputKind::Scenario, key.span.clone(), message);
        Err(suggest(error, &key.text, &self.known, "keys"))
    }

    /// An error about the operation as a whole, for what only its arguments together get wrong.
    pub fn error(&self, message: impl Into<String>) -> InputError {
        self.source.error(InputKind::Scenario, self.invocation.span(), message)
    }

    fn read<T: FromValue>(&self, value: &Word) -> Result<T, InputError> {
        T::from_value(&value.text).ok_or_else(|| {
            let message = format!("expected {}", T::FORM);
            self.source.error(InputKind::Scenario, value.span.clone(), message)
        })
    }

    /// An error at a key that is meant to be `key`, as far as one can tell.
    fn slip(&self, key: &'static str) -> Option<InputError> {
        let args = self.invocation.args.iter().zip(&self.taken);
        let mut open = args.filter(|(_, taken)| !**taken).filter_map(|(arg, _)| arg.key.as_ref());
        let is_slip = |found: &&Word| !self.own.contains(&found.text.as_str());
        let meant = open.find(|it| is_slip(it) && nearest(&it.text, &[key]).is_some())?;
        let message = format!("`{}` takes no `{}=`", self.invocation.verb.text, meant.text);
        let error = self.source.error(InputKind::Scenario, meant.span.clone(), message);
        Some(error.with_hint(format!("did you mean `{key}`?")))
    }

    fn missing(&self, what: &str, form: &str) -> InputError {
        let verb = &self.invocation.verb;
        let message = format!("`{}` needs {what}", verb.text);
        self.source
            .error(InputKind::Scenario, verb.span.clone(), message)
            .with_hint(format!("add {form}"))
    }
}

/// The error about a verb that is none of `known`.
pub fn unknown_verb(
    source: &SourceText,
    invocation: &Invocation,
    known: &[&'static str],
) -> InputError {
    let verb = &invocation.verb;
    let message = format!("there is no operation `{}`", verb.text);
    let error = source.error(InputKind::Scenario, verb.span.clone(), message);
    suggest(error, &verb.text, known, "operations")
}

/// Fields of a structure by name, in the order in which they are written. Which names there are is
/// for those who know the structure.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct FieldValues(pub Vec<(String, u64)>);

fn suggest(error: InputError, word: &str, known: &[&'static str], what: &str) -> InputError {
    match nearest(word, known) {
        Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
        None if known.is_empty() => error.with_hint(format!("there are no {what}")),
        None => error.with_hint(format!("{what}: {}", known.join(", "))),
    }
}

impl FromValue for u64 {
    const FORM: &'static str = "a number of at most 64 bits such as 4096, 0x1000 or 4K";

    fn from_value(text: &str) -> Option<Self> {
        number(text)
    }
}

macro_rules! narrower {
    ($($number:ty, $form:literal;)*) => {
        $(impl FromValue for $number {
            const FORM: &'static str = $form;

            fn from_value(text: &str) -> Option<Self> {
                number(text)?.try_into().ok()
            }
        })*
    };
}

narrower! {
    u32, "a number of at most 32 bits";
    u16, "a number of at most 16 bits";
    u8, "a number of at most 8 bits";
}

macro_rules! addresses {
    ($($address:ty, $form:literal;)*) => {
        $(impl FromValue for $address {
            const FORM: &'static str = $form;

            fn from_value(text: &str) -> Option<Self> {
                number(text).map(Self::new)
            }
        })*
    };
}

addresses! {
    Iova, "an IOVA such as 0x8000000";
    PhysAddr, "a physical address such as 0x40000000";
    UserAddr, "a user address such as 0x100000000000";
}

/// A number that may be negative, such as `-1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Signed(pub i64);

impl FromValue for Signed {
    const FORM: &'static str = "a number such as 3 or -1";

    fn from_value(text: &str) -> Option<Self> {
        match text.strip_prefix('-') {
            None => number(text)?.try_into().ok().map(Self),
            Some(digits) => 0i64.checked_sub_unsigned(number(digits)?).map(Self),
        }
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromValue for bool {
    const FORM: &'static str = "y or n";

    fn from_value(text: &str) -> Option<Self> {
        match text {
            "y" => Some(true),
            "n" => Some(false),
            _ => None,
        }
    }
}

impl FromValue for PageSize {
    const FORM: &'static str = "a power of two such as 4K or 2M";

    fn from_value(text: &str) -> Option<Self> {
        Self::from_bytes(number(text)?)
    }
}

impl FromValue for Rid {
    const FORM: &'static str = "a PCI function such as 00:01.0";

    fn from_value(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// The form in which [`Perms`] print: `r|w`, or `-` for none.
impl FromValue for Perms {
    const FORM: &'static str = "permissions such as r|w, or - for none";

    fn from_value(text: &str) -> Option<Self> {
        if text == "-" {
            return Some(Self::empty());
        }
        text.split('|').try_fold(Self::empty(), |perms, letter| {
            let flag = match letter {
                "r" => Self::READ,
                "w" => Self::WRITE,
                "x" => Self::EXEC,
                _ => return None,
            };
            (!perms.contains(flag)).then_some(perms | flag)
        })
    }
}

/// An address: a number, or a named area with an offset, such as `A+0x1000`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// The number itself.
    Absolute(u64),
    /// So many bytes into the area of that name.
    Area {
        /// Letters, digits and underscores; a letter first.
        name: String,
        /// Bytes.
        offset: u64,
    },
}

impl FromValue for Place {
    const FORM: &'static str = "an address such as 0x1000 or A+0x1000";

    fn from_value(text: &str) -> Option<Self> {
        if let Some(address) = number(text) {
            return Some(Self::Absolute(address));
        }
        let (name, offset) = match text.split_once('+') {
            Some((name, offset)) => (name, number(offset)?),
            None => (text, 0),
        };
        let mut letters = name.chars();
        let named = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        named.then(|| Self::Area { name: name.to_owned(), offset })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(address) => write!(f, "{address:#x}"),
            Self::Area { name, offset: 0 } => f.write_str(name),
            Self::Area { name, offset } => write!(f, "{name}+{offset:#x}"),
        }
    }
}

/// Any value: a word, or what stands between quotation marks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Text(pub String);

impl FromValue for Text {
    const FORM: &'static str = "a word, or text in quotation marks";

    fn from_value(text: &str) -> Option<Self> {
        let Some(quoted) = text.strip_prefix('"') else { return Some(Self(text.to_owned())) };
        let mut plain = String::new();
        let mut characters = quoted.strip_suffix('"')?.chars();
        while let Some(character) = characters.next() {
            plain.push(if character == '\\' { characters.next()? } else { character });
        }
        Some(Self(plain))
    }
}

/// Quoted where it has to be. Control characters, which a scenario cannot hold, become spaces.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = |c: char| !c.is_control() && !matches!(c, ' ' | '"' | '=');
        if !self.0.is_empty() && self.0.chars().all(bare) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                control if control.is_control() => f.write_str(" ")?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Values with commas between them; never empty.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct List<T>(pub Vec<T>);

impl<T: FromValue> FromValue for List<T> {
    const FORM: &'static str = "one or more values with commas between them";

    fn from_value(text: &str) -> Option<Self> {
        text.split(',').map(T::from_value).collect::<Option<Vec<_>>>().map(Self)
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, value) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            write!(f, "{separator}{value}")?;
        }
        Ok(())
    }
}
