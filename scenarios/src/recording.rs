//! Recordings of a real kernel: their files, read into types.
//!
//! A recording is one JSON object a line, in the order in which things happened; beside it lie a
//! `topo.jsonl` (the machine when it began) and `dumps/` (tables and queues at certain steps).
//! This room only reads. What a line asks of the model, and whether an answer agrees, is decided
//! where recordings are replayed.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`find`](mod@find), [`read`](mod@read) | which files are meant, and what are their lines? |
//! | [`line`](mod@line), [`step`] | what did a process ask, and what happened between its calls? |
//! | [`topo`] | what was the machine? |
//! | [`dump`], [`interrupts`] | what stood in memory, registers and `/proc/interrupts`? |
//! | `number`, `at` | how is a number written, and where does a line go wrong? |

mod at;
pub mod dump;
pub mod find;
pub mod interrupts;
pub mod line;
mod number;
pub mod read;
pub mod step;
pub mod topo;

pub use find::{Found, find};
pub use line::{IoctlArgument, IoctlLine, Line, MapLine, UnmapLine};
pub use read::{Lines, Record, Recording};
pub use step::Step;
pub use topo::Topology;
