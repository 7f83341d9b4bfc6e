//! Choices of an ITS. IHI 0069 H chapter 5 and 12.18 to 12.19.
//!
//! | choice | `arch-strict` | `qemu` | `kvm-abi0` | `gic600` | `adversarial` |
//! | --- | --- | --- | --- | --- | --- |
//! | command errors | stall | skip | skip | stall | drawn |
//! | redistributors not reached | as encoded | as encoded | as encoded | its own | as encoded |
//! | memory errors | stall | stall | skip | stall | drawn |
//! | a collection that does not answer | as others | passed over | as others | as others | as others |
//! | restart | Retry | any store | Retry | Retry | Retry |
//! | unknown commands | error | skip | skip | error | drawn |
//! | bits of commands that must be zero | ignored | ignored | ignored | ignored | drawn |
//! | EventID beyond the table | ignored | ignored | ignored | ignored | drawn |
//! | MAPTI of a mapped event | keep | replace | keep | replace | drawn |
//! | MAPTI to an unmapped collection | allowed | allowed | told | allowed | allowed |
//! | LPIs that MAPTI takes | the ITS's | the ITS's | GICR_PROPBASER's | the ITS's | the ITS's |
//! | MAPD of a mapped device | keep | replace | replace | replace | drawn |
//! | table at MAPD | as it is | as it is | not looked at | as it is | drawn |
//! | Size of an unmapping MAPD | ignored | checked | ignored | ignored | ignored |
//! | RDbase of an unmapping MAPC | ignored | ignored | ignored | ignored | ignored |
//! | bits of RDbase | all | 16 of MAPC | 32 | all | all |
//! | events of an unmapped collection | revive | revive | orphans | revive | drawn |
//! | MAPC of a mapped collection | pending stays | pending stays | pending follows | pending stays | pending stays |
//! | DISCARD of what is pending | clears | clears | tells | clears | clears |
//! | MOVI out of an unmapped collection | refused | refused | refused | refused | drawn |
//! | CLEAR, INV without a collection | refused | refused | everywhere | refused | refused |
//! | INVALL | its collection | everywhere | its collection | its collection | its collection |
//! | bases stored to while enabled | ignored | ignored | ignored | ignored | drawn |
//! | a table without Valid | stays | stays | emptied | stays | stays |
//! | CWRITER beyond the queue | ignored | stops | ignored | ignored | drawn |
//! | a base that is not on a page of the table's | cut | as it is | cut | cut | drawn |
//! | attributes of queue and tables | kept | raw | cacheable | kept | kept |
//! | CREADR stored to | read-only | writable | read-only | read-only | read-only |
//! | CBASER stored to | plain | plain | coarse | plain | plain |
//! | Quiescent | when disabled | always | when idle | when disabled | drawn |
//! | enabling without tables | takes place | takes place | ignored | takes place | takes place |
//! | tables are | in memory | in memory | the ITS's | in memory | in memory |
//! | translations remembered | none | none | all | 4096 | drawn |
//! | which are forgotten | what changes | what changes | whole | what changes | what changes |
//! | effects | at once | at once | at once | at once | up to the next SYNC |
//!
//! The columns of QEMU and KVM follow their sources, with those defects mended that the list of bugs in
//! `docs/its.md` has tests for: KVM's MOVALL moves the LPIs of one CPU, not all; QEMU's entries of level 1
//! have an address and nothing else. MOVI out of an unmapped collection is refused
//! by every implementation that could be read, gem5's rendering of the architecture's pseudocode among
//! them; GIC-600's follows its manual where that speaks, and the architecture's plainest reading where it
//! does not. What `adversarial` draws from is in [`adversarial`].

mod settled;

pub use settled::{
    CollectionAborts, Enabling, EventsOfLpis, Forgetting, InvalidTable, InvallScope, LpiBound,
    QueueBase, RdbaseBits, Reader, RemapCollection, Restart, SizeOfUnmap, TableHome, TargetErrors,
    TargetOfUnmap, WithoutCollection,
};

use super::{Attributes, Preset, adversarial};

/// What follows from a command that cannot be performed. IHI 0069 H 5.2 leaves it open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CommandErrors {
    /// The command is passed over.
    Skip,
    /// The command is passed over and the error is signalled to the system (GITS_TYPER.SEIS): the
    /// report is that signal.
    Report,
    /// The queue stops at the command: GITS_CREADR.Stalled.
    #[default]
    Stall,
}

/// What follows from a queue or a table that memory does not answer for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MemoryErrors {
    /// The command is passed over.
    Skip,
    /// The queue stops at the command.
    #[default]
    Stall,
}

/// A command whose number is none, or that belongs to a feature that is absent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum UnknownCommands {
    /// Passed over without a word.
    Skip,
    /// An error like another.
    #[default]
    Error,
}

/// Bits of a command that must be zero and are not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ReservedBits {
    /// Not looked at.
    #[default]
    Ignored,
    /// An error like another.
    Error,
}

/// A message whose EventID the device's table has no room for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EventBeyond {
    /// The write is ignored.
    #[default]
    Ignored,
    /// The bits that are too many are ignored.
    Cut,
}

/// MAPTI or MAPI of an event that is mapped; UNPREDICTABLE without a DISCARD before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RemapEvent {
    /// The new mapping holds.
    #[default]
    Replace,
    /// The old mapping holds.
    Keep,
}

/// MAPTI or MAPI to a collection that is not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MapToUnmapped {
    /// Takes place; messages fail until the collection is mapped.
    #[default]
    Allowed,
    /// Takes place, and all redistributors are told of the LPI, so that those that read
    /// configuration where an LPI is mapped have read it.
    Told,
    /// An error.
    Refused,
}

/// MAPD of a device that is mapped; UNPREDICTABLE without an unmapping before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RemapDevice {
    /// The new table holds.
    #[default]
    Replace,
    /// The old table holds.
    Keep,
}

/// The interrupt translation table at MAPD. Software must have zeroed it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum IttAtMapd {
    /// Taken as it is: what it holds is mapped.
    #[default]
    AsItIs,
    /// Nothing is mapped: it is zeroed.
    Zeroed,
}

/// What becomes of the events of a collection that is unmapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum UnmapCollection {
    /// They work again once it is mapped.
    #[default]
    Revives,
    /// They stay without a collection until they are moved or mapped anew.
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
    /// Taken at once.
    Taken,
}

/// A base in GITS_BASER that is not aligned to the pages that the table is made of, 16 KiB each: bits 13
/// and 12. Those of 64 KiB have other bits of the address there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TableBase {
    /// The bits are zero, and read as zero.
    #[default]
    Cut,
    /// They are bits of the address.
    AsItIs,
}

/// A store to GITS_CWRITER beyond the queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum WriterBeyond {
    /// Ignored.
    #[default]
    Ignored,
    /// Kept, and nothing is consumed until a good one is stored.
    Stops,
    /// A good one is kept that nobody stored: the remainder by the size of the queue.
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
    /// As [`WhenDisabled`](Self::WhenDisabled), and enabled, while there is no command to consume
    /// and everything has arrived: UNKNOWN before GICv4.1.
    WhenQuiet,
}

/// Translations that are remembered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Caching {
    /// None: every message reads its three entries.
    Off,
    /// `1 << lg2` of them, at most `1 << 20`.
    Translations {
        /// log2 of their number.
        lg2: u8,
    },
    /// All, however many there are.
    All,
}

/// When what a command asks of redistributors, and of messages, is done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Ordering {
    /// With the command.
    #[default]
    AtOnce,
    /// At any moment up to the next SYNC that covers it, drawn from this seed.
    Late {
        /// The seed.
        seed: u64,
        /// How soon.
        haste: Haste,
    },
}

/// How soon what is late is done where no SYNC covers it. Time that passes does it all
/// ([`Its::settle`](crate::Its::settle)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Haste {
    /// One in two steps and messages does one thing.
    #[default]
    Even,
    /// One in sixteen.
    Slow,
    /// None.
    Never,
}

/// The choices of an ITS that can be made differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ItsChoices {
    /// Commands that cannot be performed.
    pub command_errors: CommandErrors,
    /// Redistributors that commands do not reach.
    pub target_errors: TargetErrors,
    /// Memory that does not answer.
    pub memory_errors: MemoryErrors,
    /// Collections that memory does not answer for.
    pub collection_aborts: CollectionAborts,
    /// Going on after a stop.
    pub restart: Restart,
    /// Commands nobody knows.
    pub unknown_commands: UnknownCommands,
    /// Bits that must be zero.
    pub reserved_bits: ReservedBits,
    /// EventIDs beyond the table.
    pub event_beyond: EventBeyond,
    /// Mapping a mapped event.
    pub remap_event: RemapEvent,
    /// Mapping to a collection that is not mapped.
    pub map_to_unmapped: MapToUnmapped,
    /// LPIs that can be mapped to.
    pub lpi_bound: LpiBound,
    /// Mapping a mapped device.
    pub remap_device: RemapDevice,
    /// The table a MAPD names.
    pub itt_at_mapd: IttAtMapd,
    /// Size of a MAPD that unmaps.
    pub size_of_unmap: SizeOfUnmap,
    /// What a MAPC names that unmaps.
    pub target_of_unmap: TargetOfUnmap,
    /// Bits of RDbase.
    pub rdbase_bits: RdbaseBits,
    /// Unmapping a collection in use.
    pub unmap_collection: UnmapCollection,
    /// Mapping a mapped collection.
    pub remap_collection: RemapCollection,
    /// What redistributors learn of events.
    pub events_of_lpis: EventsOfLpis,
    /// Commands about events that are in none.
    pub without_collection: WithoutCollection,
    /// Moving what is in none.
    pub move_from_unmapped: MoveFrom,
    /// Reach of INVALL.
    pub invall_scope: InvallScope,
    /// Bases stored to while enabled.
    pub bases_while_enabled: BasesWhileEnabled,
    /// Tables that are no longer valid.
    pub invalid_table: InvalidTable,
    /// Bases that are not aligned.
    pub table_base: TableBase,
    /// Attributes of the queue and of tables.
    pub attributes: Attributes,
    /// GITS_CWRITER beyond the queue.
    pub writer_beyond: WriterBeyond,
    /// Stores to GITS_CREADR.
    pub reader: Reader,
    /// Stores to GITS_CBASER.
    pub queue_base: QueueBase,
    /// GITS_CTLR.Quiescent.
    pub quiescent: Quiescent,
    /// Enabling without tables.
    pub enabling: Enabling,
    /// Where tables are.
    pub table_home: TableHome,
    /// The cache of translations.
    pub caching: Caching,
    /// And what it forgets.
    pub forgetting: Forgetting,
    /// When effects take place.
    pub ordering: Ordering,
}

/// What is closest to the letter, and where that leaves it open, the simplest.
const STRICT: ItsChoices = ItsChoices {
    command_errors: CommandErrors::Stall,
    target_errors: TargetErrors::Architecture,
    memory_errors: MemoryErrors::Stall,
    collection_aborts: CollectionAborts::AsOthers,
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
    invalid_table: InvalidTable::Stays,
    table_base: TableBase::Cut,
    attributes: Attributes::Kept,
    writer_beyond: WriterBeyond::Ignored,
    reader: Reader::ReadOnly,
    queue_base: QueueBase::Plain,
    quiescent: Quiescent::WhenDisabled,
    enabling: Enabling::Always,
    table_home: TableHome::Memory,
    caching: Caching::Off,
    forgetting: Forgetting::WhatChanges,
    ordering: Ordering::AtOnce,
};

impl Preset {
    /// What the preset chooses for an ITS.
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
                invalid_table: InvalidTable::Emptied,
                attributes: Attributes::Cacheable,
                table_home: TableHome::Its,
                queue_base: QueueBase::Coarse,
                quiescent: Quiescent::WhenIdle,
                enabling: Enabling::NeedsTables,
                // vgic_its_cache_translation, and who calls vgic_its_invalidate_cache.
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
