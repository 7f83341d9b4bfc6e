//! Groups: devices that an IOMMU cannot isolate from one another, and their owner.
//!
//! Not here: which devices form a group ([`groups`](passim_model::topology::groups)).

use super::DomainId;
use super::reserved::ReservedRegion;

/// The translation of a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Translation {
    /// A domain.
    Domain(DomainId),
    /// Nothing: every access aborts.
    Blocked,
}

/// Who controls a group's DMA.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// The drivers of its devices, through the default domain.
    Kernel,
    /// Whoever claimed it.
    User,
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    /// Index of the driver that translates for it.
    pub(super) driver: usize,
    /// Indices of its devices, in the order in which they joined.
    pub(super) devices: Vec<usize>,
    /// The domain that the kernel's drivers use.
    pub(super) default: DomainId,
    /// The domain of a claimed group, where blocking takes one; allocated when first needed.
    pub(super) blocking: Option<DomainId>,
    pub(super) translation: Translation,
    pub(super) owner: Owner,
    pub(super) reserved: Vec<ReservedRegion>,
}
