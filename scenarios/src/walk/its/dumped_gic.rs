//! The GICv3 of a dump: tables, configuration and pending bits in a memory, registers in the model.

use std::collections::BTreeMap;

use passim_gic::choice::Preset;
use passim_gic::its::image::{Found, ImageError};
use passim_gic::its::{Arrival, Layout, TRANSLATER, register_fields};
use passim_gic::v3::{self, Block, Implementation, Line};
use passim_gic::{Cpu, GicV3, Size};
use passim_model::{DeviceId, EventId, IntId, Memory, PhysAddr, Requester, StreamId};

use super::super::dumped_smmu::name_of;
use super::super::words::Words;
use crate::input_error::{InputError, InputKind, SourceText};
use crate::recording::dump::{ItsDump, Itt, Redistributor, Table};

/// GITS_BASER.Type. IHI 0069 H 12.19.
pub(super) const DEVICES: u64 = 1;
pub(super) const COLLECTIONS: u64 = 4;
/// GITS_CTLR, GITS_BASER0, GITS_BASER1. IHI 0069 H 12.18.
const CTLR: u64 = 0x00;
const BASERS: [(u64, u64); 2] = [(DEVICES, 0x100), (COLLECTIONS, 0x108)];
/// GICR_PROPBASER, GICR_PENDBASER, GICR_CTLR. IHI 0069 H 12.10.
const PROPBASER: u64 = 0x70;
const PENDBASER: u64 = 0x78;
const GICR_CTLR: u64 = 0x00;
/// The first LPI. IHI 0069 H 2.2.
pub(super) const FIRST_LPI: u64 = 8192;
/// Most bits of an INTID. IHI 0069 H 2.2.
const MOST_INTID_BITS: u32 = 24;
/// Most bytes of configuration tables of one dump, together: four of the largest. Each byte takes
/// one of memory here, while a dump names as many in a few characters.
const MOST_CONFIGURATION: u64 = 4 << MOST_INTID_BITS;
/// Most bits of an EventID for whose table there is room here; beyond it what is zero is told as
/// not held.
const MOST_EVENT_BITS: u32 = 20;

passim_model::layout! {
    /// GICR_PROPBASER, IHI 0069 H 12.10.
    struct Propbaser {
        /// Bits of an INTID, less one.
        ID_BITS = bits(4, 0);
        /// The configuration table.
        ADDRESS = bits(51, 12);
    }
}
passim_model::layout! {
    /// GICR_PENDBASER, IHI 0069 H 12.10.
    struct Pendbaser {
        /// The pending table.
        ADDRESS = bits(51, 16);
    }
}

/// A dump, and the GICv3 it makes. See the [module](self).
pub(super) struct DumpedGic {
    pub(super) dump: ItsDump,
    pub(super) name: String,
    gic: GicV3,
    memory: Memory,
}

/// An error about what tables of a dump say.
pub(super) fn at_key(source: &SourceText, message: impl Into<String>) -> InputError {
    let message = message.into();
    // What is wrong with the tables of LPIs is said of redistributors.
    let key = if message.starts_with("lpi ") { "\"PROPBASER\"" } else { "\"basers\"" };
    let start = source.text().find(key).unwrap_or(0);
    let error = source.error(InputKind::Recording, start..start + key.len(), message);
    error.with_hint("a dump of an ITS holds registers, commands, tables and redistributors of one")
}

/// A field of a register of the control frame.
fn field_of(register: &str, field: &str, value: u64) -> u64 {
    let known = register_fields(register).iter().find(|(name, _)| *name == field);
    known.map_or(0, |(_, field)| field.get(value))
}

/// A field of a GITS_BASER.
pub(super) fn baser_field(value: u64, field: &str) -> u64 {
    field_of("BASER", field, value)
}

/// GITS_BASER.Type.
pub(super) fn kind_of(baser: u64) -> u64 {
    baser_field(baser, "TYPE")
}

/// Where a GITS_BASER has its table, bytes of an entry and of a page; 0 for where without a table.
/// IHI 0069 H 12.19: with pages of 64 KiB bits 15 to 12 of the register are bits 51 to 48.
pub(super) fn as_register(baser: u64) -> (u64, u64, u64) {
    let page_lg2 = match baser_field(baser, "PAGE_SIZE") {
        0 => 12,
        1 => 14,
        _ => 16,
    };
    let field = baser_field(baser, "PHYSICAL_ADDRESS") << 12;
    let at = match page_lg2 {
        16 => field & !0xffff | (field >> 12 & 0xf) << 48,
        lg2 => field >> lg2 << lg2,
    };
    let at = if baser_field(baser, "VALID") == 0 { 0 } else { at };
    (at, baser_field(baser, "ENTRY_SIZE") + 1, 1 << page_lg2)
}

impl DumpedGic {
    pub(super) fn of(source: &SourceText) -> Result<Self, InputError> {
        let dump = ItsDump::parse(source)?;
        let built = implementation(&dump).map_err(|message| at_key(source, message))?;
        let name = name_of(source.path());
        let name = name.strip_prefix("its_").unwrap_or(&name).to_owned();
        let mut stand = Self { dump, name, gic: GicV3::new(built), memory: Memory::new() };
        stand.fill().map_err(|message| at_key(source, message))?;
        Ok(stand)
    }

    /// A field of a register of the control frame, 0 where the dump lacks it.
    pub(super) fn field(&self, register: &str, field: &str) -> u64 {
        let value = self.dump.registers.get(register).copied().unwrap_or(0);
        field_of(register, field, value)
    }

    pub(super) fn mappings(&self) -> Result<Found, ImageError> {
        let its = self.gic.its().first();
        its.map_or(Ok(Found::default()), |its| its.mappings(&self.memory))
    }

    pub(super) fn line(&self, cpu: Cpu, intid: IntId) -> Option<Line> {
        self.gic.line(cpu, intid)
    }

    /// A device writes an EventID to GITS_TRANSLATER.
    pub(super) fn message(&mut self, device: DeviceId, event: EventId) -> Arrival {
        let stream = StreamId::new(device.get());
        let from = Requester { stream, substream: None, device };
        let value = u64::from(event.get());
        self.gic.message(0, TRANSLATER, Size::Word, value, &from, &mut self.memory)
    }

    /// Memory holds what redistributors read when their LPIs are turned on; then the registers are
    /// stored to; then memory holds the tables, which stores to registers may empty.
    fn fill(&mut self) -> Result<(), String> {
        self.memory = banks(&self.dump)?;
        configuration_tables(&self.dump.redistributors, &mut self.memory)?;
        for redistributor in &self.dump.redistributors {
            pending_table(redistributor, &mut self.memory)?;
        }
        let Self { dump, gic, memory, .. } = self;
        for (kind, offset) in BASERS {
            if let Some(table) = dump.table(kind) {
                gic.store(Block::Its(0), offset, Size::Double, table.raw, memory);
            }
        }
        for it in &dump.redistributors {
            let block = Block::Redistributor(Cpu::new(it.cpu));
            gic.store(block, PROPBASER, Size::Double, it.propbaser, memory);
            gic.store(block, PENDBASER, Size::Double, it.pendbaser, memory);
            gic.store(block, GICR_CTLR, Size::Word, it.ctlr & 1, memory);
        }
        let ctlr = dump.registers.get("CTLR").copied().unwrap_or(0);
        gic.store(Block::Its(0), CTLR, Size::Word, ctlr & 1, memory);
        gic.settle(memory);
        for table in BASERS.into_iter().filter_map(|(kind, _)| dump.table(kind)) {
            fill_table(table, memory)?;
        }
        for itt in &dump.itts {
            for (&event, entry) in &itt.entries {
                put(itt_entry(itt, event)?, &entry.to_le_bytes(), itt.entry_size, memory)?;
            }
        }
        Ok(())
    }
}

/// What the GICv3 of a dump is built as. Which entries it has their size tells.
fn implementation(dump: &ItsDump) -> Result<Implementation, String> {
    let typer = dump.registers.get("TYPER").copied().unwrap_or(0);
    let typer = |field| field_of("TYPER", field, typer);
    let bytes = typer("ITT_ENTRY_SIZE") + 1;
    let layout = match Layout::of_ite_bytes(bytes) {
        Some(layout @ (Layout::Kvm0 | Layout::Qemu)) => layout,
        // Where fields of GIC-600's are nobody has published.
        Some(Layout::Gic600) | None => {
            return Err(format!(
                "entries of {bytes} bytes are laid out in no way that is known here: those of 8 are \
                 as KVM's, those of 12 as QEMU's"
            ));
        }
    };
    let known = dump.redistributors.iter().map(|it| it.cpu.saturating_add(1));
    // Collections may name CPUs of whose redistributors the dump holds nothing.
    let named = (typer("PTA") == 0).then(|| targets(dump)).into_iter().flatten();
    let cpus = known.chain(named).max().unwrap_or(1).min(v3::MOST_CPUS as u16);
    // One for which memory is all there is, whoever wrote it.
    let mut built = Implementation::of(Preset::Qemu, cpus, 0);
    let intid_bits = dump.redistributors.iter().map(|it| Propbaser::ID_BITS.get(it.propbaser) + 1);
    let intid_bits = intid_bits.max().unwrap_or(16).clamp(14, MOST_INTID_BITS.into()) as u32;
    built.distributor.intid_bits = intid_bits;
    let features = &mut built.its[0].features;
    features.layout = layout;
    features.intid_bits = intid_bits;
    features.event_bits = typer("ID_BITS") as u32 + 1;
    features.device_bits = typer("DEVBITS") as u32 + 1;
    features.collection_bits = (typer("CIL") != 0).then(|| typer("CIDBITS") as u32 + 1);
    if let Some(table) = dump.table(DEVICES) {
        features.table_entry_bytes = u8::try_from(table.entry_size).unwrap_or(u8::MAX);
    }
    Ok(built)
}

/// One more than each CPU that a MAPC of the queue names. IHI 0069 H 5.3 (MAPC).
fn targets(dump: &ItsDump) -> Vec<u16> {
    const MAPC: u64 = 0x09;
    let mapcs = dump.commands.iter().filter(|words| words[0] & 0xff == MAPC && words[2] >> 63 != 0);
    mapcs.filter_map(|words| u16::try_from((words[2] >> 16 & 0xffff_ffff) + 1).ok()).collect()
}

/// Where the table of a GICR_PROPBASER or GICR_PENDBASER lies; 0 without one.
pub(super) fn lpi_table(register: u64) -> u64 {
    Propbaser::ADDRESS.in_place(register)
}

/// Memory where the dump says that something lies: all zero.
fn banks(dump: &ItsDump) -> Result<Memory, String> {
    let mut held = Words::default();
    for table in BASERS.into_iter().filter_map(|(kind, _)| dump.table(kind)) {
        let Some(at) = table.at else { continue };
        held.page(at.get(), (baser_field(table.raw, "SIZE") + 1).saturating_mul(table.page_size))?;
        for &number in table.level1.keys() {
            if let Some(page) = level2(table, number) {
                held.page(page.get(), table.page_size)?;
            }
        }
        for &number in table.entries.keys() {
            held.page(table_entry(table, number)?.get(), table.entry_size)?;
        }
    }
    for itt in &dump.itts {
        let entries = 1u64 << itt.event_bits.min(MOST_EVENT_BITS);
        held.page(itt.at.get(), entries.saturating_mul(itt.entry_size))?;
        for &event in itt.entries.keys() {
            held.page(itt_entry(itt, event)?.get(), itt.entry_size)?;
        }
    }
    for it in &dump.redistributors {
        let intids = intids(it.propbaser);
        held.page(Propbaser::ADDRESS.in_place(it.propbaser), intids - FIRST_LPI.min(intids))?;
        held.page(Pendbaser::ADDRESS.in_place(it.pendbaser), intids / 8)?;
    }
    held.memory()
}

/// INTIDs that the tables of a redistributor have room for.
fn intids(propbaser: u64) -> u64 {
    1 << (Propbaser::ID_BITS.get(propbaser) as u32 + 1).min(MOST_INTID_BITS)
}

/// The configuration tables, where the dump has them: what one redistributor says of a table that
/// another has too stands after what that one says.
fn configuration_tables(all: &[Redistributor], memory: &mut Memory) -> Result<(), String> {
    let mut room = MOST_CONFIGURATION;
    let mut filled = BTreeMap::new();
    for it in all {
        let Some(most) = it.config else { continue };
        let at = Propbaser::ADDRESS.in_place(it.propbaser);
        let bytes = intids(it.propbaser).saturating_sub(FIRST_LPI);
        // Redistributors usually share one table, and say the same of it.
        if filled.insert(at, (most, bytes)) != Some((most, bytes)) {
            room = room.checked_sub(bytes).ok_or_else(|| {
                format!(
                    "lpi configuration tables of more than {} MiB: those of cpu {} on have no room",
                    MOST_CONFIGURATION >> 20,
                    it.cpu
                )
            })?;
            let table = vec![most; bytes as usize];
            memory.write(PhysAddr::new(at), &table).map_err(|abort| abort.to_string())?;
        }
        for (&lpi, &byte) in &it.configured {
            let place = u64::from(lpi).checked_sub(FIRST_LPI).filter(|place| *place < bytes);
            let place = place.and_then(|place| at.checked_add(place));
            let place =
                place.ok_or_else(|| format!("lpi {lpi} has no configuration in the table"))?;
            memory.write(PhysAddr::new(place), &[byte]).map_err(|abort| abort.to_string())?;
        }
    }
    Ok(())
}

/// The pending table.
fn pending_table(it: &Redistributor, memory: &mut Memory) -> Result<(), String> {
    let intids = intids(it.propbaser);
    let pending = PhysAddr::new(Pendbaser::ADDRESS.in_place(it.pendbaser));
    for &lpi in &it.pending {
        let place = (lpi < intids).then(|| pending.checked_add(lpi / 8)).flatten();
        let at = place.ok_or_else(|| format!("lpi {lpi} has no bit in the pending table"))?;
        let mut byte = [0];
        memory.read(at, &mut byte).map_err(|abort| abort.to_string())?;
        byte[0] |= 1 << (lpi % 8);
        memory.write(at, &byte).map_err(|abort| abort.to_string())?;
    }
    Ok(())
}

fn fill_table(table: &Table, memory: &mut Memory) -> Result<(), String> {
    let Some(base) = table.at else { return Ok(()) };
    for (&index, word) in &table.level1 {
        let at = index.checked_mul(8).and_then(|offset| base.checked_add(offset));
        put(at.ok_or("level 1 is beyond all memory")?, &word.to_le_bytes(), 8, memory)?;
    }
    for (&number, entry) in &table.entries {
        let at = table_entry(table, number)?;
        put(at, &entry.to_le_bytes(), table.entry_size, memory)?;
    }
    Ok(())
}

fn put(at: PhysAddr, bytes: &[u8], size: u64, memory: &mut Memory) -> Result<(), String> {
    let bytes = usize::try_from(size).ok().and_then(|size| bytes.get(..size));
    let bytes = bytes.ok_or_else(|| format!("an entry of {size} bytes is too long"))?;
    memory.write(at, bytes).map_err(|abort| abort.to_string())
}

/// Where an event's entry lies.
fn itt_entry(itt: &Itt, event: u64) -> Result<PhysAddr, String> {
    let at = event.checked_mul(itt.entry_size).and_then(|offset| itt.at.checked_add(offset));
    at.ok_or_else(|| format!("event {event} is beyond all memory"))
}

/// The page of level 2 that an entry of level 1 leads to. IHI 0069 H 12.19 (GITS_BASER, Indirect).
fn level2(table: &Table, number: u64) -> Option<PhysAddr> {
    let word = table.level1.get(&number).filter(|word| **word >> 63 == 1)?;
    Some(PhysAddr::new(word & 0x000f_ffff_ffff_f000))
}

/// Where an entry of a table lies.
fn table_entry(table: &Table, number: u64) -> Result<PhysAddr, String> {
    let nowhere = || format!("entry {number} is in no page of its table");
    let offset_in = |base: PhysAddr, number: u64| {
        let offset = number.checked_mul(table.entry_size);
        offset.and_then(|offset| base.checked_add(offset)).ok_or_else(nowhere)
    };
    if baser_field(table.raw, "INDIRECT") == 0 {
        return offset_in(table.at.ok_or_else(nowhere)?, number);
    }
    let in_page = (table.page_size / table.entry_size.max(1)).max(1);
    offset_in(level2(table, number / in_page).ok_or_else(nowhere)?, number % in_page)
}
