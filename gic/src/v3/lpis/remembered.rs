//! State cached from tables that is saved and restored with a redistributor's registers, since no
//! table holds it.

use super::{BELOW_PRIORITY, DISABLED, InUse, Lpis, PendingPriority, SHELVED};
use crate::choice::LpiChoices;
use crate::choice::lpi::{ConfigRead, PendingAtDisable};
use crate::priority;
use passim_model::Memory;

/// For LPIs that are on, by index: the cached configuration bytes, and the set of each pending LPI,
/// as in [`Lpis`].
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    known: Vec<u8>,
    slot: Vec<u8>,
}

impl Lpis {
    /// The cached configuration of an LPI: 0 for none, or the byte with `KNOWN`.
    pub(crate) fn known(&self, intid: u32) -> u8 {
        self.number(intid).map_or(0, |lpi| self.known[lpi as usize])
    }

    /// Moves an LPI here with the configuration cached at its old CPU (`known`). Returns whether it
    /// exists here.
    pub(crate) fn take_over(&mut self, intid: u32, known: u8, memory: &Memory) -> bool {
        let Some(lpi) = self.number(intid) else { return false };
        if self.choices.config == ConfigRead::AtMapping {
            self.known[lpi as usize] = known;
            if self.is_pending(lpi) {
                self.settle(lpi, memory);
            }
        }
        true
    }

    /// The cached configuration of each LPI, by index: as [`Lpis::known`].
    pub(crate) fn all_known(&self) -> &[u8] {
        &self.known
    }

    /// Caches the configuration of an LPI that another redistributor has cached.
    pub(crate) fn learn(&mut self, intid: u32, known: u8) {
        if let Some(lpi) = self.number(intid) {
            self.known[lpi as usize] = known;
        }
    }

    /// Caches configuration that other redistributors have cached, by index, and moves pending LPIs
    /// to the sets it selects.
    pub(crate) fn learn_all(&mut self, known: &[u8], memory: &Memory) {
        for (lpi, known) in
            (0..self.known.len() as u32).zip(known).filter(|(_, known)| **known != 0)
        {
            self.known[lpi as usize] = *known;
            if self.is_pending(lpi) {
                self.unplace(lpi);
                self.settle(lpi, memory);
            }
        }
    }

    /// The state to be saved beside the tables; `None` where a restore reads the tables again.
    pub(crate) fn remembered(&self) -> Option<Remembered> {
        let (known, slot) = (&self.known, &self.slot);
        let remembers = !self.choices.reads_anew_when_restored();
        remembers.then(|| Remembered { known: known.clone(), slot: slot.clone() })
    }

    /// Restores LPIs that were on when saved. Memory holds which are pending; `remembered` holds
    /// their sets, as far as the choices here allow. Without it, LPIs are turned on as if for the
    /// first time.
    ///
    /// A configuration byte that was cached is cached again, unless nothing is cached here. A
    /// pending LPI keeps its priority, unless priorities follow a cached byte with another one.
    pub(crate) fn resume(
        choices: LpiChoices,
        in_use: InUse,
        remembered: Option<&Remembered>,
        memory: &mut Memory,
    ) -> Self {
        let Some(remembered) = remembered.filter(|_| !choices.reads_anew_when_restored()) else {
            return Self::enable(choices, in_use, true, memory);
        };
        let mut lpis = Self::held(choices, in_use);
        if choices.config != ConfigRead::WhenPended {
            lpis.known.iter_mut().zip(&remembered.known).for_each(|(here, known)| *here = *known);
        }
        let memory = &*memory;
        lpis.each_in_table(memory, |lpis, lpi| {
            let slot = remembered.slot.get(lpi as usize).and_then(|slot| slot.checked_sub(1));
            match slot.and_then(|slot| lpis.recalled(lpi, usize::from(slot))) {
                Some(slot) => lpis.place_in(slot, lpi),
                None => lpis.settle(lpi, memory),
            }
        });
        lpis
    }

    /// The set for a pending LPI that was saved in this one; `None` if its configuration decides.
    fn recalled(&self, lpi: u32, slot: usize) -> Option<usize> {
        let Self { choices, known, .. } = self;
        let follows = choices.pending_priority == PendingPriority::Follows;
        match slot {
            SHELVED => (choices.pending_at_disable == PendingAtDisable::Shelved).then_some(slot),
            _ if follows && known[lpi as usize] != 0 => None,
            DISABLED => Some(slot),
            level => {
                let priority =
                    priority::kept((level << BELOW_PRIORITY) as u8, choices.priority_bits);
                Some(usize::from(priority >> BELOW_PRIORITY))
            }
        }
    }
}
