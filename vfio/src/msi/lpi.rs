//! Allocation of LPIs: Linux's `its_lpi_alloc`.

use super::view::MessageSupply;
use crate::policy::{LpiBits, LpiRanges};

/// The first LPI.
const FIRST: u32 = 8192;
/// LPIs of one chunk.
const CHUNK: u32 = 32;
/// Most INTID bits that the driver uses. 6.12 irq-gic-v3-its.c, ITS_MAX_LPI_NRBITS; 4.11
/// LPI_NRBITS.
pub(super) const MOST_BITS: u32 = 16;
/// Most bits that GICD_TYPER.IDbits can encode.
const ALL_BITS: u32 = 24;

/// INTID bits written to redistributors, where the distributor has `bits`.
// 4.11 its_cpu_init_lpis: LPI_NRBITS, which is a constant; 6.12 lpi_id_bits.
pub(super) fn propbaser_bits(choice: LpiBits, bits: u32) -> u32 {
    match choice {
        LpiBits::Sixteen => MOST_BITS,
        LpiBits::Implemented => bits.min(MOST_BITS),
    }
}

/// INTID bits that limit the LPIs allocated.
// 4.11 its_lpi_init uses the distributor's, without a limit; 6.12 lpi_id_bits.
pub(super) fn id_bits(choice: LpiBits, bits: u32) -> u32 {
    match choice {
        LpiBits::Sixteen => bits.min(ALL_BITS),
        LpiBits::Implemented => bits.min(MOST_BITS),
    }
}

/// Free LPIs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Lpis {
    ranges: LpiRanges,
    /// One past the last.
    end: u32,
    /// Free ranges, as first and end, ascending and never adjacent.
    free: Vec<(u32, u32)>,
}

impl Lpis {
    /// Creates an allocator of all LPIs with INTIDs of `bits` bits, up to 24, or of the number that
    /// the distributor reports.
    // 6.12 its_lpi_init: a number larger than the bits allow is ignored. Since 4.19, as the ranges
    // that replaced chunks.
    pub(super) fn new(ranges: LpiRanges, bits: u32, said: Option<u32>) -> Self {
        let all = (1u32 << bits).saturating_sub(FIRST);
        let said = said.filter(|said| ranges == LpiRanges::FirstFit && *said <= all);
        let end = FIRST + said.unwrap_or(all);
        let free = if end > FIRST { vec![(FIRST, end)] } else { Vec::new() };
        Self { ranges, end, free }
    }

    /// Allocates LPIs for `wanted` events, at least one: returns the first and their number, which
    /// is smaller than `wanted` where no larger range is free; `None` if no LPI is free.
    pub(super) fn alloc(&mut self, wanted: u32) -> Option<(u32, u32)> {
        let mut count = match self.ranges {
            LpiRanges::Chunks32 => wanted.div_ceil(CHUNK) * CHUNK,
            LpiRanges::FirstFit => wanted,
        };
        while count > 0 {
            if let Some(at) = self.free.iter().position(|(first, end)| end - first >= count) {
                let (first, end) = &mut self.free[at];
                let base = *first;
                *first += count;
                if first == end {
                    self.free.remove(at);
                }
                return Some((base, count));
            }
            // 4.11 retries with one chunk less, 6.12 with half.
            count = match self.ranges {
                LpiRanges::Chunks32 => count - CHUNK,
                LpiRanges::FirstFit => count / 2,
            };
        }
        None
    }

    /// LPIs in total, and those free.
    pub(super) fn supply(&self) -> MessageSupply {
        let lengths = self.free.iter().map(|(first, end)| end - first);
        MessageSupply {
            lpis: true,
            total: self.end.saturating_sub(FIRST),
            free: lengths.clone().sum(),
            longest: lengths.max().unwrap_or(0),
        }
    }

    /// Frees LPIs that [`Lpis::alloc`] returned.
    pub(super) fn free(&mut self, base: u32, count: u32) {
        let at = self.free.partition_point(|(first, _)| *first < base);
        self.free.insert(at, (base, base + count));
        if let Some(&(next, end)) = self.free.get(at + 1)
            && next == base + count
        {
            self.free[at].1 = end;
            self.free.remove(at + 1);
        }
        if at > 0 && self.free[at - 1].1 == base {
            self.free[at - 1].1 = self.free[at].1;
            self.free.remove(at);
        }
    }
}
