//! An ITS on separate memory, built from a dump.

use passim_gic::its::image::Mappings;
use passim_gic::its::{Arrival, Failure, Layout, TRANSLATER};
use passim_gic::v3::Block;
use passim_gic::{Cpu, GicV3, Progress, Size};
use passim_model::{DeviceId, IntId, Memory, PhysAddr, Requester, Span, StreamId};

use super::super::compare::Place;
use super::super::report::Difference;
use super::excuse::by_loss;
use super::fields::{BASER, CBASER, COMMANDS, CTLR, CWRITER, ITT_ADDRESS, PENDBASER, PROPBASER};
use super::{COMMAND_BYTES, FIRST_LPI};
use crate::machine::{GicIts, Machine};
use crate::recording::dump::{ItsDump, Itt, Table};
use crate::system::gicv3;

/// GITS_BASER.Type.
const DEVICES: u64 = 1;
const COLLECTIONS: u64 = 4;
const ITS: Block = Block::Its(0);
/// Most steps a command may take.
const MOST_STEPS: u32 = 1 << 12;

/// A GICv3 and memory. See the [module](self).
pub(super) struct DumpedIts {
    gic: GicV3,
    memory: Memory,
}

impl DumpedIts {
    /// Before the commands: memory contains level 1 of the tables, and nothing is mapped.
    pub(super) fn before_commands(
        machine: &Machine,
        facts: &GicIts,
        dump: &ItsDump,
    ) -> Result<Self, String> {
        let mut memory = Memory::new();
        for bank in &machine.ram {
            memory.add_bank(*bank).map_err(|error| error.to_string())?;
        }
        let mut apart = Self { gic: gicv3(machine, facts), memory };
        for table in [DEVICES, COLLECTIONS].into_iter().filter_map(|kind| dump.table(kind)) {
            for (index, word) in &table.level1 {
                apart.put(table.at, 8 * index, *word)?;
            }
            apart.store(ITS, BASER + 8 * u64::from(table.number), table.raw);
        }
        for redistributor in &dump.redistributors {
            let block = Block::Redistributor(Cpu::new(redistributor.cpu));
            apart.store(block, PROPBASER, redistributor.propbaser);
            apart.store(block, PENDBASER, redistributor.pendbaser);
            apart.store(block, 0, redistributor.ctlr & 1);
        }
        let cbaser = dump.registers.get("CBASER").copied().unwrap_or(0);
        apart.store(ITS, CBASER, cbaser);
        apart.store(ITS, CTLR, 1);
        Ok(apart)
    }

    /// After the commands: memory contains the tables of the dump.
    pub(super) fn from_tables(
        machine: &Machine,
        facts: &GicIts,
        dump: &ItsDump,
    ) -> Result<Self, String> {
        let mut apart = Self::before_commands(machine, facts, dump)?;
        for table in [DEVICES, COLLECTIONS].into_iter().filter_map(|kind| dump.table(kind)) {
            for (number, entry) in &table.entries {
                let at = place_of(table, *number)?;
                apart.put(Some(at), 0, *entry as u64)?;
            }
        }
        for itt in &dump.itts {
            for (event, entry) in &itt.entries {
                let at = entry_of(itt, *event)?;
                let bytes = entry.to_le_bytes();
                let bytes = bytes.get(..itt.entry_size as usize).ok_or("a long entry")?;
                apart.memory.write(at, bytes).map_err(|error| error.to_string())?;
            }
        }
        Ok(apart)
    }

    fn put(&mut self, base: Option<PhysAddr>, offset: u64, word: u64) -> Result<(), String> {
        let at = base.and_then(|base| base.checked_add(offset)).ok_or("a table is nowhere")?;
        self.memory.store_u64(at, word).map_err(|error| error.to_string())
    }

    fn store(&mut self, block: Block, offset: u64, value: u64) {
        let size = if offset == CTLR { Size::Word } else { Size::Double };
        self.gic.store(block, offset, size, value, &mut self.memory);
    }

    /// The mappings in the tables.
    pub(super) fn mappings(&self) -> Mappings {
        let its = self.gic.its().first();
        its.and_then(|its| its.mappings(&self.memory).ok()).unwrap_or_default().mappings
    }

    /// Performs every command of the dump, in order. Software's writes to memory between them are
    /// not in the dump, but the architecture requires that a table is zeroed before its MAPD. With
    /// `again`, a command may fail because a later one has unmapped what a lost one had mapped.
    pub(super) fn perform(&mut self, dump: &ItsDump, again: bool) -> Result<(), String> {
        let base = dump.registers.get("CBASER").copied().unwrap_or(0) & 0x000f_ffff_ffff_f000;
        let bytes = ((dump.registers.get("CBASER").copied().unwrap_or(0) & 0xff) + 1) << 12;
        for (n, command) in (0..).zip(&dump.commands) {
            let [first, second, third, _] = *command;
            if first & 0xff == COMMANDS.1 && third >> 63 == 1 {
                let itt = PhysAddr::new(third & ITT_ADDRESS);
                let entries = 1u64 << ((second & 0x1f) + 1).min(16);
                let size = dump.itts.first().map_or(16, |itt| itt.entry_size);
                let span = Span::from_size(itt, entries * size).ok_or("a table is nowhere")?;
                self.memory.zero(span).map_err(|error| error.to_string())?;
            }
            for (i, word) in (0..).zip(command) {
                self.put(Some(PhysAddr::new(base)), n * COMMAND_BYTES + 8 * i, *word)?;
            }
            let next = (n + 1) * COMMAND_BYTES % bytes;
            self.store(ITS, CWRITER, next);
            for _ in 0..MOST_STEPS {
                if self.gic.step(&mut self.memory) == Progress::Idle {
                    break;
                }
            }
            let reports = self.gic.take_reports(0).into_iter();
            let told = dump.commands.get(..=n as usize).unwrap_or(&[]);
            let excused = |failure| match failure {
                Failure::Command(error) => again && by_loss(told, error.reason),
                Failure::Memory(_) => false,
            };
            if let Some(report) = reports.into_iter().find(|it| !excused(it.failure)) {
                return Err(format!("command {n}: {}", report.failure));
            }
        }
        self.gic.settle(&mut self.memory);
        Ok(())
    }

    /// Checks that memory contains the tables of the dump, entry by entry, and that nothing else is
    /// mapped.
    pub(super) fn agrees(&self, dump: &ItsDump) -> Result<(), String> {
        for table in [DEVICES, COLLECTIONS].into_iter().filter_map(|kind| dump.table(kind)) {
            for (number, entry) in &table.entries {
                let at = place_of(table, *number)?;
                let word = self.memory.load_u64(at).map_err(|error| error.to_string())?;
                if word != *entry as u64 {
                    return Err(format!("entry {number} at {at}: {word:#x}, not {entry:#x}"));
                }
            }
        }
        for itt in &dump.itts {
            self.agrees_in(itt)?;
        }
        let mapped = self.mappings();
        let count = |kind| dump.table(kind).map_or(0, |table| table.entries.len());
        if mapped.devices.len() != count(DEVICES) {
            return Err(format!("{} devices are mapped", mapped.devices.len()));
        }
        if mapped.collections.len() != count(COLLECTIONS) {
            return Err(format!("{} collections are mapped", mapped.collections.len()));
        }
        Ok(())
    }

    fn agrees_in(&self, itt: &Itt) -> Result<(), String> {
        for event in 0..1u64 << itt.event_bits.min(16) {
            let mut bytes = [0; 16];
            let entry = bytes.get_mut(..itt.entry_size as usize).ok_or("a long entry")?;
            let at = entry_of(itt, event)?;
            self.memory.read(at, entry).map_err(|error| error.to_string())?;
            let (own, theirs) = (u128::from_le_bytes(bytes), itt.entries.get(&event).copied());
            if own != theirs.unwrap_or(0) {
                let device = itt.device;
                let shown = |entry| entry_text(itt.entry_size, entry);
                let (own, theirs) = (shown(own), shown(theirs.unwrap_or(0)));
                return Err(format!("device {device:#x} event {event}: {own}, not {theirs}"));
            }
        }
        Ok(())
    }

    /// Sends every event within range from every device: mapped events must raise their LPI at
    /// their CPU, others nothing.
    pub(super) fn translate(&mut self, place: &Place, mapped: &Mappings) -> Option<Difference> {
        for (&device, entry) in &mapped.devices {
            for event in 0..1u32 << entry.event_bits.min(16) {
                let to = entry.events.iter().find(|(id, _)| id.get() == event);
                let expected = to
                    .and_then(|(_, (lpi, icid))| Some((*lpi, *mapped.collections.get(&(*icid)?)?)));
                let raised = self.message(device, event);
                if raised != expected.filter(|(lpi, _)| lpi.get() >= FIRST_LPI) {
                    let shown = |it: Option<(IntId, Cpu)>| match it {
                        Some((lpi, cpu)) => format!("lpi {lpi} at cpu {cpu}"),
                        None => "nothing".to_owned(),
                    };
                    let kernel = format!("device {device} event {event}: {}", shown(expected));
                    return Some(place.differs(kernel, shown(raised)));
                }
            }
        }
        None
    }

    fn message(&mut self, device: DeviceId, event: u32) -> Option<(IntId, Cpu)> {
        let stream = StreamId::new(device.get());
        let from = Requester { stream, substream: None, device };
        let value = u64::from(event);
        let memory = &mut self.memory;
        match self.gic.message(0, TRANSLATER, Size::Word, value, &from, memory) {
            Arrival::Raised { intid, cpu } => Some((intid, cpu)),
            Arrival::Untranslated(_) | Arrival::Ignored => None,
        }
    }
}

/// `lpi 8194 in collection 1 (0x3ff0000000100008007)`.
fn entry_text(bytes: u64, entry: u128) -> String {
    let mapped = Layout::of_ite_bytes(bytes).map(|layout| layout.mapped(entry as u64));
    let said = match mapped {
        Some(Some((lpi, Some(icid)))) => format!("lpi {lpi} in collection {icid}"),
        Some(Some((lpi, None))) => format!("lpi {lpi} in no collection"),
        Some(None) => "not mapped".to_owned(),
        None => "of no known layout".to_owned(),
    };
    format!("{said} ({entry:#x})")
}

/// The address of an event's entry.
fn entry_of(itt: &Itt, event: u64) -> Result<PhysAddr, String> {
    let offset = event.checked_mul(itt.entry_size);
    let at = offset.and_then(|offset| itt.at.checked_add(offset));
    at.ok_or_else(|| format!("event {event} is beyond all memory"))
}

/// The address of a table's entry.
fn place_of(table: &Table, number: u64) -> Result<PhysAddr, String> {
    let nowhere = || format!("entry {number} is in no page of its table");
    let Some(base) = table.at else { return Err(nowhere()) };
    if table.level1.is_empty() {
        let offset = number.checked_mul(table.entry_size);
        return offset.and_then(|offset| base.checked_add(offset)).ok_or_else(nowhere);
    }
    let in_page = table.page_size / table.entry_size.max(1);
    let level1 = table.level1.get(&(number / in_page.max(1))).ok_or_else(nowhere)?;
    let page = PhysAddr::new(level1 & 0x000f_ffff_ffff_f000);
    let offset = (number % in_page.max(1)).checked_mul(table.entry_size);
    offset.and_then(|offset| page.checked_add(offset)).ok_or_else(nowhere)
}
