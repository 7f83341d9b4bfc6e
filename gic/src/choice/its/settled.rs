//! Choices that `adversarial` does not draw: what the architecture settles and some implementation does
//! otherwise, and what software that keeps to the architecture does not see.

/// A command for a redistributor that does not exist, or whose LPIs are off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TargetErrors {
    /// As the architecture encodes errors: MAPC and MOVALL fail where there is no redistributor; LPIs
    /// that are off are no error.
    #[default]
    Architecture,
    /// As GIC-600, with syndromes of its own (101206_0003_04, pages 82 to 85). Those that a
    /// redistributor finds do not stop the queue.
    Gic600,
}

/// What makes a stopped queue go on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Restart {
    /// GITS_CWRITER.Retry.
    #[default]
    RetryBit,
    /// Any store to GITS_CWRITER, or one that enables the ITS; Stalled stays until GITS_CBASER or, where
    /// that can be, GITS_CREADR is stored to.
    AnyStore,
}

/// LPIs that MAPTI and MAPI take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum LpiBound {
    /// Those of as many bits as the ITS has.
    #[default]
    OfTheIts,
    /// Of these, those of as many bits as GICR_PROPBASER.IDbits says, whether LPIs are on or not.
    OfThePropertyTable,
}

/// The field Size of a MAPD that unmaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SizeOfUnmap {
    /// Not looked at.
    #[default]
    Ignored,
    /// Must be in range.
    Checked,
}

/// The redistributor that a MAPC names which unmaps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TargetOfUnmap {
    /// Not looked at.
    #[default]
    Ignored,
    /// Must exist.
    Checked,
}

/// Bits of RDbase that are looked at, where it is the number of a redistributor.
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

/// MAPC of a collection that is mapped to another redistributor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RemapCollection {
    /// What is pending stays where it is: software moves it, by MOVALL.
    #[default]
    PendingStays,
    /// What is pending of its events goes along.
    PendingFollows,
}

/// Whether redistributors learn which LPIs events map to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EventsOfLpis {
    /// Only where an LPI is mapped to: DISCARD clears that it is pending, and no other command does
    /// anything to the LPI of an event that goes.
    #[default]
    Untold,
    /// They are told of every event that comes, moves and goes, and of none besides: DISCARD clears
    /// nothing itself.
    Told,
}

/// CLEAR and INV of an event whose collection is not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum WithoutCollection {
    /// An error: there is no redistributor to tell.
    #[default]
    Refused,
    /// Take place wherever the LPI is.
    Everywhere,
}

/// Where the tables of an ITS are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TableHome {
    /// In memory: they say what is mapped at any time.
    #[default]
    Memory,
    /// In the ITS. Saving writes the entries of what is mapped to memory, with the distances from one to
    /// the next, and leaves the others; who restores reads by them, from the first entry on, believes what
    /// it finds, and takes nothing where some of it cannot be
    /// ([`Refused`](crate::its::Refused)). Of what memory says meanwhile nothing counts; the entry of what is
    /// unmapped is zeroed there, and no table where its GITS_BASER is no longer valid, nor one that
    /// MAPD names.
    Its,
}

/// A collection whose entry memory does not answer for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CollectionAborts {
    /// An abort like another.
    #[default]
    AsOthers,
    /// INT, CLEAR and DISCARD are passed over; MOVI, INV and INVALL are not.
    // QEMU's do_process_its_cmd answers CMD_CONTINUE_OK whatever process_its_cmd_phys did.
    PassedOver,
}

/// Which redistributors INVALL reaches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum InvallScope {
    /// That of the collection, which must be mapped.
    #[default]
    Collection,
    /// All, whatever the collection.
    Everywhere,
}

/// A table whose GITS_BASER is stored to without Valid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum InvalidTable {
    /// It stays as it is: valid again, it maps what it did.
    #[default]
    Stays,
    /// What it maps is unmapped for good: the table is zeroed, where it is in memory; events lose their
    /// collections.
    Emptied,
}

/// Which translations that are remembered an ITS forgets, where [`Caching`](super::Caching) has it
/// remember any.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Forgetting {
    /// Those that a command or a store changes.
    #[default]
    WhatChanges,
    /// All, at DISCARD, MOVI, MOVALL, MAPC without V, MAPD of a mapped device, where the ITS is
    /// disabled, and where the LPIs of any CPU are turned off; none at any other command. What a message
    /// or INT found for a CPU whose LPIs are on is remembered, and nothing else.
    ///
    /// What is remembered of an LPI that has a state of its own says which it is, not where: after a MAPC
    /// that takes it to a CPU whose LPIs are off its messages raise it there, where messages of events
    /// that are looked up are dropped.
    // Linux vgic-its.c: vgic_its_invalidate_cache; vgic_its_inject_cached_translation asks for nothing
    // else, vgic_its_resolve_lpi for vgic_lpis_enabled.
    Whole,
}

/// Stores to GITS_CREADR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Reader {
    /// Read-only.
    #[default]
    ReadOnly,
    /// Taken; an ITS that is enabled looks for commands from there on with the next store to
    /// GITS_CWRITER.
    Writable,
}

/// A store to GITS_CBASER.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum QueueBase {
    /// Clears GITS_CREADR.
    #[default]
    Plain,
    /// Clears GITS_CWRITER too, and the address is cut to 64 KiB.
    Coarse,
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
