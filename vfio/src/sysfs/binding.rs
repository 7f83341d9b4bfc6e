//! Binding drivers to devices: when a function is probed, and at boot.
//!
//! Not here: which driver a probe selects ([`Pci`](crate::pci::Pci)).

use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::VFIO_PCI;
use crate::policy::VfioCoherence;
use crate::rules;
use crate::verdict::{Severity, Verdict};
use passim_model::{Conflict, Endpoint, Host, Refusal, Rid};

impl Kernel {
    /// Probes a function.
    ///
    /// # Errors
    /// EINVAL by `probe-dma-owned`. If VFIO's probe fails this is no error: a
    /// [verdict](Kernel::take_verdicts) reports it.
    // 6.12 dd.c, really_probe and __device_attach_driver: the write does not return the error of a
    // driver's probe.
    pub(super) fn probe_function(
        &mut self,
        rid: Rid,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let group = self.topology.function(rid).and_then(|function| function.group);
        let owner = group.and_then(|group| self.groups.get(&group));
        let owned = owner.is_some_and(|group| group.container.is_some());
        let bound = self.pci.driver(rid).is_some();
        self.pci.probe(rid, owned)?;
        if bound {
            return Ok(());
        }
        if self.pci.driver(rid) == Some(VFIO_PCI) && !self.vfio_takes(rid.into()) {
            self.pci.unbind(rid);
        }
        if self.has_native_driver(rid) {
            self.hold_messages(rid.into(), None, tasks, host);
        }
        Ok(())
    }

    /// Unbinds VFIO's drivers from the devices whose probe fails at boot.
    pub(crate) fn judge_bound_at_boot(&mut self) {
        let functions = self.topology.functions().iter().map(|function| function.rid);
        let functions: Vec<Rid> =
            functions.filter(|rid| self.pci.driver(*rid) == Some(VFIO_PCI)).collect();
        for rid in functions {
            if !self.vfio_takes(rid.into()) {
                self.pci.unbind(rid);
            }
        }
        let platforms: Vec<Endpoint> = self.platforms.served().collect();
        for device in platforms {
            if !self.vfio_takes(device) {
                self.platforms.unbind(device);
            }
        }
    }

    /// Whether VFIO's probe of a device succeeds.
    // 4.6 vfio_pci.c, vfio_pci_probe, and 6.1 vfio_main.c, vfio_group_find_or_alloc: a device has a
    // group. 6.1 there and 6.12 __vfio_register_dev: the device must be coherent, since a process
    // cannot maintain CPU caches for it.
    fn vfio_takes(&mut self, device: Endpoint) -> bool {
        let required = self.policy.vfio_coherence == VfioCoherence::Required;
        let rule = if self.iommu.group_of(device).is_none() {
            &rules::DEVICE_WITHOUT_GROUP
        } else if required && !self.iommu.keeps_coherent(device) {
            &rules::DEVICE_NOT_COHERENT
        } else {
            return true;
        };
        let conflict = match device {
            Endpoint::Pci(rid) => Conflict::Device(rid),
            Endpoint::Platform(number) => Conflict::Platform(number),
        };
        self.verdicts.push(Verdict { severity: Severity::Unbound, rule, conflict });
        false
    }

    /// Whether a function is bound to its boot driver, and that is not VFIO's.
    pub(super) fn has_native_driver(&self, rid: Rid) -> bool {
        let driver = self.pci.driver(rid).filter(|&driver| driver != VFIO_PCI);
        let function = self.topology.function(rid);
        driver.is_some() && function.is_some_and(|it| it.boot_driver.as_deref() == driver)
    }
}
