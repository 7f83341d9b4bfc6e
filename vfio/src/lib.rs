//! The Linux side of device passthrough.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`policy`] | in what do kernels differ, and which is this one? |
//! | [`process`] | what does a process have: descriptors, areas, frames, limits? |
//! | [`uapi`] | which bytes does a process pass, and what do they ask? |
//! | [`type1`] | may this be mapped, what is unmapped, which pages are pinned? |
//! | [`iommu`] | which domain translates for a group, and what does its driver tell the SMMU? |
//! | [`step`] | where can an operation stop in the middle? |
//!
//! Not here: the SMMU and the interrupt controllers. This side reaches hardware only through
//! [`passim_model::Host`]: memory and registers.

pub mod policy;
pub mod step;
