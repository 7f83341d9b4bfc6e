//! Links between redistributors and ITSs beside packets: shared base registers, which LPIs exist,
//! which have configuration.

use super::GicV3;
use super::redist::Redistributor;
use super::wire::{LpiRegister, gicr};
use crate::choice::lpi::{InvlpirReach, PropertyTable};
use crate::{Cpu, Size};
use passim_model::Memory;

impl GicV3 {
    /// Applies a store to one redistributor to the others, where it affects them.
    pub(super) fn tell_others(
        &mut self,
        cpu: Cpu,
        at: u64,
        size: Size,
        value: u64,
        memory: &Memory,
    ) {
        let Some(stored) = self.redistributors.get(cpu.index()) else { return };
        let choices = &self.implementation.choices;
        let (propbaser, _) = stored.bases();
        let shared = choices.property_table == PropertyTable::Shared
            && (gicr::PROPBASER..gicr::PROPBASER_END).contains(&at);
        let invalidated = choices.invlpir == InvlpirReach::Any
            && at == gicr::INVLPIR
            && matches!(size, Size::Word | Size::Double)
            && stored.invalidates();
        if !shared && !invalidated {
            return;
        }
        let others = self.redistributors.iter_mut().enumerate();
        for (_, other) in others.filter(|(n, _)| *n != cpu.index()) {
            if shared {
                other.share_propbaser(propbaser);
            }
            if let Some(lpis) = other.lpis.as_mut().filter(|_| invalidated) {
                lpis.invalidate(LpiRegister::INTID.get(value) as u32, memory);
            }
        }
        if invalidated {
            self.invalidate_in_place(LpiRegister::INTID.get(value) as u32, memory);
        }
    }

    /// Notifies ITSs which LPIs a CPU's redistributor handles, and which have configuration.
    pub(super) fn tell_reach(&mut self, cpu: Cpu) {
        let redist = self.redistributors.get(cpu.index());
        let on = redist.filter(|redist| redist.is_on()).and_then(|redist| redist.lpis.as_ref());
        let bound = on.map_or(0, |lpis| lpis.bound());
        let configured = self.redistributors.iter().map(Redistributor::configured).max();
        for its in &mut self.its {
            its.learn_reach(cpu, bound);
            its.learn_configured(configured.unwrap_or(0));
        }
    }
}
