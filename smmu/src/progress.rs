//! Counts of what an SMMU did, and whether a step did anything.
//!
//! For reports and comparisons only: no behaviour depends on a count.

/// Counts since reset. None is a register: no architected counter is modelled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Counters {
    /// Transactions the SMMU received.
    pub transactions: u64,
    /// Transactions answered from the TLB.
    pub tlb_hits: u64,
    /// Transactions that missed in the TLB.
    pub tlb_misses: u64,
    /// Walks of stage-1 tables.
    pub walks: u64,
    /// Walks of stage-2 tables.
    pub stage2_walks: u64,
    /// STE fetches from memory, failed ones included.
    pub ste_fetches: u64,
    /// CD fetches from memory, failed ones included.
    pub cd_fetches: u64,
    /// Commands consumed.
    pub commands: u64,
    /// Events written.
    pub events: u64,
    /// Events sent to the CPUs: by CMD_SYNC with SIG_SEV, and by a Command queue that was full and
    /// has room again.
    pub cpu_events: u64,
    /// Descriptors updated by hardware (HTTU).
    pub flag_updates: u64,
    /// Page requests written to the PRI queue.
    pub page_requests: u64,
}

/// Whether a step changed anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Progress {
    /// The step did one thing; more may be left.
    Worked,
    /// Nothing is left to do until a register is stored to, or an invalidation of a device's cache
    /// ends.
    Idle,
}
