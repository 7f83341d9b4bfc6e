//! Mapping doorbells for a device, and dropping them.
//!
//! By policy: counted on allocation, as part 2 of the series does; on allocation for good; when a
//! message is composed; never.

use super::vectors::{Descriptor, Held};
use super::{conflict_of, rules};
use crate::iommu::{DomainId, DoorbellGet, Invalidation};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{DoorbellError, DoorbellUnwind, MissingDoorbellInfo, MsiMapping};
use crate::step::Step;
use crate::verdict::{Severity, Verdict};
use passim_model::{Conflict, Endpoint, Errno, Host, Perms, PhysAddr, Refusal};
use std::collections::VecDeque;

/// Bytes of a doorbell, where only its page is mapped.
const REGISTER: u64 = 4;

/// How often hardware is run before it is abandoned: more than a full command queue needs.
const MOST_WAITS: u32 = 1 << 18;

/// A descriptor whose doorbells are being mapped, one after the other. Between two steps it holds
/// no lock that another device needs.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) descriptor: Descriptor,
    domain: Option<DomainId>,
    /// Doorbells to map: vector index and address.
    wanted: VecDeque<(usize, PhysAddr)>,
    /// Bytes of each.
    size: u64,
    /// The first of them, being mapped.
    get: Option<DoorbellGet>,
    waits: u32,
}

impl Holding {
    /// The name of the suspension point that it has reached.
    pub(super) fn point(&self) -> Option<&'static str> {
        self.get.as_ref().and_then(DoorbellGet::point)
    }
}

impl Kernel {
    /// Begins to map the doorbells of every vector of a descriptor, where allocation counts
    /// references.
    ///
    /// # Errors
    /// EINVAL by `doorbell-not-described`, by policy; the descriptor is freed then.
    pub(super) fn begin_holding(
        &mut self,
        device: Endpoint,
        descriptor: Descriptor,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<Holding, Refusal> {
        let counts = self.policy.msi_mapping == MsiMapping::AllocCounted;
        let domain = self.iommu.msi_domain_of(device).filter(|_| counts);
        let (mut size, mut wanted) = (REGISTER, VecDeque::new());
        for (at, vector) in descriptor.vectors.iter().enumerate().filter(|_| domain.is_some()) {
            let its = self.policy.its_doorbell_info;
            match self.msi.controller.doorbell_info(vector.source, its) {
                Some(info) => {
                    size = info.size;
                    wanted.extend(info.at.into_iter().map(|doorbell| (at, doorbell)));
                }
                None if self.policy.missing_doorbell_info == MissingDoorbellInfo::Proceed => {}
                None => {
                    self.free_descriptor(&descriptor, tasks, host);
                    let conflict = conflict_of(device);
                    let refusal = rules::DOORBELL_NOT_DESCRIBED.refuse_for(Errno::EINVAL, conflict);
                    return Err(self.doorbell_failure(refusal));
                }
            }
        }
        Ok(Holding { descriptor, domain, wanted, size, get: None, waits: 0 })
    }

    /// Takes a reference on one doorbell after the other, as far as possible without waiting.
    /// `Done` carries the refusal of a mapping; references taken before it are still held then.
    pub(super) fn step_holding(
        &mut self,
        holding: &mut Holding,
        host: &mut impl Host,
    ) -> Step<Result<(), Refusal>> {
        while let (Some(domain), Some(&(vector, at))) = (holding.domain, holding.wanted.front()) {
            let begin = || self.iommu.begin_doorbell(domain, at, holding.size, Perms::WRITE);
            let mut get = holding.get.take().unwrap_or_else(begin);
            match get.step(&mut self.iommu, &mut self.frames, host) {
                Step::Done(Ok(_)) => {
                    holding.descriptor.vectors[vector].held.push(Held { domain, at });
                    holding.wanted.pop_front();
                }
                Step::Done(Err(refusal)) => return Step::Done(Err(refusal)),
                Step::Waiting(queue) => {
                    holding.waits += 1;
                    if holding.waits > MOST_WAITS {
                        get.go_on();
                    }
                    holding.get = Some(get);
                    return Step::Waiting(queue);
                }
                Step::Unlocked => {
                    holding.get = Some(get);
                    return Step::Unlocked;
                }
            }
        }
        Step::Done(Ok(()))
    }

    /// Unwinds a failed mapping: drops the references taken for the descriptor, and by policy more,
    /// and frees it. Returns the refusal of the allocation.
    pub(super) fn unwind_holding(
        &mut self,
        holding: Holding,
        refusal: Refusal,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Refusal {
        let Holding { mut descriptor, domain, wanted, .. } = holding;
        let held = descriptor
            .vectors
            .iter_mut()
            .rev()
            .flat_map(|vector| core::mem::take(&mut vector.held));
        let held: Vec<_> = held.collect();
        if self.policy.doorbell_unwind == DoorbellUnwind::AsCoded
            && let (Some(domain), Some(&(failed, _))) = (domain, wanted.front())
        {
            let unheld = wanted.into_iter().take_while(|(vector, _)| *vector == failed);
            for (_, at) in unheld {
                self.put_unheld(domain, at, tasks, host);
            }
        }
        for held in held {
            self.put_held(held, tasks, host);
        }
        self.free_descriptor(&descriptor, tasks, host);
        self.doorbell_failure(refusal)
    }

    /// The refusal of an allocation whose mapping failed.
    pub(super) fn doorbell_failure(&self, refusal: Refusal) -> Refusal {
        match self.policy.doorbell_error {
            DoorbellError::Original => refusal,
            DoorbellError::Enospc => {
                rules::DOORBELL_NOT_MAPPED.refuse_for(Errno::ENOSPC, refusal.conflict)
            }
        }
    }

    /// As coded: the vector whose mapping failed also drops the doorbells it never took. That does
    /// harm where another vector holds one of them by then.
    fn put_unheld(
        &mut self,
        domain: DomainId,
        at: PhysAddr,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        if self.iommu.translate_message(domain, at).is_some() {
            self.verdicts.push(Verdict {
                severity: Severity::Finding,
                rule: &rules::DOORBELL_PUT_TWICE,
                conflict: Conflict::Physical(at),
            });
        }
        self.put_held(Held { domain, at }, tasks, host);
    }

    /// Drops a reference on a doorbell.
    pub(super) fn put_held(&mut self, held: Held, tasks: &mut Vec<Task>, host: &mut impl Host) {
        if let Some(invalidation) = self.iommu.put_doorbell(held.domain, held.at, host) {
            tasks.push(Task::Drop(invalidation));
        }
    }

    /// Maps the page of a doorbell for good, unless it is mapped.
    ///
    /// # Errors
    /// The refusal of the mapping.
    pub(super) fn prepare_doorbell(
        &mut self,
        device: Endpoint,
        at: PhysAddr,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let Some(domain) = self.iommu.msi_domain_of(device) else { return Ok(()) };
        if self.iommu.translate_message(domain, at).is_none() {
            self.iommu.get_doorbell(domain, at, REGISTER, Perms::WRITE, &mut self.frames, host)?;
        }
        Ok(())
    }

    /// Completes the invalidations of unmapped doorbells at once, so that a retried allocation
    /// finds their addresses free.
    pub(super) fn settle_doorbells(&mut self, tasks: &mut Vec<Task>, host: &mut impl Host) {
        let later = core::mem::take(tasks);
        for task in later {
            match task {
                Task::Drop(invalidation) => self.settle_doorbell(invalidation, tasks, host),
                other => tasks.push(other),
            }
        }
    }

    fn settle_doorbell(
        &mut self,
        mut invalidation: Invalidation,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        for _ in 0..MOST_WAITS {
            match invalidation.step(&mut self.iommu, &mut self.frames, host) {
                Step::Done(_) => return,
                Step::Waiting(_) | Step::Unlocked => host.relax(),
            }
        }
        tasks.push(Task::Drop(invalidation));
    }
}
