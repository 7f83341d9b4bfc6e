//! Arm interrupt controller hardware.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`access`] | how wide is an access, which CPU makes it, how does a wire change? |
//! | [`state`] | pending, active, or both: which state does each event lead to? |
//! | [`v2m`] | GICv2m: which SPI does a message raise? |
//! | [`choice`] | where does the architecture leave a choice, and what is chosen? |
//! | [`v2`] | GICv2: distributor, CPU interfaces, and GICv2m frames |
//! | [`v3`] | GICv3: distributor, redistributors with LPIs, CPU interfaces |
//! | `priority` | which bits of a priority exist, and which of them decide preemption? |
//! | `row` | which bits do 32 interrupts have in a register? |
//! | `chance` | which values does a seed draw for choices made at random? |
//! | [`identification`] | what do the identification registers at the end of a frame read? |
//! | `attributes` | which memory attributes do registers keep? |
//! | [`its`] | ITS: which LPI does a message raise, and at which CPU? |
//!
//! This crate depends on memory alone; it does not model the software that writes registers and
//! tables. A part that needs something done by another part returns it as a value.

pub mod access;
mod attributes;
mod chance;
pub mod choice;
pub mod identification;
pub mod its;
mod priority;
mod row;
pub mod state;
pub mod v2;
pub mod v2m;
pub mod v3;

pub use access::{Cpu, Progress, Signal, Size};
pub use its::Its;
pub use v2::GicV2;
pub use v3::GicV3;
