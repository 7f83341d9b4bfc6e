//! PCIe ATS: which devices have it, when it is enabled and disabled, and ATC invalidation.
//!
//! A device caches the translations that it requests; so after every TLB invalidation each such
//! device of the domain must be invalidated too. Not here: page requests, PASIDs.
//!
//! The order of acts is that of arm-smmu-v3.c. 6.1: arm_smmu_detach_dev disables ATS at the device,
//! invalidates its ATC, then writes the STE; arm_smmu_attach_dev writes the STE, adds the device to
//! the domain's list, and arm_smmu_enable_ats invalidates every device of the list before it
//! enables this one. 6.12: arm_smmu_attach_prepare disables, the STE is written, and
//! arm_smmu_attach_commit invalidates this device, and enables it where it was off.
//!
//! Both ask firmware whether the root complex supports ATS (IOMMU_FWSPEC_PCI_RC_ATS, which 6.1 sets
//! from ACPI alone); the model assumes that it does where a function has the capability.

use super::command::Command;
use super::domain::Domain;
use super::queue::Ending;
use super::wire::{AtsControl, ExtendedHeader, PCI_EXT_CAP_ID_ATS, config};
use super::work::Work;
use super::{Master, SmmuV3};
use crate::policy::{Smmu3Ats, Smmu3LongRanges};
use passim_model::{Host, PhysAddr, StreamId, Width};

/// ATS of a device with the capability.
#[derive(Debug)]
pub(super) struct Ats {
    /// Its control register.
    control: PhysAddr,
    /// Whether it is enabled.
    pub(super) enabled: bool,
}

impl Ats {
    /// Finds ATS in the configuration space of a function, if it has the capability.
    // pci_ats_init: the extended capabilities, 0x100 on, at most as many as fit.
    pub(super) fn of(space: PhysAddr, host: &mut impl Host) -> Option<Self> {
        let mut at = config::EXTENDED;
        for _ in config::EXTENDED / 8..config::SIZE / 8 {
            let header = host.load(space.checked_add(at)?, Width::W32).ok()?;
            // All ones: nothing answers.
            if header == 0 || header == u64::from(u32::MAX) {
                return None;
            }
            if ExtendedHeader::ID.get(header) == PCI_EXT_CAP_ID_ATS {
                let control = space.checked_add(at + config::ATS_CTRL)?;
                return Some(Self { control, enabled: false });
            }
            at = ExtendedHeader::NEXT.get(header) & !3;
            if at < config::EXTENDED {
                return None;
            }
        }
        None
    }
}

/// The value of the control register that enables translation requests.
fn enabling(unit_lg2: u32) -> u64 {
    AtsControl::ENABLE.of(1) | AtsControl::STU.of(u64::from(unit_lg2.saturating_sub(12)))
}

/// Whether the driver enables ATS of devices.
pub(super) fn switches(ats: Smmu3Ats) -> bool {
    matches!(ats, Smmu3Ats::Renewed | Smmu3Ats::Kept)
}

impl SmmuV3 {
    /// Whether a device of a domain that translates uses ATS.
    pub(super) fn uses_ats(&self, master: &Master) -> bool {
        switches(self.ats) && master.ats.is_some()
    }

    /// The act that enables translation requests of a device.
    fn switch_on(&self, ats: &Ats) -> Work {
        Work::Configure { at: ats.control, value: enabling(self.features.unit_lg2) }
    }

    /// The acts that end ATS of a device that will not be translated, before its STEs change:
    /// translation requests are disabled, and its ATC is invalidated, by 6.1 at once, by 6.12
    /// [afterwards](Self::forget_in_device).
    pub(super) fn leave_ats(&self, master: &mut Master) -> Vec<Work> {
        let Some(ats) = master.ats.as_mut().filter(|ats| ats.enabled) else { return Vec::new() };
        // pci_disable_ats: the translation unit stays as it was.
        let value = enabling(self.features.unit_lg2) & !AtsControl::ENABLE.mask();
        let mut acts = vec![Work::Configure { at: ats.control, value }];
        if self.ats == Smmu3Ats::Renewed {
            ats.enabled = false;
            acts.push(forget_all([master.streams.as_slice()]));
        }
        acts
    }

    /// The act that invalidates the ATC of a device whose ATS has ended.
    // 6.12 arm_smmu_attach_commit, arm_smmu_atc_inv_master: after the STE has changed.
    pub(super) fn forget_in_device(&self, master: &mut Master) -> Option<Work> {
        let ats = master.ats.as_mut().filter(|ats| ats.enabled)?;
        ats.enabled = false;
        Some(forget_all([master.streams.as_slice()]))
    }

    /// The acts that begin ATS of a device once its STEs select `domain`.
    // 6.1 arm_smmu_enable_ats, arm_smmu_atc_inv_domain: every device of the domain is invalidated,
    // the last to attach first. 6.12 arm_smmu_enable_ats, arm_smmu_atc_inv_master: only this one
    // is, and if ATS was enabled already nothing else follows.
    pub(super) fn enter_ats(&self, master: &mut Master, domain: &mut Domain) -> Vec<Work> {
        let Some(ats) = master.ats.as_mut().filter(|_| switches(self.ats)) else {
            return Vec::new();
        };
        domain.asking.insert(0, master.streams.clone());
        let mut acts = vec![match self.ats {
            Smmu3Ats::Renewed => forget_all(domain.asking.iter().map(Vec::as_slice)),
            _ => forget_all([master.streams.as_slice()]),
        }];
        if !core::mem::replace(&mut ats.enabled, true) {
            acts.push(self.switch_on(ats));
        }
        acts
    }

    /// The ATC invalidations of a domain's devices after one of the TLB: `size` bytes from `start`
    /// on, or everything.
    pub(super) fn forget_in_devices(
        &self,
        domain: &Domain,
        what: Option<(u64, u64)>,
    ) -> Option<Work> {
        if domain.asking.is_empty() {
            return None;
        }
        let mut streams: Vec<_> = domain.asking.iter().flatten().collect();
        if self.long_ranges == Smmu3LongRanges::WholeTag {
            streams.sort_unstable();
        }
        let command = |stream: &StreamId| match what {
            None => Command::atc_inv_all(*stream),
            Some((start, size)) => Command::atc_inv(*stream, start, size),
        };
        let commands = streams.into_iter().map(command).collect();
        Some(Work::Submit { commands, ending: Ending::Sync })
    }
}

impl Domain {
    /// Removes a device from the domain's list.
    pub(in crate::iommu) fn forget(&mut self, master: &Master) {
        self.asking.retain(|streams| *streams != master.streams);
    }
}

/// Invalidates the ATCs of these devices.
fn forget_all<'a>(devices: impl IntoIterator<Item = &'a [StreamId]>) -> Work {
    let streams = devices.into_iter().flatten();
    let commands = streams.map(|stream| Command::atc_inv_all(*stream)).collect();
    Work::Submit { commands, ending: Ending::Sync }
}
