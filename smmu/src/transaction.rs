//! Transactions and their translations, in one form for every version of the SMMU.
//!
//! Not here: what happens to a refused transaction, which each version defines.

use crate::attributes::Attributes;
use passim_model::access::{Access, Perms};
use passim_model::{Iova, PhysAddr, Requester};

/// One bus transaction: it faults as a whole and records at most one event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transaction {
    /// The StreamID, and the SubstreamID if the transaction carries one.
    pub requester: Requester,
    /// The address on the bus.
    pub iova: Iova,
    /// The access it requests.
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

/// The answer to a transaction that proceeds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Translated {
    /// The physical address of the transaction's own byte, not of its page.
    pub pa: PhysAddr,
    /// What accesses of the transaction's privilege may do at this address.
    pub perms: Perms,
    /// log2 of the page, in bytes, that the answer is valid for; 64 where nothing translates.
    pub lg2: u8,
    /// How it was found.
    pub path: Path,
    /// Memory attributes of the outgoing access.
    pub attributes: Attributes,
}
