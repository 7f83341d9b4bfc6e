//! What the pending table in memory says, against what is pending: written, consumed, believed of some.

use super::{FIRST_LPI, IdSet, Lpis, PendingHome};
use passim_model::Memory;
use std::collections::BTreeSet;

impl Lpis {
    /// Of what is pending, only these stay so.
    pub(crate) fn keep(&mut self, mapped: &BTreeSet<u32>) {
        for lpi in self.waiting() {
            if !mapped.contains(&(lpi + FIRST_LPI)) {
                self.unplace(lpi);
            }
        }
    }

    /// Where the pending table is believed of LPIs that are mapped: this one is mapped now, and what
    /// the table says of it is consumed.
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

    /// Makes the pending table in memory say of what is pending that it is not: what was read of it is
    /// consumed.
    pub(crate) fn consume_pending(&mut self, memory: &mut Memory) {
        for (n, word) in self.waiting.iter().flatten().flat_map(IdSet::words) {
            let at = self.table.checked_add(u64::from(n + FIRST_LPI / 64) * 8);
            let Some((at, held)) = at.and_then(|at| Some((at, memory.load_u64(at).ok()?))) else {
                continue;
            };
            if held & word != 0 {
                let stored = memory.store_u64(at, held & !word);
                self.aborts += u64::from(stored.is_err());
            }
        }
    }

    /// Makes the pending table in memory say what is pending.
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
            // A word that says it already is left alone: it may not even be memory.
            if self.load(memory, self.table, offset) != Some(wanted) {
                let at = self.table.checked_add(offset);
                let stored = at.map(|at| memory.store_u64(at, wanted));
                self.aborts += u64::from(!matches!(stored, Some(Ok(()))));
            }
        }
    }
}
