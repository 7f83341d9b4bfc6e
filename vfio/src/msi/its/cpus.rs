//! What all ITSs of a machine share: the configuration of every LPI, and the CPUs LPIs go to. Linux's
//! `gic_rdists`, `its_cpu_init_lpis` and `its_select_cpu` of `irq-gic-v3-its.c`.

use super::registers::Registers;
use super::table::zeroed;
use super::wire::{
    FIRST_LPI, GICR_CTLR_ENABLE_LPIS, INNER_SHAREABLE, LPI_NRBITS, LPI_TABLE_LG2, LpiProp,
    Propbaser, RA_WA_WB, gicr,
};
use crate::irq::{Redistributor, default_priority};
use crate::policy::{LpiAffinity, Policy};
use passim_model::{Frames, Host, IntId, PhysAddr};

/// The CPUs whose LPIs are on. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cpus {
    /// The LPI configuration table.
    properties: Option<PhysAddr>,
    /// By CPU: events that go there, of whichever ITS (6.12 `cpu_lpi_count`).
    loads: Vec<u32>,
    affinity: LpiAffinity,
}

/// The configuration of an LPI that is held back.
fn masked(policy: &Policy) -> u8 {
    let priority = LpiProp::PRIORITY.in_place(default_priority(policy.gicv3_priority));
    (priority | LpiProp::GROUP1.flag(true)) as u8
}

impl Cpus {
    /// None yet.
    pub(super) fn new(policy: &Policy) -> Self {
        Self { properties: None, loads: Vec::new(), affinity: policy.lpi_affinity }
    }

    /// Every LPI is configured, and held back. 6.12 its_setup_lpi_prop_table.
    pub(super) fn boot(
        &mut self,
        policy: &Policy,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<()> {
        let properties = zeroed(LPI_TABLE_LG2, frames, host)?;
        let bytes = vec![masked(policy); 1 << LPI_TABLE_LG2];
        host.memory_mut().write(properties, &bytes).ok()?;
        self.properties = Some(properties);
        Some(())
    }

    /// Turns the LPIs of another CPU on, and returns which it is. 6.12 its_cpu_init_lpis.
    pub(super) fn add(
        &mut self,
        redistributor: &Redistributor,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<u16> {
        let registers = Registers(redistributor.base);
        let pending = zeroed(LPI_TABLE_LG2, frames, host)?;
        let attributes = Propbaser::INNER_CACHEABILITY.of(RA_WA_WB)
            | Propbaser::SHAREABILITY.of(INNER_SHAREABLE);
        let properties = Propbaser::ADDRESS.in_place(self.properties?.get())
            | Propbaser::IDBITS.of(u64::from(LPI_NRBITS - 1));
        registers.store64(gicr::PROPBASER, properties | attributes, host)?;
        // measured on 6.1 and 6.12, dumps of the ITS: PTZ is not written, though the table is zero.
        let pending = Propbaser::ADDRESS.in_place(pending.get());
        registers.store64(gicr::PENDBASER, pending | attributes, host)?;
        let ctlr = registers.load32(gicr::CTLR, host)?;
        registers.store32(gicr::CTLR, ctlr | GICR_CTLR_ENABLE_LPIS, host)?;
        let cpu = u16::try_from(self.loads.len()).ok()?;
        self.loads.push(0);
        Some(cpu)
    }

    /// Whether there is one.
    pub(super) fn any(&self) -> bool {
        !self.loads.is_empty()
    }

    /// The CPU a new event goes to. 6.12 its_select_cpu: of those it may go to, the first with the
    /// fewest.
    pub(super) fn select(&self, pinned: Option<u16>) -> u16 {
        let loads = (0u16..).zip(self.loads.iter().copied());
        let least = || match self.affinity {
            LpiAffinity::FirstCpu => 0,
            LpiAffinity::LeastLoaded => {
                loads.min_by_key(|&(cpu, load)| (load, cpu)).map_or(0, |(cpu, _)| cpu)
            }
        };
        let there = |cpu: &u16| usize::from(*cpu) < self.loads.len();
        pinned.filter(there).unwrap_or_else(least)
    }

    /// One event more goes to a CPU, or one less.
    pub(super) fn weigh(&mut self, cpu: u16, more: bool) {
        if let Some(load) = self.loads.get_mut(usize::from(cpu)) {
            *load = if more { *load + 1 } else { load.saturating_sub(1) };
        }
    }

    /// Writes whether an LPI is held back. `None` if there is no such LPI.
    pub(super) fn configure(&self, lpi: IntId, masked: bool, host: &mut impl Host) -> Option<()> {
        let entry = lpi.get().checked_sub(FIRST_LPI)?;
        let place = self.properties?.checked_add(u64::from(entry))?;
        let mut byte = [0];
        host.memory().read(place, &mut byte).ok()?;
        let word = LpiProp::ENABLED.set(u64::from(byte[0]), u64::from(!masked));
        // A byte that was read can be written.
        let _ = host.memory_mut().write(place, &[word as u8]);
        Some(())
    }
}
