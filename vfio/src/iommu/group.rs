//! Groups: devices that cannot be told apart by an IOMMU, and who has them.
//!
//! Which devices make a group is decided before: [`groups`](passim_model::topology::groups).

use super::DomainId;
use super::reserved::ReservedRegion;

/// What translates for a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Translation {
    /// A domain.
    Domain(DomainId),
    /// Nothing: every access aborts.
    Blocked,
}

/// Who may decide over a group's DMA.
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
    /// Indices of its devices, in the order in which they came.
    pub(super) devices: Vec<usize>,
    /// What drivers of the kernel use.
    pub(super) default: DomainId,
    /// What an owner gets at first, where blocking takes a domain; made when first needed.
    pub(super) blocking: Option<DomainId>,
    pub(super) translation: Translation,
    pub(super) owner: Owner,
    pub(super) reserved: Vec<ReservedRegion>,
}
