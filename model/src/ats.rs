//! What PCIe says between a device and its SMMU beside reads and writes: ATS and PRI.
//!
//! Messages only; who answers what is the business of the SMMU and of the device's cache
//! ([`Atc`](crate::device::Atc)).

use crate::{Iova, Perms, Requester, StreamId, SubstreamId};

/// An ATS Translation Request for one page. PCI Express 5.0 10.2.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TranslationRequest {
    /// Who asks.
    pub requester: Requester,
    /// The untranslated address, in the device's input space; the low 12 bits do not count.
    pub iova: Iova,
    /// NW: the device will not write.
    pub no_write: bool,
    /// Execute_Requested; only with a PASID.
    pub execute: bool,
    /// Privileged_Mode_Requested; only with a PASID.
    pub privileged: bool,
}

/// An ATS Translation Completion. PCI Express 5.0 10.2.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Completion {
    /// Success: what the device may do, which may be nothing.
    Success(Grant),
    /// Unsupported Request: the stream has no ATS.
    UnsupportedRequest,
    /// Completer Abort: the configuration is in error.
    CompleterAbort,
}

/// The data entry of a successful completion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Grant {
    /// First translated address of the range, on the bus, a multiple of `1 << lg2`: a physical
    /// address, or an intermediate one where stage 2 stays with the SMMU.
    pub address: u64,
    /// log2 of the bytes the answer holds for; at least 12.
    pub lg2: u32,
    /// R, W and Exe.
    pub perms: Perms,
    /// Priv, as asked.
    pub privileged: bool,
}

/// An ATS Invalidate Request. PCI Express 5.0 10.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Invalidation {
    /// Names the request in the answer. The model's own: wider than the five bits of an ITag, so
    /// that any number may be on their way.
    pub tag: u32,
    /// To whom.
    pub stream: StreamId,
    /// PASID, where the request carries one.
    pub substream: Option<SubstreamId>,
    /// Whether translations of every PASID are meant; only with a PASID.
    pub global: bool,
    /// First untranslated address, in the device's input space.
    pub first: u64,
    /// Last untranslated address, inside.
    pub last: u64,
}

/// How an ATS Invalidate Request ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum InvalidationEnd {
    /// The device said it is done.
    Completed,
    /// The device does not support it; whether anything was invalidated is not known.
    UnsupportedRequest,
    /// The device did not answer in time.
    TimedOut,
}

/// A PRI Page Request, or a Stop Marker: `last` alone, with a PASID. PCI Express 5.0 10.4.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PageRequest {
    /// Who asks.
    pub requester: Requester,
    /// The page, untranslated; bits 11 to 0 do not count.
    pub page: Iova,
    /// What is asked for.
    pub perms: Perms,
    /// Whether the requester is privileged.
    pub privileged: bool,
    /// Whether it is the last of its group.
    pub last: bool,
    /// Page Request Group Index, 9 bits.
    pub group: u16,
}

impl PageRequest {
    /// Whether this is a Stop Marker, which is not answered.
    pub fn is_stop_marker(&self) -> bool {
        let asks = self.perms.intersects(Perms::READ | Perms::WRITE);
        self.requester.substream.is_some() && self.last && !asks
    }
}

/// A PRG Response. PCI Express 5.0 10.4.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PageResponse {
    /// To whom.
    pub stream: StreamId,
    /// PASID, where the response carries one.
    pub substream: Option<SubstreamId>,
    /// Page Request Group Index, 9 bits.
    pub group: u16,
    /// How it went.
    pub code: ResponseCode,
}

/// The Response Code of a PRG Response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResponseCode {
    /// Every page of the group is there.
    Success,
    /// Some page does not exist, or not with the access asked for.
    InvalidRequest,
    /// No page of this requester will ever be there.
    Failure,
}
