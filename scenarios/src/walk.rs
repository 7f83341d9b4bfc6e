//! Looking in: dumped tables put before the SMMU, and single translations told step by step.
//!
//! A dump holds registers, structures, tables and queues of a real machine's SMMU at one moment.
//! Its bytes are put into a memory, an SMMU of the model is programmed with its registers, and
//! devices ask it for every leaf. What they must be answered is read a second time, by a walk that
//! shares nothing with the SMMU's. Not here: replaying what led to a dump ([`crate::replay`]).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `stand` | what is the SMMU of the dump? |
//! | `second` | what do its tables say, read a second time? |
//! | `look` | does the SMMU say the same? |
//! | `expected` | and what did the recording expect? |
//! | `report` | how is it told? |

mod expected;
mod look;
mod report;
pub(crate) mod second;
mod stand;

pub use expected::{Expectations, expectations};
pub use look::{Progress, look};
pub use report::{Difference, DumpReport};
pub use stand::Stand;

#[cfg(test)]
mod tests;
