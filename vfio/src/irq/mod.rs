//! Interrupts on the Linux side.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`facts`] | what does firmware say of interrupt controllers and messages? |
//! | `number` | which numbers does Linux give? |
//! | `lines` | which interrupts are there, who serves them, on which CPU? |
//! | `chip` | what does the kernel ask of a controller, whichever it is? |
//! | `gicv2`, `gicv3` | what do the drivers tell their registers? |
//! | `wire` | where are the bits? |
//! | `registry` | which doorbells are there, and are they safe? |
//! | `serve` | what happens when a CPU is interrupted? |
//! | [`view`] | what does `/proc/interrupts` say? |
//!
//! Not here: where messages come from (MSI domains), and LPIs, which the ITS driver switches on and
//! off.

mod chip;
pub mod facts;
mod gicv2;
mod gicv3;
mod lines;
mod number;
pub(crate) mod registry;
mod serve;
pub mod view;
mod wire;

pub use facts::{FrameFacts, GicFacts, HeldFacts, InterruptFacts, SmmuWireFacts};
pub(crate) use gicv3::{Redistributor, default_priority, intid_bits, num_lpis, redistributors};
pub(crate) use lines::{Irqs, Service, Title};
pub use view::InterruptView;

#[cfg(test)]
mod tests;
