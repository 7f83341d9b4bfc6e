//! The proof that an invalidation is complete.
//!
//! Not here: what had to be invalidated, which each driver's `tlbi` says.

/// What was invalidated before is gone from the SMMU: pages may be unpinned, frames reused.
///
/// Only a completed CMD_SYNC or TLBSYNC gives it, or a driver without hardware. It can be shown,
/// not copied.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "it is what unpinning asks for"]
pub struct Synced {
    _only_made_here: (),
}

impl Synced {
    /// A CMD_SYNC behind the invalidation was completed.
    pub(super) fn by_command_sync() -> Self {
        Self { _only_made_here: () }
    }

    /// TLBGSTATUS or TLBSTATUS said that a synchronisation behind the invalidation was complete.
    pub(super) fn by_tlb_sync() -> Self {
        Self { _only_made_here: () }
    }

    /// Nothing was changed that hardware could remember, so there was nothing to wait for.
    pub(super) fn nothing_stale() -> Self {
        Self { _only_made_here: () }
    }

    /// There is no hardware, or none that remembers anything.
    pub(super) fn without_hardware() -> Self {
        Self { _only_made_here: () }
    }
}
