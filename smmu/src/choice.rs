//! Every place where the architecture leaves a choice, each with a name.
//!
//! A choice that can be made differently is a type here and a field of [`Choices`]. The others
//! are made once, in the code, and listed so that a reader finds all of them:
//!
//! | choice (IHI 0070 G.b) | made here |
//! | --- | --- |
//! | guarded registers written while guarded (6.3.9 to 6.3.30) | the write is ignored, as v3.2 demands and earlier versions permit |
//! | a field of CR0 altered again before its Update completes (6.3.9) | ignored; the Update ends if the value before comes back |
//! | 64-bit access to two adjacent 32-bit registers (6.2) | two 32-bit accesses, lower offset first |
//! | page-0 offsets of EVENTQ_PROD and EVENTQ_CONS (6.2) | RAZ/WI; the registers are in page 1 |
//! | ERR of CMDQ_CONS when written (6.3.28) | takes the written value |
//! | GERRORN toggled where no error is active (6.3.20) | the error becomes active |
//! | reset values said to be UNKNOWN (6.3) | zero; GBPA is a field of the implementation |
//! | registers of features not implemented | RAZ/WI |
//! | structures cached (5.2.1, 5.4.1) | STE, CD, L1STD and L1CD in any state, also illegal ones, where there are caches of them ([`Caches`](crate::v3::Caches)) |
//! | which entry of a full cache is replaced (3.21) | set for each cache: [`Victim`](crate::cache::Victim) |
//! | a second level of TLB in front (16.2) | yes, by StreamID and page; an entry is valid no longer than what it was made from |
//! | over-invalidation of TLB and configuration (4.3, 4.4) | never: what a command need not remove stays |
//! | translations cached (3.21.1) | also those whose permissions refused the access that filled them, unless their access flag is yet to be set |
//! | intermediate tables (3.21.1) | cached where there is a walk cache; stage-1 tables behind stage 2 are cached with their physical address, which no TLBI by IPA invalidates (4.4.3.1) |
//! | contiguous runs (3.21.1) | cached as one only where everything is kept ([`Retention`](crate::cache::Retention)) |
//! | TLB hit where EPD is set (5.4.1.1) | permitted; the miss faults |
//! | VMID and ASID beyond the implemented size in commands (4.4) | the command has no effect |
//! | queue and MSI addresses beyond OAS (3.4.3) | truncated |
//! | S1ContextPtr not aligned to its table (5.2, S1Fmt) | the low bits act as zero |
//! | S1ContextPtr beyond IAS with stage 2 (3.4.3) | C_BAD_STE |
//! | L1CD.L2Ptr beyond IAS with stage 2 (3.4.3) | C_BAD_SUBSTREAMID |
//! | IPA of a stage-1 event, SubstreamID without SSV (7.3) | zero |
//! | merging of events (7.3.1) | never |
//! | external abort on a queue write (7.2.2) | synchronous: PROD does not move |
//! | access flag of a leaf whose permission refuses the access (3.13.2) | not updated |
//! | attributes of transactions that carry none (13.1.3) | Normal, write-back, inner shareable |
//! | which STAG a stalled transaction gets (3.12.2) | the lowest free one |
//! | a stall while as many wait as can (5.2.3, STALL_MAX) | it waits unrecorded, and is retried when one ends |
//! | early retry, suppression of duplicate stall records (3.12.2.1, 3.12.2.2) | never |
//! | CMD_RESUME of a stall whose record was not written (4.7.1) | matches nothing: it has no STAG yet |
//! | CMD_ATC_INV with Size above 52 (4.5.1) | CERROR_ILL |
//! | SSV = 1 in CMD_ATC_INV and CMD_PRI_RESP without SubstreamIDs (4.5.1, 4.5.2) | acts as 0 |
//! | SSV = 1 in CMD_PREFETCH_CONFIG and CMD_PREFETCH_ADDR without SubstreamIDs (4.2) | acts as 0; no effect where IDR1.SSIDSIZE is 0 and the SubstreamID is not |
//! | write permission in answers to requests that write nothing (13.7.1) | granted where the page is dirty or not tracked |
//! | ATS translated addresses beyond OAS (3.9.1.1) | the transaction is aborted, nothing is recorded |
//! | a transaction marked translated, without ATS (5.2 EATS) | the mark is ignored |
//! | attributes and overrides of translated transactions that bypass (13.6.2) | those of an incoming transaction |
//! | dirty state of the final stage-2 leaf of a split-stage request (3.13.7.1) | marked by the request |
//! | order of the VMS fetch (5.6.1, 7.3.20) | after the CD, and only where it is needed: both stages and S1MPAM |
//! | cache of PARTID_MAP (5.6.2) | by VMID, which CMD_CFGI_VMS_PIDM and CMD_CFGI_ALL empty and CMD_CFGI_STE does not; by StreamID too where everything is kept ([`Retention`](crate::cache::Retention)), which CMD_CFGI_STE and CMD_CFGI_STE_RANGE empty |
//! | Reason of F_CFG_CONFLICT (7.3.18) | the StreamID of the other STE that matched |
//! | STE.CONT beyond a second-level Stream table (5.2) | StreamIDs outside of the table are C_BAD_STREAMID |
//! | a message to a PCI function that does not claim it (3.18.1: MSI_*_ABT_ERR follows an abort response, and no section says who gives one) | PCI writes are posted: the machine returns no response, and GERROR does not change |
//! | external abort on a PRI queue write (8.2) | synchronous: an automatic response is sent |

/// When a written control is acknowledged (CR0 to CR0ACK, IRQ_CTRL to IRQ_CTRLACK, GBPA.Update).
/// IHI 0070 G.b 6.3.9: an update completes in finite time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Acknowledge {
    /// With the store itself.
    #[default]
    AtOnce,
    /// By a later [`SmmuV3::step`](crate::v3::SmmuV3::step), one register a step.
    OnStep,
}

/// When the invalidation of a command takes effect. IHI 0070 G.b 4.7.3: a consumed command need not
/// be complete; only CMD_SYNC guarantees that it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Completion {
    /// When the command is consumed.
    #[default]
    AtOnce,
    /// As late as possible: with the next CMD_SYNC. Without one, the entries that the command names
    /// stay in use.
    WhenSynchronised,
}

/// What a prefetch command does. IHI 0070 G.b 4.2: an implementation need not prefetch anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Prefetch {
    /// Nothing.
    #[default]
    Ignored,
    /// Fills the configuration caches; never records an event.
    Configuration,
}

/// What a Stream table address beyond the output address size causes. IHI 0070 G.b 3.4.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum StreamTableBeyondOas {
    /// F_STE_FETCH.
    #[default]
    FetchFault,
    /// The address is truncated.
    Truncate,
}

/// Whether commands are checked for fields that must be zero. IHI 0070 G.b 4.1.5.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ReservedCommandFields {
    /// Ignored.
    #[default]
    Ignored,
    /// CERROR_ILL.
    Illegal,
}

/// What a command with a StreamID or SubstreamID beyond the implemented size does. IHI 0070 G.b
/// 4.1.7.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OutOfRangeParameter {
    /// Nothing.
    #[default]
    NoEffect,
    /// The number is truncated to size.
    Truncate,
}

/// What happens where several TLB entries translate one address, as after a change of page size
/// without break-before-make. IHI 0070 G.b 3.20.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Overlap {
    /// The overlap goes undetected; the smallest page wins.
    #[default]
    SmallestWins,
    /// F_TLB_CONFLICT, except where IDR3.BBML is 2: the smallest page wins there (3.21.1.3).
    Detected,
}

/// What STE.CONT does: one cached STE may serve neighbouring streams. IHI 0070 G.b 5.2, 3.20.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ContiguousStes {
    /// Nothing: one cache entry, one STE.
    #[default]
    Apart,
    /// A cached STE is used for all of its span; of several that match, one is used.
    Shared,
    /// As `Shared`, and F_CFG_CONFLICT where several different ones match.
    Detected,
}

/// The choices that can be made differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Choices {
    /// When controls are acknowledged.
    pub acknowledge: Acknowledge,
    /// When CMD_CFGI_* and CMD_TLBI_* take effect.
    pub completion: Completion,
    /// What prefetch commands do.
    pub prefetch: Prefetch,
    /// Stream table addresses beyond the output size.
    pub stream_table_beyond_oas: StreamTableBeyondOas,
    /// Reserved fields of commands.
    pub reserved_command_fields: ReservedCommandFields,
    /// StreamIDs and SubstreamIDs of commands beyond the implemented size.
    pub out_of_range: OutOfRangeParameter,
    /// Several TLB entries for one address.
    pub overlap: Overlap,
    /// STEs that serve neighbouring streams.
    pub contiguous_stes: ContiguousStes,
}
