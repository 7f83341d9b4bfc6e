//! SMMUv3, Non-secure programming interface. Arm IHI 0070 issue G.b.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `features` | what do the ID registers promise? |
//! | `regs`, `queue` | which stores take effect, what does a load return, where is a queue entry? |
//! | `config` | where are STE and CD, and what do they mean? |
//! | `caches` | which caches exist, and how large are they? |
//! | `config_cache`, `spans` | which of them are cached, and for which streams? |
//! | `vms`, `label` | when is a virtual machine structure read, and which MPAM label has a transaction? |
//! | `translate`, `fast_path`, `outcome` | which outcome does a transaction have? |
//! | `stall` | which transactions wait for software? |
//! | `ats`, `priq` | how are translation requests and page requests of devices answered? |
//! | `cmdq` | what does a command do? |
//! | `eventq`, `irq` | how are faults and errors reported? |
//! | [`names`] | what are registers, structures, commands and records called? |
//! | `explain` | why does a translation come out as it does? |
//!
//! Not here: Secure and Realm interfaces, ATOS, AArch32 tables, 128-bit descriptors, permission
//! indirection, DPT, ECMDQ; of MPAM, the memory system that uses the labels.
//! [`IdRegisters::unmodelled`] lists which of these a set of ID registers promises;
//! [`CAPABILITIES`] says why each is omitted.

mod ats;
mod caches;
mod cmdq;
mod config;
mod config_cache;
mod eventq;
pub(crate) mod explain;
mod fast_path;
mod features;
mod irq;
mod label;
pub mod names;
mod outcome;
mod priq;
mod queue;
mod regs;
mod spans;
mod stall;
#[cfg(test)]
mod testkit;
mod translate;
mod vms;
pub(crate) mod wire;

pub use crate::named::Named;
pub use crate::progress::{Counters, Progress};
pub use crate::transaction::{Path, Transaction, Translated};
pub use ats::Requested;
pub use caches::Caches;
pub use config::cd::CdFlaw;
pub use config::ste::SteFlaw;
pub use eventq::Detail;
pub use eventq::Event;
pub use eventq::PageHint;
pub use eventq::Record;
pub use explain::Explanation;
pub use explain::Step;
pub use explain::Verdict;
pub use features::CAPABILITIES;
pub use features::Capability;
pub use features::Contradiction;
pub use features::Description;
pub use features::FlagUpdate;
pub use features::IdRegisters;
pub use features::StallModel;
pub use features::Support;
pub use features::TableEndian;
pub use features::Unmodelled;
pub use irq::Wires;
pub use label::Label;
pub use outcome::Cause;
pub use outcome::Outcome;
pub use outcome::Resolved;
pub use outcome::Stalled;
pub use outcome::Terminated;
pub use priq::PageOutcome;
pub use wire::event::Class;
pub use wire::event::EventKind;

use crate::choice::Choices;
use crate::front::Front;
use crate::stages::{Caching, FlagWrite};
use crate::tlb::{Retention, Space, Tlb, Translation};
use ats::Invalidations;
use cmdq::Command;
use config_cache::ConfigCache;
use fast_path::Streams;
use features::Features;
use passim_model::{Effect, Memory, StreamId, Width, event};
use regs::Registers;
use spans::Spans;
use stall::Stalls;
use vms::VmsCache;
use wire::regs::offset;

/// How an SMMU is built.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Implementation {
    /// The ID registers; every feature follows from them.
    pub ids: IdRegisters,
    /// The wired interrupts.
    pub wires: Wires,
    /// The caches and their sizes.
    pub caches: Caches,
    /// How long cached entries are kept.
    pub retention: Retention,
    /// GBPA after reset. IHI 0070 G.b 6.3.14: implementation defined.
    pub gbpa: u32,
    /// The choices that the architecture leaves open.
    pub choices: Choices,
}

/// An SMMUv3. See the [module](self).
pub struct SmmuV3 {
    implementation: Implementation,
    features: Features,
    registers: Registers,
    tlb: Tlb,
    configs: ConfigCache,
    /// Which cached STEs serve neighbouring streams too.
    spans: Spans,
    vms: VmsCache,
    front: Front,
    streams: Streams,
    effects: Vec<Effect>,
    counters: Counters,
    /// Transactions that the fast path answered from the TLB; `counters` does not include them.
    glances: u64,
    /// Transactions that missed the TLB and took a shortcut to the leaf; `counters` does not
    /// include them.
    shortcuts_taken: u64,
    caching: Caching,
    /// Descriptor updates of the current translation; empty between translations.
    flag_writes: Vec<FlagWrite>,
    stalls: Stalls,
    invalidations: Invalidations,
    /// Invalidations that were consumed and are not complete, oldest first.
    incomplete: Vec<Command>,
    /// In service failure mode.
    failed: bool,
}

impl SmmuV3 {
    /// An SMMU after reset.
    pub fn new(implementation: Implementation) -> Self {
        let Implementation { caches, retention, .. } = implementation;
        let features = Features::of(&implementation.ids);
        Self {
            registers: Registers::reset(implementation.gbpa),
            tlb: Tlb::new(caches.tlb, caches.tables, retention),
            configs: ConfigCache::new(&caches, retention),
            spans: Spans::default(),
            vms: VmsCache::new(retention),
            front: Front::new(caches.tlb.sets_lg2),
            streams: Streams::new(),
            effects: Vec::new(),
            counters: Counters::default(),
            glances: 0,
            shortcuts_taken: 0,
            caching: caches::caching(&implementation, &features),
            features,
            flag_writes: Vec::new(),
            stalls: Stalls::default(),
            invalidations: Invalidations::default(),
            incomplete: Vec::new(),
            failed: false,
            implementation,
        }
    }

    /// A copy in the same state, on which a transaction is explained.
    fn twin(&self) -> Self {
        Self {
            implementation: self.implementation,
            features: self.features,
            registers: self.registers.clone(),
            tlb: self.tlb.clone(),
            configs: self.configs.clone(),
            spans: self.spans.clone(),
            vms: self.vms.clone(),
            front: self.front.clone(),
            streams: self.streams.clone(),
            effects: Vec::new(),
            counters: self.counters,
            glances: self.glances,
            shortcuts_taken: self.shortcuts_taken,
            caching: self.caching,
            flag_writes: Vec::new(),
            stalls: self.stalls.clone(),
            invalidations: self.invalidations.clone(),
            incomplete: self.incomplete.clone(),
            failed: self.failed,
        }
    }

    /// Returns to the state after reset: registers, caches, counters, stalled transactions, and
    /// effects not yet taken.
    pub fn reset(&mut self) {
        *self = Self::new(self.implementation);
    }

    /// How the SMMU is built.
    pub fn implementation(&self) -> &Implementation {
        &self.implementation
    }

    /// Loads a register. `offset` is in bytes from page 0; page 1 starts at 0x10000. Offsets that
    /// name no register, misaligned ones, and accesses of 8 or 16 bits read as zero.
    pub fn load(&self, offset: u64, width: Width) -> u64 {
        let word =
            |at| u64::from(self.registers.load(at, &self.implementation.ids, &self.features));
        match (width, words_of(offset, width)) {
            (Width::W64, Some(at)) => word(at) | word(at + offset::HIGH) << 32,
            (Width::W32, Some(at)) => word(at),
            (Width::W8 | Width::W16, _) | (_, None) => 0,
        }
    }

    /// Stores to a register. Offsets that name no register, misaligned ones, accesses of 8 or 16
    /// bits, and registers that are read-only now ignore it. Commands are consumed by
    /// [`SmmuV3::step`], not here.
    pub fn store(&mut self, offset: u64, width: Width, value: u64, _memory: &mut Memory) {
        let Some(at) = words_of(offset, width) else {
            return;
        };
        self.configs.surroundings_changed();
        let register = names::register_at;
        tracing::trace!(target: event::REGISTER, "{}: store {value:#x}", register(offset));
        let ack = self.implementation.choices.acknowledge;
        self.registers.store(at, value as u32, &self.features, ack);
        if width == Width::W64 {
            let high = (value >> 32) as u32;
            self.registers.store(at + offset::HIGH, high, &self.features, ack);
        }
        self.controls_changed();
    }

    /// Does one pending thing: acknowledges a control, retries one stalled transaction, or consumes
    /// one command.
    pub fn step(&mut self, memory: &mut Memory) -> Progress {
        if self.registers.acknowledge_one() {
            self.configs.surroundings_changed();
            self.controls_changed();
            return Progress::Worked;
        }
        if self.failed {
            return Progress::Idle;
        }
        match self.retry_one(memory) {
            Progress::Worked => Progress::Worked,
            Progress::Idle => self.consume(memory),
        }
    }

    /// Whether [`Self::take_effects`] would return any.
    #[inline]
    pub fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Effects outside of the SMMU, in order: interrupts, message writes, streams that may resume,
    /// ATS Invalidate Requests and PRG Responses.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }

    /// Counts since reset.
    pub fn counters(&self) -> Counters {
        let Self { counters, glances, shortcuts_taken, .. } = *self;
        Counters {
            transactions: counters.transactions + glances + shortcuts_taken,
            tlb_hits: counters.tlb_hits + glances,
            tlb_misses: counters.tlb_misses + shortcuts_taken,
            walks: counters.walks + shortcuts_taken,
            ..counters
        }
    }

    /// The TLB's entries, by space and then by input address.
    pub fn tlb_entries(&self) -> Vec<(Space, Translation)> {
        self.tlb.entries()
    }

    /// The streams whose STE is cached, ascending.
    pub fn cached_streams(&self) -> Vec<StreamId> {
        self.configs.streams()
    }

    /// The contexts whose CD is cached, ascending: stream and index of the CD.
    pub fn cached_contexts(&self) -> Vec<(StreamId, u32)> {
        self.configs.contexts()
    }

    /// Empties the TLB, the configuration caches and the cache of virtual machine structures. No
    /// single command and no store does all of this.
    pub fn clear_caches(&mut self) {
        self.tlb.clear();
        self.configs.clear();
        self.vms.clear();
    }
}

/// The offset, if it is aligned to the access and inside the window.
// IHI 0070 G.b 6.2: registers are accessed by 32 or 64 bits; what smaller accesses do is a choice,
// here read as zero and write ignored.
fn words_of(offset: u64, width: Width) -> Option<u64> {
    let narrow = matches!(width, Width::W8 | Width::W16);
    let inside = offset.is_multiple_of(width.bytes()) && offset < offset::WINDOW;
    (inside && !narrow).then_some(offset)
}

#[cfg(test)]
mod tests;
