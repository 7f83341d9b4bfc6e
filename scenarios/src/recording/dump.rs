//! Dumps: of an interrupt controller in `its`, and of the SMMU: its registers, stream table
//! entries, tables and queues at one moment.

mod its;

pub use its::{ItsDump, Itt, Redistributor, Table};

use std::collections::BTreeMap;
use std::path::Path;

use passim_model::{Iova, PhysAddr, Rid, StreamId};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};

use super::at;
use super::number;
use super::read::read_whole;
use crate::input_error::{InputError, InputKind, SourceText};

/// A dump of an SMMUv3.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct SmmuDump {
    /// Its name, as `expect` lines say it.
    #[serde(default)]
    pub tag: Option<String>,
    /// Registers by their architectural names.
    #[serde(deserialize_with = "registers")]
    pub regs: BTreeMap<String, u64>,
    /// One entry for every stream of the devices of the dump.
    pub streams: Vec<Stream>,
    /// Command queue memory.
    pub cmdq: Queue,
    /// Event queue memory.
    pub eventq: Queue,
}

/// A stream and its tables.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Stream {
    /// The device.
    #[serde(deserialize_with = "number::rid")]
    pub dev: Rid,
    /// The name it has in the recording.
    pub name: String,
    /// StreamID.
    #[serde(rename = "sid", deserialize_with = "stream_id")]
    pub stream: StreamId,
    /// Where the level 1 stream table descriptor lies.
    #[serde(default, deserialize_with = "number::optional_address")]
    pub l1std_pa: Option<PhysAddr>,
    /// The level 1 stream table descriptor; empty for a linear stream table.
    #[serde(default, deserialize_with = "number::list")]
    pub l1std: Vec<u64>,
    /// Where the STE lies.
    #[serde(default, deserialize_with = "number::optional_address")]
    pub ste_pa: Option<PhysAddr>,
    /// The stream table entry.
    #[serde(deserialize_with = "eight")]
    pub ste: [u64; 8],
    /// Where the CD lies; stage 1 only.
    #[serde(default, deserialize_with = "number::optional_address")]
    pub cd_pa: Option<PhysAddr>,
    /// The context descriptor; stage 1 only.
    #[serde(default, deserialize_with = "optional_eight")]
    pub cd: Option<[u64; 8]>,
    /// Level of the walk's first table.
    #[serde(default)]
    pub start_level: Option<u8>,
    /// Every table page.
    #[serde(default)]
    pub tables: Vec<TablePage>,
    /// Every leaf.
    #[serde(default)]
    pub leaves: Vec<Leaf>,
    /// STE.Config, as the recorder read it.
    #[serde(default, deserialize_with = "number::optional")]
    pub cfg: Option<u64>,
    /// STE.V, the same.
    #[serde(default, deserialize_with = "number::optional")]
    pub valid: Option<u64>,
    /// STE.S1Fmt, the same.
    #[serde(default, deserialize_with = "number::optional")]
    pub s1fmt: Option<u64>,
    /// STE.S1CDMax, the same.
    #[serde(default, deserialize_with = "number::optional")]
    pub s1cdmax: Option<u64>,
    /// STE.S1ContextPtr, the same.
    #[serde(default, deserialize_with = "number::optional")]
    pub s1ctxptr: Option<u64>,
    /// Span of the level 1 stream table descriptor, the same.
    #[serde(default, deserialize_with = "number::optional")]
    pub l2_span: Option<u64>,
    /// STRTAB_BASE_CFG.FMT, the same.
    #[serde(default, deserialize_with = "number::optional")]
    pub strtab_fmt: Option<u64>,
    /// STRTAB_BASE_CFG.SPLIT, the same.
    #[serde(default, deserialize_with = "number::optional")]
    pub split: Option<u64>,
    /// STRTAB_BASE_CFG.LOG2SIZE, the same.
    #[serde(default, deserialize_with = "number::optional")]
    pub log2size: Option<u64>,
    /// Fields of the CD, the same; `granule` in bytes.
    #[serde(default, rename = "cd_dec", deserialize_with = "registers")]
    pub cd_said: BTreeMap<String, u64>,
    /// Fields of stage 2 of the STE, the same; `granule` in bytes.
    #[serde(default, rename = "s2_dec", deserialize_with = "registers")]
    pub stage2_said: BTreeMap<String, u64>,
}

/// A page of a translation table.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct TablePage {
    /// Where it lies.
    #[serde(deserialize_with = "number::address")]
    pub pa: PhysAddr,
    /// Its level, 0 to 3.
    pub level: u8,
    /// Number of its entries.
    #[serde(rename = "n")]
    pub entries: u32,
    /// The first IOVA it translates.
    #[serde(rename = "base", deserialize_with = "number::address")]
    pub base: Iova,
    /// Its entries by index; those not listed are 0.
    #[serde(rename = "ent", deserialize_with = "descriptors")]
    pub descriptors: BTreeMap<u32, u64>,
}

/// A leaf of a translation table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(from = "LeafFields")]
pub struct Leaf {
    /// First IOVA.
    pub iova: Iova,
    /// Where it leads.
    pub pa: PhysAddr,
    /// Bytes.
    pub size: u64,
    /// The descriptor.
    pub descriptor: u64,
}

/// A queue in memory.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Queue {
    /// Where it lies.
    #[serde(deserialize_with = "number::address")]
    pub pa: PhysAddr,
    /// Number of its slots: commands it has room for.
    #[serde(rename = "n", deserialize_with = "number::unsigned")]
    pub slots: u64,
    /// Index of the producer, without the wrap flag.
    #[serde(deserialize_with = "number::unsigned")]
    pub prod: u64,
    /// Slots that were written; of the command queue at most its last 400.
    pub entries: Vec<QueueEntry>,
}

/// One slot of a queue.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "QueueWords")]
pub struct QueueEntry {
    /// Index of the slot.
    pub index: u32,
    /// Its double words: 2 of a command, 4 of an event.
    pub words: Vec<u64>,
}

impl SmmuDump {
    /// Reads a dump, compressed if its name ends in `.zst`.
    ///
    /// # Errors
    /// Unreadable, or what [`SmmuDump::parse`] refuses.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        Self::parse(&read_whole(path)?)
    }

    /// Reads a dump already in memory.
    ///
    /// # Errors
    /// Not JSON, a field missing or of another form, or the dump of another part.
    pub fn parse(source: &SourceText) -> Result<Self, InputError> {
        parse(source).map_err(|error| of_another_part(source).unwrap_or(error))
    }
}

/// What tells the dumps of other parts from those of an SMMU.
#[derive(Deserialize)]
struct Parts {
    regs: Option<IgnoredAny>,
    gits: Option<IgnoredAny>,
    gicv2m_frame: Option<IgnoredAny>,
}

/// Whether this is the dump of a GICv3 with an ITS.
pub fn is_of_its(source: &SourceText) -> bool {
    let parts = serde_json::from_str(source.text());
    matches!(parts, Ok(Parts { regs: None, gits: Some(_), .. }))
}

/// Why no SMMU's dump was found, if it is that of another part.
fn of_another_part(source: &SourceText) -> Option<InputError> {
    let parts: Parts = serde_json::from_str(source.text()).ok()?;
    let (key, part) = match parts {
        Parts { regs: Some(_), .. } => return None,
        Parts { gits: Some(_), .. } => ("\"gits\"", "an ITS"),
        Parts { gicv2m_frame: Some(_), .. } => ("\"gicv2m_frame\"", "a GICv2m frame"),
        Parts { .. } => return None,
    };
    let start = source.text().find(key).unwrap_or(0);
    let message = format!("this is the dump of {part}, not of an SMMU");
    let error = source.error(InputKind::Recording, start..start + key.len(), message);
    Some(error.with_hint(
        "the dump of an SMMU has its registers under \"regs\"; `passim walk --dump` alone tells that of \
         an ITS, and a replay of the recording compares both kinds",
    ))
}

/// A dump of a GICv2m frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct FrameDump {
    /// Where it lies.
    #[serde(rename = "gicv2m_frame", deserialize_with = "number::address")]
    pub frame: PhysAddr,
    /// MSI_TYPER.
    #[serde(rename = "MSI_TYPER", deserialize_with = "number::unsigned")]
    pub typer: u32,
    /// MSI_IIDR.
    #[serde(rename = "MSI_IIDR", deserialize_with = "number::unsigned")]
    pub iidr: u32,
}

impl FrameDump {
    /// Reads a dump, compressed if its name ends in `.zst`.
    ///
    /// # Errors
    /// Unreadable, not JSON, or a field missing or of another form.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        parse(&read_whole(path)?)
    }
}

/// Reads JSON, and says where it is not what it should be.
fn parse<T: DeserializeOwned>(source: &SourceText) -> Result<T, InputError> {
    serde_json::from_str(source.text()).map_err(|error| {
        let line = source.text().split_inclusive('\n').nth(error.line().saturating_sub(1));
        let before: usize = source
            .text()
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        let span = at::token_at(line.unwrap_or_default(), error.column());
        let span = before + span.start..before + span.end;
        source.error(InputKind::Recording, span, at::message(&error))
    })
}

#[derive(Deserialize)]
struct Word(#[serde(deserialize_with = "number::unsigned")] u64);

#[derive(Deserialize)]
struct LeafFields(Word, Word, Word, Word);

impl From<LeafFields> for Leaf {
    fn from(LeafFields(iova, pa, size, descriptor): LeafFields) -> Self {
        Self {
            iova: Iova::new(iova.0),
            pa: PhysAddr::new(pa.0),
            size: size.0,
            descriptor: descriptor.0,
        }
    }
}

#[derive(Deserialize)]
struct QueueWords(Vec<Word>);

impl TryFrom<QueueWords> for QueueEntry {
    type Error = &'static str;

    fn try_from(QueueWords(words): QueueWords) -> Result<Self, Self::Error> {
        let [index, words @ ..] = words.as_slice() else { return Err("a queue entry is empty") };
        let index = u32::try_from(index.0).map_err(|_| "a queue has fewer than 2^32 slots")?;
        Ok(Self { index, words: words.iter().map(|word| word.0).collect() })
    }
}

fn registers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, u64>, D::Error> {
    let words = BTreeMap::<String, Word>::deserialize(deserializer)?;
    Ok(words.into_iter().map(|(name, word)| (name, word.0)).collect())
}

fn descriptors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u32, u64>, D::Error> {
    let words = BTreeMap::<u32, Word>::deserialize(deserializer)?;
    Ok(words.into_iter().map(|(index, word)| (index, word.0)).collect())
}

fn stream_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StreamId, D::Error> {
    number::unsigned(deserializer).map(StreamId::new)
}

fn eight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u64; 8], D::Error> {
    Ok(<[Word; 8]>::deserialize(deserializer)?.map(|word| word.0))
}

fn optional_eight<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<[u64; 8]>, D::Error> {
    eight(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
