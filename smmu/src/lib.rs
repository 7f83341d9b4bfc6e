//! Arm System MMU hardware: registers, queues and tables in memory, translation.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`attributes`] | how is memory to be accessed: cached, shared, or as a device? |
//! | [`regime`] | what do the configuration structures amount to? |
//! | [`cache`] | how is a cache built: sets, ways, replacement? |
//! | [`tlb`] | which translations are remembered, and what makes them forgotten? |
//! | [`transaction`], [`progress`] | what is asked of an SMMU, and how far is it? |
//! | `stages`, `front` | what do two stages of tables, and the TLB, make of an address? |
//! | [`named`], `descriptor` | what do registers and descriptors say, field by field? |
//! | [`choice`] | where does the architecture leave a choice, and what is chosen? |
//! | [`v2`] | SMMUv2 and SMMUv1: stream mapping, context banks, invalidation and faults by registers |
//! | [`v3`] | SMMUv3: how a transaction finds its regime, how commands arrive, how faults are told |
//!
//! This crate knows memory, and nothing of who writes the structures into it. It performs
//! nothing outside: interrupts and message writes are returned as effects.

pub mod attributes;
pub mod cache;
pub mod choice;
mod descriptor;
mod front;
pub mod named;
pub mod progress;
pub mod regime;
mod stages;
pub mod tlb;
pub mod transaction;
pub mod v2;
pub mod v3;

pub use choice::Choices;
pub use v2::SmmuV2;
pub use v3::SmmuV3;
