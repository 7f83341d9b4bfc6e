//! Recordings of a real kernel: their files, read into types.
//!
//! A recording is one JSON object per line, in the order of events; beside it are a `topo.jsonl`
//! (the machine at its start) and `dumps/` (tables and queues at certain steps). This room only
//! reads files: [`replay`](crate::replay) performs the lines and compares the answers.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`find`](mod@find), [`read`](mod@read) | which files are recordings, and what are their lines? |
//! | [`line`](mod@line), [`step`] | what did a process call, and what happened between its calls? |
//! | [`topo`] | what was the machine? |
//! | [`dump`], [`interrupts`] | what did memory, registers and `/proc/interrupts` contain? |
//! | `number`, `at` | how is a number written, and where is a line wrong? |

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
