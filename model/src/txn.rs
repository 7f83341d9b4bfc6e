//! Transactions on the bus: who asks, what a part wants done, and silence.

use crate::ats::{Invalidation, PageResponse};
use crate::{DeviceId, IntId, PhysAddr, StreamId, SubstreamId};
use core::fmt;

/// Memory did not answer at this address.
///
/// What it becomes depends on who asked: F_WALK_EABT, F_STE_FETCH, F_CD_FETCH, CERROR_ABT, or a
/// bus error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Abort(pub PhysAddr);

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer at {}", self.0)
    }
}

/// Who issues a transaction. It travels with the transaction and is set by the topology, so a
/// device cannot choose it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Requester {
    /// What the SMMU looks it up by.
    pub stream: StreamId,
    /// PASID, where the transaction carries one.
    pub substream: Option<SubstreamId>,
    /// What the ITS looks it up by.
    pub device: DeviceId,
}

/// What a part wants done elsewhere. Parts return effects; the machine performs them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// A pulse on a wired interrupt.
    Wire(IntId),
    /// A 32-bit write to memory or to a register, such as an MSI of the part itself.
    Write {
        /// Where.
        at: PhysAddr,
        /// What.
        data: u32,
        /// What the part that wants it knows it by; it is to be told if the write is aborted.
        tag: u32,
    },
    /// Stalled transactions of this stream may go on.
    Resume(StreamId),
    /// An ATS Invalidate Request to a device; its end has to be told.
    InvalidateAtc(Invalidation),
    /// A PRG Response to a device.
    RespondToPages(PageResponse),
}
