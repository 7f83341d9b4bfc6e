//! Interrupts on the Linux side.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`facts`] | what does firmware say of interrupt controllers and messages? |

pub mod facts;

pub use facts::{FrameFacts, GicFacts, HeldFacts, InterruptFacts, SmmuWireFacts};
