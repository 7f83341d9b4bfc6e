//! Dumps of a GICv3 with an ITS: its registers, command queue and tables at one moment.

use std::collections::BTreeMap;
use std::path::Path;

use passim_model::PhysAddr;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{Word, number, parse, read_whole, registers};
use crate::input_error::{InputError, SourceText};

/// A dump of a GICv3 with one ITS.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct ItsDump {
    /// Registers of the control frame by their architectural names, without `GITS_`.
    #[serde(rename = "gits", deserialize_with = "registers")]
    pub registers: BTreeMap<String, u64>,
    /// The command queue, from its start to GITS_CWRITER.
    #[serde(rename = "cmds", deserialize_with = "commands")]
    pub commands: Vec<[u64; 4]>,
    /// GITS_BASER0 to GITS_BASER7, and the tables they point to.
    #[serde(rename = "basers")]
    pub tables: Vec<Table>,
    /// The interrupt translation table of each mapped device.
    pub itts: Vec<Itt>,
    /// The redistributors.
    #[serde(rename = "gicr")]
    pub redistributors: Vec<Redistributor>,
}

/// A GITS_BASER and its table.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Table {
    /// Its number.
    #[serde(rename = "i")]
    pub number: u32,
    /// The register.
    #[serde(deserialize_with = "number::unsigned")]
    pub raw: u64,
    /// Of what it says it is.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Whether it says it has two levels.
    #[serde(default)]
    pub indirect: Option<u64>,
    /// Whether it says it is there.
    #[serde(default)]
    pub valid: Option<u64>,
    /// How many pages it says the table has, or level 1 of it.
    #[serde(default)]
    pub pages: Option<u64>,
    /// Where the table lies, or its level 1; `None` without one.
    #[serde(default, rename = "pa", deserialize_with = "number::optional_address")]
    pub at: Option<PhysAddr>,
    /// Bytes of an entry of the table, or of its level 2.
    pub entry_size: u64,
    /// Bytes of a page.
    pub page_size: u64,
    /// Level 1, by index, what is not zero; empty for a flat table.
    #[serde(skip)]
    pub level1: BTreeMap<u64, u64>,
    /// Entries that are not zero, by their number.
    #[serde(skip)]
    pub entries: BTreeMap<u64, u128>,
    /// Both, as written.
    #[serde(default)]
    nonzero: BTreeMap<String, String>,
}

/// An interrupt translation table.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Itt {
    /// Whose.
    #[serde(rename = "devid", deserialize_with = "number::unsigned")]
    pub device: u32,
    /// Bits of an EventID.
    pub event_bits: u32,
    /// Where it lies.
    #[serde(rename = "itt_pa", deserialize_with = "number::address")]
    pub at: PhysAddr,
    /// Bytes of an entry.
    pub entry_size: u64,
    /// Entries that are not zero, by EventID.
    #[serde(skip)]
    pub entries: BTreeMap<u64, u128>,
    /// The same, as written.
    #[serde(rename = "entries")]
    written: BTreeMap<u64, String>,
}

/// A redistributor.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Redistributor {
    /// Its CPU.
    pub cpu: u16,
    /// GICR_CTLR.
    #[serde(rename = "CTLR", deserialize_with = "number::unsigned")]
    pub ctlr: u64,
    /// GICR_TYPER.
    #[serde(rename = "TYPER", deserialize_with = "number::unsigned")]
    pub typer: u64,
    /// GICR_PROPBASER.
    #[serde(rename = "PROPBASER", deserialize_with = "number::unsigned")]
    pub propbaser: u64,
    /// GICR_PENDBASER.
    #[serde(rename = "PENDBASER", deserialize_with = "number::unsigned")]
    pub pendbaser: u64,
    /// The configuration byte of most LPIs; with the first redistributor of a table only.
    #[serde(default, rename = "lpi_config_default", deserialize_with = "number::optional")]
    pub config: Option<u8>,
    /// Those of the others, by INTID.
    #[serde(default, rename = "lpi_config_other", deserialize_with = "configured")]
    pub configured: BTreeMap<u32, u8>,
    /// Its pending LPIs, by INTID.
    #[serde(default, rename = "lpi_pending", deserialize_with = "number::list")]
    pub pending: Vec<u64>,
}

impl ItsDump {
    /// Reads a dump, compressed if its name ends in `.zst`.
    ///
    /// # Errors
    /// Unreadable, not JSON, or a field missing or of another form.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        Self::parse(&read_whole(path)?)
    }

    /// Reads a dump already in memory.
    ///
    /// # Errors
    /// Not JSON, or a field missing or of another form.
    pub fn parse(source: &SourceText) -> Result<Self, InputError> {
        let mut dump: Self = parse(source)?;
        let wrong = |Wrong { word, message }: Wrong| {
            let kind = crate::input_error::InputKind::Recording;
            let word = format!("{word:?}");
            match source.text().find(&word) {
                Some(start) => source.error(kind, start..start + word.len(), message),
                None => InputError::in_file(kind, source.path(), message),
            }
            .with_hint("an entry is hexadecimal, two digits for each byte of `entry_size`")
        };
        dump.tables.iter_mut().try_for_each(Table::sort).map_err(wrong)?;
        dump.itts.iter_mut().try_for_each(Itt::read).map_err(wrong)?;
        Ok(dump)
    }

    /// The table of devices (1) or of collections (4), by the field Type of its register.
    pub fn table(&self, kind: u64) -> Option<&Table> {
        self.tables.iter().find(|table| table.raw >> 56 & 7 == kind)
    }
}

/// An entry that cannot be.
struct Wrong {
    /// The word.
    word: String,
    message: String,
}

impl Itt {
    fn read(&mut self) -> Result<(), Wrong> {
        let written = core::mem::take(&mut self.written);
        let size = self.entry_size;
        let read = |(event, word)| Ok((event, entry(word, size)?));
        self.entries = written.into_iter().map(read).collect::<Result<_, Wrong>>()?;
        Ok(())
    }
}

impl Table {
    /// `L1[3]` is an entry of level 1, `3` one of the table.
    fn sort(&mut self) -> Result<(), Wrong> {
        /// Bytes of an entry of level 1. IHI 0069 H 5.2.
        const LEVEL1: u64 = 8;
        for (place, word) in core::mem::take(&mut self.nonzero) {
            let level1 = place.strip_prefix("L1[").and_then(|rest| rest.strip_suffix(']'));
            let Ok(index) = level1.unwrap_or(&place).parse() else {
                let message = format!("{place:?} is no place in a table");
                return Err(Wrong { word: place, message });
            };
            match level1 {
                Some(_) => self.level1.insert(index, entry(word, LEVEL1)? as u64).map(u128::from),
                None => self.entries.insert(index, entry(word, self.entry_size)?),
            };
        }
        Ok(())
    }
}

/// An entry of so many bytes as hexadecimal digits, the highest first.
fn entry(word: String, bytes: u64) -> Result<u128, Wrong> {
    let digits = word.strip_prefix("0x").unwrap_or(&word);
    let is_whole = digits.len() as u64 == bytes.saturating_mul(2);
    match u128::from_str_radix(digits, 16) {
        Ok(value) if is_whole && !digits.starts_with('+') => Ok(value),
        Ok(_) => {
            let message = format!("{} digits are no entry of {bytes} bytes", digits.len());
            Err(Wrong { word, message })
        }
        Err(_) => Err(Wrong { message: format!("{word:?} is no table entry"), word }),
    }
}

fn commands<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u64; 4]>, D::Error> {
    let commands = Vec::<[Word; 4]>::deserialize(deserializer)?;
    Ok(commands.into_iter().map(|words| words.map(|word| word.0)).collect())
}

fn configured<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u32, u8>, D::Error> {
    let bytes = BTreeMap::<u32, Word>::deserialize(deserializer)?;
    let read = |(lpi, byte): (u32, Word)| {
        let byte = u8::try_from(byte.0);
        Ok((lpi, byte.map_err(|_| D::Error::custom("an LPI is configured by a byte"))?))
    };
    bytes.into_iter().map(read).collect()
}
