//! Interrupts for the messages of a device: what Linux's `msi_domain_alloc_irqs` does for each
//! descriptor.

use super::controller::{Exhausted, Source};
use super::flags::MsiFlags;
use super::message::Message;
use super::vectors::{Descriptor, MessageKind, Vector, Vectors};
use super::{conflict_of, rules};
use crate::irq::Title;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{LpiRanges, MsiDomains, MsiMapping};
use crate::verdict::{Severity, Verdict};
use passim_model::{Conflict, DeviceId, Endpoint, Errno, Host, IntId, PhysAddr, Refusal, Rid};

/// An allocation that did not get all it asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortage {
    /// How many there would have been; asked for alone, they can be had.
    pub(super) available: u32,
    /// Why there are no more.
    pub(super) refusal: Refusal,
}

impl Kernel {
    /// Gets ready for `count` vectors: whether there is a domain that gives them, and what the
    /// controller has to know of the device first.
    pub(super) fn prepare_vectors(
        &mut self,
        device: Endpoint,
        kind: MessageKind,
        count: u16,
        host: &mut impl Host,
    ) -> Result<(), Shortage> {
        let conflict = conflict_of(device);
        let Some(flags) = self.msi.controller.flags(kind.bus()) else {
            let refusal = rules::MSI_NO_DOMAIN.refuse_for(Errno::ENODEV, conflict);
            return Err(Shortage { available: 0, refusal });
        };
        // 6.12 msi_capability_init: a domain that cannot give several is not asked.
        if kind == MessageKind::Msi && count > 1 && !flags.contains(MsiFlags::MULTI_PCI_MSI) {
            let refusal = rules::VECTORS_EXHAUSTED.refuse_for(Errno::ENOSPC, conflict);
            return Err(Shortage { available: 1, refusal });
        }
        let id = self.known_as(device);
        let wanted = match device {
            Endpoint::Pci(rid) => {
                self.prepared_vectors(rid, kind, count).max(self.aliasing_vectors(rid))
            }
            Endpoint::Platform(_) => self.prepared_messages(count),
        };
        let prepared = self.msi.controller.prepare(id, wanted, &mut self.frames, host);
        prepared
            .map_err(|exhausted| Shortage { available: 0, refusal: refusal_of(exhausted, device) })
    }

    /// One descriptor, `count` vectors of MSI or one other message, whose doorbells nobody holds
    /// yet.
    pub(super) fn alloc_descriptor(
        &mut self,
        device: Endpoint,
        kind: MessageKind,
        (index, count): (u16, u16),
        number: Option<u32>,
        host: &mut impl Host,
    ) -> Result<Descriptor, Refusal> {
        let id = self.known_as(device);
        let sources = self.msi.controller.alloc(id, usize::from(count));
        let sources = sources.map_err(|exhausted| refusal_of(exhausted, device))?;
        let intids: Vec<IntId> = sources.iter().map(|source| source.intid).collect();
        if let Some(&beyond) = intids.iter().find(|&&intid| self.irqs.refuses(intid)) {
            self.msi.controller.free(&sources, &mut self.frames, host);
            let conflict = Conflict::Unknown(u64::from(beyond.get()));
            return Err(rules::SPI_BEYOND.refuse_for(Errno::ENOSPC, conflict));
        }
        self.prepare_doorbells(device, &sources, host)?;
        let title = self.title(device, kind, index);
        let first = self.irqs.add(&intids, number, &title, host);
        let vectors = (first..).zip(sources).map(|(irq, source)| Vector {
            irq,
            source,
            held: Vec::new(),
            active: false,
        });
        let message = Message::default();
        Ok(Descriptor { index, vectors: vectors.collect(), message })
    }

    /// Maps the doorbells of a descriptor for good, where allocation does that.
    fn prepare_doorbells(
        &mut self,
        device: Endpoint,
        sources: &[Source],
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let first = sources.first().filter(|_| self.policy.msi_mapping == MsiMapping::Prepare);
        let Some(&first) = first else { return Ok(()) };
        for cpu in 0..self.irqs.cpus {
            let at = PhysAddr::new(self.msi.controller.message(first, cpu).address);
            if let Err(refusal) = self.prepare_doorbell(device, at, host) {
                // Both drivers return here without clearing what they have just set.
                self.verdicts.push(Verdict {
                    severity: Severity::Finding,
                    rule: &rules::INTERRUPT_LEAKED,
                    conflict: Conflict::Unknown(u64::from(first.intid.get())),
                });
                return Err(self.doorbell_failure(refusal));
            }
        }
        Ok(())
    }

    /// Everything of these vectors is free again.
    pub(super) fn free_vectors(
        &mut self,
        vectors: &Vectors,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        for descriptor in &vectors.descriptors {
            self.free_descriptor(descriptor, tasks, host);
        }
    }

    pub(super) fn free_descriptor(
        &mut self,
        descriptor: &Descriptor,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        for vector in &descriptor.vectors {
            for &held in &vector.held {
                self.put_held(held, tasks, host);
            }
            self.irqs.remove(vector.irq);
        }
        let sources: Vec<_> = descriptor.vectors.iter().map(|vector| vector.source).collect();
        self.msi.controller.free(&sources, &mut self.frames, host);
    }

    /// The ITS of a device, and what that knows it by.
    // 6.12 pci_msi_get_device_domain: the requester id finds the ITS in `msi-map`, then that ITS's
    // pci_msi_domain_get_msi_rid finds the DeviceID in the same map.
    fn known_as(&self, device: Endpoint) -> (usize, DeviceId) {
        let its = self.msi.parents.get(&device).copied().unwrap_or(0);
        let requester = self.topology.requester(device);
        (its, requester.map_or_else(Default::default, |it| it.device))
    }

    /// Messages a platform device is prepared for, of which it wants `count`.
    // its_pmsi_prepare: what is wanted; 32 at least since 4.19, which left the least number of LPIs
    // to each bus.
    fn prepared_messages(&self, count: u16) -> u32 {
        /// Fewest LPIs of a device that is on no bus.
        const FEWEST: u32 = 32;
        let count = u32::from(count);
        match self.policy.lpi_ranges {
            LpiRanges::Chunks32 => count,
            LpiRanges::FirstFit => count.next_power_of_two().max(FEWEST),
        }
    }

    /// Vectors a device is prepared for, of which `count` are wanted now.
    // measured: 6.12, whose devices have domains of their own, prepares for the whole MSI-X table
    // (its dump msix_nvme: MAPD with 7 bits before the first four vectors of 65); 6.1 for what is
    // wanted (2 bits).
    fn prepared_vectors(&self, rid: Rid, kind: MessageKind, count: u16) -> u32 {
        use crate::uapi::irq;
        let table = match (kind, self.policy.msi_domains) {
            (MessageKind::Msix, MsiDomains::PerDevice) => {
                let function = self.topology.function(rid);
                function.map_or(0, |function| crate::device::vectors(function, irq::MSIX))
            }
            _ => 0,
        };
        table.max(u32::from(count))
    }

    /// Vectors of all functions that an ITS takes for one device, if there are several.
    // its_pci_msi_prepare: each function counts with the larger of MSI and MSI-X.
    fn aliasing_vectors(&self, rid: Rid) -> u32 {
        let id = self.known_as(rid.into());
        let functions = self.topology.functions().iter();
        let aliases = functions.filter(|function| self.known_as(function.rid.into()) == id);
        let counts = aliases.map(|function| {
            use crate::uapi::irq;
            let count = |index| crate::device::vectors(function, index);
            count(irq::MSI).max(count(irq::MSIX))
        });
        let counts: Vec<u32> = counts.collect();
        if counts.len() > 1 { counts.iter().sum() } else { 0 }
    }

    /// What `/proc/interrupts` calls a vector.
    // measured: 6.12 gives every device a domain of its own, with the vector's place in it; 6.1
    // has one for all, and computes a number as pci_msi_domain_calc_hwirq does.
    fn title(&self, device: Endpoint, kind: MessageKind, index: u16) -> Title {
        let (shared, own) = self.msi.controller.chip(kind.bus());
        let by_index = u64::from(index);
        match (self.policy.msi_domains, device) {
            (MsiDomains::Shared, Endpoint::Pci(rid)) => {
                Title { chip: shared.to_owned(), hwirq: u64::from(rid.get()) << 11 | by_index }
            }
            // platform-msi.c until 6.10: devices are counted as they come.
            (MsiDomains::Shared, Endpoint::Platform(_)) => {
                let before = self.msi.devices.range(Endpoint::Platform(0)..).count() as u64;
                Title { chip: shared.to_owned(), hwirq: before << 11 | by_index }
            }
            (MsiDomains::PerDevice, Endpoint::Pci(rid)) => {
                let kind = if kind == MessageKind::Msi { "MSI" } else { "MSIX" };
                Title { chip: format!("{own}-PCI-{kind}-0000:{rid}"), hwirq: by_index }
            }
            (MsiDomains::PerDevice, Endpoint::Platform(number)) => {
                let name = self.topology.platform(number).map_or("", |it| it.name.as_str());
                Title { chip: format!("{own}-pMSI-{name}"), hwirq: by_index }
            }
        }
    }
}

fn refusal_of(exhausted: Exhausted, device: Endpoint) -> Refusal {
    let conflict = conflict_of(device);
    match exhausted {
        Exhausted::Device => rules::DEVICE_NO_LPIS.refuse_for(Errno::ENOMEM, conflict),
        Exhausted::Numbers => rules::VECTORS_EXHAUSTED.refuse_for(Errno::ENOSPC, conflict),
    }
}
