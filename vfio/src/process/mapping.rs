//! mmap, munmap and mprotect; the length of plain files; and planned placement of pages.
//!
//! Not here: the contents of a page when it is populated (`fault`).

use super::areas::Reached;
use super::fault::{Misplaced, Ram};
use super::{AreaKind, Pid, Processes, rules};
use crate::call::Protection;
use crate::process::FileId;
use passim_model::{Conflict, Errno, Frames, Memory, PageSize, PhysAddr, Refusal, Span, UserAddr};

/// Why a page was not moved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum NotMoved {
    /// There is no page at the address, or not a private one.
    #[error("no private page is there")]
    NoPage,
    /// It is pinned, or another process shares it.
    #[error("the page is pinned or shared")]
    Held,
    /// The new frame is in use, no RAM, or not set aside.
    #[error("the frame cannot be taken")]
    Occupied,
}

fn misaligned(value: u64, size: PageSize) -> Refusal {
    rules::MMAP_RANGE.refuse_for(Errno::EINVAL, Conflict::Misaligned { value, size })
}

impl Processes {
    /// The whole pages that contain `len` bytes from `at` on; `None` if they leave the user address
    /// space, or `len` is 0.
    fn user_pages(&self, at: UserAddr, len: u64) -> Option<Span<UserAddr>> {
        let mask = self.pages.page.mask();
        let span = Span::from_size(at, len.checked_add(mask)? & !mask)?;
        (span.last() <= self.last_user).then_some(span)
    }

    /// `mmap(MAP_FIXED)`: maps an area at `at`, replacing existing ones. The file of
    /// [`AreaKind::Device`] comes with one reference, which the area keeps; returns the references
    /// that the replaced areas give up.
    ///
    /// # Errors
    /// EINVAL by `mmap-range` and `huge-page-split`, ENOMEM by `mmap-outside`; the areas are then
    /// unchanged.
    pub fn mmap(
        &mut self,
        pid: Pid,
        at: UserAddr,
        len: u64,
        prot: Protection,
        kind: AreaKind,
        frames: &mut Frames,
    ) -> Result<Vec<FileId>, Refusal> {
        let page = self.pages.page;
        if len == 0 {
            return Err(rules::MMAP_RANGE.refuse(Errno::EINVAL));
        }
        let mut unit = page;
        if let AreaKind::HugeTlb { lg2 } = kind {
            let known = PageSize::from_lg2(lg2).filter(|size| *size >= page);
            let unknown = Conflict::Unknown(u64::from(lg2));
            unit = known.ok_or(rules::MMAP_RANGE.refuse_for(Errno::EINVAL, unknown))?;
            if !unit.divides(len) {
                return Err(misaligned(len, unit));
            }
        }
        if !unit.divides(at.get()) {
            return Err(misaligned(at.get(), unit));
        }
        if let AreaKind::File { offset, .. } = kind
            && !page.divides(offset)
        {
            return Err(misaligned(offset, page));
        }
        let outside = rules::MMAP_OUTSIDE.refuse_for(Errno::ENOMEM, Conflict::User(at));
        let span = self.user_pages(at, len).ok_or(outside)?;
        let dropped = self.unmap(pid, span, frames)?;
        self.parts_or_refuse(pid)?.1.space.areas.insert(span, prot, kind);
        Ok(dropped)
    }

    /// `munmap`: removes the areas in the range; pinned pages stay with the device. Returns the
    /// file references given up.
    ///
    /// # Errors
    /// EINVAL by `mmap-range`, `mmap-outside` and `huge-page-split`; the areas are then unchanged.
    pub fn munmap(
        &mut self,
        pid: Pid,
        at: UserAddr,
        len: u64,
        frames: &mut Frames,
    ) -> Result<Vec<FileId>, Refusal> {
        let page = self.pages.page;
        if !page.divides(at.get()) {
            return Err(misaligned(at.get(), page));
        }
        if len == 0 {
            return Err(rules::MMAP_RANGE.refuse(Errno::EINVAL));
        }
        let outside = rules::MMAP_OUTSIDE.refuse_for(Errno::EINVAL, Conflict::User(at));
        let span = self.user_pages(at, len).ok_or(outside)?;
        self.unmap(pid, span, frames)
    }

    /// Removes areas, their private pages, and their count of locked pages.
    fn unmap(
        &mut self,
        pid: Pid,
        span: Span<UserAddr>,
        frames: &mut Frames,
    ) -> Result<Vec<FileId>, Refusal> {
        let (pages, process) = self.parts_or_refuse(pid)?;
        if process.space.areas.splits_huge_page(span) {
            let conflict = Conflict::User(span.start());
            return Err(rules::HUGE_PAGE_SPLIT.refuse_for(Errno::EINVAL, conflict));
        }
        let removed = process.space.areas.remove(span);
        for area in removed.areas {
            if area.locked {
                let locked = process.locked_pages.wrapping_sub(area.pages(pages.page));
                process.locked_pages = locked;
            }
            let (first, last) = (pages.number(area.span.start()), pages.number(area.span.last()));
            pages.release(&mut process.space, first, last, frames);
        }
        Ok(removed.files)
    }

    /// `mprotect`.
    ///
    /// # Errors
    /// EINVAL by `mmap-range` and `huge-page-split`; ENOMEM by `mmap-outside`, and by
    /// `range-has-hole` after the areas before the hole were changed.
    pub fn mprotect(
        &mut self,
        pid: Pid,
        at: UserAddr,
        len: u64,
        prot: Protection,
    ) -> Result<i64, Refusal> {
        let page = self.pages.page;
        if !page.divides(at.get()) {
            return Err(misaligned(at.get(), page));
        }
        if len == 0 {
            return Ok(0);
        }
        let outside = rules::MMAP_OUTSIDE.refuse_for(Errno::ENOMEM, Conflict::User(at));
        let span = self.user_pages(at, len).ok_or(outside)?;
        let (_, process) = self.parts_or_refuse(pid)?;
        if process.space.areas.splits_huge_page(span) {
            return Err(rules::HUGE_PAGE_SPLIT.refuse_for(Errno::EINVAL, Conflict::User(at)));
        }
        match process.space.areas.change(span, |area| area.prot = prot) {
            Reached::End => Ok(0),
            Reached::Hole(at) => {
                Err(rules::RANGE_HAS_HOLE.refuse_for(Errno::ENOMEM, Conflict::User(at)))
            }
        }
    }

    /// Length of a plain file in bytes; 0 if none was set.
    pub fn file_len(&self, number: usize) -> u64 {
        self.pages.cache.len(number)
    }

    /// Changes the length of a plain file to `len` bytes. Pages beyond it are unmapped from every
    /// process, but not from devices; the rest of the last page reads 0.
    pub fn truncate(&mut self, number: usize, len: u64, frames: &mut Frames, memory: &mut Memory) {
        let pages = &mut self.pages;
        let end = pages.cache.truncate(number, len, pages.page, &mut pages.uses, frames);
        let Some((frame, kept)) = end else { return };
        let rest = Span::new(
            PhysAddr::new(frame.get() + kept),
            PhysAddr::new(frame.get() + pages.page.mask()),
        );
        let zeroed = rest.map(|rest| memory.zero(rest));
        debug_assert!(zeroed.is_none_or(|zeroed| zeroed.is_ok()), "{frame} is RAM");
    }

    /// Plans that the `pages` pages from `at` on of this process are placed in the frames from
    /// `frame` on when each is next populated. A frame must be RAM, set aside in the page
    /// allocator, and free at that moment; a page without such a frame is placed anywhere, and
    /// [listed](Self::take_misplaced). A huge page follows its plan only if all of it is planned in
    /// one aligned run.
    pub fn plan(&mut self, pid: Pid, at: UserAddr, frame: PhysAddr, pages: u64) {
        let lg2 = self.pages.page.lg2();
        if let Some((_, process)) = self.parts(pid) {
            process.space.plan.add(at.get() >> lg2, pages, frame.get() >> lg2);
        }
    }

    /// Takes the pages that were not placed as planned.
    pub fn take_misplaced(&mut self) -> Vec<Misplaced> {
        std::mem::take(&mut self.pages.misplaced)
    }

    /// Moves a private page that is neither pinned nor shared, with its contents, to another frame,
    /// as compaction does. Does nothing if it is there already.
    ///
    /// # Errors
    /// [`NotMoved`]; the page is then unchanged.
    pub fn migrate(
        &mut self,
        pid: Pid,
        at: UserAddr,
        to: PhysAddr,
        frames: &mut Frames,
        memory: &mut Memory,
    ) -> Result<(), NotMoved> {
        let (pages, process) = self.parts(pid).ok_or(NotMoved::NoPage)?;
        let number = pages.number(at);
        let from = process.space.table.get(number).ok_or(NotMoved::NoPage)?;
        let to = to.align_down(pages.page.lg2());
        if from == to {
            return Ok(());
        }
        if pages.uses.is_shared(from) || pages.uses.pins(from) > 0 {
            return Err(NotMoved::Held);
        }
        if !pages.can_take(to, frames) {
            return Err(NotMoved::Occupied);
        }
        let mut ram = Ram { frames, memory };
        ram.copy(from, to, pages.page).map_err(|_| NotMoved::Occupied)?;
        pages.uses.add_mapping(to);
        process.space.table.set(number, to);
        pages.uses.drop_mapping(from, ram.frames);
        Ok(())
    }
}
