//! Messages between a PCIe device and its SMMU other than reads and writes: ATS and PRI.
//!
//! Types only: the SMMU and the device's cache ([`Atc`](crate::device::Atc)) answer them.

use crate::{Iova, Perms, Requester, StreamId, SubstreamId};

/// An ATS Translation Request for one page. PCI Express 5.0 10.2.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TranslationRequest {
    /// The requester.
    pub requester: Requester,
    /// The untranslated address, in the device's input space; the low 12 bits are ignored.
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
    /// Success: what the device may do, possibly nothing.
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
    /// log2 of the bytes the answer covers; at least 12.
    pub lg2: u32,
    /// R, W and Exe.
    pub perms: Perms,
    /// Priv, as requested.
    pub privileged: bool,
}

/// An ATS Invalidate Request. PCI Express 5.0 10.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Invalidation {
    /// Identifies the request in its completion. Wider than the five bits of an ITag, so that any
    /// number of requests may be outstanding.
    pub tag: u32,
    /// The stream of the device.
    pub stream: StreamId,
    /// PASID, where the request carries one.
    pub substream: Option<SubstreamId>,
    /// Whether it applies to translations of every PASID; only with a PASID.
    pub global: bool,
    /// First untranslated address, in the device's input space.
    pub first: u64,
    /// Last untranslated address, inclusive.
    pub last: u64,
}

/// How an ATS Invalidate Request ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum InvalidationEnd {
    /// The device completed it.
    Completed,
    /// The device does not support it; whether anything was invalidated is unknown.
    UnsupportedRequest,
    /// The device did not answer in time.
    TimedOut,
}

/// A PRI Page Request, or a Stop Marker: `last` alone, with a PASID. PCI Express 5.0 10.4.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PageRequest {
    /// The requester.
    pub requester: Requester,
    /// The page, untranslated; bits 11 to 0 are ignored.
    pub page: Iova,
    /// The access requested.
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
    /// The stream of the device.
    pub stream: StreamId,
    /// PASID, where the response carries one.
    pub substream: Option<SubstreamId>,
    /// Page Request Group Index, 9 bits.
    pub group: u16,
    /// The result.
    pub code: ResponseCode,
}

/// The Response Code of a PRG Response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResponseCode {
    /// Every page of the group is present.
    Success,
    /// A page does not exist, or does not permit the requested access.
    InvalidRequest,
    /// The requester gets no page, now or later.
    Failure,
}
