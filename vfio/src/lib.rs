//! The Linux side of device passthrough.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`call`] | what can a process ask, and what does it get back? |
//! | [`kernel`] | which part serves which call? |
//! | [`operation`] | what does a call leave to be done to hardware? |
//! | `lock` | which calls wait for one another? |
//! | [`policy`] | in what do kernels differ, and which is this one? |
//! | [`rules`] | by which checks does VFIO refuse? |
//! | `memory` | what does a process load and store, and where do its pages lie? |
//! | [`process`] | what does a process have: descriptors, areas, frames, limits? |
//! | [`uapi`] | which bytes does a process pass, and what do they ask? |
//! | `container`, `group` | who is in which container, who may be opened? |
//! | [`device`] | what does a device file show, and what do its interrupts signal? |
//! | [`file`](mod@file), `pci`, `platform`, `sysfs` | what is behind a descriptor, a driver's name, a path? |
//! | [`type1`] | may this be mapped, what is unmapped, which pages are pinned? |
//! | `in_kernel` | what does the IOMMU core answer a driver that is not VFIO? |
//! | [`iommu`] | which domain translates for a group, and what does its driver tell the SMMU? |
//! | [`irq`] | how does an interrupt find who serves it? |
//! | `told` | what follows when an eventfd is signalled that the kernel waits for? |
//! | [`msi`] | how does a device come to messages? |
//! | [`verdict`] | what does a kernel do that no return value tells? |
//! | [`view`] | how does the kernel's state look from outside? |
//! | [`step`] | where can an operation stop in the middle? |
//!
//! Not here: the SMMU and the interrupt controllers. This side reaches hardware only through
//! [`passim_model::Host`]: memory and registers.

pub mod call;
mod container;
pub mod device;
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
mod told;
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
