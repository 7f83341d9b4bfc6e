//! When doorbells are mapped for a device, and what is put back.
//!
//! By policy: counted at allocation, as part 2 of the series does; at allocation for good; when a
//! message is composed; never.

use super::rules;
use super::vectors::{Descriptor, Held};
use crate::iommu::Invalidation;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{DoorbellError, DoorbellUnwind, MissingDoorbellInfo, MsiMapping};
use crate::step::Step;
use crate::verdict::{Severity, Verdict};
use passim_model::{Conflict, Errno, Host, Perms, PhysAddr, Refusal, Rid};

/// Bytes of a doorbell, for who maps only the page it lies in.
const REGISTER: u64 = 4;

/// How often hardware is given time before it is given up: more than a full queue of commands.
const MOST_WAITS: u32 = 1 << 18;

impl Kernel {
    /// Maps the doorbells of every vector of a descriptor, where allocation counts them.
    ///
    /// # Errors
    /// What the mapping refused with, or ENOSPC, by policy; EINVAL by `doorbell-not-described`, by
    /// policy. What was taken is put back then, and by policy a little more.
    pub(super) fn hold_doorbells(
        &mut self,
        rid: Rid,
        descriptor: &mut Descriptor,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        if self.policy.msi_mapping != MsiMapping::AllocCounted {
            return Ok(());
        }
        for at in 0..descriptor.vectors.len() {
            if let Err(refusal) = self.hold_of_vector(rid, descriptor, at, host) {
                let held = descriptor
                    .vectors
                    .iter_mut()
                    .rev()
                    .flat_map(|vector| core::mem::take(&mut vector.held));
                let held: Vec<_> = held.collect();
                if self.policy.doorbell_unwind == DoorbellUnwind::AsCoded {
                    self.put_unheld(rid, descriptor, at, held.len(), tasks, host);
                }
                for held in held {
                    self.put_held(held, tasks, host);
                }
                return Err(self.doorbell_failure(refusal));
            }
        }
        Ok(())
    }

    /// What a failed mapping makes of the allocation.
    pub(super) fn doorbell_failure(&self, refusal: Refusal) -> Refusal {
        match self.policy.doorbell_error {
            DoorbellError::Original => refusal,
            DoorbellError::Enospc => {
                rules::DOORBELL_NOT_MAPPED.refuse_for(Errno::ENOSPC, refusal.conflict)
            }
        }
    }

    /// Takes a reference on each doorbell of one vector.
    fn hold_of_vector(
        &mut self,
        rid: Rid,
        descriptor: &mut Descriptor,
        at: usize,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let Some(domain) = self.iommu.msi_domain_of(rid) else { return Ok(()) };
        let vector = &mut descriptor.vectors[at];
        let its = self.policy.its_doorbell_info;
        let Some(info) = self.msi.controller.doorbell_info(vector.source, its) else {
            return match self.policy.missing_doorbell_info {
                MissingDoorbellInfo::Proceed => Ok(()),
                MissingDoorbellInfo::Einval => {
                    let conflict = Conflict::Device(rid);
                    Err(rules::DOORBELL_NOT_DESCRIBED.refuse_for(Errno::EINVAL, conflict))
                }
            };
        };
        for at in info.at {
            self.iommu.get_doorbell(domain, at, info.size, Perms::WRITE, &mut self.frames, host)?;
            vector.held.push(Held { domain, at });
        }
        Ok(())
    }

    /// As coded: the vector at `failed` puts all its doorbells, those it never got too. `held` is
    /// how many references the descriptor has, all of which are put besides.
    fn put_unheld(
        &mut self,
        rid: Rid,
        descriptor: &Descriptor,
        failed: usize,
        held: usize,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let Some(domain) = self.iommu.msi_domain_of(rid) else { return };
        let its = self.policy.its_doorbell_info;
        let source = descriptor.vectors[failed].source;
        let Some(info) = self.msi.controller.doorbell_info(source, its) else { return };
        let complete = failed * info.at.len();
        for at in info.at.into_iter().skip(held.saturating_sub(complete)) {
            if self.iommu.translate_message(domain, at).is_some() {
                self.verdicts.push(Verdict {
                    severity: Severity::Finding,
                    rule: &rules::DOORBELL_PUT_TWICE,
                    conflict: Conflict::Physical(at),
                });
            }
            self.put_held(Held { domain, at }, tasks, host);
        }
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
    /// What the mapping refused with.
    pub(super) fn prepare_doorbell(
        &mut self,
        rid: Rid,
        at: PhysAddr,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let Some(domain) = self.iommu.msi_domain_of(rid) else { return Ok(()) };
        if self.iommu.translate_message(domain, at).is_none() {
            self.iommu.get_doorbell(domain, at, REGISTER, Perms::WRITE, &mut self.frames, host)?;
        }
        Ok(())
    }

    /// Does at once what the tasks from `from` on leave to hardware: an allocation that is tried
    /// again finds the addresses free that it gave back before.
    pub(super) fn settle_doorbells(
        &mut self,
        from: usize,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let later = tasks.split_off(from);
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
