//! Saving a GICv3 and making another of it: registers here, tables in memory.

use super::cpu::CpuInterface;
use super::dist::Distributor;
use super::redist::SavedRedistributor;
use super::{GicV3, Implementation};
use crate::Cpu;
use crate::its::{self, Its};
use passim_model::Memory;

/// Everything of a GICv3 that is not in memory.
#[derive(Clone, Debug)]
pub struct Saved {
    distributor: Distributor,
    interfaces: Vec<CpuInterface>,
    redistributors: Vec<SavedRedistributor>,
    its: Vec<its::Saved>,
}

impl GicV3 {
    /// Saves the GIC. What is on its way arrives first; then memory holds the pending LPIs and the
    /// tables of the ITSs, as their layouts have them.
    pub fn save(&mut self, memory: &mut Memory) -> Saved {
        self.settle(memory);
        let its = self.its.iter_mut().map(|its| its.save(memory)).collect();
        let places = self.redistributors.iter_mut();
        let redistributors = places.map(|place| place.save(memory)).collect();
        let (distributor, interfaces) = (self.distributor.clone(), self.interfaces.clone());
        Saved { distributor, interfaces, redistributors, its }
    }

    /// A GIC as one of the same `implementation` was when it was saved. Pending LPIs are read from
    /// memory; so is every configuration byte, when it is needed.
    pub fn restore(implementation: Implementation, saved: &Saved, memory: &mut Memory) -> Self {
        let mut gic = Self::new(implementation);
        gic.distributor = saved.distributor.clone();
        gic.interfaces.clone_from(&saved.interfaces);
        let cpus = gic.redistributors.len() as u16;
        for (its, saved) in gic.its.iter_mut().zip(&saved.its) {
            *its = Its::restore(*its.implementation(), cpus, saved, memory);
        }
        for (place, saved) in gic.redistributors.iter_mut().zip(&saved.redistributors) {
            place.restore(saved, memory);
        }
        (0..cpus).for_each(|n| gic.tell_reach(Cpu::new(n)));
        gic
    }
}
