//! User memory, as the process and the kernel on its behalf access it.
//!
//! Reading populates no pages: a page that was never written reads 0. Writing does. A fault in the
//! middle leaves the bytes before it copied, as the kernel's own copying does.

use super::fault::{AddressSpace, Cause, Fault, Pages, Ram};
use super::file_pages::Cached;
use super::pin::PinAccess;
use super::{Area, AreaKind, FileId, Pid, Processes};
use passim_model::{Frames, Memory, PhysAddr, Refusal, Span, UserAddr};

/// The target of a user address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Resolved {
    /// RAM at this address.
    Ram(PhysAddr),
    /// A page that is not present, and reads 0.
    Untouched,
    /// A device register at this address.
    Device(PhysAddr),
}

/// The area at `at`, if it allows the access.
pub(super) fn allowed(
    space: &AddressSpace,
    at: UserAddr,
    access: PinAccess,
) -> Result<Area, Fault> {
    let area = space.areas.find(at);
    let area = area.ok_or(Fault { address: at, cause: Cause::NoArea })?;
    if !area.allows(access) {
        return Err(Fault { address: at, cause: Cause::Protection });
    }
    Ok(*area)
}

impl Pages {
    /// The present target of `at` in `area`.
    fn resolve(&self, space: &AddressSpace, area: &Area, at: UserAddr) -> Result<Resolved, Cause> {
        let frame = match area.kind {
            AreaKind::Anonymous | AreaKind::HugeTlb { .. } => space.table.get(self.number(at)),
            AreaKind::File { number, offset } => {
                let index = self.index_in_file(area, offset, at);
                match self.cache.page(number, index, self.page) {
                    Cached::Present(frame) => Some(frame),
                    Cached::Hole => None,
                    Cached::BeyondEnd => return Err(Cause::BeyondEnd),
                }
            }
            AreaKind::Device { .. } if area.revoked => return Err(Cause::Device),
            AreaKind::Device { base, .. } => {
                let address = base.get().wrapping_add(area.offset_of(at));
                return Ok(Resolved::Device(PhysAddr::new(address)));
            }
        };
        Ok(frame.map_or(Resolved::Untouched, |frame| {
            Resolved::Ram(PhysAddr::new(frame.get() + at.offset_in(self.page.lg2())))
        }))
    }

    /// The lowest page of `part`, which is in `area`, that is in this frame.
    fn page_in(
        &self,
        space: &AddressSpace,
        area: &Area,
        part: Span<UserAddr>,
        frame: PhysAddr,
    ) -> Option<UserAddr> {
        let lg2 = self.page.lg2();
        match area.kind {
            AreaKind::Anonymous | AreaKind::HugeTlb { .. } => {
                let mut pages =
                    space.table.range(self.number(part.start()), self.number(part.last()));
                let (number, _) = pages.find(|(_, at)| *at == frame)?;
                Some(UserAddr::new(number << lg2))
            }
            AreaKind::File { number, offset } => {
                let first = self.index_in_file(area, offset, part.start());
                let last = self.index_in_file(area, offset, part.last());
                let index = self.cache.index_of(number, first..=last, frame, self.page)?;
                Some(UserAddr::new(part.start().align_down(lg2).get() + ((index - first) << lg2)))
            }
            AreaKind::Device { .. } => None,
        }
    }
}

/// Splits `len` bytes from `at` on at page boundaries: address and range of bytes of each piece.
/// The last address is `None` where the range leaves the address space.
fn pieces(
    at: UserAddr,
    len: usize,
    page: passim_model::PageSize,
) -> impl Iterator<Item = (Option<UserAddr>, core::ops::Range<usize>)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let start = done;
        let here = at.checked_add(done as u64);
        let room = here.map_or(u64::MAX, |here| page.bytes() - here.offset_in(page.lg2()));
        done += (len - done).min(usize::try_from(room).unwrap_or(usize::MAX));
        Some((here, start..done))
    })
}

/// The fault of an access that leaves the address space.
fn beyond() -> Fault {
    Fault { address: UserAddr::new(u64::MAX), cause: Cause::NoArea }
}

impl Processes {
    /// Whether all of the `len` bytes from `at` on are user addresses, mapped or not.
    pub fn access_ok(&self, at: UserAddr, len: u64) -> bool {
        let limit = u128::from(self.last_user.get()) + 1;
        u128::from(at.get()) + u128::from(len) <= limit
    }

    /// The target of `at`, if the process may access it this way. Populates no pages.
    ///
    /// # Errors
    /// [`Fault`] if nothing is mapped there, or not with this access.
    pub fn resolve(&self, pid: Pid, at: UserAddr, access: PinAccess) -> Result<Resolved, Fault> {
        let process = self.get(pid).ok_or(Fault { address: at, cause: Cause::NoArea })?;
        let area = allowed(&process.space, at, access)?;
        let resolved = self.pages.resolve(&process.space, &area, at);
        resolved.map_err(|cause| Fault { address: at, cause })
    }

    /// The physical address of the frame that contains `at`, whatever the area allows; `None`
    /// unless the page is present and in RAM.
    pub fn frame_of(&self, pid: Pid, at: UserAddr) -> Option<PhysAddr> {
        let space = &self.get(pid)?.space;
        match self.pages.resolve(space, space.areas.find(at)?, at) {
            Ok(Resolved::Ram(address)) => Some(address.align_down(self.pages.page.lg2())),
            _ => None,
        }
    }

    /// The lowest page in `span` that the process can read and that is in this frame. Its cost is
    /// the number of pages present there.
    pub fn page_in(&self, pid: Pid, span: Span<UserAddr>, frame: PhysAddr) -> Option<UserAddr> {
        let space = &self.get(pid)?.space;
        let readable = |area: &&Area| area.allows(PinAccess::Read);
        space.areas.overlapping(span).filter(readable).find_map(|area| {
            let first = area.span.start().max(span.start());
            self.pages.page_in(
                space,
                area,
                Span::new(first, area.span.last().min(span.last()))?,
                frame,
            )
        })
    }

    /// Revokes registers from every process that has mapped them through one of these files.
    pub(crate) fn revoke(&mut self, registers: Span<PhysAddr>, of: impl Fn(FileId) -> bool) {
        for process in self.list.iter_mut().flatten() {
            process.space.areas.revoke(registers, &of);
        }
    }

    /// Device areas in the `pages` from `at` on, ascending: the number of pages before each, and
    /// its file.
    pub(crate) fn device_files(
        &self,
        pid: Pid,
        at: UserAddr,
        pages: u64,
    ) -> impl Iterator<Item = (u64, FileId)> + '_ {
        let lg2 = self.pages.page.lg2();
        let first = at.align_down(lg2);
        let span = pages.checked_mul(self.pages.page.bytes());
        let span = span.and_then(|len| Span::from_size(first, len));
        let areas = self.get(pid).zip(span).into_iter();
        let areas = areas.flat_map(|(process, span)| process.space.areas.overlapping(span));
        areas.filter_map(move |area| match area.kind {
            AreaKind::Device { file, .. } => {
                Some((area.span.start().offset_from(first).unwrap_or(0) >> lg2, file))
            }
            _ => None,
        })
    }

    /// Reads user memory; returns how many bytes were read before a fault.
    fn read_until_fault(
        &self,
        pid: Pid,
        at: UserAddr,
        bytes: &mut [u8],
        memory: &Memory,
    ) -> (usize, Option<Fault>) {
        for (here, range) in pieces(at, bytes.len(), self.pages.page) {
            let done = range.start;
            let Some(here) = here else { return (done, Some(beyond())) };
            let fault = |cause| (done, Some(Fault { address: here, cause }));
            match self.resolve(pid, here, PinAccess::Read) {
                Ok(Resolved::Ram(frame)) => {
                    if memory.read(frame, &mut bytes[range]).is_err() {
                        return fault(Cause::NoFrame);
                    }
                }
                Ok(Resolved::Untouched) => bytes[range].fill(0),
                Ok(Resolved::Device(_)) => return fault(Cause::Device),
                Err(fault) => return (done, Some(fault)),
            }
        }
        (bytes.len(), None)
    }

    /// Reads user memory.
    ///
    /// # Errors
    /// EFAULT by `user-fault` at the first byte that cannot be read, such as a device register;
    /// `bytes` then contains the bytes before it.
    pub fn read(
        &self,
        pid: Pid,
        at: UserAddr,
        bytes: &mut [u8],
        memory: &Memory,
    ) -> Result<(), Refusal> {
        match self.read_until_fault(pid, at, bytes, memory) {
            (_, Some(fault)) => Err(fault.into()),
            (_, None) => Ok(()),
        }
    }

    /// Up to `most` bytes from `at` on, as far as they can be read.
    pub fn read_prefix(&self, pid: Pid, at: UserAddr, most: usize, memory: &Memory) -> Vec<u8> {
        let mut bytes = vec![0; most];
        let (done, _) = self.read_until_fault(pid, at, &mut bytes, memory);
        bytes.truncate(done);
        bytes
    }

    /// Writes user memory.
    ///
    /// # Errors
    /// EFAULT by `user-fault` at the first byte that cannot be written, such as a device register,
    /// ENOMEM by `no-free-frame`; bytes before it are written.
    pub fn write(
        &mut self,
        pid: Pid,
        at: UserAddr,
        bytes: &[u8],
        frames: &mut Frames,
        memory: &mut Memory,
    ) -> Result<(), Refusal> {
        let page = self.pages.page;
        let mut ram = Ram { frames, memory };
        for (here, range) in pieces(at, bytes.len(), page) {
            let here = here.ok_or_else(beyond)?;
            let (pages, process) =
                self.parts(pid).ok_or(Fault { address: here, cause: Cause::NoArea })?;
            let area = allowed(&process.space, here, PinAccess::Write)?;
            let fault = |cause| Fault { address: here, cause };
            let frame = pages.writable(&mut process.space, &area, here, &mut ram);
            let frame = frame.map_err(fault)?;
            let target = PhysAddr::new(frame.get() + here.offset_in(page.lg2()));
            ram.memory.write(target, &bytes[range]).map_err(|_| fault(Cause::NoFrame))?;
        }
        Ok(())
    }

    /// The process writes every page that contains one of the `len` bytes from `at` on: the page's
    /// own address into the first eight bytes, 0 into the rest. Pages are the CPU's, also inside
    /// huge pages.
    ///
    /// # Errors
    /// As [`Processes::write`]; pages before the fault are written.
    pub fn touch(
        &mut self,
        pid: Pid,
        at: UserAddr,
        len: u64,
        frames: &mut Frames,
        memory: &mut Memory,
    ) -> Result<(), Refusal> {
        let Some(size) = len.checked_sub(1) else { return Ok(()) };
        let page = self.pages.page;
        let last = at.checked_add(size).ok_or_else(beyond)?;
        let mut next = Some(at.align_down(page.lg2()));
        let nobody = Fault { address: at, cause: Cause::NoArea };
        let (pages, process) = self.parts(pid).ok_or(nobody)?;
        let mut ram = Ram { frames, memory };
        while let Some(start) = next.filter(|start| *start <= last) {
            let area = allowed(&process.space, start, PinAccess::Write)?;
            let until = area.span.last().min(last);
            for number in pages.number(start)..=pages.number(until) {
                let here = UserAddr::new(number << page.lg2());
                let fault = |cause| Fault { address: here, cause };
                let frame = pages.writable(&mut process.space, &area, here, &mut ram);
                let frame = frame.map_err(fault)?;
                let zeroed = Span::from_size(frame, page.bytes()).is_some_and(|span| {
                    ram.memory.zero(span).is_ok() && ram.memory.store_u64(frame, here.get()).is_ok()
                });
                if !zeroed {
                    return Err(fault(Cause::NoFrame).into());
                }
            }
            next = area.span.last().checked_add(1);
        }
        Ok(())
    }
}
