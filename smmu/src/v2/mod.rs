//! SMMUv2 and SMMUv1, Non-secure programming interface. Arm IHI 0062 issue D.c.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `features` | what do the identification registers promise? |
//! | `choice` | where does the architecture leave a choice, and what is chosen? |
//! | `regs`, `bank` | which stores take effect, what does a load return? |
//! | `stream` | which stream mapping entry matches a StreamID? |
//! | `context` | how do CBAR and a context bank translate? |
//! | `attributes` | which memory attributes do registers override? |
//! | `translate`, `outcome` | which outcome does a transaction have? |
//! | `invalidate` | which translations does a TLBI name, and when is it complete? |
//! | `fault` | how are faults reported? |
//! | `stall` | which transactions wait for software? |
//! | `explain` | why does a translation come out as it does? |
//! | `ats1` | what do address translation operations return? |
//! | `errata` | where does hardware deviate from the architecture? |
//!
//! Walk, TLB and permissions ([`crate::tlb`], `stages`, `front`) are shared with SMMUv3; what
//! differs is how a transaction finds its regime, how invalidations arrive and how faults are
//! reported.
//!
//! Not here: the Secure interface, the Extended Stream Matching and Compressed Indexing
//! extensions, privileged access never (DIPANS), performance monitors, configuration access
//! faults, broadcast TLB maintenance. No identification register promises them.

mod ats1;
mod attributes;
mod bank;
mod choice;
mod context;
mod errata;
mod explain;
mod fault;
mod features;
mod invalidate;
mod outcome;
mod regs;
mod stall;
mod stream;
#[cfg(test)]
mod testkit;
mod translate;
mod wire;

pub use choice::{Choices, Completion, Conflict};
pub use errata::Errata;
pub use explain::{Explanation, Register, Spelled, Step, Verdict};
pub use fault::Wires;
pub use features::{Aarch32, Auxiliary, Contradiction, Description, FlagUpdates, Version};
pub use outcome::{
    Cause, ContextFault, ContextFaultKind, GlobalFault, GlobalFaultKind, Outcome, Path, Record,
    Resolved, Stalled, Terminated, Transaction, Translated, WaitsFor,
};

use crate::front::Front;
pub use crate::progress::{Counters, Progress};
use crate::stages::{Caching, FlagWrite};
use crate::tlb::{Geometry, Retention, Space, Tlb, Translation};
use bank::{Around, Bank, BankFormat, has_operations};
use context::{Registers, Setting};
use invalidate::Invalidations;
use passim_model::{Effect, IntId, Memory, Width, event};
use regs::{Globals, Place};
use stall::Stalls;
use std::collections::BTreeSet;
use wire::bank::{Resume, offset};
use wire::global::{Status, gr0};

/// How an SMMU is built.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Implementation {
    /// Its features, from which the identification registers follow. Numbers that the registers
    /// cannot express are clamped.
    pub description: Description,
    /// The interrupt lines.
    pub wires: Wires,
    /// Size of the TLB.
    pub tlb: Geometry,
    /// Size of the walk cache; `None`: no walk cache.
    pub tables: Option<Geometry>,
    /// How long cached entries are kept.
    pub retention: Retention,
    /// The choices that the architecture leaves open.
    pub choices: Choices,
    /// The deviations from the architecture.
    pub errata: Errata,
}

impl Implementation {
    /// An SMMU of this description, with no interrupt wired, and the defaults of everything else.
    pub fn new(description: Description) -> Self {
        Self {
            description,
            wires: Wires::default(),
            tlb: Geometry::default(),
            tables: None,
            retention: Retention::default(),
            choices: Choices::default(),
            errata: Errata::default(),
        }
    }
}

/// An SMMUv2, or an SMMUv1. See the [module](self).
#[derive(Clone)]
pub struct SmmuV2 {
    implementation: Implementation,
    globals: Globals,
    banks: Vec<Bank>,
    /// The decoded setting of each bank, if it was decoded since a register last changed.
    settings: Vec<Option<Result<Setting, GlobalFault>>>,
    tlb: Tlb,
    /// The translation of a prefetch under way ([`Errata::stale_prefetch`]).
    prefetched: Option<errata::Prefetched>,
    front: Front,
    /// Changes of registers so far.
    changes: u64,
    effects: Vec<Effect>,
    counters: Counters,
    caching: Caching,
    /// Descriptor updates of the current translation; empty between translations.
    flag_writes: Vec<FlagWrite>,
    stalls: Stalls,
    invalidations: Invalidations,
    /// The interrupts that are asserted.
    lines: BTreeSet<IntId>,
}

impl SmmuV2 {
    /// An SMMU after reset.
    pub fn new(implementation: Implementation) -> Self {
        let description = implementation.description.within_limits();
        let implementation = Implementation { description, ..implementation };
        let banks = usize::from(description.banks);
        Self {
            globals: Globals::reset(&description),
            banks: vec![Bank::reset(&description); banks],
            settings: vec![None; banks],
            tlb: Tlb::new(implementation.tlb, implementation.tables, implementation.retention),
            prefetched: None,
            front: Front::new(implementation.tlb.sets_lg2),
            changes: 0,
            effects: Vec::new(),
            counters: Counters::default(),
            caching: translate::caching(&implementation),
            flag_writes: Vec::new(),
            stalls: Stalls::default(),
            invalidations: Invalidations::new(banks),
            lines: BTreeSet::new(),
            implementation,
        }
    }

    /// Returns to the state after reset: registers, caches, counters, stalled accesses, and effects
    /// not yet taken.
    pub fn reset(&mut self) {
        *self = Self::new(self.implementation.clone());
    }

    /// How the SMMU is built.
    pub fn implementation(&self) -> &Implementation {
        &self.implementation
    }

    /// Bytes of the register window: the global space and that of context banks, of equal size
    /// (IDR1.PAGESIZE, NUMPAGENDXB).
    pub fn window(&self) -> u64 {
        self.implementation.description.window()
    }

    /// Loads a register. `offset` is in bytes from the base of the register window. Offsets that
    /// name no register, misaligned ones, and accesses of 8 or 16 bits read as zero.
    pub fn load(&self, offset: u64, width: Width) -> u64 {
        if !self.arrives(offset, width) {
            return 0;
        }
        let place = self.place(offset);
        let low = u64::from(self.load_word(place));
        match width {
            Width::W8 | Width::W16 | Width::W32 => low,
            Width::W64 => low | u64::from(self.load_word(place.plus(4))) << 32,
        }
    }

    /// Stores to a register. Offsets that name no register, misaligned ones, accesses of 8 or 16
    /// bits, and registers that are read-only ignore it. An address translation operation ends or
    /// stalls before this returns; an invalidation completes as [`Completion`] says.
    pub fn store(&mut self, offset: u64, width: Width, value: u64, memory: &mut Memory) {
        if !self.arrives(offset, width) {
            return;
        }
        tracing::trace!(target: event::REGISTER, "store {value:#x} at {offset:#x}");
        let place = self.place(offset);
        self.changes += 1;
        match width {
            Width::W8 | Width::W16 | Width::W32 => {
                self.store_at(memory, place, value & u64::from(u32::MAX));
            }
            Width::W64 if place.is_wide_operation() => self.store_at(memory, place, value),
            Width::W64 => {
                self.store_at(memory, place, value & u64::from(u32::MAX));
                self.store_at(memory, place.plus(4), value >> 32);
            }
        }
        self.update_lines();
    }

    fn store_at(&mut self, memory: &mut Memory, place: Place, value: u64) {
        if !self.operate_at(memory, place, value) {
            self.store_word(place, value as u32);
            self.settings.fill(None);
        }
    }

    fn place(&self, offset: u64) -> Place {
        let place = Place::of(offset, &self.implementation.description);
        match self.implementation.errata.secure_accesses {
            true => place.seen_by_secure(),
            false => place,
        }
    }

    /// Whether an access reaches a register at all.
    // IHI 0062 D.c: registers are accessed by words and doublewords; smaller accesses are a choice,
    // here read as zero and ignored.
    fn arrives(&self, offset: u64, width: Width) -> bool {
        if matches!(width, Width::W8 | Width::W16) {
            return false;
        }
        let bytes = width.bytes();
        let wide = width == Width::W64 && self.implementation.errata.no_wide_accesses;
        !wide && offset.is_multiple_of(bytes) && offset < self.window()
    }

    fn registers(&self) -> Registers<'_> {
        Registers {
            description: &self.implementation.description,
            globals: &self.globals,
            banks: &self.banks,
        }
    }

    fn load_word(&self, place: Place) -> u32 {
        match place {
            Place::Global0(gr0::TLBGSTATUS) => {
                Status::ACTIVE.flag(self.invalidations.global_active()) as u32
            }
            // IHI 0062 D.c 9.6.13: global operations are done at once.
            Place::Global0(gr0::GATSR) => 0,
            Place::Global0(at) => self.globals.load0(at, &self.implementation.description),
            Place::Global1(at) => self.globals.load1(at),
            Place::Bank(bank, offset::TLBSTATUS) if self.has_sync(bank) => {
                Status::ACTIVE.flag(self.invalidations.bank_active(bank)) as u32
            }
            Place::Bank(bank, offset::ATSR) => {
                Status::ACTIVE.flag(self.stalls.operation_of(bank)) as u32
            }
            Place::Bank(bank, at) => self.banks[bank].load(at, &self.around(bank)),
            Place::Empty => 0,
        }
    }

    fn store_word(&mut self, place: Place, value: u32) {
        let description = self.implementation.description;
        match place {
            Place::Global0(at) => {
                self.globals.store0(at, value, &description, self.implementation.errata);
            }
            Place::Global1(at) => self.globals.store1(at, value, &description),
            Place::Bank(bank, at) => {
                let Around { format, scheme, stalls, actlr_writable, .. } = self.around(bank);
                let around =
                    Around { description: &description, format, scheme, stalls, actlr_writable };
                self.banks[bank].store(at, value, &around);
            }
            Place::Empty => {}
        }
    }

    /// Everything outside a bank that its registers depend on.
    fn around(&self, bank: usize) -> Around<'_> {
        let registers = self.registers();
        Around {
            description: registers.description,
            format: context::format_of(registers, bank),
            scheme: context::scheme_of(registers, bank),
            stalls: self.can_stall(),
            actlr_writable: self.globals.actlr_writable(registers.description),
        }
    }

    /// IHI 0062 D.c 17.3.6: the stage-2 format has TLBSYNC in SMMUv2 only.
    fn has_sync(&self, bank: usize) -> bool {
        let stage1 = context::format_of(self.registers(), bank) == BankFormat::Stage1;
        stage1 || self.implementation.description.is_v2()
    }

    /// Performs a store that is an operation. Returns whether it was one.
    fn operate_at(&mut self, memory: &mut Memory, place: Place, value: u64) -> bool {
        match place {
            Place::Global0(gr0::TLBGSYNC) => {
                self.invalidations.sync_all();
                true
            }
            Place::Global0(at) => {
                self.invalidate_globally(at, value)
                    || self.implementation.description.has_translation_operations()
                        && self.operation_globally(memory, at, value)
            }
            Place::Bank(bank, offset::TLBSYNC) if self.has_sync(bank) => {
                self.invalidations.sync_bank(bank);
                true
            }
            Place::Bank(bank, offset::RESUME) => {
                self.resume(bank, Resume::TNR.is_set(value));
                true
            }
            Place::Bank(bank, at) => {
                self.invalidate_in_bank(bank, at, value)
                    || has_operations(&self.around(bank))
                        && self.operation_in_bank(memory, bank, at, value)
            }
            Place::Global1(_) | Place::Empty => false,
        }
    }

    /// Does one pending thing: completes an invalidation, or retries a transaction.
    pub fn step(&mut self, memory: &mut Memory) -> Progress {
        match self.complete_one() {
            Progress::Worked => Progress::Worked,
            Progress::Idle => self.retry_one(memory),
        }
    }

    /// Whether [`Self::take_effects`] would return any.
    #[inline]
    pub fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Effects outside of the SMMU, in order: interrupts that rose, streams that resume.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }

    /// Counts since reset. `commands` counts invalidations, `events` recorded faults; counts of
    /// what SMMUv2 lacks stay 0.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The TLB's entries, by space and then by input address.
    pub fn tlb_entries(&self) -> Vec<(Space, Translation)> {
        self.tlb.entries()
    }

    /// Empties the TLB. No store does this.
    pub fn clear_caches(&mut self) {
        self.prefetched = None;
        self.tlb.clear();
    }
}

#[cfg(test)]
mod tests;
