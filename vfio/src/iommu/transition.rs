//! Changes that have to reach hardware before they are complete.
//!
//! Making such a value decides what changes; [`step`](Transition::step) carries it out, as far as
//! the command queue allows. Frames that a change releases are freed after its last CMD_SYNC, never
//! before.

use super::domain::Domain;
use super::progress::Progress;
use super::synced::Synced;
use super::{DomainId, Driver, Iommu, MapRequest, v2, v3, x86};
use crate::step::{Queue, Step};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Frames, Host, Iova, PageSize, Perms, PhysAddr};
use std::collections::VecDeque;

/// The acts that a driver has to perform on its hardware.
#[derive(Debug, Default)]
pub(super) enum Worklist {
    /// Nothing.
    #[default]
    Nothing,
    SmmuV3(v3::Worklist),
    SmmuV2(v2::Worklist),
    X86(x86::Worklist),
}

impl From<v3::Worklist> for Worklist {
    fn from(work: v3::Worklist) -> Self {
        Self::SmmuV3(work)
    }
}

impl From<v2::Worklist> for Worklist {
    fn from(work: v2::Worklist) -> Self {
        Self::SmmuV2(work)
    }
}

/// Translations being invalidated after an unmap.
#[must_use = "what was unmapped may still be used by devices until this is done"]
#[derive(Debug)]
pub struct Invalidation {
    driver: usize,
    work: Worklist,
    /// The table pages that were unlinked.
    gather: Gather,
    /// Addresses to free when this is done.
    release: Option<Release>,
}

/// I/O addresses of a doorbell, to be freed in the cookie that allocated them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Release {
    pub(super) domain: DomainId,
    /// The cookie's: the domain's number may be reused by then.
    pub(super) serial: u64,
    pub(super) iova: Iova,
}

impl Invalidation {
    pub(super) fn new(driver: usize, work: Worklist, gather: Gather) -> Self {
        Self { driver, work, gather, release: None }
    }

    /// Adds addresses to free at the end.
    pub(super) fn releasing(mut self, release: Release) -> Self {
        self.release = Some(release);
        self
    }

    /// Proceeds as far as possible. `Done` carries the proof that nothing unmapped is reachable any
    /// more; unlinked tables are back in `frames` then. Stepping again does nothing.
    pub fn step(
        &mut self,
        iommu: &mut Iommu,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Step<Synced> {
        let done = run(&mut self.work, self.driver, iommu, host);
        if matches!(done, Step::Done(_)) {
            self.gather.release_tables(frames);
            if let Some(release) = self.release.take() {
                iommu.release_doorbell(release);
            }
        }
        done
    }
}

/// A group changing its domain, or a domain being freed: [stepped](Self::step) until it is done.
#[must_use = "the change happens only by stepping"]
#[derive(Debug)]
pub struct Transition {
    parts: VecDeque<Part>,
    /// From the last part that returned one.
    proof: Option<Synced>,
}

/// One piece of a [`Transition`].
#[derive(Debug)]
pub(super) enum Part {
    /// Acts of the driver with this index.
    Acts(usize, Worklist),
    /// Translations to invalidate.
    Drop(Invalidation),
    /// A domain whose translations are invalidated, to be freed.
    Dismantle(usize, Box<Domain>),
    /// The superpage test's pages, to be freed.
    TestEnd(PhysAddr, PageSize),
}

impl Transition {
    pub(super) fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        Self { parts: parts.into_iter().collect(), proof: None }
    }

    /// Appends `next`.
    pub(super) fn then(mut self, next: Self) -> Self {
        self.parts.extend(next.parts);
        self
    }

    /// Proceeds as far as possible. `Done` carries the proof that hardware has followed; frames of
    /// a freed domain are back in `frames` then.
    pub fn step(
        &mut self,
        iommu: &mut Iommu,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Step<Synced> {
        while let Some(part) = self.parts.front_mut() {
            let done = match part {
                Part::Acts(driver, work) => run(work, *driver, iommu, host),
                Part::Drop(invalidation) => invalidation.step(iommu, frames, host),
                _ => {
                    if let Some(part) = self.parts.pop_front() {
                        at_once(part, iommu, frames);
                    }
                    continue;
                }
            };
            match done {
                Step::Done(proof) => self.proof = Some(proof),
                waiting => return waiting,
            }
            self.parts.pop_front();
        }
        Step::Done(self.proof.take().unwrap_or_else(Synced::nothing_stale))
    }
}

/// Carries out a part that needs no hardware.
fn at_once(part: Part, iommu: &mut Iommu, frames: &mut Frames) {
    match part {
        Part::Dismantle(driver, domain) => iommu.dismantle(driver, *domain, frames),
        Part::TestEnd(pages, size) => frames.free(pages, size),
        Part::Acts(..) | Part::Drop(_) => {}
    }
}

/// Maps two pages at 0, unmaps them one by one, and plans the invalidations. Does nothing without
/// memory or if mapping fails.
pub(super) fn superpage_test(
    domain: DomainId,
    iommu: &mut Iommu,
    frames: &mut Frames,
    host: &mut impl Host,
) -> Vec<Part> {
    let page = iommu.page;
    let Some(both) = PageSize::from_lg2(page.lg2() + 1) else { return Vec::new() };
    let Some(pages) = frames.alloc(both) else { return Vec::new() };
    let request = MapRequest {
        iova: Iova::new(0),
        output: pages,
        size: both.bytes(),
        perms: Perms::READ | Perms::WRITE,
        memory_type: MemoryType::Normal,
    };
    let mut gather = Gather::new();
    let mapped = iommu.map(domain, &request, &mut gather, frames, host);
    let mut parts = Vec::with_capacity(4);
    if !gather.is_empty() {
        parts.push(Part::Drop(iommu.sync(domain, gather)));
    }
    if mapped.is_ok() {
        for iova in [Iova::new(0), Iova::new(page.bytes())] {
            let mut gather = Gather::new();
            iommu.unmap(domain, iova, page.bytes(), &mut gather, host);
            parts.push(Part::Drop(iommu.sync(domain, gather)));
        }
    }
    parts.push(Part::TestEnd(pages, both));
    parts
}

fn run(
    work: &mut Worklist,
    driver: usize,
    iommu: &mut Iommu,
    host: &mut impl Host,
) -> Step<Synced> {
    match (&mut iommu.drivers[driver], work) {
        (Driver::SmmuV3(smmu), Worklist::SmmuV3(work)) => match work.advance(smmu, host) {
            Progress::Done(proof) => Step::Done(proof),
            Progress::Waiting => Step::Waiting(Queue::SmmuCommands(driver)),
        },
        (Driver::SmmuV2(smmu), Worklist::SmmuV2(work)) => match work.advance(smmu, host) {
            Progress::Done(proof) => Step::Done(proof),
            Progress::Waiting => Step::Waiting(Queue::SmmuInvalidations(driver)),
        },
        (Driver::X86(_), Worklist::X86(work)) => Step::Done(work.finish(host)),
        (Driver::Flat(_) | Driver::X86(_), _) => Step::Done(Synced::without_hardware()),
        (Driver::SmmuV3(_) | Driver::SmmuV2(_), _) => Step::Done(Synced::nothing_stale()),
    }
}
