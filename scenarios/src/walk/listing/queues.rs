//! Entries of a dump's queues, by the names of the specification.

use std::fmt;

use passim_smmu::v3::EventKind;
use passim_smmu::v3::names::{COMMANDS, record_fields};
use serde::Serialize;

use super::super::command::Ring;
use super::super::dumped_smmu::DumpedSmmu;
use super::super::tell::Field;
use crate::recording::dump::QueueEntry;

passim_model::layout! {
    /// Doubleword 0 of commands and of records, IHI 0070 G.b 4.1.1, 7.3.
    struct Word0 {
        /// The opcode or event number.
        NUMBER = bits(7, 0);
    }
}
passim_model::layout! {
    /// PROD and CONS of a queue, IHI 0070 G.b 6.3.27, 6.3.28.
    struct Pointer {
        /// Index and wrap flag.
        INDEX = bits(19, 0);
    }
}

/// An entry of a queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedEntry {
    /// Its slot.
    pub slot: u32,
    /// Its name; `None` for an unknown number.
    pub name: Option<&'static str>,
    /// Its non-zero fields.
    pub fields: Vec<Field>,
    /// Set bits that belong to no field, by doubleword, if any.
    pub rest: Vec<String>,
    /// Its doublewords.
    pub words: Vec<String>,
    /// Whether it is not consumed yet; `None` where that is not determined.
    pub waits: Option<bool>,
}

/// A field by name: its doubleword, its mask there, its value.
struct Known {
    name: &'static str,
    word: usize,
    mask: u64,
    value: u64,
}

/// The commands of a dump.
pub(super) fn commands(stand: &DumpedSmmu) -> Vec<ListedEntry> {
    let entries = &stand.dump.cmdq.entries;
    let ring = Ring::of(stand.register("CMDQ_BASE"));
    let pointer = |name| Pointer::INDEX.get(stand.register(name));
    let waiting = ring.distance(pointer("CMDQ_CONS"), pointer("CMDQ_PROD"));
    let first = (entries.len() as u64).saturating_sub(waiting);
    let command = |(at, entry): (u64, &QueueEntry)| {
        let number = entry.words.first().map_or(0, |word| Word0::NUMBER.get(*word));
        let known = COMMANDS.iter().find(|command| command.opcode == number);
        let fields = known.into_iter().flat_map(|command| command.structure.fields());
        let fields = fields.filter_map(|it| known_field(entry, it.name, it.word, it.field));
        let name = known.map(|command| command.structure.name);
        listed(entry, name, fields.collect(), Some(at >= first))
    };
    (0..).zip(entries).map(command).collect()
}

/// The records of a dump.
pub(super) fn events(stand: &DumpedSmmu) -> Vec<ListedEntry> {
    let record = |entry: &QueueEntry| {
        let number = entry.words.first().map_or(0, |word| Word0::NUMBER.get(*word));
        let kind = EventKind::ALL.into_iter().find(|kind| u64::from(kind.number()) == number);
        let fields = kind.into_iter().flat_map(record_fields);
        let fields = fields.filter_map(|it| known_field(entry, it.name, it.word, it.field));
        listed(entry, kind.map(EventKind::name), fields.collect(), None)
    };
    stand.dump.eventq.entries.iter().map(record).collect()
}

fn known_field(
    entry: &QueueEntry,
    name: &'static str,
    word: usize,
    field: passim_model::bits::Field,
) -> Option<Known> {
    let value = field.said(*entry.words.get(word)?);
    Some(Known { name, word, mask: field.mask(), value })
}

fn listed(
    entry: &QueueEntry,
    name: Option<&'static str>,
    known: Vec<Known>,
    waits: Option<bool>,
) -> ListedEntry {
    let mut rest = entry.words.clone();
    if let Some(first) = rest.first_mut() {
        *first &= !Word0::NUMBER.mask();
    }
    for it in &known {
        rest[it.word] &= !it.mask;
    }
    let hex = |words: &[u64]| words.iter().map(|word| format!("{word:#x}")).collect();
    let set = known.iter().filter(|it| it.value != 0);
    let fields = set.map(|it| Field { name: it.name, value: it.value, meaning: None });
    ListedEntry {
        slot: entry.index,
        name,
        fields: fields.collect(),
        rest: if rest.iter().any(|word| *word != 0) { hex(&rest) } else { Vec::new() },
        words: hex(&entry.words),
        waits,
    }
}

impl fmt::Display for ListedEntry {
    /// `3: TLBI_NH_VA ASID=0x7 VA=0x1000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.slot, self.name.unwrap_or("nothing of a known name"))?;
        for Field { name, value, .. } in &self.fields {
            match value {
                0..=9 => write!(f, " {name}={value}")?,
                _ => write!(f, " {name}={value:#x}")?,
            }
        }
        for (word, rest) in self.rest.iter().enumerate().filter(|(_, rest)| *rest != "0x0") {
            write!(f, ", and in doubleword {word} {rest}")?;
        }
        if self.waits == Some(true) { f.write_str(", not consumed yet") } else { Ok(()) }
    }
}
