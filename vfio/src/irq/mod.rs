//! Interrupts on the Linux side.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`facts`] | what does firmware say of interrupt controllers and messages? |
//! | `registry` | which doorbells are there, and are they safe? |

pub mod facts;
pub(crate) mod registry;

pub use facts::{FrameFacts, GicFacts, HeldFacts, InterruptFacts, SmmuWireFacts};
