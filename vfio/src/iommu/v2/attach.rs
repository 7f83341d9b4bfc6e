//! Moving a device from one domain to another: where its stream mapping entries send it.

use super::domain::Domain;
use super::streams::Way;
use super::work::Work;
use super::{Master, SmmuV2};

impl SmmuV2 {
    /// The acts that attach a device to a domain, which [has a bank](Self::init_domain).
    pub(in crate::iommu) fn attach(&mut self, master: &Master, domain: &mut Domain) -> Vec<Work> {
        let shape = domain.shape();
        let live = domain.live.as_mut().expect("a domain has a bank before a device");
        let mut acts = self.write_bank(&shape, live);
        let bank = live.bank;
        acts.extend(self.map.send(&master.entries, Way::Bank(bank)));
        acts
    }

    /// The acts that pass a device's addresses as they are.
    // arm-smmu.c of 4.6: a domain of type DMA bypasses, and has no context bank.
    pub(in crate::iommu) fn bypass(&mut self, master: &Master) -> Vec<Work> {
        self.map.send(&master.entries, Way::Bypass)
    }

    /// The acts that leave a device in no domain: everything it does faults.
    pub(in crate::iommu) fn block(&mut self, master: &Master) -> Vec<Work> {
        self.map.send(&master.entries, Way::Fault)
    }

    /// The acts after which a device that goes away has no entries.
    // 6.12 arm-smmu.c, arm_smmu_release_device.
    pub(in crate::iommu) fn release(&mut self, master: &mut Master) -> Vec<Work> {
        let taken = core::mem::take(&mut master.entries);
        let unused = self.map.give_back(&taken);
        unused.into_iter().flat_map(|index| self.map.write(index)).collect()
    }
}
