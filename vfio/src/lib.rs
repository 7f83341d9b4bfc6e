//! The Linux side of device passthrough.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`call`] | which system calls does a process make, and what do they return? |
//! | [`kernel`] | which part serves which call? |
//! | [`operation`] | which acts on hardware does a call leave? |
//! | `lock` | which locks do system calls take? |
//! | [`policy`] | in what do kernels differ, and which one is this? |
//! | [`rules`] | which checks of VFIO refuse a call? |
//! | `memory` | what does a process load and store, and where are its pages? |
//! | [`process`] | what does a process have: descriptors, areas, frames, limits? |
//! | [`uapi`] | which structures and requests does a process pass? |
//! | `container`, `group` | which groups are in a container, which may be opened? |
//! | [`device`] | what does a device file offer, and what do its interrupts signal? |
//! | [`file`](mod@file), `pci`, `platform`, `sysfs` | what does a descriptor, a driver's name or a path refer to? |
//! | [`type1`] | may a range be mapped, what is unmapped, which pages are pinned? |
//! | `in_kernel` | what does the IOMMU core return to a driver that is not VFIO? |
//! | [`iommu`] | which domain translates for a group, and how is the SMMU programmed? |
//! | [`irq`] | how does an interrupt reach its handler? |
//! | `eventfd_waits` | what does the signal of an eventfd cause in the kernel? |
//! | [`msi`] | how are MSI vectors allocated? |
//! | [`verdict`] | which kernel misbehaviour does no return value show? |
//! | [`view`] | how is the kernel's state inspected? |
//! | [`step`] | where can an operation stop in the middle? |
//!
//! Not here: the SMMU and the interrupt controllers. This side reaches hardware only through
//! [`passim_model::Host`]: memory and registers.

pub mod call;
mod container;
pub mod device;
mod eventfd_waits;
pub mod file;
mod group;
mod in_kernel;
pub mod iommu;
pub mod irq;
pub mod kernel;
mod lock;
mod memory;
pub mod msi;
pub mod operation;
mod pci;
mod platform;
pub mod policy;
pub mod process;
pub mod rules;
pub mod step;
mod sysfs;
#[cfg(test)]
mod testkit;
pub mod type1;
pub mod uapi;
pub mod verdict;
pub mod view;

pub use call::{Answer, Arg, Call, MapKind, Protection};
pub use kernel::{Boot, Kernel, Params};
pub use operation::Operation;
pub use policy::{Policy, Profile};
pub use process::Pid;
pub use verdict::{Severity, Verdict};
