//! Assembles machines, runs scenarios and replays recordings; the passim command.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`machine`] | what is a machine made of? |
//! | [`system`] | how does it run, and what do devices reach? |
//! | [`op`], [`script`] | what does a line of a scenario say? |
//! | `find_files` | which files are in a folder? |
//! | `ioctl` | which numbers and structures do VFIO's ioctls have? |
//! | [`run`] | what does the line do? |
//! | [`chosen`] | which kernel, with which choices? |
//! | [`recording`] | what did a real kernel do? |
//! | [`replay`] | does the model do the same? |
//! | [`diff`] | what does another kernel answer, and why? |
//! | [`explain`] | why was a request refused, and what would be accepted? |
//! | [`rulebook`] | which calls check a rule, where, and in which recording? |
//! | [`walk`] | what do dumped tables translate to, and why? |
//! | [`draw`] | how is it drawn, as a page or a picture? |
//! | [`docs`] | which pages of the documentation are generated? |
//! | [`cli`] | which commands and arguments does the shell offer? |
//! | [`input_error`] | what is wrong with a file, and where? |

pub mod chosen;
pub mod cli;
pub mod diff;
pub mod docs;
pub mod draw;
pub mod explain;
mod find_files;
pub mod input_error;
mod ioctl;
pub mod machine;
pub mod op;
pub mod recording;
pub mod replay;
pub mod rulebook;
pub mod run;
pub mod script;
pub mod system;
pub mod walk;
