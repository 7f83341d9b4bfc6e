//! Tables in memory: the address of an entry. IHI 0069 H 5.2, 12.19 (GITS_BASER).

use super::wire::{Baser, LargePage, Level1, page_size};
use passim_model::{Abort, Memory, PhysAddr, Span};
use std::collections::BTreeSet;

/// A table as a GITS_BASER describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Table {
    base: u64,
    page_lg2: u32,
    /// Bytes of the table; of its first level if it has two.
    bytes: u64,
    indirect: bool,
    entry_bytes: u64,
}

/// Why a number has no entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Missing {
    /// The table, or its first level, is too short.
    Beyond,
    /// The second level has no page for it.
    NoPage,
    /// A read of memory failed.
    Abort(PhysAddr),
}

impl From<Abort> for Missing {
    fn from(abort: Abort) -> Self {
        Self::Abort(abort.0)
    }
}

/// log2 of the bytes of an entry of level 1.
const LEVEL1_LG2: u32 = 3;
/// Minimum bytes of an entry.
const LEAST_ENTRY: u64 = 2;

/// Bytes of the pieces of memory that [`zeros`] examines.
pub(super) const PIECE: u64 = 4096;

/// Number of all-zero entries of `entry_bytes` bytes from `at` to the end of its piece of memory; 0
/// where memory cannot be read.
pub(super) fn zeros(at: PhysAddr, entry_bytes: u64, memory: &Memory) -> u64 {
    let first = at.get() & !7;
    let count = PIECE - first % PIECE;
    let words = memory.words(PhysAddr::new(first), (count / 8) as usize).unwrap_or(&[]);
    let zero = words.iter().position(|word| *word != 0).unwrap_or(words.len());
    (8 * zero as u64).saturating_sub(at.get() - first) / entry_bytes
}

impl Table {
    /// Decodes a GITS_BASER; `None` if it is not valid.
    pub(super) fn of(baser: u64) -> Option<Self> {
        Self::of_entries(baser, LEAST_ENTRY)
    }

    /// As [`Table::of`], with entries of at least `least` bytes; the registers of the ITSs modelled
    /// here never have fewer.
    pub(super) fn of_entries(baser: u64, least: u64) -> Option<Self> {
        if !Baser::VALID.is_set(baser) {
            return None;
        }
        let page_lg2 = match Baser::PAGE_SIZE.get(baser) {
            page_size::K4 => 12,
            page_size::K16 => 14,
            _ => 16,
        };
        let base = match page_lg2 {
            16 => LargePage::LOW.in_place(baser) | LargePage::HIGH.get(baser) << 48,
            _ => Baser::PHYSICAL_ADDRESS.in_place(baser),
        };
        Some(Self {
            base,
            page_lg2,
            bytes: (Baser::SIZE.get(baser) + 1) << page_lg2,
            indirect: Baser::INDIRECT.is_set(baser),
            entry_bytes: (Baser::ENTRY_SIZE.get(baser) + 1).max(least).next_power_of_two(),
        })
    }

    /// Number of entries that the table has room for.
    pub(super) fn room(self) -> u64 {
        match self.indirect {
            false => self.bytes / self.entry_bytes,
            true => (self.bytes >> LEVEL1_LG2) * self.in_page(),
        }
    }

    /// Bytes of an entry.
    pub(super) fn entry_bytes(self) -> u64 {
        self.entry_bytes
    }

    /// Bytes of an entry of level 1.
    pub(super) fn level1_bytes(self) -> u64 {
        1 << LEVEL1_LG2
    }

    /// The memory of the table: level 1 and the pages that exist.
    pub(super) fn spans(self, memory: &Memory) -> Vec<Span<PhysAddr>> {
        let mut spans = vec![Span::from_size(PhysAddr::new(self.base), self.bytes)];
        if self.indirect {
            let pages = (0..self.bytes >> LEVEL1_LG2).map(|page| page * self.in_page());
            let pages = pages.filter_map(|first| self.entry(first, memory).ok());
            spans.extend(pages.map(|at| Span::from_size(at, self.page_bytes())));
        }
        spans.into_iter().flatten().collect()
    }

    /// Zeroes the first `entries` entries, as far as memory exists; of a table with two levels,
    /// whole pages.
    pub(super) fn zero(self, entries: u64, memory: &mut Memory) {
        let size = self.bytes.min(entries * self.entry_bytes);
        if !self.indirect {
            if let Some(span) = Span::from_size(PhysAddr::new(self.base), size) {
                let _ = memory.zero(span);
            }
            return;
        }
        let pages = entries.div_ceil(self.in_page()).min(self.bytes >> LEVEL1_LG2);
        // Several entries of level 1 may name one page.
        let pages: BTreeSet<_> =
            (0..pages).filter_map(|page| self.entry(page * self.in_page(), memory).ok()).collect();
        let spans = pages.into_iter().filter_map(|at| Span::from_size(at, self.page_bytes()));
        for span in spans {
            let _ = memory.zero(span);
        }
    }

    /// Bytes of a page.
    pub(super) fn page_bytes(self) -> u64 {
        1 << self.page_lg2
    }

    /// Entries per page.
    pub(super) fn in_page(self) -> u64 {
        self.page_bytes() / self.entry_bytes
    }

    /// The first entry after the page of level 2 that entry `n` is in, or after a table of one
    /// level.
    pub(super) fn end_of_page(self, n: u64) -> u64 {
        match self.indirect {
            false => self.room(),
            true => (n / self.in_page() + 1) * self.in_page(),
        }
    }

    /// Address of entry `n`.
    #[inline]
    pub(super) fn entry(self, n: u64, memory: &Memory) -> Result<PhysAddr, Missing> {
        if !self.indirect {
            let offset = n * self.entry_bytes;
            return match offset < self.bytes {
                true => Ok(PhysAddr::new(self.base + offset)),
                false => Err(Missing::Beyond),
            };
        }
        let offset = (n / self.in_page()) << LEVEL1_LG2;
        if offset >= self.bytes {
            return Err(Missing::Beyond);
        }
        let level1 = memory.load_u64(PhysAddr::new(self.base + offset))?;
        if !Level1::VALID.is_set(level1) {
            return Err(Missing::NoPage);
        }
        let page = Level1::PHYSICAL_ADDRESS.in_place(level1) & (u64::MAX << self.page_lg2);
        Ok(PhysAddr::new(page + n % self.in_page() * self.entry_bytes))
    }
}

/// Zeroes memory, as far as it exists.
pub(super) fn zero(start: PhysAddr, bytes: u64, memory: &mut Memory) {
    let mut at = start.get();
    let end = at.saturating_add(bytes);
    while at < end {
        let stop = (at | (PIECE - 1)).min(end - 1);
        if let Some(span) = Span::new(PhysAddr::new(at), PhysAddr::new(stop)) {
            let _ = memory.zero(span);
        }
        let Some(next) = stop.checked_add(1) else { return };
        at = next;
    }
}

/// Zeroes a table, with two levels the pages that exist.
pub(super) fn clear(table: Table, memory: &mut Memory) {
    let mut n = 0;
    while n < table.room() {
        match table.entry(n, memory) {
            Ok(at) => zero(at, table.page_bytes(), memory),
            Err(Missing::NoPage | Missing::Abort(_)) => {}
            Err(Missing::Beyond) => break,
        }
        n += table.in_page();
    }
}
