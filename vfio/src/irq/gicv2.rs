//! The GICv2 driver: Linux's `irq-gic.c`, as far as it concerns SPIs.

use super::chip::Taken;
use super::wire::{
    CpuCtrl, DistCtr, FIRST_SPECIAL, FIRST_SPI, GICC_INT_PRI_THRESHOLD, GICD_DISABLE, GICD_ENABLE,
    GICD_INT_ACTLOW_LVLTRIG, GICD_INT_DEF_PRI_X4, GICD_INT_EN_CLR_PPI, GICD_INT_EN_CLR_X32,
    GICD_INT_EN_SET_SGI, IntAck, cpu, dist,
};
use passim_model::{Abort, Host, IntId, PhysAddr, Width};

/// A GICv2 that answered when it was brought up.
#[derive(Debug)]
pub(super) struct GicV2 {
    distributor: PhysAddr,
    cpu_interface: PhysAddr,
    /// INTIDs the distributor has.
    lines: u32,
    /// `gic_cpu_map`: the GICD_ITARGETSR bit of each CPU.
    targets: Vec<u8>,
    /// An end of interrupt drops the priority without deactivating.
    split: bool,
}

fn at(base: PhysAddr, offset: u64) -> Result<PhysAddr, Abort> {
    base.checked_add(offset).ok_or(Abort(base))
}

impl GicV2 {
    /// Brings up the distributor, then the interface of each CPU.
    ///
    /// # Errors
    /// [`Abort`] where no register answers.
    pub(super) fn boot(
        (distributor, cpu_interface): (PhysAddr, PhysAddr),
        cpus: u16,
        split: bool,
        host: &mut impl Host,
    ) -> Result<Self, Abort> {
        let targets = Vec::new();
        let mut gic = Self { distributor, cpu_interface, lines: 0, targets, split };
        host.run_on(0);
        let rows = DistCtr::GIC_IRQS.get(gic.load(dist::CTR, host)?) as u32 + 1;
        gic.lines = (rows * 32).min(FIRST_SPECIAL as u32);
        gic.boot_distributor(host)?;
        for number in 0..cpus {
            host.run_on(number);
            gic.boot_interface(host)?;
        }
        host.run_on(0);
        Ok(gic)
    }

    fn boot_distributor(&self, host: &mut impl Host) -> Result<(), Abort> {
        self.store(dist::CTRL, GICD_DISABLE, host)?;
        // 6.12 gic_dist_init: every SPI is routed to the boot CPU.
        let target = u64::from(self.own_target(host)?);
        let spis = u64::from(FIRST_SPI)..u64::from(self.lines);
        for n in spis.clone().step_by(4) {
            self.store(dist::TARGET + n, target * 0x0101_0101, host)?;
            self.store(dist::PRI + n, GICD_INT_DEF_PRI_X4, host)?;
        }
        for n in spis.clone().step_by(16) {
            self.store(dist::CONFIG + n / 4, GICD_INT_ACTLOW_LVLTRIG, host)?;
        }
        for n in spis.step_by(32) {
            self.store(dist::ACTIVE_CLEAR + n / 8, GICD_INT_EN_CLR_X32, host)?;
            self.store(dist::ENABLE_CLEAR + n / 8, GICD_INT_EN_CLR_X32, host)?;
        }
        self.store(dist::CTRL, GICD_ENABLE, host)
    }

    /// Brings up the interface of the CPU this runs on, and its banked registers.
    fn boot_interface(&mut self, host: &mut impl Host) -> Result<(), Abort> {
        let target = self.own_target(host)?;
        self.targets.push(target);
        self.store(dist::ACTIVE_CLEAR, GICD_INT_EN_CLR_X32, host)?;
        self.store(dist::ENABLE_CLEAR, GICD_INT_EN_CLR_PPI, host)?;
        self.store(dist::ENABLE_SET, GICD_INT_EN_SET_SGI, host)?;
        for n in (0..u64::from(FIRST_SPI)).step_by(4) {
            self.store(dist::PRI + n, GICD_INT_DEF_PRI_X4, host)?;
        }
        self.store_cpu(cpu::PRIMASK, GICC_INT_PRI_THRESHOLD, host)?;
        let bypass = CpuCtrl::DIS_BYPASS.in_place(self.load_cpu(cpu::CTRL, host)?);
        let mode = CpuCtrl::EOI_MODE_NS.flag(self.split);
        self.store_cpu(cpu::CTRL, bypass | mode | CpuCtrl::ENABLE.flag(true), host)
    }

    /// `gic_get_cpumask`: the targets of a banked interrupt are the CPU that reads them. With one
    /// CPU the register reads 0, and every interrupt goes to that CPU.
    fn own_target(&self, host: &mut impl Host) -> Result<u8, Abort> {
        for n in (0..u64::from(FIRST_SPI)).step_by(4) {
            let word = self.load(dist::TARGET + n, host)?;
            let mask = word.to_le_bytes()[..4].iter().fold(0, |all, byte| all | byte);
            if mask != 0 {
                return Ok(mask);
            }
        }
        Ok(0)
    }

    /// Whether the distributor has this SPI.
    pub(super) fn has(&self, spi: IntId) -> bool {
        (FIRST_SPI..self.lines).contains(&spi.get())
    }

    /// Unmasks an interrupt.
    pub(super) fn unmask(&self, intid: IntId, host: &mut impl Host) -> Result<(), Abort> {
        self.store_bit(dist::ENABLE_SET, intid, host)
    }

    /// Masks an interrupt.
    pub(super) fn mask(&self, intid: IntId, host: &mut impl Host) -> Result<(), Abort> {
        self.store_bit(dist::ENABLE_CLEAR, intid, host)
    }

    fn store_bit(&self, array: u64, intid: IntId, host: &mut impl Host) -> Result<(), Abort> {
        let n = u64::from(intid.get());
        self.store(array + n / 32 * 4, 1 << (n % 32), host)
    }

    /// Makes an SPI edge-triggered.
    pub(super) fn set_edge(&self, spi: IntId, host: &mut impl Host) -> Result<(), Abort> {
        let n = u64::from(spi.get());
        let register = dist::CONFIG + n / 16 * 4;
        let old = self.load(register, host)?;
        self.store(register, old | 2 << (n % 16 * 2), host)
    }

    /// Routes an SPI to one CPU. Returns `false` if there is no such CPU.
    pub(super) fn route(&self, spi: IntId, cpu: u16, host: &mut impl Host) -> Result<bool, Abort> {
        let Some(&target) = self.targets.get(usize::from(cpu)) else { return Ok(false) };
        let at = at(self.distributor, dist::TARGET + u64::from(spi.get()))?;
        host.store(at, Width::W8, u64::from(target))?;
        Ok(true)
    }

    /// Acknowledges the highest pending interrupt of the CPU this runs on; `None` if none is
    /// pending. With split EOI this also drops the priority.
    // 4.4 and 6.12 gic_handle_irq.
    pub(super) fn acknowledge(&self, host: &mut impl Host) -> Result<Option<Taken>, Abort> {
        let acknowledge = self.load_cpu(cpu::INTACK, host)?;
        let number = IntAck::INT_ID.get(acknowledge);
        if number < FIRST_SPECIAL && self.split {
            self.store_cpu(cpu::EOI, acknowledge, host)?;
        }
        let taken = Taken { intid: IntId::new(number as u32), acknowledge };
        Ok((number < FIRST_SPECIAL).then_some(taken))
    }

    /// Ends an interrupt that has been served.
    // gic_eoi_irq, gic_eoimode1_eoi_irq.
    pub(super) fn end(&self, taken: Taken, host: &mut impl Host) -> Result<(), Abort> {
        let register = if self.split { cpu::DEACTIVATE } else { cpu::EOI };
        self.store_cpu(register, taken.acknowledge, host)
    }

    fn load(&self, offset: u64, host: &mut impl Host) -> Result<u64, Abort> {
        Ok(host.load(at(self.distributor, offset)?, Width::W32)? & u64::from(u32::MAX))
    }

    fn store(&self, offset: u64, value: u64, host: &mut impl Host) -> Result<(), Abort> {
        host.store(at(self.distributor, offset)?, Width::W32, value)
    }

    fn load_cpu(&self, offset: u64, host: &mut impl Host) -> Result<u64, Abort> {
        Ok(host.load(at(self.cpu_interface, offset)?, Width::W32)? & u64::from(u32::MAX))
    }

    fn store_cpu(&self, offset: u64, value: u64, host: &mut impl Host) -> Result<(), Abort> {
        host.store(at(self.cpu_interface, offset)?, Width::W32, value)
    }
}
