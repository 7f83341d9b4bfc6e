//! A dump of an ITS: its bytes in a memory, its registers in a GICv3 of the model, and what that
//! makes of them.
//!
//! What tables map is read by the ITS, and every mapped event is put to it as a message. The layout of
//! entries is told by their size, as GITS_TYPER has it. Not here: whether another ITS, given the same
//! commands, would have written the same tables ([`crate::replay`]).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `dumped_gic` | what is the GICv3 of the dump, and what its memory? |
//! | `contradictions` | where does the dump contradict itself? |
//! | `text` | how is it told? |

mod contradictions;
mod dumped_gic;
mod text;

use passim_gic::Cpu;
use passim_gic::its::image::{Device, Found, Silent};
use passim_gic::its::{Arrival, Part, Spelled, register_fields};
use passim_gic::v3::Configured;
use passim_model::{DeviceId, EventId, IntId};
use serde::Serialize;

use super::report::Difference;
use super::tell::Field;
use crate::input_error::{InputError, SourceText};
use crate::recording::dump::Table;
use crate::replay::Verdict;
use dumped_gic::DumpedGic;

/// A dump of an ITS, told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ItsListing {
    /// The file, as the caller named it.
    pub file: String,
    /// Name of the dump.
    pub name: String,
    /// Registers of the control frame, GITS_BASER included, and those of the redistributors.
    pub registers: Vec<ListedRegister>,
    /// What lies in the command queue, from its start to GITS_CWRITER.
    pub commands: Vec<ListedCommand>,
    /// The tables of devices and of collections.
    pub tables: Vec<ListedTable>,
    /// The mapped collections.
    pub collections: Vec<ListedCollection>,
    /// The mapped devices.
    pub devices: Vec<ListedDevice>,
    /// LPIs whose byte of configuration is not that of most.
    pub lpis: Vec<ListedLpi>,
    /// Parts of tables that the dump does not hold.
    pub silent: Vec<String>,
    /// Where the dump contradicts itself.
    pub differences: Vec<Difference>,
}

/// A register and its fields that are not zero.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedRegister {
    /// As the architecture calls it.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Its fields, where there are names for them.
    pub fields: Vec<Field>,
}

/// A command of the queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedCommand {
    /// Its place, from the start of the queue.
    pub slot: u64,
    /// Its name; `None` of a number that no command has.
    pub name: Option<&'static str>,
    /// Its fields, by the keys of the operation `its-command`.
    pub fields: Vec<ListedPart>,
    /// Its doublewords.
    pub words: [String; 4],
    /// All of it in a line.
    pub text: String,
    /// Whether GITS_CREADR is past it.
    pub consumed: bool,
}

/// A field of a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedPart {
    /// Its name.
    pub name: &'static str,
    /// Its value; 1 and 0 for yes and no.
    pub value: u64,
}

/// A table that a GITS_BASER leads to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedTable {
    /// `devices` or `collections`.
    pub of: &'static str,
    /// The register's number.
    pub baser: u32,
    /// Where it lies, or its level 1.
    pub at: Option<String>,
    /// Whether it has two levels.
    pub two_levels: bool,
    /// Bytes of an entry.
    pub entry_size: u64,
    /// Bytes of a page.
    pub page_size: u64,
    /// Entries that are not zero, as in memory.
    pub entries: Vec<(u64, String)>,
    /// Entries of level 1 that are not zero, as in memory.
    pub level1: Vec<(u64, String)>,
}

/// A mapped collection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedCollection {
    /// Its ICID.
    pub icid: u16,
    /// Its CPU.
    pub cpu: u16,
}

/// A mapped device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedDevice {
    /// Its DeviceID.
    pub device: u32,
    /// Where its interrupt translation table lies.
    pub itt: String,
    /// Bits of an EventID.
    pub event_bits: u32,
    /// Its mapped events.
    pub events: Vec<ListedEvent>,
}

/// A mapped event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedEvent {
    /// Its EventID.
    pub event: u32,
    /// The LPI its entry names.
    pub lpi: u32,
    /// The collection its entry names.
    pub icid: Option<u16>,
    /// The CPU whose redistributor a message reaches; `None` where it raises nothing.
    pub cpu: Option<u16>,
    /// Why a message raises nothing.
    pub why_not: Option<String>,
    /// Whether GICR_CTLR.EnableLPIs of that CPU is set; `None` where the dump does not say.
    pub lpis_on: Option<bool>,
    /// What the CPU's redistributor has of the LPI: whether it is enabled.
    pub enabled: Option<bool>,
    /// And its priority.
    pub priority: Option<u8>,
    /// Whether the dump has it pending there.
    pub pending: bool,
}

/// Configuration of an LPI.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedLpi {
    /// The first CPU with that table.
    pub cpu: u16,
    /// Which.
    pub lpi: u32,
    /// Its byte in the table, in hexadecimal.
    pub byte: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Its priority.
    pub priority: u8,
}

impl ItsListing {
    /// Reads what a dump of an ITS says; `file` is the caller's name of it.
    ///
    /// # Errors
    /// Not a dump of an ITS, or one that no memory can hold.
    pub fn of(source: &SourceText, file: String) -> Result<Self, InputError> {
        let mut stand = DumpedGic::of(source)?;
        let found =
            stand.mappings().map_err(|error| dumped_gic::at_key(source, error.to_string()))?;
        let Found { mappings, silent } = found;
        let collections = mappings.collections.iter();
        let collections = collections.map(|(&icid, cpu)| ListedCollection { icid, cpu: cpu.get() });
        let lpis = lpis(&stand);
        let of_collections = mappings.collections.iter().map(|(&icid, cpu)| (icid, cpu.get()));
        let differences = contradictions::all(&stand, &mappings.devices, &of_collections.collect());
        let devices = mappings.devices.iter().map(|(id, it)| device(&mut stand, *id, it)).collect();
        Ok(Self {
            file,
            name: stand.name.clone(),
            registers: registers(&stand),
            commands: commands(&stand),
            tables: stand.dump.tables.iter().filter_map(table).collect(),
            collections: collections.collect(),
            devices,
            lpis,
            silent: silent.iter().map(Silent::to_string).collect(),
            differences,
        })
    }

    /// Whether the dump agrees with itself.
    pub fn verdict(&self) -> Verdict {
        if self.differences.is_empty() { Verdict::Agreed } else { Verdict::Differed }
    }
}

impl ListedRegister {
    fn of(name: String, value: u64) -> Self {
        let known = name.strip_prefix("GITS_").map_or(&[][..], register_fields);
        let set = known.iter().filter(|(_, field)| field.is_set(value));
        let fields =
            set.map(|&(name, field)| Field { name, value: field.get(value), meaning: None });
        Self { name, value: format!("{value:#x}"), fields: fields.collect() }
    }
}

fn registers(stand: &DumpedGic) -> Vec<ListedRegister> {
    let dump = &stand.dump;
    let own = dump.registers.iter().map(|(name, value)| (format!("GITS_{name}"), *value));
    let basers = dump.tables.iter().filter(|table| table.raw != 0);
    let basers = basers.map(|table| (format!("GITS_BASER{}", table.number), table.raw));
    let of_cpus = dump.redistributors.iter().flat_map(|it| {
        let named = [
            ("CTLR", it.ctlr),
            ("TYPER", it.typer),
            ("PROPBASER", it.propbaser),
            ("PENDBASER", it.pendbaser),
        ];
        named.map(|(name, value)| (format!("GICR_{name} of cpu {}", it.cpu), value))
    });
    let all = own.chain(basers).chain(of_cpus);
    all.map(|(name, value)| ListedRegister::of(name, value)).collect()
}

fn commands(stand: &DumpedGic) -> Vec<ListedCommand> {
    let (read, written) = (stand.field("CREADR", "OFFSET"), stand.field("CWRITER", "OFFSET"));
    let by_address = stand.field("TYPER", "PTA") != 0;
    let command = |(slot, words): (u64, &[u64; 4])| {
        let spelled = Spelled::of(words, by_address);
        let value = |part: Part| match part {
            Part::Number(value) | Part::Hex(value) => value,
            Part::Flag(set) => u64::from(set),
        };
        let fields = spelled.parts.iter().map(|&(name, it)| ListedPart { name, value: value(it) });
        ListedCommand {
            slot,
            name: spelled.name,
            fields: fields.collect(),
            words: words.map(|word| format!("{word:#x}")),
            text: spelled.to_string(),
            // Of a queue that has wrapped what is not consumed begins behind GITS_CWRITER.
            consumed: read > written || slot < read,
        }
    };
    (0..).zip(&stand.dump.commands).map(command).collect()
}

fn table(table: &Table) -> Option<ListedTable> {
    let of = match dumped_gic::kind_of(table.raw) {
        dumped_gic::DEVICES => "devices",
        dumped_gic::COLLECTIONS => "collections",
        _ => return None,
    };
    let width = 2 + 2 * (table.entry_size as usize).min(16);
    let entries = table.entries.iter().map(|(&n, word)| (n, format!("{word:#0width$x}")));
    let level1 = table.level1.iter().map(|(&n, word)| (n, format!("{word:#018x}")));
    Some(ListedTable {
        of,
        baser: table.number,
        at: table.at.map(|at| at.to_string()),
        two_levels: dumped_gic::baser_field(table.raw, "INDIRECT") != 0,
        entry_size: table.entry_size,
        page_size: table.page_size,
        entries: entries.collect(),
        level1: level1.collect(),
    })
}

fn device(stand: &mut DumpedGic, id: DeviceId, device: &Device) -> ListedDevice {
    let events = device.events.iter().map(|(&event, &(lpi, icid))| {
        let (cpu, why_not) = match stand.message(id, event) {
            // A table may name what no MAPTI can; an ITS that believes it finds no redistributor that has
            // such an LPI.
            Arrival::Raised { .. } | Arrival::Untranslated(_)
                if lpi.get() < dumped_gic::FIRST_LPI as u32 =>
            {
                (None, Some(format!("{lpi} is no LPI")))
            }
            Arrival::Raised { cpu, .. } => (Some(cpu), None),
            Arrival::Untranslated(why) => (None, Some(why.to_string())),
            Arrival::Ignored => (None, Some("the message is ignored".to_owned())),
        };
        event_of(stand, event, (lpi, icid), cpu, why_not)
    });
    ListedDevice {
        device: id.get(),
        itt: device.itt.to_string(),
        event_bits: device.event_bits,
        events: events.collect(),
    }
}

fn event_of(
    stand: &DumpedGic,
    event: EventId,
    (lpi, icid): (IntId, Option<u16>),
    cpu: Option<Cpu>,
    why_not: Option<String>,
) -> ListedEvent {
    let line = cpu.and_then(|cpu| stand.line(cpu, lpi));
    let waits = |cpu: Cpu| {
        let mut of = stand.dump.redistributors.iter().filter(|it| it.cpu == cpu.get());
        of.any(|it| it.pending.contains(&u64::from(lpi.get())))
    };
    let known = |cpu: Cpu| stand.dump.redistributors.iter().find(|it| it.cpu == cpu.get());
    ListedEvent {
        event: event.get(),
        lpi: lpi.get(),
        icid,
        cpu: cpu.map(Cpu::get),
        why_not,
        lpis_on: cpu.and_then(known).map(|it| it.ctlr & 1 != 0),
        enabled: line.map(|line| line.enabled),
        priority: line.map(|line| line.priority),
        pending: cpu.is_some_and(waits),
    }
}

/// Those whose byte is not as that of most.
fn lpis(stand: &DumpedGic) -> Vec<ListedLpi> {
    let tables = stand.dump.redistributors.iter().filter(|it| it.config.is_some());
    let of = tables.flat_map(|it| it.configured.iter().map(|(&lpi, &byte)| (it.cpu, lpi, byte)));
    let listed = of.map(|(cpu, lpi, byte)| {
        let Configured { enabled, priority } = Configured::of(byte);
        ListedLpi { cpu, lpi, byte: format!("{byte:#04x}"), enabled, priority }
    });
    listed.collect()
}
