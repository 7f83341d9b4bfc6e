//! Generates, from a table of verbs, a type that reads and prints as a line: the expansion of the
//! declarations in [`op`](super). Not here: the verbs.

/// A verb, for the manual.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verb {
    /// The first word of the line.
    pub name: &'static str,
    /// Its effect, in one sentence.
    pub does: &'static str,
    /// Its arguments.
    pub arguments: &'static [Argument],
}

/// An argument of a verb, for the manual.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argument {
    /// How it is given.
    pub form: Form,
    /// The key; for a word without a key, its meaning.
    pub key: &'static str,
    /// Its meaning, in one sentence.
    pub does: &'static str,
    /// The form of its value; empty where the keys are names of fields.
    pub takes: &'static str,
}

/// How an argument is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// By its place, without a key.
    Word,
    /// As `key=value`.
    Required,
    /// As `key=value`, or not at all.
    Optional,
    /// As any number of `key=value`, whose keys are names of fields.
    Fields,
}

/// The [`Form`] of a field.
macro_rules! form {
    (word) => {
        Form::Word
    };
    (key) => {
        Form::Required
    };
    (opt) => {
        Form::Optional
    };
    (rest) => {
        Form::Fields
    };
}

/// The type of a field: an optional key is an `Option`.
macro_rules! field {
    (opt $type:ty) => { Option<$type> };
    ($how:ident $type:ty) => { $type };
}

/// The form of a value.
macro_rules! takes {
    (rest $type:ty) => {
        ""
    };
    ($how:ident $type:ty) => {
        <$type as crate::script::FromValue>::FORM
    };
}

/// Takes one field from the arguments.
macro_rules! take {
    ($args:ident, word, $key:literal) => {
        $args.word($key)?
    };
    ($args:ident, key, $key:literal) => {
        $args.required($key)?
    };
    ($args:ident, opt, $key:literal) => {
        $args.optional($key)?
    };
    ($args:ident, rest, $key:literal) => {
        $args.fields()?
    };
}

/// Adds one field to a line.
macro_rules! put {
    ($line:ident, word, $key:literal, $field:ident) => {
        $line.word($field)
    };
    ($line:ident, key, $key:literal, $field:ident) => {
        $line.key($key, $field)
    };
    ($line:ident, opt, $key:literal, $field:ident) => {
        match $field {
            Some(value) => $line.key($key, value),
            None => $line,
        }
    };
    ($line:ident, rest, $key:literal, $field:ident) => {
        $field.0.iter().fold($line, |line, (key, value)| line.key(key, crate::op::Number(*value)))
    };
}

macro_rules! operations {
    (
        $(#[doc = $enum_doc:literal])+
        enum $Name:ident;
        $(families { $($(#[doc = $family_doc:literal])+ $Family:ident($family:ty),)* })?
        $(
            $(#[doc = $doc:literal])+
            $variant:ident = $verb:literal {
                $($(#[doc = $field_doc:literal])+ $how:ident $field:ident: $type:ty = $key:literal,)*
            }
        )*
    ) => {
        $(#[doc = $enum_doc])+
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum $Name {
            $($(#[doc = $doc])+ $variant {
                $($(#[doc = $field_doc])+ $field: field!($how $type),)*
            },)*
            $($($(#[doc = $family_doc])+ $Family($family),)*)?
        }

        impl $Name {
            /// The verbs declared here, in the order of a manual.
            const OWN: &[Verb] = &[$(Verb {
                name: $verb,
                does: concat!($($doc),+),
                arguments: &[$(Argument {
                    form: form!($how),
                    key: $key,
                    does: concat!($($field_doc),+),
                    takes: takes!($how $type),
                },)*],
            }),*];

            /// Every verb, in the order of a manual, families last.
            pub fn verbs() -> Vec<&'static Verb> {
                #[allow(unused_mut, reason = "a declaration without families adds none")]
                let mut verbs: Vec<_> = Self::OWN.iter().collect();
                $($(verbs.extend(<$family>::verbs());)*)?
                verbs
            }

            /// Reads an operation from a line of `source`.
            ///
            /// # Errors
            /// No such verb, or arguments it does not take.
            pub fn read(source: &SourceText, line: &Invocation) -> Result<Self, InputError> {
                let verb = line.verb.text.as_str();
                $($(if <$family>::verbs().iter().any(|own| own.name == verb) {
                    return <$family>::read(source, line).map(Self::$Family);
                })*)?
                let own = Self::OWN.iter().filter(|own| own.name == verb);
                let keys = own.flat_map(|own| own.arguments).map(|argument| argument.key);
                let mut args = Args::new(source, line)?.with_keys(keys);
                let op = match verb {
                    $($verb => Self::$variant { $($field: take!(args, $how, $key),)* },)*
                    _ => {
                        let names: Vec<_> = Self::verbs().iter().map(|verb| verb.name).collect();
                        return Err(unknown_verb(source, line, &names));
                    }
                };
                args.finish()?;
                Ok(op)
            }

            /// The operation as a line of words.
            pub fn invocation(&self) -> Invocation {
                match self {
                    $(Self::$variant { $($field,)* } => {
                        let line = Invocation::new($verb);
                        $(let line = put!(line, $how, $key, $field);)*
                        line
                    })*
                    $($(Self::$Family(op) => op.invocation(),)*)?
                }
            }
        }
    };
}
