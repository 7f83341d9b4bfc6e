//! The values that the preset `adversarial` draws from its seed: every point that the architecture
//! leaves open and that software can observe.
//!
//! Some points are drawn once, from the seed: an implementation fixes them one way or another
//! ([`DRAWN`]). The others are drawn at every step and every message: what is late, and by how much
//! ([`LATE`]); the rooms of [`its`](crate::its) that send packets and translate messages draw
//! those.
//!
//! Points that the architecture settles are not drawn, whatever other implementations do: MAPTI to
//! an unmapped collection takes place, GITS_CREADR is read-only, a store to GITS_CBASER clears it,
//! only GITS_CWRITER.Retry restarts a stalled queue, no LPI is taken where LPIs are off, and
//! GICR_PENDBASER.PTZ reads as zero. Two more are not drawn: what only software observes that
//! writes to a pending table in use, which it must not, and the number of priority bits.

use super::its::{
    BasesWhileEnabled, Caching, CommandErrors, EventBeyond, Haste, IttAtMapd, MemoryErrors,
    MoveFrom, Ordering, QueueBase, Quiescent, RemapDevice, RemapEvent, ReservedBits, TableBase,
    UnknownCommands, UnmapCollection, WriterBeyond,
};
use super::lpi::{
    BaseWhileEnabled, ClearEnable, ConfigRead, Disabling, InvlpirReach, LpiState, MoveToDisabled,
    PendingAtDisable, PendingHome, PendingPriority, PendingScan, PendingZero, PriorityBits,
    PropertyTable, RegisterInvalidation,
};
use super::{Attributes, ItsChoices, LpiChoices};
use crate::chance::Chance;

/// A point drawn from the seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drawn {
    /// The point, and where the architecture leaves it open.
    pub point: &'static str,
    /// The type of the choice.
    pub home: &'static str,
    /// Its room in `gic/src/choice`.
    pub room: &'static str,
    /// The values it is drawn from.
    pub values: &'static [&'static str],
}

const fn drawn(
    point: &'static str,
    home: &'static str,
    room: &'static str,
    values: &'static [&'static str],
) -> Drawn {
    Drawn { point, home, room, values }
}

/// Every point drawn from the seed. References are to IHI 0069 H.
pub const DRAWN: [Drawn; 26] = [
    drawn(
        "a command that cannot be performed (5.2)",
        "CommandErrors",
        "its",
        &["Skip", "Report", "Stall"],
    ),
    drawn("a queue or table that does not answer (5.2)", "MemoryErrors", "its", &["Skip", "Stall"]),
    drawn("a command that is none (5.3)", "UnknownCommands", "its", &["Skip", "Error"]),
    drawn(
        "bits of a command that must be zero (5.3)",
        "ReservedBits",
        "its",
        &["Ignored", "Error"],
    ),
    drawn(
        "bits of an EventID beyond the device's table (12.19, GITS_TRANSLATER)",
        "EventBeyond",
        "its",
        &["Ignored", "Cut"],
    ),
    drawn("MAPTI of a mapped event (5.3)", "RemapEvent", "its", &["Keep", "Replace", "Refused"]),
    drawn("MAPD of a mapped device (5.3)", "RemapDevice", "its", &["Keep", "Replace", "Refused"]),
    drawn(
        "a table that was not zeroed before MAPD (5.2)",
        "IttAtMapd",
        "its",
        &["AsItIs", "Zeroed"],
    ),
    drawn(
        "MAPC without V of a collection in use (5.3)",
        "UnmapCollection",
        "its",
        &["Revives", "Orphans"],
    ),
    drawn(
        "MOVI of an event whose collection is not mapped (5.3)",
        "MoveFrom",
        "its",
        &["Allowed", "Refused"],
    ),
    drawn(
        "GITS_CBASER, GITS_BASER stored to while enabled (12.19)",
        "BasesWhileEnabled",
        "its",
        &["Ignored", "Taken"],
    ),
    drawn(
        "a base of GITS_BASER that is not aligned to pages of 16 KiB (12.19)",
        "TableBase",
        "its",
        &["Cut", "AsItIs"],
    ),
    drawn(
        "a queue that is not aligned to 64 KiB (12.19, GITS_CBASER)",
        "QueueBase",
        "its",
        &["AsItIs", "Cut", "CutUnseen"],
    ),
    drawn(
        "GITS_CWRITER beyond the queue (12.19)",
        "WriterBeyond",
        "its",
        &["Ignored", "Stops", "Wraps"],
    ),
    drawn(
        "GITS_CTLR.Quiescent while enabled (12.19)",
        "Quiescent",
        "its",
        &["WhenDisabled", "WhenQuiet"],
    ),
    drawn("translations remembered (5.2)", "Caching", "its", &["Off", "Translations"]),
    drawn(
        "when configuration is read (5.1)",
        "ConfigRead",
        "lpi",
        &["WhenPended", "UntilInvalidated", "OnceForAll", "AtMapping", "AtEnabling"],
    ),
    drawn(
        "where pending state is while LPIs are on (5.1)",
        "PendingHome",
        "lpi",
        &["Memory", "Redistributor"],
    ),
    drawn(
        "a pending table that software says is zero: GICR_PENDBASER.PTZ (12.11)",
        "PendingZero",
        "lpi",
        &["Honoured", "HonouredOnce", "Doubted"],
    ),
    drawn(
        "clearing GICR_CTLR.EnableLPIs, and whether GICR_CTLR.CES says so (12.11)",
        "ClearEnable",
        "lpi",
        &["Allowed", "Untold", "Refused"],
    ),
    drawn(
        "when the pending table is written after that: GICR_CTLR.RWP (12.11)",
        "Disabling",
        "lpi",
        &["AtOnce", "OnStep"],
    ),
    drawn(
        "GICR_PROPBASER, GICR_PENDBASER stored to while LPIs are on (12.11)",
        "BaseWhileEnabled",
        "lpi",
        &["Ignored", "Kept"],
    ),
    drawn(
        "redistributors that differ in GICR_PROPBASER (12.11)",
        "PropertyTable",
        "lpi",
        &["PerRedistributor", "Shared"],
    ),
    drawn(
        "the priority of a pending LPI after an invalidation (5.1)",
        "PendingPriority",
        "lpi",
        &["Follows", "Sticks"],
    ),
    drawn("MOVI, MOVALL to where LPIs are off (5.3)", "MoveToDisabled", "lpi", &["Stay", "Lost"]),
    drawn(
        "when GICR_INVLPIR and GICR_INVALLR are done (12.11)",
        "RegisterInvalidation",
        "lpi",
        &["AtOnce", "OnStep"],
    ),
];

/// A point drawn anew each time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Late {
    /// The command, or other subject.
    pub of: &'static str,
    /// What software may observe until a SYNC covers it.
    pub until: &'static str,
    /// Its room in `gic/src/its`.
    pub room: &'static str,
}

const fn late(of: &'static str, until: &'static str, room: &'static str) -> Late {
    Late { of, until, room }
}

/// Every point drawn anew each time. IHI 0069 H 5.3 (SYNC): messages observe every command before a
/// SYNC, whichever redistributor it names; everything sent to that redistributor has arrived.
pub const LATE: [Late; 10] = [
    late("MAPD that maps", "messages find the device unmapped", "translate"),
    late(
        "MAPD of a mapped device, or without V",
        "messages are translated by the table of before, as that is in memory by now",
        "translate",
    ),
    late("MAPC", "messages of its events go where the collection was, or nowhere", "translate"),
    late("MAPTI of an unmapped event", "messages find the event unmapped", "translate"),
    late("MAPTI of a mapped event", "messages raise the LPI of before", "translate"),
    late("MOVI", "messages go where the event was; what is pending stays there", "translate"),
    late("DISCARD", "messages raise the LPI; it stays pending", "translate"),
    late("CLEAR, INV, INVALL, MOVALL", "done after what later messages raise has come", "flight"),
    late("INT, and messages", "the LPI is not pending yet", "flight"),
    late(
        "everything on its way",
        "arrives in another order, but for what is about one event; in one of two steps, in one of \
         sixteen or in none, by the seed",
        "flight",
    ),
];

/// The values drawn for an ITS; points not drawn are as in `plain`.
pub(super) fn its(seed: u64, plain: ItsChoices) -> ItsChoices {
    let mut chance = Chance::new(seed);
    let haste = chance.pick([Haste::Even, Haste::Slow, Haste::Never, Haste::Never]);
    let cache = |lg2| Caching::Translations { lg2 };
    let plain = ItsChoices {
        command_errors: chance.pick([
            CommandErrors::Skip,
            CommandErrors::Report,
            CommandErrors::Stall,
        ]),
        memory_errors: chance.pick([MemoryErrors::Skip, MemoryErrors::Stall]),
        unknown_commands: chance.pick([UnknownCommands::Skip, UnknownCommands::Error]),
        // By the parity of the seed, so that a caller can select either.
        event_beyond: [EventBeyond::Ignored, EventBeyond::Cut][(seed & 1) as usize],
        remap_event: chance.pick([RemapEvent::Keep, RemapEvent::Replace]),
        remap_device: chance.pick([RemapDevice::Keep, RemapDevice::Replace]),
        itt_at_mapd: chance.pick([IttAtMapd::AsItIs, IttAtMapd::Zeroed]),
        unmap_collection: chance.pick([UnmapCollection::Revives, UnmapCollection::Orphans]),
        bases_while_enabled: chance.pick([BasesWhileEnabled::Ignored, BasesWhileEnabled::Taken]),
        writer_beyond: chance.pick([
            WriterBeyond::Ignored,
            WriterBeyond::Stops,
            WriterBeyond::Wraps,
        ]),
        quiescent: chance.pick([Quiescent::WhenDisabled, Quiescent::WhenQuiet]),
        caching: chance.pick([Caching::Off, cache(0), cache(4), cache(12)]),
        ordering: Ordering::Late { seed, haste },
        move_from_unmapped: chance.pick([MoveFrom::Allowed, MoveFrom::Refused]),
        ..plain
    };
    // Drawn last, so that the earlier draws do not depend on it.
    let reserved_bits = chance.pick([ReservedBits::Ignored, ReservedBits::Error]);
    let table_base = chance.pick([TableBase::Cut, TableBase::AsItIs]);
    let queue_base = chance.pick([QueueBase::AsItIs, QueueBase::Cut, QueueBase::CutUnseen]);
    let kept = [RemapEvent::Keep, RemapEvent::Refused];
    let remap_event = match plain.remap_event {
        RemapEvent::Keep | RemapEvent::Refused => chance.pick(kept),
        RemapEvent::Replace => RemapEvent::Replace,
    };
    let kept = [RemapDevice::Keep, RemapDevice::Refused];
    let remap_device = match plain.remap_device {
        RemapDevice::Keep | RemapDevice::Refused => chance.pick(kept),
        RemapDevice::Replace => RemapDevice::Replace,
    };
    ItsChoices { reserved_bits, table_base, queue_base, remap_event, remap_device, ..plain }
}

/// The values drawn for redistributors. Three in four seeds read configuration at mapping or at
/// enabling, and not again before an invalidation.
pub(super) fn lpi(seed: u64) -> LpiChoices {
    use ConfigRead::{AtEnabling, AtMapping, OnceForAll, UntilInvalidated, WhenPended};
    // Differs from the ITS's numbers.
    let mut chance = Chance::new(!seed);
    let plain = LpiChoices {
        state: LpiState::PerRedistributor,
        config: chance.pick([
            AtMapping,
            AtMapping,
            AtMapping,
            AtEnabling,
            AtEnabling,
            AtEnabling,
            UntilInvalidated,
            WhenPended,
        ]),
        pending: chance.pick([PendingHome::Memory, PendingHome::Redistributor]),
        pending_scan: PendingScan::AtEnabling,
        ptz: PendingZero::Honoured,
        clear_enable: chance.pick([ClearEnable::Allowed, ClearEnable::Refused]),
        base_while_enabled: chance.pick([BaseWhileEnabled::Ignored, BaseWhileEnabled::Kept]),
        property_table: chance.pick([PropertyTable::PerRedistributor, PropertyTable::Shared]),
        attributes: Attributes::Kept,
        pending_at_disable: PendingAtDisable::Written,
        disabling: Disabling::AtOnce,
        invlpir: InvlpirReach::Own,
        priority_bits: PriorityBits::Five,
        pending_priority: chance.pick([PendingPriority::Follows, PendingPriority::Sticks]),
        move_to_disabled: chance.pick([MoveToDisabled::Stay, MoveToDisabled::Lost]),
        register_invalidation: chance
            .pick([RegisterInvalidation::AtOnce, RegisterInvalidation::OnStep]),
    };
    // Drawn last, so that the earlier draws do not depend on it.
    let ptz = chance.pick([PendingZero::Honoured, PendingZero::Doubted]);
    let disabling = chance.pick([Disabling::AtOnce, Disabling::OnStep]);
    let ptz = match ptz {
        PendingZero::Honoured => chance.pick([PendingZero::Honoured, PendingZero::HonouredOnce]),
        other => other,
    };
    let allowed = chance.pick([ClearEnable::Allowed, ClearEnable::Untold]);
    let clear_enable = match plain.clear_enable {
        ClearEnable::Refused => ClearEnable::Refused,
        ClearEnable::Allowed | ClearEnable::Untold => allowed,
    };
    let config = match plain.config {
        UntilInvalidated => chance.pick([UntilInvalidated, OnceForAll]),
        other => other,
    };
    LpiChoices { config, ptz, disabling, clear_enable, ..plain }
}

#[cfg(test)]
mod tests;
