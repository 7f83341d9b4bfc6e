//! The pending table in memory against the pending state held here; LPIs that are pending but not
//! offered to the CPU ("shelved": KVM's `pending_latch` without being on an `ap_list`).

use super::{DISABLED, FIRST_LPI, IdSet, KNOWN, Lpis, PendingHome, SHELVED};
use passim_model::{Memory, PhysAddr};

impl Lpis {
    /// Makes pending every LPI that is pending in the table.
    pub(super) fn read_pending(&mut self, memory: &Memory) {
        self.each_in_table(memory, |lpis, lpi| lpis.settle(lpi, memory));
    }

    /// Calls `found` for every LPI that is pending in the table.
    #[inline]
    pub(super) fn each_in_table(&mut self, memory: &Memory, mut found: impl FnMut(&mut Self, u32)) {
        for word in FIRST_LPI / 64..self.bound / 64 {
            let Some(mut bits) = self.load(memory, self.table, u64::from(word) * 8) else {
                continue;
            };
            while bits != 0 {
                let lpi = word * 64 + bits.trailing_zeros() - FIRST_LPI;
                bits &= bits - 1;
                if lpi >= self.most {
                    return;
                }
                found(self, lpi);
            }
        }
    }

    /// Whether the LPI is pending but shelved.
    pub(super) fn is_shelved(&self, lpi: u32) -> bool {
        usize::from(self.slot[lpi as usize]) == SHELVED + 1
    }

    /// Whether the CPU can take the LPI: it is pending, enabled and not shelved.
    pub(crate) fn waits(&self, intid: u32) -> bool {
        let slot = self.number(intid).map_or(0, |lpi| self.slot[lpi as usize]);
        (1..=DISABLED).contains(&usize::from(slot))
    }

    /// Makes the LPI pending, shelved.
    pub(crate) fn shelve(&mut self, intid: u32) {
        if let Some(lpi) = self.number(intid) {
            self.unplace(lpi);
            self.place_in(SHELVED, lpi);
        }
    }

    /// Shelves every LPI that the CPU can take; disabled ones stay in their set.
    pub(crate) fn shelve_all(&mut self) {
        let waiting: Vec<_> =
            self.waiting[..DISABLED].iter().flatten().flat_map(IdSet::iter).collect();
        for lpi in waiting {
            self.shelve(lpi + FIRST_LPI);
        }
    }

    /// Offers shelved LPIs to the CPU again.
    pub(crate) fn unshelve(&mut self, memory: &Memory) {
        let shelved: Vec<_> = self.waiting[SHELVED].iter().flat_map(IdSet::iter).collect();
        for lpi in shelved {
            self.settle(lpi, memory);
        }
    }

    /// Removes an LPI that moves elsewhere. Returns whether it is shelved; `None` if it is not
    /// pending.
    pub(crate) fn withdraw(&mut self, intid: u32) -> Option<bool> {
        let lpi = self.number(intid)?;
        self.known[lpi as usize] = 0;
        let shelved = self.is_pending(lpi).then(|| self.is_shelved(lpi));
        self.unplace(lpi);
        shelved
    }

    /// The configuration of an LPI read from memory: the byte with [`KNOWN`].
    pub(crate) fn fresh(&mut self, intid: u32, memory: &Memory) -> u8 {
        let Some(lpi) = self.number(intid) else { return 0 };
        let word = self.load(memory, self.configuration, u64::from(lpi & !7));
        word.map_or(0, |word| (word >> (lpi % 8 * 8)) as u8) | KNOWN
    }

    /// Copies the LPI's pending bit from the table.
    pub(crate) fn sync_with_table(&mut self, intid: u32, memory: &Memory) {
        let Some(lpi) = self.number(intid) else { return };
        let Some(word) = self.load(memory, self.table, u64::from(intid / 64) * 8) else { return };
        match word >> (intid % 64) & 1 {
            0 => self.unplace(lpi),
            _ => self.settle(lpi, memory),
        }
    }

    /// Writes the LPI's pending bit to the table in memory.
    pub(crate) fn write_bit(&mut self, intid: u32, memory: &mut Memory) {
        let Some(lpi) = self.number(intid) else { return };
        let offset = u64::from(intid / 64) * 8;
        let Some(word) = self.load(memory, self.table, offset) else { return };
        let bit = 1u64 << (intid % 64);
        let wanted = if self.is_pending(lpi) { word | bit } else { word & !bit };
        if wanted != word {
            let at = PhysAddr::new(self.table.get() + offset);
            self.aborts += u64::from(memory.store_u64(at, wanted).is_err());
        }
    }

    /// For an LPI with a state of its own that is created here: takes its pending bit from the
    /// table and clears it there.
    pub(super) fn learn_pending(&mut self, lpi: u32, memory: &mut Memory) {
        let intid = lpi + FIRST_LPI;
        let at = self.table.checked_add(u64::from(intid / 64) * 8);
        let Some((at, word)) = at.and_then(|at| Some((at, memory.load_u64(at).ok()?))) else {
            self.aborts += 1;
            return;
        };
        let bit = 1u64 << (intid % 64);
        if word & bit != 0 {
            self.aborts += u64::from(memory.store_u64(at, word & !bit).is_err());
            if !self.is_pending(lpi) {
                self.settle(lpi, memory);
            }
        }
    }

    /// Writes all pending bits to the table in memory.
    pub(crate) fn write_pending(&mut self, memory: &mut Memory) {
        if self.choices.pending == PendingHome::Memory {
            return;
        }
        let mut words = vec![0u64; (self.bound / 64) as usize];
        for (n, word) in self.waiting.iter().flatten().flat_map(IdSet::words) {
            words[(n + FIRST_LPI / 64) as usize] |= word;
        }
        for n in FIRST_LPI / 64..self.bound / 64 {
            let wanted = words[n as usize];
            let offset = u64::from(n) * 8;
            // A word that is equal is not written: it may not even be RAM.
            if self.load(memory, self.table, offset) != Some(wanted) {
                let at = self.table.checked_add(offset);
                let stored = at.map(|at| memory.store_u64(at, wanted));
                self.aborts += u64::from(!matches!(stored, Some(Ok(()))));
            }
        }
    }
}
