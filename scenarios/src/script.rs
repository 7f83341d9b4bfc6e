//! The language of scenarios: operations, each followed by its outcome.
//!
//! A file consists of lines. A line is blank, a comment (`#` in its first column), an operation
//! (`verb key=value ...`), or, indented by two spaces, one line of the outcome of the operation
//! above it. There are no includes, no variables, no nesting.
//!
//! This room parses the form only. Verbs are declared in [`op`](crate::op) and performed in
//! [`run`](crate::run).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `parse`, `ast` | what does a file contain, byte by byte? |
//! | `value`, `number` | what is an argument's value? |
//! | `compare` | does the outcome match the file? |
//! | `bless` | how is an outcome written into the file? |

mod ast;
mod bless;
mod compare;
mod number;
mod parse;
mod value;

pub use ast::{Arg, Block, Invocation, Item, ItemKind, Script, Word};
pub use compare::{Difference, compare, same};
pub use number::number;
pub use parse::{MAX_LINE_BYTES, invocation};
pub use value::{Args, FieldValues, FromValue, List, Place, Signed, Text, unknown_verb};

#[cfg(test)]
mod tests;
