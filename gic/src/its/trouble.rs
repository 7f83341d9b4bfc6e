//! Why a command fails, before its opcode is added.
//!
//! Not here: syndromes (`error`), and what an error does to the queue (`cmdq`).

use super::collection::NoCollection;
use super::error::{Reason, Untranslated};
use passim_model::PhysAddr;

/// The result of a command, before its opcode is added to an error.
pub(super) type Performed<T = ()> = Result<T, Trouble>;

/// Why a command fails.
pub(super) enum Trouble {
    Reason(Reason),
    Abort(PhysAddr),
    /// An abort after which the command is skipped.
    PassedOver(PhysAddr),
}

impl From<Reason> for Trouble {
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}

impl From<passim_model::Abort> for Trouble {
    fn from(abort: passim_model::Abort) -> Self {
        Self::Abort(abort.0)
    }
}

impl From<Untranslated> for Trouble {
    fn from(why: Untranslated) -> Self {
        Self::Reason(match why {
            Untranslated::Abort(at) => return Self::Abort(at),
            Untranslated::DeviceOutOfRange => Reason::DeviceOutOfRange,
            Untranslated::UnmappedDevice => Reason::UnmappedDevice,
            Untranslated::NoDevicePage => Reason::NoDevicePage,
            Untranslated::EventOutOfRange => Reason::EventOutOfRange,
            Untranslated::UnmappedEvent | Untranslated::Disabled => Reason::UnmappedInterrupt,
            Untranslated::UnmappedCollection => Reason::IteInvalid,
        })
    }
}

impl From<NoCollection> for Trouble {
    fn from(why: NoCollection) -> Self {
        match why {
            NoCollection::OutOfRange => Self::Reason(Reason::CollectionOutOfRange),
            NoCollection::Abort(at) => Self::Abort(at),
        }
    }
}
