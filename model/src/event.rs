//! One vocabulary of trace events, so that a reader of a trace learns each name once.
//!
//! Parts emit through `tracing` with these targets; only the binary installs a subscriber.

/// A state of the Linux side changed: container, group, device, slot.
pub const VFIO: &str = "vfio";
/// A page table, a domain or a driver's structure in memory changed.
pub const IOMMU: &str = "iommu";
/// A command was consumed or a queue moved.
pub const QUEUE: &str = "queue";
/// A transaction was translated or faulted.
pub const TRANSLATE: &str = "translate";
/// A cache took or dropped entries.
pub const CACHE: &str = "cache";
/// A register was stored to.
pub const REGISTER: &str = "register";
