//! The memory of a dump: its words, and ranges that are 0.

use std::collections::BTreeMap;

use passim_model::{Memory, PhysAddr, Span};
use rangemap::RangeSet;

use crate::input_error::{InputError, InputKind, SourceText};
use crate::recording::dump::{Queue, SmmuDump, Stream};

passim_model::layout! {
    /// SMMU_EVENTQ_BASE, IHI 0070 G.b 6.3.29.
    struct QueueBase {
        /// log2 of the number of slots.
        LOG2SIZE = bits(4, 0);
        /// Address.
        ADDR = bits(51, 5);
    }
}

/// IHI 0070 G.b 6.3.2: no queue is larger than 2^19 slots.
const MAX_QUEUE_LG2: u64 = 19;
/// Bytes of an event, IHI 0070 G.b 7.3.
const EVENT_BYTES: u64 = 32;
/// Bytes of a command, IHI 0070 G.b 4.1.1.
const COMMAND_BYTES: u64 = 16;
/// log2 of the smallest bank of RAM.
const BANK_LG2: u32 = 16;
/// Bits of a physical address.
const MEMORY_BITS: u32 = 52;
/// Most entries of a table page: 64K of descriptors of 8 bytes, sixteen tables concatenated.
const MAX_ENTRIES: u32 = 16 << 13;

/// An error at a key of the dump's JSON.
pub(super) fn at_key(source: &SourceText, key: &str, message: impl Into<String>) -> InputError {
    let quoted = format!("\"{key}\"");
    let start = source.text().find(&quoted).unwrap_or(0);
    let span = start..start + quoted.len();
    source
        .error(InputKind::Recording, span, message)
        .with_hint("a dump holds registers, streams with their tables, and queues of one SMMU")
}

/// The memory of a dump.
#[derive(Default)]
pub(super) struct Words {
    words: BTreeMap<u64, u64>,
    /// Bytes that the dump contains, including zero entries of table pages.
    pub(super) held: RangeSet<u64>,
}

impl Words {
    /// The words of a dump.
    ///
    /// # Errors
    /// A dump that contradicts itself, with the place.
    pub(super) fn of(source: &SourceText, dump: &SmmuDump) -> Result<Self, InputError> {
        let mut words = Self::default();
        for stream in &dump.streams {
            words.stream(stream).map_err(|message| {
                let message = format!("stream {:#x}: {message}", stream.stream.get());
                at_key(source, "streams", message)
            })?;
        }
        words.queue(&dump.cmdq, COMMAND_BYTES).map_err(|it| at_key(source, "cmdq", it))?;
        words.queue(&dump.eventq, EVENT_BYTES).map_err(|it| at_key(source, "eventq", it))?;
        let base = dump.regs.get("EVENTQ_BASE").copied().unwrap_or(0);
        let slots = 1 << QueueBase::LOG2SIZE.get(base).min(MAX_QUEUE_LG2);
        let queue = QueueBase::ADDR.in_place(base);
        words.page(queue, slots * EVENT_BYTES).map_err(|it| at_key(source, "regs", it))?;
        Ok(words)
    }

    fn stream(&mut self, stream: &Stream) -> Result<(), String> {
        if let Some(at) = stream.l1std_pa {
            self.run(at, &stream.l1std)?;
        }
        let ste = stream.ste_pa.ok_or("the dump does not say where its STE lies (ste_pa)")?;
        self.run(ste, &stream.ste)?;
        if let Some(cd) = &stream.cd {
            let at = stream.cd_pa.ok_or("the dump does not say where its CD lies (cd_pa)")?;
            self.run(at, cd)?;
        }
        for table in &stream.tables {
            let (at, entries) = (table.pa, table.entries);
            if entries > MAX_ENTRIES {
                return Err(format!("the table at {at} has {entries} entries"));
            }
            self.page(at.get(), u64::from(entries) * 8)?;
            for (&index, &descriptor) in &table.descriptors {
                if index >= entries {
                    return Err(format!("the table at {at} of {entries} has an entry {index}"));
                }
                self.word(at.get() + u64::from(index) * 8, descriptor)?;
            }
        }
        Ok(())
    }

    fn queue(&mut self, queue: &Queue, bytes: u64) -> Result<(), String> {
        for entry in &queue.entries {
            let (index, slots) = (u64::from(entry.index), queue.slots);
            let words = entry.words.get(..bytes as usize / 8);
            let Some(words) = words.filter(|_| index < slots) else {
                return Err(format!("no slot {index} of {} words fits", entry.words.len()));
            };
            let at = queue.pa.checked_add(index * bytes);
            self.run(at.ok_or("a queue beyond the end of memory")?, words)?;
        }
        Ok(())
    }

    fn run(&mut self, at: PhysAddr, words: &[u64]) -> Result<(), String> {
        for (index, &word) in (0u64..).zip(words) {
            let at = at.get().checked_add(8 * index).ok_or("beyond the end of memory")?;
            self.word(at, word)?;
        }
        Ok(())
    }

    /// Adds a word; a repeated word must have the same value.
    fn word(&mut self, at: u64, word: u64) -> Result<(), String> {
        if !at.is_multiple_of(8) {
            return Err(format!("no word of memory lies at {at:#x}"));
        }
        self.page(at, 8)?;
        match self.words.insert(at, word) {
            Some(other) if other != word => {
                Err(format!("the word at {at:#x} is {other:#x} and {word:#x}"))
            }
            _ => Ok(()),
        }
    }

    /// Adds bytes that read as zero except for given words.
    pub(super) fn page(&mut self, at: u64, bytes: u64) -> Result<(), String> {
        let end = at.saturating_add(bytes.max(1));
        if end > 1 << MEMORY_BITS {
            return Err(format!("no memory lies at {at:#x}"));
        }
        self.held.insert(at..end);
        Ok(())
    }

    /// Memory that covers the bytes held, and a margin around them.
    pub(super) fn memory(&self) -> Result<Memory, String> {
        let mut banks: RangeSet<u64> = RangeSet::new();
        for held in self.held.iter() {
            banks.insert(held.start >> BANK_LG2..((held.end - 1) >> BANK_LG2) + 1);
        }
        let mut memory = Memory::new();
        for bank in banks.iter() {
            let start = PhysAddr::new(bank.start << BANK_LG2);
            let size = (bank.end - bank.start) << BANK_LG2;
            let span = Span::from_size(start, size).expect("a range of banks is not empty");
            memory.add_bank(span).map_err(|error| error.to_string())?;
        }
        for (&at, &word) in &self.words {
            memory.store_u64(PhysAddr::new(at), word).expect("the bank of every word was added");
        }
        Ok(memory)
    }
}
