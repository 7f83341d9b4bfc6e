//! Locked memory: the pages that mlock locks and those that pinning charges, against one limit.
//!
//! Not here: which pages VFIO charges (type1).

use super::areas::{AreaKind, Locking, Reached};
use super::fault::Ram;
use super::{Capabilities, Pid, PinAccess, Processes, rules};
use passim_model::{Conflict, Errno, Frames, Memory, Refusal, Span, UserAddr};

/// A charge that would exceed RLIMIT_MEMLOCK. Both in pages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LimitExceeded {
    /// The limit, rounded down to whole pages.
    pub limit: u64,
    /// Number of pages that the process would have locked.
    pub wanted: u64,
}

/// The refusal of a range that reaches beyond the last address.
fn wraps(at: UserAddr) -> Refusal {
    rules::MMAP_OUTSIDE.refuse_for(Errno::EINVAL, Conflict::User(at))
}

impl Processes {
    /// Counts `pages` as locked by the process. With `ipc_lock` (the caller holds CAP_IPC_LOCK)
    /// they are counted but not limited. Does nothing for a process that has ended.
    ///
    /// # Errors
    /// [`LimitExceeded`]; nothing is counted then. Charging 0 pages never exceeds a limit.
    pub fn charge(&mut self, pid: Pid, pages: u64, ipc_lock: bool) -> Result<(), LimitExceeded> {
        let Some((_, process)) = self.parts(pid) else { return Ok(()) };
        let wanted = process.locked_pages.wrapping_add(pages);
        let limit = process.memlock_pages();
        // The kernel compares before every page, so a count below zero exceeds any limit at once.
        let exceeds = wanted > limit || process.locked_pages.wrapping_add(1) > limit;
        if pages > 0 && exceeds && !ipc_lock {
            return Err(LimitExceeded { limit, wanted });
        }
        process.locked_pages = wanted;
        Ok(())
    }

    /// Reverses a charge of `pages`. Does nothing for a process that has ended. The count of a process
    /// that reverses [another's charge](crate::policy::LockedMemory::Caller) drops below zero, modulo
    /// 2^64 as the kernel's `locked_vm` does.
    pub fn uncharge(&mut self, pid: Pid, pages: u64) {
        if let Some((_, process)) = self.parts(pid) {
            process.locked_pages = process.locked_pages.wrapping_sub(pages);
        }
    }

    /// `setrlimit(RLIMIT_MEMLOCK)`: the soft limit, in bytes.
    ///
    /// # Errors
    /// EINVAL by `no-process`.
    pub fn set_memlock(&mut self, pid: Pid, bytes: u64) -> Result<i64, Refusal> {
        self.parts_or_refuse(pid)?.1.memlock = bytes;
        Ok(0)
    }

    /// Gives up CAP_IPC_LOCK for good.
    ///
    /// # Errors
    /// EINVAL by `no-process`.
    pub fn drop_ipc_lock(&mut self, pid: Pid) -> Result<i64, Refusal> {
        self.parts_or_refuse(pid)?.1.capabilities.remove(Capabilities::IPC_LOCK);
        Ok(0)
    }

    /// The whole pages that contain the `len` bytes from `at` on, as mlock and munlock round them:
    /// their start and size in bytes, which may reach beyond the last address. `None` for no page.
    fn lock_range(&self, at: UserAddr, len: u64) -> Option<(UserAddr, u64)> {
        let page = self.pages.page;
        let start = at.align_down(page.lg2());
        // Linux adds before it checks for a wrap: a sum that wraps to 0 is no page.
        let sum = len.wrapping_add(at.offset_in(page.lg2())).wrapping_add(page.mask());
        let size = sum & !page.mask();
        (size != 0).then_some((start, size))
    }

    /// `mlock`: populates the pages and counts them as locked, once each, however often they are
    /// locked.
    ///
    /// # Errors
    /// EPERM by `mlock-not-allowed`; ENOMEM by `memlock-limit`, nothing counted then; EINVAL by
    /// `mmap-outside` for a range that wraps; ENOMEM by `range-has-hole` and `mlock-populate`, after
    /// locking as far as possible.
    // 6.12 mm/mlock.c, do_mlock: the limit comes before the wrap.
    pub fn mlock(
        &mut self,
        pid: Pid,
        at: UserAddr,
        len: u64,
        frames: &mut Frames,
        memory: &mut Memory,
    ) -> Result<i64, Refusal> {
        let page = self.pages.page;
        let range = self.lock_range(at, len);
        let (_, process) = self.parts_or_refuse(pid)?;
        if process.memlock == 0 && !process.ipc_lock() {
            return Err(rules::MLOCK_NOT_ALLOWED.refuse(Errno::EPERM));
        }
        let (start, size) = range.unwrap_or((at, 0));
        let span = Span::from_size(start, size);
        let asked = size >> page.lg2();
        let counted = span.or(Span::new(start, UserAddr::new(u64::MAX))).filter(|_| size != 0);
        let again = counted.map_or(0, |it| process.space.areas.locked_pages(it, page));
        let wanted = process.locked_pages.wrapping_add(asked - again);
        let limit = process.memlock_pages();
        if wanted > limit && !process.ipc_lock() {
            let conflict = Conflict::Limit { limit, wanted };
            return Err(rules::MEMLOCK_LIMIT.refuse_for(Errno::ENOMEM, conflict));
        }
        if size == 0 {
            return Ok(0);
        }
        let span = span.ok_or_else(|| wraps(at))?;
        let (pages, reached) = process.space.areas.set_locking(span, Locking::Lock, page);
        process.locked_pages = process.locked_pages.wrapping_add(pages);
        if let Reached::Hole(hole) = reached {
            return Err(rules::RANGE_HAS_HOLE.refuse_for(Errno::ENOMEM, Conflict::User(hole)));
        }
        self.populate(pid, span, &mut Ram { frames, memory })?;
        Ok(0)
    }

    /// Populates every page of locked areas. A read-only page maps to the zero page, which has no
    /// visible effect.
    fn populate(
        &mut self,
        pid: Pid,
        span: Span<UserAddr>,
        ram: &mut Ram<'_>,
    ) -> Result<(), Refusal> {
        let (pages, process) = self.parts_or_refuse(pid)?;
        let refusal = |at| rules::MLOCK_POPULATE.refuse_for(Errno::ENOMEM, Conflict::User(at));
        let areas: Vec<_> = process.space.areas.overlapping(span).copied().collect();
        for area in areas {
            let Some(common) = area.span.intersection(span) else { continue };
            if !area.allows(PinAccess::Read) {
                return Err(refusal(common.start()));
            }
            let is_device = matches!(area.kind, AreaKind::Device { .. });
            if is_device || !area.allows(PinAccess::Write) {
                continue;
            }
            for number in pages.number(common.start())..=pages.number(common.last()) {
                let at = UserAddr::new(number << pages.page.lg2());
                let made = pages.writable(&mut process.space, &area, at, ram);
                made.map_err(|_| refusal(at))?;
            }
        }
        Ok(())
    }

    /// `munlock`.
    ///
    /// # Errors
    /// ENOMEM by `range-has-hole`; pages before the hole are unlocked.
    pub fn munlock(&mut self, pid: Pid, at: UserAddr, len: u64) -> Result<i64, Refusal> {
        let page = self.pages.page;
        let range = self.lock_range(at, len);
        let (_, process) = self.parts_or_refuse(pid)?;
        let Some((start, size)) = range else { return Ok(0) };
        let span = Span::from_size(start, size).ok_or_else(|| wraps(at))?;
        let (pages, reached) = process.space.areas.set_locking(span, Locking::Unlock, page);
        process.locked_pages = process.locked_pages.wrapping_sub(pages);
        match reached {
            Reached::End => Ok(0),
            Reached::Hole(at) => {
                Err(rules::RANGE_HAS_HOLE.refuse_for(Errno::ENOMEM, Conflict::User(at)))
            }
        }
    }
}
