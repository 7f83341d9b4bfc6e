//! A redistributor: the registers of one CPU's SGIs, PPIs and LPIs. IHI 0069 H 12.10, 12.11.

mod tables;

pub(super) use tables::SavedRedistributor;

use super::dist::Groups;
use super::lpis::Lpis;
use super::wire::{
    LpiRegister, Pendbaser, RedistributorCtlr, RedistributorTyper, Syncr, Waker, gicr,
};
use crate::attributes;
use crate::choice::lpi::{ClearEnable, ConfigRead, PendingZero, RegisterInvalidation};
use crate::choice::{Attributes, LpiChoices};
use crate::identification::{self, Identification};
use crate::priority;
use crate::row::{BitRegister, Row};
use crate::{Cpu, Size};
use passim_model::Memory;

/// SGIs, whose trigger cannot be changed.
const SGI_BITS: u32 = 0xffff;

/// The features that all redistributors of a GIC share.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Features {
    /// GICR_IIDR.
    pub iidr: u32,
    /// LPIs are supported (GICR_TYPER.PLPIS).
    pub lpis: bool,
    /// Registers set and clear pending LPIs (GICR_TYPER.DirectLPI).
    pub direct_lpi: bool,
    /// INVLPIR, INVALLR and SYNCR (GICR_CTLR.IR); DirectLPI has them too.
    pub invalidation_registers: bool,
    /// A CPU can decline SPIs that any CPU could take (GICR_TYPER.DPGS).
    pub dpgs: bool,
    /// GICR_TYPER.CommonLPIAff, 2 bits: which redistributors must share a configuration table, 0
    /// for all.
    pub common_lpi_affinity: u8,
    /// GICR_WAKER.
    pub sleep: Sleep,
    /// The triggers of PPIs cannot be changed: GICR_ICFGR1 is read-only.
    pub fixed_triggers: bool,
    /// The identification registers: GICR_PIDR4 to GICR_CIDR3.
    pub identification: Identification,
}

/// GICR_WAKER.ProcessorSleep.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Sleep {
    /// While it is set, as it is after reset, no interrupt is signalled to the CPU.
    #[default]
    Obeyed,
    /// The bit is stored without effect.
    Stored,
    /// GICR_WAKER reads as zero.
    Absent,
}

/// An invalidation that INVLPIR or INVALLR requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Invalidation {
    One(u32),
    All,
}

/// A redistributor.
#[derive(Clone, Debug)]
pub(super) struct Redistributor {
    features: Features,
    choices: LpiChoices,
    typer: u64,
    /// Bits of an INTID (GICD_TYPER.IDbits).
    intid_bits: u32,
    /// Number of LPIs, if lower than `intid_bits` allows (GICD_TYPER.num_LPIs).
    most_lpis: u32,
    /// The DPG bits.
    ctlr: u64,
    asleep: bool,
    propbaser: u64,
    pendbaser: u64,
    /// SGIs and PPIs.
    pub(super) row: Row,
    /// Present while LPIs are on, or where they are kept while off.
    pub(super) lpis: Option<Lpis>,
    /// Whether they are on.
    on: bool,
    /// LPIs that have been turned off, until their pending bits are written to the table.
    leaving: Option<Lpis>,
    /// Requested and not yet performed.
    invalidations: Vec<Invalidation>,
    /// Performed, and to be forwarded to other redistributors.
    spread: Vec<Invalidation>,
    /// Failed table accesses before LPIs were last turned off.
    past_aborts: u64,
}

/// Maximum number of queued invalidations; a further one replaces all by one of everything.
const MOST_INVALIDATIONS: usize = 8;

impl Redistributor {
    pub(super) fn new(
        features: Features,
        choices: LpiChoices,
        cpu: Cpu,
        affinity: u32,
        last: bool,
        (intid_bits, most_lpis, groups): (u32, u32, Groups),
    ) -> Self {
        let typer = RedistributorTyper::PLPIS.flag(features.lpis)
            | RedistributorTyper::DIRECT_LPI.flag(features.direct_lpi)
            | RedistributorTyper::LAST.flag(last)
            | RedistributorTyper::DPGS.flag(features.dpgs)
            | RedistributorTyper::PROCESSOR_NUMBER.of(u64::from(cpu.get()))
            | RedistributorTyper::COMMON_LPI_AFF.of(u64::from(features.common_lpi_affinity))
            | RedistributorTyper::AFFINITY.of(u64::from(affinity));
        let mut row = Row::new(groups.at_reset());
        row.states.edge = SGI_BITS;
        // KVM's vgic_allocate_private_irqs.
        row.enabled = if groups == Groups::Together { SGI_BITS } else { 0 };
        // Reset values under KVM, INITIAL_PROPBASER_VALUE and INITIAL_PENDBASER_VALUE, where
        // attributes are made cacheable.
        let base = match choices.attributes {
            Attributes::Cacheable if features.lpis => attributes::KVM_PROPBASER,
            _ => 0,
        };
        let mut new = Self {
            features,
            choices,
            typer,
            intid_bits,
            most_lpis,
            ctlr: 0,
            asleep: features.sleep != Sleep::Absent,
            propbaser: base,
            pendbaser: base,
            row,
            lpis: None,
            on: false,
            leaving: None,
            invalidations: Vec::new(),
            spread: Vec::new(),
            past_aborts: 0,
        };
        new.lpis = new.holds().then(|| Lpis::held(choices, new.held()));
        new
    }

    /// Whether LPIs are on.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Whether no interrupt is signalled to the CPU now. IHI 0069 H 11.1.
    pub(super) fn is_asleep(&self) -> bool {
        self.asleep && self.features.sleep == Sleep::Obeyed
    }

    /// Whether the CPU declines 1 of N SPIs of this group.
    pub(super) fn declines(&self, group1: bool) -> bool {
        let field = if group1 { RedistributorCtlr::DPG1NS } else { RedistributorCtlr::DPG0 };
        field.is_set(self.ctlr)
    }

    /// Failed loads and stores of LPI tables.
    pub(super) fn aborts(&self) -> u64 {
        self.past_aborts + self.lpis.as_ref().map_or(0, Lpis::aborts)
    }

    /// GICR_PROPBASER, GICR_PENDBASER.
    pub(super) fn bases(&self) -> (u64, u64) {
        (self.propbaser, self.pendbaser)
    }

    fn has_invalidation_registers(&self) -> bool {
        self.features.invalidation_registers || self.features.direct_lpi
    }

    /// A load, at an offset from RD_base.
    pub(super) fn load(&self, at: u64, size: Size) -> u64 {
        if !size.aligns(at) || at >= gicr::END {
            return 0;
        }
        if at >= gicr::SGI_BASE {
            return u64::from(self.load_private(at - gicr::SGI_BASE, size));
        }
        match (at, size) {
            (gicr::TYPER..gicr::TYPER_END, Size::Word | Size::Double) => size.part(self.typer, at),
            (gicr::PROPBASER..gicr::PROPBASER_END, Size::Word | Size::Double) => {
                size.part(self.propbaser, at)
            }
            (gicr::PENDBASER..gicr::PENDBASER_END, Size::Word | Size::Double) => {
                // IHI 0069 H 12.11 (GICR_PENDBASER): PTZ is write-only and reads as zero.
                let ptz = self.choices.ptz == PendingZero::Ignored
                    && Pendbaser::PTZ.is_set(self.pendbaser);
                size.part(Pendbaser::PTZ.set(self.pendbaser, u64::from(ptz)), at)
            }
            (gicr::CTLR, Size::Word) => self.load_ctlr(),
            (gicr::IIDR, Size::Word) => u64::from(self.features.iidr),
            (gicr::WAKER, Size::Word) => {
                Waker::PROCESSOR_SLEEP.flag(self.asleep) | Waker::CHILDREN_ASLEEP.flag(self.asleep)
            }
            (gicr::SYNCR, Size::Word) => Syncr::BUSY.flag(!self.invalidations.is_empty()),
            (gicr::IDENTIFICATION..gicr::SGI_BASE, Size::Word) => {
                let distance = at - gicr::IDENTIFICATION;
                identification::register(&self.features.identification, distance)
            }
            _ => 0,
        }
    }

    fn load_ctlr(&self) -> u64 {
        let clears = self.choices.clear_enable == ClearEnable::Allowed;
        self.ctlr
            | RedistributorCtlr::ENABLE_LPIS.flag(self.on)
            | RedistributorCtlr::RWP.flag(self.leaving.is_some())
            | RedistributorCtlr::CES.flag(self.features.lpis && clears)
            | RedistributorCtlr::IR.flag(self.features.invalidation_registers)
    }

    fn load_private(&self, at: u64, size: Size) -> u32 {
        match (at, size) {
            (gicr::IPRIORITYR..gicr::IPRIORITYR_END, Size::Byte) => {
                u32::from(self.row.priority[(at - gicr::IPRIORITYR) as usize])
            }
            (gicr::IPRIORITYR..gicr::IPRIORITYR_END, Size::Word) => {
                let first = (at - gicr::IPRIORITYR) as usize;
                u32::from_le_bytes(core::array::from_fn(|i| self.row.priority[first + i]))
            }
            (gicr::ICFGR0, Size::Word) => self.row.load_triggers(false, u32::MAX),
            (gicr::ICFGR1, Size::Word) => self.row.load_triggers(true, u32::MAX),
            (_, Size::Word) => match BitRegister::at(at) {
                Some((register, 0)) => self.row.load(register),
                _ => 0,
            },
            _ => 0,
        }
    }

    /// A store, at an offset from RD_base.
    pub(super) fn store(&mut self, at: u64, size: Size, value: u64, memory: &mut Memory) {
        if !size.aligns(at) || at >= gicr::END {
            return;
        }
        if at >= gicr::SGI_BASE {
            self.store_private(at - gicr::SGI_BASE, size, value);
            return;
        }
        let intid = LpiRegister::INTID.get(value) as u32;
        match (at, size) {
            (gicr::PROPBASER..gicr::PROPBASER_END, Size::Word | Size::Double) => {
                let merged = size.merge(self.propbaser, at, value);
                self.store_propbaser(merged);
            }
            (gicr::PENDBASER..gicr::PENDBASER_END, Size::Word | Size::Double) => {
                let merged = size.merge(self.pendbaser, at, value);
                self.store_pendbaser(merged);
            }
            (gicr::CTLR, Size::Word) => self.store_ctlr(value, memory),
            (gicr::WAKER, Size::Word) if self.features.sleep != Sleep::Absent => {
                self.asleep = Waker::PROCESSOR_SLEEP.is_set(value);
            }
            (gicr::SETLPIR, Size::Word | Size::Double) if self.features.direct_lpi => {
                self.set_pending(intid, memory);
            }
            // IHI 0069 H 12.11 (GICR_CLRLPIR): no effect while LPIs are off.
            (gicr::CLRLPIR, Size::Word | Size::Double) if self.features.direct_lpi && self.on => {
                self.clear_pending(intid, memory);
            }
            (gicr::INVLPIR, Size::Word | Size::Double) => {
                self.ask(Invalidation::One(intid), memory);
            }
            (gicr::INVALLR, Size::Word | Size::Double) => self.ask(Invalidation::All, memory),
            _ => {}
        }
    }

    fn store_private(&mut self, at: u64, size: Size, value: u64) {
        let bits = self.choices.priority_bits;
        match (at, size) {
            (gicr::IPRIORITYR..gicr::IPRIORITYR_END, Size::Byte | Size::Word) => {
                let first = (at - gicr::IPRIORITYR) as usize;
                let bytes = value.to_le_bytes();
                for (i, byte) in bytes.into_iter().take(size.bytes() as usize).enumerate() {
                    self.row.priority[first + i] = priority::kept(byte, bits);
                }
            }
            (gicr::ICFGR1, Size::Word) if !self.features.fixed_triggers => {
                self.row.store_triggers(true, value as u32, u32::MAX);
            }
            (_, Size::Word) => {
                if let Some((register, 0)) = BitRegister::at(at) {
                    self.row.store(register, value as u32, u32::MAX);
                }
            }
            _ => {}
        }
    }

    /// An LPI becomes pending. Returns whether it did: LPIs are on and it exists.
    #[inline(always)]
    pub(super) fn set_pending(&mut self, intid: u32, memory: &mut Memory) -> bool {
        self.on && self.lpis.as_mut().is_some_and(|lpis| lpis.set_pending(intid, memory))
    }

    /// An LPI is no longer pending. Returns whether it was.
    pub(super) fn clear_pending(&mut self, intid: u32, memory: &mut Memory) -> bool {
        self.lpis.as_mut().is_some_and(|lpis| lpis.clear_pending(intid, memory))
    }

    /// Whether a store to INVLPIR or INVALLR has an effect now.
    pub(super) fn invalidates(&self) -> bool {
        self.has_invalidation_registers() && self.on
    }

    fn ask(&mut self, invalidation: Invalidation, memory: &Memory) {
        if !self.invalidates() {
            return;
        }
        match self.choices.register_invalidation {
            RegisterInvalidation::AtOnce => self.invalidate(invalidation, memory),
            RegisterInvalidation::OnStep if self.invalidations.len() < MOST_INVALIDATIONS => {
                self.invalidations.push(invalidation);
            }
            RegisterInvalidation::OnStep => self.invalidations = vec![Invalidation::All],
        }
    }

    fn invalidate(&mut self, invalidation: Invalidation, memory: &Memory) {
        self.hear(invalidation, memory);
        if self.choices.config == ConfigRead::OnceForAll {
            self.spread.push(invalidation);
        }
    }

    /// Performs an invalidation that was requested here or at another redistributor.
    pub(super) fn hear(&mut self, invalidation: Invalidation, memory: &Memory) {
        let Some(lpis) = &mut self.lpis else { return };
        match invalidation {
            Invalidation::One(intid) => lpis.invalidate(intid, memory),
            Invalidation::All => lpis.invalidate_all(memory),
        }
    }

    /// Takes the invalidations to be forwarded to other redistributors.
    pub(super) fn take_spread(&mut self) -> Vec<Invalidation> {
        core::mem::take(&mut self.spread)
    }

    /// Performs one action that a register requested: an invalidation, or the rest of turning LPIs
    /// off. Returns whether there was one.
    pub(super) fn step(&mut self, memory: &mut Memory) -> bool {
        if self.finish_leaving(memory) {
            return true;
        }
        if self.invalidations.is_empty() {
            return false;
        }
        let next = self.invalidations.remove(0);
        self.invalidate(next, memory);
        true
    }
}
