//! The code is checked against its own rules.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `edges` | which crate imports which? |
//! | `rooms` | are files and functions short, and do tables name every room? |
//! | `tree` | which files belong to the project? |
//! | `words` | which words and constructs are ruled out? |

mod edges;
mod rooms;
mod tree;
mod words;
