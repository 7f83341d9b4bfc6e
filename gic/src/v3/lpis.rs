//! The LPIs of a redistributor while they are on: which are pending, which is the most urgent, and
//! their cached configuration. IHI 0069 H 5.1.
//!
//! Configuration and pending tables are bytes in memory. This room caches them, by the rules of
//! [`crate::choice::lpi`]: known configuration bytes, and the set that holds each pending LPI.
//! Enabled LPIs are in one set per priority, so that the most urgent is found without examining the
//! others; disabled ones are in a set of their own. The part of this that no table holds is saved
//! with the registers.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `pending` | how do pending state and the pending table in memory follow each other? |
//! | `remembered` | which cached state is saved beside the tables? |

mod pending;
mod remembered;

pub(super) use remembered::Remembered;

use super::Line;
use super::ids::IdSet;
use super::wire::{FIRST_LPI, LpiConfiguration};
use crate::choice::LpiChoices;
use crate::choice::lpi::{ConfigRead, LpiState, PendingHome, PendingPriority};
use crate::priority;
use crate::state::{State, Trigger};
use passim_model::{Memory, PhysAddr};

/// Bits of a configuration byte below its priority.
const BELOW_PRIORITY: u32 = u8::BITS - LpiConfiguration::PRIORITY.width();
/// Number of priorities that a configuration byte can hold: one set for each.
const PRIORITIES: usize = 1 << LpiConfiguration::PRIORITY.width();
/// The set of pending LPIs that are disabled: after those of every priority.
const DISABLED: usize = PRIORITIES;
/// The set of pending LPIs that are not offered to the CPU, enabled or not, until something names
/// them again.
const SHELVED: usize = DISABLED + 1;
/// Marks a known configuration byte: bit 1, which is RES1 in the table.
const KNOWN: u8 = 1 << 1;

/// The LPIs of one redistributor.
#[derive(Clone, Debug)]
pub(crate) struct Lpis {
    choices: LpiChoices,
    /// INTIDs below this have a place in the tables.
    bound: u32,
    /// Number of LPIs; those of higher numbers do not exist even below `bound`.
    most: u32,
    configuration: PhysAddr,
    table: PhysAddr,
    /// The pending LPIs, each in one set: of its priority, [`DISABLED`] or [`SHELVED`]. Numbered by
    /// INTID minus [`FIRST_LPI`], as below.
    waiting: [Option<IdSet>; PRIORITIES + 2],
    /// Which sets are not empty; without the last two.
    occupied: u64,
    /// The set that holds each LPI, plus one; 0 if the LPI is not pending.
    slot: Vec<u8>,
    /// Configuration bytes with [`KNOWN`] set; 0 for unknown.
    known: Vec<u8>,
    /// Failed loads and stores of the tables.
    aborts: u64,
}

/// The tables that LPIs use while they are on; the base registers may name others by then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct InUse {
    /// Bits of an INTID.
    pub(crate) intid_bits: u32,
    /// Number of LPIs, if lower than `intid_bits` allows.
    pub(crate) most: u32,
    /// The configuration table.
    pub(crate) configuration: PhysAddr,
    /// The pending table.
    pub(crate) pending: PhysAddr,
}

/// An empty set, with room for `count` LPIs.
#[cold]
#[inline(never)]
fn empty_set(count: usize) -> IdSet {
    IdSet::new(count as u32)
}

/// The first INTID beyond `intid_bits`.
fn bound(intid_bits: u32) -> u32 {
    1 << intid_bits.min(24)
}

impl Lpis {
    /// Turns LPIs on with these tables. The pending table is read if `read_pending`.
    pub(crate) fn enable(
        choices: LpiChoices,
        in_use: InUse,
        read_pending: bool,
        memory: &mut Memory,
    ) -> Self {
        let mut lpis = Self::held(choices, in_use);
        lpis.turn_on(read_pending, memory);
        lpis
    }

    /// LPIs that are kept while they are off: none is pending.
    pub(crate) fn held(
        choices: LpiChoices,
        InUse { intid_bits, most, configuration, pending: table }: InUse,
    ) -> Self {
        let bound = bound(intid_bits);
        let count = bound.saturating_sub(FIRST_LPI) as usize;
        Self {
            choices,
            bound,
            most,
            configuration,
            table,
            waiting: [const { None }; PRIORITIES + 2],
            occupied: 0,
            slot: vec![0; count],
            known: vec![0; count],
            aborts: 0,
        }
    }

    /// Turns LPIs on. The pending table is read if `read_pending`, except with
    /// [`LpiState::PerLpi`], where the caller reads it for the LPIs that exist.
    pub(crate) fn turn_on(&mut self, read_pending: bool, memory: &mut Memory) {
        let count = self.known.len() as u32;
        if self.choices.config == ConfigRead::AtEnabling {
            self.known.fill(0);
            for lpi in 0..count {
                self.configuration(lpi, memory);
            }
        }
        let of_all = self.choices.state == LpiState::PerRedistributor;
        if read_pending && of_all && count != 0 {
            self.read_pending(memory);
            self.unshelve(memory);
        }
    }

    /// The tables in use.
    pub(crate) fn in_use(&self) -> InUse {
        let intid_bits = self.bound.trailing_zeros();
        let (most, configuration) = (self.most, self.configuration);
        InUse { intid_bits, most, configuration, pending: self.table }
    }

    /// Reads the whole pending table again, and the configuration of the LPIs that are pending in
    /// it.
    fn scan(&mut self, memory: &Memory) {
        self.waiting.fill(None);
        self.occupied = 0;
        self.slot.fill(0);
        self.read_pending(memory);
    }

    /// As [`Lpis::scan`], where the choices include it.
    pub(crate) fn look_again(&mut self, memory: &Memory) {
        if self.choices.scans() {
            self.scan(memory);
        }
    }

    /// Turns LPIs off: writes pending LPIs to the pending table.
    pub(crate) fn disable(mut self, memory: &mut Memory) {
        self.write_pending(memory);
    }

    /// The LPI's index in this room, if it exists.
    fn number(&self, intid: u32) -> Option<u32> {
        let lpi = (intid < self.bound).then(|| intid.checked_sub(FIRST_LPI)).flatten();
        lpi.filter(|lpi| *lpi < self.most)
    }

    /// The first INTID that does not exist.
    pub(crate) fn bound(&self) -> u32 {
        self.bound.min(FIRST_LPI.saturating_add(self.most))
    }

    /// Whether the LPI exists.
    pub(crate) fn exists(&self, intid: u32) -> bool {
        self.number(intid).is_some()
    }

    /// The state of the LPI, if it exists.
    pub(crate) fn line(&self, intid: u32) -> Option<Line> {
        let lpi = self.number(intid)?;
        let known = u64::from(self.known[lpi as usize]);
        let slot = self.slot[lpi as usize].checked_sub(1);
        let level = slot.filter(|slot| usize::from(*slot) < DISABLED);
        let priority = match level {
            Some(level) => level << BELOW_PRIORITY,
            None => self.priority(known as u8),
        };
        Some(Line {
            state: if slot.is_some() { State::Pending } else { State::Inactive },
            trigger: Trigger::Edge,
            enabled: level.is_some() || LpiConfiguration::ENABLE.is_set(known),
            group1: true,
            priority,
        })
    }

    /// The pending LPIs, ascending.
    pub(crate) fn pending(&self) -> Vec<u32> {
        self.waiting().into_iter().map(|lpi| lpi + FIRST_LPI).collect()
    }

    /// As [`Lpis::pending`], by index.
    fn waiting(&self) -> Vec<u32> {
        let sets = self.waiting.iter().flatten();
        let mut all: Vec<_> = sets.flat_map(IdSet::iter).collect();
        all.sort_unstable();
        all
    }

    fn is_pending(&self, lpi: u32) -> bool {
        self.slot[lpi as usize] != 0
    }

    /// Failed loads and stores of the tables.
    pub(crate) fn aborts(&self) -> u64 {
        self.aborts
    }

    /// The LPI becomes pending. Returns whether it exists.
    #[inline(always)]
    pub(crate) fn set_pending(&mut self, intid: u32, memory: &mut Memory) -> bool {
        let Some(lpi) = self.number(intid) else { return false };
        if self.choices.pending == PendingHome::Memory {
            self.set_pending_in_memory(lpi, memory);
        } else if !self.is_pending(lpi) {
            let wanted = self.wanted(lpi, memory);
            self.place_in(wanted, lpi);
        } else if self.is_shelved(lpi) {
            self.settle(lpi, memory);
        }
        true
    }

    /// As [`Lpis::set_pending`], where the table in memory holds pending state.
    #[cold]
    #[inline(never)]
    fn set_pending_in_memory(&mut self, lpi: u32, memory: &mut Memory) {
        if self.choices.scans() {
            // QEMU's set_pending_table_bit: a bit that is already set in memory changes nothing
            // here until the table is next read.
            if self.mirror(lpi, true, memory) {
                self.settle(lpi, memory);
            }
        } else if !self.is_pending(lpi) || self.is_shelved(lpi) {
            self.mirror(lpi, true, memory);
            self.settle(lpi, memory);
        }
    }

    /// The LPI is no longer pending. Returns whether it was.
    pub(crate) fn clear_pending(&mut self, intid: u32, memory: &mut Memory) -> bool {
        let Some(lpi) = self.number(intid) else { return false };
        if self.choices.scans() {
            let first = self.highest().is_some_and(|(_, first)| first == intid);
            let was = self.mirror(lpi, false, memory) || self.is_pending(lpi);
            self.unplace(lpi);
            if first {
                self.scan(memory);
            }
            return was;
        }
        if !self.is_pending(lpi) {
            return false;
        }
        self.mirror(lpi, false, memory);
        self.unplace(lpi);
        true
    }

    /// The most urgent LPI that can be taken, and its priority.
    #[inline]
    pub(crate) fn highest(&self) -> Option<(u8, u32)> {
        let level = self.occupied.trailing_zeros();
        if level as usize >= DISABLED {
            return None;
        }
        let first = self.waiting[level as usize].as_ref().and_then(IdSet::first)?;
        Some(((level << BELOW_PRIORITY) as u8, first + FIRST_LPI))
    }

    /// Invalidates the cached configuration of an LPI.
    pub(crate) fn invalidate(&mut self, intid: u32, memory: &Memory) {
        let Some(lpi) = self.number(intid) else { return };
        if self.choices.scans() {
            return self.scan(memory);
        }
        self.known[lpi as usize] = 0;
        if self.reads_at_once() {
            self.configuration(lpi, memory);
        }
        if self.is_pending(lpi) {
            self.settle(lpi, memory);
        }
    }

    /// Whether invalidated configuration is read again at once, not when it is next needed.
    fn reads_at_once(&self) -> bool {
        matches!(self.choices.config, ConfigRead::AtMapping | ConfigRead::AtEnabling)
    }

    /// Invalidates the cached configuration of every LPI.
    pub(crate) fn invalidate_all(&mut self, memory: &Memory) {
        if self.choices.scans() {
            return self.scan(memory);
        }
        if self.reads_at_once() {
            // Only bytes that were cached, as for one LPI.
            for lpi in 0..self.known.len() as u32 {
                if core::mem::take(&mut self.known[lpi as usize]) != 0 {
                    self.configuration(lpi, memory);
                }
            }
        } else {
            self.known.fill(0);
        }
        for lpi in self.waiting() {
            self.settle(lpi, memory);
        }
    }

    /// The LPI is mapped here. Configuration cached when it was here before is discarded, since
    /// invalidations went elsewhere meanwhile.
    pub(crate) fn mapped_here(&mut self, intid: u32, memory: &mut Memory) {
        // MAPTI does not invalidate configuration that is read when LPIs are turned on, or that one
        // cache holds wherever the LPI is.
        if !matches!(self.choices.config, ConfigRead::AtEnabling | ConfigRead::OnceForAll) {
            self.reset_cached(intid, memory);
        }
        if self.choices.state == LpiState::PerLpi
            && let Some(lpi) = self.number(intid)
        {
            self.learn_pending(lpi, memory);
        }
    }

    /// Discards cached state of an LPI that arrives.
    fn reset_cached(&mut self, intid: u32, memory: &Memory) {
        // With a pending table that is read repeatedly nothing is cached.
        if !self.choices.scans() {
            self.invalidate(intid, memory);
        }
    }

    /// The LPI moves away; later invalidations no longer come here.
    pub(crate) fn moved_away(&mut self, intid: u32) {
        if self.choices.config == ConfigRead::AtEnabling
            && let Some(lpi) = self.number(intid)
        {
            self.known[lpi as usize] = 0;
        }
    }

    /// The LPI has been moved here. With [`ConfigRead::AtMapping`] its cached configuration came
    /// with it ([`Lpis::take_over`]).
    pub(crate) fn moved_here(&mut self, intid: u32, memory: &Memory) {
        if !matches!(self.choices.config, ConfigRead::AtMapping | ConfigRead::OnceForAll) {
            self.reset_cached(intid, memory);
        }
    }

    /// Changes the pending table; it is not read now.
    pub(crate) fn set_table(&mut self, table: PhysAddr) {
        self.table = table;
    }

    /// Changes the number of INTID bits.
    pub(crate) fn resize(&mut self, intid_bits: u32) {
        let bound = bound(intid_bits);
        if bound == self.bound {
            return;
        }
        let waits = |lpi| (lpi, usize::from(self.slot[lpi as usize]) - 1);
        let waiting: Vec<_> = self.waiting().into_iter().map(waits).collect();
        let count = bound.saturating_sub(FIRST_LPI);
        self.bound = bound;
        self.waiting.fill(None);
        self.occupied = 0;
        self.slot = vec![0; count as usize];
        self.known = vec![0; count as usize];
        for (lpi, slot) in waiting.into_iter().filter(|(lpi, _)| *lpi < count) {
            self.place_in(slot, lpi);
        }
    }

    /// Changes the configuration table.
    pub(crate) fn configure_from(&mut self, table: PhysAddr) {
        self.configuration = table;
    }

    /// The configuration byte, from the cache or from memory.
    #[inline]
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

    /// The priority in a configuration byte, cut to the implemented bits.
    fn priority(&self, byte: u8) -> u8 {
        let stored = LpiConfiguration::PRIORITY.in_place(u64::from(byte)) as u8;
        priority::kept(stored, self.choices.priority_bits)
    }

    /// The set that a pending LPI belongs to by its configuration.
    #[inline]
    fn wanted(&mut self, lpi: u32, memory: &Memory) -> usize {
        let byte = self.configuration(lpi, memory);
        match LpiConfiguration::ENABLE.is_set(u64::from(byte)) {
            true => usize::from(self.priority(byte) >> BELOW_PRIORITY),
            false => DISABLED,
        }
    }

    /// Moves a pending LPI to the set that its configuration selects.
    #[inline(never)]
    fn settle(&mut self, lpi: u32, memory: &Memory) {
        let wanted = self.wanted(lpi, memory);
        if let Some(now) = self.slot[lpi as usize].checked_sub(1).map(usize::from) {
            let sticks = self.choices.pending_priority == PendingPriority::Sticks
                && wanted != DISABLED
                && now < DISABLED;
            if now == wanted || sticks {
                return;
            }
            self.unplace(lpi);
        }
        self.place_in(wanted, lpi);
    }

    /// Puts an LPI that is in no set into this one, which makes it pending.
    #[inline]
    fn place_in(&mut self, wanted: usize, lpi: u32) {
        let count = self.slot.len();
        self.waiting[wanted].get_or_insert_with(|| empty_set(count)).insert(lpi);
        // Sets from index 64 on have no bit: `highest` does not search them.
        self.occupied |= 1u64.checked_shl(wanted as u32).unwrap_or(0);
        self.slot[lpi as usize] = wanted as u8 + 1;
    }

    /// Removes an LPI from its set, which makes it not pending.
    fn unplace(&mut self, lpi: u32) {
        let Some(slot) = self.slot[lpi as usize].checked_sub(1) else { return };
        self.slot[lpi as usize] = 0;
        if let Some(set) = &mut self.waiting[usize::from(slot)] {
            set.remove(lpi);
            if set.is_empty() {
                self.occupied &= !1u64.checked_shl(u32::from(slot)).unwrap_or(0);
            }
        }
    }

    /// Writes a pending bit to memory, if memory holds pending state. Returns whether the bit
    /// changed or the access failed; true if memory does not hold it.
    #[inline]
    fn mirror(&mut self, lpi: u32, pending: bool, memory: &mut Memory) -> bool {
        if self.choices.pending != PendingHome::Memory {
            return true;
        }
        let intid = lpi + FIRST_LPI;
        let offset = u64::from(intid / 64) * 8;
        let bit = 1u64 << (intid % 64);
        let Some(word) = self.load(memory, self.table, offset) else { return true };
        let new = if pending { word | bit } else { word & !bit };
        if new == word {
            return false;
        }
        let at = PhysAddr::new(self.table.get() + offset);
        self.aborts += u64::from(memory.store_u64(at, new).is_err());
        true
    }

    /// A doubleword of a table.
    #[inline]
    fn load(&mut self, memory: &Memory, table: PhysAddr, offset: u64) -> Option<u64> {
        let word = table.checked_add(offset).and_then(|at| memory.load_u64(at).ok());
        self.aborts += u64::from(word.is_none());
        word
    }
}
