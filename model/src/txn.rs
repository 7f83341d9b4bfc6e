//! Bus transactions: their requesters, the effects of parts, and aborts.

use crate::ats::{Invalidation, PageResponse};
use crate::{DeviceId, IntId, PhysAddr, StreamId, SubstreamId};
use core::fmt;

/// Memory did not answer at this address.
///
/// The consequence depends on the requester: F_WALK_EABT, F_STE_FETCH, F_CD_FETCH, CERROR_ABT, or a
/// bus error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Abort(pub PhysAddr);

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer at {}", self.0)
    }
}

/// The issuer of a transaction. It travels with the transaction and is set by the topology, so a
/// device cannot choose it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Requester {
    /// The StreamID, for the SMMU.
    pub stream: StreamId,
    /// PASID, where the transaction carries one.
    pub substream: Option<SubstreamId>,
    /// The DeviceID, for the ITS.
    pub device: DeviceId,
}

/// An action of one part on another. Parts return effects; the machine performs them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// A pulse on a wired interrupt.
    Wire(IntId),
    /// A 32-bit write to memory or to a register, such as an MSI of the part itself.
    Write {
        /// The address.
        at: PhysAddr,
        /// The data.
        data: u32,
        /// Identifies the write to the part that requested it, which must be notified if the write
        /// aborts.
        tag: u32,
    },
    /// Stalled transactions of this stream may resume.
    Resume(StreamId),
    /// An ATS Invalidate Request to a device; its end must be reported.
    InvalidateAtc(Invalidation),
    /// A PRG Response to a device.
    RespondToPages(PageResponse),
}
