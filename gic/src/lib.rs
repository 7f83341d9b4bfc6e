//! Arm interrupt controller hardware.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`access`] | how wide is an access, which CPU makes it, what happens on a wire? |
//! | [`state`] | pending, active, or both: what becomes of an interrupt? |
//! | [`v2m`] | GICv2m: which SPI does a message raise? |
//! | [`choice`] | where does the architecture leave a choice, and what is chosen? |
//! | [`v2`] | GICv2: distributor and CPU interfaces, and the frames beside them |
//! | [`v3`] | GICv3: distributor, redistributors with LPIs, CPU interfaces |
//! | `priority` | which priorities are there, and which of them preempt? |
//! | `row` | which bits do 32 interrupts have in a register? |
//! | `chance` | what is drawn where a choice is by chance? |
//! | [`identification`] | which part is it, by the registers at the end of its frame? |
//! | `attributes` | which memory attributes do registers keep? |
//! | [`its`] | ITS: which LPI does a message raise, and whose is it? |
//!
//! This crate knows memory, and nothing of who writes registers and tables. It performs nothing
//! outside: what a part wants done elsewhere is returned.

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
