//! Configuration of LPIs that redistributors know in common, where a GIC has one cache of it
//! ([`ConfigRead::OnceForAll`]). Each keeps what it has read; what it needs and another has read it
//! learns from there, and an invalidation is one for all.

use super::GicV3;
use super::redist::Invalidation;
use crate::Cpu;
use crate::choice::lpi::ConfigRead;
use passim_model::Memory;

impl GicV3 {
    /// Whether redistributors know in common.
    #[inline]
    pub(super) fn knows_in_common(&self) -> bool {
        self.implementation.choices.config == ConfigRead::OnceForAll
    }

    /// A CPU's redistributor is about to need the configuration of an LPI, which another may know.
    #[inline(never)]
    pub(super) fn bring_known(&mut self, cpu: Cpu, intid: u32) {
        if !self.knows_in_common() {
            return;
        }
        let here = self.redistributors.get(cpu.index()).and_then(|place| place.lpis.as_ref());
        if here.is_none_or(|lpis| lpis.known(intid) != 0) {
            return;
        }
        let all = self.redistributors.iter().filter_map(|place| place.lpis.as_ref());
        let known = all.map(|lpis| lpis.known(intid)).find(|known| *known != 0);
        let here = self.redistributors.get_mut(cpu.index()).and_then(|place| place.lpis.as_mut());
        if let Some((lpis, known)) = here.zip(known) {
            lpis.learn(intid, known);
        }
    }

    /// LPIs of a CPU have been turned on: what others know counts there.
    pub(super) fn bring_all_known(&mut self, cpu: Cpu, memory: &Memory) {
        if !self.knows_in_common() {
            return;
        }
        let mut all = Vec::new();
        let others = self.redistributors.iter().enumerate().filter(|(n, _)| *n != cpu.index());
        for lpis in others.filter_map(|(_, place)| place.lpis.as_ref()) {
            let known = lpis.all_known();
            if all.len() < known.len() {
                all.resize(known.len(), 0);
            }
            let unknown = all.iter_mut().zip(known).filter(|(all, _)| **all == 0);
            unknown.for_each(|(all, known)| *all = *known);
        }
        let here = self.redistributors.get_mut(cpu.index()).and_then(|place| place.lpis.as_mut());
        if let Some(lpis) = here {
            lpis.learn_all(&all, memory);
        }
    }

    /// What one redistributor is told to be out of date is so at the others.
    pub(super) fn invalidate_elsewhere(
        &mut self,
        cpu: Cpu,
        invalidation: Invalidation,
        memory: &Memory,
    ) {
        if !self.knows_in_common() {
            return;
        }
        let others = self.redistributors.iter_mut().enumerate();
        for (_, other) in others.filter(|(n, _)| *n != cpu.index()) {
            other.hear(invalidation, memory);
        }
    }

    /// What registers asked one redistributor for is done by the others.
    pub(super) fn spread_invalidations(&mut self, memory: &Memory) {
        if !self.knows_in_common() {
            return;
        }
        for cpu in self.cpus() {
            for invalidation in self.redistributors[cpu.index()].take_spread() {
                self.invalidate_elsewhere(cpu, invalidation, memory);
            }
        }
    }
}
