//! Saving a GICv3 and restoring another from it: registers here, tables in memory.

use super::cpu::CpuInterface;
use super::dist::Distributor;
use super::redist::SavedRedistributor;
use super::{GicV3, Implementation};
use crate::Cpu;
use crate::choice::lpi::PropertyTable;
use crate::its::image::{Converted, ImageError, Plan, disjoint};
use crate::its::{self, Its};
use passim_model::{Memory, PhysAddr, Span};

/// The state of a GICv3 that is not in memory.
#[derive(Clone, Debug)]
pub struct Saved {
    distributor: Distributor,
    interfaces: Vec<CpuInterface>,
    redistributors: Vec<SavedRedistributor>,
    its: Vec<its::Saved>,
}

/// The GICR_PROPBASER that all share, where there is one. A restore stores every redistributor's,
/// those with LPIs on last, and the last store remains; software may never have written the others.
fn shared_propbaser(saved: &[SavedRedistributor]) -> Option<u64> {
    let last = saved.iter().rev().find(|redistributor| redistributor.is_on()).or(saved.last());
    last.map(SavedRedistributor::propbaser)
}

impl GicV3 {
    /// Saves the GIC. Packets on their way arrive first; then the pending LPIs and the ITSs' tables
    /// are written to memory, in their layouts.
    pub fn save(&mut self, memory: &mut Memory) -> Saved {
        self.settle(memory);
        let its = self.its.iter_mut().map(|its| its.save(memory)).collect();
        self.write_places(memory);
        let redists = self.redistributors.iter_mut();
        let redistributors = redists.map(|redist| redist.save(memory)).collect();
        let (distributor, interfaces) = (self.distributor.clone(), self.interfaces.clone());
        Saved { distributor, interfaces, redistributors, its }
    }

    /// A GIC with the same `implementation`, as it was when saved. Pending LPIs are read from
    /// memory, each with its former priority; cached configuration bytes stay cached.
    ///
    /// Tables are read again instead where the modelled implementation does so: for LPIs with a
    /// state of their own ([`LpiState::PerLpi`](crate::choice::lpi::LpiState)) and where the
    /// pending table is read repeatedly
    /// ([`PendingScan::Repeated`](crate::choice::lpi::PendingScan)).
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
        for (redist, saved) in gic.redistributors.iter_mut().zip(&saved.redistributors) {
            redist.restore(saved, shared, memory);
        }
        gic.gather_places(memory);
        (0..cpus).for_each(|n| gic.tell_reach(Cpu::new(n)));
        gic
    }

    /// Becomes a GIC of another implementation with as many CPUs and ITSs, as when a machine moves
    /// to a host whose ITSs use another table layout: saves, rewrites the tables, and restores.
    /// Returns the conversion of each ITS's tables, `None` where the layout is the same.
    ///
    /// Cached configuration of LPIs moves along as far as the new GIC caches any: bytes, unless it
    /// reads them whenever an LPI becomes pending; the priority of a pending LPI, unless that
    /// follows the cached byte. Where either side reads tables again on restore, memory decides.
    ///
    /// Interrupt translation tables too small for larger entries move to `scratch`, memory that
    /// software does not use and that belongs to the ITS afterwards.
    ///
    /// # Errors
    /// [`ImageError`]. The GIC is unchanged, and so is memory, except that internal tables have been
    /// saved in it, as before any conversion.
    pub fn convert(
        &mut self,
        to: Implementation,
        scratch: Option<Span<PhysAddr>>,
        memory: &mut Memory,
    ) -> Result<Vec<Option<Converted>>, ImageError> {
        let mut saved = self.save(memory);
        let (mut plans, mut scratch) = (Vec::new(), scratch);
        let cpus = self.redistributors.len() as u16;
        let pairs = self.implementation.its.iter().zip(&to.its);
        for (saved, pair) in saved.its.iter_mut().zip(pairs) {
            let plan = saved.plan((pair, cpus), scratch, memory)?;
            scratch = plan.as_ref().map_or(scratch, |plan| plan.converted().scratch);
            plans.push(plan);
        }
        // Also of two ITSs.
        disjoint(plans.iter().flatten().flat_map(|plan| plan.extents(memory)).collect())?;
        let write = |plan: Option<Plan>| plan.map(|plan| plan.write(memory));
        let all = plans.into_iter().map(write).collect();
        *self = Self::restore(to, &saved, memory);
        Ok(all)
    }
}
