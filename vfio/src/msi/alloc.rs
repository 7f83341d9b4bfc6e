//! Interrupts for the messages of a device: Linux's `msi_domain_alloc_irqs`, descriptor by
//! descriptor.
//!
//! Not here: the message that is written to the device (`compose`), and when messages are enabled
//! (`enabling`).

use super::controller::Source;
use super::flags::MsiFlags;
use super::its::Lacking;
use super::message::Message;
use super::rules;
use super::vectors::{Descriptor, MessageKind, Vector, Vectors};
use crate::irq::Title;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{ItsAliases, ItsLife, LpiRanges, MsiDomains, MsiMapping, NoMsiDomain};
use crate::verdict::{Severity, Verdict};
use passim_model::topology::Function;
use passim_model::{Conflict, DeviceId, Endpoint, Errno, Host, IntId, PhysAddr, Refusal, Rid};

/// An allocation that got fewer interrupts than requested.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortage {
    /// How many are available; an allocation of that many succeeds.
    pub(super) available: u32,
    /// Why there are no more.
    pub(super) refusal: Refusal,
}

impl Kernel {
    /// Prepares for `count` vectors: checks that an MSI domain provides them, and lets the
    /// controller allocate what the device needs.
    pub(super) fn prepare_vectors(
        &mut self,
        device: Endpoint,
        kind: MessageKind,
        count: u16,
        host: &mut impl Host,
    ) -> Result<(), Shortage> {
        let conflict = Conflict::from(device);
        let (Some(flags), Some(id)) =
            (self.msi.controller.flags(kind.bus()), self.known_as(device))
        else {
            let errno = self.errno_without_domain(kind, conflict);
            let refusal = rules::MSI_NO_DOMAIN.refuse_for(errno, conflict);
            return Err(Shortage { available: 0, refusal });
        };
        // 6.12 msi_capability_init: several vectors are not requested of a domain without
        // multi-MSI.
        if kind == MessageKind::Msi && count > 1 && !flags.contains(MsiFlags::MULTI_PCI_MSI) {
            let refusal = rules::VECTORS_EXHAUSTED.refuse_for(Errno::ENOSPC, conflict);
            return Err(Shortage { available: 1, refusal });
        }
        if self.msi.domains.get(&device) == Some(&kind) {
            return Ok(());
        }
        self.end_domain(device, host);
        let wanted = match device {
            Endpoint::Pci(rid) => self.with_aliases(rid, self.prepared_vectors(rid, kind, count)),
            Endpoint::Platform(_) => (self.prepared_messages(count), false),
        };
        let prepared = self.msi.controller.prepare(id, wanted, &mut self.frames, host);
        let life = self.policy.its_life;
        prepared.map_err(|why| {
            let refusal = refusal_of(why, (device, id.1), life);
            Shortage { available: 0, refusal }
        })?;
        if life == ItsLife::Domain {
            self.msi.domains.insert(device, kind);
        }
        Ok(())
    }

    /// Removes a device's own MSI domain, if it has one.
    pub(super) fn end_domain(&mut self, device: Endpoint, host: &mut impl Host) {
        if self.msi.domains.remove(&device).is_some()
            && let Some(id) = self.known_as(device)
        {
            let busy = self.msi.controller.release(id, &mut self.frames, host);
            if busy && !core::mem::replace(&mut self.msi.warned.events, true) {
                self.verdicts.push(Verdict {
                    severity: Severity::Warning,
                    rule: &rules::EVENTS_AT_TEARDOWN,
                    conflict: Conflict::from(device),
                });
            }
        }
    }

    /// Allocates one descriptor, `count` vectors of MSI or one other message, without references on
    /// doorbells.
    pub(super) fn alloc_descriptor(
        &mut self,
        device: Endpoint,
        kind: MessageKind,
        (index, count): (u16, u16),
        number: Option<u32>,
        host: &mut impl Host,
    ) -> Result<Descriptor, Refusal> {
        let id = self.known_as(device).expect("it is prepared, and so has a domain");
        let sources = self.msi.controller.alloc(id, usize::from(count));
        let sources = sources.ok_or_else(|| {
            rules::VECTORS_EXHAUSTED.refuse_for(Errno::ENOSPC, Conflict::from(device))
        })?;
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

    /// Maps the doorbells of a descriptor for good, where the kernel does that on allocation.
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
                // Both drivers return here without clearing the bit that they have just set.
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

    /// Frees everything of these vectors.
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
        if self.msi.controller.free(&sources, &mut self.frames, host) > 0 {
            self.verdicts.push(Verdict {
                severity: Severity::Finding,
                rule: &rules::BLOCK_PARTLY_FREED,
                conflict: Conflict::Unknown(u64::from(sources[0].intid.get())),
            });
        }
    }

    /// How a request of a device without an MSI domain fails.
    fn errno_without_domain(&mut self, kind: MessageKind, conflict: Conflict) -> Errno {
        match (kind, self.policy.no_msi_domain) {
            // platform_msi_alloc_priv_data, and 6.12 platform_device_msi_init_and_alloc_irqs.
            (MessageKind::Platform, _) => Errno::EINVAL,
            (_, NoMsiDomain::Einval) => Errno::EINVAL,
            (_, NoMsiDomain::Enodev) => {
                if !core::mem::replace(&mut self.msi.warned.no_domain, true) {
                    let (severity, rule) = (Severity::Warning, &rules::MSI_NO_DOMAIN);
                    self.verdicts.push(Verdict { severity, rule, conflict });
                }
                Errno::ENODEV
            }
            (_, NoMsiDomain::Enotsupp) => Errno::ENOTSUPP,
        }
    }

    /// The ITS of a device, and its DeviceID there; `None` if firmware gives it none. With GICv2m
    /// only whether there is one counts.
    // 6.12 pci_msi_get_device_domain: the requester id finds the ITS in `msi-map`, then that ITS's
    // pci_msi_domain_get_msi_rid finds the DeviceID in the same map.
    pub(super) fn known_as(&self, device: Endpoint) -> Option<(usize, DeviceId)> {
        if let Some(&(its, id)) = self.msi.last_aliases.get(&device) {
            return its.map(|its| (its, id));
        }
        let its = self.msi.parents.get(&device).copied().unwrap_or(Some(0))?;
        let requester = self.topology.requester(device);
        Some((its, requester.map_or_else(Default::default, |it| it.device)))
    }

    /// Number of messages that a platform device is prepared for, where it requests `count`.
    // its_pmsi_prepare: the requested number; at least 32 since 4.19, which left the minimum of
    // LPIs to each bus.
    fn prepared_messages(&self, count: u16) -> u32 {
        /// Fewest LPIs of a device on no bus.
        const FEWEST: u32 = 32;
        let count = u32::from(count);
        match self.policy.lpi_ranges {
            LpiRanges::Chunks32 => count,
            LpiRanges::FirstFit => count.next_power_of_two().max(FEWEST),
        }
    }

    /// Number of vectors that a device is prepared for, where it requests `count` now.
    // measured: 6.12, whose devices have their own domains, prepares for the whole MSI-X table (its
    // dump msix_nvme: MAPD with 7 bits before the first four vectors of 65); 6.1 for the requested
    // number (2 bits). 6.16 also creates domains of MSI for the largest possible number.
    fn prepared_vectors(&self, rid: Rid, kind: MessageKind, count: u16) -> u32 {
        let all = match (kind, self.policy.msi_domains) {
            (MessageKind::Msix, MsiDomains::PerDevice) => self.most_vectors(rid.into(), kind),
            _ if self.policy.its_life == ItsLife::Domain => self.most_vectors(rid.into(), kind),
            _ => 0,
        };
        all.max(u32::from(count))
    }

    /// Number of vectors that a function is prepared for where it requests `wanted`, and whether a
    /// bridge may answer for it. Functions that share a DeviceID in firmware are not counted.
    // 4.4 and 5.12 its_pci_msi_prepare: each function counts with the larger of MSI and MSI-X.
    fn with_aliases(&self, rid: Rid, wanted: u32) -> (u32, bool) {
        let most = |function: &Function| {
            use crate::uapi::irq;
            let count = |index| crate::device::vectors(function, index);
            count(irq::MSI).max(count(irq::MSIX))
        };
        let above = self.topology.bridges_above(rid).iter();
        let mut answer = above.filter(|above| above.answers).map(|above| above.bridge);
        match self.policy.its_aliases {
            ItsAliases::Bridges => {
                let bridges: Vec<_> = answer.filter_map(|at| self.topology.function(at)).collect();
                let more: u32 = bridges.iter().copied().map(most).sum();
                (wanted.saturating_add(more), !bridges.is_empty())
            }
            ItsAliases::Behind => {
                let Some(uppermost) = answer.next_back() else { return (wanted, false) };
                let all: u32 = self.topology.behind(uppermost).map(most).sum();
                (wanted.max(all), true)
            }
        }
    }

    /// The title of a vector in `/proc/interrupts`.
    // measured: 6.12 gives every device its own domain and shows the vector's index in it; 6.1 has
    // one domain for all, and computes a number as pci_msi_domain_calc_hwirq does.
    fn title(&self, device: Endpoint, kind: MessageKind, index: u16) -> Title {
        let (shared, own) = self.msi.controller.chip(kind.bus());
        let by_index = u64::from(index);
        match (self.policy.msi_domains, device) {
            (MsiDomains::Shared, Endpoint::Pci(rid)) => {
                Title { chip: shared.to_owned(), hwirq: u64::from(rid.get()) << 11 | by_index }
            }
            // platform-msi.c until 6.10: devices are numbered in the order of allocation.
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

/// The refusal of an ITS driver that cannot create a device.
fn refusal_of(why: Lacking, (device, id): (Endpoint, DeviceId), life: ItsLife) -> Refusal {
    let conflict = Conflict::from(device);
    let errno = match life {
        // 6.16 msi_create_device_irq_domain: the device then has no domain.
        ItsLife::Domain => Errno::ENODEV,
        ItsLife::Events => Errno::ENOMEM,
    };
    match why {
        Lacking::Place(limit) => {
            let wanted = u64::from(id.get()) + 1;
            rules::DEVICE_NO_PLACE.refuse_for(errno, Conflict::Limit { limit, wanted })
        }
        Lacking::Memory => rules::DEVICE_NO_MEMORY.refuse_for(errno, conflict),
        Lacking::Events => rules::DEVICE_NO_EVENTS.refuse_for(errno, conflict),
        Lacking::Lpis => rules::DEVICE_NO_LPIS.refuse_for(errno, conflict),
    }
}
