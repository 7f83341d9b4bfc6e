//! Moving a device from one domain to another: its stream mapping entries.

use super::domain::Domain;
use super::streams::Way;
use super::work::Work;
use super::{Master, SmmuV2};
use crate::iommu::rules::DOMAIN_NO_ENTRY;
use crate::policy::Smmu2Entries;
use passim_model::{Conflict, Errno, Refusal};

impl SmmuV2 {
    /// Allocates the entries of a device that is about to be attached, where entries come with a
    /// domain. [`attach`](Self::attach) writes them.
    ///
    /// # Errors
    /// ENOSPC without a free entry for each of its StreamIDs; none is taken then.
    // About 4.5 arm-smmu.c, arm_smmu_master_configure_smrs.
    pub(in crate::iommu) fn take_entries(&mut self, master: &mut Master) -> Result<(), Refusal> {
        if self.entries == Smmu2Entries::OfTheDomain && master.entries.is_empty() {
            master.entries = self.map.take_each(&master.streams, master.group).map_err(|_| {
                let limit = self.features.groups as u64;
                let conflict = Conflict::Limit { limit, wanted: limit + 1 };
                DOMAIN_NO_ENTRY.refuse_for(Errno::ENOSPC, conflict)
            })?;
        }
        Ok(())
    }

    /// The acts that attach a device to a domain, which [has a bank](Self::init_domain).
    pub(in crate::iommu) fn attach(&mut self, master: &Master, domain: &mut Domain) -> Vec<Work> {
        let shape = domain.shape();
        let live = domain.live.as_mut().expect("a domain has a bank before a device");
        let mut acts = self.write_bank(&shape, live);
        let way = Way::Bank(live.bank);
        acts.extend(match self.entries {
            Smmu2Entries::OfTheDomain => self.map.enter(&master.entries, way),
            Smmu2Entries::OfTheDevice => self.map.send(&master.entries, way),
        });
        acts
    }

    /// The acts that let a device bypass translation.
    // arm-smmu.c of 4.6: a domain of type DMA bypasses, and has no context bank.
    pub(in crate::iommu) fn bypass(&mut self, master: &mut Master) -> Vec<Work> {
        self.leave(master, Way::Bypass)
    }

    /// The acts that leave a device in no domain: its accesses fault.
    pub(in crate::iommu) fn block(&mut self, master: &mut Master) -> Vec<Work> {
        self.leave(master, Way::Fault)
    }

    fn leave(&mut self, master: &mut Master, way: Way) -> Vec<Work> {
        match self.entries {
            Smmu2Entries::OfTheDomain => self.map.leave(core::mem::take(&mut master.entries)),
            Smmu2Entries::OfTheDevice => self.map.send(&master.entries, way),
        }
    }

    /// The acts after which a removed device has no entries.
    // 6.12 arm-smmu.c, arm_smmu_release_device.
    pub(in crate::iommu) fn release(&mut self, master: &mut Master) -> Vec<Work> {
        let taken = core::mem::take(&mut master.entries);
        if self.entries == Smmu2Entries::OfTheDomain {
            return self.map.leave(taken);
        }
        let unused = self.map.give_back(&taken);
        unused.into_iter().flat_map(|index| self.map.write(index)).collect()
    }
}
