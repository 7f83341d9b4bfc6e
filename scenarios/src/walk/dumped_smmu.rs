//! The SMMU of a dump: its bytes in a memory, its registers in an SMMU of the model.
//!
//! Memory answers where the dump holds bytes and nowhere else, so that a descriptor which leads to
//! a page the dump lacks is seen.

use std::collections::BTreeMap;
use std::path::Path;

use passim_model::{
    Access, DeviceId, Iova, Memory, PhysAddr, Requester, Rid, StreamId, SubstreamId, Width,
};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{
    EventKind, Explanation, IdRegisters, Implementation, Outcome, Progress, Step, Transaction,
    Verdict,
};

use rangemap::RangeSet;

use crate::input_error::{InputError, SourceText};
use crate::recording::dump::SmmuDump;
use crate::recording::read::read_whole;
use crate::walk::queue::ENDS;
use crate::walk::words::{Words, at_key};

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

/// SMMU_CR0.SMMUEN, IHI 0070 G.b 6.3.9.
const SMMUEN: u64 = 1;

/// Most steps an SMMU is given: more than a queue has commands.
const MAX_STEPS: u32 = 1 << 21;

/// A dump, and the SMMU it makes.
pub struct DumpedSmmu {
    /// What was dumped.
    pub dump: SmmuDump,
    /// Name of the dump, as its file has it.
    pub name: String,
    /// The SMMU.
    pub smmu: SmmuV3,
    /// What the dump holds of memory.
    pub memory: Memory,
    /// Which bytes that is.
    pub(super) held: RangeSet<u64>,
}

impl DumpedSmmu {
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

    /// What an access led to that the dump does not hold, and where it lies if that is known: what
    /// follows from it says nothing.
    pub fn not_held(&self, explanation: &Explanation) -> Option<(&'static str, Option<PhysAddr>)> {
        let missing = explanation.steps.iter().find_map(|step| {
            let (what, at, words) = match step {
                Step::LevelOneStream { at, .. } => ("level-1 Stream table descriptor", *at, 1),
                Step::Ste { at, words } => ("STE", *at, words.len()),
                Step::LevelOneCd { at, .. } => ("level-1 CD table descriptor", *at, 1),
                Step::Cd { at, words } => ("CD", *at, words.len()),
                Step::PartidMap { at, words } => ("PARTID_MAP", *at, words.len()),
                Step::Descriptor { at, .. } => ("translation table descriptor", *at, 1),
                _ => return None,
            };
            let bytes = at.get()..at.get().saturating_add(8 * words as u64);
            self.held.gaps(&bytes).next().map(|_| (what, Some(at)))
        });
        let fetched = || match &explanation.verdict {
            Verdict::Event(event) => match event.kind {
                EventKind::SteFetch => Some(("STE, or what leads to it", None)),
                EventKind::CdFetch => Some(("CD, or what leads to it", None)),
                EventKind::WalkEabt => Some(("translation table descriptor", None)),
                EventKind::VmsFetch => Some(("VMS", None)),
                _ => None,
            },
            _ => None,
        };
        missing.or_else(fetched)
    }

    /// The same SMMU on other memory.
    pub(super) fn standing_on(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self.program();
        self
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

    /// Whether the SMMU translates nothing.
    pub(super) fn is_off(&self) -> bool {
        self.register("CR0") & SMMUEN == 0
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
        self.smmu.take_effects();
    }

    /// One access.
    pub(super) fn translate(&mut self, who: Who, iova: u64, access: Access) -> Outcome {
        let txn = transaction(who, iova, access);
        self.smmu.translate(&mut self.memory, &txn)
    }

    /// The word at a physical address, where the dump holds it.
    pub(super) fn word(&self, at: u64) -> Option<u64> {
        let is_held = self.held.contains(&at);
        self.memory.load_u64(PhysAddr::new(at)).ok().filter(|_| is_held)
    }
}

/// Who accesses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Who {
    pub(super) stream: StreamId,
    pub(super) substream: Option<SubstreamId>,
}

impl Who {
    /// A stream, without a SubstreamID.
    pub(super) fn of(stream: StreamId) -> Self {
        Self { stream, substream: None }
    }
}

/// An access.
pub(super) fn transaction(who: Who, iova: u64, access: Access) -> Transaction {
    let Who { stream, substream } = who;
    let requester = Requester { stream, substream, device: DeviceId::new(stream.get()) };
    Transaction { requester, iova: Iova::new(iova), access }
}

fn implementation(registers: &BTreeMap<String, u64>) -> Implementation {
    let word = |name: &str| registers.get(name).copied().unwrap_or(0) as u32;
    let idr = ["IDR0", "IDR1", "IDR2", "IDR3", "IDR4", "IDR5"].map(word);
    let ids = IdRegisters { idr, iidr: word("IIDR"), aidr: word("AIDR"), mpamidr: word("MPAMIDR") };
    Implementation { ids, gbpa: word("GBPA"), ..Implementation::default() }
}

/// The file's name without `smmu_` and extension.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    let name = name.strip_suffix(".json").unwrap_or(name);
    name.strip_prefix("smmu_").unwrap_or(name).to_owned()
}
