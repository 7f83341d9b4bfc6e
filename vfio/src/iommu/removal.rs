//! Removing a device while the machine runs.
//!
//! Not here: who must release it first ([`sysfs`](crate::sysfs)).

use super::attach::forget_device;
use super::transition::{Part, Transition};
use super::{Iommu, Owner};
use passim_model::Endpoint;

impl Iommu {
    /// Removes a device: its STEs abort, it leaves its group, and a group without devices is freed
    /// with its domains. Does nothing for a device that has no group.
    ///
    /// # Panics
    /// If it is the last device of a group that is claimed: the owner releases the group first.
    // 6.12 arm-smmu-v3.c, arm_smmu_release_device: the STE becomes what it was before the device
    // was probed. iommu.c, iommu_group_release: the default domain is freed with the group.
    pub(crate) fn remove_device(&mut self, device: impl Into<Endpoint>) -> Option<Transition> {
        let endpoint = device.into();
        let number = self.group_of(endpoint)?;
        // A device that returned has a second entry behind its old one.
        let at = self.devices.iter().rposition(|device| device.endpoint == endpoint)?;
        let group = self.groups.get_mut(&number)?;
        group.devices.retain(|member| *member != at);
        self.group_of.remove(&endpoint);
        let driver = group.driver;
        let master = &mut self.devices[at].master;
        let work = forget_device(&mut self.drivers[driver], master, &mut self.domains);
        let mut transition = Transition::new([Part::Acts(driver, work)]);
        if !group.devices.is_empty() {
            return Some(transition);
        }
        assert_eq!(group.owner, Owner::Kernel, "a claimed group keeps its last device");
        let group = self.groups.remove(&number)?;
        for domain in [Some(group.default), group.blocking].into_iter().flatten() {
            transition = transition.then(self.free_domain(domain));
        }
        Some(transition)
    }
}
