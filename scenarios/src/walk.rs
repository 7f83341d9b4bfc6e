//! Looking in: dumped tables put before the SMMU, and single translations told step by step.
//!
//! A dump holds registers, structures, tables and queues of a real machine's SMMU at one moment.
//! Its bytes are put into a memory, an SMMU of the model is programmed with its registers, and
//! devices ask it for every leaf. What they must be answered is read a second time, by a walk that
//! shares nothing with the SMMU's. Not here: replaying what led to a dump ([`crate::replay`]).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `stand`, `words` | what is the SMMU of the dump, and what its memory? |
//! | `second` | what do its tables say, read a second time? |
//! | `look`, `answer` | does the SMMU say the same? |
//! | `record` | what must a record say, and what may it? |
//! | `expected` | and what did the recording expect? |
//! | `queue` | are the dumped commands consumed? |
//! | `command` | what is a command called, and which of its bits name somebody? |
//! | `report` | how is it told? |
//! | `listing` | what are every leaf and every command of the dump? |
//! | `its` | what does a dump of an ITS say? |
//! | `tell` | what became of one translation, step by step? |
//! | `trace` | what does the SMMU answer to what an emulator's log saw? |
//! | `scene` | and on the machine of a scenario? |

mod answer;
pub(crate) mod command;
mod expected;
mod its;
mod listing;
mod look;
mod queue;
mod record;
mod report;
mod scene;
pub(crate) mod second;
mod stand;
mod tell;
mod trace;
mod words;

pub use expected::{Expectations, expectations};
pub use its::ItsListing;
pub use listing::Listing;
pub use look::{Progress, look};
pub use report::{Difference, DumpReport};
pub use scene::{explain_in_scenario, explain_transaction_in_scenario};
pub use stand::Stand;
pub use tell::{Field, Told, ToldStep, tell};
pub use trace::{TraceReport, follow};

#[cfg(test)]
mod tests;
