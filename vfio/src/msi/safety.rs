//! Whether a device can raise only its own interrupts, by each of the rules kernels have had.
//!
//! Facts only: which of them counts, and what follows from it, is decided where groups are
//! attached.

use super::flags::{Bus, MsiFlags};
use crate::kernel::Kernel;

impl Kernel {
    /// Patch 5/7 of part 3: every device of the group has no MSI domain, or one that remaps. All
    /// functions of a machine are below one controller, so that one domain speaks for them.
    pub fn msi_domains_remap(&self, group: u32) -> bool {
        let remaps = |flags: MsiFlags| flags.contains(MsiFlags::IRQ_REMAPPING);
        let mut devices = self.iommu.group_devices(group);
        devices.all(|_| self.msi.controller.flags(Bus::Pci).is_none_or(remaps))
    }

    /// 4.11 `irq_domain_check_msi_remap`: no MSI domain of the system leaves interrupts unremapped.
    pub fn every_msi_domain_remaps(&self) -> bool {
        [Bus::Pci, Bus::Platform].into_iter().all(|bus| {
            let flags = self.msi.controller.flags(bus);
            flags.is_none_or(|flags| flags.contains(MsiFlags::IRQ_REMAPPING))
        })
    }

    /// v10 to v14 `msi_doorbell_safe`: every registered doorbell remaps, which is so if there is
    /// none.
    pub fn doorbells_safe(&self) -> bool {
        self.msi.controller.registry().is_empty() || self.every_msi_domain_remaps()
    }

    /// 6.3 `iommu_group_has_isolated_msi`: every device of the group has an MSI domain that
    /// isolates it.
    pub fn group_has_isolated_msi(&self, group: u32) -> bool {
        let flags = self.msi.controller.flags(Bus::Pci);
        let isolated = flags.is_some_and(|flags| flags.contains(MsiFlags::IRQ_REMAPPING));
        self.iommu.group_devices(group).all(|_| isolated)
    }

    /// v10 to v14 `msi_doorbell_calc_pages`: how many pages of 2^`lg2` bytes the registered
    /// doorbells take in the window.
    pub fn doorbell_pages(&self, lg2: u32) -> u64 {
        /// A doorbell is one register.
        const SIZE: u64 = 4;
        let pages = |at: &passim_model::PhysAddr| (at.offset_in(lg2) + SIZE).div_ceil(1 << lg2);
        self.msi.controller.registry().iter().map(pages).sum()
    }
}
