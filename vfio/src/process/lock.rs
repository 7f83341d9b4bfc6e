//! Locked memory: what mlock locks and what pinning charges, against one limit.
//!
//! Not here: which pages VFIO charges for, which type1 decides as it pins.

use super::areas::{AreaKind, Locking, Reached};
use super::fault::Ram;
use super::{Capabilities, Pid, PinAccess, Processes, rules};
use passim_model::{Conflict, Errno, Frames, Memory, Refusal, Span, UserAddr};

/// A charge that would exceed RLIMIT_MEMLOCK. Both in pages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LimitExceeded {
    /// The limit, rounded down to whole pages.
    pub limit: u64,
    /// What the process would have locked.
    pub wanted: u64,
}

/// A range ends beyond the last address.
fn wraps(at: UserAddr) -> Refusal {
    rules::MMAP_OUTSIDE.refuse_for(Errno::EINVAL, Conflict::User(at))
}

impl Processes {
    /// Counts `pages` as locked by the process. `ipc_lock` says whether whoever asks holds
    /// CAP_IPC_LOCK: it is counted all the same then, but not limited. A process that has ended
    /// counts nothing.
    ///
    /// # Errors
    /// [`LimitExceeded`]; nothing is counted then. Charging nothing never exceeds a limit.
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

    /// Takes a charge of `pages` back. Nothing happens for a process that has ended. One that gives
    /// back what [another was charged](crate::policy::LockedMemory::Caller) counts below zero,
    /// modulo 2^64 as the kernel's `locked_vm` does.
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

    /// The whole pages that hold the `len` bytes from `at` on, as mlock and munlock round them: where
    /// they start, and how many bytes they are, though they may end beyond the last address. `None`
    /// for no page at all.
    fn lock_range(&self, at: UserAddr, len: u64) -> Option<(UserAddr, u64)> {
        let page = self.pages.page;
        let start = at.align_down(page.lg2());
        // Linux adds up before it looks for a wrap: a sum that wraps to 0 is no page.
        let sum = len.wrapping_add(at.offset_in(page.lg2())).wrapping_add(page.mask());
        let size = sum & !page.mask();
        (size != 0).then_some((start, size))
    }

    /// `mlock`: the pages are made present and count as locked, each once however often it is
    /// locked.
    ///
    /// # Errors
    /// EPERM by `mlock-not-allowed`; ENOMEM by `memlock-limit`, nothing counted then; EINVAL by
    /// `mmap-outside` for a range that wraps; ENOMEM by `range-has-hole` and `mlock-populate`, with
    /// what could be locked locked.
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
        let Some((start, size)) = range else { return Ok(0) };
        let span = Span::from_size(start, size);
        let asked = size >> page.lg2();
        let to_the_end = Span::new(start, UserAddr::new(u64::MAX));
        let again = span.or(to_the_end).map_or(0, |it| process.space.areas.locked_pages(it, page));
        let wanted = process.locked_pages.wrapping_add(asked - again);
        let limit = process.memlock_pages();
        if wanted > limit && !process.ipc_lock() {
            let conflict = Conflict::Limit { limit, wanted };
            return Err(rules::MEMLOCK_LIMIT.refuse_for(Errno::ENOMEM, conflict));
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

    /// Makes every page of locked areas present. What may only be read is present as the zero
    /// page, which makes no difference to anybody.
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
    /// ENOMEM by `range-has-hole`; what lies in front of the hole is unlocked.
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
