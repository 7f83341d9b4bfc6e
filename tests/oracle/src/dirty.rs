//! The dirty bitmap as the kernel reports it, including stale bits.
//!
//! For: the bytes in the user's buffer, and the answer, of DIRTY_PAGES and of UNMAP_DMA with
//! GET_DIRTY_BITMAP, on a machine where every mapping counts as wholly dirty (measured on 6.1 and
//! 6.12: also READ-only mappings). Each mapping has a bitmap; reporting it at an offset shifts the
//! bitmap in place, and clearing afterwards stops at the mapping's last page, so bits shifted
//! beyond it stay and reappear.
//! Not for: which mappings exist. The caller reports each one made and removed.

use std::collections::BTreeMap;

use crate::{EACCES, EFAULT, EINVAL, window::Version};

/// Largest bitmap in bytes; GET_INFO prints it as the largest dirty bitmap.
pub const MAX_BITMAP_BYTES: u64 = 1 << 28;

/// The operation of a well-formed DIRTY_PAGES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// START.
    Start,
    /// STOP.
    Stop,
    /// GET_BITMAP.
    Get,
}

/// The form of a DIRTY_PAGES call.
///
/// # Errors
/// EACCES on a version 1 container, before all else; EINVAL for `argsz` below 8 (GET: 48) and for
/// flags that are not exactly one of START 1, STOP 2, GET_BITMAP 4.
pub fn command(version: Version, argsz: u32, flags: u32) -> Result<Command, i32> {
    if version == Version::V1 {
        return Err(EACCES);
    }
    match flags {
        1 if argsz >= 8 => Ok(Command::Start),
        2 if argsz >= 8 => Ok(Command::Stop),
        4 if argsz >= 48 => Ok(Command::Get),
        _ => Err(EINVAL),
    }
}

/// A range of IOVA and the bitmap to fill for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// IOVA of the first byte.
    pub iova: u64,
    /// Bytes of IOVA.
    pub size: u64,
    /// Bytes that each bit represents; must be the container's page size.
    pub pgsize: u64,
    /// Size of the user's bitmap in bytes.
    pub bitmap_bytes: u64,
    /// User address of the bitmap; need not be aligned.
    pub data: u64,
}

/// The user's memory, byte by byte.
#[derive(Clone, Debug, Default)]
pub struct UserBuffer {
    bytes: BTreeMap<u64, UserByte>,
}

#[derive(Clone, Copy, Debug)]
struct UserByte {
    value: u8,
    protection: Protection,
}

/// Permissions of a byte. A missing byte faults in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Readable and writable.
    ReadWrite,
    /// Readable only.
    ReadOnly,
}

impl UserBuffer {
    /// Creates a buffer without memory.
    pub fn new() -> Self {
        UserBuffer::default()
    }

    /// Puts bytes at `address`, replacing what was there.
    pub fn place(&mut self, address: u64, values: &[u8], protection: Protection) {
        for (at, &value) in (address..).zip(values) {
            self.bytes.insert(at, UserByte { value, protection });
        }
    }

    /// Removes `count` bytes from `address` on, as munmap does.
    pub fn remove(&mut self, address: u64, count: u64) {
        self.bytes.retain(|&at, _| at < address || at - address >= count);
    }

    /// `count` bytes from `address`, `None` if one is missing.
    pub fn bytes(&self, address: u64, count: u64) -> Option<Vec<u8>> {
        (0..count).map(|offset| Some(self.bytes.get(&(address + offset))?.value)).collect()
    }

    fn word(&self, address: u64) -> Option<u64> {
        let bytes = self.bytes(address, 8)?;
        Some(u64::from_le_bytes(bytes.try_into().expect("eight were asked for")))
    }

    /// Writes up to the first byte that cannot be written; bytes before it are written.
    fn write(&mut self, address: u64, words: &[u64]) -> Result<(), i32> {
        let values = words.iter().flat_map(|word| word.to_le_bytes());
        for (at, value) in (address..).zip(values) {
            match self.bytes.get_mut(&at) {
                Some(byte) if byte.protection == Protection::ReadWrite => byte.value = value,
                _ => return Err(EFAULT),
            }
        }
        Ok(())
    }
}

/// An UNMAP_DMA with GET_DIRTY_BITMAP that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmapFailure {
    /// EINVAL, or EFAULT from the user's buffer.
    pub errno: i32,
    /// First IOVA of each mapping that was removed all the same: those below the one whose bitmap
    /// faulted.
    pub removed: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Tracked {
    pages: u64,
    /// One word more than the pages need. Empty while tracking is off.
    words: Vec<u64>,
}

/// The bitmaps of a version 2 container.
#[derive(Clone, Debug)]
pub struct Tracker {
    page_size: u64,
    user_end: u64,
    running: bool,
    mappings: BTreeMap<u64, Tracked>,
}

impl Tracker {
    /// Creates a tracker without mappings, tracking off. `page_size` in bytes; `user_end` is one
    /// past the last address a user pointer may have (beyond it: EINVAL before any access).
    pub fn new(page_size: u64, user_end: u64) -> Self {
        Tracker { page_size, user_end, running: false, mappings: BTreeMap::new() }
    }

    /// Records a new mapping; it must not overlap another.
    pub fn mapped(&mut self, iova: u64, size: u64) {
        let pages = size / self.page_size;
        let words = if self.running { empty_bitmap(pages) } else { Vec::new() };
        self.mappings.insert(iova, Tracked { pages, words });
    }

    /// Records a mapping that a plain unmap removed.
    pub fn unmapped(&mut self, iova: u64) {
        self.mappings.remove(&iova);
    }

    /// START; a second one changes nothing.
    pub fn start(&mut self) {
        if self.running {
            return;
        }
        self.running = true;
        for tracked in self.mappings.values_mut() {
            tracked.words = empty_bitmap(tracked.pages);
        }
    }

    /// STOP: drops every bitmap.
    pub fn stop(&mut self) {
        self.running = false;
        for tracked in self.mappings.values_mut() {
            tracked.words = Vec::new();
        }
    }

    /// GET_BITMAP. Words of the buffer without a mapping are not changed.
    ///
    /// # Errors
    /// EINVAL: tracking is off, the request is malformed, or either end splits a mapping. EFAULT:
    /// at some mapping the buffer faults; those before it are already reported.
    pub fn get(&mut self, request: &Request, user: &mut UserBuffer) -> Result<(), i32> {
        // GET refuses a range that ends at 2^64, which UNMAP_DMA accepts.
        if request.iova.checked_add(request.size).is_none() {
            return Err(EINVAL);
        }
        self.check(request)?;
        for iova in self.in_range(request) {
            let tracked = self.mappings.get_mut(&iova).expect("in_range names live mappings");
            report(tracked, pages_below(request, iova, self.page_size), request.data, user)?;
            // Only the mapping's own pages: bits shifted beyond them stay.
            set_bits(&mut tracked.words, tracked.pages, Fill::Zeros);
        }
        Ok(())
    }

    /// UNMAP_DMA with GET_DIRTY_BITMAP (the caller checks that `argsz` is at least 48); returns the
    /// first IOVA of each mapping removed, ascending.
    ///
    /// # Errors
    /// EINVAL as for [`Tracker::get`], and no mapping is removed. EFAULT at some mapping: those
    /// before it are removed ([`UnmapFailure::removed`]).
    pub fn unmap(
        &mut self,
        request: &Request,
        user: &mut UserBuffer,
    ) -> Result<Vec<u64>, UnmapFailure> {
        let mut removed = Vec::new();
        if let Err(errno) = self.check(request) {
            return Err(UnmapFailure { errno, removed });
        }
        for iova in self.in_range(request) {
            let tracked = self.mappings.get_mut(&iova).expect("in_range names live mappings");
            let below = pages_below(request, iova, self.page_size);
            if let Err(errno) = report(tracked, below, request.data, user) {
                return Err(UnmapFailure { errno, removed });
            }
            self.mappings.remove(&iova);
            removed.push(iova);
        }
        Ok(removed)
    }

    /// All the EINVALs that both calls share; their order is not visible.
    fn check(&self, request: &Request) -> Result<(), i32> {
        let Request { iova, size, pgsize, bitmap_bytes, data } = *request;
        let aligned = iova % self.page_size == 0 && size % self.page_size == 0;
        let pointer = data.checked_add(bitmap_bytes).is_some_and(|end| end <= self.user_end);
        if !self.running || !aligned || !pointer || size == 0 || pgsize != self.page_size {
            return Err(EINVAL);
        }
        let Some(last) = iova.checked_add(size - 1) else {
            return Err(EINVAL);
        };
        let needed = (size / self.page_size).div_ceil(64) * 8;
        if bitmap_bytes < needed || bitmap_bytes > MAX_BITMAP_BYTES {
            return Err(EINVAL);
        }
        let cut = |(&start, tracked): (&u64, &Tracked)| {
            let end = start + (tracked.pages * self.page_size - 1);
            (start < iova && iova <= end) || (start <= last && last < end)
        };
        if self.mappings.iter().any(cut) { Err(EINVAL) } else { Ok(()) }
    }

    /// Mappings wholly in a range that passed [`Tracker::check`]; none for a range that ends at
    /// 2^64.
    fn in_range(&self, request: &Request) -> Vec<u64> {
        let Some(end) = request.iova.checked_add(request.size) else {
            return Vec::new();
        };
        self.mappings.range(request.iova..end).map(|(&iova, _)| iova).collect()
    }
}

/// Pages of the request below a mapping: the number of its first bit in the user's bitmap.
fn pages_below(request: &Request, iova: u64, page_size: u64) -> u64 {
    (iova - request.iova) / page_size
}

/// Copies one mapping's bitmap to the user, first bit at number `find_files`.
fn report(tracked: &mut Tracked, below: u64, data: u64, user: &mut UserBuffer) -> Result<(), i32> {
    set_bits(&mut tracked.words, tracked.pages, Fill::Ones);
    let (word, shift) = (below / 64, below % 64);
    let used = (tracked.pages + shift).div_ceil(64) as usize;
    let target = data + word * 8;
    if shift != 0 {
        // In place, and before the user's memory is accessed: a fault leaves the bitmap shifted.
        shift_up(&mut tracked.words[..used], shift);
        // Part of the word belongs to mappings below: an OR keeps the user's bits, and thereby
        // copies the whole word into the kernel's bitmap.
        tracked.words[0] |= user.word(target).ok_or(EFAULT)?;
    }
    user.write(target, &tracked.words[..used])
}

/// The bitmap that START allocates for a mapping: a spare word after those that its pages need.
fn empty_bitmap(pages: u64) -> Vec<u64> {
    vec![0; pages.div_ceil(64) as usize + 1]
}

/// The value that [`set_bits`] writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    Ones,
    Zeros,
}

/// Sets or clears bits 0 to `count - 1`.
fn set_bits(words: &mut [u64], count: u64, fill: Fill) {
    for bit in 0..count {
        let (word, mask) = ((bit / 64) as usize, 1 << (bit % 64));
        match fill {
            Fill::Ones => words[word] |= mask,
            Fill::Zeros => words[word] &= !mask,
        }
    }
}

/// Moves every bit `shift` places up (1 to 63); bits beyond the last word are lost.
fn shift_up(words: &mut [u64], shift: u64) {
    let mut carry = 0;
    for word in words {
        let leaving = *word >> (64 - shift);
        *word = *word << shift | carry;
        carry = leaving;
    }
}

#[cfg(test)]
mod tests;
