//! Choices that `adversarial` does not draw: points that the architecture settles but some
//! implementation handles differently, and points that conforming software cannot observe.

/// A command for a redistributor that does not exist, or whose LPIs are off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TargetErrors {
    /// Errors as the architecture encodes them: MAPC and MOVALL fail where there is no
    /// redistributor; a redistributor with LPIs off is no error.
    #[default]
    Architecture,
    /// As GIC-600, with its own syndromes (101206_0003_04, pages 82 to 85). Errors that a
    /// redistributor detects do not stop the queue.
    Gic600,
}

/// What restarts a stalled queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Restart {
    /// GITS_CWRITER.Retry.
    #[default]
    RetryBit,
    /// Any store to GITS_CWRITER, or one that enables the ITS. Stalled stays set until a store to
    /// GITS_CBASER or, where it is writable, GITS_CREADR.
    AnyStore,
}

/// LPIs that MAPTI and MAPI accept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum LpiBound {
    /// Those within the ITS's number of INTID bits.
    #[default]
    OfTheIts,
    /// Of these, those within GICR_PROPBASER.IDbits, whether LPIs are on or not.
    OfThePropertyTable,
}

/// The Size field of a MAPD that unmaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SizeOfUnmap {
    /// Not checked.
    #[default]
    Ignored,
    /// Must be in range.
    Checked,
}

/// The redistributor named by a MAPC that unmaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TargetOfUnmap {
    /// Not checked.
    #[default]
    Ignored,
    /// Must exist.
    Checked,
}

/// Bits of RDbase that are used, where it is the number of a redistributor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RdbaseBits {
    /// All 36.
    #[default]
    All,
    /// The lowest 16 of MAPC's, all of MOVALL's.
    // QEMU's process_mapc.
    SixteenOfMapc,
    /// The lowest 32.
    // KVM's its_cmd_get_target_addr.
    ThirtyTwo,
}

/// MAPC of a collection that was mapped to another redistributor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RemapCollection {
    /// Pending LPIs stay where they are: software moves them with MOVALL.
    #[default]
    PendingStays,
    /// Pending LPIs of its events move too.
    PendingFollows,
}

/// Whether redistributors are notified of the LPIs that events map to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EventsOfLpis {
    /// Only of new mappings. DISCARD clears the LPI's pending state itself; no other command
    /// affects the LPI of an event that is unmapped.
    #[default]
    Untold,
    /// Of every mapping, move and unmapping of an event. DISCARD itself clears nothing.
    Told,
}

/// CLEAR and INV of an event whose collection is not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum WithoutCollection {
    /// An error: no redistributor can be addressed.
    #[default]
    Refused,
    /// They apply wherever the LPI is.
    Everywhere,
}

/// Where an ITS's tables live.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TableHome {
    /// In memory, which holds the mappings at all times.
    #[default]
    Memory,
    /// In the ITS. Save writes the entries of the mapped to memory, with the distance from each to
    /// the next, and leaves other entries alone. Restore follows those distances from the first
    /// entry on, trusts the entries it reads, and restores nothing if one of them is unusable
    /// ([`Refused`](crate::its::Refused)). Between the two, table memory is not read; unmapping a
    /// device or event zeroes its entry there, but stores to GITS_BASER and MAPD zero no table.
    Its,
}

/// A collection whose entry cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CollectionAborts {
    /// An abort like any other.
    #[default]
    AsOthers,
    /// INT, CLEAR and DISCARD are skipped; MOVI, INV and INVALL are not.
    // QEMU's do_process_its_cmd returns CMD_CONTINUE_OK whatever process_its_cmd_phys returns.
    PassedOver,
}

/// An entry in memory that no command can have written: its table of events is larger, or its
/// INTID another, than MAPD and MAPTI accept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum StoredEntries {
    /// Such a table ends at the number of EventIDs; such an event is unmapped.
    #[default]
    Judged,
    /// Both are used as they are. A redistributor has no such LPI.
    // QEMU's get_dte and get_ite check the valid bit and the type alone.
    Believed,
}

/// Which redistributors INVALL reaches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum InvallScope {
    /// The redistributor of the collection, which must be mapped.
    #[default]
    Collection,
    /// All, whatever the collection.
    Everywhere,
}

/// A table after a store that changes its GITS_BASER.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ChangedTable {
    /// It is kept: once GITS_BASER names it again, it maps what it did.
    #[default]
    Stays,
    /// Everything in it is unmapped for good: a table in memory is zeroed; events lose their
    /// collections. A store of the value that GITS_BASER has already changes nothing.
    // Linux vgic-its.c: vgic_mmio_write_its_baser since 8cd92f77ae4f (September 2026). Before, only
    // a store without Valid unmapped, so that a smaller table could be left with collections that
    // it has no place for, and KVM refused to restore what it had saved.
    Emptied,
}

/// Which cached translations an ITS invalidates, if [`Caching`](super::Caching) keeps any.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Forgetting {
    /// Those that a command or a store changes.
    #[default]
    WhatChanges,
    /// All of them, at DISCARD, MOVI, MOVALL, MAPC without V, MAPD of a mapped device, when the ITS
    /// is disabled, and when any CPU turns LPIs off; none at any other command. Only translations
    /// that a message or INT looked up for a CPU with LPIs on are cached.
    ///
    /// With [`LpiState::PerLpi`](crate::choice::lpi::LpiState::PerLpi) a cached translation names
    /// the LPI, not its CPU: after a MAPC that moves it to a CPU with LPIs off, a cached message
    /// still raises it there, where a message that has to be looked up is dropped.
    // Linux vgic-its.c: vgic_its_invalidate_cache; vgic_its_inject_cached_translation checks
    // nothing else, vgic_its_resolve_lpi checks vgic_lpis_enabled.
    Whole,
}

/// Stores to GITS_CREADR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Reader {
    /// Read-only.
    #[default]
    ReadOnly,
    /// Stored; an enabled ITS reads commands from there on at the next store to GITS_CWRITER.
    Writable,
}

/// The pointers that a store to GITS_CBASER clears.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ClearedByBase {
    /// GITS_CREADR.
    #[default]
    Reader,
    /// GITS_CWRITER too.
    // KVM's vgic_mmio_write_its_cbaser.
    ReaderAndWriter,
}

/// Enabling an ITS whose queue or tables are not valid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Enabling {
    /// Takes place.
    #[default]
    Always,
    /// Ignored.
    NeedsTables,
}
