//! Choices of an ITS. IHI 0069 H chapter 5 and 12.19.
//!
//! | choice | `arch-strict` | `qemu` | `kvm-abi0` | `gic600` | `adversarial` |
//! | --- | --- | --- | --- | --- | --- |
//! | command errors | stall | skip | skip | stall | drawn |
//! | redistributors not reached | as encoded | as encoded | as encoded | its own | as encoded |
//! | memory errors | stall | stall | skip | stall | drawn |
//! | a collection entry that cannot be read | as others | command skipped | as others | as others | as others |
//! | restart | Retry | any store | Retry | Retry | Retry |
//! | unknown commands | error | skip | skip | error | drawn |
//! | bits of commands that must be zero | ignored | ignored | ignored | ignored | drawn |
//! | EventID beyond the table | ignored | ignored | ignored | ignored | drawn |
//! | MAPTI of a mapped event | keep | replace | keep | replace | drawn |
//! | MAPTI to an unmapped collection | allowed | allowed | reported | allowed | allowed |
//! | LPIs that MAPTI accepts | the ITS's | the ITS's | GICR_PROPBASER's | the ITS's | the ITS's |
//! | MAPD of a mapped device | keep | replace | replace | replace | drawn |
//! | table at MAPD | contents kept | contents kept | not read | contents kept | drawn |
//! | Size of an unmapping MAPD | ignored | checked | ignored | ignored | ignored |
//! | RDbase of an unmapping MAPC | ignored | ignored | ignored | ignored | ignored |
//! | bits of RDbase | all | 16 of MAPC | 32 | all | all |
//! | events of an unmapped collection | revive | revive | orphans | revive | drawn |
//! | MAPC of a mapped collection | pending stays | pending stays | pending follows | pending stays | pending stays |
//! | DISCARD of a pending event | clears | clears | reports | clears | clears |
//! | MOVI out of an unmapped collection | refused | refused | refused | refused | drawn |
//! | CLEAR, INV without a collection | refused | refused | everywhere | refused | refused |
//! | INVALL | its collection | everywhere | its collection | its collection | its collection |
//! | stores to the base registers while enabled | ignored | ignored | ignored | ignored | drawn |
//! | a table whose GITS_BASER changes | stays | stays | emptied | stays | stays |
//! | CWRITER beyond the queue | ignored | stops | ignored | ignored | drawn |
//! | a base not aligned to the table's page size | cut | as it is | cut | cut | drawn |
//! | attributes of queue and tables | kept | raw | cacheable | kept | kept |
//! | stores to CREADR | read-only | writable | read-only | read-only | read-only |
//! | a queue not aligned to 64 KiB | as it is | as it is | cut | as it is | drawn |
//! | stores to CBASER clear | CREADR | CREADR | CWRITER too | CREADR | CREADR |
//! | Quiescent | when disabled | always | when idle | when disabled | drawn |
//! | enabling without tables | takes place | takes place | ignored | takes place | takes place |
//! | tables live in | memory | memory | the ITS | memory | memory |
//! | cached translations | none | none | all | 4096 | drawn |
//! | which are invalidated | what changes | what changes | whole | what changes | what changes |
//! | effects | at once | at once | at once | at once | up to the next SYNC |
//!
//! The columns of QEMU and KVM follow their sources, except for two defects, which are in the list
//! of bugs in `docs/its.md`, with tests: KVM's MOVALL moves the LPIs of one CPU here, not of all;
//! QEMU's level 1 entries hold an address and nothing else. MOVI out of an unmapped collection is
//! refused by every implementation whose source was available, including gem5's rendering of the
//! architecture's pseudocode. GIC-600's column follows its manual, and where that is silent the
//! architecture's plainest reading. [`adversarial`] lists the values it draws from.

mod settled;

pub use settled::{
    ChangedTable, ClearedByBase, CollectionAborts, Enabling, EventsOfLpis, Forgetting, InvallScope,
    LpiBound, RdbaseBits, Reader, RemapCollection, Restart, SizeOfUnmap, StoredEntries, TableHome,
    TargetErrors, TargetOfUnmap, WithoutCollection,
};

use super::{Attributes, Preset, adversarial};

/// The outcome of a command that cannot be performed. IHI 0069 H 5.2 leaves it open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CommandErrors {
    /// The command is skipped.
    Skip,
    /// The command is skipped and the error is signalled to the system (GITS_TYPER.SEIS); the
    /// returned report stands for that signal.
    Report,
    /// The queue stops at the command: GITS_CREADR.Stalled.
    #[default]
    Stall,
}

/// The outcome of a failed read or write of a queue or table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MemoryErrors {
    /// The command is skipped.
    Skip,
    /// The queue stops at the command.
    #[default]
    Stall,
}

/// A command with an undefined number, or one of a feature that is absent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum UnknownCommands {
    /// Skipped without a report.
    Skip,
    /// An error like any other.
    #[default]
    Error,
}

/// Bits of a command that must be zero but are set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ReservedBits {
    /// Not checked.
    #[default]
    Ignored,
    /// An error like any other.
    Error,
}

/// A message with an EventID beyond the device's table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EventBeyond {
    /// The write is ignored.
    #[default]
    Ignored,
    /// The excess bits are ignored.
    Cut,
}

/// MAPTI or MAPI of a mapped event; UNPREDICTABLE without an earlier DISCARD.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RemapEvent {
    /// The new mapping applies.
    #[default]
    Replace,
    /// The old mapping stays.
    Keep,
    /// The old mapping stays, and the command is in error.
    // Xen's its_handle_mapti.
    Refused,
}

/// MAPTI or MAPI to a collection that is not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MapToUnmapped {
    /// Takes place; messages fail until the collection is mapped.
    #[default]
    Allowed,
    /// Takes place, and all redistributors are notified of the LPI, so that those that read
    /// configuration when an LPI is mapped read it.
    Told,
    /// An error.
    Refused,
}

/// MAPD of a mapped device; UNPREDICTABLE unless it was unmapped before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RemapDevice {
    /// The new table applies.
    #[default]
    Replace,
    /// The old table stays.
    Keep,
    /// The old table stays, and the command is in error.
    // Xen's gicv3_its_map_guest_device.
    Refused,
}

/// The interrupt translation table at MAPD. Software must have zeroed it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum IttAtMapd {
    /// Its contents are kept: valid entries are mappings.
    #[default]
    AsItIs,
    /// It is zeroed: no event is mapped.
    Zeroed,
}

/// What happens to the events of a collection when it is unmapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum UnmapCollection {
    /// They are valid again once the collection is mapped.
    #[default]
    Revives,
    /// They stay without a collection until they are moved or mapped again.
    Orphans,
}

/// MOVI of an event whose own collection is not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MoveFrom {
    /// Takes place.
    #[default]
    Allowed,
    /// An error.
    Refused,
}

/// Stores to GITS_CBASER and GITS_BASER while the ITS is enabled; UNPREDICTABLE.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum BasesWhileEnabled {
    /// Ignored.
    #[default]
    Ignored,
    /// Applied at once.
    Taken,
}

/// A base in GITS_BASER that is not aligned to the table's page size, for pages of 16 KiB: bits 13
/// and 12. With pages of 64 KiB these bits hold other bits of the address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TableBase {
    /// The bits are zero, and read as zero.
    #[default]
    Cut,
    /// They are bits of the address.
    AsItIs,
}

/// A queue whose address in GITS_CBASER is not aligned to 64 KiB: bits 15 to 12. Either they act as
/// zero, and read as zero or as written, or the address at which commands are read may be wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum QueueBase {
    /// They are bits of the address, which is one of the addresses allowed.
    #[default]
    AsItIs,
    /// They are zero, and read as zero.
    Cut,
    /// They act as zero, and read as written.
    CutUnseen,
}

/// A store to GITS_CWRITER beyond the queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum WriterBeyond {
    /// Ignored.
    #[default]
    Ignored,
    /// Stored; no command is consumed until a valid one is stored.
    Stops,
    /// Stored modulo the size of the queue, so that it becomes valid.
    Wraps,
}

/// GITS_CTLR.Quiescent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Quiescent {
    /// Always 1.
    Always,
    /// 1 while there is no command to consume.
    WhenIdle,
    /// 1 while the ITS is disabled and everything it sent has arrived.
    #[default]
    WhenDisabled,
    /// As [`WhenDisabled`](Self::WhenDisabled); while enabled, 1 when there is no command to
    /// consume and everything sent has arrived: UNKNOWN before GICv4.1.
    WhenQuiet,
}

/// The cache of translations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Caching {
    /// None: every message reads its three table entries.
    Off,
    /// `1 << lg2` of them, at most `1 << 20`.
    Translations {
        /// log2 of their number.
        lg2: u8,
    },
    /// All, however many there are.
    All,
}

/// When the effects of a command on redistributors, and on messages, happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Ordering {
    /// With the command.
    #[default]
    AtOnce,
    /// At any moment up to the next SYNC that covers them, drawn from this seed.
    Late {
        /// The seed.
        seed: u64,
        /// How soon.
        haste: Haste,
    },
}

/// How soon late effects happen where no SYNC covers them. [`Its::settle`](crate::Its::settle)
/// performs all of them, as time would.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Haste {
    /// One in two steps and messages performs one effect.
    #[default]
    Even,
    /// One in sixteen does.
    Slow,
    /// None does.
    Never,
}

/// The choices of an ITS that can be made differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ItsChoices {
    /// Commands that cannot be performed.
    pub command_errors: CommandErrors,
    /// Errors of commands at redistributors.
    pub target_errors: TargetErrors,
    /// Failed reads and writes of memory.
    pub memory_errors: MemoryErrors,
    /// Collection entries that cannot be read.
    pub collection_aborts: CollectionAborts,
    /// Entries in memory that no command can have written.
    pub stored_entries: StoredEntries,
    /// What restarts a stalled queue.
    pub restart: Restart,
    /// Undefined commands.
    pub unknown_commands: UnknownCommands,
    /// Bits that must be zero.
    pub reserved_bits: ReservedBits,
    /// EventIDs beyond the table.
    pub event_beyond: EventBeyond,
    /// Mapping a mapped event.
    pub remap_event: RemapEvent,
    /// Mapping to an unmapped collection.
    pub map_to_unmapped: MapToUnmapped,
    /// LPIs that events can be mapped to.
    pub lpi_bound: LpiBound,
    /// Mapping a mapped device.
    pub remap_device: RemapDevice,
    /// The table a MAPD names.
    pub itt_at_mapd: IttAtMapd,
    /// Size of an unmapping MAPD.
    pub size_of_unmap: SizeOfUnmap,
    /// RDbase of an unmapping MAPC.
    pub target_of_unmap: TargetOfUnmap,
    /// Bits of RDbase.
    pub rdbase_bits: RdbaseBits,
    /// Unmapping a collection in use.
    pub unmap_collection: UnmapCollection,
    /// Mapping a mapped collection.
    pub remap_collection: RemapCollection,
    /// Notifications to redistributors of mappings of LPIs.
    pub events_of_lpis: EventsOfLpis,
    /// Commands for events without a collection.
    pub without_collection: WithoutCollection,
    /// Moving an event without a collection.
    pub move_from_unmapped: MoveFrom,
    /// Reach of INVALL.
    pub invall_scope: InvallScope,
    /// Stores to base registers while enabled.
    pub bases_while_enabled: BasesWhileEnabled,
    /// Tables whose GITS_BASER changes.
    pub changed_table: ChangedTable,
    /// Unaligned bases.
    pub table_base: TableBase,
    /// Attributes of the queue and of tables.
    pub attributes: Attributes,
    /// GITS_CWRITER beyond the queue.
    pub writer_beyond: WriterBeyond,
    /// Stores to GITS_CREADR.
    pub reader: Reader,
    /// Unaligned queues.
    pub queue_base: QueueBase,
    /// Pointers that a store to GITS_CBASER clears.
    pub cleared_by_base: ClearedByBase,
    /// GITS_CTLR.Quiescent.
    pub quiescent: Quiescent,
    /// Enabling without tables.
    pub enabling: Enabling,
    /// Where tables live.
    pub table_home: TableHome,
    /// The cache of translations.
    pub caching: Caching,
    /// Which translations are invalidated.
    pub forgetting: Forgetting,
    /// When effects take place.
    pub ordering: Ordering,
}

/// The choices closest to the architecture's text; where that leaves a point open, the simplest.
const STRICT: ItsChoices = ItsChoices {
    command_errors: CommandErrors::Stall,
    target_errors: TargetErrors::Architecture,
    memory_errors: MemoryErrors::Stall,
    collection_aborts: CollectionAborts::AsOthers,
    stored_entries: StoredEntries::Judged,
    restart: Restart::RetryBit,
    unknown_commands: UnknownCommands::Error,
    reserved_bits: ReservedBits::Ignored,
    event_beyond: EventBeyond::Ignored,
    remap_event: RemapEvent::Keep,
    map_to_unmapped: MapToUnmapped::Allowed,
    lpi_bound: LpiBound::OfTheIts,
    remap_device: RemapDevice::Keep,
    itt_at_mapd: IttAtMapd::AsItIs,
    size_of_unmap: SizeOfUnmap::Ignored,
    target_of_unmap: TargetOfUnmap::Ignored,
    rdbase_bits: RdbaseBits::All,
    unmap_collection: UnmapCollection::Revives,
    remap_collection: RemapCollection::PendingStays,
    events_of_lpis: EventsOfLpis::Untold,
    without_collection: WithoutCollection::Refused,
    move_from_unmapped: MoveFrom::Refused,
    invall_scope: InvallScope::Collection,
    bases_while_enabled: BasesWhileEnabled::Ignored,
    changed_table: ChangedTable::Stays,
    table_base: TableBase::Cut,
    attributes: Attributes::Kept,
    writer_beyond: WriterBeyond::Ignored,
    reader: Reader::ReadOnly,
    queue_base: QueueBase::AsItIs,
    cleared_by_base: ClearedByBase::Reader,
    quiescent: Quiescent::WhenDisabled,
    enabling: Enabling::Always,
    table_home: TableHome::Memory,
    caching: Caching::Off,
    forgetting: Forgetting::WhatChanges,
    ordering: Ordering::AtOnce,
};

impl Preset {
    /// The preset's choices for an ITS.
    pub fn its(self) -> ItsChoices {
        let replacing = ItsChoices {
            remap_event: RemapEvent::Replace,
            remap_device: RemapDevice::Replace,
            ..STRICT
        };
        match self {
            Self::ArchStrict => STRICT,
            Self::Qemu => ItsChoices {
                command_errors: CommandErrors::Skip,
                collection_aborts: CollectionAborts::PassedOver,
                stored_entries: StoredEntries::Believed,
                restart: Restart::AnyStore,
                unknown_commands: UnknownCommands::Skip,
                size_of_unmap: SizeOfUnmap::Checked,
                rdbase_bits: RdbaseBits::SixteenOfMapc,
                // arm_gicv3_its.c, baser_base_addr.
                table_base: TableBase::AsItIs,
                attributes: Attributes::Raw,
                invall_scope: InvallScope::Everywhere,
                writer_beyond: WriterBeyond::Stops,
                reader: Reader::Writable,
                quiescent: Quiescent::Always,
                ..replacing
            },
            Self::KvmAbi0 => ItsChoices {
                command_errors: CommandErrors::Skip,
                memory_errors: MemoryErrors::Skip,
                unknown_commands: UnknownCommands::Skip,
                remap_event: RemapEvent::Keep,
                map_to_unmapped: MapToUnmapped::Told,
                lpi_bound: LpiBound::OfThePropertyTable,
                rdbase_bits: RdbaseBits::ThirtyTwo,
                unmap_collection: UnmapCollection::Orphans,
                remap_collection: RemapCollection::PendingFollows,
                events_of_lpis: EventsOfLpis::Told,
                without_collection: WithoutCollection::Everywhere,
                changed_table: ChangedTable::Emptied,
                attributes: Attributes::Cacheable,
                table_home: TableHome::Its,
                // vgic_sanitise_its_cbaser.
                queue_base: QueueBase::Cut,
                cleared_by_base: ClearedByBase::ReaderAndWriter,
                quiescent: Quiescent::WhenIdle,
                enabling: Enabling::NeedsTables,
                // vgic_its_cache_translation, and the callers of vgic_its_invalidate_cache.
                caching: Caching::All,
                forgetting: Forgetting::Whole,
                ..replacing
            },
            Self::Gic600 => ItsChoices {
                target_errors: TargetErrors::Gic600,
                caching: Caching::Translations { lg2: 12 },
                ..replacing
            },
            Self::Adversarial(seed) => adversarial::its(seed, STRICT),
        }
    }
}
