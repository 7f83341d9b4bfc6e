//! The GICv3 driver: Linux's `irq-gic-v3.c`, as far as it concerns SPIs. The ITS driver enables
//! LPIs.

mod wire;

use super::chip::Taken;
use crate::policy::GicV3Priority;
use passim_model::{Abort, Host, IccRegister, IntId, PhysAddr, Width};
use wire::{
    DEFAULT_PMR_VALUE, DistCtlr, DistTyper, FIRST_LPI, FIRST_SPECIAL, FIRST_SPI, GICR_STRIDE,
    GICR_STRIDE_VLPIS, ICC_CTLR_EL1_EOIMODE_DROP, ICC_CTLR_EL1_EOIMODE_DROP_DIR, ICC_SRE_EL1_SRE,
    RedistTyper, SGI_BASE, Waker, array, dist, redist,
};

/// Most redistributors examined: a region without a last one is invalid.
const MOST_REDISTRIBUTORS: usize = 512;

/// How often a driver polls a register that has to settle. 6.12 gic_do_wait_for_rwp: a second.
const MOST_LOOKS: u32 = 1 << 16;

/// A redistributor that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Redistributor {
    /// Address of its registers.
    pub(crate) base: PhysAddr,
    /// Its number in ITS commands: GICR_TYPER's CPU number.
    pub(crate) number: u64,
    affinity: u64,
}

/// A GICv3 that answered when it was brought up.
#[derive(Debug)]
pub(super) struct GicV3 {
    distributor: PhysAddr,
    /// INTIDs below the LPIs that the distributor has.
    lines: u32,
    redistributors: Vec<Redistributor>,
    priority: u64,
    /// An end of interrupt drops the priority without deactivating.
    split: bool,
}

fn at(base: PhysAddr, offset: u64) -> Result<PhysAddr, Abort> {
    base.checked_add(offset).ok_or(Abort(base))
}

fn load(base: PhysAddr, offset: u64, host: &mut impl Host) -> Result<u64, Abort> {
    Ok(host.load(at(base, offset)?, Width::W32)? & u64::from(u32::MAX))
}

fn store(base: PhysAddr, offset: u64, value: u64, host: &mut impl Host) -> Result<(), Abort> {
    host.store(at(base, offset)?, Width::W32, value)
}

/// The redistributors of a region, in order: the one at index n is CPU n's, as firmware lists CPUs
/// by ascending affinity.
// 6.12 gic_iterate_rdists: GICR_TYPER marks the last, and determines the distance to the next.
pub(crate) fn redistributors(
    first: PhysAddr,
    host: &mut impl Host,
) -> Result<Vec<Redistributor>, Abort> {
    let (mut found, mut base) = (Vec::new(), first);
    while found.len() < MOST_REDISTRIBUTORS {
        let typer = host.load(at(base, redist::TYPER)?, Width::W64)?;
        let (number, affinity) =
            (RedistTyper::CPU_NUMBER.get(typer), RedistTyper::AFFINITY.get(typer));
        found.push(Redistributor { base, number, affinity });
        if RedistTyper::LAST.is_set(typer) {
            break;
        }
        let virtual_lpis = RedistTyper::VLPIS.is_set(typer);
        base = at(base, if virtual_lpis { GICR_STRIDE_VLPIS } else { GICR_STRIDE })?;
    }
    Ok(found)
}

/// Bits of an INTID, as the distributor reports; `None` where it does not answer.
// 6.12 its_init: GICD_TYPER_ID_BITS.
pub(crate) fn intid_bits(distributor: PhysAddr, host: &mut impl Host) -> Option<u32> {
    let typer = load(distributor, dist::TYPER, host).ok()?;
    Some(DistTyper::ID_BITS.get(typer) as u32 + 1)
}

/// Number of LPIs that the distributor reports; `None` where only the INTID bits limit them.
// 6.12 its_lpi_init: a number of two, which the field's zero encodes, is ignored.
pub(crate) fn num_lpis(distributor: PhysAddr, host: &mut impl Host) -> Option<u32> {
    let typer = load(distributor, dist::TYPER, host).ok()?;
    let lpis = 2u64 << DistTyper::NUM_LPIS.get(typer);
    u32::try_from(lpis).ok().filter(|lpis| *lpis > 2)
}

/// The priority of every interrupt.
pub(crate) fn default_priority(priority: GicV3Priority) -> u64 {
    match priority {
        GicV3Priority::A0 => 0xa0,
        GicV3Priority::C0 => 0xc0,
    }
}

impl GicV3 {
    /// Brings up the distributor, then the redistributor and the interface of each CPU.
    ///
    /// # Errors
    /// [`Abort`] where no register answers.
    pub(super) fn boot(
        (distributor, first): (PhysAddr, PhysAddr),
        cpus: u16,
        priority: GicV3Priority,
        split: bool,
        host: &mut impl Host,
    ) -> Result<Self, Abort> {
        host.run_on(0);
        let mut redistributors = redistributors(first, host)?;
        redistributors.truncate(usize::from(cpus));
        let rows = DistTyper::IRQS.get(load(distributor, dist::TYPER, host)?) as u32 + 1;
        let lines = (rows * 32).min(FIRST_SPECIAL);
        let priority = default_priority(priority);
        let gic = Self { distributor, lines, redistributors, priority, split };
        gic.boot_distributor(host)?;
        for (cpu, redistributor) in (0..cpus).zip(&gic.redistributors) {
            host.run_on(cpu);
            gic.boot_redistributor(redistributor.base, host)?;
            boot_interface(split, host);
        }
        host.run_on(0);
        Ok(gic)
    }

    fn priorities(&self) -> u64 {
        self.priority * 0x0101_0101
    }

    // 6.12 gic_dist_init: every SPI is in Group 1, level-triggered, disabled, and routed to the
    // boot CPU.
    fn boot_distributor(&self, host: &mut impl Host) -> Result<(), Abort> {
        let base = self.distributor;
        store(base, dist::CTLR, 0, host)?;
        self.wait_for_rwp(host)?;
        let spis = u64::from(FIRST_SPI)..u64::from(self.lines);
        for n in spis.clone().step_by(32) {
            store(base, array::IGROUPR + n / 8, u64::from(u32::MAX), host)?;
        }
        for n in spis.clone().step_by(16) {
            store(base, array::ICFGR + n / 4, 0, host)?;
        }
        for n in spis.clone().step_by(4) {
            store(base, array::IPRIORITYR + n, self.priorities(), host)?;
        }
        for n in spis.clone().step_by(32) {
            store(base, array::ICACTIVER + n / 8, u64::from(u32::MAX), host)?;
            store(base, array::ICENABLER + n / 8, u64::from(u32::MAX), host)?;
        }
        self.wait_for_rwp(host)?;
        let on = DistCtlr::ARE_NS.flag(true)
            | DistCtlr::ENABLE_G1A.flag(true)
            | DistCtlr::ENABLE_G1.flag(true);
        store(base, dist::CTLR, on, host)?;
        self.wait_for_rwp(host)?;
        for n in spis {
            self.route(IntId::new(n as u32), 0, host)?;
        }
        Ok(())
    }

    fn wait_for_rwp(&self, host: &mut impl Host) -> Result<(), Abort> {
        for _ in 0..MOST_LOOKS {
            if !DistCtlr::RWP.is_set(load(self.distributor, dist::CTLR, host)?) {
                break;
            }
            host.relax();
        }
        Ok(())
    }

    // 6.12 gic_cpu_init: awake, private interrupts in Group 1 and disabled, SGIs enabled.
    fn boot_redistributor(&self, base: PhysAddr, host: &mut impl Host) -> Result<(), Abort> {
        let waker = load(base, redist::WAKER, host)?;
        store(base, redist::WAKER, Waker::PROCESSOR_SLEEP.set(waker, 0), host)?;
        for _ in 0..MOST_LOOKS {
            if !Waker::CHILDREN_ASLEEP.is_set(load(base, redist::WAKER, host)?) {
                break;
            }
            host.relax();
        }
        let private = at(base, SGI_BASE)?;
        store(private, array::IGROUPR, u64::from(u32::MAX), host)?;
        store(private, array::ICACTIVER, u64::from(u32::MAX), host)?;
        store(private, array::ICENABLER, u64::from(u32::MAX), host)?;
        for n in (0..u64::from(FIRST_SPI)).step_by(4) {
            store(private, array::IPRIORITYR + n, self.priorities(), host)?;
        }
        store(private, array::ISENABLER, 0xffff, host)
    }

    /// Whether the distributor has this SPI.
    pub(super) fn has(&self, spi: IntId) -> bool {
        (FIRST_SPI..self.lines).contains(&spi.get())
    }

    /// Whether the INTID is an LPI.
    pub(super) fn is_lpi(&self, intid: IntId) -> bool {
        intid.get() >= FIRST_LPI
    }

    /// Unmasks an SPI.
    pub(super) fn unmask(&self, spi: IntId, host: &mut impl Host) -> Result<(), Abort> {
        self.store_bit(array::ISENABLER, spi, host)
    }

    /// Masks an SPI.
    pub(super) fn mask(&self, spi: IntId, host: &mut impl Host) -> Result<(), Abort> {
        self.store_bit(array::ICENABLER, spi, host)?;
        self.wait_for_rwp(host)
    }

    fn store_bit(&self, array: u64, spi: IntId, host: &mut impl Host) -> Result<(), Abort> {
        let n = u64::from(spi.get());
        store(self.distributor, array + n / 32 * 4, 1 << (n % 32), host)
    }

    /// Makes an SPI edge-triggered.
    pub(super) fn set_edge(&self, spi: IntId, host: &mut impl Host) -> Result<(), Abort> {
        let n = u64::from(spi.get());
        let register = array::ICFGR + n / 16 * 4;
        let old = load(self.distributor, register, host)?;
        store(self.distributor, register, old | 2 << (n % 16 * 2), host)
    }

    /// Routes an SPI to one CPU. Returns `false` if there is no such CPU.
    pub(super) fn route(&self, spi: IntId, cpu: u16, host: &mut impl Host) -> Result<bool, Abort> {
        let Some(redistributor) = self.redistributors.get(usize::from(cpu)) else {
            return Ok(false);
        };
        // 6.12 gic_cpu_to_affinity: affinity 3 is not adjacent to the others.
        let affinity = redistributor.affinity;
        let route = affinity & 0x00ff_ffff | (affinity >> 24) << 32;
        let at = at(self.distributor, dist::IROUTER + u64::from(spi.get()) * 8)?;
        host.store(at, Width::W64, route)?;
        Ok(true)
    }

    /// Acknowledges the highest pending interrupt of the CPU this runs on; `None` if none is
    /// pending. With split EOI this also drops the priority.
    // 4.4 gic_handle_irq, 6.12 gic_complete_ack: supports_deactivate(_key), which is
    // is_hyp_mode_available.
    pub(super) fn acknowledge(&self, host: &mut impl Host) -> Option<Taken> {
        let acknowledge = host.read_icc(IccRegister::Iar1);
        let intid = acknowledge as u32 & 0x00ff_ffff;
        let special = (FIRST_SPECIAL..FIRST_SPECIAL + 4).contains(&intid);
        if !special && self.split {
            host.write_icc(IccRegister::Eoir1, acknowledge);
        }
        (!special).then_some(Taken { intid: IntId::new(intid), acknowledge })
    }

    /// Ends an interrupt that has been served.
    // gic_eoi_irq, and gic_eoimode1_eoi_irq: an LPI has no active state. No interrupt here is
    // forwarded to a virtual CPU, which would deactivate it itself.
    pub(super) fn end(&self, taken: Taken, host: &mut impl Host) {
        match self.split {
            false => host.write_icc(IccRegister::Eoir1, taken.acknowledge),
            true if self.is_lpi(taken.intid) => {}
            true => host.write_icc(IccRegister::Dir, taken.acknowledge),
        }
    }
}

// 6.12 gic_cpu_sys_reg_init: in EL2 an end of interrupt only drops the priority.
fn boot_interface(split: bool, host: &mut impl Host) {
    host.write_icc(IccRegister::Sre, ICC_SRE_EL1_SRE);
    host.write_icc(IccRegister::Pmr, DEFAULT_PMR_VALUE);
    host.write_icc(IccRegister::Bpr1, 0);
    let mode = if split { ICC_CTLR_EL1_EOIMODE_DROP } else { ICC_CTLR_EL1_EOIMODE_DROP_DIR };
    host.write_icc(IccRegister::Ctlr, mode);
    host.write_icc(IccRegister::Igrpen1, 1);
}
