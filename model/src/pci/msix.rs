//! The MSI-X table and its pending bits: memory of the function, in a BAR. PCI 3.0 6.8.2.
//!
//! Configuration space holds whether MSI-X is enabled, and whether the function masks all vectors;
//! the caller passes it.

use super::wire::{MessageAddress, MsixControl, MsixPlace, VectorControl, msix};
use super::{Config, Lost, Message, Raised};
use crate::{Iova, Requester, Width};

/// An entry of the table, as its four words hold it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Entry {
    /// Message address, both halves.
    pub address: Iova,
    /// Message data.
    pub data: u32,
    /// Vector control: bit 0 masks the vector, the others are 0.
    pub control: u32,
}

impl Entry {
    /// PCI 3.0 6.8.2.9: every vector is masked after reset.
    pub const RESET: Self = Self { address: Iova::new(0), data: 0, control: 1 };

    /// Whether the vector is masked.
    pub fn is_masked(&self) -> bool {
        VectorControl::MASK.is_set(self.control.into())
    }

    fn word(&self, offset: u64) -> u32 {
        match offset {
            msix::ADDRESS => self.address.get() as u32,
            msix::ADDRESS_UPPER => (self.address.get() >> 32) as u32,
            msix::DATA => self.data,
            _ => self.control,
        }
    }

    fn set_word(&mut self, offset: u64, value: u32) {
        let address = self.address.get();
        match offset {
            msix::ADDRESS => {
                let low = MessageAddress::WORD.in_place(value.into());
                self.address = Iova::new(address & !0xffff_ffff | low);
            }
            msix::ADDRESS_UPPER => {
                self.address = Iova::new(u64::from(value) << 32 | address & 0xffff_ffff);
            }
            msix::DATA => self.data = value,
            _ => self.control = VectorControl::MASK.in_place(value.into()) as u32,
        }
    }
}

/// A place in a BAR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// Number of the BAR: 0 to 5, or 6 and 7, which no function has.
    pub bar: u8,
    /// Bytes from its start, a multiple of 8.
    pub offset: u64,
}

/// The MSI-X structure at an offset of a BAR.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The table, from this byte on.
    Table(u64),
    /// The pending bits, from this byte on.
    Pending(u64),
}

/// Table and pending bits. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Msix {
    at: u32,
    table: Place,
    pba: Place,
    entries: Vec<Entry>,
    /// 64 vectors per word, as in the pending bit array.
    pending: Vec<u64>,
}

impl Msix {
    pub(super) fn new(config: &Config, at: u32) -> Self {
        let entries = MsixControl::SIZE.get(config.u16(at + msix::CONTROL)) as usize + 1;
        let place = |offset| {
            let word = config.u32(at + offset);
            Place { bar: MsixPlace::BIR.get(word) as u8, offset: MsixPlace::OFFSET.in_place(word) }
        };
        Self {
            at,
            table: place(msix::TABLE),
            pba: place(msix::PBA),
            entries: vec![Entry::RESET; entries],
            pending: vec![0; entries.div_ceil(64)],
        }
    }

    /// Where the table lies.
    pub fn table(&self) -> Place {
        self.table
    }

    /// Where the pending bits lie.
    pub fn pba(&self) -> Place {
        self.pba
    }

    /// The table: 1 to 2048 vectors.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a vector is pending; `false` for one that the table lacks.
    pub fn is_pending(&self, vector: u16) -> bool {
        let word = self.pending.get(usize::from(vector) / 64);
        word.is_some_and(|word| word >> (vector % 64) & 1 != 0)
    }

    pub(super) fn is_enabled(&self, config: &Config) -> bool {
        MsixControl::ENABLE.is_set(config.u16(self.at + msix::CONTROL))
    }

    pub(super) fn masks_all(&self, config: &Config) -> bool {
        MsixControl::FUNCTION_MASK.is_set(config.u16(self.at + msix::CONTROL))
    }

    fn part(&self, bar: u8, offset: u64) -> Option<Part> {
        let within = |place: Place, bytes: u64| {
            let from = offset.checked_sub(place.offset).filter(|_| place.bar == bar);
            from.filter(|from| *from < bytes)
        };
        let table = within(self.table, self.entries.len() as u64 * msix::ENTRY_BYTES);
        let pending = within(self.pba, self.pending.len() as u64 * 8);
        table.map(Part::Table).or(pending.map(Part::Pending))
    }

    /// Loads from the BAR; `None` where neither table nor pending bits lie.
    pub(super) fn load(&self, bar: u8, offset: u64, width: Width) -> Option<u64> {
        self.part(bar, offset)?;
        let byte = |n: u64| match self.part(bar, offset.wrapping_add(n)) {
            Some(Part::Table(at)) => {
                let entry = &self.entries[(at / msix::ENTRY_BYTES) as usize];
                let word = entry.word((at % msix::ENTRY_BYTES) & !3);
                u64::from(word >> (8 * (at % 4)) & 0xff) << (8 * n)
            }
            Some(Part::Pending(at)) => {
                (self.pending[(at / 8) as usize] >> (8 * (at % 8)) & 0xff) << (8 * n)
            }
            None => 0,
        };
        Some((0..width.bytes()).map(byte).sum())
    }

    /// Stores to the BAR; `false` where neither table nor pending bits lie. Pending bits are
    /// read-only.
    pub(super) fn store(&mut self, bar: u8, offset: u64, width: Width, value: u64) -> bool {
        let Some(part) = self.part(bar, offset) else { return false };
        let whole =
            matches!(width, Width::W32 | Width::W64) && offset.is_multiple_of(width.bytes());
        let Part::Table(at) = part else { return true };
        if whole {
            for word in 0..width.bytes() / 4 {
                let at = at + 4 * word;
                if let Some(entry) = self.entries.get_mut((at / msix::ENTRY_BYTES) as usize) {
                    entry.set_word(at % msix::ENTRY_BYTES, (value >> (32 * word)) as u32);
                }
            }
        }
        true
    }

    fn message(requester: Requester, entry: &Entry) -> Message {
        Message { requester, at: entry.address, data: entry.data }
    }

    pub(super) fn raise(
        &mut self,
        config: &Config,
        requester: Requester,
        vector: u16,
        is_bus_master: bool,
    ) -> Raised {
        let masks_all = self.masks_all(config);
        let Some(entry) = self.entries.get(usize::from(vector)) else {
            return Raised::Lost(Lost::NoVector);
        };
        if masks_all || entry.is_masked() {
            self.pending[usize::from(vector) / 64] |= 1 << (vector % 64);
            return Raised::Pending;
        }
        if !is_bus_master {
            return Raised::Lost(Lost::NoBusMaster);
        }
        Raised::Sent(Self::message(requester, entry))
    }

    /// Messages of vectors that are pending and masked no longer, ascending.
    pub(super) fn release(&mut self, config: &Config, requester: Requester) -> Vec<Message> {
        if self.masks_all(config) {
            return Vec::new();
        }
        let mut messages = Vec::new();
        for (entry, vector) in self.entries.iter().zip(0..) {
            let (word, bit) = (vector / 64, 1 << (vector % 64));
            if self.pending[word] & bit != 0 && !entry.is_masked() {
                self.pending[word] &= !bit;
                messages.push(Self::message(requester, entry));
            }
        }
        messages
    }

    pub(super) fn reset(&mut self) {
        self.entries.fill(Entry::RESET);
        self.pending.fill(0);
    }
}
