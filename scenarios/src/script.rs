//! The language of scenarios: operations, and below each what happened.
//!
//! A file is lines. A line is blank, a comment (`#` in its first column), an operation
//! (`verb key=value ...`), or, indented by two spaces, one line of what the operation above it
//! brought about. There is nothing else: no includes, no variables, no nesting.
//!
//! This room knows the form only. Which verbs there are, what their values mean and what happens
//! is for those who run a scenario.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `parse`, `ast` | what does a file say, byte by byte? |
//! | `value`, `number` | what is an argument's value? |
//! | `compare` | is what happened what the file says? |
//! | `bless` | how is what happened written down? |

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
