//! Physical memory: banks of RAM with holes between them, every byte real.
//!
//! Memory is little-endian, as the systems modelled here run. Storage appears when first written,
//! in chunks large enough that any translation table of any granule lies inside one of them, so a
//! table can be lent as one slice. What lies between the banks does not answer ([`Abort`]).

mod watch;

use crate::{Abort, PhysAddr, Span};

/// log2 of a chunk: the largest granule, so that no table straddles two chunks.
const CHUNK_LG2: u32 = 16;
const CHUNK_BYTES: u64 = 1 << CHUNK_LG2;
const CHUNK_WORDS: usize = 1 << (CHUNK_LG2 - 3);

type Chunk = [u64; CHUNK_WORDS];

/// What every untouched chunk reads as.
static ZEROES: Chunk = [0; CHUNK_WORDS];

struct Bank {
    span: Span<PhysAddr>,
    /// Every chunk of the span, in order.
    chunks: Vec<Option<Box<Chunk>>>,
    /// Which of them are watched: a bit each.
    watched: Vec<u64>,
}

impl Bank {
    /// Index of the chunk that holds `at`; beyond the last one if the address is not in the bank,
    /// below it included, so that the look-up in `chunks` is the only comparison.
    #[inline]
    fn index(&self, at: PhysAddr) -> usize {
        let offset = at.get().wrapping_sub(self.span.start().get());
        usize::try_from(offset >> CHUNK_LG2).unwrap_or(usize::MAX)
    }
}

/// Sparse physical memory. See the [module](self).
pub struct Memory {
    /// Ascending, disjoint.
    banks: Vec<Bank>,
    stamp: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a bank of RAM could not be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BankError {
    /// Another bank already holds part of the range.
    #[error("RAM bank {0} overlaps bank {1}")]
    Overlap(Span<PhysAddr>, Span<PhysAddr>),
    /// A bank must start and end on a 64 KiB boundary.
    #[error("RAM bank {0} does not start and end on a 64K boundary")]
    Misaligned(Span<PhysAddr>),
    /// A bank beyond 52 bits, or larger than the model is ready to index.
    #[error("RAM bank {0} is larger than 1T or lies beyond 52 address bits")]
    TooLarge(Span<PhysAddr>),
}

impl Memory {
    /// Memory without any bank: nothing answers.
    pub fn new() -> Self {
        Self { banks: Vec::new(), stamp: watch::fresh_stamp() }
    }

    /// Adds RAM at `span`, all zero.
    ///
    /// # Errors
    /// [`BankError`]: the range overlaps an earlier bank, is not made of whole 64 KiB chunks, or is
    /// larger than 1 TiB or beyond 52 bits.
    pub fn add_bank(&mut self, span: Span<PhysAddr>) -> Result<(), BankError> {
        if span.last().get() >> 52 != 0 || span.size_minus_one() >= 1 << 40 {
            return Err(BankError::TooLarge(span));
        }
        let past_last = span.last().get() + 1;
        if !span.start().is_aligned(CHUNK_LG2) || !past_last.is_multiple_of(CHUNK_BYTES) {
            return Err(BankError::Misaligned(span));
        }
        if let Some(other) = self.banks.iter().find(|bank| bank.span.overlaps(span)) {
            return Err(BankError::Overlap(span, other.span));
        }
        let chunks = (past_last - span.start().get()) >> CHUNK_LG2;
        let at = self.banks.partition_point(|bank| bank.span < span);
        let (chunks, words) = (chunks as usize, chunks.div_ceil(64) as usize);
        self.banks.insert(at, Bank { span, chunks: vec![None; chunks], watched: vec![0; words] });
        // Addresses that aborted before answer now.
        self.stamp = watch::fresh_stamp();
        Ok(())
    }

    /// The banks, ascending.
    pub fn banks(&self) -> impl Iterator<Item = Span<PhysAddr>> + '_ {
        self.banks.iter().map(|bank| bank.span)
    }

    /// Whether every byte of `span` is RAM.
    pub fn is_ram(&self, span: Span<PhysAddr>) -> bool {
        let mut start = span.start();
        for bank in &self.banks {
            if bank.span.contains(start) {
                if bank.span.contains(span.last()) {
                    return true;
                }
                start = PhysAddr::new(bank.span.last().get() + 1);
            }
        }
        false
    }

    /// The chunk that holds `at`, for reading.
    #[inline(always)]
    fn chunk(&self, at: PhysAddr) -> Result<&Chunk, Abort> {
        if let Some(bank) = self.banks.first()
            && let Some(chunk) = bank.chunks.get(bank.index(at))
        {
            return Ok(chunk.as_deref().unwrap_or(&ZEROES));
        }
        self.chunk_beyond_first(at)
    }

    /// The chunk that holds `at`, if that is not in the first bank, where most RAM is.
    #[inline(never)]
    fn chunk_beyond_first(&self, at: PhysAddr) -> Result<&Chunk, Abort> {
        for bank in self.banks.iter().skip(1) {
            if let Some(chunk) = bank.chunks.get(bank.index(at)) {
                return Ok(chunk.as_deref().unwrap_or(&ZEROES));
            }
        }
        Err(Abort(at))
    }

    /// The place of the chunk that holds `at`, for writing.
    #[inline]
    fn chunk_place(&mut self, at: PhysAddr) -> Result<&mut Option<Box<Chunk>>, Abort> {
        for bank in &mut self.banks {
            let index = bank.index(at);
            if let Some(chunk) = bank.chunks.get_mut(index) {
                watch::lent(&mut bank.watched, index, &mut self.stamp);
                return Ok(chunk);
            }
        }
        Err(Abort(at))
    }

    /// The chunk that holds `at`, for writing.
    #[inline]
    fn chunk_mut(&mut self, at: PhysAddr) -> Result<&mut Chunk, Abort> {
        Ok(self.chunk_place(at)?.get_or_insert_with(fresh_chunk))
    }

    /// The doubleword at `at`, whose low three bits are ignored as a bus ignores them.
    ///
    /// # Errors
    /// [`Abort`] where there is no RAM.
    #[inline(always)]
    pub fn load_u64(&self, at: PhysAddr) -> Result<u64, Abort> {
        Ok(self.chunk(at)?[word_index(at)])
    }

    /// Stores a doubleword at `at`, whose low three bits are ignored.
    ///
    /// # Errors
    /// [`Abort`] where there is no RAM.
    #[inline]
    pub fn store_u64(&mut self, at: PhysAddr, value: u64) -> Result<(), Abort> {
        self.chunk_mut(at)?[word_index(at)] = value;
        Ok(())
    }

    /// `count` doublewords from `at` on: a table, a queue entry. They must lie inside one 64 KiB
    /// chunk, as every naturally aligned table does.
    ///
    /// # Errors
    /// [`Abort`] where there is no RAM, or where the words would leave the chunk.
    #[inline]
    pub fn words(&self, at: PhysAddr, count: usize) -> Result<&[u64], Abort> {
        let first = word_index(at);
        self.chunk(at)?.get(first..first.saturating_add(count)).ok_or(Abort(at))
    }

    /// As [`Memory::words`], for writing.
    ///
    /// # Errors
    /// As [`Memory::words`].
    #[inline]
    pub fn words_mut(&mut self, at: PhysAddr, count: usize) -> Result<&mut [u64], Abort> {
        let first = word_index(at);
        self.chunk_mut(at)?.get_mut(first..first.saturating_add(count)).ok_or(Abort(at))
    }

    /// Reads `bytes.len()` bytes from `at` on, across chunks and adjacent banks.
    ///
    /// # Errors
    /// [`Abort`] with the first address that is not RAM; `bytes` then holds what was read before.
    pub fn read(&self, at: PhysAddr, bytes: &mut [u8]) -> Result<(), Abort> {
        let mut done = 0;
        while done < bytes.len() {
            let here = advance(at, done)?;
            let piece = piece_len(here, bytes.len() - done);
            let chunk = self.chunk(here)?;
            for (i, byte) in bytes[done..done + piece].iter_mut().enumerate() {
                let offset = here.offset_in(CHUNK_LG2) as usize + i;
                *byte = (chunk[offset / 8] >> (offset % 8 * 8)) as u8;
            }
            done += piece;
        }
        Ok(())
    }

    /// Writes `bytes` from `at` on, across chunks and adjacent banks.
    ///
    /// # Errors
    /// [`Abort`] with the first address that is not RAM; what lies before it has been written.
    pub fn write(&mut self, at: PhysAddr, bytes: &[u8]) -> Result<(), Abort> {
        let mut done = 0;
        while done < bytes.len() {
            let here = advance(at, done)?;
            let piece = piece_len(here, bytes.len() - done);
            let chunk = self.chunk_mut(here)?;
            for (i, byte) in bytes[done..done + piece].iter().enumerate() {
                let offset = here.offset_in(CHUNK_LG2) as usize + i;
                let shift = offset % 8 * 8;
                let word = &mut chunk[offset / 8];
                *word = *word & !(0xff << shift) | u64::from(*byte) << shift;
            }
            done += piece;
        }
        Ok(())
    }

    /// Writes zero over `span`; chunks never written stay without storage.
    ///
    /// # Errors
    /// [`Abort`] with the first address that is not RAM; what lies before it is zero.
    pub fn zero(&mut self, span: Span<PhysAddr>) -> Result<(), Abort> {
        let mut at = span.start();
        loop {
            let chunk_last = PhysAddr::new(at.get() | (CHUNK_BYTES - 1));
            let last = chunk_last.min(span.last());
            if let Some(chunk) = self.chunk_place(at)? {
                zero_bytes(chunk, at.offset_in(CHUNK_LG2), last.offset_in(CHUNK_LG2));
            }
            if last == span.last() {
                return Ok(());
            }
            at = PhysAddr::new(last.get() + 1);
        }
    }
}

/// Storage for a chunk that is written for the first time.
#[cold]
fn fresh_chunk() -> Box<Chunk> {
    vec![0; CHUNK_WORDS].into_boxed_slice().try_into().expect("a chunk's length")
}

/// Zeroes the bytes `first..=last` of a chunk.
fn zero_bytes(chunk: &mut Chunk, first: u64, last: u64) {
    let (first, past) = (first as usize, last as usize + 1);
    if first.is_multiple_of(8) && past.is_multiple_of(8) {
        chunk[first / 8..past / 8].fill(0);
        return;
    }
    for offset in first..past {
        chunk[offset / 8] &= !(0xff << (offset % 8 * 8));
    }
}

#[inline]
fn word_index(at: PhysAddr) -> usize {
    (at.offset_in(CHUNK_LG2) >> 3) as usize
}

fn advance(at: PhysAddr, bytes: usize) -> Result<PhysAddr, Abort> {
    at.checked_add(bytes as u64).ok_or(Abort(at))
}

/// How many of `wanted` bytes from `at` on lie in the same chunk.
fn piece_len(at: PhysAddr, wanted: usize) -> usize {
    wanted.min((CHUNK_BYTES - at.offset_in(CHUNK_LG2)) as usize)
}

#[cfg(test)]
mod tests;
