//! Interrupts for the messages of a device: Linux's `msi_domain_alloc_irqs`.

use super::controller::{Exhausted, Source};
use super::flags::{Bus, MsiFlags};
use super::message::Message;
use super::rules;
use super::vectors::{Descriptor, MessageKind, Vector, Vectors};
use crate::irq::Title;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{MsiDomains, MsiMapping};
use crate::verdict::{Severity, Verdict};
use passim_model::{Conflict, Errno, Host, IntId, PhysAddr, Refusal, Rid};

/// An allocation that did not get all it asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortage {
    /// How many there would have been; asked for alone, they can be had.
    pub(super) available: u32,
    /// Why there are no more.
    pub(super) refusal: Refusal,
}

impl Kernel {
    /// Interrupts for `count` vectors, at least one, mapped and numbered. `first` is the number of
    /// the first where that is known already.
    pub(super) fn alloc_vectors(
        &mut self,
        rid: Rid,
        kind: MessageKind,
        count: u16,
        first: Option<u32>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<Vectors, Shortage> {
        let conflict = Conflict::Device(rid);
        let Some(flags) = self.msi.controller.flags(Bus::Pci) else {
            let refusal = rules::MSI_NO_DOMAIN.refuse_for(Errno::ENODEV, conflict);
            return Err(Shortage { available: 0, refusal });
        };
        // 6.12 msi_capability_init: a domain that cannot give several is not asked.
        if kind == MessageKind::Msi && count > 1 && !flags.contains(MsiFlags::MULTI_PCI_MSI) {
            let refusal = rules::VECTORS_EXHAUSTED.refuse_for(Errno::ENOSPC, conflict);
            return Err(Shortage { available: 1, refusal });
        }
        let id = self.device_id(rid);
        let wanted = self.prepared_vectors(rid, kind, count).max(self.aliasing_vectors(rid));
        let prepared = self.msi.controller.prepare(id, wanted, &mut self.frames, host);
        if let Err(exhausted) = prepared {
            return Err(Shortage { available: 0, refusal: refusal_of(exhausted, rid) });
        }
        let mut vectors = Vectors { kind, descriptors: Vec::new() };
        let (descriptors, each) = match kind {
            MessageKind::Msi => (1, count),
            MessageKind::Msix => (count, 1),
        };
        for index in 0..descriptors {
            let number = first.map(|first| first + u32::from(index));
            match self.alloc_descriptor(rid, kind, (index, each), number, tasks, host) {
                Ok(descriptor) => vectors.descriptors.push(descriptor),
                Err(refusal) => {
                    let before = tasks.len();
                    self.free_vectors(&vectors, tasks, host);
                    self.settle_doorbells(before, tasks, host);
                    // The PCI layer's handle_error: several vectors of MSI are tried as one; of
                    // MSI-X as many as there were.
                    let available = match kind {
                        MessageKind::Msi => u32::from(each > 1 && refusal.errno == Errno::ENOSPC),
                        MessageKind::Msix => u32::from(index),
                    };
                    return Err(Shortage { available, refusal });
                }
            }
        }
        Ok(vectors)
    }

    /// One descriptor: `count` vectors of MSI, or one entry of MSI-X.
    fn alloc_descriptor(
        &mut self,
        rid: Rid,
        kind: MessageKind,
        (index, count): (u16, u16),
        number: Option<u32>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<Descriptor, Refusal> {
        let id = self.device_id(rid);
        let sources = self.msi.controller.alloc(id, usize::from(count));
        let sources = sources.map_err(|exhausted| refusal_of(exhausted, rid))?;
        let intids: Vec<IntId> = sources.iter().map(|source| source.intid).collect();
        if let Some(&beyond) = intids.iter().find(|&&intid| self.irqs.refuses(intid)) {
            self.msi.controller.free(&sources, &mut self.frames, host);
            let conflict = Conflict::Unknown(u64::from(beyond.get()));
            return Err(rules::SPI_BEYOND.refuse_for(Errno::ENOSPC, conflict));
        }
        self.prepare_doorbells(rid, &sources, host)?;
        let title = self.title(rid, kind, index);
        let first = self.irqs.add(&intids, number, &title, host);
        let vectors = (first..).zip(sources).map(|(irq, source)| Vector {
            irq,
            source,
            held: Vec::new(),
            active: false,
        });
        let message = Message::default();
        let mut descriptor = Descriptor { index, vectors: vectors.collect(), message };
        if let Err(refusal) = self.hold_doorbells(rid, &mut descriptor, tasks, host) {
            self.free_descriptor(&descriptor, tasks, host);
            return Err(refusal);
        }
        Ok(descriptor)
    }

    /// Maps the doorbells of a descriptor for good, where allocation does that.
    fn prepare_doorbells(
        &mut self,
        rid: Rid,
        sources: &[Source],
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let first = sources.first().filter(|_| self.policy.msi_mapping == MsiMapping::Prepare);
        let Some(&first) = first else { return Ok(()) };
        for cpu in 0..self.irqs.cpus {
            let at = PhysAddr::new(self.msi.controller.message(first, cpu).address);
            if let Err(refusal) = self.prepare_doorbell(rid, at, host) {
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

    fn free_descriptor(
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

    fn device_id(&self, rid: Rid) -> passim_model::DeviceId {
        self.topology.function(rid).map_or_else(Default::default, |function| function.device_id)
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
        let id = self.device_id(rid);
        let functions = self.topology.functions().iter();
        let aliases = functions.filter(|function| function.device_id == id);
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
    fn title(&self, rid: Rid, kind: MessageKind, index: u16) -> Title {
        let (shared, own) = self.msi.controller.chip();
        match self.policy.msi_domains {
            MsiDomains::Shared => {
                let hwirq = u64::from(rid.get()) << 11 | u64::from(index);
                Title { chip: shared.to_owned(), hwirq }
            }
            MsiDomains::PerDevice => {
                let kind = match kind {
                    MessageKind::Msi => "MSI",
                    MessageKind::Msix => "MSIX",
                };
                let chip = format!("{own}-PCI-{kind}-0000:{rid}");
                Title { chip, hwirq: u64::from(index) }
            }
        }
    }
}

fn refusal_of(exhausted: Exhausted, rid: Rid) -> Refusal {
    let conflict = Conflict::Device(rid);
    match exhausted {
        Exhausted::Device => rules::DEVICE_NO_LPIS.refuse_for(Errno::ENOMEM, conflict),
        Exhausted::Numbers => rules::VECTORS_EXHAUSTED.refuse_for(Errno::ENOSPC, conflict),
    }
}
