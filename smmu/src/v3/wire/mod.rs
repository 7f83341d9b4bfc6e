//! Layouts of SMMUv3, transcribed from Arm IHI 0070 G.b: positions and code points, no logic.
//!
//! A driver writes the same structures from its own transcription; the two meet only in memory,
//! and that is what finds a slip in either.

pub(crate) mod cd;
pub(crate) mod command;
pub(crate) mod event;
pub(crate) mod pri;
pub(crate) mod regs;
pub(crate) mod ste;

#[cfg(test)]
mod tests;
