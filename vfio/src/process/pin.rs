//! Pinning: translates a user address to a physical one, and keeps its page there until it is
//! unpinned.
//!
//! The rules are those of `pin_user_pages(FOLL_LONGTERM)` as VFIO uses it, and of its fall-back for
//! device memory. Not here: limits, which the caller checks with
//! [`Processes::charge`](super::Processes::charge).

use super::access::allowed;
use super::areas::{Area, AreaKind};
use super::fault::{AddressSpace, Cause, Fault, Met, Pages, Ram};
use super::{Pid, Process, Processes};
use passim_model::{Frames, Memory, PhysAddr, UserAddr};

/// The access that a page is pinned for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PinAccess {
    /// Only reads.
    Read,
    /// Reads and writes.
    Write,
}

/// Physically contiguous pages that were pinned together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Run {
    /// Physical address of the first frame.
    pub frame: PhysAddr,
    /// Number of pages of the CPU's size; at least 1.
    pub pages: u64,
    /// Whether they count as locked memory. The shared zero page and device memory do not; they
    /// have no reference count, and unpinning them does nothing.
    pub counted: bool,
}

impl Processes {
    /// Pins the page at `at`, and as many of the following as are physically contiguous and count
    /// alike, up to `most` in all (0 means 1). Stops before a page that cannot be pinned. Pages
    /// that it looked at may have been populated.
    ///
    /// # Errors
    /// [`Fault`] if the first page cannot be pinned; nothing is pinned then.
    pub fn pin_run(
        &mut self,
        pid: Pid,
        at: UserAddr,
        most: u64,
        access: PinAccess,
        frames: &mut Frames,
        memory: &mut Memory,
    ) -> Result<Run, Fault> {
        let (pages, process) =
            self.parts(pid).ok_or(Fault { address: at, cause: Cause::NoArea })?;
        let mut ram = Ram { frames, memory };
        let area = pinnable(&process.space, at, access)?;
        let mut run = pin_first(pages, process, &area, at, access, &mut ram)
            .map_err(|cause| Fault { address: at, cause })?;
        while run.pages < most {
            let more = extend(pages, process, &run, at, most, access, &mut ram);
            if more == 0 {
                break;
            }
            run.pages += more;
        }
        Ok(run)
    }

    /// Drops one pin of the page at this physical address. Returns `false` for a frame without
    /// pins.
    pub fn unpin(&mut self, frame: PhysAddr, frames: &mut Frames) -> bool {
        self.pages.uses.unpin(frame.align_down(self.pages.page.lg2()), frames)
    }

    /// Number of pins of the frame at this physical address.
    pub fn pins(&self, frame: PhysAddr) -> u32 {
        self.pages.uses.pins(frame.align_down(self.pages.page.lg2()))
    }
}

/// The area at `at`, if it may be pinned.
fn pinnable(space: &AddressSpace, at: UserAddr, access: PinAccess) -> Result<Area, Fault> {
    let area = allowed(space, at, access)?;
    match area.lets_pin(access) {
        true => Ok(area),
        false => Err(Fault { address: at, cause: Cause::Protection }),
    }
}

/// Pins the page at `at`.
fn pin_first(
    pages: &mut Pages,
    process: &mut Process,
    area: &Area,
    at: UserAddr,
    access: PinAccess,
    ram: &mut Ram<'_>,
) -> Result<Run, Cause> {
    // A page that is present and unshared needs no populating.
    let present = match area.kind {
        AreaKind::Anonymous | AreaKind::HugeTlb { .. } => process.space.table.get(pages.number(at)),
        AreaKind::File { .. } | AreaKind::Device { .. } => None,
    };
    if let Some(frame) = present
        && pages.uses.pin_unshared(frame, 1) == 1
    {
        return Ok(Run { frame, pages: 1, counted: true });
    }
    match pages.meet(&mut process.space, area, at, access, ram)? {
        Met::Frame(frame) => {
            pages.uses.pin(frame);
            Ok(Run { frame, pages: 1, counted: true })
        }
        Met::Reserved(frame) => Ok(Run { frame, pages: 1, counted: false }),
    }
}

/// Pins pages that continue `run`, which starts at `at`; returns how many, 0 for none.
fn extend(
    pages: &mut Pages,
    process: &mut Process,
    run: &Run,
    at: UserAddr,
    most: u64,
    access: PinAccess,
    ram: &mut Ram<'_>,
) -> u64 {
    let lg2 = pages.page.lg2();
    // Both sums stay in range: the pages so far were mapped, and the frames are in memory.
    let len = run.pages << lg2;
    let (Some(here), Some(expected)) = (at.checked_add(len), run.frame.checked_add(len)) else {
        return 0;
    };
    let Ok(area) = pinnable(&process.space, here, access) else { return 0 };
    let left = (most - run.pages).min(pages_left(&area, here, lg2));
    match area.kind {
        AreaKind::Device { .. } if area.revoked => 0,
        AreaKind::Device { base, .. } => {
            let frame = base.get().wrapping_add(area.offset_of(here));
            if run.counted || PhysAddr::new(frame).align_down(lg2) != expected { 0 } else { left }
        }
        _ if !run.counted => 0,
        AreaKind::Anonymous | AreaKind::HugeTlb { .. } => {
            let number = pages.number(here);
            let present = process.space.table.contiguous(number, expected, lg2, left);
            match pages.uses.pin_unshared(expected, present) {
                0 => match process.space.table.get(number) {
                    Some(elsewhere) if !pages.uses.is_shared(elsewhere) => 0,
                    // It will be populated or copied, and may be placed contiguously.
                    _ => pin_if(pages, process, &area, here, expected, access, ram),
                },
                pinned => pinned,
            }
        }
        AreaKind::File { .. } => pin_if(pages, process, &area, here, expected, access, ram),
    }
}

/// Number of pages of `area` from the one that contains `at` on.
fn pages_left(area: &Area, at: UserAddr, lg2: u32) -> u64 {
    (area.span.last().get() >> lg2) - (at.get() >> lg2) + 1
}

/// Pins the page at `at` if it lies in frame `expected`; returns 1 then, else 0.
fn pin_if(
    pages: &mut Pages,
    process: &mut Process,
    area: &Area,
    at: UserAddr,
    expected: PhysAddr,
    access: PinAccess,
    ram: &mut Ram<'_>,
) -> u64 {
    match pages.meet(&mut process.space, area, at, access, ram) {
        Ok(Met::Frame(frame)) if frame == expected => {
            pages.uses.pin(frame);
            1
        }
        _ => 0,
    }
}
