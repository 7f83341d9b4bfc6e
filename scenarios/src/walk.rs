//! Inspection: dumped tables translated by the model, and single translations explained step by
//! step.
//!
//! A dump contains registers, structures, tables and queues of a real machine's SMMU at one moment.
//! Its bytes are loaded into memory, an SMMU of the model is programmed with its registers, and
//! every leaf is translated. The required answers come from a second walk, which shares nothing
//! with the SMMU's. Not here: replaying the calls before a dump ([`crate::replay`]).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `dumped_smmu`, `words` | what are the SMMU of the dump and its memory? |
//! | `second` | where do its tables lead, read a second time? |
//! | `look`, `answer` | does the SMMU answer the same? |
//! | `record` | which bits of an event record are determined, and what are they? |
//! | `expected` | what did the recording expect? |
//! | `queue` | are the dumped commands consumed? |
//! | `command` | what is a command called, and which bits are addresses and identifiers? |
//! | `report` | how are the results reported? |
//! | `listing` | what are every leaf and every command of the dump? |
//! | `its` | what do the commands and tables of an ITS's dump contain? |
//! | `tell` | how is one translation explained, step by step? |
//! | `trace` | does the SMMU answer as an emulator's log does? |
//! | `scene` | how is a translation on a scenario's machine explained? |

mod answer;
pub(crate) mod command;
mod dumped_smmu;
mod expected;
mod its;
mod listing;
mod look;
mod queue;
mod record;
mod report;
mod scene;
pub(crate) mod second;
mod tell;
mod trace;
mod words;

pub use dumped_smmu::DumpedSmmu;
pub use expected::{Expectations, expectations};
pub use its::ItsListing;
pub use listing::Listing;
pub use look::{Progress, look};
pub use report::{Difference, DumpReport};
pub use scene::{explain_in_scenario, explain_transaction_in_scenario};
pub use tell::{Field, NarratedStep, Narration, tell};
pub use trace::{TraceReport, follow};

#[cfg(test)]
mod tests;
