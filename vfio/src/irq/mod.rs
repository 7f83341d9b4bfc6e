//! Interrupts on the Linux side.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`facts`] | what does firmware say of interrupt controllers and messages? |
//! | `number` | which numbers does Linux give? |
//! | `lines` | which interrupts are there, who serves them, on which CPU? |
//! | `gicv2` | what does the GICv2 driver tell its registers? |
//! | `wire` | where are the bits? |
//! | `registry` | which doorbells are there, and are they safe? |
//! | `serve` | what happens when a CPU is interrupted? |
//! | [`view`] | what does `/proc/interrupts` say? |
//!
//! Not here: where messages come from (MSI domains), and LPIs, which need a GICv3's driver.

pub mod facts;
mod gicv2;
mod lines;
mod number;
pub(crate) mod registry;
mod serve;
pub mod view;
mod wire;

pub use facts::{FrameFacts, GicFacts, HeldFacts, InterruptFacts, SmmuWireFacts};
pub(crate) use lines::{Irqs, Service, Title};
pub use view::InterruptView;
