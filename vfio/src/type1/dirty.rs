//! Dirty page tracking: which bits a report sets, stale ones included.
//!
//! A device may have written any page that a mapping pins at any time, so a report marks all of
//! them. The kernel shifts its bitmap of a mapping in place to align it with the caller's bitmap,
//! and never clears bits shifted beyond the mapping's last page: such bits appear in later reports
//! (measured on 6.1 and 6.12).

use super::slots::SlotId;
use super::{Type1, Version};
use crate::kernel::Kernel;
use crate::process::Pid;
use crate::rules;
use crate::uapi::{
    Bitmap, Buffer, DIRTY_HEADER_BYTES, DIRTY_RANGE_BYTES, DirtyRange, Header, dirty,
};
use passim_model::{Conflict, Errno, Iova, Memory, PageSize, Refusal, Span, UserAddr};

/// The kernel's dirty bits of one mapping, with room for one doubleword of shift.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlotBitmap {
    words: Vec<u64>,
    pages: u64,
}

impl SlotBitmap {
    /// A cleared bitmap for a mapping of `pages` pages.
    pub(crate) fn new(pages: u64) -> Self {
        let words = pages.div_ceil(64) as usize + 1;
        Self { words: vec![0; words], pages }
    }

    /// Sets or clears the bits of the mapping's pages, and no bit beyond them.
    fn assign(&mut self, value: Bits) {
        let (whole, rest) = ((self.pages / 64) as usize, self.pages % 64);
        let tail = (1u64 << rest) - 1;
        match value {
            Bits::Set => {
                self.words[..whole].fill(u64::MAX);
                self.words[whole] |= tail;
            }
            Bits::Clear => {
                self.words[..whole].fill(0);
                self.words[whole] &= !tail;
            }
        }
    }

    /// Shifts up the words that contain the mapping's pages and `shift` (below 64) more bits.
    fn shift_up(&mut self, shift: u32) {
        let words = self.words_with(shift);
        let mut carry = 0;
        for word in &mut self.words[..words] {
            let shifted = *word << shift | carry;
            carry = *word >> (64 - shift);
            *word = shifted;
        }
    }

    /// Number of words that the mapping's pages and `shift` more bits take.
    fn words_with(&self, shift: u32) -> usize {
        (self.pages + u64::from(shift)).div_ceil(64) as usize
    }
}

#[derive(Clone, Copy)]
enum Bits {
    Set,
    Clear,
}

/// EINVAL unless one bit represents one smallest page.
pub(super) fn judge_page_size(bitmap: &Bitmap, page: PageSize) -> Result<(), Refusal> {
    if bitmap.pgsize != page.bytes() {
        let conflict = Conflict::Unknown(bitmap.pgsize);
        return Err(rules::DIRTY_PAGE_SIZE.refuse_for(Errno::EINVAL, conflict));
    }
    Ok(())
}

/// EINVAL unless the bitmap has a bit for each page of `size` bytes.
fn judge_bitmap_size(bitmap: &Bitmap, size: u64) -> Result<(), Refusal> {
    let refusal = |wanted| {
        let conflict = Conflict::Short { got: bitmap.size, needs: wanted };
        rules::DIRTY_BITMAP_SIZE.refuse_for(Errno::EINVAL, conflict)
    };
    // A page size of 0 has no lowest set bit; whatever the kernel computes, no page is left.
    let shift = bitmap.pgsize.trailing_zeros();
    let pages = size.checked_shr(shift).unwrap_or(0);
    let needs = pages.div_ceil(64) * 8;
    let most = dirty::MAX_BITMAP_BYTES;
    if pages == 0 || bitmap.size == 0 || bitmap.size > most || bitmap.size < needs {
        return Err(refusal(needs));
    }
    Ok(())
}

impl Kernel {
    /// The checks of a caller's bitmap that precede those of the container.
    pub(super) fn judge_bitmap(&self, bitmap: &Bitmap, size: u64) -> Result<(), Refusal> {
        if !self.processes.access_ok(bitmap.data, bitmap.size) {
            let conflict = Conflict::User(bitmap.data);
            return Err(rules::DIRTY_BITMAP_ADDRESS.refuse_for(Errno::EINVAL, conflict));
        }
        judge_bitmap_size(bitmap, size)
    }

    /// VFIO_IOMMU_DIRTY_PAGES.
    pub(crate) fn dirty_pages(
        &mut self,
        pid: Pid,
        container: usize,
        buffer: &Buffer,
        memory: &mut Memory,
    ) -> Result<i64, Refusal> {
        let backend = self.containers[container].type1_mut();
        if backend.version == Version::V1 {
            return Err(rules::DIRTY_V1.refuse(Errno::EACCES));
        }
        let header = Header::read(buffer)?;
        if header.argsz < DIRTY_HEADER_BYTES as u32 {
            let conflict = Conflict::Short { got: u64::from(header.argsz), needs: 8 };
            return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
        }
        match header.flags {
            dirty::START => backend.start_tracking(),
            dirty::STOP => backend.stop_tracking(),
            dirty::GET_BITMAP => self.get_dirty(pid, container, header.argsz, buffer, memory)?,
            flags => {
                let conflict = Conflict::Unknown(u64::from(flags));
                return Err(rules::FLAGS_UNKNOWN.refuse_for(Errno::EINVAL, conflict));
            }
        }
        Ok(0)
    }

    fn get_dirty(
        &mut self,
        pid: Pid,
        container: usize,
        argsz: u32,
        buffer: &Buffer,
        memory: &mut Memory,
    ) -> Result<(), Refusal> {
        let needs = (DIRTY_HEADER_BYTES + DIRTY_RANGE_BYTES) as u64;
        if u64::from(argsz) < needs {
            let conflict = Conflict::Short { got: u64::from(argsz), needs };
            return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
        }
        let request = DirtyRange::read(buffer)?;
        let refused = || rules::DIRTY_RANGE.refuse(Errno::EINVAL);
        if request.iova.checked_add(request.size).is_none() {
            // measured on 6.1 and 6.12: an end at 2^64 exactly is refused too.
            return Err(refused());
        }
        self.judge_bitmap(&request.bitmap, request.size)?;
        let backend = self.containers[container].type1();
        let page = backend.smallest_page();
        judge_page_size(&request.bitmap, page)?;
        let range = Span::from_size(Iova::new(request.iova), request.size).ok_or_else(refused)?;
        if !page.divides(request.iova) || !page.divides(request.size) {
            return Err(refused());
        }
        if !backend.tracking_dirty {
            return Err(rules::DIRTY_NOT_STARTED.refuse(Errno::EINVAL));
        }
        if let Some(slot) = backend.bisected_by(range) {
            return Err(rules::UNMAP_BISECTS.refuse_for(Errno::EINVAL, Conflict::Slot(slot)));
        }
        let overlapping: Vec<_> = backend.slots.overlapping(range).collect();
        for (id, span) in overlapping {
            let data = request.bitmap.data;
            self.report_dirty(pid, container, id, span, range.start(), data, memory)?;
            if let Some(bits) = self.slot_bitmap(container, id) {
                bits.assign(Bits::Clear);
            }
        }
        Ok(())
    }

    fn slot_bitmap(&mut self, container: usize, id: SlotId) -> Option<&mut SlotBitmap> {
        let backend = self.containers[container].backend.as_mut()?;
        backend.slots.get_mut(id)?.bitmap.as_mut()
    }

    /// Writes the bits of one mapping into the caller's bitmap, whose bit 0 represents `base`.
    #[expect(clippy::too_many_arguments, reason = "one mapping of one container, one caller")]
    pub(super) fn report_dirty(
        &mut self,
        pid: Pid,
        container: usize,
        id: SlotId,
        span: Span<Iova>,
        base: Iova,
        data: UserAddr,
        memory: &mut Memory,
    ) -> Result<(), Refusal> {
        let backend = self.containers[container].type1();
        let page = backend.smallest_page();
        let offset = span.start().offset_from(base).unwrap_or(0) >> page.lg2();
        let (word, shift) = (offset / 64, (offset % 64) as u32);
        let at = UserAddr::new(data.get().wrapping_add(word * 8));
        let Some(bits) = self.slot_bitmap(container, id) else { return Ok(()) };
        // Every pinned page is dirty, also of READ-only mappings (measured on 6.1 and 6.12).
        bits.assign(Bits::Set);
        let fault = rules::DIRTY_BITMAP_FAULT.refuse_for(Errno::EFAULT, Conflict::User(at));
        if shift > 0 {
            bits.shift_up(shift);
            let mut below = [0; 8];
            self.processes.read(pid, at, &mut below, memory).map_err(|_| fault)?;
            if let Some(bits) = self.slot_bitmap(container, id) {
                bits.words[0] |= u64::from_le_bytes(below);
            }
        }
        let Some(bits) = self.slot_bitmap(container, id) else { return Ok(()) };
        let words = bits.words_with(shift);
        let bytes: Vec<u8> =
            bits.words[..words].iter().flat_map(|word| word.to_le_bytes()).collect();
        self.processes.write(pid, at, &bytes, &mut self.frames, memory).map_err(|_| fault)
    }
}

impl Type1 {
    fn start_tracking(&mut self) {
        if self.tracking_dirty {
            return;
        }
        self.tracking_dirty = true;
        let page = self.smallest_page();
        let spans: Vec<_> = self.slots.iter().map(|(id, span, _)| (id, span)).collect();
        for (id, span) in spans {
            let pages = (span.size_minus_one() >> page.lg2()) + 1;
            if let Some(slot) = self.slots.get_mut(id) {
                slot.bitmap = Some(SlotBitmap::new(pages));
            }
        }
    }

    fn stop_tracking(&mut self) {
        self.tracking_dirty = false;
        let ids: Vec<_> = self.slots.iter().map(|(id, ..)| id).collect();
        for id in ids {
            if let Some(slot) = self.slots.get_mut(id) {
                slot.bitmap = None;
            }
        }
    }
}
