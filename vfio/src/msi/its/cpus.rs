//! State shared by all ITSs of a machine: the LPI configuration table, and the CPUs that LPIs are
//! routed to. Linux's `gic_rdists`, `its_cpu_init_lpis` and `its_select_cpu` of `irq-gic-v3-its.c`.

use super::registers::Registers;
use super::table::{cacheability, zeroed};
use super::wire::{
    FIRST_LPI, GICR_CTLR_ENABLE_LPIS, GICR_CTLR_IR, GICR_SYNCR_BUSY, GICR_TYPER_DIRECT_LPIS,
    INNER_SHAREABLE, LPI_TABLE_LG2, LpiProp, Propbaser, gicr,
};
use crate::irq::{Redistributor, default_priority};
use crate::msi::lpi::MOST_BITS;
use crate::policy::{LpiAffinity, LpiInvalidation, Policy};
use passim_model::{Frames, Host, IntId, PhysAddr};

/// How often the driver polls for the end of an invalidation. 6.12 wait_for_syncr polls without
/// limit.
const MOST_LOOKS: u32 = 1 << 16;

/// The CPUs with LPIs enabled. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cpus {
    /// The LPI configuration table.
    properties: Option<PhysAddr>,
    /// Bits of an INTID (6.12 `lpi_id_bits`).
    bits: u32,
    /// By CPU: number of events routed there, by all ITSs (6.12 `cpu_lpi_count`).
    loads: Vec<u32>,
    affinity: LpiAffinity,
    /// The cacheability field for tables of redistributors.
    cacheability: u64,
    /// By CPU: its redistributor.
    redistributors: Vec<Registers>,
    /// Whether every redistributor can invalidate by register, and the kernel uses that.
    direct: bool,
}

/// The configuration byte of a masked LPI.
fn masked(policy: &Policy) -> u8 {
    let priority = LpiProp::PRIORITY.in_place(default_priority(policy.gicv3_priority));
    (priority | LpiProp::GROUP1.flag(true)) as u8
}

impl Cpus {
    /// Creates the state without any CPU.
    pub(super) fn new(policy: &Policy) -> Self {
        Self {
            properties: None,
            bits: MOST_BITS,
            loads: Vec::new(),
            affinity: policy.lpi_affinity,
            cacheability: cacheability(policy),
            redistributors: Vec::new(),
            direct: policy.lpi_invalidation == LpiInvalidation::Register,
        }
    }

    /// Allocates the configuration table, with every LPI masked. 6.12 its_setup_lpi_prop_table.
    pub(super) fn boot(
        &mut self,
        (policy, bits): (&Policy, u32),
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<()> {
        self.bits = bits;
        let properties = zeroed(LPI_TABLE_LG2, frames, host)?;
        let bytes = vec![masked(policy); 1 << LPI_TABLE_LG2];
        host.memory_mut().write(properties, &bytes).ok()?;
        self.properties = Some(properties);
        Some(())
    }

    /// Enables the LPIs of another CPU, and returns its number. 6.12 its_cpu_init_lpis.
    pub(super) fn add(
        &mut self,
        redistributor: &Redistributor,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<u16> {
        let registers = Registers(redistributor.base);
        let pending = zeroed(LPI_TABLE_LG2, frames, host)?;
        let attributes = Propbaser::INNER_CACHEABILITY.of(self.cacheability)
            | Propbaser::SHAREABILITY.of(INNER_SHAREABLE);
        let properties = Propbaser::ADDRESS.in_place(self.properties?.get())
            | Propbaser::IDBITS.of(u64::from(self.bits - 1));
        registers.store64(gicr::PROPBASER, properties | attributes, host)?;
        // measured on 6.1 and 6.12, dumps of the ITS: PTZ is 0, though the table is zeroed.
        let pending = Propbaser::ADDRESS.in_place(pending.get());
        registers.store64(gicr::PENDBASER, pending | attributes, host)?;
        let ctlr = registers.load32(gicr::CTLR, host)?;
        registers.store32(gicr::CTLR, ctlr | GICR_CTLR_ENABLE_LPIS, host)?;
        // 6.12 __gic_update_rdist_properties: a feature has to be in every redistributor.
        if self.direct {
            let typer = registers.load64(gicr::TYPER, host)?;
            self.direct = typer & GICR_TYPER_DIRECT_LPIS != 0 || ctlr & GICR_CTLR_IR != 0;
        }
        let cpu = u16::try_from(self.loads.len()).ok()?;
        self.loads.push(0);
        self.redistributors.push(registers);
        Some(cpu)
    }

    /// Whether there is any CPU.
    pub(super) fn any(&self) -> bool {
        !self.loads.is_empty()
    }

    /// The CPU to route an event to. 6.12 its_select_cpu: of the allowed CPUs, the first with the
    /// fewest events.
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

    /// Whether the driver sends MOVI even if the CPU does not change.
    pub(super) fn says_each_time(&self) -> bool {
        self.affinity == LpiAffinity::FirstCpu
    }

    /// Adds an event to a CPU's count, or removes one.
    pub(super) fn weigh(&mut self, cpu: u16, more: bool) {
        if let Some(load) = self.loads.get_mut(usize::from(cpu)) {
            *load = if more { *load + 1 } else { load.saturating_sub(1) };
        }
    }

    /// Makes a CPU's redistributor reload the LPI's configuration, and waits for it. Returns
    /// `false` if it cannot be done by register.
    // 6.12 direct_lpi_inv.
    pub(super) fn invalidate(&self, cpu: u16, lpi: IntId, host: &mut impl Host) -> bool {
        let registers = self.redistributors.get(usize::from(cpu)).filter(|_| self.direct);
        let Some(&registers) = registers else { return false };
        if registers.store64(gicr::INVLPIR, u64::from(lpi.get()), host).is_none() {
            return true;
        }
        for _ in 0..MOST_LOOKS {
            match registers.load32(gicr::SYNCR, host) {
                Some(syncr) if syncr & GICR_SYNCR_BUSY != 0 => host.relax(),
                _ => break,
            }
        }
        true
    }

    /// Writes an LPI's configuration byte. `None` if there is no such LPI.
    pub(super) fn configure(&self, lpi: IntId, masked: bool, host: &mut impl Host) -> Option<()> {
        let entry = lpi.get().checked_sub(FIRST_LPI)?;
        let place = self.properties?.checked_add(u64::from(entry))?;
        let mut byte = [0];
        host.memory().read(place, &mut byte).ok()?;
        let word = LpiProp::ENABLED.set(u64::from(byte[0]), u64::from(!masked));
        // A byte that could be read can be written.
        let _ = host.memory_mut().write(place, &[word as u8]);
        Some(())
    }
}
