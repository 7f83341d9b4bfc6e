//! What drivers inside the kernel ask of the IOMMU core, without VFIO between.
//!
//! VFIO tries a container's domains one after the other for a group that comes, and takes no
//! refusal for an answer before all of them refused, so that no process sees what each of them
//! said. This is what a driver that asks once would see.

use crate::iommu::{Transition, Translation};
use crate::kernel::Kernel;
use crate::step::Step;
use passim_model::{Endpoint, Errno, Host, Refusal};

/// Times hardware is let run before a driver gives it up.
const WAITS: usize = 1 << 16;

impl Kernel {
    /// What `iommu_attach_group` answers a driver that attaches the group of `device` to the domain
    /// that the group of `other` is in; `None` if that one is in none. Where it is attached, it is
    /// detached again at once.
    ///
    /// # Errors
    /// As [`Iommu::attach`](crate::iommu::Iommu::attach): EBUSY, EINVAL for a domain of another
    /// SMMU, ENOSPC, ENOMEM; and ENODEV for a device without a group.
    pub fn try_domain_of(
        &mut self,
        device: Endpoint,
        other: Endpoint,
        host: &mut impl Host,
    ) -> Option<Result<(), Refusal>> {
        let translation = self.iommu.group_of(other).and_then(|it| self.iommu.translation(it));
        let Some(Translation::Domain(domain)) = translation else { return None };
        let group = match self.iommu.group_of(device) {
            Some(group) => group,
            None => return Some(Err(crate::iommu::rules::GROUP_UNKNOWN.refuse(Errno::ENODEV))),
        };
        let attached = match self.iommu.attach(domain, group, &mut self.frames, host) {
            Ok(attached) => attached,
            Err(refusal) => return Some(Err(refusal)),
        };
        self.carry_out(attached, host);
        let detached = self.iommu.detach_to_blocked(group);
        self.carry_out(detached, host);
        Some(Ok(()))
    }

    fn carry_out(&mut self, mut work: Transition, host: &mut impl Host) {
        for _ in 0..WAITS {
            match work.step(&mut self.iommu, &mut self.frames, host) {
                Step::Done(_) => return,
                _ => host.relax(),
            }
        }
    }
}
