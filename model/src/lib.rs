//! The vocabulary of every other part of Passim, and physical memory.
//!
//! # Glossary
//!
//! | word | meaning here, and only so |
//! | --- | --- |
//! | *IOVA* ([`Iova`]) | the address a device puts on the bus: input of stage 1, or of stage 2 where stage 1 is absent |
//! | *IPA* ([`Ipa`]) | output of stage 1, input of stage 2 |
//! | *physical address* ([`PhysAddr`]) | what RAM and registers answer to |
//! | *user address* ([`UserAddr`]) | an address in a process; becomes physical only by pinning |
//! | *start*, *last* | first and last address of a range, both inside it; never an exclusive end |
//! | *granule* | the size of a page-table page and of a leaf at the last level: 4K, 16K or 64K |
//! | *leaf* | a descriptor that translates: a page, or a block at a higher level |
//! | *level* | 0 to 3, 3 being the last |
//! | *stage* | 1 or 2, one set of tables |
//! | *lg2* | base-2 logarithm; `lg2` of a size is its shift |
//! | *regime* | everything that decides one translation: STE and CD, or S2CR and CBAR, decoded |
//! | *refusal* | a kernel's errno together with the rule that gave it ([`Refusal`]) |
//! | *abort* | memory did not answer ([`Abort`]) |
//! | *effect* | an action of one part on another ([`Effect`]); returned, never performed |
//!
//! This crate has no register, no table entry of an SMMU and no system call: those belong to the
//! siblings (`smmu`, `gic`, `vfio`), which all depend on this crate and never import one another.

pub mod access;
pub mod addr;
pub mod ats;
pub mod bits;
pub mod bus;
pub mod device;
pub mod errno;
pub mod event;
pub mod frames;
pub mod host;
pub mod id;
pub mod memory;
pub mod page;
pub mod pci;
pub mod pgtable;
pub mod rule;
pub mod topology;
pub mod txn;

pub use access::{Access, Direction, Perms, Privilege};
pub use addr::{Address, Iova, Ipa, PhysAddr, Span, UserAddr};
pub use bus::{AddressMap, Target};
pub use errno::Errno;
pub use frames::Frames;
pub use host::{Host, ICC_SPURIOUS, IccRegister, Width};
pub use id::{Asid, DeviceId, Endpoint, EventId, IntId, Rid, StreamId, SubstreamId, Vmid};
pub use memory::Memory;
pub use page::{PageSize, PageSizes};
pub use rule::{Conflict, Refusal, Rule};
pub use topology::Topology;
pub use txn::{Abort, Effect, Requester};
