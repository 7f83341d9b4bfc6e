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
        match why {
            Untranslated::Abort(at) => Self::Abort(at),
            // An ITS that is off performs no command.
            _ => Self::Reason(why.reason().unwrap_or(Reason::UnmappedInterrupt)),
        }
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
