//! Arm System MMU hardware: registers, queues and tables in memory, translation.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`attributes`] | how is memory to be accessed: cached, shared, or as a device? |
//! | [`regime`] | which decoded configuration decides a translation? |
//! | [`cache`] | how is a cache built: sets, ways, replacement? |
//! | [`tlb`] | which translations are cached, and what invalidates them? |
//! | [`transaction`], [`progress`] | what are a transaction and its answer, and what is counted? |
//! | `stages`, `front` | how do two stages of tables, and the TLB, translate an address? |
//! | [`named`], `descriptor` | which fields do registers and descriptors have, and what do they mean? |
//! | [`choice`] | where does the architecture leave a choice, and what is chosen? |
//! | [`v2`] | SMMUv2 and SMMUv1: stream mapping, context banks, invalidation and faults by registers |
//! | [`v3`] | SMMUv3: how a transaction finds its regime, how commands arrive, how faults are reported |
//!
//! This crate reads structures from memory and does not depend on what wrote them. It changes
//! nothing outside of memory: it returns interrupts and message writes as effects.

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
