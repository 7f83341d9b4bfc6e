//! Read-only view of a GICv3's state, for reports.

use super::GicV3;
use crate::Cpu;
use crate::row::{ROW, bits_of};
use crate::state::State;
use passim_model::IntId;

impl GicV3 {
    /// The SGIs, PPIs and SPIs that are not inactive, as this CPU sees them, ascending.
    pub fn busy(&self, cpu: Cpu) -> Vec<(IntId, State)> {
        let own = self.redistributors.get(cpu.index()).map(|place| (0, &place.row));
        let spis = (1..32).filter_map(|n| Some((n as u32 * ROW, self.distributor.row(n)?)));
        own.into_iter()
            .chain(spis)
            .flat_map(|(first, row)| {
                let states = row.states;
                bits_of(states.pending() | states.active)
                    .map(move |bit| (IntId::new(first + bit), states.state(bit)))
            })
            .collect()
    }
}
