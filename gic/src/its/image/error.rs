//! Why tables cannot be read, written, or rewritten.

use super::{MOST_ENTRIES, MOST_PIECES};
use core::fmt;
use passim_model::{Abort, DeviceId, PhysAddr, Span};

/// Why tables cannot be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImageError {
    /// A read or write of memory failed.
    #[error("{0}")]
    Abort(Abort),
    /// The table has no room for an entry.
    #[error("the {0} table has no room for number {1}")]
    NoRoom(Kind, u32),
    /// The interrupt translation table of a device is too small for entries of the new layout, and
    /// no scratch memory is left.
    #[error(
        "the table of device {device} has {has} bytes, {wants} are needed, and no scratch memory is left"
    )]
    IttTooSmall {
        /// The device.
        device: DeviceId,
        /// The minimum that its owner had to allocate, in bytes.
        has: u64,
        /// The bytes that the layout needs.
        wants: u64,
    },
    /// An entry of the new layout cannot hold an INTID or an ICID.
    #[error("an entry of the {of} table has no room for {what} {number}")]
    TooWide {
        /// The table.
        of: Kind,
        /// `lpi` or `collection`.
        what: &'static str,
        /// The number.
        number: u32,
    },
    /// The tables hold, or have room for, more than the reader's limits.
    #[error(
        "the tables hold more than {MOST_ENTRIES} entries, or have room for {MOST_PIECES} pages of them"
    )]
    TooLarge,
    /// The scratch memory is in use, or is not RAM.
    #[error("the scratch memory {0} is in use by a table, or not memory")]
    Scratch(Span<PhysAddr>),
    /// A collection in use has a number that the other ITS does not have.
    #[error("the other ITS has no collection {0}")]
    NoCollection(u16),
    /// Two devices share a table, of which they see parts that no entries serve both.
    #[error("devices {0} and {1} share a table, whose entries cannot serve both")]
    Shared(DeviceId, DeviceId),
    /// Two tables overlap.
    #[error("{0} and {1} overlap, and cannot both be rewritten")]
    Overlap(Owner, Owner),
    /// A register has a value that the other ITS does not support.
    #[error("the other ITS has no {0}")]
    Register(&'static str),
}

/// The kind of a table, in errors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A device table.
    Device,
    /// A collection table.
    Collection,
    /// An interrupt translation table.
    Event,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Collection => "collection",
            Self::Event => "interrupt translation",
        })
    }
}

/// A table, in errors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// The device or collection table.
    Table(Kind),
    /// The interrupt translation table of a device.
    Device(DeviceId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(kind) => write!(f, "the {kind} table"),
            Self::Device(device) => write!(f, "the table of device {device}"),
        }
    }
}

impl From<Abort> for ImageError {
    fn from(abort: Abort) -> Self {
        Self::Abort(abort)
    }
}
