//! Where the dump of an ITS contradicts itself: what it says beside its bytes, and what its queue told
//! the ITS to map, against what its bytes say.

use std::collections::BTreeMap;

use passim_gic::its::image::Device;
use passim_gic::its::{Part, Spelled};
use passim_model::{DeviceId, EventId};

use super::dumped_gic::{self, DumpedGic};
use crate::walk::report::Difference;

/// Bytes of the queue for each step of GITS_CBASER.Size. IHI 0069 H 12.19.
const QUEUE_STEP: u64 = 4096;
/// Bytes of a command.
const COMMAND: u64 = 32;

/// Differences under way.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    /// That `asked` is `expected` by one part of the dump and `found` by another.
    fn differs(&mut self, asked: impl Into<String>, expected: String, found: String) {
        if expected != found {
            self.0.push(Difference { asked: asked.into(), expected, found, line: None });
        }
    }

    fn wrong(&mut self, asked: impl Into<String>, expected: &str, found: String) {
        self.differs(asked, expected.to_owned(), found);
    }
}

/// Every contradiction; what `devices` are mapped is read from the tables.
pub(super) fn all(
    stand: &DumpedGic,
    devices: &BTreeMap<DeviceId, Device>,
    collections: &BTreeMap<u16, u16>,
) -> Vec<Difference> {
    let mut found = Found::default();
    of_queue(stand, &mut found);
    of_tables(stand, &mut found);
    of_itts(stand, devices, &mut found);
    of_redistributors(stand, &mut found);
    of_commands(stand, devices, collections, &mut found);
    found.0
}

fn of_queue(stand: &DumpedGic, found: &mut Found) {
    let (read, written) = (stand.field("CREADR", "OFFSET"), stand.field("CWRITER", "OFFSET"));
    let count = |count: u64| format!("{count} commands");
    let held = count(stand.dump.commands.len() as u64);
    found.differs("the command queue as far as GITS_CWRITER", count(written), held);
    let is_valid = stand.field("CBASER", "VALID") != 0;
    if !is_valid && (written > 0 || !stand.dump.commands.is_empty()) {
        let beside = format!("0, beside {written} commands up to GITS_CWRITER");
        found.wrong("GITS_CBASER.Valid", "1, as there is a queue", beside);
        return;
    }
    let bytes = (stand.field("CBASER", "SIZE") + 1) * QUEUE_STEP;
    for (name, slot) in [("GITS_CWRITER", written), ("GITS_CREADR", read)] {
        let at = slot * COMMAND;
        if is_valid && at >= bytes {
            let expected = format!("below {bytes:#x}, the bytes that GITS_CBASER gives the queue");
            found.wrong(name, &expected, format!("{at:#x}"));
        }
    }
    if read > written && read * COMMAND < bytes {
        found.wrong(
            format!("the commands that wait from GITS_CREADR {:#x} on", read * COMMAND),
            "all that are not consumed",
            format!("none: the dump ends at GITS_CWRITER {:#x}, before it", written * COMMAND),
        );
    }
}

fn of_tables(stand: &DumpedGic, found: &mut Found) {
    for table in &stand.dump.tables {
        let said = (table.at.map_or(0, |at| at.get()), table.entry_size, table.page_size);
        let shown = |(at, entry, page): (u64, u64, u64)| {
            format!("at {at:#x}, entries of {entry} bytes, pages of {page}")
        };
        let asked = format!("GITS_BASER{}", table.number);
        found.differs(asked.clone(), shown(said), shown(dumped_gic::as_register(table.raw)));
        let field = |name| dumped_gic::baser_field(table.raw, name);
        let kind = match field("TYPE") {
            0 => "unimpl",
            dumped_gic::DEVICES => "devices",
            2 => "vpes",
            dumped_gic::COLLECTIONS => "collections",
            _ => "reserved",
        };
        if let Some(said) = &table.kind {
            found.differs(format!("{asked}.Type"), said.clone(), kind.to_owned());
        }
        let numbers = [
            ("Indirect", table.indirect, field("INDIRECT")),
            ("Valid", table.valid, field("VALID")),
            ("Size, in pages", table.pages, field("SIZE") + 1),
        ];
        for (name, said, has) in numbers {
            if let Some(said) = said {
                found.differs(format!("{asked}.{name}"), said.to_string(), has.to_string());
            }
        }
    }
}

fn of_itts(stand: &DumpedGic, devices: &BTreeMap<DeviceId, Device>, found: &mut Found) {
    let shown = |at: u64, bits: u32| format!("a table at {at:#x} for {bits} bits of EventID");
    let entry = stand.field("TYPER", "ITT_ENTRY_SIZE") + 1;
    for itt in &stand.dump.itts {
        let name = format!("device {:#x}", itt.device);
        let mapped = devices.get(&DeviceId::new(itt.device));
        let mapped = mapped.map(|it| shown(it.itt.get(), it.event_bits));
        let mapped = mapped.unwrap_or_else(|| "it is not mapped".to_owned());
        found.differs(name.clone(), shown(itt.at.get(), itt.event_bits), mapped);
        let bytes = |bytes: u64| format!("{bytes} bytes");
        let asked = format!("{name}, an entry of its table beside GITS_TYPER.ITT_entry_size");
        found.differs(asked, bytes(itt.entry_size), bytes(entry));
        let events = 1u64.checked_shl(itt.event_bits).unwrap_or(u64::MAX);
        for event in itt.entries.keys().filter(|event| **event >= events) {
            let expected = format!("below {events}, for {} bits of EventID", itt.event_bits);
            found.wrong(format!("{name}, an EventID of its table"), &expected, event.to_string());
        }
    }
    for (id, it) in devices {
        if stand.dump.itts.iter().all(|itt| itt.device != id.get()) {
            let mapped = shown(it.itt.get(), it.event_bits);
            found.wrong(format!("device {:#x}", id.get()), "no table is in the dump", mapped);
        }
    }
}

fn of_redistributors(stand: &DumpedGic, found: &mut Found) {
    for it in stand.dump.redistributors.iter().filter(|it| it.ctlr & 1 != 0) {
        for (name, value) in [("PROPBASER", it.propbaser), ("PENDBASER", it.pendbaser)] {
            if dumped_gic::lpi_table(value) == 0 {
                let asked = format!("GICR_{name} of cpu {}, whose LPIs are on", it.cpu);
                found.wrong(asked, "the address of a table", format!("{value:#x}"));
            }
        }
    }
}

/// A slot of the queue, and the two numbers that its command mapped something to.
type Last = (u64, Option<(u64, u64)>);

/// What the commands that were consumed mapped last, each with its slot in the queue.
#[derive(Default)]
struct Narration {
    /// Where a device's table lies, and for how many bits.
    devices: BTreeMap<u64, Last>,
    /// LPI and collection of an event of a device.
    events: BTreeMap<(u64, u64), Last>,
    /// The CPU of a collection.
    collections: BTreeMap<u64, (u64, Option<u64>)>,
}

impl Narration {
    fn take(&mut self, slot: u64, spelled: &Spelled) {
        let part = |name: &str| {
            let value = spelled.parts.iter().find(|(known, _)| *known == name).map(|(_, it)| *it);
            value.map_or(0, |value| match value {
                Part::Number(value) | Part::Hex(value) => value,
                Part::Flag(set) => u64::from(set),
            })
        };
        let (device, event) = (part("device"), part("event"));
        let is_valid = part("valid") != 0;
        match spelled.name {
            Some("MAPD") => {
                let table = is_valid.then(|| (part("itt"), part("bits")));
                self.devices.insert(device, (slot, table));
                self.events.retain(|(of, _), _| *of != device);
            }
            Some("MAPC") => {
                self.collections.insert(part("icid"), (slot, is_valid.then(|| part("cpu"))));
            }
            Some("MAPTI") => {
                let to = (part("intid"), part("icid"));
                self.events.insert((device, event), (slot, Some(to)));
            }
            Some("MAPI") => {
                self.events.insert((device, event), (slot, Some((event, part("icid")))));
            }
            Some("DISCARD") => {
                self.events.insert((device, event), (slot, None));
            }
            Some("MOVI") => {
                if let Some((at, Some((_, icid)))) = self.events.get_mut(&(device, event)) {
                    (*at, *icid) = (slot, part("icid"));
                }
            }
            _ => {}
        }
    }
}

/// What the queue told the ITS, against the tables.
fn of_commands(
    stand: &DumpedGic,
    devices: &BTreeMap<DeviceId, Device>,
    collections: &BTreeMap<u16, u16>,
    found: &mut Found,
) {
    let by_address = stand.field("TYPER", "PTA") != 0;
    let (read, written) = (stand.field("CREADR", "OFFSET"), stand.field("CWRITER", "OFFSET"));
    let mut told = Narration::default();
    for (slot, words) in (0..read.min(written)).zip(&stand.dump.commands) {
        told.take(slot, &Spelled::of(words, by_address));
    }
    let unmapped = || "unmapped".to_owned();
    let of = |device: u64| devices.get(&DeviceId::new(device as u32));
    for (device, (slot, told)) in told.devices {
        let shown = |at: u64, bits: u64| format!("a table at {at:#x} for {bits} bits of EventID");
        let told = told.map_or_else(unmapped, |(at, bits)| shown(at, bits));
        let has = of(device).map(|it| shown(it.itt.get(), it.event_bits.into()));
        let asked = format!("device {device:#x}, by the MAPD in slot {slot} of the queue");
        found.differs(asked, told, has.unwrap_or_else(unmapped));
    }
    for ((device, event), (slot, told)) in told.events {
        let shown = |lpi: u64, icid: Option<u64>| match icid {
            Some(icid) => format!("lpi {lpi}, collection {icid}"),
            None => format!("lpi {lpi}, no collection"),
        };
        let told = told.map_or_else(unmapped, |(lpi, icid)| shown(lpi, Some(icid)));
        let has = of(device).and_then(|it| it.events.get(&EventId::new(event as u32)));
        let has = has.map(|(lpi, icid)| shown(lpi.get().into(), icid.map(u64::from)));
        let asked = format!("device {device:#x} event {event}, by the command in slot {slot}");
        found.differs(asked, told, has.unwrap_or_else(unmapped));
    }
    // By an address it is not told here which CPU is meant.
    for (icid, (slot, told)) in told.collections.into_iter().filter(|_| !by_address) {
        let shown = |cpu: u64| format!("cpu {cpu}");
        let has = u16::try_from(icid).ok().and_then(|icid| collections.get(&icid));
        let has = has.map_or_else(unmapped, |cpu| shown((*cpu).into()));
        let asked = format!("collection {icid}, by the MAPC in slot {slot} of the queue");
        found.differs(asked, told.map_or_else(unmapped, shown), has);
    }
}
