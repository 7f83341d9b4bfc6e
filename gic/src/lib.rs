//! Arm interrupt controller hardware.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`access`] | how wide is an access, which CPU makes it, what happens on a wire? |
//! | [`state`] | pending, active, or both: what becomes of an interrupt? |
//! | [`v2m`] | GICv2m: which SPI does a message raise? |
//! | [`v2`] | GICv2: distributor and CPU interfaces, and the frames beside them |
//!
//! This crate knows memory, and nothing of who writes registers and tables. It performs nothing
//! outside: what a part wants done elsewhere is returned.

pub mod access;
mod row;
pub mod state;
pub mod v2;
pub mod v2m;

pub use access::{Cpu, Signal, Size};
pub use v2::GicV2;
