//! Whether a device can raise only its own interrupts, by each rule that kernels have had.
//!
//! Not here: which rule applies, and its consequence (attaching groups); the registry of doorbells
//! (interrupts).

use super::flags::{Bus, MsiFlags};
use crate::kernel::Kernel;
use passim_model::Endpoint;

impl Kernel {
    /// The flags of a device's MSI domain. PCI functions have the one controller, if there is one
    /// and firmware leads to it; so have devices on the board that send messages.
    fn msi_flags(&self, device: Endpoint) -> Option<MsiFlags> {
        match device {
            Endpoint::Pci(_) => {
                self.known_as(device).and_then(|_| self.msi.controller.flags(Bus::Pci))
            }
            Endpoint::Platform(number) => {
                let sends = self.topology.platform(number).is_some_and(|it| it.messages > 0);
                self.msi.controller.flags(Bus::Platform).filter(|_| sends)
            }
        }
    }

    /// Patch 5/7 of part 3: every device of the group has no MSI domain, or one that remaps.
    pub fn msi_domains_remap(&self, group: u32) -> bool {
        let remaps = |flags: MsiFlags| flags.contains(MsiFlags::IRQ_REMAPPING);
        let mut devices = self.iommu.group_devices(group);
        devices.all(|device| self.msi_flags(device).is_none_or(remaps))
    }

    /// 4.11 `irq_domain_check_msi_remap`: no MSI domain of the system leaves interrupts unremapped.
    pub fn every_msi_domain_remaps(&self) -> bool {
        [Bus::Pci, Bus::Platform].into_iter().all(|bus| {
            let flags = self.msi.controller.flags(bus);
            flags.is_none_or(|flags| flags.contains(MsiFlags::IRQ_REMAPPING))
        })
    }

    /// 6.3 `iommu_group_has_isolated_msi`: every device of the group has an MSI domain that
    /// isolates it.
    pub fn group_has_isolated_msi(&self, group: u32) -> bool {
        let isolated = |flags: MsiFlags| flags.contains(MsiFlags::IRQ_REMAPPING);
        self.iommu.group_devices(group).all(|device| self.msi_flags(device).is_some_and(isolated))
    }
}
