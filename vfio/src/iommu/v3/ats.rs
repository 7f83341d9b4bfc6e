//! PCIe ATS: which devices have it, when it goes on and off, and what their caches must forget.
//!
//! A device whose translations the SMMU answers keeps them; so whatever the TLB must forget, each
//! such device of the domain must forget after it. Not here: page requests, PASIDs.
//!
//! The order of acts is that of arm-smmu-v3.c. 6.1: arm_smmu_detach_dev disables ATS at the device,
//! invalidates all it holds, then writes the STE; arm_smmu_attach_dev writes the STE, enters the
//! device in the domain's list, and arm_smmu_enable_ats invalidates in every device of the list
//! before it enables the one. 6.12: arm_smmu_attach_prepare disables, the STE is written, and
//! arm_smmu_attach_commit invalidates in this device, and enables it where it was off.
//!
//! Both ask the firmware whether the root complex passes ATS on (IOMMU_FWSPEC_PCI_RC_ATS, which 6.1
//! has from ACPI alone); where a function has the capability, that is taken for granted here.

use super::command::Command;
use super::domain::Domain;
use super::queue::Ending;
use super::wire::{AtsControl, ExtendedHeader, PCI_EXT_CAP_ID_ATS, config};
use super::work::Work;
use super::{Master, SmmuV3};
use crate::policy::{Smmu3Ats, Smmu3LongRanges};
use passim_model::{Host, PhysAddr, StreamId, Width};

/// ATS of a device that has it.
#[derive(Debug)]
pub(super) struct Ats {
    /// Its control register.
    control: PhysAddr,
    /// Whether it is on.
    pub(super) enabled: bool,
}

impl Ats {
    /// ATS of the function with this configuration space, if it has the capability.
    // pci_ats_init: the extended capabilities, 0x100 on, at most as many as fit.
    pub(super) fn of(space: PhysAddr, host: &mut impl Host) -> Option<Self> {
        let mut at = config::EXTENDED;
        for _ in config::EXTENDED / 8..config::SIZE / 8 {
            let header = host.load(space.checked_add(at)?, Width::W32).ok()?;
            // Where nothing answers, all ones.
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

/// The value of the control register that lets a device ask.
fn enabling(unit_lg2: u32) -> u64 {
    AtsControl::ENABLE.of(1) | AtsControl::STU.of(u64::from(unit_lg2.saturating_sub(12)))
}

/// Whether the driver switches ATS of devices on.
pub(super) fn switches(ats: Smmu3Ats) -> bool {
    matches!(ats, Smmu3Ats::Renewed | Smmu3Ats::Kept)
}

impl SmmuV3 {
    /// Whether a device of a domain that translates uses ATS.
    pub(super) fn uses_ats(&self, master: &Master) -> bool {
        switches(self.ats) && master.ats.is_some()
    }

    /// The act that lets a device ask.
    fn switch_on(&self, ats: &Ats) -> Work {
        Work::Configure { at: ats.control, value: enabling(self.features.unit_lg2) }
    }

    /// The acts that end ATS of a device where nothing will translate for it, before its STEs
    /// change: it may not ask any more; and what it holds is forgotten, by 6.1 at once, by 6.12
    /// [afterwards](Self::forget_in_device).
    pub(super) fn leave_ats(&self, master: &mut Master) -> Vec<Work> {
        let Some(ats) = master.ats.as_mut().filter(|ats| ats.enabled) else { return Vec::new() };
        // pci_disable_ats: the unit stays as it was.
        let value = enabling(self.features.unit_lg2) & !AtsControl::ENABLE.mask();
        let mut acts = vec![Work::Configure { at: ats.control, value }];
        if self.ats == Smmu3Ats::Renewed {
            ats.enabled = false;
            acts.push(forget_all([master.streams.as_slice()]));
        }
        acts
    }

    /// The act after which a device whose ATS has ended holds nothing.
    // 6.12 arm_smmu_attach_commit, arm_smmu_atc_inv_master: after the STE says so.
    pub(super) fn forget_in_device(&self, master: &mut Master) -> Option<Work> {
        let ats = master.ats.as_mut().filter(|ats| ats.enabled)?;
        ats.enabled = false;
        Some(forget_all([master.streams.as_slice()]))
    }

    /// The acts that begin ATS of a device once its STEs lead to `domain`.
    // 6.1 arm_smmu_enable_ats, arm_smmu_atc_inv_domain: every device of the domain forgets, the
    // last that came first. 6.12 arm_smmu_enable_ats, arm_smmu_atc_inv_master: this one does, and
    // where it was on already that is all.
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

    /// What the devices of a domain must forget after the TLB: `size` bytes from `start` on, or
    /// everything.
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
    /// A device is not in this domain any more.
    pub(in crate::iommu) fn forget(&mut self, master: &Master) {
        self.asking.retain(|streams| *streams != master.streams);
    }
}

/// Everything that these devices hold.
fn forget_all<'a>(devices: impl IntoIterator<Item = &'a [StreamId]>) -> Work {
    let streams = devices.into_iter().flatten();
    let commands = streams.map(|stream| Command::atc_inv_all(*stream)).collect();
    Work::Submit { commands, ending: Ending::Sync }
}
