//! From a table of verbs to a type that reads and prints as a line: what the declarations in
//! [`op`](super) expand to. Not here: the verbs.

/// A verb, as a manual has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verb {
    /// What a line begins with.
    pub name: &'static str,
    /// What it does, a sentence.
    pub does: &'static str,
    /// What follows it.
    pub arguments: &'static [Argument],
}

/// An argument of a verb, as a manual has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argument {
    /// How it is given.
    pub form: Form,
    /// The key; of a word without one, what it is.
    pub key: &'static str,
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
}

/// The type of a field: an optional key is an `Option`.
macro_rules! field {
    (opt $type:ty) => { Option<$type> };
    ($how:ident $type:ty) => { $type };
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
}

macro_rules! operations {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $verb:literal {
            $($(#[doc = $field_doc:literal])+ $how:ident $field:ident: $type:ty = $key:literal,)*
        }
    )*) => {
        /// One operation of a scenario. See the [module](self).
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Op {
            $($(#[doc = $doc])+ $variant {
                $($(#[doc = $field_doc])+ $field: field!($how $type),)*
            },)*
        }

        /// Every verb, in the order of a manual.
        pub const VERBS: &[Verb] = &[$(Verb {
            name: $verb,
            does: concat!($($doc),+),
            arguments: &[$(Argument { form: form!($how), key: $key },)*],
        }),*];

        /// The verbs alone.
        const NAMES: &[&str] = &[$($verb),*];

        impl Op {
            /// Reads an operation that stands in `source`.
            ///
            /// # Errors
            /// No such verb, or arguments it does not take.
            pub fn read(source: &SourceText, line: &Invocation) -> Result<Self, InputError> {
                let mut args = Args::new(source, line)?;
                let op = match line.verb.text.as_str() {
                    $($verb => Self::$variant { $($field: take!(args, $how, $key),)* },)*
                    _ => return Err(unknown_verb(source, line, NAMES)),
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
                }
            }
        }
    };
}
