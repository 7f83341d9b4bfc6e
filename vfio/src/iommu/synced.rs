//! The proof that an invalidation is complete.
//!
//! Not here: what has to be invalidated (each driver's `tlbi`).

/// A completed invalidation: the SMMU caches none of it any more, so pages may be unpinned and
/// frames reused.
///
/// Only a completed CMD_SYNC or TLBSYNC creates it, or a driver without hardware. It can be passed
/// by reference, not copied.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "it is what unpinning asks for"]
pub struct Synced {
    _only_made_here: (),
}

impl Synced {
    /// A CMD_SYNC after the invalidation completed.
    pub(super) fn by_command_sync() -> Self {
        Self { _only_made_here: () }
    }

    /// TLBGSTATUS or TLBSTATUS reported that a synchronisation after the invalidation completed.
    pub(super) fn by_tlb_sync() -> Self {
        Self { _only_made_here: () }
    }

    /// Nothing changed that hardware could cache, so there was nothing to wait for.
    pub(super) fn nothing_stale() -> Self {
        Self { _only_made_here: () }
    }

    /// There is no hardware, or it has no caches.
    pub(super) fn without_hardware() -> Self {
        Self { _only_made_here: () }
    }
}
