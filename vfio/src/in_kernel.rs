//! Calls that drivers inside the kernel make to the IOMMU core, without VFIO.
//!
//! VFIO tries a container's domains one after the other for a joining group, and fails only after
//! all of them refused, so no process sees the answer of each. A driver that attaches once would
//! see this.

use crate::iommu::{Transition, Translation};
use crate::kernel::Kernel;
use crate::step::Step;
use passim_model::{Endpoint, Errno, Host, Refusal};

/// How often hardware is run before a driver gives up waiting.
const WAITS: usize = 1 << 16;

impl Kernel {
    /// What `iommu_attach_group` returns to a driver that attaches the group of `device` to the
    /// domain of `other`'s group; `None` if that group is in no domain. A successful attachment is
    /// undone at once.
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
