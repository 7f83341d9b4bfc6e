//! Layouts of SMMUv3, transcribed from Arm IHI 0070 G.b: positions and code points, no logic.
//!
//! A driver writes the same structures from its own transcription. The two meet only in memory,
//! where an error in either shows.
//!
//! | room | what it holds |
//! | --- | --- |
//! | `regs` | registers |
//! | `ste`, `cd` | the Stream table, the CD table |
//! | `command` | commands of the Command queue |
//! | `event`, `pri` | records of the Event queue, and of the PRI queue |

pub(crate) mod cd;
pub(crate) mod command;
pub(crate) mod event;
pub(crate) mod pri;
pub(crate) mod regs;
pub(crate) mod ste;

#[cfg(test)]
mod tests;
