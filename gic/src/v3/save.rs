//! Saving a GICv3 and making another of it: registers here, tables in memory.

use super::cpu::CpuInterface;
use super::dist::Distributor;
use super::redist::SavedRedistributor;
use super::{GicV3, Implementation};
use crate::Cpu;
use crate::choice::lpi::PropertyTable;
use crate::its::image::{Converted, ImageError};
use crate::its::{self, Its};
use passim_model::{Memory, PhysAddr, Span};

/// Everything of a GICv3 that is not in memory.
#[derive(Clone, Debug)]
pub struct Saved {
    distributor: Distributor,
    interfaces: Vec<CpuInterface>,
    redistributors: Vec<SavedRedistributor>,
    its: Vec<its::Saved>,
}

/// The GICR_PROPBASER of all, where all have one: they are stored one after the other, and the last
/// remains, those last whose LPIs are on. To others software may not have said a word.
fn shared_propbaser(saved: &[SavedRedistributor]) -> Option<u64> {
    let last = saved.iter().rev().find(|redistributor| redistributor.is_on()).or(saved.last());
    last.map(SavedRedistributor::propbaser)
}

impl GicV3 {
    /// Saves the GIC. What is on its way arrives first; then memory holds the pending LPIs and the
    /// tables of the ITSs, as their layouts have them.
    pub fn save(&mut self, memory: &mut Memory) -> Saved {
        self.settle(memory);
        let its = self.its.iter_mut().map(|its| its.save(memory)).collect();
        self.write_places(memory);
        let places = self.redistributors.iter_mut();
        let redistributors = places.map(|place| place.save(memory)).collect();
        let (distributor, interfaces) = (self.distributor.clone(), self.interfaces.clone());
        Saved { distributor, interfaces, redistributors, its }
    }

    /// A GIC as one of the same `implementation` was when it was saved. Pending LPIs are read from
    /// memory, each with the priority that it had; a configuration byte that was known is known.
    ///
    /// Not so where the implementation that is followed reads them anew itself: of LPIs that have a
    /// state of their own ([`LpiState::PerLpi`](crate::choice::lpi::LpiState)) and where the pending
    /// table is read again and again ([`PendingScan::Repeated`](crate::choice::lpi::PendingScan)).
    pub fn restore(implementation: Implementation, saved: &Saved, memory: &mut Memory) -> Self {
        let mut gic = Self::new(implementation);
        gic.distributor = saved.distributor.clone();
        gic.interfaces.clone_from(&saved.interfaces);
        let cpus = gic.redistributors.len() as u16;
        for (its, saved) in gic.its.iter_mut().zip(&saved.its) {
            *its = Its::restore(*its.implementation(), cpus, saved, memory);
        }
        let one = gic.implementation.choices.property_table == PropertyTable::Shared;
        let shared = one.then(|| shared_propbaser(&saved.redistributors)).flatten();
        for (place, saved) in gic.redistributors.iter_mut().zip(&saved.redistributors) {
            place.restore(saved, shared, memory);
        }
        gic.gather_places(memory);
        (0..cpus).for_each(|n| gic.tell_reach(Cpu::new(n)));
        gic
    }

    /// Becomes a GIC of another implementation with as many CPUs and ITSs, as where a machine moves
    /// from one host to another whose ITSs lay tables out otherwise: saved, its tables rewritten, and
    /// restored. Returns what came of the tables of each ITS, `None` where their layout is the same.
    ///
    /// What was remembered of the configuration of LPIs goes with them as far as the new one remembers
    /// any: bytes that are known, but where that reads them whenever an LPI becomes pending; the priority
    /// of a pending LPI, but where that follows what is known. Where tables are read anew when they are
    /// restored, on either side, memory says.
    ///
    /// Tables of interrupts that are too small for larger entries go to `scratch`, memory that no
    /// software uses and that stays the ITS's.
    ///
    /// # Errors
    /// [`ImageError`]; the GIC is as it was, and its tables are but where they have no room for an
    /// entry.
    pub fn convert(
        &mut self,
        to: Implementation,
        scratch: Option<Span<PhysAddr>>,
        memory: &mut Memory,
    ) -> Result<Vec<Option<Converted>>, ImageError> {
        let mut saved = self.save(memory);
        let (mut plans, mut scratch) = (Vec::new(), scratch);
        let pairs = self.implementation.its.iter().zip(&to.its);
        for (saved, pair) in saved.its.iter_mut().zip(pairs) {
            let plan = saved.plan(pair, scratch, memory)?;
            scratch = plan.as_ref().map_or(scratch, |plan| plan.converted().scratch);
            plans.push(plan);
        }
        let mut all = Vec::new();
        for plan in plans {
            all.push(plan.map(|plan| plan.write(memory)).transpose()?);
        }
        *self = Self::restore(to, &saved, memory);
        Ok(all)
    }
}
