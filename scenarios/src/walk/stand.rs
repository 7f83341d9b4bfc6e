//! The SMMU of a dump: its bytes in a memory, its registers in an SMMU of the model.
//!
//! Memory answers where the dump holds bytes and nowhere else, so that a descriptor which leads to
//! a page the dump lacks is seen.

use std::collections::BTreeMap;
use std::path::Path;

use passim_model::{
    Access, DeviceId, Iova, Memory, PhysAddr, Requester, Rid, Span, StreamId, Width,
};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{Explanation, IdRegisters, Implementation, Outcome, Progress, Transaction};

use rangemap::RangeSet;

use crate::input_error::{InputError, InputKind, SourceText};
use crate::recording::dump::{Queue, SmmuDump, Stream};
use crate::recording::read::read_whole;
use crate::walk::queue::ENDS;

/// Registers that are stored to, in the order in which software does: name, offset, width.
/// IHI 0070 G.b 6.2. CR0 comes last and by itself.
const PROGRAMMED: [(&str, u64, Width); 8] = [
    ("CR1", 0x28, Width::W32),
    ("CR2", 0x2c, Width::W32),
    ("STRTAB_BASE", 0x80, Width::W64),
    ("STRTAB_BASE_CFG", 0x88, Width::W32),
    ("CMDQ_BASE", 0x90, Width::W64),
    ("EVENTQ_BASE", 0xa0, Width::W64),
    ("EVENTQ_PROD", EVENTQ_PROD, Width::W32),
    ("EVENTQ_CONS", EVENTQ_CONS, Width::W32),
];
const CR0: u64 = 0x20;
const GBPA: u64 = 0x44;
const EVENTQ_PROD: u64 = 0x100a8;
const EVENTQ_CONS: u64 = 0x100ac;

/// Registers without which there is no SMMU to speak of.
const NEEDED: [&str; 7] = ["IDR0", "IDR1", "IDR3", "IDR5", "CR0", "STRTAB_BASE", "STRTAB_BASE_CFG"];

passim_model::layout! {
    /// SMMU_GBPA, IHI 0070 G.b 6.3.14.
    struct Gbpa {
        /// A store counts.
        UPDATE = bit(31);
    }
}
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
pub(super) const COMMAND_BYTES: u64 = 16;
/// log2 of the smallest bank of RAM.
const BANK_LG2: u32 = 16;
/// Bits of a physical address.
const MEMORY_BITS: u32 = 52;
/// Most table entries a page has: 64K of descriptors of 8 bytes, sixteen of them in a row.
const MAX_ENTRIES: u32 = 16 << 13;

/// Most steps an SMMU is given: more than a queue has commands.
const MAX_STEPS: u32 = 1 << 21;

/// A dump, and the SMMU it makes.
pub struct Stand {
    /// What was dumped.
    pub dump: SmmuDump,
    /// Name of the dump, as its file has it.
    pub name: String,
    /// The SMMU.
    pub smmu: SmmuV3,
    /// What the dump holds of memory.
    pub memory: Memory,
    /// Which bytes that is.
    held: RangeSet<u64>,
}

impl Stand {
    /// Reads a dump, compressed if its name ends in `.zst`, and sets its SMMU up.
    ///
    /// # Errors
    /// Unreadable, not a dump, or a dump that contradicts itself.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        Self::of(&read_whole(path)?)
    }

    /// Sets up the SMMU of a dump already in memory.
    ///
    /// # Errors
    /// Not a dump, or a dump that contradicts itself.
    pub fn of(source: &SourceText) -> Result<Self, InputError> {
        let dump = SmmuDump::parse(source)?;
        for name in NEEDED {
            if !dump.regs.contains_key(name) {
                let message = format!("the dump has no register {name}");
                return Err(at_key(source, "regs", message)
                    .with_hint(format!("needed are {}", NEEDED.join(", "))));
            }
        }
        let words = Words::of(source, &dump)?;
        let memory = words.memory().map_err(|message| at_key(source, "streams", message))?;
        let smmu = SmmuV3::new(implementation(&dump.regs));
        let name = name_of(source.path());
        let mut stand = Self { dump, name, smmu, memory, held: words.held };
        stand.program();
        Ok(stand)
    }

    /// The stream of a device of the dump; the first, if it has several.
    pub fn stream_of(&self, dev: Rid) -> Option<StreamId> {
        Some(self.dump.streams.iter().find(|stream| stream.dev == dev)?.stream)
    }

    /// Explains one access, with nothing cached but what was asked for before.
    pub fn explain(&self, asked: &Transaction) -> Explanation {
        self.smmu.explain(&self.memory, asked)
    }

    /// Back to the registers of the dump, with nothing cached.
    pub(super) fn program(&mut self) {
        self.program_queue(0, 0);
    }

    /// The same, with a command queue that holds what lies between these two pointers; it is
    /// consumed.
    pub(super) fn program_queue(&mut self, cons: u64, prod: u64) {
        self.smmu.reset();
        let gbpa = self.register("GBPA") | Gbpa::UPDATE.mask();
        self.store(GBPA, Width::W32, gbpa);
        for (name, offset, width) in PROGRAMMED {
            let value = self.register(name);
            self.store(offset, width, value);
        }
        self.empty_events();
        for (offset, value) in ENDS.into_iter().zip([cons, prod]) {
            self.store(offset, Width::W32, value);
        }
        let cr0 = self.register("CR0");
        self.store(CR0, Width::W32, cr0);
        self.settle();
    }

    /// A register of the dump, 0 where it has none.
    pub(super) fn register(&self, name: &str) -> u64 {
        self.dump.regs.get(name).copied().unwrap_or(0)
    }

    pub(super) fn store(&mut self, offset: u64, width: Width, value: u64) {
        self.smmu.store(offset, width, value, &mut self.memory);
    }

    /// Lets the SMMU work until it has nothing left to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..MAX_STEPS {
            if self.smmu.step(&mut self.memory) == Progress::Idle {
                break;
            }
        }
        self.smmu.take_effects();
    }

    /// Software has read every event: the next one finds room.
    pub(super) fn empty_events(&mut self) {
        let prod = self.smmu.load(EVENTQ_PROD, Width::W32);
        self.store(EVENTQ_CONS, Width::W32, prod);
    }

    /// One access of a stream.
    pub(super) fn translate(&mut self, stream: StreamId, iova: u64, access: Access) -> Outcome {
        let txn = transaction(stream, iova, access);
        self.smmu.translate(&mut self.memory, &txn)
    }

    /// The word at a physical address, where the dump holds it.
    pub(super) fn word(&self, at: u64) -> Option<u64> {
        let is_held = self.held.contains(&at);
        self.memory.load_u64(PhysAddr::new(at)).ok().filter(|_| is_held)
    }
}

/// An access of a stream, without a SubstreamID.
pub(super) fn transaction(stream: StreamId, iova: u64, access: Access) -> Transaction {
    let requester = Requester { stream, substream: None, device: DeviceId::new(stream.get()) };
    Transaction { requester, iova: Iova::new(iova), access }
}

fn implementation(registers: &BTreeMap<String, u64>) -> Implementation {
    let word = |name: &str| registers.get(name).copied().unwrap_or(0) as u32;
    let idr = ["IDR0", "IDR1", "IDR2", "IDR3", "IDR4", "IDR5"].map(word);
    let ids = IdRegisters { idr, iidr: word("IIDR"), aidr: word("AIDR") };
    Implementation { ids, gbpa: word("GBPA"), ..Implementation::default() }
}

/// The file's name without `smmu_` and extension.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    let name = name.strip_suffix(".json").unwrap_or(name);
    name.strip_prefix("smmu_").unwrap_or(name).to_owned()
}

/// An error at a key of the dump's JSON.
pub(super) fn at_key(source: &SourceText, key: &str, message: impl Into<String>) -> InputError {
    let quoted = format!("\"{key}\"");
    let start = source.text().find(&quoted).unwrap_or(0);
    let span = start..start + quoted.len();
    source
        .error(InputKind::Recording, span, message)
        .with_hint("a dump holds registers, streams with their tables, and queues of one SMMU")
}

/// What a dump says of memory.
#[derive(Default)]
struct Words {
    words: BTreeMap<u64, u64>,
    /// Bytes the dump holds, those of table pages that are 0 included.
    held: RangeSet<u64>,
}

impl Words {
    fn of(source: &SourceText, dump: &SmmuDump) -> Result<Self, InputError> {
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

    /// A word; what is said twice must be said alike.
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

    /// Bytes that read as zero where no word is given.
    fn page(&mut self, at: u64, bytes: u64) -> Result<(), String> {
        let end = at.saturating_add(bytes.max(1));
        if end > 1 << MEMORY_BITS {
            return Err(format!("no memory lies at {at:#x}"));
        }
        self.held.insert(at..end);
        Ok(())
    }

    fn memory(&self) -> Result<Memory, String> {
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
