//! Mapping and unmapping a doorbell for a domain: msi-iommu's get and put, and the DMA layer's
//! look-up, which never unmaps.

use super::cookie::{Cookie, Keeping, Pages};
use super::records::Record;
use super::rules;
use crate::iommu::transition::{Invalidation, Release};
use crate::iommu::{DomainId, Iommu, MapRequest};
use crate::step::Step;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Conflict, Errno, Frames, Host, Iova, Perms, PhysAddr, Refusal};

/// How often hardware is run before an invalidation is abandoned.
const MOST_WAITS: usize = 1 << 18;

/// A doorbell being mapped. See [`Iommu::begin_doorbell`].
#[must_use = "the doorbell is mapped only by stepping"]
#[derive(Debug)]
pub struct DoorbellGet {
    domain: DomainId,
    at: PhysAddr,
    size: u64,
    perms: Perms,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before the first step.
    Asked,
    /// No record held the pages when the lock was last held.
    Missed(Pages),
    /// Mapped but not yet recorded; or not mapped, for this reason.
    Mapped { pages: Pages, iova: Iova, serial: u64, result: Result<(), Refusal> },
    /// Another caller recorded the doorbell first. The own I/O address is free again, and still
    /// mapped.
    Doubled { answer: Iova, iova: Iova, size: u64 },
    /// An unmapped range is being invalidated; the boxed state comes next.
    Dropping(Invalidation, Box<State>),
    /// The answer.
    Answer(Result<Iova, Refusal>),
    /// The answer was returned.
    Finished,
}

/// What one transition leads to.
enum Turn {
    /// The lock is dropped in this state.
    Unlocked(State),
    /// The next state follows at once.
    On(State),
}

impl Turn {
    fn answer(result: Result<Iova, Refusal>) -> Self {
        Self::On(State::Answer(result))
    }
}

impl DoorbellGet {
    /// Proceeds as far as possible. Returns [`Step::Unlocked`] where the kernel drops the lock of
    /// the records: before it maps, before it looks again, and, if another caller mapped the
    /// doorbell in between, between freeing its I/O address and unmapping it.
    ///
    /// # Errors
    /// In `Done`, see [`Iommu::get_doorbell`].
    ///
    /// # Panics
    /// If the answer was already returned.
    pub fn step(
        &mut self,
        iommu: &mut Iommu,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Step<Result<Iova, Refusal>> {
        loop {
            let turn = match core::mem::replace(&mut self.state, State::Finished) {
                State::Asked => self.look(iommu, frames, host),
                State::Missed(pages) => self.map(pages, iommu, frames, host),
                State::Mapped { pages, iova, serial, result } => {
                    self.record(pages, iova, serial, result, iommu)
                }
                State::Doubled { answer, iova, size } => {
                    let mut gather = Gather::new();
                    iommu.unmap(self.domain, iova, size, &mut gather, host);
                    let drop = iommu.sync(self.domain, gather);
                    Turn::On(State::Dropping(drop, Box::new(State::Answer(Ok(answer)))))
                }
                State::Dropping(mut invalidation, next) => {
                    match invalidation.step(iommu, frames, host) {
                        Step::Done(_) => Turn::On(*next),
                        Step::Waiting(queue) => {
                            self.state = State::Dropping(invalidation, next);
                            return Step::Waiting(queue);
                        }
                        Step::Unlocked => Turn::Unlocked(State::Dropping(invalidation, next)),
                    }
                }
                State::Answer(result) => return Step::Done(result),
                State::Finished => panic!("the answer was handed out before"),
            };
            match turn {
                Turn::Unlocked(state) => {
                    self.state = state;
                    return Step::Unlocked;
                }
                Turn::On(state) => self.state = state,
            }
        }
    }

    /// The name of the suspension point that it has reached. `None` before the first step and while
    /// it waits for hardware.
    pub fn point(&self) -> Option<&'static str> {
        match self.state {
            State::Missed(_) => Some("doorbell-before-map"),
            State::Mapped { .. } => Some("doorbell-before-record"),
            State::Doubled { .. } => Some("doorbell-doubled"),
            _ => None,
        }
    }

    /// Continues without hardware's answer: addresses whose invalidation is pending stay allocated.
    pub(crate) fn go_on(&mut self) {
        if let State::Dropping(_, next) = core::mem::replace(&mut self.state, State::Finished) {
            self.state = *next;
        }
    }

    /// Looks the doorbell up in the records.
    fn look(&self, iommu: &mut Iommu, frames: &mut Frames, host: &mut impl Host) -> Turn {
        if !iommu.msi.maps() {
            return Turn::answer(Err(rules::MSI_NO_SUPPORT.refuse(Errno::ENOENT)));
        }
        let Some(cookie) = &mut iommu.domain_mut(self.domain).cookie else {
            return Turn::answer(Err(rules::MSI_NO_COOKIE.refuse(Errno::ENODEV)));
        };
        if !cookie.is_ready() {
            return Turn::answer(Err(rules::MSI_NO_APERTURE.refuse(Errno::EINVAL)));
        }
        let size = match cookie.keeping {
            Keeping::Counted => self.size,
            // The DMA layer maps the one page that the message is written to.
            Keeping::ForGood => self.size.min(1),
        };
        let Some(pages) = Pages::of(self.at, size, cookie.granule) else {
            let conflict = Conflict::Physical(self.at);
            return Turn::answer(
                Err(rules::MSI_DOORBELL_RANGE.refuse_for(Errno::EINVAL, conflict)),
            );
        };
        if let Some(answer) = hold(cookie, pages, self.at) {
            return Turn::answer(Ok(answer));
        }
        match cookie.keeping {
            Keeping::Counted => Turn::Unlocked(State::Missed(pages)),
            Keeping::ForGood => self.map_for_good(pages, iommu, frames, host),
        }
    }

    /// Allocates an address and maps, outside the lock.
    fn map(
        &self,
        pages: Pages,
        iommu: &mut Iommu,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Turn {
        let (iova, serial) = match allocate(self.domain, pages, iommu) {
            Ok(allocated) => allocated,
            Err(refusal) => return Turn::answer(Err(refusal)),
        };
        let (result, stale) = self.map_at(iova, pages, iommu, frames, host);
        let mapped = State::Mapped { pages, iova, serial, result };
        match stale {
            Some(stale) => Turn::On(State::Dropping(stale, Box::new(mapped))),
            None => Turn::Unlocked(mapped),
        }
    }

    fn map_at(
        &self,
        iova: Iova,
        pages: Pages,
        iommu: &mut Iommu,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> (Result<(), Refusal>, Option<Invalidation>) {
        let request = MapRequest {
            iova,
            output: pages.base,
            size: pages.size,
            perms: self.perms,
            memory_type: MemoryType::Device,
        };
        let mut gather = Gather::new();
        let result = iommu.map(self.domain, &request, &mut gather, frames, host);
        let stale = (!gather.is_empty()).then(|| iommu.sync(self.domain, gather));
        (result, stale)
    }

    /// With the lock held again: records the mapping, unless a record exists by now.
    fn record(
        &self,
        pages: Pages,
        iova: Iova,
        serial: u64,
        result: Result<(), Refusal>,
        iommu: &mut Iommu,
    ) -> Turn {
        let cookie = iommu.domain_mut(self.domain).cookie.as_mut();
        let Some(cookie) = cookie.filter(|cookie| cookie.serial == serial) else {
            return Turn::answer(Err(rules::MSI_NO_COOKIE.refuse(Errno::ENODEV)));
        };
        if let Err(refusal) = result {
            if let Some(space) = &mut cookie.space {
                space.undo(iova, pages.size);
            }
            return Turn::answer(Err(refusal));
        }
        if let Some(answer) = hold(cookie, pages, self.at) {
            if let Some(space) = &mut cookie.space {
                space.free(iova);
            }
            return Turn::Unlocked(State::Doubled { answer, iova, size: pages.size });
        }
        let (base, size) = (pages.base, pages.size);
        cookie.records.push(Record { base, size, iova, references: 1 });
        Turn::answer(Ok(seen(iova, pages.offset)))
    }

    /// The DMA layer's way: looks up, maps and records under one lock.
    fn map_for_good(
        &self,
        pages: Pages,
        iommu: &mut Iommu,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Turn {
        // 6.12 dma-iommu: the caller learns only that there is no page.
        let unmapped = |refusal: Refusal| {
            let conflict = match refusal.conflict {
                Conflict::Request => Conflict::Physical(self.at),
                conflict => conflict,
            };
            Err(rules::MSI_PAGE_NOT_MAPPED.refuse_for(Errno::ENOMEM, conflict))
        };
        let iova = match allocate(self.domain, pages, iommu) {
            Ok((iova, _)) => iova,
            Err(refusal) => return Turn::answer(unmapped(refusal)),
        };
        let (result, stale) = self.map_at(iova, pages, iommu, frames, host);
        let answer = match (result, &mut iommu.domain_mut(self.domain).cookie) {
            (Ok(()), Some(cookie)) => {
                let (base, size) = (pages.base, pages.size);
                cookie.records.push(Record { base, size, iova, references: 0 });
                Ok(seen(iova, pages.offset))
            }
            (Err(refusal), Some(Cookie { space: Some(space), .. })) => {
                space.undo(iova, pages.size);
                unmapped(refusal)
            }
            (_, _) => unreachable!("an address was just allocated from it"),
        };
        match stale {
            Some(stale) => Turn::On(State::Dropping(stale, Box::new(State::Answer(answer)))),
            None => Turn::answer(answer),
        }
    }
}

/// The I/O address of byte `offset` of a mapping at `iova`.
fn seen(iova: Iova, offset: u64) -> Iova {
    Iova::new(iova.get().wrapping_add(offset))
}

/// Takes a reference to the newest record that contains all the pages; returns the I/O address of
/// `at`, which lies in them.
fn hold(cookie: &mut Cookie, pages: Pages, at: PhysAddr) -> Option<Iova> {
    let age = cookie.records.holding(pages.base, pages.size)?;
    let record = cookie.records.get_mut(age)?;
    if cookie.keeping == Keeping::Counted {
        record.references += 1;
    }
    Some(record.seen(at))
}

/// Allocates addresses for the pages of a doorbell; returns also the cookie's serial number.
fn allocate(domain: DomainId, pages: Pages, iommu: &mut Iommu) -> Result<(Iova, u64), Refusal> {
    let cookie = iommu.domain_mut(domain).cookie.as_mut();
    let cookie = cookie.ok_or(rules::MSI_NO_COOKIE.refuse(Errno::ENODEV))?;
    let space = cookie.space.as_mut().ok_or(rules::MSI_NO_APERTURE.refuse(Errno::EINVAL))?;
    let full = cookie.aperture.map_or(Conflict::Request, Conflict::Window);
    let iova = space.alloc(pages.size);
    let iova = iova.ok_or(rules::MSI_WINDOW_FULL.refuse_for(Errno::ENOMEM, full))?;
    Ok((iova, cookie.serial))
}

/// A mapped doorbell, for reports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DoorbellView {
    /// First byte: a multiple of the granule.
    pub pa: PhysAddr,
    /// Its first byte's I/O address.
    pub iova: Iova,
    /// Bytes: a multiple of the granule.
    pub size: u64,
    /// References; 0 in kernels that keep it until the domain is freed.
    pub references: u64,
}

/// Doorbells.
impl Iommu {
    /// Begins mapping the `size` bytes of a doorbell at `at` for the devices of `domain`, with
    /// `perms`. Each step ends where the kernel drops its lock.
    pub fn begin_doorbell(
        &self,
        domain: DomainId,
        at: PhysAddr,
        size: u64,
        perms: Perms,
    ) -> DoorbellGet {
        DoorbellGet { domain, at, size, perms, state: State::Asked }
    }

    /// Maps the `size` bytes of a doorbell at `at` as device memory, unless a record contains all
    /// its pages, and takes a reference. Returns the I/O address of `at`. `perms` applies only to a
    /// new mapping; an existing record is shared whatever it allows.
    ///
    /// Kernels that keep doorbells until the domain is freed map the page of `at`, and count no
    /// references.
    ///
    /// # Errors
    /// ENOENT if this kernel maps no doorbells, ENODEV without a cookie, EINVAL without a window or
    /// for a doorbell of 0 bytes, ENOMEM if the window is full, and as [`Iommu::map`]. Kernels that
    /// keep doorbells answer ENOMEM for every failure after the window was found.
    pub fn get_doorbell(
        &mut self,
        domain: DomainId,
        at: PhysAddr,
        size: u64,
        perms: Perms,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Iova, Refusal> {
        let mut get = self.begin_doorbell(domain, at, size, perms);
        let mut waits = 0;
        loop {
            match get.step(self, frames, host) {
                Step::Done(result) => return result,
                Step::Waiting(_) if waits == MOST_WAITS => get.go_on(),
                Step::Waiting(_) => {
                    waits += 1;
                    host.relax();
                }
                Step::Unlocked => {}
            }
        }
    }

    /// Drops a reference of the newest record that contains the whole page of `at`. The last
    /// reference unmaps it: its I/O addresses are freed when the invalidation is complete. Does
    /// nothing without such a record, or where doorbells are kept until the domain is freed.
    pub fn put_doorbell(
        &mut self,
        domain: DomainId,
        at: PhysAddr,
        host: &mut impl Host,
    ) -> Option<Invalidation> {
        let cookie = self.domain_mut(domain).cookie.as_mut()?;
        if cookie.keeping == Keeping::ForGood {
            return None;
        }
        let page = Pages::of(at, 1, cookie.granule)?;
        let age = cookie.records.holding(page.base, page.size)?;
        let record = cookie.records.get_mut(age)?;
        record.references = record.references.saturating_sub(1);
        if record.references > 0 {
            return None;
        }
        let (Record { iova, size, .. }, serial) = (cookie.records.remove(age)?, cookie.serial);
        let mut gather = Gather::new();
        self.unmap(domain, iova, size, &mut gather, host);
        Some(self.sync(domain, gather).releasing(Release { domain, serial, iova }))
    }

    /// The I/O address at which the devices of `domain` write a message for `at`. Counting kernels
    /// look up 8 bytes in one record, so they do not find a doorbell of 4 bytes at the very end of
    /// one.
    pub fn translate_message(&self, domain: DomainId, at: PhysAddr) -> Option<Iova> {
        let cookie = self.domain(domain).cookie.as_ref()?;
        // msi-iommu.c of v9 uses the size of phys_addr_t as that of the doorbell.
        let size = if cookie.keeping == Keeping::Counted { 8 } else { 1 };
        let age = cookie.records.holding(at, size)?;
        cookie.records.get(age).map(|record| record.seen(at))
    }

    /// The doorbells mapped for `domain`, newest first.
    pub fn doorbells(&self, domain: DomainId) -> Vec<DoorbellView> {
        let cookie = self.domain(domain).cookie.iter();
        let view = |record: &Record| DoorbellView {
            pa: record.base,
            iova: record.iova,
            size: record.size,
            references: record.references,
        };
        cookie.flat_map(|cookie| cookie.records.iter()).map(view).collect()
    }

    /// Frees the I/O addresses of an unmapped doorbell, unless its cookie was replaced.
    pub(in crate::iommu) fn release_doorbell(&mut self, release: Release) {
        let Some(domain) = self.domains.get_mut(release.domain.0) else { return };
        let Some(cookie) = &mut domain.cookie else { return };
        if let Some(space) = cookie.space.as_mut().filter(|_| cookie.serial == release.serial) {
            space.free(release.iova);
        }
    }
}
