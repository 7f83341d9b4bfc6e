//! Configuration of LPIs cached in common by all redistributors, where a GIC has one cache
//! ([`ConfigRead::OnceForAll`]). Each redistributor keeps what it has read, copies from the others
//! what it needs, and forwards invalidations to all.

use super::GicV3;
use super::redist::Invalidation;
use crate::Cpu;
use crate::choice::lpi::ConfigRead;
use passim_model::Memory;

impl GicV3 {
    /// Whether redistributors cache configuration in common.
    #[inline]
    pub(super) fn knows_in_common(&self) -> bool {
        self.implementation.choices.config == ConfigRead::OnceForAll
    }

    /// Copies the configuration of an LPI to a CPU's redistributor that is about to need it, if
    /// another has it cached.
    #[inline(never)]
    pub(super) fn bring_known(&mut self, cpu: Cpu, intid: u32) {
        if !self.knows_in_common() {
            return;
        }
        let here = self.redistributors.get(cpu.index()).and_then(|redist| redist.lpis.as_ref());
        if here.is_none_or(|lpis| lpis.known(intid) != 0) {
            return;
        }
        let all = self.redistributors.iter().filter_map(|redist| redist.lpis.as_ref());
        let known = all.map(|lpis| lpis.known(intid)).find(|known| *known != 0);
        let here = self.redistributors.get_mut(cpu.index()).and_then(|redist| redist.lpis.as_mut());
        if let Some((lpis, known)) = here.zip(known) {
            lpis.learn(intid, known);
        }
    }

    /// Copies all cached configuration to a CPU whose LPIs have been turned on.
    pub(super) fn bring_all_known(&mut self, cpu: Cpu, memory: &Memory) {
        if !self.knows_in_common() {
            return;
        }
        let mut all = Vec::new();
        let others = self.redistributors.iter().enumerate().filter(|(n, _)| *n != cpu.index());
        for lpis in others.filter_map(|(_, redist)| redist.lpis.as_ref()) {
            let known = lpis.all_known();
            if all.len() < known.len() {
                all.resize(known.len(), 0);
            }
            let unknown = all.iter_mut().zip(known).filter(|(all, _)| **all == 0);
            unknown.for_each(|(all, known)| *all = *known);
        }
        let here = self.redistributors.get_mut(cpu.index()).and_then(|redist| redist.lpis.as_mut());
        if let Some(lpis) = here {
            lpis.learn_all(&all, memory);
        }
    }

    /// Forwards an invalidation at one redistributor to the others.
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

    /// Forwards the invalidations that registers of any redistributor requested.
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
