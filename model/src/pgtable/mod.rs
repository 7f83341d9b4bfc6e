//! One page-table engine for hardware and software.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`vmsav8`] | how is a descriptor encoded? (VMSAv8-64, stages 1 and 2, granules 4K, 16K, 64K) |
//! | [`vmsav7l`] | which shapes do long-descriptor tables of AArch32 have? |
//! | [`vmsav7s`] | how are short descriptors encoded, walked, mapped and unmapped? |
//! | [`walk`] | what does hardware read out of the tables for one address? |
//! | [`table`] | how does software map and unmap, which block sizes, when are tables freed? |
//! | [`gather`] | what must be invalidated before pages may be freed? |
//!
//! Hardware and software share the descriptor format, and only that. Memory dumps of real kernels,
//! and a second walker written independently of this one, check it.

pub mod gather;
pub mod table;
pub mod vmsav7l;
pub mod vmsav7s;
pub mod vmsav8;
pub mod walk;

#[cfg(test)]
mod tests;
