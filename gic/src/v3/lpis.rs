//! The LPIs of a redistributor while they are on: pending, ready to be taken, and what is known of
//! their configuration. IHI 0069 H 5.1.
//!
//! Configuration and pending tables are bytes in memory. What is kept here is a copy of them, by
//! the rules of [`crate::choice::lpi`]: which bytes are known, and a set of the pending LPIs; of
//! these, the enabled ones are in one set a priority, so that the most urgent is found without
//! looking at the others.

use super::Line;
use super::ids::IdSet;
use super::wire::{FIRST_LPI, LpiConfiguration};
use crate::choice::LpiChoices;
use crate::choice::lpi::{ConfigRead, PendingHome, PendingPriority};
use crate::priority;
use crate::state::{State, Trigger};
use passim_model::{Memory, PhysAddr};

/// Priorities that can be told apart.
const PRIORITIES: usize = 1 << priority::BITS;
/// Marks a known configuration byte: bit 1, which is RES1 in the table.
const KNOWN: u8 = 1 << 1;

/// The LPIs of one redistributor.
#[derive(Clone, Debug)]
pub(crate) struct Lpis {
    choices: LpiChoices,
    /// INTIDs below this exist.
    bound: u32,
    configuration: PhysAddr,
    table: PhysAddr,
    /// By INTID less [`FIRST_LPI`], as are the following.
    pending: IdSet,
    /// The pending ones that are enabled, by priority.
    ready: [Option<Box<IdSet>>; PRIORITIES],
    /// Which of these are not empty.
    occupied: u32,
    /// In which of them each LPI is, plus one; 0 for none.
    place: Vec<u8>,
    /// Configuration bytes with [`KNOWN`] set; 0 for unknown.
    known: Vec<u8>,
    /// Loads and stores of the tables that nothing answered.
    aborts: u64,
}

impl Lpis {
    /// LPIs are turned on: `intid_bits` of INTIDs, with the tables at these addresses. The pending
    /// table is read if `read_pending`.
    pub(crate) fn enable(
        choices: LpiChoices,
        intid_bits: u32,
        configuration: PhysAddr,
        table: PhysAddr,
        read_pending: bool,
        memory: &mut Memory,
    ) -> Self {
        let bound = 1u32 << intid_bits.min(24);
        let count = bound.saturating_sub(FIRST_LPI);
        let mut lpis = Self {
            choices,
            bound,
            configuration,
            table,
            pending: IdSet::new(count),
            ready: [const { None }; PRIORITIES],
            occupied: 0,
            place: vec![0; count as usize],
            known: vec![0; count as usize],
            aborts: 0,
        };
        if read_pending && count != 0 {
            lpis.read_pending(memory);
        }
        lpis
    }

    fn read_pending(&mut self, memory: &Memory) {
        for word in FIRST_LPI / 64..self.bound / 64 {
            let Some(mut bits) = self.load(memory, self.table, u64::from(word) * 8) else {
                continue;
            };
            while bits != 0 {
                let lpi = word * 64 + bits.trailing_zeros() - FIRST_LPI;
                bits &= bits - 1;
                self.pending.insert(lpi);
                self.settle(lpi, memory);
            }
        }
    }

    /// LPIs are turned off: the pending table holds what is pending.
    pub(crate) fn disable(mut self, memory: &mut Memory) {
        self.write_pending(memory);
    }

    /// Makes the pending table in memory say what is pending.
    pub(crate) fn write_pending(&mut self, memory: &mut Memory) {
        if self.choices.pending == PendingHome::Memory {
            return;
        }
        let mut words = vec![0u64; (self.bound / 64) as usize];
        for (n, word) in self.pending.words() {
            words[(n + FIRST_LPI / 64) as usize] = word;
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

    /// The LPI's number here, if it exists.
    fn number(&self, intid: u32) -> Option<u32> {
        (intid < self.bound).then(|| intid.checked_sub(FIRST_LPI)).flatten()
    }

    /// INTIDs below this exist.
    pub(crate) fn bound(&self) -> u32 {
        self.bound
    }

    /// Whether the LPI exists.
    pub(crate) fn exists(&self, intid: u32) -> bool {
        self.number(intid).is_some()
    }

    /// The LPI as it stands, if it exists.
    pub(crate) fn line(&self, intid: u32) -> Option<Line> {
        let lpi = self.number(intid)?;
        let known = u64::from(self.known[lpi as usize]);
        let place = self.place[lpi as usize];
        let pending = self.pending.contains(lpi);
        let priority = match place.checked_sub(1) {
            Some(level) => level << 3,
            None => priority::implemented(LpiConfiguration::PRIORITY.in_place(known) as u8),
        };
        Some(Line {
            state: if pending { State::Pending } else { State::Inactive },
            trigger: Trigger::Edge,
            enabled: place != 0 || LpiConfiguration::ENABLE.is_set(known),
            group1: true,
            priority,
        })
    }

    /// The pending LPIs, ascending.
    pub(crate) fn pending(&self) -> Vec<u32> {
        self.pending.iter().map(|lpi| lpi + FIRST_LPI).collect()
    }

    /// Loads and stores of the tables that nothing answered.
    pub(crate) fn aborts(&self) -> u64 {
        self.aborts
    }

    /// The LPI becomes pending. Whether it exists.
    #[inline]
    pub(crate) fn set_pending(&mut self, intid: u32, memory: &mut Memory) -> bool {
        let Some(lpi) = self.number(intid) else { return false };
        if self.pending.insert(lpi) {
            self.mirror(lpi, true, memory);
            self.settle(lpi, memory);
        }
        true
    }

    /// The LPI is no longer pending. Whether it was.
    pub(crate) fn clear_pending(&mut self, intid: u32, memory: &mut Memory) -> bool {
        let Some(lpi) = self.number(intid) else { return false };
        if !self.pending.remove(lpi) {
            return false;
        }
        self.mirror(lpi, false, memory);
        self.unplace(lpi);
        true
    }

    /// The most urgent LPI that can be taken, and its priority.
    #[inline]
    pub(crate) fn highest(&self) -> Option<(u8, u32)> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros();
        let first = self.ready[level as usize].as_ref().and_then(|set| set.first())?;
        Some(((level << 3) as u8, first + FIRST_LPI))
    }

    /// What is known of the LPI's configuration may be out of date.
    pub(crate) fn invalidate(&mut self, intid: u32, memory: &Memory) {
        let Some(lpi) = self.number(intid) else { return };
        self.known[lpi as usize] = 0;
        if self.choices.config == ConfigRead::AtMapping {
            self.configuration(lpi, memory);
        }
        if self.pending.contains(lpi) {
            self.settle(lpi, memory);
        }
    }

    /// What is known of every LPI's configuration may be out of date.
    pub(crate) fn invalidate_all(&mut self, memory: &Memory) {
        if self.choices.config == ConfigRead::AtMapping {
            // What is known is read anew at once, as for one LPI; not when it is next needed.
            for lpi in 0..self.known.len() as u32 {
                if core::mem::take(&mut self.known[lpi as usize]) != 0 {
                    self.configuration(lpi, memory);
                }
            }
        } else {
            self.known.fill(0);
        }
        let pending: Vec<_> = self.pending.iter().collect();
        for lpi in pending {
            self.settle(lpi, memory);
        }
    }

    /// The LPI comes here, mapped or moved: what was known of it when it was here before is of no
    /// use, since invalidations have gone where it was meanwhile.
    pub(crate) fn welcome(&mut self, intid: u32, memory: &Memory) {
        self.invalidate(intid, memory);
    }

    /// The configuration byte, from memory or as it is known.
    fn configuration(&mut self, lpi: u32, memory: &Memory) -> u8 {
        let known = self.known[lpi as usize];
        if known != 0 {
            return known;
        }
        let word = self.load(memory, self.configuration, u64::from(lpi & !7));
        let byte = word.map_or(0, |word| (word >> (lpi % 8 * 8)) as u8);
        if self.choices.config != ConfigRead::WhenPended {
            self.known[lpi as usize] = byte | KNOWN;
        }
        byte
    }

    /// Puts a pending LPI where its configuration says.
    fn settle(&mut self, lpi: u32, memory: &Memory) {
        let byte = u64::from(self.configuration(lpi, memory));
        let priority = priority::implemented(LpiConfiguration::PRIORITY.in_place(byte) as u8);
        let mut wanted = match LpiConfiguration::ENABLE.is_set(byte) {
            true => (priority >> 3) + 1,
            false => 0,
        };
        let now = self.place[lpi as usize];
        let sticks = self.choices.pending_priority == PendingPriority::Sticks;
        if sticks && wanted != 0 && now != 0 {
            wanted = now;
        }
        if now == wanted {
            return;
        }
        self.unplace(lpi);
        if let Some(level) = wanted.checked_sub(1) {
            let count = self.place.len() as u32;
            let set =
                self.ready[usize::from(level)].get_or_insert_with(|| IdSet::new(count).into());
            set.insert(lpi);
            self.occupied |= 1 << level;
            self.place[lpi as usize] = wanted;
        }
    }

    /// Takes an LPI out of the set it is in.
    fn unplace(&mut self, lpi: u32) {
        let Some(level) = self.place[lpi as usize].checked_sub(1) else { return };
        self.place[lpi as usize] = 0;
        if let Some(set) = &mut self.ready[usize::from(level)] {
            set.remove(lpi);
            if set.is_empty() {
                self.occupied &= !(1 << level);
            }
        }
    }

    /// Writes a pending bit through to memory, where it lives there.
    #[inline]
    fn mirror(&mut self, lpi: u32, pending: bool, memory: &mut Memory) {
        if self.choices.pending != PendingHome::Memory {
            return;
        }
        let intid = lpi + FIRST_LPI;
        let offset = u64::from(intid / 64) * 8;
        let bit = 1u64 << (intid % 64);
        let Some(word) = self.load(memory, self.table, offset) else { return };
        let new = if pending { word | bit } else { word & !bit };
        let at = PhysAddr::new(self.table.get() + offset);
        self.aborts += u64::from(memory.store_u64(at, new).is_err());
    }

    /// A doubleword of a table.
    #[inline]
    fn load(&mut self, memory: &Memory, table: PhysAddr, offset: u64) -> Option<u64> {
        let word = table.checked_add(offset).and_then(|at| memory.load_u64(at).ok());
        self.aborts += u64::from(word.is_none());
        word
    }
}
