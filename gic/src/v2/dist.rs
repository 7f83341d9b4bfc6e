//! The distributor: which interrupts wait, and for which CPUs. IHI 0048 B.b chapter 3.

use super::wire::DistributorCtlr;
use super::{Implementation, View, Waiting};
use crate::Cpu;
use crate::row::{FIRST_SPECIAL, ROW, Row, bits_of};
use passim_model::IntId;

/// Number of SGIs per CPU.
pub(super) const SGIS: u32 = 16;
/// Their bits in a row.
pub(super) const SGI_BITS: u32 = 0xffff;

/// The distributor.
#[derive(Clone, Debug)]
pub(super) struct Distributor {
    pub(super) implementation: Implementation,
    pub(super) ctlr: u32,
    /// INTIDs 0 to 31 of each CPU.
    pub(super) private: Vec<Row>,
    /// The SPIs, from 32 on.
    pub(super) shared: Vec<Row>,
    /// For each CPU and SGI, the CPUs that requested it, one bit each.
    pub(super) requesters: Vec<[u8; SGIS as usize]>,
    /// For each SPI, the CPUs it targets, one bit each.
    pub(super) routes: Vec<u8>,
}

impl Distributor {
    pub(super) fn new(implementation: Implementation) -> Self {
        let group1 = match implementation.view {
            View::Single => 0,
            View::NonSecure => u32::MAX,
        };
        let mut fresh = Row::new(group1);
        if implementation.view == View::NonSecure {
            fresh.priority = [0x80; ROW as usize];
        }
        let mut private = fresh.clone();
        private.states.edge = SGI_BITS;
        private.enabled = SGI_BITS;
        let cpus = usize::from(implementation.cpus);
        let spis = usize::from(implementation.spis);
        // IHI 0048 B.b 4.3.12: with one CPU every SPI targets it.
        let routes = vec![u8::from(cpus == 1); spis];
        Self {
            ctlr: match implementation.view {
                View::Single => 0,
                // Firmware leaves Group 0 enabled, although it holds no interrupt.
                View::NonSecure => DistributorCtlr::ENABLE_GRP0.mask() as u32,
            },
            private: vec![private; cpus],
            shared: vec![fresh; spis / ROW as usize],
            requesters: vec![[0; SGIS as usize]; cpus],
            routes,
            implementation,
        }
    }

    /// Row `n` as `cpu` sees it: row 0 is banked.
    pub(super) fn row(&self, cpu: Cpu, n: usize) -> Option<&Row> {
        match n.checked_sub(1) {
            None => self.private.get(cpu.index()),
            Some(shared) => self.shared.get(shared),
        }
    }

    /// As [`Distributor::row`], mutable.
    pub(super) fn row_mut(&mut self, cpu: Cpu, n: usize) -> Option<&mut Row> {
        match n.checked_sub(1) {
            None => self.private.get_mut(cpu.index()),
            Some(shared) => self.shared.get_mut(shared),
        }
    }

    /// The interrupts of row `n` that exist.
    pub(super) const fn existing(n: usize) -> u32 {
        if n == 31 { u32::MAX >> (1024 - FIRST_SPECIAL) } else { u32::MAX }
    }

    /// Every CPU of the GIC, one bit each.
    pub(super) fn all_cpus(&self) -> u8 {
        (u16::MAX >> (16 - self.implementation.cpus)) as u8
    }

    /// The CPUs an interrupt targets, one bit each.
    pub(super) fn targets(&self, cpu: Cpu, intid: IntId) -> u8 {
        match intid.get().checked_sub(ROW) {
            None => 1 << cpu.get().min(7),
            Some(spi) => self.routes.get(spi as usize).copied().unwrap_or(0),
        }
    }

    /// The most urgent interrupt that waits for `cpu`, among the groups that both its interface and
    /// the distributor enable.
    pub(super) fn highest(&self, cpu: Cpu, group0: bool, group1: bool) -> Option<Waiting> {
        let on = |field: passim_model::bits::Field| field.is_set(u64::from(self.ctlr));
        let group0 = group0 && on(DistributorCtlr::ENABLE_GRP0);
        let group1 = group1 && on(DistributorCtlr::ENABLE_GRP1);
        let own = self.private.get(cpu.index())?;
        let mut best = own.first(own.waiting(group0, group1));
        for (n, row) in self.shared.iter().enumerate() {
            let waiting = row.waiting(group0, group1);
            if waiting == 0 {
                continue;
            }
            let first = n * ROW as usize;
            let here = bits_of(waiting)
                .filter(|bit| self.routes[first + *bit as usize] >> cpu.get() & 1 != 0)
                .fold(0, |mask, bit| mask | 1 << bit);
            let found = row.first(here).map(|(priority, bit)| (priority, ROW + first as u32 + bit));
            best = match (best, found) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        best.map(|(priority, intid)| self.waiting(cpu, intid, priority))
    }

    fn waiting(&self, cpu: Cpu, intid: u32, priority: u8) -> Waiting {
        let requester = (intid < SGIS).then(|| {
            let asked = self.requesters[cpu.index()][intid as usize];
            Cpu::new(asked.trailing_zeros() as u16)
        });
        let row = self.row(cpu, (intid / ROW) as usize).expect("what waits is in a row");
        let group1 = row.group1 >> (intid % ROW) & 1 != 0;
        Waiting { intid: IntId::new(intid), requester, priority, group1 }
    }

    /// `cpu` acknowledges this interrupt.
    pub(super) fn acknowledge(&mut self, cpu: Cpu, waiting: &Waiting) {
        let intid = waiting.intid.get();
        let mask = 1 << (intid % ROW);
        if let Some(row) = self.row_mut(cpu, (intid / ROW) as usize) {
            row.states = row.states.acknowledge(mask);
        }
        if let Some(requester) = waiting.requester {
            self.withdraw(cpu, intid, 1 << requester.get());
        }
    }

    /// Whether the interrupt is active, as `cpu` sees it.
    pub(super) fn is_active(&self, cpu: Cpu, intid: u32) -> bool {
        let row = self.row(cpu, (intid / ROW) as usize);
        row.is_some_and(|row| row.states.active >> (intid % ROW) & 1 != 0)
    }

    /// `cpu` deactivates an interrupt.
    pub(super) fn deactivate(&mut self, cpu: Cpu, intid: u32) {
        if let Some(row) = self.row_mut(cpu, (intid / ROW) as usize) {
            row.states = row.states.deactivate(1 << (intid % ROW));
        }
    }

    /// These CPUs request an SGI of `cpu`.
    pub(super) fn ask(&mut self, cpu: Cpu, sgi: u32, requesters: u8) {
        let asked = &mut self.requesters[cpu.index()][sgi as usize];
        *asked |= requesters;
        if *asked != 0 {
            let row = &mut self.private[cpu.index()];
            row.states = row.states.set_pending(1 << sgi);
        }
    }

    /// These CPUs withdraw their request for an SGI of `cpu`; it stays pending while any other CPU
    /// requests it.
    pub(super) fn withdraw(&mut self, cpu: Cpu, sgi: u32, requesters: u8) {
        let asked = &mut self.requesters[cpu.index()][sgi as usize];
        *asked &= !requesters;
        let row = &mut self.private[cpu.index()];
        row.states = match *asked {
            0 => row.states.clear_pending(1 << sgi),
            _ => row.states.set_pending(1 << sgi),
        };
    }
}
