//! What is asked of an SMMU, and how a translation is told: one form for every version of it.
//!
//! Not here: what becomes of a transaction that is refused, which is each version's own.

use crate::attributes::Attributes;
use passim_model::access::{Access, Perms};
use passim_model::{Iova, PhysAddr, Requester};

/// One bus transaction: it faults as a whole and records at most one event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transaction {
    /// Who asks.
    pub requester: Requester,
    /// The address on the bus.
    pub iova: Iova,
    /// What is asked for.
    pub access: Access,
}

/// How a translation was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Path {
    /// The SMMU is disabled and lets transactions through.
    Disabled,
    /// The stream bypasses both stages.
    Bypass,
    /// In the TLB.
    Hit,
    /// By walking tables.
    Walk,
}

/// A transaction that may go on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Translated {
    /// Where: the physical address of the transaction's own byte, not of its page.
    pub pa: PhysAddr,
    /// What accesses of this privilege may do here.
    pub perms: Perms,
    /// log2 of the page the answer holds for; 64 where nothing translates.
    pub lg2: u8,
    /// How it was found.
    pub path: Path,
    /// Memory attributes it goes on with.
    pub attributes: Attributes,
}
