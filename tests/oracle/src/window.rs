//! The type1 container, page by page: every IOVA page that translates is one entry of a map.
//!
//! For: the answer (success or errno) of every MAP_DMA and UNMAP_DMA, the bytes an unmap reports,
//! and what each IOVA reaches afterwards. Rules as measured on Linux 6.1 and 6.12.
//! Not for: page tables ([`crate::leaves`], [`crate::walk`]), dirty bitmaps ([`crate::dirty`]),
//! groups and domains, other locked memory of a process (the caller passes the remaining budget).

use std::collections::BTreeMap;

use crate::{EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSPC, Stage, leaves::Mapping};

/// MAP_DMA flag: the device may read.
pub const MAP_READ: u32 = 1;
/// MAP_DMA flag: the device may write.
pub const MAP_WRITE: u32 = 2;
/// MAP_DMA flag: give an invalidated mapping a new user address; maps nothing.
pub const MAP_VADDR: u32 = 4;

/// UNMAP_DMA flag: report dirty pages. Only the combinations it forbids are checked in this room.
pub const UNMAP_GET_DIRTY: u32 = 1;
/// UNMAP_DMA flag: every mapping; `iova` and `size` must be 0.
pub const UNMAP_ALL: u32 = 2;
/// UNMAP_DMA flag: keep the mappings, invalidate their user addresses.
pub const UNMAP_VADDR: u32 = 4;

/// One past the last address of a 64-bit space.
const TOP: u128 = 1 << 64;

/// The two type1 interfaces; they treat a mapping that UNMAP_DMA's range splits differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// VFIO_TYPE1_IOMMU: a mapping that starts in the range is removed as a whole.
    V1,
    /// VFIO_TYPE1v2_IOMMU: splitting a mapping is refused.
    V2,
}

/// The arguments of MAP_DMA, from the caller's struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRequest {
    /// Size of the caller's struct in bytes; 32 are needed.
    pub argsz: u32,
    /// [`MAP_READ`], [`MAP_WRITE`], [`MAP_VADDR`].
    pub flags: u32,
    /// User address of the first byte.
    pub vaddr: u64,
    /// IOVA of the first byte.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
}

/// The arguments of UNMAP_DMA, from the caller's struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnmapRequest {
    /// Size of the caller's struct in bytes; 24 are needed.
    pub argsz: u32,
    /// [`UNMAP_GET_DIRTY`], [`UNMAP_ALL`], [`UNMAP_VADDR`].
    pub flags: u32,
    /// IOVA of the first byte.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
}

/// How a user page is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// For a mapping the device only reads.
    Read,
    /// For a mapping the device may write.
    Write,
}

/// The page behind a user address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageAnswer {
    /// Memory with this page frame number; counts against the memlock limit.
    Frame(u64),
    /// A page with this frame number that is not counted: device memory, or the zero page of 6.1.
    Uncounted(u64),
    /// No page, or none with this permission.
    Fault,
}

/// How many more pages the process may lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// CAP_IPC_LOCK: counted, not limited.
    Unlimited,
    /// RLIMIT_MEMLOCK in whole pages, less those locked already.
    Pages(u64),
}

/// The caller of MAP_DMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// A number that identifies the process.
    pub process: u64,
    /// Its budget at the moment of the call.
    pub budget: Budget,
}

/// One IOVA page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageEntry {
    /// [`Slot::id`] of the page's mapping.
    pub slot: u64,
    /// Physical page frame number, in units of the container's page size.
    pub frame: u64,
    /// The mapping has [`MAP_READ`].
    pub read: bool,
    /// The mapping has [`MAP_WRITE`].
    pub write: bool,
}

/// One mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Counts up from 0 over the container's life; never used twice.
    pub id: u64,
    /// IOVA of the first byte.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
    /// User address of the first byte, as last set.
    pub vaddr: u64,
    /// Whether [`UNMAP_VADDR`] invalidated the user address.
    pub vaddr_state: VaddrState,
    /// Process that its pages are charged to: the one that mapped it, or last set its user address.
    pub owner: u64,
    /// Pages charged.
    pub locked: u64,
}

impl Slot {
    fn last(&self) -> u64 {
        self.iova + (self.size - 1)
    }
}

/// Whether a mapping's user address may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaddrState {
    /// Usable.
    Valid,
    /// Invalidated by UNMAP_DMA with FLAG_VADDR.
    Invalid,
}

/// The result of a device's access to an IOVA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Physical page frame number, in units of the container's page size.
    pub frame: u64,
    /// A read succeeds.
    pub readable: bool,
    /// A write succeeds.
    pub writable: bool,
}

/// A type1 container with its IOMMU set.
#[derive(Clone, Debug)]
pub struct Container {
    page_size: u64,
    version: Version,
    entry_limit: u32,
    valid: Vec<(u64, u64)>,
    pages: BTreeMap<u64, PageEntry>,
    slots: Vec<Slot>,
    next_id: u64,
}

impl Container {
    /// Creates an empty container.
    ///
    /// `page_size` is the smallest IOMMU page in bytes, `entry_limit` the module parameter
    /// `dma_entry_limit` as read at SET_IOMMU, `valid` the usable IOVA ranges (inclusive; GET_INFO
    /// prints them). A mapping must lie within one of them.
    ///
    /// # Panics
    /// If `page_size` is no power of two, or a range is empty, or a range contains the last page of
    /// the 64-bit space: the kernel's treatment of mappings that end at 2^64 is unknown.
    pub fn new(page_size: u64, version: Version, entry_limit: u32, valid: Vec<(u64, u64)>) -> Self {
        assert!(page_size.is_power_of_two(), "page size {page_size:#x}");
        for &(first, last) in &valid {
            assert!(first <= last, "empty range {first:#x}..={last:#x}");
            assert!(last <= u64::MAX - page_size, "range up to {last:#x}");
        }
        Container {
            page_size,
            version,
            entry_limit,
            valid,
            pages: BTreeMap::new(),
            slots: Vec::new(),
            next_id: 0,
        }
    }

    /// MAP_DMA. `pages` returns the page behind a user address of the caller (page aligned).
    ///
    /// # Errors
    /// The first that applies, in the order measured on 6.1 and 6.12: EINVAL for the form of the
    /// request; the outcome of [`MAP_VADDR`] (ENOENT, EINVAL, ENOMEM); EEXIST; ENOSPC; EINVAL
    /// outside the valid ranges; then page by page EFAULT or ENOMEM. A failure changes nothing.
    pub fn map(
        &mut self,
        request: &MapRequest,
        caller: Caller,
        pages: impl Fn(u64, Pin) -> PageAnswer,
    ) -> Result<(), i32> {
        self.check_map_form(request)?;
        let MapRequest { flags, vaddr, iova, size, .. } = *request;
        if flags & MAP_VADDR != 0 {
            return self.revalidate(request, caller);
        }
        if !self.slots_in(iova, size).is_empty() {
            return Err(EEXIST);
        }
        if self.slots.len() as u64 >= u64::from(self.entry_limit) {
            return Err(ENOSPC);
        }
        let last = iova + (size - 1);
        if !self.valid.iter().any(|&(first_ok, last_ok)| first_ok <= iova && last <= last_ok) {
            return Err(EINVAL);
        }
        let (frames, locked) = self.pin(request, caller.budget, pages)?;
        let id = self.next_id;
        self.next_id += 1;
        let (owner, vaddr_state) = (caller.process, VaddrState::Valid);
        self.slots.push(Slot { id, iova, size, vaddr, vaddr_state, owner, locked });
        for (page, frame) in (iova / self.page_size..).zip(frames) {
            let (read, write) = (flags & MAP_READ != 0, flags & MAP_WRITE != 0);
            self.pages.insert(page, PageEntry { slot: id, frame, read, write });
        }
        Ok(())
    }

    /// UNMAP_DMA; returns the bytes removed (or, with [`UNMAP_VADDR`], invalidated), which is what
    /// the kernel writes into the caller's `size`.
    ///
    /// With [`UNMAP_GET_DIRTY`] the mappings are removed as in a plain unmap; its bitmap, checks
    /// and faults are in [`crate::dirty`].
    ///
    /// # Errors
    /// EINVAL: the form of the request; version 2, a mapping split by either end; [`UNMAP_VADDR`],
    /// a mapping already invalid. Nothing changes then, nor does the caller's `size`.
    pub fn unmap(&mut self, request: &UnmapRequest) -> Result<u64, i32> {
        self.check_unmap_form(request)?;
        let UnmapRequest { flags, iova, size, .. } = *request;
        let hit = if flags & UNMAP_ALL != 0 {
            self.all_slots()
        } else {
            if self.version == Version::V2 && self.cuts_a_mapping(iova, size) {
                return Err(EINVAL);
            }
            let mut hit = self.slots_in(iova, size);
            // Version 1 walks the mappings upwards and stops at one that starts before the range.
            // Only the first can, so that one stops the walk at once.
            if hit.first().is_some_and(|&id| self.slot(id).iova < iova) {
                hit.clear();
            }
            hit
        };
        if flags & UNMAP_VADDR != 0 {
            return self.invalidate(&hit);
        }
        let bytes = hit.iter().map(|&id| self.slot(id).size).sum();
        self.slots.retain(|slot| !hit.contains(&slot.id));
        self.pages.retain(|_, entry| !hit.contains(&entry.slot));
        Ok(bytes)
    }

    /// The result of a device's access to `iova`, or `None` where nothing is mapped.
    ///
    /// At stage 1 a WRITE-only mapping is readable too (measured with DMA on 6.12): its leaf is the
    /// one of a READ|WRITE mapping.
    pub fn translate(&self, iova: u64, stage: Stage) -> Option<Reached> {
        let entry = self.pages.get(&(iova / self.page_size))?;
        let readable = match stage {
            Stage::One => true,
            Stage::Two => entry.read,
        };
        Some(Reached { frame: entry.frame, readable, writable: entry.write })
    }

    /// Every page that translates, by IOVA page number (IOVA divided by the page size).
    pub fn mapped_pages(&self) -> &BTreeMap<u64, PageEntry> {
        &self.pages
    }

    /// The mappings, oldest first.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The mappings with their frames, by IOVA: the input of [`crate::leaves::leaves`].
    pub fn mappings(&self) -> Vec<Mapping> {
        let mut mappings: Vec<Mapping> = Vec::new();
        for id in self.all_slots() {
            let frames = self.pages.values().filter(|entry| entry.slot == id);
            let frames = frames.map(|entry| entry.frame).collect();
            mappings.push(Mapping { iova: self.slot(id).iova, frames });
        }
        mappings
    }

    /// Pages charged to a process by all its mappings; a page mapped twice counts twice.
    pub fn locked_pages(&self, process: u64) -> u64 {
        let own = self.slots.iter().filter(|slot| slot.owner == process);
        own.map(|slot| slot.locked).sum()
    }

    fn check_map_form(&self, request: &MapRequest) -> Result<(), i32> {
        let MapRequest { argsz, flags, vaddr, iova, size } = *request;
        if argsz < 32 || flags & !(MAP_READ | MAP_WRITE | MAP_VADDR) != 0 {
            return Err(EINVAL);
        }
        // Either a direction or FLAG_VADDR, never both.
        let any_direction = flags & (MAP_READ | MAP_WRITE) != 0;
        let new_address = flags & MAP_VADDR != 0;
        if any_direction == new_address {
            return Err(EINVAL);
        }
        if size == 0 || [iova, vaddr, size].iter().any(|value| value % self.page_size != 0) {
            return Err(EINVAL);
        }
        // Ending at 2^64 exactly is no wrap, in either space.
        if end(iova, size) > TOP || end(vaddr, size) > TOP {
            return Err(EINVAL);
        }
        Ok(())
    }

    fn check_unmap_form(&self, request: &UnmapRequest) -> Result<(), i32> {
        let UnmapRequest { argsz, flags, iova, size } = *request;
        if argsz < 24 || flags & !(UNMAP_GET_DIRTY | UNMAP_ALL | UNMAP_VADDR) != 0 {
            return Err(EINVAL);
        }
        if flags & UNMAP_GET_DIRTY != 0 && flags & (UNMAP_ALL | UNMAP_VADDR) != 0 {
            return Err(EINVAL);
        }
        if flags & UNMAP_ALL != 0 {
            return if iova == 0 && size == 0 { Ok(()) } else { Err(EINVAL) };
        }
        if size == 0 || iova % self.page_size != 0 || size % self.page_size != 0 {
            return Err(EINVAL);
        }
        if end(iova, size) > TOP {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// MAP_DMA with FLAG_VADDR: the new address is neither checked nor pinned, but a caller that is
    /// not the owner takes over the charge.
    fn revalidate(&mut self, request: &MapRequest, caller: Caller) -> Result<(), i32> {
        let MapRequest { vaddr, iova, size, .. } = *request;
        let Some(&id) = self.slots_in(iova, size).first() else {
            return Err(ENOENT);
        };
        let found = self.slots.iter_mut().find(|slot| slot.id == id);
        let slot = found.expect("slots_in names live slots");
        if slot.iova != iova || slot.size != size || slot.vaddr_state == VaddrState::Valid {
            return Err(EINVAL);
        }
        if slot.owner != caller.process {
            if let Budget::Pages(left) = caller.budget
                && slot.locked > left
            {
                return Err(ENOMEM);
            }
            slot.owner = caller.process;
        }
        slot.vaddr = vaddr;
        slot.vaddr_state = VaddrState::Valid;
        Ok(())
    }

    /// UNMAP_DMA with FLAG_VADDR: invalidates all of them or none.
    fn invalidate(&mut self, hit: &[u64]) -> Result<u64, i32> {
        if hit.iter().any(|&id| self.slot(id).vaddr_state == VaddrState::Invalid) {
            return Err(EINVAL);
        }
        let mut bytes = 0;
        for slot in self.slots.iter_mut().filter(|slot| hit.contains(&slot.id)) {
            slot.vaddr_state = VaddrState::Invalid;
            bytes += slot.size;
        }
        Ok(bytes)
    }

    /// Frames of the user pages, and how many of them are counted.
    fn pin(
        &self,
        request: &MapRequest,
        budget: Budget,
        pages: impl Fn(u64, Pin) -> PageAnswer,
    ) -> Result<(Vec<u64>, u64), i32> {
        let pin = if request.flags & MAP_WRITE != 0 { Pin::Write } else { Pin::Read };
        let mut frames = Vec::new();
        let mut locked = 0;
        for index in 0..request.size / self.page_size {
            // A missing page is detected before the limit: EFAULT with the limit reached.
            let frame = match pages(request.vaddr + index * self.page_size, pin) {
                PageAnswer::Fault => return Err(EFAULT),
                PageAnswer::Uncounted(frame) => frame,
                PageAnswer::Frame(_) if budget == Budget::Pages(locked) => return Err(ENOMEM),
                PageAnswer::Frame(frame) => {
                    locked += 1;
                    frame
                }
            };
            frames.push(frame);
        }
        Ok((frames, locked))
    }

    /// Version 2's two checks: a mapping around the first byte that does not start there, and a
    /// mapping around the last byte that does not end there.
    fn cuts_a_mapping(&self, iova: u64, size: u64) -> bool {
        let last = iova + (size - 1);
        let around = |at: u64| {
            let entry = self.pages.get(&(at / self.page_size))?;
            Some(self.slot(entry.slot))
        };
        around(iova).is_some_and(|slot| slot.iova != iova)
            || around(last).is_some_and(|slot| slot.last() != last)
    }

    /// Mappings with a page in the range, by IOVA. A range that ends at 2^64 finds none: the kernel
    /// compares with `iova + size`, which is 0 there.
    fn slots_in(&self, iova: u64, size: u64) -> Vec<u64> {
        if end(iova, size) == TOP {
            return Vec::new();
        }
        let last = iova + (size - 1);
        let mut ids = Vec::new();
        for entry in self.pages.range(iova / self.page_size..=last / self.page_size) {
            if ids.last() != Some(&entry.1.slot) {
                ids.push(entry.1.slot);
            }
        }
        ids
    }

    fn all_slots(&self) -> Vec<u64> {
        let mut slots = self.slots.clone();
        slots.sort_by_key(|slot| slot.iova);
        slots.iter().map(|slot| slot.id).collect()
    }

    fn slot(&self, id: u64) -> &Slot {
        let found = self.slots.iter().find(|slot| slot.id == id);
        found.expect("page entries and slot lists name live slots")
    }
}

/// One past the last byte, without wrap.
fn end(start: u64, size: u64) -> u128 {
    u128::from(start) + u128::from(size)
}

#[cfg(test)]
mod tests;
