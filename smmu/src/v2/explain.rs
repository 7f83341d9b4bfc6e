//! Explains one translation: the stream's entry, the banks and their registers, every descriptor on
//! the way, and the verdict.
//!
//! The code that translates makes the explanation, with a log of what it reads. Explaining changes
//! nothing: TLB, fault registers, counters and memory stay as they are.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `registers` | which registers decide a translation, and what are their values? |
//! | `fields` | which fields do registers and descriptors have, and what do they mean? |

mod fields;
mod registers;

pub use registers::Register;

use crate::descriptor::decoded;
use crate::stages::Log;
use crate::tlb::{Table, Translation};
use crate::v2::SmmuV2;
use crate::v2::outcome::{ContextFault, GlobalFault, Path, Transaction, Translated};
use crate::v2::translate::Stop;
use passim_model::pgtable::vmsav7s;
use passim_model::pgtable::vmsav8::{Entry, Stage};
use passim_model::pgtable::walk::{Below, Config, Format, Leaf};
use passim_model::{Memory, PhysAddr};

/// One step of a translation: something it read or found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A register that takes part in the decision.
    Register(Register),
    /// The stream names this context bank. IHI 0062 D.c 2.3.4.
    Bank(u8),
    /// The first bank names this bank for stage 2. IHI 0062 D.c 10.2.1.
    SecondBank(u8),
    /// A translation was found in the TLB: of stage 1, both stages together where both translate,
    /// or of stage 2 alone.
    Hit {
        /// Stage it was looked for at.
        stage: Stage,
        /// The entry.
        entry: Translation,
    },
    /// An intermediate table from the walk cache: the walk starts there.
    CachedTable {
        /// Stage of the table.
        stage: Stage,
        /// Level of the table, 0 to 3.
        level: u8,
        /// Its address, in the stage's output space.
        table: u64,
    },
    /// A translation table descriptor.
    Descriptor {
        /// Stage of the table.
        stage: Stage,
        /// Level of the table, 0 to 3.
        level: i8,
        /// Its address before stage 2, if it lies behind stage 2.
        ipa: Option<u64>,
        /// Its physical address.
        at: PhysAddr,
        /// The descriptor, in the byte order of the bank; short ones have 32 bits.
        word: u64,
        /// Its format, and what it decodes as; `None` if it cannot be decoded.
        spelled: Option<(Spelled, Entry)>,
    },
    /// The leaf that a walk reached, decoded.
    Leaf {
        /// Stage of the table.
        stage: Stage,
        /// The leaf.
        leaf: Leaf,
    },
    /// Bits of a descriptor that hardware would update.
    Update {
        /// Address of the descriptor.
        at: PhysAddr,
        /// Bits set.
        set: u64,
        /// Bits cleared.
        clear: u64,
    },
}

/// The format of a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spelled {
    /// 64 bits: AArch64's, and the long form of AArch32.
    Long,
    /// 32 bits.
    Short,
}

/// How an explained translation ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It proceeds.
    Translated(Translated),
    /// A global fault.
    Global(GlobalFault),
    /// A context fault.
    Context(ContextFault),
    /// An earlier fault of this bank ends it (HUPCF = 0).
    Outstanding(u8),
    /// It waits for this bank, which is stalled.
    Waits(u8),
}

impl Verdict {
    /// The section of IHI 0062 D.c that decides.
    pub fn section(&self) -> &'static str {
        match self {
            Self::Translated(translated) => match translated.path {
                Path::Disabled | Path::Bypass => "1.6.3",
                Path::Hit | Path::Walk => "2.7",
            },
            Self::Global(_) => "3.8",
            Self::Context(_) => "3.7",
            Self::Outstanding(_) | Self::Waits(_) => "3.7.3",
        }
    }
}

/// One translation, step by step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Records every step.
#[derive(Default)]
struct Notes {
    steps: Vec<Step>,
    /// The tables that are walked, by stage.
    tables: [Option<Config>; 2],
}

impl Log for Notes {
    fn hit(&mut self, stage: Stage, entry: &Translation) {
        self.steps.push(Step::Hit { stage, entry: *entry });
    }

    fn descriptor(&mut self, stage: Stage, level: i8, ipa: Option<u64>, at: PhysAddr, word: u64) {
        let tables = self.tables[usize::from(stage == Stage::Two)];
        let spelled = tables.and_then(|tables| spelled(&tables, level, word));
        self.steps.push(Step::Descriptor { stage, level, ipa, at, word, spelled });
    }

    fn walk(&mut self, tables: &Config) {
        self.tables[usize::from(tables.stage == Stage::Two)] = Some(*tables);
    }

    fn table(&mut self, stage: Stage, table: &Table) {
        let Below { level, table, .. } = table.below;
        self.steps.push(Step::CachedTable { stage, level, table });
    }

    fn leaf(&mut self, stage: Stage, leaf: &Leaf) {
        self.steps.push(Step::Leaf { stage, leaf: *leaf });
    }
}

/// Decodes a descriptor of these tables.
fn spelled(tables: &Config, level: i8, word: u64) -> Option<(Spelled, Entry)> {
    match tables.format {
        Format::Short { .. } => {
            let level = u8::try_from(level).ok()?;
            Some((Spelled::Short, vmsav7s::decode(word as u32, level)))
        }
        _ => Some((Spelled::Long, decoded(tables, level, word)?)),
    }
}

impl SmmuV2 {
    /// Explains what a transaction would do now. Changes nothing.
    pub fn explain(&self, memory: &Memory, txn: &Transaction) -> Explanation {
        let mut twin = self.clone();
        twin.land_prefetch();
        let mut notes = Notes::default();
        let entries = self.registers_of_stream(txn.requester.stream.get());
        notes.steps.extend(entries.into_iter().map(Step::Register));
        if let Some(bank) = twin.bank_of(txn) {
            notes.steps.push(Step::Bank(bank as u8));
            notes.steps.extend(self.registers_of_bank(bank).into_iter().map(Step::Register));
            if let Some(second) = twin.prepare(bank).ok().and_then(|()| twin.second_of(bank)) {
                notes.steps.push(Step::SecondBank(second as u8));
                notes.steps.extend(self.registers_of_bank(second).into_iter().map(Step::Register));
            }
        }
        let resolved = twin.resolve(memory, txn, &mut notes);
        let updates = twin.flag_writes.iter();
        let updates =
            updates.map(|write| Step::Update { at: write.at, set: write.set, clear: write.clear });
        notes.steps.extend(updates);
        let verdict = match resolved {
            Ok(translated) => Verdict::Translated(translated),
            Err(Stop::Global(fault)) => Verdict::Global(fault),
            Err(Stop::Context(fault, _)) => Verdict::Context(fault),
            Err(Stop::Outstanding(bank)) => Verdict::Outstanding(bank as u8),
            Err(Stop::Waits(bank)) => Verdict::Waits(bank as u8),
        };
        Explanation { steps: notes.steps, verdict }
    }
}

#[cfg(test)]
mod tests;
