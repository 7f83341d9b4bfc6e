//! The rules of an ITS: what a message and a command need, and what SYNC makes certain.

use std::collections::BTreeMap;

use passim_gic::choice::adversarial::LATE;
use passim_gic::its::{Failure, Opcode, Reason, Report, Untranslated};

use super::{Hardware, Undone, Unsynchronised, by};
use crate::op::{CommandName, HardwareOp, ItsOp, Op};

/// Of a message that raised nothing.
pub(super) fn of_message(why: Untranslated) -> Hardware {
    let (rule, sentence, source) = match why {
        Untranslated::Disabled => {
            ("its-enabled", "GITS_CTLR.Enabled is set.", "IHI 0069 H 12.19 (GITS_CTLR)")
        }
        Untranslated::DeviceOutOfRange => (
            "its-device-range",
            "The DeviceID has no more bits than GITS_TYPER.Devbits and the device table say.",
            "IHI 0069 H 5.2, 12.19 (GITS_TYPER)",
        ),
        Untranslated::NoDevicePage => (
            "its-device-page",
            "The entry that covers the DeviceID in the first level of the device table is valid.",
            "IHI 0069 H 5.2, 12.19 (GITS_BASER, Indirect)",
        ),
        Untranslated::UnmappedDevice => (
            "its-device-mapped",
            "A MAPD with V has given the device a table of events, and a SYNC has followed.",
            "IHI 0069 H 5.2, 5.3 (MAPD, SYNC)",
        ),
        Untranslated::EventOutOfRange => (
            "its-event-range",
            "The EventID has no more bits than the device's MAPD said (Size).",
            "IHI 0069 H 5.2, 5.3 (MAPD)",
        ),
        Untranslated::UnmappedEvent => (
            "its-event-mapped",
            "A MAPTI or MAPI has given the event an LPI, and a SYNC has followed.",
            "IHI 0069 H 5.2, 5.3 (MAPTI, SYNC)",
        ),
        Untranslated::UnmappedCollection => (
            "its-collection-mapped",
            "A MAPC with V has sent the event's collection to a CPU, and a SYNC has followed.",
            "IHI 0069 H 5.2, 5.3 (MAPC, SYNC)",
        ),
        Untranslated::Abort(_) => (
            "its-table-answers",
            "Memory answers where the tables of the ITS lie.",
            "IHI 0069 H 5.2",
        ),
    };
    its(format!("the message is not translated: {why}"), rule, sentence, source)
}

/// Of a command behind one that stopped the queue.
pub(super) fn still_stopped() -> Hardware {
    its(
        "the queue stands at an earlier command",
        "its-queue-running",
        "No command before it stopped the queue, or GITS_CWRITER.Retry was stored since.",
        "IHI 0069 H 5.2, 12.19 (GITS_CREADR.Stalled, GITS_CWRITER.Retry)",
    )
}

/// Of a write that a frame did not take.
pub(super) fn ignored_by_frame() -> Hardware {
    by(
        "frame",
        "the write is ignored",
        "frame-write",
        "A message to a GICv2m frame is a write of 32 bits to MSI_SETSPI_NS that names one of its SPIs; \
         one to a distributor or a redistributor, a write to a register that sets an interrupt.",
        "the Server Base System Architecture's GICv2m; IHI 0069 H 12.9, 12.11",
    )
}

/// Of a write to an ITS that is no message.
pub(super) fn ignored_by_its() -> Hardware {
    its(
        "the write is ignored",
        "its-doorbell-write",
        "A message is a write of 16 or 32 bits to GITS_TRANSLATER, at offset 0x40 of its page.",
        "IHI 0069 H 12.19 (GITS_TRANSLATER)",
    )
}

fn its(
    answer: impl Into<String>,
    rule: &'static str,
    sentence: impl Into<String>,
    source: impl Into<String>,
) -> Hardware {
    by("its", answer, rule, sentence, source)
}

/// Of a command that was not performed.
pub(super) fn of_command(report: &Report) -> Hardware {
    let stopped = match (report.stalled, report.signalled) {
        (true, _) => "the queue stops there until GITS_CWRITER.Retry",
        (false, true) => "it is passed over, and signalled as an SError",
        (false, false) => "it is passed over",
    };
    let answer = format!("{}: {stopped}", report.failure);
    let Failure::Command(error) = report.failure else {
        return memory(answer);
    };
    let name = Opcode::of(error.opcode).map_or("commands", Opcode::name);
    of_named(error.reason, name, answer)
}

/// Of whichever command it is that is not performed for this reason.
pub(super) fn of_reason(reason: Reason) -> Hardware {
    of_named(reason, "every command that it can happen to", "a command is not performed".to_owned())
}

/// Of memory that did not answer.
pub(super) fn memory(answer: String) -> Hardware {
    let sentence = "Memory answers where the queue and the tables lie.";
    its(answer, "its-memory-answers", sentence, "IHI 0069 H 5.2")
}

fn of_named(reason: Reason, name: &str, answer: String) -> Hardware {
    let (rule, sentence) = demand(reason);
    let source = match is_of_gic600(reason) {
        true => "GIC-600AE TRM 101206_0003_04, ITS command errors, pages 82 to 86".to_owned(),
        false => format!("IHI 0069 H 5.3 ({name}); what follows from an error: 5.2, 5.5"),
    };
    its(answer, rule, sentence, source)
}

fn is_of_gic600(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NoTarget
            | Reason::NoDestination
            | Reason::ChipOffline
            | Reason::LpisOff
            | Reason::DestinationLpisOff
            | Reason::BeyondTarget
            | Reason::NoDevicePage
    )
}

fn demand(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::DeviceOutOfRange => {
            ("its-device-range", "The DeviceID has no more bits than the ITS and its table say.")
        }
        Reason::SizeOrTargetOutOfRange => (
            "its-size-or-target",
            "MAPD asks for no more bits of EventIDs than the ITS has; MAPC names a redistributor.",
        ),
        Reason::ProcessorOutOfRange | Reason::NoTarget | Reason::NoDestination => {
            ("its-target", "The redistributors that are named exist.")
        }
        Reason::CollectionOutOfRange => {
            ("its-collection-range", "The ICID is one of those that the ITS and its table have.")
        }
        Reason::NoDevicePage => (
            "its-device-page",
            "The entry that covers the DeviceID in the first level of the device table is valid.",
        ),
        Reason::UnmappedDevice => {
            ("its-device-mapped", "A MAPD with V has given the device a table of events.")
        }
        Reason::EventOutOfRange => {
            ("its-event-range", "The EventID has no more bits than the device's MAPD said (Size).")
        }
        Reason::PhysicalIdOutOfRange => {
            ("its-lpi", "The INTID is an LPI: 8192 or more, and below 2^IDbits.")
        }
        Reason::UnmappedInterrupt => {
            ("its-event-mapped", "A MAPTI or MAPI has given the event an LPI.")
        }
        Reason::UnmappedCollection | Reason::IteInvalid => {
            ("its-collection-mapped", "A MAPC with V has sent the collection to a CPU.")
        }
        Reason::Unsupported => ("its-command", "The command is one that the ITS has."),
        Reason::ReservedBits => {
            ("its-reserved-bits", "Bits of a command that no field of it has are zero.")
        }
        Reason::MappedDevice => {
            ("its-device-unmapped", "A MAPD without V comes between two MAPDs with V of a device.")
        }
        Reason::MappedInterrupt => {
            ("its-event-unmapped", "A DISCARD comes between two MAPTIs or MAPIs of an event.")
        }
        Reason::ChipOffline => ("its-chip", "The chip of the redistributor is online."),
        Reason::LpisOff | Reason::DestinationLpisOff => {
            ("its-lpis-on", "GICR_CTLR.EnableLPIs of the redistributor is set.")
        }
        Reason::BeyondTarget => ("its-lpi-of-target", "The redistributor has the LPI."),
    }
}

/// The commands before `op` of which no SYNC of the same ITS has come, as far as they bear on it.
pub(in crate::explain) fn unsynchronised<'a>(
    before: impl Iterator<Item = (u64, &'a Op)>,
    op: &Op,
    undone: &BTreeMap<u64, String>,
) -> Vec<Unsynchronised> {
    let Some(its) = its_of(op) else { return Vec::new() };
    let mut open: Vec<(u64, &Op, CommandName)> = Vec::new();
    for (line, op) in before {
        match op {
            _ if undone.contains_key(&line) => {}
            Op::Its(ItsOp::ItsCommand { name, .. }) if its_of(op) == Some(its) => {
                match name {
                    // IHI 0069 H 5.3 (SYNC): messages see every command before a SYNC, of
                    // whichever redistributor.
                    CommandName::Sync => open.clear(),
                    name => open.push((line, op, *name)),
                }
            }
            // Time passes, and everything that is late is done.
            Op::Hardware(HardwareOp::Settle {}) => open.clear(),
            _ => {}
        }
    }
    open.retain(|(_, command, name)| bears_on(command, *name, op));
    let told = |(line, command, name): (u64, &Op, CommandName)| Unsynchronised {
        line,
        command: command.to_string(),
        until: until(&name.to_string()),
    };
    open.into_iter().map(told).collect()
}

/// The commands before `op` to the same ITS that did nothing, as far as they would bear on it.
pub(in crate::explain) fn undone<'a>(
    before: impl Iterator<Item = (u64, &'a Op)>,
    op: &Op,
    undone: &BTreeMap<u64, String>,
) -> Vec<Undone> {
    let its = its_of(op);
    let bears = |command: &Op| match command {
        Op::Its(ItsOp::ItsCommand { name: CommandName::Sync, .. }) => true,
        Op::Its(ItsOp::ItsCommand { name, .. }) => bears_on(command, *name, op),
        _ => true,
    };
    let of_its = before.filter(|(_, command)| its.is_some() && its_of_command(command) == its);
    let told = |(line, command): (u64, &Op)| {
        let because = undone.get(&line).filter(|_| bears(command))?.clone();
        Some(Undone { line, command: command.to_string(), because })
    };
    of_its.filter_map(told).collect()
}

/// Which ITS is sent a command.
fn its_of_command(op: &Op) -> Option<u16> {
    match op {
        Op::Its(ItsOp::ItsCommand { its, .. } | ItsOp::ItsWords { its, .. }) => {
            Some(its.unwrap_or(0))
        }
        _ => None,
    }
}

/// What `LATE` says of a command.
pub(in crate::explain) fn until(name: &str) -> Vec<&'static str> {
    let is_of = |of: &str| of.split([' ', ',']).any(|word| word == name);
    LATE.iter().filter(|late| is_of(late.of)).map(|late| late.until).collect()
}

/// Which ITS an operation is about, if it can tell what was late.
pub(super) fn its_of(op: &Op) -> Option<u16> {
    match op {
        Op::Its(ItsOp::Message { its, .. } | ItsOp::ItsCommand { its, .. }) => {
            Some(its.unwrap_or(0))
        }
        Op::Its(ItsOp::Take { .. } | ItsOp::Acknowledge { .. }) | Op::Pending {} => Some(0),
        _ => None,
    }
}

/// Whether a command can be seen in what `op` is answered.
fn bears_on(command: &Op, name: CommandName, op: &Op) -> bool {
    use CommandName::{Invall, Mapc, Mapd, Movall};
    let of = |op: &Op| match op {
        Op::Its(ItsOp::ItsCommand { device, event, .. }) => {
            (device.unwrap_or(0), Some(u64::from(event.unwrap_or(0))))
        }
        Op::Its(ItsOp::Message { device, event, .. }) => (*device, Some(event.0)),
        _ => (0, None),
    };
    let ((device, event), (asked, of_event)) = (of(command), of(op));
    match (op, name) {
        // What a command does to tables the next one finds done.
        (Op::Its(ItsOp::ItsCommand { .. }), _) => false,
        (Op::Its(ItsOp::Message { .. }), Mapc | Invall | Movall) => true,
        (Op::Its(ItsOp::Message { .. }), Mapd) => device == asked,
        (Op::Its(ItsOp::Message { .. }), _) => device == asked && event == of_event,
        _ => true,
    }
}
