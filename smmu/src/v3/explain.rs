//! Explains one translation: every structure and every descriptor on the way, as data.
//!
//! The code that translates makes the explanation, with a log of what it reads. Explaining changes
//! nothing: caches, queues, counters and memory stay as they are, and what hardware would have
//! updated is listed instead.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `fields` | which fields do the words that were read have, and what do they mean? |

mod fields;

use crate::descriptor::decoded;
use crate::stages::{Log, Silent};
use crate::tlb::{Table, Translation};
use crate::transaction::{Transaction, Translated};
use crate::v3::SmmuV3;
use crate::v3::config::ste::SteState;
use crate::v3::config::{CdWords, SteWords};
use crate::v3::config_cache::ConfigCache;
use crate::v3::eventq::{Detail, Event};
use crate::v3::label::Label;
use crate::v3::translate::Stop;
use crate::v3::vms::{PARTID_MAP_WORDS, PartidMap};
use crate::v3::wire::regs::Cr0;
use passim_model::pgtable::vmsav8::{Entry, Stage};
use passim_model::pgtable::walk::{Below, Config, Leaf};
use passim_model::{Memory, PhysAddr};

/// Records the configuration that a translation finds, besides its steps through the stages. By
/// default it records nothing.
pub(crate) trait ConfigLog: Log {
    /// A level-1 Stream table descriptor was read.
    #[inline(always)]
    fn level_one_stream(&mut self, _at: PhysAddr, _word: u64) {}
    /// An STE was read.
    #[inline(always)]
    fn ste(&mut self, _at: PhysAddr, _words: &SteWords) {}
    /// A level-1 Stream table descriptor was cached.
    #[inline(always)]
    fn cached_level_one_stream(&mut self, _word: u64) {}
    /// A level-1 CD table descriptor was cached.
    #[inline(always)]
    fn cached_level_one_cd(&mut self, _word: u64) {}
    /// A level-1 CD table descriptor was read.
    #[inline(always)]
    fn level_one_cd(&mut self, _at: PhysAddr, _word: u64) {}
    /// A PARTID_MAP was read.
    #[inline(always)]
    fn partid_map(&mut self, _at: PhysAddr, _map: &PartidMap) {}
    /// A PARTID_MAP was cached.
    #[inline(always)]
    fn cached_partid_map(&mut self) {}
    /// A CD was read.
    #[inline(always)]
    fn cd(&mut self, _at: PhysAddr, _words: &CdWords) {}
    /// The configuration was found in the caches, or put there.
    #[inline(always)]
    fn configuration(&mut self, _configs: &ConfigCache, _txn: &Transaction) {}
}

impl ConfigLog for Silent {}

/// One step of a translation: something it read or found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A level-1 Stream table descriptor. IHI 0070 G.b 5.1.
    LevelOneStream {
        /// Its address.
        at: PhysAddr,
        /// The descriptor.
        word: u64,
    },
    /// An STE in memory. IHI 0070 G.b 5.2.
    Ste {
        /// Its address.
        at: PhysAddr,
        /// Its doublewords.
        words: SteWords,
    },
    /// A level-1 Stream table descriptor was cached.
    CachedLevelOneStream {
        /// The descriptor.
        word: u64,
    },
    /// The STE was cached.
    CachedSte,
    /// A level-1 CD table descriptor. IHI 0070 G.b 5.3.
    LevelOneCd {
        /// Its address.
        at: PhysAddr,
        /// The descriptor.
        word: u64,
    },
    /// A CD in memory. IHI 0070 G.b 5.4.
    Cd {
        /// Its address.
        at: PhysAddr,
        /// Its doublewords.
        words: CdWords,
    },
    /// A level-1 CD table descriptor was cached.
    CachedLevelOneCd {
        /// The descriptor.
        word: u64,
    },
    /// The CD was cached.
    CachedCd,
    /// The PARTID_MAP of a virtual machine structure. IHI 0070 G.b 5.6.
    PartidMap {
        /// Its address.
        at: PhysAddr,
        /// Its doublewords.
        words: [u64; PARTID_MAP_WORDS],
    },
    /// The PARTID_MAP was cached.
    CachedPartidMap,
    /// A translation in the TLB: of stage 1, both stages together where both translate, or of
    /// stage 2 alone.
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
        /// Level of the table.
        level: u8,
        /// Its address, in the stage's output space.
        table: u64,
        /// The physical address of the part of it that was read before, if it lies behind stage 2.
        behind: Option<PhysAddr>,
    },
    /// A translation table descriptor.
    Descriptor {
        /// Stage of the table.
        stage: Stage,
        /// Level of the table.
        level: i8,
        /// Its address before stage 2, if it lies behind stage 2.
        ipa: Option<u64>,
        /// Its physical address.
        at: PhysAddr,
        /// The descriptor, in the byte order of the regime.
        word: u64,
        /// What it decodes as at its level; `None` for descriptors of AArch32.
        entry: Option<Entry>,
    },
    /// The leaf that a walk reached, decoded.
    Leaf {
        /// Stage of the table.
        stage: Stage,
        /// The leaf.
        leaf: Leaf,
    },
    /// Bits of a descriptor that hardware would update. IHI 0070 G.b 3.13.
    Update {
        /// Address of the descriptor.
        at: PhysAddr,
        /// Bits set.
        set: u64,
        /// Bits cleared.
        clear: u64,
    },
}

/// How an explained translation ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It proceeds.
    Translated(Translated),
    /// The SMMU is off: GBPA decides. IHI 0070 G.b 6.3.14.
    Disabled,
    /// STE.Config is 0b0xx: silent termination. IHI 0070 G.b 5.2.
    StreamAborts,
    /// An error or a fault.
    Event(Event),
}

impl Verdict {
    /// The section of IHI 0070 G.b that decides.
    pub fn section(&self) -> &'static str {
        match self {
            Self::Translated(_) => "3.3.3",
            Self::Disabled => "6.3.14",
            Self::StreamAborts => "5.2",
            Self::Event(event) => match event.detail {
                Detail::Ste(_) => "5.2.2",
                Detail::Cd(_) => "5.4.2",
                Detail::None | Detail::Level(_) | Detail::Conflict(_) => event.kind.section(),
            },
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
    /// The MPAM label of a transaction that proceeds, where IDR3.MPAM is 1. IHI 0070 G.b 17.2.
    pub label: Option<Label>,
}

/// Records every step.
#[derive(Default)]
struct Notes {
    steps: Vec<Step>,
    ste: bool,
    cd: bool,
    /// The tables being walked, of stage 1 and of stage 2.
    tables: [Option<Config>; 2],
}

impl ConfigLog for Notes {
    fn level_one_stream(&mut self, at: PhysAddr, word: u64) {
        self.steps.push(Step::LevelOneStream { at, word });
    }

    fn cached_level_one_stream(&mut self, word: u64) {
        self.steps.push(Step::CachedLevelOneStream { word });
    }

    fn cached_level_one_cd(&mut self, word: u64) {
        self.steps.push(Step::CachedLevelOneCd { word });
    }

    fn ste(&mut self, at: PhysAddr, words: &SteWords) {
        self.ste = true;
        self.steps.push(Step::Ste { at, words: *words });
    }

    fn level_one_cd(&mut self, at: PhysAddr, word: u64) {
        self.steps.push(Step::LevelOneCd { at, word });
    }

    fn partid_map(&mut self, at: PhysAddr, map: &PartidMap) {
        self.steps.push(Step::PartidMap { at, words: map.words() });
    }

    fn cached_partid_map(&mut self) {
        self.steps.push(Step::CachedPartidMap);
    }

    fn cd(&mut self, at: PhysAddr, words: &CdWords) {
        self.cd = true;
        self.steps.push(Step::Cd { at, words: *words });
    }

    fn configuration(&mut self, configs: &ConfigCache, txn: &Transaction) {
        if !self.ste {
            self.steps.insert(0, Step::CachedSte);
        }
        let translates = matches!(
            configs.ste(txn.requester.stream),
            Some(SteState::Translate(stream)) if stream.stage1.is_some()
        );
        let index = txn.requester.substream.map_or(0, |id| id.get());
        if translates && !self.cd && configs.cd(txn.requester.stream, index).is_some() {
            self.steps.push(Step::CachedCd);
        }
    }
}

impl Log for Notes {
    fn hit(&mut self, stage: Stage, entry: &Translation) {
        self.steps.push(Step::Hit { stage, entry: *entry });
    }

    fn descriptor(&mut self, stage: Stage, level: i8, ipa: Option<u64>, at: PhysAddr, word: u64) {
        let tables = self.tables[usize::from(stage == Stage::Two)];
        let entry = tables.and_then(|tables| decoded(&tables, level, word));
        self.steps.push(Step::Descriptor { stage, level, ipa, at, word, entry });
    }

    fn walk(&mut self, tables: &Config) {
        self.tables[usize::from(tables.stage == Stage::Two)] = Some(*tables);
    }

    fn table(&mut self, stage: Stage, table: &Table) {
        let Below { level, table: at, .. } = table.below;
        let behind = table.behind.map(|behind| behind.at);
        self.steps.push(Step::CachedTable { stage, level, table: at, behind });
    }

    fn leaf(&mut self, stage: Stage, leaf: &Leaf) {
        self.steps.push(Step::Leaf { stage, leaf: *leaf });
    }
}

impl SmmuV3 {
    /// Explains what a transaction would do now. Changes nothing.
    pub fn explain(&self, memory: &Memory, txn: &Transaction) -> Explanation {
        if !self.registers.enabled(Cr0::SMMUEN) {
            let (steps, verdict, label) = (Vec::new(), Verdict::Disabled, self.label(txn));
            return Explanation { steps, verdict, label };
        }
        let mut twin = self.twin();
        let mut notes = Notes::default();
        let found = twin.resolve(memory, txn, &mut notes);
        let mut steps = notes.steps;
        let updates = twin.flag_writes.iter();
        steps.extend(updates.map(|write| Step::Update {
            at: write.at,
            set: write.set,
            clear: write.clear,
        }));
        let verdict = match found {
            Ok(found) => Verdict::Translated(found.answer),
            Err(Stop::Silent) => Verdict::StreamAborts,
            Err(Stop::Fault(event, _)) => Verdict::Event(event),
        };
        let goes_on = matches!(verdict, Verdict::Translated(_));
        let label = if goes_on { twin.label(txn) } else { None };
        Explanation { steps, verdict, label }
    }
}

#[cfg(test)]
mod tests;
