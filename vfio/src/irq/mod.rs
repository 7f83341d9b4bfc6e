//! Interrupts on the Linux side.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`facts`] | what does firmware report about interrupt controllers and messages? |
//! | `number` | which numbers does Linux assign? |
//! | `lines` | which interrupts exist, and what are their handlers, CPUs and counts? |
//! | `chip` | what does the kernel ask of a controller of either version? |
//! | `gicv2`, `gicv3` | which registers do the drivers program? |
//! | `wire` | which fields do registers have? |
//! | `registry` | which doorbells exist, and are they safe? |
//! | `serve` | what happens when a CPU is interrupted? |
//! | [`view`] | what does `/proc/interrupts` show? |
//!
//! Not here: the sources of messages (MSI domains), and LPIs, which the ITS driver enables and
//! disables.

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
