//! The ITS of a recording: the kernel's commands, and their effect in memory.
//!
//! A dump is compared in three ways. An ITS of the model performs the commands of its queue on
//! separate memory, which must produce the tables of the dump; where the queue has wrapped, they
//! must leave the tables unchanged. Those tables, as bytes, must map every event to the same LPI
//! and CPU as the model's own tables. And the model's own driver must have sent the kernel's
//! commands, the same in kind, order and every field but addresses.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `dumped_its` | what do a dump's commands do to separate memory? |
//! | `excuse` | which command errors do lost commands explain? |
//! | `fields` | which registers and fields are compared? |

mod dumped_its;
mod excuse;
mod fields;

use std::collections::BTreeMap;

use passim_gic::Cpu;
use passim_gic::its::image::{Device, Mappings};
use passim_model::{EventId, Host, IntId, PhysAddr, Width};

use super::Replayer;
use super::compare::Place;
use super::perform::Taken;
use super::report::Difference;
use crate::machine::{Gic, GicIts};
use crate::recording::dump::ItsDump;
use crate::recording::step::Dump;
use crate::system::Board;
use dumped_its::DumpedIts;
use fields::{COMMANDS, Named, REDISTRIBUTOR, REGISTERS, command_text};

/// Most differences that one dump reports.
const MAX_REPORTED: usize = 4;
/// The first LPI. IHI 0069 H 2.2.
const FIRST_LPI: u32 = 8192;
/// Bytes of a redistributor's registers.
const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;
/// Bytes of a command. IHI 0069 H 5.3.
pub(super) const COMMAND_BYTES: u64 = 32;

impl Replayer<'_> {
    /// Compares a dump of a GICv3 and its ITS.
    pub(super) fn its_dump(&mut self, number: u64, dump: &Dump) -> Taken {
        let Some(path) = self.found.dump(&dump.file_stem()) else {
            return Taken::Skipped("dump its", "no dump lies beside the recording");
        };
        let recorded = match ItsDump::read(&path) {
            Ok(recorded) => recorded,
            Err(error) => return Taken::Unreadable(error),
        };
        let Gic::Its(gic) = &self.machine.gic else { unreachable!("asked before") };
        let gic = gic.clone();
        let place = Place { line: number, call: format!("dump {}: its", dump.name) };
        let board = &mut self.system.board;
        let mut wrong = registers(board, &gic, &place, &recorded);
        wrong.extend(told(board, &gic, &place, &recorded));
        wrong.extend(configuration(board, &gic, &place, &recorded));
        wrong.extend(pending(board, &place, &recorded));
        let own = board.gicv3().and_then(|it| it.its().first()?.mappings(board.memory()).ok());
        match DumpedIts::from_tables(&self.machine, &gic, &recorded) {
            Ok(mut apart) => {
                let theirs = apart.mappings();
                wrong.extend(mapped(&place, &theirs, &own.unwrap_or_default().mappings));
                wrong.extend(apart.translate(&place, &theirs));
            }
            Err(why) => wrong.push(place.differs("tables in memory", why)),
        }
        wrong.extend(performed(&self.machine, &gic, &place, &recorded));
        let mut wrong = wrong.into_iter().take(MAX_REPORTED);
        let first = wrong.next();
        self.report.differences.extend(wrong);
        Taken::Compared(first)
    }
}

/// Compares registers of ITS and redistributors, without the addresses of tables.
fn registers(
    board: &mut Board,
    gic: &GicIts,
    place: &Place,
    recorded: &ItsDump,
) -> Vec<Difference> {
    let mut looks: Vec<(String, Option<PhysAddr>, Width, u64, u64)> = Vec::new();
    for &Named { name, offset, width, compared } in REGISTERS {
        if let Some(value) = recorded.registers.get(name) {
            let at = gic.its[0].checked_add(offset);
            looks.push((format!("GITS_{name}"), at, width, compared, *value));
        }
    }
    for table in &recorded.tables {
        let at = gic.its[0].checked_add(fields::BASER + 8 * u64::from(table.number));
        let name = format!("GITS_BASER{}", table.number);
        looks.push((name, at, Width::W64, fields::BASER_COMPARED, table.raw));
    }
    for redistributor in &recorded.redistributors {
        let base = u64::from(redistributor.cpu) * REDISTRIBUTOR_BYTES;
        let base = gic.redistributors.checked_add(base);
        let values = [
            redistributor.ctlr,
            redistributor.typer,
            redistributor.propbaser,
            redistributor.pendbaser,
        ];
        for (&Named { name, offset, width, compared }, value) in REDISTRIBUTOR.iter().zip(values) {
            let name = format!("GICR_{name} of cpu {}", redistributor.cpu);
            let at = base.and_then(|base| base.checked_add(offset));
            looks.push((name, at, width, compared, value));
        }
    }
    let differs =
        |(name, at, width, compared, kernel): (String, Option<PhysAddr>, _, u64, u64)| match at
            .map(|at| board.load(at, width))
        {
            Some(Ok(model)) => place.number(&name, kernel & compared, model & compared),
            _ => Some(place.differs(format!("{name} {kernel:#x}"), "nothing answers")),
        };
    looks.into_iter().filter_map(differs).collect()
}

/// The commands in the model's queue, up to GITS_CWRITER.
fn queue(board: &mut Board, gic: &GicIts) -> Option<Vec<[u64; 4]>> {
    let mut load = |offset| board.load(gic.its[0].checked_add(offset)?, Width::W64).ok();
    let (base, end) = (load(fields::CBASER)? & fields::QUEUE_ADDRESS, load(fields::CWRITER)?);
    let mut commands = Vec::new();
    for n in 0..(end & fields::QUEUE_OFFSET) / COMMAND_BYTES {
        let at = PhysAddr::new(base).checked_add(n * COMMAND_BYTES)?;
        commands.push(<[u64; 4]>::try_from(board.memory().words(at, 4).ok()?).ok()?);
    }
    Some(commands)
}

/// Compares the commands of both drivers, except for addresses of tables: the first difference.
fn told(board: &mut Board, gic: &GicIts, place: &Place, recorded: &ItsDump) -> Option<Difference> {
    let own = queue(board, gic).unwrap_or_default();
    let longest = own.len().max(recorded.commands.len());
    let typer = recorded.registers.get("TYPER").copied().unwrap_or(0);
    let text = |command: Option<&[u64; 4]>| match command {
        Some(command) => command_text(command, typer),
        None => "no command".to_owned(),
    };
    (0..longest).find_map(|n| {
        let (kernel, model) = (recorded.commands.get(n), own.get(n));
        let same = match (kernel, model) {
            (Some(kernel), Some(model)) => fields::comparable(kernel) == fields::comparable(model),
            _ => false,
        };
        let shown = |command| format!("command {n}: {}", text(command));
        (!same).then(|| place.differs(shown(kernel), shown(model)))
    })
}

/// Compares the configuration bytes of all LPIs: the first difference.
fn configuration(
    board: &mut Board,
    gic: &GicIts,
    place: &Place,
    recorded: &ItsDump,
) -> Option<Difference> {
    recorded.redistributors.iter().find_map(|redistributor| {
        let most = redistributor.config?;
        let base = u64::from(redistributor.cpu) * REDISTRIBUTOR_BYTES;
        let register = gic.redistributors.checked_add(base + fields::PROPBASER)?;
        let propbaser = board.load(register, Width::W64).ok()?;
        let count = (1u64 << (fields::propbaser_bits(propbaser).min(24))) - u64::from(FIRST_LPI);
        let mut bytes = vec![0; usize::try_from(count).ok()?];
        let at = PhysAddr::new(propbaser & fields::PROPBASER_ADDRESS);
        if board.memory().read(at, &mut bytes).is_err() {
            return Some(place.differs("a configuration table", "nothing answers"));
        }
        (FIRST_LPI..).zip(bytes).find_map(|(lpi, model)| {
            let kernel = redistributor.configured.get(&lpi).copied().unwrap_or(most);
            let name = format!("configuration of lpi {lpi}:");
            place.number(&name, kernel.into(), model.into())
        })
    })
}

fn pending(board: &Board, place: &Place, recorded: &ItsDump) -> Option<Difference> {
    recorded.redistributors.iter().find_map(|redistributor| {
        let own = board.gicv3()?.pending_lpis(Cpu::new(redistributor.cpu));
        let own: Vec<_> = own.into_iter().map(|lpi| u64::from(lpi.get())).collect();
        let shown = |lpis: &[u64]| format!("pending at cpu {}: {lpis:?}", redistributor.cpu);
        let differs = own != redistributor.pending;
        differs.then(|| place.differs(shown(&redistributor.pending), shown(&own)))
    })
}

/// The mappings of a device: bits of an EventID, and its events.
type Shape = (u32, BTreeMap<EventId, (IntId, Option<u16>)>);

/// `2 bits, 0: lpi 8194 in collection 1`.
fn shape_text(shape: Option<&Shape>) -> String {
    let Some((bits, events)) = shape else { return "not mapped".to_owned() };
    let mut text = format!("{bits} bits");
    for (event, (lpi, icid)) in events {
        let icid = icid.map_or("none".to_owned(), |icid| icid.to_string());
        text.push_str(&format!(", {}: lpi {lpi} in collection {icid}", event.get()));
    }
    text
}

/// Compares the mappings in both tables, without the addresses of tables.
fn mapped(place: &Place, kernel: &Mappings, model: &Mappings) -> Option<Difference> {
    if kernel.collections != model.collections {
        let shown = |it: &Mappings| format!("collections {:?}", it.collections);
        return Some(place.differs(shown(kernel), shown(model)));
    }
    let shape =
        |device: Option<&Device>| device.map(|it| -> Shape { (it.event_bits, it.events.clone()) });
    kernel.devices.keys().chain(model.devices.keys()).find_map(|id| {
        let (theirs, own) = (shape(kernel.devices.get(id)), shape(model.devices.get(id)));
        let shown = |it: &Option<Shape>| format!("device {id}: {}", shape_text(it.as_ref()));
        (theirs != own).then(|| place.differs(shown(&theirs), shown(&own)))
    })
}

/// Performs the commands of the dump, which must produce its tables.
///
/// A queue that has wrapped lacks its first commands, and those between the last dump and the end
/// of the queue, so the tables before its commands are unknown. But each command states a result,
/// not a change: performed again on the tables that they produced, the commands must leave them
/// unchanged. This detects every wrong entry that a command since the wrap names, and every command
/// that fails although no lost one mapped what it names; it misses entries that only lost commands
/// name, and failures of lost commands.
fn performed(
    machine: &crate::machine::Machine,
    gic: &GicIts,
    place: &Place,
    recorded: &ItsDump,
) -> Option<Difference> {
    let first = recorded.commands.first()?;
    // A driver's first command maps the collection of the boot CPU.
    let wrapped = first[0] & 0xff != COMMANDS.0 || first[2] & 0xffff != 0;
    let before = match wrapped {
        false => DumpedIts::before_commands(machine, gic, recorded),
        true => DumpedIts::from_tables(machine, gic, recorded),
    };
    let outcome = before
        .and_then(|mut apart| apart.perform(recorded, wrapped).map(|()| apart))
        .and_then(|apart| apart.agrees(recorded));
    outcome.err().map(|why| place.differs("its commands leave its tables", why))
}

#[cfg(test)]
mod tests;
