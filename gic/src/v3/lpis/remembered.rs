//! What a redistributor remembers of tables, saved and restored with its registers: no table says it.

use super::{BELOW_PRIORITY, DISABLED, InUse, Lpis, PendingPriority, SHELVED};
use crate::choice::LpiChoices;
use crate::choice::lpi::{ConfigRead, PendingAtDisable};
use crate::priority;
use passim_model::Memory;

/// Of LPIs that are on, by their number: the bytes of configuration that are known, and where those
/// wait that are pending, as [`Lpis`] has them.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    known: Vec<u8>,
    place: Vec<u8>,
}

impl Lpis {
    /// What is known of each LPI, by its number: as [`Lpis::known`].
    pub(crate) fn all_known(&self) -> &[u8] {
        &self.known
    }

    /// So much is known elsewhere of an LPI of which nothing is known here.
    pub(crate) fn learn(&mut self, intid: u32, known: u8) {
        if let Some(lpi) = self.number(intid) {
            self.known[lpi as usize] = known;
        }
    }

    /// So much is known elsewhere, by the numbers of LPIs, and counts here, for what is pending too.
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

    /// What is to be saved beside tables; `None` where tables are read anew when that is restored.
    pub(crate) fn remembered(&self) -> Option<Remembered> {
        let (known, place) = (&self.known, &self.place);
        let remembers = !self.choices.reads_anew_when_restored();
        remembers.then(|| Remembered { known: known.clone(), place: place.clone() })
    }

    /// LPIs that are on, as they were saved. Memory says which are pending; what was remembered says
    /// how, as far as that can be remembered here. Without any, LPIs are as if they were turned on.
    ///
    /// A byte that was known is known, but where none is remembered. A pending LPI has the priority that
    /// it had, but where priorities follow what is known and that is another.
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
            let place = remembered.place.get(lpi as usize).and_then(|place| place.checked_sub(1));
            match place.and_then(|place| lpis.recalled(lpi, usize::from(place))) {
                Some(place) => lpis.place_in(place, lpi),
                None => lpis.settle(lpi, memory),
            }
        });
        lpis
    }

    /// Where a pending LPI waits here that was saved in this set; `None` where its configuration says.
    fn recalled(&self, lpi: u32, place: usize) -> Option<usize> {
        let Self { choices, known, .. } = self;
        let follows = choices.pending_priority == PendingPriority::Follows;
        match place {
            SHELVED => (choices.pending_at_disable == PendingAtDisable::Shelved).then_some(place),
            _ if follows && known[lpi as usize] != 0 => None,
            DISABLED => Some(place),
            level => {
                let priority =
                    priority::kept((level << BELOW_PRIORITY) as u8, choices.priority_bits);
                Some(usize::from(priority >> BELOW_PRIORITY))
            }
        }
    }
}
